//! Who may use the admin console, and what it reads.

use jiff::Timestamp;

use super::{Place, at, message, person, record, settle};
use crate::store::{
    AuditEntry, ConsoleChange, ConsoleChanged, ConsoleRole, LinkPurpose, QuestionRecord, QuestionSearch, Rating,
    Retention, Step, Store, TokenHash, UselessAnswer,
};

fn token(number: u8) -> TokenHash {
    [number; 32]
}

fn entry(minute: i64, action: &str) -> AuditEntry {
    AuditEntry {
        at: at(minute),
        who: "root".to_owned(),
        action: action.to_owned(),
        object: String::new(),
    }
}

async fn change(store: &dyn Store, change: ConsoleChange) -> ConsoleChanged {
    store.change_console(change, entry(1, "changed")).await.unwrap()
}

async fn use_link(store: &dyn Store, link: TokenHash, name: &str, session: TokenHash) -> ConsoleChanged {
    let using = ConsoleChange::UseLink {
        link,
        name: name.to_owned(),
        password: format!("hash of {name}"),
        session,
    };
    change(store, using).await
}

/// Makes `root` an admin, signed in with session 100.
async fn with_admin(store: &dyn Store) -> i64 {
    let offer = ConsoleChange::OfferFirstAdmin {
        link: token(1),
        until: at(60),
    };
    assert_eq!(change(store, offer).await, ConsoleChanged::Done);
    assert_eq!(
        use_link(store, token(1), "root", token(100)).await,
        ConsoleChanged::Done
    );
    store.console_session(token(100)).await.unwrap().unwrap().user.id
}

/// Invites somebody, who uses the link and is signed in with this session.
async fn with_user(store: &dyn Store, name: &str, role: ConsoleRole, session: u8) -> i64 {
    let invite = ConsoleChange::Invite {
        name: name.to_owned(),
        role,
        link: token(session),
        until: at(60),
    };
    assert_eq!(change(store, invite).await, ConsoleChanged::Done);
    assert_eq!(
        use_link(store, token(session), "", token(session)).await,
        ConsoleChanged::Done
    );
    store.console_session(token(session)).await.unwrap().unwrap().user.id
}

async fn the_first_admin_is_made_once(place: impl Place) {
    let store = place.open().await;
    for link in [1, 2] {
        let offer = ConsoleChange::OfferFirstAdmin {
            link: token(link),
            until: at(60),
        };
        assert_eq!(change(&*store, offer).await, ConsoleChanged::Done);
    }
    let purpose = store.console_link(token(1), at(59)).await.unwrap();
    assert_eq!(purpose, Some(LinkPurpose::FirstAdmin));
    assert_eq!(store.console_link(token(1), at(60)).await.unwrap(), None);
    assert_eq!(
        use_link(&*store, token(1), "root", token(100)).await,
        ConsoleChanged::Done
    );
    for link in [1, 2] {
        assert_eq!(store.console_link(token(link), at(2)).await.unwrap(), None);
        assert_eq!(
            use_link(&*store, token(link), "eve", token(101)).await,
            ConsoleChanged::NotFound
        );
    }
    let offer = ConsoleChange::OfferFirstAdmin {
        link: token(3),
        until: at(60),
    };
    assert_eq!(change(&*store, offer).await, ConsoleChanged::NotFound);
    let users = store.console_users().await.unwrap();
    assert_eq!(
        (users.len(), users[0].name.as_str(), users[0].role),
        (1, "root", ConsoleRole::Admin)
    );
    assert_eq!(users[0].last_login_at, Some(at(1)));
    let credentials = store.console_credentials("root".to_owned()).await.unwrap().unwrap();
    assert_eq!(credentials.password.as_deref(), Some("hash of root"));
    assert!(store.console_credentials("eve".to_owned()).await.unwrap().is_none());
}

