//! What an admin brings along: lists of questions, and the yearly notice of days off.

use jiefeng::knowledge::{Catalogue, Faq, KnowledgeFile, KnowledgeFiles};
use jiefeng::workshop::{Draft, ListFormat, plan_import, read_list, read_notice, write_list};
use jiff::civil::{Date, date};

use super::text;

const TODAY: Date = date(2026, 11, 22);

/// The name of a file in the first line, and the list in it. A list that is read is written and read again as the same, and a draft that
/// has taken it in takes nothing more of it.
pub fn list(data: &[u8]) {
    let Some((name, content)) = text(data).and_then(|text| text.split_once('\n')) else {
        return;
    };
    let Ok(list) = read_list(name, content) else { return };
    assert!(!list.entries.is_empty());
    for (id, entry) in &list.entries {
        assert!((1..=64).contains(&id.chars().count()) && !id.contains(['|', '\n']));
        let is_plain = |phrasing: &String| !phrasing.is_empty() && !phrasing.contains(['\n', '\t', '\r']);
        assert!(entry.phrasings.iter().all(is_plain), "{entry:?}");
    }
    check_written(&list);
    check_imported(&list);
}

fn check_written(list: &Faq) {
    for (format, name) in [(ListFormat::Json, "x.json"), (ListFormat::Csv, "x.csv")] {
        let written = write_list(format, list).expect("a list");
        assert_eq!(
            &read_list(name, &written).expect("a list as it was written"),
            list,
            "{written}"
        );
    }
    let mut without_answers = list.clone();
    let entries = without_answers.entries.values_mut();
    entries.for_each(|entry| entry.answer = None);
    let written = write_list(ListFormat::Tsv, list).expect("a list");
    let read = read_list("x.tsv", &written).expect("a list as it was written");
    assert_eq!(read, without_answers, "{written}");
}

fn check_imported(list: &Faq) {
    let (files, mut draft) = (KnowledgeFiles::default(), Draft::default());
    let first = plan_import(&mut draft, &files, list, TODAY);
    let stored = serde_json::to_string(&draft).expect("a draft");
    assert_eq!(
        serde_json::from_str::<Draft>(&stored).expect("a draft as it was stored"),
        draft
    );
    assert!(first.added.is_empty(), "there was nothing to add to");
    for id in first.begun.keys() {
        assert!(list.entries.contains_key(id));
    }
    let before = draft.clone();
    let second = plan_import(&mut draft, &files, list, TODAY);
    assert!(second.added.is_empty() && second.begun.is_empty(), "{second:?}");
    assert_eq!(draft, before);
}

/// A notice of days off. What is taken makes a file that is good, and what is not is told.
pub fn notice(data: &[u8]) {
    let Some(content) = text(data) else { return };
    let notice = match read_notice(content) {
        Ok(notice) => notice,
        Err(problems) => {
            assert!(!problems.is_empty());
            return;
        }
    };
    let file = KnowledgeFile {
        path: notice.file(),
        text: notice.to_toml(TODAY),
    };
    let path = file.path.clone();
    let (_, report) = Catalogue::read(&KnowledgeFiles {
        files: vec![file],
        problems: Vec::new(),
    });
    let mut problems = report.into_problems().into_iter();
    let problem = problems.find(|problem| problem.file == path);
    assert!(problem.is_none(), "{}: {notice:?}", problem.expect("it is one"));
}
