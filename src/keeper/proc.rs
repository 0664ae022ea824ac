//! What `/proc` says of processes: start times, groups, marks; and which machine and boot this is.

use std::fs;
use std::sync::OnceLock;

/// What is read from `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// `R`, `S`, `Z` …
    pub state: char,
    /// The process that made it.
    pub parent: i32,
    /// The process group.
    pub group: i32,
    /// The session.
    pub session: i32,
    /// When it started, in clock ticks since boot: with the boot id this tells a process from a later one of the same number.
    pub start: u64,
    /// Whether it is on its way out: nothing of its program runs any more, though it may still hold what it had.
    pub is_ending: bool,
}

impl Stat {
    /// Whether it does nothing any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_ending || self.state == 'Z'
    }
}

/// The kernel's `PF_EXITING`.
const ENDING: u64 = 4;

/// A live process's [`Stat`].
#[must_use]
pub fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name is in brackets and may hold anything, brackets too.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        is_ending: fields.get(6)?.parse::<u64>().ok()? & ENDING != 0,
    })
}

/// A process's hard limit of real-time CPU time: where the mark is (see [`super::mark`]).
#[must_use]
pub fn realtime_limit(pid: i32) -> Option<u64> {
    parse_limit(&fs::read_to_string(format!("/proc/{pid}/limits")).ok()?)
}

fn parse_limit(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max realtime timeout"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The numbers of all processes.
#[must_use]
pub fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The processes that a process has made and not yet buried.
#[must_use]
pub fn children(pid: i32) -> Vec<i32> {
    let text = match fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")) {
        Ok(text) => text,
        // A kernel without that file.
        Err(_) if stat(pid).is_some() => {
            let is_child = |other: &i32| stat(*other).is_some_and(|stat| stat.parent == pid);
            return pids().into_iter().filter(is_child).collect();
        }
        Err(_) => return Vec::new(),
    };
    text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Which boot of this machine it is.
#[must_use]
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned())
}

/// Which machine this is: homes may be shared by many.
#[must_use]
pub fn machine_id() -> &'static str {
    static MACHINE: OnceLock<String> = OnceLock::new();
    MACHINE.get_or_init(read_machine_id)
}

fn read_machine_id() -> String {
    let id = ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(|path| fs::read_to_string(path).ok());
    match id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Stat, parse_limit, parse_stat, realtime_limit, stat};

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        let text = "12 (a) b (c) S 1 7 8 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(
            parse_stat(text),
            Some(Stat { state: 'S', parent: 1, group: 7, session: 8, start: 4711, is_ending: false })
        );
        // The kernel's flags with PF_EXITING among them: a process that still has its state of before.
        let ending = parse_stat(&text.replace("4194560", "4194564"));
        assert!(ending.is_some_and(|stat| stat.is_ending));
    }

    #[test]
    fn limits_are_read() {
        let text = "Max realtime priority     0   0    \nMax realtime timeout      77    1125899906842625   us\n";
        assert_eq!(parse_limit(text), Some(1_125_899_906_842_625));
        assert_eq!(parse_limit("Max realtime timeout      unlimited  unlimited  us\n"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        assert!(stat(own).is_some_and(|stat| stat.start > 0));
        let _ = realtime_limit(own);
    }
}
