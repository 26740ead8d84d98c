//! What every store must do with what is fetched and what is to be sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::Place;
use crate::store::{
    Answered, AppealChange, ClaimedSend, ConversationKey, Effect, Fetched, Instead, KeptPage, KfAccountKey, KfPage,
    MessageKey, NewSend, OpenedAppeal, Recalled, Reminder, Retention, SendResult, ServedBy, Step, Store, Urgency,
    Waiting, WaitingItem,
};
use crate::wecom::StoredToken;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + second).unwrap()
}

fn account() -> KfAccountKey {
    KfAccountKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        open_kf_id: "wk1".to_owned(),
    }
}

fn fetched(key: &str, customer: &str, second: i64, effect: Effect) -> Fetched {
    Fetched {
        key: key.to_owned(),
        customer: customer.to_owned(),
        sent_at: at(second),
        effect,
    }
}

fn said(key: &str, customer: &str, second: i64) -> Fetched {
    let item = format!("\"{key} by {customer}\"");
    fetched(key, customer, second, Effect::Answer { item })
}

async fn keep(store: &dyn Store, from: Option<&str>, next: &str, items: Vec<Fetched>) -> bool {
    kept(store, from, next, items).await.is_some()
}

async fn kept(store: &dyn Store, from: Option<&str>, next: &str, items: Vec<Fetched>) -> Option<KeptPage> {
    let claim = store.claim_kf_pull(account()).await.unwrap().unwrap();
    let page = KfPage {
        account: account(),
        claim,
        from: from.map(str::to_owned),
        next: next.to_owned(),
        items,
        done: None,
        at: at(100),
    };
    store.keep_kf_page(page).await.unwrap()
}

fn send(id: &str) -> NewSend {
    NewSend {
        send_id: id.to_owned(),
        way: "support/wk1".to_owned(),
        api: "kf/send_msg".to_owned(),
        body: format!("body of {id}"),
        instead: None,
        urgency: Urgency::Fresh,
        next_at: at(0),
        not_after: at(10_000),
        replaces_reply: false,
        knowledge_version: "v".to_owned(),
    }
}

/// Answers everything that waits, `sends` being what is said to each conversation; what each conversation had waiting, in order.
async fn answer(store: &dyn Store, sends: impl Fn(&Waiting) -> Vec<NewSend> + Send + 'static) -> Vec<Vec<String>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let answering = Box::new(move |waiting: Waiting| {
        let items: Vec<String> = waiting.items.iter().map(|item| item.item.clone()).collect();
        let answered = Answered {
            fates: vec!["answered"; items.len()],
            step: Step {
                session: Some(format!(
                    "{} {}",
                    waiting.remembered.session.clone().unwrap_or_default(),
                    items.len()
                )),
                sends: sends(&waiting),
                ..Step::default()
            },
            ..Answered::default()
        };
        kept.lock().unwrap().push(items);
        answered
    });
    store.answer_waiting(at(100), at(50), 10, answering).await.unwrap();
    Arc::try_unwrap(seen).unwrap().into_inner().unwrap()
}

async fn bodies(store: &dyn Store, second: i64) -> Vec<String> {
    let claimed = store.claim_sends(at(second), 10, Vec::new()).await.unwrap();
    claimed.into_iter().map(|send| send.body).collect()
}

