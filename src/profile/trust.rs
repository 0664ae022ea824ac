//! Whether a file could have been written by somebody else: whoever writes a project runs programs as its user.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// Why a file or folder is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Distrust {
    /// Its owner is neither the user nor root.
    #[error("it belongs to another user (id {0})")]
    Foreign(u32),
    /// Its group may write it.
    #[error("its group can write it")]
    Group,
    /// Everybody may write it.
    #[error("everybody can write it")]
    World,
}

/// Why this is not to be trusted by `user`, if it is not.
pub(super) fn distrust(metadata: &Metadata, user: u32) -> Option<Distrust> {
    let owner = metadata.uid();
    if owner != user && owner != 0 {
        return Some(Distrust::Foreign(owner));
    }
    writable(metadata)
}

/// Why somebody beside its owner could write this, if somebody could.
pub(super) fn writable(metadata: &Metadata) -> Option<Distrust> {
    if metadata.mode() & 0o002 != 0 {
        return Some(Distrust::World);
    }
    // Many systems give each user a group of their own, with the same number, and let it write by default.
    let group_of_its_own = metadata.gid() == metadata.uid();
    (metadata.mode() & 0o020 != 0 && !group_of_its_own).then_some(Distrust::Group)
}
