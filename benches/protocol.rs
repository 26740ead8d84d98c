//! The protocol alone: what verifying, decrypting, reading, encrypting and signing cost, without understanding and without a store.
//!
//! `cargo bench --bench protocol` measures each step. `cargo bench --bench protocol -- --serve 127.0.0.1:8099` answers every genuine
//! callback over HTTP with one constant text, on one thread, for a load generator to compare with other servers; Token, EncodingAESKey
//! and CorpID are taken from `WECOM_TOKEN`, `WECOM_ENCODING_AES_KEY` and `WECOM_CORP_ID`.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark that fails shall say so and stop"
)]

use std::hint::black_box;

use actix_web::dev::{Payload, ServiceRequest, ServiceResponse, fn_service};
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, ContentType, HeaderValue};
use actix_web::web::{self, Data};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer};
use criterion::Criterion;
use jiefeng::http::{fresh, read_body};
use jiefeng::protocol::{
    CallbackToken, Content, CredentialSets, Credentials, EncodingAesKey, Envelope, IncomingMessage, SealedCallback,
    SignedQuery, TextReply, VerificationQuery, WireFormat, seal_callback, seal_reply,
};
use simdutf8::basic::from_utf8;

const TOKEN: &str = "BenchToken7Q";
const KEY: &str = "BenchKeyabcdefghijklmnopqrstuvwxyz012345678";
const CORP_ID: &str = "ww0123456789abcdef";

const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

/// A short answer of 189 bytes, which is as long as those of the servers that this is compared with.
const ANSWER: &str = "加好友太频繁，被限制了。通常 24 小时后自己恢复，这段时间先不要再加人。\
                      过了 24 小时还是加不了，请管理员查看，申诉要 3–7 个工作日。";

/// As in the program.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--serve") {
        Some(place) => serve(arguments.get(place + 1).expect("--serve needs an address")).unwrap(),
        None => steps(&mut Criterion::default().configure_from_args()),
    }
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn credentials() -> Credentials {
    let token = CallbackToken::parse(&variable("WECOM_TOKEN", TOKEN)).unwrap();
    let key = EncodingAesKey::parse(&variable("WECOM_ENCODING_AES_KEY", KEY)).unwrap();
    Credentials::new(token, key, variable("WECOM_CORP_ID", CORP_ID))
}

fn plaintext_of(sets: &CredentialSets, query: &str, body: &str) -> Option<String> {
    let query = SignedQuery::parse(query).ok()?;
    let envelope = Envelope::parse(body).ok()?;
    let opened = sets
        .signers(&query, &envelope.encrypted)?
        .open(&envelope.encrypted)
        .ok()?;
    Some(opened.plaintext)
}

fn reply_to(sets: &CredentialSets, message: &IncomingMessage) -> Option<String> {
    let Content::Text { .. } = &message.content else {
        return None;
    };
    let reply = TextReply::fit(ANSWER).to_plaintext(
        WireFormat::Xml,
        message.from_user.as_str(),
        sets.receive_id(),
        message.created_at,
    );
    Some(seal_reply(sets.current(), WireFormat::Xml, &reply, &fresh()?))
}

fn answered(sets: &CredentialSets, query: &str, body: &str) -> Option<String> {
    let plaintext = plaintext_of(sets, query, body)?;
    reply_to(sets, &IncomingMessage::parse(&plaintext).ok()?)
}

fn callback() -> SealedCallback {
    let message = format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[LiXiaoyu]]></FromUserName>\
         <CreateTime>1764000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[今天加客户加太快被限制了，多久能恢复正常啊]]></Content><MsgId>7000000000000000001</MsgId>\
         <AgentID>1000002</AgentID></xml>"
    );
    seal_callback(&credentials(), WireFormat::Xml, &message, "1000002", &fresh().unwrap())
}

fn steps(criterion: &mut Criterion) {
    let (sets, callback) = (CredentialSets::from(credentials()), callback());
    let SealedCallback { query, body } = &callback;
    let envelope = Envelope::parse(body).unwrap();
    let signed = SignedQuery::parse(query).unwrap();
    let plaintext = plaintext_of(&sets, query, body).unwrap();
    let message = IncomingMessage::parse(&plaintext).unwrap();
    criterion.bench_function("read the query", |bencher| {
        bencher.iter(|| SignedQuery::parse(black_box(query)));
    });
    criterion.bench_function("read the envelope", |bencher| {
        bencher.iter(|| Envelope::parse(black_box(body)));
    });
    criterion.bench_function("verify", |bencher| {
        bencher.iter(|| sets.signers(black_box(&signed), &envelope.encrypted).is_some());
    });
    criterion.bench_function("decrypt", |bencher| {
        bencher.iter(|| sets.current().decrypt(black_box(&envelope.encrypted)));
    });
    criterion.bench_function("read the message", |bencher| {
        bencher.iter(|| IncomingMessage::parse(black_box(&plaintext)));
    });
    criterion.bench_function("write, encrypt and sign the reply", |bencher| {
        bencher.iter(|| reply_to(&sets, black_box(&message)));
    });
    criterion.bench_function("all of it", |bencher| {
        bencher.iter(|| answered(&sets, black_box(query), body));
    });
}

/// The way a callback takes through the program, without what the program adds.
async fn called(request: ServiceRequest, sets: Data<CredentialSets>) -> Result<ServiceResponse, Error> {
    let (request, payload) = request.into_parts();
    let response = match *request.method() {
        Method::POST => receive(&request, payload, &sets).await,
        _ => verify(&request, &sets),
    };
    Ok(ServiceResponse::new(request, response))
}

async fn receive(request: &HttpRequest, payload: Payload, sets: &CredentialSets) -> HttpResponse {
    let body = read_body(payload).await.ok();
    let body = body.as_ref().and_then(|body| from_utf8(body).ok());
    match body.and_then(|body| answered(sets, request.query_string(), body)) {
        Some(reply) => HttpResponse::Ok().insert_header((CONTENT_TYPE, XML)).body(reply),
        None => HttpResponse::Forbidden().finish(),
    }
}

fn verify(request: &HttpRequest, sets: &CredentialSets) -> HttpResponse {
    let query = VerificationQuery::parse(request.query_string()).ok();
    let opened = query.and_then(|query| sets.signers(&query.signed, &query.echo)?.open(&query.echo).ok());
    match opened {
        Some(opened) => HttpResponse::Ok()
            .insert_header(ContentType::plaintext())
            .body(opened.plaintext),
        None => HttpResponse::Forbidden().finish(),
    }
}

fn serve(address: &str) -> std::io::Result<()> {
    let sets = Data::new(CredentialSets::from(credentials()));
    let app = move || {
        let sets = sets.clone();
        let callbacks = fn_service(move |request| called(request, sets.clone()));
        App::new().service(web::scope("/callback").default_service(callbacks))
    };
    let server = HttpServer::new(app).workers(1).bind(address)?;
    actix_web::rt::System::new().block_on(server.run())
}
