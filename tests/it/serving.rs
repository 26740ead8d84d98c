//! The real server, from outside: genuine callbacks, repeated ones, crashes.

use std::time::Duration;

use jiefeng::protocol::{WireFormat, open_reply, seal_verification};
use tempfile::TempDir;

use crate::dialogues::{self, Line};
use crate::server::{CORP_ID, KEY, Server, TOKEN, credentials, fresh, message, now, text_of};

#[test]
fn a_url_verification_is_answered_with_the_bare_plaintext() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let sealed = seal_verification(&credentials(), "1616140317555161061", &fresh(1, now()));
    let response = server.get(&format!("/callback/support?{}", sealed.query));
    assert_eq!((response.status, response.body.as_str()), (200, "1616140317555161061"));
    server.assert_logs("verified app=\"support\"");
}

#[test]
fn a_question_gets_the_right_answer_in_the_same_response() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let plaintext = server.says("LiXiaoyu", 1, "被投诉了群里发不了消息");
    let text = text_of(&plaintext);
    assert!(
        text.contains("若今天（11月22日 周日）提交，预计 11月25日（周三）至 12月1日（周二）有处理结果"),
        "{text}"
    );
    assert!(text.len() <= 2048);
    assert!(
        plaintext.contains("<ToUserName><![CDATA[LiXiaoyu]]></ToUserName>"),
        "{plaintext}"
    );
    assert!(
        plaintext.contains(&format!("<FromUserName><![CDATA[{CORP_ID}]]></FromUserName>")),
        "{plaintext}"
    );
}

#[test]
fn json_is_answered_in_json() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let plaintext = format!(
        "{{\"ToUserName\":\"{CORP_ID}\",\"FromUserName\":\"LiXiaoyu\",\"CreateTime\":1795312800,\"MsgType\":\"text\",\
         \"Content\":\"加好友太频繁，加不了人了\",\"MsgId\":77,\"AgentID\":1000002}}"
    );
    let response = server.deliver(WireFormat::Json, &plaintext, 77);
    assert!(
        response.headers.contains("content-type: application/json"),
        "{}",
        response.headers
    );
    let reply = open_reply(&credentials(), &response.body).unwrap();
    assert!(reply.starts_with('{') && text_of(&reply).contains("24 小时"), "{reply}");
}

#[test]
fn a_conversation_goes_on_over_several_messages() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let offered = text_of(&server.says("LiXiaoyu", 1, "进不了群"));
    assert!(offered.contains("【1】") && offered.contains("【2】"), "{offered}");
    let answer = text_of(&server.says("LiXiaoyu", 2, "第一个"));
    assert!(answer.contains("怎么回事"), "{answer}");
    let other = text_of(&server.says("WangWei", 3, "1"));
    assert!(
        !other.contains("怎么回事"),
        "another person's conversation was continued: {other}"
    );
    let thanks = text_of(&server.says("lixiaoyu", 4, "多久"));
    assert!(thanks.starts_with("多久："), "{thanks}");
}

#[test]
fn a_followed_appeal_is_listed_while_the_server_runs() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    server.says("zhangsan", 1, "11月18号提交了申诉");
    server.says("zhangsan", 2, "好");
    let config = folder.path().join("jiefeng.toml");
    let list = |extra: &[&str]| {
        let arguments = [&["appeals", "--config", config.to_str().unwrap()], extra].concat();
        crate::program::run(&arguments)
    };
    let ran = list(&[]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(
        ran.out.contains("support\tzh…\tappeal-progress\tsubmitted 2026-11-18"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("zhangsan"), "{}", ran.out);
    server.says("zhangsan", 3, "取消");
    assert_eq!(list(&[]).out, "");
    server.says("zhangsan", 4, "群满500人拉不了客户");
    server.says("zhangsan", 5, "有用");
    assert_eq!(list(&["--ratings"]).out, "pull-group-full\tuseful\t1\n");
}

#[test]
fn scripted_conversations_go_the_same_through_the_running_server() {
    let folder = TempDir::new().unwrap();
    let server = Server::start_with(
        folder.path(),
        "allow_sample_credentials = true",
        &[("JIEFENG_NOW", dialogues::START)],
    );
    let scripts: Vec<dialogues::Script> = dialogues::scripts()
        .into_iter()
        .filter(|script| script.through_the_server)
        .collect();
    assert!(scripts.len() >= 12, "only {} conversations", scripts.len());
    let mut message_id = 0;
    for (person, script) in scripts.iter().enumerate() {
        let user = format!("member{person}");
        let mut reply = String::new();
        for (number, line) in &script.lines {
            message_id += 1;
            match line {
                Line::Entered => {
                    let entered = "<MsgType>event</MsgType><Event>enter_agent</Event>";
                    let response = server.deliver(WireFormat::Xml, &message(&user, entered), message_id);
                    reply = text_of(&open_reply(&credentials(), &response.body).unwrap());
                }
                Line::Says(text) => reply = text_of(&server.says(&user, message_id, text)),
                Line::Holds(words) => assert!(reply.contains(words), "{}, line {number}: {reply}", script.name),
                Line::Lacks(words) => assert!(!reply.contains(words), "{}, line {number}: {reply}", script.name),
                // Decisions and actions are not seen from outside; the server's clock cannot be moved while it runs.
                Line::Decides(_) | Line::Does(_) => {}
                Line::Clock(_) => panic!("{}, line {number}: a server's clock stays", script.name),
            }
        }
    }
}

#[test]
fn a_repeated_message_gets_the_same_plaintext_and_no_second_step() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    server.says("LiXiaoyu", 1, "进不了群");
    let first = server.says("LiXiaoyu", 2, "2");
    std::thread::sleep(Duration::from_millis(1100));
    let again = server.says("LiXiaoyu", 2, "2");
    assert_eq!(first, again);
    assert_eq!(server.metric("repeated"), 1);
    assert_eq!(server.metric("answered"), 2);
}

