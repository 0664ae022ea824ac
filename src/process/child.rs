//! The one unsafe line of this module: what happens between fork and exec.
#![allow(unsafe_code, reason = "pre_exec has no safe form; the closure makes two async-signal-safe system calls")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::Arc;

use crate::exec::BeforeExec;

/// Starts the command in a group of its own, to be killed when the thread that started it ends. What it does to itself before
/// comes last.
///
/// # Errors
/// What starting it fails with.
pub(super) fn start(command: &mut Command, before: Option<Arc<dyn BeforeExec>>) -> io::Result<Child> {
    command.process_group(0);
    let parent = rustix::process::getpid();
    // SAFETY: the closure only calls prctl(2) and getppid(2), which are async-signal-safe, and touches no memory of the parent;
    // and what `BeforeExec` demands of those who implement it.
    #[cfg(target_os = "linux")]
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            // One that died before that has told nobody.
            if rustix::process::getppid() != Some(parent) {
                return Err(rustix::io::Errno::SRCH.into());
            }
            before.as_ref().map_or(Ok(()), |before| before.apply())
        });
    }
    command.spawn()
}
