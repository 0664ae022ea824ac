//! The keeper's side of the line to the supervisor: never waits, neither for a slow reader nor for the rest of a message.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use super::message::{Inbox, Reply, Request, encode};

/// The supervisor that runs, and the line to it.
#[derive(Debug)]
pub(super) struct Link {
    /// Its process.
    pub pid: i32,
    stream: UnixStream,
    incoming: Inbox,
    outgoing: Vec<u8>,
    /// Whether the other side still listens.
    pub open: bool,
    /// Whether it knows which services there are.
    pub is_told: bool,
}

impl Link {
    /// The line to a supervisor.
    pub(super) fn new(pid: i32, stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { pid, stream, incoming: Inbox::default(), outgoing: Vec::new(), open: true, is_told: false })
    }

    /// Whether something waits to be sent.
    pub(super) fn is_full(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Sends, now or when there is room.
    pub(super) fn send(&mut self, reply: &Reply) {
        self.outgoing.extend(encode(reply));
        self.flush();
    }

    /// Sends what there is room for.
    pub(super) fn flush(&mut self) {
        while self.open && !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                // What one long moment needed is given back.
                Ok(count) if count == self.outgoing.len() => self.outgoing = Vec::new(),
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.open = false,
            }
        }
    }

    /// The requests that have come in whole.
    pub(super) fn requests(&mut self) -> Vec<Request> {
        let mut buffer = [0; 1 << 14];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(count) => {
                    self.incoming.room().extend_from_slice(&buffer[..count]);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.open = false,
            }
            break;
        }
        let mut requests = Vec::new();
        loop {
            match self.incoming.take() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => return requests,
                Err(_) => {
                    self.open = false;
                    return requests;
                }
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
