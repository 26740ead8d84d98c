//! Messages of a few people, with the shipped knowledge.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::changes_answer;
use super::clusters::{Cluster, clusters};
use super::failures::{Failed, Failure, failures};
use crate::dialogue::tests::ASSISTANT;
use crate::store::{FileChange, FoundQuestion, QuestionId, QuestionRecord, UselessAnswer};

const FULL: &str = "pull-group-full";

fn at(minute: i64) -> Timestamp {
    let start: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
    start + SignedDuration::from_mins(minute)
}

fn id(minute: i64, number: u32) -> QuestionId {
    format!("{:010x}{number:032x}", at(minute).as_second()).parse().unwrap()
}

/// What these people have said: who, in which minute, what was decided, what was written, and which scenario was answered.
fn messages(said: &[(&str, i64, &str, &str)]) -> Vec<FoundQuestion> {
    let message = |(number, (person, minute, decision, text)): (u32, &(&str, i64, &str, &str))| FoundQuestion {
        id: id(*minute, number),
        app: "support".to_owned(),
        person: (*person).to_owned(),
        record: QuestionRecord {
            asked_at: at(*minute) + SignedDuration::from_millis(number.into()),
            text: (*text).to_owned(),
            language: "zh".to_owned(),
            decision: (*decision).to_owned(),
            scenarios: vec![FULL.to_owned()],
            confidence: 0.5,
            knowledge_version: "v".to_owned(),
            micros: 50,
        },
    };
    (0..).zip(said).map(message).collect()
}

fn found(said: &[(&str, i64, &str, &str)], useless: Vec<UselessAnswer>) -> Vec<(Failure, String)> {
    let failed = failures(&ASSISTANT, messages(said), useless, at(100));
    failed.into_iter().map(|one| (one.failure, one.text)).collect()
}

fn one(failure: Failure, text: &str) -> Vec<(Failure, String)> {
    vec![(failure, text.to_owned())]
}

#[test]
fn what_was_refused_has_failed_but_a_reply_to_a_choice_is_no_question() {
    let said = [
        ("li", 0, "refuse", "打印机连不上，我的工号 13800138000"),
        ("li", 1, "refuse", "都不是"),
        ("li", 2, "refuse", "？？"),
        ("li", 3, "smalltalk", "你好"),
        ("li", 4, "human", "转人工"),
        ("li", 5, "of a later version", "什么"),
    ];
    assert_eq!(
        found(&said, Vec::new()),
        one(Failure::Refused, "打印机连不上，我的工号")
    );
}

#[test]
fn what_was_asked_back_has_failed_once_the_conversation_is_over_without_an_answer() {
    let asked = ("li", 0, "ask_back", "进不了群");
    let failed = one(Failure::AskedBack, "进不了群");
    assert_eq!(found(&[asked], Vec::new()), failed);
    assert_eq!(found(&[asked, ("li", 1, "refuse", "说不清楚")], Vec::new()), failed);
    assert_eq!(found(&[asked, ("li", 1, "human", "转人工")], Vec::new()), failed);
    assert_eq!(found(&[asked, ("li", 60, "answer", "群满了")], Vec::new()), failed);
    assert_eq!(found(&[asked, ("wang", 1, "answer", "群满了")], Vec::new()), failed);
    let chosen = [asked, ("li", 1, "ask_back", "群里的"), ("li", 2, "answer", "2")];
    assert_eq!(found(&chosen, Vec::new()), []);
    let just_now = ("li", 80, "ask_back", "进不了群");
    assert_eq!(found(&[just_now], Vec::new()), [], "somebody may still be choosing");
}

#[test]
fn a_verdict_is_about_the_question_that_the_scenario_was_answered_to() {
    let said = [
        ("li", 0, "answer", "群满了拉不进人"),
        ("li", 1, "answer", "多久"),
        ("wang", 1, "answer", "群满了"),
        ("li", 2, "smalltalk", "没用"),
    ];
    let useless = |scenario: &str| {
        vec![UselessAnswer {
            said_in: id(2, 3).name(),
            scenario: scenario.to_owned(),
        }]
    };
    assert_eq!(found(&said, useless(FULL)), one(Failure::Useless, "群满了拉不进人"));
    assert_eq!(found(&said, useless("corp-banned")), []);
}

#[test]
fn what_is_written_within_a_second_counts_in_its_order() {
    let mut messages = messages(&[("li", 0, "ask_back", "进不了群"), ("li", 0, "answer", "2")]);
    messages.reverse();
    assert_eq!(failures(&ASSISTANT, messages, Vec::new(), at(100)), []);
}

fn failed(person: &str, minute: i64, failure: Failure, text: &str) -> Failed {
    Failed {
        text: text.to_owned(),
        person: person.to_owned(),
        id: id(minute, 0),
        failure,
        scenario: FULL.to_owned(),
    }
}

fn clustered(failed: Vec<Failed>) -> Vec<Cluster> {
    clusters(&ASSISTANT, failed, &BTreeMap::new())
}

#[test]
fn what_means_the_same_is_one_cluster_with_its_figures() {
    let found = clustered(vec![
        failed("li", 0, Failure::Refused, "公司打印机连不上"),
        failed("li", 9, Failure::Refused, "公司打印机连不上"),
        failed("wang", 4, Failure::AskedBack, "打印机连不上怎么弄"),
        failed("zhang", 5, Failure::Refused, "食堂的菜太咸"),
    ]);
    let figures: Vec<_> = found
        .iter()
        .map(|one| (one.questions(), one.texts.len(), one.people))
        .collect();
    assert_eq!(figures, [(3, 2, 2), (1, 1, 1)]);
    assert_eq!((found[0].counts, found[0].newest), ([2, 1, 0], Some(id(9, 0))));
    assert!(found[0].has(id(0, 0)) && !found[0].has(id(5, 0)));
    assert!(found[0].nearest.is_some());
}

#[test]
fn what_the_knowledge_answers_or_knows_by_now_is_left_out() {
    let refused = |text| failed("li", 0, Failure::Refused, text);
    assert_eq!(
        clustered(vec![refused("群满了"), refused("今天天气怎么样"), refused("谢谢")]),
        []
    );
}

#[test]
fn a_verdict_counts_until_another_scenario_answers_or_the_answer_is_written_anew() {
    let useless = failed("li", 0, Failure::Useless, "群满了拉不进人");
    assert_eq!(clustered(vec![useless.clone()])[0].counts, [0, 0, 1]);
    let of_another = Failed {
        scenario: "corp-banned".to_owned(),
        ..useless.clone()
    };
    assert_eq!(clustered(vec![of_another]), []);
    let rewritten = BTreeMap::from([(FULL.to_owned(), at(1))]);
    assert_eq!(clusters(&ASSISTANT, vec![useless], &rewritten), []);
}

#[test]
fn example_questions_are_no_part_of_the_answer() {
    let change = |before: &str, after: &str| FileChange {
        path: "scenarios/a.toml".to_owned(),
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
    };
    let file = "[zh]\nwhat = \"a\"\n\n[examples]\nutterances = []\n";
    assert!(!changes_answer(&change(file, &file.replace("[]", "[\"b\"]"))));
    assert!(changes_answer(&change(file, &file.replace("\"a\"", "\"b\""))));
    assert!(changes_answer(&change("no = toml =", file)));
}
