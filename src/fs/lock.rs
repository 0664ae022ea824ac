//! [`FileLock`]: one writing run at a time, and a waiter that can say for whom it waits.
//!
//! An advisory `flock` on an open file. The kernel frees it when the process dies, however it dies, so there is no stale
//! lock to clean; what the file says about its holder (process, verb, since) is for messages only. The descriptor is
//! close-on-exec: a service that a run starts never inherits the lock.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::progress::{Event, Reporter};

/// Who holds a file lock, as far as it said so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process.
    pub pid: Option<i32>,
    /// The verb that it runs.
    pub verb: Option<String>,
    /// Since when (RFC 3339, UTC).
    pub since: Option<String>,
}

/// Why a file lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it and the caller did not want to wait.
    #[error("{holder} is at work on {path}; wait for it to end, or run again without `--no-wait`")]
    Busy {
        /// What is locked.
        path: PathBuf,
        /// Who holds it.
        holder: LockHolder,
    },
    /// The file cannot be made or opened.
    #[error(
        "the file lock {path} cannot be opened: {source}; see that its folder is there and that you may write to it"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file system or kernel refuses to lock it.
    #[error(
        "{path} cannot be locked: {source}; put the prefix on a file system that knows file locks (`--prefix DIR`)"
    )]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A held file lock; dropping it frees it.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    named: bool,
}

impl FileLock {
    /// Locks the file at `path`, which is made if need be. If another run holds it: waits, saying for whom, or (without
    /// `wait`) fails.
    ///
    /// # Errors
    /// If it is held and `wait` is false, or cannot be opened or locked.
    pub fn acquire(path: &Path, verb: &str, wait: bool, report: &Reporter) -> Result<Self, LockError> {
        let open = || File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = lock_open_file(path, &open, wait, report)?;
        let mut lock = Self { file, named: true };
        // Only for messages: a full disk must not hinder a run that could free some of it.
        let _ = lock.name_holder(verb);
        Ok(lock)
    }

    /// Locks a folder itself (a project's, in which no file of ours should lie about). The holder is found by the kernel's
    /// own list of locks.
    ///
    /// # Errors
    /// As for [`FileLock::acquire`].
    pub fn acquire_folder(path: &Path, wait: bool, report: &Reporter) -> Result<Self, LockError> {
        let open = || File::open(path);
        Ok(Self { file: lock_open_file(path, &open, wait, report)?, named: false })
    }

    fn name_holder(&mut self, verb: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        let pid = rustix::process::getpid().as_raw_nonzero();
        let since = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        self.file.write_all(format!("pid = {pid}\nverb = {verb}\nsince = {since}\n").as_bytes())
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if self.named {
            // Best effort: a name that stays behind is overwritten by the next holder.
            let _ = self.file.set_len(0);
        }
    }
}

/// Opens and locks until the locked file is also the one that has the name: a run that ends by `wipe` removes the file while
/// others wait for it, and they would then all hold locks on nothing.
fn lock_open_file(
    path: &Path,
    open: &dyn Fn() -> io::Result<File>,
    wait: bool,
    report: &Reporter,
) -> Result<File, LockError> {
    let mut said = false;
    loop {
        let file = open().map_err(|source| LockError::Open { path: path.to_owned(), source })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let holder = LockHolder::of(&file);
                if !wait {
                    return Err(LockError::Busy { path: path.to_owned(), holder });
                }
                if !said {
                    report.report(Event::Note(format!("waiting for {holder} on {}", path.display())));
                    said = true;
                }
                flock(&file, FlockOperation::LockExclusive).map_err(|source| refused(path, source))?;
            }
            Err(source) => return Err(refused(path, source)),
        }
        if has_the_name(&file, path) {
            return Ok(file);
        }
    }
}

fn flock(file: &File, operation: FlockOperation) -> Result<(), Errno> {
    loop {
        match rustix::fs::flock(file, operation) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

fn refused(path: &Path, source: Errno) -> LockError {
    LockError::Lock { path: path.to_owned(), source: source.into() }
}

fn has_the_name(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => held.dev() == named.dev() && held.ino() == named.ino(),
        _ => false,
    }
}

impl LockHolder {
    fn of(file: &File) -> Self {
        let mut text = String::new();
        if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            // Whatever cannot be read is simply not said.
            let _ = file.take(4096).read_to_string(&mut text);
        }
        let said = Self::parse(&text);
        if said.pid.is_some() { said } else { Self::from_kernel(file).unwrap_or(said) }
    }

    fn parse(text: &str) -> Self {
        let mut holder = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(" = ")) {
            match name {
                "pid" => holder.pid = value.parse().ok(),
                "verb" => holder.verb = Some(plain(value)),
                "since" => holder.since = Some(plain(value)),
                _ => {}
            }
        }
        holder
    }

    /// Asks `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 123 08:01:4711 0 EOF`.
    fn from_kernel(file: &File) -> Option<Self> {
        let inode = file.metadata().ok()?.ino().to_string();
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        locks.lines().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "FLOCK")?;
            let same = words.get(at + 4)?.rsplit(':').next()? == inode;
            let pid = words.get(at + 3)?.parse().ok().filter(|pid: &i32| *pid > 0)?;
            same.then_some(Self { pid: Some(pid), verb: None, since: None })
        })
    }
}

