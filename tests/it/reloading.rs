//! The knowledge changes while the server runs: noticed, taken whole or refused whole.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::long::{Progress, number, reached};
use crate::platform::wait_until;
use crate::program::{KnowledgeCopy, jiefeng};
use crate::server::{Server, text_of};

const QUESTION: &str = "群满了拉不进人";
const FILE: &str = "scenarios/pull-group-full.toml";
const SENTENCE: &str = "客户群最多 500 人。满了以后，扫码、邀请都进不来。";

const RELOADED: &str = "the knowledge has been reloaded";
const REFUSED: &str = "the changed knowledge is refused";

/// A server with knowledge of its own.
struct Reloadable {
    knowledge: KnowledgeCopy,
    server: Server,
    messages: AtomicU64,
    folder: TempDir,
}

impl Reloadable {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(environment: &[(&str, &str)]) -> Self {
        let knowledge = KnowledgeCopy::new();
        let folder = TempDir::new().unwrap();
        let environment = [environment, &[("JIEFENG__KNOWLEDGE__DIR", knowledge.argument())]].concat();
        let server = Server::start_with(folder.path(), "allow_sample_credentials = true", &environment);
        Self {
            knowledge,
            server,
            messages: AtomicU64::new(1),
            folder,
        }
    }

    /// What somebody who has not asked before is told.
    fn answer(&self, question: &str) -> String {
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        text_of(&self.server.says(&format!("user{number}"), number, question))
    }

    #[track_caller]
    fn wait_for_answer(&self, words: &str) {
        wait_until(words, || self.answer(QUESTION).contains(words));
    }

    fn logged(&self, words: &str) -> usize {
        self.server.log().matches(words).count()
    }

    /// Replaces a file as editors do: whole, in one step.
    fn put(&self, file: &str, text: &str) {
        let aside = self.knowledge.path().join(".being-written");
        fs::write(&aside, text).unwrap();
        fs::rename(aside, self.knowledge.path().join(file)).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.knowledge.path().join(file)).unwrap()
    }

    /// Has the server look at once, and waits until it has decided.
    #[track_caller]
    fn reload(&self) {
        let decided = |reloadable: &Self| reloadable.logged(RELOADED) + reloadable.logged(REFUSED);
        let before = decided(self);
        self.server.signal("-HUP");
        wait_until("a decision", || decided(self) > before);
    }
}

#[test]
fn a_changed_word_stands_in_the_next_answer_without_a_restart() {
    let world = Reloadable::start();
    assert!(world.answer(QUESTION).contains(SENTENCE));
    world.knowledge.replace(FILE, SENTENCE, "一个客户群装五百人。");
    world.wait_for_answer("一个客户群装五百人。");
}

#[test]
fn what_is_broken_is_refused_with_its_line_until_it_is_mended() {
    let world = Reloadable::start();
    world.knowledge.replace(FILE, "what = ", "whatever = ");
    let line = 1 + world
        .read(FILE)
        .lines()
        .position(|line| line.starts_with("whatever = "))
        .unwrap();
    world.server.assert_logs(REFUSED);
    world.server.assert_logs(&format!("{FILE}:{line}: zh.whatever"));
    assert!(world.answer(QUESTION).contains(SENTENCE));
    world.knowledge.replace(FILE, "whatever = ", "what = ");
    world.knowledge.replace(FILE, SENTENCE, "一个客户群装五百人。");
    world.wait_for_answer("一个客户群装五百人。");
}

#[test]
fn a_directory_that_is_gone_is_refused_and_found_again() {
    let world = Reloadable::start();
    let away = TempDir::new().unwrap();
    let away = away.path().join("knowledge");
    fs::rename(world.knowledge.path(), &away).unwrap();
    world.server.assert_logs("there is no knowledge directory");
    assert!(world.answer(QUESTION).contains(SENTENCE));
    fs::rename(&away, world.knowledge.path()).unwrap();
    world.server.assert_logs("the knowledge is as it was");
    fs::remove_dir_all(world.knowledge.path().join("scenarios")).unwrap();
    world.server.assert_logs(REFUSED);
    assert!(world.answer(QUESTION).contains(SENTENCE));
}

#[test]
fn a_file_that_is_still_being_written_is_waited_for() {
    let world = Reloadable::start();
    let text = world.read(FILE).replace(SENTENCE, "一个客户群装五百人。");
    let bytes = text.as_bytes();
    for part in 1..=10 {
        fs::write(world.knowledge.path().join(FILE), &bytes[..bytes.len() * part / 10]).unwrap();
        std::thread::sleep(Duration::from_millis(450));
    }
    world.wait_for_answer("一个客户群装五百人。");
    assert_eq!(world.logged(REFUSED), 0, "{}", world.server.log());
}

#[test]
fn many_changes_at_once_are_one() {
    let world = Reloadable::start();
    let text = world.read(FILE);
    for number in 0..=300 {
        world.put(FILE, &text.replace(SENTENCE, &format!("第{number}稿。")));
    }
    world.wait_for_answer("第300稿。");
    world.server.assert_logs(RELOADED);
    assert_eq!(world.logged(RELOADED), 1, "{}", world.server.log());
}

#[test]
fn sighup_looks_at_once_and_says_again_what_is_wrong() {
    let world = Reloadable::start();
    world.server.signal("-HUP");
    world.server.assert_logs("the knowledge is as it was");
    world
        .knowledge
        .append("texts.toml", "\n[no-such-text]\nzh = \"x\"\nen = \"x\"\n");
    world.reload();
    world.reload();
    assert!(world.logged("no-such-text") >= 2, "{}", world.server.log());
}

