//! Several processes with one database.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::conformance::{at, message, person, step};
use crate::store::{Answered, Effect, Fetched, KfPage, Remembered, Step, TakenOver, Urgency, Waiting};

fn account() -> KfAccountKey {
    KfAccountKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        open_kf_id: "wk1".to_owned(),
    }
}

/// Has messages wait: the n-th is `n`, from the customer `n % customers`.
async fn fetch(store: &PostgresStore, customers: usize, messages: usize) {
    let claim = store.claim_kf_pull(account()).await.unwrap().unwrap();
    let fetched = |number: usize| Fetched {
        key: format!("m{number}"),
        customer: format!("wm{}", number % customers),
        sent_at: at(0),
        effect: Effect::Answer {
            item: number.to_string(),
        },
    };
    let mut from = None;
    for first in (0..messages).step_by(1000) {
        let next = format!("c{first}");
        let page = KfPage {
            account: account(),
            claim,
            from,
            next: next.clone(),
            items: (first..messages.min(first + 1000)).map(fetched).collect(),
            done: None,
            at: at(0),
        };
        assert!(store.keep_kf_page(page).await.unwrap().is_some());
        from = Some(next);
    }
    store.return_kf_pull(account(), claim).await.unwrap();
}

/// What eight processes have seen of 50 conversations, by conversation.
type Seen = Arc<Mutex<HashMap<usize, Vec<usize>>>>;

