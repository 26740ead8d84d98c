//! The rules of 微信客服 from a first message to the goodbye, as the program behind an account meets them.

use serde_json::{Value, json};

use super::company::Company;
use super::company::tests::{company, second};
use super::kf::Servicer;
use super::kf_people::{Conversation, Writing};
use super::refusal::tests::errcode;

const ACCOUNT: &str = "wk1";
const LI: Conversation<'static> = Conversation {
    open_kfid: ACCOUNT,
    customer: "wmLi",
};

fn opened() -> Company {
    let mut company = company();
    company.open_account(Some(ACCOUNT), "客服", true);
    company.add_servicer(ACCOUNT, "zhangsan", true).unwrap();
    company.add_servicer(ACCOUNT, "lisi", false).unwrap();
    company
}

fn writes(company: &mut Company, text: &str, at: i64) -> String {
    let body = json!({"content": text});
    let writing = Writing {
        kind: "text",
        body: &body,
    };
    company.customer_writes(LI, writing, second(at)).unwrap()
}

fn servicer_writes(company: &mut Company, text: &str, at: i64) -> Result<String, super::refusal::Impossible> {
    let body = json!({"content": text});
    let writing = Writing {
        kind: "text",
        body: &body,
    };
    company.servicer_writes(LI, "zhangsan", writing, second(at))
}

fn text_to_li(msgid: &str, content: &str) -> Value {
    let mut request = json!({"touser": "wmLi", "open_kfid": ACCOUNT, "msgtype": "text", "text": {"content": content}});
    if !msgid.is_empty() {
        request["msgid"] = json!(msgid);
    }
    request
}

fn send(company: &mut Company, msgid: &str, content: &str, at: i64) -> i64 {
    errcode(company.send_to_customer(&text_to_li(msgid, content), None, second(at)))
}

fn on_event(company: &mut Company, code: &Value, kind: &str, at: i64) -> i64 {
    let mut request = json!({"code": code, "msgtype": kind});
    request[kind] = match kind {
        "text" => json!({"content": "你好"}),
        _ => json!({"head_content": "有用吗", "list": [{"type": "click", "click": {"id": "1", "content": "有用"}}]}),
    };
    errcode(company.send_on_event(&request, second(at)))
}

fn trans(company: &mut Company, state: i64, servicer: &str, at: i64) -> Result<Value, super::refusal::Refusal> {
    let mut request = json!({"open_kfid": ACCOUNT, "external_userid": "wmLi", "service_state": state});
    if !servicer.is_empty() {
        request["servicer_userid"] = json!(servicer);
    }
    company.move_session(&request, second(at))
}

fn state(company: &mut Company, at: i64) -> Value {
    let request = json!({"open_kfid": ACCOUNT, "external_userid": "wmLi"});
    company.service_state(&request, second(at)).unwrap()
}

fn pulled(company: &mut Company, at: i64) -> Vec<Value> {
    let page = company.pull(&json!({"open_kfid": ACCOUNT}), None, second(at)).unwrap();
    page["msg_list"].as_array().unwrap().clone()
}

fn shown(company: &Company) -> Vec<String> {
    let messages = company.kf.customers["wmLi"].phone.messages().iter();
    messages.map(|message| message.text.clone()).collect()
}

#[test]
fn what_the_customer_wrote_is_pulled_and_what_the_api_sent_is_not_doc_94670() {
    let mut company = opened();
    let msgid = writes(&mut company, "加不了好友", 0);
    assert_eq!(send(&mut company, "a1", "稍等", 1), 0);
    let items = pulled(&mut company, 2);
    assert_eq!(items.len(), 1);
    assert_eq!(
        items[0],
        json!({"msgid": msgid, "open_kfid": ACCOUNT, "external_userid": "wmLi", "send_time": second(0).as_second(),
            "origin": 3, "msgtype": "text", "text": {"content": "加不了好友"}})
    );
    assert_eq!(shown(&company), ["加不了好友", "稍等"]);
}

