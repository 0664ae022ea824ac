//! [`Repository`]: the cache's bare copy of a remote, and the `git` of this machine that works on it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::{GitError, at};
use crate::checkpoint;
use crate::digest::Digest;
use crate::fs::{FileLock, remove_tree};
use crate::net;
use crate::process::{ProcessError, Run, clean_vars};
use crate::provider::Kit;

/// How long a remote may take for everything.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Nothing of the user's configuration or of the repository is run, and nothing is done in the background.
const ALWAYS: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "credential.interactive=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
    "tar.umask=0022",
    "transfer.fsckObjects=true",
];

/// A branch, tag or commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A commit by its whole number.
    Commit(String),
    /// A branch or tag; `HEAD` is the remote's own branch.
    Name(String),
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number = |length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_number(40) || is_number(64) {
            return Ok(Self::Commit(text.to_ascii_lowercase()));
        }
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
        let is_name =
            !text.is_empty() && !text.starts_with(['-', '/', '.']) && !text.contains("..") && !text.contains("@{");
        if is_name && !text.contains(is_odd) { Ok(Self::Name(text.to_owned())) } else { Err(text.to_owned()) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(text) | Self::Name(text) => f.write_str(text),
        }
    }
}

/// An address as people may see it.
pub(super) fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(parsed) if parsed.has_host() => net::show(&parsed),
        _ => url.to_owned(),
    }
}

/// What a lock calls a repository: by its path, without the host, so that a mirror is the same one.
pub(super) fn called(url: &str) -> String {
    let path = match (Url::parse(url).ok().filter(|_| url.contains("://")), url.split_once(':')) {
        (Some(parsed), _) if parsed.scheme() == "file" => return parsed.path().to_owned(),
        (Some(parsed), _) => parsed.path().to_owned(),
        // `git@host:team/app.git`
        (None, Some((_, path))) if !url.starts_with('/') => path.to_owned(),
        (None, _) => return url.to_owned(),
    };
    let path = path.trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path).to_owned()
}

/// Whether git may be given an address: of a kind that runs no other program, and not an option.
pub(super) fn is_address(url: &str) -> bool {
    let is_word =
        !url.is_empty() && !url.starts_with('-') && !url.contains(|c: char| c.is_control() || c.is_whitespace());
    let is_known = match url.split_once("://") {
        Some((scheme, _)) => ["file", "git", "http", "https", "ssh"].contains(&scheme),
        // `host:path` is ssh's, `/path` this machine's; `ext::` and its kin run programs.
        None => !url.contains("::") && (url.starts_with('/') || url.contains(':')),
    };
    is_word && is_known
}

/// A remote, and the cache's copy of what was fetched of it. While it is held nobody else fetches there.
pub(super) struct Repository<'a> {
    kit: &'a Kit<'a>,
    git: PathBuf,
    url: String,
    folder: PathBuf,
    _lock: FileLock,
}

impl<'a> Repository<'a> {
    /// The copy of a remote, made empty if there is none.
    pub(super) fn open(kit: &'a Kit<'a>, url: &str) -> Result<Self, GitError> {
        if !is_address(url) {
            return Err(GitError::Address(shown(url)));
        }
        let git = kit.host.which("git").ok_or(GitError::NoGit)?;
        let folder = kit.cache.root().join("git").join(Digest::of(url).short());
        std::fs::create_dir_all(&folder).map_err(at(&folder))?;
        let lock = FileLock::acquire_folder(&folder, true, kit.report);
        let lock = lock.map_err(|error| at(&folder)(std::io::Error::other(error.to_string())))?;
        let repository = Self { kit, git, url: url.to_owned(), folder, _lock: lock };
        sweep(&repository.folder).map_err(at(&repository.folder))?;
        // What git makes last; one that is half there is made whole by the same words.
        if !repository.folder.join("objects/info").is_dir() || !repository.folder.join("HEAD").is_file() {
            repository.local(&["init", "--quiet", "--bare", "--template=", "."])?;
        }
        Ok(repository)
    }

