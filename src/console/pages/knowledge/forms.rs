//! A scenario's answer in the form of each channel.

use jiff::Timestamp;
use serde_json::Value;

use crate::channels::{app, kf};
use crate::dialogue::{Circumstances, Composer, KnownSlots, LONGEST_TEXT, Reply};
use crate::knowledge::{Catalogue, Language, Scenario};
use crate::wecom::message::LONGEST_MENU_TEXT;

/// A message as it would be seen.
pub(super) struct ShownForm {
    /// A key of `words.toml`.
    pub(super) channel: &'static str,
    pub(super) text: String,
    /// What can be tapped below.
    pub(super) buttons: Vec<String>,
    pub(super) bytes: usize,
    pub(super) most: usize,
}

impl ShownForm {
    fn of(channel: &'static str, text: String, buttons: Vec<String>, most: usize) -> Self {
        let bytes = text.len();
        Self {
            channel,
            text,
            buttons,
            bytes,
            most,
        }
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.bytes > self.most
    }

    /// In hundredths of what may be, for a meter.
    pub(super) fn fullness(&self) -> usize {
        self.bytes
            .saturating_mul(100)
            .checked_div(self.most)
            .unwrap_or_default()
            .min(100)
    }
}

/// What is answered first, in one language: as a reply of the app, with its options on a card, and as messages of 微信客服.
pub(super) fn forms(catalogue: &Catalogue, scenario: &Scenario, language: Language, now: Timestamp) -> Vec<ShownForm> {
    let now = crate::console::format::CHINA.to_datetime(now);
    let composer = Composer {
        catalogue,
        language,
        now,
    };
    let reply = composer.answer(scenario, &KnownSlots::new(), &Circumstances::default());
    let mut forms = vec![ShownForm::of(
        "knowledge.form-app",
        composer.as_plain_text(&reply),
        Vec::new(),
        LONGEST_TEXT,
    )];
    forms.extend(card(&reply, &composer));
    forms.extend(
        kf::messages_of(&reply, &composer)
            .into_iter()
            .map(|message| match message {
                kf::Outgoing::Text(text) => ShownForm::of("knowledge.form-kf", text, Vec::new(), LONGEST_TEXT),
                kf::Outgoing::Menu {
                    head, entries, tail, ..
                } => {
                    let entries = (1..)
                        .zip(entries)
                        .map(|(number, entry)| format!("{number}. {}", entry.label));
                    let entries = entries.chain([tail]).collect();
                    ShownForm::of("knowledge.form-kf-menu", head, entries, LONGEST_MENU_TEXT)
                }
            }),
    );
    forms
}

/// The options as the very card that is sent.
fn card(reply: &Reply, composer: &Composer<'_>) -> Option<ShownForm> {
    let replies = std::slice::from_ref(reply);
    let options = &app::options_for_card(replies)?.options;
    let message: Value = serde_json::from_str(&app::card_message(1, "preview", "preview", options, composer)?).ok()?;
    let card = message.get("template_card")?;
    let text = |place: &str| {
        card.pointer(place)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let buttons = card.get("button_list").and_then(Value::as_array)?;
    let buttons = buttons
        .iter()
        .filter_map(|button| button.get("text")?.as_str().map(str::to_owned));
    let said = [text("/main_title/title"), text("/sub_title_text")].join("\n");
    Some(ShownForm::of(
        "knowledge.form-card",
        said.trim().to_owned(),
        buttons.collect(),
        LONGEST_TEXT,
    ))
}
