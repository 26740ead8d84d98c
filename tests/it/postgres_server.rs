//! A PostgreSQL server of the tests' own: made in a temporary folder, with a socket in there instead of a port that somebody else could have,
//! and gone when the test process ends, however it ends.
//!
//! Also used by the tests of the store and by benchmarks.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// The longest that a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts and stops the server as it is told, and removes everything when nobody can tell it any more. It has a process group of its own,
/// so that whatever ends the tests does not end it first.
const KEEPER: &str = r#"
trap '' INT TERM HUP
start() { "$1/postgres" -D "$2/data" >>"$2/log" 2>&1 & server=$!; }
start "$1" "$2"
while read -r order; do
  case $order in
    stop) kill -INT $server; wait $server ;;
    crash) kill -QUIT $server; wait $server ;;
    start) start "$1" "$2" ;;
  esac
  echo done
done
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$2"
"#;

/// Part of the socket's name; a port only where a test has the server listen at an address. No client is given one so high by chance.
pub(crate) const PORT: u16 = 61_432;

/// Of the only user.
pub(crate) const PASSWORD: &str = "canary-password-of-the-tests";

/// A server and whoever keeps it.
pub(crate) struct PostgresServer {
    folder: PathBuf,
    keeper: Mutex<Keeper>,
    databases: AtomicU32,
}

struct Keeper {
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    child: Child,
}

impl PostgresServer {
    /// The one that the tests of a process share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One of its own, for a test that stops it.
    pub(crate) fn start() -> Self {
        let programs = programs();
        let user = User::of_server();
        let folder = tempfile::Builder::new()
            .prefix("jiefeng-postgres-")
            .tempdir()
            .unwrap()
            .keep();
        user.own(&folder);
        let password = folder.join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        user.own(&password);
        let mut initdb = user.command(&programs.join("initdb"));
        initdb
            .args([
                "--username=jiefeng",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--pwfile",
            ])
            .arg(&password)
            .arg("-D")
            .arg(folder.join("data"));
        let made = initdb.stdin(Stdio::null()).output().unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        // Whatever ends it here leaves the machine running, and with it what was written.
        let durability = "fsync = off\n";
        let log = "log_min_messages = fatal\nlog_min_error_statement = panic\n";
        let settings = format!(
            "listen_addresses = ''\nport = {PORT}\nunix_socket_directories = '{}'\nmax_connections = 200\nshared_buffers = 64MB\n\
             {durability}{log}",
            folder.display()
        );
        let config = folder.join("data/postgresql.conf");
        let with_settings = std::fs::read_to_string(&config).unwrap() + &settings;
        std::fs::write(&config, with_settings).unwrap();
        let mut keeper = user.command(Path::new("/bin/sh"));
        keeper.args(["-c", KEEPER, "keeper"]).arg(&programs).arg(&folder);
        std::os::unix::process::CommandExt::process_group(&mut keeper, 0);
        let mut child = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let keeper = Keeper {
            orders: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        let server = Self {
            folder,
            keeper: Mutex::new(keeper),
            databases: AtomicU32::new(0),
        };
        server.wait_until_it_answers();
        server
    }

    /// The address of a database that exists.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.folder.to_str().unwrap().replace('/', "%2F");
        format!("postgres://jiefeng:{PASSWORD}@{socket}:{PORT}/{database}")
    }

    /// The address of a new, empty database.
    pub(crate) fn new_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Runs a statement in a database.
    pub(crate) fn execute(&self, database: &str, sql: &str) {
        execute(&self.url(database), sql).unwrap();
    }

    /// Stops it as an admin would: what is under way is broken off, and nothing that was committed is lost.
    pub(crate) fn stop(&self) {
        self.order("stop");
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn crash(&self) {
        self.order("crash");
    }

    /// A folder that the server can read.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts it anew with these settings too; what they name in its folder is the server's from then on.
    pub(crate) fn restart_with(&self, settings: &str) {
        for file in std::fs::read_dir(&self.folder).unwrap() {
            User::of_server().own(&file.unwrap().path());
        }
        let config = self.folder.join("data/postgresql.conf");
        let with_settings = std::fs::read_to_string(&config).unwrap() + settings;
        std::fs::write(&config, with_settings).unwrap();
        self.stop();
        self.start_again();
    }

    /// Starts it again after it was stopped.
    pub(crate) fn start_again(&self) {
        self.order("start");
        self.wait_until_it_answers();
    }

    fn order(&self, order: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        let orders = keeper.orders.as_mut().unwrap();
        writeln!(orders, "{order}").unwrap();
        orders.flush().unwrap();
        let mut answer = String::new();
        keeper.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "done");
    }

    fn wait_until_it_answers(&self) {
        let end = Instant::now() + PATIENCE;
        while let Err(error) = execute(&self.url("postgres"), "SELECT 1") {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "PostgreSQL does not answer: {error}\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let mut keeper = self.keeper.lock().unwrap();
        // Without orders to read the keeper cleans up.
        keeper.orders.take();
        let _ = keeper.child.wait();
    }
}

/// Runs a statement on a connection of its own.
pub(crate) fn execute(url: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (url, sql) = (url.to_owned(), sql.to_owned());
    let running = std::thread::spawn(move || {
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
            let carrying = tokio::spawn(connection);
            let done = client.batch_execute(&sql).await;
            carrying.abort();
            done
        })
    });
    running.join().unwrap()
}

/// Where PostgreSQL's programs are: in the path, or where Debian puts them.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).filter_map(|folder| std::fs::canonicalize(folder.join("initdb")).ok());
    let mut folders = in_path.filter_map(|initdb| Some(initdb.parent()?.to_owned()));
    // What is in the path may be one program of many, linked or wrapped.
    if let Some(folder) = folders.find(|folder| folder.join("postgres").exists()) {
        return folder;
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let newest = folders.filter(|folder| folder.join("initdb").exists()).max();
    newest.expect("PostgreSQL's programs are not there; install Debian's postgresql, or start with tests/run")
}

/// Who runs the server: PostgreSQL refuses to be run by root.
struct User(Option<(u32, u32)>);

impl User {
    fn of_server() -> Self {
        let mine = std::fs::metadata("/proc/self").map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata));
        if mine.unwrap_or(1) != 0 {
            return Self(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        let id_of = |name: &str| {
            let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        Self(Some(id_of("postgres").or_else(|| id_of("nobody")).unwrap()))
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.0 {
            std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.0 {
            std::os::unix::process::CommandExt::uid(&mut command, user);
            std::os::unix::process::CommandExt::gid(&mut command, group);
        }
        // The folder that the tests run in may be closed to that user.
        command.current_dir("/");
        command
    }
}