async fn somebody_who_is_invited_chooses_a_password_once(place: impl Place) {
    let store = place.open().await;
    with_admin(&*store).await;
    let invite = |name: &str| ConsoleChange::Invite {
        name: name.to_owned(),
        role: ConsoleRole::Editor,
        link: token(2),
        until: at(60),
    };
    assert_eq!(change(&*store, invite("li")).await, ConsoleChanged::Done);
    assert_eq!(change(&*store, invite("li")).await, ConsoleChanged::NameTaken);
    assert!(matches!(
        store.console_link(token(2), at(2)).await.unwrap(),
        Some(LinkPurpose::Password(user)) if user.name == "li" && !user.has_password
    ));
    assert_eq!(use_link(&*store, token(2), "", token(102)).await, ConsoleChanged::Done);
    assert_eq!(
        use_link(&*store, token(2), "", token(103)).await,
        ConsoleChanged::NotFound
    );
    let session = store.console_session(token(102)).await.unwrap().unwrap();
    assert_eq!(
        (session.user.name.as_str(), session.user.role),
        ("li", ConsoleRole::Editor)
    );
}

async fn sessions_end_with_what_they_stand_on(place: impl Place) {
    let store = place.open().await;
    with_admin(&*store).await;
    let li = with_user(&*store, "li", ConsoleRole::Admin, 50).await;
    let is_in = async |session: u8| store.console_session(token(session)).await.unwrap().is_some();
    let sign_in = |session: u8| ConsoleChange::SignIn {
        user: li,
        session: token(session),
        second_factor_step: None,
    };
    store.touch_console_session(token(50), at(5)).await.unwrap();
    assert_eq!(store.console_session(token(50)).await.unwrap().unwrap().seen_at, at(5));
    let signed_out = ConsoleChange::SignOut { session: token(50) };
    assert_eq!(change(&*store, signed_out).await, ConsoleChanged::Done);
    assert!(!is_in(50).await);

    change(&*store, sign_in(51)).await;
    change(&*store, sign_in(52)).await;
    let password = ConsoleChange::ChangePassword {
        user: li,
        password: "another".to_owned(),
        session: token(52),
    };
    assert_eq!(change(&*store, password).await, ConsoleChanged::Done);
    assert!(!is_in(51).await && is_in(52).await);

    let demoted = ConsoleChange::SetRole {
        user: li,
        role: ConsoleRole::Viewer,
    };
    assert_eq!(change(&*store, demoted).await, ConsoleChanged::Done);
    assert!(!is_in(52).await);

    change(&*store, sign_in(53)).await;
    assert_eq!(
        change(&*store, ConsoleChange::SignOutEverywhere { user: li }).await,
        ConsoleChanged::Done
    );
    assert!(!is_in(53).await);

    change(&*store, sign_in(54)).await;
    let disabled = |is_disabled| ConsoleChange::SetDisabled { user: li, is_disabled };
    assert_eq!(change(&*store, disabled(true)).await, ConsoleChanged::Done);
    assert!(!is_in(54).await);
    assert_eq!(change(&*store, sign_in(55)).await, ConsoleChanged::NotFound);
    let offer = ConsoleChange::OfferPassword {
        user: li,
        link: token(9),
        until: at(60),
    };
    assert_eq!(change(&*store, offer.clone()).await, ConsoleChanged::NotFound);
    assert_eq!(change(&*store, disabled(false)).await, ConsoleChanged::Done);

    change(&*store, sign_in(56)).await;
    assert_eq!(change(&*store, offer).await, ConsoleChanged::Done);
    assert!(is_in(56).await, "a link alone ends nothing");
    assert_eq!(use_link(&*store, token(9), "", token(57)).await, ConsoleChanged::Done);
    assert!(!is_in(56).await && is_in(57).await);
    assert!(is_in(100).await, "nobody else's session ends");
}

