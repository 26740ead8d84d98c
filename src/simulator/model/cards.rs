//! Interactive cards: what they may hold, who has them, how a press is reported and how one is updated (doc/90236, doc/94888).

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::fields::{at_most, list, optional_text, text};
use super::identifiers::Identifiers;
use super::menu::is_task_id;
use super::refusal::{Impossible, Refusal, impossible, refuse};

/// How long a `response_code` is good for (doc/94888).
const CODE_VALIDITY: SignedDuration = SignedDuration::from_hours(72);

/// The one kind that the simulator shows.
const SIMULATED_KIND: &str = "button_interaction";

/// The cards of the app.
#[derive(Debug, Default)]
pub(crate) struct Cards {
    cards: BTreeMap<String, Card>,
    codes: HashMap<String, Code>,
}

/// A card, as it looks on the phone of each member who got it.
#[derive(Debug)]
struct Card {
    shown: BTreeMap<String, Shown>,
}

#[derive(Clone, Debug)]
struct Shown {
    card: Value,
    is_disabled: bool,
}

#[derive(Debug)]
struct Code {
    task_id: String,
    issued: Timestamp,
    is_used: bool,
}

/// What the platform reports of a press.
#[derive(Clone, Debug)]
pub(crate) struct Pressed {
    pub(crate) card_type: String,
    pub(crate) response_code: String,
}

/// What an update changes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The buttons give way to these words.
    Button(String),
    /// Another card in its place.
    Whole(Value),
}

impl Change {
    /// Reads `button.replace_name` or `template_card`.
    pub(crate) fn parse(body: &Value) -> Result<Self, Refusal> {
        match (body.get("button"), body.get("template_card")) {
            (_, Some(card)) => {
                check_content(card)?;
                Ok(Self::Whole(card.clone()))
            }
            (Some(button), None) => Ok(Self::Button(text(button, "replace_name")?.to_owned())),
            (None, None) => refuse(40058, "missing parameter: button or template_card"),
        }
    }
}

impl Cards {
    /// A new card on its way to these members. A task id is used once (doc/90236).
    pub(crate) fn send(
        &mut self,
        ids: &mut Identifiers,
        card: &Value,
        members: &[String],
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let task_id = text(card, "task_id")?.to_owned();
        if self.cards.contains_key(&task_id) {
            return refuse(42014, "invalid task_id: it was used before");
        }
        let shown = Shown {
            card: card.clone(),
            is_disabled: false,
        };
        let shown = members.iter().map(|member| (member.clone(), shown.clone())).collect();
        self.cards.insert(task_id.clone(), Card { shown });
        Ok(self.issue(ids, &task_id, now))
    }

