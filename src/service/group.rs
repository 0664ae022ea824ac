//! Control groups (cgroup v2), as data: where the group of a process is, whether it is ours to divide, and what is written into
//! the group of a service. `crate::keeper::group` obeys this.
//!
//! Groups are used where the kernel's tree of them is delegated to this user (a unit of `systemd --user` with `Delegate=yes`, a
//! container), and never required: the usual case is that they are not, and then all is as if there were none.

use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What `total_cpu` may be.
pub const TOTAL_CPU: RangeInclusive<i64> = 1..=1_000_000;

/// What `total_processes` may be.
pub const TOTAL_PROCESSES: RangeInclusive<i64> = 1..=4_000_000;

/// Limits of all processes of a service together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Totals {
    /// Bytes of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processor time, in hundredths of one processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

/// One limit of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The word of `limits`.
    pub word: &'static str,
    /// The controller that sees to it.
    pub controller: &'static str,
    /// The file of the group.
    pub file: &'static str,
    /// What is written into it; `max` for no limit.
    pub value: String,
    /// Whether somebody asked for it.
    pub is_wanted: bool,
}

/// The controllers that are of use here.
pub const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// Microseconds in which a group may use its share of the processors.
const PERIOD: u64 = 100_000;

/// The group of keeper and supervisor. No service has a dot in its name.
pub const OWN: &str = "jove.self";

impl Totals {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is written into the group of a service; also what was not asked for, which undoes what was written before.
    #[must_use]
    pub fn settings(&self) -> [Setting; 3] {
        let most = || "max".to_owned();
        let share = |hundredths| format!("{} {PERIOD}", u64::from(hundredths) * PERIOD / 100);
        let setting = |word, controller, file, value: Option<String>| Setting {
            word,
            controller,
            file,
            is_wanted: value.is_some(),
            value: value.unwrap_or_else(most),
        };
        [
            setting("total_cpu", "cpu", "cpu.max", self.cpu.map(share)),
            setting("total_memory", "memory", "memory.max", self.memory.map(|bytes| bytes.to_string())),
            setting("total_processes", "pids", "pids.max", self.processes.map(|count| count.to_string())),
        ]
    }
}

/// The folder of a process's group: from its `/proc/PID/cgroup` and from `/proc/self/mountinfo`. `None` if it cannot be seen.
#[must_use]
pub fn folder(cgroup: &str, mountinfo: &str) -> Option<PathBuf> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    // A group that was removed, or lies above what this process may see.
    if path.ends_with(" (deleted)") || Path::new(path).components().any(|part| part == Component::ParentDir) {
        return None;
    }
    mountinfo.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        if kind.split(' ').next()? != "cgroup2" {
            return None;
        }
        let mut words = place.split(' ').skip(3);
        let (root, mounted) = (words.next()?, words.next()?);
        let below = Path::new(path).strip_prefix(root).ok()?;
        Some(Path::new(&unescaped(mounted)).join(below))
    })
}

/// A path of `mountinfo`, in which blanks are written as `\040`.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

/// What is known of the group that the keeper was started in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it is the root of the machine's whole tree, which nobody delegates.
    pub is_machine: bool,
    /// Whether this user may make groups in it, and move processes into it.
    pub is_writable: bool,
    /// Whether all processes in it are of this program.
    pub is_ours_alone: bool,
    /// The controllers that it has.
    pub controllers: Vec<String>,
}

/// What may be done with groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// Nothing, and why.
    Nothing(&'static str),
    /// Each service gets one below this folder.
    Groups {
        /// Of this prefix alone.
        base: PathBuf,
        /// The folder that is divided.
        parent: PathBuf,
        /// The controllers to ask for, or why none.
        controllers: Result<Vec<String>, &'static str>,
    },
}

