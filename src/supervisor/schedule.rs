//! Keeps the times of jobs. One timer of the kernel for all of them, which goes by the wall clock and fires when that is set;
//! between two times nothing wakes up.
//!
//! A job's process lives by the same rules as a service's: at its time it is told to start, and between two runs it rests as one
//! that is done. What is due is decided in [`crate::service::schedule`], what was is kept in [`runs`].

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use jiff::Timestamp;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::core::Core;
use super::entry::Entry;
use super::history;
use super::message::Run;
use super::ops::{self, Failure};
use super::runs::{self, What};
use super::scope::readable;
use crate::digest::Digest;
use crate::layout::Layout;
use crate::name::PartName;
use crate::service::schedule::{self as times, Timetable};
use crate::service::state::{Event, Life, Phase};
use crate::service::{Overlap, Schedule};
use crate::stderr::say;

/// What the supervisor holds of a job that is meant to run.
pub(super) struct Agenda {
    schedule: Schedule,
    timetable: Option<Timetable>,
    /// Up to which time all are dealt with.
    seen: Timestamp,
    /// When it was last looked at.
    looked: Option<Timestamp>,
    wake: Option<Timestamp>,
    /// Runs that are to begin, by number.
    pending: VecDeque<u64>,
    /// The run that begins or goes on.
    open: Option<u64>,
    /// The next start is a run, not the beginning of waiting.
    go: bool,
    number: u64,
    /// The last run that has ended.
    pub last: Option<Box<Run>>,
}

impl Agenda {
    /// What is known of a job's runs; its times count from now if nothing is.
    fn load(layout: &Layout, entry: &Entry, schedule: &Schedule) -> Self {
        let (part, name) = (&entry.spec.part, &entry.spec.name);
        let now = Timestamp::now();
        let mut agenda = Self {
            schedule: schedule.clone(),
            timetable: Timetable::of(schedule).ok(),
            seen: now,
            looked: None,
            wake: None,
            pending: VecDeque::new(),
            open: None,
            go: false,
            number: 0,
            last: None,
        };
        let mut is_armed = false;
        for line in runs::lines(layout, part, name) {
            match line.what {
                What::Armed => (is_armed, agenda.seen) = (true, line.when.parse().unwrap_or(now)),
                What::Stopped => (is_armed, agenda.seen) = (false, now),
                What::Missed { due, .. } => agenda.seen = due.parse().unwrap_or(agenda.seen),
                What::Due { number, due } => {
                    agenda.seen = due.and_then(|due| due.parse().ok()).unwrap_or(agenda.seen);
                    agenda.number = agenda.number.max(number);
                    agenda.pending.push_back(number);
                }
                What::Began { number } => {
                    agenda.pending.retain(|pending| *pending != number);
                    agenda.open = Some(number);
                }
                What::Ended { number, .. } => {
                    agenda.pending.retain(|pending| *pending != number);
                    agenda.open = agenda.open.filter(|open| *open != number);
                }
            }
        }
        agenda.last = runs::read(layout, part, name).into_iter().rfind(|run| run.ok.is_some()).map(Box::new);
        if !is_armed {
            note(layout, entry, What::Armed);
        }
        agenda
    }

    /// When its next run begins.
    pub(super) const fn next(&self) -> Option<Timestamp> {
        self.wake
    }

    fn is_idle(&self) -> bool {
        self.open.is_none() && !self.go
    }

    fn plan(&mut self, layout: &Layout, entry: &Entry, due: Option<Timestamp>) -> u64 {
        self.number += 1;
        self.pending.push_back(self.number);
        note(layout, entry, What::Due { number: self.number, due: due.map(|due| due.to_string()) });
        self.number
    }
}

/// Keeps something of a job; that it cannot be kept stops no run.
fn note(layout: &Layout, entry: &Entry, what: What) {
    if let Err(error) = runs::append(layout, &entry.spec.part, &entry.spec.name, what) {
        say(format_args!("supervisor: the runs of {} cannot be recorded: {error}", entry.spec.name));
    }
}

