//! The client against a stub of WeCom on loopback: a real server, so that connections, time-outs and redirects are real ones.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::kf::{KfAccount, ServiceState, Servicer, SyncRequest};
use super::sealing::seal;
use super::token::{AccessToken, Credentials};
use super::{
    Api, ApiBase, ApiError, Client, ClientSettings, ExchangeFailure, Handling, ProxyAddress, StoredToken, TokenError,
    TokenStore,
};
use crate::knowledge::Language;
use crate::metrics::Metrics;
use crate::store::{BoxFuture, StoreError};

const SECRET: &str = "canary-secret";
const TEXT_BODY: &str = r#"{"touser":"lisi","msgtype":"text","text":{"content":"canary-content"}}"#;
const KF_BODY: &str = r#"{"touser":"wm1","msgid":"m1","msgtype":"text","text":{"content":"canary-content"}}"#;

/// What the stub does with one request.
enum Answer {
    Json(Value),
    Raw(u16, String),
    Redirect(String),
    /// Closes the connection without a word.
    Closed,
    /// Never answers.
    Silent,
    /// More than any answer of WeCom has.
    Endless,
}

/// A request that arrived.
#[derive(Clone, Debug)]
struct Arrived {
    path: String,
    query: HashMap<String, String>,
    body: String,
}

impl Arrived {
    fn token(&self) -> &str {
        self.query.get("access_token").map_or("", String::as_str)
    }
}

struct Stub {
    address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Stub {
    /// A server that answers with what `script` says of a request and of how many of the same path came before it.
    fn start(script: impl Fn(&Arrived, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let (seen, script) = (Arc::clone(&arrived), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                std::thread::spawn(move || serve(&mut stream.unwrap(), &seen, script.as_ref()));
            }
        });
        Self { address, arrived }
    }

    fn base(&self) -> ApiBase {
        ApiBase::parse(&format!("http://{}", self.address)).unwrap()
    }

    fn requests(&self, path: &str) -> Vec<Arrived> {
        let path = format!("/cgi-bin/{path}");
        let arrived = self.arrived.lock().unwrap();
        arrived.iter().filter(|request| request.path == path).cloned().collect()
    }

    #[track_caller]
    fn check_count(&self, path: &str, expected: usize) {
        assert_eq!(self.requests(path).len(), expected, "{path}");
    }

    fn client(&self) -> Client {
        client_of(self.base(), Arc::new(MemoryTokens::default()))
    }
}

fn serve(stream: &mut TcpStream, seen: &Mutex<Vec<Arrived>>, script: &dyn Fn(&Arrived, usize) -> Answer) {
    let Some(request) = read_request(stream) else { return };
    let before = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|other| other.path == request.path).count();
        seen.push(request.clone());
        before
    };
    // A client that has given up is no failure of the stub.
    let _ = answer(stream, script(&request, before));
}

fn read_request(stream: &TcpStream) -> Option<Arrived> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let url = reqwest::Url::parse("http://stub").unwrap().join(&target).unwrap();
    Some(Arrived {
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        body: String::from_utf8(body).unwrap(),
    })
}

fn answer(stream: &mut TcpStream, answer: Answer) -> std::io::Result<()> {
    match answer {
        Answer::Json(value) => respond(stream, 200, "", &value.to_string()),
        Answer::Raw(status, body) => respond(stream, status, "", &body),
        Answer::Redirect(location) => respond(stream, 302, &format!("Location: {location}\r\n"), ""),
        Answer::Closed => Ok(()),
        Answer::Silent => stream.read(&mut [0; 1]).map(drop),
        Answer::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            let part = vec![b' '; 1 << 20];
            (0..16).try_for_each(|_| stream.write_all(&part))
        }
    }
}

