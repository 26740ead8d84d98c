//! Measuring every text that can be sent: WeCom cuts off what is longer than a message holds.
//!
//! This is part of every start, so what is far from too long is only estimated, from above; the rest is composed as it would be sent.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::appeals::{LONGEST_QUOTE, account_text};
use super::assistant::ANY_DAY;
use super::circumstances::Circumstances;
use super::compose::{APPEAL_BUSINESS_DAYS, Composer, KnownSlots, LONGEST_TEXT};
use super::session::{Reply, ReplyOption};
use super::step::COMMONEST;
use super::when::Moment;
use crate::checked_toml::Report;
use crate::knowledge::{
    Catalogue, Language, Scenario, Section, SectionText, Sections, Slot, SlotEffect, SlotValue, TextKey,
};

/// So many situations are offered in an ask-back.
const OFFERED_IN_ASK_BACK: usize = 3;

/// Of a scenario with more combinations of slot values than this, the estimate counts.
const MOST_COMBINATIONS: usize = 2000;

/// For how many days after its submission an appeal says something new.
const DAYS_OF_AN_APPEAL: i32 = 20;

/// Reports every text that WeCom would cut off, in any language.
pub(super) fn report_too_long(catalogue: &Catalogue, report: &Report) {
    for language in [Language::Chinese, Language::English] {
        let ruler = Ruler::new(catalogue, report, language);
        ruler.measure_texts();
        ruler.measure_appeal();
        ruler.measure_small_talk();
        for scenario in catalogue.scenarios.values() {
            ruler.measure_scenario(scenario);
        }
    }
}

/// Measures in one language.
struct Ruler<'a> {
    composer: Composer<'a>,
    report: &'a Report,
    /// A day with the longest dates, and one whose dates are not on file.
    on_file: Date,
    beyond: Date,
    /// Key of the language in knowledge files.
    tag: &'static str,
    /// Bytes of an offer of another issue, at most.
    offer: usize,
    /// The scenario with the longest name among those that may be offered so.
    longest_named: Option<&'a Scenario>,
}

impl<'a> Ruler<'a> {
    fn new(catalogue: &'a Catalogue, report: &'a Report, language: Language) -> Self {
        let at = |day: Date| Composer {
            catalogue,
            language,
            now: day.at(9, 0, 0, 0),
        };
        let any = at(ANY_DAY);
        let bytes = |day: Date| any.appeal_dates(day).len();
        let beyond = catalogue
            .workdays
            .days_on_file()
            .last()
            .and_then(|day| day.tomorrow().ok());
        let beyond = beyond.unwrap_or(ANY_DAY);
        let (_, last) = APPEAL_BUSINESS_DAYS;
        let has_dates = |day: &Date| catalogue.workdays.business_day_after(*day, last).is_some();
        let on_file = catalogue.workdays.days_on_file().filter(has_dates);
        let on_file = on_file.max_by_key(|day| bytes(*day)).unwrap_or(ANY_DAY);
        // A line that is too long by itself is reported by itself.
        let short_enough = [on_file, beyond].into_iter().filter(|day| bytes(*day) <= LONGEST_TEXT);
        let longer = short_enough.max_by_key(|day| bytes(*day)).unwrap_or(on_file);
        let issues = catalogue.scenarios.values().filter(|scenario| scenario.gravity > 0);
        let longest_named = issues.max_by_key(|scenario| scenario.label(language).len());
        let ids = longest_named.iter().map(|scenario| scenario.id.as_str());
        let offer = any
            .as_plain_text(&any.choice_of_scenarios(TextKey::AlsoMentioned, ids))
            .len();
        Self {
            composer: at(longer),
            report,
            on_file,
            beyond,
            tag: language.tag(),
            offer,
            longest_named,
        }
    }

    /// Whether a reply fits into a message; reported if not.
    fn fits(&self, file: &str, key: &str, what: &str, reply: &Reply) -> bool {
        self.is_short_enough(file, key, what, self.bytes(reply))
    }

