//! `logs` and `events`: what services print, and what the supervisor did and saw. Never wait, need no supervisor.

use std::sync::Arc;

use jiff::Timestamp;

use crate::generation::{self, Manifest};
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::ops::service::choose;
use crate::service::ServiceSpec;
use crate::supervisor::{Run, runs};

/// The services whose lines are wanted.
///
/// # Errors
/// If nothing is installed or a name is unknown.
pub fn services(place: &Place, names: &[String]) -> OpResult<Vec<PartName>> {
    place.installed()?;
    // A first install that failed has no committed generation, and its logs are the ones that are wanted.
    let number = generation::current(&place.layout).or_else(|| generation::manifest::list(&place.layout).pop());
    let Some(number) = number else { return Ok(Vec::new()) };
    let services = Manifest::services(&place.layout, number)?;
    if names.is_empty() {
        return Ok(services.services.iter().map(|spec| spec.name.clone()).collect());
    }
    choose(&services.services, names)
}

/// The runs of jobs, of each the last so many, oldest first. Needs no supervisor.
///
/// # Errors
/// If nothing is installed, or a name is unknown or no job's.
pub fn runs(place: &Place, names: &[String], last: usize) -> OpResult<Vec<Run>> {
    place.installed()?;
    let Some(number) = generation::current(&place.layout) else { return Ok(Vec::new()) };
    let specs = Manifest::services(&place.layout, number)?.services;
    let chosen = choose(&specs, names)?;
    let is_meant = |spec: &&Arc<ServiceSpec>| names.is_empty() || chosen.contains(&spec.name);
    let mut jobs = specs.iter().filter(is_meant).filter(|spec| spec.kind.schedule().is_some()).peekable();
    if let (None, Some(name)) = (jobs.peek(), names.first()) {
        return Err(OpError::usage(format!("`{name}` is no job that runs at its times")));
    }
    let mut runs = Vec::new();
    for spec in jobs {
        let all = runs::read(&place.layout, &spec.part, &spec.name);
        runs.extend_from_slice(&all[all.len().saturating_sub(last)..]);
    }
    Ok(runs)
}

/// When a run of a job began and ended.
///
/// # Errors
/// If there is no such run of one job.
pub fn span_of_run(place: &Place, names: &[String], number: u64) -> OpResult<(Option<Timestamp>, Option<Timestamp>)> {
    let found: Vec<Run> = runs(place, names, usize::MAX)?.into_iter().filter(|run| run.number == number).collect();
    let [run] = found.as_slice() else {
        return Err(OpError::usage(format!("--run {number}: there are {} such runs", found.len()))
            .hint("name one job; `jove-install runs` lists them"));
    };
    let moment = |text: &Option<String>| text.as_ref()?.parse::<Timestamp>().ok();
    Ok((moment(&run.began), moment(&run.ended)))
}

/// A moment that `--since` names: a time (RFC 3339), or how long ago (`10m`, `2h`, `1d`).
///
/// # Errors
/// If it is neither.
pub fn moment(text: &str, now: jiff::Timestamp) -> OpResult<jiff::Timestamp> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment);
    }
    let (count, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86400),
        _ => None,
    };
    let span = seconds.and_then(|seconds| count.parse::<i64>().ok()?.checked_mul(seconds));
    let moment = span.and_then(|span| now.checked_sub(jiff::SignedDuration::from_secs(span)).ok());
    moment.ok_or_else(|| {
        OpError::usage(format!("--since {text}: no time")).hint("write 90s, 10m, 2h, 1d, or 2026-01-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_spans_and_times() {
        let now = jiff::Timestamp::from_second(1_000_000).expect("in range");
        for (text, seconds) in [("90s", 999_910), ("10m", 999_400), ("1d", 913_600), ("1970-01-01T00:00:05Z", 5)] {
            assert_eq!(moment(text, now).expect(text).as_second(), seconds, "{text}");
        }
        for wrong in ["", "m", "10", "tenm", "10y", "99999999999999999999d", "é"] {
            assert!(moment(wrong, now).is_err(), "{wrong}");
        }
    }
}
