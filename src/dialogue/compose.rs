//! Composing what is said: an answer with its dates, the part that a slot value changes, one section that was asked for.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};

use super::circumstances::Circumstances;
use super::script::in_traditional_characters;
use super::session::{Reply, ReplyOption};
use crate::knowledge::{Catalogue, Language, Scenario, Section, SectionText, Slot, SlotEffect, TextKey};

/// Business days after which a result of an appeal can be expected at the earliest and at the latest.
pub(super) const APPEAL_BUSINESS_DAYS: (u8, u8) = (3, 7);

/// Most bytes of UTF-8 in a text message; WeCom cuts off the rest (doc/90241, doc/90236).
pub const LONGEST_TEXT: usize = 2048;

/// Left out of an answer, in this order, when what the person said about time would make it longer than a message may be.
const LEFT_OUT_FIRST: [Section; 4] = [Section::Limits, Section::Ladder, Section::Exceptions, Section::Material];

/// What is needed to compose: the catalogue, the language of the reply, and the time in China.
#[derive(Clone, Copy)]
pub struct Composer<'a> {
    /// Where the sentences come from.
    pub catalogue: &'a Catalogue,
    /// Language of the reply.
    pub language: Language,
    /// Civil time in China, from which dates are counted.
    pub now: DateTime,
}

/// Room for the numbered options below most texts.
const ROOM_FOR_OPTIONS: usize = 256;

/// What is said of a scenario, as far as it is known, in reading order.
pub(super) type SaidSections<'s> = BTreeMap<Section, &'s SectionText>;

/// Slot values known so far, by slot id.
pub type KnownSlots = BTreeMap<String, String>;

