//! When a job runs: cron expressions in a time zone, what becomes of times that were missed, and the pure decision from two
//! clock readings to what is due. Nothing here reads a clock.
//!
//! Around a change of summer time a fixed time that does not exist runs at the first moment after it, and one that exists
//! twice runs once; a job of every hour or every few minutes follows the hours as they pass.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::seconds;

/// A time that is noticed so late still counts as kept: the machine was busy, or the supervisor was replaced.
const LATE: SignedDuration = SignedDuration::from_secs(60);

/// A clock that was set back by more than this had been wrong: times are counted anew. By less, none comes twice.
const BACK: SignedDuration = SignedDuration::from_hours(3);

/// No more times than this are counted, nor caught up with, at once.
const MANY: u32 = 100;

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// A cron expression of five fields, of six with seconds before them, or a word such as `@daily`.
    pub at: String,
    /// Its time zone (`Europe/Berlin`); without one, the machine's own.
    #[serde(default)]
    pub zone: Option<String>,
    /// What becomes of times that were missed.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// What happens at a time at which the run before still goes on.
    #[serde(default)]
    pub overlap: Overlap,
    /// Each run is put off by a random part of this, so that not all machines ask one server at once.
    #[serde(default, with = "seconds")]
    pub delay: Duration,
}

/// What becomes of times at which the machine was off or nothing was supervised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// Each is made up for, one run after another.
    All,
    /// They are passed over.
    #[default]
    None,
    /// One run makes up for all of them.
    Once,
}

/// What happens at a time at which the run before still goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// The run before is stopped, then the new one begins.
    Kill,
    /// The new one begins when the run before has ended.
    Queue,
    /// There is no new one.
    #[default]
    Skip,
}

/// Why a schedule is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression is wrong.
    #[error("`{at}` is no cron expression: {reason}; write minute, hour, day, month and weekday, such as `30 3 * * *`")]
    Expression {
        /// As written.
        at: String,
        /// What is wrong.
        reason: String,
    },
    /// It never comes.
    #[error("`{0}` never comes")]
    Never(String),
    /// The zone is not known here.
    #[error("this machine knows no time zone `{0}`; write one such as `Europe/Berlin` or `UTC`")]
    Zone(String),
}

/// A schedule that can be asked for times.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

impl Timetable {
    /// Reads a schedule's expression and zone.
    ///
    /// # Errors
    /// If one of them is wrong.
    pub fn of(schedule: &Schedule) -> Result<Self, ScheduleError> {
        let zone = match &schedule.zone {
            None => TimeZone::system(),
            Some(zone) => TimeZone::get(zone).map_err(|_| ScheduleError::Zone(zone.clone()))?,
        };
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(&schedule.at).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.trim_start_matches("Component error: ").trim_end_matches('.').to_lowercase();
            ScheduleError::Expression { at: schedule.at.clone(), reason }
        })?;
        Ok(Self { cron, zone })
    }

    /// The first time after another.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&after, false).ok().map(|next| next.timestamp())
    }

    /// Checks that it has a time at all after this one.
    ///
    /// # Errors
    /// If it has none.
    pub fn comes_after(&self, moment: Timestamp) -> Result<(), ScheduleError> {
        self.next(moment).map(drop).ok_or_else(|| ScheduleError::Never(self.cron.as_str().to_owned()))
    }
}

/// What is to be done at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// How many runs are to begin.
    pub runs: u32,
    /// How many times are passed over.
    pub missed: u32,
    /// Up to which time all are dealt with.
    pub seen: Timestamp,
    /// When to ask again.
    pub wake: Option<Timestamp>,
}

/// What is due `now`, if all times up to `seen` are dealt with. `chance` gives, for each time, which part (0 to 1) of the random
/// delay is its own.
#[must_use]
pub fn due(
    schedule: &Schedule,
    timetable: &Timetable,
    chance: impl Fn(Timestamp) -> f64,
    seen: Timestamp,
    now: Timestamp,
) -> Due {
    let put_off = |time: Timestamp| {
        let delay = schedule.delay.mul_f64(chance(time).clamp(0.0, 1.0));
        SignedDuration::try_from(delay).ok().and_then(|delay| time.checked_add(delay).ok()).unwrap_or(time)
    };
    let mut seen = if now.duration_since(seen) < -BACK { now } else { seen };
    let (mut count, mut lateness) = (0, None);
    let wake = loop {
        let Some(time) = timetable.next(seen) else { break None };
        let real = put_off(time);
        if real > now {
            break Some(real);
        }
        (count, seen, lateness) = (count + 1, time, Some(now.duration_since(real)));
        if count == MANY {
            // Only the last ones matter from here on.
            let delay = SignedDuration::try_from(schedule.delay).unwrap_or_default();
            seen = seen.max(now.checked_sub(delay + LATE).unwrap_or(seen));
        }
    };
    let count: u32 = count;
    let kept = u32::from(lateness.is_some_and(|late| late <= LATE));
    let runs = match schedule.catch_up {
        CatchUp::All => count.min(MANY),
        CatchUp::None => kept,
        CatchUp::Once => count.min(1),
    };
    Due { runs, missed: count - runs, seen, wake }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