#[test]
fn what_was_answered_is_known_after_kill_9() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let first = server.says("LiXiaoyu", 1, "被投诉了群里发不了消息");
    server.signal("-KILL");
    drop(server);
    let server = Server::start(folder.path());
    assert_eq!(server.says("LiXiaoyu", 1, "被投诉了群里发不了消息"), first);
    assert_eq!(server.metric("repeated"), 1);
    let follow_up = text_of(&server.says("LiXiaoyu", 2, "多久"));
    assert!(follow_up.starts_with("多久："), "{follow_up}");
}

#[test]
fn every_kind_of_message_gets_a_kind_reply() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let kinds = [
        (
            "<MsgType>image</MsgType><PicUrl>u</PicUrl><MediaId>m</MediaId><MsgId>1</MsgId>",
            "看不了图",
        ),
        (
            "<MsgType>voice</MsgType><MediaId>m</MediaId><Format>amr</Format><MsgId>2</MsgId>",
            "听不了",
        ),
        (
            "<MsgType>video</MsgType><MediaId>m</MediaId><ThumbMediaId>t</ThumbMediaId><MsgId>3</MsgId>",
            "视频收到了",
        ),
        (
            "<MsgType>location</MsgType><Location_X>1.5</Location_X><Location_Y>2</Location_Y><Scale>9</Scale><Label>x</Label><MsgId>4</MsgId>",
            "位置收到了",
        ),
        (
            "<MsgType>link</MsgType><Title>t</Title><Description>d</Description><Url>u</Url><PicUrl>p</PicUrl><MsgId>5</MsgId>",
            "链接",
        ),
        (
            "<MsgType>event</MsgType><Event>enter_agent</Event><EventKey></EventKey>",
            "你好",
        ),
    ];
    for (number, (kind, expected)) in (1..).zip(kinds) {
        let response = server.deliver(WireFormat::Xml, &message("LiXiaoyu", kind), number);
        let text = text_of(&open_reply(&credentials(), &response.body).unwrap());
        assert!(text.contains(expected), "{kind}: {text}");
    }
}

#[test]
fn what_needs_no_answer_or_is_unknown_is_acknowledged_with_an_empty_200() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let silent = [
        "<MsgType>event</MsgType><Event>subscribe</Event>",
        "<MsgType>event</MsgType><Event>LOCATION</Event><Latitude>1</Latitude><Longitude>2</Longitude><Precision>3</Precision>",
        "<MsgType>event</MsgType><Event>click</Event><EventKey>K</EventKey>",
        "<MsgType>event</MsgType><Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>x</UserID>",
        "<MsgType>event</MsgType><Event>batch_job_result</Event><BatchJob><JobId>1</JobId><JobType>sync_user</JobType><ErrCode>0</ErrCode><ErrMsg>ok</ErrMsg></BatchJob>",
        "<MsgType>event</MsgType><Event>an_event_of_next_year</Event><New><Deep>1</Deep></New>",
        "<MsgType>event</MsgType><Event>change_contact</Event><ChangeType>of_next_year</ChangeType>",
        "<MsgType>hologram</MsgType><MsgId>9</MsgId>",
    ];
    for (number, kind) in (1..).zip(silent) {
        let response = server.deliver(WireFormat::Xml, &message("sys", kind), number);
        assert_eq!((response.status, response.body.as_str()), (200, ""), "{kind}");
    }
    assert_eq!(server.metric("unknown"), 3);
    server.assert_logs("kind=\"change_contact/of_next_year\"");
    let from_nobody =
        "<xml><MsgType>event</MsgType><Event>kf_msg_or_event</Event><Token>T</Token><OpenKfId>wk1</OpenKfId></xml>";
    assert_eq!(server.deliver(WireFormat::Xml, from_nobody, 98).status, 200);
    assert_eq!(server.metric("acknowledged"), 6);
    let unreadable = server.deliver(WireFormat::Xml, "this is no XML", 99);
    assert_eq!((unreadable.status, unreadable.body.as_str()), (200, ""));
    assert_eq!(server.metric("unreadable"), 1);
}

