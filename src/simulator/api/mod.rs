//! The API under `/cgi-bin/`: which paths there are, what a call must bring, and how it is answered (doc/90664, doc/90313).
//!
//! Everything is decided here without I/O: a request, the company and the time go in, an answer comes out. `web` does the rest.

mod routes;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) use routes::Method;
use routes::{Api, find};

use super::model::company::Company;
use super::model::faults::{Fate, Instead};
use super::model::refusal::Refusal;

/// A call as it came in.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    /// The path after `/cgi-bin/`.
    pub(super) path: String,
    pub(super) method: Method,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// A call that can be carried out.
pub(super) struct Request {
    pub(super) query: BTreeMap<String, String>,
    /// `null` for a `GET`.
    pub(super) body: Value,
    pub(super) fate: Fate,
}

impl Request {
    /// A value of the query; empty when it is missing.
    pub(super) fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// A number of the query.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.query.get(name).map(|text| text.parse().unwrap_or(-1))
    }
}

/// What goes back.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Json(Value),
    /// A status with an empty body.
    Status(u16),
    /// A 200 that is no JSON.
    NoJson,
    /// The connection is closed.
    Reset,
}

/// Carries out a call as far as its fate lets it.
pub(super) fn answer(company: &mut Company, call: Call, fate: Fate, now: Timestamp) -> Answer {
    let Some(api) = find(&call.path) else {
        return Answer::Status(404);
    };
    let instead = fate.instead;
    let truth = match fate.is_carried_out {
        true => carried_out(company, api, call, fate, now),
        false => json!({}),
    };
    let answer = match instead {
        None => Answer::Json(truth),
        Some(Instead::Errcode(errcode)) => Answer::Json(json!({"errcode": errcode, "errmsg": words_of(errcode)})),
        Some(Instead::Status(status)) => Answer::Status(status),
        Some(Instead::WrongJson) => Answer::NoJson,
        Some(Instead::Reset) => Answer::Reset,
    };
    let errcode = match &answer {
        Answer::Json(body) => body.get("errcode").and_then(Value::as_i64).unwrap_or_default(),
        Answer::Status(_) | Answer::NoJson | Answer::Reset => 0,
    };
    company.counters.call(api.path, errcode);
    answer
}

/// What a refusal on request says. One for an address that is not trusted names it (doc/90313).
fn words_of(errcode: i64) -> &'static str {
    match errcode {
        60020 => {
            "not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com"
        }
        _ => "a fault on request",
    }
}

fn carried_out(company: &mut Company, api: &Api, call: Call, fate: Fate, now: Timestamp) -> Value {
    if fate.expires_token {
        company.access_tokens.expire();
    }
    let result = admitted(company, api, call, fate, now).and_then(|request| (api.carry_out)(company, &request, now));
    let (errcode, errmsg, mut body) = match result {
        Ok(body) => (0, "ok".to_owned(), body),
        Err(Refusal { errcode, errmsg }) => (errcode, errmsg, json!({})),
    };
    if let Some(fields) = body.as_object_mut() {
        fields.insert("errcode".to_owned(), Value::from(errcode));
        fields.insert("errmsg".to_owned(), Value::from(errmsg));
    }
    body
}

/// What every call must bring: the right method, a token in the query, JSON in the body, and not too many before it.
fn admitted(company: &mut Company, api: &Api, call: Call, fate: Fate, now: Timestamp) -> Result<Request, Refusal> {
    if api.needs_token {
        let token = call.query.get("access_token").map(String::as_str);
        company.access_tokens.check(token, now)?;
    }
    if api.method != call.method {
        return Err(Refusal::new(40063, "invalid method"));
    }
    if api.counts {
        company.frequency.count(api.path, &company.limits, now)?;
    }
    let body = match call.method {
        Method::Get | Method::Other => Value::Null,
        Method::Post => read_body(&call.body)?,
    };
    Ok(Request {
        query: call.query,
        body,
        fate,
    })
}

fn read_body(body: &[u8]) -> Result<Value, Refusal> {
    let parsed: Result<Value, _> = serde_json::from_slice(body);
    match parsed {
        Ok(body) if body.is_object() => Ok(body),
        _ => Err(Refusal::new(40058, "data format error: the body is not a JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::model::company::tests::{company, second};

    fn call(path: &str, method: Method, query: &[(&str, &str)], body: &str) -> Call {
        let query = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Call {
            path: path.to_owned(),
            method,
            query: query.collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn errcode(company: &mut Company, call: Call) -> i64 {
        let fate = company.faults.fate(&call.path);
        match answer(company, call, fate, second(0)) {
            Answer::Json(body) => body["errcode"].as_i64().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn token(company: &mut Company) -> String {
        let answer = company.get_token("ww1", "right", second(0)).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_call_needs_a_token_in_the_query_the_right_method_and_json_doc_90313() {
        let mut company = company();
        let token = token(&mut company);
        let with_token = [("access_token", token.as_str())];
        assert_eq!(
            errcode(&mut company, call("kf/account/list", Method::Post, &[], "{}")),
            41001
        );
        assert_eq!(
            errcode(&mut company, call("kf/account/list", Method::Get, &with_token, "")),
            40063
        );
        assert_eq!(
            errcode(&mut company, call("kf/account/list", Method::Post, &with_token, "[1")),
            40058
        );
        assert_eq!(
            errcode(&mut company, call("kf/account/list", Method::Post, &with_token, "{}")),
            0
        );
        assert_eq!(
            errcode(&mut company, call("menu/get", Method::Get, &with_token, "")),
            41011
        );
        let with_agent = [("access_token", token.as_str()), ("agentid", "1000002")];
        assert_eq!(
            errcode(&mut company, call("menu/get", Method::Get, &with_agent, "")),
            46003
        );
        assert_eq!(
            errcode(&mut company, call("agent/get", Method::Get, &with_agent, "")),
            0
        );
    }

    #[test]
    fn an_unknown_path_is_a_404_doc_90313() {
        let unknown = call("kf/sing", Method::Get, &[], "");
        let fate = Fate::default();
        assert_eq!(answer(&mut company(), unknown, fate, second(0)), Answer::Status(404));
    }

    #[test]
    fn a_call_can_be_carried_out_although_its_answer_is_lost() {
        let mut company = company();
        let token = token(&mut company);
        let agent = [("access_token", token.as_str()), ("agentid", "1000002")];
        let create = || {
            call(
                "menu/create",
                Method::Post,
                &agent,
                r#"{"button":[{"type":"click","name":"a","key":"K"}]}"#,
            )
        };
        for (is_carried_out, is_set) in [(false, false), (true, true)] {
            let fate = Fate {
                instead: Some(Instead::Reset),
                is_carried_out,
                ..Fate::default()
            };
            assert_eq!(answer(&mut company, create(), fate, second(0)), Answer::Reset);
            assert_eq!(company.menu.is_some(), is_set);
        }
    }

    #[test]
    fn a_token_can_expire_at_a_call() {
        let mut company = company();
        let token = token(&mut company);
        let rule = json!({"api": "getcallbackip", "kind": "expire_token", "count": 1});
        company.faults.add(serde_json::from_value(rule).unwrap());
        let get = || call("getcallbackip", Method::Get, &[("access_token", token.as_str())], "");
        assert_eq!([errcode(&mut company, get()), errcode(&mut company, get())], [42001; 2]);
        assert_eq!(company.counters.refused["getcallbackip"][&42001], 2);
    }
}
