//! How a supervisor is reached: by its socket, which must be its user's own, and through a keeper that starts it.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::client::ClientError;
use super::message::Status;
use crate::keeper::{self, TAKEN};
use crate::layout::Layout;

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
pub(super) fn answers(path: &Path) -> Result<bool, ClientError> {
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
        said => Err(ClientError::Start(said.to_owned())),
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
            return Err(ClientError::Silent);
        }
    }
    Ok(())
}

/// A folder that only its owner may enter; one that is there is left as it is.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