    /// Its address for people.
    pub(super) fn shown(&self) -> String {
        shown(&self.url)
    }

    /// A run of git. Asked by a terminal or a window it would wait for ever.
    fn run(&self, args: &[&str]) -> Run {
        let mut run = Run::new(&self.git, clean_vars(self.kit.host)).folder(&self.folder);
        for (name, value) in [
            ("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh"),
            ("GIT_ASKPASS", "/bin/false"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_CEILING_DIRECTORIES", "/"),
            ("GIT_DIR", "."),
            ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("SSH_ASKPASS_REQUIRE", "never"),
        ] {
            run = run.var(name, value);
        }
        if let Some(agent) = self.kit.host.var("SSH_AUTH_SOCK") {
            run = run.var("SSH_AUTH_SOCK", agent);
        }
        let settings = ALWAYS.iter().flat_map(|setting| ["-c", setting]);
        run.args(settings).args(args).limit(PATIENCE).log(self.kit.log).hide(secrets(&self.url))
    }

    /// Work on the copy alone, whatever the user's configuration says.
    fn local(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        let run = self.run(args).var("GIT_CONFIG_GLOBAL", "/dev/null").var("GIT_CONFIG_NOSYSTEM", "1");
        match run.capture().go() {
            Ok(done) => Ok(done.stdout),
            Err(ProcessError::Interrupted) => Err(GitError::Interrupted),
            Err(source) => Err(GitError::Local { url: self.shown(), source: Box::new(source) }),
        }
    }

    /// Asks the remote.
    fn remote(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        if self.kit.client.is_offline() && !self.is_here() {
            return Err(GitError::Offline(self.shown()));
        }
        match self.run(args).capture().go() {
            Ok(done) => Ok(done.stdout),
            Err(ProcessError::Interrupted) => Err(GitError::Interrupted),
            Err(source) => Err(GitError::Remote { url: self.shown(), source: Box::new(source) }),
        }
    }

    fn is_here(&self) -> bool {
        self.url.starts_with('/') || self.url.starts_with("file://")
    }

    /// What git prints of the copy.
    pub(super) fn read(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        self.local(args)
    }

    /// The commit that a reference names now.
    pub(super) fn find(&self, reference: &Reference) -> Result<String, GitError> {
        let name = match reference {
            Reference::Commit(commit) => return Ok(commit.clone()),
            Reference::Name(name) => name,
        };
        let said = self.remote(&["ls-remote", "--quiet", "--", &self.url, name, &format!("{name}^{{}}")])?;
        let rows: BTreeMap<String, String> = String::from_utf8_lossy(&said)
            .lines()
            .filter_map(|line| line.split_once('\t').map(|(commit, name)| (name.to_owned(), commit.to_owned())))
            .collect();
        // A tag with a message is an object of its own; behind `^{}` is its commit.
        let places =
            [format!("refs/tags/{name}^{{}}"), format!("refs/tags/{name}"), format!("refs/heads/{name}"), name.clone()];
        let found = places.iter().find_map(|place| rows.get(place).cloned());
        found.ok_or_else(|| GitError::NoReference { url: self.shown(), reference: name.clone() })
    }

    /// Whether it is a folder of this machine with work that is not committed. Nothing there is touched, not even git's index.
    pub(super) fn has_uncommitted_work(&self) -> bool {
        let path = self.url.strip_prefix("file://").unwrap_or(&self.url);
        let folder = Path::new(path);
        if !folder.is_absolute() || !folder.join(".git").exists() {
            return false;
        }
        let run = self.run(&["status", "--porcelain"]).folder(folder);
        let run = run.var("GIT_DIR", folder.join(".git").display().to_string());
        let run = run.var("GIT_WORK_TREE", folder.display().to_string()).var("GIT_OPTIONAL_LOCKS", "0");
        run.capture().go().is_ok_and(|done| !done.stdout.is_empty())
    }

    fn has(&self, commit: &str) -> bool {
        // The tree, too: a fetch that was killed may have left the commit alone.
        self.local(&["rev-parse", "--quiet", "--verify", &format!("{commit}^{{tree}}")]).is_ok()
    }

    /// Fetches a commit: alone if the remote gives it so, else all branches and tags.
    pub(super) fn bring(&self, commit: &str) -> Result<(), GitError> {
        if self.has(commit) {
            return Ok(());
        }
        checkpoint::pass("git-before-fetch");
        let alone = self.remote(&["fetch", "--quiet", "--no-tags", "--depth=1", "--", &self.url, commit]);
        if matches!(alone, Err(GitError::Interrupted | GitError::Offline(_))) {
            return alone.map(drop);
        }
        checkpoint::pass("git-after-fetch");
        if alone.is_ok() && self.has(commit) {
            return Ok(());
        }
        let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        let deep = if self.folder.join("shallow").is_file() { "--unshallow" } else { "--no-tags" };
        self.remote(&["fetch", "--quiet", "--prune", "--no-tags", deep, "--", &self.url, all[0], all[1]])?;
        if self.has(commit) { Ok(()) } else { Err(GitError::NoCommit { url: self.shown(), commit: commit.to_owned() }) }
    }

    /// The files of a commit as a tar. It has no name: a run that is killed leaves nothing of it.
    pub(super) fn archive(&self, commit: &str) -> Result<File, GitError> {
        let folder: &Path = &self.folder;
        let tar = tempfile::tempfile_in(folder).map_err(at(folder))?;
        let to = format!("--output=/proc/{}/fd/{}", std::process::id(), tar.as_raw_fd());
        self.local(&["archive", "--format=tar", &to, commit])?;
        checkpoint::pass("git-after-archive");
        Ok(tar)
    }
}

/// Removes what a git that was killed left in the copy: its locks, which would stop every other one, and packs that are not whole.
/// Whoever calls holds the copy's own lock, so that no git is at work.
fn sweep(folder: &Path) -> io::Result<()> {
    let is_half =
        |name: &str| name.starts_with("tmp_") || name.starts_with("tmp-objdir-") || name.starts_with("incoming-");
    for entry in walkdir::WalkDir::new(folder).contents_first(true) {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        // No branch has a name that ends like that.
        let is_lock = name.ends_with(".lock");
        if is_lock || (is_half(&name) && entry.path().starts_with(folder.join("objects"))) {
            remove_tree(entry.path())?;
        }
    }
    Ok(())
}

/// Words of an address that no log may have.
fn secrets(url: &str) -> Vec<String> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    url.password().map(str::to_owned).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_run_programs_and_options_are_refused() {
        for good in ["https://host/x.git", "ssh://git@host/x", "git@host:team/x.git", "file:///srv/x", "/srv/x"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["ext::sh -c id", "ext::id", "--upload-pack=id", "fd::3", "x y", "", "relative/x", "ftp://host/x"] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_lock_calls_a_repository_by_its_path_alone() {
        for (url, name) in [
            ("https://me:word@host.example:8443/team/app.git", "team/app"),
            ("ssh://git@host.example/team/app/", "team/app"),
            ("git@host.example:team/app.git", "team/app"),
            ("file:///srv/app", "/srv/app"),
            ("/srv/app", "/srv/app"),
        ] {
            assert_eq!(called(url), name);
        }
    }

    #[test]
    fn a_reference_is_a_commit_or_a_name() {
        let commit = "A".repeat(40);
        assert_eq!(commit.parse(), Ok(Reference::Commit("a".repeat(40))));
        assert_eq!("v1.2/x".parse(), Ok(Reference::Name("v1.2/x".into())));
        for bad in ["", "-x", "a..b", "a b", "a:b", "x@{1}", "a^"] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
