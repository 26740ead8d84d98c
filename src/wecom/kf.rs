//! Calls of 微信客服: reading what happened, the state of a session, who serves, accounts, links, customers.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::client::{Client, malformed, read};
use super::codes::Handling;
use super::error::ApiError;
use crate::protocol::Private;

/// Most messages that one page can have (doc/94670).
pub const LARGEST_SYNC_PAGE: u32 = 1000;

/// Accounts of one page (doc/94661).
const ACCOUNTS_A_PAGE: usize = 100;

/// A company has 5000 accounts at most (doc/94661).
const MOST_ACCOUNT_PAGES: usize = 50;

/// Customers of one call (doc/95159).
const CUSTOMERS_A_CALL: usize = 100;

/// What to read of an account.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// The account.
    pub open_kf_id: String,
    /// Where the last page ended; `None` starts with the oldest message of the last three days.
    pub cursor: Option<String>,
    /// Token of the callback, good for ten minutes. Without one WeCom allows fewer calls.
    pub token: Option<Private>,
    /// Messages a page, up to [`LARGEST_SYNC_PAGE`].
    pub limit: u32,
}

/// One page of what happened in an account.
#[derive(Clone, PartialEq)]
pub struct SyncPage {
    /// Messages and events as WeCom wrote them, in its order.
    pub messages: Vec<Value>,
    /// Where the next page begins; to be stored together with the messages.
    pub next_cursor: String,
    /// Whether there is more now. A page may be short or empty and there is more all the same.
    pub has_more: bool,
}

impl SyncPage {
    /// Reads the answer to [`Api::KfSyncMessages`]. Without a new cursor the one asked with stays: an empty one would mean the oldest message.
    ///
    /// # Errors
    ///
    /// When it is another answer.
    pub fn read(answer: Value, asked_with: Option<&str>) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            next_cursor: String,
            #[serde(default)]
            has_more: i64,
            #[serde(default)]
            msg_list: Vec<Value>,
        }
        let wire: Wire = read(Api::KfSyncMessages, answer)?;
        let next_cursor = match wire.next_cursor.is_empty() {
            true => asked_with.unwrap_or_default().to_owned(),
            false => wire.next_cursor,
        };
        Ok(Self {
            messages: wire.msg_list,
            next_cursor,
            has_more: wire.has_more != 0,
        })
    }
}

impl fmt::Debug for SyncPage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, has_more) = (self.messages.len(), self.has_more);
        write!(out, "SyncPage({count} messages, has_more: {has_more})")
    }
}

/// Who has the session with a customer (doc/94669).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// 0: the customer wrote, nobody has taken it; the bot may send.
    New,
    /// 1: the bot has it and may send.
    Assistant,
    /// 2: it waits in the pool for a person; the bot may not send.
    Pool,
    /// 3: a person has it; the bot may not send.
    Human {
        /// Member id of that person.
        servicer: Option<Private>,
    },
    /// 4: it has ended or not begun; the bot may not send.
    Ended,
}

impl ServiceState {
    /// Reads the answer to [`Api::KfServiceStateGet`].
    ///
    /// # Errors
    ///
    /// When it is another answer.
    pub fn read(answer: Value) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct Wire {
            service_state: i64,
            servicer_userid: Option<String>,
        }
        let api = Api::KfServiceStateGet;
        let wire: Wire = read(api, answer)?;
        match wire.service_state {
            0 => Ok(Self::New),
            1 => Ok(Self::Assistant),
            2 => Ok(Self::Pool),
            3 => Ok(Self::Human {
                servicer: wire.servicer_userid.map(Private::from),
            }),
            4 => Ok(Self::Ended),
            _ => Err(malformed(api, "an unknown service_state")),
        }
    }

    /// Whether the bot may send.
    pub fn lets_bot_send(&self) -> bool {
        matches!(self, Self::New | Self::Assistant)
    }
}

/// Who serves an account (doc/94645).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servicer {
    /// A member.
    Member {
        /// Their id.
        user_id: Private,
        /// Whether they take sessions now.
        is_receiving: bool,
    },
    /// All members of a department.
    Department {
        /// Its number.
        department_id: i64,
    },
}