async fn a_one_time_code_signs_in_once_and_nobody_signs_in_without(place: impl Place) {
    let store = place.open().await;
    with_admin(&*store).await;
    let li = with_user(&*store, "li", ConsoleRole::Viewer, 50).await;
    let sign_in = async |session: u8, second_factor_step: Option<i64>| {
        let session = token(session);
        let sign_in = ConsoleChange::SignIn {
            user: li,
            session,
            second_factor_step,
        };
        change(&*store, sign_in).await == ConsoleChanged::Done
    };
    assert!(sign_in(51, None).await);
    let set = |secret: Option<&str>, present_step| ConsoleChange::SetSecondFactor {
        user: li,
        present_step,
        secret: secret.map(|secret| (secret.to_owned(), 7)),
        session: token(51),
    };
    assert_eq!(change(&*store, set(Some("ABC"), None)).await, ConsoleChanged::Done);
    let credentials = store.console_credentials("li".to_owned()).await.unwrap().unwrap();
    assert_eq!(credentials.second_factor.as_deref(), Some("ABC"));
    assert!(credentials.user.has_second_factor);
    let is_in = async |session: u8| store.console_session(token(session)).await.unwrap().is_some();
    assert!(is_in(51).await && !is_in(50).await);
    assert!(!sign_in(52, None).await);
    assert!(!sign_in(53, Some(7)).await);
    assert!(sign_in(54, Some(8)).await);
    assert!(!sign_in(55, Some(8)).await);
    for step in [None, Some(8)] {
        assert_eq!(change(&*store, set(None, step)).await, ConsoleChanged::NotFound);
    }
    assert_eq!(change(&*store, set(None, Some(9))).await, ConsoleChanged::Done);
    assert!(sign_in(56, None).await);
}

async fn there_is_always_an_admin_who_can_sign_in(place: impl Place) {
    let store = place.open().await;
    let root = with_admin(&*store).await;
    let demoted = |user| ConsoleChange::SetRole {
        user,
        role: ConsoleRole::Viewer,
    };
    let disabled = |user| ConsoleChange::SetDisabled {
        user,
        is_disabled: true,
    };
    assert_eq!(change(&*store, demoted(root)).await, ConsoleChanged::LastAdmin);
    assert_eq!(change(&*store, disabled(root)).await, ConsoleChanged::LastAdmin);
    assert!(
        store.console_session(token(100)).await.unwrap().is_some(),
        "nothing was changed"
    );
    let li = with_user(&*store, "li", ConsoleRole::Admin, 50).await;
    assert_eq!(change(&*store, demoted(root)).await, ConsoleChanged::Done);
    assert_eq!(change(&*store, disabled(li)).await, ConsoleChanged::LastAdmin);
    assert_eq!(change(&*store, demoted(9_999)).await, ConsoleChanged::NotFound);
}

async fn the_audit_log_has_what_was_done_and_is_not_changed(place: impl Place) {
    let store = place.open().await;
    with_admin(&*store).await;
    let before = store.audit_entries(None, 10).await.unwrap();
    assert_eq!(before.len(), 2, "the link that was made and used");
    let refused = ConsoleChange::SignOut { session: token(77) };
    assert_eq!(change(&*store, refused).await, ConsoleChanged::NotFound);
    let now = Timestamp::now();
    let unmasked = AuditEntry {
        at: now,
        object: "m1".to_owned(),
        ..entry(0, "unmask")
    };
    store.audit(unmasked.clone()).await.unwrap();
    let entries = store.audit_entries(None, 10).await.unwrap();
    assert_eq!(entries.len(), 3, "what came to nothing is not noted");
    assert_eq!(
        (entries[0].entry.action.as_str(), entries[0].entry.object.as_str()),
        ("unmask", "m1")
    );
    let older = store.audit_entries(Some(entries[0].id), 1).await.unwrap();
    assert_eq!(older, entries[1..2]);
    // What was noted by the clock of these tests is more than two years old by the real one, some day.
    store.purge(now, Retention { questions_days: 1 }).await.unwrap();
    assert_eq!(store.audit_entries(None, 1).await.unwrap(), entries[..1]);
}