fn respond(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

/// The tokens of the processes of one test.
#[derive(Default)]
struct MemoryTokens {
    token: Mutex<Option<StoredToken>>,
    claim: Mutex<Option<(i64, Timestamp)>>,
}

impl MemoryTokens {
    fn with(token: &str, generation: i64, seconds: i64) -> Arc<Self> {
        let tokens = Self::default();
        tokens.put(token, generation, seconds);
        Arc::new(tokens)
    }

    fn put(&self, token: &str, generation: i64, seconds: i64) {
        let expires_at = Timestamp::now() + SignedDuration::from_secs(seconds);
        let token = AccessToken {
            token: SecretString::from(token),
            generation,
            expires_at,
        };
        let credentials = Credentials {
            app: "support".to_owned(),
            corp_id: "ww1".to_owned(),
            secret: SecretString::from(SECRET),
        };
        *self.token.lock().unwrap() = seal(&credentials, &token);
    }

    fn generation(&self) -> i64 {
        self.token.lock().unwrap().as_ref().map_or(0, |token| token.generation)
    }
}

impl TokenStore for MemoryTokens {
    fn token<'a>(&'a self, _app: &'a str) -> BoxFuture<'a, Result<Option<StoredToken>, StoreError>> {
        Box::pin(async { Ok(self.token.lock().unwrap().clone()) })
    }

    fn claim_token_refresh<'a>(
        &'a self,
        _app: &'a str,
        generation: i64,
        now: Timestamp,
        until: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut claim = self.claim.lock().unwrap();
            let is_taken = claim.is_some_and(|(claimed, until)| claimed >= generation && now < until);
            if is_taken || self.generation() > generation {
                return Ok(false);
            }
            *claim = Some((generation, until));
            Ok(true)
        })
    }

    fn save_token<'a>(&'a self, _app: &'a str, token: StoredToken) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            *self.token.lock().unwrap() = Some(token);
            Ok(())
        })
    }
}

/// A store that does not work, but notes of which app it was asked.
#[derive(Default)]
struct BrokenTokens(Arc<Mutex<Vec<String>>>);

impl TokenStore for BrokenTokens {
    fn token<'a>(&'a self, app: &'a str) -> BoxFuture<'a, Result<Option<StoredToken>, StoreError>> {
        self.0.lock().unwrap().push(app.to_owned());
        Box::pin(async { Err(StoreError::Overloaded) })
    }

    fn claim_token_refresh<'a>(
        &'a self,
        _app: &'a str,
        _generation: i64,
        _now: Timestamp,
        _until: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async { Err(StoreError::Overloaded) })
    }

    fn save_token<'a>(&'a self, _app: &'a str, _token: StoredToken) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Err(StoreError::Overloaded) })
    }
}

fn settings(api_base: ApiBase, timeout: Duration) -> ClientSettings {
    ClientSettings {
        app: "support".to_owned(),
        corp_id: "ww1".to_owned(),
        secret: SecretString::from(SECRET),
        agent_id: 1_000_002,
        api_base,
        proxy: None,
        timeout,
        metrics: Metrics::default(),
    }
}

fn client_of(api_base: ApiBase, tokens: Arc<dyn TokenStore>) -> Client {
    Client::new(settings(api_base, Duration::from_secs(20)), tokens).unwrap()
}

/// A client that soon gives up, with a token at hand.
fn impatient(api_base: ApiBase) -> Client {
    let tokens = MemoryTokens::with("canary-token-1", 1, 7200);
    Client::new(settings(api_base, Duration::from_secs(2)), tokens).unwrap()
}

/// The answer to gettoken: `canary-token-1`, then `-2`, and so on.
fn token_answer(before: usize) -> Answer {
    let token = format!("canary-token-{}", before + 1);
    Answer::Json(json!({"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": 7200}))
}

fn good() -> Answer {
    Answer::Json(json!({"errcode": 0, "errmsg": "ok"}))
}

fn refused(code: i64) -> Answer {
    Answer::Json(json!({"errcode": code, "errmsg": "canary-content echoed, from ip: 203.0.113.7, more info"}))
}

fn is_token_call(request: &Arrived) -> bool {
    request.path == "/cgi-bin/gettoken"
}

/// A stub that gives tokens and answers every other call as `script` says.
fn with_tokens(script: impl Fn(&Arrived, usize) -> Answer + Send + Sync + 'static) -> Stub {
    Stub::start(move |request, before| match is_token_call(request) {
        true => token_answer(before),
        false => script(request, before),
    })
}

