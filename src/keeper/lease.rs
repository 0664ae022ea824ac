//! Leases: which process is whose, on disk, so that a new keeper can take over what another left.
//!
//! `run/lease/<service>.json` is written before the service's program runs. It is not synced: a power cut forgets it together
//! with the process. Another machine's lease (a home on a file server) is never stale: only that machine knows.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use super::message::Note;
use super::proc;
use crate::name::PartName;

/// One service's lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The service.
    pub service: PartName,
    /// The mark that its processes bear: that of the prefix that started them. A copy of that prefix has a copy of this file.
    pub mark: u64,
    /// The machine.
    pub machine: String,
    /// Its name, for people.
    pub host: String,
    /// The boot.
    pub boot: String,
    /// The process.
    pub pid: i32,
    /// Its start time.
    pub start: u64,
    /// When it was started, in milliseconds since 1970.
    pub since: u64,
    /// What the supervisor left.
    pub note: Note,
    /// The addresses whose sockets it was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sockets: Vec<String>,
    /// The folder of its control group, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<PathBuf>,
}

/// What a lease says now.
#[derive(Debug)]
pub enum Holder {
    /// The process is alive, and held by this descriptor.
    Alive(OwnedFd),
    /// It has ended, on this boot; held, if nobody has taken notice of its end yet.
    Ended(Option<OwnedFd>),
    /// It ran before this machine was started.
    Stale,
    /// It may run on another machine.
    Elsewhere,
}

impl Lease {
    /// Who holds it. A process of the same number that started at another time is not the holder.
    #[must_use]
    pub fn holder(&self) -> Holder {
        if self.machine != proc::machine_id() {
            return Holder::Elsewhere;
        }
        if self.boot != proc::boot_id() {
            return Holder::Stale;
        }
        let handle = Pid::from_raw(self.pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        // Looked at once it is held: the number cannot pass to another between.
        let found = proc::stat(self.pid).filter(|stat| stat.start == self.start);
        match (handle, found) {
            (Some(handle), Some(stat)) if stat.state != 'Z' => Holder::Alive(handle),
            (handle, Some(_)) => Holder::Ended(handle),
            (_, None) => Holder::Ended(None),
        }
    }

    /// Writes it, by rename, without syncing. The file that it takes the place of is kept for the next one: new files cost more
    /// than all else here, and cutting one short may wait for the disk, so that blanks make up for what was longer.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn write(&self, run: &Path) -> io::Result<()> {
        let (path, spare) = (path(run, self.service.as_str()), spare(run, self.service.as_str()));
        let mut bytes = serde_json::to_vec(self)?;
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&spare)?;
        let former = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        bytes.resize(former.max(bytes.len()), b' ');
        file.write_all(&bytes)?;
        // Refused where there is none to change places with, and on file systems that cannot.
        if renameat_with(CWD, &spare, CWD, &path, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
        fs_err::rename(&spare, &path)
    }

    /// Reads all leases of a prefix. Files of others, and such as cannot be read, are named and left alone.
    #[must_use]
    pub fn read_all(run: &Path) -> (Vec<Self>, Vec<String>) {
        let (mut leases, mut problems) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder(run)).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match Self::read(&path) {
                Ok(lease) => leases.push(lease),
                Err(error) => problems.push(format!("lease {} is not used: {error}", path.display())),
            }
        }
        (leases, problems)
    }

    fn read(path: &Path) -> io::Result<Self> {
        let facts = fs::symlink_metadata(path)?;
        if !facts.is_file() || facts.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it is no file of yours"));
        }
        let lease: Self = serde_json::from_slice(&fs::read(path)?)?;
        if path.file_stem().is_none_or(|stem| stem != lease.service.as_str()) {
            return Err(io::Error::other("it is another service's"));
        }
        Ok(lease)
    }
}

/// Ends a lease: nobody reads its file any more, which is kept for the next one.
pub(super) fn end(run: &Path, service: &str) {
    let path = path(run, service);
    if let Err(error) = fs::rename(&path, spare(run, service))
        && error.kind() != io::ErrorKind::NotFound
    {
        let _ = fs::remove_file(path);
    }
}

/// Removes the files of a service that is no more.
pub(super) fn remove(run: &Path, service: &str) {
    let _ = fs::remove_file(path(run, service));
    let _ = fs::remove_file(spare(run, service));
}

/// The folder of all leases.
#[must_use]
pub fn folder(run: &Path) -> PathBuf {
    run.join("lease")
}

/// One service's lease file.
#[must_use]
pub fn path(run: &Path, service: &str) -> PathBuf {
    folder(run).join(format!("{service}.json"))
}

/// Where the next lease of a service is written.
fn spare(run: &Path, service: &str) -> PathBuf {
    folder(run).join(format!("{service}.next"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::DirEntryExt as _;

    use super::{Holder, Lease};
    use crate::keeper::message::Note;
    use crate::keeper::proc;

    fn own() -> Lease {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Lease {
            mark: 1,
            service: "web".parse().expect("name"),
            machine: proc::machine_id().to_owned(),
            host: "here".into(),
            boot: proc::boot_id().to_owned(),
            pid,
            start: proc::stat(pid).expect("own stat").start,
            since: 1,
            note: Note::default(),
            sockets: Vec::new(),
            group: None,
        }
    }

    #[test]
    fn a_holder_is_known_by_machine_boot_number_and_start() {
        assert!(matches!(own().holder(), Holder::Alive(_)));
        assert!(matches!(Lease { start: own().start + 1, ..own() }.holder(), Holder::Ended(_)));
        assert!(matches!(Lease { boot: "former".into(), ..own() }.holder(), Holder::Stale));
        assert!(matches!(Lease { machine: "other".into(), ..own() }.holder(), Holder::Elsewhere));
    }

    #[test]
    fn files_are_used_again() {
        let run = tempfile::tempdir().expect("folder");
        let folder = super::folder(run.path());
        std::fs::create_dir(&folder).expect("folder");
        let files = || -> BTreeSet<u64> {
            std::fs::read_dir(&folder).expect("folder").map(|entry| entry.expect("entry").ino()).collect()
        };
        let write = |since| {
            Lease { since, ..own() }.write(run.path()).expect("write");
            assert_eq!(Lease::read_all(run.path()).0, [Lease { since, ..own() }]);
            files()
        };
        // One service after the other,
        let first = write(1);
        for since in 2..5 {
            super::end(run.path(), "web");
            assert_eq!(Lease::read_all(run.path()), (Vec::new(), Vec::new()));
            assert_eq!(write(since), first);
        }
        // and one whose lease changes.
        let second = write(5);
        assert_eq!(second.len(), 2);
        for since in [6, u64::MAX, 7, 8] {
            assert_eq!(write(since), second);
        }
        super::remove(run.path(), "web");
        assert!(files().is_empty());
    }

    #[test]
    fn leases_are_read_back_and_rubbish_is_named() {
        let run = tempfile::tempdir().expect("folder");
        std::fs::create_dir(super::folder(run.path())).expect("folder");
        own().write(run.path()).expect("write");
        std::fs::write(super::path(run.path(), "db"), "{").expect("write");
        let (leases, problems) = Lease::read_all(run.path());
        assert_eq!(leases, [own()]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("db.json"));
    }
}
