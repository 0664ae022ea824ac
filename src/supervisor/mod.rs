//! The supervisor: policy, probes, logs and control of one prefix's services.
//!
//! It may be killed at any time: the keeper ([`crate::keeper`]) is the parent of the services and starts another, which learns
//! from the keeper what runs. Nothing that matters is in its memory alone.
//!
//! ```text
//! control    HTTP over run/control.sock ──┐
//! keeper     exits, spawns ───────────────┼──► task ──► core ──► service::state::step ──► effects
//! probes, timers, watches ────────────────┘              │
//! ops, switch, recover: work that takes time, waits on ──┘
//! client, logs, history: what the command line uses; the last two work without a supervisor
//!
//! run/control.sock desired.json supervisor.lock    log/<service>.log[.N[.gz|.zst]] .idx[.N] events.jsonl supervisor.log
//! var/<part>/.steps.jsonl .runs.jsonl
//! ```

mod alarm;
mod change;
pub mod client;
mod control;
mod core;
pub mod desired;
mod done;
mod door;
mod entry;
mod forward;
pub mod history;
mod http;
mod index;
mod inner;
mod last;
mod line;
mod log;
pub mod logs;
pub mod message;
mod metrics;
mod nameplate;
mod ops;
mod overlap;
mod pace;
mod peek;
mod port;
mod probe;
mod pump;
mod reach;
mod recover;
mod reload;
mod request;
pub mod runs;
mod schedule;
mod scope;
mod shelf;
mod socket;
mod spawn;
mod stream;
mod switch;
mod task;
mod undo;
mod upgrade;
pub mod usage;
mod watch;

use std::io;
use std::path::PathBuf;

pub use client::{Client, ClientError};
pub use message::{Event, Outcome, Run, ServiceKind, ServiceState, ServiceStatus, Status, SwitchEvent, SwitchOutcome};
pub use overlap::service_of;
pub use task::run;
pub use usage::Usage;

use crate::layout::Layout;
use crate::text::Secrets;

/// Where the words of secrets come from: `state.toml`, read anew at each start of a service that needs one.
pub type LoadSecrets = fn(&Layout) -> Result<Box<dyn Secrets + Send>, String>;

/// Why the supervisor cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// It cannot begin.
    #[error("the supervisor cannot begin: {0}")]
    Begin(#[source] io::Error),
    /// A file cannot be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody holds the other end of its line.
    #[error("the supervisor is started by the keeper only; `jove-install start` starts both")]
    NoKeeper,
}

/// The control socket's path without links (they may make it too long for a socket); `None` without a run folder.
fn socket_path(layout: &Layout) -> Option<PathBuf> {
    Some(layout.run().canonicalize().ok()?.join("control.sock"))
}
