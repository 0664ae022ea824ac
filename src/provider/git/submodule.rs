//! Submodules: what a commit says of other repositories in it.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::GitError;
use super::repository::{Repository, is_address};

/// A repository within another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Submodule {
    /// Where it goes in the outer one.
    pub(super) path: String,
    /// Its address.
    pub(super) url: String,
    /// Its commit, which the outer commit names.
    pub(super) commit: String,
}

/// The submodules of a commit.
pub(super) fn of(repository: &Repository<'_>, url: &str, commit: &str) -> Result<Vec<Submodule>, GitError> {
    let listed = repository.read(&["ls-tree", "-r", "-z", "--full-tree", commit])?;
    let commits = gitlinks(&String::from_utf8_lossy(&listed));
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let refuse = |path: &str, why| GitError::Submodule { url: repository.shown(), path: path.to_owned(), why };
    let blob = format!("{commit}:.gitmodules");
    let said = repository.read(&["config", "--null", "--blob", &blob, "--list"])?;
    let addresses = addresses(&String::from_utf8_lossy(&said));
    let submodule = |(path, commit): (String, String)| {
        let is_plain = Path::new(&path).components().all(|component| matches!(component, Component::Normal(_)));
        let is_own = path.split('/').any(|name| name.eq_ignore_ascii_case(".git"));
        if !is_plain || is_own {
            return Err(refuse(&path, "its path leads out of the repository"));
        }
        let Some(said) = addresses.get(&path) else { return Err(refuse(&path, "`.gitmodules` says no address of it")) };
        let address = absolute(url, said);
        if !is_address(&address) {
            return Err(refuse(&path, "its address is of a kind that could run a program"));
        }
        let is_local = |url: &str| url.starts_with('/') || url.starts_with("file:");
        if is_local(&address) && !is_local(url) {
            return Err(refuse(&path, "a remote repository names one of this machine"));
        }
        Ok(Submodule { path, url: address, commit })
    };
    commits.into_iter().map(submodule).collect()
}

/// Path and commit of each entry that is a commit.
fn gitlinks(listed: &str) -> Vec<(String, String)> {
    let rows = listed.split('\0').filter_map(|row| row.split_once('\t'));
    rows.filter_map(|(facts, path)| {
        let mut facts = facts.split(' ');
        let is_link = facts.next() == Some("160000");
        facts.nth(1).filter(|_| is_link).map(|commit| (path.to_owned(), commit.to_owned()))
    })
    .collect()
}

/// By path, the address that `.gitmodules` says.
fn addresses(config: &str) -> BTreeMap<String, String> {
    let (mut paths, mut urls) = (BTreeMap::new(), BTreeMap::new());
    for (key, value) in config.split('\0').filter_map(|row| row.split_once('\n')) {
        let Some((name, word)) = key.strip_prefix("submodule.").and_then(|key| key.rsplit_once('.')) else { continue };
        match word {
            "path" => drop(paths.insert(name.to_owned(), value.to_owned())),
            "url" => drop(urls.insert(name.to_owned(), value.to_owned())),
            _ => {}
        }
    }
    paths.into_iter().filter_map(|(name, path)| Some((path, urls.get(&name)?.clone()))).collect()
}

/// An address that begins with `./` or `../` is relative to that of the outer repository.
fn absolute(outer: &str, said: &str) -> String {
    if !said.starts_with("./") && !said.starts_with("../") {
        return said.to_owned();
    }
    let (mut base, mut rest) = (outer.trim_end_matches('/'), said);
    loop {
        if let Some(next) = rest.strip_prefix("../") {
            base = base.rsplit_once('/').map_or("", |(up, _)| up);
            rest = next;
        } else if let Some(next) = rest.strip_prefix("./") {
            rest = next;
        } else {
            return format!("{base}/{rest}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_commit_says_is_read() {
        let listed = "100644 blob 11\ta.txt\x00160000 commit 22\tvendor/lib\0";
        assert_eq!(gitlinks(listed), [("vendor/lib".to_owned(), "22".to_owned())]);
        let config = "submodule.the.lib.path\nvendor/lib\0submodule.the.lib.url\n../lib.git\0submodule.x.path\ny\0";
        assert_eq!(addresses(config), BTreeMap::from([("vendor/lib".to_owned(), "../lib.git".to_owned())]));
    }

    #[test]
    fn relative_addresses_follow_the_outer_one() {
        for (outer, said, whole) in [
            ("https://host/team/app.git", "../lib.git", "https://host/team/lib.git"),
            ("https://host/team/app.git/", "../../other/lib", "https://host/other/lib"),
            ("/srv/app", "./lib", "/srv/app/lib"),
            ("/srv/app", "https://host/x", "https://host/x"),
        ] {
            assert_eq!(absolute(outer, said), whole);
        }
    }
}