#[test]
fn an_own_msgid_is_delivered_once_in_an_account_doc_94677() {
    let mut company = opened();
    writes(&mut company, "你好", 0);
    assert_eq!(send(&mut company, "a1", "一", 1), 0);
    let again = company
        .send_to_customer(&text_to_li("a1", "一"), None, second(2))
        .unwrap_err();
    assert_eq!(again.errcode, 40058);
    assert!(again.errmsg.contains("msgid"), "{}", again.errmsg);
    assert_eq!(
        (shown(&company).len(), company.counters.duplicate_msgids_refused),
        (2, 1)
    );
    assert_eq!(send(&mut company, "", "二", 3), 0);
    company.open_account(Some("wk2"), "另一个", true);
    let other = Conversation {
        open_kfid: "wk2",
        customer: "wmLi",
    };
    let body = json!({"content": "你好"});
    let writing = Writing {
        kind: "text",
        body: &body,
    };
    company.customer_writes(other, writing, second(4)).unwrap();
    let mut request = text_to_li("a1", "一");
    request["open_kfid"] = json!("wk2");
    assert_eq!(
        errcode(company.send_to_customer(&request, None, second(5))),
        0,
        "per account"
    );
}

#[test]
fn a_refused_message_keeps_neither_its_id_nor_budget_doc_94677() {
    let mut company = opened();
    writes(&mut company, "你好", 0);
    for number in 0..5 {
        assert_eq!(send(&mut company, &format!("a{number}"), "答", 1), 0);
    }
    assert_eq!(send(&mut company, "a5", "答", 2), 95001);
    writes(&mut company, "还在吗", 3);
    assert_eq!(send(&mut company, "a5", "答", 4), 0);
}

#[test]
fn accounts_and_customers_must_exist_and_be_granted_doc_90313() {
    let mut company = opened();
    writes(&mut company, "你好", 0);
    let mut send = |name: &str, value: &str| {
        let mut request = text_to_li("", "答");
        request[name] = json!(value);
        errcode(company.send_to_customer(&request, None, second(1)))
    };
    assert_eq!(
        [send("touser", "wmNobody"), send("open_kfid", "wkNone")],
        [40096, 95004]
    );
    assert_eq!([send("open_kfid", ""), send("touser", "")], [60251, 40063]);
    company.open_account(Some("wkForeign"), "别人的", false);
    assert_eq!(
        errcode(company.pull(&json!({"open_kfid": "wkForeign"}), None, second(1))),
        48007
    );
}

fn enters(company: &mut Company, at: i64) -> Value {
    company.customer_enters(LI, "site", None, second(at)).unwrap()["welcome_code"].clone()
}

#[test]
fn a_welcome_code_works_once_within_20_seconds_doc_95122() {
    let mut company = opened();
    let late = enters(&mut company, 0);
    assert_eq!(on_event(&mut company, &late, "text", 21), 40058);
    let code = enters(&mut company, 30);
    assert_eq!(
        send(&mut company, "", "没有窗口", 31),
        95018,
        "entering opens no window"
    );
    assert_eq!(on_event(&mut company, &code, "msgmenu", 50), 0);
    assert_eq!(on_event(&mut company, &code, "text", 50), 40058);
    assert_eq!(
        enters(&mut company, 60),
        Value::Null,
        "no second welcome within 48 hours"
    );
    assert_ne!(enters(&mut company, 50 + 48 * 3600), Value::Null);
    writes(&mut company, "你好", 50 + 48 * 3600);
    assert_eq!(enters(&mut company, 1_000_000), Value::Null, "never after a message");
}

#[test]
fn the_ids_of_an_event_are_inside_of_it_doc_94670() {
    let mut company = opened();
    company.customer_enters(LI, "site", Some("x=1"), second(0)).unwrap();
    let item = pulled(&mut company, 1).remove(0);
    assert_eq!((&item["origin"], &item["msgtype"]), (&json!(4), &json!("event")));
    assert!(item["open_kfid"].is_null() && item["external_userid"].is_null());
    let event = &item["event"];
    assert_eq!(
        (&event["open_kfid"], &event["external_userid"]),
        (&json!(ACCOUNT), &json!("wmLi"))
    );
    assert_eq!(
        (&event["scene"], &event["scene_param"]),
        (&json!("site"), &json!("x=1"))
    );
}

