//! The notify sockets of services. The keeper holds them, so that what a service says while no supervisor runs is not lost.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// The most that is read of one datagram.
const LONGEST: usize = 4096;

/// So many are read before others have their turn.
const AT_ONCE: usize = 32;

/// One service's notify socket.
#[derive(Debug)]
pub(super) struct Ear {
    socket: UnixDatagram,
}

impl Ear {
    /// Opens the socket of a service anew: what was said to a former one is about a former process.
    pub(super) fn open(run: &Path, service: &str) -> io::Result<Self> {
        let path = path(run, service);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// What was said, some of it if it is much.
    pub(super) fn hear(&self) -> Vec<String> {
        let (mut buffer, mut heard) = ([0; LONGEST], Vec::new());
        while let (true, Ok(count)) = (heard.len() < AT_ONCE, self.socket.recv(&mut buffer)) {
            heard.push(String::from_utf8_lossy(&buffer[..count]).into_owned());
        }
        heard
    }
}

impl From<OwnedFd> for Ear {
    fn from(descriptor: OwnedFd) -> Self {
        Self { socket: UnixDatagram::from(descriptor) }
    }
}

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The path of a service's notify socket.
pub(super) fn path(run: &Path, service: &str) -> PathBuf {
    run.join(format!("{service}.notify"))
}
