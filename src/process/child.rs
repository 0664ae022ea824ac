//! The one unsafe line of a run: what happens between fork and exec.
#![allow(unsafe_code, reason = "pre_exec has no safe form; the closure makes plain system calls")]

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::Arc;

use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::guard;
use crate::exec::BeforeExec;

/// Starts the command in a group of its own under a guard, so that it ends with this process. What it does to itself before comes
/// last. The child that is returned is the guard, which ends as the command ends.
///
/// # Errors
/// What starting it fails with.
pub(super) fn start(command: &mut Command, before: Option<Arc<dyn BeforeExec>>) -> io::Result<Child> {
    command.process_group(0);
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let starter = own.as_raw_fd();
    // SAFETY: the guard makes plain system calls and touches no memory of the parent, whose descriptor is open until the command
    // is started; and what `BeforeExec` demands of those who implement it.
    unsafe {
        command.pre_exec(move || {
            guard::stand(starter)?;
            before.as_ref().map_or(Ok(()), |before| before.apply())
        });
    }
    command.spawn()
}