#[test]
fn an_utterance_that_was_added_is_understood() {
    let world = Reloadable::start();
    let question = "天王盖地虎宝塔镇河妖";
    assert!(!world.answer(question).contains(SENTENCE));
    world
        .knowledge
        .replace(FILE, "utterances = [", "utterances = [\n  \"天王盖地虎宝塔镇河妖\",");
    world.reload();
    assert!(world.answer(question).contains(SENTENCE), "{}", world.server.log());
}

#[test]
fn where_nothing_can_be_cached_the_knowledge_is_learnt_all_the_same() {
    let world = Reloadable::start_with(&[("JIEFENG__KNOWLEDGE__CACHE_DIR", "/dev/null/nowhere")]);
    world.knowledge.replace(FILE, SENTENCE, "一个客户群装五百人。");
    world.reload();
    assert!(
        world.answer(QUESTION).contains("一个客户群装五百人。"),
        "{}",
        world.server.log()
    );
}

#[test]
fn the_command_says_what_the_server_answers_with_or_why_it_refuses() {
    let mut world = Reloadable::start();
    let config = world.folder.path().join("jiefeng.toml");
    let command = || crate::program::run(&["reload", "--config", config.to_str().unwrap()]);
    // A server serves before the store has heard of it.
    let mut before = String::new();
    wait_until("the store hears of the server", || {
        let answered = command();
        before = answered.out;
        answered.status == 0
    });
    world.knowledge.replace(FILE, SENTENCE, "一个客户群装五百人。");
    let taken = command();
    assert_eq!(taken.status, 0, "{}{}", taken.out, taken.err);
    assert!(
        taken.out.contains("answers with") && taken.out != before,
        "{}",
        taken.out
    );
    assert!(world.answer(QUESTION).contains("一个客户群装五百人。"));
    world.knowledge.replace(FILE, "what = ", "whatever = ");
    let refused = command();
    assert_eq!(refused.status, 1, "{}{}", refused.out, refused.err);
    assert!(
        refused.out.contains("pull-group-full.toml:") && refused.out.contains("(and "),
        "{}",
        refused.out
    );
    world.server.signal("-TERM");
    assert!(world.server.process.wait().unwrap().success());
    let alone = command();
    assert_eq!(alone.status, 2, "{}{}", alone.out, alone.err);
}

/// The version that stands in an answer, which must be the same at both of its places.
#[track_caller]
fn version_in(answer: &str) -> u64 {
    let versions: Vec<u64> = answer
        .split("稿第")
        .skip(1)
        .map(|rest| rest.split('号').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(versions.len(), 2, "{answer}");
    assert_eq!(versions[0], versions[1], "two versions in one answer: {answer}");
    versions[0]
}

/// The scenario's file in a version of its own, which shows at two places of the answer.
fn draft(text: &str, number: u64) -> String {
    let text = text.replacen(
        "title = \"群满 500，拉不进人\"",
        &format!("title = \"稿第{number}号\""),
        1,
    );
    text.replacen(SENTENCE, &format!("稿第{number}号"), 1)
}

#[test]
fn reloads_of_which_a_third_is_broken_fail_and_mix_no_answer() {
    let reloads = number("JIEFENG_RELOADS", 50);
    let mut progress = Progress::towards(reloads, "reloads");
    let world = Reloadable::start();
    let text = world.read(FILE);
    world.put(FILE, &draft(&text, 0));
    world.reload();
    let (newest, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (world, newest, is_over) = (&world, &newest, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let before = newest.load(Ordering::Acquire);
                    let version = version_in(&world.answer(QUESTION));
                    assert!(version >= before, "version {version} after {before} had been taken");
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        for number in 1..=reloads {
            let draft = draft(&text, number);
            if number % 3 == 0 {
                world.put(FILE, &draft.replacen("steps = [", "steps = ", 1));
                world.reload();
            } else {
                world.put(FILE, &draft);
                world.reload();
                newest.store(number, Ordering::Release);
                assert_eq!(version_in(&world.answer(QUESTION)), number);
            }
            progress.is_at(number);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(u64::try_from(world.logged(REFUSED)).unwrap(), reloads / 3);
    assert_eq!(world.server.metric("failed"), 0);
    let answered = world.messages.into_inner();
    reached(&format!(
        "{reloads} reloads, {} of them broken: {answered} answers, none failed or mixed",
        reloads / 3
    ));
}

#[test]
fn a_request_for_a_reload_does_not_end_a_server_that_is_still_learning_the_knowledge() {
    let folder = TempDir::new().unwrap();
    drop(Server::start(folder.path()));
    let config = folder.path().join("jiefeng.toml");
    let mut command = jiefeng(&["serve", "--config", config.to_str().unwrap()]);
    command.env("JIEFENG__KNOWLEDGE__CACHE_DIR", "/dev/null/nowhere");
    let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut log = Vec::new();
    for line in BufReader::new(process.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("learning from the knowledge") {
            let told = Command::new("kill").args(["-HUP", &process.id().to_string()]).status();
            assert!(told.unwrap().success());
        }
        log.push(line);
        if log.last().unwrap().contains(" ready ") {
            break;
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let has = |words: &str| log.iter().any(|line| line.contains(words));
    assert!(has("learning from the knowledge") && has(" ready "), "{log:?}");
}
