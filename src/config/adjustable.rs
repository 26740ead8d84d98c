//! What admins can also set in the console, while the server runs. What the configuration says stands; the console sets what it leaves open.

use jiff::civil::Time;

use crate::dialogue::DutyHours;
use crate::protocol::UserId;
use crate::store::Retention;

/// Questions are kept so long unless something else is set, in days.
const DEFAULT_RETENTION_DAYS: u32 = 180;

/// So many people with one restriction within an hour are an outbreak, unless something else is set.
const DEFAULT_OUTBREAK_PEOPLE: u32 = 5;

/// Fewer are no outbreak.
const FEWEST_OUTBREAK_PEOPLE: u32 = 2;

/// No company has more with one restriction within an hour.
const MOST_OUTBREAK_PEOPLE: u32 = 10_000;

/// How long questions may be kept, in days.
pub(super) const RETENTION_DAYS: std::ops::RangeInclusive<i64> = 1..=3650;

/// Notices go to so many people at most: they are for those who can do something about it.
const MOST_NOTICE_USERS: usize = 20;

/// A setting that the console can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdjustableKey {
    /// When people are there to take over, such as `9:00-18:00`.
    DutyHours,
    /// Whether they are on business days only: `true` or `false`.
    DutyOnBusinessDays,
    /// How many days questions are kept.
    RetentionDays,
    /// The app that sends notices to admins.
    NoticeApp,
    /// Whom it sends them to: ids of members, with commas between them.
    NoticeUsers,
    /// How many people with one restriction within an hour are an outbreak.
    OutbreakPeople,
}

impl AdjustableKey {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::DutyHours,
        Self::DutyOnBusinessDays,
        Self::RetentionDays,
        Self::NoticeApp,
        Self::NoticeUsers,
        Self::OutbreakPeople,
    ];

    /// Its key in the configuration, under which it is also stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::DutyHours => "hand_over.hours",
            Self::DutyOnBusinessDays => "hand_over.business_days_only",
            Self::RetentionDays => "storage.retention_days",
            Self::NoticeApp => "notices.app",
            Self::NoticeUsers => "notices.users",
            Self::OutbreakPeople => "notices.outbreak_people",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// What a value has to be like.
    pub fn rule(self) -> &'static str {
        match self {
            Self::DutyHours => "must be two times of day such as 9:00-18:00, the earlier one first",
            Self::DutyOnBusinessDays => "must be true or false",
            Self::RetentionDays => "must be a number of days from 1 to 3650",
            Self::NoticeApp => "must be the name of an app that has a Secret",
            Self::NoticeUsers => "must be 1 to 20 user ids (账号) of members, with commas between them",
            Self::OutbreakPeople => "must be a number of people from 2 to 10000",
        }
    }
}

/// What of the adjustable settings is set in one place; `None`: not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdjustableValues {
    /// [`AdjustableKey::DutyHours`]: from and until.
    pub duty_hours: Option<(Time, Time)>,
    /// [`AdjustableKey::DutyOnBusinessDays`].
    pub duty_on_business_days: Option<bool>,
    /// [`AdjustableKey::RetentionDays`].
    pub retention_days: Option<u32>,
    /// [`AdjustableKey::NoticeApp`].
    pub notice_app: Option<String>,
    /// [`AdjustableKey::NoticeUsers`].
    pub notice_users: Option<Vec<String>>,
    /// [`AdjustableKey::OutbreakPeople`].
    pub outbreak_people: Option<u32>,
}

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustableSettings {
    /// When people are there to take over from the bot; `None`: nobody is.
    pub duty: Option<DutyHours>,
    /// How long questions are kept.
    pub retention: Retention,
    /// Who is told of what admins should know; `None`: nobody.
    pub notices: Option<Notices>,
    /// So many people with one restriction within an hour are an outbreak.
    pub outbreak_people: u32,
}

/// Who is told of what admins should know.
#[derive(Clone, PartialEq, Eq)]
pub struct Notices {
    /// The app that sends it.
    pub app: String,
    /// Members' ids.
    pub users: Vec<String>,
}

impl std::fmt::Debug for Notices {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Notices")
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

impl AdjustableValues {
    /// Sets one from a text. `false`: it is not as [`AdjustableKey::rule`] says, and nothing was set.
    #[must_use]
    pub fn set(&mut self, key: AdjustableKey, text: &str) -> bool {
        let text = text.trim();
        match key {
            AdjustableKey::DutyHours => put(&mut self.duty_hours, duty_hours(text)),
            AdjustableKey::DutyOnBusinessDays => put(&mut self.duty_on_business_days, text.parse().ok()),
            AdjustableKey::RetentionDays => {
                let days = text
                    .parse()
                    .ok()
                    .filter(|days| RETENTION_DAYS.contains(&i64::from(*days)));
                put(&mut self.retention_days, days)
            }
            AdjustableKey::NoticeApp => put(
                &mut self.notice_app,
                Some(text.to_owned()).filter(|app| !app.is_empty()),
            ),
            AdjustableKey::NoticeUsers => put(&mut self.notice_users, notice_users(text)),
            AdjustableKey::OutbreakPeople => {
                let range = FEWEST_OUTBREAK_PEOPLE..=MOST_OUTBREAK_PEOPLE;
                put(
                    &mut self.outbreak_people,
                    text.parse().ok().filter(|people| range.contains(people)),
                )
            }
        }
    }

