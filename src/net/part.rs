//! The `.part` file: bytes on their way into the cache, and the file lock of their entry.
//!
//! There is one part for each content, in the folder that the finished file will have. Its lock belongs to the one who may
//! write; when the lock is free the part has either been renamed (then the entry is there) or can be continued.

use std::fs::{File, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::cache::Hasher;
use crate::checkpoint;
use crate::digest::Digest;
use crate::fs::atomic::sync_folder;

const NAME: &str = ".part";
const FACTS: &str = ".part.json";

/// So often a part may be read-only that should be writable, before its folder is believed to be the reason.
const PATIENCE: u32 = 8;

/// What a server said about the bytes in the part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The digest of the address (which may hold a secret): what one server says means nothing to another.
    pub address: Digest,
    /// A strong `ETag`, else the `Last-Modified`.
    pub validator: String,
}

/// A part, held by this run alone.
#[derive(Debug)]
pub struct Part {
    file: File,
    path: PathBuf,
    folder: PathBuf,
    len: u64,
    renamed: bool,
}

impl Part {
    /// Takes the part of an entry's folder; `waiting` hears who holds it (a process id, where known) before a wait begins.
    pub fn claim(folder: &Path, waiting: &mut dyn FnMut(Option<u32>)) -> io::Result<Self> {
        let path = folder.join(NAME);
        let mut refused = 0;
        loop {
            // Whoever claims it names the entry.
            std::fs::create_dir_all(folder)?;
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = match options.open(&path) {
                Ok(file) => file,
                // Another run wiped the cache just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                // It is whole and read-only: about to be renamed, unless that run was killed.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && refused < PATIENCE => {
                    refused += 1;
                    make_writable(&path, waiting, error)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            lock(&file, waiting)?;
            let facts = file.metadata()?;
            // The former holder renamed or removed what we waited for.
            let still_there = fs_err::symlink_metadata(&path).is_ok_and(|now| now.ino() == facts.ino());
            if still_there {
                return Ok(Self { file, path, folder: folder.to_owned(), len: facts.len(), renamed: false });
            }
        }
    }

    /// The bytes in it.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Feeds all its bytes to a hasher, and stands at its end afterwards.
    pub fn hash(&mut self, hasher: &mut Hasher) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; 1 << 16];
        let mut left = self.len;
        while left > 0 {
            let count = self.file.read(&mut buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            hasher.update(&buffer[..count]);
            left = left.saturating_sub(count as u64);
        }
        Ok(())
    }

    /// Appends bytes.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        match &written {
            Ok(()) => self.len += bytes.len() as u64,
            // What half a write left behind must not be taken for content.
            Err(_) => drop(self.file.set_len(self.len).and_then(|()| self.file.seek(SeekFrom::End(0)))),
        }
        written
    }

    /// Drops all bytes.
    pub fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.len = 0;
        let _ = fs_err::remove_file(self.folder.join(FACTS));
        Ok(())
    }

    /// What a server said about the bytes, if it is known.
    pub fn facts(&self) -> Option<Facts> {
        serde_json::from_slice(&fs_err::read(self.folder.join(FACTS)).ok()?).ok()
    }

    /// Keeps what a server said. It only saves a download, so nothing fails if it cannot be kept.
    pub fn keep_facts(&self, facts: Option<&Facts>) {
        let path = self.folder.join(FACTS);
        let text = facts.and_then(|facts| serde_json::to_vec(facts).ok());
        let _ = match text {
            Some(text) => fs_err::write(path, text),
            None => fs_err::remove_file(path),
        };
    }

    /// Gives the finished file its name: read-only, durable, by one rename.
    pub fn commit(mut self, path: &Path) -> io::Result<()> {
        self.file.set_permissions(Permissions::from_mode(0o444))?;
        self.file.sync_all()?;
        checkpoint::pass("fetch-before-insert");
        fs_err::rename(&self.path, path)?;
        self.renamed = true;
        sync_folder(&self.folder)?;
        checkpoint::pass("fetch-after-insert");
        let _ = fs_err::remove_file(self.folder.join(FACTS));
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // An empty part was only a lock. Still held here, so nobody else's can be meant.
        if !self.renamed && self.len == 0 {
            let _ = fs_err::remove_file(&self.path);
            let _ = fs_err::remove_file(self.folder.join(FACTS));
            let _ = fs_err::remove_dir(&self.folder);
        }
    }
}