/// Whether a job that was asked for is to wait for its times.
pub(super) fn is_to_rest(entry: &mut Entry) -> bool {
    entry.spec.kind.schedule().is_some() && !entry.agenda.as_mut().is_some_and(|agenda| std::mem::take(&mut agenda.go))
}

/// A job's life went on: its runs are recorded.
pub(super) fn see_change(layout: &Layout, entry: &mut Entry, before: &Life) {
    let Some(schedule) = entry.spec.kind.schedule().cloned() else { return };
    if !entry.life.is_wanted && entry.agenda.is_none() {
        return;
    }
    let mut agenda = match entry.agenda.take() {
        Some(agenda) => agenda,
        None => Box::new(Agenda::load(layout, entry, &schedule)),
    };
    let is_busy = matches!(entry.life.phase, Phase::Starting | Phase::Stopping(_) | Phase::Clearing(_));
    let has_failed_to_begin = before.phase == Phase::Spawning && !is_busy;
    if agenda.open.is_none() && (entry.life.phase == Phase::Starting || has_failed_to_begin) {
        let number = match agenda.pending.pop_front() {
            Some(number) => number,
            // It was found running, and nobody wrote down why.
            None => {
                let number = agenda.plan(layout, entry, None);
                agenda.pending.clear();
                number
            }
        };
        note(layout, entry, What::Began { number });
        agenda.open = Some(number);
    }
    if let Some(number) = agenda.open.filter(|_| !is_busy && entry.life.phase != Phase::Spawning) {
        let (ok, result) = ending(entry, before);
        note(layout, entry, What::Ended { number, ok, result });
        agenda.open = None;
        agenda.last = runs::read(layout, &entry.spec.part, &entry.spec.name)
            .into_iter()
            .rfind(|run| run.ok.is_some())
            .map(Box::new);
    }
    entry.agenda = Some(agenda).filter(|_| entry.life.is_wanted || is_busy);
}

fn ending(entry: &Entry, before: &Life) -> (bool, String) {
    let how = entry.life.last_exit.map_or_else(String::new, |exit| format!("it {exit}"));
    let was_ended = matches!(before.phase, Phase::Clearing(_) | Phase::Spawning);
    if entry.life.phase == Phase::Done {
        (true, how)
    } else if entry.life.phase == Phase::Failed {
        (false, entry.life.reason.clone().unwrap_or(how))
    } else if entry.life.phase == Phase::Waiting && was_ended {
        (false, "it was stopped: the next run was due".to_owned())
    } else if was_ended {
        (false, "it was stopped".to_owned())
    } else {
        (false, "nobody saw how it ended".to_owned())
    }
}

/// Times of jobs that were stopped by somebody do not count until they are started.
pub(super) fn forget(core: &Core, names: &BTreeSet<PartName>) {
    let mut inner = core.inner.borrow_mut();
    for name in names {
        let Some(entry) = inner.entries.get_mut(name).filter(|entry| entry.spec.kind.schedule().is_some()) else {
            continue;
        };
        if !entry.life.is_wanted {
            entry.agenda = None;
            note(&core.layout, entry, What::Stopped);
        }
    }
}

/// Keeps the times of all jobs, for ever.
pub(super) async fn keep(core: Rc<Core>) {
    let mut clock = None;
    loop {
        let changed = core.changed.notified();
        tokio::pin!(changed);
        // Registered before the look, so that no change falls between.
        changed.as_mut().enable();
        let Some(wake) = look(&core) else {
            changed.await;
            continue;
        };
        let set = match &mut clock {
            Some(clock) => Ok(clock),
            None => Clock::new().map(|made| clock.insert(made)),
        };
        match set.and_then(|clock| clock.set(wake).map(|()| clock)) {
            Ok(clock) => tokio::select! {
                () = changed => {}
                () = clock.passed() => {}
            },
            Err(error) => {
                say(format_args!("supervisor: no timer for jobs: {error}"));
                tokio::time::sleep(std::time::Duration::from_secs(60)).await;
            }
        }
    }
}

