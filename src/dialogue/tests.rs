//! Conversations with the shipped knowledge, message by message.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;

use super::*;
use crate::knowledge::Language;

/// The shipped knowledge, trained once for all tests.
pub(crate) static ASSISTANT: LazyLock<Arc<Assistant>> = LazyLock::new(|| {
    let loaded = crate::learning::load_assistant(Path::new("knowledge"), &NoCache);
    Arc::new(loaded.unwrap_or_else(|error| panic!("{error:?}")))
});

fn now() -> Timestamp {
    "2026-11-22T10:00:00+08:00".parse().unwrap()
}

/// What the bot says to the last of these events, how it understood it, and where the conversation then stands.
fn last_of(events: &[Event]) -> (String, Understanding, Session) {
    let mut session = Session::default();
    let mut said = String::new();
    let mut understood = Understanding::default();
    for event in events {
        let (next, actions) = ASSISTANT.step(session, event, now());
        session = next;
        said.clear();
        understood = Understanding::default();
        for action in actions {
            match action {
                Action::Reply(reply) => said = ASSISTANT.composer(session.language, now()).as_plain_text(&reply),
                Action::Record(understanding) => understood = understanding,
                Action::HandOver(_) => said.push_str("[handed over]"),
                Action::Track { .. } | Action::CloseAppeal(_) | Action::Rate { .. } => {}
            }
        }
    }
    (said, understood, session)
}

fn texts(texts: &[&str]) -> Vec<Event> {
    texts.iter().map(|text| Event::Text((*text).to_owned())).collect()
}

#[track_caller]
fn check_said(messages: &[&str], expected: &str) {
    let (said, ..) = last_of(&texts(messages));
    assert!(said.contains(expected), "{messages:?}: `{expected}` is not in\n{said}");
}

#[track_caller]
fn check_understood(messages: &[&str], decision: DecisionKind, scenario: Option<&str>) {
    let (said, understood, _) = last_of(&texts(messages));
    assert_eq!(understood.decision, decision, "{messages:?}: {said}");
    if let Some(scenario) = scenario {
        assert_eq!(
            understood.scenarios.first().map(String::as_str),
            Some(scenario),
            "{messages:?}: {said}"
        );
    }
}

#[test]
fn an_option_is_chosen_by_digit_ordinal_or_name() {
    let (_, understood, _) = last_of(&texts(&["群里发不了消息"]));
    assert_eq!(understood.decision, DecisionKind::AskBack);
    let (first, last) = (understood.scenarios[0].clone(), understood.scenarios[1].clone());
    for reply in ["1", "１", "第一个", "选1", "一"] {
        check_understood(&["群里发不了消息", reply], DecisionKind::Answer, Some(&first));
    }
    for reply in ["2", "第二个", "最后一个"] {
        check_understood(&["群里发不了消息", reply], DecisionKind::Answer, Some(&last));
    }
}

#[test]
fn a_choice_can_be_made_in_other_words() {
    check_understood(
        &["群里发不了消息", "被投诉了"],
        DecisionKind::Answer,
        Some("group-message-complaint"),
    );
    check_understood(
        &["加不了人", "提示频繁"],
        DecisionKind::Answer,
        Some("friend-add-throttled"),
    );
}

#[test]
fn what_is_added_narrows_the_choice() {
    check_understood(
        &["被封了", "企业微信", "给客户发广告"],
        DecisionKind::Answer,
        Some("harassing-content"),
    );
    check_understood(
        &["被封了", "个人微信，封七天"],
        DecisionKind::Answer,
        Some("wechat-temp-ban"),
    );
}

#[test]
fn a_question_that_is_part_of_a_welcome_option_is_still_asked_back_about() {
    let (_, understood, _) = last_of(&[Event::Entered, Event::Text("加不了人".to_owned())]);
    assert_eq!(understood.decision, DecisionKind::AskBack);
}

#[test]
fn an_option_that_does_not_exist_is_asked_for_again_and_then_given_up() {
    check_said(&["群里发不了消息", "9"], "没对上选项");
    check_said(&["群里发不了消息", "都不是"], "都不是");
    let (_, _, session) = last_of(&texts(&["群里发不了消息", "9", "9"]));
    assert_eq!(session.state, State::Start);
}

#[test]
fn a_slot_value_changes_the_answer() {
    check_said(&["给客户发骚扰信息被封了", "第二次了"], "第二次");
    check_understood(
        &["给客户发骚扰信息被封了", "2"],
        DecisionKind::Answer,
        Some("harassing-content"),
    );
    let (said, ..) = last_of(&texts(&["加好友太频繁被限了", "已经三天了"]));
    assert!(!said.contains("【1】"), "the slot is asked for again: {said}");
}