/// Waits for whoever names a whole part; one that is left is made a part again, which the next holder checks as any other.
fn make_writable(path: &Path, waiting: &mut dyn FnMut(Option<u32>), refused: io::Error) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        // It got its name just now.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => return Err(refused),
    };
    lock(&file, waiting)?;
    let is_left =
        fs_err::symlink_metadata(path).is_ok_and(|now| file.metadata().is_ok_and(|own| own.ino() == now.ino()));
    if is_left { file.set_permissions(Permissions::from_mode(0o600)) } else { Ok(()) }
}

fn lock(file: &File, waiting: &mut dyn FnMut(Option<u32>)) -> io::Result<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => waiting(holder(file)),
        Err(error) => return Err(error.into()),
    }
    rustix::io::retry_on_intr(|| flock(file, FlockOperation::LockExclusive))?;
    Ok(())
}

/// The process that holds a file's lock, where the system tells.
fn holder(file: &File) -> Option<u32> {
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = fs_err::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        // `1: FLOCK  ADVISORY  WRITE 4711 fd:01:1835 0 EOF`
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, place, ..] = words[..] else { return None };
        if place.ends_with(&inode) { pid.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_continued_by_the_next_holder() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ab");
        let mut part = Part::claim(&folder, &mut |_| panic!("free")).unwrap();
        part.append(b"hello ").unwrap();
        drop(part);
        let mut part = Part::claim(&folder, &mut |_| panic!("free")).unwrap();
        assert_eq!(part.len(), 6);
        let mut hasher = Hasher::sha256();
        part.hash(&mut hasher).unwrap();
        part.append(b"world").unwrap();
        part.commit(&folder.join("x")).unwrap();
        assert_eq!(fs_err::read(folder.join("x")).unwrap(), b"hello world");
        assert_eq!(fs_err::metadata(folder.join("x")).unwrap().permissions().mode() & 0o777, 0o444);
        assert!(!folder.join(NAME).exists());
    }

    #[test]
    fn the_second_waits_names_the_holder_and_gets_a_fresh_part() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ab");
        let mut first = Part::claim(&folder, &mut |_| ()).unwrap();
        first.append(b"x").unwrap();
        let (tell, hear) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| Part::claim(&folder, &mut |pid| tell.send(pid).unwrap()).unwrap().len());
            let pid = hear.recv().unwrap();
            assert!(pid.is_none_or(|pid| pid == std::process::id()), "{pid:?}");
            first.commit(&folder.join("x")).unwrap();
            assert_eq!(second.join().unwrap(), 0);
        });
        // The second found nothing to do: no rubbish stays.
        assert!(!folder.join(NAME).exists());
    }

    #[test]
    fn a_whole_part_that_a_killed_run_left_is_continued() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ab");
        fs_err::create_dir(&folder).unwrap();
        fs_err::write(folder.join(NAME), b"whole").unwrap();
        // As `commit` leaves it just before the rename; root could write it all the same.
        fs_err::set_permissions(folder.join(NAME), Permissions::from_mode(0o444)).unwrap();
        make_writable(&folder.join(NAME), &mut |_| panic!("free"), io::ErrorKind::PermissionDenied.into()).unwrap();
        assert_eq!(fs_err::metadata(folder.join(NAME)).unwrap().permissions().mode() & 0o777, 0o600);
        let mut part = Part::claim(&folder, &mut |_| panic!("free")).unwrap();
        assert_eq!(part.len(), 5);
        part.restart().unwrap();
        // Another one has it by now.
        make_writable(&root.path().join("no"), &mut |_| (), io::ErrorKind::PermissionDenied.into()).unwrap();
    }

    #[test]
    fn an_unused_part_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ab");
        drop(Part::claim(&folder, &mut |_| ()).unwrap());
        assert!(!folder.exists());
    }
}
