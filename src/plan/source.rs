//! Folders of sources that are copied into objects: what of them counts, and the digest of that.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::fs::{EntryKind, digest_tree_of};
use crate::profile::Project;
use crate::recipe::Catalogue;

/// Folders that are never part of a source: version control, caches, environments.
const FOLDERS: [&str; 13] = [
    ".git",
    ".hg",
    ".svn",
    ".jove",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".venv",
    "__pycache__",
    "node_modules",
    "venv",
];

/// Whether a path within a source folder is left out of the copy and of its digest.
#[must_use]
pub fn is_left_out(path: &Path, is_folder: bool) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if is_folder {
        return FOLDERS.contains(&name) || name.ends_with(".egg-info");
    }
    // What a program writes beside its sources (databases, logs) is no source.
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    let written = ["db", "log", "pyc", "pyo", "swp"].contains(&suffix) || suffix.starts_with("sqlite");
    written || name.ends_with('~') || ["jove.lock", "jove.local.toml"].contains(&name)
}

/// Whether a source is there, for [`digest`]. What an example lacks is its recipe's affair.
#[must_use]
pub fn is_there(source: &Path, project: &Project) -> bool {
    (project.example.is_some() && source.starts_with(&project.folder)) || source.exists()
}

/// The digest of what of a source folder counts. A folder of an example is read from the binary.
///
/// # Errors
/// What reading fails with.
pub fn digest(folder: &Path, project: &Project, catalogue: &Catalogue) -> io::Result<Digest> {
    if let (Some(recipe), Ok(within)) = (&project.example, folder.strip_prefix(&project.folder)) {
        let files: BTreeMap<String, Digest> = example_files(catalogue, recipe, within)
            .into_iter()
            .map(|(path, bytes)| (path.display().to_string(), Digest::of(bytes)))
            .collect();
        return Ok(Digest::of_json(&files));
    }
    if folder.is_file() {
        return Digest::of_file(folder);
    }
    let entries = digest_tree_of(folder, &is_left_out)?;
    let rows: BTreeMap<String, String> = entries
        .into_iter()
        .filter_map(|entry| {
            let row = match entry.kind {
                EntryKind::File { digest, executable, .. } => format!("{digest} {executable}"),
                EntryKind::Link { target } => format!("-> {}", target.display()),
                EntryKind::Folder => return None,
            };
            Some((entry.path.display().to_string(), row))
        })
        .collect();
    Ok(Digest::of_json(&rows))
}

/// The files of a folder of a shipped example, relative to that folder.
#[must_use]
pub fn example_files(catalogue: &Catalogue, recipe: &str, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = catalogue.example_files(recipe).into_iter();
    files.filter_map(|(path, bytes)| Some((path.strip_prefix(folder).ok()?.to_owned(), bytes))).collect()
}
