//! [`Identity`]: `prefix.toml`, by which a folder is known to be a prefix, and whose.
//!
//! A folder that is not empty and has none is not ours: nothing in it is ever touched.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::digest::Digest;
use crate::fs::{DocumentError, TomlDocument, private_folder, write_atomic};
use crate::layout::Layout;

/// The format number of what this module writes.
pub const FORMAT: u32 = 1;

const DOCUMENT: TomlDocument = TomlDocument { format: FORMAT, limit: 1 << 16, private: false };

/// Whose a prefix is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// [`FORMAT`].
    pub format: u32,
    /// 16 random hexadecimal digits.
    pub id: String,
    /// The project's folder; empty for an example.
    pub owner: PathBuf,
    /// The project's name.
    pub project: String,
    /// The profile.
    pub profile: String,
    /// [`machine_id`] of the machine that it was made on; empty where that is not known.
    pub machine: String,
    /// Where it was made: objects hold this path.
    pub path: PathBuf,
}

/// What a run wants a prefix to be.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The project's folder; empty for an example.
    pub owner: &'a Path,
    /// The project's name.
    pub project: &'a str,
    /// The profile.
    pub profile: &'a str,
    /// [`machine_id`].
    pub machine: &'a str,
}

/// Why a folder may not be used as this prefix.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// `prefix.toml` is unreadable, damaged or newer.
    #[error("the identity of the prefix: {document}{remedy}", document = .0, remedy = remedy(.0))]
    Document(#[from] DocumentError),
    /// The folder holds things that are not ours.
    #[error(
        "{path} is no prefix (it has no prefix.toml) and is not empty ({found}), so nothing in it is touched; \
         choose another folder with `--prefix`, or empty this one yourself"
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// A few names in it.
        found: String,
    },
    /// There is something else in its place.
    #[error("{path} is no folder, so it can be no prefix; choose another with `--prefix`")]
    NoFolder {
        /// What is there.
        path: PathBuf,
    },
    /// It belongs to another project.
    #[error(
        "the prefix {path} belongs to {theirs}, not to {ours}; give this one another folder with `--prefix`, or another \
         `name` in jove.toml, or take that one over with `jove-install adopt`"
    )]
    OtherOwner {
        /// The prefix.
        path: PathBuf,
        /// Whose it is.
        theirs: String,
        /// Who asks.
        ours: String,
    },
    /// It is run by another profile.
    #[error(
        "the prefix {path} runs the profile `{theirs}`, not `{ours}`; choose another folder with `--prefix`, or use `-p {theirs}`"
    )]
    OtherProfile {
        /// The prefix.
        path: PathBuf,
        /// Its profile.
        theirs: String,
        /// The profile asked for.
        ours: String,
    },
    /// It was made at another path.
    #[error(
        "the prefix {path} was {how} from {made}, and its software holds that path; put it back there, or choose another \
         folder with `--prefix`, or make it at home here with `jove-install adopt`"
    )]
    Moved {
        /// Where it is.
        path: PathBuf,
        /// `moved` or `copied`.
        how: &'static str,
        /// Where it was made.
        made: PathBuf,
    },
    /// It was made on another machine.
    #[error(
        "the prefix {path} was made on another machine, where its services may be running; work on it there, or choose \
         another folder with `--prefix`, or bring it over with `jove-install adopt` once it is stopped there"
    )]
    OtherMachine {
        /// The prefix.
        path: PathBuf,
    },
    /// It cannot be read or made.
    #[error("while {doing} the prefix {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn remedy(error: &DocumentError) -> &'static str {
    match error {
        DocumentError::Damaged { .. } => "; if this folder is yours, `jove-install adopt` writes it anew",
        DocumentError::Huge { .. } | DocumentError::Newer { .. } | DocumentError::Read { .. } => "",
    }
}

