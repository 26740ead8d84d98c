//! What admins set, what they are told, and what they do for one person.

use std::collections::BTreeMap;

use super::{Place, at, message, person, record, session_of, settle};
use crate::store::{
    AppealChange, AuditEntry, NewSend, OpenedAppeal, Outbreak, QuestionSearch, Reminder, Retention, Step, Store,
    Urgency,
};

for_every_store!(
    a_setting_is_for_every_process_until_it_is_taken_back,
    nothing_of_an_erased_person_is_left,
    others_keep_everything_when_one_person_is_erased,
    whoever_was_to_be_handed_over_is_the_bots_again_once_erased,
    a_dead_letter_of_an_erased_person_asks_for_nothing_any_more,
    different_people_are_counted_for_each_restriction,
    an_outbreak_is_told_once_a_day,
    old_outbreaks_are_removed,
);

fn entry(action: &str) -> AuditEntry {
    AuditEntry {
        at: at(0),
        who: "root".to_owned(),
        action: action.to_owned(),
        object: String::new(),
    }
}

fn notice(id: &str, to: &str) -> NewSend {
    NewSend {
        send_id: id.to_owned(),
        way: "support".to_owned(),
        api: "message/send".to_owned(),
        body: format!("to {to}"),
        instead: None,
        urgency: Urgency::Fresh,
        next_at: at(0),
        not_after: at(10_000),
        replaces_reply: false,
        knowledge_version: "v".to_owned(),
    }
}

async fn a_setting_is_for_every_process_until_it_is_taken_back(place: impl Place) {
    let store = place.open().await;
    let change = async |name: &str, value: Option<&str>| {
        let changes = vec![(name.to_owned(), value.map(str::to_owned))];
        store.change_settings(changes, entry("settings")).await.unwrap();
    };
    change("storage.retention_days", Some("90")).await;
    change("storage.retention_days", Some("30")).await;
    change("hand_over.hours", Some("9:00-18:00")).await;
    change("hand_over.hours", None).await;
    assert_eq!(store.audit_entries(None, 10).await.unwrap().len(), 4);
    store.close().await.unwrap();
    let store = place.open().await;
    let kept = [("storage.retention_days".to_owned(), "30".to_owned())];
    assert_eq!(store.settings().await.unwrap(), kept);
}

/// Somebody asks, has an appeal followed, and is sent something.
async fn ask(store: &dyn Store, number: u32, user: &str) {
    let step = Step {
        session: Some(format!("{user} talks")),
        reply: Some(format!("reply to {user}")),
        question: Some(record(&format!("question of {user}"), at(0))),
        appeal: AppealChange::Opened(OpenedAppeal {
            record: format!("appeal of {user}"),
            reminders: vec![Reminder {
                business_day: 3,
                due: at(100),
            }],
        }),
        sends: vec![notice(&format!("s{number}"), user)],
        ..Step::default()
    };
    let settling = store.settle(message(number), person(user), at(0), Box::new(move |_| step));
    settling.await.unwrap();
}

async fn questions(store: &dyn Store) -> Vec<String> {
    let search = QuestionSearch {
        most: 10,
        most_looked_at: 100,
        ..QuestionSearch::default()
    };
    let found = store.find_questions(search).await.unwrap().found;
    found.into_iter().map(|found| found.record.text).collect()
}

async fn nothing_of_an_erased_person_is_left(place: impl Place) {
    let store = place.open().await;
    ask(&*store, 1, "li").await;
    let records = store.person_records(person("li")).await.unwrap();
    assert_eq!(records.questions.len(), 1);
    assert_eq!(records.questions[0].question.text, "question of li");
    assert_eq!(records.questions[0].reply.as_deref(), Some("reply to li"));
    assert_eq!(records.session.as_deref(), Some("li talks"));
    assert_eq!(records.appeals[0].record, "appeal of li");
    assert_eq!(records.sent[0].content.as_deref(), Some("to li"));
    assert_eq!(records.sent[0].fate, None);
    store.erase_person(vec![person("li")], entry("erase")).await.unwrap();
    assert!(store.person_records(person("li")).await.unwrap().is_empty());
    assert_eq!(questions(&*store).await, Vec::<String>::new());
    assert_eq!(store.appeals().await.unwrap(), []);
    let now = at(1);
    assert!(store.claim_sends(now, 10, Vec::new()).await.unwrap().is_empty());
    assert_eq!(store.audit_entries(None, 10).await.unwrap()[0].entry.action, "erase");
    let repeated = settle(&*store, message(1), "li", now, "again").await;
    assert_eq!(repeated, (None, true), "it is known, and what was replied is not");
    assert_eq!(session_of(&*store, 2, "li", now).await, None);
}

