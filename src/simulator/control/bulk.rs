//! Many customers write at once: a rush, or the backlog of a bot that was down.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::acts::{before, conversation};
use crate::simulator::model::company::Company;
use crate::simulator::model::kf_people::Writing;

/// How many callbacks tell of it.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ringing {
    None,
    #[default]
    Once,
    Each,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bulk {
    open_kfid: String,
    customers: u32,
    messages: u32,
    /// Customers are called by this and a number from 0.
    prefix: Option<String>,
    /// Taken in turn.
    #[serde(default)]
    texts: Vec<String>,
    /// How long ago the first, the second, … message of every customer was written; the last one holds for the rest.
    #[serde(default)]
    ages_seconds: Vec<i64>,
    #[serde(default)]
    callbacks: Ringing,
}

/// Message by message, every customer in turn.
pub(super) fn write(company: &mut Company, bulk: Bulk, now: Timestamp) -> Result<Value, ControlError> {
    let prefix = bulk.prefix.as_deref().unwrap_or("wmBulk");
    let mut texts = bulk.texts.iter().cycle();
    for message in 0..bulk.messages {
        let sent = before(now, age(&bulk.ages_seconds, message));
        for number in 0..bulk.customers {
            let text = texts
                .next()
                .cloned()
                .unwrap_or_else(|| format!("第 {} 条", message.saturating_add(1)));
            let body = json!({"content": text});
            let writing = Writing {
                kind: "text",
                body: &body,
            };
            company.customer_writes(
                conversation(&bulk.open_kfid, &format!("{prefix}{number}")),
                writing,
                sent,
            )?;
            if matches!(bulk.callbacks, Ringing::Each) {
                company.ring(&bulk.open_kfid, now);
            }
        }
    }
    if matches!(bulk.callbacks, Ringing::Once) {
        company.ring(&bulk.open_kfid, now);
    }
    Ok(json!({"written": u64::from(bulk.customers).saturating_mul(u64::from(bulk.messages))}))
}

fn age(ages: &[i64], message: u32) -> i64 {
    let index = usize::try_from(message).unwrap_or(usize::MAX);
    ages.get(index).or(ages.last()).copied().unwrap_or(0)
}
