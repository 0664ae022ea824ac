//! The run folder: sockets, leases, secret files.
//!
//! `<prefix>/run`, unless a socket's path in it would be longer than the kernel takes: then a short folder of mode 0700 below
//! `/tmp`, to which `<prefix>/run` is a link. Everybody may make names there, so it is looked at on each use: a real folder of
//! this user's, closed to others, or it is refused.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::ledger::Ledger;
use super::secret::random_letters;
use super::{Identity, State};
use crate::fs::{private_folder, remove_tree, replace_link};
use crate::layout::Layout;

/// The kernel takes 107 bytes for a socket's path; this much is left to names in the run folder.
const LONGEST_NAME: usize = 40;
/// The longest path of a socket that is made.
const LONGEST_PATH: usize = 100;
/// Where short folders are made, first choice first.
const SHORT: [&str; 2] = ["/tmp", "/var/tmp"];
/// What the ledger calls a short folder.
const WHAT: &str = "run folder";

/// Why there is no run folder.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What is there is another's, or open to others, or no folder.
    #[error("the run folder {path} is not used, because {reason}; remove it, or let its owner do so, and run again")]
    Squatted {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No short folder could be made.
    #[error(
        "the path of {prefix} is too long for sockets, and no short run folder can be made in /tmp or /var/tmp: {source}"
    )]
    Short {
        /// The prefix.
        prefix: PathBuf,
        /// Why the last attempt failed.
        source: io::Error,
    },
    /// It cannot be removed.
    #[error("while removing the run folder: {0}")]
    Remove(#[source] io::Error),
    /// It cannot be made.
    #[error("while making the run folder {path}: {source}")]
    Make {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The run folder, made if need be; a short one is remembered in the state (which the caller saves) and in the ledger.
///
/// # Errors
/// If it cannot be made, or what is there is not safe to use.
pub fn ensure(layout: &Layout, state: &mut State, identity: &Identity, ledger: &Ledger) -> Result<PathBuf, RunError> {
    ensure_in(&SHORT.map(Path::new), layout, state, identity, ledger)
}

/// The run folder, if it is there and safe to use.
#[must_use]
pub fn existing(layout: &Layout) -> Option<PathBuf> {
    let run = layout.run();
    let folder = std::fs::read_link(&run).unwrap_or(run);
    check(&folder).ok()?.then_some(folder)
}

/// Removes the run folder, and the short one with its line in the ledger.
///
/// # Errors
/// If it cannot be removed; a short one that is not ours is left alone.
pub fn remove(layout: &Layout, state: &mut State, identity: &Identity, ledger: &Ledger) -> Result<(), RunError> {
    if let Some(short) = state.run.as_ref().filter(|short| is_of(short, identity)) {
        if check(short)? {
            remove_tree(short).map_err(RunError::Remove)?;
        }
        ledger.removed(WHAT, short).map_err(RunError::Remove)?;
    }
    state.run = None;
    remove_tree(&layout.run()).map_err(RunError::Remove)
}

fn ensure_in(
    bases: &[&Path],
    layout: &Layout,
    state: &mut State,
    identity: &Identity,
    ledger: &Ledger,
) -> Result<PathBuf, RunError> {
    let run = layout.run();
    if let Some(short) = state.run.clone().filter(|short| is_of(short, identity)) {
        if !check(&short)? {
            make_private(&short).map_err(|source| RunError::Make { path: short.clone(), source })?;
        }
        return link(&run, short);
    }
    if run.as_os_str().len() + 1 + LONGEST_NAME <= LONGEST_PATH {
        return plain(run);
    }
    let short = make_short(bases, layout, identity, ledger)?;
    state.run = Some(short.clone());
    link(&run, short)
}

/// A folder in the prefix itself. A link that is there is from a time when the prefix had a long path.
fn plain(run: PathBuf) -> Result<PathBuf, RunError> {
    let make = || {
        if run.is_symlink() {
            std::fs::remove_file(&run)?;
        }
        private_folder(&run)
    };
    match make() {
        Ok(()) => Ok(run),
        Err(source) => Err(RunError::Make { path: run, source }),
    }
}

fn link(run: &Path, short: PathBuf) -> Result<PathBuf, RunError> {
    if std::fs::read_link(run).is_ok_and(|target| target == short) {
        return Ok(short);
    }
    let make = || {
        if run.is_dir() && !run.is_symlink() {
            // Only an empty one is in nobody's use.
            std::fs::remove_dir(run)?;
        }
        replace_link(run, &short)
    };
    make().map_err(|source| RunError::Make { path: run.to_owned(), source })?;
    Ok(short)
}

/// Whether a short folder was made for this prefix: the state of a copied one names the first one's.
fn is_of(short: &Path, identity: &Identity) -> bool {
    short.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&short_name(identity)))
}