async fn claim_one(store: &dyn Store, second: i64) -> ClaimedSend {
    let mut claimed = store.claim_sends(at(second), 10, Vec::new()).await.unwrap();
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

async fn a_page_is_kept_once_together_with_its_cursor(place: impl Place) {
    let store = place.open().await;
    assert!(keep(&*store, None, "c1", vec![said("m1", "wm1", 90)]).await);
    assert!(!keep(&*store, None, "c1", vec![said("m2", "wm1", 91)]).await);
    assert!(
        keep(
            &*store,
            Some("c1"),
            "c2",
            vec![said("m1", "wm1", 90), said("m3", "wm1", 92)]
        )
        .await
    );
    let progress = store.kf_progress(account()).await.unwrap();
    assert_eq!(progress.cursor.as_deref(), Some("c2"));
    assert_eq!(
        answer(&*store, |_| Vec::new()).await,
        [["\"m1 by wm1\"", "\"m3 by wm1\""]]
    );
}

async fn news_is_counted_and_followed_up(place: impl Place) {
    let store = place.open().await;
    let first = store.want_kf_messages(account(), Some("t1".to_owned()), at(1)).await;
    let without = store.want_kf_messages(account(), None, at(2)).await;
    assert_eq!((first, without), (Ok(true), Ok(true)));
    let progress = store.kf_progress(account()).await.unwrap();
    assert_eq!((progress.wanted, progress.done), (2, 0));
    assert_eq!(progress.token, Some(("t1".to_owned(), at(1))));
    assert_eq!(store.kf_accounts().await.unwrap(), [account()]);
}

async fn a_callback_is_counted_once_and_none_that_is_older_than_the_latest(place: impl Place) {
    let store = place.open().await;
    let calls = [
        ("t1", 10, true),
        ("t1", 10, false),
        ("t0", 9, false),
        ("t2", 10, true),
        ("t3", 11, true),
        ("t1", 10, false),
        ("t3", 11, false),
        ("t3", 12, true),
    ];
    for (token, second, counts) in calls {
        let noted = store
            .want_kf_messages(account(), Some(token.to_owned()), at(second))
            .await;
        assert_eq!(noted, Ok(counts), "{token} of {second}");
    }
    assert_eq!(store.want_kf_messages(account(), None, at(10)).await, Ok(false));
    let progress = store.kf_progress(account()).await.unwrap();
    assert_eq!((progress.wanted, progress.token), (4, Some(("t3".to_owned(), at(12)))));
}

async fn what_was_answered_is_not_answered_again_and_the_conversation_goes_on(place: impl Place) {
    let store = place.open().await;
    keep(&*store, None, "c1", vec![said("m1", "wm1", 90)]).await;
    assert_eq!(answer(&*store, |_| Vec::new()).await.len(), 1);
    assert_eq!(answer(&*store, |_| Vec::new()).await.len(), 0);
    keep(&*store, Some("c1"), "c2", vec![said("m2", "wm1", 95)]).await;
    let remembered = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&remembered);
    answer(&*store, move |waiting| {
        *seen.lock().unwrap() = waiting.remembered.session.clone();
        Vec::new()
    })
    .await;
    assert_eq!(remembered.lock().unwrap().as_deref(), Some(" 1"));
}

async fn whoever_wrote_just_now_is_answered_before_the_backlog(place: impl Place) {
    let store = place.open().await;
    let items = vec![
        said("old", "wm1", 1),
        said("older", "wm2", 0),
        said("new", "wm3", 99),
        said("newer", "wm4", 98),
    ];
    keep(&*store, None, "c1", items).await;
    let answered = answer(&*store, |_| Vec::new()).await.concat();
    let first: Vec<&str> = answered.iter().filter_map(|item| item.split(' ').next()).collect();
    assert_eq!(first, ["\"new", "\"newer", "\"old", "\"older"]);
}

async fn while_a_person_serves_the_customer_nothing_waits_for_the_bot(place: impl Place) {
    let store = place.open().await;
    let items = vec![
        said("before", "wm1", 80),
        fetched("e1", "wm1", 81, Effect::ServedBy(ServedBy::Servicer)),
        said("during", "wm1", 82),
        said("other", "wm2", 82),
        fetched("e2", "wm1", 83, Effect::ServedBy(ServedBy::Bot)),
        said("after", "wm1", 84),
    ];
    keep(&*store, None, "c1", items).await;
    let answered = answer(&*store, |_| Vec::new()).await;
    assert_eq!(
        answered,
        [vec!["\"before by wm1\"", "\"after by wm1\""], vec!["\"other by wm2\""]]
    );
}

async fn a_recalled_message_is_not_answered(place: impl Place) {
    let store = place.open().await;
    let recall = Effect::Recalled { key: "m1".to_owned() };
    let items = vec![
        said("m1", "wm1", 90),
        said("m2", "wm1", 91),
        fetched("e1", "wm1", 92, recall),
    ];
    keep(&*store, None, "c1", items).await;
    assert_eq!(answer(&*store, |_| Vec::new()).await, [["\"m2 by wm1\""]]);
}

