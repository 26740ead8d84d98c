//! What an admin answers, each checked by itself, so that a mistake is told where it is made.

use crate::config::{PublicUrl, is_corp_id};

/// Everything that is asked.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The `{app}` of the callback path.
    pub name: String,
    /// 企业ID.
    pub corp_id: String,
    /// AgentId.
    pub agent_id: u32,
    /// Where WeCom reaches the server.
    pub public_url: PublicUrl,
    /// The app's Secret, if there is one already.
    pub secret: Option<String>,
    /// Whether 微信客服 is to be served as well.
    pub kf: bool,
    /// Where the server listens.
    pub listen: String,
    /// Where the admin console listens, if it is not where it does anyway.
    pub console_listen: Option<String>,
}

/// What is wrong with an answer: the name of the sentence that says it.
pub type Wrong = &'static str;

/// 企业ID: WeCom's begin with `ww` or, from its early days, `wx` (doc/90665).
///
/// # Errors
///
/// When it is none.
pub fn corp_id(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    let begins = |start: &str| {
        text.get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    match text {
        _ if !is_corp_id(text) => Err("corp_id_form"),
        _ if begins("ww") || begins("wx") => Ok(text.to_owned()),
        _ => Err("corp_id_start"),
    }
}

/// AgentId: a number.
///
/// # Errors
///
/// When it is none.
pub fn agent_id(text: &str) -> Result<u32, Wrong> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or("agent_id_form")
}

/// Where WeCom reaches the server; whoever leaves out the scheme means https, and whoever copies the whole callback address means its start.
///
/// # Errors
///
/// When it is no address of the web.
pub fn public_url(text: &str) -> Result<PublicUrl, Wrong> {
    let text = text.trim();
    let start = text.split_once("/callback").map_or(text, |(start, _)| start);
    let with_scheme = match start.contains("://") {
        true => start.to_owned(),
        false => format!("https://{start}"),
    };
    PublicUrl::parse(&with_scheme).map_err(|_| "public_url_form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corp_id_is_told_from_a_secret_and_from_an_agent_id() {
        assert_eq!(corp_id(" ww0123456789abcdef ").unwrap(), "ww0123456789abcdef");
        assert_eq!(corp_id("wx5823bf96d3bd56c7").unwrap(), "wx5823bf96d3bd56c7");
        assert_eq!(corp_id("1000002"), Err("corp_id_start"));
        assert_eq!(corp_id("解封公司"), Err("corp_id_form"));
        assert_eq!(corp_id(""), Err("corp_id_form"));
    }

    #[test]
    fn an_agent_id_is_a_number() {
        assert_eq!(agent_id(" 1000002\n"), Ok(1_000_002));
        for wrong in ["", "0", "-1", "ww0123456789abcdef", "99999999999"] {
            assert_eq!(agent_id(wrong), Err("agent_id_form"), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_taken_as_it_is_meant() {
        for (text, meant) in [
            ("bot.example.com", "https://bot.example.com"),
            ("https://bot.example.com/", "https://bot.example.com"),
            ("https://bot.example.com/callback/support", "https://bot.example.com"),
            ("http://bot.example.com:8080", "http://bot.example.com:8080"),
            ("https://example.com/bot/", "https://example.com/bot"),
        ] {
            assert_eq!(
                public_url(text).map(|url| url.to_string()).as_deref(),
                Ok(meant),
                "{text}"
            );
        }
        for wrong in [
            "",
            "ftp://bot.example.com",
            "https://",
            "https://me:secret@bot.example.com",
            "https://a.cn/?b=c",
        ] {
            assert_eq!(public_url(wrong), Err("public_url_form"), "{wrong}");
        }
    }
}
