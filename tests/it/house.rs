//! The shape of the house: what the core must not contain, and what every module must have.

use std::fs;
use std::path::{Path, PathBuf};

const CORE: [&str; 5] = [
    "src/checked_toml.rs",
    "src/protocol",
    "src/knowledge",
    "src/matching",
    "src/dialogue",
];

/// I/O, clocks, randomness, async and the shell's modules.
const FORBIDDEN_IN_CORE: [&str; 26] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::io::",
    "std::time::Instant",
    "SystemTime",
    "std::process",
    "Timestamp::now",
    "Zoned::now",
    "tokio",
    "actix",
    "reqwest",
    "rusqlite",
    "getrandom",
    "async fn",
    "tracing::",
    "crate::config",
    "crate::store",
    "crate::channels",
    "crate::service",
    "crate::http",
    "crate::cli",
    "crate::learning",
    "crate::evaluation",
    "crate::workshop",
    "crate::app",
];

fn rust_files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .collect();
    files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Code without tests and comments.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let is_tests = file.ends_with("tests.rs") || file.ends_with("vectors.rs");
    let code = if is_tests {
        ""
    } else {
        text.split("#[cfg(test)]\nmod tests {").next().unwrap()
    };
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_core_does_no_io_and_knows_nothing_of_the_shell() {
    let files: Vec<PathBuf> = CORE.iter().flat_map(|place| rust_files(Path::new(place))).collect();
    assert!(files.len() > 10, "the core was not found: {files:?}");
    for file in files {
        let code = code_of(&file);
        for word in FORBIDDEN_IN_CORE {
            assert!(!code.contains(word), "{} contains `{word}`", file.display());
        }
    }
}

/// Words by which times and counts are read may stand in Rust, as numerals do; a sentence is longer.
const SHORTEST_SENTENCE: usize = 5;

#[test]
fn sentences_for_employees_are_not_in_rust() {
    let is_numeral = |letter: char| "一两二三四五六七八九十".contains(letter);
    let is_han = |letter: char| ('\u{4e00}'..='\u{9fff}').contains(&letter) && !is_numeral(letter);
    for file in rust_files(Path::new("src/dialogue"))
        .into_iter()
        .chain(rust_files(Path::new("src/service")))
    {
        let longest = code_of(&file)
            .split(|letter: char| !is_han(letter))
            .map(|run| run.chars().count())
            .max();
        assert!(
            longest.unwrap_or(0) < SHORTEST_SENTENCE,
            "{} has Chinese sentences; they belong into knowledge/",
            file.display()
        );
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for file in rust_files(Path::new("src")) {
        assert!(
            fs::read_to_string(&file).unwrap().starts_with("//!"),
            "{} does not start with //!",
            file.display()
        );
    }
}

/// Every page for people: READMEs, and what is in `docs/`.
fn pages() -> Vec<PathBuf> {
    let in_docs = ["docs", "docs/en", "docs/zh"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path());
    let top = ["README.md", "README.zh-CN.md", "knowledge/README.md", "ARCHITECTURE.md"];
    top.into_iter()
        .map(PathBuf::from)
        .chain(in_docs.filter(|path| path.extension().is_some_and(|end| end == "md")))
        .collect()
}

/// Lines outside of code that are headings.
fn headings(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        is_code ^= line.trim_start().starts_with("```");
        !is_code && line.starts_with('#')
    })
}

/// What a link to a heading has behind its `#`.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[test]
fn pages_link_only_to_files_and_headings_that_exist() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            assert!(
                target.exists(),
                "{} links to {link}, which does not exist",
                page.display()
            );
            let has_heading = || {
                let text = fs::read_to_string(&target).unwrap();
                headings(&text).any(|heading| anchor(heading) == wanted)
            };
            assert!(
                wanted.is_empty() || has_heading(),
                "{} links to {link}; that page has no such heading",
                page.display()
            );
        }
    }
}

#[test]
fn the_pages_for_admins_have_the_same_sections_in_both_languages() {
    let levels = |page: PathBuf| -> Vec<usize> {
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        let level = |heading: &str| heading.bytes().take_while(|byte| *byte == b'#').count();
        headings(&text).map(level).collect()
    };
    let names = |folder: &str| -> std::collections::BTreeSet<_> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect()
    };
    let (english, chinese) = (Path::new("docs/en"), Path::new("docs/zh"));
    assert_eq!(names("docs/en"), names("docs/zh"));
    for name in names("docs/en") {
        assert_eq!(
            levels(english.join(&name)),
            levels(chinese.join(&name)),
            "{}",
            name.display()
        );
    }
}

#[test]
fn every_test_and_module_that_the_security_page_names_exists() {
    let page = fs::read_to_string("docs/security.md").unwrap();
    let named: Vec<(&str, &str)> = page.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 20, "{named:?}");
    for (file, name) in named {
        let tests = [format!("tests/it/{file}.rs"), format!("src/{file}/tests.rs")];
        let tests: String = tests.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        let exists = tests.contains(&format!("fn {}", name.trim_end_matches('…')))
            || Path::new(&format!("src/{file}/{name}.rs")).exists();
        assert!(exists, "there is no {file}::{name}");
    }
}

/// Letters and digits of a text, so that punctuation makes no difference.
fn bare(text: &str) -> String {
    text.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[test]
fn no_question_to_measure_with_is_an_utterance() {
    let files = ["knowledge", "knowledge/scenarios"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let texts = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let knowledge: Vec<String> = texts.map(|path| fs::read_to_string(path).unwrap()).collect();
    let quoted: std::collections::HashSet<String> =
        knowledge.iter().flat_map(|text| text.split('"')).map(bare).collect();
    let asked: String = ["development", "blind"]
        .map(|file| fs::read_to_string(format!("knowledge/eval/{file}.tsv")).unwrap())
        .concat();
    let questions = asked.lines().filter_map(|line| line.split('\t').next());
    let repeated: Vec<&str> = questions.filter(|question| quoted.contains(&bare(question))).collect();
    assert!(
        repeated.is_empty(),
        "questions that are taught measure nothing: {repeated:?}"
    );
}