impl Composer<'_> {
    /// A text of `texts.toml` without placeholders.
    pub fn text(&self, key: TextKey) -> String {
        self.catalogue.texts.say(key, self.language, &[])
    }

    /// The same in the characters of the language, for a message of its own.
    pub fn words(&self, key: TextKey) -> String {
        self.written(self.text(key))
    }

    /// The whole answer, followed by the question for the first slot that is not known yet.
    pub fn answer(&self, scenario: &Scenario, known: &KnownSlots, circumstances: &Circumstances) -> Reply {
        let end = match first_unknown_slot(scenario, known) {
            Some(slot) => self.slot_question(slot),
            None => Reply {
                text: self.also_ask(&self.sections_with(scenario, known)).unwrap_or_default(),
                options: Vec::new(),
            },
        };
        self.answer_before(end, scenario, known, circumstances)
    }

    /// The whole answer, followed by the other issue that the same message named.
    pub(super) fn answer_and_offer(
        &self,
        scenario: &Scenario,
        known: &KnownSlots,
        circumstances: &Circumstances,
        other: &Scenario,
    ) -> Reply {
        let offer = self.choice_of_scenarios(TextKey::AlsoMentioned, std::iter::once(other.id.as_str()));
        let end = Reply {
            text: format!("\n{}", offer.text),
            options: offer.options,
        };
        self.answer_before(end, scenario, known, circumstances)
    }

    /// The answer itself, then `end`. What the person said about time is worked out; if that makes the message too long, what matters
    /// least is left out.
    fn answer_before(
        &self,
        end: Reply,
        scenario: &Scenario,
        known: &KnownSlots,
        circumstances: &Circumstances,
    ) -> Reply {
        let mut sections = self.sections_with(scenario, known);
        let time_lines = self.time_lines(scenario, circumstances);
        let dates_line = self.dates_line(scenario, known);
        let written = |sections: &SaidSections<'_>| {
            let mut text = String::with_capacity(LONGEST_TEXT);
            text.extend(["【", &scenario.answer.get(self.language).title, "】"]);
            for (section, said) in sections.iter().filter(|(section, _)| !section.only_when_asked()) {
                text.push('\n');
                self.write_section(&mut text, *section, said);
                if *section == Section::Time {
                    write_lines(&mut text, &time_lines);
                }
            }
            write_lines(&mut text, &dates_line);
            write_lines(&mut text, [&end.text]);
            text.truncate(text.trim_end().len());
            text
        };
        let mut text = written(&sections);
        for section in LEFT_OUT_FIRST.iter().filter(|_| !time_lines.is_empty()) {
            if text.len() + self.bytes_of_options(&end.options) > LONGEST_TEXT {
                sections.remove(section);
                text = written(&sections);
            }
        }
        Reply {
            text,
            options: end.options,
        }
    }

    /// What a newly known slot value changes, for somebody who has just read the whole answer.
    pub fn change(&self, scenario: &Scenario, known: &KnownSlots, slot: &Slot, value: &str) -> Reply {
        let changed = slot.value(value).map(|value| &value.effect);
        let mut lines = Vec::new();
        if let Some(SlotEffect::Changes { sections, .. }) = changed {
            // Not the value's own words: another value that is known may outweigh them.
            let all = self.sections_with(scenario, known);
            let touched = sections.get(self.language).keys();
            let written = |section: &Section| Some(self.section(*section, all.get(section)?));
            lines.extend(touched.filter_map(written));
        }
        lines.extend(self.dates_line(scenario, known));
        let end = first_unknown_slot(scenario, known).map(|next| self.slot_question(next));
        lines.extend(end.iter().map(|end| end.text.clone()));
        Reply {
            text: lines.join("\n"),
            options: end.map(|end| end.options).unwrap_or_default(),
        }
    }

    /// The sections that were asked for, or an honest word that nothing is known. Of more than a message holds, the last ones are left
    /// out whole.
    pub fn sections_asked_for(
        &self,
        scenario: &Scenario,
        known: &KnownSlots,
        circumstances: &Circumstances,
        asked: &[Section],
    ) -> Reply {
        let sections = self.sections_with(scenario, known);
        let mut found: Vec<Section> = Vec::new();
        for section in asked.iter().filter_map(|section| nearest_section(*section, &sections)) {
            if !found.contains(&section) {
                found.push(section);
            }
        }
        let written = |found: &[Section]| {
            let said = found
                .iter()
                .filter_map(|section| Some(self.section(*section, sections.get(section)?)));
            let mut lines: Vec<String> = said.collect();
            if lines.is_empty() {
                let title = scenario.answer.get(self.language).title.as_str();
                lines.push(self.say(TextKey::NothingKnown, &[("title", title)]));
            }
            if found.contains(&Section::Time) {
                lines.extend(self.time_lines(scenario, circumstances));
            }
            if found.contains(&Section::Time) || found.contains(&Section::Appeal) {
                lines.extend(self.dates_line(scenario, known));
            }
            lines.join("\n")
        };
        let mut text = written(&found);
        while text.len() > LONGEST_TEXT && found.len() > 1 {
            found.pop();
            text = written(&found);
        }
        Reply {
            text,
            options: Vec::new(),
        }
    }

    /// A text with scenarios to choose from.
    pub fn choice_of_scenarios<'s>(&self, key: TextKey, ids: impl Iterator<Item = &'s str>) -> Reply {
        let scenarios = ids.filter_map(|id| self.catalogue.scenarios.get(id));
        let option = |scenario: &Scenario| ReplyOption {
            id: scenario.id.clone(),
            label: scenario.label(self.language).to_owned(),
        };
        Reply {
            text: self.text(key),
            options: scenarios.map(option).collect(),
        }
    }

    /// A reply in the characters of the language.
    pub(super) fn in_characters(&self, reply: Reply) -> Reply {
        if self.language != Language::TraditionalChinese {
            return reply;
        }
        let option = |option: ReplyOption| ReplyOption {
            label: in_traditional_characters(&option.label),
            ..option
        };
        Reply {
            text: in_traditional_characters(&reply.text),
            options: reply.options.into_iter().map(option).collect(),
        }
    }

    pub(super) fn written(&self, text: String) -> String {
        match self.language {
            Language::TraditionalChinese => in_traditional_characters(&text),
            Language::Chinese | Language::English => text,
        }
    }

    /// A reply as plain text: options become numbered lines.
    pub fn as_plain_text(&self, reply: &Reply) -> String {
        let mut text = String::with_capacity(reply.text.len() + ROOM_FOR_OPTIONS);
        self.write_plain_text(&mut text, reply);
        text
    }

    /// Writes a reply as plain text behind another text.
    pub fn write_plain_text(&self, text: &mut String, reply: &Reply) {
        text.push_str(&reply.text);
        self.write_options(text, &reply.options);
    }

    /// Options as numbered lines.
    pub fn numbered(&self, options: &[ReplyOption]) -> String {
        let mut lines = String::with_capacity(ROOM_FOR_OPTIONS);
        self.write_numbered(&mut lines, options);
        lines
    }

    /// Options as numbered lines below a text, with how to choose one.
    fn write_options(&self, text: &mut String, options: &[ReplyOption]) {
        if options.is_empty() {
            return;
        }
        text.push('\n');
        self.write_numbered(text, options);
        text.push('\n');
        text.push_str(&self.words(TextKey::HowToChoose));
    }

    fn write_numbered(&self, text: &mut String, options: &[ReplyOption]) {
        for (number, option) in (1..).zip(options) {
            if number > 1 {
                text.push('\n');
            }
            let values = [("number", &*number.to_string()), ("label", option.label.as_str())];
            self.catalogue
                .texts
                .write(text, TextKey::Option, self.language, &values);
        }
    }

    fn bytes_of_options(&self, options: &[ReplyOption]) -> usize {
        let mut text = String::new();
        self.write_options(&mut text, options);
        text.len()
    }

    /// The question for a slot, set apart from what stands above it by a blank line.
    fn slot_question(&self, slot: &Slot) -> Reply {
        let option = |value: &crate::knowledge::SlotValue| ReplyOption {
            id: value.id.clone(),
            label: value.label.get(self.language).clone(),
        };
        Reply {
            text: format!("\n{}", slot.question.get(self.language)),
            options: slot.values.iter().map(option).collect(),
        }
    }

    /// The scenario's sections with those of the known slot values in their place.
    pub(super) fn sections_with<'s>(&self, scenario: &'s Scenario, known: &'s KnownSlots) -> SaidSections<'s> {
        let own = &scenario.answer.get(self.language).sections;
        let mut sections: SaidSections<'s> = own.iter().map(|(section, text)| (*section, text)).collect();
        for effect in known_effects(scenario, known) {
            if let SlotEffect::Changes { sections: changed, .. } = effect {
                let changed = changed.get(self.language).iter();
                sections.extend(changed.map(|(section, text)| (*section, text)));
            }
        }
        sections
    }

    pub(super) fn section(&self, section: Section, said: &SectionText) -> String {
        let mut text = String::new();
        self.write_section(&mut text, section, said);
        text
    }

    fn write_section(&self, text: &mut String, section: Section, said: &SectionText) {
        text.push_str(self.catalogue.texts.heading(section, self.language));
        match said {
            SectionText::Plain(said) => text.push_str(said),
            SectionText::Steps(steps) => {
                for (number, step) in (1..).zip(steps) {
                    text.extend(["\n", &number.to_string(), ". ", step]);
                }
            }
        }
    }

    fn also_ask(&self, sections: &SaidSections<'_>) -> Option<String> {
        let texts = &self.catalogue.texts;
        let topics = sections.keys().map(|section| texts.topic(*section, self.language));
        let topics: Vec<&str> = topics.filter(|topic| !topic.is_empty()).collect();
        let separator = match self.language {
            Language::Chinese | Language::TraditionalChinese => "、",
            Language::English => ", ",
        };
        let topics = topics.join(separator);
        (!topics.is_empty()).then(|| texts.say(TextKey::AlsoAsk, self.language, &[("topics", &topics)]))
    }

    /// The appeal rule with its two dates, where an appeal takes business days.
    fn dates_line(&self, scenario: &Scenario, known: &KnownSlots) -> Option<String> {
        takes_business_days(scenario, known).then(|| self.appeal_dates(self.now.date()))
    }

    /// The appeal rule with the two dates for an appeal submitted on `submitted`.
    pub fn appeal_dates(&self, submitted: Date) -> String {
        let (first, last) = APPEAL_BUSINESS_DAYS;
        let workdays = &self.catalogue.workdays;
        let first = workdays.business_day_after(submitted, first);
        let last = workdays.business_day_after(submitted, last);
        let texts = &self.catalogue.texts;
        let day = |date| texts.day(date, self.language);
        if let (Some(first), Some(last)) = (first, last) {
            // In Chinese the weekday of a date inside a sentence stands in brackets.
            let values = [
                ("today", &*day(submitted)),
                ("first", &*bracketed(&day(first), self.language)),
                ("last", &*bracketed(&day(last), self.language)),
            ];
            return texts.say(TextKey::AppealDates, self.language, &values);
        }
        let year = workdays.first_year_missing(submitted).to_string();
        texts.say(TextKey::AppealNoDates, self.language, &[("year", &year)])
    }
}