#[test]
fn a_session_goes_to_the_pool_to_a_person_and_ends_doc_94669() {
    let mut company = opened();
    writes(&mut company, "转人工", 0);
    assert_eq!(state(&mut company, 0)["service_state"], 0);
    let pooled = trans(&mut company, 2, "", 1).unwrap()["msg_code"].clone();
    assert_eq!(send(&mut company, "", "还有", 2), 95018);
    assert_eq!(on_event(&mut company, &pooled, "msgmenu", 3), 40008);
    assert_eq!(on_event(&mut company, &pooled, "text", 3), 0);
    company.servicer_takes(LI, "zhangsan", second(4)).unwrap();
    assert_eq!(
        state(&mut company, 5),
        json!({"service_state": 3, "servicer_userid": "zhangsan"})
    );
    servicer_writes(&mut company, "我来看看", 6).unwrap();
    company.servicer_ends(LI, "zhangsan", second(7)).unwrap();
    let items = pulled(&mut company, 8);
    assert_eq!(items[1]["event"]["change_type"], 1);
    assert_eq!(
        (&items[2]["origin"], &items[2]["servicer_userid"]),
        (&json!(5), &json!("zhangsan"))
    );
    assert_eq!(items[3]["event"]["change_type"], 3);
    let ended = items[3]["event"]["msg_code"].clone();
    assert_eq!(
        on_event(&mut company, &items[1]["event"]["msg_code"], "text", 9),
        95018,
        "the state moved on"
    );
    assert_eq!(on_event(&mut company, &ended, "msgmenu", 28), 40058, "20 seconds");
    writes(&mut company, "又来了", 30);
    assert_eq!(
        (
            state(&mut company, 31)["service_state"].clone(),
            send(&mut company, "", "好", 31)
        ),
        (json!(0), 0)
    );
}

#[test]
fn a_goodbye_goes_out_on_the_code_of_the_end_doc_95122() {
    let mut company = opened();
    writes(&mut company, "转人工", 0);
    let taken = trans(&mut company, 3, "zhangsan", 1).unwrap()["msg_code"].clone();
    assert!(taken.is_string());
    assert_eq!(
        trans(&mut company, 3, "zhangsan", 2).unwrap()["msg_code"],
        Value::Null,
        "only the first change"
    );
    let ended = trans(&mut company, 4, "", 3).unwrap()["msg_code"].clone();
    assert_eq!(pulled(&mut company, 3).len(), 1, "steps of the API make no event");
    assert_eq!(on_event(&mut company, &ended, "msgmenu", 10), 0);
    assert_eq!(errcode(trans(&mut company, 3, "zhangsan", 11)), 95013);
}

#[test]
fn a_person_must_be_of_the_account_and_receive_doc_94669() {
    let mut company = opened();
    writes(&mut company, "转人工", 0);
    assert_eq!(errcode(trans(&mut company, 3, "nobody", 1)), 95014);
    assert_eq!(errcode(trans(&mut company, 3, "lisi", 1)), 95019);
    assert_eq!(errcode(trans(&mut company, 3, "", 1)), 40058);
    assert_eq!(errcode(trans(&mut company, 4, "", 1)), 95016);
    let receiving = Servicer {
        is_receiving: true,
        is_paused: false,
    };
    company
        .servicer_changes_duty(ACCOUNT, "lisi", receiving, second(2))
        .unwrap();
    assert_eq!(pulled(&mut company, 2)[1]["event"]["status"], 1);
    assert_eq!(
        company.servicers(ACCOUNT).unwrap()["servicer_list"][0],
        json!({"userid": "lisi", "status": 0, "stop_type": 0})
    );
    assert_eq!(errcode(trans(&mut company, 3, "lisi", 3)), 0);
}

