//! What every store must do. Each test takes a place for a store as a parameter, so that all stores are held to the same.

/// Makes a test of each of these functions for every kind of store, each in a place of its own.
macro_rules! for_every_store {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    super::$test(crate::store::sqlite::tests::Folder::new()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    super::$test(crate::store::postgres::tests::Database::new()).await;
                }
            )*
        }
    };
}

mod administration;
mod console;
mod delivery;
mod moving;
mod sharing;
mod workshop;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};

use super::{
    AppealChange, BoxFuture, ConversationKey, MessageKey, OpenedAppeal, QuestionRecord, Rating, RatingCount,
    Remembered, Reminder, Retention, Step, Store, StoreAddress, StoreError,
};

/// After how long a rest conversations in these stores start anew.
pub(super) const SESSION_TTL: SignedDuration = SignedDuration::from_mins(30);

/// Where one test keeps its store.
pub(super) trait Place {
    /// Opens the store as a server does. What processes hold that have ended is free then.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>>;

    /// Where it is.
    fn address(&self) -> StoreAddress;

    /// Changes rows behind the store's back.
    fn execute(&self, sql: &str) -> BoxFuture<'_, ()>;
}

pub(super) fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + 60 * minute).unwrap()
}

pub(super) fn message(number: u32) -> MessageKey {
    MessageKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        deduplication_key: format!("m:{number}"),
        created_at: at(0).as_second(),
        number: number.into(),
    }
}

pub(super) fn person(user: &str) -> ConversationKey {
    ConversationKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        user: user.to_owned(),
    }
}

pub(super) fn record(text: &str, asked_at: Timestamp) -> QuestionRecord {
    QuestionRecord {
        asked_at,
        text: text.to_owned(),
        language: "zh".to_owned(),
        decision: "answer".to_owned(),
        scenarios: vec!["pull-group-full".to_owned()],
        confidence: 0.9,
        knowledge_version: "v".to_owned(),
        micros: 50,
    }
}

pub(super) fn step(session: &str, reply: &str) -> Step {
    Step {
        session: Some(session.to_owned()),
        reply: Some(reply.to_owned()),
        ..Step::default()
    }
}

pub(super) async fn settle(
    store: &dyn Store,
    key: MessageKey,
    user: &str,
    now: Timestamp,
    reply: &str,
) -> (Option<String>, bool) {
    let next = step(reply, reply);
    let settlement = store
        .settle(key, person(user), now, Box::new(move |_| next))
        .await
        .unwrap();
    (settlement.reply, settlement.repeated)
}

/// The state that the next message of `user` would find.
async fn session_of(store: &dyn Store, number: u32, user: &str, now: Timestamp) -> Option<String> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let look = move |remembered: Remembered| {
        let _ = sender.send(remembered.session.clone());
        Step {
            session: remembered.session,
            ..Step::default()
        }
    };
    store
        .settle(message(number), person(user), now, Box::new(look))
        .await
        .unwrap();
    receiver.await.unwrap()
}

async fn a_repeated_message_gets_the_first_reply_and_no_second_step(place: impl Place) {
    let store = place.open().await;
    assert_eq!(
        settle(&*store, message(1), "li", at(0), "first").await,
        (Some("first".to_owned()), false)
    );
    assert_eq!(
        settle(&*store, message(1), "li", at(1), "second").await,
        (Some("first".to_owned()), true)
    );
    let again = store
        .settle(message(1), person("li"), at(2), Box::new(|_| Step::default()))
        .await
        .unwrap();
    assert_eq!(again.settled_at, at(0));
    assert_eq!(session_of(&*store, 2, "li", at(3)).await.as_deref(), Some("first"));
}

async fn silence_is_settled_too(place: impl Place) {
    let store = place.open().await;
    store
        .settle(message(1), person("li"), at(0), Box::new(|_| Step::default()))
        .await
        .unwrap();
    assert_eq!(settle(&*store, message(1), "li", at(0), "late").await, (None, true));
}

async fn apps_companies_and_persons_do_not_share_messages_or_sessions(place: impl Place) {
    let store = place.open().await;
    settle(&*store, message(1), "li", at(0), "for li").await;
    let other_app = MessageKey {
        app: "other".to_owned(),
        ..message(1)
    };
    assert!(!settle(&*store, other_app, "wang", at(0), "x").await.1);
    let other_corp = MessageKey {
        corp_id: "ww2".to_owned(),
        ..message(1)
    };
    assert!(!settle(&*store, other_corp, "wang", at(0), "x").await.1);
    let shifted = MessageKey {
        corp_id: "ww1s".to_owned(),
        app: "upport".to_owned(),
        ..message(1)
    };
    assert!(!settle(&*store, shifted, "wang", at(0), "x").await.1);
    assert_eq!(session_of(&*store, 9, "zhang", at(0)).await, None);
}

