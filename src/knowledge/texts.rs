//! Every sentence the bot says that is not part of a scenario: `texts.toml`.

use std::collections::BTreeMap;

use super::language::{Bilingual, Language};
use super::lexicon::plain;
use super::scenario::{Section, read_bilingual};
use super::template::Template;
use crate::checked_toml::{Report, Source, Table, read_document};

/// A sentence of the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextKey {
    /// First contact; the commonest situations follow as options.
    Welcome,
    /// The question could mean several scenarios; options follow.
    WhichOfThese,
    /// A choice did not fit; the options follow again.
    ChooseAgain,
    /// After two misses, or "none of these".
    NoneFits,
    /// None of the values of a slot fits.
    NoneOfTheValues,
    /// Too vague to tell; the commonest situations follow as options.
    NotUnderstood,
    /// The program failed at this message; it is on record.
    Failed,
    /// Not the bot's subject.
    OutsideSubject,
    /// The scenario at hand has nothing to say about what was asked.
    NothingKnown,
    /// A follow-up question ends with what else can be asked.
    AlsoAsk,
    /// A short message after an answer says nothing clear.
    StillAtHand,
    /// A time was told from which nothing can be counted.
    TimeNoted,
    /// A picture came instead of words.
    GotImage,
    /// A voice message came instead of words.
    GotVoice,
    /// A video came instead of words.
    GotVideo,
    /// A location came instead of words.
    GotLocation,
    /// A link came instead of words.
    GotLink,
    /// A file came instead of words.
    GotFile,
    /// Something came that the bot cannot read.
    GotOther,
    /// How to answer a list of options.
    HowToChoose,
    /// Line of one option.
    Option,
    /// The appeal rule with both dates.
    AppealDates,
    /// The appeal rule without dates, because the calendar of a year is not on file.
    AppealNoDates,
    /// How a day is written.
    Day,
    /// The options differ in whose account it is; they follow.
    WhoseAccount,
    /// None of the first options fits; less likely ones follow.
    OtherOptions,
    /// The message named a second issue; it follows as an option.
    AlsoMentioned,
    /// A period in hours.
    PeriodHours,
    /// A period in days.
    PeriodDays,
    /// Days of 24 hours, as the platform writes them.
    PeriodFullDays,
    /// A day with a time of day.
    Moment,
    /// When the natural periods of a restriction end.
    Since,
    /// A period that is not over yet.
    MilestoneAhead,
    /// A period that is over.
    MilestoneOver,
    /// All natural periods are over.
    SinceOver,
    /// When a term with a known start ends.
    TermAhead,
    /// A term with a known start that is over.
    TermOver,
    /// The end date that a notice names.
    EndsAhead,
    /// The end date that a notice names is over.
    EndsOver,
    /// The notice that was pasted offers to apply for lifting.
    AppealButton,
    /// Between which days an appeal submitted on a day is answered.
    AppealWindow,
    /// How many business days have passed, today included.
    AppealDayCount,
    /// How many business days have passed when today is none.
    AppealDayOff,
    /// Submitted today, which does not count.
    AppealSubmittedToday,
    /// What to do before the third business day.
    AppealEarly,
    /// What to do from the third business day on.
    AppealWithin,
    /// What to do on the seventh business day.
    AppealLastDay,
    /// What to do after the seventh business day.
    AppealOverdue,
    /// Asks for consent before an appeal is kept.
    AskToTrack,
    /// Option: keep it.
    TrackYes,
    /// Option: do not keep it.
    TrackNo,
    /// The appeal is kept; on which days something is due.
    Tracking,
    /// The appeal is kept; the due days are not on file.
    TrackingWithoutDays,
    /// The appeal is not kept.
    NotTracking,
    /// The appeal is no longer kept.
    TrackingCancelled,
    /// Asks how the appeal ended; two options follow.
    WhichResult,
    /// Option: lifted.
    ResultLifted,
    /// Option: refused.
    ResultRefused,
    /// What to do after a restriction was lifted.
    AfterLifted,
    /// What to do after an appeal was refused.
    AfterRefused,
    /// Asks on which day the appeal was submitted.
    WhichDay,
    /// No appeal is possible or needed in this situation; the reason follows.
    KitNone,
    /// A text to copy for an appeal.
    KitText,
    /// What stands where something is not known.
    KitBlank,
    /// How a WeCom member account is called in an appeal.
    KitAccountMember,
    /// How a personal WeChat account is called in an appeal.
    KitAccountPersonal,
    /// How a group is called in an appeal.
    KitAccountGroup,
    /// How a company is called in an appeal.
    KitAccountCorp,
    /// How an account of unknown kind is called in an appeal.
    KitAccountAny,
    /// After "that helped".
    FeedbackUseful,
    /// After "that did not help".
    FeedbackUseless,
    /// What a reminder of an appeal says.
    Reminder,
    /// A person takes over.
    HandOver,
    /// A person is wanted outside the duty hours.
    HandOverOffDuty,
    /// A person is wanted while nobody receives.
    HandOverNobody,
    /// Introduces what is known so far, for the person who takes over.
    SummaryIntro,
    /// The situation, for the person who takes over.
    SummaryCase,
    /// What is known of it, for the person who takes over.
    SummaryDetails,
    /// What was said, for the person who takes over.
    SummarySaid,
    /// Duty hours on business days.
    DutyBusinessDays,
    /// Duty hours on every day.
    DutyDaily,
    /// Introduces options under an answer that stands in another message.
    PleaseChoose,
    /// Title of a card with options.
    CardTitle,
    /// What a card says once an option was chosen.
    CardChosen,
    /// Entry of the app's menu: the commonest situations.
    MenuCommon,
    /// Entry of the app's menu: how the appeal stands. The bot understands these words.
    MenuProgress,
    /// Entry of the app's menu: a person. The bot understands these words.
    MenuHuman,
}

