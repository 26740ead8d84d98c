//! What WeCom's API says: its clock, the Secret, the trusted IP, who may see the app, and whether 微信客服 may be served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::PATIENCE;
use super::finding::{Cause, Finding};
use crate::config::{App, Readable, Wecom};
use crate::knowledge::Language;
use crate::metrics::Metrics;
use crate::wecom::kf::Servicer;
use crate::wecom::{ApiError, Client, ClientSettings, OwnTokens};

/// From within mainland China an exchange takes a few dozen milliseconds.
const FAR: Duration = Duration::from_millis(300);

/// How far this machine's clock may be from WeCom's before it is worth a look, in seconds.
const CLOCK_OFF: i64 = 30;

/// Everything of one app together; single calls are repeated within it.
const PATIENCE_WITH_APP: Duration = Duration::from_secs(18);

/// Addresses that are named at most.
const MOST_ADDRESSES: usize = 12;

pub(super) async fn examine(settings: &Readable) -> Vec<Finding> {
    let Some(wecom) = &settings.wecom else {
        return Vec::new();
    };
    let window = settings
        .server
        .as_ref()
        .map_or(300, |server| server.timestamp_window_seconds);
    let apps = futures_util::future::join_all(settings.apps.iter().map(|app| of_app(app, wecom)));
    let (mut findings, of_apps) = futures_util::future::join(of_way(wecom, window), apps).await;
    findings.extend(of_apps.into_iter().flatten());
    findings
}

/// The clock of whoever answers at WeCom's address, and how far away that is. Without credentials the call is refused, which is enough.
async fn of_way(wecom: &Wecom, window: i64) -> Vec<Finding> {
    let Some((date, took)) = date_of(wecom).await else {
        return vec![Finding::new(Cause::ClockUnknown)];
    };
    let away = Timestamp::now().duration_since(date).as_secs();
    let is_far = took > FAR && wecom.proxy.is_none();
    let far = is_far.then(|| Finding::new(Cause::FarFromWecom).with("milliseconds", took.as_millis()));
    std::iter::once(of_clock(away, window)).chain(far).collect()
}

/// What time it is there, and how long asking took.
async fn date_of(wecom: &Wecom) -> Option<(Timestamp, Duration)> {
    let mut builder = crate::wecom::http_client().ok()?.timeout(PATIENCE);
    if let Some(proxy) = &wecom.proxy {
        builder = builder.proxy(reqwest::Proxy::all(proxy.url()).ok()?);
    }
    let request = builder.build().ok()?.get(wecom.api_base.join("cgi-bin/gettoken"));
    let begun = Instant::now();
    let response = request.send().await.ok()?;
    let took = begun.elapsed();
    let date = response.headers().get(reqwest::header::DATE)?.to_str().ok()?;
    Some((rfc2822::parse(date).ok()?.timestamp(), took))
}

fn of_clock(away: i64, window: i64) -> Finding {
    let cause = match away.abs() {
        seconds if seconds > window => Cause::ClockWrong,
        seconds if seconds > CLOCK_OFF => Cause::ClockOff,
        _ => Cause::ClockGood,
    };
    Finding::new(cause).with("seconds", away)
}

async fn of_app(app: &App, wecom: &Wecom) -> Vec<Finding> {
    let Some(secret) = app.secret.clone() else {
        return vec![Finding::new(Cause::PlatformNoSecret).of(&app.name)];
    };
    let settings = ClientSettings {
        app: app.name.clone(),
        corp_id: app.credentials.receive_id().to_owned(),
        secret,
        agent_id: app.agent_id,
        api_base: wecom.api_base.clone(),
        proxy: wecom.proxy.clone(),
        timeout: PATIENCE,
        metrics: Metrics::default(),
    };
    let found = match Client::new(settings, Arc::new(OwnTokens::default())) {
        Ok(client) => tokio::time::timeout(PATIENCE_WITH_APP, called(&client, app)).await,
        Err(error) => Ok(vec![Finding::new(Cause::ApiUnreachable).with("error", error)]),
    };
    let found = found.unwrap_or_else(|_| vec![Finding::new(Cause::ApiUnreachable).with("error", "no answer in time")]);
    found.into_iter().map(|finding| finding.of(&app.name)).collect()
}

