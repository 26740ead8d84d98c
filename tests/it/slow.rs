//! Connections that take their time, in every way that a server has to put up with.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What is sent at once, and what is then sent again and again.
const KINDS: [(&str, &str, &str); 8] = [
    ("nothing", "", ""),
    ("a head", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", "x"),
    (
        "a body",
        "POST /callback/support?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
        "x",
    ),
    (
        "no body",
        "POST /callback/support?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
        "",
    ),
    (
        "chunks",
        "POST /callback/support?a=b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "1\r\nx\r\n",
    ),
    (
        "chunks that nobody reads",
        "POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "1\r\nx\r\n",
    ),
    (
        "no chunks, and nobody reads",
        "POST /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
        "",
    ),
    ("a second head", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "G"),
];

/// A slow connection.
pub(crate) struct Slow {
    kind: &'static str,
    stream: TcpStream,
    again: &'static str,
    opened: Instant,
    closed: Option<Duration>,
}

impl Slow {
    /// Opens so many, of all kinds in turn.
    pub(crate) fn open(address: SocketAddr, count: usize) -> Vec<Self> {
        let open = |(kind, first, again): &(&'static str, &str, &'static str)| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(first.as_bytes()).unwrap();
            stream.set_nonblocking(true).unwrap();
            Self {
                kind,
                stream,
                again,
                opened: Instant::now(),
                closed: None,
            }
        };
        KINDS.iter().cycle().take(count).map(open).collect()
    }

    /// Sends a little more and looks whether the server has closed.
    fn go_on(&mut self) {
        if self.closed.is_none() && (self.is_ended() || self.stream.write_all(self.again.as_bytes()).is_err()) {
            self.closed = Some(self.opened.elapsed());
        }
    }

    fn is_ended(&mut self) -> bool {
        let mut some = [0; 512];
        loop {
            match self.stream.read(&mut some) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
    }
}

/// Dribbles until the server has closed every connection, and gives the longest time that one lasted. Kinds that last longer than
/// `patience` are told.
pub(crate) fn outlast(connections: &mut [Slow], patience: Duration) -> Result<Duration, Vec<&'static str>> {
    let started = Instant::now();
    while started.elapsed() < patience {
        connections.iter_mut().for_each(Slow::go_on);
        let lasted: Option<Vec<Duration>> = connections.iter().map(|connection| connection.closed).collect();
        if let Some(lasted) = lasted {
            return Ok(lasted.into_iter().max().unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let open = connections.iter().filter(|connection| connection.closed.is_none());
    Err(open.map(|connection| connection.kind).collect())
}
