//! What a service says of itself over its notify socket (`sd_notify(3)`), and what follows from it.

use std::time::Duration;

use super::life::{Effect, Next, Phase};
use super::state::Turn;
use super::{Kind, ProbeKind};

/// One thing that a service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// `EXTEND_TIMEOUT_USEC=`: it will take so much longer.
    Extend(Duration),
    /// `MAINPID=`: another of its processes is the main one.
    MainPid(i32),
    /// `READY=1`.
    Ready,
    /// `RELOADING=1`: it reads its configuration again, and says `READY=1` when it has.
    Reloading,
    /// `STATUS=`: a line for people; empty for none.
    Status(String),
    /// `STOPPING=1`: it ends by itself.
    Stopping,
    /// `WATCHDOG=1`: it lives.
    Watchdog,
    /// `WATCHDOG=trigger`: it knows that it is not well.
    WatchdogTrigger,
    /// `WATCHDOG_USEC=`: from now on it gives a sign of life so often; zero for never.
    WatchdogUsec(Duration),
}

/// The most characters of a `STATUS=` that are kept.
const LONGEST: usize = 200;

/// Reads a datagram: a line each, of which unknown ones do not count. `MAINPID` comes first, for it says who speaks, and
/// `READY` after what it may extend.
#[must_use]
pub fn parse(datagram: &str) -> Vec<Notice> {
    let mut notices: Vec<Notice> = datagram.lines().filter_map(parse_line).collect();
    notices.sort_by_key(|notice| !matches!(notice, Notice::MainPid(_)));
    notices
}

fn parse_line(line: &str) -> Option<Notice> {
    let (name, value) = line.split_once('=')?;
    let micros = || value.parse().ok().map(Duration::from_micros);
    match (name, value) {
        ("EXTEND_TIMEOUT_USEC", _) => micros().map(Notice::Extend),
        ("MAINPID", _) => value.parse().ok().filter(|pid| *pid > 1).map(Notice::MainPid),
        ("READY", "1") => Some(Notice::Ready),
        ("RELOADING", "1") => Some(Notice::Reloading),
        ("STATUS", _) => {
            let plain = value.chars().filter(|character| !character.is_control());
            Some(Notice::Status(plain.take(LONGEST).collect()))
        }
        ("STOPPING", "1") => Some(Notice::Stopping),
        ("WATCHDOG", "1") => Some(Notice::Watchdog),
        ("WATCHDOG", "trigger") => Some(Notice::WatchdogTrigger),
        ("WATCHDOG_USEC", _) => micros().map(Notice::WatchdogUsec),
        _ => None,
    }
}

impl Turn<'_> {
    /// It said something of itself.
    pub(super) fn notice(&mut self, notice: Notice) {
        if self.life.pid.is_none() {
            return;
        }
        match notice {
            Notice::Extend(more) => self.extend(more),
            // The keeper's matter: it says so when it has it.
            Notice::MainPid(_) => {}
            Notice::Ready => self.said_ready(),
            Notice::Reloading => self.life.is_reloading = self.life.phase == Phase::Ready,
            Notice::Status(text) => self.life.status = Some(text).filter(|text| !text.is_empty()),
            Notice::Stopping => self.said_stopping(),
            Notice::Watchdog => self.guard(),
            Notice::WatchdogTrigger => self.bite("it said that it is not well".to_owned()),
            Notice::WatchdogUsec(often) => {
                self.life.watchdog = Some(often).filter(|often| !often.is_zero());
                self.guard();
            }
        }
    }

    fn said_ready(&mut self) {
        let waits = self.spec.ready.as_ref().is_some_and(|probe| probe.kind == ProbeKind::Notify);
        match self.life.phase {
            Phase::Starting if waits && self.spec.kind == Kind::Daemon => self.ready(),
            Phase::Ready => self.life.is_reloading = false,
            Phase::Backoff
            | Phase::Clearing(_)
            | Phase::Done
            | Phase::Failed
            | Phase::Spawning
            | Phase::Starting
            | Phase::Stopped
            | Phase::Stopping(_)
            | Phase::Waiting => {}
        }
    }

    /// It needs no signal any more, but its grace runs.
    fn said_stopping(&mut self) {
        if matches!(self.life.phase, Phase::Ready | Phase::Starting) && self.spec.kind == Kind::Daemon {
            self.enter(Phase::Stopping(Next::Judge));
            self.timer_after(self.spec.stop.grace);
        }
    }

    fn extend(&mut self, more: Duration) {
        if let (Phase::Starting | Phase::Stopping(_), Some(due)) = (self.life.phase, self.life.due) {
            let left = due.saturating_sub(self.moment.now);
            if more > left {
                self.timer_after(more);
            }
        }
    }

    /// Gives it time until its next sign of life.
    pub(super) fn guard(&mut self) {
        if self.life.phase == Phase::Ready && (self.life.watchdog.is_some() || self.spec.watchdog.is_some()) {
            self.effects.push(Effect::Watchdog(self.life.serial, self.life.watchdog));
        }
    }

    /// Its time is over.
    pub(super) fn watchdog_ended(&mut self, serial: u64) {
        if let (true, Some(often)) = (self.life.serial == serial, self.life.watchdog) {
            self.bite(format!("it gave no sign of life within {} s", often.as_secs_f64()));
        }
    }

    fn bite(&mut self, reason: String) {
        if self.life.phase == Phase::Ready {
            self.life.reason = Some(reason);
            self.end_by(Next::Retry, libc::SIGABRT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Notice, parse};

    #[test]
    fn lines_are_read_and_unknown_ones_do_not_count() {
        let text =
            "STATUS=half-way \u{7}there\nREADY=1\nX_MINE=1\nMAINPID=12\nMAINPID=1\nMAINPID=x\nWATCHDOG_USEC=2000000";
        assert_eq!(
            parse(text),
            [
                Notice::MainPid(12),
                Notice::Status("half-way there".into()),
                Notice::Ready,
                Notice::WatchdogUsec(Duration::from_secs(2)),
            ]
        );
        assert_eq!(parse("WATCHDOG=1\nWATCHDOG=trigger"), [Notice::Watchdog, Notice::WatchdogTrigger]);
        assert_eq!(parse("READY=0\n\n=\nSTOPPING"), []);
    }
}
