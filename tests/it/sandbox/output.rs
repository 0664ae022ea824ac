//! [`Output`]: a run that has ended, whose end is still to be asserted; [`Said`]: what it said.

use std::fmt::Write;
use std::io::Read;
use std::ops::Deref;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::filter::filtered;

/// Far more than any test needs: a run that hangs must not hang the suite.
const PATIENCE: Duration = Duration::from_secs(180);

/// A run that has ended. Its end is to be asserted, by which one gets what it [`Said`].
#[must_use = "a run's end is to be asserted: `.success()`, `.code(1)`"]
#[derive(Debug, Clone)]
pub struct Output(Said);

/// What a run said and how it ended.
#[derive(Debug, Clone)]
pub struct Said {
    command: String,
    stdout: String,
    stderr: String,
    status: ExitStatus,
    paths: Vec<(String, &'static str)>,
}

/// An output may be read before its end is asserted.
impl Deref for Output {
    type Target = Said;

    fn deref(&self) -> &Said {
        &self.0
    }
}

impl Output {
    /// Waits for the end of a child whose output is piped, and for the end of its output.
    pub(super) fn wait(mut child: Child, command: String, paths: Vec<(String, &'static str)>) -> Self {
        let pid = child.id();
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let (ended, end) = channel();
        thread::spawn(move || ended.send(child.wait()));
        let status = match end.recv_timeout(PATIENCE) {
            Ok(status) => status.expect("a child can be waited for"),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
                let said = [stdout, stderr].map(|said| said.recv_timeout(Duration::from_secs(5)).unwrap_or_default());
                panic!("{command} did not end in {PATIENCE:?}; it said:\n{}\n{}", said[0], said[1]);
            }
        };
        let whole = |said: Receiver<String>| {
            said.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| {
                panic!("{command} ended ({status}), but a process that it left behind holds its output open")
            })
        };
        let (stdout, stderr) = (whole(stdout), whole(stderr));
        Self(Said { command, stdout, stderr, status, paths })
    }

    /// Asserts that it succeeded.
    #[track_caller]
    pub fn success(self) -> Said {
        self.code(0)
    }

    /// Asserts its exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Said {
        assert_eq!(self.status.code(), Some(code), "{}\n{}", self.command, self.raw());
        self.0
    }

    /// Asserts that its exit code is one of these.
    #[track_caller]
    pub fn either(self, codes: &[i32]) -> Said {
        assert!(self.status.code().is_some_and(|code| codes.contains(&code)), "{}\n{}", self.command, self.raw());
        self.0
    }

    /// Asserts that it was killed by a signal.
    #[track_caller]
    pub fn signal(self, signal: i32) -> Said {
        assert_eq!(self.status.signal(), Some(signal), "{}\n{}", self.command, self.raw());
        self.0
    }
}

impl Said {
    /// What it printed, unchanged.
    #[must_use]
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// What it said beside, unchanged.
    #[must_use]
    pub fn stderr(&self) -> &str {
        &self.stderr
    }

    /// What it printed, as JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(json) => json,
            Err(error) => panic!("{} printed no JSON ({error}):\n{}", self.command, self.raw()),
        }
    }

    /// How it ended.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// All of it in one text for a snapshot, without what differs from run to run.
    #[must_use]
    pub fn text(&self) -> String {
        filtered(&self.raw(), &self.paths)
    }

    /// The same without filters, for eyes.
    fn raw(&self) -> String {
        let mut text = self.stdout.clone();
        for (name, said) in [("stderr", self.stderr.as_str()), ("end", "")] {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push_str("[no newline]\n");
            }
            match (name, self.status.code()) {
                ("stderr", _) => text.push_str("------- stderr -------\n"),
                (_, Some(code)) => drop(writeln!(text, "------- exit {code} -------")),
                (_, None) => drop(writeln!(text, "------- {} -------", self.status)),
            }
            text.push_str(said);
        }
        text
    }
}

/// Reads to the end in a thread of its own, so that a full pipe stops nobody.
fn collect(from: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (said, hear) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        let _ = said.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    hear
}
