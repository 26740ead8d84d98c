//! What was asked day by day. A day that is over is counted once and known from then on, so that a page costs no more than the last days.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::civil::Date;

use super::format::start_of;
use crate::store::{Counted, MICROS_CLASSES, Store, StoreError};

/// How long the count of today stands.
const TODAY_STANDS: Duration = Duration::from_secs(2);

/// How long the counts of the days before stand, in which messages may still be fetched that were written then.
const RECENT_STANDS: Duration = Duration::from_secs(120);

/// So many days may still change.
const RECENT_DAYS: i64 = 4;

/// Most days that are remembered.
const MOST: usize = 400;

/// What the bot did with a question, in the order in which it is shown.
pub(super) const DECISIONS: [&str; 5] = ["answer", "ask_back", "human", "refuse", "smalltalk"];

/// What was asked on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    /// By decision, as in [`DECISIONS`].
    pub(super) decisions: [u64; DECISIONS.len()],
    /// By the time that understanding took, as in [`MICROS_CLASSES`].
    pub(super) micros: [u64; MICROS_CLASSES.len() + 1],
    /// What was answered and asked back, by the best scenario.
    pub(super) scenarios: BTreeMap<String, u64>,
    /// Answers that were said to help, and that were said not to.
    pub(super) useful: u64,
    pub(super) useless: u64,
}

impl Day {
    fn of(counted: &Counted) -> Self {
        let mut day = Self::default();
        for one in &counted.questions {
            let place = DECISIONS.iter().position(|decision| *decision == one.decision);
            if let Some(count) = place.and_then(|place| day.decisions.get_mut(place)) {
                *count += one.count;
            }
            if let Some(count) = day.micros.get_mut(one.micros_class) {
                *count += one.count;
            }
            if matches!(one.decision.as_str(), "answer" | "ask_back") && !one.scenario.is_empty() {
                *day.scenarios.entry(one.scenario.clone()).or_default() += one.count;
            }
        }
        for (verdict, count) in &counted.verdicts {
            match verdict.as_str() {
                "useless" => day.useless += count,
                _ => day.useful += count,
            }
        }
        day
    }

    /// Everything of several days together.
    pub(super) fn sum<'a>(days: impl IntoIterator<Item = &'a Day>) -> Self {
        let mut sum = Self::default();
        for day in days {
            add(&mut sum.decisions, &day.decisions);
            add(&mut sum.micros, &day.micros);
            for (scenario, count) in &day.scenarios {
                *sum.scenarios.entry(scenario.clone()).or_default() += count;
            }
            sum.useful += day.useful;
            sum.useless += day.useless;
        }
        sum
    }

    pub(super) fn questions(&self) -> u64 {
        self.decisions.iter().sum()
    }

    /// How many questions had this decision.
    pub(super) fn with(&self, decision: &str) -> u64 {
        let of_decision = DECISIONS
            .iter()
            .zip(self.decisions)
            .find(|(name, _)| **name == decision);
        of_decision.map_or(0, |(_, count)| count)
    }

    /// The time in which so many of a thousand questions were understood, in microseconds; those of a class are taken to be spread evenly
    /// over it.
    pub(super) fn micros_at(&self, thousandth: u64) -> Option<u64> {
        let wanted = (self.micros.iter().sum::<u64>() * thousandth).div_ceil(1_000);
        let (mut seen, mut start) = (0, 0);
        let ends = MICROS_CLASSES.into_iter().chain(MICROS_CLASSES.last().copied());
        for (count, end) in self.micros.into_iter().zip(ends) {
            if count > 0 && seen + count >= wanted {
                return Some(start + (end - start) * (wanted - seen) / count);
            }
            seen += count;
            start = end;
        }
        None
    }
}

fn add(sum: &mut [u64], more: &[u64]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// The days that have been counted.
#[derive(Default)]
pub(super) struct Days(Mutex<BTreeMap<Date, (Instant, Arc<Day>)>>);

impl Days {
    /// The last days up to today, the oldest first.
    pub(super) async fn last(
        &self,
        store: &dyn Store,
        today: Date,
        count: i64,
    ) -> Result<Vec<(Date, Arc<Day>)>, StoreError> {
        let mut days = Vec::new();
        for before in (0..count).rev() {
            let Ok(date) = today.checked_sub(jiff::Span::new().days(before)) else {
                continue;
            };
            let stands = match before {
                0 => Some(TODAY_STANDS),
                1..RECENT_DAYS => Some(RECENT_STANDS),
                _ => None,
            };
            let day = match self.known(date, stands) {
                Some(day) => day,
                None => self.counted(store, date).await?,
            };
            days.push((date, day));
        }
        Ok(days)
    }

    /// Some of what was counted is no longer on file.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn known(&self, date: Date, stands: Option<Duration>) -> Option<Arc<Day>> {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, day) = days.get(&date)?;
        let holds = stands.is_none_or(|stands| at.elapsed() < stands);
        holds.then(|| Arc::clone(day))
    }

    async fn counted(&self, store: &dyn Store, date: Date) -> Result<Arc<Day>, StoreError> {
        let next = date.tomorrow().unwrap_or(date);
        let counted = store.count_questions(start_of(date), start_of(next)).await?;
        let day = Arc::new(Day::of(&counted));
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.insert(date, (Instant::now(), Arc::clone(&day)));
        if days.len() > MOST {
            days.pop_first();
        }
        Ok(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::QuestionCount;

    fn counted(decision: &str, scenario: &str, micros_class: usize, count: u64) -> QuestionCount {
        QuestionCount {
            decision: decision.to_owned(),
            scenario: scenario.to_owned(),
            micros_class,
            count,
        }
    }

    #[test]
    fn a_day_sums_up_what_was_counted() {
        let day = Day::of(&Counted {
            questions: vec![
                counted("answer", "a", 1, 90),
                counted("ask_back", "a", 2, 5),
                counted("refuse", "b", 14, 5),
                counted("of a later version", "", 0, 7),
            ],
            verdicts: vec![
                ("useful".to_owned(), 3),
                ("solved".to_owned(), 1),
                ("useless".to_owned(), 2),
            ],
        });
        assert_eq!((day.questions(), day.with("answer"), day.with("refuse")), (100, 90, 5));
        assert_eq!(day.scenarios, BTreeMap::from([("a".to_owned(), 95)]));
        assert_eq!((day.useful, day.useless), (4, 2));
        let both = Day::sum([&day, &day]);
        assert_eq!((both.questions(), both.useful, both.scenarios["a"]), (200, 8, 190));
    }

    #[test]
    fn the_time_of_a_share_lies_in_its_class() {
        let mut day = Day::default();
        assert_eq!(day.micros_at(500), None);
        day.micros[1] = 90;
        day.micros[3] = 9;
        day.micros[14] = 1;
        assert_eq!(day.micros_at(500), Some(25 + 25 * 50 / 90));
        assert_eq!(day.micros_at(950), Some(75 + 25 * 5 / 9));
        assert_eq!(day.micros_at(1_000), Some(100_000));
    }
}
