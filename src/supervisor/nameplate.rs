//! The name of the control socket in its folder. Somebody may remove it, or put something else in its place: nobody would find us then,
//! and services would go on that no command can stop.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

use super::scope::readable;

/// So long after a change it is looked what came of it: who removes the whole folder is not to find something new in it.
const SETTLED: Duration = Duration::from_millis(500);

/// When it is tried again to put it up anew.
const AGAIN: Duration = Duration::from_secs(5);

/// One file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inode {
    device: u64,
    number: u64,
}

/// A name, and the file that is to bear it.
#[derive(Debug)]
pub(super) struct Nameplate {
    path: PathBuf,
    file: Option<Inode>,
    /// Tells when names in the folder change; nothing where the kernel has no more such watches for this user.
    changes: Option<AsyncFd<OwnedFd>>,
    look: Option<Instant>,
}

impl Nameplate {
    /// A name that a file will be given.
    pub(super) fn of(path: &Path) -> Self {
        let changes = path.parent().and_then(|run| watch(run).ok());
        Self { path: path.to_owned(), file: None, changes, look: None }
    }

    /// Which name it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// It was given to this file.
    pub(super) fn is_up(&mut self, file: Inode) {
        self.file = Some(file);
    }

    /// It could not be put up.
    pub(super) fn is_to_wait(&mut self) {
        self.look = Some(Instant::now() + AGAIN);
    }

    /// Waits until the name is another file's, or no one's. Nothing is forgotten if this is given up.
    pub(super) async fn lost(&mut self) {
        loop {
            if let Some(look) = self.look {
                sleep_until(look).await;
                self.look = None;
                if inode(&self.path).ok() != self.file {
                    return;
                }
            }
            let Some(changes) = &self.changes else { return std::future::pending().await };
            let Ok(mut ready) = changes.readable().await else { return std::future::pending().await };
            let is_ours = |name: &std::ffi::CStr| {
                Some(name.to_bytes()) == self.path.file_name().map(|own| own.as_encoded_bytes())
            };
            if let Ok(Ok(true)) = ready.try_io(|changes| has_news(changes.get_ref(), is_ours)) {
                self.look = Some(Instant::now() + SETTLED);
            }
        }
    }
}

fn watch(folder: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let wanted = WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
    inotify::add_watch(&inotify, folder, wanted)?;
    readable(inotify)
}

/// Takes what was told. Whether any of it is about such a name, or about none, as when too much was to be told.
fn has_news(inotify: &OwnedFd, is_ours: impl Fn(&std::ffi::CStr) -> bool) -> io::Result<bool> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(inotify, &mut buffer);
    let (mut has_any, mut has_ours) = (false, false);
    loop {
        match reader.next() {
            Ok(event) => {
                has_any = true;
                has_ours |= event.file_name().is_none_or(&is_ours);
            }
            Err(rustix::io::Errno::WOULDBLOCK) if has_any => return Ok(has_ours),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Which file bears a name.
pub(super) fn inode(path: &Path) -> io::Result<Inode> {
    fs::symlink_metadata(path).map(|facts| Inode { device: facts.dev(), number: facts.ino() })
}
