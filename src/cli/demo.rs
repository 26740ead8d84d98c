//! `jiefeng demo`: server and simulator on this machine, with nothing to fill in.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use jiff::civil::Time;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tracing::level_filters::LevelFilter;

use super::logging::{LogFormat, start_logging};
use super::serve::moved_clock;
use super::{Failure, KnowledgeOption, knowledge_failure, print_line};
use crate::app::{KnowledgeSource, Server};
use crate::config::{self, Settings};
use crate::protocol::{CallbackToken, Credentials, EncodingAesKey, IncomingMessage};
use crate::service::{ConversationClock, CurrentAssistant, NOW_VARIABLE, message_key};
use crate::setup::{NewCredentials, random_letters};
use crate::simulator::{Calendar, Companion, Simulator, SimulatorSettings};
use crate::store::{BoxFuture, Store, StoreAddress};
use crate::wecom::ApiBase;

const SERVER_PORT: u16 = 8080;
const SIMULATOR_PORT: u16 = 8090;
const CONSOLE_PORT: u16 = 8081;
const APP: &str = "support";
const AGENT_ID: u32 = 1_000_002;
const USER: &str = "LiXiaoyu";

/// China has one time zone and no daylight saving time.
const CHINA: Offset = Offset::constant(8);

/// The account of 微信客服 and the person who looks after it.
const KF_ACCOUNT: &str = "解封客服";
const SERVICER: &str = "zhangsan";

/// The time of day of reminders; a clock moved by business days is set to it as well.
const MORNING: Time = Time::constant(10, 0, 0, 0);

/// Try it out: server, WeCom simulator and chat page on this machine
#[derive(Args)]
#[command(
    after_help = "Everything stays on this machine: both listen on loopback only, and the credentials are generated at every start.

  jiefeng demo
  jiefeng demo --cards                                    options as buttons of a card
  JIEFENG_NOW=2026-09-30T10:00:00+08:00 jiefeng demo      pretend that it is the day before a holiday"
)]
pub(super) struct Demo {
    /// Address of the server [default: 127.0.0.1:8080, or any free port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address of the chat page [default: 127.0.0.1:8090, or any free port]
    #[arg(long, value_name = "ADDRESS")]
    simulator_listen: Option<SocketAddr>,
    /// Folder of the embedded database
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Options as buttons of a card, as `cards = true` in the configuration does
    #[arg(long)]
    cards: bool,
    #[command(flatten)]
    knowledge: KnowledgeOption,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let _logging = start_logging(LogFormat::Text, LevelFilter::WARN);
        let clock = match std::env::var(NOW_VARIABLE) {
            Ok(start) => moved_clock(&start)?,
            Err(_) => ConversationClock::default(),
        };
        let source = KnowledgeSource::new(&config::Knowledge {
            dir: self.knowledge.directory.clone(),
            cache_dir: None,
        });
        let assistant = source
            .load()
            .map_err(|error| knowledge_failure(source.directory(), error))?;
        let assistant = CurrentAssistant::new(assistant);
        actix_web::rt::System::new().block_on(self.serve(source, assistant, clock))?;
        Ok(())
    }

    async fn serve(
        self,
        source: KnowledgeSource,
        assistant: CurrentAssistant,
        clock: ConversationClock,
    ) -> anyhow::Result<()> {
        let credentials = generated_credentials()?;
        let secret = SecretString::from(random_letters(43));
        let page = bind(self.simulator_listen, SIMULATOR_PORT)?;
        let page_address = page.local_addr().context("the chat page's address cannot be read")?;
        let listen = match self.listen {
            Some(listen) => listen,
            None => free_address(SERVER_PORT)?,
        };
        let console = free_address(CONSOLE_PORT)?;
        let database = self.data.join("demo.db");
        let app = config::App {
            name: APP.to_owned(),
            agent_id: AGENT_ID,
            credentials: credentials.clone().into(),
            secret: Some(secret.clone()),
            kf: true,
            cards: self.cards,
        };
        let api_base = ApiBase::parse(&format!("http://{}", reachable(page_address)))?;
        let settings = settings(
            (listen, console),
            database.clone(),
            &self.knowledge.directory,
            api_base,
            app,
        );
        let server = Server::prepare(settings, source, assistant.clone(), clock.clone())?;
        let callback = format!("http://{}/callback/{APP}", server.address);
        let companion = BotHere {
            store: Arc::clone(&server.store),
            assistant,
            corp_id: credentials.receive_id().to_owned(),
            clock,
        };
        let simulator = Simulator::new(SimulatorSettings {
            callback_url: callback.clone(),
            credentials,
            agent_id: AGENT_ID,
            secret: Some(secret),
            app: APP.to_owned(),
            user: USER.to_owned(),
            companion: Box::new(companion),
        })?;
        simulator.open_account(KF_ACCOUNT, SERVICER);
        let page = simulator.serve(page, false).context("the chat page cannot be served")?;
        let stop_simulator = page.handle();
        actix_web::rt::spawn(page);
        print_line(&format!(
            "Jiefeng and a WeCom simulator run on this machine. Open the chat page (打开聊天页面):\n\n  http://{page_address}/\n\n\
             Callback URL  {callback}\n\
             Admin console {}\n\
             State         {}\n\nStop with Ctrl-C.",
            console_of(&server).await?,
            database.display()
        ));
        let served = server.run().await;
        stop_simulator.stop(false).await;
        served.map(drop)
    }
}

