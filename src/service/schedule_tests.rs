//! Tables of times: zones, summer time, clocks that are set, machines that were off.

use std::time::Duration;

use jiff::Timestamp;

use super::{CatchUp, Due, Overlap, Schedule, ScheduleError, Timetable, due};

fn schedule(at: &str) -> Schedule {
    Schedule {
        at: at.to_owned(),
        zone: Some("UTC".to_owned()),
        catch_up: CatchUp::None,
        overlap: Overlap::Skip,
        delay: Duration::ZERO,
    }
}

fn time(text: &str) -> Timestamp {
    let text = if text.len() == 16 { format!("{text}:00Z") } else { format!("{text}Z") };
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn at(schedule: &Schedule, seen: &str, now: &str) -> Due {
    due(schedule, &Timetable::of(schedule).expect("a schedule"), |_| 0.5, time(seen), time(now))
}

fn told(due: &Due) -> (u32, u32, String, String) {
    let short = |time: Timestamp| time.strftime("%d %H:%M").to_string();
    (due.runs, due.missed, short(due.seen), due.wake.map(short).unwrap_or_default())
}

#[track_caller]
fn is(due: &Due, runs: u32, missed: u32, seen: &str, wake: &str) {
    assert_eq!(told(due), (runs, missed, seen.to_owned(), wake.to_owned()));
}

/// The next times in a zone, as UTC.
fn times(at: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let timetable = Timetable::of(&Schedule { zone: Some(zone.into()), ..schedule(at) }).expect("a schedule");
    let mut moment = time(after);
    let next = |_| {
        moment = timetable.next(moment).expect("a next time");
        moment.strftime("%d %H:%M:%S").to_string()
    };
    (0..count).map(next).collect()
}

#[test]
fn expressions_in_their_zones() {
    for (expression, zone, after, expected) in [
        ("30 3 * * *", "UTC", "2026-01-31T04:00", "01 03:30:00"),
        ("30 3 * * *", "Europe/Berlin", "2026-01-31T04:00", "01 02:30:00"),
        ("*/15 * * * *", "UTC", "2026-01-31T04:01", "31 04:15:00"),
        ("*/10 * * * * *", "UTC", "2026-01-31T04:01:05", "31 04:01:10"),
        ("@daily", "UTC", "2026-01-31T04:00", "01 00:00:00"),
        ("0 9 * * MON-FRI", "UTC", "2026-01-30T10:00", "02 09:00:00"),
        ("0 0 L * *", "UTC", "2026-02-10T10:00", "28 00:00:00"),
        ("0 0 29 2 *", "UTC", "2026-02-10T10:00", "29 00:00:00"),
    ] {
        assert_eq!(times(expression, zone, after, 1), [expected], "{expression} {zone}");
    }
}

#[test]
fn summer_time_comes_and_goes() {
    // On 29 March 2026 in Berlin 02:00 is 03:00, at 01:00 UTC.
    assert_eq!(times("30 2 * * *", "Europe/Berlin", "2026-03-28T02:00", 2), ["29 01:00:00", "30 00:30:00"]);
    assert_eq!(
        times("30 * * * *", "Europe/Berlin", "2026-03-29T00:00", 3),
        ["29 00:30:00", "29 01:30:00", "29 02:30:00"]
    );
    // On 25 October 2026 it is 02:30 twice, at 00:30 and at 01:30 UTC.
    assert_eq!(times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2), ["25 00:30:00", "26 01:30:00"]);
    assert_eq!(
        times("30 * * * *", "Europe/Berlin", "2026-10-25T00:00", 3),
        ["25 00:30:00", "25 01:30:00", "25 02:30:00"]
    );
}

#[test]
fn mistakes_are_named() {
    let wrong = |schedule: &Schedule| Timetable::of(schedule).expect_err("wrong");
    assert!(matches!(wrong(&schedule("61 * * * *")), ScheduleError::Expression { .. }));
    assert!(matches!(wrong(&schedule("")), ScheduleError::Expression { .. }));
    let nowhere = Schedule { zone: Some("Mars/Olympus".into()), ..schedule("* * * * *") };
    assert_eq!(wrong(&nowhere), ScheduleError::Zone("Mars/Olympus".into()));
    let never = Timetable::of(&schedule("0 0 30 2 *")).expect("an expression");
    assert_eq!(never.comes_after(time("2026-01-01T00:00")), Err(ScheduleError::Never("0 0 30 2 *".into())));
}

