//! How much memory is kept for later: little while working, and next to nothing by a process that does nothing for months.
#![allow(unsafe_code, reason = "mallopt, madvise and malloc_trim; each block says why it is sound")]

use std::path::Path;
use std::ptr;
use std::time::Duration;

/// When nothing has happened for so long, a process gives back what only its work needed.
pub const QUIET: Duration = Duration::from_millis(500);

/// So much time is between two such times at least.
pub const SELDOM: Duration = Duration::from_secs(10);

/// A freed piece of memory that is larger than this goes back to the system at once.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 << 10;

/// Keeps little of what was freed: threads share two pools of memory, and large pieces go back at once. By default each thread
/// has a pool of its own, and what is "large" grows to 32 MiB with what was freed, so that each pool keeps as much. To be called
/// before other threads begin.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    for (option, value) in [(libc::M_ARENA_MAX, 2), (libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, LARGE)] {
        // SAFETY: takes two numbers and no memory of ours; one that it does not know it refuses.
        unsafe { libc::mallopt(option, value) };
    }
}

/// Gives back the memory of code and constants that only starting needed; what is needed again comes back by itself.
pub fn forget_code() {
    let own = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    if own.as_os_str().is_empty() {
        return;
    }
    let ranges = constants(&std::fs::read_to_string("/proc/self/smaps").unwrap_or_default(), &own);
    #[cfg(target_env = "gnu")]
    // SAFETY: gives free memory back, and touches none that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
    // Last, and by little code: with each page that is needed from here on the kernel brings back sixteen.
    for (from, to) in ranges {
        let start: *mut libc::c_void = ptr::without_provenance_mut(from);
        // SAFETY: these pages are as the program's file has them, and are read from it again when they are needed.
        unsafe { libc::madvise(start, to - from, libc::MADV_DONTNEED) };
    }
}

/// The addresses of a program's own pages that are as its file has them, by `/proc/PID/smaps`.
fn constants(smaps: &str, program: &Path) -> Vec<(usize, usize)> {
    let program = program.display().to_string();
    let (mut found, mut range) = (Vec::new(), None);
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            // A page that was written to has no other place than here.
            ("Anonymous:" | "Swap:", size) if size != "0" => range = None,
            ("VmFlags:", _) => found.extend(range.take()),
            (first, may) => {
                if let Some((from, to)) = first.split_once('-') {
                    let number = |text| usize::from_str_radix(text, 16).ok();
                    let is_constant = !may.contains('w') && line.ends_with(&program);
                    range = number(from).zip(number(to)).filter(|_| is_constant);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::constants;

    #[test]
    fn pages_that_were_written_to_are_kept() {
        let smaps = "1000-3000 r-xp 00000000 fe:00 7 /a/program\nRss: 8 kB\nAnonymous:         0 kB\nSwap: 0 kB\nVmFlags: rd ex\n\
                     3000-4000 r--p 00000000 fe:00 7 /a/program\nAnonymous:         4 kB\nSwap: 0 kB\nVmFlags: rd\n\
                     4000-5000 r--p 00000000 fe:00 7 /a/program\nAnonymous:         0 kB\nSwap: 4 kB\nVmFlags: rd\n\
                     5000-6000 rw-p 00000000 fe:00 7 /a/program\nAnonymous:         0 kB\nSwap: 0 kB\nVmFlags: rd wr\n\
                     6000-7000 r--p 00000000 fe:00 7 /lib/other\nAnonymous:         0 kB\nSwap: 0 kB\nVmFlags: rd\n\
                     7000-9000 r--p 00000000 fe:00 7 /a/program\nAnonymous:         0 kB\nSwap: 0 kB\nVmFlags: rd\n";
        assert_eq!(constants(smaps, Path::new("/a/program")), [(0x1000, 0x3000), (0x7000, 0x9000)]);
    }
}
