//! What was found: a cause with a stable name, and what belongs to it.

use serde::{Deserialize, Serialize};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Green,
    /// Worth a look; it may be what keeps callbacks away.
    Yellow,
    /// It keeps something from working.
    Red,
}

/// From where something was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// On this machine.
    Inside,
    /// At the public address.
    Outside,
    /// At WeCom's API.
    Platform,
    /// At the requests that have really come.
    Life,
}

macro_rules! causes {
    ($($name:ident $id:ident),* $(,)?) => {
        /// What was found, by its stable name; `words/` says what each means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Cause {
            $(
                #[doc = concat!("`", stringify!($id), "`")]
                $name
            ),*
        }

        impl Cause {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name.
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($id)),*
                }
            }
        }
    };
}

causes! {
    ConfigurationGood configuration_good, ConfigurationToken configuration_token, ConfigurationKey configuration_encoding_aes_key,
    ConfigurationCorpId configuration_corp_id, ConfigurationProblem configuration_problem,
    ClockGood clock_good, ClockOff clock_off, ClockWrong clock_wrong, ClockUnknown clock_unknown,
    StoreGood store_good, StoreMissing store_missing, StoreUnusable store_unusable, StoreReadOnly store_read_only,
    DeadLetters dead_letters,
    KnowledgeGood knowledge_good, KnowledgeProblems knowledge_problems,
    ServerGood server_good, ServerNotRunning server_not_running, ServerOtherCredentials server_other_credentials,
    PortTaken port_taken,

    UrlMissing url_missing, UrlNotEncrypted url_not_encrypted, UrlIpv4 url_ipv4, UrlIpv6 url_ipv6, UrlPrivate url_private,
    UrlTunnel url_tunnel, NameGood name_good, NameMissing name_missing, NamePrivate name_private, NameIpv6Only name_ipv6_only,
    CertificateGood certificate_good, CertificateEndsSoon certificate_ends_soon, CertificateExpired certificate_expired,
    CertificateNotYet certificate_not_yet, CertificateSelfSigned certificate_self_signed,
    CertificateIncomplete certificate_incomplete_chain, CertificateWrongHost certificate_wrong_host,
    CertificateUnknown certificate_unknown_authority, TlsFailed tls_failed,
    ConnectionRefused connection_refused, ConnectionTimeout connection_timeout, ConnectionFailed connection_failed,
    AnswerTimeout answer_timeout,
    VerificationGood verification_good, MessagesGood messages_good,
    RedirectSlash redirect_slash, RedirectHttps redirect_https, RedirectLogin redirect_login, Redirect redirect,
    LoginRequired login_required, LoginPage login_page, Blocked blocked, HtmlPage html_page, NotRouted not_routed, AppUnknown app_unknown,
    GetNotAllowed get_not_allowed, PostNotAllowed post_not_allowed, BackendDown backend_down, ServerError server_error,
    TurnedAway turned_away, StatusUnexpected status_unexpected, NotStored not_stored,
    QueryStripped query_stripped, PlusChanged plus_changed, QueryDecoded query_decoded, OtherCredentials other_credentials,
    ForgedAccepted forged_accepted, BodyChanged body_changed,
    AnswerQuoted answer_quoted, AnswerWrapped answer_wrapped, AnswerByteOrderMark answer_byte_order_mark, AnswerBlank answer_blank,
    AnswerCiphertext answer_ciphertext, AnswerCached answer_cached, AnswerEmpty answer_empty, AnswerChanged answer_changed,
    Slow slow, SlowFirst slow_first, NearlySlow nearly_slow,

    PlatformGood platform_good, PlatformNoSecret platform_no_secret, SecretWrong secret_wrong, CorpIdUnknown corp_id_unknown,
    IpNotTrusted ip_not_trusted, AgentIdWrong agent_id_wrong, AgentDisabled agent_disabled, AgentInvisible agent_invisible,
    ApiRefused api_refused, ApiUnreachable api_unreachable, FarFromWecom far_from_wecom, CallbackAddresses callback_addresses,
    KfGood kf_good, KfNotPermitted kf_not_permitted, KfNoAccount kf_no_account, KfAccountNotGranted kf_account_not_granted,
    KfNobodyReceives kf_nobody_receives,

    LifeVerified life_verified, LifeMessages life_messages, LifeNothing life_nothing, LifeNeverUsed life_never_used,
    LifePast life_past, LifeToken life_token, LifeKey life_encoding_aes_key, LifeKeyOfOther life_encoding_aes_key_of_another_app,
    LifeTokenAndKey life_token_and_encoding_aes_key, LifeCorpId life_corp_id, LifeCorpIdEmpty life_corp_id_empty, LifePath life_path,
    LifeUnknownPath life_unknown_path, LifeQuery life_query, LifeQueryStripped life_query_stripped,
    LifeCiphertext life_changed_ciphertext, LifeClock life_clock, LifeReplay life_replay, LifeBody life_body, LifeMethod life_method,
    ProxyHeaderMissing proxy_header_missing, ProxyNotTrusted proxy_not_trusted,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub cause: Cause,
    /// The app that it is about; empty where it is about all of them.
    pub app: String,
    /// What belongs to it, each by the name under which the words speak of it. No secret is among them.
    pub values: Vec<(&'static str, String)>,
}

impl Finding {
    pub(super) fn new(cause: Cause) -> Self {
        Self {
            cause,
            app: String::new(),
            values: Vec::new(),
        }
    }

    /// Much of it comes from others, and must not act on the terminal that shows it.
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        let shown = value.to_string().replace(char::is_control, " ");
        self.values.push((name, shown));
        self
    }

    pub(super) fn of(mut self, app: &str) -> Self {
        app.clone_into(&mut self.app);
        self
    }
}
