//! The tools that run now, so that Ctrl-C can end them.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// The tool ended.
    Ended,
    /// The user wants everything to end.
    Interrupted,
}

/// The tools that run now.
#[derive(Debug, Default)]
pub struct Running {
    inner: Mutex<Inner>,
    /// Told whenever a tool has gone.
    left: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    interrupted: bool,
    next: u64,
    waiting: BTreeMap<u64, Sender<Word>>,
}

static RUNNING: Running = Running::new();

/// The tools of this process that run now.
#[must_use]
pub fn running() -> &'static Running {
    &RUNNING
}

impl Running {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        let inner = Inner { interrupted: false, next: 0, waiting: BTreeMap::new() };
        Self { inner: Mutex::new(inner), left: Condvar::new() }
    }

    /// Ends every tool that runs (asked first, killed after a moment, or when this is called again) and refuses new ones.
    pub fn interrupt(&self) {
        let mut inner = self.lock();
        inner.interrupted = true;
        for waiting in inner.waiting.values() {
            // A run that has just ended no longer listens.
            let _ = waiting.send(Word::Interrupted);
        }
    }

    /// Whether an end was asked for.
    pub fn is_interrupted(&self) -> bool {
        self.lock().interrupted
    }

    /// Waits until no tool runs; says whether that came true in time.
    pub fn are_gone_within(&self, patience: Duration) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = self.left.wait_timeout_while(inner, patience, |inner| !inner.waiting.is_empty());
        !gone.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Enters a run; `None` after an interrupt.
    pub(super) fn enter(&self, words: Sender<Word>) -> Option<Entry<'_>> {
        let mut inner = self.lock();
        if inner.interrupted {
            return None;
        }
        let number = inner.next;
        inner.next += 1;
        inner.waiting.insert(number, words);
        Some(Entry { running: self, number })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One run's place in the list; leaves it when dropped.
pub(super) struct Entry<'a> {
    running: &'a Running,
    number: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.running.lock().waiting.remove(&self.number);
        self.running.left.notify_all();
    }
}
