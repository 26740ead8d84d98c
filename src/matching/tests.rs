//! Facts about the whole matcher, on a small knowledge of its own.

use proptest::prelude::*;

use super::*;

const SCENARIOS: &[(&str, &[&str])] = &[
    (
        "throttled",
        &[
            "加好友太频繁",
            "操作频繁加不了人",
            "被限流了",
            "加人太快被限制",
            "一天能加几个人",
            "限流多久恢复",
            "加客户提示频繁",
            "too many friend requests",
            "加了两百个人就不能加了",
            "添加好友过于频繁请稍后再试",
        ],
    ),
    (
        "permanent",
        &[
            "微信被永久封号",
            "永封了还能解吗",
            "账号永久限制登录",
            "wechat banned forever",
            "永久封号怎么办",
            "微信号永远用不了了",
            "永久封禁可以申诉吗",
            "号被永久封了",
        ],
    ),
    (
        "group-full",
        &[
            "群满了拉不进人",
            "群已经500人了",
            "群人数上限",
            "拉客户进群说群满了",
            "the group is full",
            "群满员怎么办",
            "五百人的群加不进去",
            "客户群到上限了",
        ],
    ),
    (
        "appeal",
        &[
            "怎么申诉",
            "申诉入口在哪",
            "申诉要什么材料",
            "how to appeal",
            "去哪里申诉",
            "申诉找谁",
            "我要申诉",
            "申诉流程是什么",
        ],
    ),
];

fn class(id: &str, kind: ClassKind, utterances: &[&str]) -> Class {
    Class {
        id: id.into(),
        kind,
        utterances: utterances.iter().map(|text| text.to_string()).collect(),
    }
}

fn knowledge() -> TrainingSet {
    let mut classes: Vec<Class> = SCENARIOS
        .iter()
        .map(|(id, utterances)| class(id, ClassKind::Scenario, utterances))
        .collect();
    classes.push(class(
        "greeting",
        ClassKind::Smalltalk,
        &["你好", "您好", "在吗", "hello", "hi", "早上好", "👍"],
    ));
    classes.push(class(
        "human",
        ClassKind::Human,
        &["转人工", "人工客服", "我要找真人", "talk to a human", "人工"],
    ));
    classes.push(class(
        "none",
        ClassKind::Outside,
        &[
            "今天天气怎么样",
            "讲个笑话",
            "怎么请假",
            "打卡忘了怎么补",
            "QQ号被封了",
            "抖音限流",
            "what's the weather",
        ],
    ));
    let aliases = [("vx", "微信"), ("威信", "微信"), ("appeal", "申诉"), ("帐号", "账号")];
    TrainingSet {
        classes,
        aliases: aliases
            .iter()
            .map(|(typed, meaning)| (typed.to_string(), meaning.to_string()))
            .collect(),
        fillers: ["请问", "一下", "啊"].map(String::from).to_vec(),
        denials: vec!["不是".into()],
        vetoes: Vec::new(),
    }
}

fn matcher() -> &'static Matcher {
    static MATCHER: std::sync::LazyLock<Matcher> = std::sync::LazyLock::new(|| Matcher::train(&knowledge()));
    &MATCHER
}

#[track_caller]
fn check_best(question: &str, expected: &str) {
    let judgement = matcher().judge(question);
    assert_eq!(judgement.candidates[0].id, expected, "{question}: {judgement:?}");
}

#[track_caller]
fn check_decision(question: &str, expected: Decision) {
    let judgement = matcher().judge(question);
    assert_eq!(judgement.decision, expected, "{question}: {judgement:?}");
}

#[test]
fn questions_find_their_scenario() {
    check_best("我加人太频繁了", "throttled");
    check_best("群里500人满了", "group-full");
    check_best("微信号永久被封", "permanent");
    check_best("申诉的入口", "appeal");
}

