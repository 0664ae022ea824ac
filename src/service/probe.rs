//! What is asked to see that a service is ready, that it is still well, and that a whole site does what it promises.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Headers, seconds};
use crate::name::PartName;
use crate::text::Text;

/// How a service shows that it is well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What is asked.
    #[serde(flatten)]
    pub kind: ProbeKind,
    /// Between two tries.
    #[serde(with = "seconds")]
    pub interval: Duration,
    /// For one try.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// In all, from start to ready; then the start has failed.
    #[serde(with = "seconds")]
    pub deadline: Duration,
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    /// A command that exits with 0, in the service's folder and variables.
    Exec(Vec<Text>),
    /// A GET that answers with the status, with `contains` in its body where that is not empty, and with the header fields that
    /// are expected.
    Http {
        /// `http://host:port/path`.
        url: String,
        /// The expected status; 0 means any from 200 to 399.
        status: u16,
        /// A piece of the body; empty for none.
        contains: String,
        /// Fields of the request; `Host` among them takes the place of the URL's.
        #[serde(default, skip_serializing_if = "Headers::is_empty")]
        headers: Headers,
        /// Fields of the answer, with a piece of each one's value; empty for any.
        #[serde(default, skip_serializing_if = "Headers::is_empty")]
        expect_headers: Headers,
    },
    /// A line of its output that contains this text, since the start.
    Log(String),
    /// It sends `READY=1` to `NOTIFY_SOCKET`.
    Notify,
    /// A TCP address (`127.0.0.1:5000`) that accepts.
    Tcp(String),
    /// A unix socket that accepts.
    Unix(PathBuf),
}

/// Checks while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Liveness {
    /// What is asked.
    pub probe: Probe,
    /// It is restarted after this many failures in a row.
    pub failures: u32,
}

/// A check that must pass after all services are ready; else the switch is backed out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// `<part>: <what>` for people.
    pub name: String,
    /// The part that promises.
    pub part: PartName,
    /// What is asked; its `deadline` bounds all tries.
    pub probe: Probe,
}

impl Probe {
    /// A probe with the usual times.
    #[must_use]
    pub fn new(kind: ProbeKind) -> Self {
        Self {
            kind,
            interval: Duration::from_millis(100),
            timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(60),
        }
    }
}
