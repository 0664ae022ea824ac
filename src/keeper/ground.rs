//! The folder that everything stands on. Whoever removes it (`rm -r`) wants no more of it, services included; without this they
//! would go on for ever, and nobody could reach them.

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// The prefix, or the folder of `supervise`, and its folder of sockets.
#[derive(Debug)]
pub(super) struct Ground {
    folders: [PathBuf; 2],
    /// Tells when something in the first was removed; nothing where the kernel has no more such watches for this user.
    removals: Option<OwnedFd>,
}

impl Ground {
    /// Watches from now on.
    pub(super) fn watch(root: &Path, run: &Path) -> Self {
        let removals = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).and_then(|watch| {
            inotify::add_watch(&watch, root, WatchFlags::DELETE | WatchFlags::DELETE_SELF | WatchFlags::ONLYDIR)?;
            Ok(watch)
        });
        Self { folders: [root.to_owned(), run.to_owned()], removals: removals.ok() }
    }

    /// What to wait for.
    pub(super) fn poll(&self) -> Option<PollFd<'_>> {
        self.removals.as_ref().map(|removals| PollFd::new(removals, PollFlags::IN))
    }

    /// Whether it was removed. Looks only if something was.
    pub(super) fn is_gone(&self) -> bool {
        let Some(removals) = &self.removals else { return false };
        let mut buffer = [MaybeUninit::<u8>::uninit(); 1 << 12];
        let mut has_news = false;
        while rustix::io::read(removals, &mut buffer).is_ok_and(|(told, _)| !told.is_empty()) {
            has_news = true;
        }
        has_news && self.folders.iter().any(|folder| !fs::metadata(folder).is_ok_and(|folder| folder.is_dir()))
    }
}
