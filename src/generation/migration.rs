//! `var/<part>/.migrations.json`: what new versions made of a part's data, so that whoever goes back knows what became of them. And
//! `var/<part>/.migrating`: the name of the dump that was taken before a migration that has not ended yet.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::fs::write_atomic;
use crate::layout::Layout;
use crate::name::PartName;

/// A migration that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    /// The generation that was current before.
    pub from: u32,
    /// The one whose migration it was.
    pub to: u32,
    /// The dump of what was there before; none if older code works on what it made.
    pub dump: Option<String>,
    /// When (RFC 3339, UTC).
    pub when: String,
}

fn path(layout: &Layout, part: &PartName) -> PathBuf {
    layout.data(part).join(".migrations.json")
}

/// Where the name of the dump stands while a migration goes on.
#[must_use]
pub fn mark(layout: &Layout, part: &PartName) -> PathBuf {
    layout.data(part).join(".migrating")
}

/// The dump of a migration that was cut off, so that nobody knows what it has done.
#[must_use]
pub fn cut_off(layout: &Layout, part: &PartName) -> Option<String> {
    let name = std::fs::read_to_string(mark(layout, part)).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// What was done to a part's data, oldest first.
///
/// # Errors
/// What reading fails with; none if nothing was done.
pub fn read(layout: &Layout, part: &PartName) -> io::Result<Vec<Migration>> {
    match std::fs::read(path(layout, part)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Remembers one more.
///
/// # Errors
/// What reading or writing fails with.
pub fn note(layout: &Layout, part: &PartName, migration: Migration) -> io::Result<()> {
    let mut all = read(layout, part)?;
    all.push(migration);
    write(layout, part, &all)
}

/// Forgets those that are undone: the data are again those of this dump.
///
/// # Errors
/// What reading or writing fails with.
pub fn forget(layout: &Layout, part: &PartName, dump: &str) -> io::Result<()> {
    let mut all = read(layout, part)?;
    if let Some(place) = all.iter().position(|one| one.dump.as_deref() == Some(dump)) {
        all.truncate(place);
        write(layout, part, &all)?;
    }
    Ok(())
}

/// Forgets all: other data came.
///
/// # Errors
/// What removing fails with; none if nothing was done.
pub fn forget_all(layout: &Layout, part: &PartName) -> io::Result<()> {
    match std::fs::remove_file(path(layout, part)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(layout: &Layout, part: &PartName, all: &[Migration]) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(all).map_err(io::Error::other)?;
    write_atomic(&path(layout, part), &text, 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(to: u32, dump: Option<&str>) -> Migration {
        Migration { from: to - 1, to, dump: dump.map(str::to_owned), when: "2030-02-03T04:05:06Z".to_owned() }
    }

    #[test]
    fn what_is_undone_goes_with_all_that_came_after_it() {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path());
        let part: PartName = "site".parse().expect("name");
        std::fs::create_dir_all(layout.data(&part)).expect("made");
        assert_eq!(read(&layout, &part).expect("read"), []);
        for one in [migration(2, Some("a")), migration(3, Some("b")), migration(4, None)] {
            note(&layout, &part, one).expect("noted");
        }
        forget(&layout, &part, "unknown").expect("forgotten");
        assert_eq!(read(&layout, &part).expect("read").len(), 3);
        forget(&layout, &part, "b").expect("forgotten");
        assert_eq!(read(&layout, &part).expect("read"), [migration(2, Some("a"))]);
        forget_all(&layout, &part).expect("forgotten");
        forget_all(&layout, &part).expect("nothing to forget");
        assert_eq!(read(&layout, &part).expect("read"), []);
    }
}