async fn others_keep_everything_when_one_person_is_erased(place: impl Place) {
    let store = place.open().await;
    ask(&*store, 1, "li").await;
    ask(&*store, 2, "wang").await;
    let before = store.person_records(person("wang")).await.unwrap();
    store
        .erase_person(vec![person("li"), person("nobody")], entry("erase"))
        .await
        .unwrap();
    assert_eq!(store.person_records(person("wang")).await.unwrap(), before);
    assert_eq!(questions(&*store).await, ["question of wang"]);
    assert_eq!(store.claim_sends(at(1), 10, Vec::new()).await.unwrap().len(), 1);
    let repeated = settle(&*store, message(2), "wang", at(1), "again").await;
    assert_eq!(repeated, (Some("reply to wang".to_owned()), true));
}

async fn whoever_was_to_be_handed_over_is_the_bots_again_once_erased(place: impl Place) {
    let store = place.open().await;
    ask(&*store, 1, "li").await;
    let apps = [("ww1".to_owned(), "support".to_owned())];
    assert_eq!(store.conversation_apps().await.unwrap(), apps);
    // As an answer leaves it that hands somebody over, while the change of the session waits to be sent.
    let handed_over = "INSERT INTO customers (person, served_by, served_from) SELECT person, 'pool', 0 FROM questions";
    place.execute(handed_over).await;
    place.execute("UPDATE outbox SET api = 'kf/service_state/trans'").await;
    store.erase_person(vec![person("li")], entry("erase")).await.unwrap();
    // If it were still there, it would be in the way of its copy.
    let again = "INSERT INTO customers (person, served_by, served_from) SELECT person, 'bot', 0 FROM customers";
    place.execute(again).await;
}

async fn a_dead_letter_of_an_erased_person_asks_for_nothing_any_more(place: impl Place) {
    let store = place.open().await;
    ask(&*store, 1, "li").await;
    place
        .execute("UPDATE outbox SET fate = 'refused', settled_at = 0")
        .await;
    assert_eq!(store.figures().await.unwrap().dead_sends, 1);
    store.erase_person(vec![person("li")], entry("erase")).await.unwrap();
    assert_eq!(store.figures().await.unwrap().dead_sends, 0);
    assert!(store.dead_letters(true, 10).await.unwrap().is_empty());
}

async fn different_people_are_counted_for_each_restriction(place: impl Place) {
    let store = place.open().await;
    for (number, user) in [(1, "li"), (2, "li"), (3, "wang")] {
        ask(&*store, number, user).await;
    }
    let mut refused = record("something else", at(0));
    refused.decision = "refuse".to_owned();
    let step = Step {
        question: Some(refused),
        ..Step::default()
    };
    let settling = store.settle(message(4), person("zhang"), at(0), Box::new(move |_| step));
    settling.await.unwrap();
    let people = store.people_by_scenario(at(0)).await.unwrap();
    assert_eq!(people, BTreeMap::from([("pull-group-full".to_owned(), 2)]));
    assert_eq!(store.people_by_scenario(at(1)).await.unwrap(), BTreeMap::new());
}

fn outbreak(minute: i64, scenario: &str) -> Outbreak {
    Outbreak {
        scenario: scenario.to_owned(),
        noticed_at: at(minute),
        people: 7,
    }
}

async fn an_outbreak_is_told_once_a_day(place: impl Place) {
    let store = place.open().await;
    let tell = async |minute: i64, scenario: &str| {
        let notice = notice(&format!("o{minute}{scenario}"), "admin");
        let kept = store.keep_outbreak(outbreak(minute, scenario), Some((person("admin"), notice)));
        kept.await.unwrap()
    };
    assert!(tell(0, "a").await);
    assert!(!tell(5, "a").await);
    assert!(!tell(24 * 60 - 1, "a").await);
    assert!(tell(6, "b").await, "another restriction");
    assert!(tell(24 * 60, "a").await);
    assert!(store.keep_outbreak(outbreak(7, "c"), None).await.unwrap());
    let found = store.outbreaks(at(6)).await.unwrap();
    assert_eq!(found, [outbreak(24 * 60, "a"), outbreak(7, "c"), outbreak(6, "b")]);
    let mut sent = 0;
    while let Some(send) = store.claim_sends(at(1), 1, Vec::new()).await.unwrap().pop() {
        assert_eq!(send.body, "to admin");
        let result = crate::store::SendResult::Sent;
        store.settle_send(send.claim, result, at(1)).await.unwrap();
        sent += 1;
    }
    assert_eq!(sent, 3);
}

async fn old_outbreaks_are_removed(place: impl Place) {
    let store = place.open().await;
    for minute in [0, 24 * 60] {
        store.keep_outbreak(outbreak(minute, "a"), None).await.unwrap();
    }
    let retention = Retention { questions_days: 1 };
    store.purge(at(24 * 60 + 1), retention).await.unwrap();
    assert_eq!(store.outbreaks(at(-1)).await.unwrap(), [outbreak(24 * 60, "a")]);
}
