//! The knowledge is edited in the admin console: published without a restart, refused when it is broken or somebody else was faster, and
//! rolled back to the byte.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::browser::{Browser, Page};
use crate::platform::wait_until;
use crate::program::KnowledgeCopy;
use crate::server::{Server, text_of};

const PASSWORD: &str = "correct horse battery staple";
const FILE: &str = "scenarios/pull-group-full.toml";
const QUESTION: &str = "群满了拉不进人";
const SENTENCE: &str = "客户群最多 500 人。满了以后，扫码、邀请都进不来。";
const NEW_SENTENCE: &str = "一个客户群装五百人。";

/// A server with knowledge of its own, and an editor of it.
struct Desk {
    knowledge: KnowledgeCopy,
    server: Server,
    admin: Browser,
    address: SocketAddr,
    messages: AtomicU64,
    _folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let (knowledge, folder) = (KnowledgeCopy::new(), TempDir::new().unwrap());
        // A comment that every edit has to leave where it is.
        let path = knowledge.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("# Reviewed by the support team.\n{text}")).unwrap();
        let cache = folder.path().join("cache");
        let environment = [
            ("JIEFENG__KNOWLEDGE__DIR", knowledge.argument()),
            ("JIEFENG__KNOWLEDGE__CACHE_DIR", cache.to_str().unwrap()),
            ("JIEFENG__CONSOLE__LISTEN", "127.0.0.1:0"),
        ];
        let server = Server::start_with(folder.path(), "allow_sample_credentials = true", &environment);
        server.assert_logs("/console/link/");
        let log = server.log();
        let (_, rest) = log.split_once("page=\"http://").unwrap();
        let address: SocketAddr = rest.split_once("/console").unwrap().0.parse().unwrap();
        let mut admin = Browser::at(address);
        let made = admin.post(
            &link_in(&log),
            &[("name", "root"), ("password", PASSWORD), ("again", PASSWORD)],
        );
        assert_eq!(made.status, 303, "{}", made.body);
        Self {
            knowledge,
            server,
            admin,
            address,
            messages: AtomicU64::new(1),
            _folder: folder,
        }
    }

    /// What somebody who has not asked before is told.
    fn answer(&self, question: &str) -> String {
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        text_of(&self.server.says(&format!("user{number}"), number, question))
    }

    fn on_disk(&self) -> String {
        fs::read_to_string(self.knowledge.path().join(FILE)).unwrap()
    }

    /// Saves another text of the file in the draft.
    fn write(&mut self, text: &str) {
        let saved = self
            .admin
            .submit("/console/knowledge/file", &[("path", FILE), ("text", text)]);
        assert_eq!(saved.status, 303, "{}", saved.body);
    }

    fn publish(&mut self) -> Page {
        self.admin
            .submit("/console/knowledge/draft/publish", &[("comment", "因为有人问")])
    }

    #[track_caller]
    fn assert_published(&mut self) {
        let published = self.publish();
        assert_eq!(published.status, 303, "{}", published.body);
    }
}

/// The path of the first one-time link in a text.
fn link_in(text: &str) -> String {
    let (_, rest) = text.split_once("/console/link/").unwrap();
    let is_of_token = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let token: String = rest.chars().take_while(|letter| is_of_token(*letter)).collect();
    format!("/console/link/{token}")
}

