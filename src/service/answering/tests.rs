//! Answers to customers of 微信客服, with the shipped knowledge.

use jiff::ToSpan;
use jiff::civil::time;
use serde_json::json;

use super::*;
use crate::dialogue::tests::ASSISTANT;
use crate::store::{KfAccountKey, Remembered};

/// A business day, within duty hours.
const NOW: &str = "2026-11-26T14:30:00+08:00";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn answerer() -> Answerer {
    Answerer {
        assistant: Arc::clone(&ASSISTANT),
        duty: Some(DutyHours {
            from: time(9, 0, 0, 0),
            until: time(18, 0, 0, 0),
            business_days_only: true,
        }),
        now: now(),
        conversation_now: now(),
    }
}

fn item(number: usize, sent_at: Timestamp, kind: &str, body: &Value) -> WaitingItem {
    let origin = if kind == "event" { 4 } else { 3 };
    let item = json!({
        "msgid": format!("m{number}"), "open_kfid": "wk1", "external_userid": "wm1",
        "send_time": sent_at.as_second(), "origin": origin, "msgtype": kind, kind: body,
    });
    WaitingItem {
        item: item.to_string(),
        sent_at,
        received_at: sent_at,
    }
}

/// Texts that were sent so many seconds ago.
fn texts(texts: &[(&str, i64)]) -> Vec<WaitingItem> {
    let text = |(number, (text, age)): (usize, &(&str, i64))| {
        item(number, now() - age.seconds(), "text", &json!({ "content": text }))
    };
    texts.iter().enumerate().map(text).collect()
}

fn waiting(items: Vec<WaitingItem>) -> Waiting {
    Waiting {
        account: KfAccountKey {
            corp_id: "ww1".to_owned(),
            app: "support".to_owned(),
            open_kf_id: "wk1".to_owned(),
        },
        items,
        remembered: Remembered::default(),
        unsent: 0,
        attempts: 1,
    }
}

fn answered(items: Vec<WaitingItem>) -> Answered {
    answerer().answer(waiting(items), Some(true))
}

/// What kind of message each send is, and what it says first.
fn said(answered: &Answered) -> Vec<(String, String)> {
    let said = |send: &NewSend| {
        let body: Value = serde_json::from_str(&send.body).unwrap();
        let text = |pointer| body.pointer(pointer).and_then(Value::as_str);
        let words = text("/text/content").or(text("/msgmenu/head_content"));
        (send.api.clone(), words.unwrap_or_default().to_owned())
    };
    answered.step.sends.iter().map(said).collect()
}

#[test]
fn a_question_is_answered_with_at_most_two_messages_and_its_options_as_a_menu() {
    let answered = answered(texts(&[("加不了好友了，提示操作频繁", 5)]));
    assert_eq!(answered.fates, ["answered"]);
    assert_eq!(answered.customer, "wm1");
    let said = said(&answered);
    assert!((1..=2).contains(&said.len()), "{said:?}");
    assert!(said[0].1.contains("24"), "{said:?}");
    assert_eq!(answered.questions.len(), 1);
    let send = &answered.step.sends[0];
    assert_eq!(send.urgency, Urgency::Fresh);
    assert_eq!(send.not_after, now() - 5.seconds() + 48.hours());
    assert!(send.send_id.len() <= crate::service::send_ids::LONGEST);
}

#[test]
fn the_same_message_makes_the_same_ids_again() {
    let ids = || -> Vec<String> {
        let answered = answered(texts(&[("封号了", 5)]));
        answered.step.sends.into_iter().map(|send| send.send_id).collect()
    };
    assert_eq!(ids(), ids());
    let other = answered(vec![item(7, now(), "text", &json!({ "content": "封号了" }))]);
    assert_ne!(ids()[0], other.step.sends[0].send_id);
}

#[test]
fn of_many_messages_at_once_the_last_ones_are_answered_within_the_budget() {
    let many: Vec<(&str, i64)> = (0..6)
        .map(|number| ("加不了好友了，提示操作频繁", 30 - number))
        .collect();
    let answered = answered(texts(&many));
    let answered_at: Vec<usize> = (0..6).filter(|place| answered.fates[*place] == "answered").collect();
    assert!(
        answered_at.ends_with(&[5]) && answered_at.len() <= MOST_FRESH,
        "{answered_at:?}"
    );
    assert!(answered.step.sends.len() <= 4, "{:?}", said(&answered));
    assert!(answered.fates[..3].iter().all(|fate| *fate == "covered"));
}

#[test]
fn of_a_backlog_the_last_message_is_answered_and_goes_after_what_is_fresh() {
    let hours = 3600;
    let answered = answered(texts(&[
        ("群里发不了消息", 40 * hours),
        ("加不了好友了，提示操作频繁", 39 * hours),
    ]));
    assert_eq!(answered.fates, ["covered", "answered"]);
    assert!(answered.step.sends.iter().all(|send| send.urgency == Urgency::Backlog));
}

#[test]
fn after_48_hours_nothing_may_be_sent_any_more() {
    let answered = answered(texts(&[("封号了", 48 * 3600)]));
    assert_eq!(answered.fates, ["expired"]);
    assert_eq!(said(&answered), []);
}

