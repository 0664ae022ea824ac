//! Walking a tree without following a link, in a fixed order.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// What is to be left out of a walk: given the path relative to the root, and whether it is a folder.
pub type Skip<'a> = &'a dyn Fn(&Path, bool) -> bool;

/// Leaves nothing out.
pub const NOTHING: Skip<'static> = &|_, _| false;

/// One thing in a tree.
#[derive(Debug)]
pub struct Found {
    /// Relative to the root.
    pub path: PathBuf,
    /// Of the thing itself, also if it is a link.
    pub metadata: Metadata,
}

/// Everything below `root` (not `root` itself), sorted by path, folders before what is in them.
///
/// # Errors
/// What cannot be read, by name.
pub fn walk(root: &Path, skip: Skip) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let walk = WalkDir::new(root).min_depth(1).sort_by_file_name();
    let relative = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_owned();
    for entry in walk.into_iter().filter_entry(|entry| !skip(&relative(entry.path()), entry.file_type().is_dir())) {
        let entry = entry.map_err(|error| of_walk(root, error))?;
        let metadata = entry.metadata().map_err(|error| of_walk(root, error))?;
        found.push(Found { path: relative(entry.path()), metadata });
    }
    Ok(found)
}

/// An error that names the path at which it happened.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn of_walk(root: &Path, error: walkdir::Error) -> io::Error {
    let path = error.path().unwrap_or(root).to_owned();
    at(&path)(error.into())
}