fn short_name(identity: &Identity) -> String {
    let id: String = identity.id.chars().take(8).collect();
    format!("jove-{}-{id}", rustix::process::geteuid().as_raw())
}

/// Tries the name that follows from the prefix first, then others that nobody can have guessed.
fn make_short(bases: &[&Path], layout: &Layout, identity: &Identity, ledger: &Ledger) -> Result<PathBuf, RunError> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for base in bases {
        for attempt in 0..4 {
            let more = if attempt == 0 { String::new() } else { format!("-{}", random_letters(6)) };
            let path = base.join(short_name(identity) + &more);
            // Noted before it is made: a kill in between must not leave a folder that nobody knows of.
            let made = ledger.made(WHAT, &path).and_then(|()| make_private(&path));
            match made {
                Ok(()) => return Ok(path),
                // A run that was killed before it could save the state has left it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && check(&path).is_ok_and(|is| is) => {
                    return Ok(path);
                }
                Err(error) => last = error,
            }
            let _ = ledger.removed(WHAT, &path);
        }
    }
    Err(RunError::Short { prefix: layout.root().to_owned(), source: last })
}

fn make_private(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

/// Whether the folder is there; an error if what is there is not safe to use.
fn check(path: &Path) -> Result<bool, RunError> {
    let refuse = |reason: String| Err(RunError::Squatted { path: path.to_owned(), reason });
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(RunError::Make { path: path.to_owned(), source }),
    };
    if !metadata.is_dir() {
        refuse("it is no folder".to_owned())
    } else if metadata.uid() != rustix::process::geteuid().as_raw() {
        refuse(format!("it belongs to user {}", metadata.uid()))
    } else if metadata.mode() & 0o077 != 0 {
        refuse(format!("others can use it (mode {:o})", metadata.mode() & 0o777))
    } else {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::identity::Claim;
    use super::*;

    struct Sample {
        folder: tempfile::TempDir,
        layout: Layout,
        identity: Identity,
        ledger: Ledger,
        state: State,
    }

    fn sample(name: &str) -> Sample {
        let folder = tempfile::tempdir_in("/tmp").expect("folder");
        std::fs::create_dir(folder.path().join("tmp")).expect("made");
        let layout = Layout::new(folder.path().join(name));
        let claim = Claim { owner: Path::new(""), project: "p", profile: "demo", machine: "" };
        let identity = Identity::create(&layout, &claim).expect("made");
        let ledger = Ledger::new(&layout, "ann");
        Sample { folder, layout, identity, ledger, state: State::default() }
    }

    impl Sample {
        fn ensure(&mut self) -> Result<PathBuf, RunError> {
            let base = self.folder.path().join("tmp");
            ensure_in(&[&base], &self.layout, &mut self.state, &self.identity, &self.ledger)
        }

        /// The name that is tried first.
        fn first(&self) -> PathBuf {
            self.folder.path().join("tmp").join(short_name(&self.identity))
        }
    }

    #[test]
    fn a_short_prefix_has_its_own() {
        let mut sample = sample("p");
        assert_eq!(existing(&sample.layout), None);
        assert_eq!(sample.ensure().expect("made"), sample.layout.run());
        assert_eq!(existing(&sample.layout), Some(sample.layout.run()));
        assert_eq!((sample.state.run.clone(), sample.ledger.read().expect("read").len()), (None, 0));
    }

    #[test]
    fn a_long_prefix_has_a_short_one_that_the_ledger_knows() {
        let mut sample = sample(&"long ü ".repeat(20));
        let short = sample.ensure().expect("made");
        assert_eq!((short.clone(), sample.state.run.clone()), (sample.first(), Some(short.clone())));
        assert_eq!(sample.ensure().expect("again"), short);
        assert_eq!(existing(&sample.layout), Some(short.clone()));
        assert_eq!(sample.ledger.outside().expect("read").len(), 1);
        std::os::unix::net::UnixListener::bind(sample.layout.run().canonicalize().expect("link").join("control.sock"))
            .expect("its path is short enough");
        // `/tmp` is cleaned.
        std::fs::remove_dir_all(&short).expect("removed");
        assert_eq!(existing(&sample.layout), None);
        assert_eq!(sample.ensure().expect("made again"), short);
        remove(&sample.layout, &mut sample.state, &sample.identity, &sample.ledger).expect("removed");
        assert!(!short.exists() && !sample.layout.run().is_symlink());
        assert_eq!(sample.ledger.outside().expect("read"), []);
    }

    #[test]
    fn a_squatted_name_is_not_used() {
        let mut sample = sample(&"long".repeat(30));
        std::os::unix::fs::symlink("/", sample.first()).expect("squatted");
        let short = sample.ensure().expect("another name");
        assert_ne!(short, sample.first());
        assert_eq!(sample.ledger.outside().expect("read").len(), 1);
        std::fs::set_permissions(&short, Permissions::from_mode(0o777)).expect("mode");
        let error = sample.ensure().expect_err("open to others").to_string();
        assert!(error.contains("is not used, because others can use it (mode 777)"), "{error}");
        assert_eq!(existing(&sample.layout), None);
        std::fs::remove_dir(&short).expect("removed");
        std::fs::write(&short, "").expect("written");
        assert!(sample.ensure().expect_err("a file").to_string().contains("because it is no folder"));
        remove(&sample.layout, &mut sample.state, &sample.identity, &sample.ledger).expect_err("not ours to remove");
        assert!(short.exists());
    }

    #[test]
    fn a_copy_leaves_the_run_folder_of_the_first_alone() {
        let mut sample = sample(&"long".repeat(30));
        let first = sample.ensure().expect("made");
        sample.identity.id = "another id of 16".to_owned();
        assert_ne!(sample.ensure().expect("made"), first);
        sample.state.run = Some(first.clone());
        remove(&sample.layout, &mut sample.state, &sample.identity, &sample.ledger).expect("removed");
        assert!(first.exists());
    }

    #[test]
    fn what_a_killed_run_left_is_used() {
        let mut sample = sample(&"long".repeat(30));
        make_private(&sample.first()).expect("left");
        assert_eq!(sample.ensure().expect("used"), sample.first());
    }

    #[test]
    fn no_place_at_all_is_said() {
        let mut sample = sample(&"long".repeat(30));
        std::fs::remove_dir(sample.folder.path().join("tmp")).expect("removed");
        let error = sample.ensure().expect_err("no place").to_string();
        assert!(error.contains("no short run folder can be made"), "{error}");
        assert_eq!(sample.ledger.outside().expect("read"), []);
    }

    #[test]
    fn a_prefix_whose_path_became_short_gets_its_own_again() {
        let mut sample = sample("p");
        std::os::unix::fs::symlink("/nowhere", sample.layout.run()).expect("link");
        assert_eq!(sample.ensure().expect("made"), sample.layout.run());
        assert!(!sample.layout.run().is_symlink());
    }
}
