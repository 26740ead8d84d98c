//! One function for each thing that a customer or a servicer does, that is set up, or that is read.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlError, bulk, read, reading};
use crate::simulator::model::company::Company;
use crate::simulator::model::faults::Fault;
use crate::simulator::model::kf::Servicer;
use crate::simulator::model::kf_people::{Conversation, Writing};

type Done = Result<Value, ControlError>;

/// Carries out an action by its name; the name is the path under `/control/`.
pub(in crate::simulator) fn act(company: &mut Company, action: &str, request: Value, now: Timestamp) -> Done {
    match action {
        "kf/accounts" => open_account(company, read(request)?),
        "kf/servicers" => add_servicer(company, read(request)?),
        "kf/customers" => add_customer(company, read(request)?),
        "members" => add_member(company, read(request)?),
        "customer/enter" => customer_enters(company, read(request)?, now),
        "customer/write" => customer_writes(company, read(request)?, now),
        "customer/tap" => customer_taps(company, read(request)?, now),
        "customer/recall" => customer_recalls(company, read(request)?, now),
        "servicer/take" => servicer_takes(company, read(request)?, now),
        "servicer/write" => servicer_writes(company, read(request)?, now),
        "servicer/recall" => servicer_recalls(company, read(request)?, now),
        "servicer/transfer" => servicer_transfers(company, read(request)?, now),
        "servicer/end" => servicer_ends(company, read(request)?, now),
        "servicer/duty" => servicer_changes_duty(company, read(request)?, now),
        "bulk" => bulk::write(company, read(request)?, now),
        "ring" => ring(company, read(request)?, now),
        "seen" => reading::seen(company, read(request)?),
        "accounts" => Ok(reading::accounts(company)),
        "sessions" => Ok(reading::sessions(company, now)),
        "counters" => Ok(json!(company.counters)),
        "limits" => limits(company, request),
        "faults" => faults(company, request),
        "faults/clear" => clear_faults(company),
        "token/expire" => expire_token(company),
        other => Err(ControlError::Unknown(other.to_owned())),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    open_kfid: Option<String>,
    name: Option<String>,
    granted: Option<bool>,
}

fn open_account(company: &mut Company, new: NewAccount) -> Done {
    let name = new.name.as_deref().unwrap_or("客服");
    let open_kfid = company.open_account(new.open_kfid.as_deref(), name, new.granted.unwrap_or(true));
    Ok(json!({"open_kfid": open_kfid}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewServicer {
    open_kfid: String,
    userid: String,
    on_duty: Option<bool>,
}

fn add_servicer(company: &mut Company, new: NewServicer) -> Done {
    company.add_servicer(&new.open_kfid, &new.userid, new.on_duty.unwrap_or(true))?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCustomer {
    customer: Option<String>,
    nickname: Option<String>,
}

fn add_customer(company: &mut Company, new: NewCustomer) -> Done {
    let id = new.customer.unwrap_or_else(|| company.ids.opaque("wm"));
    let customer = company.kf.known_or_new(&id);
    if let Some(nickname) = new.nickname {
        customer.nickname = nickname;
    }
    Ok(json!({"customer": id}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMember {
    member: String,
    visible: Option<bool>,
}

fn add_member(company: &mut Company, new: NewMember) -> Done {
    company.members.known_or_new(&new.member).is_visible = new.visible.unwrap_or(true);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entering {
    open_kfid: String,
    customer: String,
    scene: Option<String>,
    scene_param: Option<String>,
}

fn customer_enters(company: &mut Company, entering: Entering, now: Timestamp) -> Done {
    let at = conversation(&entering.open_kfid, &entering.customer);
    let scene = entering.scene.as_deref().unwrap_or_default();
    Ok(company.customer_enters(at, scene, entering.scene_param.as_deref(), now)?)
}

/// Words, or another kind of message with its body as the document has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomerWriting {
    open_kfid: String,
    customer: String,
    text: Option<String>,
    msgtype: Option<String>,
    body: Option<Value>,
    /// How long ago.
    age_seconds: Option<i64>,
}

fn customer_writes(company: &mut Company, writing: CustomerWriting, now: Timestamp) -> Done {
    let at = conversation(&writing.open_kfid, &writing.customer);
    let (kind, body) = written(writing.text, writing.msgtype, writing.body)?;
    let sent = before(now, writing.age_seconds.unwrap_or(0));
    let content = Writing {
        kind: &kind,
        body: &body,
    };
    let msgid = company.customer_writes(at, content, sent)?;
    company.ring(&writing.open_kfid, now);
    Ok(json!({"msgid": msgid, "send_time": sent.as_second()}))
}

/// Kind and body of what is written.
fn written(text: Option<String>, kind: Option<String>, body: Option<Value>) -> Result<(String, Value), ControlError> {
    match (text, kind, body) {
        (Some(text), None, None) => Ok(("text".to_owned(), json!({"content": text}))),
        (None, Some(kind), Some(body)) => Ok((kind, body)),
        (None, Some(kind), None) => {
            let body = usual_body(&kind);
            Ok((kind, body))
        }
        _ => Err(ControlError::Malformed(
            "say `text`, or `msgtype` with or without `body`".to_owned(),
        )),
    }
}

/// What an attachment holds when nothing else is said (doc/94670).
fn usual_body(kind: &str) -> Value {
    match kind {
        "location" => json!({"latitude": 23.106, "longitude": 113.32, "name": "广州塔", "address": "广州市海珠区"}),
        "link" => json!({"title": "一个链接", "desc": "说明", "url": "https://example.com/", "pic_url": ""}),
        "business_card" => json!({"userid": "zhangsan"}),
        _ => json!({"media_id": "simulated-media"}),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tapping {
    open_kfid: String,
    customer: String,
    /// Id or caption.
    item: String,
}

fn customer_taps(company: &mut Company, tapping: Tapping, now: Timestamp) -> Done {
    let at = conversation(&tapping.open_kfid, &tapping.customer);
    Ok(json!({"msgid": company.customer_taps(at, &tapping.item, now)?}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomerRecalling {
    open_kfid: String,
    customer: String,
    msgid: String,
}

fn customer_recalls(company: &mut Company, recalling: CustomerRecalling, now: Timestamp) -> Done {
    let at = conversation(&recalling.open_kfid, &recalling.customer);
    company.customer_recalls(at, &recalling.msgid, now)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Serving {
    open_kfid: String,
    customer: String,
    servicer: String,
}

fn servicer_takes(company: &mut Company, serving: Serving, now: Timestamp) -> Done {
    let at = conversation(&serving.open_kfid, &serving.customer);
    company.servicer_takes(at, &serving.servicer, now)?;
    Ok(json!({}))
}

fn servicer_ends(company: &mut Company, serving: Serving, now: Timestamp) -> Done {
    let at = conversation(&serving.open_kfid, &serving.customer);
    company.servicer_ends(at, &serving.servicer, now)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServicerWriting {
    open_kfid: String,
    customer: String,
    servicer: String,
    text: Option<String>,
    msgtype: Option<String>,
    body: Option<Value>,
}

fn servicer_writes(company: &mut Company, writing: ServicerWriting, now: Timestamp) -> Done {
    let at = conversation(&writing.open_kfid, &writing.customer);
    let (kind, body) = written(writing.text, writing.msgtype, writing.body)?;
    let content = Writing {
        kind: &kind,
        body: &body,
    };
    Ok(json!({"msgid": company.servicer_writes(at, &writing.servicer, content, now)?}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServicerRecalling {
    open_kfid: String,
    customer: String,
    servicer: String,
    msgid: String,
}

fn servicer_recalls(company: &mut Company, recalling: ServicerRecalling, now: Timestamp) -> Done {
    let at = conversation(&recalling.open_kfid, &recalling.customer);
    company.servicer_recalls(at, &recalling.servicer, &recalling.msgid, now)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transferring {
    open_kfid: String,
    customer: String,
    servicer: String,
    to: String,
}

fn servicer_transfers(company: &mut Company, transferring: Transferring, now: Timestamp) -> Done {
    let at = conversation(&transferring.open_kfid, &transferring.customer);
    company.servicer_transfers(at, &transferring.servicer, &transferring.to, now)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Duty {
    open_kfid: String,
    servicer: String,
    on_duty: bool,
    #[serde(default)]
    paused: bool,
}

fn servicer_changes_duty(company: &mut Company, duty: Duty, now: Timestamp) -> Done {
    let servicer = Servicer {
        is_receiving: duty.on_duty,
        is_paused: duty.paused && !duty.on_duty,
    };
    company.servicer_changes_duty(&duty.open_kfid, &duty.servicer, servicer, now)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ringing {
    open_kfid: String,
    times: Option<u32>,
}

/// Rings without anything new, as a repeated callback does.
fn ring(company: &mut Company, ringing: Ringing, now: Timestamp) -> Done {
    company.kf.account(&ringing.open_kfid)?;
    for _ in 0..ringing.times.unwrap_or(1) {
        company.ring(&ringing.open_kfid, now);
    }
    Ok(json!({}))
}

/// Sets the limits that are named; without a request only tells them.
fn limits(company: &mut Company, request: Value) -> Done {
    let mut limits = json!(company.limits);
    if let (Some(limits), Value::Object(changes)) = (limits.as_object_mut(), request) {
        limits.extend(changes);
    }
    company.limits = read(limits.clone())?;
    Ok(limits)
}

/// Adds a rule or a list of rules; without a request only tells them.
fn faults(company: &mut Company, request: Value) -> Done {
    let rules: Vec<Fault> = match request {
        Value::Null => Vec::new(),
        Value::Array(_) => read(request)?,
        _ => vec![read(request)?],
    };
    rules.into_iter().for_each(|rule| company.faults.add(rule));
    let told = company.faults.listed();
    let told = told
        .iter()
        .map(|(fault, matched, happened)| json!({"fault": fault, "matched": matched, "happened": happened}));
    Ok(json!({"faults": told.collect::<Vec<Value>>()}))
}

fn clear_faults(company: &mut Company) -> Done {
    company.faults.clear();
    Ok(json!({"faults": []}))
}

fn expire_token(company: &mut Company) -> Done {
    company.access_tokens.expire();
    Ok(json!({}))
}

pub(super) fn conversation<'a>(open_kfid: &'a str, customer: &'a str) -> Conversation<'a> {
    Conversation { open_kfid, customer }
}

/// So many seconds ago.
pub(super) fn before(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_sub(SignedDuration::from_secs(seconds)).unwrap_or(now)
}
