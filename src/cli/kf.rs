//! `jiefeng kf`: the accounts of 微信客服 that an app may serve.

use clap::Args;

use super::calling::CallingApp;
use super::{Failure, print_line};
use crate::wecom::kf::{KfAccount, Servicer};
use crate::wecom::{ApiError, Client};

/// Comes back in the event of a customer who enters by the link (doc/94665).
const SCENE: &str = "jiefeng";

/// List the accounts of 微信客服 with their links, and what keeps them from being served
#[derive(Args)]
#[command(
    after_help = "One account after the other: id, name, whether this app may serve it, who receives, and the link by which a customer
opens it in WeChat. Needs the app's Secret and a trusted IP (企业可信IP). Exit status 1 when an account cannot be served.

  jiefeng kf --config jiefeng.toml"
)]
pub(super) struct Kf {
    #[command(flatten)]
    app: CallingApp,
}

impl Kf {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (_, app, client) = self.app.connect()?;
        let all_served = actix_web::rt::System::new()
            .block_on(print_accounts(&client))
            .map_err(anyhow::Error::from)?;
        if !app.kf {
            print_line(&format!("`{}` does not receive their events: set kf = true", app.name));
        }
        match all_served && app.kf {
            true => Ok(()),
            false => Err(Failure::FoundProblems),
        }
    }
}

/// Whether all of them can be served.
async fn print_accounts(client: &Client) -> Result<bool, ApiError> {
    let accounts = client.kf_accounts().await?;
    if accounts.is_empty() {
        print_line("there is no account; make one in the admin console: 微信客服 → 客服账号");
        return Ok(false);
    }
    for account in &accounts {
        print_line(&format!("{}  {}", account.open_kf_id, account.name));
        match account.manage_privilege {
            true => print_details(client, account).await,
            false => print_line(
                "  this app may not serve it: 微信客服 → API → 通过API管理微信客服账号 → 企业内部开发, tick the account",
            ),
        }
    }
    Ok(accounts.iter().all(|account| account.manage_privilege))
}

async fn print_details(client: &Client, account: &KfAccount) {
    match client.kf_servicers(&account.open_kf_id).await {
        Ok(servicers) => print_line(&format!("  {}", in_words(&servicers))),
        Err(error) => print_line(&format!("  who receives is not known: {error}")),
    }
    match client.kf_contact_way(&account.open_kf_id, SCENE).await {
        Ok(link) => print_line(&format!("  link {link}")),
        Err(error) => print_line(&format!("  there is no link: {error}")),
    }
}

fn in_words(servicers: &[Servicer]) -> String {
    let receives = |servicer: &&Servicer| matches!(servicer, Servicer::Member { is_receiving: true, .. });
    let receiving = servicers.iter().filter(receives).count();
    format!("{receiving} of {} servicer(s) receive now", servicers.len())
}
