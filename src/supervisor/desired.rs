//! `run/desired.json`: which services are meant to run, for the supervisor after this one.
//!
//! It holds for one boot: after the machine was started anew, nothing runs until somebody asks.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::keeper::proc;
use crate::name::PartName;

#[derive(Serialize, Deserialize)]
struct Desired {
    boot: String,
    services: BTreeSet<PartName>,
}

fn path(run: &Path) -> PathBuf {
    run.join("desired.json")
}

/// What is meant to run; nothing if nobody asked since the machine was started.
pub(super) fn read(run: &Path) -> BTreeSet<PartName> {
    let desired = fs::read(path(run)).ok().and_then(|bytes| serde_json::from_slice::<Desired>(&bytes).ok());
    desired.filter(|desired| desired.boot == proc::boot_id()).map(|desired| desired.services).unwrap_or_default()
}

/// Keeps what is meant to run.
pub(super) fn write(run: &Path, services: &BTreeSet<PartName>) -> io::Result<()> {
    let desired = Desired { boot: proc::boot_id().to_owned(), services: services.clone() };
    let aside = run.join("desired.new");
    fs::write(&aside, serde_json::to_vec(&desired)?)?;
    fs_err::rename(aside, path(run))
}

/// Nothing is meant to run.
pub fn remove(run: &Path) {
    let _ = fs::remove_file(path(run));
}

#[cfg(test)]
mod tests {
    use super::{path, read, remove, write};

    #[test]
    fn what_is_desired_lasts_for_one_boot() {
        let run = tempfile::tempdir().expect("folder");
        assert!(read(run.path()).is_empty());
        let services = ["web", "db"].map(|name| name.parse().expect("name")).into();
        write(run.path(), &services).expect("write");
        assert_eq!(read(run.path()), services);
        let text = std::fs::read_to_string(path(run.path())).expect("read");
        let (before, after) = text.split_once("\"boot\":\"").expect("boot");
        std::fs::write(path(run.path()), format!("{before}\"boot\":\"x{after}")).expect("write");
        assert!(read(run.path()).is_empty());
        remove(run.path());
    }
}