async fn answer_until_nothing_waits(store: PostgresStore, seen: Seen, left: Arc<AtomicUsize>) {
    while left.load(Ordering::SeqCst) > 0 {
        let (noted, left) = (Arc::clone(&seen), Arc::clone(&left));
        let answer = Box::new(move |waiting: Waiting| {
            let numbers: Vec<usize> = waiting.items.iter().map(|item| item.item.parse().unwrap()).collect();
            left.fetch_sub(numbers.len(), Ordering::SeqCst);
            let fates = vec!["answered"; numbers.len()];
            noted
                .lock()
                .unwrap()
                .entry(numbers[0] % 50)
                .or_default()
                .extend(numbers);
            Answered {
                fates,
                ..Answered::default()
            }
        });
        store.answer_waiting(at(0), at(0), 4, answer).await.unwrap();
        store.beat(InstanceReport::default()).await.unwrap();
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_eight_processes_one_has_a_conversation_and_none_overtakes() {
    const MESSAGES: usize = 4_000;
    let database = Database::new();
    let store = database.open_patient();
    fetch(&store, 50, MESSAGES / 2).await;
    let (seen, left) = (Seen::default(), Arc::new(AtomicUsize::new(MESSAGES)));
    let claimers = (0..8).map(|_| {
        let store = database.open_patient();
        tokio::spawn(answer_until_nothing_waits(store, Arc::clone(&seen), Arc::clone(&left)))
    });
    let claimers: Vec<_> = claimers.collect();
    fetch_more(&store, MESSAGES / 2, MESSAGES).await;
    for claimer in claimers {
        claimer.await.unwrap();
    }
    for (conversation, numbers) in seen.lock().unwrap().iter() {
        let all: Vec<usize> = (0..MESSAGES).filter(|number| number % 50 == *conversation).collect();
        assert_eq!(*numbers, all, "each once and in order");
    }
}

/// More messages come while others are answered.
async fn fetch_more(store: &PostgresStore, first: usize, messages: usize) {
    let mut from = store.kf_progress(account()).await.unwrap().cursor;
    for first in (first..messages).step_by(100) {
        let claim = store.claim_kf_pull(account()).await.unwrap().unwrap();
        let next = format!("more{first}");
        let fetched = |number: usize| Fetched {
            key: format!("m{number}"),
            customer: format!("wm{}", number % 50),
            sent_at: at(0),
            effect: Effect::Answer {
                item: number.to_string(),
            },
        };
        let page = KfPage {
            account: account(),
            claim,
            from,
            next: next.clone(),
            items: (first..first + 100).map(fetched).collect(),
            done: None,
            at: at(0),
        };
        assert!(store.keep_kf_page(page).await.unwrap().is_some());
        store.beat(InstanceReport::default()).await.unwrap();
        from = Some(next);
    }
}

/// A step that counts a person's messages in the session, and replies with the count.
fn counting(remembered: Remembered) -> Step {
    let before: u32 = remembered.session.map_or(0, |session| session.parse().unwrap());
    let count = (before + 1).to_string();
    Step {
        session: Some(count.clone()),
        reply: Some(count),
        ..Step::default()
    }
}

const SERIALIZABLE_BY_DEFAULT: &str = "DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
END $$";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_deliveries_to_two_processes_one_steps_and_all_get_its_reply() {
    const MESSAGES: u32 = 1_000;
    const PEOPLE: u32 = 40;
    let database = Database::new();
    // Somebody else's choice for the database must not make a process blind for what the other one has just committed.
    database.execute(SERIALIZABLE_BY_DEFAULT).await;
    let stores = [Arc::new(database.open()), Arc::new(database.open())];
    let mut deliveries = Vec::new();
    for number in 0..MESSAGES {
        for delivery in 0..4 {
            let store = Arc::clone(&stores[delivery % 2]);
            deliveries.push(tokio::spawn(async move {
                let who = person(&format!("user{}", number % PEOPLE));
                let settled = store.settle(message(number), who, at(0), Box::new(counting)).await;
                (number, settled.unwrap())
            }));
        }
    }
    let mut replies: BTreeMap<u32, Vec<Settlement>> = BTreeMap::new();
    for delivery in deliveries {
        let (number, settled) = delivery.await.unwrap();
        replies.entry(number).or_default().push(settled);
    }
    let mut counts: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (number, settled) in &replies {
        assert!(
            settled.iter().all(|other| other.reply == settled[0].reply),
            "{settled:?}"
        );
        assert_eq!(settled.iter().filter(|other| !other.repeated).count(), 1);
        let count = settled[0].reply.as_deref().unwrap().parse().unwrap();
        counts.entry(number % PEOPLE).or_default().push(count);
    }
    for counts in counts.values_mut() {
        counts.sort_unstable();
        let all: Vec<u32> = (1..=MESSAGES / PEOPLE).collect();
        assert_eq!(*counts, all, "each message counted once, on what the one before left");
    }
}

fn send(id: &str) -> NewSend {
    NewSend {
        send_id: id.to_owned(),
        way: "support".to_owned(),
        api: "kf/send_msg".to_owned(),
        body: id.to_owned(),
        instead: None,
        urgency: Urgency::Fresh,
        next_at: at(0),
        not_after: at(100),
        replaces_reply: false,
        knowledge_version: "v".to_owned(),
    }
}

async fn with_sends(store: &PostgresStore, user: &str, ids: &[&str]) {
    let sends = ids.iter().map(|id| send(id)).collect();
    let step = Step {
        sends,
        ..Step::default()
    };
    let number = u32::from(user.as_bytes()[0]);
    let settled = store.settle(message(number), person(user), at(0), Box::new(|_| step));
    settled.await.unwrap();
}

async fn claim(store: &PostgresStore, most: u32) -> Vec<ClaimedSend> {
    store.claim_sends(at(1), most, Vec::new()).await.unwrap()
}

/// All orders in which the steps of two processes can be taken, three each.
fn schedules() -> Vec<Vec<usize>> {
    let all = (0u32..64).filter(|schedule| schedule.count_ones() == 3);
    all.map(|schedule| (0..6).map(|place| usize::from(schedule & (1 << place) != 0)).collect())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_whatever_order_two_processes_take_their_turns_each_send_is_claimed_once_and_in_order() {
    let database = Database::new();
    let stores = [database.open(), database.open()];
    for schedule in schedules() {
        with_sends(&stores[0], "a", &["a1", "a2", "a3"]).await;
        with_sends(&stores[1], "b", &["b1", "b2", "b3"]).await;
        let mut held: [Vec<ClaimedSend>; 2] = Default::default();
        let mut claimed: Vec<String> = Vec::new();
        for process in &schedule {
            // Each settles what it holds and takes the next.
            for send in held[*process].drain(..) {
                stores[*process]
                    .settle_send(send.claim, SendResult::Sent, at(1))
                    .await
                    .unwrap();
            }
            held[*process] = claim(&stores[*process], 1).await;
            claimed.extend(held[*process].iter().map(|send| send.body.clone()));
        }
        for whose in ["a", "b"] {
            let of_one: Vec<&String> = claimed.iter().filter(|body| body.starts_with(whose)).collect();
            let expected: Vec<String> = (1..=of_one.len()).map(|number| format!("{whose}{number}")).collect();
            assert_eq!(of_one, expected.iter().collect::<Vec<_>>(), "{schedule:?}: {claimed:?}");
        }
        database
            .execute("TRUNCATE messages, sessions, outbox RESTART IDENTITY")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_silent_process_holds_is_taken_over_and_what_it_says_later_counts_for_nothing() {
    let database = Database::new();
    let (paused, other) = (database.open(), database.open());
    with_sends(&paused, "a", &["a1", "a2"]).await;
    let held = claim(&paused, 10).await;
    let pull = paused.claim_kf_pull(account()).await.unwrap().unwrap();
    assert!(claim(&other, 10).await.is_empty());
    assert_eq!(other.claim_kf_pull(account()).await.unwrap(), None);

    database.take_over(&other).await;
    let again = claim(&other, 10).await;
    assert_eq!((again[0].body.as_str(), again[0].unclear), ("a1", true));
    assert!(other.claim_kf_pull(account()).await.unwrap().unwrap() > pull);

    paused
        .settle_send(held[0].claim, SendResult::Sent, at(2))
        .await
        .unwrap();
    paused.return_kf_pull(account(), pull).await.unwrap();
    assert_eq!(other.figures().await.unwrap().unsent, 2, "the send is the other's");
    assert!(
        claim(&paused, 10).await.is_empty(),
        "nobody who is taken for dead claims anything"
    );
    assert_eq!(paused.claim_kf_pull(account()).await.unwrap(), None);
    other
        .settle_send(again[0].claim, SendResult::Sent, at(2))
        .await
        .unwrap();
    paused.beat(InstanceReport::default()).await.unwrap();
    assert_eq!(claim(&paused, 10).await[0].body, "a2");
}

/// The server takes no message that says `refused`, and ends the connection over one that says `fatal`.
const PARTICULAR: &str = "CREATE FUNCTION particular() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.body = 'refused' THEN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END IF;
    IF NEW.body = 'fatal' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER particular BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION particular()";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_durable_is_told_though_the_connection_is_lost_over_a_later_answer() {
    let database = Database::new();
    let store = database.open();
    database.execute(PARTICULAR).await;
    fetch(&store, 3, 3).await;
    let answer = || {
        Box::new(|waiting: Waiting| {
            let item = waiting.items[0].item.as_str();
            let body = match item {
                "0" => "taken",
                "1" => "refused",
                _ => "fatal",
            };
            Answered {
                fates: vec!["answered"],
                step: Step {
                    sends: vec![NewSend {
                        body: body.to_owned(),
                        ..send(item)
                    }],
                    ..Step::default()
                },
                ..Answered::default()
            }
        })
    };
    let told = |batch: AnsweredBatch| -> Vec<(String, &'static str)> {
        let all = batch.settled.into_iter();
        all.map(|settled| (settled.item.item, settled.fate)).collect()
    };
    let of = |item: &str, fate: &'static str| (item.to_owned(), fate);
    let batch = store.answer_waiting(at(0), at(0), 10, answer()).await.unwrap();
    assert_eq!(told(batch), [of("0", "answered"), of("1", "failed")]);
    assert!(store.answer_waiting(at(0), at(0), 10, answer()).await.is_err());
    database.execute("DROP TRIGGER particular ON outbox").await;
    let batch = store.answer_waiting(at(0), at(0), 10, answer()).await.unwrap();
    assert_eq!(told(batch), [of("2", "answered")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_takes_over_is_told_how_much_it_was_once() {
    let database = Database::new();
    let (gone, other) = (database.open(), database.open());
    fetch(&gone, 2, 3).await;
    with_sends(&gone, "a", &["a1"]).await;
    assert_eq!(claim(&gone, 10).await.len(), 1);
    // Begun, and not ended.
    database
        .execute("UPDATE inbox SET owner = (SELECT owner FROM outbox)")
        .await;
    gone.claim_kf_pull(account()).await.unwrap().unwrap();
    for (app, until) in [("support", at(60)), ("other", at(0))] {
        assert!(gone.claim_token_refresh(app, 0, at(0), until).await.unwrap());
    }
    let mut taken_over = TakenOver::default();
    while taken_over == TakenOver::default() {
        tokio::time::sleep(SHORT / 10).await;
        taken_over = other.beat(InstanceReport::default()).await.unwrap().taken_over;
    }
    let expected = TakenOver {
        answers: 3,
        sends: 1,
        accounts: 1,
        tokens: 1,
    };
    assert_eq!(taken_over, expected);
    let again = other.beat(InstanceReport::default()).await.unwrap();
    assert_eq!(again.taken_over, TakenOver::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_that_ends_as_it_should_leaves_nothing_to_wait_for() {
    let database = Database::new();
    let (ending, other) = (database.open(), database.open());
    with_sends(&ending, "a", &["a1"]).await;
    assert_eq!(claim(&ending, 10).await.len(), 1);
    ending.claim_kf_pull(account()).await.unwrap().unwrap();
    assert_eq!(other.beat(InstanceReport::default()).await.unwrap().live, 2);
    ending.close().await.unwrap();
    assert_eq!(claim(&other, 10).await[0].claim.attempts, 2);
    assert!(other.claim_kf_pull(account()).await.unwrap().is_some());
    assert_eq!(other.beat(InstanceReport::default()).await.unwrap().live, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reminder_that_two_processes_have_read_becomes_one_message() {
    let database = Database::new();
    let stores = [database.open(), database.open()];
    let opened = crate::store::OpenedAppeal {
        record: "A".to_owned(),
        reminders: vec![crate::store::Reminder {
            business_day: 3,
            due: at(1),
        }],
    };
    let step = Step {
        appeal: crate::store::AppealChange::Opened(opened),
        ..Step::default()
    };
    let settled = stores[0].settle(message(1), person("li"), at(0), Box::new(|_| step));
    settled.await.unwrap();
    let apps = vec![("ww1".to_owned(), "support".to_owned())];
    let due = [
        stores[0].due_reminders(at(1), apps.clone()).await.unwrap(),
        stores[1].due_reminders(at(1), apps).await.unwrap(),
    ];
    let (first, second) = tokio::join!(
        stores[0].remind(due[0][0].clone(), Some(send("r1"))),
        stores[1].remind(due[1][0].clone(), Some(send("r2"))),
    );
    first.unwrap();
    second.unwrap();
    assert_eq!(stores[0].figures().await.unwrap().unsent, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_no_text_of_the_database_can_hold_is_left_out_of_the_first_reply_too() {
    let database = Database::new();
    let store = database.open();
    let with_nul = step("ses\0sion", "re\0ply");
    let first = store.settle(message(1), person("l\0i"), at(0), Box::new(|_| with_nul));
    assert_eq!(first.await.unwrap().reply.as_deref(), Some("reply"));
    let again = store.settle(message(1), person("l\0i"), at(0), Box::new(|_| Step::default()));
    assert_eq!(again.await.unwrap().reply.as_deref(), Some("reply"));
}
