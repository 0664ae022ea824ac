//! Files: atomic writes, file locks, trees.

pub mod atomic;

pub use atomic::{replace_link, write_atomic};