    /// As [`Self::set`] takes it.
    pub fn text(&self, key: AdjustableKey) -> Option<String> {
        match key {
            AdjustableKey::DutyHours => self.duty_hours.map(|(from, until)| {
                let until = if until == Time::MAX {
                    "24:00".to_owned()
                } else {
                    clock(until)
                };
                format!("{}-{until}", clock(from))
            }),
            AdjustableKey::DutyOnBusinessDays => self.duty_on_business_days.map(|only| only.to_string()),
            AdjustableKey::RetentionDays => self.retention_days.map(|days| days.to_string()),
            AdjustableKey::NoticeApp => self.notice_app.clone(),
            AdjustableKey::NoticeUsers => self.notice_users.as_ref().map(|users| users.join(", ")),
            AdjustableKey::OutbreakPeople => self.outbreak_people.map(|people| people.to_string()),
        }
    }

    /// These, and where they say nothing, the others.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            duty_hours: self.duty_hours.or(others.duty_hours),
            duty_on_business_days: self.duty_on_business_days.or(others.duty_on_business_days),
            retention_days: self.retention_days.or(others.retention_days),
            notice_app: self.notice_app.or(others.notice_app),
            notice_users: self.notice_users.or(others.notice_users),
            outbreak_people: self.outbreak_people.or(others.outbreak_people),
        }
    }

    /// What is in force when these are all that is set.
    pub fn in_force(self) -> AdjustableSettings {
        let business_days_only = self.duty_on_business_days.unwrap_or(true);
        AdjustableSettings {
            duty: self.duty_hours.map(|(from, until)| DutyHours {
                from,
                until,
                business_days_only,
            }),
            retention: Retention {
                questions_days: self.retention_days.unwrap_or(DEFAULT_RETENTION_DAYS),
            },
            notices: self
                .notice_app
                .zip(self.notice_users)
                .map(|(app, users)| Notices { app, users }),
            outbreak_people: self.outbreak_people.unwrap_or(DEFAULT_OUTBREAK_PEOPLE),
        }
    }
}

fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let is_there = value.is_some();
    if is_there {
        *place = value;
    }
    is_there
}

/// `9:00-18:00`; until midnight is `-24:00`.
fn duty_hours(text: &str) -> Option<(Time, Time)> {
    let time = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    let (from, until) = text.split_once('-')?;
    let until = match until.trim() {
        "24:00" => Time::MAX,
        until => time(until)?,
    };
    let from = time(from)?;
    (from < until).then_some((from, until))
}

fn clock(time: Time) -> String {
    format!("{}:{:02}", time.hour(), time.minute())
}

/// Ids with commas, semicolons or spaces between them. `@all` is none: a notice is not for the whole company.
fn notice_users(text: &str) -> Option<Vec<String>> {
    let between =
        |character: char| matches!(character, ',' | '，' | ';' | '；' | '、' | '|') || character.is_whitespace();
    let mut users: Vec<String> = Vec::new();
    for user in text.split(between).filter(|user| !user.is_empty()) {
        UserId::parse(user)?;
        if !users.iter().any(|known| known == user) {
            users.push(user.to_owned());
        }
    }
    (1..=MOST_NOTICE_USERS).contains(&users.len()).then_some(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_comes_back_as_it_is_taken() {
        let mut values = AdjustableValues::default();
        let texts = [
            (AdjustableKey::DutyHours, "9:00-24:00"),
            (AdjustableKey::DutyOnBusinessDays, "false"),
            (AdjustableKey::RetentionDays, "90"),
            (AdjustableKey::NoticeApp, "support"),
            (AdjustableKey::NoticeUsers, "ZhangSan, li.si@example"),
            (AdjustableKey::OutbreakPeople, "3"),
        ];
        assert_eq!(texts.map(|(key, _)| key), AdjustableKey::ALL);
        for (key, text) in texts {
            assert!(values.set(key, text), "{key:?}");
            assert_eq!(values.text(key).as_deref(), Some(text));
            assert_eq!(AdjustableKey::from_name(key.name()), Some(key));
        }
        let force = values.in_force();
        assert_eq!((force.retention.questions_days, force.outbreak_people), (90, 3));
        assert!(force.duty.is_some_and(|duty| !duty.business_days_only));
        assert_eq!(force.notices.map(|notices| notices.users.len()), Some(2));
    }

    #[test]
    fn what_makes_no_sense_sets_nothing() {
        let mut values = AdjustableValues::default();
        let wrong = [
            (AdjustableKey::DutyHours, ["", "18:00-9:00", "9-18", "25:00-26:00"]),
            (AdjustableKey::DutyOnBusinessDays, ["", "yes", "1", "真"]),
            (AdjustableKey::RetentionDays, ["", "0", "3651", "-1"]),
            (AdjustableKey::NoticeUsers, ["", "@all", "张三", "a|@all"]),
            (AdjustableKey::OutbreakPeople, ["", "1", "10001", "many"]),
        ];
        for (key, texts) in wrong {
            for text in texts {
                assert!(!values.set(key, text), "{key:?} {text}");
            }
        }
        assert_eq!(values, AdjustableValues::default());
    }

    #[test]
    fn the_configuration_stands_and_the_rest_is_open() {
        let configured = AdjustableValues {
            retention_days: Some(30),
            ..AdjustableValues::default()
        };
        let stored = AdjustableValues {
            retention_days: Some(90),
            duty_hours: duty_hours("9:00-18:00"),
            ..AdjustableValues::default()
        };
        let force = configured.or(stored).in_force();
        assert_eq!(force.retention.questions_days, 30);
        assert!(force.duty.is_some_and(|duty| duty.business_days_only));
        assert_eq!((force.notices, force.outbreak_people), (None, DEFAULT_OUTBREAK_PEOPLE));
    }
}
