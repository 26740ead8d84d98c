//! What every store must do for several processes, for those that end in the middle of something, and with what fails for good.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::Place;
use crate::store::{
    Answered, ConversationKey, DeadLetterId, Effect, Fetched, InstanceReport, KeptPage, KfAccountKey, KfPage,
    MessageKey, NewSend, Retention, SeenCallbacks, SendResult, SetAside, Step, Store, Urgency, Waiting,
};

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

fn page(claim: i64, from: Option<&str>, next: &str, items: &[(&str, &str)]) -> KfPage {
    let fetched = |(key, customer): &(&str, &str)| Fetched {
        key: (*key).to_owned(),
        customer: (*customer).to_owned(),
        sent_at: at(90),
        effect: Effect::Answer {
            item: (*key).to_owned(),
        },
    };
    KfPage {
        account: account(),
        claim,
        from: from.map(str::to_owned),
        next: next.to_owned(),
        items: items.iter().map(fetched).collect(),
        done: None,
        at: at(100),
    }
}

/// Has everything answered that waits, as `answer` says; what each conversation had waiting, and how often it was begun.
async fn answer(store: &dyn Store, answer: fn(&Waiting) -> Answered) -> Vec<(Vec<String>, u32)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let answering = Box::new(move |waiting: Waiting| {
        let items = waiting.items.iter().map(|item| item.item.clone()).collect();
        kept.lock().unwrap().push((items, waiting.attempts));
        answer(&waiting)
    });
    store.answer_waiting(at(100), at(50), 10, answering).await.unwrap();
    let seen = seen.lock().unwrap();
    seen.clone()
}

fn answered(waiting: &Waiting) -> Answered {
    Answered {
        fates: vec!["answered"; waiting.items.len()],
        ..Answered::default()
    }
}

fn failed(waiting: &Waiting) -> Answered {
    Answered {
        fates: vec!["failed"; waiting.items.len()],
        reason: "for a test",
        ..Answered::default()
    }
}

async fn with_waiting(place: &impl Place, items: &[(&str, &str)]) -> Arc<dyn Store> {
    let store = place.open().await;
    let claim = store.claim_kf_pull(account()).await.unwrap().unwrap();
    assert!(
        store
            .keep_kf_page(page(claim, None, "c1", items))
            .await
            .unwrap()
            .is_some()
    );
    store
}

async fn a_page_of_somebody_who_no_longer_has_the_account_is_not_kept(place: impl Place) {
    let store = place.open().await;
    let old = store.claim_kf_pull(account()).await.unwrap().unwrap();
    let new = store.claim_kf_pull(account()).await.unwrap().unwrap();
    assert!(new > old);
    let keep = |claim| store.keep_kf_page(page(claim, None, "c1", &[("m1", "wm1")]));
    assert_eq!(keep(old).await.unwrap(), None);
    assert_eq!(
        keep(new).await.unwrap(),
        Some(KeptPage {
            fates: vec!["waiting"],
            ..KeptPage::default()
        })
    );
    store.return_kf_pull(account(), old).await.unwrap();
    store.return_kf_pull(account(), new).await.unwrap();
    assert!(store.claim_kf_pull(account()).await.unwrap().unwrap() > new);
}

async fn an_answer_that_panics_is_a_dead_letter_and_the_others_are_answered(place: impl Place) {
    let store = with_waiting(&place, &[("bad", "wm1"), ("good", "wm2")]).await;
    let seen = answer(&*store, |waiting| match waiting.items[0].item.as_str() {
        "bad" => panic!("an answer that panics"),
        _ => answered(waiting),
    })
    .await;
    assert_eq!(seen.len(), 2);
    let letters = store.dead_letters(false, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter = store.dead_letter(letters[0].id).await.unwrap().unwrap();
    assert_eq!(
        (letter.fate.as_str(), letter.content.as_deref()),
        ("failed", Some("bad"))
    );
    assert_eq!(answer(&*store, answered).await, []);
}

async fn what_was_begun_when_the_process_ended_is_begun_again_alone_and_counted(place: impl Place) {
    let store = with_waiting(&place, &[("m1", "wm1"), ("m2", "wm2")]).await;
    store.close().await.unwrap();
    let begun = "UPDATE inbox SET owner = 'dead', attempts = 2 WHERE item = 'm2'";
    place.execute(begun).await;
    let store = place.open().await;
    assert_eq!(answer(&*store, answered).await, [(vec!["m2".to_owned()], 3)]);
    assert_eq!(answer(&*store, answered).await, [(vec!["m1".to_owned()], 1)]);
}

async fn a_dead_letter_is_answered_when_it_is_put_back_and_gone_when_it_is_discarded(place: impl Place) {
    let store = with_waiting(&place, &[("m1", "wm1"), ("m2", "wm2")]).await;
    answer(&*store, failed).await;
    let letters = store.dead_letters(false, 10).await.unwrap();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!(reasons, ["for a test", "for a test"]);
    assert!(
        letters
            .iter()
            .all(|letter| letter.content.is_none() && letter.app == "support/wk1")
    );
    assert!(store.requeue(letters[0].id, at(200)).await.unwrap());
    assert!(store.discard(letters[1].id).await.unwrap());
    assert_eq!(answer(&*store, answered).await.len(), 1);
    assert!(store.dead_letters(true, 10).await.unwrap().is_empty());
    assert!(!store.requeue(letters[0].id, at(200)).await.unwrap());
    assert!(!store.discard(DeadLetterId::Send(99)).await.unwrap());
}

fn conversation() -> ConversationKey {
    ConversationKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        user: "li".to_owned(),
    }
}

