//! A move from one kind of store to the other: everything goes on, and nothing is done twice.

use super::{Place, at, message, opened, person, settle};
use crate::store::copying::TABLES;
use crate::store::postgres::tests::Database;
use crate::store::sqlite::tests::Folder;
use crate::store::{
    Answered, Effect, Fetched, KfAccountKey, KfPage, NewSend, QuestionRecord, Rating, SeenCallbacks, SendResult, Step,
    Store, StoreAddress, Urgency, Waiting, copy_store,
};
use crate::wecom::StoredToken;

fn account() -> KfAccountKey {
    KfAccountKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        open_kf_id: "wk1".to_owned(),
    }
}

fn said(key: &str) -> Fetched {
    Fetched {
        key: key.to_owned(),
        customer: "wm1".to_owned(),
        sent_at: at(0),
        effect: Effect::Answer { item: key.to_owned() },
    }
}

fn page(claim: i64, from: Option<&str>, next: &str, items: Vec<Fetched>) -> KfPage {
    KfPage {
        account: account(),
        claim,
        from: from.map(str::to_owned),
        next: next.to_owned(),
        items,
        done: Some(1),
        at: at(0),
    }
}

fn send(id: &str, api: &str) -> NewSend {
    NewSend {
        send_id: id.to_owned(),
        way: "support".to_owned(),
        api: api.to_owned(),
        body: format!("body of {id}"),
        instead: None,
        urgency: Urgency::Fresh,
        next_at: at(0),
        not_after: at(1_000),
        replaces_reply: false,
        knowledge_version: "v".to_owned(),
    }
}

/// Has something of everything in a store: settled, remembered, followed, rated, fetched, sent, to be sent, and under way.
async fn fill(store: &dyn Store) {
    settle(store, message(1), "li", at(0), "first").await;
    settle(store, message(2), "li", at(1), "second").await;
    let everything = Step {
        session: Some("third".to_owned()),
        reply: Some("third".to_owned()),
        knowledge_version: "knows three".to_owned(),
        question: Some(QuestionRecord {
            asked_at: at(2),
            ..super::record("群满了", at(2))
        }),
        appeal: opened("A"),
        rating: Some(Rating {
            scenario: "pull-group-full".to_owned(),
            verdict: "useful".to_owned(),
            knowledge_version: "v".to_owned(),
        }),
        sends: vec![send("s1", "kf/send_msg"), send("s2", "kf/send_msg")],
        set_aside: None,
    };
    let settled = store.settle(message(3), person("li"), at(2), Box::new(|_| everything));
    settled.await.unwrap();
    let shown_twice = Step {
        sends: vec![send("s3", "message/send")],
        ..Step::default()
    };
    let settled = store.settle(message(4), person("wang"), at(2), Box::new(|_| shown_twice));
    settled.await.unwrap();
    store
        .want_kf_messages(account(), Some("token".to_owned()), at(0))
        .await
        .unwrap();
    let claim = store.claim_kf_pull(account()).await.unwrap().unwrap();
    assert!(
        store
            .keep_kf_page(page(claim, None, "c1", vec![said("m1"), said("m2")]))
            .await
            .unwrap()
            .is_some()
    );
    let token = StoredToken {
        sealed: "sealed".to_owned(),
        generation: 3,
        expires_at: at(120),
    };
    store.save_token("support", token).await.unwrap();
    store.note_callbacks(vec![seen_callbacks()]).await.unwrap();
    let version = super::workshop::version(1, "text");
    store.keep_knowledge_version(version).await.unwrap();
    let draft = store.save_knowledge_draft("li".to_owned(), Some("draft".to_owned()), at(1));
    draft.await.unwrap();
    // Under way when the process ends: `s1`, and `s3`, of which nobody knows whether it was shown.
    assert_eq!(store.claim_sends(at(3), 10, Vec::new()).await.unwrap().len(), 2);
}

fn seen_callbacks() -> SeenCallbacks {
    SeenCallbacks {
        app: "support".to_owned(),
        method: "GET".to_owned(),
        outcome: SeenCallbacks::GENUINE.to_owned(),
        likely: String::new(),
        detail: String::new(),
        source: "direct".to_owned(),
        count: 1,
        first_at: at(1),
        last_at: at(2),
    }
}

