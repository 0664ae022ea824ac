//! Keeps a service's FIFOs empty: one task a stream, which gives way after each batch, and rests where little
//! comes often.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use super::log::Log;
use super::pace::Pace;
use super::scope::{Task, readable};
use crate::keeper::fifo;
use crate::name::PartName;
use crate::service::LogPolicy;
use crate::stderr::Trouble;

/// How many batches are taken at once before a service's last lines are read.
const DRAIN: usize = 64;

/// What a FIFO holds that is found nearly full: its service writes faster than it is read. Lines do not fill its pages to the last byte.
const WIDE: usize = 1 << 20;

/// When it is tried again after what could not be done.
const TROUBLE: Duration = Duration::from_secs(1);

/// The pump of one service.
#[derive(Debug)]
pub(super) struct Pump {
    log: Rc<RefCell<Log>>,
    fifos: Vec<Rc<OwnedFd>>,
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
            let held = Rc::new(fifo::hold(&fifo::path(run, child.as_str(), stream), OFlags::NONBLOCK)?);
            tasks.push(Task::spawn(pump(readable(Rc::clone(&held))?, Rc::clone(&log), number)));
            fifos.push(held);
        }
        Ok(Self { log, fifos, _tasks: tasks })
    }

    /// Takes what is there now, so that what a process said before its end can be read.
    pub(super) fn drain(&self) {
        for (number, fifo) in (0..).zip(&self.fifos) {
            for _ in 0..DRAIN {
                if self.log.borrow_mut().take(fifo, number).is_err() {
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

async fn pump(mut watched: AsyncFd<Rc<OwnedFd>>, log: Rc<RefCell<Log>>, stream: u8) {
    let (mut is_wide, mut pace) = (false, Pace::new(Instant::now()));
    let Ok(mut room) = fcntl_getpipe_size(watched.get_ref()) else { return };
    loop {
        let Ok(mut ready) = watched.readable().await else { return };
        let taken = ready.try_io(|fifo| log.borrow_mut().take(fifo.get_ref(), stream));
        match taken {
            Ok(Ok(moved)) => {
                if moved > room / 4 * 3 && !is_wide {
                    // It is as wide as it can be now, or may not be: no more is to be had.
                    is_wide = true;
                    room = fcntl_setpipe_size(watched.get_ref(), WIDE).unwrap_or(room);
                }
                match pace.rest(moved, room, Instant::now()) {
                    Some(time) => watched = rest(watched, time).await,
                    // There may be more, but others come first.
                    None => tokio::task::yield_now().await,
                }
            }
            Ok(Err(error)) => {
                log.borrow_mut().is_stuck(&error);
                sleep(TROUBLE).await;
            }
            Err(_would_block) => {}
        }
    }
}

/// Leaves a FIFO alone: who writes to one that is watched wakes us with each piece.
async fn rest(watched: AsyncFd<Rc<OwnedFd>>, mut time: Duration) -> AsyncFd<Rc<OwnedFd>> {
    let (fifo, mut trouble) = (watched.into_inner(), Trouble::default());
    loop {
        sleep(time).await;
        match readable(Rc::clone(&fifo)) {
            Ok(watched) => {
                trouble.ends("supervisor: what it writes is watched again");
                return watched;
            }
            Err(error) => trouble.begins(format_args!("supervisor: what a service writes cannot be watched: {error}")),
        }
        time = TROUBLE;
    }
}
