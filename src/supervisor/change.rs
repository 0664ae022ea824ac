//! Waiting for a change in a folder, blocking: for the client that waits for a socket, and for `logs -f`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// Changes in one folder since this was made.
#[derive(Debug)]
pub(super) struct Changes {
    inotify: OwnedFd,
}

impl Changes {
    /// Watches the names in a folder and the content of its files.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let wanted = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::MODIFY | WatchFlags::DELETE;
        inotify::add_watch(&inotify, folder, wanted)?;
        Ok(Self { inotify })
    }

    /// Waits for a change, at most so long; changes that are there are taken.
    pub(super) fn wait(&self, longest: Duration) -> io::Result<()> {
        let timeout = Timespec::try_from(longest).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        while reader.next().is_ok() {}
        Ok(())
    }
}