/// Writes lines below a text.
fn write_lines<'l>(text: &mut String, lines: impl IntoIterator<Item = &'l String>) {
    for line in lines {
        text.extend(["\n", line]);
    }
}

/// `11月25日 周三` as `11月25日（周三）`.
pub(super) fn bracketed(day: &str, language: Language) -> String {
    match (language, day.split_once(' ')) {
        (Language::Chinese | Language::TraditionalChinese, Some((date, weekday))) => format!("{date}（{weekday}）"),
        _ => day.to_owned(),
    }
}

/// The first slot that has no value yet.
pub(super) fn first_unknown_slot<'a>(scenario: &'a Scenario, known: &KnownSlots) -> Option<&'a Slot> {
    scenario.slots.iter().find(|slot| !known.contains_key(&slot.id))
}

pub(super) fn known_effects<'a>(scenario: &'a Scenario, known: &'a KnownSlots) -> impl Iterator<Item = &'a SlotEffect> {
    let value = |slot: &'a Slot| slot.value(known.get(&slot.id)?);
    scenario.slots.iter().filter_map(value).map(|value| &value.effect)
}

/// Whether an appeal takes business days, as far as is known: one slot value that says no outweighs all that say yes.
fn takes_business_days(scenario: &Scenario, known: &KnownSlots) -> bool {
    let overrides = known_effects(scenario, known).filter_map(|effect| match effect {
        SlotEffect::Changes { appeal_window, .. } => *appeal_window,
        SlotEffect::GoesTo(_) => None,
    });
    overrides
        .reduce(|all, one| all && one)
        .unwrap_or(scenario.appeal_window)
}

/// The section itself or, where a scenario has none, the one that says most about it.
fn nearest_section(asked: Section, sections: &SaidSections<'_>) -> Option<Section> {
    let instead = match asked {
        Section::Material => Section::Appeal,
        Section::Fails | Section::Limits => Section::Steps,
        Section::Ladder => Section::Time,
        Section::Again => Section::Avoid,
        other => other,
    };
    [asked, instead]
        .into_iter()
        .find(|section| sections.contains_key(section))
}
