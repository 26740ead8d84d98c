//! The simulator over real HTTP, with a bot that only takes down what it is told.

use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::web::{self, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Calendar, Companion, MessageKind, NoCompanion, Outcome, Simulator, SimulatorSettings};
use crate::protocol::xml::read_xml;
use crate::protocol::{
    CallbackToken, Credentials, EncodingAesKey, Envelope, Fresh, Nonce, Seconds, UserId, WireFormat, seal_reply,
};
use crate::store::BoxFuture;

const ACCOUNT: &str = "wk1";

fn credentials() -> Credentials {
    let key = EncodingAesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    Credentials::new(CallbackToken::parse("TokenForTests1").unwrap(), key, "ww1")
}

/// What the bot was told, with which statuses it answers before it answers with 200, and what it replies then.
#[derive(Default)]
struct Bot {
    heard: Mutex<Vec<String>>,
    statuses: Mutex<Vec<u16>>,
    reply: Mutex<String>,
}

impl Bot {
    /// The values of an element in everything that was heard.
    fn heard(&self, name: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let values = heard.iter().map(|plaintext| value(plaintext, name));
        values.collect()
    }
}

/// The text of an element; empty when there is none.
fn value(plaintext: &str, name: &str) -> String {
    let root = read_xml(plaintext).unwrap();
    let element = root.children.into_iter().find(|element| element.name == name);
    element.map(|element| element.text.into_owned()).unwrap_or_default()
}

async fn hear(bot: Data<Bot>, _: HttpRequest, body: String) -> HttpResponse {
    let ciphertext = Envelope::parse(&body).unwrap().encrypted;
    let plaintext = credentials().decrypt(&ciphertext).unwrap();
    bot.heard.lock().unwrap().push(plaintext);
    let reply = bot.reply.lock().unwrap().clone();
    match bot.statuses.lock().unwrap().pop() {
        Some(status) => HttpResponse::build(status.try_into().unwrap()).finish(),
        None if reply.is_empty() => HttpResponse::Ok().finish(),
        None => HttpResponse::Ok().body(seal_reply(&credentials(), WireFormat::Xml, &reply, &fresh())),
    }
}

fn fresh() -> Fresh {
    Fresh {
        random_prefix: [7; 16],
        nonce: Nonce::parse("nonce1").unwrap(),
        timestamp: Seconds::from_unix(jiff::Timestamp::now().as_second()).unwrap(),
    }
}

/// A simulator with an account and a bot, both listening.
struct World {
    bot: Arc<Bot>,
    simulator: Arc<Simulator>,
    base: String,
    client: reqwest::Client,
    token: Mutex<String>,
}

