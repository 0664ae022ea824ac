//! Where a tool's lines go: the log file, and the last few of them into memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::sync::Mutex;

/// How many last lines are kept for an error.
pub const LAST_LINES: usize = 20;

/// A line longer than this is cut, so that a tool without newlines cannot fill the memory.
const LINE_LIMIT: u64 = 64 * 1024;

/// Takes lines of both streams.
pub(super) struct Tail {
    hidden: Vec<String>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    log: Option<File>,
    last: VecDeque<String>,
}

impl Tail {
    pub(super) fn new(log: Option<File>, hidden: Vec<String>) -> Self {
        Self { hidden, inner: Mutex::new(Inner { log, last: VecDeque::new() }) }
    }

    /// Reads a stream to its end.
    pub(super) fn read(&self, stream: impl Read) {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => self.line(&String::from_utf8_lossy(&line)),
            }
        }
    }

    /// Writes a line that is ours, not the tool's, into the log only.
    pub(super) fn head(&self, line: &str) {
        let line = self.clean(line);
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(log) = inner.log.as_mut() {
            let _ = writeln!(log, "{line}");
        }
    }

    /// Takes one line.
    pub(super) fn line(&self, line: &str) {
        let line = self.clean(line.trim_end_matches(['\n', '\r']));
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A log on a full disk must not end the work that it tells about.
        let gone = inner.log.as_mut().is_some_and(|log| writeln!(log, "{line}").is_err());
        if gone {
            inner.log = None;
        }
        if !line.trim().is_empty() {
            if inner.last.len() == LAST_LINES {
                inner.last.pop_front();
            }
            inner.last.push_back(line);
        }
    }

    pub(super) fn last(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.last.iter().cloned().collect()
    }

    fn clean(&self, line: &str) -> String {
        self.hidden.iter().fold(line.to_owned(), |line, word| line.replace(word.as_str(), "***"))
    }
}