#[test]
fn the_operator_is_told_when_wecom_suspends_or_restricts_the_app() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let events = [
        ("inactive_alert", "will suspend"),
        ("low_active_alert", "will restrict"),
        ("close_inactive_agent", "has suspended"),
        ("low_active", "has restricted"),
        ("reopen_inactive_agent", "has restored"),
        ("active_restored", "has lifted"),
    ];
    for (number, (event, meaning)) in (1..).zip(events) {
        let rest = format!("<MsgType>event</MsgType><Event>{event}</Event><EffectTime>1795399200</EffectTime>");
        let response = server.deliver(WireFormat::Xml, &message("sys", &rest), number);
        assert_eq!((response.status, response.body.as_str()), (200, ""), "{event}");
        server.assert_logs(&format!("event=\"{event}\" at=2026-11-23T02:00:00Z"));
        let log = server.log();
        let line = log.lines().find(|line| line.contains(&format!("\"{event}\""))).unwrap();
        assert!(line.contains("WARN") && line.contains(meaning), "{line}");
    }
    let without_time = "<MsgType>event</MsgType><Event>close_inactive_agent</Event>";
    server.deliver(WireFormat::Xml, &message("sys", without_time), 9);
    server.assert_logs("event=\"close_inactive_agent\" at=2026-11-22T02:00:00Z");
}

#[test]
fn health_and_readiness_are_told() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    assert_eq!(server.get("/healthz").body, "ok\n");
    assert_eq!(server.get("/readyz").body, "ready\n");
    assert!(server.get("/metrics").headers.contains("text/plain; version=0.0.4"));
}

#[test]
fn a_stop_signal_ends_the_server_well() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path());
    server.says("LiXiaoyu", 1, "你好");
    server.signal("-TERM");
    assert!(server.process.wait().unwrap().success());
}

#[test]
fn the_clock_is_moved_only_where_sample_credentials_are_allowed() {
    let moved = [("JIEFENG_NOW", "2026-11-22T10:00:00+08:00")];
    let folder = TempDir::new().unwrap();
    let server = Server::start_with(folder.path(), "", &moved);
    let text = text_of(&server.says("LiXiaoyu", 1, "被投诉了群里发不了消息"));
    assert!(!text.contains("若今天（11月22日 周日）提交"), "{text}");
    server.assert_logs("JIEFENG_NOW is ignored");
}

#[test]
fn published_credentials_stop_the_start() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("jiefeng.toml");
    let text = "[[apps]]\nname = \"a\"\ncorp_id = \"wx5823bf96d3bd56c7\"\nagent_id = 1\ntoken = \"QDG6eK\"\n\
                encoding_aes_key = \"jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C\"\n";
    std::fs::write(&config, text).unwrap();
    let ran = crate::program::run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("published in WeCom's samples"), "{}", ran.err);
    assert!(!ran.err.contains("QDG6eK"), "{}", ran.err);
}

#[test]
fn broken_knowledge_stops_the_server_with_the_report() {
    let folder = TempDir::new().unwrap();
    let knowledge = crate::program::KnowledgeCopy::new();
    knowledge.append("texts.toml", "\n[no-such-text]\nzh = \"x\"\nen = \"x\"\n");
    let config = folder.path().join("jiefeng.toml");
    let text = format!(
        "[knowledge]\ndir = \"{}\"\n[[apps]]\nname = \"a\"\ncorp_id = \"ww1\"\nagent_id = 1\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n",
        knowledge.argument()
    );
    std::fs::write(&config, text).unwrap();
    let ran = crate::program::run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("texts.toml:"), "{}", ran.err);
}
