//! The menu of an app's conversation and its limits (doc/90231).

use serde_json::Value;

use super::fields::{at_most, has_only, list, optional_text};
use super::refusal::{Refusal, refuse};

/// Most buttons side by side, and most below one.
const MOST_BUTTONS: usize = 3;
const MOST_SUB_BUTTONS: usize = 5;

/// Kinds that report a key.
const KEYED: [&str; 6] = [
    "click",
    "scancode_push",
    "scancode_waitmsg",
    "pic_sysphoto",
    "pic_photo_or_album",
    "pic_weixin",
];

/// The numbers by which a fault is told on one of the two levels.
struct Level {
    longest_name: usize,
    name: i64,
    kind: i64,
    key: i64,
    url: i64,
}

const TOP: Level = Level {
    longest_name: 16,
    name: 40018,
    kind: 40017,
    key: 40019,
    url: 40020,
};

const SUB: Level = Level {
    longest_name: 40,
    name: 40025,
    kind: 40024,
    key: 40026,
    url: 40027,
};

/// A menu as it was checked.
#[derive(Clone, Debug)]
pub(crate) struct Menu(Vec<Value>);

impl Menu {
    /// Checks every limit of doc/90231.
    pub(crate) fn parse(body: &Value) -> Result<Self, Refusal> {
        let buttons = list(body, "button")?;
        if !(1..=MOST_BUTTONS).contains(&buttons.len()) {
            return refuse(40016, "invalid button size");
        }
        for button in buttons {
            check_top(button)?;
        }
        Ok(Self(buttons.to_vec()))
    }

    /// As `menu/get` tells it.
    pub(crate) fn buttons(&self) -> &[Value] {
        &self.0
    }

    /// The name of the `click` button with this key.
    pub(crate) fn click_button(&self, key: &str) -> Option<&str> {
        let below = |button: &Value| button.get("sub_button").and_then(Value::as_array).cloned();
        let is_it = |button: &Value| {
            button.get("type").and_then(Value::as_str) == Some("click")
                && button.get("key").and_then(Value::as_str) == Some(key)
        };
        let has_it = |button: &&Value| is_it(button) || below(button).is_some_and(|below| below.iter().any(is_it));
        let top = self.0.iter().find(has_it)?;
        let subs = top.get("sub_button").and_then(Value::as_array);
        let found = subs.and_then(|subs| subs.iter().find(|button| is_it(button)));
        found.unwrap_or(top).get("name").and_then(Value::as_str)
    }
}

fn check_top(button: &Value) -> Result<(), Refusal> {
    check_name(button, &TOP)?;
    let subs = list(button, "sub_button")?;
    if subs.is_empty() {
        return check_action(button, &TOP);
    }
    if subs.len() > MOST_SUB_BUTTONS {
        return refuse(40023, "invalid sub button size");
    }
    for sub in subs {
        if !list(sub, "sub_button")?.is_empty() {
            return refuse(40022, "invalid sub button level");
        }
        check_name(sub, &SUB)?;
        check_action(sub, &SUB)?;
    }
    Ok(())
}

fn check_name(button: &Value, level: &Level) -> Result<(), Refusal> {
    match optional_text(button, "name")?.unwrap_or_default() {
        "" => refuse(41102, "missing button name"),
        name => at_most(name, level.longest_name, level.name, "button name"),
    }
}

fn check_action(button: &Value, level: &Level) -> Result<(), Refusal> {
    let field = |name: &str| Ok::<_, Refusal>(optional_text(button, name)?.unwrap_or_default());
    let kind = field("type")?;
    let (value, longest, errcode) = match kind {
        "view" => (field("url")?, 1024, level.url),
        "view_miniprogram" => (field("pagepath")?, 1024, level.url),
        "location_select" => (field("key")?, 128, level.key),
        kind if KEYED.contains(&kind) => (field("key")?, 128, level.key),
        _ => return refuse(level.kind, format!("invalid button type `{kind}`")),
    };
    match value {
        "" => refuse(errcode, format!("a {kind} button has nothing to do")),
        value => at_most(value, longest, errcode, kind),
    }
}

/// A task id of a card, and any other id with these letters (doc/90236).
pub(super) fn is_task_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && has_only(text, "_-@")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::refusal::tests::errcode;
    use super::*;

    #[track_caller]
    fn check(button: Value, expected: i64) {
        assert_eq!(errcode(Menu::parse(&json!({"button": button}))), expected);
    }

    fn click(name: &str) -> Value {
        json!({"type": "click", "name": name, "key": "K"})
    }

    #[test]
    fn a_menu_has_three_buttons_of_five_each_one_level_deep_doc_90231() {
        check(json!([click("常见问题"), click("b"), click("c")]), 0);
        check(json!([]), 40016);
        check(json!([click("a"), click("b"), click("c"), click("d")]), 40016);
        let six: Vec<Value> = (0..6).map(|_| click("a")).collect();
        check(json!([{"name": "更多", "sub_button": six}]), 40023);
        check(
            json!([{"name": "更多", "sub_button": [{"name": "a", "sub_button": [click("b")]}]}]),
            40022,
        );
    }

    #[test]
    fn names_keys_and_addresses_have_lengths_doc_90231() {
        check(json!([click("一二三四五")]), 0);
        check(json!([click("一二三四五六")]), 40018);
        check(json!([{"name": "更多", "sub_button": [click(&"一".repeat(13))]}]), 0);
        check(
            json!([{"name": "更多", "sub_button": [click(&"一".repeat(14))]}]),
            40025,
        );
        check(json!([{"type": "click", "key": "K"}]), 41102);
        check(json!([{"type": "click", "name": "a", "key": "k".repeat(129)}]), 40019);
        check(json!([{"type": "view", "name": "a"}]), 40020);
        check(json!([{"type": "sing", "name": "a"}]), 40017);
    }

    #[test]
    fn a_click_finds_its_button_on_both_levels() {
        let menu = json!({"button": [click("a"), {"name": "更多", "sub_button": [{"type": "click", "name": "b", "key": "L"}]}]});
        let menu = Menu::parse(&menu).unwrap();
        assert_eq!(menu.click_button("K"), Some("a"));
        assert_eq!(menu.click_button("L"), Some("b"));
        assert_eq!(menu.click_button("M"), None);
    }
}