impl World {
    async fn start(companion: Box<dyn Companion>) -> Self {
        let bot = Arc::new(Bot::default());
        let data = Data::from(Arc::clone(&bot));
        let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(hear)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let callback_url = format!("http://{}/callback/support", listener.local_addr().unwrap());
        let server = server.workers(1).disable_signals().listen(listener).unwrap();
        actix_web::rt::spawn(server.run());
        let simulator = Simulator::new(SimulatorSettings {
            callback_url,
            credentials: credentials(),
            agent_id: 1_000_002,
            secret: Some(SecretString::from("right")),
            app: "support".to_owned(),
            user: "LiXiaoyu".to_owned(),
            companion,
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        actix_web::rt::spawn(simulator.serve(listener, false).unwrap());
        let client = crate::wecom::http_client().unwrap().build().unwrap();
        let world = Self {
            bot,
            simulator,
            base,
            client,
            token: Mutex::default(),
        };
        world.get_token().await;
        world
            .control("kf/accounts", json!({"open_kfid": ACCOUNT, "name": "客服"}))
            .await;
        world
    }

    async fn get(&self, target: &str) -> Value {
        let answer = self.client.get(format!("{}{target}", self.base)).send().await.unwrap();
        answer.json().await.unwrap()
    }

    async fn get_token(&self) {
        let answer = self.get("/cgi-bin/gettoken?corpid=ww1&corpsecret=right").await;
        *self.token.lock().unwrap() = answer["access_token"].as_str().unwrap().to_owned();
    }

    async fn sent(&self, path: &str, body: Value) -> Result<reqwest::Response, reqwest::Error> {
        let token = self.token.lock().unwrap().clone();
        let address = format!("{}/cgi-bin/{path}?access_token={token}", self.base);
        self.client.post(address).json(&body).send().await
    }

    async fn call(&self, path: &str, body: Value) -> Value {
        self.sent(path, body).await.unwrap().json().await.unwrap()
    }

    /// Carries out an action and waits for its callbacks.
    async fn control(&self, action: &str, request: Value) -> Value {
        let address = format!("{}/control/{action}?wait=true", self.base);
        let answer = self.client.post(address).json(&request).send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        assert_eq!(status, 200, "{action}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn li_writes(&self, text: &str) -> Value {
        let request = json!({"open_kfid": ACCOUNT, "customer": "wmLi", "text": text});
        self.control("customer/write", request).await
    }

    async fn answer_li(&self, msgid: &str) -> Result<Value, reqwest::Error> {
        let body = json!({"touser": "wmLi", "open_kfid": ACCOUNT, "msgid": msgid, "msgtype": "text",
            "text": {"content": "答"}});
        self.sent("kf/send_msg", body).await?.json().await
    }

    async fn seen_by_li(&self) -> Vec<String> {
        let seen = self.get("/control/seen?customer=wmLi").await;
        let messages = seen["messages"].as_array().unwrap().iter();
        messages
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Runs a test in a world.
fn in_world<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    in_world_with(Box::new(NoCompanion), test);
}

fn in_world_with<F: Future<Output = ()>>(companion: Box<dyn Companion>, test: impl FnOnce(World) -> F) {
    actix_web::rt::System::new().block_on(async { test(World::start(companion).await).await });
}

#[test]
fn a_customer_is_heard_pulled_answered_and_sees_it() {
    in_world(async |world| {
        let written = world.li_writes("加不了好友").await;
        assert_eq!(world.bot.heard("Event"), ["kf_msg_or_event"]);
        assert_eq!(world.bot.heard("OpenKfId"), [ACCOUNT]);
        assert_eq!(world.bot.heard("FromUserName"), [""]);
        let token = world.bot.heard("Token").remove(0);
        let page = world
            .call("kf/sync_msg", json!({"open_kfid": ACCOUNT, "token": token}))
            .await;
        assert_eq!((&page["errcode"], &page["has_more"]), (&json!(0), &json!(0)));
        assert_eq!(page["msg_list"][0]["msgid"], written["msgid"]);
        let sent = world.answer_li("a1").await.unwrap();
        assert_eq!((&sent["errcode"], &sent["msgid"]), (&json!(0), &json!("a1")));
        assert_eq!(world.seen_by_li().await, ["加不了好友", "答"]);
        let after = world.get("/control/seen?customer=wmLi&after=1").await;
        assert_eq!(after["messages"][0]["sender"], "bot");
        assert_eq!(after["newest"], 2);
    });
}

#[test]
fn a_callback_that_is_not_received_comes_again_with_the_same_content_doc_90930() {
    in_world(async |world| {
        *world.bot.statuses.lock().unwrap() = vec![503, 500];
        world.li_writes("你好").await;
        let tokens = world.bot.heard("Token");
        assert_eq!(tokens.len(), 3);
        assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
        *world.bot.statuses.lock().unwrap() = vec![500; 4];
        world.li_writes("还在吗").await;
        assert_eq!(world.bot.heard("Token").len(), 6, "three tries and no more");
        let counted = world.get("/control/counters").await["callbacks"].clone();
        assert_eq!((&counted["received"], &counted["failed"]), (&json!(1), &json!(1)));
    });
}

#[test]
fn callbacks_can_be_lost_doubled_and_overtaken() {
    in_world(async |world| {
        let rules = json!([
            {"api": "callback/kf_msg_or_event", "kind": "drop", "count": 1},
            {"api": "callback/kf_msg_or_event", "kind": "duplicate", "skip": 1, "count": 1},
            {"api": "callback/kf_msg_or_event", "kind": "reorder", "skip": 2, "count": 1},
        ]);
        world.control("faults", rules).await;
        world.li_writes("一").await;
        assert_eq!(world.bot.heard("Token").len(), 0);
        world.li_writes("二").await;
        let doubled = world.bot.heard("Token");
        assert!(doubled.len() == 2 && doubled[0] == doubled[1], "{doubled:?}");
        world.control("kf/accounts", json!({"open_kfid": "wk2"})).await;
        let ring = async |open_kfid: &str| world.control("ring", json!({"open_kfid": open_kfid})).await;
        tokio::join!(ring(ACCOUNT), async {
            actix_web::rt::time::sleep(Duration::from_millis(50)).await;
            ring("wk2").await
        });
        assert_eq!(world.bot.heard("OpenKfId"), [ACCOUNT, ACCOUNT, "wk2", ACCOUNT]);
        let faults = world.get("/control/faults").await;
        assert_eq!(faults["faults"][2]["happened"], 1);
    });
}

#[test]
fn a_call_is_carried_out_although_the_caller_hangs_up() {
    in_world(async |world| {
        world.li_writes("你好").await;
        world
            .control(
                "faults",
                json!({"api": "kf/send_msg", "kind": "latency_ms", "value": 100, "count": 1}),
            )
            .await;
        let gives_up = tokio::time::timeout(Duration::from_millis(30), world.answer_li("a1")).await;
        assert!(gives_up.is_err());
        let seen = world.get("/control/seen?customer=wmLi&after=1&wait_ms=5000").await;
        assert_eq!(seen["messages"][0]["msgid"], "a1");
    });
}

#[test]
fn an_account_that_the_app_may_not_manage_does_not_ring_doc_94661() {
    in_world(async |world| {
        world
            .control("kf/accounts", json!({"open_kfid": "wk2", "granted": false}))
            .await;
        let request = json!({"open_kfid": "wk2", "customer": "wmLi", "text": "你好"});
        world.control("customer/write", request).await;
        assert_eq!(world.bot.heard("Event").len(), 0);
        assert_eq!(
            world.call("kf/sync_msg", json!({"open_kfid": "wk2"})).await["errcode"],
            48007
        );
        let list = world.call("kf/account/list", json!({})).await;
        assert_eq!(list["account_list"][1]["manage_privilege"], false);
    });
}

#[test]
fn limits_are_changed_one_by_one() {
    in_world(async |world| {
        world.control("limits", json!({"calls_per_minute": 2})).await;
        let limits = world.control("limits", json!({"wrong_secrets_before_ban": 2})).await;
        assert_eq!(
            (&limits["calls_per_minute"], &limits["calls_per_hour"]),
            (&json!(2), &json!(150_000))
        );
        let list = async || world.call("kf/account/list", json!({})).await["errcode"].clone();
        assert_eq!(
            [list().await, list().await, list().await],
            [json!(0), json!(0), json!(45009)]
        );
        world.control("clock", json!({"advance_seconds": 60})).await;
        assert_eq!(list().await, 0);
    });
}

#[test]
fn an_answer_that_is_lost_was_carried_out_and_its_repetition_is_refused() {
    in_world(async |world| {
        world.li_writes("你好").await;
        world
            .control(
                "faults",
                json!({"api": "kf/send_msg", "kind": "reset", "count": 1, "carried_out": true}),
            )
            .await;
        assert!(world.answer_li("a1").await.is_err());
        let again = world.answer_li("a1").await.unwrap();
        assert_eq!(again["errcode"], 40058);
        assert_eq!(world.seen_by_li().await, ["你好", "答"]);
        let counters = world.get("/control/counters").await;
        assert_eq!(counters["duplicate_msgids_refused"], 1);
        assert_eq!(counters["send_attempts"], 2);
    });
}

#[test]
fn calls_fail_as_ordered() {
    in_world(async |world| {
        world.li_writes("你好").await;
        let rules = json!([
            {"api": "kf/send_msg", "kind": "status", "value": 502, "count": 1},
            {"api": "kf/send_msg", "kind": "wrong_json", "skip": 1, "count": 1},
            {"api": "kf/send_msg", "kind": "errcode", "value": -1, "skip": 2, "count": 1},
            {"api": "kf/send_msg", "kind": "expire_token", "skip": 3, "count": 1},
            {"api": "kf/send_msg", "kind": "latency_ms", "value": 120, "skip": 4, "count": 1},
        ]);
        world.control("faults", rules).await;
        let refused = world.sent("kf/send_msg", json!({})).await.unwrap();
        assert_eq!(refused.status(), 502);
        assert!(world.answer_li("a1").await.is_err());
        assert_eq!(world.answer_li("a1").await.unwrap()["errcode"], -1);
        assert_eq!(world.answer_li("a1").await.unwrap()["errcode"], 42001);
        world.get_token().await;
        let started = Instant::now();
        assert_eq!(world.answer_li("a1").await.unwrap()["errcode"], 0);
        assert!(started.elapsed() >= Duration::from_millis(120));
        let unknown = world.sent("kf/sing", json!({})).await.unwrap();
        assert_eq!(unknown.status(), 404);
    });
}

#[test]
fn time_passes_when_the_clock_is_set_forward() {
    in_world(async |world| {
        world.li_writes("你好").await;
        world.control("clock", json!({"advance_seconds": 48 * 3600})).await;
        assert_eq!(world.answer_li("a1").await.unwrap()["errcode"], 42001);
        world.get_token().await;
        assert_eq!(world.answer_li("a1").await.unwrap()["errcode"], 95002);
        let sessions = world.get("/control/sessions").await;
        assert_eq!(sessions["sessions"][0]["state"], 4);
    });
}

/// A bot in the same program, whose clock shows an hour more.
#[derive(Default)]
struct BotBeside(AtomicI64);

impl Companion for BotBeside {
    fn decision(&self, _plaintext: String) -> BoxFuture<'_, Option<Value>> {
        Box::pin(async { None })
    }

    fn advance(&self, by: SignedDuration) -> bool {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
        true
    }

    fn calendar(&self, platform_now: Timestamp) -> BoxFuture<'_, Calendar> {
        let advanced = SignedDuration::from_secs(self.0.load(Ordering::Relaxed));
        Box::pin(async move {
            Calendar {
                now: platform_now + SignedDuration::from_hours(1),
                next_reminder: Some(Timestamp::UNIX_EPOCH + advanced),
                third_business_day: None,
            }
        })
    }
}

#[test]
fn a_bot_in_the_same_program_goes_with_the_clock_and_keeps_its_token() {
    in_world_with(Box::new(BotBeside::default()), async |world| {
        world.control("clock", json!({"advance_seconds": 259_200})).await;
        let answer = world.call("kf/account/list", json!({})).await;
        assert_eq!(answer["errcode"], 0, "{answer}");
        let live = world.get("/api/live?user=Li&user_after=0").await;
        let clock = &live["clock"];
        let (platform, conversation) = (
            clock["platform"].as_i64().unwrap(),
            clock["conversation"].as_i64().unwrap(),
        );
        assert_eq!(conversation - platform, 3_600_000);
        assert_eq!(clock["next_reminder"], 259_200_000);
        assert!(platform > Timestamp::now().as_millisecond() + 259_000_000);
    });
}

#[test]
fn the_page_sees_phones_accounts_and_sessions_at_once() {
    in_world(async |world| {
        world
            .control("kf/servicers", json!({"open_kfid": ACCOUNT, "userid": "zhangsan"}))
            .await;
        world
            .control("kf/customers", json!({"customer": "wmLi", "nickname": "小李"}))
            .await;
        world.li_writes("你好").await;
        world
            .control("member/write", json!({"member": "Li", "text": "在吗"}))
            .await;
        let live = world
            .get("/api/live?user=Li&user_after=0&customer=wmLi&customer_after=0")
            .await;
        assert_eq!(live["user"]["messages"][0]["text"], "在吗");
        assert_eq!(live["customer"]["messages"][0]["text"], "你好");
        assert_eq!(
            live["accounts"],
            json!([{"open_kfid": ACCOUNT, "name": "客服",
                    "servicers": [{"userid": "zhangsan", "on_duty": true, "paused": false}]}])
        );
        assert_eq!(live["sessions"][0]["nickname"], "小李");
        let newest = live["customer"]["newest"].as_u64().unwrap();
        let later = world
            .get(&format!(
                "/api/live?user=Li&user_after=0&customer=wmLi&customer_after={newest}"
            ))
            .await;
        assert_eq!(later["customer"]["messages"], json!([]));
    });
}

#[test]
fn pulls_at_the_same_time_are_counted() {
    in_world(async |world| {
        world
            .control(
                "faults",
                json!({"api": "kf/sync_msg", "kind": "latency_ms", "value": 100}),
            )
            .await;
        let pull = || world.call("kf/sync_msg", json!({"open_kfid": ACCOUNT}));
        tokio::join!(pull(), pull(), pull());
        let counters = world.get("/control/counters").await;
        assert_eq!(counters["most_pulls_in_flight"][ACCOUNT], 3);
        assert_eq!(counters["pulls_in_flight"][ACCOUNT], 0);
        assert_eq!(counters["calls"]["kf/sync_msg"], 3);
    });
}

#[test]
fn a_backlog_of_10_000_messages_is_pulled_in_pages() {
    in_world(async |world| {
        let bulk = json!({"open_kfid": ACCOUNT, "customers": 500, "messages": 20, "ages_seconds": [300_000, 7200, 60]});
        assert_eq!(world.control("bulk", bulk).await["written"], 10_000);
        let token = world.bot.heard("Token");
        assert_eq!(token.len(), 1, "one callback may stand for many messages");
        let (mut cursor, mut pulled, mut pages) = (json!(""), 0, 0);
        loop {
            let request = json!({"open_kfid": ACCOUNT, "token": token[0], "cursor": cursor, "limit": 1000});
            let page = world.call("kf/sync_msg", request).await;
            pulled += page["msg_list"].as_array().unwrap().len();
            pages += 1;
            cursor = page["next_cursor"].clone();
            if page["has_more"] == 0 {
                break;
            }
        }
        assert_eq!((pulled, pages), (9_500, 10), "the first 500 are older than three days");
    });
}

#[test]
fn members_press_cards_and_click_the_menu() {
    in_world(async |world| {
        let card = json!({"touser": "LiXiaoyu", "agentid": 1_000_002, "msgtype": "template_card", "template_card": {
            "card_type": "button_interaction", "task_id": "t1", "main_title": {"title": "有用吗"},
            "button_list": [{"text": "有用", "key": "yes"}]}});
        assert_eq!(world.call("message/send", card).await["errcode"], 0);
        let press = json!({"member": "LiXiaoyu", "task_id": "t1", "key": "yes"});
        world.control("member/press", press).await;
        assert_eq!(world.bot.heard("Event"), ["template_card_event"]);
        assert_eq!(
            (world.bot.heard("EventKey"), world.bot.heard("TaskId")),
            (vec!["yes".to_owned()], vec!["t1".to_owned()])
        );
        let update = json!({"userids": ["lixiaoyu"], "agentid": 1_000_002,
            "response_code": world.bot.heard("ResponseCode")[0], "button": {"replace_name": "谢谢"}});
        assert_eq!(
            world.call("message/update_template_card", update.clone()).await["errcode"],
            0
        );
        assert_eq!(
            world.call("message/update_template_card", update).await["errcode"],
            60140
        );
        let seen = world.get("/control/seen?member=lixiaoyu").await;
        assert_eq!(seen["messages"][1]["text"], "有用吗\n谢谢");
        let token = world.token.lock().unwrap().clone();
        let menu = format!(
            "{}/cgi-bin/menu/create?access_token={token}&agentid=1000002",
            world.base
        );
        let menu = world
            .client
            .post(menu)
            .json(&json!({"button": [{"type": "click", "name": "帮助", "key": "HELP"}]}));
        assert_eq!(menu.send().await.unwrap().status(), 200);
        world
            .control("member/click", json!({"member": "LiXiaoyu", "key": "HELP"}))
            .await;
        assert_eq!(world.bot.heard("Event")[1], "click");
    });
}

#[test]
fn a_reply_to_a_press_changes_the_card_and_one_to_a_message_is_read() {
    in_world(async |world| {
        let card = json!({"touser": "LiXiaoyu", "agentid": 1_000_002, "msgtype": "template_card", "template_card": {
            "card_type": "button_interaction", "task_id": "t1", "main_title": {"title": "有用吗"},
            "button_list": [{"text": "有用", "key": "yes"}]}});
        world.call("message/send", card).await;
        let replies = |reply: &str| reply.clone_into(&mut world.bot.reply.lock().unwrap());
        replies("<xml><MsgType>update_button</MsgType><Button><ReplaceName>谢谢</ReplaceName></Button></xml>");
        let press = json!({"member": "LiXiaoyu", "task_id": "t1", "key": "yes"});
        let pressed = world.control("member/press", press).await;
        assert_eq!(
            (&pressed["outcome"], &pressed["problem"]),
            (&json!("replied"), &Value::Null)
        );
        replies("<xml><MsgType>text</MsgType><Content>你好</Content></xml>");
        world
            .control("member/write", json!({"member": "LiXiaoyu", "text": "在吗"}))
            .await;
        let seen = world.get("/control/seen?member=LiXiaoyu&after=1").await;
        let texts = seen["messages"].as_array().unwrap().iter();
        let texts: Vec<&str> = texts.map(|message| message["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["有用吗\n谢谢", "在吗", "你好"]);
    });
}

#[test]
fn a_members_message_can_be_doubled_and_the_reply_is_seen_once() {
    in_world(async |world| {
        world
            .control("faults", json!({"api": "callback/text", "kind": "duplicate"}))
            .await;
        let user = UserId::parse("LiXiaoyu").unwrap();
        let delivered = world.simulator.member_writes(&user, MessageKind::Text, "你好").await;
        assert_eq!(delivered.outcome, Outcome::Acknowledged);
        let ids = world.bot.heard("MsgId");
        assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
        assert_eq!(world.get("/control/seen?member=LiXiaoyu").await["newest"], 1);
    });
}

#[test]
fn only_this_machine_controls_and_only_with_json() {
    in_world(async |world| {
        let clock = format!("{}/control/clock", world.base);
        let foreign = world
            .client
            .post(&clock)
            .header("Host", "evil.example")
            .json(&json!({}));
        assert_eq!(foreign.send().await.unwrap().status(), 403);
        let plain = world
            .client
            .post(&clock)
            .header("Content-Type", "text/plain")
            .body("{}");
        assert_eq!(plain.send().await.unwrap().status(), 400);
        let api = format!("{}/cgi-bin/gettoken?corpid=ww1&corpsecret=right", world.base);
        let by_name = world.client.get(&api).header("Host", "simulator:8090");
        assert_eq!(by_name.send().await.unwrap().status(), 200);
        let unknown = world
            .client
            .post(format!("{}/control/dance", world.base))
            .json(&json!({}));
        assert_eq!(unknown.send().await.unwrap().status(), 404);
        let tap = json!({"open_kfid": ACCOUNT, "customer": "wmLi", "item": "1"});
        let tap = world
            .client
            .post(format!("{}/control/customer/tap", world.base))
            .json(&tap);
        assert_eq!(tap.send().await.unwrap().status(), 409);
    });
}

#[test]
fn the_chat_page_works_as_before() {
    in_world(async |world| {
        let info = world.get("/api/info").await;
        assert_eq!((&info["app"], &info["user"]), (&json!("support"), &json!("LiXiaoyu")));
        let message = json!({"user": "LiXiaoyu", "kind": "text", "text": "你好"});
        let sent = world.client.post(format!("{}/api/messages", world.base)).json(&message);
        let sent: Value = sent.send().await.unwrap().json().await.unwrap();
        assert_eq!(sent["outcome"], "acknowledged");
        assert_eq!(world.get("/api/history?user=LiXiaoyu").await[0]["text"], "你好");
    });
}
