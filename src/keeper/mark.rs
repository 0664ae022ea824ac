//! The mark that all processes of a service bear, however they fork, and how they are ended.
//!
//! A service's child gets a peculiar hard limit of real-time CPU time (`RLIMIT_RTTIME`, 2^50 + a number made of prefix and
//! service). It is inherited over fork, setsid and exec, survives a cleared environment, and nobody can raise it again without
//! privilege; `/proc/PID/limits` tells it. So a daemonised grandchild is still known as its service's own, and as no other's.
//! A hostile child could lower it: the mark is against accidents.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::proc;
use crate::digest::Digest;

/// How often the tree is looked through for processes that were forked meanwhile.
const ROUNDS: usize = 30;

/// How long one call waits for the killed to be gone.
const GRACE: Duration = Duration::from_millis(100);

/// The mark of a service of the prefix at `root`: different in every prefix of the machine.
#[must_use]
pub fn of(root: &Path, service: &str) -> u64 {
    let digest = Digest::of(format!("{}\0{service}", root.display()));
    let low = digest.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    (1 << 50) | (low & ((1 << 50) - 1))
}

/// All processes of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// Their mark.
    pub mark: u64,
    /// The session of a service that could not be marked (below another marked process the limit cannot be raised).
    pub session: Option<i32>,
}

impl Tree {
    /// The live ones.
    #[must_use]
    pub fn members(self) -> Vec<i32> {
        let alive = |pid: &i32| proc::stat(*pid).is_some_and(|stat| stat.state != 'Z');
        proc::pids().into_iter().filter(|pid| self.holds(*pid)).filter(alive).collect()
    }

    /// Sends a signal to those members that are in a process group. Each is held by a pidfd while its mark is looked at again,
    /// so that a number that was given to somebody else meanwhile is not hit.
    pub fn signal_group(self, group: i32, signal: Signal) {
        for pid in self.members() {
            if proc::stat(pid).is_some_and(|stat| stat.group == group)
                && let Some(handle) = self.handle(pid)
            {
                let _ = pidfd_send_signal(&handle, signal);
            }
        }
    }

    /// Ends all members: stops them until no new one appears, so that none can fork away, then kills them.
    /// Says how many were killed and who is still there (in a system call that cannot be interrupted).
    #[must_use]
    pub fn kill(self) -> (usize, Vec<i32>) {
        self.kill_among(|| self.members())
    }

    /// The same where all members are known to descend from these processes: no other process of the machine is looked at.
    #[must_use]
    pub fn kill_below(self, roots: impl Fn() -> Vec<i32>) -> (usize, Vec<i32>) {
        let is_alive = |pid: &i32| proc::stat(*pid).is_some_and(|stat| stat.state != 'Z');
        self.kill_among(|| {
            let mut found = roots();
            let mut next = 0;
            while let Some(pid) = found.get(next).copied() {
                found.extend(proc::children(pid));
                next += 1;
            }
            found.into_iter().filter(|pid| self.holds(*pid)).filter(is_alive).collect()
        })
    }

    fn kill_among(self, members: impl Fn() -> Vec<i32>) -> (usize, Vec<i32>) {
        let mut held: BTreeMap<i32, OwnedFd> = BTreeMap::new();
        for _ in 0..ROUNDS {
            let fresh: Vec<i32> = members().into_iter().filter(|pid| !held.contains_key(pid)).collect();
            if fresh.is_empty() {
                break;
            }
            for pid in fresh {
                if let Some(handle) = self.handle(pid) {
                    let _ = pidfd_send_signal(&handle, Signal::STOP);
                    held.insert(pid, handle);
                }
            }
        }
        for handle in held.values() {
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
        let end = Instant::now() + GRACE;
        let left = held.iter().filter(|(_, handle)| !gone_by(handle, end)).map(|(pid, _)| *pid).collect();
        (held.len(), left)
    }

    fn holds(self, pid: i32) -> bool {
        proc::realtime_limit(pid) == Some(self.mark)
            || self.session.is_some_and(|session| proc::stat(pid).is_some_and(|stat| stat.session == session))
    }

    /// Holds a member; `None` if it is none.
    pub(super) fn handle(self, pid: i32) -> Option<OwnedFd> {
        let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        self.holds(pid).then_some(handle)
    }
}

fn gone_by(handle: &OwnedFd, end: Instant) -> bool {
    let left = end.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
    matches!(poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&timeout)), Ok(1))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::of;

    #[test]
    fn marks_differ_by_prefix_and_service() {
        let a = of(Path::new("/a"), "web");
        assert!((1 << 50..1 << 51).contains(&a));
        assert_ne!(a, of(Path::new("/b"), "web"));
        assert_ne!(a, of(Path::new("/a"), "db"));
        assert_eq!(a, of(Path::new("/a"), "web"));
    }
}