fn message(number: u32) -> MessageKey {
    MessageKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        deduplication_key: format!("m:{number}"),
        created_at: 1_764_000_000,
        number: number.into(),
    }
}

async fn settle(store: &dyn Store, number: u32, step: Step) {
    let step = Box::new(move |_| step);
    store
        .settle(message(number), conversation(), at(0), step)
        .await
        .unwrap();
}

async fn a_message_of_an_app_that_is_set_aside_is_a_dead_letter_and_waits_when_it_is_put_back(place: impl Place) {
    let store = place.open().await;
    let aside = SetAside {
        item: "plaintext".to_owned(),
        reason: "for a test",
        is_unreadable: false,
    };
    let step = Step {
        reply: Some("sorry".to_owned()),
        set_aside: Some(aside),
        ..Step::default()
    };
    settle(&*store, 1, step).await;
    let letters = store.dead_letters(false, 10).await.unwrap();
    assert_eq!(letters[0].app, "support");
    assert_eq!(answer(&*store, answered).await, []);
    assert!(store.requeue(letters[0].id, at(1)).await.unwrap());
    assert_eq!(answer(&*store, answered).await, [(vec!["plaintext".to_owned()], 1)]);
}

fn send(id: &str) -> NewSend {
    NewSend {
        send_id: id.to_owned(),
        way: "support".to_owned(),
        api: "message/send".to_owned(),
        body: format!("body of {id}"),
        instead: None,
        urgency: Urgency::Fresh,
        next_at: at(0),
        not_after: at(100),
        replaces_reply: false,
        knowledge_version: "v".to_owned(),
    }
}

async fn what_was_refused_can_be_looked_at_and_sent_after_all(place: impl Place) {
    let store = place.open().await;
    let step = Step {
        sends: vec![send("s1")],
        ..Step::default()
    };
    settle(&*store, 1, step).await;
    let claimed = store.claim_sends(at(1), 10, Vec::new()).await.unwrap();
    let refused = SendResult::Refused {
        code: Some(81_013),
        served_by: None,
        closed: false,
    };
    store.settle_send(claimed[0].claim, refused, at(2)).await.unwrap();
    let letters = store.dead_letters(false, 10).await.unwrap();
    let letter = store.dead_letter(letters[0].id).await.unwrap().unwrap();
    assert_eq!(letter.reason, "errcode 81013");
    assert_eq!(letter.content.as_deref(), Some("body of s1"));
    assert!(store.requeue(letter.id, at(5000)).await.unwrap());
    let again = store.claim_sends(at(5001), 10, Vec::new()).await.unwrap();
    assert_eq!((again[0].body.as_str(), again[0].claim.attempts), ("body of s1", 2));
}

async fn how_a_send_went_counts_only_from_whoever_claimed_it_last(place: impl Place) {
    let store = place.open().await;
    let step = Step {
        sends: vec![send("s1")],
        ..Step::default()
    };
    settle(&*store, 1, step).await;
    let first = store.claim_sends(at(1), 10, Vec::new()).await.unwrap();
    let later = SendResult::Later {
        at: at(2),
        code: None,
        unclear: false,
    };
    store.settle_send(first[0].claim, later, at(1)).await.unwrap();
    let second = store.claim_sends(at(2), 10, Vec::new()).await.unwrap();
    store
        .settle_send(first[0].claim, SendResult::Sent, at(3))
        .await
        .unwrap();
    assert_eq!(store.figures().await.unwrap().unsent, 1);
    store
        .settle_send(second[0].claim, SendResult::Sent, at(4))
        .await
        .unwrap();
    assert_eq!(store.figures().await.unwrap().unsent, 0);
}

async fn figures_count_what_waits_and_what_is_dead(place: impl Place) {
    let store = with_waiting(&place, &[("m1", "wm1"), ("m2", "wm2")]).await;
    store.want_kf_messages(account(), None, at(100)).await.unwrap();
    let figures = store.figures().await.unwrap();
    assert_eq!((figures.waiting, figures.oldest_waiting), (2, Some(at(100))));
    assert_eq!((figures.unsent, figures.dead_received), (0, 0));
    assert_eq!(figures.accounts[0].pulled_at, Some(at(100)));
    assert!(figures.accounts[0].has_news);
    answer(&*store, failed).await;
    let figures = store.figures().await.unwrap();
    assert_eq!((figures.waiting, figures.dead_received), (0, 2));
}

