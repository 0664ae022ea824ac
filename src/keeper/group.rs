//! Control groups of services, where the kernel's tree of them is delegated to us; [`crate::service::group`] decides that.
//!
//! ```text
//! <delegated>/jove-<prefix>/<service>   all processes of a service, whatever they fork: ended by one write
//! <delegated>/jove-<prefix>/jove.self   keeper and supervisor, where there are controllers to share out
//! ```
//!
//! A service's mark ([`super::mark`]) is there all the same: what a group cannot do is done without it.

use std::ffi::{CStr, CString, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, Mode, OFlags, access, open};

use super::mark;
use crate::service::group::{self, Facts, OWN, Totals, Use};

/// How long one call waits for the killed to be gone.
const GRACE: Duration = Duration::from_millis(100);

/// The groups of this prefix's services.
#[derive(Debug)]
pub(super) struct Groups {
    /// Where they are made, or why nowhere.
    base: Result<PathBuf, String>,
    /// What was divided.
    parent: PathBuf,
    /// The controllers that they have, or why none.
    controllers: Result<Vec<String>, String>,
}

/// The group of a service that is about to be made.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Its folder; none without groups.
    pub folder: Option<PathBuf>,
    /// What nothing sees to here, for people.
    pub missing: Option<String>,
}

impl Groups {
    /// Finds out what may be done, and prepares it.
    pub(super) fn begin(root: &Path) -> Self {
        let nothing = |reason: &str| Self {
            base: Err(reason.to_owned()),
            parent: PathBuf::new(),
            controllers: Err(reason.to_owned()),
        };
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let Some(folder) = folder_of(own) else {
            return nothing("this machine has no control groups of the second kind");
        };
        match group::decide(&facts(folder), &name(root)) {
            Use::Nothing(reason) => nothing(reason),
            Use::Groups { base, parent, controllers } => {
                let shared = match controllers {
                    Ok(wanted) => share(&parent, &base, &wanted),
                    Err(reason) => Err(reason.to_owned()),
                };
                Self { base: Ok(base), parent, controllers: shared }
            }
        }
    }

    /// Makes the group of a service, with its limits. A limit that nothing sees to here is named, and no reason not to start.
    ///
    /// # Errors
    /// If a limit is refused, in words.
    pub(super) fn make(&self, service: &str, totals: &Totals) -> Result<Place, String> {
        let made = self.base.as_ref().map_err(Clone::clone).and_then(|base| {
            let folder = base.join(service);
            let made =
                fs::create_dir_all(&folder).map_err(|error| format!("its control group cannot be made: {error}"));
            made.map(|()| folder)
        });
        let folder = match made {
            Ok(folder) => folder,
            Err(reason) => return Ok(Place { folder: None, missing: unseen(totals, |_| Some(reason.clone())) }),
        };
        let lacks = |controller: &str| match &self.controllers {
            Ok(known) if known.iter().any(|one| one == controller) => None,
            Ok(_) => Some(format!("there is no controller `{controller}` here")),
            Err(reason) => Some(reason.clone()),
        };
        for setting in totals.settings().iter().filter(|setting| lacks(setting.controller).is_none()) {
            fs::write(folder.join(setting.file), &setting.value)
                .map_err(|error| format!("its limit `{}` of {} cannot be set: {error}", setting.word, setting.value))?;
        }
        Ok(Place { folder: Some(folder), missing: unseen(totals, lacks) })
    }

    /// Removes everything of this prefix, and goes back where the keeper came from.
    pub(super) fn end(&self) {
        let Ok(base) = self.base.as_ref().map(PathBuf::as_path) else { return };
        if !base.join(OWN).exists() {
            return remove_all(base);
        }
        // Processes may be where the controllers are only once they are not divided any more.
        for folder in [base, self.parent.as_path()] {
            for controller in group::CONTROLLERS {
                let _ = fs::write(folder.join("cgroup.subtree_control"), format!("-{controller}"));
            }
        }
        for pid in pids(&base.join(OWN)) {
            let _ = fs::write(self.parent.join("cgroup.procs"), pid.to_string());
        }
        remove_all(base);
    }
}

/// Names the limits that nobody sees to.
fn unseen(totals: &Totals, lacks: impl Fn(&str) -> Option<String>) -> Option<String> {
    let settings = totals.settings();
    let mut missing = settings.iter().filter(|setting| setting.is_wanted).filter_map(|setting| {
        Some(format!("nothing sees to its limit `{}`: {}", setting.word, lacks(setting.controller)?))
    });
    let first = missing.next()?;
    Some(missing.fold(first, |all, one| format!("{all}; {one}")))
}

/// Where processes enter a group.
pub(super) fn entrance(folder: &Path) -> io::Result<CString> {
    Ok(CString::new(folder.join("cgroup.procs").as_os_str().as_bytes())?)
}

/// Has this process go into a group, by its entrance. A child does so before its program runs, and so takes no memory.
pub(super) fn enter(entrance: &CStr) -> rustix::io::Result<()> {
    let processes = open(entrance, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&processes, b"0").map(drop)
}

