//! The calls of WeCom's API that the bot makes: path, method, name, and whether a call may be repeated blindly.

/// One call of WeCom's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    /// Sends a message of the app (doc/90236).
    MessageSend,
    /// Changes a card that was sent (doc/94888).
    UpdateTemplateCard,
    /// Sets the app's menu (doc/90231).
    MenuCreate,
    /// Reads the app's settings (doc/90227).
    AgentGet,
    /// Reads what happened in a customer service account (doc/94670).
    KfSyncMessages,
    /// Sends a message to a customer (doc/94677).
    KfSendMessage,
    /// Sends a message on an event, such as a customer entering (doc/95122).
    KfSendMessageOnEvent,
    /// Reads the state of a session with a customer (doc/94669).
    KfServiceStateGet,
    /// Changes the state of a session with a customer (doc/94669).
    KfServiceStateTrans,
    /// Lists the customer service accounts (doc/94661).
    KfAccountList,
    /// Lists the people who serve an account (doc/94645).
    KfServicerList,
    /// Makes a link to an account (doc/94665).
    KfAddContactWay,
    /// Reads the profiles of customers (doc/95159).
    KfCustomerBatchget,
    /// Lists the addresses of the API (doc/92520).
    ApiDomainIps,
    /// Lists the addresses from which callbacks come (doc/92521).
    CallbackIps,
}

/// How a call is made over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Everything is in the query.
    Get,
    /// A JSON body.
    Post,
}

/// What becomes of a call that is made again although the first one may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// The outcome is the same.
    Safe,
    /// WeCom refuses the second one by the `msgid` of the body; without one it is carried out twice.
    SafeWithMessageId,
    /// It is carried out twice.
    Unsafe,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::MessageSend,
        Self::UpdateTemplateCard,
        Self::MenuCreate,
        Self::AgentGet,
        Self::KfSyncMessages,
        Self::KfSendMessage,
        Self::KfSendMessageOnEvent,
        Self::KfServiceStateGet,
        Self::KfServiceStateTrans,
        Self::KfAccountList,
        Self::KfServicerList,
        Self::KfAddContactWay,
        Self::KfCustomerBatchget,
        Self::ApiDomainIps,
        Self::CallbackIps,
    ];

    /// WeCom's own name of the call, the end of its path. It is stored in databases and never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::MessageSend => "message/send",
            Self::UpdateTemplateCard => "message/update_template_card",
            Self::MenuCreate => "menu/create",
            Self::AgentGet => "agent/get",
            Self::KfSyncMessages => "kf/sync_msg",
            Self::KfSendMessage => "kf/send_msg",
            Self::KfSendMessageOnEvent => "kf/send_msg_on_event",
            Self::KfServiceStateGet => "kf/service_state/get",
            Self::KfServiceStateTrans => "kf/service_state/trans",
            Self::KfAccountList => "kf/account/list",
            Self::KfServicerList => "kf/servicer/list",
            Self::KfAddContactWay => "kf/add_contact_way",
            Self::KfCustomerBatchget => "kf/customer/batchget",
            Self::ApiDomainIps => "get_api_domain_ip",
            Self::CallbackIps => "getcallbackip",
        }
    }

    /// The call with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    /// Path below the start of every API address.
    pub fn path(self) -> String {
        format!("cgi-bin/{}", self.name())
    }

    /// How the call is made.
    pub fn method(self) -> Method {
        match self {
            Self::AgentGet | Self::KfServicerList | Self::ApiDomainIps | Self::CallbackIps => Method::Get,
            _ => Method::Post,
        }
    }

    /// Whether the number of the app goes into the query.
    pub(super) fn takes_agent_id(self) -> bool {
        matches!(self, Self::MenuCreate | Self::AgentGet)
    }

    /// What becomes of the call when it is made again after nobody knows what (a time-out, a lost connection).
    ///
    /// The code of an event and the response code of a card work once, so repeating those calls changes nothing.
    pub fn repetition(self) -> Repetition {
        match self {
            Self::MessageSend => Repetition::Unsafe,
            Self::KfSendMessage => Repetition::SafeWithMessageId,
            _ => Repetition::Safe,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_call() {
        for api in Api::ALL {
            assert_eq!(Api::from_name(api.name()), Some(api));
            assert_eq!(api.path(), format!("cgi-bin/{}", api.name()));
        }
        assert_eq!(Api::from_name("gettoken"), None);
    }

    #[test]
    fn no_call_is_missing_from_the_list() {
        let sorted: std::collections::BTreeSet<Api> = Api::ALL.into_iter().collect();
        assert_eq!(sorted.len(), Api::ALL.len());
        assert_eq!(sorted.last(), Some(&Api::CallbackIps));
    }

    #[test]
    fn only_sending_is_not_repeated_blindly() {
        assert_eq!(Api::MessageSend.repetition(), Repetition::Unsafe);
        assert_eq!(Api::KfSendMessage.repetition(), Repetition::SafeWithMessageId);
        assert_eq!(Api::KfSyncMessages.repetition(), Repetition::Safe);
    }
}
