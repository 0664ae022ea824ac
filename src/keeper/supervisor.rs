//! How the keeper starts the supervisor, and another one when that has ended.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process};

use super::child::{self, Child};
use super::link::Link;
use super::task::Keeper;
use super::{KeeperError, log_path, open_log};
use crate::service::Exit;
use crate::stderr::say;

/// A supervisor that lives shorter than this has died early.
const EARLY: Duration = Duration::from_secs(2);

/// The longest wait between two starts of a supervisor that always dies early.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// After so many early deaths it is said aloud.
const GIVEN_UP: u32 = 4;

impl Keeper {
    /// When the supervisor may be started: at once, unless it has died early again and again.
    pub(super) fn due(&self) -> Instant {
        match self.early_deaths {
            0..=3 => self.started,
            deaths => self.started + LONGEST_WAIT.min(Duration::from_millis(50 << (deaths - 3).min(8))),
        }
    }

    pub(super) fn start_supervisor_if_due(&mut self) -> Result<(), KeeperError> {
        if Instant::now() < self.due() {
            return Ok(());
        }
        self.started = Instant::now();
        // A supervisor that falls again and again must not fill the disk with what it says. No room for another log: the same one.
        if let Ok(log) = open_log(&self.root) {
            self.log = log;
        }
        match self.start_supervisor() {
            Ok(link) => self.link = Some(link),
            Err(error) => {
                self.early_deaths += 1;
                self.say(&format!("starting the supervisor ({}) failed: {error}", self.program.display()));
                if self.early_deaths == 1 {
                    // Whoever started the keeper still waits to hear how it went.
                    return Err(KeeperError::File { path: self.program.clone(), source: error });
                }
            }
        }
        // A test may kill the first supervisor at a checkpoint; its successor must get past it.
        self.vars.remove("JOVE_CHECKPOINT");
        Ok(())
    }

    fn start_supervisor(&self) -> io::Result<Link> {
        let (ours, theirs) = UnixStream::pair()?;
        let program = CString::new(self.program.as_os_str().as_bytes())?;
        let root = CString::new(self.root.as_os_str().as_bytes())?;
        let argv = vec![program, CString::new("internal-supervisor")?, CString::new("--root")?, root];
        let vars = self.vars.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
        let child = Child {
            argv,
            vars: vars.collect::<Result<_, _>>()?,
            sockets: Vec::new(),
            tells_pid: false,
            folder: CString::new("/")?,
            stdio: [theirs.as_fd(), self.log.as_fd(), self.log.as_fd()],
            mark: None,
            limits: vec![(Resource::Nofile, Rlimit { current: self.files.maximum, maximum: self.files.maximum })],
            umask: 0o022,
            nice: None,
            oom: None,
            rules: None,
            entrance: None,
        };
        Link::new(child::spawn(&child, |_| Ok(()))?.pid, ours)
    }

    /// Ends with all that is left, since the folder that it works in is no more.
    pub(super) fn leave(&mut self) {
        self.say("the folder was removed, so everything of it ends");
        self.is_told_to_end = true;
        if let Some(pid) = self.link.as_ref().and_then(|link| Pid::from_raw(link.pid)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    pub(super) fn supervisor_ended(&mut self, exit: Exit) {
        self.link = None;
        if self.is_told_to_end {
            return;
        }
        if self.next.is_some() {
            return;
        }
        self.early_deaths = if self.started.elapsed() < EARLY { self.early_deaths + 1 } else { 0 };
        self.say(&format!("the supervisor {exit}; it is started again"));
        if self.early_deaths == GIVEN_UP {
            // Whoever started the keeper waits for the end of its standard error.
            let log = log_path(&self.root);
            say(format_args!("the supervisor cannot stay up (it {exit}); {} shows why", log.display()));
            let _ = child::redirect_output(self.log.as_fd());
        }
    }
}
