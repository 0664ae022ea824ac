//! Packages as they were unpacked, kept in the cache: one that is asked for again is copied, not decompressed again.
//!
//! # Theory
//!
//! A package is known by its publisher's digest, so that what comes out of it is known, too. The first time it is unpacked, it
//! is unpacked into the cache, and a list of every file with our own digest is laid beside what came of it. Each time it is
//! used, every file is hashed and the list compared: what was altered, added or taken away by hand, or lost in a power cut, is
//! noticed before anything is made of it, and the package is unpacked again. Objects get copies and never share a file with
//! the cache: what is done to one is done to nothing else, and two prefixes stay strangers.
//!
//! Keeping saves time and is no more than that. Where the cache cannot be written, or has no room, a package is unpacked in the
//! object that it is for, and gone when it was copied from there; what was kept before and proves whole is used all the same.
//!
//! # On disk
//!
//! ```text
//! $XDG_CACHE_HOME/jove-install/packages/
//!   <form>/<ab>/<hex>/files/           what the package with this SHA-256 has in it
//!   <form>/<ab>/<hex>/files.json       everything in it with its digest
//!   <form>/.lock                       held for the moment in which something damaged is taken away
//!   <form>/.tmp-…                      being made or removed, by whoever holds its file lock; else a killed run left it
//! ```
//!
//! It gets its place by one rename: it is whole or absent. Of two runs that make the same, the second throws its own away.
//!
//! # Weakness
//!
//! It costs some three times the room of the packages themselves. Nothing is ever dropped by itself (`wipe --cache` does). A
//! run that is copying what another one finds damaged at that moment fails, and is run again.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::{Kit, PinnedFile};
use crate::checkpoint;
use crate::fs::walk::{Found, NOTHING, walk};
use crate::fs::{Entry, digest_tree, remove_tree};
use crate::progress::{Event, Reporter};

/// What the name of a folder begins with that is being made or removed.
const TEMPORARY: &str = ".tmp-";
/// The file in it whose lock says that someone is at it.
const LOCK: &str = "lock";
/// What came out of the package.
const FILES: &str = "files";
/// The list of it.
const LIST: &str = "files.json";
/// So often another run may be quicker, and what it made be damaged at once.
const PATIENCE: u32 = 8;

/// Why a package has no folder to be unpacked in.
#[derive(Debug, thiserror::Error)]
#[error("packages cannot be unpacked in {}: {source}; make room or mend its permissions there", path.display())]
pub struct KeptError {
    path: PathBuf,
    source: io::Error,
}

/// The unpacked packages of one form, for one object.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    kit: &'a Kit<'a>,
    form: &'static str,
    object: &'a Path,
}

/// What is in a package, unpacked.
#[derive(Debug)]
pub struct Taken {
    files: PathBuf,
    /// What is not kept, and goes with this.
    _own: Option<tempfile::TempDir>,
}

impl Taken {
    /// The folder that it is in, as long as this is held.
    #[must_use]
    pub fn files(&self) -> &Path {
        &self.files
    }
}

impl<'a> Kept<'a> {
    /// Those of a form: whose packages they are, and a number that is raised when the same package would give other files. What
    /// cannot be kept is unpacked below `object`, which is there.
    #[must_use]
    pub const fn of(kit: &'a Kit<'a>, form: &'static str, object: &'a Path) -> Self {
        Self { kit, form, object }
    }

    /// What is in a package, every file compared with its digest. If that is not kept, or was damaged, `unpack` makes it: from the
    /// package into an empty folder.
    ///
    /// # Errors
    /// What `unpack` fails with; and if there is neither in the cache nor in the object a folder for it.
    pub fn take<E: From<KeptError> + Display>(
        &self,
        file: &PinnedFile,
        unpack: impl Fn(&Path, &Path) -> Result<(), E>,
    ) -> Result<Taken, E> {
        let unkept = match self.keep(file, &unpack) {
            Ok(files) => return Ok(Taken { files, _own: None }),
            Err(error) => error,
        };
        let failed = |source| KeptError { path: self.object.to_owned(), source };
        let own = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(self.object).map_err(failed)?;
        // What is wrong with the package is wrong here, too; what was wrong with the cache is not.
        unpack(&self.package(file), own.path())?;
        self.kit.cache.note_unkept(self.kit.report, &unkept);
        Ok(Taken { files: own.path().to_owned(), _own: Some(own) })
    }