async fn processes_say_what_they_run_and_hear_of_a_request_to_look_again(place: impl Place) {
    let store = place.open().await;
    let report = InstanceReport {
        program_version: "1".to_owned(),
        knowledge_version: "k1".to_owned(),
        ..InstanceReport::default()
    };
    assert_eq!(store.beat(report.clone()).await.unwrap().reload, 0);
    assert_eq!(store.request_reload().await.unwrap(), 1);
    assert_eq!(store.request_reload().await.unwrap(), 2);
    let beat = store.beat(InstanceReport { reload: 2, ..report }).await.unwrap();
    assert_eq!((beat.live, beat.reload), (1, 2));
    let instances = store.instances().await.unwrap();
    assert_eq!(instances.len(), 1);
    assert_eq!(
        (
            instances[0].report.knowledge_version.as_str(),
            instances[0].report.reload
        ),
        ("k1", 2)
    );
}

async fn the_right_to_fetch_a_token_ends_with_the_process_that_had_it(place: impl Place) {
    let store = place.open().await;
    assert!(store.claim_token_refresh("support", 0, at(0), at(60)).await.unwrap());
    store.close().await.unwrap();
    let store = place.open().await;
    assert!(store.claim_token_refresh("support", 0, at(1), at(61)).await.unwrap());
}

async fn what_was_put_off_before_a_clock_was_put_back_is_due_at_once(place: impl Place) {
    let store = place.open().await;
    let put_off = NewSend {
        next_at: at(24 * 3600),
        not_after: at(48 * 3600),
        ..send("s1")
    };
    let step = Step {
        sends: vec![put_off],
        ..Step::default()
    };
    settle(&*store, 1, step).await;
    let claimed = store.claim_sends(at(1), 10, Vec::new()).await.unwrap();
    assert_eq!(claimed.len(), 1);
}

async fn a_right_to_fetch_a_token_from_before_a_clock_was_put_back_holds_nobody_up(place: impl Place) {
    let store = place.open().await;
    let claim = || store.claim_token_refresh("support", 0, at(0), at(60));
    assert!(claim().await.unwrap());
    assert!(!claim().await.unwrap());
    place
        .execute("UPDATE tokens SET refresh_until = refresh_until + 86400000")
        .await;
    assert!(claim().await.unwrap());
}

async fn requests_that_are_alike_are_one_row_and_go_when_they_are_old(place: impl Place) {
    let store = place.open().await;
    let seen = |likely: &str, detail: &str, second: i64| SeenCallbacks {
        app: "support".to_owned(),
        method: "GET".to_owned(),
        outcome: "signature".to_owned(),
        likely: likely.to_owned(),
        detail: detail.to_owned(),
        source: "direct".to_owned(),
        count: 2,
        first_at: at(second),
        last_at: at(second),
    };
    store
        .note_callbacks(vec![seen("token", "", 1), seen("path", "sales", 3)])
        .await
        .unwrap();
    store.note_callbacks(vec![seen("token", "newer", 5)]).await.unwrap();
    store.note_callbacks(vec![seen("token", "newest", 4)]).await.unwrap();
    let tokens = SeenCallbacks {
        count: 6,
        first_at: at(1),
        ..seen("token", "newest", 5)
    };
    assert_eq!(
        store.seen_callbacks().await.unwrap(),
        [tokens, seen("path", "sales", 3)]
    );
    let retention = Retention { questions_days: 1 };
    store.purge(at(24 * 3600 + 4), retention).await.unwrap();
    assert_eq!(store.seen_callbacks().await.unwrap().len(), 1);
}

for_every_store!(
    requests_that_are_alike_are_one_row_and_go_when_they_are_old,
    a_page_of_somebody_who_no_longer_has_the_account_is_not_kept,
    an_answer_that_panics_is_a_dead_letter_and_the_others_are_answered,
    what_was_begun_when_the_process_ended_is_begun_again_alone_and_counted,
    a_dead_letter_is_answered_when_it_is_put_back_and_gone_when_it_is_discarded,
    a_message_of_an_app_that_is_set_aside_is_a_dead_letter_and_waits_when_it_is_put_back,
    what_was_refused_can_be_looked_at_and_sent_after_all,
    how_a_send_went_counts_only_from_whoever_claimed_it_last,
    figures_count_what_waits_and_what_is_dead,
    processes_say_what_they_run_and_hear_of_a_request_to_look_again,
    the_right_to_fetch_a_token_ends_with_the_process_that_had_it,
    what_was_put_off_before_a_clock_was_put_back_is_due_at_once,
    a_right_to_fetch_a_token_from_before_a_clock_was_put_back_holds_nobody_up,
);