async fn what_became_of_each_item_of_a_page_is_told(place: impl Place) {
    let store = place.open().await;
    let item = "no message".to_owned();
    let first = vec![
        fetched("e1", "wm1", 80, Effect::ServedBy(ServedBy::Servicer)),
        said("m1", "wm1", 81),
        said("m2", "wm2", 82),
        fetched("n1", "wm2", 83, Effect::Record("noted")),
        fetched("u1", "", 84, Effect::Unreadable { item }),
        said("m2", "wm2", 82),
    ];
    let told = kept(&*store, None, "c1", first).await.unwrap();
    let fates = ["noted", "human", "waiting", "noted", "unreadable", "repeated"];
    assert_eq!((told.fates.as_slice(), told.recalled), (fates.as_slice(), Vec::new()));
    let told = kept(&*store, Some("c1"), "c2", vec![said("m1", "wm1", 81)])
        .await
        .unwrap();
    assert_eq!(told.fates, ["repeated"]);
}

async fn a_message_that_is_taken_back_while_it_waits_is_told_once(place: impl Place) {
    let store = place.open().await;
    let recall = |event: &str, key: &str| {
        let key = key.to_owned();
        fetched(event, "wm1", 95, Effect::Recalled { key })
    };
    let of = |key: &str| Recalled {
        key: key.to_owned(),
        received_at: at(100),
    };
    keep(&*store, None, "c1", vec![said("m1", "wm1", 90), said("m2", "wm1", 91)]).await;
    let items = vec![recall("e1", "m1"), said("m3", "wm1", 92), recall("e2", "m3")];
    let told = kept(&*store, Some("c1"), "c2", items).await.unwrap();
    assert_eq!(told.fates, ["noted", "waiting", "noted"]);
    assert_eq!(told.recalled, [of("m1"), of("m3")]);
    assert_eq!(answer(&*store, |_| Vec::new()).await, [["\"m2 by wm1\""]]);
    let items = vec![recall("e3", "m1"), recall("e4", "m2"), recall("e5", "never seen")];
    let told = kept(&*store, Some("c2"), "c3", items).await.unwrap();
    assert_eq!(told.recalled, [], "what is settled stays so");
}

async fn what_waits_no_longer_is_told_once_with_its_fate_and_its_time(place: impl Place) {
    let store = place.open().await;
    let items = vec![
        said("m1", "wm1", 90),
        said("m2", "wm1", 91),
        said("bad", "wm2", 92),
        said("m4", "wm3", 93),
        fetched("e1", "wm3", 94, Effect::ServedBy(ServedBy::Pool)),
    ];
    keep(&*store, None, "c1", items).await;
    let took = Duration::from_millis(7);
    let answering = Box::new(move |waiting: Waiting| {
        assert!(!waiting.items[0].item.contains("bad"), "an answer that panics");
        Answered {
            fates: vec!["covered", "answered"],
            took: vec![Duration::ZERO, took],
            ..Answered::default()
        }
    });
    let batch = store.answer_waiting(at(100), at(50), 10, answering).await.unwrap();
    let mut told: Vec<(&str, &str, Duration)> = batch
        .settled
        .iter()
        .map(|settled| (settled.item.item.as_str(), settled.fate, settled.took))
        .collect();
    told.sort_unstable();
    let without = Duration::ZERO;
    let expected = [
        ("\"bad by wm2\"", "failed", without),
        ("\"m1 by wm1\"", "covered", without),
        ("\"m2 by wm1\"", "answered", took),
        ("\"m4 by wm3\"", "human", without),
    ];
    assert_eq!((batch.conversations, told.as_slice()), (3, expected.as_slice()));
    let is_as_fetched = |item: &WaitingItem| item.received_at == at(100) && item.sent_at < at(95);
    assert!(batch.settled.iter().all(|settled| is_as_fetched(&settled.item)));
    assert!(batch.settled.iter().all(|settled| settled.account == account()));
    let again = store.answer_waiting(at(100), at(50), 10, Box::new(|_| Answered::default()));
    assert_eq!(again.await.unwrap().settled, []);
}

/// A store in which two messages to one customer and one to another are to be sent.
async fn with_three_sends(place: &impl Place) -> Arc<dyn Store> {
    let store = place.open().await;
    keep(&*store, None, "c1", vec![said("m1", "wm1", 90), said("m2", "wm2", 91)]).await;
    answer(&*store, |waiting| match waiting.items[0].item.contains("wm1") {
        true => vec![send("a1"), send("a2")],
        false => vec![send("b1")],
    })
    .await;
    store
}

