//! The words of a service's life: where it is, what happens to it, what is to be done. The rules are in [`super::state`].

use std::time::Duration;

use super::Exit;
use super::notice::Notice;

/// Where a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It waits before it is started again.
    Backoff,
    /// Its main process is gone; what that left is killed.
    Clearing(Next),
    /// It ended well.
    Done,
    /// It is given up until somebody asks.
    Failed,
    /// It is ready.
    Ready,
    /// It was asked for and its process is being made.
    Spawning,
    /// Its process runs and is not ready.
    Starting,
    /// It does not run.
    Stopped,
    /// Its process was told to end.
    Stopping(Next),
    /// It waits for what it needs.
    Waiting,
}

/// What follows when a service is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Done,
    /// It has failed.
    Fail,
    /// It ends by itself: how it ends says what follows.
    Judge,
    /// It is started again if its rules allow.
    Retry,
    /// It is started again, whatever its rules say.
    Start,
    /// Nothing.
    Stop,
}

/// A service's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Life {
    /// Where it is.
    pub phase: Phase,
    /// Since when.
    pub since: Duration,
    /// A number for this stay in this phase: timers and probes of former ones are told from it.
    pub serial: u64,
    /// Whether it is meant to run.
    pub is_wanted: bool,
    /// Its main process.
    pub pid: Option<i32>,
    /// How often it was started again.
    pub restarts: u32,
    /// How it last ended.
    pub last_exit: Option<Exit>,
    /// Why it is where it is.
    pub reason: Option<String>,
    /// Whether it missed its deadline since it was last asked for.
    pub has_missed: bool,
    /// Whether it has been ready since it was last asked for.
    pub(super) is_proven: bool,
    /// What it last said of itself (`STATUS=`).
    pub status: Option<String>,
    /// Whether it said in this stay that it reads its configuration again, and has not said yet that it is ready.
    pub is_reloading: bool,
    /// When the timer of this stay ends, where it may be extended.
    pub(super) due: Option<Duration>,
    /// How often it must give a sign of life: what it asked for itself, else what its spec says.
    pub(super) watchdog: Option<Duration>,
    /// Starts within the window.
    pub(super) starts: Vec<Duration>,
    /// Starts in a row that did not last.
    pub(super) unsettled: u32,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It was found running: another supervisor had started it.
    Adopted {
        /// Its main process.
        pid: i32,
        /// Whether it was ready.
        is_ready: bool,
        /// How often it was started again.
        restarts: u32,
    },
    /// It is a data step that was done before.
    AlreadyDone,
    /// Its probe has answered, in the stay of that number.
    Answered(u64),
    /// Its main process cannot be made before somebody changes something.
    Barred(String),
    /// Something that it watches has changed.
    Changed,
    /// What its main process left is gone.
    Cleared {
        /// How many were killed.
        killed: usize,
        /// Who could not be.
        left: Vec<i32>,
    },
    /// It is known by now how a process of it ended, which nobody could see then.
    Explained(Exit),
    /// Its main process has ended.
    Exited(Exit),
    /// What it needs is up.
    Go,
    /// Another of its processes is the main one now.
    Main(i32),
    /// It said something of itself.
    Notice(Notice),
    /// Somebody asks that it be started anew.
    Restart,
    /// Its main process runs.
    Spawned(i32),
    /// Its main process could not be made.
    SpawnFailed(String),
    /// Somebody asks for it.
    Start,
    /// Somebody wants it to end.
    Stop,
    /// The timer of the stay of that number.
    Timer(u64),
    /// Its liveness probe has failed too often, in the stay of that number.
    Unwell(u64, String),
    /// It gave no sign of life in time, in the stay of that number.
    Watchdog(u64),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Kill everything of it, then say [`Event::Cleared`].
    KillTree,
    /// Begin its liveness probe for the stay of that number.
    ProbeLive(u64),
    /// Begin its readiness probe for the stay of that number.
    ProbeReady(u64),
    /// Record that the data step is done.
    Record,
    /// Send a signal to its group.
    Signal(i32),
    /// Make its process, then say [`Event::Spawned`], [`Event::SpawnFailed`] or [`Event::Barred`].
    Spawn,
    /// Say [`Event::Timer`] with that number after that time, and no former one of that number.
    Timer(u64, Duration),
    /// Say [`Event::Watchdog`] with that number after that time, and no former one; never, if there is no time.
    Watchdog(u64, Option<Duration>),
}

/// The clock and the dice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Time since some beginning.
    pub now: Duration,
    /// 0 to 1.
    pub chance: f64,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            phase: Phase::Stopped,
            since: Duration::ZERO,
            serial: 0,
            is_wanted: false,
            pid: None,
            restarts: 0,
            last_exit: None,
            reason: None,
            has_missed: false,
            is_proven: false,
            status: None,
            is_reloading: false,
            due: None,
            watchdog: None,
            starts: Vec::new(),
            unsettled: 0,
        }
    }
}

impl Life {
    /// Whether it is up, so that what needs it may go on.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Done)
    }

    /// Whether none of its processes runs and none is about to.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        matches!(self.phase, Phase::Stopped | Phase::Failed | Phase::Done)
    }
}
