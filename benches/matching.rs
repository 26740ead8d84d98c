//! What a judgement, a training and a load from the cache cost, on made-up knowledge of the shipped size.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiefeng::matching::{Class, ClassKind, Matcher, TrainingSet};

const SUBJECTS: &[&str] = &[
    "企业微信",
    "个人微信",
    "客户群",
    "我的账号",
    "同事的号",
    "公司",
    "对方",
    "新号",
    "群主",
    "工作号",
];
const VERBS: &[&str] = &[
    "加好友",
    "拉人进群",
    "发消息",
    "登录",
    "扫码进群",
    "发朋友圈",
    "收红包",
    "申诉",
    "认证",
    "建群",
];
const TROUBLES: &[&str] = &[
    "提示频繁",
    "被限制了",
    "失败",
    "被投诉",
    "说违规",
    "不让用",
    "封七天",
    "显示异常",
    "没反应",
    "要验证",
];
const ENDINGS: &[&str] = &[
    "怎么办",
    "多久能好",
    "找谁处理",
    "为什么",
    "能申诉吗",
    "要什么材料",
    "",
    "急",
    "会自动恢复吗",
    "第二次了",
];

/// Every class prefers some words, as real scenarios do, and shares the rest with its neighbours.
fn knowledge(scenarios: usize, utterances: usize) -> TrainingSet {
    let classes = (0..scenarios).map(|scenario| Class {
        id: format!("scenario-{scenario}"),
        kind: if scenario == 0 {
            ClassKind::Outside
        } else {
            ClassKind::Scenario
        },
        utterances: (0..utterances).map(|number| utterance(scenario, number)).collect(),
    });
    TrainingSet {
        classes: classes.collect(),
        aliases: vec![("vx".into(), "微信".into()), ("企微".into(), "企业微信".into())],
        fillers: vec!["请问".into(), "一下".into()],
    }
}

fn utterance(scenario: usize, number: usize) -> String {
    let pick = |words: &[&'static str], at: usize| words.get(at % words.len()).copied().unwrap_or_default();
    [
        pick(SUBJECTS, scenario + number / 10 % 3),
        pick(VERBS, scenario / 3 + number % 2),
        pick(TROUBLES, scenario * 7 + number % 3),
        pick(ENDINGS, number),
    ]
    .concat()
}

fn judging(criterion: &mut Criterion) {
    let matcher = Matcher::train(&knowledge(35, 45));
    let questions = [
        ("short", "加不了人怎么办"),
        ("usual", "今天加客户加太快被限制了，多久能恢复正常"),
        ("pinyin", "jia haoyou tai pinfan le zenmeban"),
        ("english", "my wechat account is restricted, how long does it take"),
        (
            "long",
            "喂你好就是我想问一下就是我那个企业微信啊今天加了好多好多客户嘛然后现在就点那个添加它就不让我加了说什么频繁怎么回事啊",
        ),
    ];
    for (name, question) in questions {
        criterion.bench_function(&format!("judge/{name}"), |bencher| {
            bencher.iter(|| matcher.judge(black_box(question)))
        });
    }
}

fn starting(criterion: &mut Criterion) {
    let set = knowledge(35, 45);
    let bytes = Matcher::train(&set).to_bytes();
    let mut group = criterion.benchmark_group("start");
    group.sample_size(10);
    group.bench_function("train", |bencher| bencher.iter(|| Matcher::train(black_box(&set))));
    group.bench_function("from cache", |bencher| {
        bencher.iter(|| Matcher::from_bytes(black_box(&bytes)).is_ok())
    });
    group.bench_function("fingerprint", |bencher| bencher.iter(|| black_box(&set).fingerprint()));
    group.finish();
}

criterion_group!(benches, judging, starting);
criterion_main!(benches);