#[test]
fn what_is_published_is_answered_without_a_restart_and_rolled_back_to_the_byte() {
    let mut desk = Desk::new();
    let original = desk.on_disk();
    assert!(desk.answer(QUESTION).contains(SENTENCE));
    desk.write(&original.replace(SENTENCE, NEW_SENTENCE));
    assert_eq!(desk.on_disk(), original, "a draft changes no file");
    let add = [
        ("path", FILE),
        ("scenario", "pull-group-full"),
        ("what", "add"),
        ("text", "咱群塞不下人啦\n群满了"),
    ];
    let added = desk.admin.submit("/console/knowledge/file/edit", &add);
    assert!(added.body.contains("data-testid=\"duplicates\""), "群满了 is known");
    desk.assert_published();
    wait_until("the new sentence", || desk.answer(QUESTION).contains(NEW_SENTENCE));
    let published = desk.on_disk();
    assert!(
        published.starts_with("# Reviewed by the support team.\n"),
        "comments stay"
    );
    assert!(published.contains("  \"咱群塞不下人啦\",\n"));
    let versions = desk.admin.get("/console/knowledge/versions");
    assert!(versions.body.contains("因为有人问") && versions.body.contains("root"));
    let id = versions.between("/console/knowledge/versions/", "\"").to_owned();
    let back = desk
        .admin
        .submit(&format!("/console/knowledge/versions/{id}/roll-back"), &[]);
    assert_eq!(back.status, 303, "{}", back.body);
    assert_eq!(desk.on_disk(), original);
    wait_until("the old sentence", || desk.answer(QUESTION).contains(SENTENCE));
    let audit = desk.admin.get("/console/audit").body;
    assert!(audit.contains("发布知识") && audit.contains("退回知识版本"), "{audit}");
}

#[test]
fn what_is_broken_is_refused_with_its_line_while_the_version_before_answers() {
    let mut desk = Desk::new();
    let original = desk.on_disk();
    desk.write(&original.replacen("what = ", "whatever = ", 1));
    let line = 1 + original.lines().position(|line| line.starts_with("what = ")).unwrap();
    let page = desk.admin.get(&format!("/console/knowledge/file?path={FILE}"));
    assert!(page.body.contains(&format!("{FILE}:{line}")), "{}", page.body);
    let refused = desk.publish();
    assert_eq!(refused.status, 200);
    assert!(refused.body.contains("data-testid=\"problem\"") && refused.body.contains("zh.whatever"));
    assert_eq!(desk.on_disk(), original);
    assert!(desk.answer(QUESTION).contains(SENTENCE));
}

#[test]
fn what_somebody_else_has_changed_in_the_meantime_is_not_overwritten() {
    let mut desk = Desk::new();
    let original = desk.on_disk();
    desk.write(&original.replace(SENTENCE, NEW_SENTENCE));
    let by_git = original.replace("commonness = 55", "commonness = 54");
    fs::write(desk.knowledge.path().join(FILE), &by_git).unwrap();
    let refused = desk.publish();
    assert!(refused.body.contains("data-testid=\"conflicts\"") && refused.body.contains("+ commonness = 54"));
    assert_eq!(desk.on_disk(), by_git);
    let insisted = desk.admin.submit("/console/knowledge/draft/insist", &[("path", FILE)]);
    assert_eq!(insisted.status, 303);
    desk.assert_published();
    assert!(desk.on_disk().contains("commonness = 55") && desk.on_disk().contains(NEW_SENTENCE));
}

#[test]
fn a_preview_asks_what_was_asked_and_an_import_is_a_dry_run_first() {
    let mut desk = Desk::new();
    let original = desk.on_disk();
    desk.answer("班车几点发");
    let list = "entry_id\tphrasing\npull-group-full\t班车几点发\n";
    let form = [("format", "tsv"), ("text", list)];
    let planned = desk.admin.submit("/console/knowledge/import", &form);
    assert!(planned.body.contains("data-testid=\"plan\""), "{}", planned.body);
    let draft = desk.admin.get("/console/knowledge/draft");
    assert!(
        draft.body.contains("data-testid=\"nothing\""),
        "a dry run changes nothing"
    );
    let confirmed = [&form[..], &[("confirmed", "yes")]].concat();
    assert_eq!(desk.admin.submit("/console/knowledge/import", &confirmed).status, 303);
    assert_eq!(desk.admin.submit("/console/knowledge/draft/trial", &[]).status, 303);
    let mut shown = String::new();
    wait_until("the trial", || {
        shown = desk.admin.get("/console/knowledge/draft").body;
        shown.contains("data-testid=\"report\"")
    });
    assert!(
        shown.contains("data-testid=\"changed\"") && shown.contains("班车几点发"),
        "{shown}"
    );
    let tried = desk
        .admin
        .get("/console/knowledge/try?question=%E7%8F%AD%E8%BD%A6%E5%87%A0%E7%82%B9%E5%8F%91");
    assert!(tried.body.contains("data-testid=\"tried-draft\""), "{}", tried.body);
    assert_eq!(desk.on_disk(), original);
}

