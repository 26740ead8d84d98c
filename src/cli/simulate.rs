//! `jiefeng simulate`: the simulator alone, against a server that runs already.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tracing::level_filters::LevelFilter;

use super::logging::{LogFormat, start_logging};
use super::{Failure, print_line};
use crate::config::{Environment, load};
use crate::simulator::{NoCompanion, Simulator, SimulatorSettings};

/// The person who looks after customers.
const SERVICER: &str = "zhangsan";

/// Run the WeCom simulator alone, against a server of yours
#[derive(Args)]
#[command(
    after_help = "Try out a configuration before WeCom knows of it: start the server, then the simulator with the same file.

  jiefeng serve --config jiefeng.toml
  jiefeng simulate --config jiefeng.toml
  jiefeng simulate --config jiefeng.toml --callback https://bot.example.com/callback/support

It answers WeCom's API as well: with api_base = \"http://127.0.0.1:8090\" under [wecom] the server calls it instead of WeCom. A customer of
微信客服 writes to the account that --kf opens:

  jiefeng simulate --config jiefeng.toml --kf
  curl -H 'Content-Type: application/json' -d '{\"open_kfid\":\"wk…\",\"customer\":\"wmLi\",\"text\":\"你好\"}' \\
    http://127.0.0.1:8090/control/customer/write"
)]
pub(super) struct Simulate {
    /// Configuration file of the server: the simulator signs with its credentials
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Which of its apps [default: the first]
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Where to deliver [default: the server's own address]
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// Address of the chat page
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Who writes
    #[arg(long, value_name = "USERID", default_value = "LiXiaoyu")]
    user: String,
    /// Open an account of 微信客服 with a servicer (zhangsan), for whom customers can ask
    #[arg(long)]
    kf: bool,
}

impl Simulate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let _logging = start_logging(LogFormat::Text, LevelFilter::WARN);
        let settings = load(&self.config, &Environment::of_process()).map_err(anyhow::Error::from)?;
        let wanted = |name: &str| self.app.as_ref().is_none_or(|app| app == name);
        let app = settings.apps.into_iter().find(|app| wanted(&app.name));
        let app = app.with_context(|| format!("no app of `{}` has this name", self.config.display()))?;
        let callback = self
            .callback
            .unwrap_or_else(|| format!("http://{}/callback/{}", settings.server.listen, app.name));
        let listener = TcpListener::bind(self.listen)
            .with_context(|| format!("cannot listen on {}; is it in use?", self.listen))?;
        let address = listener
            .local_addr()
            .context("the chat page's address cannot be read")?;
        let has_secret = app.secret.is_some();
        let simulator = Simulator::new(SimulatorSettings {
            callback_url: callback,
            credentials: app.credentials.current().clone(),
            agent_id: app.agent_id,
            secret: app.secret,
            app: app.name,
            user: self.user,
            companion: Box::new(NoCompanion),
        })?;
        actix_web::rt::System::new().block_on(async move {
            print_verification(&simulator).await;
            print_api(address, has_secret);
            if self.kf {
                let open_kfid = simulator.open_account("解封客服", SERVICER);
                print_line(&format!(
                    "Account of 微信客服 (open_kfid): {open_kfid}, servicer {SERVICER}"
                ));
            }
            print_line(&format!(
                "Open the chat page (打开聊天页面):\n\n  http://{address}/\n\nStop with Ctrl-C."
            ));
            let page = simulator.serve(listener, true);
            page.context("the chat page cannot be served")?
                .await
                .context("the chat page failed")?;
            Ok(())
        })
    }
}

async fn print_verification(simulator: &Simulator) {
    let callback = simulator.callback_url();
    match simulator.verify_url().await.error {
        None => print_line(&format!("{callback} is verified")),
        Some(error) => print_line(&format!("{callback} cannot be verified: {error}")),
    }
}

fn print_api(address: SocketAddr, has_secret: bool) {
    print_line(&format!("API, for [wecom] api_base: http://{address}"));
    if !has_secret {
        print_line("The app has no secret in the configuration, so the API refuses gettoken (40001).");
    }
}