/// Where the console is; while there is no admin, the link that makes one.
async fn console_of(server: &Server) -> anyhow::Result<String> {
    let Some(console) = server.console else {
        return Ok("none: its port was taken".to_owned());
    };
    let link = console.first_link(&*server.store).await?;
    Ok(link.unwrap_or_else(|| console.page()))
}

fn settings(
    (listen, console): (SocketAddr, SocketAddr),
    database: PathBuf,
    knowledge: &std::path::Path,
    api_base: ApiBase,
    app: config::App,
) -> Settings {
    Settings {
        server: config::Server {
            public_url: None,
            listen,
            metrics_listen: None,
            workers: Some(2),
            max_connections: 1024,
            trusted_proxies: config::Networks::loopback(),
            drain_seconds: 0,
            timestamp_window_seconds: 300,
            allow_sample_credentials: false,
        },
        storage: config::Storage {
            address: StoreAddress::Sqlite(database),
            connections: 4,
            session_ttl: SignedDuration::from_mins(30),
        },
        knowledge: config::Knowledge {
            dir: knowledge.to_owned(),
            cache_dir: None,
        },
        wecom: config::Wecom { api_base, proxy: None },
        // Whoever tries it out at night wants to be handed over as well; the servicer's desk says whether anybody receives.
        adjustable: config::AdjustableValues {
            duty_hours: Some((Time::MIN, Time::MAX)),
            duty_on_business_days: Some(false),
            retention_days: Some(7),
            ..config::AdjustableValues::default()
        },
        console: config::ConsoleListen::IfFree(console),
        file: None,
        apps: vec![app],
    }
}

/// Where this machine itself reaches an address that it listens on.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        false => address,
    }
}

/// A new company with a new Token and EncodingAESKey, so that nothing of an earlier demonstration is in the way.
fn generated_credentials() -> anyhow::Result<Credentials> {
    let new = NewCredentials::generate();
    let token = CallbackToken::parse(&new.token)?;
    let key = EncodingAesKey::parse(&new.encoding_aes_key)?;
    Ok(Credentials::new(
        token,
        key,
        format!("ww{}", random_letters(16).to_lowercase()),
    ))
}

/// The address asked for, else the usual port, else any free one.
fn bind(asked: Option<SocketAddr>, usual: u16) -> anyhow::Result<TcpListener> {
    match asked {
        Some(address) => {
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}; is it in use?"))
        }
        None => TcpListener::bind((Ipv4Addr::LOCALHOST, usual))
            .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("no free port was found"),
    }
}

fn free_address(usual: u16) -> anyhow::Result<SocketAddr> {
    bind(None, usual)?
        .local_addr()
        .context("the free address cannot be read")
}

/// The server beside the simulator: looks up in its store how a message was understood, and adds what the matcher saw in it.
struct BotHere {
    store: Arc<dyn Store>,
    assistant: CurrentAssistant,
    corp_id: String,
    clock: ConversationClock,
}

impl BotHere {
    async fn next_reminder(&self) -> Option<Timestamp> {
        let app = (self.corp_id.clone(), APP.to_owned());
        let reminders = self.store.due_reminders(Timestamp::MAX, vec![app]).await.ok()?;
        reminders.first().map(|reminder| reminder.due)
    }

    fn third_business_day(&self, now: Timestamp) -> Option<Timestamp> {
        let today = CHINA.to_datetime(now).date();
        let day = self.assistant.get().catalogue.workdays.business_day_after(today, 3)?;
        CHINA.to_timestamp(day.to_datetime(MORNING)).ok()
    }
}

impl Companion for BotHere {
    fn decision(&self, plaintext: String) -> BoxFuture<'_, Option<serde_json::Value>> {
        Box::pin(async move {
            let message = IncomingMessage::parse(&plaintext).ok()?;
            let key = message.deduplication_key(&plaintext);
            let key = message_key(&self.corp_id, APP, &message, &key);
            let question = self.store.question(key).await.ok()??;
            let evidence = serde_json::to_value(self.assistant.get().matcher.explain(&question.text)).ok()?;
            let mut decision = serde_json::to_value(question).ok()?;
            decision.as_object_mut()?.insert("evidence".to_owned(), evidence);
            Some(decision)
        })
    }

    fn advance(&self, by: SignedDuration) -> bool {
        self.clock.advance(by);
        true
    }

    fn calendar(&self, _platform_now: Timestamp) -> BoxFuture<'_, Calendar> {
        Box::pin(async move {
            let now = self.clock.now();
            Calendar {
                now,
                next_reminder: self.next_reminder().await,
                third_business_day: self.third_business_day(now),
            }
        })
    }
}