    fn package(&self, file: &PinnedFile) -> PathBuf {
        self.kit.cache.path(&file.sha256, &file.file)
    }

    /// The folder of the cache with what is in a package.
    fn keep<E: From<KeptError>>(
        &self,
        file: &PinnedFile,
        unpack: impl Fn(&Path, &Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let hex = file.sha256.to_hex();
        let root = self.kit.cache.root().join("packages").join(self.form);
        let place = root.join(&hex[..2]).join(&hex);
        let failed = |source| KeptError { path: place.clone(), source };
        for _ in 0..PATIENCE {
            if let Some(seen) = mark(&place) {
                if is_whole(&place) {
                    return Ok(place.join(FILES));
                }
                if Temporary::begin(&root).and_then(|aside| aside.take_away(&place, seen)).map_err(failed)? {
                    note_damage(self.kit.report, &file.file);
                }
                continue;
            }
            let new = Temporary::begin(&root).map_err(failed)?;
            let files = new.folder.path().join("new").join(FILES);
            std::fs::create_dir_all(&files).map_err(failed)?;
            unpack(&self.package(file), &files)?;
            List::write(&files).map_err(failed)?;
            checkpoint::pass("package-before-keep");
            if new.give(&place).map_err(failed)? {
                return Ok(place.join(FILES));
            }
        }
        Err(failed(io::Error::other("something keeps changing it")).into())
    }
}

fn note_damage(report: &Reporter, name: &str) {
    report
        .report(Event::Note(format!("`{name}` was damaged where the cache keeps it unpacked, and is unpacked again")));
}

/// By what a folder is known to be the one that was seen.
fn mark(place: &Path) -> Option<(u64, u64, i64, i64)> {
    let facts = place.symlink_metadata().ok()?;
    Some((facts.dev(), facts.ino(), facts.mtime(), facts.mtime_nsec()))
}

/// What came out of a package.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct List {
    /// Everything, with its digest.
    entries: Vec<Entry>,
    /// Other names of a file, each with its first.
    names: BTreeMap<PathBuf, PathBuf>,
}

impl List {
    fn of(files: &Path) -> io::Result<Self> {
        let mut firsts: HashMap<(u64, u64), PathBuf> = HashMap::new();
        let mut names = BTreeMap::new();
        for Found { path, metadata } in walk(files, NOTHING)? {
            if metadata.is_file() && metadata.nlink() > 1 {
                let first = firsts.entry((metadata.dev(), metadata.ino())).or_insert_with(|| path.clone());
                if *first != path {
                    names.insert(path, first.clone());
                }
            }
        }
        Ok(Self { entries: digest_tree(files)?, names })
    }

    /// Lays it beside them. Nothing is synced: what a power cut took is noticed.
    fn write(files: &Path) -> io::Result<()> {
        std::fs::write(files.with_file_name(LIST), serde_json::to_vec(&Self::of(files)?)?)
    }
}

/// Whether everything is as it was, and nothing else is there.
fn is_whole(place: &Path) -> bool {
    let text = std::fs::read(place.join(LIST)).ok();
    let said: Option<List> = text.and_then(|text| serde_json::from_slice(&text).ok());
    said.is_some_and(|said| List::of(&place.join(FILES)).is_ok_and(|found| found == said))
}

/// A folder for making and removing, of this run alone as long as it lives.
struct Temporary {
    folder: tempfile::TempDir,
    _lock: File,
}