#[test]
fn what_was_not_answered_is_taken_up_from_its_cluster_and_not_listed_any_more() {
    let mut desk = Desk::new();
    for question in [
        "打印机连不上，分机 13800138000",
        "公司打印机连不上",
        "打印机连不上怎么弄",
    ] {
        desk.answer(question);
    }
    desk.answer("食堂的菜太咸");
    let mut list = desk.admin.get("/console/unanswered");
    wait_until("the list", || {
        list = desk.admin.get("/console/unanswered");
        !list.body.contains("data-testid=\"soon\"")
    });
    assert_eq!(list.body.matches("data-testid=\"cluster\"").count(), 2, "{}", list.body);
    assert!(
        list.body.contains("<strong>3</strong>") && list.body.contains("3 人"),
        "{}",
        list.body
    );
    assert!(list.body.contains("打印机连不上，分机") && !list.body.contains("13800138000"));
    let cluster = format!("/console/unanswered/{}", list.between("/console/unanswered/", "\""));
    let shown = desk.admin.get(&cluster);
    assert_eq!(shown.body.matches("data-testid=\"text\"").count(), 3, "{}", shown.body);
    let nothing = desk.admin.submit(&cluster, &[("what", "outside"), ("text-1", "x")]);
    assert!(nothing.body.contains("data-testid=\"problem\""), "nothing is marked");
    let take = [
        ("what", "outside"),
        ("take-1", "yes"),
        ("text-1", "打印机连不上，分机"),
        ("take-2", "yes"),
        ("text-2", "公司打印机连不上"),
        ("take-3", "yes"),
        ("text-3", "打印机连不上怎么弄"),
    ];
    let taken = desk.admin.submit(&cluster, &take);
    assert_eq!(
        (taken.status, taken.location()),
        (303, "/console/knowledge/draft"),
        "{}",
        taken.body
    );
    let again = desk.admin.submit(&cluster, &take);
    assert!(again.body.contains("data-testid=\"duplicates\""), "{}", again.body);
    desk.assert_published();
    let mut listed = String::new();
    wait_until("the printers to be gone", || {
        listed = desk.admin.get("/console/unanswered").body;
        !listed.contains("打印机") && !listed.contains("data-testid=\"soon\"")
    });
    assert!(listed.contains("食堂的菜"), "{listed}");
}

#[test]
fn viewers_look_and_change_nothing() {
    let mut desk = Desk::new();
    let invited = desk
        .admin
        .submit("/console/users", &[("name", "wang"), ("role", "viewer")]);
    let mut viewer = Browser::at(desk.address);
    viewer.post(&link_in(&invited.body), &[("password", PASSWORD), ("again", PASSWORD)]);
    assert!(
        viewer
            .get("/console/knowledge")
            .body
            .contains("data-testid=\"scenario\"")
    );
    assert!(
        viewer
            .get("/console/knowledge/export/csv")
            .body
            .contains("entry_id,phrasing")
    );
    for page in ["/console/knowledge/draft", "/console/knowledge/import"] {
        assert_eq!(viewer.get(page).status, 403, "{page}");
    }
    let written = viewer.submit("/console/knowledge/file", &[("path", FILE), ("text", "")]);
    assert_eq!(written.status, 403);
    assert_eq!(viewer.submit("/console/knowledge/draft/publish", &[]).status, 403);
}
