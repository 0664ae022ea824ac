//! Keeps a service's FIFOs empty: one task a stream, which gives way after each batch.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::OFlags;
use rustix::pipe::fcntl_setpipe_size;
use tokio::io::unix::AsyncFd;

use super::log::Log;
use super::scope::{Task, readable};
use crate::keeper::fifo;
use crate::name::PartName;
use crate::service::LogPolicy;

/// How many batches are taken at once before a service's last lines are read.
const DRAIN: usize = 64;

/// What a FIFO holds. One that is found full is made wide: its service writes faster than it is read.
const NARROW: usize = 1 << 16;
const WIDE: usize = 1 << 20;

/// The pump of one service.
#[derive(Debug)]
pub(super) struct Pump {
    log: Rc<RefCell<Log>>,
    fifos: Vec<Rc<AsyncFd<OwnedFd>>>,
    _tasks: Vec<Task>,
}

impl Pump {
    /// Starts to pump what the process of that second name writes into the service's log.
    pub(super) fn start(
        run: &Path,
        folder: &Path,
        (service, child): (&PartName, &PartName),
        policy: LogPolicy,
    ) -> io::Result<Self> {
        Self::into(Rc::new(RefCell::new(Log::open(folder, service.as_str(), policy)?)), run, child)
    }

    /// Another pump into the same log, for a process beside the first.
    pub(super) fn beside(&self, run: &Path, child: &PartName) -> io::Result<Self> {
        Self::into(Rc::clone(&self.log), run, child)
    }

    fn into(log: Rc<RefCell<Log>>, run: &Path, child: &PartName) -> io::Result<Self> {
        let (mut fifos, mut tasks) = (Vec::new(), Vec::new());
        for (number, stream) in (0..).zip(fifo::STREAMS) {
            let held = fifo::hold(&fifo::path(run, child.as_str(), stream), OFlags::NONBLOCK)?;
            let held = Rc::new(readable(held)?);
            tasks.push(Task::spawn(pump(Rc::clone(&held), Rc::clone(&log), number)));
            fifos.push(held);
        }
        Ok(Self { log, fifos, _tasks: tasks })
    }

    /// Takes what is there now, so that what a process said before its end can be read.
    pub(super) fn drain(&self) {
        for (number, fifo) in (0..).zip(&self.fifos) {
            for _ in 0..DRAIN {
                if self.log.borrow_mut().take(fifo.get_ref(), number).is_err() {
                    break;
                }
            }
        }
    }

    /// How long the log is.
    pub(super) fn size(&self) -> u64 {
        self.log.borrow().size()
    }

    /// Other rules from now on.
    pub(super) fn set_policy(&self, policy: LogPolicy) {
        self.log.borrow_mut().set_policy(policy);
    }
}

async fn pump(fifo: Rc<AsyncFd<OwnedFd>>, log: Rc<RefCell<Log>>, stream: u8) {
    let mut is_wide = false;
    loop {
        let Ok(mut ready) = fifo.readable().await else { return };
        let taken = ready.try_io(|fifo| log.borrow_mut().take(fifo.get_ref(), stream));
        match taken {
            Ok(Ok(moved)) => {
                if moved >= NARROW && !is_wide {
                    // It is as wide as it can be now, or was before, or may not be: no more is to be had.
                    is_wide = true;
                    let _ = fcntl_setpipe_size(fifo.get_ref(), WIDE);
                }
                // There may be more, but others come first.
                tokio::task::yield_now().await;
            }
            Ok(Err(error)) => {
                eprintln!("supervisor: a log cannot be written: {error}");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            Err(_would_block) => {}
        }
    }
}
