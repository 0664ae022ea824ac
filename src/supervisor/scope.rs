//! What ends with its owner: tasks, and descriptors that are watched.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

/// Waits on a descriptor's being readable.
#[allow(deprecated, reason = "its doubt is about types that may give away their descriptor; an owned one does not")]
pub(super) fn readable<D: AsRawFd>(descriptor: D) -> io::Result<AsyncFd<D>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}

/// Stops its task when dropped.
#[derive(Debug)]
pub(super) struct Task(JoinHandle<()>);

impl Task {
    /// Starts a task on this thread.
    pub(super) fn spawn(work: impl Future<Output = ()> + 'static) -> Self {
        Self(tokio::task::spawn_local(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
