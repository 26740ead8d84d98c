//! The admin console, from outside: who gets in, who may do what, and that nothing comes out that should not.

use std::net::SocketAddr;

use jiefeng::protocol::{WireFormat, seal_callback};
use tempfile::TempDir;

use crate::browser::{Browser, Page};
use crate::platform::wait_until;
use crate::program;
use crate::server::{CORP_ID, KEY, Server, credentials_of, fresh, now, text_message};

const PASSWORD: &str = "correct horse battery staple";
const SESSION: &str = "__Host-jiefeng-session";

/// A server with a console, and nobody in it yet.
pub(crate) struct Console {
    folder: TempDir,
    pub(crate) server: Server,
    address: SocketAddr,
}

impl Console {
    fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(environment: &[(&'static str, &'static str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let usual = [
            ("JIEFENG_NOW", "2026-11-22T10:00:00+08:00"),
            ("JIEFENG__CONSOLE__LISTEN", "127.0.0.1:0"),
        ];
        let environment = [&usual, environment].concat();
        let server = Server::start_with(folder.path(), "allow_sample_credentials = true", &environment);
        server.assert_logs("/console/link/");
        let log = server.log();
        let (_, rest) = log.split_once("page=\"http://").unwrap();
        let address = rest.split_once("/console").unwrap().0.parse().unwrap();
        Self {
            folder,
            server,
            address,
        }
    }

    fn browser(&self) -> Browser {
        Browser::at(self.address)
    }

    fn first_link(&self) -> String {
        path_of(&self.server.log())
    }

    /// `root`, signed in.
    pub(crate) fn admin(&self) -> Browser {
        let mut browser = self.browser();
        let made = browser.post(
            &self.first_link(),
            &[("name", "root"), ("password", PASSWORD), ("again", PASSWORD)],
        );
        assert_eq!((made.status, made.location()), (303, "/console"), "{}", made.body);
        browser
    }

    /// Somebody whom the admin has invited, signed in.
    pub(crate) fn invited(&self, admin: &mut Browser, name: &str, role: &str) -> Browser {
        let invited = admin.submit("/console/users", &[("name", name), ("role", role)]);
        assert_eq!(invited.status, 200, "{}", invited.body);
        let mut browser = self.browser();
        let chosen = browser.post(&path_of(&invited.body), &[("password", PASSWORD), ("again", PASSWORD)]);
        assert_eq!(chosen.status, 303, "{}", chosen.body);
        browser
    }

    pub(crate) fn sign_in(&self, browser: &mut Browser, name: &str, password: &str) -> Page {
        browser.post(
            "/console/login",
            &[("name", name), ("password", password), ("back", "/console/messages")],
        )
    }
}

/// The path of the first one-time link in a text.
fn path_of(text: &str) -> String {
    let (_, rest) = text
        .split_once("/console/link/")
        .unwrap_or_else(|| panic!("no link in\n{text}"));
    let is_of_token = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let token: String = rest.chars().take_while(|letter| is_of_token(*letter)).collect();
    format!("/console/link/{token}")
}

#[test]
fn a_one_time_link_makes_the_first_admin_and_no_second() {
    let console = Console::start();
    let link = console.first_link();
    let mut browser = console.browser();
    assert_eq!(browser.get(&link).status, 200, "looking at it does not use it");
    let choose = |browser: &mut Browser, name: &str, password: &str, again: &str| {
        browser.post(&link, &[("name", name), ("password", password), ("again", again)])
    };
    for (name, password, again) in [
        ("root", "short", "short"),
        ("root", "password1234", "password1234"),
        ("root", PASSWORD, "something else"),
        ("two words", PASSWORD, PASSWORD),
    ] {
        let refused = choose(&mut browser, name, password, again);
        assert!(refused.body.contains("role=\"alert\""), "{name} {password}");
        assert!(!refused.body.contains(password), "{password} is shown again");
    }
    assert_eq!(choose(&mut browser, "Root", PASSWORD, PASSWORD).location(), "/console");
    assert!(browser.get("/console").body.contains(">root<"));
    let mut another = console.browser();
    assert_eq!(choose(&mut another, "eve", PASSWORD, PASSWORD).status, 404);
    assert_eq!(another.get(&link).status, 404);
    assert_eq!(another.get("/console/link/AAAA").status, 404);
    assert!(another.cookies.is_empty());
}

#[test]
fn links_can_be_had_on_the_command_line() {
    let console = Console::start();
    let config = console.folder.path().join("jiefeng.toml");
    let link = |more: &[&str]| {
        let arguments = [&["console", "link", "--config", config.to_str().unwrap()], more].concat();
        let mut command = program::jiefeng(&arguments);
        command.env("JIEFENG__CONSOLE__LISTEN", console.address.to_string());
        program::Ran::from(command.output().unwrap())
    };
    let first = link(&[]);
    assert_eq!(first.status, 0, "{}", first.err);
    assert!(
        first
            .out
            .starts_with(&format!("http://{}/console/link/", console.address)),
        "{}",
        first.out
    );
    let mut browser = console.browser();
    let fields = [("name", "root"), ("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(browser.post(&path_of(&first.out), &fields).status, 303);
    assert_eq!(link(&[]).status, 2, "there is an admin");
    assert_eq!(link(&["--user", "nobody"]).status, 2);
    let reset = link(&["--user", "root"]);
    let mut another = console.browser();
    let fields = [
        ("password", "another long passphrase"),
        ("again", "another long passphrase"),
    ];
    assert_eq!(another.post(&path_of(&reset.out), &fields).status, 303);
    assert_eq!(browser.get("/console").status, 303, "the session before has ended");
    assert!(another.get("/console/audit").body.contains("(command line)"));
}

/// Every page and form, with who may use it.
const ROUTES: [(&str, &str, &str); 34] = [
    ("GET", "/console", "viewer"),
    ("GET", "/console/messages", "viewer"),
    (
        "GET",
        "/console/messages/000000000000000000000000000000000000000000",
        "viewer",
    ),
    (
        "POST",
        "/console/messages/000000000000000000000000000000000000000000/unmasked",
        "admin",
    ),
    ("POST", "/console/messages/export", "viewer"),
    ("GET", "/console/unanswered", "viewer"),
    (
        "GET",
        "/console/unanswered/000000000000000000000000000000000000000000",
        "viewer",
    ),
    (
        "POST",
        "/console/unanswered/000000000000000000000000000000000000000000",
        "editor",
    ),
    ("GET", "/console/appeals", "viewer"),
    ("POST", "/console/appeals/1/person", "admin"),
    ("GET", "/console/dead-letters", "editor"),
    ("POST", "/console/dead-letters/r1/content", "editor"),
    ("POST", "/console/dead-letters/r1/requeue", "editor"),
    ("POST", "/console/dead-letters/r1/discard", "editor"),
    ("GET", "/console/doctor", "editor"),
    ("GET", "/console/settings", "editor"),
    ("POST", "/console/settings", "admin"),
    ("POST", "/console/settings/calendar", "editor"),
    ("POST", "/console/settings/thresholds", "editor"),
    ("GET", "/console/person", "admin"),
    ("POST", "/console/person", "admin"),
    ("POST", "/console/person/export", "admin"),
    ("POST", "/console/person/erase", "admin"),
    ("GET", "/console/users", "admin"),
    ("POST", "/console/users", "admin"),
    ("POST", "/console/users/999/role", "admin"),
    ("POST", "/console/users/999/access", "admin"),
    ("POST", "/console/users/999/link", "admin"),
    ("POST", "/console/users/999/sessions", "admin"),
    ("GET", "/console/audit", "admin"),
    ("GET", "/console/account", "viewer"),
    ("POST", "/console/account/password", "viewer"),
    ("POST", "/console/account/second-factor/new", "viewer"),
    ("POST", "/console/account/second-factor", "viewer"),
];

#[test]
fn every_page_and_form_is_for_whoever_has_the_role() {
    let console = Console::start();
    let mut admin = console.admin();
    let mut editor = console.invited(&mut admin, "editor", "editor");
    let mut viewer = console.invited(&mut admin, "viewer", "viewer");
    let roles = ["viewer", "editor", "admin"];
    let rank = |role: &str| roles.iter().position(|other| *other == role).unwrap();
    let fields = [
        ("name", "x y"),
        ("role", "viewer"),
        ("allowed", "yes"),
        ("current", "x"),
        ("password", "x"),
        ("again", "x"),
        ("section", "retention"),
        ("notice", "x"),
        ("user_id", "x"),
    ];
    for (method, path, demanded) in ROUTES {
        for (role, browser) in [("viewer", &mut viewer), ("editor", &mut editor), ("admin", &mut admin)] {
            let page = match method {
                "GET" => browser.get(path),
                _ => browser.submit(path, &fields),
            };
            let is_allowed = page.status != 403;
            assert_eq!(
                is_allowed,
                rank(role) >= rank(demanded),
                "{role}: {method} {path}: {}",
                page.status
            );
        }
        let mut nobody = console.browser();
        let page = match method {
            "GET" => nobody.get(path),
            _ => nobody.post(path, &fields),
        };
        let is_refused = page.status == 403 || page.location().starts_with("/console/login");
        assert!(is_refused, "nobody: {method} {path}: {}", page.status);
    }
    let navigation = viewer.get("/console").body;
    assert!(!navigation.contains("/console/users") && !navigation.contains("/console/dead-letters"));
}

#[test]
fn only_forms_that_the_console_has_shown_in_this_session_do_anything() {
    let console = Console::start();
    let mut admin = console.admin();
    let mut viewer = console.invited(&mut admin, "viewer", "viewer");
    let fields = |token: &str| {
        [
            ("form_token", token.to_owned()),
            ("name", "li".to_owned()),
            ("role", "admin".to_owned()),
        ]
    };
    let post = |browser: &mut Browser, token: &str| {
        let fields = fields(token);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post("/console/users", &fields).status
    };
    let own = admin.get("/console/account").form_token();
    let of_another = viewer.get("/console/account").form_token();
    assert_eq!(post(&mut admin, ""), 403);
    assert_eq!(post(&mut admin, &of_another), 403);
    admin.fetch_site = "cross-site";
    assert_eq!(post(&mut admin, &own), 403);
    assert_eq!(console.sign_in(&mut admin, "root", PASSWORD).status, 403);
    admin.fetch_site = "same-origin";
    assert!(!admin.get("/console/users").body.contains(">li<"));
    assert_eq!(post(&mut admin, &own), 200);
    assert!(admin.get("/console/users").body.contains(">li<"));
}

#[test]
fn a_session_ends_when_somebody_signs_out_is_disabled_or_has_another_role() {
    let console = Console::start();
    let mut admin = console.admin();
    let mut li = console.invited(&mut admin, "li", "editor");
    let stolen = li.clone();
    let is_in = |browser: &Browser| browser.clone().get("/console").status == 200;
    assert_eq!(li.submit("/console/logout", &[]).location(), "/console/login");
    assert!(!li.cookies.contains_key(SESSION));
    assert!(!is_in(&stolen), "a copied cookie is worth nothing any more");

    assert_eq!(console.sign_in(&mut li, "LI", PASSWORD).location(), "/console/messages");
    let mut elsewhere = console.browser();
    console.sign_in(&mut elsewhere, "li", PASSWORD);
    assert_ne!(li.cookies[SESSION], elsewhere.cookies[SESSION]);
    let fields = [
        ("current", PASSWORD),
        ("password", "another long passphrase"),
        ("again", "another long passphrase"),
    ];
    assert_eq!(li.submit("/console/account/password", &fields).status, 200);
    assert!(is_in(&li) && !is_in(&elsewhere));
    assert_eq!(console.sign_in(&mut elsewhere, "li", PASSWORD).status, 401);

    let users = admin.get("/console/users");
    let (_, row) = users.body.split_once(">li<").unwrap();
    let number = row.split_once("/console/users/").unwrap().1.split_once('/').unwrap().0;
    let of_li = |what: &str| format!("/console/users/{number}/{what}");
    assert_eq!(admin.submit(&of_li("role"), &[("role", "viewer")]).status, 303);
    assert!(!is_in(&li));
    console.sign_in(&mut li, "li", "another long passphrase");
    assert!(is_in(&li));
    assert_eq!(admin.submit(&of_li("access"), &[("allowed", "no")]).status, 303);
    assert!(!is_in(&li));
    assert_eq!(console.sign_in(&mut li, "li", "another long passphrase").status, 401);
    let oneself = admin.submit("/console/users/1/access", &[("allowed", "no")]);
    assert!(
        oneself.body.contains("role=\"alert\"") && is_in(&admin),
        "the last admin stays"
    );
}

/// The one-time code of a moment, worked out with another library than the program does.
fn code_at(secret: &str, second: i64) -> String {
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let hash = ring::hmac::sign(&key, &(second / 30).to_be_bytes());
    let offset = usize::from(hash.as_ref()[19] & 0x0f);
    let four: [u8; 4] = hash.as_ref()[offset..offset + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

#[test]
fn whoever_has_switched_one_time_codes_on_signs_in_with_each_of_them_once() {
    let console = Console::start();
    let mut admin = console.admin();
    let shown = admin.submit("/console/account/second-factor/new", &[]);
    let secret = shown.between("data-testid=\"secret\">", "<").to_owned();
    let set = |admin: &mut Browser, code: &str, password: &str| {
        let fields = [("secret", secret.as_str()), ("code", code), ("current", password)];
        admin.submit("/console/account/second-factor", &fields).status
    };
    let now = crate::server::now();
    let right = code_at(&secret, now);
    assert_eq!(set(&mut admin, "000000x", PASSWORD), 200);
    assert_eq!(set(&mut admin, &right, "wrong password 123"), 200);
    assert_eq!(set(&mut admin, &right, PASSWORD), 303);
    let sign_in = |code: &str| {
        let fields = [("name", "root"), ("password", PASSWORD), ("code", code)];
        console.browser().post("/console/login", &fields).status
    };
    assert_eq!(sign_in(""), 401);
    assert_eq!(sign_in(&right), 401, "it was used to switch them on");
    let next = code_at(&secret, now + 30);
    assert_eq!(sign_in(&next), 303);
    assert_eq!(sign_in(&next), 401, "each once");
    let off = admin.submit("/console/account/second-factor", &[("current", PASSWORD)]);
    assert_eq!(
        off.status, 200,
        "a password that somebody else knows does not switch them off"
    );
    assert_eq!(sign_in(""), 401);
    let config = console.folder.path().join("jiefeng.toml");
    let mut command = program::jiefeng(&[
        "console",
        "link",
        "--config",
        config.to_str().unwrap(),
        "--user",
        "root",
    ]);
    command.env("JIEFENG__CONSOLE__LISTEN", console.address.to_string());
    let link = program::Ran::from(command.output().unwrap());
    let mut browser = console.browser();
    let chosen = browser.post(&path_of(&link.out), &[("password", PASSWORD), ("again", PASSWORD)]);
    assert_eq!(chosen.status, 303, "{}", chosen.body);
    assert_eq!(sign_in(""), 303, "the phone may be lost: a new link switches them off");
}

#[test]
fn the_session_cookie_is_for_this_host_alone_and_no_script_reads_it() {
    let console = Console::start();
    let mut browser = console.browser();
    let made = browser.post(
        &console.first_link(),
        &[("name", "root"), ("password", PASSWORD), ("again", PASSWORD)],
    );
    let cookies: Vec<&str> = made
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for attribute in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

#[test]
fn every_response_has_the_headers_that_keep_pages_to_themselves() {
    let console = Console::start();
    let mut admin = console.admin();
    let style = admin.get("/console").between("stylesheet\" href=\"", "\"").to_owned();
    let mut nobody = console.browser();
    let mut foreign = console.browser();
    foreign.fetch_site = "cross-site";
    let pages = [
        admin.get("/console"),
        admin.get("/nowhere"),
        admin.get("/console/messages/zz"),
        admin.get("/console/users/x/role"),
        admin.get(&style),
        admin.submit("/console/messages/export", &[]),
        nobody.get("/console"),
        nobody.get("/console/login"),
        nobody.post("/console/login", &[("nothing", "at all")]),
        foreign.post("/console/login", &[]),
    ];
    let statuses: Vec<u16> = pages.iter().map(|page| page.status).collect();
    assert_eq!(statuses, [200, 404, 404, 404, 200, 200, 303, 200, 400, 403]);
    for page in &pages {
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        assert!(page.header("cache-control").is_some());
        let is_html = page
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"));
        assert!(
            !is_html
                || !(page.body.contains("style=\"") || page.body.contains("onclick") || page.body.contains("<style"))
        );
    }
    assert_eq!(pages[0].header("cache-control"), Some("no-store"));
    assert_eq!(
        pages[4].header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    let tag = pages[4].header("etag").unwrap();
    assert_eq!(admin.get_with(&style, &format!("If-None-Match: {tag}\r\n")).status, 304);
}

const HOSTILE: &str = "加好友<script>alert(1)</script>\"'><img src=x onerror=alert(2)>频繁";

#[test]
fn what_employees_write_is_text_on_every_page() {
    let console = Console::start();
    let mut admin = console.admin();
    console.server.says("LiXiaoyu", 1, HOSTILE);
    let found = admin.get("/console/messages?text=%22%3E%3Cscript%3E");
    assert!(!found.body.contains("<script>"), "what is looked for");
    let list = admin.get("/console/messages");
    let id = list.between("href=\"/console/messages/", "\"").to_owned();
    assert_eq!(id.len(), 42, "{id}");
    let page = admin.get(&format!("/console/messages/{id}"));
    for page in [&list, &page, &found] {
        assert!(
            !page.body.contains("<script>") && !page.body.contains("<img"),
            "{}",
            page.body
        );
    }
    assert!(page.body.contains("&#60;script&#62;alert(1)"), "{}", page.body);
    assert!(admin.get("/console/login?back=https://example.com/").location() == "/console");
}

#[test]
fn numbers_and_ids_are_masked_until_an_admin_looks_and_that_is_noted() {
    let console = Console::start();
    let mut admin = console.admin();
    let mut viewer = console.invited(&mut admin, "viewer", "viewer");
    console.server.says("LiXiaoyu", 1, "手机13800138000被封了加不了好友");
    console.server.says("zhangsan", 2, "11月18号提交了申诉");
    console.server.says("zhangsan", 3, "好");
    let list = viewer.get("/console/messages?text=%E6%89%8B%E6%9C%BA");
    let id = list.between("href=\"/console/messages/", "\"").to_owned();
    let path = format!("/console/messages/{id}");
    let exported = viewer.submit("/console/messages/export", &[]);
    for page in [&list, &viewer.get(&path), &admin.get(&path), &exported] {
        assert!(
            !page.body.contains("13800138000") && page.body.contains("1•••"),
            "{}",
            page.body
        );
    }
    assert_eq!(
        viewer.submit("/console/messages/export", &[("unmasked", "yes")]).status,
        403
    );
    assert!(
        admin
            .submit(&format!("{path}/unmasked"), &[])
            .body
            .contains("13800138000")
    );
    let whole = admin.submit("/console/messages/export", &[("unmasked", "yes")]);
    assert!(whole.body.contains("13800138000"));

    let appeals = viewer.get("/console/appeals").body;
    assert!(appeals.contains("zh•••") && !appeals.contains("zhangsan"), "{appeals}");
    assert!(admin.submit("/console/appeals/1/person", &[]).body.contains("zhangsan"));
    let audit = admin.get("/console/audit").body;
    for noted in [&id, "messages, unmasked", "看申诉人的账号"] {
        assert!(audit.contains(noted), "{noted} is not in\n{audit}");
    }
    assert!(!audit.contains("13800138000") && !audit.contains("zhangsan"));
}

#[test]
fn an_exported_file_has_no_formula() {
    let console = Console::start();
    let mut admin = console.admin();
    console
        .server
        .says("LiXiaoyu", 1, "=HYPERLINK(\"http://example.com\",\"加好友\")频繁");
    let exported = admin.submit("/console/messages/export", &[]);
    assert_eq!(exported.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(
        exported
            .header("content-disposition")
            .unwrap()
            .starts_with("attachment")
    );
    assert!(
        exported.body.starts_with("\u{feff}time,app,person,text,"),
        "{}",
        exported.body
    );
    assert!(exported.body.contains("\"'=HYPERLINK("), "{}", exported.body);
    assert!(
        !exported.body.contains("\n=") && !exported.body.contains(",="),
        "{}",
        exported.body
    );
    assert_eq!(exported.body.lines().count(), 2);
}

#[test]
fn signing_in_cannot_be_tried_without_end_and_nobody_is_locked_out_by_it() {
    let console = Console::start();
    let mut owner = console.admin();
    owner.submit("/console/logout", &[]);
    let mut guesser = console.browser();
    for known in ["root", "nobody-has-this-name"] {
        for _ in 0..10 {
            let refused = console.sign_in(&mut guesser, known, "a wrong password");
            assert_eq!(refused.status, 401);
            assert!(refused.body.contains("用户名、密码或验证码不对"));
        }
        let refused = console.sign_in(&mut guesser, known, PASSWORD);
        assert_eq!(refused.status, 429, "{known}");
        assert!(refused.header("retry-after").is_some());
    }
    assert_eq!(
        console.sign_in(&mut owner, "root", PASSWORD).status,
        303,
        "from the browser that is known"
    );
    let audit = owner.get("/console/audit").body;
    assert!(
        audit.matches("登录失败").count() == 10 && !audit.contains("nobody-has-this-name"),
        "{audit}"
    );
}

#[test]
fn what_cannot_be_answered_is_put_back_or_discarded_and_both_are_noted() {
    let console = Console::start();
    let mut admin = console.admin();
    let mut editor = console.invited(&mut admin, "editor", "editor");
    let unreadable = "<xml><FromUserName><![CDATA[LiXiaoyu]]></FromUserName><MsgType><![CDATA[text]]></MsgType>\
                      <Content><![CDATA[没有编号13800138000<b>]]></Content></xml>";
    let delivered = console
        .server
        .deliver(jiefeng::protocol::WireFormat::Xml, unreadable, 1);
    assert_eq!(delivered.status, 200);
    let list = editor.get("/console/dead-letters").body;
    assert!(list.contains("id=\"r1\"") && !list.contains("没有编号"), "{list}");
    assert!(
        editor.get("/console").body.contains("/console/dead-letters"),
        "the overview says so"
    );
    let shown = editor.submit("/console/dead-letters/r1/content", &[]).body;
    assert!(
        shown.contains("没有编号1•••") && !shown.contains("<b>") && !shown.contains("LiXiaoyu"),
        "{shown}"
    );
    assert!(
        admin
            .submit("/console/dead-letters/r1/content", &[])
            .body
            .contains("13800138000")
    );
    assert_eq!(editor.submit("/console/dead-letters/r1/discard", &[]).status, 303);
    assert_eq!(editor.submit("/console/dead-letters/r1/requeue", &[]).status, 404);
    assert!(editor.get("/console/dead-letters").body.contains("没有死信"));
    let audit = admin.get("/console/audit").body;
    assert_eq!(audit.matches("看死信内容").count(), 2, "{audit}");
    assert!(audit.contains("丢弃死信") && !audit.contains("没有编号"), "{audit}");
}

#[test]
fn refused_callbacks_need_attention_until_a_genuine_one_comes() {
    let console = Console::start();
    let mut admin = console.admin();
    let mut needs_attention = || admin.get("/console").body.contains("回调有 1 处问题");
    assert!(!needs_attention());
    let stranger = credentials_of("AnotherToken", KEY, CORP_ID);
    let message = text_message("LiXiaoyu", 1, "加不了好友");
    let sealed = seal_callback(&stranger, WireFormat::Xml, &message, "1000002", &fresh(1, now()));
    assert_eq!(console.server.post(&sealed.query, &sealed.body).status, 403);
    wait_until("the refusal on the overview", &mut needs_attention);
    console.server.says("LiXiaoyu", 2, "加不了好友");
    wait_until("the genuine callback", || !needs_attention());
}

#[test]
fn pages_are_there_in_both_languages_and_small() {
    let console = Console::start();
    let mut admin = console.admin();
    for number in 1..=60 {
        console.server.says("LiXiaoyu", number, "加好友太频繁，加不了人了");
    }
    let largest = std::fs::read_dir("knowledge/scenarios").unwrap().flatten();
    let largest = largest.max_by_key(|file| file.metadata().unwrap().len()).unwrap();
    let scenario = format!(
        "/console/knowledge/file?path=scenarios/{}",
        largest.file_name().to_str().unwrap()
    );
    let paths = [
        "/console",
        "/console/messages",
        "/console/appeals",
        "/console/dead-letters",
        "/console/doctor",
        "/console/settings",
        "/console/person",
        "/console/users",
        "/console/audit",
        "/console/account",
        "/console/knowledge",
        "/console/knowledge/draft",
        "/console/knowledge/versions",
        "/console/knowledge/import",
        "/console/knowledge/file?path=scenarios/avoid-restriction.toml",
        &scenario,
        "/console/knowledge/file?path=outside.toml",
        "/console/knowledge/file?path=smalltalk.toml",
        "/console/knowledge/try?question=%E7%BE%A4%E6%BB%A1",
    ];
    let chinese = paths.map(|path| admin.get(path));
    assert_eq!(
        admin.get("/console/language/en?back=/console/appeals").location(),
        "/console/appeals"
    );
    let english = paths.map(|path| admin.get(path));
    for (path, (chinese, english)) in paths.iter().zip(chinese.iter().zip(&english)) {
        assert!(chinese.body.contains("<html lang=\"zh-CN\">") && english.body.contains("<html lang=\"en\">"));
        for page in [chinese, english] {
            assert_eq!(page.status, 200, "{path}");
            assert!(page.body.len() < 100_000, "{path} has {} bytes", page.body.len());
            assert!(
                !page.body.contains(">?<") && !page.body.contains("> ?<"),
                "{path} lacks a word"
            );
        }
    }
    assert!(english[0].body.contains("Questions per day") && chinese[0].body.contains("每天的问题"));
}
