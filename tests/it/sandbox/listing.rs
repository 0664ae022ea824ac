//! [`Listing`]: all that a sandbox's user could have written, for comparison before and after.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// Folders outside the sandbox that any user can write.
const OPEN_FOLDERS: &[&str] =
    &["/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/user", "/run/lock", "/var/spool/cron"];

/// Names and what is known of each: kind, permissions, size and digest, target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing(BTreeMap<PathBuf, String>);

impl Listing {
    /// Everything in the sandbox, and elsewhere what its user owns. Where the sandbox has no user of its own, that is what
    /// has `jove` in its name, but for run folders that the prefixes of tests beside it have there for their sockets.
    pub(super) fn take(root: &Path, user: Option<u32>) -> Self {
        let mut entries = BTreeMap::new();
        for entry in WalkDir::new(root).min_depth(1).into_iter().filter_map(Result::ok) {
            entries.insert(entry.path().to_owned(), told(entry.path()));
        }
        let own = user.unwrap_or_else(|| rustix::process::geteuid().as_raw());
        let run_folder = format!("jove-{own}-");
        let is_anothers = |path: &Path| is_a_sandbox(path) || (user.is_none() && begins_with(path, &run_folder));
        for folder in OPEN_FOLDERS {
            let walk = WalkDir::new(folder).min_depth(1).max_depth(6).into_iter();
            for entry in walk.filter_entry(|entry| !is_anothers(entry.path())).filter_map(Result::ok) {
                let is_own = entry.metadata().is_ok_and(|metadata| metadata.uid() == own);
                let is_named = entry.path().to_string_lossy().contains("jove");
                if is_own && (user.is_some() || is_named) {
                    entries.insert(entry.path().to_owned(), told(entry.path()));
                }
            }
        }
        // Shared memory and semaphores that no folder shows.
        for table in ["shm", "sem", "msg"] {
            let text = fs_err::read_to_string(Path::new("/proc/sysvipc").join(table)).unwrap_or_default();
            for line in text.lines().skip(1).filter(|_| user.is_some()) {
                if line.split_whitespace().any(|word| word == own.to_string()) {
                    let words: Vec<&str> = line.split_whitespace().take(3).collect();
                    entries.insert(Path::new("/proc/sysvipc").join(table).join(words.join(" ")), String::new());
                }
            }
        }
        Self(entries)
    }

    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// Without a folder and what is in it, such as the download cache.
    #[must_use]
    pub fn without(mut self, folder: &Path) -> Self {
        self.0.retain(|path, _| !path.starts_with(folder));
        self
    }

    /// What a later listing has more (`+`), less (`-`) and other (`~`), a line each; empty if nothing.
    #[must_use]
    pub fn changes(&self, later: &Self) -> String {
        let mut text = String::new();
        let mut paths: Vec<&PathBuf> = self.0.keys().chain(later.0.keys()).collect();
        paths.sort_unstable();
        paths.dedup();
        for path in paths {
            let (sign, what) = match (self.0.get(path), later.0.get(path)) {
                (Some(before), Some(after)) if before == after => continue,
                (Some(before), Some(after)) => ('~', format!("{before} -> {after}")),
                (Some(before), None) => ('-', before.clone()),
                (None, after) => ('+', after.cloned().unwrap_or_default()),
            };
            let _ = writeln!(text, "{sign} {} ({what})", path.display());
        }
        text
    }
}

fn is_a_sandbox(path: &Path) -> bool {
    begins_with(path, "jove-it-")
}

fn begins_with(path: &Path, word: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(word))
}

fn told(path: &Path) -> String {
    let Ok(metadata) = path.symlink_metadata() else { return "gone".into() };
    let mode = metadata.mode() & 0o7777;
    if metadata.is_symlink() {
        let target = fs_err::read_link(path).map(|target| target.display().to_string());
        format!("link to {}", target.unwrap_or_default())
    } else if metadata.is_dir() {
        format!("folder {mode:04o}")
    } else if metadata.is_file() {
        let digest = fs_err::read(path).map(|bytes| blake3::hash(&bytes).to_hex()[..16].to_owned());
        format!("file {mode:04o} {} {}", metadata.len(), digest.unwrap_or_else(|_| "unreadable".into()))
    } else {
        format!("other {mode:04o}")
    }
}

/// Sealed objects have folders that nobody may write, so not even their owner can remove them.
pub(super) fn make_removable(root: &Path) {
    // From the top down, since what is in a folder can be seen only after it is opened.
    for entry in WalkDir::new(root).into_iter().filter_map(Result::ok).filter(|entry| entry.file_type().is_dir()) {
        let _ = fs_err::set_permissions(entry.path(), PermissionsExt::from_mode(0o700));
    }
}
