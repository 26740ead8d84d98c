//! Every path of the API with the operation behind it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Request;
use crate::simulator::model::company::Company;
use crate::simulator::model::menu::Menu;
use crate::simulator::model::refusal::{Refusal, refuse};

/// An HTTP method, as far as the API cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::simulator) enum Method {
    Get,
    Post,
    #[default]
    Other,
}

type Operation = fn(&mut Company, &Request, Timestamp) -> Result<Value, Refusal>;

/// One path.
pub(super) struct Api {
    pub(super) path: &'static str,
    pub(super) method: Method,
    pub(super) needs_token: bool,
    /// Whether its calls count towards the basic frequency; sending does not (doc/90312).
    pub(super) counts: bool,
    pub(super) carry_out: Operation,
}

const fn get(path: &'static str, carry_out: Operation) -> Api {
    Api {
        path,
        method: Method::Get,
        needs_token: true,
        counts: true,
        carry_out,
    }
}

const fn post(path: &'static str, carry_out: Operation) -> Api {
    Api {
        method: Method::Post,
        ..get(path, carry_out)
    }
}

const APIS: [Api; 18] = [
    Api {
        needs_token: false,
        ..get("gettoken", get_token)
    },
    get("getcallbackip", addresses),
    get("get_api_domain_ip", addresses),
    get("agent/get", agent),
    Api {
        counts: false,
        ..post("message/send", |company, request, now| {
            company.send_app_message(&request.body, now)
        })
    },
    post("message/update_template_card", |company, request, now| {
        company.update_card(&request.body, now)
    }),
    post("menu/create", create_menu),
    get("menu/get", menu),
    get("menu/delete", delete_menu),
    post("kf/account/list", |company, request, _| company.accounts(&request.body)),
    get("kf/servicer/list", |company, request, _| {
        company.servicers(request.query("open_kfid"))
    }),
    post("kf/add_contact_way", |company, request, _| {
        company.contact_way(&request.body)
    }),
    post("kf/customer/batchget", |company, request, now| {
        company.customers(&request.body, now)
    }),
    post("kf/sync_msg", |company, request, now| {
        company.pull(&request.body, request.fate.shorter_page, now)
    }),
    post("kf/send_msg", |company, request, now| {
        company.send_to_customer(&request.body, request.fate.fail_type, now)
    }),
    post("kf/send_msg_on_event", |company, request, now| {
        company.send_on_event(&request.body, now)
    }),
    post("kf/service_state/get", |company, request, now| {
        company.service_state(&request.body, now)
    }),
    post("kf/service_state/trans", |company, request, now| {
        company.move_session(&request.body, now)
    }),
];

/// The operation behind a path.
pub(super) fn find(path: &str) -> Option<&'static Api> {
    APIS.iter().find(|api| api.path == path)
}

fn get_token(company: &mut Company, request: &Request, now: Timestamp) -> Result<Value, Refusal> {
    company.get_token(request.query("corpid"), request.query("corpsecret"), now)
}

/// All callbacks and all answers come from this machine (doc/92520, doc/92521).
fn addresses(_: &mut Company, _: &Request, _: Timestamp) -> Result<Value, Refusal> {
    Ok(json!({"ip_list": ["127.0.0.1"]}))
}

/// `agent/get` (doc/90227).
fn agent(company: &mut Company, request: &Request, _: Timestamp) -> Result<Value, Refusal> {
    company.check_agent(request.number("agentid"))?;
    let members = company.members.visible_ids();
    let members: Vec<Value> = members.iter().map(|userid| json!({"userid": userid})).collect();
    Ok(json!({
        "agentid": company.agent_id,
        "name": company.app,
        "square_logo_url": "",
        "description": "",
        "allow_userinfos": {"user": members},
        "allow_partys": {"partyid": []},
        "allow_tags": {"tagid": []},
        "close": 0,
        "redirect_domain": "",
        "report_location_flag": 0,
        "isreportenter": 1,
        "home_url": "",
    }))
}

/// `menu/create` (doc/90231): the agent id is in the query.
fn create_menu(company: &mut Company, request: &Request, _: Timestamp) -> Result<Value, Refusal> {
    company.check_agent(request.number("agentid"))?;
    company.menu = Some(Menu::parse(&request.body)?);
    Ok(json!({}))
}

/// `menu/get` (doc/90232).
fn menu(company: &mut Company, request: &Request, _: Timestamp) -> Result<Value, Refusal> {
    company.check_agent(request.number("agentid"))?;
    match &company.menu {
        Some(menu) => Ok(json!({"button": menu.buttons()})),
        None => refuse(46003, "no menu"),
    }
}

/// `menu/delete` (doc/90233).
fn delete_menu(company: &mut Company, request: &Request, _: Timestamp) -> Result<Value, Refusal> {
    company.check_agent(request.number("agentid"))?;
    company.menu = None;
    Ok(json!({}))
}
