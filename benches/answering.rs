//! What an answer costs, and what a start costs, with the knowledge that is shipped.
//!
//! `cargo bench --bench answering`

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use jiefeng::channels::app::reply_text;
use jiefeng::dialogue::{Action, Assistant, Event, NoCache, Reply, Session, training_set};
use jiefeng::learning::{load_assistant, read_directory};
use jiefeng::matching::Matcher;
use jiff::Timestamp;

/// Questions of every style; none of them is an utterance of the knowledge.
const QUESTIONS: [(&str, &str); 6] = [
    ("short", "加不了人咋整"),
    ("usual", "今天加客户加太快被限制了，多久能恢复正常啊"),
    ("pinyin", "jia haoyou tai pinfan le zenmeban ne"),
    (
        "english",
        "my wechat account is restricted since monday, how long will it take",
    ),
    ("outside", "公司打印机连不上网了谁能修一下"),
    (
        "long",
        "喂你好就是我想问一下就是我那个企业微信啊今天加了好多好多客户嘛然后现在就点那个添加它就不让我加了说什么频繁怎么回事啊，急得要死",
    ),
];

fn assistant() -> Assistant {
    match load_assistant(Path::new("knowledge"), &NoCache) {
        Ok(assistant) => assistant,
        Err(error) => panic!("{error:?}"),
    }
}

/// One match and dialogue step: what stands between the decrypted message and the reply's text.
fn answering(criterion: &mut Criterion) {
    let assistant = assistant();
    let now = Timestamp::now();
    for (name, question) in QUESTIONS {
        let event = Event::Text(question.to_owned());
        criterion.bench_function(&format!("judge/{name}"), |bencher| {
            bencher.iter(|| assistant.matcher.judge(black_box(question)));
        });
        criterion.bench_function(&format!("step/{name}"), |bencher| {
            bencher.iter(|| assistant.step(Session::default(), black_box(&event), now));
        });
    }
}

/// What the server does with a message between its store and the reply: the session out of JSON, the step, the text, the session as JSON.
fn message(assistant: &Assistant, remembered: &str, event: &Event, now: Timestamp) -> (String, Option<String>) {
    let session: Session = serde_json::from_str(remembered).unwrap_or_default();
    let (session, actions) = assistant.step(session, event, now);
    let remembered = serde_json::to_string(&session).unwrap_or_default();
    let said = actions.into_iter().filter_map(|action| match action {
        Action::Reply(reply) => Some(reply),
        _ => None,
    });
    let replies: Vec<Reply> = said.collect();
    (remembered, reply_text(assistant, &session, &replies, now))
}

/// The questions of the evaluation files, as events.
fn questions() -> Vec<Event> {
    let files = ["knowledge/eval/development.tsv", "knowledge/eval/blind.tsv"];
    let texts = files.map(|file| std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}")));
    let rows = texts.iter().flat_map(|text| text.lines().skip(1));
    let question = |row: &str| Event::Text(row.split('\t').next().unwrap_or_default().to_owned());
    rows.map(question).collect()
}

/// So many people take turns. The count shares no divisor with that of the questions, so that no person asks the same again for long.
const PEOPLE: usize = 1009;

/// Messages as they arrive: one question after the other, each from another person, whose session is what their last message left.
fn messages(criterion: &mut Criterion) {
    let assistant = assistant();
    let now = Timestamp::now();
    let new = serde_json::to_string(&Session::default()).unwrap_or_default();
    let questions = questions();
    criterion.bench_function("message/mixed", |bencher| {
        let mut remembered = vec![new.clone(); PEOPLE];
        let mut questions = questions.iter().cycle();
        let mut people = (0..PEOPLE).cycle();
        bencher.iter(|| {
            let (Some(question), Some(person)) = (questions.next(), people.next()) else {
                return None;
            };
            let session = remembered.get_mut(person)?;
            let (after, said) = message(&assistant, session, question, now);
            *session = after;
            said
        });
    });
    for (name, question) in QUESTIONS {
        let event = Event::Text(question.to_owned());
        criterion.bench_function(&format!("message/{name}"), |bencher| {
            bencher.iter(|| message(&assistant, black_box(&new), black_box(&event), now));
        });
    }
}

fn starting(criterion: &mut Criterion) {
    let assistant = assistant();
    let set = training_set(&assistant.catalogue);
    let bytes = assistant.matcher.to_bytes();
    let mut group = criterion.benchmark_group("start");
    group.sample_size(10);
    group.bench_function("read files", |bencher| {
        bencher.iter(|| read_directory(Path::new("knowledge")).is_ok())
    });
    group.bench_function("train", |bencher| bencher.iter(|| Matcher::train(black_box(&set))));
    group.bench_function("matcher from cache", |bencher| {
        bencher.iter(|| Matcher::from_bytes(black_box(&bytes)).is_ok())
    });
    group.finish();
}

criterion_group!(benches, answering, messages, starting);
criterion_main!(benches);
