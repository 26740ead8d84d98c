//! A reverse proxy that can be made to misbehave.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as the proxy got it.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: String,
    /// How many came before it.
    pub(super) number: u32,
    pub(super) behind: SocketAddr,
}

/// A response on its way back.
#[derive(Clone)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) location: String,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type: content_type.to_owned(),
            location: String::new(),
            body: body.into(),
        }
    }

    pub(super) fn redirect(location: impl Into<String>) -> Self {
        Self {
            location: location.into(),
            ..Self::new(302, "text/html", "<html>moved</html>")
        }
    }

    /// As it goes over the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (status, kind, location, length) = (self.status, &self.content_type, &self.location, self.body.len());
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nLocation: {location}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        [head.as_bytes(), &self.body].concat()
    }
}

impl Request {
    /// Reads a request; `None` when there is none.
    pub(super) fn read(stream: &mut impl Read, number: u32, behind: SocketAddr) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        let (head, body) = loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_lowercase();
                let length = length
                    .split("content-length: ")
                    .nth(1)
                    .and_then(|rest| rest.lines().next()?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    break (head.to_owned(), body.to_owned());
                }
            }
            match stream.read(&mut part) {
                Ok(count) if count > 0 => bytes.extend_from_slice(&part[..count]),
                _ => return None,
            }
        };
        let mut words = head.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Some(Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            body,
            number,
            behind,
        })
    }

    /// Passes it on with this path, query and body.
    pub(super) fn pass_with(&self, path: &str, query: &str, body: &str) -> Response {
        let mut stream = TcpStream::connect(self.behind).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (method, length) = (&self.method, body.len());
        let mark = if query.is_empty() { "" } else { "?" };
        let request = format!(
            "{method} {path}{mark}{query} HTTP/1.1\r\nHost: bot.example.com\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let kind = head.to_lowercase();
        let kind = kind
            .split("content-type: ")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .unwrap_or_default();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(400);
        Response::new(status, kind, body)
    }

    pub(super) fn pass(&self) -> Response {
        self.pass_with(&self.path, &self.query, &self.body)
    }
}

/// Passes everything on as it is.
pub(super) fn forwarded(request: &Request) -> Response {
    request.pass()
}

/// A proxy that runs as long as the tests do.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    behind: Arc<Mutex<SocketAddr>>,
}

impl Proxy {
    /// Starts one that does this with every request.
    pub(super) fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let behind = Arc::new(Mutex::new(address));
        let (answer, count, kept) = (Arc::new(answer), AtomicU32::new(0), Arc::clone(&behind));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, behind) = (Arc::clone(&answer), *kept.lock().unwrap());
                let number = count.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || serve(stream, number, behind, &*answer));
            }
        });
        Self { address, behind }
    }

    /// Says what it stands before.
    pub(super) fn set_behind(&self, behind: SocketAddr) {
        *self.behind.lock().unwrap() = behind;
    }
}

fn serve(mut stream: TcpStream, number: u32, behind: SocketAddr, answer: &dyn Fn(&Request) -> Response) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    if let Some(request) = Request::read(&mut stream, number, behind) {
        let _ = stream.write_all(&answer(&request).bytes());
    }
}

/// Asks an address for something.
pub(super) fn get(address: SocketAddr, target: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: bot.example.com\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
