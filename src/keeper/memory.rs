//! What a process that does nothing for months gives back.
#![allow(unsafe_code, reason = "madvise and malloc_trim; each block says why it is sound")]

use std::ptr;
use std::time::Duration;

/// When nothing has happened for so long, a process gives back what only its work needed.
pub const QUIET: Duration = Duration::from_millis(500);

/// So much time is between two such times at least.
pub const SELDOM: Duration = Duration::from_secs(60);

/// Gives back the memory of code and constants that only starting needed; what is needed again comes back by itself.
pub fn forget_code() {
    let text = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let own = std::fs::read_link("/proc/self/exe").unwrap_or_default().display().to_string();
    if own.is_empty() {
        return;
    }
    let mut range = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            // A page that was written to has no other place than here.
            ("Anonymous:" | "Swap:", size) if size != "0" => range = None,
            ("VmFlags:", _) => {
                if let Some((from, to)) = range.take() {
                    let start: *mut libc::c_void = ptr::without_provenance_mut(from);
                    // SAFETY: these pages are as the program's file has them, and are read from it again when they are needed.
                    unsafe { libc::madvise(start, to - from, libc::MADV_DONTNEED) };
                }
            }
            (first, may) => {
                if let Some((from, to)) = first.split_once('-') {
                    let number = |text| usize::from_str_radix(text, 16).ok();
                    let is_constant = !may.contains('w') && line.ends_with(&own);
                    range = number(from).zip(number(to)).filter(|_| is_constant);
                }
            }
        }
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: gives free memory back, and touches none that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