/// Begins what is due, and says when to look again.
fn look(core: &Rc<Core>) -> Option<Timestamp> {
    let now = Timestamp::now();
    let names: Vec<PartName> = {
        let inner = core.inner.borrow();
        let armed = inner.entries.values().filter(|entry| entry.agenda.is_some() && entry.life.is_wanted);
        armed.map(|entry| entry.spec.name.clone()).collect()
    };
    for name in &names {
        let begin = core.with(name, |entry| look_at(core, entry, now)).flatten();
        if let Some(event) = begin {
            core.tell(name, event);
        }
    }
    let inner = core.inner.borrow();
    let wakes = inner.entries.values().filter_map(|entry| entry.agenda.as_ref()?.wake);
    wakes.min()
}

/// What a job is to be told now.
fn look_at(core: &Core, entry: &mut Entry, now: Timestamp) -> Option<Event> {
    let mut agenda = entry.agenda.take()?;
    if let Some(schedule) = entry.spec.kind.schedule()
        && *schedule != agenda.schedule
    {
        (agenda.schedule, agenda.timetable, agenda.looked) = (schedule.clone(), Timetable::of(schedule).ok(), None);
    }
    let is_set_back = agenda.looked.is_none_or(|looked| now < looked);
    if is_set_back || agenda.wake.is_some_and(|wake| wake <= now) {
        count(&core.layout, entry, &mut agenda, now);
    }
    agenda.looked = Some(now);
    let rests = matches!(entry.life.phase, Phase::Done | Phase::Failed) && agenda.is_idle();
    let is_in_the_way = entry.life.phase == Phase::Starting && agenda.schedule.overlap == Overlap::Kill;
    agenda.go |= !agenda.pending.is_empty() && (rests || is_in_the_way);
    let event = match (agenda.pending.is_empty(), rests, is_in_the_way) {
        (false, true, _) => Some(Event::Start),
        (false, _, true) => Some(Event::Restart),
        (_, _, _) => None,
    };
    entry.agenda = Some(agenda);
    event
}

/// Finds what is due since the last look.
fn count(layout: &Layout, entry: &Entry, agenda: &mut Agenda, now: Timestamp) {
    let Some(timetable) = &agenda.timetable else {
        agenda.wake = None;
        return;
    };
    let root = layout.root().display().to_string();
    let chance = |time: Timestamp| {
        let digest = Digest::of(format!("{root}\0{}\0{time}", entry.spec.name));
        let low = digest.as_bytes().first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        f64::from(low) / f64::from(u32::MAX)
    };
    let due = times::due(&agenda.schedule, timetable, chance, agenda.seen, now);
    (agenda.seen, agenda.wake) = (due.seen, due.wake);
    let missed = |count, why: &str| {
        let (why, due) = (why.to_owned(), due.seen.to_string());
        history::append(layout, Some(&entry.spec.name), "missed", &format!("{count} times up to {due}: {why}"));
        note(layout, entry, What::Missed { due, count, why });
    };
    if due.missed > 0 {
        missed(due.missed, "nothing was supervised then, or the clock was set");
    }
    let is_idle = agenda.is_idle() && agenda.pending.is_empty();
    match agenda.schedule.overlap {
        Overlap::Skip if due.runs > 0 && !is_idle => {
            missed(due.runs, "the run before still goes on");
        }
        Overlap::Kill | Overlap::Queue | Overlap::Skip => {
            for _ in 0..due.runs {
                agenda.plan(layout, entry, Some(due.seen));
            }
        }
    }
    // One that is always late is not to grow a queue without end.
    while agenda.pending.len() > MOST && agenda.pending.pop_front().is_some() {}
}