impl Servicer {
    /// Reads the answer to [`Api::KfServicerList`].
    ///
    /// # Errors
    ///
    /// When it is another answer.
    pub fn read_list(answer: Value) -> Result<Vec<Self>, ApiError> {
        #[derive(Deserialize)]
        struct Wire {
            servicer_list: Vec<ServicerWire>,
        }
        let api = Api::KfServicerList;
        let wire: Wire = read(api, answer)?;
        let servicers: Option<Vec<Self>> = wire.servicer_list.into_iter().map(ServicerWire::servicer).collect();
        servicers.ok_or_else(|| malformed(api, "a servicer is neither member nor department"))
    }
}

/// An account of 微信客服 (doc/94661).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KfAccount {
    /// Its id.
    #[serde(rename = "open_kfid")]
    pub open_kf_id: String,
    /// What customers read as its name.
    pub name: String,
    /// Whether this app may serve it; if not, calls about it are refused with 48007.
    #[serde(default)]
    pub manage_privilege: bool,
}

impl KfAccount {
    /// Reads the answer to [`Api::KfAccountList`].
    ///
    /// # Errors
    ///
    /// When it is another answer.
    pub fn read_list(answer: Value) -> Result<Vec<Self>, ApiError> {
        #[derive(Deserialize)]
        struct Wire {
            account_list: Vec<KfAccount>,
        }
        read(Api::KfAccountList, answer).map(|wire: Wire| wire.account_list)
    }
}

/// A customer's profile (doc/95159).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Their id in this company.
    pub external_user_id: Private,
    /// What they call themselves.
    pub nickname: Private,
    /// The scene of the link through which they came.
    pub scene: Option<String>,
}

impl Customer {
    /// Reads the answer to [`Api::KfCustomerBatchget`].
    ///
    /// # Errors
    ///
    /// When it is another answer.
    pub fn read_list(answer: Value) -> Result<Vec<Self>, ApiError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            customer_list: Vec<CustomerWire>,
        }
        let wire: Wire = read(Api::KfCustomerBatchget, answer)?;
        Ok(wire.customer_list.into_iter().map(CustomerWire::customer).collect())
    }
}

/// Why a message that WeCom took did not arrive, and what to do about it (doc/94670, `fail_type`).
pub fn delivery_failure(reason: i64) -> &'static str {
    match reason {
        1 => "the account has been deleted",
        2 => "the app is closed; enable it in the admin console",
        4 => "the session is older than 48 hours; the customer has to write first",
        5 => "the session has ended",
        6 => "the customer has got five messages since their last one",
        7 => "no 视频号 is bound to the company; bind one in the admin console",
        8 | 9 => "the company is not verified; have it verified in the admin console (我的企业 → 企业信息)",
        10 => "the customer refuses messages",
        11 => "nobody of the company has ever logged in to WeCom's app; log in once",
        12 => "this kind of message is forbidden by a component of 微信客服",
        13 => "it was held back for safety; reword the answer if this happens again",
        _ => "WeCom gives no reason",
    }
}

impl Client {
    /// One page of what happened in an account. Without the token of a callback, or with one that is refused, only a few calls are made a
    /// minute.
    ///
    /// # Errors
    ///
    /// Why the call failed; [`Handling::DropCallbackToken`] when WeCom does not accept the token: the cursor alone is enough then.
    pub async fn sync_kf_messages(&self, request: &SyncRequest) -> Result<SyncPage, ApiError> {
        let api = Api::KfSyncMessages;
        if request.token.is_none() {
            self.spend_tokenless()?;
        }
        let answer = self.call(api, Some(&request.body())).await.inspect_err(|error| {
            if error.handling() == Handling::DropCallbackToken {
                self.note_wrong_token();
            }
        })?;
        SyncPage::read(answer, request.cursor.as_deref())
    }

    /// Who has the session with a customer.
    ///
    /// # Errors
    ///
    /// Why the call failed.
    pub async fn kf_service_state(&self, open_kf_id: &str, external_user_id: &str) -> Result<ServiceState, ApiError> {
        let body = json!({"open_kfid": open_kf_id, "external_userid": external_user_id});
        ServiceState::read(self.call(Api::KfServiceStateGet, Some(&body.to_string())).await?)
    }

