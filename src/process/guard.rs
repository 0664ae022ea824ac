//! The guard: a process between this program and a tool. It waits for the tool and ends as that ended; and when this program is
//! killed, it kills the tool with all that the tool started.
//!
//! A tool that was only bound to its parent's death would leave its own children behind: a server that is tried, a compiler of a
//! build. The guard leads the tool's group, so that it finds them all.
#![allow(unsafe_code, reason = "raw system calls after fork; each block says why it is sound")]

use std::io;
use std::os::fd::RawFd;
use std::ptr;

use crate::exec::{close_from, end_as};

/// Called in a forked child that leads a group: goes on as its child, while itself it stands guard and never returns. `starter`
/// is a descriptor (`pidfd`) of the process that forked.
pub(super) fn stand(starter: RawFd) -> io::Result<()> {
    // SAFETY: takes no argument and cannot fail.
    let guard = unsafe { libc::getpid() };
    // SAFETY: a plain fork without libc's handlers, which could wait for a lock that a thread of the starter held.
    let tool = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    match tool {
        ..0 => Err(io::Error::last_os_error()),
        0 => bind_to(guard),
        // No process has a number beyond this type.
        _ => watch(starter, tool as libc::pid_t),
    }
}

/// Lets this process die with its parent.
fn bind_to(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // One that died before that has told nobody.
    // SAFETY: takes no argument and cannot fail.
    if unsafe { libc::getppid() } != parent {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

/// Waits for the end of the tool or of the starter.
fn watch(starter: RawFd, tool: libc::pid_t) -> ! {
    // SAFETY: plain system calls on numbers and local values.
    unsafe {
        // Who asks the group to end gives the tool time for it.
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        // Whoever reads from the tool must not wait for this process's copies of its pipes.
        let kept = libc::dup2(starter, libc::STDIN_FILENO);
        close_from(1);
        let tool_ends = libc::syscall(libc::SYS_pidfd_open, tool, 0) as RawFd;
        let mut ends = [kept, tool_ends].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        // Without a descriptor of its own its end is not heard, but asked for.
        let patience = if tool_ends < 0 { 100 } else { -1 };
        loop {
            libc::poll(ends.as_mut_ptr(), ends.len() as libc::nfds_t, patience);
            let mut status = 0;
            if libc::wait4(tool, &raw mut status, libc::WNOHANG, ptr::null_mut()) == tool {
                end_as(status);
            }
            if ends[0].revents != 0 {
                // The group, this process among them.
                libc::kill(0, libc::SIGKILL);
            }
        }
    }
}
