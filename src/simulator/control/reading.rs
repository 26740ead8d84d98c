//! What everybody sees, and how the sessions stand.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use crate::simulator::model::company::Company;
use crate::simulator::model::kf::Account;
use crate::simulator::model::phone::{Phone, Seen};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seeing {
    member: Option<String>,
    customer: Option<String>,
    /// Only this account of a customer.
    open_kfid: Option<String>,
    /// Only what came after the message with this number.
    #[serde(default)]
    after: u64,
}

/// What is on a phone. A person whom nobody has met yet has an empty one.
pub(super) fn seen(company: &Company, seeing: Seeing) -> Result<Value, ControlError> {
    let phone = match (&seeing.member, &seeing.customer) {
        (Some(member), None) => company.members.get(member).map(|member| &member.phone),
        (None, Some(customer)) => company.kf.customers.get(customer).map(|customer| &customer.phone),
        _ => return Err(ControlError::Malformed("say either `member` or `customer`".to_owned())),
    };
    let is_wanted = |message: &&Seen| {
        let is_here = seeing.open_kfid.is_none() || seeing.open_kfid == message.open_kfid;
        is_here && message.number > seeing.after
    };
    let messages = phone.map(Phone::messages).unwrap_or_default();
    let wanted: Vec<&Seen> = messages.iter().filter(is_wanted).collect();
    Ok(json!({"messages": wanted, "newest": phone.map_or(0, Phone::newest)}))
}

/// Every account of 微信客服, with the people who look after it.
pub(super) fn accounts(company: &Company) -> Value {
    let accounts = company.kf.accounts.values().map(|account| {
        let servicers = account.servicers.iter().map(
            |(userid, servicer)| json!({"userid": userid, "on_duty": servicer.is_receiving, "paused": servicer.is_paused}),
        );
        json!({"open_kfid": account.open_kfid, "name": account.name, "servicers": servicers.collect::<Vec<Value>>()})
    });
    json!({"accounts": accounts.collect::<Vec<Value>>()})
}

/// Every session that ever began.
pub(super) fn sessions(company: &Company, now: Timestamp) -> Value {
    let sessions = company
        .kf
        .accounts
        .values()
        .flat_map(|account| sessions_of(company, account, now));
    json!({"sessions": sessions.collect::<Vec<Value>>()})
}

fn sessions_of<'a>(company: &'a Company, account: &'a Account, now: Timestamp) -> impl Iterator<Item = Value> + 'a {
    account.sessions.iter().map(move |(customer, session)| {
        json!({
            "open_kfid": account.open_kfid,
            "customer": customer,
            "nickname": company.kf.customers.get(customer).map(|customer| &customer.nickname),
            "state": session.state(now).number(),
            "servicer": session.servicer(now),
            "budget": session.budget,
            "entered_at": session.entered.map(Timestamp::as_millisecond),
            "wrote_at": session.wrote.map(Timestamp::as_millisecond),
        })
    })
}