    fn is_short_enough(&self, file: &str, key: &str, what: &str, bytes: usize) -> bool {
        let fits = bytes <= LONGEST_TEXT;
        if !fits {
            let message = format!("{what} has {bytes} bytes; WeCom cuts off after {LONGEST_TEXT}, so shorten it");
            self.report.about(file, key, message);
        }
        fits
    }

    fn bytes(&self, reply: &Reply) -> usize {
        self.composer.as_plain_text(reply).len()
    }

    /// The texts of `texts.toml`, with the options that follow them.
    fn measure_texts(&self) {
        let (catalogue, language) = (self.composer.catalogue, self.composer.language);
        let mut by_label: Vec<&Scenario> = catalogue.scenarios.values().collect();
        by_label.sort_by_key(|scenario| std::cmp::Reverse(scenario.label(language).len()));
        by_label.truncate(OFFERED_IN_ASK_BACK);
        let commonest = catalogue.commonest(COMMONEST);
        let choice = |key, of: &[&Scenario]| {
            self.composer
                .choice_of_scenarios(key, of.iter().map(|one| one.id.as_str()))
        };
        for (key, name, _) in TextKey::ALL {
            let reply = match key {
                TextKey::Welcome | TextKey::NotUnderstood | TextKey::ChooseAgain => choice(key, &commonest),
                TextKey::WhichOfThese | TextKey::WhoseAccount | TextKey::OtherOptions => choice(key, &by_label),
                TextKey::AppealDates => plain(self.composer.appeal_dates(self.on_file)),
                TextKey::AppealNoDates => plain(self.composer.appeal_dates(self.beyond)),
                _ => plain(catalogue.texts.template(key, language).to_owned()),
            };
            let with_options = if reply.options.is_empty() {
                "the text"
            } else {
                "the text with its options"
            };
            self.fits("texts.toml", &format!("{name}.{}", self.tag), with_options, &reply);
        }
    }

    /// How an appeal stands, with the question whether it may be kept.
    fn measure_appeal(&self) {
        let composer = Composer {
            now: self.on_file.at(9, 0, 0, 0),
            ..self.composer
        };
        let submitted = (0..DAYS_OF_AN_APPEAL).filter_map(|days| self.on_file.checked_sub(days.days()).ok());
        let longest = submitted
            .map(|day| composer.appeal_standing(day))
            .max_by_key(String::len);
        let option = |key| ReplyOption {
            id: String::new(),
            label: composer.text(key),
        };
        let reply = Reply {
            text: format!(
                "{}\n\n{}",
                longest.unwrap_or_default(),
                composer.text(TextKey::AskToTrack)
            ),
            options: vec![option(TextKey::TrackYes), option(TextKey::TrackNo)],
        };
        self.fits(
            "texts.toml",
            &format!("ask-to-track.{}", self.tag),
            "the text with the state of the appeal",
            &reply,
        );
    }

    fn measure_small_talk(&self) {
        for (number, intent) in (1_usize..).zip(&self.composer.catalogue.intents) {
            let reply = plain(intent.reply.get(self.composer.language).clone());
            let key = format!("intents[{number}].reply.{}", self.tag);
            self.fits("smalltalk.toml", &key, "the reply", &reply);
        }
    }

    /// Everything that can be said about a scenario. Where a part of it is too long by itself, what it is a part of is not looked at.
    fn measure_scenario(&self, scenario: &Scenario) {
        let time = self.longest_time(scenario);
        let values = || {
            scenario
                .slots
                .iter()
                .flat_map(|slot| slot.values.iter().map(move |value| (slot, value)))
        };
        let mut fits = self.measure_sections(scenario, &KnownSlots::new(), &self.base(scenario), &time);
        for (number, slot) in (1_usize..).zip(&scenario.slots) {
            let key = format!("slots[{number}].question.{}", self.tag);
            fits &= self.fits(
                &scenario.file,
                &key,
                "the question with its values",
                &self.question(slot),
            );
        }
        for (slot, value) in values() {
            let known = KnownSlots::from([(slot.id.clone(), value.id.clone())]);
            fits &= self.measure_sections(scenario, &known, &self.changed(scenario, &known), &time);
        }
        if !fits {
            return;
        }
        for (slot, value) in values() {
            fits &= self.measure_change(scenario, slot, value);
        }
        if fits {
            self.measure_answer(scenario, &time);
        }
    }