async fn a_session_ends_after_its_time_to_live(place: impl Place) {
    let store = place.open().await;
    settle(&*store, message(1), "li", at(0), "talking").await;
    assert_eq!(session_of(&*store, 2, "li", at(29)).await.as_deref(), Some("talking"));
    assert_eq!(session_of(&*store, 3, "li", at(29 + 30)).await, None);
}

async fn everything_settled_is_there_after_reopening(place: impl Place) {
    let store = place.open().await;
    settle(&*store, message(1), "li", at(0), "kept").await;
    store.close().await.unwrap();
    let store = place.open().await;
    assert_eq!(
        settle(&*store, message(1), "li", at(1), "other").await,
        (Some("kept".to_owned()), true)
    );
    assert_eq!(session_of(&*store, 2, "li", at(1)).await.as_deref(), Some("kept"));
}

async fn a_question_is_kept_until_its_retention_ends(place: impl Place) {
    let store = place.open().await;
    let asked = record("群满了", at(0));
    let with_question = Step {
        question: Some(asked.clone()),
        ..Step::default()
    };
    store
        .settle(message(1), person("li"), at(0), Box::new(|_| with_question))
        .await
        .unwrap();
    assert_eq!(store.question(message(1)).await.unwrap(), Some(asked.clone()));
    assert_eq!(store.question(message(2)).await.unwrap(), None);
    let days = Retention { questions_days: 30 };
    store.purge(at(30 * 24 * 60), days).await.unwrap();
    assert_eq!(store.question(message(1)).await.unwrap(), Some(asked));
    store.purge(at(30 * 24 * 60 + 1), days).await.unwrap();
    assert_eq!(store.question(message(1)).await.unwrap(), None);
}

async fn settled_messages_outlive_every_repeated_delivery(place: impl Place) {
    let store = place.open().await;
    settle(&*store, message(1), "li", at(0), "once").await;
    store
        .purge(at(6 * 24 * 60), Retention { questions_days: 1 })
        .await
        .unwrap();
    assert!(settle(&*store, message(1), "li", at(6 * 24 * 60), "again").await.1);
}

async fn a_panic_in_a_step_stores_nothing_and_harms_nobody_else(place: impl Place) {
    let store = place.open().await;
    let failing = store.settle(
        message(1),
        person("li"),
        at(0),
        Box::new(|_| panic!("a step that panics")),
    );
    let fine = settle(&*store, message(2), "wang", at(0), "fine");
    let (failed, fine) = tokio::join!(failing, fine);
    assert_eq!(failed.unwrap_err(), StoreError::Panicked);
    assert_eq!(fine, (Some("fine".to_owned()), false));
    assert_eq!(
        settle(&*store, message(1), "li", at(0), "next try").await,
        (Some("next try".to_owned()), false)
    );
}

async fn of_many_deliveries_at_once_one_steps_and_all_get_its_reply(place: impl Place) {
    let store = place.open().await;
    let steps = Arc::new(AtomicUsize::new(0));
    let deliveries = (0..200u32).map(|delivery| {
        let (store, steps) = (Arc::clone(&store), Arc::clone(&steps));
        tokio::spawn(async move {
            let count = move |_| step("s", &format!("reply {}", steps.fetch_add(1, Ordering::SeqCst)));
            let settled = store
                .settle(message(delivery % 4), person("li"), at(0), Box::new(count))
                .await
                .unwrap();
            (delivery % 4, settled.reply.unwrap())
        })
    });
    let mut replies = std::collections::BTreeMap::<u32, std::collections::BTreeSet<String>>::new();
    for delivery in deliveries.collect::<Vec<_>>() {
        let (number, reply) = delivery.await.unwrap();
        replies.entry(number).or_default().insert(reply);
    }
    assert_eq!(steps.load(Ordering::SeqCst), 4);
    assert!(replies.values().all(|different| different.len() == 1), "{replies:?}");
}

async fn a_closed_store_takes_nothing_more(place: impl Place) {
    let store = place.open().await;
    store.probe().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(store.probe().await.unwrap_err(), StoreError::Closed);
    store.close().await.unwrap();
}

/// Settles a message that changes the person's appeal, and returns the appeal that was remembered before.
async fn change_appeal(
    store: &dyn Store,
    number: u32,
    user: &str,
    now: Timestamp,
    change: AppealChange,
) -> Option<String> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let step = move |remembered: Remembered| {
        let _ = sender.send(remembered.appeal);
        Step {
            appeal: change,
            ..Step::default()
        }
    };
    store
        .settle(message(number), person(user), now, Box::new(step))
        .await
        .unwrap();
    receiver.await.unwrap()
}

fn opened(record: &str) -> AppealChange {
    AppealChange::Opened(OpenedAppeal {
        record: record.to_owned(),
        reminders: vec![
            Reminder {
                business_day: 3,
                due: at(3 * 24 * 60),
            },
            Reminder {
                business_day: 7,
                due: at(7 * 24 * 60),
            },
        ],
    })
}

