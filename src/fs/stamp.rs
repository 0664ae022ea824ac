//! [`Stamp`]: what `stat` says of an input, so that a run which has nothing to do need not read it.
//!
//! As git does: size, times and inode. A changed stamp does not prove a changed content, an equal one is good enough to
//! leave the content unread. The change time cannot be set back by a program, so `cp -p` and `touch -d` do not deceive.

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::walk::{Found, NOTHING, Skip, walk};
use crate::digest::Digest;

/// What `stat` says of one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum Stamp {
    /// There is nothing, or nothing that this user can ask about.
    Absent,
    /// A file.
    File {
        /// Bytes.
        size: u64,
        /// When its content changed, in nanoseconds since 1970.
        mtime_ns: i64,
        /// When it or its inode changed, in nanoseconds since 1970.
        ctime_ns: i64,
        /// Its inode.
        inode: u64,
    },
    /// A folder: the digest of the names and stamps of everything in it.
    Folder {
        /// The digest.
        digest: Digest,
    },
}

/// The stamp of a file, or of everything in a folder. A link is followed at `path`, not below.
#[must_use]
pub fn stat_stamp(path: &Path) -> Stamp {
    stat_stamp_of(path, NOTHING)
}

/// [`stat_stamp`], leaving out of a folder what `skip` names (as [`super::copy_tree`] does).
#[must_use]
pub fn stat_stamp_of(path: &Path, skip: Skip) -> Stamp {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Stamp::Folder { digest: stamp_of_folder(path, skip) },
        Ok(metadata) => Stamp::File {
            size: metadata.len(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        },
        Err(_) => Stamp::Absent,
    }
}

fn stamp_of_folder(path: &Path, skip: Skip) -> Digest {
    let found = match walk(path, skip) {
        Ok(found) => found,
        // Never equal to the stamp of the readable tree; the run that then reads the folder says what is wrong.
        Err(error) => return Digest::of(error.to_string()),
    };
    let mut bytes = Vec::with_capacity(found.len() * 96);
    for Found { path, metadata } in &found {
        bytes.extend_from_slice(path.as_os_str().as_bytes());
        bytes.push(0);
        for number in numbers(metadata) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    Digest::of(bytes)
}

/// Of a folder only that it is one: its times change with names that are skipped.
fn numbers(metadata: &Metadata) -> [u64; 5] {
    if metadata.is_dir() {
        return [u64::from(metadata.mode()), 0, 0, 0, 0];
    }
    [
        u64::from(metadata.mode()),
        metadata.len(),
        nanoseconds(metadata.mtime(), metadata.mtime_nsec()).cast_unsigned(),
        nanoseconds(metadata.ctime(), metadata.ctime_nsec()).cast_unsigned(),
        metadata.ino(),
    ]
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_equal_until_something_changes() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path();
        std::fs::create_dir(root.join("src")).expect("made");
        std::fs::write(root.join("src/a.py"), "1").expect("written");
        let (tree, file) = (stat_stamp(root), stat_stamp(&root.join("src/a.py")));
        assert_eq!((stat_stamp(root), stat_stamp(&root.join("src/a.py"))), (tree.clone(), file.clone()));
        std::fs::write(root.join("src/a.py"), "12").expect("written");
        assert_ne!(stat_stamp(root), tree);
        assert_ne!(stat_stamp(&root.join("src/a.py")), file);
        assert_eq!(stat_stamp(&root.join("src/b.py")), Stamp::Absent);
    }

    #[test]
    fn what_is_skipped_does_not_count_and_what_is_new_does() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path();
        std::fs::write(root.join("a.py"), "1").expect("written");
        let skip = |path: &Path, is_folder: bool| is_folder && path.ends_with("__pycache__");
        let before = stat_stamp_of(root, &skip);
        std::fs::create_dir(root.join("__pycache__")).expect("made");
        std::fs::write(root.join("__pycache__/a.pyc"), "x").expect("written");
        assert_eq!(stat_stamp_of(root, &skip), before);
        assert_ne!(stat_stamp(root), before);
        std::fs::write(root.join("b.py"), "").expect("written");
        assert_ne!(stat_stamp_of(root, &skip), before);
    }

    #[test]
    fn a_stamp_is_data() {
        let json = serde_json::to_string(&stat_stamp(Path::new("/nowhere/at/all"))).expect("json");
        assert_eq!(json, r#"{"kind":"absent"}"#);
        assert_eq!(serde_json::from_str::<Stamp>(&json).expect("back"), Stamp::Absent);
    }
}
