//! What is sent to customers through `kf/send_msg` and `kf/send_msg_on_event`, and its limits (doc/94677, doc/95122).

use serde_json::Value;

use super::fields::{at_most, has_only, list, object, optional_text, text};
use super::refusal::{Refusal, refuse};

/// A message as the customer will see it.
#[derive(Clone, Debug)]
pub(crate) struct CustomerMessage {
    /// The sender's own id; `None` when the platform is to make one.
    pub(crate) msgid: Option<String>,
    pub(crate) kind: String,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl CustomerMessage {
    /// Checks everything that does not depend on the conversation.
    pub(crate) fn parse(request: &Value) -> Result<Self, Refusal> {
        let msgid = own_id(request)?;
        let kind = text(request, "msgtype")?;
        let words = match kind {
            "text" => words_of_text(object(request, kind)?)?,
            "msgmenu" => words_of_menu(object(request, kind)?)?,
            "image" | "voice" | "video" | "file" => named(object(request, kind)?, &["media_id"], 40007)?,
            "link" => words_of_link(object(request, kind)?)?,
            "miniprogram" => named(object(request, kind)?, &["appid", "thumb_media_id", "pagepath"], 40058)?,
            "business_card" => named(object(request, kind)?, &["userid"], 40058)?,
            "ca_link" => named(object(request, kind)?, &["link_url"], 40058)?,
            "location" => words_of_place(object(request, kind)?)?,
            _ => return refuse(40008, format!("invalid message type `{kind}`")),
        };
        Ok(Self {
            msgid,
            kind: kind.to_owned(),
            text: words,
            body: object(request, kind)?.clone(),
        })
    }
}

/// At most 32 bytes of letters, digits, `_` and `-`; an empty one is an error, not a missing one (doc/94677).
fn own_id(request: &Value) -> Result<Option<String>, Refusal> {
    match optional_text(request, "msgid")? {
        None => Ok(None),
        Some(id) if (1..=32).contains(&id.len()) && has_only(id, "_-") => Ok(Some(id.to_owned())),
        Some(_) => refuse(40058, "invalid msgid: 1 to 32 bytes of [0-9a-zA-Z_-]"),
    }
}

fn words_of_text(body: &Value) -> Result<String, Refusal> {
    let content = optional_text(body, "content")?.unwrap_or_default();
    if content.trim().is_empty() {
        return refuse(44004, "text content is empty");
    }
    at_most(content, 2048, 45002, "text.content")?;
    Ok(content.to_owned())
}

/// The named fields must be there; the last one is what is shown.
fn named(body: &Value, names: &[&str], errcode: i64) -> Result<String, Refusal> {
    let mut shown = "";
    for name in names {
        shown = optional_text(body, name)?.unwrap_or_default();
        if shown.is_empty() {
            return refuse(errcode, format!("missing parameter: {name}"));
        }
    }
    Ok(shown.to_owned())
}

fn words_of_link(body: &Value) -> Result<String, Refusal> {
    named(body, &["thumb_media_id"], 40058)?;
    let url = text(body, "url")?;
    at_most(url, 2048, 40058, "link.url")?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return refuse(40058, "link.url starts with http:// or https://");
    }
    Ok(format!("{}\n{url}", text(body, "title")?))
}

fn words_of_place(body: &Value) -> Result<String, Refusal> {
    for (name, most) in [("latitude", 90.0), ("longitude", 180.0)] {
        let is_inside = |degrees: f64| (-most..=most).contains(&degrees);
        if !body.get(name).and_then(Value::as_f64).is_some_and(is_inside) {
            return refuse(40058, format!("invalid parameter: location.{name}"));
        }
    }
    let name = optional_text(body, "name")?.unwrap_or_default();
    Ok(format!(
        "{name}\n{}",
        optional_text(body, "address")?.unwrap_or_default()
    ))
}

fn words_of_menu(body: &Value) -> Result<String, Refusal> {
    let head = optional_text(body, "head_content")?.unwrap_or_default();
    let tail = optional_text(body, "tail_content")?.unwrap_or_default();
    at_most(head, 1024, 40058, "msgmenu.head_content")?;
    at_most(tail, 1024, 40058, "msgmenu.tail_content")?;
    let items = list(body, "list")?;
    if items.len() > 10 {
        return refuse(95008, "a menu has at most 10 items");
    }
    let mut lines = vec![head.to_owned()];
    for item in items {
        lines.push(words_of_item(item)?);
    }
    lines.push(tail.to_owned());
    lines.retain(|line| !line.is_empty());
    match lines.is_empty() {
        true => refuse(40063, "empty parameter: msgmenu"),
        false => Ok(lines.join("\n")),
    }
}

