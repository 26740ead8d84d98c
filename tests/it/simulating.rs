//! `jiefeng simulate`: the platform alone, from outside.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::program::jiefeng;

const CORP_ID: &str = "ww0123456789abcdef";

/// A simulator with what it printed until it was ready.
struct Simulator {
    process: Child,
    printed: String,
    _folder: TempDir,
}

impl Simulator {
    fn start(app_keys: &str, arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("jiefeng.toml");
        let text = format!(
            "[[apps]]\nname = \"support\"\ncorp_id = \"{CORP_ID}\"\nagent_id = 1000002\ntoken = \"CanaryToken7Q\"\n\
             encoding_aes_key = \"CanaryKeyabcdefghijklmnopqrstuvwxyz01234567\"\n{app_keys}"
        );
        std::fs::write(&config, text).unwrap();
        let usual = [
            "simulate",
            "--config",
            config.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
        ];
        let mut command = jiefeng(&[&usual, arguments].concat());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = String::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            printed.push_str(&format!("{}\n", line.unwrap()));
            if printed.contains("Ctrl-C") {
                break;
            }
        }
        Self {
            process,
            printed,
            _folder: folder,
        }
    }

    /// The word after these in what was printed.
    fn printed_after(&self, words: &str) -> &str {
        let rest = self.printed.split(words).nth(1).expect(&self.printed);
        rest.split([' ', ',', '\n']).find(|word| !word.is_empty()).unwrap()
    }

    fn exchange(&self, request: &str) -> String {
        let address = self.printed_after("api_base: http://");
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(format!("{request}\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get_token(&self, secret: &str) -> String {
        self.exchange(&format!(
            "GET /cgi-bin/gettoken?corpid={CORP_ID}&corpsecret={secret} HTTP/1.1"
        ))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn simulate_answers_the_api_at_the_address_that_it_prints() {
    let simulator = Simulator::start("secret = \"OfTheApp\"\n", &["--kf"]);
    let open_kfid = simulator.printed_after("(open_kfid): ");
    assert!(open_kfid.starts_with("wk"), "{}", simulator.printed);
    let answer = simulator.get_token("OfTheApp");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"expires_in\":7200"),
        "{answer}"
    );
    let token = answer
        .split("\"access_token\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let servicers = format!("GET /cgi-bin/kf/servicer/list?access_token={token}&open_kfid={open_kfid} HTTP/1.1");
    let answer = simulator.exchange(&servicers);
    assert!(answer.contains("\"userid\":\"zhangsan\""), "{answer}");
    assert!(simulator.get_token("wrong").contains("\"errcode\":40001"));
}

#[test]
fn without_a_secret_nobody_gets_a_token() {
    let simulator = Simulator::start("", &[]);
    assert!(simulator.printed.contains("40001"), "{}", simulator.printed);
    assert!(simulator.get_token("any").contains("\"errcode\":40001"));
    assert!(!simulator.printed.contains("open_kfid"), "{}", simulator.printed);
}
