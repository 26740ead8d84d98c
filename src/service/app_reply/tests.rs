//! What a message of the app leads to besides a passive reply.

use serde_json::Value;

use super::*;
use crate::dialogue::tests::ASSISTANT;

fn reply(can_send: bool, cards: bool) -> AppReply {
    let now = "2026-11-26T14:30:00+08:00".parse().unwrap();
    AppReply {
        assistant: Arc::clone(&ASSISTANT),
        recipient: Recipient {
            app: "support".to_owned(),
            agent_id: 7,
            user: "LiXiaoyu".to_owned(),
            can_send,
            cards,
        },
        message_id: "m1".to_owned(),
        response_code: None,
        conversation_now: now,
        platform_now: now,
    }
}

fn says(reply: AppReply, text: &str, is_late: bool) -> Step {
    reply.step(Remembered::default(), &Event::Text(text.to_owned()), is_late)
}

fn body(send: &NewSend) -> Value {
    serde_json::from_str(&send.body).unwrap()
}

#[test]
fn a_reply_that_is_on_time_is_all_there_is() {
    let step = says(reply(true, false), "封号了", false);
    assert!(step.reply.is_some_and(|reply| reply.contains("【1】")));
    assert_eq!(step.sends, []);
}

#[test]
fn a_late_reply_is_a_message_that_stands_in_for_it() {
    let step = says(reply(true, false), "封号了", true);
    let [send] = step.sends.as_slice() else {
        panic!("{:?}", step.sends)
    };
    assert!(send.replaces_reply);
    assert_eq!(body(send)["text"]["content"].as_str(), step.reply.as_deref());
    assert_eq!(body(send)["enable_duplicate_check"], 1);
    let silent = says(reply(false, false), "封号了", true);
    assert_eq!(
        silent.sends,
        [],
        "without a Secret only a further delivery can bring it"
    );
}

#[test]
fn options_on_a_card_are_not_in_the_reply_and_come_as_words_if_the_card_is_refused() {
    let step = says(reply(true, true), "封号了", false);
    assert!(step.reply.is_some_and(|reply| !reply.contains("【1】")));
    let [card] = step.sends.as_slice() else {
        panic!("{:?}", step.sends)
    };
    let buttons = body(card)["template_card"]["button_list"].clone();
    assert!(buttons.as_array().unwrap().len() >= 2);
    let instead = card.instead.as_ref().unwrap();
    assert!(instead.body.contains("【1】"), "{}", instead.body);
}

#[test]
fn what_was_pressed_is_shown_on_the_card_and_answered_by_a_message() {
    let pressed = AppReply {
        response_code: Some("code1".into()),
        ..reply(true, false)
    };
    let event = Event::Tapped {
        id: "pull-group-full".to_owned(),
        label: "群满了".to_owned(),
    };
    let step = pressed.step(Remembered::default(), &event, false);
    assert_eq!(step.reply, None);
    let apis: Vec<&str> = step.sends.iter().map(|send| send.api.as_str()).collect();
    assert_eq!(apis, ["message/update_template_card", "message/send"]);
    assert_eq!(body(&step.sends[0])["response_code"], "code1");
    assert!(
        body(&step.sends[1])["text"]["content"]
            .as_str()
            .unwrap()
            .starts_with('【')
    );
}
