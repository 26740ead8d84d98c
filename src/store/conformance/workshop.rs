//! What is kept of editing the knowledge.

use jiff::SignedDuration;

use super::{Place, at};
use crate::store::{FileChange, NewKnowledgeVersion, Retention};

for_every_store!(
    a_draft_is_its_authors_and_survives_a_restart,
    versions_come_newest_first_with_their_texts,
    old_versions_and_forgotten_drafts_are_removed,
);

pub(super) fn version(minute: i64, text: &str) -> NewKnowledgeVersion {
    NewKnowledgeVersion {
        published_at: at(minute),
        author: "li".to_owned(),
        comment: "因为有人问".to_owned(),
        version_before: "v1".to_owned(),
        version_after: "v2".to_owned(),
        changes: vec![FileChange {
            path: "outside.toml".to_owned(),
            before: None,
            after: Some(text.to_owned()),
        }],
    }
}

async fn a_draft_is_its_authors_and_survives_a_restart(place: impl Place) {
    let store = place.open().await;
    let save = async |author: &str, record: Option<&str>| {
        let saved = store.save_knowledge_draft(author.to_owned(), record.map(str::to_owned), at(0));
        saved.await.unwrap();
    };
    save("li", Some("first")).await;
    save("li", Some("second")).await;
    save("wang", Some("other")).await;
    save("wang", None).await;
    store.close().await.unwrap();
    let store = place.open().await;
    let draft = async |author: &str| store.knowledge_draft(author.to_owned()).await.unwrap();
    assert_eq!(draft("li").await.as_deref(), Some("second"));
    assert_eq!(draft("wang").await, None);
}

async fn versions_come_newest_first_with_their_texts(place: impl Place) {
    let store = place.open().await;
    let keep = async |number: i64| store.keep_knowledge_version(version(number, "文本")).await.unwrap();
    let (first, second, third) = (keep(1).await, keep(2).await, keep(3).await);
    store.withdraw_knowledge_version(second).await.unwrap();
    let listed = store.knowledge_versions(None, 10).await.unwrap();
    let ids: Vec<i64> = listed.iter().map(|version| version.id).collect();
    assert_eq!(ids, [third, first]);
    assert_eq!((listed[0].published_at, listed[0].author.as_str()), (at(3), "li"));
    assert_eq!(listed[0].files, ["outside.toml"]);
    let older = store.knowledge_versions(Some(third), 10).await.unwrap();
    assert_eq!(older, listed[1..]);
    let (found, changes) = store.knowledge_version(third).await.unwrap().unwrap();
    assert_eq!((found, changes), (listed[0].clone(), version(3, "文本").changes));
    assert_eq!(store.knowledge_version(second).await.unwrap(), None);
}

async fn old_versions_and_forgotten_drafts_are_removed(place: impl Place) {
    let store = place.open().await;
    store.keep_knowledge_version(version(0, "old")).await.unwrap();
    let draft = store.save_knowledge_draft("li".to_owned(), Some("draft".to_owned()), at(0));
    draft.await.unwrap();
    let retention = Retention { questions_days: 1 };
    let days = |days: i64| at(0) + SignedDuration::from_hours(24 * days);
    store.purge(days(90), retention).await.unwrap();
    assert!(store.knowledge_draft("li".to_owned()).await.unwrap().is_some());
    store.purge(days(91), retention).await.unwrap();
    assert_eq!(store.knowledge_draft("li".to_owned()).await.unwrap(), None);
    assert_eq!(store.knowledge_versions(None, 10).await.unwrap().len(), 1);
    store.purge(days(2 * 365 + 1), retention).await.unwrap();
    assert_eq!(store.knowledge_versions(None, 10).await.unwrap(), []);
}