#[test]
fn what_is_still_to_be_sent_counts_against_the_budget() {
    let full = Waiting {
        unsent: 4,
        ..waiting(texts(&[("加不了好友了，提示操作频繁", 5)]))
    };
    assert_eq!(answerer().answer(full, Some(true)).step.sends.len(), 1);
}

fn entered(age: i64) -> Vec<WaitingItem> {
    let event = json!({
        "event_type": "enter_session", "open_kfid": "wk1", "external_userid": "wm1", "welcome_code": "code1",
    });
    vec![item(1, now() - age.seconds(), "event", &event)]
}

#[test]
fn whoever_enters_is_welcomed_with_the_commonest_situations_for_twenty_seconds() {
    let welcome = answered(entered(19));
    let [send] = welcome.step.sends.as_slice() else {
        panic!("{:?}", said(&welcome))
    };
    assert_eq!(
        (send.api.as_str(), send.urgency),
        ("kf/send_msg_on_event", Urgency::Greeting)
    );
    let body: Value = serde_json::from_str(&send.body).unwrap();
    assert_eq!(body["code"], "code1");
    assert_eq!(body["msgmenu"]["list"].as_array().unwrap().len(), 6);
    assert!(body.get("touser").is_none());
    let late = answered(entered(20));
    assert_eq!(
        (late.fates.as_slice(), late.step.sends.len()),
        (["expired"].as_slice(), 0)
    );
}

#[test]
fn a_tapped_entry_is_the_option_that_was_offered() {
    let first = answered(texts(&[("被封了", 9)]));
    let menu: Value = serde_json::from_str(&first.step.sends.last().unwrap().body).unwrap();
    let click = &menu["msgmenu"]["list"][0]["click"];
    let tap = json!({ "content": click["content"], "menu_id": click["id"] });
    let second = answerer().answer(
        Waiting {
            remembered: Remembered {
                session: first.step.session,
                appeal: None,
            },
            ..waiting(vec![item(2, now(), "text", &tap)])
        },
        Some(true),
    );
    let (_, question) = &second.questions[0];
    assert_eq!(question.decision, "answer");
    assert_eq!(
        Some(format!("v1:{}", question.scenarios[0]).as_str()),
        click["id"].as_str()
    );
}

#[test]
fn whoever_asks_for_a_person_is_told_so_and_put_into_the_pool() {
    let answered = answered(texts(&[("加不了好友了，提示操作频繁", 9), ("转人工", 3)]));
    assert_eq!(answered.served_by, Some(ServedBy::Pool));
    let said = said(&answered);
    let [.., (_, goodbye), (last, _)] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert_eq!(last, "kf/service_state/trans");
    assert!(
        goodbye.contains("转给同事") && goodbye.contains("操作频繁"),
        "{goodbye}"
    );
    let transfer: Value = serde_json::from_str(&answered.step.sends.last().unwrap().body).unwrap();
    assert_eq!(transfer["service_state"], 2);
    let instead = &answered.step.sends.last().unwrap().instead.as_ref().unwrap().body;
    assert!(instead.contains("没有同事在接待"), "{instead}");
}

#[test]
fn whoever_asked_for_a_person_and_goes_on_writing_still_gets_one() {
    let answered = answered(texts(&[("转人工", 9), ("快点", 6), ("谢谢", 3)]));
    assert_eq!(answered.served_by, Some(ServedBy::Pool));
    let said = said(&answered);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].1.contains("转给同事") && said[1].0.ends_with("trans"),
        "{said:?}"
    );
}

#[test]
fn two_messages_in_a_row_that_are_not_understood_lead_to_a_person() {
    let answered = answered(texts(&[("今天天气怎么样", 9), ("讲个笑话给我听", 3)]));
    assert_eq!(answered.served_by, Some(ServedBy::Pool));
}

#[track_caller]
fn check_nobody(answerer: &Answerer, receives: Option<bool>, expected: &str) {
    let answered = answerer.answer(waiting(texts(&[("转人工", 3)])), receives);
    assert_eq!(answered.served_by, None);
    let said = said(&answered);
    assert!(said.len() == 1 && said[0].1.contains(expected), "{said:?}");
}

#[test]
fn whoever_asks_for_a_person_when_nobody_is_there_is_told_when_somebody_is() {
    let at_night = "2026-11-26T22:00:00+08:00".parse().unwrap();
    let evening = Answerer {
        conversation_now: at_night,
        ..answerer()
    };
    check_nobody(&evening, Some(true), "工作日 9:00–18:00");
    check_nobody(&answerer(), Some(false), "没有同事在接待");
}

#[test]
fn a_make_up_workday_is_on_duty_and_a_holiday_is_not() {
    let duty = answerer().duty.unwrap();
    let covers = |at: &str| duty.covers(at.parse().unwrap(), &ASSISTANT.catalogue.workdays);
    assert!(covers("2026-10-10T10:00:00+08:00"), "a Saturday on which people work");
    assert!(!covers("2026-10-01T10:00:00+08:00"), "National Day");
    assert!(!covers("2026-11-28T10:00:00+08:00"), "a Saturday");
    assert!(!covers("2026-11-26T18:00:00+08:00"));
}

#[test]
fn without_duty_hours_the_ordinary_answer_stands() {
    let nobody = Answerer {
        duty: None,
        ..answerer()
    };
    check_nobody(&nobody, Some(true), "企业微信管理员");
}
