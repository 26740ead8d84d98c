//! What an answer costs, and what a start costs, with the knowledge that is shipped.
//!
//! `cargo bench --bench answering`

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use jiefeng::app::{load_assistant, read_directory};
use jiefeng::dialogue::{Assistant, Event, NoCache, Session, training_set};
use jiefeng::matching::Matcher;

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
    let now = jiff::Timestamp::now();
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

criterion_group!(benches, answering, starting);
criterion_main!(benches);