    /// Each section by itself, with what is computed for it.
    fn measure_sections(&self, scenario: &Scenario, known: &KnownSlots, sections: &[Placed<'_>], time: &Time) -> bool {
        let mut fits = true;
        for placed in sections {
            let estimate = self.composer.section(placed.section, placed.text).len() + self.dates() + time.bytes;
            if estimate > LONGEST_TEXT {
                let reply = self
                    .composer
                    .sections_asked_for(scenario, known, &time.said, &[placed.section]);
                fits &= self.fits(&scenario.file, &placed.key, "this part of the answer", &reply);
            }
        }
        fits
    }

    /// What is said when the value of a slot becomes known, first of all or after the slots before it.
    fn measure_change(&self, scenario: &Scenario, slot: &Slot, value: &SlotValue) -> bool {
        let own = KnownSlots::from([(slot.id.clone(), value.id.clone())]);
        let changed = self.changed(scenario, &own);
        let Some(longest) = changed.iter().max_by_key(|placed| bytes_of(placed.text)) else {
            return true;
        };
        let earlier = scenario.slots.iter().take_while(|other| other.id != slot.id);
        let earlier = earlier.filter_map(|slot| Some((slot.id.clone(), staying(slot).next()?.id.clone())));
        let in_order: KnownSlots = earlier.chain(own.clone()).collect();
        let replies = [own, in_order].map(|known| self.composer.change(scenario, &known, slot, &value.id));
        let bytes = replies.iter().map(|reply| self.bytes(reply)).max().unwrap_or(0);
        let what = format!("what is said when {} = {} becomes known", slot.id, value.id);
        self.is_short_enough(&scenario.file, &longest.key, &what, bytes)
    }

    /// The whole answer with any combination of slot values; and the appeal that can be written with it.
    fn measure_answer(&self, scenario: &Scenario, time: &Time) {
        let widest = self.widest(scenario);
        self.measure_kit(scenario, &widest);
        let questions = scenario.slots.iter().map(|slot| self.bytes(&self.question(slot)));
        let end = questions.chain([self.offer]).max().unwrap_or(0);
        let answer = self
            .composer
            .answer(&widest, &KnownSlots::new(), &Circumstances::default());
        let estimate = self.bytes(&answer) + time.bytes + end + "\n\n".len();
        if estimate <= LONGEST_TEXT {
            return;
        }
        let counts = scenario
            .slots
            .iter()
            .map(|slot| staying(slot).count().saturating_add(1));
        if counts.fold(1, usize::saturating_mul) > MOST_COMBINATIONS {
            let what = "the answer with the longest combination of slot values";
            self.is_short_enough(
                &scenario.file,
                &self.longest_key(scenario, &KnownSlots::new()),
                what,
                estimate,
            );
            return;
        }
        let measured = combinations(scenario)
            .into_iter()
            .map(|known| (self.answer_bytes(scenario, &known, time), known));
        if let Some((bytes, known)) = measured.max_by_key(|(bytes, _)| *bytes) {
            let what = format!("the answer{}, of which this is the longest part,", named(&known));
            self.is_short_enough(&scenario.file, &self.longest_key(scenario, &known), &what, bytes);
        }
    }

    /// Bytes of the longest way to say the whole answer.
    fn answer_bytes(&self, scenario: &Scenario, known: &KnownSlots, time: &Time) -> usize {
        let composer = &self.composer;
        let said = [Circumstances::default(), time.said.clone()];
        let asking = said
            .each_ref()
            .map(|said| self.bytes(&composer.answer(scenario, known, said)));
        let issue = self.longest_named.filter(|_| scenario.gravity > 0);
        let offering =
            issue.map(|other| said.map(|said| self.bytes(&composer.answer_and_offer(scenario, known, &said, other))));
        asking
            .into_iter()
            .chain(offering.into_iter().flatten())
            .max()
            .unwrap_or(0)
    }

    /// An appeal to copy, with as much in it as there can be.
    fn measure_kit(&self, scenario: &Scenario, widest: &Scenario) {
        let composer = &self.composer;
        let answer = widest.answer.get(composer.language);
        let parts = [Section::Who, Section::Appeal, Section::Material];
        let parts = parts
            .into_iter()
            .filter_map(|section| Some(composer.section(section, answer.sections.get(&section)?)));
        let start = composer.moment(self.time_of_day(1));
        let account = account_text(scenario.account);
        let values = [
            ("account", &*composer.text(account)),
            ("title", answer.title.as_str()),
            ("start", &*start),
            ("said", &*"\u{3000}".repeat(LONGEST_QUOTE)),
        ];
        let text = composer.say(TextKey::KitText, &values);
        let bytes = parts.map(|part| part.len() + "\n".len()).sum::<usize>() + "\n".len() + text.len();
        let key = format!("{}.appeal", self.tag);
        self.is_short_enough(
            &scenario.file,
            &key,
            "the appeal to copy, with who can act, how to appeal and the material,",
            bytes,
        );
    }

    /// The scenario with the longest text of each section and without slots.
    fn widest(&self, scenario: &Scenario) -> Scenario {
        let mut widest = Scenario {
            utterances: Vec::new(),
            slots: Vec::new(),
            ..scenario.clone()
        };
        let sections = match self.composer.language {
            Language::English => &mut widest.answer.en.sections,
            Language::Chinese | Language::TraditionalChinese => &mut widest.answer.zh.sections,
        };
        for value in scenario.slots.iter().flat_map(|slot| &slot.values) {
            if let SlotEffect::Changes {
                sections: changed,
                appeal_window,
                ..
            } = &value.effect
            {
                widest.appeal_window |= appeal_window.unwrap_or(false);
                for (section, text) in changed.get(self.composer.language) {
                    let longest = sections.entry(*section).or_insert_with(|| text.clone());
                    if bytes_of(text) > bytes_of(longest) {
                        text.clone_into(longest);
                    }
                }
            }
        }
        widest
    }

    fn question(&self, slot: &Slot) -> Reply {
        let language = self.composer.language;
        let option = |value: &SlotValue| ReplyOption {
            id: value.id.clone(),
            label: value.label.get(language).clone(),
        };
        Reply {
            text: slot.question.get(language).clone(),
            options: slot.values.iter().map(option).collect(),
        }
    }

    /// Bytes of the line with the dates, at most.
    fn dates(&self) -> usize {
        self.composer.appeal_dates(self.composer.now.date()).len() + "\n".len()
    }

    /// What can be said about the time of a restriction that leads to the longest computed lines.
    fn longest_time(&self, scenario: &Scenario) -> Time {
        let (recently, long_ago) = (self.time_of_day(1), self.time_of_day(60));
        let said = |started, ends| Circumstances {
            started: Some(started),
            term_hours: Some(30 * 24),
            ends,
            offers_appeal: true,
        };
        let soon = self.composer.now.date().checked_add(10.days()).ok();
        let times = [
            said(recently, None),
            said(long_ago, None),
            said(recently, soon),
            said(recently, Some(long_ago.at.date())),
        ];
        let bytes = |said: &Circumstances| {
            let lines = self.composer.time_lines(scenario, said).into_iter();
            lines.map(|line| line.len() + "\n".len()).sum()
        };
        let times = times.map(|said| Time {
            bytes: bytes(&said),
            said,
        });
        times.into_iter().max_by_key(|time| time.bytes).unwrap_or_default()
    }

    /// A time of day so many days ago.
    fn time_of_day(&self, days_ago: i32) -> Moment {
        let now: DateTime = self.composer.now;
        Moment {
            at: now.checked_sub(days_ago.days()).unwrap_or(now),
            is_exact: true,
        }
    }

    /// The sections of a scenario when nothing more is known.
    fn base<'s>(&self, scenario: &'s Scenario) -> Vec<Placed<'s>> {
        placed(self.tag, &scenario.answer.get(self.composer.language).sections)
    }

    /// The sections that known slot values change.
    fn changed<'s>(&self, scenario: &'s Scenario, known: &KnownSlots) -> Vec<Placed<'s>> {
        let mut changed = Vec::new();
        for (slot_number, slot) in (1_usize..).zip(&scenario.slots) {
            let values = (1_usize..).zip(&slot.values);
            for (number, value) in values.filter(|(_, value)| known.get(&slot.id) == Some(&value.id)) {
                if let SlotEffect::Changes { sections, .. } = &value.effect {
                    let place = format!("slots[{slot_number}].values[{number}].{}", self.tag);
                    changed.extend(placed(&place, sections.get(self.composer.language)));
                }
            }
        }
        changed
    }

    /// Where the longest section of a whole answer stands.
    fn longest_key(&self, scenario: &Scenario, known: &KnownSlots) -> String {
        let said = self.composer.sections_with(scenario, known);
        let all = self.base(scenario).into_iter().chain(self.changed(scenario, known));
        let shown =
            all.filter(|placed| !placed.section.only_when_asked() && said.get(&placed.section) == Some(&placed.text));
        let longest = shown.max_by_key(|placed| bytes_of(placed.text));
        longest.map_or_else(|| self.tag.to_owned(), |placed| placed.key)
    }
}