#[test]
fn other_spellings_find_it_too() {
    check_best("ＶＸ被永久封號", "permanent");
    check_best("群满了拉不进仁", "group-full");
    check_best("加好有太频烦", "throttled");
    check_best("jia haoyou tai pinfan", "throttled");
    check_best("qunman le la bu jin ren", "group-full");
    check_best("怎么appeal", "appeal");
    check_best("my wechat is banned forever", "permanent");
    check_best("两百个人就不能加了", "throttled");
}

#[test]
fn an_utterance_is_answered_as_what_it_is() {
    check_decision(
        "请问 怎么申诉？？",
        Decision::Answer {
            scenario: "appeal".into(),
        },
    );
    assert!(matcher().judge("怎么申诉").is_known_utterance);
    check_decision(
        "你好",
        Decision::Smalltalk {
            intent: "greeting".into(),
        },
    );
    check_decision("转人工！", Decision::Human);
    check_decision("今天天气怎么样", Decision::Refuse);
}

#[test]
fn far_questions_are_refused() {
    for question in [
        "明天天气好不好",
        "你会写诗吗",
        "周末去吃火锅",
        "qwertyuiop",
        "tell me a poem",
    ] {
        let decision = matcher().judge(question).decision;
        assert!(
            matches!(decision, Decision::Refuse | Decision::Smalltalk { .. }),
            "{question}: {decision:?}"
        );
    }
}

#[test]
fn marks_and_emptiness_are_never_answered() {
    for question in ["", " ", "?", "。。", "……", "\u{200b}", "🙂🙂", "1", "．", "'", "\n\t\0"] {
        let decision = matcher().judge(question).decision;
        assert!(
            !matches!(decision, Decision::Answer { .. }),
            "{question:?}: {decision:?}"
        );
    }
    check_decision("", Decision::Refuse);
}

#[test]
fn training_is_deterministic() {
    assert_eq!(Matcher::train(&knowledge()).to_bytes(), matcher().to_bytes());
}

#[test]
fn a_cache_gives_the_same_judgements() {
    let restored = Matcher::from_bytes(&matcher().to_bytes()).unwrap();
    for question in [
        "加好友频繁",
        "jia haoyou",
        "怎么办",
        "你好",
        "群满了没",
        "hello, group full",
        "永封",
    ] {
        assert_eq!(restored.judge(question), matcher().judge(question), "{question}");
    }
    assert_eq!(restored.to_bytes(), matcher().to_bytes());
}

#[test]
fn a_damaged_cache_is_refused() {
    let bytes = matcher().to_bytes();
    assert_eq!(Matcher::from_bytes(b"").unwrap_err(), CacheError::Foreign);
    assert_eq!(Matcher::from_bytes(b"something else").unwrap_err(), CacheError::Foreign);
    for length in [8, 12, 16, 17, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(Matcher::from_bytes(&bytes[..length]).is_err(), "cut to {length}");
    }
    for position in (0..bytes.len()).step_by(bytes.len() / 200) {
        let mut changed = bytes.clone();
        changed[position] ^= 0x41;
        assert!(Matcher::from_bytes(&changed).is_err(), "changed at {position}");
    }
}

#[test]
fn the_fingerprint_follows_the_content() {
    let original = knowledge().fingerprint();
    assert_eq!(original, knowledge().fingerprint());
    let mut changed = knowledge();
    changed.classes[0].utterances[0].push('吗');
    assert_ne!(original, changed.fingerprint());
    let mut renamed = knowledge();
    renamed.classes[0].kind = ClassKind::Outside;
    assert_ne!(original, renamed.fingerprint());
    let mut moved = knowledge();
    let text = moved.classes[0].utterances.pop().unwrap();
    moved.classes[1].utterances.insert(0, text);
    assert_ne!(original, moved.fingerprint());
}

#[test]
fn small_knowledge_is_no_trouble() {
    for classes in 0..3 {
        let set = TrainingSet {
            classes: knowledge().classes.into_iter().take(classes).collect(),
            ..knowledge()
        };
        let matcher = Matcher::train(&set);
        matcher.judge("加好友太频繁");
        assert!(Matcher::from_bytes(&matcher.to_bytes()).is_ok());
    }
    let empty = TrainingSet {
        classes: vec![class("a", ClassKind::Scenario, &[])],
        ..TrainingSet::default()
    };
    assert_eq!(Matcher::train(&empty).judge("加好友").decision, Decision::Refuse);
}

