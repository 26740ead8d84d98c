//! The commands and their contracts.

use serde_json::Value;

use crate::program::{KnowledgeCopy, Ran, run, run_with_input};

fn ask(question: &str) -> Value {
    let ran = run(&["ask", question, "--json", "--now", "2026-11-22T10:00:00+08:00"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn ask_prints_the_contract_as_json() {
    let answer = ask("加好友太频繁，加不了人了");
    assert_eq!(answer["question"], "加好友太频繁，加不了人了");
    assert_eq!(answer["decision"], "answer");
    assert_eq!(answer["scenarios"][0], "friend-add-throttled");
    assert!(answer["confidence"].as_f64().unwrap() > 0.5);
    assert!(answer["reply"].as_str().unwrap().contains("24 小时"));
    assert!(answer["options"].is_array());
}

#[test]
fn an_appeal_answer_names_the_two_dates() {
    let answer = ask("被投诉了群里发不了消息");
    assert_eq!(answer["scenarios"][0], "group-message-complaint");
    let reply = answer["reply"].as_str().unwrap();
    assert!(
        reply
            .contains("若今天（11月22日 周日）提交，预计 11月25日（周三）至 12月1日（周二）有处理结果，以官方通知为准"),
        "{reply}"
    );
}

#[test]
fn an_answer_without_appeal_names_no_business_days() {
    let reply = ask("加好友太频繁，加不了人了")["reply"].as_str().unwrap().to_owned();
    assert!(!reply.contains("工作日"), "{reply}");
}

#[test]
fn outside_the_years_on_file_the_rule_stands_without_dates() {
    let ran = run(&["ask", "被投诉了群里发不了消息", "--now", "2026-12-23T10:00:00+08:00"]);
    assert!(ran.out.contains("3–7 个工作日"), "{}", ran.out);
    assert!(ran.out.contains("2027 年的节假日安排还没录入"), "{}", ran.out);
    assert!(!ran.out.contains("12月28日"), "{}", ran.out);
}

#[test]
fn the_day_changes_at_midnight_in_china() {
    let reply = |now: &str| run(&["ask", "被投诉了群里发不了消息", "--now", now]).out;
    assert!(reply("2026-11-22T15:59:59Z").contains("若今天（11月22日 周日）提交"));
    assert!(reply("2026-11-22T16:00:00Z").contains("若今天（11月23日 周一）提交"));
}

#[test]
fn an_english_question_is_answered_in_english() {
    let reply = ask("my personal wechat is permanently banned")["reply"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(reply.contains("Who can act"), "{reply}");
    assert!(!reply.contains("谁能处理"), "{reply}");
}

#[test]
fn chat_understands_choices_and_follow_ups() {
    let ran = run_with_input(
        &["chat", "--now", "2026-11-22T10:00:00+08:00"],
        "被投诉了群里发不了消息\n多久\n要什么材料\n谢谢\n",
    );
    assert_eq!(ran.status, 0, "{}", ran.err);
    let turns: Vec<&str> = ran.out.split("\n> ").collect();
    assert!(turns[2].starts_with("多久\n多久："), "{}", turns[2]);
    assert!(turns[2].contains("12月1日（周二）"), "{}", turns[2]);
    assert!(turns[3].contains("截图"), "{}", turns[3]);
    assert!(!turns[4].contains("【"), "{}", turns[4]);
}

#[test]
fn evaluate_ends_with_a_summary_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rows.tsv");
    std::fs::write(
        &file,
        "question\tlabel\n加好友太频繁，加不了人了\tfriend-add-throttled\n今天天气怎么样\tnone\n转人工\thuman\n",
    )
    .unwrap();
    let ran = run(&["evaluate", file.to_str().unwrap(), "--format", "jsonl"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["decision"], "answer");
    let summary = &lines[3]["summary"];
    assert_eq!(summary["rows"], 3);
    assert_eq!(summary["right"], 3);
    assert_eq!(summary["by_label_kind"]["none"]["rows"], 1);
}

#[test]
fn evaluate_names_the_line_of_an_unknown_label() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rows.tsv");
    std::fs::write(&file, "question\tlabel\n你好\tsmalltalk\n加好友\tno-such-scenario\n").unwrap();
    let ran = run(&["evaluate", file.to_str().unwrap()]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.err.contains("rows.tsv:3: `no-such-scenario` is neither"),
        "{}",
        ran.err
    );
}

/// A file of rows to measure.
struct Rows {
    directory: tempfile::TempDir,
}

impl Rows {
    fn new(rows: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("rows.tsv"), rows).unwrap();
        Self { directory }
    }

    fn evaluate(&self, arguments: &[&str]) -> Ran {
        let file = self.directory.path().join("rows.tsv");
        let command = ["evaluate", file.to_str().unwrap()];
        run(&[command.as_slice(), arguments].concat())
    }
}

fn json_lines(ran: &Ran) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap();
    ran.out.lines().map(parse).collect()
}

/// Two rows that come out right, and one answered though its label says that it is outside the subject.
const ROWS: &str = "question\tlabel\tstyle\n加好友太频繁，加不了人了\tfriend-add-throttled\tterse\n\
                    群满了拉不进人\tnone\tterse\n今天天气怎么样\tnone\tother\n";

#[test]
fn evaluate_explains_the_worst_rows() {
    let rows = Rows::new(ROWS);
    let ran = rows.evaluate(&["--worst", "5"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    for expected in [
        "  1. 群满了拉不进人\n     is none, got answer pull-group-full",
        "nearest: ",
        "confused (label → what came out)\n     1  none → pull-group-full",
    ] {
        assert!(ran.out.contains(expected), "{expected} is missing in\n{}", ran.out);
    }
    let lines = json_lines(&rows.evaluate(&["--worst", "5", "--format", "jsonl"]));
    assert_eq!(lines[1]["worst"], 1);
    let reasons = &lines[1]["evidence"]["reasons"][0];
    assert_eq!(reasons["candidate"]["id"], "pull-group-full");
    assert!(reasons["nearest_utterance"].is_string() && reasons["pieces"][0]["weight"].is_number());
    assert!(lines[0].get("evidence").is_none());
    let confusion = &lines[3]["summary"]["confusions"][0];
    assert_eq!((&confusion["label"], &confusion["rows"]), (&"none".into(), &1.into()));
}

#[test]
fn evaluate_fails_when_a_demand_is_not_met() {
    let rows = Rows::new(ROWS);
    assert_eq!(rows.evaluate(&["--at-least", "60", "--at-most-wrong", "40"]).status, 0);
    for (demand, expected) in [
        (
            ["--at-least", "70"],
            "66.7 % of the rows are right, at least 70 % must be",
        ),
        (
            ["--at-least", "none=60"],
            "50.0 % of the `none` rows are right, at least 60 % must be",
        ),
        (["--at-least", "human=60"], "there are no `human` rows"),
        (
            ["--at-most-wrong", "30"],
            "33.3 % of the rows got a wrong answer, at most 30 % may",
        ),
    ] {
        let ran = rows.evaluate(&demand);
        assert_eq!(ran.status, 1, "{demand:?}");
        assert!(ran.err.contains(expected), "{}", ran.err);
    }
    assert_eq!(rows.evaluate(&["--at-least", "nothing=60"]).status, 2);
    assert_eq!(Rows::new("question\tlabel\n").evaluate(&[]).status, 2);
}

#[test]
fn evaluate_says_what_another_knowledge_made_of_the_rows() {
    let old = KnowledgeCopy::new();
    let utterances = "utterances = [\n";
    let strange = "utterances = [\n  \"紫薯香蕉跳水\",\n  \"紫薯西瓜跳高\",\n";
    old.replace("scenarios/cheat-tools.toml", utterances, strange);
    old.replace("scenarios/pull-group-full.toml", "title = \"", "title = \"旧：");
    let rows = Rows::new(
        "question\tlabel\n紫薯香蕉跳水\tnone\n紫薯西瓜跳高\tcheat-tools\n群满了\tpull-group-full\n你好\tsmalltalk\n",
    );
    let compare = ["--compare", old.argument()];
    let lines = json_lines(&rows.evaluate(&[compare.as_slice(), &["--format", "jsonl"]].concat()));
    let changes: Vec<&str> = lines.iter().filter_map(|line| line["change"].as_str()).collect();
    assert_eq!(changes, ["gained", "lost", "reworded", "same"]);
    assert_eq!(lines[0]["old"]["scenarios"][0], "cheat-tools");
    assert_eq!(lines[0]["old"]["right"], false);
    let summary = &lines[4]["summary"];
    assert_eq!((&summary["right"], &summary["compare"]["lost"]), (&3.into(), &1.into()));
    assert_eq!(summary["compare"]["old"]["right"], 3);

    let ran = rows.evaluate(&[compare.as_slice(), &["--at-most-lost", "0"]].concat());
    assert_eq!(ran.status, 1);
    assert!(
        ran.err
            .contains("rows lost against the other knowledge: 1, at most 0 may be"),
        "{}",
        ran.err
    );
    for expected in [
        "lost: right before, not any more (1)\n  紫薯西瓜跳高\n      is cheat-tools: answer cheat-tools (0.99) → ",
        "1 gained, 1 lost, 0 changed, 1 reworded, 1 the same",
    ] {
        assert!(ran.out.contains(expected), "{expected} is missing in\n{}", ran.out);
    }
    let ran = rows.evaluate(&["--compare", "/nowhere/at/all"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("/nowhere/at/all"), "{}", ran.err);
}

#[test]
fn utterances_are_measured_by_matchers_that_have_not_seen_them() {
    let faq = ImportedFaq::of("faq.tsv", SMALL_FAQ);
    let lines = json_lines(&faq.evaluate(&["--folds", "3", "--format", "jsonl"]));
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(summary["scenario_rows"], 9);
    assert_eq!(summary["by_label_kind"]["scenario"]["rows"], 9);
    assert_eq!(summary["rows"].as_u64().unwrap() as usize, lines.len() - 1);
    assert!(
        summary["auroc"].is_number() && summary["calibration"].is_array(),
        "{summary}"
    );
    assert!(lines.iter().any(|line| line["label"] == "open/account"));
    let ran = faq.evaluate(&["--folds", "3"]);
    assert!(ran.out.contains("has not seen it (3 folds)"), "{}", ran.out);
    let ran = faq.evaluate(&["--folds", "100000"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("--folds 100000 is more than the "), "{}", ran.err);
    assert_eq!(faq.evaluate(&[]).status, 2);
}

#[test]
fn every_utterance_can_be_left_out_by_itself() {
    let faq = ImportedFaq::of("faq.tsv", SMALL_FAQ);
    let write = |file: &str, text: &str| std::fs::write(format!("{}/{file}", faq.knowledge), text).unwrap();
    write(
        "smalltalk.toml",
        "[[intents]]\nid = \"human\"\nkind = \"human\"\nreply = { zh = \"好\", en = \"OK\" }\nutterances = [\"转人工\"]\n",
    );
    write(
        "outside.toml",
        "[[topics]]\nid = \"nonsense\"\nabout = \"Nothing\"\nutterances = [\"asdf\"]\n",
    );
    let ran = faq.evaluate(&["--leave-one-out", "--worst", "1"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(
        ran.out
            .contains("11 utterances, each judged by a matcher that has not seen it (11 folds)"),
        "{}",
        ran.out
    );
}

/// What the check says about a knowledge directory that a test has broken: its problems, without the directory.
fn problems_of(knowledge: &KnowledgeCopy) -> Vec<String> {
    let ran = run(&["knowledge", "check", "--knowledge", knowledge.argument()]);
    assert_eq!((ran.status, ran.err.as_str()), (1, ""), "{}", ran.out);
    let mut lines: Vec<&str> = ran.out.lines().collect();
    let count = lines.pop().unwrap();
    assert_eq!(count, format!("{} problem(s)", lines.len()));
    let directory = format!("{}/", knowledge.argument());
    let problem = |line: &&str| line.strip_prefix(&directory).unwrap().to_owned();
    lines.iter().map(problem).collect()
}

/// Every expected problem must be there; the expected ones are beginnings.
#[track_caller]
fn assert_reported(problems: &[String], expected: &[String]) {
    for expected in expected {
        let is_there = problems.iter().any(|problem| problem.starts_with(expected));
        assert!(is_there, "{expected} is missing in\n{}", problems.join("\n"));
    }
}

/// No other problem may be there than the expected ones, but for utterances that are said to be judged without knowing everything.
#[track_caller]
fn assert_only_reported(problems: &[String], expected: &[String]) {
    assert_reported(problems, expected);
    let certain = problems
        .iter()
        .filter(|problem| !problem.contains("(seen without what could not be read;"));
    assert_eq!(certain.count(), expected.len(), "{}", problems.join("\n"));
}

/// `file:line` of the first line that contains a text.
fn place(knowledge: &KnowledgeCopy, file: &str, text: &str) -> String {
    let content = std::fs::read_to_string(knowledge.path().join(file)).unwrap();
    let line = content.lines().position(|line| line.contains(text)).unwrap() + 1;
    format!("{file}:{line}")
}

/// So many Chinese characters.
fn long(characters: usize) -> String {
    "长".repeat(characters)
}

#[test]
fn the_knowledge_has_no_problems() {
    let ran = run(&["knowledge", "check"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("35 scenarios, no problems"), "{}", ran.out);
}

#[test]
fn check_reports_all_problems_with_file_and_line() {
    let knowledge = KnowledgeCopy::new();
    knowledge.replace("scenarios/cheat-tools.toml", "account = ", "acount = ");
    knowledge.replace(
        "scenarios/pull-group-full.toml",
        "id = \"pull-group-full\"",
        "id = \"group-qr-limit\"",
    );
    knowledge.replace("texts.toml", "{today}", "{tody}");
    let dates = place(&knowledge, "texts.toml", "{tody}");
    // Others name both scenarios; they are not to blame.
    assert_only_reported(
        &problems_of(&knowledge),
        &[
            "scenarios/cheat-tools.toml:1: account: is missing".to_owned(),
            "scenarios/cheat-tools.toml:2: acount: unknown key".to_owned(),
            "scenarios/pull-group-full.toml:1: id: is `group-qr-limit`, so the file must be called group-qr-limit.toml"
                .to_owned(),
            "scenarios/pull-group-full.toml:1: id: `group-qr-limit` is already the id of scenarios/group-qr-limit.toml"
                .to_owned(),
            format!("{dates}: appeal-dates.zh: must contain {{today}}"),
            format!("{dates}: appeal-dates.zh: has {{tody}}, which is not filled in here"),
        ],
    );
}

#[test]
fn no_stage_of_the_check_hides_another() {
    let knowledge = KnowledgeCopy::new();
    knowledge.append("scenarios/cheat-tools.toml", "\n[unknown]\n");
    let exceptions = format!("exceptions = \"{}", long(700));
    knowledge.replace("scenarios/appeal-progress.toml", "exceptions = \"", &exceptions);
    add_misplaced(&knowledge);
    let problems = problems_of(&knowledge);
    let unknown = place(&knowledge, "scenarios/cheat-tools.toml", "[unknown]");
    let exceptions = place(&knowledge, "scenarios/appeal-progress.toml", &exceptions);
    assert_reported(
        &problems,
        &[
            format!("{unknown}: unknown: unknown key"),
            format!("{exceptions}: zh.exceptions: this part of the answer has 2"),
        ],
    );
    assert_misplaced_are_reported(&problems);
}

#[test]
fn a_scenario_that_cannot_be_read_is_still_known_to_others() {
    let knowledge = KnowledgeCopy::new();
    knowledge.replace("scenarios/cheat-tools.toml", "id = ", "id == ");
    for (file, from) in [
        ("scenarios/pull-group-full.toml", "appeal_possible = "),
        ("scenarios/wechat-temp-ban.toml", "[examples]"),
    ] {
        knowledge.replace(
            file,
            from,
            &format!("misspelt_{from}").replace("misspelt_[", "[misspelt_"),
        );
    }
    assert_only_reported(
        &problems_of(&knowledge),
        &[
            "scenarios/cheat-tools.toml:1: not valid TOML".to_owned(),
            "scenarios/pull-group-full.toml:1: appeal_possible: is missing".to_owned(),
            format!(
                "{}: misspelt_appeal_possible: unknown key",
                place(&knowledge, "scenarios/pull-group-full.toml", "misspelt_")
            ),
            "scenarios/wechat-temp-ban.toml:1: examples: is missing".to_owned(),
            format!(
                "{}: misspelt_examples: unknown key",
                place(&knowledge, "scenarios/wechat-temp-ban.toml", "misspelt_")
            ),
        ],
    );
}

#[test]
fn what_is_missing_in_a_table_does_not_make_the_rest_of_it_unknown() {
    let knowledge = KnowledgeCopy::new();
    knowledge.replace("texts.toml", "what = { zh = \"怎么回事：\", ", "what = { ");
    knowledge.replace("smalltalk.toml", "kind = \"human\"", "kind = \"person\"");
    knowledge.replace("conversation.toml", "[sayings]", "[saying]");
    let at = |file: &str, text: &str| place(&knowledge, file, text);
    assert_only_reported(
        &problems_of(&knowledge),
        &[
            format!("{}: headings.what.zh: is missing", at("texts.toml", "what = { en")),
            format!("{}: intents[", at("smalltalk.toml", "\"person\"")),
            "conversation.toml:1: sayings: is missing".to_owned(),
            format!("{}: saying: unknown key", at("conversation.toml", "[saying]")),
        ],
    );
}

#[test]
fn check_measures_whole_answers_and_each_part() {
    let knowledge = KnowledgeCopy::new();
    let lengthen = |file: &str, text: &str, characters: usize| {
        knowledge.replace(file, text, &format!("{text}{}", long(characters)));
        place(&knowledge, file, &long(characters))
    };
    // Each of these is long by itself; the last one only together with the rest of the answer.
    let again = lengthen("scenarios/cheat-tools.toml", "again = \"", 701);
    let value = lengthen("scenarios/group-qr-limit.toml", "[slots.values.zh]\nwhat = \"", 702);
    let question = lengthen("scenarios/pull-group-full.toml", "question = { zh = \"", 703);
    lengthen("scenarios/wechat-temp-ban.toml", "label = { zh = \"", 704);
    let labels = place(&knowledge, "scenarios/wechat-temp-ban.toml", "question = ");
    let exceptions = lengthen("scenarios/appeal-progress.toml", "exceptions = \"", 500);
    let english = "w".repeat(1500);
    knowledge.replace(
        "scenarios/wechat-login-restricted.toml",
        "[en]\n",
        &format!("[en]\nladder = \"{english}\"\n"),
    );
    knowledge.replace(
        "scenarios/wechat-login-restricted.toml",
        "[zh]\n",
        "[zh]\nladder = \"无\"\n",
    );
    let ladder = place(&knowledge, "scenarios/wechat-login-restricted.toml", &english);
    assert_only_reported(
        &problems_of(&knowledge),
        &[
            format!("{again}: zh.again: this part of the answer has 2"),
            format!("{value}: slots[1].values[1].zh.what: this part of the answer has 2"),
            format!("{question}: slots[1].question.zh: the question with its values has 2"),
            format!("{labels}: slots[1].question.zh: the question with its values has 2"),
            format!("{exceptions}: zh.exceptions: the answer"),
            format!("{ladder}: en.ladder: the answer"),
        ],
    );
}

#[test]
fn check_measures_the_bots_own_sentences_with_their_options() {
    let knowledge = KnowledgeCopy::new();
    let lengthen = |table: &str, characters: usize| {
        let from = format!("[{table}]\nzh = \"");
        knowledge.replace("texts.toml", &from, &format!("{from}{}", long(characters)));
        let place = place(&knowledge, "texts.toml", &format!("[{table}]"));
        let line: usize = place.rsplit(':').next().unwrap().parse().unwrap();
        format!("texts.toml:{}", line + 1)
    };
    // The welcome and what asks back fit by themselves, but not with the options that follow.
    let image = lengthen("got-image", 701);
    let welcome = lengthen("welcome", 560);
    let which = lengthen("which-of-these", 600);
    let no_dates = lengthen("appeal-no-dates", 702);
    let track = lengthen("ask-to-track", 550);
    let kit = lengthen("kit-blank", 703);
    let thanks = "reply = { zh = \"不客气。";
    knowledge.replace("smalltalk.toml", thanks, &format!("{thanks}{}", long(700)));
    assert_only_reported(
        &problems_of(&knowledge),
        &[
            format!("{image}: got-image.zh: the text has 2"),
            format!("{welcome}: welcome.zh: the text with its options has 2"),
            format!("{which}: which-of-these.zh: the text with its options has 2"),
            format!("{no_dates}: appeal-no-dates.zh: the text has 2"),
            format!("{track}: ask-to-track.zh: the text with the state of the appeal has 2"),
            format!("{kit}: kit-blank.zh: the text has 2"),
            format!(
                "{}: intents[2].reply.zh: the reply has 2",
                place(&knowledge, "smalltalk.toml", thanks)
            ),
        ],
    );
}

#[test]
fn check_measures_answers_with_the_line_that_has_no_dates() {
    let knowledge = KnowledgeCopy::new();
    let from = "[appeal-no-dates]\nzh = \"";
    knowledge.replace("texts.toml", from, &format!("{from}{}", long(400)));
    let problems = problems_of(&knowledge);
    let is_reported = |file: &str| {
        problems
            .iter()
            .any(|problem| problem.starts_with(file) && problem.contains("the answer"))
    };
    assert!(
        is_reported("scenarios/group-message-complaint.toml:"),
        "{}",
        problems.join("\n")
    );
    assert!(
        !is_reported("scenarios/friend-add-throttled.toml:"),
        "{}",
        problems.join("\n")
    );
}

#[test]
fn check_measures_the_appeal_to_copy_and_the_offer_of_a_second_issue() {
    let knowledge = KnowledgeCopy::new();
    for (table, characters) in [("kit-text", 450), ("also-mentioned", 400)] {
        let from = format!("[{table}]\nzh = \"");
        knowledge.replace("texts.toml", &from, &format!("{from}{}", long(characters)));
    }
    let file = "scenarios/harassing-content.toml";
    let appeal = place(&knowledge, file, "appeal = ");
    let problems = problems_of(&knowledge);
    assert_reported(
        &problems,
        &[format!("{appeal}: zh.appeal: the appeal to copy, with who can act")],
    );
    let is_whole_answer = |problem: &&String| problem.starts_with(file) && problem.contains(": the answer");
    assert_eq!(
        problems.iter().filter(is_whole_answer).count(),
        1,
        "{}",
        problems.join("\n")
    );
}

#[test]
fn parts_that_do_not_fit_together_are_left_out_whole() {
    let knowledge = KnowledgeCopy::new();
    for part in ["again", "fails", "customers"] {
        let from = format!("\n{part} = \"");
        knowledge.replace("scenarios/cheat-tools.toml", &from, &format!("{from}{}", long(300)));
    }
    let ran = run_with_input(
        &["chat", "--knowledge", knowledge.argument()],
        "用了外挂软件，企业微信号被永久封了\n再犯会怎样，客户怎么办，不行怎么办\n",
    );
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    let reply = ran.out.split("再犯会怎样，").last().unwrap();
    for (heading, is_said) in [
        ("再犯会怎样：长", true),
        ("客户怎么办：长", true),
        ("不行怎么办：", false),
    ] {
        assert_eq!(reply.contains(heading), is_said, "{heading} in\n{reply}");
    }
}

#[test]
fn problems_between_files_have_lines() {
    let knowledge = KnowledgeCopy::new();
    knowledge.replace(
        "scenarios/cheat-tools.toml",
        "goes_to = \"wechat-temp-ban\"",
        "goes_to = \"nowhere\"",
    );
    knowledge.replace(
        "scenarios/friend-add-throttled.toml",
        "personal = \"wechat",
        "personal = \"no-wechat",
    );
    knowledge.replace("scenarios/pull-group-full.toml", "id = ", "# Moved down.\nid = ");
    knowledge.replace(
        "scenarios/pull-group-full.toml",
        "\"pull-group-full\"",
        "\"appeal-how\"",
    );
    let at = |file: &str, text: &str| place(&knowledge, file, text);
    assert_only_reported(
        &problems_of(&knowledge),
        &[
            format!(
                "{}: slots[1].values[3].goes_to: `nowhere` is not the id of another scenario",
                at("scenarios/cheat-tools.toml", "nowhere")
            ),
            format!(
                "{}: siblings.personal: `no-wechat-function-limited` is not the id",
                at("scenarios/friend-add-throttled.toml", "no-wechat")
            ),
            "scenarios/pull-group-full.toml:2: id: is `appeal-how`, so".to_owned(),
            "scenarios/pull-group-full.toml:2: id: `appeal-how` is already the id of scenarios/appeal-how.toml"
                .to_owned(),
        ],
    );
}

#[test]
fn check_finds_what_is_there_twice() {
    let knowledge = KnowledgeCopy::new();
    knowledge.replace(
        "scenarios/cheat-tools.toml",
        "id = \"used\"\nquestion",
        "id = \"banned\"\nquestion",
    );
    knowledge.replace("scenarios/cheat-tools.toml", "id = \"corp\"", "id = \"member\"");
    knowledge.replace(
        "scenarios/pull-group-full.toml",
        "\nsources",
        "\nrole = \"appeal-how\"\nsources",
    );
    let year = std::fs::read_to_string("knowledge/workdays/2026.toml").unwrap();
    knowledge.append("workdays/2031.toml", &year);
    let at = |file: &str, text: &str| place(&knowledge, file, text);
    let year = at("workdays/2031.toml", "year = ");
    let slots = std::fs::read_to_string(knowledge.path().join("scenarios/cheat-tools.toml")).unwrap();
    let second = |id: &str| {
        let mut lines = (1..)
            .zip(slots.lines())
            .filter(|(_, line)| *line == format!("id = \"{id}\""));
        lines.nth(1).unwrap().0
    };
    assert_only_reported(
        &problems_of(&knowledge),
        &[
            format!(
                "scenarios/cheat-tools.toml:{}: slots[2].id: `banned` is the id of another",
                second("banned")
            ),
            format!(
                "scenarios/cheat-tools.toml:{}: slots[1].values[2].id: `member` is the id of",
                second("member")
            ),
            format!(
                "{}: role: `appeal-how` is already the role of scenarios/appeal-how.toml",
                at("scenarios/pull-group-full.toml", "role = ")
            ),
            format!("{year}: year: is 2026, so the file must be called 2026.toml"),
            format!("{year}: year: 2026 is already the year of another file"),
        ],
    );
}

#[test]
fn no_file_is_left_out_unnoticed() {
    let knowledge = KnowledgeCopy::new();
    let write = |path: &str, bytes: &[u8]| std::fs::write(knowledge.path().join(path), bytes).unwrap();
    std::fs::rename(
        knowledge.path().join("ambiguous.toml"),
        knowledge.path().join("ambigous.toml"),
    )
    .unwrap();
    std::fs::create_dir(knowledge.path().join("scenarios/old")).unwrap();
    std::fs::create_dir(knowledge.path().join("scenario")).unwrap();
    write("scenarios/new.TOML", b"");
    write("workdays/2027.tom", b"");
    write("notes.txt", b"");
    write(
        "outside.toml",
        b"# ok\n# \xb7\xd1\n[[topics]]\nid = \"a\"\nabout = \"b\"\nutterances = [\"asdf\"]\n",
    );
    for fine in [
        ".hidden",
        ".texts.toml.swp",
        "texts.toml~",
        "scenarios/README.md",
        "eval/more.tsv",
        "scenarios/a.toml.bak",
    ] {
        write(fine, b"");
    }
    let unknown = [
        "ambigous.toml",
        "notes.txt",
        "scenario",
        "scenarios/new.TOML",
        "scenarios/old",
        "workdays/2027.tom",
    ];
    let mut expected: Vec<String> = unknown
        .iter()
        .map(|path| format!("{path}: is no file of the knowledge"))
        .collect();
    expected.push("ambiguous.toml: is missing".to_owned());
    expected.push("outside.toml:2: is not UTF-8 text; save it as UTF-8".to_owned());
    assert_only_reported(&problems_of(&knowledge), &expected);
}

#[test]
fn check_finds_titles_and_labels_too_wide_for_a_phone() {
    let knowledge = KnowledgeCopy::new();
    let file = "scenarios/cheat-tools.toml";
    knowledge.replace(file, "[zh]\ntitle = \"", &format!("[zh]\ntitle = \"{}", long(8)));
    knowledge.replace(file, "label = \"", "label = \"WeCom WeCom ");
    knowledge.replace(file, "[en]\ntitle = \"", "[en]\ntitle = \"WeCom accounts: ");
    let at = |text: &str| place(&knowledge, file, text);
    assert_only_reported(
        &problems_of(&knowledge),
        &[
            format!(
                "{}: zh.title: is as wide as 21 Chinese characters; at most 20",
                at(&long(8))
            ),
            format!("{}: zh.label: is as wide as 2", at("WeCom WeCom ")),
            format!("{}: en.title: is as wide as 2", at("WeCom accounts: ")),
        ],
    );
}

#[test]
fn check_finds_an_utterance_in_two_scenarios() {
    let knowledge = KnowledgeCopy::new();
    let utterances = "utterances = [\n";
    for file in ["scenarios/cheat-tools.toml", "scenarios/wechat-temp-ban.toml"] {
        knowledge.replace(file, utterances, "utterances = [\n  \"这一句放在两处\",\n");
    }
    let ran = run(&["knowledge", "check", "--knowledge", knowledge.argument()]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(
        ran.out
            .contains("`这一句放在两处` stands in scenarios/cheat-tools.toml too"),
        "{}",
        ran.out
    );
}

/// Utterances that another scenario wins, with that scenario.
const MISPLACED: [(&str, &str); 3] = [
    ("个人微信被永久封号了", "wechat-permanent-ban"),
    ("加好友太频繁，要等24小时才能再加", "friend-add-throttled"),
    ("扫码进群超过200人进不去", "group-qr-limit"),
];

fn add_misplaced(knowledge: &KnowledgeCopy) {
    let lines: String = MISPLACED
        .iter()
        .map(|(utterance, _)| format!("  \"{utterance}\",\n"))
        .collect();
    let utterances = "utterances = [\n";
    knowledge.replace(
        "scenarios/group-join-realname.toml",
        utterances,
        &format!("{utterances}{lines}"),
    );
}

#[track_caller]
fn assert_misplaced_are_reported(problems: &[String]) {
    let copy = KnowledgeCopy::new();
    add_misplaced(&copy);
    let expected = MISPLACED.map(|(utterance, winner)| {
        let place = place(&copy, "scenarios/group-join-realname.toml", utterance);
        format!("{place}: examples.utterances: `{utterance}` is won by {winner}")
    });
    assert_reported(problems, &expected);
}

#[test]
fn check_finds_utterances_won_by_another_scenario() {
    let knowledge = KnowledgeCopy::new();
    add_misplaced(&knowledge);
    assert_misplaced_are_reported(&problems_of(&knowledge));
    let ran = run(&["ask", "群满了", "--knowledge", knowledge.argument()]);
    assert_eq!(
        ran.status, 0,
        "a misplaced utterance must not stop the bot: {}",
        ran.err
    );
}

#[test]
fn broken_knowledge_stops_the_start_with_the_report() {
    let knowledge = KnowledgeCopy::new();
    knowledge.append("scenarios/cheat-tools.toml", "\nunknown = 1\n");
    let ran = run(&["ask", "你好", "--knowledge", knowledge.argument()]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("cheat-tools.toml:"), "{}", ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
}

#[test]
fn a_missing_knowledge_directory_is_named() {
    let ran = run(&["ask", "你好", "--knowledge", "/nowhere/at/all"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("/nowhere/at/all"), "{}", ran.err);
}

#[test]
fn help_teaches_by_example() {
    let ran = run(&["--help"]);
    assert_eq!(ran.status, 0);
    for command in ["demo", "serve", "ask", "chat", "evaluate", "knowledge", "simulate"] {
        assert!(ran.out.contains(command), "{command} is missing in\n{}", ran.out);
    }
    assert!(ran.out.contains("jiefeng ask "), "{}", ran.out);
}

const SMALL_FAQ: &str = "entry_id\tphrasing\nopen/account\t怎么开户\nopen/account\t开户要什么资料\nopen/account\t想开个户\n\
                         手续费\t手续费多少\n手续费\t交易要收多少钱\n手续费\t佣金怎么算\nclose\t怎么销户\nclose\t不想用了想注销账户\n\
                         close\t\"销户\"流程, 多久\n";

/// A list of questions made into a knowledge directory.
struct ImportedFaq {
    directory: tempfile::TempDir,
    list: String,
    knowledge: String,
    ran: Ran,
}

impl ImportedFaq {
    fn of(name: &str, text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (list, knowledge) = (path(name), path("knowledge"));
        std::fs::write(&list, text).unwrap();
        let ran = run(&["knowledge", "import", &list, "--knowledge", &knowledge]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""));
        Self {
            directory,
            list,
            knowledge,
            ran,
        }
    }

    fn evaluate(&self, arguments: &[&str]) -> Ran {
        run(&[&["evaluate", "--knowledge", &self.knowledge], arguments].concat())
    }

    fn export(&self, name: &str) -> String {
        let file = self.directory.path().join(name);
        let ran = run(&[
            "knowledge",
            "export",
            file.to_str().unwrap(),
            "--knowledge",
            &self.knowledge,
        ]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""));
        std::fs::read_to_string(file).unwrap()
    }
}

#[test]
fn a_list_of_questions_on_any_subject_becomes_knowledge_and_comes_back() {
    let faq = ImportedFaq::of("faq.tsv", SMALL_FAQ);
    assert!(
        faq.ran.out.contains("3 draft scenarios with 9 utterances"),
        "{}",
        faq.ran.out
    );
    let ran = run(&["ask", "开户要啥资料呢", "--json", "--knowledge", &faq.knowledge]);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answer["scenarios"][0], "open/account");
    let csv = faq.export("exported.csv");
    assert!(csv.starts_with("entry_id,phrasing\n"), "{csv}");
    assert!(csv.contains("close,\"\"\"销户\"\"流程, 多久\"\n"), "{csv}");
    let mut lines: Vec<&str> = SMALL_FAQ.lines().collect();
    lines.sort_unstable();
    let tsv = faq.export("exported.tsv");
    let mut exported: Vec<&str> = tsv.lines().collect();
    exported.sort_unstable();
    assert_eq!(exported, lines);
    let again = run(&["knowledge", "import", &faq.list, "--knowledge", &faq.knowledge]);
    assert_eq!(again.status, 2);
    assert!(again.err.contains("is not empty"), "{}", again.err);
}

#[test]
fn a_json_list_comes_back_with_its_answers() {
    let list = r#"[
  {"id": "fees", "questions": ["手续费多少", "佣金怎么算"], "answer": "万分之三。\n最低 5 元。"},
  {"id": "open/account", "questions": ["怎么开户", "想开个户"], "answer": "带上 \"身份证\"。"},
  {"id": "unanswered", "questions": ["怎么销户"]}
]"#;
    let faq = ImportedFaq::of("faq.json", list);
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(value(&faq.export("exported.json")), value(list));
    let csv = faq.export("exported.csv");
    let again = ImportedFaq::of("again.csv", &csv);
    assert_eq!(value(&again.export("exported.json")), value(list));
}

#[test]
fn a_list_as_a_spreadsheet_saves_it_can_be_imported() {
    let sheet = "\u{feff}entry_id,phrasing,answer\r\nfees,\"手续费\r\n多少\",\"万分之三，\n最低 5 元\"\r\nfees,\"佣金, 怎么算\",\r\n,,\r\nopen,怎么开户,\r\n";
    let faq = ImportedFaq::of("faq.csv", sheet);
    let exported: Value = serde_json::from_str(&faq.export("exported.json")).unwrap();
    assert_eq!(
        exported[0]["questions"],
        serde_json::json!(["手续费 多少", "佣金, 怎么算"])
    );
    assert_eq!(exported[0]["answer"], "万分之三，\n最低 5 元");
    assert_eq!(exported[1]["id"], "open");
}

#[test]
fn an_answer_that_one_message_does_not_hold_is_shortened_and_named() {
    let list = serde_json::json!([{"id": "长".repeat(64), "questions": ["怎么开户"], "answer": "长".repeat(2000)}]);
    let faq = ImportedFaq::of("faq.json", &list.to_string());
    assert!(faq.ran.out.contains("shortened, since one message"), "{}", faq.ran.out);
    let ran = run(&["ask", "怎么开户", "--knowledge", &faq.knowledge]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
}

#[test]
fn a_list_that_cannot_be_imported_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("faq.tsv");
    let knowledge = directory.path().join("knowledge");
    let import = |text: &str| {
        std::fs::write(&list, text).unwrap();
        run(&[
            "knowledge",
            "import",
            list.to_str().unwrap(),
            "--knowledge",
            knowledge.to_str().unwrap(),
        ])
    };
    let ran = import("id\tquestion\na\tb\n");
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("has no `entry_id`"), "{}", ran.err);
    assert!(
        import("entry_id\tphrasing\nnone\tx\n")
            .err
            .contains("line 2: `none` cannot be an entry_id")
    );
    let csv = directory.path().join("faq.csv");
    std::fs::write(&csv, b"entry_id,phrasing\na,\xb7\xd1\n").unwrap();
    let ran = run(&[
        "knowledge",
        "import",
        csv.to_str().unwrap(),
        "--knowledge",
        knowledge.to_str().unwrap(),
    ]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.err.contains("faq.csv` is not UTF-8 text; save it as UTF-8"),
        "{}",
        ran.err
    );
    assert!(!knowledge.exists());
}