impl Identity {
    /// The identity of a prefix; `None` if the folder is not there yet or empty, so that it can become one.
    ///
    /// # Errors
    /// If the folder is something else, or its identity cannot be read.
    pub fn open(layout: &Layout) -> Result<Option<Self>, IdentityError> {
        let path = layout.root();
        match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(IdentityError::NoFolder { path: path.to_owned() });
            }
            Err(source) => return Err(IdentityError::Io { doing: "reading", path: path.to_owned(), source }),
            Ok(metadata) if !metadata.is_dir() => return Err(IdentityError::NoFolder { path: path.to_owned() }),
            Ok(_) => {}
        }
        if let Some(identity) = DOCUMENT.read(&layout.identity())? {
            return Ok(Some(identity));
        }
        match strangers(layout) {
            Ok(None) => Ok(None),
            Ok(Some(found)) => Err(IdentityError::NotOurs { path: path.to_owned(), found }),
            Err(source) => Err(IdentityError::Io { doing: "reading", path: path.to_owned(), source }),
        }
    }

    /// Makes a folder a prefix.
    ///
    /// # Errors
    /// If it is one already or holds other things, or cannot be written.
    pub fn create(layout: &Layout, claim: &Claim) -> Result<Self, IdentityError> {
        if let Some(there) = Self::open(layout)? {
            there.check(layout, claim)?;
            return Ok(there);
        }
        Self::new(layout, claim).written(layout)
    }

    /// Takes a prefix over for another owner, profile, place or machine. A copy gets an id of its own, since the first one may
    /// be in use; its state and ledger then have to let go of what is the first one's ([`super::State::forget_places`],
    /// [`super::Ledger::disown`]).
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn adopt(self, layout: &Layout, claim: &Claim) -> Result<Self, IdentityError> {
        let id = if self.how_it_came(layout) == Some("copied") { random_id() } else { self.id };
        Self { id, ..Self::new(layout, claim) }.written(layout)
    }

    /// Writes another in the place of one that is damaged.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn anew(layout: &Layout, claim: &Claim) -> Result<Self, IdentityError> {
        Self::new(layout, claim).written(layout)
    }

    fn new(layout: &Layout, claim: &Claim) -> Self {
        Self {
            format: FORMAT,
            id: random_id(),
            owner: claim.owner.to_owned(),
            project: claim.project.to_owned(),
            profile: claim.profile.to_owned(),
            machine: claim.machine.to_owned(),
            path: layout.root().to_owned(),
        }
    }

    fn written(self, layout: &Layout) -> Result<Self, IdentityError> {
        let write = || {
            private_folder(layout.root())?;
            let body = toml::to_string(&self).map_err(io::Error::other)?;
            checkpoint::pass("identity-before-write");
            let text = format!("# By this file jove-install knows the folder as a prefix of its own.\n{body}");
            write_atomic(&layout.identity(), text.as_bytes(), 0o644)?;
            checkpoint::pass("identity-after-write");
            Ok(())
        };
        write()
            .map_err(|source| IdentityError::Io { doing: "making", path: layout.root().to_owned(), source })
            .map(|()| self)
    }

    /// Whether a run may use the prefix as its own.
    ///
    /// # Errors
    /// If it has another owner, profile, place or machine; each with what can be done.
    pub fn check(&self, layout: &Layout, claim: &Claim) -> Result<(), IdentityError> {
        let path = || layout.root().to_owned();
        if let Some(how) = self.how_it_came(layout) {
            return Err(IdentityError::Moved { path: path(), how, made: self.path.clone() });
        }
        if !same_place(&self.owner, claim.owner) {
            let theirs = describe(&self.owner, &self.project);
            return Err(IdentityError::OtherOwner { path: path(), theirs, ours: describe(claim.owner, claim.project) });
        }
        if self.profile != claim.profile {
            let (theirs, ours) = (self.profile.clone(), claim.profile.to_owned());
            return Err(IdentityError::OtherProfile { path: path(), theirs, ours });
        }
        // A machine without an id (a container) cannot be told from another.
        if !self.machine.is_empty() && !claim.machine.is_empty() && self.machine != claim.machine {
            return Err(IdentityError::OtherMachine { path: path() });
        }
        Ok(())
    }

    /// `moved` or `copied`, if it is no longer where it was made.
    /// Whether it is that of another prefix, which is still there.
    #[must_use]
    pub fn is_copy(&self, layout: &Layout) -> bool {
        self.how_it_came(layout) == Some("copied")
    }

    /// Whether it was made in another folder.
    #[must_use]
    pub fn is_moved(&self, layout: &Layout) -> bool {
        self.how_it_came(layout).is_some()
    }

    fn how_it_came(&self, layout: &Layout) -> Option<&'static str> {
        if same_place(&self.path, layout.root()) {
            return None;
        }
        let there = DOCUMENT.read::<Self>(&Layout::new(&self.path).identity());
        let is_there = there.is_ok_and(|there| there.is_some_and(|there| there.id == self.id));
        Some(if is_there { "copied" } else { "moved" })
    }
}

