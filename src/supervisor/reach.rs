//! How a supervisor is reached: by its socket, which must be its user's own, and through a keeper that starts it.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::change::Changes;
use super::client::ClientError;
use super::message::Status;
use super::socket_path;
use crate::keeper::{self, TAKEN, proc};
use crate::layout::Layout;

/// How long a supervisor may take to answer a question, and to come up.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How long one supervisor may take to follow another.
pub(super) const BETWEEN: Duration = Duration::from_secs(5);

/// How long there may be no keeper while a supervisor is waited for: one that has just begun has not yet written who it is.
const UNKEPT: Duration = Duration::from_secs(2);

/// How many keepers are started one after the other where each finds another that ends.
const TRIES: u32 = 10;

/// A change that was missed is found after this long.
const GLANCE: Duration = Duration::from_millis(100);

/// Where the supervisor of a prefix answers; `None` if none runs, nor comes within `patience` although its keeper is there.
pub(super) fn find(layout: &Layout, patience: Duration) -> Result<Option<PathBuf>, ClientError> {
    let Some(path) = socket_path(layout) else { return Ok(None) };
    if answers(&path)? {
        return Ok(Some(path));
    }
    // Between two supervisors the keeper is there, and starts the next one at this moment. Only then it is watched for: the end of
    // a watch takes ten milliseconds in the kernel, more than all else that is done here.
    let Some(changes) = path.parent().filter(|_| has_keeper(layout)).and_then(|run| Changes::of(run).ok()) else {
        return Ok(None);
    };
    let end = Instant::now() + patience;
    loop {
        // The watch stands before the question, so that no change falls between.
        if answers(&path)? {
            return Ok(Some(path));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || !has_keeper(layout) {
            return Ok(None);
        }
        changes.wait(left.min(GLANCE)).map_err(ClientError::Talk)?;
    }
}

/// Starts keeper and supervisor, detached from this session, and waits until it answers: where. Two that start at once are fine:
/// the keeper's file lock lets one through.
pub(super) fn begin(layout: &Layout, program: &Path) -> Result<PathBuf, ClientError> {
    for folder in [layout.run(), layout.log()] {
        private_folder(&folder).map_err(|error| ClientError::Start(format!("{}: {error}", folder.display())))?;
    }
    // A keeper that was found may have been about to end. With one of our own it is otherwise: somebody ended what we began.
    let mut tries = 1;
    loop {
        let begun = start_keeper(layout, program)?;
        let unkept = if begun == Begun::Ours { UNKEPT } else { UNKEPT / TRIES };
        match await_socket_for(layout, unkept) {
            Err(ClientError::Ended) if begun == Begun::Another && tries < TRIES => tries += 1,
            reached => return reached,
        }
    }
}

/// Waits for a supervisor that is about to come: where it answers.
pub(super) fn await_socket(layout: &Layout) -> Result<PathBuf, ClientError> {
    await_socket_for(layout, UNKEPT)
}

fn await_socket_for(layout: &Layout, unkept: Duration) -> Result<PathBuf, ClientError> {
    let mut kept = Instant::now();
    let end = kept + PATIENCE;
    let run = layout.run().canonicalize().map_err(ClientError::Talk)?;
    let mut changes: Option<Changes> = None;
    loop {
        if let Some(path) = find(layout, BETWEEN)? {
            return Ok(path);
        }
        let now = Instant::now();
        if now >= end {
            return Err(silence(layout, None, PATIENCE));
        }
        if has_keeper(layout) {
            kept = now;
        } else if now - kept > unkept {
            return Err(ClientError::Ended);
        }
        match &changes {
            Some(changes) => changes.wait(GLANCE).map_err(ClientError::Talk)?,
            // The watch stands before the next question, so that no change falls between.
            None => changes = Some(Changes::of(&run).map_err(ClientError::Talk)?),
        }
    }
}

/// Waits until a keeper that ends is gone: until then it takes its last leases away. For a moment at most, and not for one whose
/// supervisor answers and stays.
pub(super) fn await_keepers_end(layout: &Layout) {
    let end = Instant::now() + BETWEEN;
    let Some(Ok(keeper)) = keeper_pid(layout).and_then(Pid::from_raw).map(|pid| pidfd_open(pid, PidfdFlags::empty()))
    else {
        return;
    };
    let glance = Timespec { tv_sec: 0, tv_nsec: GLANCE.subsec_nanos().into() };
    let stays = || super::Client::connect(layout).is_ok_and(|found| found.is_some_and(|client| client.stays()));
    // The number in the lock may be another process's meanwhile.
    while has_keeper(layout) && Instant::now() < end && !stays() {
        let _ = poll(&mut [PollFd::new(&keeper, PollFlags::IN)], Some(&glance));
    }
}

/// The number in the keeper's lock.
fn keeper_pid(layout: &Layout) -> Option<i32> {
    std::fs::read_to_string(layout.run().join("keeper.lock")).ok()?.trim().parse().ok()
}

/// Why nobody has answered within that time: whichever of our processes somebody has stopped, if one is known to be.
pub(super) fn silence(layout: &Layout, supervisor: Option<i32>, patience: Duration) -> ClientError {
    let ours = [("supervisor", supervisor), ("keeper", keeper_pid(layout))];
    let stopped = ours.into_iter().filter_map(|(who, pid)| Some((who, pid?)));
    let mut stopped = stopped.filter(|(_, pid)| proc::stat(*pid).is_some_and(|stat| stat.state == 'T'));
    stopped.next().map_or(ClientError::Silent(patience), |(who, pid)| ClientError::Stopped { who, pid })
}

/// The process at the other end.
pub(super) fn peer(stream: &UnixStream) -> Option<i32> {
    rustix::net::sockopt::socket_peercred(stream).ok().map(|peer| peer.pid.as_raw_nonzero().get())
}

/// Whether a keeper lives that starts a supervisor whenever there is none.
pub(super) fn has_keeper(layout: &Layout) -> bool {
    keeper::holder(&layout.run().join("keeper.lock")).is_some_and(|stat| !stat.is_over())
}

pub(super) fn open(path: &Path) -> Result<UnixStream, ClientError> {
    let failed = |source| ClientError::Connect { path: path.to_owned(), source };
    let stream = UnixStream::connect(path).map_err(failed)?;
    let peer = rustix::net::sockopt::socket_peercred(&stream).map_err(|error| failed(error.into()))?;
    if peer.uid != rustix::process::geteuid() && !peer.uid.is_root() {
        return Err(ClientError::Stranger { path: path.to_owned(), user: peer.uid.as_raw() });
    }
    Ok(stream)
}

/// Whether somebody answers there.
fn answers(path: &Path) -> Result<bool, ClientError> {
    match open(path) {
        Ok(_) => Ok(true),
        Err(ClientError::Connect { source, .. })
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// What came of starting a keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// It begins.
    Ours,
    /// There was one already, which may be about to end.
    Another,
}

/// Runs the keeper's entry, which leaves this session by itself and at once. What it has to say until its supervisor is up
/// comes back over its standard error.
pub(super) fn start_keeper(layout: &Layout, program: &Path) -> Result<Begun, ClientError> {
    let failed = |error: io::Error| ClientError::Start(format!("{}: {error}", program.display()));
    let mut keeper = Command::new(program)
        .arg("internal-keeper")
        .arg("--root")
        .arg(layout.root())
        .current_dir("/")
        // A Ctrl-C of the terminal is meant for whoever starts it, who decides then.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut said = String::new();
    if let Some(mut stderr) = keeper.stderr.take() {
        stderr.read_to_string(&mut said).map_err(failed)?;
    }
    let status = keeper.wait().map_err(failed)?;
    // A signal to the whole group that came before the keeper had a group of its own.
    if matches!(status.signal(), Some(SIGHUP | SIGINT | SIGTERM)) {
        return Err(ClientError::Ended);
    }
    match said.trim() {
        "" if status.success() => Ok(Begun::Ours),
        TAKEN => Ok(Begun::Another),
        "" => Err(ClientError::Start(status.to_string())),
        // It is the same program, and says its errors as such.
        said => Err(ClientError::Start(said.strip_prefix("error: ").unwrap_or(said).to_owned())),
    }
}

/// Supervisor and keeper.
pub(super) fn handles(status: &Status) -> Vec<OwnedFd> {
    let open = |pid| pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok();
    [status.supervisor, status.keeper].into_iter().filter_map(open).collect()
}

/// Waits until they are gone, for each at most so long.
pub(super) fn await_end(handles: &[OwnedFd], patience: Duration) -> Result<(), ClientError> {
    let patience = Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: 0 };
    for handle in handles {
        let ended = poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&patience));
        if !matches!(ended, Ok(1)) {
            return Err(ClientError::Silent(PATIENCE));
        }
    }
    Ok(())
}

/// A folder that only its owner may enter; one that is there is left as it is.
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