    /// Who serves an account.
    ///
    /// # Errors
    ///
    /// Why the call failed.
    pub async fn kf_servicers(&self, open_kf_id: &str) -> Result<Vec<Servicer>, ApiError> {
        let query = [("open_kfid", open_kf_id)];
        Servicer::read_list(self.call_with(Api::KfServicerList, &query, None).await?)
    }

    /// Every account of the company, also those this app may not serve.
    ///
    /// # Errors
    ///
    /// Why a call failed.
    pub async fn kf_accounts(&self) -> Result<Vec<KfAccount>, ApiError> {
        let mut accounts = Vec::new();
        for _ in 0..MOST_ACCOUNT_PAGES {
            let body = json!({"offset": accounts.len(), "limit": ACCOUNTS_A_PAGE});
            let page = KfAccount::read_list(self.call(Api::KfAccountList, Some(&body.to_string())).await?)?;
            let is_last = page.len() < ACCOUNTS_A_PAGE;
            accounts.extend(page);
            if is_last {
                break;
            }
        }
        Ok(accounts)
    }

    /// A link by which customers reach an account. What WeCom reports when somebody comes through it has the `scene`, which has 32 letters,
    /// digits, `_` and `-` at most; anybody can read and change it.
    ///
    /// # Errors
    ///
    /// Why the call failed.
    pub async fn kf_contact_way(&self, open_kf_id: &str, scene: &str) -> Result<String, ApiError> {
        #[derive(Deserialize)]
        struct Wire {
            url: String,
        }
        let api = Api::KfAddContactWay;
        let body = json!({"open_kfid": open_kf_id, "scene": scene});
        let answer = self.call(api, Some(&body.to_string())).await?;
        read(api, answer).map(|wire: Wire| wire.url)
    }

    /// The profiles of customers who entered or wrote within the last 48 hours; others are left out.
    ///
    /// # Errors
    ///
    /// Why a call failed.
    pub async fn kf_customers(&self, external_user_ids: &[String]) -> Result<Vec<Customer>, ApiError> {
        let mut customers = Vec::new();
        for ids in external_user_ids.chunks(CUSTOMERS_A_CALL) {
            let body = json!({"external_userid_list": ids, "need_enter_session_context": 1});
            let answer = self.call(Api::KfCustomerBatchget, Some(&body.to_string())).await?;
            customers.extend(Customer::read_list(answer)?);
        }
        Ok(customers)
    }
}

impl SyncRequest {
    fn body(&self) -> String {
        let mut body = json!({"open_kfid": self.open_kf_id, "limit": self.limit.clamp(1, LARGEST_SYNC_PAGE)});
        let optional = [("cursor", self.cursor.as_deref()), ("token", self.token.as_deref())];
        if let Some(fields) = body.as_object_mut() {
            let given = optional
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
            fields.extend(given);
        }
        body.to_string()
    }
}

#[derive(Deserialize)]
struct ServicerWire {
    userid: Option<String>,
    department_id: Option<i64>,
    status: Option<i64>,
}

impl ServicerWire {
    fn servicer(self) -> Option<Servicer> {
        let is_receiving = self.status == Some(0);
        let member = self.userid.map(|user_id| Servicer::Member {
            user_id: user_id.into(),
            is_receiving,
        });
        member.or(self
            .department_id
            .map(|department_id| Servicer::Department { department_id }))
    }
}

#[derive(Deserialize)]
struct CustomerWire {
    external_userid: String,
    #[serde(default)]
    nickname: String,
    enter_session_context: Option<EnteredWire>,
}

#[derive(Deserialize)]
struct EnteredWire {
    scene: Option<String>,
}

impl CustomerWire {
    fn customer(self) -> Customer {
        Customer {
            external_user_id: self.external_userid.into(),
            nickname: self.nickname.into(),
            scene: self.enter_session_context.and_then(|entered| entered.scene),
        }
    }
}
