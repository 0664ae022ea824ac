//! What a child does to itself between fork and exec: the seam between who starts programs and who confines them; and how one
//! ends that waits for a program rather than becoming it.
#![allow(
    unsafe_code,
    reason = "the duty of who implements it cannot be checked by the compiler; and raw system calls after fork"
)]

use std::fmt::Debug;
use std::io;

/// Something that a forked child does to itself before it becomes a program.
///
/// # Safety
///
/// [`BeforeExec::apply`] is called in a forked child of a process with many threads. It makes plain system calls on memory that
/// was prepared before the fork: it takes no lock, allocates and frees nothing.
pub unsafe trait BeforeExec: Debug + Send + Sync {
    /// Does it. The child becomes no program if it fails.
    ///
    /// # Errors
    /// What the system call fails with.
    fn apply(&self) -> io::Result<()>;
}

/// Closes this descriptor and all above. For a forked child that becomes no program: whoever reads from its pipes would wait for it.
pub fn close_from(first: u32) {
    /// As far as a kernel before 5.9 is asked one by one.
    const LIKELY: u32 = 4096;
    // SAFETY: plain system calls on numbers.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) != 0 {
            for descriptor in first..LIKELY {
                libc::syscall(libc::SYS_close, descriptor);
            }
        }
    }
}

/// Ends this process as another one ended: with its exit code, or by its signal. For a forked child that became no program.
pub fn end_as(status: i32) -> ! {
    // SAFETY: plain system calls on numbers; never returns.
    unsafe {
        if libc::WIFSIGNALED(status) {
            let signal = libc::WTERMSIG(status);
            // A program that died with a core has written its own.
            libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
            libc::signal(signal, libc::SIG_DFL);
            libc::kill(libc::getpid(), signal);
            // A namespace's init does not die of its own signals: then as shells say it.
            libc::_exit(128 + signal);
        }
        libc::_exit(libc::WEXITSTATUS(status))
    }
}