async fn messages_to_one_person_are_sent_one_after_another(place: impl Place) {
    let store = with_three_sends(&place).await;
    let first = store.claim_sends(at(0), 10, Vec::new()).await.unwrap();
    let names: Vec<&str> = first.iter().map(|send| send.body.as_str()).collect();
    assert_eq!(names, ["body of a1", "body of b1"]);
    assert_eq!(bodies(&*store, 1).await, [""; 0]);
    store
        .settle_send(first[0].claim, SendResult::Sent, at(1))
        .await
        .unwrap();
    assert_eq!(bodies(&*store, 2).await, ["body of a2"]);
}

async fn what_goes_by_a_paused_way_stays(place: impl Place) {
    let store = with_three_sends(&place).await;
    let paused = vec!["support/wk1 kf/send_msg".to_owned()];
    let claimed = store.claim_sends(at(0), 10, paused).await.unwrap();
    assert_eq!(claimed.len(), 0);
    assert_eq!(bodies(&*store, 1).await, ["body of a1", "body of b1"]);
}

async fn what_was_under_way_when_the_process_ended_is_sent_again_as_it_was(place: impl Place) {
    let store = with_three_sends(&place).await;
    assert_eq!(bodies(&*store, 0).await, ["body of a1", "body of b1"]);
    store.close().await.unwrap();
    let again = place.open().await.claim_sends(at(1), 10, Vec::new()).await.unwrap();
    let tried: Vec<(&str, u32)> = again
        .iter()
        .map(|send| (send.body.as_str(), send.claim.attempts))
        .collect();
    assert_eq!(tried, [("body of a1", 2), ("body of b1", 2)]);
}

async fn what_is_to_be_tried_later_waits_and_what_is_too_late_is_not_sent(place: impl Place) {
    let store = with_three_sends(&place).await;
    for send in store.claim_sends(at(0), 10, Vec::new()).await.unwrap() {
        let later = SendResult::Later {
            at: at(30),
            code: Some(-1),
            unclear: false,
        };
        store.settle_send(send.claim, later, at(1)).await.unwrap();
    }
    assert_eq!(bodies(&*store, 29).await, [""; 0]);
    assert_eq!(bodies(&*store, 30).await, ["body of a1", "body of b1"]);
    assert_eq!(bodies(&*store, 20_000).await, [""; 0]);
}