impl TextKey {
    /// Every text with its key in `texts.toml` and the placeholders it must have.
    pub const ALL: [(TextKey, &'static str, &'static [&'static str]); 87] = [
        (TextKey::Welcome, "welcome", &[]),
        (TextKey::WhichOfThese, "which-of-these", &[]),
        (TextKey::ChooseAgain, "choose-again", &[]),
        (TextKey::NoneFits, "none-fits", &[]),
        (TextKey::NoneOfTheValues, "none-of-the-values", &[]),
        (TextKey::NotUnderstood, "not-understood", &[]),
        (TextKey::Failed, "failed", &[]),
        (TextKey::OutsideSubject, "outside-subject", &[]),
        (TextKey::NothingKnown, "nothing-known", &["title"]),
        (TextKey::AlsoAsk, "also-ask", &["topics"]),
        (TextKey::StillAtHand, "still-at-hand", &["title"]),
        (TextKey::TimeNoted, "time-noted", &[]),
        (TextKey::GotImage, "got-image", &[]),
        (TextKey::GotVoice, "got-voice", &[]),
        (TextKey::GotVideo, "got-video", &[]),
        (TextKey::GotLocation, "got-location", &[]),
        (TextKey::GotLink, "got-link", &[]),
        (TextKey::GotFile, "got-file", &[]),
        (TextKey::GotOther, "got-other", &[]),
        (TextKey::HowToChoose, "how-to-choose", &[]),
        (TextKey::Option, "option", &["number", "label"]),
        (TextKey::AppealDates, "appeal-dates", &["today", "first", "last"]),
        (TextKey::AppealNoDates, "appeal-no-dates", &["year"]),
        (TextKey::Day, "day", &["month", "day", "weekday"]),
        (TextKey::WhoseAccount, "whose-account", &[]),
        (TextKey::OtherOptions, "other-options", &[]),
        (TextKey::AlsoMentioned, "also-mentioned", &[]),
        (TextKey::PeriodHours, "period-hours", &["hours"]),
        (TextKey::PeriodDays, "period-days", &["days"]),
        (TextKey::PeriodFullDays, "period-full-days", &["days"]),
        (TextKey::Moment, "moment", &["day", "time"]),
        (TextKey::Since, "since", &["start", "milestones"]),
        (TextKey::MilestoneAhead, "milestone-ahead", &["period", "moment"]),
        (TextKey::MilestoneOver, "milestone-over", &["period", "moment"]),
        (TextKey::SinceOver, "since-over", &[]),
        (TextKey::TermAhead, "term-ahead", &["start", "period", "end", "left"]),
        (TextKey::TermOver, "term-over", &["start", "period", "end"]),
        (TextKey::EndsAhead, "ends-ahead", &["end", "left"]),
        (TextKey::EndsOver, "ends-over", &["end"]),
        (TextKey::AppealButton, "appeal-button", &[]),
        (TextKey::AppealWindow, "appeal-window", &["submitted", "first", "last"]),
        (TextKey::AppealDayCount, "appeal-day-count", &["count"]),
        (TextKey::AppealDayOff, "appeal-day-off", &["count"]),
        (TextKey::AppealSubmittedToday, "appeal-submitted-today", &[]),
        (TextKey::AppealEarly, "appeal-early", &[]),
        (TextKey::AppealWithin, "appeal-within", &[]),
        (TextKey::AppealLastDay, "appeal-last-day", &[]),
        (TextKey::AppealOverdue, "appeal-overdue", &[]),
        (TextKey::AskToTrack, "ask-to-track", &[]),
        (TextKey::TrackYes, "track-yes", &[]),
        (TextKey::TrackNo, "track-no", &[]),
        (TextKey::Tracking, "tracking", &["days"]),
        (TextKey::TrackingWithoutDays, "tracking-without-days", &[]),
        (TextKey::NotTracking, "not-tracking", &[]),
        (TextKey::TrackingCancelled, "tracking-cancelled", &[]),
        (TextKey::WhichResult, "which-result", &[]),
        (TextKey::ResultLifted, "result-lifted", &[]),
        (TextKey::ResultRefused, "result-refused", &[]),
        (TextKey::AfterLifted, "after-lifted", &[]),
        (TextKey::AfterRefused, "after-refused", &[]),
        (TextKey::WhichDay, "which-day", &[]),
        (TextKey::KitNone, "kit-none", &["title"]),
        (TextKey::KitText, "kit-text", &["account", "title", "start", "said"]),
        (TextKey::KitBlank, "kit-blank", &[]),
        (TextKey::KitAccountMember, "kit-account-member", &[]),
        (TextKey::KitAccountPersonal, "kit-account-personal", &[]),
        (TextKey::KitAccountGroup, "kit-account-group", &[]),
        (TextKey::KitAccountCorp, "kit-account-corp", &[]),
        (TextKey::KitAccountAny, "kit-account-any", &[]),
        (TextKey::FeedbackUseful, "feedback-useful", &[]),
        (TextKey::FeedbackUseless, "feedback-useless", &[]),
        (TextKey::Reminder, "reminder", &["standing"]),
        (TextKey::HandOver, "hand-over", &[]),
        (TextKey::HandOverOffDuty, "hand-over-off-duty", &["hours"]),
        (TextKey::HandOverNobody, "hand-over-nobody", &[]),
        (TextKey::SummaryIntro, "summary-intro", &[]),
        (TextKey::SummaryCase, "summary-case", &["title"]),
        (TextKey::SummaryDetails, "summary-details", &["details"]),
        (TextKey::SummarySaid, "summary-said", &["said"]),
        (TextKey::DutyBusinessDays, "duty-business-days", &["from", "until"]),
        (TextKey::DutyDaily, "duty-daily", &["from", "until"]),
        (TextKey::PleaseChoose, "please-choose", &[]),
        (TextKey::CardTitle, "card-title", &[]),
        (TextKey::CardChosen, "card-chosen", &["label"]),
        (TextKey::MenuCommon, "menu-common", &[]),
        (TextKey::MenuProgress, "menu-progress", &[]),
        (TextKey::MenuHuman, "menu-human", &[]),
    ];
}

/// All texts of `texts.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    texts: BTreeMap<TextKey, Bilingual<Template>>,
    headings: BTreeMap<Section, Bilingual<String>>,
    topics: BTreeMap<Section, Bilingual<String>>,
    weekdays: Bilingual<Vec<String>>,
    months: Bilingual<Vec<String>>,
}

impl Texts {
    /// The text with its `{placeholders}` filled in.
    pub fn say(&self, key: TextKey, language: Language, values: &[(&str, &str)]) -> String {
        let length_of_values: usize = values.iter().map(|(_, value)| value.len()).sum();
        let mut text = String::with_capacity(self.template(key, language).len() + length_of_values);
        self.write(&mut text, key, language, values);
        text
    }

