//! What admins set and do besides the knowledge: settings, the workday calendar, notices, and the data of one person.

use serde_json::Value;

use crate::console::Console;
use crate::platform::{World, wait_until, words};
use crate::server::{CORP_ID, now};

/// As the State Council words it; the days are made up.
const NOTICE: &str = "经国务院批准，现将2027年元旦、春节放假调休日期的具体安排通知如下。\n一、元旦：1月1日（周五）至3日（周日）放假调休，共3天。\n\
    二、春节：2月5日（农历除夕、周五）至11日（周四）放假调休，共7天。1月31日（周日）、2月20日（周六）上班。";

#[test]
fn what_is_set_in_the_console_is_in_force_and_can_be_taken_back() {
    let console = Console::start_with(&[]);
    let mut admin = console.admin();
    let hours = |hours: &'static str| {
        [
            ("section", "duty"),
            ("hand_over.hours", hours),
            ("hand_over.business_days_only", "true"),
        ]
    };
    let saved = admin.submit("/console/settings", &hours("08:30-20:00"));
    assert_eq!((saved.status, saved.location()), (303, "/console/settings?saved=duty"));
    console.server.assert_logs("the settings of the console are in force");
    let page = admin.get("/console/settings?saved=duty").body;
    assert!(
        page.contains("value=\"8:30-20:00\"") && page.contains("data-testid=\"saved\""),
        "{page}"
    );
    let refused = admin.submit("/console/settings", &hours("20:00-8:30")).body;
    assert!(refused.contains("data-testid=\"problem\"") && refused.contains("value=\"20:00-8:30\""));
    let page = admin.get("/console/settings").body;
    assert!(
        page.contains("value=\"8:30-20:00\""),
        "what was refused has changed nothing"
    );
    admin.submit("/console/settings", &hours(""));
    assert!(!admin.get("/console/settings").body.contains("8:30-20:00"));
    let mut editor = console.invited(&mut admin, "editor", "editor");
    assert!(
        !editor
            .get("/console/settings")
            .body
            .contains("data-testid=\"save-duty\"")
    );
    assert!(admin.get("/console/audit").body.contains("改设置"));
}

#[test]
fn what_the_configuration_says_the_console_cannot_change() {
    let console = Console::start_with(&[("JIEFENG__STORAGE__RETENTION_DAYS", "30")]);
    let mut admin = console.admin();
    let page = admin.get("/console/settings").body;
    assert!(page.contains("由配置里的 storage.retention_days 决定"), "{page}");
    assert!(!page.contains("data-testid=\"save-retention\""));
    let fields = [("section", "retention"), ("storage.retention_days", "90")];
    assert_eq!(admin.submit("/console/settings", &fields).status, 303);
    assert!(!admin.get("/console/settings").body.contains("value=\"90\""));
    let fields = [
        ("section", "notices"),
        ("notices.app", "support"),
        ("notices.users", "li"),
    ];
    let refused = admin.submit("/console/settings", &fields).body;
    assert!(refused.contains("data-testid=\"problem\""), "the app has no Secret");
}

#[test]
fn the_notice_of_next_years_days_off_goes_into_the_draft_once_it_agrees_with_the_calendar() {
    let console = Console::start_with(&[("JIEFENG_NOW", "2026-12-01T10:00:00+08:00")]);
    let mut admin = console.admin();
    assert!(admin.get("/console").body.contains("工作日历没有 2027 年的安排"));
    let wrong = NOTICE.replace("1月1日（周五）", "1月1日（周四）");
    let refused = admin.submit("/console/settings/calendar", &[("notice", &wrong)]).body;
    assert!(refused.contains("2027-01-01 不是“周四”"), "{refused}");
    let taken = admin.submit("/console/settings/calendar", &[("notice", NOTICE)]);
    assert_eq!((taken.status, taken.location()), (303, "/console/knowledge/draft"));
    let draft = admin.get("/console/knowledge/draft").body;
    assert!(
        draft.contains("workdays/2027.toml") && draft.contains("2027-02-11"),
        "{draft}"
    );
    assert!(draft.contains("make_up_workdays = [2027-01-31, 2027-02-20]"), "{draft}");
    let set = admin.submit("/console/settings/thresholds", &[("answer", "61"), ("ask_back", "53")]);
    assert_eq!(set.location(), "/console/knowledge/draft");
    let draft = admin.get("/console/knowledge/draft").body;
    assert!(draft.contains("answer = 61"), "{draft}");
}

#[test]
fn a_person_gets_what_is_kept_of_them_and_has_it_erased() {
    let console = Console::start_with(&[]);
    let mut admin = console.admin();
    console.server.says("LiXiaoyu", 1, "群满了拉不进人");
    console.server.says("WangWu", 2, "加好友太频繁");
    // WeCom writes ids in any case.
    let li = [("user_id", " lixiaoyu ")];
    let found = admin.submit("/console/person", &li).body;
    assert!(found.contains("<dt>问题</dt><dd>1</dd>"), "{found}");
    let file = admin.submit("/console/person/export", &li);
    let file: Value = serde_json::from_str(&file.body).unwrap();
    let question = &file["records"][0]["questions"][0];
    assert_eq!(question["question"]["text"], "群满了拉不进人");
    assert!(
        question["reply"].as_str().is_some_and(|reply| reply.contains("500")),
        "{file}"
    );
    let unsure = admin.submit("/console/person/erase", &li).body;
    assert!(unsure.contains("什么都没有删"), "{unsure}");
    let erased = admin.submit("/console/person/erase", &[("user_id", "lixiaoyu"), ("sure", "yes")]);
    assert!(erased.body.contains("data-testid=\"erased\""), "{}", erased.body);
    let found = admin.submit("/console/person", &li).body;
    assert!(found.contains("没有这个人的数据"), "{found}");
    let messages = admin.get("/console/messages").body;
    assert!(messages.contains("加好友太频繁") && !messages.contains("群满了拉不进人"));
    let audit = admin.get("/console/audit").body;
    assert!(
        audit.contains("删除成员数据") && !audit.to_lowercase().contains("lixiaoyu"),
        "{audit}"
    );
}

/// The question of a member, made now.
fn question(user: &str, number: u64) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>{}</CreateTime><MsgType>text</MsgType><Content><![CDATA[加好友太频繁]]></Content>\
         <MsgId>{number}</MsgId><AgentID>1000002</AgentID></xml>",
        now()
    )
}

#[test]
fn several_people_with_one_restriction_are_one_notice_to_the_admin() {
    let mut world = World::new("");
    let notices = [
        ("JIEFENG__NOTICES__APP", "support"),
        ("JIEFENG__NOTICES__USERS", "LiXiaoyu"),
    ];
    world.start_server(&notices);
    world.control(
        "member/write",
        serde_json::json!({ "member": "LiXiaoyu", "text": "加好友太频繁" }),
    );
    for (number, user) in (1..).zip(["a", "b", "c", "d", "d"]) {
        assert_eq!(world.deliver(&question(user, number), number), 200);
    }
    // A server that starts looks at once.
    world.kill_server();
    world.start_server(&notices);
    let told = || -> Vec<String> {
        let seen = world.seen_by_member("LiXiaoyu");
        seen.iter()
            .map(words)
            .filter(|text| text.contains("位成员遇到同一种限制"))
            .collect()
    };
    wait_until("the notice", || !told().is_empty());
    assert!(told()[0].contains("5 位成员"), "{:?}", told());
}