/// The file can be written by whoever may write to the folder: nothing of it reaches a terminal unless it is plain.
fn plain(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// `` `jove-install install` (pid 123, since …) ``.
impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verb {
            Some(verb) => write!(f, "`jove-install {verb}`")?,
            None => f.write_str("another run")?,
        }
        match (self.pid, &self.since) {
            (Some(pid), Some(since)) => write!(f, " (pid {pid}, since {since})"),
            (Some(pid), None) => write!(f, " (pid {pid})"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::checkpoint;
    use crate::fs::crash;
    use crate::progress::{Report, silent};

    struct Ear(mpsc::SyncSender<Event>);

    impl Report for Ear {
        fn report(&self, event: Event) {
            let _ = self.0.send(event);
        }
    }

    #[test]
    fn a_busy_lock_names_its_holder_and_the_remedy() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("prefix.lock");
        let held = FileLock::acquire(&path, "install", true, &silent()).expect("free");
        let error = FileLock::acquire(&path, "wipe", false, &silent()).expect_err("held").to_string();
        let pid = std::process::id();
        assert!(error.starts_with(&format!("`jove-install install` (pid {pid}, since 2")), "{error}");
        assert!(error.contains("prefix.lock; wait for it to end, or run again without `--no-wait`"), "{error}");
        drop(held);
        FileLock::acquire(&path, "wipe", false, &silent()).expect("free again");
    }

    #[test]
    fn a_waiter_says_for_whom_and_gets_the_lock_when_it_is_freed() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("prefix.lock");
        let held = FileLock::acquire(&path, "install", true, &silent()).expect("free");
        let (sender, receiver) = mpsc::sync_channel(1);
        let waiter = std::thread::spawn({
            let path = path.clone();
            move || {
                let ear: Reporter = std::sync::Arc::new(Ear(sender));
                FileLock::acquire(&path, "gc", true, &ear).map(drop)
            }
        });
        let Event::Note(note) = receiver.recv().expect("the waiter speaks") else { panic!("a note") };
        assert!(note.starts_with("waiting for `jove-install install` (pid "), "{note}");
        drop(held);
        waiter.join().expect("thread").expect("locked");
    }

    #[test]
    fn a_waiter_does_not_end_up_with_a_removed_file() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("prefix.lock");
        let held = FileLock::acquire(&path, "wipe", true, &silent()).expect("free");
        let (sender, receiver) = mpsc::sync_channel(1);
        let waiter = std::thread::spawn({
            let path = path.clone();
            move || FileLock::acquire(&path, "install", true, &(std::sync::Arc::new(Ear(sender)) as Reporter))
        });
        receiver.recv().expect("the waiter speaks");
        std::fs::remove_file(&path).expect("removed");
        drop(held);
        let second = waiter.join().expect("thread").expect("locked");
        assert!(has_the_name(&second.file, &path));
    }

    #[test]
    #[ignore = "is run, stopped and killed by the test below"]
    fn killed_child() {
        let Some(folder) = crash::folder() else { return };
        let _held = FileLock::acquire(&folder.join("prefix.lock"), "install", true, &silent()).expect("free");
        // Any point: here it is stopped while it holds the lock. The signal may reach another thread first, and this one would
        // run on for a moment.
        checkpoint::pass("stamp-before-write");
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn another_process_is_named_and_holds_nothing_once_it_is_killed() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("prefix.lock");
        let child = crash::stopped_at("fs::lock::tests::killed_child", "stamp-before-write", folder.path());
        let Err(LockError::Busy { holder, .. }) = FileLock::acquire(&path, "gc", false, &silent()) else {
            panic!("free")
        };
        assert_eq!(holder.pid, i32::try_from(child.0.id()).ok());
        assert_eq!(holder.verb.as_deref(), Some("install"));
        drop(child);
        FileLock::acquire(&path, "install", false, &silent()).expect("what the file still says is no lock");
    }

    #[test]
    fn a_folder_can_be_locked_and_its_holder_is_found() {
        let folder = tempfile::tempdir().expect("folder");
        let held = FileLock::acquire_folder(folder.path(), true, &silent()).expect("free");
        let error = FileLock::acquire_folder(folder.path(), false, &silent()).expect_err("held").to_string();
        assert!(error.starts_with("another run"), "{error}");
        drop(held);
        FileLock::acquire_folder(folder.path(), false, &silent()).expect("free again");
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0);
    }

    #[test]
    fn what_a_file_says_is_made_harmless() {
        let holder = LockHolder::parse("pid = x\nverb = a\u{1b}[31mb\nodd\n");
        assert_eq!(holder.to_string(), "`jove-install a[31mb`");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = FileLock::acquire(Path::new("/nowhere/at/all/prefix.lock"), "install", true, &silent());
        assert!(error.expect_err("no folder").to_string().contains("/nowhere/at/all/prefix.lock"));
    }
}
