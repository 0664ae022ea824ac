//! The life of one service: a pure step from a state and an event to the next state and what is to be done.
//!
//! ```text
//!            Start          Go           Spawned         Answered
//!   Stopped ───────► Waiting ──► Spawning ──────► Starting ───────► Ready
//!      ▲                ▲                            │ Exited,        │
//!      │ Cleared        │ Timer                      ▼ Stop …         ▼
//!      └──── Clearing ◄─┼─ Stopping ◄────────────────┴────────────────┘
//!               │       │
//!               ├────► Backoff      (it is to be started again)
//!               ├────► Failed       (too often, or a data step that ended badly)
//!               └────► Done         (it ended well)
//! ```
//!
//! Whenever a main process is gone, what it left behind is killed (`Clearing`) before anything else happens, so that there are
//! never two of a service. The clock and the dice come from outside: [`Moment`].

use std::time::Duration;

pub use super::life::{Effect, Event, Life, Moment, Next, Phase};
use super::{Kind, ProbeKind, ServiceSpec, signal};

/// The next state and what is to be done.
#[must_use]
pub fn step(life: &Life, spec: &ServiceSpec, event: Event, moment: Moment) -> (Life, Vec<Effect>) {
    let mut turn = Turn { life: life.clone(), effects: Vec::new(), spec, moment };
    turn.take(event);
    (turn.life, turn.effects)
}

/// One step, half-way.
pub(super) struct Turn<'a> {
    pub(super) life: Life,
    pub(super) effects: Vec<Effect>,
    pub(super) spec: &'a ServiceSpec,
    pub(super) moment: Moment,
}

