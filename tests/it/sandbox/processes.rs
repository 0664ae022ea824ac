//! The processes of a sandbox, found in `/proc`: by their user where that is the sandbox's own, else by the sandbox's folder in
//! their variables, arguments or working folder.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its arguments, with spaces between.
    pub command: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.command)
    }
}

pub(super) fn of(root: &Path, user: Option<u32>) -> Vec<Process> {
    user.map_or_else(|| matching(|folder| names(folder, root)), of_user)
}

pub(super) fn of_user(user: u32) -> Vec<Process> {
    matching(|folder| folder.metadata().is_ok_and(|metadata| metadata.uid() == user) || status_has_user(folder, user))
}

/// Kills them all. Some may be making others meanwhile, so this is repeated until there is none.
pub(super) fn end(root: &Path, user: Option<u32>) {
    for _ in 0..50 {
        let left = of(root, user);
        if left.is_empty() {
            return;
        }
        for process in left {
            let Some(pid) = Pid::from_raw(process.pid) else { continue };
            let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            // The number may have gone to another process since it was listed.
            let still = of(root, user).iter().any(|other| other.pid == process.pid);
            if still && pidfd_send_signal(&handle, Signal::KILL).is_ok() {
                let patience = Timespec { tv_sec: 5, tv_nsec: 0 };
                let _ = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&patience));
            }
        }
    }
    eprintln!("processes of the sandbox {} could not be ended: {:?}", root.display(), of(root, user));
}

fn matching(is_ours: impl Fn(&Path) -> bool) -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let Ok(entries) = fs_err::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<Process> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<i32>().ok()?, entry.path())))
        .filter(|(pid, folder)| *pid != own && is_ours(folder) && !is_zombie(folder))
        .map(|(pid, folder)| {
            let arguments = fs_err::read(folder.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&arguments).trim_end_matches('\0').replace('\0', " ");
            Process { pid, command }
        })
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// Ended, but not yet collected by its parent.
fn is_zombie(folder: &Path) -> bool {
    let stat = fs_err::read_to_string(folder.join("stat")).unwrap_or_default();
    // The name before may hold anything, so the state is what follows the last parenthesis.
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// `/proc/<pid>` of a process that may not be dumped belongs to root, but its status tells.
fn status_has_user(folder: &Path, user: u32) -> bool {
    let status = fs_err::read_to_string(folder.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    line.split_whitespace().any(|word| word == user.to_string())
}

fn names(folder: &Path, root: &Path) -> bool {
    let root_bytes = root.as_os_str().as_encoded_bytes();
    let holds = |name: &str| {
        fs_err::read(folder.join(name))
            .is_ok_and(|bytes| bytes.windows(root_bytes.len()).any(|part| part == root_bytes))
    };
    holds("environ") || holds("cmdline") || fs_err::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd.starts_with(root))
}