#[test]
fn a_servicer_who_writes_opens_an_ended_session_again_doc_94669() {
    let mut company = opened();
    writes(&mut company, "你好", 0);
    assert!(servicer_writes(&mut company, "在的", 1).is_err(), "the program has it");
    trans(&mut company, 3, "zhangsan", 2).unwrap();
    company.servicer_ends(LI, "zhangsan", second(3)).unwrap();
    servicer_writes(&mut company, "还有一件事", 4).unwrap();
    let items = pulled(&mut company, 5);
    assert_eq!(
        (&items[2]["event"]["change_type"], &items[3]["origin"]),
        (&json!(4), &json!(5))
    );
    assert_eq!(state(&mut company, 5)["service_state"], 3);
}

#[test]
fn a_tapped_item_comes_as_text_with_its_id_and_opens_the_budget_doc_94677() {
    let mut company = opened();
    writes(&mut company, "你好", 0);
    let mut menu = json!({"touser": "wmLi", "open_kfid": ACCOUNT, "msgtype": "msgmenu"});
    menu["msgmenu"] =
        json!({"head_content": "哪一个", "list": [{"type": "click", "click": {"id": "k1", "content": "第一个"}}]});
    for _ in 0..5 {
        assert_eq!(errcode(company.send_to_customer(&menu, None, second(1))), 0);
    }
    assert_eq!(send(&mut company, "", "答", 2), 95001);
    company.customer_taps(LI, "k1", second(3)).unwrap();
    assert_eq!(
        pulled(&mut company, 4)[1]["text"],
        json!({"content": "第一个", "menu_id": "k1"})
    );
    assert_eq!(send(&mut company, "", "答", 5), 0);
    assert!(company.customer_taps(LI, "k2", second(6)).is_err());
}

#[test]
fn a_recalled_message_is_reported_by_its_id_doc_94670() {
    let mut company = opened();
    let msgid = writes(&mut company, "写错了", 0);
    company.customer_recalls(LI, &msgid, second(1)).unwrap();
    let items = pulled(&mut company, 2);
    assert_eq!(items[1]["event"]["recall_msgid"], msgid.as_str());
    assert!(company.customer_recalls(LI, "other", second(1)).is_err());
}

#[test]
fn a_message_can_fail_after_it_was_accepted_doc_94670() {
    let mut company = opened();
    writes(&mut company, "你好", 0);
    company
        .send_to_customer(&text_to_li("a1", "答"), Some(10), second(1))
        .unwrap();
    let event = pulled(&mut company, 2)[1]["event"].clone();
    assert_eq!((&event["fail_msgid"], &event["fail_type"]), (&json!("a1"), &json!(10)));
    assert_eq!(shown(&company), ["你好"]);
}

#[test]
fn pulls_without_a_token_are_few_doc_94670() {
    let mut company = opened();
    company.limits.tokenless_pulls_per_minute = 2;
    company.ring(ACCOUNT, second(0));
    let bell = company.take_bells().remove(0);
    let mut pull = |request: Value, at| errcode(company.pull(&request, None, second(at)));
    let plain = || json!({"open_kfid": ACCOUNT});
    let with_token = |token: &str| json!({"open_kfid": ACCOUNT, "token": token});
    assert_eq!([pull(plain(), 0), pull(plain(), 1), pull(plain(), 2)], [0, 0, 45009]);
    assert_eq!(pull(with_token(&bell.token), 3), 0, "with a token it goes on");
    assert_eq!(
        [
            pull(with_token("other"), 4),
            pull(with_token("other"), 100),
            pull(with_token(&bell.token), 601)
        ],
        [45009, 95007, 95007],
        "a wrong token is none"
    );
}

#[test]
fn only_recent_customers_are_told_about_doc_95159() {
    let mut company = opened();
    writes(&mut company, "你好", 0);
    let request = json!({"external_userid_list": ["wmLi", "wmNobody"], "need_enter_session_context": 1});
    let found = company.customers(&request, second(48 * 3600 - 1)).unwrap();
    assert_eq!(found["customer_list"][0]["nickname"], "wmLi");
    assert_eq!(found["invalid_external_userid"], json!(["wmNobody"]));
    let found = company.customers(&request, second(48 * 3600)).unwrap();
    assert_eq!(found["invalid_external_userid"], json!(["wmLi", "wmNobody"]));
}
