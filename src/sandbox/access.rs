//! [`Access`]: which paths may be read and written.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::layout::Layout;

/// Devices that everybody writes to.
const DEVICES: [&str; 8] =
    ["/dev/full", "/dev/null", "/dev/ptmx", "/dev/pts", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"];

/// Where people have keys and passwords, in their homes.
const KEYS: [&str; 12] = [
    ".aws",
    ".config/gcloud",
    ".config/gh",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".my.cnf",
    ".netrc",
    ".pgpass",
    ".pypirc",
    ".ssh",
];

/// Which files and folders may be used. What is named nowhere may not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// May be read and executed, with all that is below.
    pub read: Vec<PathBuf>,
    /// Not to be read although it is below one of `read`. The names of files beside it can still be listed; files that come up
    /// beside it later cannot be read.
    pub hidden: Vec<PathBuf>,
    /// May be read with all that is below, even where `hidden` says otherwise. Must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<PathBuf>,
    /// May be read and changed, with all that is below, even where `hidden` says otherwise. Must be there.
    pub write: Vec<PathBuf>,
}

/// What may be done with a path and all that is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Right {
    /// Names of files may be listed.
    List,
    /// Files may be read and executed.
    Read,
    /// Everything.
    Write,
}

impl Access {
    /// Everything may be read.
    #[must_use]
    pub fn read_all() -> Self {
        Self { read: vec![PathBuf::from("/")], ..Self::default() }
    }

    /// What a build or step in a prefix may read: everything but the secrets and data of the prefix, and what a home commonly
    /// has of keys and passwords.
    #[must_use]
    pub fn of_work(prefix: &Path, home: Option<&Path>) -> Self {
        let layout = Layout::new(prefix);
        let of_prefix = [layout.state(), layout.var(), layout.run()];
        let of_home = home.iter().flat_map(|home| KEYS.map(|name| home.join(name)));
        of_prefix.into_iter().chain(of_home).fold(Self::read_all(), Self::hide)
    }

    /// What work may read that fetches things itself: what says how is not hidden from it.
    #[must_use]
    pub fn of_fetching_work(home: Option<&Path>) -> Self {
        let keys = KEYS.iter().filter(|name| ![".netrc", ".pypirc", ".config/gcloud"].contains(name));
        home.iter().flat_map(|home| keys.clone().map(|name| home.join(name))).fold(Self::read_all(), Self::hide)
    }

    /// Also not this.
    #[must_use]
    pub fn hide(mut self, path: impl Into<PathBuf>) -> Self {
        self.hidden.push(path.into());
        self
    }

    /// This may be read.
    #[must_use]
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.read.push(path.into());
        self
    }

    /// This may be read even where something around it is hidden.
    #[must_use]
    pub fn show(mut self, path: impl Into<PathBuf>) -> Self {
        self.shown.push(path.into());
        self
    }

    /// This may be changed.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.write.push(path.into());
        self
    }

    /// Each path that is granted something. Rules only ever add, so a folder with something hidden below is granted piece by
    /// piece: what is in it, one by one, but not the hidden.
    pub(super) fn grants(&self) -> Vec<(PathBuf, Right)> {
        let hidden: Vec<PathBuf> = self.hidden.iter().map(|path| real(path)).collect();
        let mut grants = Vec::new();
        for path in &self.read {
            grant(&real(path), &hidden, &mut grants);
        }
        let devices = DEVICES.iter().map(PathBuf::from).filter(|device| device.exists());
        grants.extend(self.shown.iter().map(|path| (real(path), Right::Read)));
        grants.extend(self.write.iter().cloned().chain(devices).map(|path| (path, Right::Write)));
        grants
    }
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

fn grant(path: &Path, hidden: &[PathBuf], grants: &mut Vec<(PathBuf, Right)>) {
    if hidden.iter().any(|hidden| path.starts_with(hidden)) {
        return;
    }
    if !hidden.iter().any(|hidden| hidden.starts_with(path)) {
        grants.push((path.to_owned(), Right::Read));
        return;
    }
    grants.push((path.to_owned(), Right::List));
    let below = std::fs::read_dir(path).into_iter().flatten().flatten();
    // What a link leads to is granted at its own place, or not: a link must not open what is hidden.
    for entry in below.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink())) {
        grant(&entry.path(), hidden, grants);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn around_what_is_hidden_everything_else_is_granted() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path().canonicalize().expect("real");
        for name in ["a/b/secret/key", "a/b/open", "a/c/d", "e"] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
            std::fs::write(path, "").expect("written");
        }
        std::os::unix::fs::symlink("b/secret", root.join("a/link")).expect("link");
        std::os::unix::fs::symlink("a", root.join("way")).expect("link");
        let access = Access::default().read(&root).hide(root.join("way/b/secret")).hide(root.join("a/b/later"));
        let mut grants: Vec<String> = access
            .write(root.join("a/b/secret/mine"))
            .grants()
            .into_iter()
            .filter(|(path, _)| path.starts_with(&root))
            .map(|(path, right)| format!("{right:?} /{}", path.strip_prefix(&root).expect("below").display()))
            .collect();
        grants.sort();
        assert_eq!(
            grants,
            ["List /", "List /a", "List /a/b", "Read /a/b/open", "Read /a/c", "Read /e", "Write /a/b/secret/mine"]
        );
    }
}
