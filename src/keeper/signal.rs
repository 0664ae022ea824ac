//! Signals of the keeper: it reads them from a descriptor, and ignores none but SIGPIPE.
#![allow(unsafe_code, reason = "signalfd and sigaction have no safe form; each block says why it is sound")]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::ptr;

/// Heeds signals that whoever started this process had told it to ignore (as `nohup` does), for children inherit that.
pub(super) fn heed_all() {
    for number in (1..=64).filter(|number| *number != libc::SIGPIPE) {
        // SAFETY: asks for, and sets, how this process takes a signal; the record is a local value.
        unsafe {
            let mut now: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(number, ptr::null(), &raw mut now) == 0 && now.sa_sigaction == libc::SIG_IGN {
                libc::signal(number, libc::SIG_DFL);
            }
        }
    }
}

/// Blocks some signals and gives a descriptor to read them from.
///
/// # Errors
/// What the system calls fail with.
pub(super) fn descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: the set is a local value that the calls fill in; the descriptor is new and owned here.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) < 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            descriptor if descriptor < 0 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// The next signal that has come in, if any.
#[must_use]
pub(super) fn next(descriptor: &OwnedFd) -> Option<i32> {
    let mut record = [0u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(descriptor, &mut record) {
        Ok(count) if count == record.len() => {
            // Its first field is the number.
            record.first_chunk::<4>().map(|number| u32::from_ne_bytes(*number).cast_signed())
        }
        _ => None,
    }
}
