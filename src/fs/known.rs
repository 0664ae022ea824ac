//! [`Known`]: digests of files that were hashed on the way, so that sealing need not read these again.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::digest::Digest;

/// Digests by absolute path, each good for a file as it was when it was hashed.
#[derive(Debug, Default)]
pub struct Known {
    files: HashMap<PathBuf, (Mark, Digest)>,
}

/// By what a file is known to be the same: no mode and no change time, for sealing changes both.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Mark {
    fn of(metadata: &Metadata) -> Self {
        Self { inode: metadata.ino(), size: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

impl Known {
    /// Remembers the digest of a file that had this metadata before it was read.
    pub fn note(&mut self, path: PathBuf, metadata: &Metadata, digest: Digest) {
        self.files.insert(path, (Mark::of(metadata), digest));
    }

    /// Remembers all that another one knows.
    pub fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
    }

    /// The digest of a file, if it was hashed and is still the one that it was.
    #[must_use]
    pub fn digest(&self, path: &Path, metadata: &Metadata) -> Option<Digest> {
        let (mark, digest) = self.files.get(path)?;
        (*mark == Mark::of(metadata)).then_some(*digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_or_written_to_is_not_known_any_more() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a");
        let metadata = || path.metadata().expect("metadata");
        std::fs::write(&path, "one").expect("write");
        let mut known = Known::default();
        let digest = Digest::of("one");
        known.note(path.clone(), &metadata(), digest);
        assert_eq!(known.digest(&path, &metadata()), Some(digest));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o444)).expect("mode");
        assert_eq!(known.digest(&path, &metadata()), Some(digest), "sealing changes the mode");
        assert_eq!(known.digest(&folder.path().join("b"), &metadata()), None);
        let other = folder.path().join("other");
        std::fs::write(&other, "two").expect("write");
        std::fs::rename(&other, &path).expect("rename");
        assert_eq!(known.digest(&path, &metadata()), None, "another file has its name");
    }
}