/// The name of a prefix's groups.
fn name(root: &Path) -> String {
    // No service has an empty name.
    format!("jove-{:x}", mark::of(root, ""))
}

/// Whether a folder, of which a lease says so, is the group of that service of this prefix.
pub(super) fn is_of(folder: &Path, root: &Path, service: &str) -> bool {
    let base = folder.parent().and_then(Path::file_name);
    folder.file_name().is_some_and(|last| last == service) && base.is_some_and(|last| *last == *name(root))
}

/// The folder of a process's group.
fn folder_of(pid: i32) -> Option<PathBuf> {
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    group::folder(&cgroup, &fs::read_to_string("/proc/self/mountinfo").ok()?)
}

/// The group that a process of a service of this prefix was given, if any.
#[must_use]
pub fn of_process(root: &Path, pid: i32) -> Option<PathBuf> {
    let base = name(root);
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok().filter(|text| text.contains(&base))?;
    let folder = group::folder(&cgroup, &fs::read_to_string("/proc/self/mountinfo").ok()?)?;
    let is_in_base = |folder: &&Path| folder.parent().and_then(Path::file_name).is_some_and(|last| *last == *base);
    // Its service may have divided its group itself.
    folder.ancestors().find(is_in_base).map(Path::to_owned)
}

fn facts(folder: PathBuf) -> Facts {
    let may = |file: &str, wanted| access(folder.join(file), wanted).is_ok();
    let is_writable = may("", Access::WRITE_OK)
        && may("cgroup.procs", Access::WRITE_OK)
        && may("cgroup.subtree_control", Access::WRITE_OK);
    // By its name: whoever started the keeper may be another copy of this program than the one that its prefix keeps.
    let program = program_name("self");
    let is_ours = |pid: &i32| program_name(&pid.to_string()) == program;
    Facts {
        is_machine: !folder.join("cgroup.type").exists(),
        is_writable,
        is_ours_alone: program.is_some() && pids(&folder).iter().all(is_ours),
        controllers: words(&folder.join("cgroup.controllers")),
        folder,
    }
}

fn program_name(process: &str) -> Option<OsString> {
    fs::read_link(format!("/proc/{process}/exe")).ok()?.file_name().map(ToOwned::to_owned)
}

fn words(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
}

/// The processes of a group, without those of groups below it.
fn pids(folder: &Path) -> Vec<i32> {
    words(&folder.join("cgroup.procs")).iter().filter_map(|word| word.parse().ok()).collect()
}

/// Shares controllers out among the groups below `base`: whoever is in `parent`, all of this program, goes aside first.
fn share(parent: &Path, base: &Path, wanted: &[String]) -> Result<Vec<String>, String> {
    let own = base.join(OWN);
    let failed = |error: io::Error| format!("the controllers of the control group cannot be shared out: {error}");
    fs::create_dir_all(&own).map_err(failed)?;
    for pid in pids(parent) {
        // One that has ended meanwhile needs no place.
        let _ = fs::write(own.join("cgroup.procs"), pid.to_string());
    }
    for folder in [parent, base] {
        for controller in wanted {
            fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}")).map_err(failed)?;
        }
    }
    Ok(wanted.to_vec())
}

/// Ends all processes of a group and of those below it, at once, so that none can fork away. Says how many there were, and who
/// is still there.
pub(super) fn kill(folder: &Path) -> (usize, Vec<i32>) {
    let found = all_pids(folder);
    if found.is_empty() || fs::write(folder.join("cgroup.kill"), "1").is_err() {
        // A kernel before 5.14: the mark serves.
        return (0, Vec::new());
    }
    let Ok(events) = open(folder.join("cgroup.events"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
        return (found.len(), Vec::new());
    };
    let end = Instant::now() + GRACE;
    while is_populated(&events) {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        if !matches!(poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&timeout)), Ok(1)) {
            return (found.len(), all_pids(folder));
        }
    }
    (found.len(), Vec::new())
}

fn is_populated(events: &OwnedFd) -> bool {
    let mut text = [0; 128];
    let count = rustix::io::pread(events, &mut text, 0).unwrap_or(0);
    text[..count].split(|byte| *byte == b'\n').any(|line| line == b"populated 1")
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// The processes of a group and of those below it.
#[must_use]
pub fn all_pids(folder: &Path) -> Vec<i32> {
    let mut found = pids(folder);
    found.extend(below(folder).iter().flat_map(|one| all_pids(one)));
    found
}

/// Removes the group of a service that has no process any more; and what is above it, if that was the last.
pub(super) fn remove(folder: &Path) {
    remove_all(folder);
    // Refused, and rightly, while anything is in them.
    if let Some(base) = folder.parent() {
        let _ = fs::remove_dir(base.join(OWN));
        let _ = fs::remove_dir(base);
    }
}

fn remove_all(folder: &Path) {
    for one in below(folder) {
        remove_all(&one);
    }
    let _ = fs::remove_dir(folder);
}