/// A section with its place in the file.
struct Placed<'a> {
    key: String,
    section: Section,
    text: &'a SectionText,
}

fn placed<'a>(place: &str, sections: &'a Sections) -> Vec<Placed<'a>> {
    let named = Section::ALL.into_iter().filter_map(|(section, name)| {
        Some(Placed {
            key: format!("{place}.{name}"),
            section,
            text: sections.get(&section)?,
        })
    });
    named.collect()
}

/// What can be said about time, and how many bytes are computed from it.
#[derive(Default)]
struct Time {
    said: Circumstances,
    bytes: usize,
}

fn plain(text: String) -> Reply {
    Reply {
        text,
        options: Vec::new(),
    }
}

fn bytes_of(text: &SectionText) -> usize {
    match text {
        SectionText::Plain(text) => text.len(),
        // Each has a number in front of it.
        SectionText::Steps(steps) => steps.iter().map(|step| step.len() + "\n10. ".len()).sum(),
    }
}

/// ` with times = first, place = group`.
fn named(known: &KnownSlots) -> String {
    let values: Vec<String> = known.iter().map(|(slot, value)| format!("{slot} = {value}")).collect();
    match values.is_empty() {
        true => String::new(),
        false => format!(" with {}", values.join(", ")),
    }
}

/// The values of a slot that keep to its scenario.
fn staying(slot: &Slot) -> impl Iterator<Item = &SlotValue> {
    slot.values
        .iter()
        .filter(|value| !matches!(value.effect, SlotEffect::GoesTo(_)))
}

/// No slot known, and every combination of values that keep to this scenario.
fn combinations(scenario: &Scenario) -> Vec<KnownSlots> {
    let mut combinations = vec![KnownSlots::new()];
    for slot in &scenario.slots {
        let with = |known: &KnownSlots, value: &SlotValue| {
            let mut known = known.clone();
            known.insert(slot.id.clone(), value.id.clone());
            known
        };
        let extended = staying(slot).flat_map(|value| combinations.iter().map(move |known| with(known, value)));
        let extended: Vec<KnownSlots> = extended.collect();
        combinations.extend(extended);
    }
    combinations
}