/// A message of the app that WeCom swallows for half an hour when it comes a second time.
fn reminder(id: &str) -> NewSend {
    NewSend {
        way: "support".to_owned(),
        api: "message/send".to_owned(),
        body: format!(r#"{{"text":"{id}","enable_duplicate_check":1}}"#),
        ..send(id)
    }
}

async fn with_a_reminder(place: &impl Place) -> Arc<dyn Store> {
    let store = place.open().await;
    keep(&*store, None, "c1", vec![said("m1", "wm1", 90)]).await;
    answer(&*store, |_| vec![reminder("r1")]).await;
    store
}

async fn what_wecom_may_have_taken_is_sent_again_only_while_it_swallows_it(place: impl Place) {
    let store = with_a_reminder(&place).await;
    let minutes = |minutes: i64| 60 * minutes;
    for tried in [1, 20] {
        let send = claim_one(&*store, minutes(tried)).await;
        let later = SendResult::Later {
            at: at(minutes(tried + 1)),
            code: None,
            unclear: true,
        };
        store.settle_send(send.claim, later, at(minutes(tried))).await.unwrap();
    }
    assert_eq!(bodies(&*store, minutes(31)).await, [""; 0]);
    let dead = store.dead_letters(false, 10).await.unwrap();
    assert_eq!(dead[0].fate, "unclear", "an admin may have it sent nevertheless");
    assert!(store.requeue(dead[0].id, at(minutes(40))).await.unwrap());
    let send = claim_one(&*store, minutes(40)).await;
    let later = SendResult::Later {
        at: at(minutes(70)),
        code: None,
        unclear: true,
    };
    store.settle_send(send.claim, later, at(minutes(40))).await.unwrap();
    assert_eq!(bodies(&*store, minutes(70)).await, [""; 0], "but no longer than before");
}

async fn what_was_under_way_when_the_process_ended_long_ago_is_not_sent_again_if_wecom_may_have_taken_it(
    place: impl Place,
) {
    let store = with_a_reminder(&place).await;
    assert_eq!(claim_one(&*store, 0).await.claim.attempts, 1);
    store.close().await.unwrap();
    let store = place.open().await;
    assert_eq!(claim_one(&*store, 20 * 60).await.claim.attempts, 2);
    store.close().await.unwrap();
    assert_eq!(bodies(&*place.open().await, 31 * 60).await, [""; 0]);
}

async fn in_the_place_of_what_is_refused_goes_what_was_meant_for_that(place: impl Place) {
    let store = place.open().await;
    keep(&*store, None, "c1", vec![said("m1", "wm1", 90)]).await;
    answer(&*store, |_| {
        let instead = Instead {
            api: "kf/send_msg".to_owned(),
            body: "words".to_owned(),
        };
        vec![NewSend {
            instead: Some(instead),
            api: "kf/service_state/trans".to_owned(),
            ..send("a1")
        }]
    })
    .await;
    let refused = || SendResult::Refused {
        code: Some(95_014),
        served_by: None,
        closed: false,
    };
    let first = claim_one(&*store, 0).await;
    store.settle_send(first.claim, refused(), at(1)).await.unwrap();
    let second = claim_one(&*store, 2).await;
    assert_eq!((second.api.as_str(), second.body.as_str()), ("kf/send_msg", "words"));
    store.settle_send(second.claim, refused(), at(3)).await.unwrap();
    assert_eq!(bodies(&*store, 4).await, [""; 0]);
}

async fn when_a_customer_cannot_be_written_to_everything_for_them_is_dropped_and_nobody_else_s(place: impl Place) {
    let store = with_three_sends(&place).await;
    let claimed = store.claim_sends(at(0), 1, Vec::new()).await.unwrap();
    let refused = SendResult::Refused {
        code: Some(95_018),
        served_by: Some(ServedBy::Servicer),
        closed: true,
    };
    store.settle_send(claimed[0].claim, refused, at(1)).await.unwrap();
    assert_eq!(bodies(&*store, 2).await, ["body of b1"]);
    keep(&*store, Some("c1"), "c2", vec![said("m3", "wm1", 99)]).await;
    assert_eq!(answer(&*store, |_| Vec::new()).await.len(), 0);
}

async fn settle_late(store: &dyn Store, number: u32, second: i64) -> Option<String> {
    let key = MessageKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        deduplication_key: format!("m:{number}"),
        created_at: 0,
        number: 0,
    };
    let conversation = ConversationKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        user: "li".to_owned(),
    };
    let step = move |_| Step {
        reply: Some("late reply".to_owned()),
        sends: vec![NewSend {
            replaces_reply: true,
            knowledge_version: "v".to_owned(),
            next_at: at(20),
            ..send(&format!("late {number}"))
        }],
        ..Step::default()
    };
    let settled = store.settle(key, conversation, at(second), Box::new(step)).await;
    let settled = settled.unwrap();
    assert_eq!(settled.has_sends, !settled.repeated);
    settled.reply
}

async fn a_late_reply_goes_out_with_the_next_delivery_or_as_a_message_but_not_twice(place: impl Place) {
    let store = place.open().await;
    assert_eq!(settle_late(&*store, 1, 0).await, None);
    assert_eq!(settle_late(&*store, 1, 5).await.as_deref(), Some("late reply"));
    assert_eq!(bodies(&*store, 30).await, [""; 0]);

    assert_eq!(settle_late(&*store, 2, 0).await, None);
    assert_eq!(bodies(&*store, 30).await, ["body of late 2"]);
    assert_eq!(settle_late(&*store, 2, 31).await, None);
}

fn support() -> Vec<(String, String)> {
    vec![("ww1".to_owned(), "support".to_owned())]
}

async fn a_reminder_becomes_one_message(place: impl Place) {
    let store = place.open().await;
    let key = MessageKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        deduplication_key: "m:1".to_owned(),
        created_at: 0,
        number: 0,
    };
    let conversation = ConversationKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        user: "li".to_owned(),
    };
    let reminder = Reminder {
        business_day: 3,
        due: at(60),
    };
    let step = move |_| Step {
        appeal: AppealChange::Opened(OpenedAppeal {
            record: "A".to_owned(),
            reminders: vec![reminder],
        }),
        ..Step::default()
    };
    store.settle(key, conversation, at(0), Box::new(step)).await.unwrap();
    assert_eq!(store.due_reminders(at(59), support()).await.unwrap(), []);
    assert_eq!(
        store
            .due_reminders(at(60), vec![("ww2".to_owned(), "support".to_owned())])
            .await
            .unwrap(),
        []
    );
    let due = store.due_reminders(at(60), support()).await.unwrap();
    assert_eq!((due.len(), due[0].user_id.as_str(), due[0].business_day), (1, "li", 3));
    store.remind(due[0].clone(), Some(send("r1"))).await.unwrap();
    store.remind(due[0].clone(), Some(send("r2"))).await.unwrap();
    assert_eq!(store.due_reminders(at(61), support()).await.unwrap(), []);
    assert_eq!(bodies(&*store, 61).await, ["body of r1"]);
}