impl Temporary {
    /// Begins one, and removes what killed runs left.
    fn begin(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        for entry in std::fs::read_dir(root)?.flatten() {
            let is_temporary = entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes());
            if is_temporary && let Some(_lock) = locked(&entry.path())? {
                // Under another name first: whoever made it a moment ago then sees that it is gone.
                let gone = tempfile::Builder::new()
                    .prefix(TEMPORARY)
                    .make_in(root, |gone| std::fs::rename(entry.path(), gone).map(|()| gone.to_owned()))?;
                remove_tree(gone.path())?;
            }
        }
        for _ in 0..PATIENCE {
            let folder = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(root)?;
            // Another run may have taken it for rubbish in the moment before it was locked.
            if let Some(lock) = locked(folder.path())? {
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(io::Error::other("other runs remove whatever is made there"))
    }

    /// Removes what was seen at a place, which nobody finds half removed; not what another run has put there since.
    fn take_away(self, place: &Path, seen: (u64, u64, i64, i64)) -> io::Result<bool> {
        let path = self.folder.path().with_file_name(".lock");
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        rustix::io::retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))?;
        if mark(place) != Some(seen) {
            return Ok(false);
        }
        std::fs::rename(place, self.folder.path().join("old"))?;
        drop(lock);
        remove_tree(self.folder.path())?;
        Ok(true)
    }

    /// Gives what was made its place; not if another run was quicker.
    fn give(self, place: &Path) -> io::Result<bool> {
        if let Some(above) = place.parent() {
            std::fs::create_dir_all(above)?;
        }
        match std::fs::rename(self.folder.path().join("new"), place) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// A folder's file lock; none if another run has it, or the folder is gone.
fn locked(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join(LOCK);
    let file = match File::options().read(true).write(true).create(true).truncate(false).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        // The former holder may have removed it.
        Ok(()) => Ok(path.exists().then_some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of what is in a folder, sorted.
    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("list").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_run_left_goes_and_what_another_is_at_stays() {
        let root = tempfile::tempdir().expect("folder");
        let left = root.path().join(".tmp-left/new/files");
        std::fs::create_dir_all(&left).expect("made");
        std::fs::write(left.join("x"), "x").expect("written");
        std::fs::create_dir_all(root.path().join("ab/kept")).expect("made");
        let other = Temporary::begin(root.path()).expect("begun");
        std::fs::write(other.folder.path().join("y"), "y").expect("written");
        let own = Temporary::begin(root.path()).expect("begun");
        assert!(other.folder.path().join("y").exists());
        assert_eq!(names(root.path()).len(), 3, "{:?}", names(root.path()));
        drop((own, other));
        assert_eq!(names(root.path()), ["ab"]);
    }

    #[test]
    fn names_of_one_file_belong_to_what_is_proved() {
        let root = tempfile::tempdir().expect("folder");
        let files = root.path().join(FILES);
        std::fs::create_dir_all(&files).expect("made");
        std::fs::write(files.join("a"), "x").expect("written");
        std::fs::hard_link(files.join("a"), files.join("b")).expect("linked");
        List::write(&files).expect("listed");
        assert!(is_whole(root.path()));
        // As copying a cache without care makes it.
        std::fs::remove_file(files.join("b")).expect("removed");
        std::fs::copy(files.join("a"), files.join("b")).expect("copied");
        assert!(!is_whole(root.path()));
    }

    #[test]
    fn the_first_to_come_gives_it_and_the_second_throws_its_own_away() {
        let root = tempfile::tempdir().expect("folder");
        let place = root.path().join("ab/place");
        let made = |text: &str| {
            let new = Temporary::begin(root.path()).expect("begun");
            let files = new.folder.path().join("new").join(FILES);
            std::fs::create_dir_all(&files).expect("made");
            std::fs::write(files.join("x"), text).expect("written");
            List::write(&files).expect("listed");
            new
        };
        let (one, two) = (made("one"), made("two"));
        assert!(one.give(&place).expect("given"));
        assert!(!two.give(&place).expect("not given"));
        assert_eq!(std::fs::read_to_string(place.join(FILES).join("x")).expect("read"), "one");
        assert!(is_whole(&place));
        let seen = mark(&place).expect("there");
        let take_away = || Temporary::begin(root.path()).expect("begun").take_away(&place, seen).expect("taken away");
        assert!(take_away());
        assert!(!is_whole(&place) && !place.exists());
        // It was another's turn before, and what that one put there stays.
        assert!(!take_away());
        assert!(made("three").give(&place).expect("given"));
        assert!(!take_away() && is_whole(&place));
        assert_eq!(names(root.path()), [".lock", "ab"]);
    }
}