/// What this machine is called in leases and identities: a digest of its id, which is itself not to be shown about. Empty
/// where there is none.
#[must_use]
pub fn machine_id() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let usable = |id: &String| !id.is_empty() && id != "uninitialized";
    let id = ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().filter_map(read).find(usable);
    id.map(|id| Digest::of(format!("jove-install {id}")).short()).unwrap_or_default()
}

/// A few names in a folder that no killed first run of ours could have left.
fn strangers(layout: &Layout) -> io::Result<Option<String>> {
    let ours = layout.file_lock();
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(layout.root())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path() != ours && !name.starts_with(".tmp-") {
            names.push(format!("`{}`", name.escape_debug()));
        }
    }
    names.sort();
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let mut found = names.join(", ");
    if more > 0 {
        let _ = write!(found, " and {more} more");
    }
    Ok((!found.is_empty()).then_some(found))
}

fn same_place(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    one == other || (canonical(one).is_some() && canonical(one) == canonical(other))
}

fn describe(owner: &Path, project: &str) -> String {
    if owner.as_os_str().is_empty() {
        return format!("the example `{project}`");
    }
    let gone = if owner.exists() { "" } else { ", which is no longer there" };
    format!("the project `{project}` in {}{gone}", owner.display())
}

fn random_id() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("every kernel that this program runs on gives random bytes");
    format!("{:016x}", u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Claim<'static> {
        Claim { owner: Path::new(""), project: "pywps", profile: "demo", machine: "m1" }
    }

    fn sample() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path().join("jove/demo"));
        (folder, layout)
    }

    fn shown(error: IdentityError, folder: &tempfile::TempDir) -> String {
        error.to_string().replace(&folder.path().display().to_string(), "~")
    }

    #[test]
    fn a_prefix_is_made_once_and_known_again() {
        let (_folder, layout) = sample();
        assert_eq!(Identity::open(&layout).expect("open"), None);
        let made = Identity::create(&layout, &demo()).expect("made");
        assert_eq!(made.id.len(), 16);
        assert_eq!(Identity::open(&layout).expect("open"), Some(made.clone()));
        assert_eq!(Identity::create(&layout, &demo()).expect("again"), made);
        made.check(&layout, &demo()).expect("ours");
    }

    #[test]
    fn what_a_killed_first_run_left_is_no_stranger() {
        let (_folder, layout) = sample();
        std::fs::create_dir_all(layout.root()).expect("made");
        std::fs::write(layout.file_lock(), "").expect("written");
        std::fs::write(layout.root().join(".tmp-abc"), "").expect("written");
        Identity::create(&layout, &demo()).expect("made");
    }

    #[test]
    fn a_folder_that_is_not_ours_is_named_and_left_alone() {
        let (folder, layout) = sample();
        std::fs::create_dir_all(layout.root()).expect("made");
        for name in ["thesis.tex", "a", "b", "c\u{1b}"] {
            std::fs::write(layout.root().join(name), "mine").expect("written");
        }
        let error = Identity::create(&layout, &demo()).expect_err("not ours");
        insta::assert_snapshot!(shown(error, &folder), @r"~/jove/demo is no prefix (it has no prefix.toml) and is not empty (`a`, `b`, `c\u{1b}` and 1 more), so nothing in it is touched; choose another folder with `--prefix`, or empty this one yourself");
        assert_eq!(std::fs::read_dir(layout.root()).expect("folder").count(), 4);
        let file = Layout::new(layout.root().join("a"));
        assert!(matches!(Identity::open(&file), Err(IdentityError::NoFolder { .. })));
        assert!(matches!(Identity::open(&Layout::new(file.root().join("x"))), Err(IdentityError::NoFolder { .. })));
    }

    #[test]
    fn every_stranger_is_told_what_can_be_done() {
        let (folder, layout) = sample();
        let made =
            Identity::create(&layout, &Claim { owner: folder.path(), project: "climate", ..demo() }).expect("made");
        let ours = Claim { owner: folder.path(), project: "climate", ..demo() };
        let other = folder.path().join("other");
        std::fs::create_dir(&other).expect("made");
        let table = [
            Claim { owner: &other, ..ours },
            demo(),
            Claim { profile: "dev", ..ours },
            Claim { machine: "m2", ..ours },
        ];
        let errors = table.map(|claim| shown(made.check(&layout, &claim).expect_err("refused"), &folder));
        insta::assert_snapshot!(errors.join("\n"), @r"
        the prefix ~/jove/demo belongs to the project `climate` in ~, not to the project `climate` in ~/other; give this one another folder with `--prefix`, or another `name` in jove.toml, or take that one over with `jove-install adopt`
        the prefix ~/jove/demo belongs to the project `climate` in ~, not to the example `pywps`; give this one another folder with `--prefix`, or another `name` in jove.toml, or take that one over with `jove-install adopt`
        the prefix ~/jove/demo runs the profile `demo`, not `dev`; choose another folder with `--prefix`, or use `-p demo`
        the prefix ~/jove/demo was made on another machine, where its services may be running; work on it there, or choose another folder with `--prefix`, or bring it over with `jove-install adopt` once it is stopped there
        ");
        made.check(&layout, &Claim { machine: "", ..ours }).expect("a machine without an id");
    }

    #[test]
    fn a_moved_prefix_and_a_copied_one_are_told_apart() {
        let (folder, layout) = sample();
        let made = Identity::create(&layout, &demo()).expect("made");
        let copy = Layout::new(folder.path().join("copy"));
        std::fs::create_dir(copy.root()).expect("made");
        std::fs::copy(layout.identity(), copy.identity()).expect("copied");
        let read = |layout| Identity::open(layout).expect("open").expect("there");
        assert!(matches!(read(&copy).check(&copy, &demo()), Err(IdentityError::Moved { how: "copied", .. })));
        let adopted = read(&copy).adopt(&copy, &demo()).expect("adopted");
        assert_ne!(adopted.id, made.id);
        adopted.check(&copy, &demo()).expect("at home");
        let moved = Layout::new(folder.path().join("moved"));
        std::fs::rename(layout.root(), moved.root()).expect("moved");
        let error = read(&moved).check(&moved, &demo()).expect_err("moved");
        insta::assert_snapshot!(shown(error, &folder), @"the prefix ~/moved was moved from ~/jove/demo, and its software holds that path; put it back there, or choose another folder with `--prefix`, or make it at home here with `jove-install adopt`");
        assert_eq!(read(&moved).adopt(&moved, &demo()).expect("adopted").id, made.id);
    }

    #[test]
    fn another_name_for_the_same_place_is_no_move() {
        let (folder, layout) = sample();
        let made = Identity::create(&layout, &demo()).expect("made");
        std::os::unix::fs::symlink(folder.path().join("jove"), folder.path().join("link")).expect("link");
        made.check(&Layout::new(folder.path().join("link/demo")), &demo()).expect("the same place");
    }

    #[test]
    fn damaged_and_newer_identities_are_named() {
        let (_folder, layout) = sample();
        std::fs::create_dir_all(layout.root()).expect("made");
        for (text, expected) in
            [("", "missing field `format`"), ("format = 7", "has format 7"), ("x", "prefix.toml:1:")]
        {
            std::fs::write(layout.identity(), text).expect("written");
            let error = Identity::open(&layout).expect_err("bad").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
