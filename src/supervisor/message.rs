//! What the supervisor says and is told over its control socket: JSON that the command line prints as it is.
//!
//! Unknown fields are ignored when these are read, so that a newer supervisor and an older command line understand each other.

use serde::{Deserialize, Serialize};

use crate::name::PartName;

/// Why all that runs cannot be restarted, where nothing is meant to run.
pub const ALL_STOPPED: &str = "everything is stopped";

/// The state of everything, as `GET /v1/status` answers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// 1.
    pub format: u32,
    /// The supervisor's process.
    pub supervisor: i32,
    /// The keeper's process.
    pub keeper: i32,
    /// The generation whose services are run.
    pub generation: Option<u32>,
    /// The switch that is in progress.
    pub switching: Option<Switching>,
    /// What keeps the supervisor from its work, if anything: a damaged generation, a journal that cannot be read.
    pub problem: Option<String>,
    /// Everything is being stopped for good (by `shutdown`, or a signal to the keeper); nothing starts any more.
    #[serde(default)]
    pub is_ending: bool,
    /// The services, in the order in which they start.
    pub services: Vec<ServiceStatus>,
}

/// A switch in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switching {
    /// The committed generation.
    pub from: Option<u32>,
    /// The one that is tried.
    pub to: u32,
    /// `trial`, `promises` or `back`.
    pub phase: String,
    /// The verb that asked for it.
    pub started_by: String,
}

/// One service's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The service.
    pub name: PartName,
    /// Its part.
    pub part: PartName,
    /// Whether it goes on or ends.
    pub kind: ServiceKind,
    /// Where it is in its life.
    pub state: ServiceState,
    /// Its process, if one runs.
    pub pid: Option<i32>,
    /// Since when it is in this state (RFC 3339, UTC).
    pub since: String,
    /// How often it was started again since it was last asked to start.
    pub restarts: u32,
    /// Where people reach it.
    pub urls: Vec<String>,
    /// Why it is in this state, where that is not plain.
    pub reason: Option<String>,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How it last ended.
    pub last_exit: Option<String>,
    /// When its next run begins (RFC 3339, UTC), if it is a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Its last run that has ended, if it is a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<Box<Run>>,
    /// How long its last probe took, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<f64>,
    /// What it said last, if it has failed; in the answer to `GET /v1/status` alone.
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    pub last_lines: Box<[String]>,
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The job.
    pub service: PartName,
    /// Its number, from 1.
    pub number: u64,
    /// The time that it was due at (RFC 3339, UTC); none if somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Whether it ended well; none while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// How it ended, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub result: String,
}

/// Whether a service goes on or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    /// It goes on until it is stopped.
    Daemon,
    /// A job: it runs at its times.
    Schedule,
    /// A data step.
    Step,
    /// One that only a newer program knows.
    #[serde(other)]
    Unknown,
}

/// Where a service is in its life, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// It waits before it is started again.
    Backoff,
    /// It ended well and is not to be started again (a data step that was done).
    Done,
    /// It was started on another machine and may run there. No supervisor says so, only a look without one.
    Elsewhere,
    /// It ended badly and is not started again by itself.
    Failed,
    /// Its probe has answered; or it has none and was started.
    Ready,
    /// A data step or a job that runs.
    Running,
    /// A job between two runs.
    Scheduled,
    /// It waits for others, or was started and is not ready yet.
    Starting,
    /// It does not run and is not meant to.
    Stopped,
    /// It was told to end.
    Stopping,
    /// It runs, and both its keeper and its supervisor are dead. No supervisor says so, only a look without one.
    Unsupervised,
    /// One that only a newer program knows.
    #[serde(other)]
    Unknown,
}

impl std::fmt::Display for ServiceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Backoff => "backoff",
            Self::Done => "done",
            Self::Elsewhere => "elsewhere",
            Self::Failed => "failed",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Scheduled => "scheduled",
            Self::Starting => "starting",
            Self::Stopped => "stopped",
            Self::Stopping => "stopping",
            Self::Unsupervised => "runs, not supervised",
            Self::Unknown => "unknown",
        })
    }
}

/// One line of the stream that `switch`, `start`, `stop`, `restart`, `reload` and `shutdown` answer with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum SwitchEvent {
    /// Services went back to the former generation.
    BackedOut {
        /// Why.
        reason: String,
        /// The last lines of the service that failed.
        last_lines: Vec<String>,
    },
    /// The generation is the current one.
    Committed {
        /// Its number.
        generation: u32,
    },
    /// The work that was asked for is done.
    Done,
    /// It could not be done.
    Failed {
        /// Why.
        reason: String,
        /// The last lines of the service that failed.
        last_lines: Vec<String>,
    },
    /// A line for people.
    Note {
        /// The line.
        text: String,
    },
    /// A service changed its state.
    Service {
        /// The service.
        service: ServiceStatus,
    },
}

/// How a switch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchOutcome {
    /// Services went back to the former generation.
    BackedOut {
        /// Why.
        reason: String,
        /// The last lines of the service that failed.
        last_lines: Vec<String>,
    },
    /// The generation is the current one.
    Committed,
}

/// How a start, stop, restart or reload ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As was asked.
    Done,
    /// Not as was asked.
    Failed {
        /// Why.
        reason: String,
        /// The last lines of the service that failed.
        last_lines: Vec<String>,
    },
}

/// One entry of the history (`log/events.jsonl`, `GET /v1/events`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When (RFC 3339, UTC).
    pub when: String,
    /// The service that it is about, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<PartName>,
    /// What happened, one word: a state, or `switch`, `commit`, `back`, `adopt`, `supervisor`.
    pub what: String,
    /// The rest, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// The body of `POST /v1/switch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRequest {
    /// The generation to switch to.
    pub to: u32,
    /// The verb that asks.
    pub verb: String,
}

/// The body of `POST /v1/signal`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalRequest {
    /// `HUP`, `USR1` …
    pub signal: String,
    /// Services or parts; empty for all.
    #[serde(default)]
    pub services: Vec<PartName>,
}

/// The body of `POST /v1/start`, `stop`, `restart`, `reload`: names of services or parts; empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicesRequest {
    /// The names.
    #[serde(default)]
    pub services: Vec<PartName>,
}