    /// A member presses a button of a card on the phone.
    pub(crate) fn press(
        &mut self,
        ids: &mut Identifiers,
        member: &str,
        task_id: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Pressed, Impossible> {
        let shown = self.cards.get(task_id).and_then(|card| card.shown.get(member));
        let Some(shown) = shown else {
            return impossible(format!("`{member}` has no card `{task_id}`"));
        };
        let is_it = |button: &Value| button.get("key").and_then(Value::as_str) == Some(key);
        let buttons = shown.card.get("button_list").and_then(Value::as_array);
        if shown.is_disabled || !buttons.is_some_and(|buttons| buttons.iter().any(is_it)) {
            return impossible(format!("the card `{task_id}` has no button `{key}` to press"));
        }
        let card_type = shown.card.get("card_type").and_then(Value::as_str);
        let card_type = card_type.unwrap_or(SIMULATED_KIND).to_owned();
        let response_code = self.issue(ids, task_id, now);
        Ok(Pressed {
            card_type,
            response_code,
        })
    }

    /// Takes a code in: it works once, for 72 hours (doc/94888). The card that it is for.
    pub(crate) fn redeem(&mut self, code: &str, now: Timestamp) -> Result<String, Refusal> {
        let known = self.codes.get_mut(code).filter(|code| !code.is_used);
        match known.filter(|code| now.duration_since(code.issued) < CODE_VALIDITY) {
            Some(code) => {
                code.is_used = true;
                Ok(code.task_id.clone())
            }
            None => refuse(60140, "invalid response_code"),
        }
    }

    /// Who has a card.
    pub(crate) fn holders(&self, task_id: &str) -> Vec<String> {
        let card = self.cards.get(task_id);
        card.map(|card| card.shown.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Changes a card on the phone of one member; the card as it looks now.
    pub(crate) fn change(&mut self, task_id: &str, member: &str, change: &Change) -> Option<Value> {
        let shown = self.cards.get_mut(task_id)?.shown.get_mut(member)?;
        match change {
            Change::Button(words) => {
                shown.is_disabled = true;
                shown
                    .card
                    .as_object_mut()?
                    .insert("replace_text".to_owned(), Value::from(words.as_str()));
            }
            Change::Whole(card) => {
                shown.is_disabled = card.get("replace_text").is_some_and(Value::is_string);
                shown.card = card.clone();
            }
        }
        Some(shown.card.clone())
    }

    fn issue(&mut self, ids: &mut Identifiers, task_id: &str, now: Timestamp) -> String {
        let code = ids.opaque("response-");
        let issued = Code {
            task_id: task_id.to_owned(),
            issued: now,
            is_used: false,
        };
        self.codes.insert(code.clone(), issued);
        code
    }
}

/// Checks a card that is sent (doc/90236, the numbers in doc/90313).
pub(crate) fn check_card(card: &Value) -> Result<(), Refusal> {
    check_content(card)?;
    match is_task_id(optional_text(card, "task_id")?.unwrap_or_default()) {
        true => Ok(()),
        false => refuse(42014, "invalid task_id"),
    }
}

fn check_content(card: &Value) -> Result<(), Refusal> {
    match optional_text(card, "card_type")?.unwrap_or_default() {
        SIMULATED_KIND => {}
        "text_notice" | "news_notice" | "vote_interaction" | "multiple_interaction" => {
            return refuse(42031, "this card_type is not simulated");
        }
        _ => return refuse(42031, "invalid card_type"),
    }
    let title = card.get("main_title").and_then(|title| title.get("title"));
    if title.and_then(Value::as_str).unwrap_or_default().is_empty() {
        return refuse(41016, "missing title: main_title");
    }
    check_buttons(list(card, "button_list")?)?;
    check_lines(list(card, "horizontal_content_list")?)?;
    check_selection(card.get("button_selection"))
}

fn check_buttons(buttons: &[Value]) -> Result<(), Refusal> {
    if !(1..=6).contains(&buttons.len()) {
        return refuse(40058, "button_list has 1 to 6 buttons");
    }
    let mut keys = Vec::new();
    for button in buttons {
        if optional_text(button, "text")?.unwrap_or_default().is_empty() {
            return refuse(42038, "missing button text");
        }
        let key = match button.get("type").and_then(Value::as_i64).unwrap_or(0) {
            0 => optional_text(button, "key")?.unwrap_or_default(),
            _ => continue,
        };
        if key.is_empty() {
            return refuse(42039, "missing button key");
        }
        at_most(key, 1024, 42018, "button key")?;
        if keys.contains(&key) {
            return refuse(42018, format!("invalid button key: `{key}` twice"));
        }
        keys.push(key);
    }
    Ok(())
}

fn check_lines(lines: &[Value]) -> Result<(), Refusal> {
    if lines.len() > 6 {
        return refuse(42035, "horizontal_content_list has more than 6 entries");
    }
    for line in lines {
        if optional_text(line, "keyname")?.unwrap_or_default().is_empty() {
            return refuse(42027, "missing horizontal_content_list.keyname");
        }
    }
    Ok(())
}

fn check_selection(selection: Option<&Value>) -> Result<(), Refusal> {
    let Some(selection) = selection else {
        return Ok(());
    };
    if optional_text(selection, "question_key")?.unwrap_or_default().is_empty() {
        return refuse(42043, "missing question_key");
    }
    match list(selection, "option_list")?.len() {
        1..=10 => Ok(()),
        _ => refuse(42037, "invalid option_list length"),
    }
}

/// Every word on a card, a line each.
pub(crate) fn words_of(card: &Value) -> String {
    let mut lines = Vec::new();
    let mut add = |value: Option<&Value>| {
        let text = value.and_then(Value::as_str).unwrap_or_default();
        if !text.is_empty() {
            lines.push(text.to_owned());
        }
    };
    let title = card.get("main_title");
    add(title.and_then(|title| title.get("title")));
    add(title.and_then(|title| title.get("desc")));
    add(card.get("sub_title_text"));
    for line in card
        .get("horizontal_content_list")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let part = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        add(Some(&Value::from(format!("{} {}", part("keyname"), part("value")))));
    }
    match card.get("replace_text") {
        Some(words) => add(Some(words)),
        None => {
            let buttons = card.get("button_list").and_then(Value::as_array);
            buttons.into_iter().flatten().for_each(|button| add(button.get("text")));
        }
    }
    lines.join("\n")
}
