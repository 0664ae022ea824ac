//! What follows when a process of a service has ended: what it left behind is ended too, and then it is started again, or is over.

use std::time::Duration;

use super::life::{Effect, Next, Phase};
use super::restart::{self, Verdict};
use super::state::Turn;
use super::{Exit, Kind};

/// How long after SIGKILL a process that is still there is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Turn<'_> {
    pub(super) fn exited(&mut self, exit: Exit) {
        self.life.last_exit = Some(exit);
        self.life.pid = None;
        let next = match self.life.phase {
            Phase::Stopping(Next::Judge) => {
                self.life.reason = Some(format!("it {exit}"));
                self.after_exit(exit)
            }
            Phase::Stopping(next) => next,
            Phase::Ready | Phase::Starting => {
                self.life.reason = Some(format!("it {exit}"));
                self.after_exit(exit)
            }
            Phase::Backoff
            | Phase::Clearing(_)
            | Phase::Done
            | Phase::Failed
            | Phase::Spawning
            | Phase::Stopped
            | Phase::Waiting => return,
        };
        self.enter(Phase::Clearing(next));
        self.effects.push(Effect::KillTree);
    }

    /// What was decided without that knowledge stays as it is; what is told of it is put right.
    pub(super) fn explained(&mut self, exit: Exit) {
        if self.life.last_exit == Some(Exit::Unknown) {
            self.life.last_exit = Some(exit);
            let reason = self.life.reason.take();
            self.life.reason = reason.map(|reason| reason.replace(&Exit::Unknown.to_string(), &exit.to_string()));
        }
    }

    fn after_exit(&self, exit: Exit) -> Next {
        match (&self.spec.kind, restart::is_wanted(self.spec.restart.policy, exit)) {
            (Kind::Schedule(_) | Kind::Step { .. }, _) if exit.is_success() => Next::Done,
            (Kind::Schedule(_) | Kind::Step { .. }, _) | (Kind::Daemon, Some(Verdict::Fail | Verdict::Burst)) => {
                Next::Fail
            }
            (Kind::Daemon, Some(Verdict::Done)) => Next::Done,
            (Kind::Daemon, None | Some(Verdict::After(_))) => Next::Retry,
        }
    }

    pub(super) fn cleared(&mut self, killed: usize, left: &[i32]) {
        if !left.is_empty() {
            self.life.reason = Some(format!("pid {left:?} hangs in the kernel and cannot be killed yet"));
        }
        match self.life.phase {
            Phase::Clearing(next) => {
                if next == Next::Retry && killed > 0 && self.life.last_exit.is_some_and(Exit::is_success) {
                    self.life.reason = Some(format!(
                        "it exited with 0 and left processes behind ({killed}), which were ended: it must stay in the foreground"
                    ));
                }
                self.follow(next);
            }
            // The main process itself is still there.
            Phase::Stopping(_) => self.timer_after(LOOK_AGAIN),
            Phase::Backoff
            | Phase::Done
            | Phase::Failed
            | Phase::Ready
            | Phase::Spawning
            | Phase::Starting
            | Phase::Stopped
            | Phase::Waiting => {}
        }
    }

    /// Nothing of it runs any more.
    pub(super) fn follow(&mut self, next: Next) {
        match next {
            Next::Done => {
                self.life.reason = None;
                self.enter(Phase::Done);
                if matches!(self.spec.kind, Kind::Step { .. }) {
                    self.effects.push(Effect::Record);
                }
            }
            Next::Fail => self.enter(Phase::Failed),
            Next::Judge | Next::Retry => self.retry(),
            Next::Start => self.enter(Phase::Waiting),
            Next::Stop => {
                self.life.reason = None;
                self.enter(Phase::Stopped);
            }
        }
    }

    fn retry(&mut self) {
        let window = self.spec.restart.window;
        let now = self.moment.now;
        self.life.starts.retain(|start| now.saturating_sub(*start) < window);
        let recent = self.life.starts.len();
        // Somebody waits for one that was never ready, and slow failures would not fill the window in hours.
        let counted = if self.life.is_proven { recent } else { self.life.unsettled as usize };
        match restart::wait(&self.spec.restart, counted, self.life.unsettled, self.moment.chance) {
            Verdict::After(wait) => {
                self.life.restarts += 1;
                if wait.is_zero() {
                    self.enter(Phase::Waiting);
                } else {
                    self.enter(Phase::Backoff);
                    self.timer_after(wait);
                }
            }
            Verdict::Burst | Verdict::Done | Verdict::Fail => {
                let reason = self.life.reason.take().unwrap_or_default();
                let times = if counted == 1 { "once".to_owned() } else { format!("{counted} times") };
                let within = if recent < counted {
                    "and was never ready, so it".to_owned()
                } else {
                    format!("within {} s and", window.as_secs_f64())
                };
                self.life.reason = Some(format!("{reason}; it was started {times} {within} is given up"));
                self.enter(Phase::Failed);
            }
        }
    }
}