#[test]
fn short_questions_refer_to_the_answer_at_hand() {
    let opening = "被投诉了群里发不了消息";
    check_said(&[opening, "多久"], "12月1日（周二）");
    check_said(&[opening, "谁能申诉"], "谁能处理：");
    check_said(&[opening, "要什么材料"], "截图");
    check_said(&["给客户发骚扰信息被封了", "第二次了", "能提前解吗"], "谁能处理：");
    check_said(&["申诉被驳回了", "还能再申诉吗"], "申诉：");
    check_understood(
        &[opening, "多久"],
        DecisionKind::Answer,
        Some("group-message-complaint"),
    );
}

#[test]
fn without_an_answer_at_hand_a_short_question_is_asked_back_about() {
    check_understood(&["多久"], DecisionKind::AskBack, None);
}

#[test]
fn another_subject_is_refused_wherever_the_conversation_stands() {
    let weather = "今天天气怎么样";
    check_said(&[weather], "帮不上");
    check_said(&["群里发不了消息", weather], "帮不上");
    check_said(&["加好友太频繁被限了", weather], "帮不上");
    let (said, ..) = last_of(&[Event::Entered, Event::Text(weather.to_owned())]);
    assert!(said.contains("帮不上"), "{said}");
}

#[test]
fn a_refusal_does_not_end_the_conversation() {
    check_said(&["被投诉了群里发不了消息", "今天天气怎么样", "多久"], "12月1日");
}

#[test]
fn a_new_question_changes_the_subject() {
    check_understood(
        &["加好友太频繁被限了", "群二维码过了200人扫不进去"],
        DecisionKind::Answer,
        Some("group-qr-limit"),
    );
    check_understood(
        &["进不了群", "我微信被永久封号了"],
        DecisionKind::Answer,
        Some("wechat-permanent-ban"),
    );
}

#[test]
fn a_person_who_wants_a_person_is_handed_over() {
    check_understood(&["转人工"], DecisionKind::Human, None);
    check_said(&["转人工"], "[handed over]");
    check_understood(&["进不了群", "转人工"], DecisionKind::Human, None);
}

#[test]
fn paid_unblocking_is_warned_against() {
    check_said(&["有没有代解封的，多少钱"], "别找代解封");
    check_said(&["微信被永久封号了", "花钱能解吗"], "别找代解封");
}

#[test]
fn thanks_are_answered_and_change_nothing() {
    check_understood(&["被投诉了群里发不了消息", "谢谢"], DecisionKind::Smalltalk, None);
    check_said(&["被投诉了群里发不了消息", "谢谢", "多久"], "12月1日");
}

#[test]
fn entering_greets_once() {
    let (welcome, _, session) = last_of(&[Event::Entered]);
    assert!(welcome.contains("【6】"), "{welcome}");
    assert!(matches!(session.state, State::Choosing { .. }));
    let (again, ..) = last_of(&[Event::Entered, Event::Entered]);
    assert_eq!(again, "");
}

#[test]
fn a_welcome_option_is_answered() {
    let events = [Event::Entered, Event::Text("1".to_owned())];
    let (_, understood, _) = last_of(&events);
    assert_eq!(understood.scenarios, ["group-qr-limit"]);
}

#[test]
fn english_is_answered_in_english_and_so_is_what_follows() {
    let (said, understood, _) = last_of(&texts(&["my personal wechat is permanently banned", "how long"]));
    assert_eq!(understood.language, Language::English);
    assert!(said.is_ascii() || !said.contains("多久"), "{said}");
    let (said, ..) = last_of(&texts(&["cannot join group", "1"]));
    assert!(said.contains("What happened"), "{said}");
}

#[test]
fn traditional_characters_are_answered_in_traditional_characters_and_so_is_what_follows() {
    check_said(&["微信帳號被永久封號了怎麼辦"], "怎麼回事");
    check_said(&["進不了群"], "回覆數字就行");
    check_said(&["進不了群", "1"], "現在這樣做");
    check_said(&["微信帳號被永久封號了怎麼辦", "多久"], "沒有到期日");
    check_said(&["進不了群", "1", "谢谢，我换个号再问：加好友太频繁被限了"], "怎么回事");
}

