//! What WeCom's API says, played by the simulator.

use jiefeng::doctor::Cause;
use serde_json::{Value, json};

use super::proxy::{Proxy, Response};
use super::{Examined, Fault, assert_all_are_named};
use crate::platform::World;

/// Examines a company in which this was done, with variables of the doctor's own.
fn fault(cause: Cause, app_keys: &'static str, environment: &'static [(&str, &str)], prepare: fn(&World)) -> Fault {
    Fault::new(cause, move || {
        let world = World::new(app_keys);
        world.control("members", json!({ "member": "LiXiaoyu" }));
        prepare(&world);
        Examined::of(&world, &[], environment)
    })
    .beside(OF_TESTS)
}

/// A machine that does much at the same time takes long for everything.
const OF_TESTS: &[Cause] = &[Cause::FarFromWecom];

fn failing(api: &str, code: i64) -> Value {
    json!({ "api": api, "kind": "errcode", "value": code })
}

fn with_code(cause: Cause, prepare: fn(&World)) -> Fault {
    fault(cause, "", &[], prepare)
}

pub(super) fn faults() -> Vec<Fault> {
    vec![
        fault(Cause::SecretWrong, "", &[("JIEFENG__APPS__0__SECRET", "wrong")], |_| {}),
        fault(
            Cause::CorpIdUnknown,
            "",
            &[("JIEFENG__APPS__0__CORP_ID", "ww9")],
            |_| {},
        ),
        fault(
            Cause::AgentIdWrong,
            "",
            &[("JIEFENG__APPS__0__AGENT_ID", "1000003")],
            |_| {},
        ),
        with_code(Cause::IpNotTrusted, |world| {
            drop(world.control("faults", failing("agent/get", 60020)))
        }),
        with_code(Cause::AgentDisabled, |world| {
            drop(world.control("faults", failing("agent/get", 50003)))
        }),
        with_code(Cause::ApiRefused, |world| {
            drop(world.control("faults", failing("agent/get", 48006)))
        }),
        with_code(Cause::AgentInvisible, |world| {
            world.control("members", json!({ "member": "LiXiaoyu", "visible": false }));
        }),
        fault(
            Cause::ApiUnreachable,
            "",
            &[("JIEFENG__WECOM__API_BASE", "http://127.0.0.1:1")],
            |_| {},
        )
        .beside(&[Cause::ClockUnknown]),
        fault(
            Cause::ClockUnknown,
            "",
            &[("JIEFENG__WECOM__API_BASE", "http://127.0.0.1:1")],
            |_| {},
        )
        .beside(&[Cause::ApiUnreachable]),
        with_code(Cause::FarFromWecom, |world| {
            world.control(
                "faults",
                json!({ "api": "gettoken", "kind": "latency_ms", "value": 500 }),
            );
        }),
        Fault::new(Cause::ClockWrong, || {
            let world = World::new("");
            let another_day = Proxy::start(|_| {
                let line = "application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT";
                Response::new(200, line, "{\"errcode\":41002}")
            });
            let base = format!("http://{}", another_day.address);
            Examined::of(&world, &[], &[("JIEFENG__WECOM__API_BASE", &base)])
        })
        .beside(&[Cause::CorpIdUnknown]),
        fault(Cause::KfNotPermitted, "kf = true", &[], |world| {
            world.control("faults", failing("kf/account/list", 48002));
        }),
        fault(Cause::KfNoAccount, "kf = true", &[], |_| {}),
        fault(Cause::KfAccountNotGranted, "kf = true", &[], |world| {
            world.control("kf/accounts", json!({ "open_kfid": "wk1", "granted": false }));
        }),
        fault(Cause::KfNobodyReceives, "kf = true", &[], |world| {
            world.control("kf/accounts", json!({ "open_kfid": "wk1" }));
            world.control(
                "kf/servicers",
                json!({ "open_kfid": "wk1", "userid": "zhangsan", "on_duty": false }),
            );
        }),
    ]
}

#[test]
fn what_wecom_refuses_is_named() {
    assert_all_are_named(faults());
}

#[test]
fn the_address_to_trust_is_named() {
    let world = World::new("");
    world.control("faults", failing("agent/get", 60020));
    let examined = Examined::of(&world, &[], &[]);
    let found = examined.find(Cause::IpNotTrusted).unwrap();
    let cure = found["zh"]["cure"].as_str().unwrap();
    assert!(cure.contains("企业可信IP，加上 203.0.113.7"), "{cure}");
}