async fn called(client: &Client, app: &App) -> Vec<Finding> {
    let agent = match client.agent().await {
        Ok(agent) => agent,
        Err(error) => return vec![of_error(&error)],
    };
    let cause = match (agent.is_disabled, agent.is_invisible) {
        (true, _) => Cause::AgentDisabled,
        (_, true) => Cause::AgentInvisible,
        _ => Cause::PlatformGood,
    };
    let mut findings = vec![Finding::new(cause).with("name", agent.name)];
    if let Ok(addresses) = client.callback_ips().await {
        let shown: Vec<&str> = addresses.iter().take(MOST_ADDRESSES).map(String::as_str).collect();
        let finding = Finding::new(Cause::CallbackAddresses).with("count", addresses.len());
        findings.push(finding.with("addresses", shown.join(", ")));
    }
    if app.kf {
        findings.extend(of_kf(client).await);
    }
    findings
}

fn of_error(error: &ApiError) -> Finding {
    let cause = match error.code() {
        None => Cause::ApiUnreachable,
        Some(40001 | 40091 | 41004 | 45031) => Cause::SecretWrong,
        Some(40013 | 41002) => Cause::CorpIdUnknown,
        Some(60020) => Cause::IpNotTrusted,
        Some(301_002 | 40056) => Cause::AgentIdWrong,
        Some(50003) => Cause::AgentDisabled,
        Some(_) => Cause::ApiRefused,
    };
    let ip = match error {
        ApiError::Refused { refusal, .. } => refusal.from_ip.map(|ip| ip.to_string()),
        _ => None,
    };
    Finding::new(cause)
        .with("code", error.code().unwrap_or_default())
        .with("name", "")
        .with("ip", ip.unwrap_or_else(|| "?".to_owned()))
        .with("error", error.explanation(Language::Chinese))
        .with("error_en", error.explanation(Language::English))
}

async fn of_kf(client: &Client) -> Vec<Finding> {
    let accounts = match client.kf_accounts().await {
        Ok(accounts) => accounts,
        Err(error) if matches!(error.code(), Some(48002 | 48001 | 48007 | 95017)) => {
            return vec![Finding::new(Cause::KfNotPermitted).with("code", error.code().unwrap_or_default())];
        }
        Err(error) => return vec![of_error(&error)],
    };
    if accounts.is_empty() {
        return vec![Finding::new(Cause::KfNoAccount)];
    }
    let (granted, others): (Vec<_>, Vec<_>) = accounts.iter().partition(|account| account.manage_privilege);
    let names: Vec<&str> = others.iter().map(|account| account.name.as_str()).collect();
    let not_granted = (!others.is_empty()).then(|| {
        let accounts = names.join(", ");
        Finding::new(Cause::KfAccountNotGranted).with("accounts", accounts)
    });
    let mut findings: Vec<Finding> = not_granted.into_iter().collect();
    for account in granted {
        let servicers = client.kf_servicers(&account.open_kf_id).await.unwrap_or_default();
        let receives = |servicer: &Servicer| {
            !matches!(
                servicer,
                Servicer::Member {
                    is_receiving: false,
                    ..
                }
            )
        };
        let cause = match servicers.iter().any(receives) {
            true => Cause::KfGood,
            false => Cause::KfNobodyReceives,
        };
        findings.push(Finding::new(cause).with("account", &account.name));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_when_callbacks_would_be_refused_for_it() {
        for (away, expected) in [
            (0, Cause::ClockGood),
            (-31, Cause::ClockOff),
            (300, Cause::ClockOff),
            (-301, Cause::ClockWrong),
        ] {
            assert_eq!(of_clock(away, 300).cause, expected);
        }
    }
}
