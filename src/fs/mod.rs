//! Files: atomic writes, file locks, trees, documents, space.

pub mod atomic;
#[cfg(test)]
pub mod crash;
pub mod document;
pub mod folder;
pub mod known;
pub mod lock;
pub mod space;
pub mod stamp;
pub mod tree;
pub mod walk;

pub use atomic::{remove_temporaries, replace_link, write_atomic, write_whole};
pub use document::{DocumentError, TomlDocument};
pub use folder::private_folder;
pub use known::Known;
pub use lock::{FileLock, LockError};
pub use space::free_bytes;
pub use stamp::{Stamp, stat_stamp, stat_stamp_of};
pub use tree::{
    Entry, EntryKind, copy_tree, digest_tree, digest_tree_of, make_read_only, occupied_bytes, remove_tree, seal_tree,
    sync_filesystem,
};