async fn one_process_alone_fetches_the_next_token_and_the_newer_one_stays(place: impl Place) {
    let store = place.open().await;
    let token = |text: &str, generation| StoredToken {
        sealed: text.to_owned(),
        generation,
        expires_at: at(7200),
    };
    assert!(store.token("support").await.unwrap().is_none());
    // A claim that runs out when it is made no longer counts, whichever clock says so.
    assert!(store.claim_token_refresh("support", 0, at(0), at(0)).await.unwrap());
    assert!(store.claim_token_refresh("support", 0, at(1), at(31)).await.unwrap());
    assert!(!store.claim_token_refresh("support", 0, at(2), at(32)).await.unwrap());
    store.save_token("support", token("second", 2)).await.unwrap();
    store.save_token("support", token("first", 1)).await.unwrap();
    let stored = store.token("support").await.unwrap().unwrap();
    assert_eq!((stored.sealed.as_str(), stored.generation), ("second", 2));
    assert!(!store.claim_token_refresh("support", 1, at(32), at(62)).await.unwrap());
    assert!(store.claim_token_refresh("support", 2, at(33), at(63)).await.unwrap());
}

async fn a_token_that_expired_a_week_ago_is_forgotten_and_its_next_one_may_be_fetched(place: impl Place) {
    let store = place.open().await;
    let token = StoredToken {
        sealed: "sealed".to_owned(),
        generation: 5,
        expires_at: at(7200),
    };
    store.save_token("support", token).await.unwrap();
    let retention = Retention { questions_days: 180 };
    store.purge(at(7200 + 6 * 86_400), retention).await.unwrap();
    assert!(store.token("support").await.unwrap().is_some());
    store.purge(at(7200 + 8 * 86_400), retention).await.unwrap();
    assert!(store.token("support").await.unwrap().is_none());
    let claimed = store.claim_token_refresh("support", 3, at(800_000), at(800_000)).await;
    assert_eq!(claimed, Ok(true));
    let claimed = store.claim_token_refresh("support", 5, at(800_031), at(800_060)).await;
    assert_eq!(claimed, Ok(true));
}

for_every_store!(
    a_page_is_kept_once_together_with_its_cursor,
    news_is_counted_and_followed_up,
    a_callback_is_counted_once_and_none_that_is_older_than_the_latest,
    what_was_answered_is_not_answered_again_and_the_conversation_goes_on,
    whoever_wrote_just_now_is_answered_before_the_backlog,
    while_a_person_serves_the_customer_nothing_waits_for_the_bot,
    a_recalled_message_is_not_answered,
    what_became_of_each_item_of_a_page_is_told,
    a_message_that_is_taken_back_while_it_waits_is_told_once,
    what_waits_no_longer_is_told_once_with_its_fate_and_its_time,
    messages_to_one_person_are_sent_one_after_another,
    what_goes_by_a_paused_way_stays,
    what_was_under_way_when_the_process_ended_is_sent_again_as_it_was,
    what_is_to_be_tried_later_waits_and_what_is_too_late_is_not_sent,
    what_wecom_may_have_taken_is_sent_again_only_while_it_swallows_it,
    what_was_under_way_when_the_process_ended_long_ago_is_not_sent_again_if_wecom_may_have_taken_it,
    in_the_place_of_what_is_refused_goes_what_was_meant_for_that,
    when_a_customer_cannot_be_written_to_everything_for_them_is_dropped_and_nobody_else_s,
    a_late_reply_goes_out_with_the_next_delivery_or_as_a_message_but_not_twice,
    a_reminder_becomes_one_message,
    one_process_alone_fetches_the_next_token_and_the_newer_one_stays,
    a_token_that_expired_a_week_ago_is_forgotten_and_its_next_one_may_be_fetched,
);