fn asked(text: &str, decision: &str, minute: i64, micros: u64) -> QuestionRecord {
    QuestionRecord {
        decision: decision.to_owned(),
        micros,
        ..record(text, at(minute))
    }
}

async fn ask(store: &dyn Store, number: u32, user: &str, minute: i64, question: QuestionRecord) {
    let mut key = message(number);
    key.created_at = at(minute).as_second();
    let step = Step {
        reply: Some("a reply".to_owned()),
        question: Some(question),
        ..Step::default()
    };
    let settled = store.settle(key, person(user), at(minute), Box::new(move |_| step));
    settled.await.unwrap();
}

async fn with_questions(store: &dyn Store) {
    ask(store, 1, "li", 0, asked("群满了", "answer", 0, 20)).await;
    ask(store, 2, "wang", 1, asked("Cannot ADD friends", "answer", 1, 20)).await;
    ask(store, 3, "li", 2, asked("天气 100%_\\", "refuse", 2, 9_999_999)).await;
    ask(store, 4, "zhang", 3, asked("NUL \0 and \"quotes\"", "ask_back", 3, 60)).await;
}

async fn questions_are_counted_by_time_and_decision(place: impl Place) {
    let store = place.open().await;
    with_questions(&*store).await;
    let rated = Step {
        rating: Some(Rating {
            scenario: "pull-group-full".to_owned(),
            verdict: "useful".to_owned(),
            knowledge_version: "v".to_owned(),
        }),
        ..Step::default()
    };
    let settled = store.settle(message(9), person("li"), at(2), Box::new(|_| rated));
    settled.await.unwrap();
    let counted = store.count_questions(at(1), at(3)).await.unwrap();
    let shown: Vec<(&str, &str, usize, u64)> = counted
        .questions
        .iter()
        .map(|one| {
            (
                one.decision.as_str(),
                one.scenario.as_str(),
                one.micros_class,
                one.count,
            )
        })
        .collect();
    let end = crate::store::MICROS_CLASSES.len();
    assert_eq!(
        shown,
        [
            ("answer", "pull-group-full", 0, 1),
            ("refuse", "pull-group-full", end, 1)
        ]
    );
    assert_eq!(counted.verdicts, [("useful".to_owned(), 1)]);
    let all = store.count_questions(at(0), at(4)).await.unwrap();
    assert_eq!(all.questions.iter().map(|one| one.count).sum::<u64>(), 4);
    assert_eq!(
        store.count_questions(at(4), at(9)).await.unwrap(),
        crate::store::Counted::default()
    );
}

async fn questions_are_found_by_what_is_looked_for(place: impl Place) {
    let store = place.open().await;
    with_questions(&*store).await;
    let all = QuestionSearch {
        most: 10,
        most_looked_at: 100,
        ..QuestionSearch::default()
    };
    let texts = async |search: QuestionSearch| -> Vec<String> {
        let found = store.find_questions(search).await.unwrap();
        found.found.into_iter().map(|one| one.record.text).collect()
    };
    let newest_first = ["NUL \0 and \"quotes\"", "天气 100%_\\", "Cannot ADD friends", "群满了"];
    assert_eq!(texts(all.clone()).await, newest_first);
    for (text, found) in [
        ("add", &newest_first[2..3]),
        ("100%_\\", &newest_first[1..2]),
        ("%", &newest_first[1..2]),
        ("nobody", &[]),
    ] {
        let text = text.to_owned();
        assert_eq!(texts(QuestionSearch { text, ..all.clone() }).await, found);
    }
    let decision = "answer".to_owned();
    assert_eq!(
        texts(QuestionSearch {
            decision,
            ..all.clone()
        })
        .await,
        newest_first[2..]
    );
    let since = Some(at(2));
    assert_eq!(texts(QuestionSearch { since, ..all.clone() }).await, newest_first[..2]);
    for app in ["support", "other"] {
        let search = QuestionSearch {
            app: app.to_owned(),
            ..all.clone()
        };
        assert_eq!(texts(search).await.is_empty(), app == "other");
    }
    let found = store.find_questions(all.clone()).await.unwrap();
    let (li, newest) = (found.found[3].person.clone(), found.found[0].id);
    assert_eq!(newest.made_at(), at(3));
    assert_eq!(
        texts(QuestionSearch { person: li, ..all }).await,
        ["天气 100%_\\", "群满了"]
    );
}

