//! The supervisor's end of the line to the keeper. What is asked goes out at once, so that the keeper is at work on the first
//! service while the second is being prepared; what finds no room waits.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

use crate::keeper::message::{ChildRecord, Inbox, Reply, Request, encode};

/// The keeper is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Asks the keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    writer: OwnedWriteHalf,
    waiting: RefCell<Vec<u8>>,
    more: Notify,
}

impl Keeper {
    /// Asks for something. It is never waited for here.
    pub(super) fn send(&self, request: Request) -> Result<(), Gone> {
        self.waiting.borrow_mut().extend(encode(&request));
        self.flush()?;
        if !self.waiting.borrow().is_empty() {
            self.more.notify_one();
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), Gone> {
        let mut waiting = self.waiting.borrow_mut();
        while !waiting.is_empty() {
            match self.writer.try_write(&waiting) {
                // What one long moment needed is given back.
                Ok(count) if count == waiting.len() => *waiting = Vec::new(),
                Ok(count) => drop(waiting.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }

    /// Waits until the keeper has taken everything.
    pub(super) async fn drain(&self) -> Result<(), Gone> {
        while !self.waiting.borrow().is_empty() {
            self.writer.writable().await.map_err(|_| Gone)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what found no room, for as long as there is a keeper.
    pub(super) async fn keep(self: Rc<Self>) {
        while self.drain().await.is_ok() {
            self.more.notified().await;
        }
    }
}

/// Hears the keeper.
#[derive(Debug)]
pub(super) struct Line {
    reader: OwnedReadHalf,
    inbox: Inbox,
}

/// Both ends of the line.
pub(super) fn open(stream: UnixStream) -> (Line, Rc<Keeper>) {
    let (reader, writer) = stream.into_split();
    let keeper = Rc::new(Keeper { writer, waiting: RefCell::default(), more: Notify::new() });
    tokio::task::spawn_local(Rc::clone(&keeper).keep());
    (Line { reader, inbox: Inbox::default() }, keeper)
}

impl Line {
    /// The next reply. Nothing is lost if this is dropped half-way.
    pub(super) async fn next(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(reply) = self.inbox.take()? {
                return Ok(reply);
            }
            if self.reader.read_buf(self.inbox.room()).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// What the keeper holds, which was asked for.
    pub(super) async fn children(&mut self) -> io::Result<Vec<ChildRecord>> {
        loop {
            // Ends that come before the list are in the list.
            if let Reply::Children(children) = self.next().await? {
                return Ok(children);
            }
        }
    }
}
