//! `jiefeng doctor`: why callbacks do not arrive or are refused, and what to do.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::language::LanguageOption;
use super::{Failure, print_line};
use crate::app::open_store_beside;
use crate::config::{Environment, PublicUrl, Readable, Storage, examine as read_configuration};
use crate::doctor::{Finding, Level, Patient, Side, StoreTrouble, examine};
use crate::knowledge::Language;
use crate::store::Store;

/// Say what keeps WeCom's callbacks away, and what to do about it
#[derive(Args)]
#[command(
    after_help = "Looks at the configuration, the store, the knowledge and the server on this machine, at the public address from outside,
at WeCom's API, and at the requests that WeCom has really sent. Works while the server is running, and does not disturb it.
Exit status: 0 nothing is red, 1 something is, 2 it could not run.

  jiefeng doctor --config jiefeng.toml
  jiefeng doctor --config jiefeng.toml --url https://bot.example.com
  jiefeng doctor --config jiefeng.toml --json"
)]
pub(super) struct Doctor {
    /// Configuration file of the server
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where WeCom reaches the server, without /callback/NAME [default: server.public_url]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    language: LanguageOption,
}

impl Doctor {
    pub(super) fn run(self) -> Result<(), Failure> {
        let language = self.language.language();
        let given = self.url.as_deref().map(PublicUrl::parse).transpose();
        let given = given.map_err(|error| anyhow::anyhow!("--url {error}"))?;
        let settings = read_configuration(&self.config, &Environment::of_process()).map_err(anyhow::Error::from)?;
        let configured = settings.server.as_ref().and_then(|server| server.public_url.as_ref());
        let public_url = given.as_ref().or(configured);
        let store = settings
            .storage
            .as_ref()
            .map_or(Err(StoreTrouble::NotConfigured), opened);
        let patient = Patient {
            settings: &settings,
            public_url,
            store: store.as_deref(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let findings = runtime.context("cannot start waiting for answers")?.block_on(async {
            let findings = examine(patient, |side| self.tell(side, language)).await;
            if let Ok(store) = &store {
                // Only looked into: there is nothing that could be lost.
                let _ = store.close().await;
            }
            findings
        });
        match self.json {
            true => print_line(&as_json(&findings).to_string()),
            false => print(&findings, &settings, language),
        }
        match findings.iter().any(|finding| finding.level() == Level::Red) {
            true => Err(Failure::FoundProblems),
            false => Ok(()),
        }
    }

    /// Whoever waits sees that something goes on.
    #[expect(clippy::print_stderr, reason = "progress is no part of the result")]
    fn tell(&self, side: Side, language: Language) {
        if !self.json {
            eprintln!("… {}", name(side, language));
        }
    }
}

fn opened(storage: &Storage) -> Result<Box<dyn Store>, StoreTrouble> {
    if let Some(path) = storage.address.file().filter(|path| !path.exists()) {
        return Err(StoreTrouble::Missing(path.to_owned()));
    }
    open_store_beside(storage).map_err(|error| StoreTrouble::Unusable(format!("{error:#}")))
}

fn as_json(findings: &[Finding]) -> Value {
    let shown = findings.iter().map(|finding| {
        let (zh, en) = (finding.words(Language::Chinese), finding.words(Language::English));
        let values: serde_json::Map<String, Value> = finding
            .values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        json!({
            "level": finding.level(), "side": finding.side(), "cause": finding.cause.id(), "app": finding.app, "values": values,
            "zh": zh, "en": en,
        })
    });
    json!({"findings": shown.collect::<Vec<Value>>(), "red": count(findings, Level::Red), "yellow": count(findings, Level::Yellow)})
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level() == level).count()
}

fn print(findings: &[Finding], settings: &Readable, language: Language) {
    let has_several_apps = settings.apps.len() > 1;
    for side in [Side::Inside, Side::Outside, Side::Platform, Side::Life] {
        let of_side: Vec<&Finding> = findings.iter().filter(|finding| finding.side() == side).collect();
        if of_side.is_empty() {
            continue;
        }
        print_line(&format!("\n{}", name(side, language)));
        for finding in of_side {
            print_finding(finding, has_several_apps, language);
        }
    }
    let (red, yellow) = (count(findings, Level::Red), count(findings, Level::Yellow));
    print_line(&match language {
        Language::English => format!("\n{red} red, {yellow} yellow"),
        _ => format!("\n红 {red}，黄 {yellow}"),
    });
}

fn print_finding(finding: &Finding, with_app: bool, language: Language) {
    let mark = match (finding.level(), language) {
        (Level::Green, Language::English) => "[ok]    ",
        (Level::Yellow, Language::English) => "[yellow]",
        (Level::Red, Language::English) => "[RED]   ",
        (Level::Green, _) => "[绿]",
        (Level::Yellow, _) => "[黄]",
        (Level::Red, _) => "[红]",
    };
    let words = finding.words(language);
    let app = match with_app && !finding.app.is_empty() {
        true => format!("{}: ", finding.app),
        false => String::new(),
    };
    print_line(&format!("{mark} {app}{}", words.what));
    let (why, cure) = match language {
        Language::English => ("why: ", "cure: "),
        _ => ("原因：", "处理："),
    };
    for (label, text) in [(why, &words.why), (cure, &words.cure)] {
        if !text.is_empty() {
            print_line(&format!("     {label}{text}"));
        }
    }
    print_line(&format!("     ({})", finding.cause.id()));
}

fn name(side: Side, language: Language) -> &'static str {
    match (side, language) {
        (Side::Inside, Language::English) => "On this machine",
        (Side::Outside, Language::English) => "At the public address",
        (Side::Platform, Language::English) => "At WeCom's API",
        (Side::Life, Language::English) => "What WeCom has really sent",
        (Side::Inside, _) => "本机",
        (Side::Outside, _) => "公网地址",
        (Side::Platform, _) => "企业微信接口",
        (Side::Life, _) => "企业微信真实发来的请求",
    }
}