/// How many runs may wait.
const MOST: usize = 100;

/// Begins a run of each job that is meant, and waits for their ends.
pub(super) async fn run_now(core: &Rc<Core>, names: &[PartName]) -> Result<(), Failure> {
    ops::refuse_at_the_end(core)?;
    let chosen = jobs(core, names)?;
    let mut begun = Vec::new();
    for name in chosen {
        let number = core.with(&name, |entry| begin(core, entry)).unwrap_or_else(|| Err("it is gone".to_owned()))?;
        core.tell(&name, Event::Start);
        begun.push((name, number));
    }
    for (name, number) in begun {
        let ended = core.until(|inner| {
            let Some(agenda) = inner.entries.get(&name).and_then(|entry| entry.agenda.as_ref()) else {
                return Some(Err("it was stopped".to_owned()));
            };
            let last = agenda.last.as_ref().filter(|last| last.number >= number)?;
            Some(if last.ok == Some(true) { Ok(()) } else { Err(last.result.clone()) })
        });
        if let Err(reason) = ended.await {
            return Err(Failure { reason: format!("{name}: {reason}"), last_lines: core.last_lines(&name) });
        }
    }
    Ok(())
}

/// The jobs that are meant: all names must be of some.
fn jobs(core: &Core, names: &[PartName]) -> Result<Vec<PartName>, Failure> {
    let inner = core.inner.borrow();
    let chosen = inner.choose(names)?;
    let is_job = |name: &&PartName| inner.entries.get(*name).is_some_and(|entry| entry.spec.kind.schedule().is_some());
    let jobs: Vec<PartName> = chosen.iter().filter(is_job).cloned().collect();
    match (jobs.is_empty(), names.first()) {
        (false, Some(_)) => Ok(jobs),
        (_, None) => Err(Failure::from("no job was named".to_owned())),
        (true, Some(name)) => Err(Failure::from(format!(
            "{name} is no job that runs at its times; `jove-install restart {name}` starts it anew"
        ))),
    }
}

/// Plans a run that somebody asked for.
fn begin(core: &Core, entry: &mut Entry) -> Result<u64, String> {
    let name = entry.spec.name.clone();
    let Some(mut agenda) = entry.agenda.take().filter(|_| entry.life.is_wanted) else {
        return Err(format!("{name} is stopped; `jove-install start {name}` makes it wait for its times"));
    };
    let number = if agenda.is_idle() && matches!(entry.life.phase, Phase::Done | Phase::Failed) {
        agenda.go = true;
        agenda.looked = None;
        // Before those that wait for their turn.
        let number = agenda.plan(&core.layout, entry, None);
        agenda.pending.rotate_right(1);
        Ok(number)
    } else {
        Err(format!("a run of {name} goes on already; `jove-install logs -f {name}` shows it"))
    };
    entry.agenda = Some(agenda);
    number
}

/// A timer that goes by the wall clock.
struct Clock(AsyncFd<OwnedFd>);

impl Clock {
    fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        Ok(Self(readable(timer)?))
    }

    /// Sets it to a moment, and to the clock's being set.
    fn set(&self, wake: Timestamp) -> io::Result<()> {
        let nanoseconds = wake.subsec_nanosecond();
        let value = Timespec { tv_sec: wake.as_second(), tv_nsec: nanoseconds.into() };
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(self.0.get_ref(), flags, &Itimerspec { it_interval: none, it_value: value })?;
        Ok(())
    }

    /// Waits for that; that the clock was set is an error of reading.
    async fn passed(&self) {
        loop {
            let Ok(mut ready) = self.0.readable().await else { return };
            let mut count = [0; 8];
            let read = ready.try_io(|timer| rustix::io::read(timer.get_ref(), &mut count).map_err(Into::into));
            if read.is_ok() {
                ready.clear_ready();
                return;
            }
        }
    }
}