async fn an_appeal_outlives_the_conversation_and_a_restart(place: impl Place) {
    let store = place.open().await;
    assert_eq!(change_appeal(&*store, 1, "li", at(0), opened("A")).await, None);
    store.close().await.unwrap();
    let store = place.open().await;
    let two_days_later = at(2 * 24 * 60);
    assert_eq!(
        change_appeal(&*store, 2, "li", two_days_later, AppealChange::Unchanged)
            .await
            .as_deref(),
        Some("A")
    );
    assert_eq!(
        change_appeal(&*store, 3, "wang", at(0), AppealChange::Unchanged).await,
        None
    );
    let appeals = store.appeals().await.unwrap();
    assert_eq!(appeals.len(), 1);
    assert_eq!(appeals[0].user_id.as_deref(), Some("li"));
    assert_eq!(appeals[0].reminders.len(), 2);
    assert_eq!(appeals[0].reminders[0].due, at(3 * 24 * 60));
}

async fn a_closed_appeal_keeps_its_outcome_but_not_the_person(place: impl Place) {
    let store = place.open().await;
    change_appeal(&*store, 1, "li", at(0), opened("A")).await;
    let closed = AppealChange::Closed {
        outcome: "lifted".to_owned(),
    };
    change_appeal(&*store, 2, "li", at(5), closed).await;
    assert_eq!(
        change_appeal(&*store, 3, "li", at(6), AppealChange::Unchanged).await,
        None
    );
    let appeals = store.appeals().await.unwrap();
    assert_eq!(appeals[0].outcome.as_deref(), Some("lifted"));
    assert_eq!(appeals[0].closed_at, Some(at(5)));
    assert_eq!(
        (appeals[0].user_id.clone(), appeals[0].reminders.clone()),
        (None, Vec::new())
    );
}

async fn a_cancelled_appeal_leaves_no_trace_and_a_new_one_takes_the_place_of_the_old(place: impl Place) {
    let store = place.open().await;
    change_appeal(&*store, 1, "li", at(0), opened("A")).await;
    change_appeal(&*store, 2, "li", at(1), opened("B")).await;
    let records: Vec<String> = store
        .appeals()
        .await
        .unwrap()
        .into_iter()
        .map(|appeal| appeal.record)
        .collect();
    assert_eq!(records, ["B"]);
    change_appeal(&*store, 3, "li", at(2), AppealChange::Forgotten).await;
    assert_eq!(store.appeals().await.unwrap(), []);
}

async fn ratings_are_counted_once_a_message(place: impl Place) {
    let store = place.open().await;
    for (number, verdict) in [(1, "useful"), (1, "useful"), (2, "useful"), (3, "useless")] {
        let step = Step {
            rating: Some(Rating {
                scenario: "pull-group-full".to_owned(),
                verdict: verdict.to_owned(),
                knowledge_version: "v".to_owned(),
            }),
            ..Step::default()
        };
        store
            .settle(message(number), person("li"), at(0), Box::new(move |_| step))
            .await
            .unwrap();
    }
    let counted = |verdict: &str, count| RatingCount {
        scenario: "pull-group-full".to_owned(),
        verdict: verdict.to_owned(),
        count,
    };
    assert_eq!(
        store.ratings().await.unwrap(),
        [counted("useful", 2), counted("useless", 1)]
    );
}

async fn an_open_appeal_outlives_the_retention_of_questions(place: impl Place) {
    let store = place.open().await;
    change_appeal(&*store, 1, "li", at(0), opened("A")).await;
    let two_weeks_later = at(14 * 24 * 60);
    store
        .purge(two_weeks_later, Retention { questions_days: 1 })
        .await
        .unwrap();
    assert_eq!(store.appeals().await.unwrap().len(), 1);
    change_appeal(
        &*store,
        2,
        "li",
        two_weeks_later,
        AppealChange::Closed {
            outcome: "lifted".to_owned(),
        },
    )
    .await;
    store
        .purge(at(20 * 24 * 60), Retention { questions_days: 1 })
        .await
        .unwrap();
    assert_eq!(store.appeals().await.unwrap(), []);
}

for_every_store!(
    a_repeated_message_gets_the_first_reply_and_no_second_step,
    silence_is_settled_too,
    apps_companies_and_persons_do_not_share_messages_or_sessions,
    a_session_ends_after_its_time_to_live,
    everything_settled_is_there_after_reopening,
    a_question_is_kept_until_its_retention_ends,
    settled_messages_outlive_every_repeated_delivery,
    a_panic_in_a_step_stores_nothing_and_harms_nobody_else,
    of_many_deliveries_at_once_one_steps_and_all_get_its_reply,
    a_closed_store_takes_nothing_more,
    an_appeal_outlives_the_conversation_and_a_restart,
    a_closed_appeal_keeps_its_outcome_but_not_the_person,
    a_cancelled_appeal_leaves_no_trace_and_a_new_one_takes_the_place_of_the_old,
    ratings_are_counted_once_a_message,
    an_open_appeal_outlives_the_retention_of_questions,
);
