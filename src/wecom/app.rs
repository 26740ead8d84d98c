//! Calls about the app itself: its settings, its menu, the addresses of WeCom, what became of a sent message.

use serde::Deserialize;
use serde_json::Value;

use super::api::Api;
use super::client::{Client, read};
use super::error::ApiError;
use crate::protocol::Private;

/// The app's settings, as far as they matter here (doc/90227).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// What members read as its name.
    pub name: String,
    /// The app is switched off in the console; then it cannot send.
    pub is_disabled: bool,
    /// Nobody may see the app, so that nobody can write to it or be written to.
    pub is_invisible: bool,
    /// Whether WeCom reports that a member opens the app.
    pub reports_entering: bool,
}

impl Agent {
    /// Reads the answer to [`Api::AgentGet`].
    ///
    /// # Errors
    ///
    /// When it is another answer.
    pub fn read(answer: Value) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct Wire {
            name: String,
            #[serde(default)]
            close: i64,
            #[serde(default)]
            isreportenter: i64,
            #[serde(flatten)]
            rest: Value,
        }
        let wire: Wire = read(Api::AgentGet, answer)?;
        Ok(Self {
            name: wire.name,
            is_disabled: wire.close != 0,
            is_invisible: is_invisible(&wire.rest),
            reports_entering: wire.isreportenter != 0,
        })
    }
}

/// What WeCom says of a message it accepted (doc/90236). Accepted is not delivered: what exceeds the limits of a member vanishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendReceipt {
    /// For recalling the message.
    pub message_id: String,
    /// For updating the card once within 72 hours, if it was one with buttons.
    pub response_code: Option<Private>,
    /// Members who did not get it, in small letters: unknown, outside the visible range, or without a licence.
    pub not_reached: Vec<Private>,
}

impl SendReceipt {
    /// Reads the answer to [`Api::MessageSend`]. What is missing is empty.
    pub fn read(answer: &Value) -> Self {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let not_reached = ["invaliduser", "unlicenseduser"]
            .into_iter()
            .flat_map(|name| text(name).split('|'));
        let response_code = text("response_code");
        Self {
            message_id: text("msgid").to_owned(),
            response_code: (!response_code.is_empty()).then(|| response_code.into()),
            not_reached: not_reached
                .filter(|member| !member.is_empty())
                .map(|member| member.to_ascii_lowercase().into())
                .collect(),
        }
    }
}

impl Client {
    /// The app's settings. That this goes well proves that Secret, number of the app and trusted IP fit together.
    ///
    /// # Errors
    ///
    /// Why the call failed.
    pub async fn agent(&self) -> Result<Agent, ApiError> {
        Agent::read(self.call(Api::AgentGet, None).await?)
    }

    /// Sets the app's menu, in WeCom's own form (doc/90231).
    ///
    /// # Errors
    ///
    /// Why the call failed.
    pub async fn create_menu(&self, menu: &Value) -> Result<(), ApiError> {
        self.call(Api::MenuCreate, Some(&menu.to_string())).await.map(drop)
    }

    /// Addresses from which callbacks come, for a firewall: single ones, with wildcards, or ranges (doc/92521).
    ///
    /// # Errors
    ///
    /// Why the call failed.
    pub async fn callback_ips(&self) -> Result<Vec<String>, ApiError> {
        self.addresses(Api::CallbackIps).await
    }

    /// Addresses of WeCom's API, for a firewall (doc/92520).
    ///
    /// # Errors
    ///
    /// Why the call failed.
    pub async fn api_domain_ips(&self) -> Result<Vec<String>, ApiError> {
        self.addresses(Api::ApiDomainIps).await
    }

    async fn addresses(&self, api: Api) -> Result<Vec<String>, ApiError> {
        #[derive(Deserialize)]
        struct Wire {
            ip_list: Vec<String>,
        }
        let answer = self.call(api, None).await?;
        read(api, answer).map(|wire: Wire| wire.ip_list)
    }
}

/// Whether the app's visible range is given and empty (doc/90227).
fn is_invisible(agent: &Value) -> bool {
    let ranges = ["/allow_userinfos/user", "/allow_partys/partyid", "/allow_tags/tagid"];
    let given: Vec<&Value> = ranges.iter().filter_map(|range| agent.pointer(range)).collect();
    !given.is_empty() && given.iter().all(|range| range.as_array().is_some_and(Vec::is_empty))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_receipt_names_everybody_who_was_not_reached() {
        let answer = json!({"errcode": 0, "msgid": "m", "invaliduser": "ZhangSan|lisi", "unlicenseduser": "wangwu"});
        let receipt = SendReceipt::read(&answer);
        assert_eq!(receipt.not_reached, ["zhangsan", "lisi", "wangwu"].map(Private::from));
        assert_eq!((receipt.message_id.as_str(), receipt.response_code), ("m", None));
    }

    #[test]
    fn an_app_is_invisible_when_its_range_is_given_and_empty() {
        let nobody =
            json!({"allow_userinfos": {"user": []}, "allow_partys": {"partyid": []}, "allow_tags": {"tagid": []}});
        assert!(is_invisible(&nobody));
        let everybody = json!({"allow_userinfos": {"user": []}, "allow_partys": {"partyid": [1]}});
        assert!(!is_invisible(&everybody) && !is_invisible(&json!({})));
    }

    #[test]
    fn missing_lists_are_empty() {
        let receipt = SendReceipt::read(&json!({"msgid": "m", "invaliduser": "", "response_code": "r"}));
        assert!(receipt.not_reached.is_empty());
        assert_eq!(receipt.response_code.as_deref(), Some("r"));
    }
}