/// Everything is as it was left, and goes on.
async fn assert_goes_on(store: &dyn Store) {
    assert_eq!(
        settle(store, message(3), "li", at(4), "other").await,
        (Some("third".to_owned()), true)
    );
    assert_eq!(super::session_of(store, 5, "li", at(5)).await.as_deref(), Some("third"));
    assert_eq!(store.question(message(3)).await.unwrap().unwrap().text, "群满了");
    let appeals = store.appeals().await.unwrap();
    assert_eq!((appeals.len(), appeals[0].reminders.len()), (1, 2));
    assert_eq!(store.ratings().await.unwrap()[0].count, 1);
    let apps = vec![("ww1".to_owned(), "support".to_owned())];
    let due = store.due_reminders(at(3 * 24 * 60), apps).await.unwrap();
    assert_eq!((due.len(), due[0].user_id.as_str()), (1, "li"));
    assert_eq!(store.token("support").await.unwrap().unwrap().generation, 3);
    assert_eq!(store.seen_callbacks().await.unwrap(), [seen_callbacks()]);
    assert_eq!(store.knowledge_versions(None, 10).await.unwrap().len(), 1);
    let draft = store.knowledge_draft("li".to_owned()).await.unwrap();
    assert_eq!(draft.as_deref(), Some("draft"));

    let claimed = store.claim_sends(at(4), 10, Vec::new()).await.unwrap();
    assert_eq!(
        (claimed.len(), claimed[0].body.as_str(), claimed[0].unclear),
        (1, "body of s1", true)
    );
    store
        .settle_send(claimed[0].claim, SendResult::Sent, at(4))
        .await
        .unwrap();
    assert_eq!(
        store.claim_sends(at(5), 10, Vec::new()).await.unwrap()[0].body,
        "body of s2"
    );
    let dead = store.dead_letters(false, 10).await.unwrap();
    assert_eq!(
        (dead[0].fate.as_str(), dead[0].knowledge_version.as_str()),
        ("unclear", "v")
    );

    let progress = store.kf_progress(account()).await.unwrap();
    assert_eq!(
        (progress.cursor.as_deref(), progress.wanted, progress.done),
        (Some("c1"), 1, 1)
    );
    let claim = store.claim_kf_pull(account()).await.unwrap().unwrap();
    let again = page(claim, Some("c1"), "c2", vec![said("m2"), said("m3")]);
    assert!(store.keep_kf_page(again).await.unwrap().is_some());
    let (sender, mut answered) = tokio::sync::mpsc::unbounded_channel();
    let answer = Box::new(move |waiting: Waiting| {
        let items: Vec<String> = waiting.items.iter().map(|item| item.item.clone()).collect();
        let fates = vec!["answered"; items.len()];
        sender.send(items).unwrap();
        Answered {
            fates,
            ..Answered::default()
        }
    });
    assert_eq!(
        store
            .answer_waiting(at(5), at(0), 10, answer)
            .await
            .unwrap()
            .conversations,
        1
    );
    assert_eq!(answered.recv().await.unwrap(), ["m1", "m2", "m3"]);
    let fresh = Step {
        sends: vec![send("s9", "kf/send_msg")],
        ..Step::default()
    };
    let settled = store.settle(message(9), person("zhang"), at(6), Box::new(|_| fresh));
    settled.await.unwrap();
    assert_eq!(
        store.claim_sends(at(6), 10, Vec::new()).await.unwrap()[0].body,
        "body of s9"
    );
}

/// What names the knowledge that the reply `third` was made of.
async fn made_of(place: &impl Place) -> String {
    let replies = match place.address() {
        StoreAddress::Sqlite(_) => "replies WHERE text",
        StoreAddress::Postgres(_) => "messages WHERE reply",
    };
    let sql =
        format!("INSERT INTO settings (name, value) SELECT 'made of', knowledge_version FROM {replies} = 'third'");
    place.execute(&sql).await;
    let settings = place.open().await.settings().await.unwrap();
    settings.into_iter().map(|(_, version)| version).collect()
}

async fn copied(from: &impl Place, to: &impl Place) -> u64 {
    let (from, to) = (from.address(), to.address());
    let copying = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, copy_store(&from, &to))
    });
    let tables = copying.join().unwrap().unwrap();
    assert_eq!(tables.len(), TABLES.len());
    tables.iter().map(|table| table.rows).sum()
}

/// Fills one store, moves everything to another one and back to a third.
async fn move_there_and_back<P: Place, Q: Place>(first: P, second: Q, third: P) {
    let store = first.open().await;
    fill(&*store).await;
    store.close().await.unwrap();
    let rows = copied(&first, &second).await;
    assert!(rows > 10, "{rows}");
    let store = second.open().await;
    assert_eq!(store.figures().await.unwrap().waiting, 2);
    store.close().await.unwrap();
    copied(&second, &third).await;
    assert_goes_on(&*third.open().await).await;
    assert_eq!(made_of(&third).await, "knows three");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_goes_on_after_a_move_from_a_file_to_a_database_and_back() {
    move_there_and_back(Folder::new(), Database::new(), Folder::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_goes_on_after_a_move_from_a_database_to_a_file_and_back() {
    move_there_and_back(Database::new(), Folder::new(), Database::new()).await;
}