async fn a_useless_answer_is_known_by_the_message_that_says_so(place: impl Place) {
    let store = place.open().await;
    for (number, minute, verdict) in [
        (1, 1, "useless"),
        (2, 2, "useful"),
        (3, 3, "useless"),
        (4, 4, "useless"),
    ] {
        let step = Step {
            question: Some(asked("没用", "smalltalk", minute, 20)),
            rating: Some(Rating {
                scenario: format!("scenario-{number}"),
                verdict: verdict.to_owned(),
                knowledge_version: "v".to_owned(),
            }),
            ..Step::default()
        };
        let settled = store.settle(message(number), person("li"), at(minute), Box::new(move |_| step));
        settled.await.unwrap();
    }
    let useless = store.useless_answers(at(3), 10).await.unwrap();
    let scenarios: Vec<&str> = useless.iter().map(|answer| answer.scenario.as_str()).collect();
    assert_eq!(scenarios, ["scenario-4", "scenario-3"]);
    assert_eq!(store.useless_answers(at(0), 1).await.unwrap(), useless[..1]);
    let all = QuestionSearch {
        most: 10,
        most_looked_at: 10,
        ..QuestionSearch::default()
    };
    let found = store.find_questions(all).await.unwrap().found;
    let said_in = |answer: &UselessAnswer| found.iter().any(|question| question.id.name() == answer.said_in);
    assert!(useless.iter().all(said_in));
}

async fn a_search_goes_on_where_it_has_ended(place: impl Place) {
    let store = place.open().await;
    with_questions(&*store).await;
    let mut search = QuestionSearch {
        decision: "answer".to_owned(),
        most: 1,
        most_looked_at: 3,
        ..QuestionSearch::default()
    };
    let mut found = Vec::new();
    let mut pages = 0;
    loop {
        let page = store.find_questions(search.clone()).await.unwrap();
        found.extend(page.found.into_iter().map(|one| one.record.text));
        pages += 1;
        match page.rest {
            Some(rest) => search.before = Some(rest),
            None => break,
        }
    }
    assert_eq!(found, ["Cannot ADD friends", "群满了"]);
    assert_eq!(pages, 2);
}

async fn what_became_of_a_question_is_known(place: impl Place) {
    let store = place.open().await;
    with_questions(&*store).await;
    settle(&*store, message(8), "li", at(9), "no question").await;
    let all = QuestionSearch {
        most: 1,
        most_looked_at: 1,
        ..QuestionSearch::default()
    };
    let newest = store.find_questions(all).await.unwrap().found.remove(0);
    let course = store.question_course(newest.id).await.unwrap().unwrap();
    assert_eq!(course.question, newest);
    assert_eq!(course.reply, Some((Some("a reply".to_owned()), at(3))));
    assert_eq!((course.received, course.sent), (None, Vec::new()));
    let unknown = "00".repeat(21).parse().unwrap();
    assert_eq!(store.question_course(unknown).await.unwrap(), None);
}

for_every_store!(
    the_first_admin_is_made_once,
    somebody_who_is_invited_chooses_a_password_once,
    sessions_end_with_what_they_stand_on,
    a_one_time_code_signs_in_once_and_nobody_signs_in_without,
    there_is_always_an_admin_who_can_sign_in,
    the_audit_log_has_what_was_done_and_is_not_changed,
    questions_are_counted_by_time_and_decision,
    questions_are_found_by_what_is_looked_for,
    a_useless_answer_is_known_by_the_message_that_says_so,
    a_search_goes_on_where_it_has_ended,
    what_became_of_a_question_is_known,
);