    /// Writes the text with its `{placeholders}` filled in behind another text.
    pub fn write(&self, text: &mut String, key: TextKey, language: Language, values: &[(&str, &str)]) {
        if let Some(template) = self.texts.get(&key) {
            template.get(language).fill(text, values);
        }
    }

    /// The text as it is written, placeholders and all.
    pub fn template(&self, key: TextKey, language: Language) -> &str {
        self.texts.get(&key).map_or("", |both| both.get(language).written())
    }

    /// The heading of a section.
    pub fn heading(&self, section: Section, language: Language) -> &str {
        self.headings.get(&section).map_or("", |both| both.get(language))
    }

    /// How a section is named among the things one can ask next; empty when it is not offered.
    pub fn topic(&self, section: Section, language: Language) -> &str {
        self.topics.get(&section).map_or("", |both| both.get(language))
    }

    /// A day as people read it, for example `11月22日 周日`.
    pub fn day(&self, date: jiff::civil::Date, language: Language) -> String {
        let weekday = date.weekday().to_monday_zero_offset();
        let values = [
            ("month", name_of(&self.months, language, date.month().saturating_sub(1))),
            ("day", &date.day().to_string()),
            ("weekday", name_of(&self.weekdays, language, weekday)),
        ];
        self.say(TextKey::Day, language, &values)
    }
}

fn name_of(names: &Bilingual<Vec<String>>, language: Language, index: i8) -> &str {
    let index = usize::try_from(index).unwrap_or_default();
    names.get(language).get(index).map_or("", String::as_str)
}

/// Reads `texts.toml`.
pub(super) fn read_texts(source: Source<'_>, report: &Report) -> Option<Texts> {
    read_document(source, report, |table| {
        let texts = TextKey::ALL
            .into_iter()
            .filter_map(|(key, name, placeholders)| Some((key, read_text(table, name, placeholders)?)));
        Some(Texts {
            texts: texts.collect(),
            headings: read_per_section(table, "headings", true),
            topics: read_per_section(table, "topics", false),
            weekdays: read_names(table, "weekdays", 7),
            months: read_names(table, "months", 12),
        })
    })
}

fn read_text(table: &mut Table<'_>, name: &'static str, placeholders: &[&str]) -> Option<Bilingual<Template>> {
    table.table(name, |both| {
        let mut read = |key| {
            let text = both.text(key)?;
            check_placeholders(both, key, &text, placeholders);
            Some(text)
        };
        let (zh, en) = (read("zh"), read("en"));
        Some(Bilingual {
            zh: Template::new(zh.unwrap_or_default()),
            en: Template::new(en.unwrap_or_default()),
        })
    })
}

fn check_placeholders(table: &Table<'_>, key: &str, text: &str, expected: &[&str]) {
    for name in expected {
        if !text.contains(&format!("{{{name}}}")) {
            table.problem(key, format!("must contain {{{name}}}"));
        }
    }
    let found = text
        .split('{')
        .skip(1)
        .filter_map(|after| after.split_once('}'))
        .map(|(name, _)| name);
    for name in found.filter(|name| !expected.contains(name)) {
        table.problem(
            key,
            format!(
                "has {{{name}}}, which is not filled in here; known: {}",
                expected.join(", ")
            ),
        );
    }
}

/// Reads a table of sections, each with both languages.
fn read_per_section(
    table: &mut Table<'_>,
    name: &'static str,
    must_be_whole: bool,
) -> BTreeMap<Section, Bilingual<String>> {
    let texts = table.table(name, |table| {
        let wanted = Section::ALL
            .into_iter()
            .filter(|(_, name)| must_be_whole || table.contains(name));
        let wanted: Vec<(Section, &'static str)> = wanted.collect();
        let read = wanted
            .into_iter()
            .map(|(section, name)| (section, read_bilingual(table, name)));
        Some(read.collect())
    });
    texts.unwrap_or_default()
}

fn read_names(table: &mut Table<'_>, name: &'static str, count: usize) -> Bilingual<Vec<String>> {
    let names = table.table(name, |both| {
        let mut names = |key: &'static str| {
            let names = plain(both.required_texts(key).unwrap_or_default());
            if !names.is_empty() && names.len() != count {
                both.problem(key, format!("must have {count} entries, has {}", names.len()));
            }
            names
        };
        let zh = names("zh");
        let en = names("en");
        Some(Bilingual { zh, en })
    });
    names.unwrap_or_default()
}
