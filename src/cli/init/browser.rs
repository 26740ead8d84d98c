//! The first run on a page in the browser.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use actix_web::dev::ServerHandle;
use anyhow::Context;

use super::{Guide, Init, follow, prepare};
use crate::app::{ConsoleAddress, Server, Stops};
use crate::config::{ConsoleListen, Environment, load};
use crate::console::{FirstRun, GivenBeforehand, RunningServer, serve_first_run};

/// Where the console is if nothing else is said.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

impl Init {
    /// Asks and shows everything on a page.
    pub(super) fn in_browser(self, guide: Guide) -> anyhow::Result<()> {
        let listener = match self.console_listen {
            Some(address) => TcpListener::bind(address),
            None => TcpListener::bind(USUAL).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))),
        };
        let listener =
            listener.context("cannot listen for the browser; choose another address with --console-listen")?;
        let address = listener.local_addr().context("the page's address cannot be read")?;
        let first_run = FirstRun::new(GivenBeforehand {
            file: self.config.clone(),
            name: self.name.clone(),
            listen: self.listen.to_string(),
            console_listen: self.console_listen.map(|address| address.to_string()),
        })?;
        let link = ConsoleAddress::of(address).url(&first_run.link());
        let values = [("link", link.as_str()), ("port", &address.port().to_string())];
        guide.say("open_page", &values);
        actix_web::rt::System::new().block_on(self.lead(listener, first_run))
    }

    async fn lead(&self, listener: TcpListener, first_run: FirstRun) -> anyhow::Result<()> {
        let mut stops = Stops::heard().context("cannot hear signals")?;
        let own = listener.try_clone().context("the page's socket cannot be shared")?;
        let asking = serve_first_run(own, first_run.clone()).context("cannot serve the page")?;
        let stop_asking = asking.handle();
        actix_web::rt::spawn(asking);
        let server = tokio::select! {
            server = self.until_prepared(&first_run) => server,
            () = stops.next() => {
                stop_asking.stop(false).await;
                return Ok(());
            }
        };
        hand_over(stop_asking).await;
        server.with_first_run(listener, first_run)?.run().await.map(drop)
    }

    /// Prepares the server when the configuration is there, as often as it takes.
    async fn until_prepared(&self, first_run: &FirstRun) -> Server {
        loop {
            first_run.start_wanted().await;
            match self.prepare_with_page(first_run).await {
                Ok(server) => return server,
                Err(error) => first_run.failed(&error),
            }
        }
    }

    async fn prepare_with_page(&self, first_run: &FirstRun) -> anyhow::Result<Server> {
        let mut settings = load(&self.config, &Environment::of_process())?;
        // The page's own socket becomes the console's.
        settings.console = ConsoleListen::Off;
        let server = prepare(settings).await?;
        let (to_paste, progress) = follow(&self.config, &server)?;
        first_run.runs(RunningServer {
            address: server.address,
            to_paste,
            progress,
            store: server.store.clone(),
        });
        Ok(server)
    }
}

/// Ends the page before there is a console. What was accepted is still answered; what comes now waits in the socket for the console.
async fn hand_over(asking: ServerHandle) {
    asking.pause().await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    asking.stop(true).await;
}
