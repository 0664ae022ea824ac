//! What a child does to itself between fork and exec: the seam between who starts programs and who confines them.
#![allow(unsafe_code, reason = "the duty of who implements it cannot be checked by the compiler")]

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
