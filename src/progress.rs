//! What long work reports while it goes on, as data: a face draws it, a test collects it.

use std::sync::Arc;

/// One report. `task` names the work for people (`env`, `numpy-2.1.0-….whl`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A stage of the whole run began (`locking`, `fetching`, `building`, `starting`).
    Stage(String),
    /// Work of a known or unknown number of bytes began.
    Begin {
        /// What is worked on.
        task: String,
        /// Bytes in all, where known.
        total: Option<u64>,
    },
    /// Bytes were done.
    Advance {
        /// What is worked on.
        task: String,
        /// How many more bytes.
        bytes: u64,
    },
    /// Work ended well.
    End {
        /// What was worked on.
        task: String,
    },
    /// A line for people: a retry, a wait for another run, a choice that was made.
    Note(String),
    /// A line that is shown only under `-v`, such as a command that is run.
    Detail(String),
}

/// Takes reports; shared by the threads of a run. Must not block for long.
pub trait Report: Send + Sync {
    /// Takes one report.
    fn report(&self, event: Event);
}

/// A shared [`Report`].
pub type Reporter = Arc<dyn Report>;

/// Hears nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Report for Silent {
    fn report(&self, _event: Event) {}
}

/// A reporter that hears nothing.
#[must_use]
pub fn silent() -> Reporter {
    Arc::new(Silent)
}