#[test]
fn a_time_is_kept_once() {
    let daily = schedule("0 3 * * *");
    is(&at(&daily, "2026-01-10T12:00", "2026-01-11T02:59:59"), 0, 0, "10 12:00", "11 03:00");
    is(&at(&daily, "2026-01-10T12:00", "2026-01-11T03:00"), 1, 0, "11 03:00", "12 03:00");
    is(&at(&daily, "2026-01-10T12:00", "2026-01-11T03:00:59"), 1, 0, "11 03:00", "12 03:00");
    is(&at(&daily, "2026-01-11T03:00", "2026-01-11T03:00:30"), 0, 0, "11 03:00", "12 03:00");
}

#[test]
fn times_that_were_missed_are_caught_up_with_as_is_said() {
    for (catch_up, runs) in [(CatchUp::None, 0), (CatchUp::Once, 1), (CatchUp::All, 3)] {
        let daily = Schedule { catch_up, ..schedule("0 3 * * *") };
        // Off for three nights; noticed at noon.
        is(&at(&daily, "2026-01-10T12:00", "2026-01-13T12:00"), runs, 3 - runs, "13 03:00", "14 03:00");
    }
    for (catch_up, runs) in [(CatchUp::None, 1), (CatchUp::Once, 1), (CatchUp::All, 3)] {
        let daily = Schedule { catch_up, ..schedule("0 3 * * *") };
        // The same, but noticed at a time of its own: that one is kept in any case, and not doubled.
        is(&at(&daily, "2026-01-10T12:00", "2026-01-13T03:00:10"), runs, 3 - runs, "13 03:00", "14 03:00");
    }
}

#[test]
fn a_year_of_seconds_is_not_counted() {
    let often = Schedule { catch_up: CatchUp::All, ..schedule("* * * * * *") };
    let due = at(&often, "2025-01-10T12:00", "2026-01-10T12:00");
    assert_eq!((due.runs, due.seen), (100, time("2026-01-10T12:00")));
    assert!(due.missed < 200, "{due:?}");
}

#[test]
fn a_clock_that_is_set_forward_has_missed_times() {
    let hourly = schedule("0 * * * *");
    is(&at(&hourly, "2026-01-10T12:00", "2026-01-10T17:30"), 0, 5, "10 17:00", "10 18:00");
    let once = Schedule { catch_up: CatchUp::Once, ..hourly };
    is(&at(&once, "2026-01-10T12:00", "2026-01-10T17:30"), 1, 4, "10 17:00", "10 18:00");
}

#[test]
fn a_clock_that_is_set_back_doubles_nothing() {
    let hourly = schedule("0 * * * *");
    // By two hours: what ran at 12:00 does not run again at 11:00 and 12:00.
    is(&at(&hourly, "2026-01-10T12:00", "2026-01-10T10:05"), 0, 0, "10 12:00", "10 13:00");
    is(&at(&hourly, "2026-01-10T12:00", "2026-01-10T12:00"), 0, 0, "10 12:00", "10 13:00");
    // By a year: the clock had been wrong, and times are counted from now.
    is(&at(&hourly, "2027-01-10T12:00", "2026-01-10T10:05"), 0, 0, "10 10:05", "10 11:00");
}

#[test]
fn each_time_has_its_own_delay() {
    let daily = Schedule { delay: Duration::from_secs(3600), ..schedule("0 3 * * *") };
    is(&at(&daily, "2026-01-10T12:00", "2026-01-11T03:10"), 0, 0, "10 12:00", "11 03:30");
    is(&at(&daily, "2026-01-10T12:00", "2026-01-11T03:30"), 1, 0, "11 03:00", "12 03:30");
}
