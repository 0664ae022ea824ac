//! The keeper: the small process that outlives every other of ours.
//!
//! It is the parent and subreaper of all services of a prefix, writes their leases, holds the FIFOs of their output and the sockets
//! that they listen on, remembers how they ended, and starts the supervisor again within milliseconds when that dies. It has one thread, no runtime and no
//! policy: [`message::Request`] is all that it does. The supervisor may be killed at any time; it learns from [`Request::List`]
//! what runs. If the keeper itself is killed, services go on, and the next keeper takes them over by their leases.
//!
//! ```text
//! run/keeper.lock        held (flock) while it lives; its number is in it
//! run/lease/<s>.json     one a service: machine, boot, process, start time; `<s>.next` is the file for its next one
//! run/<s>.out <s>.err    FIFOs of the service's output; they stay as long as the prefix has the service
//! run/<s>.notify         where it says that it is ready, if that is how it does
//! log/supervisor.log     what keeper and supervisor have to say
//! ```
//!
//! [`Request::List`]: message::Request::List

mod burial;
pub mod child;
mod children;
pub mod fifo;
mod ground;
pub mod group;
mod handover;
pub mod lease;
mod limit;
mod link;
pub mod mark;
pub mod message;
mod notice;
pub mod proc;
mod room;
mod signal;
mod socket;
mod supervisor;
mod task;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use self::handover::State;
use crate::host::{Host, HostError};
use crate::layout::Layout;
use crate::stderr::say;

/// Why the keeper cannot work.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// A file or folder cannot be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A service of this prefix may run on another machine.
    #[error(
        "{service} of this prefix was started on {host} and may run there still; stop it there first \
         (or, if that machine is gone for ever, remove {path})"
    )]
    Elsewhere {
        /// The service.
        service: String,
        /// The machine.
        host: String,
        /// The lease.
        path: PathBuf,
    },
    /// The surroundings cannot be read.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A system call failed.
    #[error("the keeper's {what} failed: {source}")]
    System {
        /// Which.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// The log of keeper and supervisor is put aside when it is longer than this.
const LONG: u64 = 1 << 20;

/// What a keeper says that finds another one.
pub const TAKEN: &str = "another keeper has it";

/// Runs the keeper of the prefix at `root` until it is told to shut down: leaves the session of the caller, takes over what runs, and
/// starts `program internal-supervisor --root ROOT`. Returns at once, well, if another keeper has the prefix, and says [`TAKEN`].
///
/// What it has to say goes to standard error until the supervisor's control socket is there, then to `log/supervisor.log`.
///
/// # Errors
/// If it cannot begin.
pub fn run(root: &Path, program: &Path) -> Result<(), KeeperError> {
    fall_over_panics();
    let mut vars = Host::current()?.vars;
    let left = State::read(&mut vars).map_err(|source| KeeperError::System { what: "taking over", source })?;
    if left.is_none() {
        child::detach().map_err(|source| KeeperError::System { what: "fork", source })?;
    }
    let layout = Layout::new(root);
    for folder in [layout.run(), layout.log()] {
        private_folder(&folder)?;
    }
    let run = at(&layout.run(), fs::canonicalize(layout.run()))?;
    let (left, lock) = match left {
        Some((left, lock)) => (Some(left), Some(lock)),
        None => (None, take_lock(&run.join("keeper.lock"))?),
    };
    let Some(lock) = lock else {
        // To whoever started this one, and may be gone by now.
        say(TAKEN);
        return Ok(());
    };
    private_folder(&lease::folder(&run))?;
    let log = open_log(root)?;
    let keeper = task::Keeper::new((root, program), run, (lock, log), (vars, left));
    let done = keeper.and_then(|mut keeper| keeper.serve());
    // A failure from there on is seen by both, whoever started the keeper and whoever reads its log.
    done.inspect_err(|error| drop(open_log(root).map(|log| writeln!(&log, "keeper: {error}"))))
}

/// Has a panic end the process, in debug builds too: a task that is gone in silence would leave a supervisor that only seems to be
/// well, while one that ends is started again, and its log says why.
pub fn fall_over_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        std::process::abort();
    }));
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, KeeperError> {
    result.map_err(|source| KeeperError::File { path: path.to_owned(), source })
}

fn private_folder(path: &Path) -> Result<(), KeeperError> {
    if path.is_dir() {
        return Ok(());
    }
    at(path, fs::DirBuilder::new().recursive(true).mode(0o700).create(path))
}

/// The process that a keeper's lock names, if it is still known to this machine.
#[must_use]
pub fn holder(lock: &Path) -> Option<proc::Stat> {
    fs::read_to_string(lock).ok()?.trim().parse().ok().and_then(proc::stat)
}

/// The keeper's file lock; `None` if another holds it.
fn take_lock(path: &Path) -> Result<Option<File>, KeeperError> {
    loop {
        let file =
            at(path, OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return at(path, Err(error.into())),
        }
        // A keeper that ends removes its lock: the name must still be this very file.
        let same = fs::metadata(path).is_ok_and(|named| file.metadata().is_ok_and(|own| own.ino() == named.ino()));
        if same {
            at(path, file.set_len(0))?;
            at(path, writeln!(&file, "{}", rustix::process::getpid().as_raw_nonzero()))?;
            return Ok(Some(file));
        }
    }
}

/// Where keeper and supervisor have their log.
fn log_path(root: &Path) -> PathBuf {
    Layout::new(root).log().join("supervisor.log")
}

/// The log of keeper and supervisor; a long one is put aside first.
fn open_log(root: &Path) -> Result<File, KeeperError> {
    let path = log_path(root);
    if fs::metadata(&path).is_ok_and(|facts| facts.len() > LONG) {
        let _ = fs_err::rename(&path, path.with_extension("log.1"));
    }
    at(&path, OpenOptions::new().append(true).create(true).mode(0o600).open(&path))
}