impl Turn<'_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::Adopted { pid, is_ready, restarts } => self.adopted(pid, is_ready, restarts),
            Event::AlreadyDone => self.when(Phase::Waiting, Phase::Done),
            Event::Answered(serial) => self.answered(serial),
            Event::Barred(reason) => self.barred(reason),
            Event::Changed => self.changed(),
            Event::Cleared { killed, left } => self.cleared(killed, &left),
            Event::Exited(exit) => self.exited(exit),
            Event::Explained(exit) => self.explained(exit),
            Event::Go => self.go(),
            Event::Main(pid) => self.life.pid = self.life.pid.and(Some(pid)),
            Event::Notice(notice) => self.notice(notice),
            Event::Restart => self.restart(),
            Event::Spawned(pid) => self.spawned(pid),
            Event::SpawnFailed(reason) => self.spawn_failed(reason),
            Event::Start => self.start(),
            Event::Stop => self.stop(),
            Event::Timer(serial) => self.timer(serial),
            Event::Unwell(serial, reason) => self.unwell(serial, reason),
            Event::Watchdog(serial) => self.watchdog_ended(serial),
        }
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.life.phase = phase;
        self.life.since = self.moment.now;
        self.life.serial += 1;
        self.life.due = None;
        // Whoever was reading its configuration when it fell reads no longer.
        self.life.is_reloading = false;
    }

    fn when(&mut self, from: Phase, to: Phase) {
        if self.life.phase == from {
            self.enter(to);
        }
    }

    pub(super) fn timer_after(&mut self, after: Duration) {
        self.life.due = Some(self.moment.now.saturating_add(after));
        self.effects.push(Effect::Timer(self.life.serial, after));
    }

    /// Begins from the beginning: what was before does not count.
    fn ask(&mut self) {
        self.life.is_wanted = true;
        self.life.has_missed = false;
        self.life.is_proven = false;
        self.life.restarts = 0;
        self.life.unsettled = 0;
        self.life.starts.clear();
        self.life.reason = None;
    }

    fn start(&mut self) {
        let was_wanted = self.life.is_wanted;
        self.life.is_wanted = true;
        match self.life.phase {
            Phase::Backoff | Phase::Done | Phase::Failed | Phase::Stopped => {
                self.ask();
                self.enter(Phase::Waiting);
            }
            Phase::Stopping(Next::Stop) if !was_wanted => {
                self.ask();
                self.life.phase = Phase::Stopping(Next::Start);
            }
            Phase::Clearing(Next::Stop) if !was_wanted => {
                self.ask();
                self.life.phase = Phase::Clearing(Next::Start);
            }
            Phase::Clearing(_)
            | Phase::Ready
            | Phase::Spawning
            | Phase::Starting
            | Phase::Stopping(_)
            | Phase::Waiting => {}
        }
    }

    fn stop(&mut self) {
        self.life.is_wanted = false;
        match self.life.phase {
            Phase::Backoff | Phase::Done | Phase::Failed | Phase::Waiting => {
                self.life.reason = None;
                self.enter(Phase::Stopped);
            }
            Phase::Ready | Phase::Starting => self.end(Next::Stop),
            Phase::Stopping(_) => self.life.phase = Phase::Stopping(Next::Stop),
            Phase::Clearing(_) => self.life.phase = Phase::Clearing(Next::Stop),
            // A process that is being made is stopped once it is there.
            Phase::Spawning | Phase::Stopped => {}
        }
    }

    fn restart(&mut self) {
        match self.life.phase {
            Phase::Ready | Phase::Starting => {
                self.ask();
                self.end(Next::Start);
            }
            Phase::Stopping(_) => {
                self.ask();
                self.life.phase = Phase::Stopping(Next::Start);
            }
            Phase::Clearing(_) => {
                self.ask();
                self.life.phase = Phase::Clearing(Next::Start);
            }
            Phase::Backoff | Phase::Done | Phase::Failed | Phase::Stopped => self.start(),
            Phase::Spawning | Phase::Waiting => self.life.is_wanted = true,
        }
    }

    /// A file that it runs from has changed: whatever was wrong before may be right now.
    fn changed(&mut self) {
        match self.life.phase {
            Phase::Backoff | Phase::Failed => self.start(),
            Phase::Clearing(Next::Retry | Next::Fail) | Phase::Ready | Phase::Starting if self.life.is_wanted => {
                self.restart();
            }
            Phase::Clearing(_)
            | Phase::Done
            | Phase::Ready
            | Phase::Spawning
            | Phase::Starting
            | Phase::Stopped
            | Phase::Stopping(_)
            | Phase::Waiting => {}
        }
    }

    fn go(&mut self) {
        if self.life.phase != Phase::Waiting {
            return;
        }
        let window = self.spec.restart.window;
        let now = self.moment.now;
        self.life.starts.retain(|start| now.saturating_sub(*start) < window);
        self.life.starts.push(now);
        self.life.unsettled += 1;
        self.life.status = None;
        self.life.watchdog = self.spec.watchdog;
        self.enter(Phase::Spawning);
        self.effects.push(Effect::Spawn);
    }

    fn spawned(&mut self, pid: i32) {
        if self.life.phase != Phase::Spawning {
            return;
        }
        self.life.pid = Some(pid);
        if self.life.is_wanted { self.run() } else { self.end(Next::Stop) }
    }

    fn run(&mut self) {
        match (&self.spec.kind, &self.spec.ready) {
            (Kind::Schedule(_) | Kind::Step { .. }, _) => {
                self.enter(Phase::Starting);
                if let Some(longest) = self.spec.timeout {
                    self.timer_after(longest);
                }
            }
            (Kind::Daemon, Some(probe)) => {
                self.enter(Phase::Starting);
                if probe.kind != ProbeKind::Notify {
                    self.effects.push(Effect::ProbeReady(self.life.serial));
                }
                self.timer_after(probe.deadline);
            }
            (Kind::Daemon, None) => self.ready(),
        }
    }

    pub(super) fn ready(&mut self) {
        self.life.reason = None;
        self.life.has_missed = false;
        self.life.is_proven = true;
        self.enter(Phase::Ready);
        if self.spec.live.is_some() {
            self.effects.push(Effect::ProbeLive(self.life.serial));
        }
        self.timer_after(self.spec.restart.settle);
        self.guard();
    }

    fn answered(&mut self, serial: u64) {
        if self.life.phase == Phase::Starting && self.life.serial == serial {
            self.ready();
        }
    }

    fn adopted(&mut self, pid: i32, is_ready: bool, restarts: u32) {
        if self.life.phase != Phase::Stopped {
            return;
        }
        self.life.is_wanted = true;
        self.life.pid = Some(pid);
        self.life.restarts = restarts;
        self.life.watchdog = self.spec.watchdog;
        if is_ready { self.ready() } else { self.run() }
    }

    fn spawn_failed(&mut self, reason: String) {
        if self.life.phase != Phase::Spawning {
            return;
        }
        self.life.reason = Some(reason);
        if self.life.is_wanted {
            let next = if self.spec.kind == Kind::Daemon { Next::Retry } else { Next::Fail };
            self.follow(next);
        } else {
            self.follow(Next::Stop);
        }
    }

    /// Another attempt would end as this one did; of one that was ready, what it lacks may come back as it went.
    fn barred(&mut self, reason: String) {
        if self.life.is_proven || !self.life.is_wanted {
            return self.spawn_failed(reason);
        }
        if self.life.phase == Phase::Spawning {
            self.life.reason = Some(reason);
            self.follow(Next::Fail);
        }
    }

    fn unwell(&mut self, serial: u64, reason: String) {
        if self.life.phase == Phase::Ready && self.life.serial == serial {
            self.life.reason = Some(reason);
            self.end(Next::Retry);
        }
    }

    /// Tells the main process to end.
    fn end(&mut self, next: Next) {
        self.end_by(next, signal::number(&self.spec.stop.signal).unwrap_or(libc::SIGTERM));
    }

    /// The same by another signal than the usual one.
    pub(super) fn end_by(&mut self, next: Next, signal: i32) {
        self.enter(Phase::Stopping(next));
        self.effects.push(Effect::Signal(signal));
        self.timer_after(self.spec.stop.grace);
    }

    fn timer(&mut self, serial: u64) {
        if self.life.serial != serial {
            return;
        }
        match self.life.phase {
            Phase::Backoff => self.enter(Phase::Waiting),
            Phase::Ready => {
                self.life.unsettled = 0;
                self.life.starts.clear();
            }
            Phase::Starting => {
                self.life.has_missed = true;
                let given = self.life.due.unwrap_or_default().saturating_sub(self.life.since).as_secs_f64();
                let (what, next) = match &self.spec.kind {
                    Kind::Schedule(_) | Kind::Step { .. } => ("done", Next::Fail),
                    Kind::Daemon => ("ready", Next::Retry),
                };
                self.life.reason = Some(format!("it was not {what} within {given} s"));
                self.end(next);
            }
            Phase::Stopping(_) => self.effects.push(Effect::KillTree),
            Phase::Clearing(_) | Phase::Done | Phase::Failed | Phase::Spawning | Phase::Stopped | Phase::Waiting => {}
        }
    }
}

#[cfg(test)]
mod tests;