#[test]
fn pinyin_is_answered_in_chinese() {
    check_said(&["jia haoyou tai pinfan le"], "怎么回事");
}

#[test]
fn empty_and_hostile_messages_are_answered_within_the_limit() {
    for text in [
        "",
        " ",
        "\u{0}",
        "?",
        "]]>",
        &"封".repeat(5000),
        "<script>",
        "\u{202e}号被封了",
        "1".repeat(400).as_str(),
    ] {
        let (said, ..) = last_of(&texts(&[text]));
        assert!(!said.is_empty() && said.len() <= LONGEST_TEXT, "{text}: {said}");
    }
}

fn tapped(id: &str, label: &str) -> Event {
    Event::Tapped {
        id: id.to_owned(),
        label: label.to_owned(),
    }
}

#[test]
fn a_tapped_option_is_the_one_that_was_offered() {
    let (_, understood, session) = last_of(&[Event::Text("被封了".to_owned()), tapped("cheat-tools", "外挂")]);
    assert_eq!(understood.scenarios, ["cheat-tools"]);
    let State::Answered(at_hand) = session.state else {
        panic!("{session:?}")
    };
    assert_eq!(at_hand.scenario, "cheat-tools");
}

#[test]
fn a_tapped_value_of_a_slot_is_known_from_then_on() {
    let (_, _, session) = last_of(&texts(&["群里发不了消息，被投诉了"]));
    let State::Answered(AtHand {
        open: Open::Slot { slot, .. },
        scenario,
        ..
    }) = &session.state
    else {
        panic!("{session:?}")
    };
    let value = &ASSISTANT.scenario(scenario).unwrap().slot(slot).unwrap().values[0];
    let events = [
        Event::Text("群里发不了消息，被投诉了".to_owned()),
        tapped(&value.id, &value.label.zh),
    ];
    let (_, _, session) = last_of(&events);
    let State::Answered(at_hand) = session.state else {
        panic!("{session:?}")
    };
    assert_eq!(at_hand.slots.get(slot), Some(&value.id));
}

#[test]
fn an_option_of_an_old_menu_still_leads_to_its_scenario() {
    let events = [
        Event::Text("加不了好友了，提示操作频繁".to_owned()),
        tapped("pull-group-full", "群满了"),
    ];
    let (said, understood, _) = last_of(&events);
    assert_eq!(understood.scenarios, ["pull-group-full"], "{said}");
}

#[test]
fn an_option_that_nobody_knows_any_more_counts_as_its_words() {
    let (_, understood, _) = last_of(&[tapped("gone-since-then", "扫码进群失败")]);
    assert_eq!(understood.scenarios.first().map(String::as_str), Some("group-qr-limit"));
}

#[test]
fn the_commonest_situations_are_shown_whenever_they_are_asked_for() {
    let events = [Event::Text("封号了".to_owned()), Event::CommonSituations];
    let (said, _, session) = last_of(&events);
    assert!(said.contains("常见情况"), "{said}");
    assert!(matches!(session.state, State::Choosing { options, .. } if options.len() == 6));
}

#[test]
fn a_reminder_says_which_business_day_it_is() {
    let appeal = Appeal {
        scenario: "wechat-temp-ban".to_owned(),
        submitted: jiff::civil::date(2026, 11, 18),
        language: Language::Chinese,
    };
    let at = "2026-11-23T10:00:00+08:00".parse().unwrap();
    let text = ASSISTANT.reminder_text(&appeal, at);
    assert!(text.contains("申诉提醒") && text.contains("第 3 个工作日"), "{text}");
    let english = Appeal {
        language: Language::English,
        ..appeal
    };
    assert!(ASSISTANT.reminder_text(&english, at).contains("business day 3"));
}

#[test]
fn a_hand_over_tells_what_is_known_in_the_characters_of_the_question() {
    let (_, _, session) = last_of(&texts(&["加不了好友了，提示操作頻繁，怎麼辦"]));
    let text = ASSISTANT.hand_over_text(&session, &Reach::OnDuty, now());
    assert!(text.contains("情況：") && text.contains("操作頻繁"), "{text}");
    let (_, _, chosen) = last_of(&[Event::Entered, Event::Text("1".to_owned())]);
    let text = ASSISTANT.hand_over_text(&chosen, &Reach::OnDuty, now());
    assert!(text.contains("情况：") && !text.contains("原话"), "{text}");
    let text = ASSISTANT.hand_over_text(&Session::default(), &Reach::OnDuty, now());
    assert!(text.lines().count() == 1, "{text}");
}