#[test]
fn utterances_in_their_place_are_not_complained_about() {
    assert_eq!(matcher().misplaced_utterances(&knowledge()), []);
}

#[test]
fn an_explanation_names_the_telling_words() {
    let explanation = matcher().explain("请问群满了咋拉人");
    assert_eq!(explanation.read_as, "群满了咋拉人");
    let reasons = &explanation.reasons[0];
    assert_eq!(reasons.candidate.id, "group-full");
    assert!(
        reasons
            .pieces
            .iter()
            .any(|piece| piece.text.contains('满') && piece.weight > 0.0)
    );
    assert!(reasons.nearest_utterance.as_deref().unwrap().contains("群满"));
    assert!(explanation.never_seen.iter().any(|piece| piece.contains('咋')));
    let text = explanation.to_string();
    assert!(text.contains("group-full") && text.contains("群满"));
    assert!(
        serde_json::to_string(&explanation)
            .unwrap()
            .contains("\"view\":\"characters\"")
    );
}

#[test]
fn hostile_questions_are_judged_quickly_and_quietly() {
    let long = [
        "群",
        "a",
        "zhuang",
        "é",
        "\u{301}",
        "👨‍👩‍👧",
        "\u{fdfa}",
        "7",
        " ",
        "。",
        "﷽",
    ];
    for piece in long {
        let question = piece.repeat(1_000_000 / piece.len());
        let started = std::time::Instant::now();
        matcher().judge(&question);
        matcher().explain(&question);
        assert!(started.elapsed() < std::time::Duration::from_secs(1), "{piece:?}");
    }
}

proptest! {
    #[test]
    fn no_question_panics(question in "\\PC*|.{0,400}|[群满加好友a-z0-9一二百次 ?]{0,60}") {
        let judgement = matcher().judge(&question);
        prop_assert!((0.0..=1.0).contains(&judgement.confidence));
        if let Decision::AskBack { options } = &judgement.decision {
            prop_assert!((2..=4).contains(&options.len()));
        }
        matcher().explain(&question);
    }

    #[test]
    fn normalising_twice_changes_little(question in "[群满加好友vx帐号A-Z0-9一二百次 ?！]{0,60}") {
        let once = matcher().normalise(&question);
        prop_assert!(once.chars().count() <= 3 * 300);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..4000) {
        prop_assert!(Matcher::from_bytes(&bytes).is_err());
        let mut cache = matcher().to_bytes();
        let at = at.min(cache.len() - bytes.len());
        cache[at..at + bytes.len()].copy_from_slice(&bytes);
        let _ = Matcher::from_bytes(&cache);
    }
}

#[test]
fn a_question_of_several_scenarios_is_asked_back_about() {
    let mut set = knowledge();
    for class in set.classes.iter_mut().take(3) {
        class.utterances.push("账号出问题了".into());
    }
    let matcher = Matcher::train(&set);
    let judgement = matcher.judge("账号出问题了！");
    let Decision::AskBack { options } = &judgement.decision else {
        panic!("{judgement:?}")
    };
    let mut options = options.clone();
    options.sort();
    assert_eq!(options, ["group-full", "permanent", "throttled"]);
    assert!(matcher.misplaced_utterances(&set).is_empty());
    let cached = Matcher::from_bytes(&matcher.to_bytes()).unwrap();
    assert_eq!(cached.judge("账号出问题了！"), judgement);
}

#[test]
fn what_is_denied_does_not_decide() {
    let matcher = Matcher::train(&knowledge());
    let scenario = |question: &str| matcher.judge(question).candidates[0].id.clone();
    assert_eq!(scenario("不是永久封号，是群满了拉不进人"), "group-full");
    assert_eq!(scenario("不是群满了，是微信被永久封号"), "permanent");
}
