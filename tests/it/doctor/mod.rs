//! `jiefeng doctor` names what was provoked: every cause that a machine of the tests can bring about, through the real programs.

mod certificates;
mod inside;
mod life;
mod outside;
mod platform;
mod proxy;

use std::collections::BTreeSet;
use std::sync::Mutex;

use jiefeng::doctor::Cause;
use serde_json::Value;

use crate::platform::World;
use crate::program::{jiefeng, run};
use crate::server::assert_tells_nothing;

/// So many faults are provoked at a time.
const AT_ONCE: usize = 4;

/// Something that is made to go wrong.
struct Fault {
    cause: Cause,
    /// What else is found on the same side, because of where tests run.
    beside: &'static [Cause],
    provoke: Box<dyn Fn() -> Examined + Send + Sync>,
}

impl Fault {
    fn new(cause: Cause, provoke: impl Fn() -> Examined + Send + Sync + 'static) -> Self {
        Self {
            cause,
            beside: &[],
            provoke: Box::new(provoke),
        }
    }

    fn beside(self, beside: &'static [Cause]) -> Self {
        Self { beside, ..self }
    }
}

/// What the doctor printed, and how it ended.
struct Examined {
    findings: Vec<Value>,
    status: i32,
}

impl Examined {
    /// Runs the doctor with these arguments and variables.
    fn with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let all: Vec<&str> = ["doctor", "--json"].iter().chain(arguments).copied().collect();
        let output = jiefeng(&all).envs(environment.iter().copied()).output().unwrap();
        let (out, err) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert_tells_nothing(&format!("{out}{err}"), &[]);
        let printed: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}{err}"));
        Self {
            findings: printed["findings"].as_array().unwrap().clone(),
            status: output.status.code().unwrap(),
        }
    }

    fn of(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let config = world.path("jiefeng.toml");
        let all: Vec<&str> = ["--config", config.to_str().unwrap()]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        Self::with(&all, environment)
    }

    fn find(&self, cause: Cause) -> Option<&Value> {
        self.findings.iter().find(|finding| finding["cause"] == cause.id())
    }

    /// Why this is not named as it should be.
    fn objection(&self, fault: &Fault) -> Option<String> {
        let causes: Vec<String> = self
            .findings
            .iter()
            .map(|finding| finding["cause"].to_string())
            .collect();
        let Some(found) = self.find(fault.cause) else {
            return Some(format!("{} is not among {causes:?}", fault.cause.id()));
        };
        let words = format!("{}{}", found["zh"], found["en"]);
        if words.contains('\u{fffd}') {
            return Some(format!("{}: something is not filled in: {words}", fault.cause.id()));
        }
        let is_red = self.findings.iter().any(|finding| finding["level"] == "red");
        if self.status != i32::from(is_red) {
            return Some(format!("{}: the exit status is {}", fault.cause.id(), self.status));
        }
        let of_side = self
            .findings
            .iter()
            .filter(|finding| finding["side"] == found["side"] && finding["level"] != "green");
        let is_expected = |id: &str| id == fault.cause.id() || fault.beside.iter().any(|cause| cause.id() == id);
        let others: Vec<&str> = of_side
            .filter_map(|finding| finding["cause"].as_str())
            .filter(|id| !is_expected(id))
            .collect();
        (!others.is_empty()).then(|| format!("{}: also {others:?}", fault.cause.id()))
    }
}

/// Provokes one after the other, and fails with all that were not named.
#[track_caller]
fn assert_all_are_named(faults: Vec<Fault>) {
    let (all, queue) = (faults.len(), Mutex::new(faults.into_iter()));
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(fault) = queue.lock().unwrap().next() else {
                        break;
                    };
                    if let Some(objection) = (fault.provoke)().objection(&fault) {
                        missed.lock().unwrap().push(objection);
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    println!("{} of {all} causes named", all - missed.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// What tests of the modules show, because no machine of the tests brings it about in time or at all.
const JUDGED_ALONE: [Cause; 7] = [
    Cause::ConnectionTimeout,
    Cause::ConnectionFailed,
    Cause::NearlySlow,
    Cause::ClockOff,
    Cause::NameIpv6Only,
    Cause::NotStored,
    Cause::CertificateNotYet,
];

/// What needs no provoking: it is as it should be.
const GOOD: [Cause; 14] = [
    Cause::ConfigurationGood,
    Cause::ClockGood,
    Cause::StoreGood,
    Cause::KnowledgeGood,
    Cause::ServerGood,
    Cause::NameGood,
    Cause::CertificateGood,
    Cause::VerificationGood,
    Cause::MessagesGood,
    Cause::PlatformGood,
    Cause::CallbackAddresses,
    Cause::KfGood,
    Cause::LifeVerified,
    Cause::LifeMessages,
];

#[test]
fn every_cause_is_provoked_or_said_to_be_good() {
    let provoked = [
        outside::faults(&outside::Behind::nothing()),
        certificates::faults(),
        inside::faults(),
        platform::faults(),
        life::faults(),
    ];
    let provoked: BTreeSet<Cause> = provoked.iter().flatten().map(|fault| fault.cause).collect();
    let known: BTreeSet<Cause> = JUDGED_ALONE.into_iter().chain(GOOD).chain(provoked).collect();
    let missing: Vec<&Cause> = Cause::ALL.iter().filter(|cause| !known.contains(cause)).collect();
    assert!(missing.is_empty(), "nobody provokes {missing:?}");
}

#[test]
fn a_healthy_server_is_all_green_and_people_can_read_it() {
    let world = World::with_kf();
    world.control("members", serde_json::json!({ "member": "LiXiaoyu" }));
    let (proxy, forwarding) = (proxy::Proxy::start(proxy::forwarded), world.server_address());
    proxy.set_behind(forwarding);
    let url = format!("http://{}", proxy.address);
    let examined = Examined::of(&world, &["--url", &url], &[]);
    for cause in GOOD {
        let needs_the_internet = [
            Cause::NameGood,
            Cause::CertificateGood,
            Cause::LifeVerified,
            Cause::LifeMessages,
        ];
        if !needs_the_internet.contains(&cause) {
            assert!(
                examined.find(cause).is_some(),
                "{} is not in {:?}",
                cause.id(),
                examined.findings
            );
        }
    }
    let config = world.path("jiefeng.toml");
    for (language, words) in [
        ("zh", ["[绿] 配置没有问题。", "[红] 127.0.0.1", "处理："]),
        (
            "en",
            [
                "[ok]     The configuration has no problem.",
                "[RED]    127.0.0.1",
                "cure: ",
            ],
        ),
    ] {
        let ran = run(&[
            "doctor",
            "--config",
            config.to_str().unwrap(),
            "--url",
            &url,
            "--lang",
            language,
        ]);
        assert_eq!(ran.status, 1, "{}{}", ran.out, ran.err);
        for word in words {
            assert!(ran.out.contains(word), "`{word}` is not in\n{}", ran.out);
        }
        println!("{}", ran.out);
    }
}

#[test]
fn what_cannot_be_examined_at_all_is_said_so() {
    let ran = run(&["doctor", "--config", "/no/such/file.toml"]);
    assert_eq!(ran.status, 2, "{}", ran.err);
    assert!(ran.err.contains("/no/such/file.toml"), "{}", ran.err);
    let ran = run(&[
        "doctor",
        "--config",
        "x.toml",
        "--url",
        "https://bot.example.com/callback/support",
    ]);
    assert_eq!(ran.status, 2, "{}", ran.err);
    assert!(ran.err.contains("--url must end before /callback/NAME"), "{}", ran.err);
}
