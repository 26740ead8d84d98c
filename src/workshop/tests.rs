//! Editing the shipped knowledge.

use std::path::Path;

use jiff::civil::date;

use super::{Draft, Edit, EditError, KnownAt, NewScenario, Preview, TrialQuestions, plan_import, read_list};
use crate::dialogue::{Assistant, NoCache};
use crate::evaluation::Change;
use crate::knowledge::{AccountKind, KnowledgeFiles, Language, OUTSIDE, TO_FILL_IN};
use crate::learning::read_directory;

const TODAY: jiff::civil::Date = date(2026, 11, 27);

fn shipped() -> KnowledgeFiles {
    read_directory(Path::new("knowledge")).unwrap()
}

fn apply(draft: &mut Draft, files: &KnowledgeFiles, edit: Edit) -> Vec<(String, KnownAt)> {
    let duplicates = draft.apply(files, edit, TODAY).unwrap();
    duplicates.into_iter().map(|one| (one.question, one.at)).collect()
}

fn utterances(scenario: &str, questions: &[&str]) -> Edit {
    Edit::AddUtterances {
        scenario: scenario.to_owned(),
        questions: questions.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn scenario(id: &str) -> NewScenario {
    NewScenario {
        id: id.to_owned(),
        title: "群公告发不出".to_owned(),
        account: AccountKind::Group,
        questions: vec!["群公告发不出去".to_owned()],
        answer: None,
    }
}

#[test]
fn an_added_question_adds_a_line_and_nothing_else() {
    let files = shipped();
    let mut draft = Draft::default();
    let edit = utterances("pull-group-full", &["咱群塞不下人啦"]);
    assert_eq!(apply(&mut draft, &files, edit), []);
    let change = &draft.changes()[0];
    let (before, after) = (change.before.as_deref().unwrap(), change.after.as_deref().unwrap());
    let added: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(added, ["  \"咱群塞不下人啦\","]);
    assert_eq!(after.replace("  \"咱群塞不下人啦\",\n", ""), before);
    assert_eq!(Assistant::problems(&draft.over(&files)), []);
    let remove = Edit::RemoveUtterance {
        scenario: "pull-group-full".to_owned(),
        question: "咱群塞不下人啦".to_owned(),
    };
    apply(&mut draft, &files, remove);
    assert!(draft.is_empty(), "taken out again, the file is as it was");
}

#[test]
fn a_question_that_stands_somewhere_already_is_told_and_not_added() {
    let files = shipped();
    let mut draft = Draft::default();
    let edit = utterances(
        "friend-add-throttled",
        &["群满了！", "怎么设置全员禁言？", "你好", " ５００／５００ "],
    );
    let at = |id: &str| KnownAt::Scenario(id.to_owned());
    let told = apply(&mut draft, &files, edit);
    let places: Vec<&KnownAt> = told.iter().map(|(_, at)| at).collect();
    let greeting = KnownAt::Intent("greeting".to_owned());
    let full = at("pull-group-full");
    assert_eq!(places, [&full, &KnownAt::Outside, &greeting, &full]);
    assert!(draft.is_empty());
    let edit = utterances(
        "friend-add-throttled",
        &["我要加一个从没见过的人", "我要加一个从没见过的人。"],
    );
    assert_eq!(apply(&mut draft, &files, edit)[0].1, KnownAt::Repeated);
}

#[test]
fn what_is_not_our_subject_goes_outside_and_is_refused_then() {
    let files = shipped();
    let mut draft = Draft::default();
    let question = "公司班车几点从地铁站出发";
    let outside = Edit::AddOutside {
        questions: vec![question.to_owned()],
    };
    apply(&mut draft, &files, outside);
    assert_eq!(draft.changes()[0].path, "outside.toml");
    let counter_example = Edit::AddCounterExample {
        scenario: "pull-group-full".to_owned(),
        question: "班车群坐满了怎么办".to_owned(),
        belongs_to: OUTSIDE.to_owned(),
    };
    apply(&mut draft, &files, counter_example);
    let assistant = Assistant::assemble(&draft.over(&files), &NoCache).unwrap();
    assert!(assistant.catalogue.outside.iter().any(|text| text == question));
    let scenario = assistant.scenario("pull-group-full").unwrap();
    assert!(scenario.not_this.iter().any(|example| example.belongs_to == OUTSIDE));
}

#[test]
fn heading_and_steps_are_changed_in_one_language() {
    let files = shipped();
    let mut draft = Draft::default();
    let title = Edit::SetTitle {
        scenario: "pull-group-full".to_owned(),
        language: Language::Chinese,
        title: "群满了".to_owned(),
    };
    let steps = Edit::SetSteps {
        scenario: "pull-group-full".to_owned(),
        language: Language::English,
        steps: vec!["Open a new group.".to_owned()],
    };
    apply(&mut draft, &files, title);
    apply(&mut draft, &files, steps);
    let text = draft.text(&files, "scenarios/pull-group-full.toml").unwrap();
    assert!(text.contains("title = \"群满了\"") && text.contains("title = \"Group full at 500\""));
    assert!(text.contains("steps = [\n  \"Open a new group.\",\n]"), "{text}");
    assert_eq!(Assistant::problems(&draft.over(&files)), []);
}

#[test]
fn a_new_scenario_cannot_be_published_before_everything_is_written() {
    let files = shipped();
    let mut draft = Draft::default();
    apply(&mut draft, &files, Edit::AddScenario(scenario("group-notice-fails")));
    let file = "scenarios/group-notice-fails.toml";
    let text = draft.text(&files, file).unwrap().to_owned();
    let marked = text.lines().filter(|line| line.contains(TO_FILL_IN)).count();
    let problems = Assistant::problems(&draft.over(&files));
    assert_eq!(problems.len(), marked, "{problems:?}");
    assert!(
        marked > 10
            && problems
                .iter()
                .all(|problem| problem.file == file && problem.line.is_some())
    );
    let written = Edit::ReplaceFile {
        file: file.to_owned(),
        text: Some(text.replace(TO_FILL_IN, "x").replace('\n', "\r\n")),
    };
    apply(&mut draft, &files, written);
    assert_eq!(Assistant::problems(&draft.over(&files)), []);
    assert!(!draft.text(&files, file).unwrap().contains('\r'));
}

#[test]
fn what_cannot_be_changed_is_refused_and_leaves_the_draft_alone() {
    let files = shipped();
    let mut draft = Draft::default();
    let mut refused = |edit: Edit| draft.apply(&files, edit, TODAY).unwrap_err();
    assert!(matches!(
        refused(utterances("no-such", &["一"])),
        EditError::NoScenario(_)
    ));
    assert_eq!(refused(utterances("pull-group-full", &[" "])), EditError::Nothing);
    let exists = Edit::AddScenario(scenario("pull-group-full"));
    assert!(matches!(refused(exists), EditError::ScenarioExists(_)));
    assert!(matches!(refused(Edit::AddScenario(scenario("../x"))), EditError::Id(_)));
    let gone = Edit::RemoveUtterance {
        scenario: "pull-group-full".to_owned(),
        question: "没有这句".to_owned(),
    };
    assert!(matches!(refused(gone), EditError::NoUtterance { .. }));
    let broken = Edit::ReplaceFile {
        file: "outside.toml".to_owned(),
        text: Some("[[topics".to_owned()),
    };
    draft.apply(&files, broken, TODAY).unwrap();
    let outside = Edit::AddOutside {
        questions: vec!["随便问问".to_owned()],
    };
    assert!(matches!(
        draft.apply(&files, outside, TODAY),
        Err(EditError::Unreadable { .. })
    ));
}

#[test]
fn a_list_adds_to_known_scenarios_and_begins_the_others() {
    let files = shipped();
    let list = read_list(
        "faq.csv",
        "\u{feff}entry_id,phrasing,answer\npull-group-full,咱群塞不下人啦,\npull-group-full,群满了,\nnew-one,头一回听说的事,先这样。\nnew-one,咱群塞不下人啦,\nNot An Id,别的事,\n",
    );
    let mut draft = Draft::default();
    let plan = plan_import(&mut draft, &files, &list.unwrap(), TODAY);
    assert_eq!(plan.added.len(), 0, "the second entry of the list had it first");
    assert_eq!(plan.begun["new-one"], 2);
    assert_eq!(plan.duplicates.len(), 2);
    assert!(matches!(&plan.refused[..], [(id, EditError::Id(_))] if id == "Not An Id"));
    let text = draft.text(&files, "scenarios/new-one.toml").unwrap();
    assert!(text.contains("what = \"先这样。\"") && text.contains(TO_FILL_IN));
}

#[test]
fn a_preview_shows_what_changes_and_what_that_does_to_labelled_rows() {
    let files = shipped();
    let mut draft = Draft::default();
    let question = "班车几点发";
    apply(&mut draft, &files, utterances("pull-group-full", &[question]));
    let title = Edit::SetTitle {
        scenario: "friend-add-throttled".to_owned(),
        language: Language::Chinese,
        title: "加好友太快".to_owned(),
    };
    apply(&mut draft, &files, title);
    let current = Assistant::assemble(&files, &NoCache).unwrap();
    let candidate = Assistant::assemble(&draft.over(&files), &NoCache).unwrap();
    let mut trial = TrialQuestions::default();
    let now: jiff::Timestamp = "2026-11-27T02:00:00Z".parse().unwrap();
    let asked = [question, "加好友提示操作频繁", question].map(|text| crate::store::QuestionRecord {
        asked_at: now,
        text: text.to_owned(),
        language: "zh".to_owned(),
        decision: "refuse".to_owned(),
        scenarios: Vec::new(),
        confidence: 0.1,
        knowledge_version: "v".to_owned(),
        micros: 1,
    });
    trial.add_asked(asked.to_vec(), 10);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("eval")).unwrap();
    let rows = format!("question\tlabel\n{question}\tnone\n群满了\tpull-group-full\n");
    std::fs::write(folder.path().join("eval/rows.tsv"), rows).unwrap();
    std::fs::write(folder.path().join("eval/other.tsv"), "question\tlabel\n一\tno-such\n").unwrap();
    trial.add_files(folder.path(), &[&current, &candidate]);
    let preview = Preview::of((&current, &candidate), trial, now, |_| true).unwrap();
    assert_eq!((preview.asked, preview.labelled), (2, 2));
    assert_eq!((preview.right_before, preview.right_after), (2, 1));
    let changes: Vec<Change> = preview.changed.iter().map(|changed| changed.change).collect();
    assert_eq!(changes, [Change::Lost, Change::Changed]);
    assert_eq!(preview.changed[0].after.outcome(), "pull-group-full");
    assert_eq!(preview.reworded["friend-add-throttled"].questions, 1);
    assert!(preview.left_out[0].contains("other.tsv:2"), "{:?}", preview.left_out);
    let stopped = Preview::of((&current, &candidate), TrialQuestions::default(), now, |_| false);
    assert!(stopped.is_some(), "nothing is to be asked");
}