/// The limits of the item kinds (doc/94677).
fn words_of_item(item: &Value) -> Result<String, Refusal> {
    let kind = optional_text(item, "type")?.unwrap_or_default();
    let body = || object(item, kind);
    let sized = |name: &str, sizes: std::ops::RangeInclusive<usize>| {
        let value = optional_text(body()?, name)?.unwrap_or_default();
        match sizes.contains(&value.len()) {
            true => Ok(value.to_owned()),
            false => refuse(40058, format!("msgmenu {kind}.{name} has {} bytes", value.len())),
        }
    };
    match kind {
        "click" => {
            if body()?.get("id").is_some() {
                sized("id", 1..=128)?;
            }
            sized("content", 1..=128)
        }
        "view" => {
            sized("url", 1..=2048)?;
            sized("content", 1..=1024)
        }
        "miniprogram" => {
            sized("appid", 1..=32)?;
            sized("pagepath", 1..=1024)?;
            sized("content", 0..=1024)
        }
        "text" => sized("content", 1..=256),
        _ => refuse(95009, format!("invalid menu item type `{kind}`")),
    }
}

/// The `click` item of a menu with this id or, else, this caption: its id, if it has one, and its caption.
pub(crate) fn click_item<'a>(menu: &'a Value, wanted: &str) -> Option<(Option<&'a str>, &'a str)> {
    let items = menu.get("list")?.as_array()?.iter();
    let clicks: Vec<&Value> = items.filter_map(|item| item.get("click")).collect();
    let with = |name: &str| {
        let is_it = |click: &&&Value| click.get(name).and_then(Value::as_str) == Some(wanted);
        clicks.iter().find(is_it).copied()
    };
    let click = with("id").or_else(|| with("content"))?;
    Some((click.get("id").and_then(Value::as_str), click.get("content")?.as_str()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::refusal::tests::errcode;
    use super::*;

    #[track_caller]
    fn check(request: Value, expected: i64) {
        assert_eq!(errcode(CustomerMessage::parse(&request)), expected, "{request}");
    }

    fn menu(items: Vec<Value>) -> Value {
        json!({"msgtype": "msgmenu", "msgmenu": {"head_content": "选一个", "list": items}})
    }

    fn click(id: &str, content: &str) -> Value {
        json!({"type": "click", "click": {"id": id, "content": content}})
    }

    #[test]
    fn a_text_has_1_to_2048_bytes_doc_94677() {
        let text = |content: &str| json!({"msgtype": "text", "text": {"content": content}});
        check(text(&"a".repeat(2048)), 0);
        check(text(&"a".repeat(2049)), 45002);
        check(text(&"字".repeat(683)), 45002);
        check(text(" \n"), 44004);
        check(json!({"msgtype": "text"}), 40063);
        check(json!({"msgtype": "markdown", "markdown": {"content": "a"}}), 40008);
    }

    #[test]
    fn an_own_msgid_has_1_to_32_safe_bytes_doc_94677() {
        let with_id = |id: &str| json!({"msgid": id, "msgtype": "text", "text": {"content": "a"}});
        check(with_id(&"a".repeat(32)), 0);
        check(with_id(&"a".repeat(33)), 40058);
        check(with_id("a.b"), 40058);
        check(with_id(""), 40058);
    }

    #[test]
    fn a_menu_has_at_most_10_items_of_limited_length_doc_94677() {
        let items = |count: usize| (0..count).map(|number| click(&number.to_string(), "a")).collect();
        check(menu(items(10)), 0);
        check(menu(items(11)), 95008);
        check(menu(vec![click(&"i".repeat(128), &"c".repeat(128))]), 0);
        check(menu(vec![click(&"i".repeat(129), "c")]), 40058);
        check(menu(vec![click("", "c")]), 40058);
        check(menu(vec![click("i", &"c".repeat(129))]), 40058);
        check(menu(vec![click("i", "")]), 40058);
        check(
            menu(vec![json!({"type": "text", "text": {"content": "t".repeat(257)}})]),
            40058,
        );
        check(menu(vec![json!({"type": "dance", "dance": {}})]), 95009);
        check(
            json!({"msgtype": "msgmenu", "msgmenu": {"head_content": "h".repeat(1025)}}),
            40058,
        );
        check(json!({"msgtype": "msgmenu", "msgmenu": {}}), 40063);
    }

    #[test]
    fn all_words_of_a_menu_can_be_read_and_its_items_found() {
        let request = menu(vec![click("1", "是"), click("2", "否")]);
        let message = CustomerMessage::parse(&request).unwrap();
        assert_eq!(message.text, "选一个\n是\n否");
        assert_eq!(click_item(&message.body, "2"), Some((Some("2"), "否")));
        assert_eq!(click_item(&message.body, "是"), Some((Some("1"), "是")));
        assert_eq!(click_item(&message.body, "3"), None);
    }
}
