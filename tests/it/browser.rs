//! As much of a browser as the admin console's pages need: cookies, redirects that are looked at, and forms.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What came back.
pub(crate) struct Page {
    pub(crate) status: u16,
    /// As they were sent, names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> &str {
        self.header("location").unwrap_or_default()
    }

    /// What stands between two texts.
    pub(crate) fn between(&self, before: &str, after: &str) -> &str {
        let (_, rest) = self
            .body
            .split_once(before)
            .unwrap_or_else(|| panic!("no `{before}` in\n{}", self.body));
        rest.split_once(after).unwrap().0
    }

    /// The token of the page's forms.
    pub(crate) fn form_token(&self) -> String {
        self.between("name=\"form_token\" value=\"", "\"").to_owned()
    }
}

/// Somebody's browser.
#[derive(Clone)]
pub(crate) struct Browser {
    address: SocketAddr,
    pub(crate) cookies: BTreeMap<String, String>,
    /// In which the site of a form is told.
    pub(crate) fetch_site: &'static str,
}

impl Browser {
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self {
            address,
            cookies: BTreeMap::new(),
            fetch_site: "same-origin",
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> Page {
        self.send("GET", path, "", None)
    }

    pub(crate) fn get_with(&mut self, path: &str, headers: &str) -> Page {
        self.send("GET", path, headers, None)
    }

    /// Sends a form as it is.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        self.send("POST", path, "", Some(&fields.join("&")))
    }

    /// Sends a form of the account page's session.
    pub(crate) fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.get("/console/account").form_token();
        let fields = [&[("form_token", token.as_str())], fields].concat();
        self.post(path, &fields)
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, form: Option<&str>) -> Page {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept-Language: zh-CN\r\nSec-Fetch-Site: {}\r\n\
             Origin: http://{}\r\nCookie: {}\r\n{headers}",
            self.address,
            self.fetch_site,
            self.address,
            cookies.join("; ")
        );
        let form = form.unwrap_or_default();
        if method == "POST" {
            let length = form.len();
            request.push_str(&format!(
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"
            ));
        }
        let mut stream = TcpStream::connect(self.address).unwrap();
        // Publishing trains a matcher, on a machine that may be busy.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(format!("{request}\r\n{form}").as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let page = parse(&bytes);
        self.keep_cookies(&page);
        page
    }

    fn keep_cookies(&mut self, page: &Page) {
        for (_, value) in page.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = value.split_once(';').unwrap();
            let (name, content) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), content.to_owned()),
            };
        }
    }
}

fn parse(bytes: &[u8]) -> Page {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = &bytes[end + 4..];
    let body = if is_chunked { unchunked(body) } else { body.to_vec() };
    Page {
        status,
        headers,
        body: String::from_utf8(body).unwrap(),
    }
}

fn unchunked(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunked.windows(2).position(|window| window == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&chunked[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunked[end + 2..end + 2 + size]);
        chunked = &chunked[end + 2 + size + 2..];
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