/// Whether groups are used, and how: `name` is that of this prefix's groups.
#[must_use]
pub fn decide(facts: &Facts, name: &str) -> Use {
    // A keeper may be started by a supervisor, which is in its own group already.
    let own = facts.folder.file_name().is_some_and(|last| last == OWN).then(|| facts.folder.parent()).flatten();
    let own = own.filter(|base| base.file_name().is_some_and(|last| last == name));
    if let Some((base, parent)) = own.and_then(|base| Some((base, base.parent()?))) {
        let controllers = Ok(facts.controllers.iter().filter(|known| is_useful(known)).cloned().collect());
        return Use::Groups { base: base.to_owned(), parent: parent.to_owned(), controllers };
    }
    if facts.is_machine {
        return Use::Nothing("no control group was delegated: this is the machine's own");
    }
    if !facts.is_writable {
        return Use::Nothing("no control group is delegated to this user here");
    }
    let useful: Vec<String> = facts.controllers.iter().filter(|known| is_useful(known)).cloned().collect();
    let controllers = match (facts.is_ours_alone, useful.is_empty()) {
        (_, true) => Err("the control group has none of the controllers cpu, memory and pids"),
        // The kernel divides controllers only where no process is beside the groups, and those of others are not moved.
        (false, false) => Err("other programs are in the same control group"),
        (true, false) => Ok(useful),
    };
    Use::Groups { base: facts.folder.join(name), parent: facts.folder.clone(), controllers }
}

fn is_useful(controller: &str) -> bool {
    CONTROLLERS.contains(&controller)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Facts, Totals, Use, decide, folder};

    const HYBRID: &str = "26 20 0:24 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                          35 26 0:29 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_folder_of_a_group_is_found() {
        let cgroup = "4:memory:/a\n0::/user.slice/x.service\n";
        let found = |cgroup, mounts| folder(cgroup, mounts).map(|path| path.display().to_string());
        assert_eq!(found(cgroup, HYBRID).as_deref(), Some("/sys/fs/cgroup/unified/user.slice/x.service"));
        // A part of the tree is mounted, at a place with a blank in its name.
        let part = "35 26 0:29 /user.slice /my\\040groups rw - cgroup2 none rw\n";
        assert_eq!(found(cgroup, part).as_deref(), Some("/my groups/x.service"));
        assert_eq!(found("0::/elsewhere\n", part), None);
        assert_eq!(found("0::/../x\n", HYBRID), None);
        assert_eq!(found("0::/x (deleted)\n", HYBRID), None);
        assert_eq!(found("4:memory:/a\n", HYBRID), None);
        assert_eq!(found(cgroup, "26 20 0:24 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"), None);
    }

    fn facts() -> Facts {
        Facts {
            folder: "/g/unit".into(),
            is_machine: false,
            is_writable: true,
            is_ours_alone: true,
            controllers: ["cpuset", "cpu", "pids"].map(str::to_owned).into(),
        }
    }

    fn groups(controllers: Result<&[&str], &'static str>) -> Use {
        let controllers = controllers.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Use::Groups { base: PathBuf::from("/g/unit/jove-1"), parent: PathBuf::from("/g/unit"), controllers }
    }

    #[test]
    fn groups_are_used_where_they_are_delegated() {
        assert_eq!(decide(&facts(), "jove-1"), groups(Ok(&["cpu", "pids"])));
        let shared = Facts { is_ours_alone: false, ..facts() };
        assert_eq!(decide(&shared, "jove-1"), groups(Err("other programs are in the same control group")));
        let bare = Facts { controllers: Vec::new(), ..facts() };
        let none = "the control group has none of the controllers cpu, memory and pids";
        assert_eq!(decide(&bare, "jove-1"), groups(Err(none)));
        let refused = |facts: &Facts| matches!(decide(facts, "jove-1"), Use::Nothing(_));
        assert!(refused(&Facts { is_writable: false, ..facts() }));
        assert!(refused(&Facts { is_machine: true, ..facts() }));
    }

    #[test]
    fn a_keeper_that_a_supervisor_starts_divides_nothing_again() {
        let within = Facts { folder: "/g/unit/jove-1/jove.self".into(), is_ours_alone: false, ..facts() };
        assert_eq!(decide(&within, "jove-1"), groups(Ok(&["cpu", "pids"])));
        // Another prefix's keeper started this one: it is that one's service.
        let other = decide(&within, "jove-2");
        assert!(matches!(&other, Use::Groups { parent, .. } if *parent == within.folder), "{other:?}");
    }

    #[test]
    fn what_is_not_said_is_undone() {
        let said = |totals: Totals| {
            totals.settings().map(|one| format!("{}={}{}", one.file, one.value, if one.is_wanted { "!" } else { "" }))
        };
        assert_eq!(said(Totals::default()), ["cpu.max=max", "memory.max=max", "pids.max=max"]);
        let totals = Totals { memory: Some(1 << 30), cpu: Some(150), processes: Some(64) };
        assert_eq!(said(totals), ["cpu.max=150000 100000!", "memory.max=1073741824!", "pids.max=64!"]);
    }
}