fn failure(error: ApiError) -> ExchangeFailure {
    match error {
        ApiError::Failed { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_body_goes_out_as_it_is_and_the_token_into_the_query() {
    let stub = with_tokens(|_, _| good());
    stub.client().call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap();
    let token_request = &stub.requests("gettoken")[0];
    assert_eq!(token_request.query["corpid"], "ww1");
    assert_eq!(token_request.query["corpsecret"], SECRET);
    let request = &stub.requests("message/send")[0];
    assert_eq!((request.body.as_str(), request.token()), (TEXT_BODY, "canary-token-1"));
    assert_eq!(request.query.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_calls_at_once_fetch_one_token() {
    let stub = with_tokens(|_, _| good());
    let client = Arc::new(stub.client());
    let calls = (0..50).map(|_| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.call(Api::KfServiceStateGet, Some("{}")).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    stub.check_count("gettoken", 1);
    stub.check_count("kf/service_state/get", 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_fetch_one_token() {
    let stub = with_tokens(|_, _| good());
    let tokens = Arc::new(MemoryTokens::default());
    let (first, second) = (client_of(stub.base(), tokens.clone()), client_of(stub.base(), tokens));
    let (first, second) = tokio::join!(first.call(Api::AgentGet, None), second.call(Api::AgentGet, None));
    assert!(first.is_ok() && second.is_ok());
    stub.check_count("gettoken", 1);
}

#[tokio::test]
async fn calls_that_wait_for_a_token_share_its_failure() {
    let stub = Stub::start(|_, _| Answer::Raw(404, String::new()));
    let client = stub.client();
    let (first, second) = tokio::join!(client.call(Api::AgentGet, None), client.call(Api::AgentGet, None));
    assert_eq!(first, second);
    assert_eq!(
        first,
        Err(ApiError::NoToken(TokenError::Failed(ExchangeFailure::Status(404))))
    );
    stub.check_count("gettoken", 1);
}

#[tokio::test]
async fn a_fetch_that_failed_is_tried_again_by_the_next_call() {
    let stub = Stub::start(|request, before| match is_token_call(request) {
        true if before == 0 => Answer::Raw(404, String::new()),
        true => token_answer(before),
        false => good(),
    });
    let client = stub.client();
    assert!(client.call(Api::AgentGet, None).await.is_err());
    client.call(Api::AgentGet, None).await.unwrap();
    stub.check_count("gettoken", 2);
}

#[tokio::test]
async fn a_token_that_expired_on_the_way_is_fetched_and_the_call_repeated_once() {
    let stub = with_tokens(|request, _| match request.token() {
        "canary-token-1" => refused(42001),
        _ => good(),
    });
    let client = stub.client();
    client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap();
    client.call(Api::AgentGet, None).await.unwrap();
    stub.check_count("gettoken", 2);
    stub.check_count("message/send", 2);
    stub.check_count("agent/get", 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_meet_the_same_expired_token_fetch_one() {
    let stub = with_tokens(|request, _| match request.token() {
        "stale" => refused(40014),
        _ => good(),
    });
    let client = Arc::new(client_of(stub.base(), MemoryTokens::with("stale", 7, 7200)));
    let calls = (0..20).map(|_| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.call(Api::AgentGet, None).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    stub.check_count("gettoken", 1);
}

#[tokio::test]
async fn a_token_that_is_always_expired_ends_in_an_error_and_is_not_fetched_again_and_again() {
    let stub = with_tokens(|_, _| refused(42001));
    let client = stub.client();
    for _ in 0..3 {
        let error = client.call(Api::AgentGet, None).await.unwrap_err();
        assert_eq!(error.code(), Some(42001));
    }
    stub.check_count("gettoken", 2);
    stub.check_count("agent/get", 4);
}

#[tokio::test]
async fn a_wrong_secret_is_tried_once() {
    for code in [40001, 40013, 40091, 41002, 41004, 45031] {
        let stub = Stub::start(move |_, _| refused(code));
        let client = stub.client();
        let first = client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap_err();
        let second = client.call(Api::AgentGet, None).await.unwrap_err();
        assert_eq!(first, second);
        assert_eq!(first.code(), Some(code));
        assert!(first.retry_at().unwrap() > Timestamp::now());
        stub.check_count("gettoken", 1);
        assert_eq!(stub.arrived.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_newer_token_of_another_process_is_used_without_fetching() {
    let stub = with_tokens(|request, _| match request.token() {
        "newer" => good(),
        _ => refused(42001),
    });
    let tokens = MemoryTokens::with("older", 1, 7200);
    let client = client_of(stub.base(), tokens.clone());
    // The other process stores its token while the call with the old one is under way.
    let (call, ()) = tokio::join!(client.call(Api::AgentGet, None), async { tokens.put("newer", 2, 7200) });
    call.unwrap();
    stub.check_count("gettoken", 0);
}

#[tokio::test]
async fn a_token_that_ends_soon_is_used_while_another_process_renews_it() {
    let stub = with_tokens(|_, _| good());
    let tokens = MemoryTokens::with("ending", 3, 60);
    let now = Timestamp::now();
    let until = now + SignedDuration::from_mins(1);
    assert!(tokens.claim_token_refresh("support", 3, now, until).await.unwrap());
    let client = client_of(stub.base(), tokens.clone());
    client.call(Api::AgentGet, None).await.unwrap();
    stub.check_count("gettoken", 0);
    assert_eq!(stub.requests("agent/get")[0].token(), "ending");
}

#[tokio::test]
async fn a_token_that_ends_soon_is_renewed() {
    let stub = with_tokens(|_, _| good());
    let tokens = MemoryTokens::with("ending", 3, 60);
    client_of(stub.base(), tokens.clone())
        .call(Api::AgentGet, None)
        .await
        .unwrap();
    stub.check_count("gettoken", 1);
    assert_eq!(tokens.generation(), 4);
}

#[tokio::test]
async fn a_token_is_not_that_of_another_secret() {
    let keys = Arc::new(Mutex::new(Vec::new()));
    for secret in ["canary-1", "canary-2", "canary-1"] {
        let mut settings = settings(nobody(), Duration::from_secs(2));
        settings.secret = SecretString::from(secret);
        let client = Client::new(settings, Arc::new(BrokenTokens(Arc::clone(&keys)))).unwrap();
        client.call(Api::AgentGet, None).await.unwrap_err();
    }
    let keys = keys.lock().unwrap();
    assert!(keys[0] == keys[2] && keys[0] != keys[1]);
    assert!(keys[0].starts_with("support:") && !keys[0].contains("canary"));
}

#[tokio::test]
async fn a_stored_token_that_cannot_be_opened_counts_as_none() {
    let stub = with_tokens(|_, _| good());
    let tokens = MemoryTokens::with("of another Secret", 3, 7200);
    if let Some(stored) = tokens.token.lock().unwrap().as_mut() {
        stored.sealed = "a token in clear, of an older version".to_owned();
    }
    let client = client_of(stub.base(), tokens.clone());
    client.call(Api::AgentGet, None).await.unwrap();
    stub.check_count("gettoken", 1);
    assert_eq!(tokens.generation(), 4);
    assert!(!tokens.token.lock().unwrap().as_ref().unwrap().sealed.contains("canary"));
}

#[tokio::test]
async fn a_token_that_still_works_is_used_when_no_newer_one_can_be_had() {
    let stub = Stub::start(|request, _| match is_token_call(request) {
        true => refused(40001),
        false => good(),
    });
    let client = client_of(stub.base(), MemoryTokens::with("ending", 3, 60));
    client.call(Api::AgentGet, None).await.unwrap();
    client.call(Api::AgentGet, None).await.unwrap();
    stub.check_count("gettoken", 1);
}

#[tokio::test]
async fn a_refused_secret_is_counted_once_and_told_as_a_call_that_is_suspended() {
    let stub = Stub::start(|_, _| refused(40001));
    let settings = settings(stub.base(), Duration::from_secs(2));
    let metrics = settings.metrics.clone();
    let client = Client::new(settings, Arc::new(MemoryTokens::default())).unwrap();
    let open = "jiefeng_gate_closed_until_timestamp_seconds{api=\"gettoken\",app=\"support\"} 0\n";
    assert!(metrics.as_text().contains(open), "{}", metrics.as_text());
    for _ in 0..3 {
        client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap_err();
    }
    let text = metrics.as_text();
    assert!(
        text.contains("jiefeng_token_refreshes_total{result=\"refused\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("jiefeng_gates_closed_total{api=\"gettoken\"} 1\n"),
        "{text}"
    );
    assert!(!text.contains(open), "{text}");
}

#[tokio::test]
async fn a_token_that_the_store_keeps_from_being_fetched_is_counted_as_failed() {
    let settings = settings(nobody(), Duration::from_secs(2));
    let metrics = settings.metrics.clone();
    let client = Client::new(settings, Arc::new(BrokenTokens::default())).unwrap();
    client.call(Api::AgentGet, None).await.unwrap_err();
    let text = metrics.as_text();
    assert!(
        text.contains("jiefeng_token_refreshes_total{result=\"failed\"} 1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn too_many_calls_close_the_gate_of_that_call_alone() {
    let stub = with_tokens(|request, _| match request.path.as_str() {
        "/cgi-bin/message/send" => refused(45009),
        _ => good(),
    });
    let client = stub.client();
    for _ in 0..2 {
        let error = client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap_err();
        assert!(matches!(error, ApiError::GateClosed { code: 45009, .. }), "{error:?}");
    }
    stub.check_count("message/send", 1);
    client.call(Api::AgentGet, None).await.unwrap();
}

#[tokio::test]
async fn a_suspended_call_is_told_until_one_goes_well() {
    let stub = with_tokens(|_, before| if before == 0 { refused(45033) } else { good() });
    let settings = settings(stub.base(), Duration::from_secs(20));
    let metrics = settings.metrics.clone();
    let tokens = MemoryTokens::with("canary-token-1", 1, 7200);
    let client = Client::new(settings, tokens).unwrap();
    let open = "jiefeng_gate_closed_until_timestamp_seconds{api=\"message/send\",app=\"support\"} 0\n";
    client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap_err();
    assert!(!metrics.as_text().contains(open), "{}", metrics.as_text());
    while let Err(error) = client.call(Api::MessageSend, Some(TEXT_BODY)).await {
        let ApiError::GateClosed { until, .. } = error else {
            panic!("{error:?}");
        };
        assert!(!metrics.as_text().contains(open), "{}", metrics.as_text());
        let left = until.duration_since(Timestamp::now());
        tokio::time::sleep(left.try_into().unwrap_or_default()).await;
    }
    assert!(metrics.as_text().contains(open), "{}", metrics.as_text());
}

#[tokio::test]
async fn a_busy_wecom_is_asked_again() {
    let stub = with_tokens(|_, before| if before < 2 { refused(-1) } else { good() });
    stub.client().call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap();
    stub.check_count("message/send", 3);
}

#[tokio::test]
async fn a_wecom_that_stays_busy_is_asked_four_times() {
    let stub = with_tokens(|_, _| refused(6000));
    let error = stub.client().call(Api::AgentGet, None).await.unwrap_err();
    assert_eq!(error.code(), Some(6000));
    stub.check_count("agent/get", 4);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_tried_again_even_for_sending() {
    // Every connection is closed during the TLS handshake, so nothing of the request has been sent.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&connections);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            *counted.lock().unwrap() += 1;
            drop(stream);
        }
    });
    let client = impatient(ApiBase::parse(&format!("https://{address}")).unwrap());
    let error = client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap_err();
    assert!(!error.may_have_been_carried_out());
    assert!(matches!(failure(error), ExchangeFailure::Unreachable(_)));
    assert_eq!(*connections.lock().unwrap(), 4);
}

fn nobody() -> ApiBase {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ApiBase::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_told_from_a_lost_one() {
    let error = impatient(nobody())
        .call(Api::MessageSend, Some(TEXT_BODY))
        .await
        .unwrap_err();
    assert!(!error.may_have_been_carried_out());
    let stub = Stub::start(|_, _| Answer::Closed);
    let error = impatient(stub.base())
        .call(Api::MessageSend, Some(TEXT_BODY))
        .await
        .unwrap_err();
    assert!(error.may_have_been_carried_out());
    assert_eq!(failure(error), ExchangeFailure::Interrupted);
    stub.check_count("message/send", 1);
}

#[tokio::test]
async fn sending_is_not_repeated_after_a_time_out_and_sending_with_an_own_number_is() {
    let stub = Stub::start(|_, before| if before == 0 { Answer::Silent } else { good() });
    let client = impatient(stub.base());
    let error = client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap_err();
    assert!(error.may_have_been_carried_out());
    stub.check_count("message/send", 1);
    client.call(Api::KfSendMessage, Some(KF_BODY)).await.unwrap();
    stub.check_count("kf/send_msg", 2);
}

#[tokio::test]
async fn a_message_of_kf_without_a_number_is_not_repeated() {
    let stub = Stub::start(|_, _| Answer::Closed);
    let client = impatient(stub.base());
    client.call(Api::KfSendMessage, Some(TEXT_BODY)).await.unwrap_err();
    stub.check_count("kf/send_msg", 1);
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_says_that_the_message_may_have_been_sent() {
    let stub = Stub::start(|_, before| if before == 0 { Answer::Closed } else { refused(40058) });
    let error = impatient(stub.base())
        .call(Api::KfSendMessage, Some(KF_BODY))
        .await
        .unwrap_err();
    assert_eq!((error.code(), error.may_have_been_carried_out()), (Some(40058), true));
}

#[tokio::test]
async fn a_server_error_is_repeated_where_that_is_safe() {
    let stub = Stub::start(|_, before| {
        if before == 0 {
            Answer::Raw(502, String::new())
        } else {
            good()
        }
    });
    let client = impatient(stub.base());
    let error = client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap_err();
    assert_eq!(failure(error), ExchangeFailure::Status(502));
    client.call(Api::KfSyncMessages, Some("{}")).await.unwrap();
    stub.check_count("kf/sync_msg", 2);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Stub::start(|_, _| good());
    let location = format!("{}/cgi-bin/agent/get", elsewhere.base());
    let stub = with_tokens(move |_, _| Answer::Redirect(location.clone()));
    let error = stub.client().call(Api::AgentGet, None).await.unwrap_err();
    assert_eq!(failure(error), ExchangeFailure::Status(302));
    elsewhere.check_count("agent/get", 0);
}

#[tokio::test]
async fn the_configured_proxy_is_used() {
    let proxy = with_tokens(|_, _| good());
    let mut settings = settings(nobody(), Duration::from_secs(20));
    settings.proxy = Some(ProxyAddress::parse(&format!("http://user:canary@{}", proxy.address)).unwrap());
    let client = Client::new(settings, Arc::new(MemoryTokens::default())).unwrap();
    client.call(Api::AgentGet, None).await.unwrap();
    proxy.check_count("agent/get", 1);
}

#[tokio::test]
async fn answers_that_are_not_wecoms_are_told_apart() {
    let stub = Stub::start(|_, before| match before {
        0 => Answer::Raw(200, "<html>canary-content</html>".to_owned()),
        1 => Answer::Raw(200, "[]".to_owned()),
        2 => Answer::Endless,
        3 => Answer::Raw(404, String::new()),
        _ => Answer::Raw(200, "{}".to_owned()),
    });
    let client = client_of(stub.base(), MemoryTokens::with("token", 1, 7200));
    let mut failures = Vec::new();
    for _ in 0..4 {
        failures.push(failure(client.call(Api::AgentGet, None).await.unwrap_err()));
    }
    assert_eq!(
        failures,
        [
            ExchangeFailure::Malformed("no JSON"),
            ExchangeFailure::Malformed("no JSON object"),
            ExchangeFailure::TooLarge,
            ExchangeFailure::Status(404),
        ]
    );
    assert_eq!(client.call(Api::AgentGet, None).await, Ok(json!({})));
}

#[tokio::test]
async fn the_twenty_first_message_to_a_member_is_not_sent() {
    let stub = with_tokens(|_, _| good());
    let client = stub.client();
    for _ in 0..20 {
        client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap();
    }
    let error = client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap_err();
    assert!(matches!(error, ApiError::RecipientBudget { .. }), "{error:?}");
    stub.check_count("message/send", 20);
    let other = TEXT_BODY.replace("lisi", "wangwu");
    client.call(Api::MessageSend, Some(&other)).await.unwrap();
}

fn sync_request() -> SyncRequest {
    SyncRequest {
        open_kf_id: "wk1".to_owned(),
        cursor: Some("c1".to_owned()),
        token: Some("t1".into()),
        limit: 5000,
    }
}

#[tokio::test]
async fn a_page_of_messages_is_read_as_it_is() {
    let stub = with_tokens(|_, before| match before {
        0 => Answer::Json(
            json!({"errcode": 0, "next_cursor": "c2", "has_more": 1, "msg_list": [{"msgid": "m", "new": 1}]}),
        ),
        _ => Answer::Json(json!({"errcode": 0, "has_more": 0})),
    });
    let client = stub.client();
    let page = client.sync_kf_messages(&sync_request()).await.unwrap();
    assert_eq!(page.messages, [json!({"msgid": "m", "new": 1})]);
    assert_eq!((page.next_cursor.as_str(), page.has_more), ("c2", true));
    let body: Value = serde_json::from_str(&stub.requests("kf/sync_msg")[0].body).unwrap();
    assert_eq!(
        body,
        json!({"open_kfid": "wk1", "cursor": "c1", "token": "t1", "limit": 1000})
    );
    // An answer without a cursor must not lead back to the oldest message.
    let page = client.sync_kf_messages(&sync_request()).await.unwrap();
    assert_eq!((page.next_cursor.as_str(), page.has_more), ("c1", false));
}

#[tokio::test]
async fn a_wrong_callback_token_is_told_and_counts_as_one_of_the_calls_without() {
    let stub = with_tokens(|request, _| match request.body.contains("t1") {
        true => refused(95007),
        false => Answer::Json(json!({"errcode": 0, "next_cursor": "c2", "has_more": 0, "msg_list": []})),
    });
    let client = stub.client();
    let error = client.sync_kf_messages(&sync_request()).await.unwrap_err();
    assert_eq!(error.handling(), Handling::DropCallbackToken);
    let without = SyncRequest {
        token: None,
        ..sync_request()
    };
    for _ in 0..5 {
        assert_eq!(client.sync_kf_messages(&without).await.unwrap().next_cursor, "c2");
    }
    let error = client.sync_kf_messages(&without).await.unwrap_err();
    assert!(matches!(error, ApiError::TokenlessBudget { .. }), "{error:?}");
    stub.check_count("kf/sync_msg", 6);
}

#[tokio::test]
async fn the_state_of_a_session_is_read() {
    let stub = with_tokens(|_, before| match before {
        3 => Answer::Json(json!({"errcode": 0, "service_state": 3, "servicer_userid": "zhangsan"})),
        state => Answer::Json(json!({"errcode": 0, "service_state": state})),
    });
    let client = stub.client();
    let mut states = Vec::new();
    for _ in 0..5 {
        states.push(client.kf_service_state("wk1", "wm1").await.unwrap());
    }
    let servicer = Some("zhangsan".into());
    assert_eq!(
        states,
        [
            ServiceState::New,
            ServiceState::Assistant,
            ServiceState::Pool,
            ServiceState::Human { servicer },
            ServiceState::Ended,
        ]
    );
    assert!(states[0].lets_bot_send() && !states[2].lets_bot_send());
    assert!(client.kf_service_state("wk1", "wm1").await.is_err());
}

#[tokio::test]
async fn servicers_and_settings_are_asked_for_in_the_query() {
    let stub = with_tokens(|request, _| match request.path.as_str() {
        "/cgi-bin/kf/servicer/list" => Answer::Json(json!({"errcode": 0, "servicer_list": [
            {"userid": "zhangsan", "status": 0}, {"userid": "lisi", "status": 1, "stop_type": 1}, {"department_id": 3}]})),
        _ => Answer::Json(json!({"errcode": 0, "name": "解封助手", "close": 0, "isreportenter": 1})),
    });
    let client = stub.client();
    let member = |user_id: &str, is_receiving| Servicer::Member {
        user_id: user_id.into(),
        is_receiving,
    };
    let department = Servicer::Department { department_id: 3 };
    assert_eq!(
        client.kf_servicers("wk1").await.unwrap(),
        [member("zhangsan", true), member("lisi", false), department]
    );
    assert_eq!(stub.requests("kf/servicer/list")[0].query["open_kfid"], "wk1");
    let agent = client.agent().await.unwrap();
    assert!(agent.name == "解封助手" && !agent.is_disabled && agent.reports_entering);
    client.create_menu(&json!({"button": []})).await.unwrap();
    for path in ["agent/get", "menu/create"] {
        assert_eq!(stub.requests(path)[0].query["agentid"], "1000002", "{path}");
    }
}

#[tokio::test]
async fn all_pages_of_accounts_are_read() {
    let account = |number: usize| json!({"open_kfid": format!("wk{number}"), "name": "客服", "manage_privilege": true});
    let stub = with_tokens(move |_, before| {
        let numbers = if before == 0 { 0..100 } else { 100..101 };
        Answer::Json(json!({"errcode": 0, "account_list": numbers.map(account).collect::<Vec<_>>()}))
    });
    let accounts: Vec<KfAccount> = stub.client().kf_accounts().await.unwrap();
    assert_eq!(accounts.len(), 101);
    assert!(accounts[100].manage_privilege && accounts[100].open_kf_id == "wk100");
    assert!(stub.requests("kf/account/list")[1].body.contains(r#""offset":100"#));
}

#[tokio::test]
async fn links_customers_and_addresses_are_read() {
    let stub = with_tokens(|request, _| {
        Answer::Json(match request.path.as_str() {
            "/cgi-bin/kf/add_contact_way" => json!({"errcode": 0, "url": "https://work.weixin.qq.com/kf/kfc1"}),
            "/cgi-bin/kf/customer/batchget" => {
                json!({"errcode": 0, "invalid_external_userid": ["wm9"], "customer_list": [
                {"external_userid": "wm1", "nickname": "小雨", "enter_session_context": {"scene": "s"}}, {"external_userid": "wm2"}]})
            }
            _ => json!({"errcode": 0, "ip_list": ["101.226.103.*"]}),
        })
    });
    let client = stub.client();
    let url = client.kf_contact_way("wk1", "s").await.unwrap();
    assert_eq!(url, "https://work.weixin.qq.com/kf/kfc1");
    let ids: Vec<String> = (0..150).map(|number| format!("wm{number}")).collect();
    let customers = client.kf_customers(&ids).await.unwrap();
    assert_eq!((customers.len(), customers[0].scene.as_deref()), (4, Some("s")));
    assert_eq!(&*customers[0].nickname, "小雨");
    assert_eq!(client.callback_ips().await.unwrap(), ["101.226.103.*"]);
    assert_eq!(client.api_domain_ips().await.unwrap(), ["101.226.103.*"]);
}

/// Everything that may be printed of an error.
fn printed(error: &ApiError) -> String {
    let explanations = [Language::Chinese, Language::English].map(|language| error.explanation(language));
    format!("{error} {error:?} {error:#?} {}", explanations.concat())
}

/// Makes the errors of a stub that answers so, with and without a token at hand.
async fn errors_of(script: fn() -> Answer) -> Vec<ApiError> {
    let stub = Stub::start(move |_, _| script());
    let client = impatient(stub.base());
    let mut errors = vec![
        client.call(Api::MessageSend, Some(TEXT_BODY)).await.unwrap_err(),
        client.kf_service_state("wk1", "canary-content").await.unwrap_err(),
    ];
    let fresh = Client::new(
        settings(stub.base(), Duration::from_secs(1)),
        Arc::new(MemoryTokens::default()),
    )
    .unwrap();
    errors.extend(fresh.call(Api::MessageSend, Some(TEXT_BODY)).await.err());
    errors
}

#[tokio::test]
async fn no_error_shows_secret_token_content_or_query() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let scripts: [fn() -> Answer; 12] = [
        || refused(40001),
        || refused(42001),
        || refused(45009),
        || refused(60020),
        || refused(123_456),
        || Answer::Raw(500, "canary-content".to_owned()),
        || Answer::Raw(200, "canary-content".to_owned()),
        || Answer::Json(json!({"errcode": "canary-content"})),
        || Answer::Json(json!({"errcode": 40035, "errmsg": {"canary-content": 1}})),
        || Answer::Redirect("http://127.0.0.1/?access_token=canary-token".to_owned()),
        || Answer::Closed,
        || Answer::Endless,
    ];
    let mut errors = Vec::new();
    for script in scripts {
        errors.extend(errors_of(script).await);
    }
    let silent = Stub::start(|_, _| Answer::Silent);
    errors.extend(
        impatient(silent.base())
            .call(Api::MessageSend, Some(TEXT_BODY))
            .await
            .err(),
    );
    errors.extend(impatient(nobody()).call(Api::MessageSend, Some(TEXT_BODY)).await.err());
    let broken = client_of(nobody(), Arc::new(BrokenTokens::default()));
    errors.extend(broken.call(Api::MessageSend, Some(TEXT_BODY)).await.err());
    let wrong_fields = Stub::start(|_, _| Answer::Json(json!({"service_state": "canary-content"})));
    errors.extend(
        impatient(wrong_fields.base())
            .kf_service_state("wk1", "wm1")
            .await
            .err(),
    );
    assert!(errors.len() > scripts.len() * 3);
    for error in &errors {
        let printed = printed(error);
        for forbidden in ["canary", "corpsecret", "access_token=", "?"] {
            let allowed = printed.replace("devtool/query?e=", "");
            assert!(!allowed.contains(forbidden), "`{forbidden}` in {printed}");
        }
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!log.contains("canary") && !log.contains("corpsecret"), "{log}");
}

#[test]
fn settings_and_client_do_not_show_the_secret() {
    let mut settings = settings(ApiBase::default(), Duration::from_secs(1));
    settings.proxy = ProxyAddress::parse("http://user:canary@proxy.example:3128").ok();
    let printed = format!("{settings:?}");
    let client = Client::new(settings, MemoryTokens::with("canary-token", 1, 7200)).unwrap();
    let token = AccessToken {
        token: SecretString::from("canary-token"),
        generation: 1,
        expires_at: Timestamp::now(),
    };
    assert_eq!(token.token.expose_secret(), "canary-token");
    assert!(!format!("{printed} {client:?} {token:?}").contains("canary"));
}

/// A log to look into.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
