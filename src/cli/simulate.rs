//! `jiefeng simulate`: the simulator alone, against a server that runs already.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::logging::{LogFormat, start_logging};
use super::{Failure, print_line};
use crate::config::{Environment, load};
use crate::simulator::{self, NoDecisions, Platform};

/// Run the WeCom simulator alone, against a server of yours
#[derive(Args)]
#[command(
    after_help = "Try out a configuration before WeCom knows of it: start the server, then the simulator with the same file.

  jiefeng serve --config jiefeng.toml
  jiefeng simulate --config jiefeng.toml
  jiefeng simulate --config jiefeng.toml --callback https://bot.example.com/callback/support"
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
}

impl Simulate {
    pub(super) fn run(self) -> Result<(), Failure> {
        start_logging(LogFormat::Text, "warn");
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
        actix_web::rt::System::new().block_on(async move {
            let platform = Platform::new(callback.clone(), app.credentials, app.agent_id)?;
            let verification = platform.verify_url().await;
            match verification.error {
                None => print_line(&format!("{callback} is verified")),
                Some(error) => print_line(&format!("{callback} cannot be verified: {error}")),
            }
            print_line(&format!(
                "Open the chat page (打开聊天页面):\n\n  http://{address}/\n\nStop with Ctrl-C."
            ));
            let page = simulator::serve(listener, platform, app.name, self.user, Box::new(NoDecisions), true);
            page.context("the chat page cannot be served")?
                .await
                .context("the chat page failed")?;
            Ok(())
        })
    }
}
