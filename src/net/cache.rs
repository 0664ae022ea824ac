//! The download cache: files by the digest of their content, read-only, whole or absent, shared by prefixes and runs.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::Permissions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::part::Part;
use crate::digest::{Digest, Sha256};
use crate::progress::{Event, Reporter};

/// What an entry is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// A publisher's digest.
    Sha256(Sha256),
    /// Our own digest, of something that we made.
    Blake3(Digest),
}

impl From<&Sha256> for Content {
    fn from(digest: &Sha256) -> Self {
        Self::Sha256(*digest)
    }
}

impl From<&Digest> for Content {
    fn from(digest: &Digest) -> Self {
        Self::Blake3(*digest)
    }
}

impl Content {
    fn folder(self) -> PathBuf {
        let (kind, hex) = match self {
            Self::Sha256(digest) => ("sha256", digest.to_hex()),
            Self::Blake3(digest) => ("blake3", digest.to_hex()),
        };
        [kind, &hex[..2], &hex].iter().collect()
    }

    /// The content of a file, as this kind of digest.
    fn of_file(self, path: &Path) -> io::Result<Self> {
        match self {
            Self::Sha256(_) => Sha256::of_reader(fs_err::File::open(path)?).map(Self::Sha256),
            Self::Blake3(_) => Digest::of_file(path).map(Self::Blake3),
        }
    }

    fn hasher(self) -> Hasher {
        match self {
            Self::Sha256(_) => Hasher::sha256(),
            Self::Blake3(_) => Hasher::Blake3(Box::default()),
        }
    }
}

/// Computes a [`Content`] as bytes pass.
pub(super) enum Hasher {
    Sha256(Box<ring::digest::Context>),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub(super) fn sha256() -> Self {
        Self::Sha256(Box::new(ring::digest::Context::new(&ring::digest::SHA256)))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => drop(hasher.update(bytes)),
        }
    }

    pub(super) fn finish(self) -> Content {
        match self {
            Self::Sha256(hasher) => {
                let mut digest = [0; 32];
                digest.copy_from_slice(hasher.finish().as_ref());
                Content::Sha256(Sha256::from_bytes(digest))
            }
            Self::Blake3(hasher) => Content::Blake3(Digest::from_bytes(*hasher.finalize().as_bytes())),
        }
    }
}

/// Why the cache cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A file name that could lead elsewhere.
    #[error("`{}` is no name for a file of the download cache: it must be one plain component", .0.escape_debug())]
    Name(String),
    /// What was to be put in is something else.
    #[error("`{name}` has other content than its digest says, so it was not put into the download cache")]
    Content {
        /// The file's name.
        name: String,
    },
    /// The folder cannot be used.
    #[error("the download cache cannot use {}: {source}; make room or mend its permissions there, or point XDG_CACHE_HOME to another folder", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl CacheError {
    /// What the file system has against a file or folder of the cache.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }

    /// The same as an error of the file system, for who has no other.
    #[must_use]
    pub fn into_io(self) -> io::Error {
        let kind = if let Self::Io { source, .. } = &self { source.kind() } else { io::ErrorKind::Other };
        io::Error::new(kind, self)
    }
}

/// What a look into the cache found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It is not there.
    Absent,
    /// It was there with other content (altered, truncated), and was removed.
    Damaged,
    /// It is there and has the content that its digest says.
    Found(PathBuf),
}

/// What a verified file looked like; if it still looks so, it is not hashed again in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    verified: Mutex<HashMap<PathBuf, Stamp>>,
    /// Whether it was said that something could not be kept.
    is_unkept_said: AtomicBool,
}

/// The download cache. A clone is the same cache.
#[derive(Debug, Clone)]
pub struct Cache(Arc<Inner>);

impl Cache {
    /// Opens the cache in a folder, made if it is not there.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn open(root: &Path) -> Result<Self, CacheError> {
        std::fs::create_dir_all(root.join("files")).map_err(CacheError::at(root))?;
        let tag = root.join("CACHEDIR.TAG");
        if !tag.exists() {
            // Tells backup programs to pass it over; a cache without it works as well.
            let _ = fs_err::write(tag, "Signature: 8a477f597d28d172789f06886806bc55\n# Downloads of jove-install.\n");
        }
        Ok(Self(Arc::new(Inner {
            root: root.to_owned(),
            verified: Mutex::default(),
            is_unkept_said: AtomicBool::default(),
        })))
    }

    /// The cache's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// A folder of it for the time of one piece of work: one that is left behind by a kill is no stray file there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn scratch(&self, prefix: &str) -> Result<tempfile::TempDir, CacheError> {
        let folder = self.root().join("tmp");
        let made = std::fs::create_dir_all(&folder).and_then(|()| {
            let mut builder = tempfile::Builder::new();
            builder.prefix(prefix).tempdir_in(&folder)
        });
        made.map_err(CacheError::at(&folder))
    }

    /// Says that something could not be kept here: the first time that this happens, for nothing but time is lost by it.
    pub fn note_unkept(&self, report: &Reporter, why: &dyn Display) {
        let told = format!("what can be made again is not kept in the download cache: {why}");
        let is_said = self.0.is_unkept_said.swap(true, Ordering::Relaxed);
        report.report(if is_said { Event::Detail(told) } else { Event::Note(told) });
    }

    /// Where an entry is, if it is there.
    #[must_use]
    pub fn path(&self, content: impl Into<Content>, name: &str) -> PathBuf {
        self.folder(content.into()).join(name)
    }

    /// The entry, if it is there and whole: hashed on first use in this run, and again if it looks changed since. A damaged
    /// one is removed and absent.
    ///
    /// # Errors
    /// If the name is no plain file name, or the cache cannot be read.
    pub fn find(&self, content: impl Into<Content>, name: &str) -> Result<Option<PathBuf>, CacheError> {
        match self.look(content, name, false)? {
            Look::Found(path) => Ok(Some(path)),
            Look::Absent | Look::Damaged => Ok(None),
        }
    }

    /// As [`find`](Self::find), but says when it was damaged; `distrust` hashes whatever was verified before (`--repair`).
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn look(&self, content: impl Into<Content>, name: &str, distrust: bool) -> Result<Look, CacheError> {
        let content = content.into();
        check(name)?;
        let path = self.path(content, name);
        let found = self.verify(content, &path, distrust).map_err(CacheError::at(&path))?;
        if found != Look::Absent {
            return Ok(found);
        }
        Ok(if self.link_twin(content, &path, distrust) { Look::Found(path) } else { Look::Absent })
    }

    /// Puts in what a reader gives, if it is what the digest says.
    ///
    /// # Errors
    /// If it is something else, or the cache cannot be written.
    pub fn insert(
        &self,
        content: impl Into<Content>,
        name: &str,
        reader: &mut dyn Read,
    ) -> Result<PathBuf, CacheError> {
        let content = content.into();
        check(name)?;
        let path = self.path(content, name);
        let failed = |source| CacheError::at(&path)(source);
        let mut part = self.claim(content, &mut |_| ()).map_err(failed)?;
        // Another run may have put it in while this one waited.
        if let Look::Found(path) = self.look(content, name, false)? {
            return Ok(path);
        }
        part.restart().map_err(failed)?;
        let mut hasher = content.hasher();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = reader.read(&mut buffer).map_err(failed)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            part.append(&buffer[..count]).map_err(failed)?;
        }
        if hasher.finish() != content {
            part.restart().map_err(failed)?;
            return Err(CacheError::Content { name: name.to_owned() });
        }
        self.commit(part, &path).map_err(failed)?;
        Ok(path)
    }

    /// The part of an entry, which is its file lock too.
    pub(super) fn claim(&self, content: Content, waiting: &mut dyn FnMut(Option<u32>)) -> io::Result<Part> {
        Part::claim(&self.folder(content), waiting)
    }

    /// Makes a part whose digest was compared the entry.
    pub(super) fn commit(&self, part: Part, path: &Path) -> io::Result<()> {
        part.commit(path)?;
        self.remember(path, stamp(path)?);
        Ok(())
    }

    fn folder(&self, content: Content) -> PathBuf {
        self.0.root.join("files").join(content.folder())
    }

    fn verified(&self) -> MutexGuard<'_, HashMap<PathBuf, Stamp>> {
        // Only whole insertions and removals happen under it.
        self.0.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, path: &Path, stamp: Stamp) {
        self.verified().insert(path.to_owned(), stamp);
    }

    fn verify(&self, content: Content, path: &Path, distrust: bool) -> io::Result<Look> {
        let facts = match fs_err::symlink_metadata(path) {
            Ok(facts) => facts,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Absent),
            Err(error) => return Err(error),
        };
        let seen = stamp(path)?;
        if !distrust && self.verified().get(path) == Some(&seen) {
            return Ok(Look::Found(path.to_owned()));
        }
        if facts.is_file() && content.of_file(path)? == content {
            if facts.permissions().mode() & 0o777 != 0o444 {
                // It protects from mistakes, and another user's cache has its own.
                let _ = fs_err::set_permissions(path, Permissions::from_mode(0o444));
            }
            self.remember(path, seen);
            return Ok(Look::Found(path.to_owned()));
        }
        self.verified().remove(path);
        if facts.is_dir() {
            fs_err::remove_dir_all(path)?;
        } else {
            remove_if_still(path, seen)?;
        }
        Ok(Look::Damaged)
    }

    /// The same content may be there under another file name.
    fn link_twin(&self, content: Content, path: &Path, distrust: bool) -> bool {
        let Some(twins) = path.parent().and_then(|folder| fs_err::read_dir(folder).ok()) else { return false };
        for twin in twins.flatten().map(|entry| entry.path()) {
            let hidden = twin.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
            if !hidden && matches!(self.verify(content, &twin, distrust), Ok(Look::Found(_))) {
                match fs_err::hard_link(&twin, path) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(_) => return false,
                }
                return matches!(self.verify(content, path, distrust), Ok(Look::Found(_)));
            }
        }
        false
    }
}

/// Removes a damaged file unless another run has replaced it meanwhile.
fn remove_if_still(path: &Path, seen: Stamp) -> io::Result<()> {
    // Renamed aside first: what is then found under the new name cannot be replaced by anyone.
    let aside = path.with_file_name(format!(".damaged-{}-{}", std::process::id(), seen.inode));
    match fs_err::rename(path, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    if stamp(&aside)?.inode != seen.inode {
        // A good one came in between: back to its place.
        return fs_err::rename(&aside, path);
    }
    fs_err::remove_file(&aside)
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let facts = fs_err::symlink_metadata(path)?;
    Ok(Stamp {
        device: facts.dev(),
        inode: facts.ino(),
        size: facts.len(),
        changed: (facts.mtime(), facts.mtime_nsec()),
    })
}

/// Whether a name is one plain component that is not hidden.
pub(super) fn check(name: &str) -> Result<(), CacheError> {
    let plain = !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('.')
        && !name.chars().any(|c| c == '/' || c == '\\' || c.is_control());
    if plain { Ok(()) } else { Err(CacheError::Name(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(&root.path().join("jove-install")).unwrap();
        (root, cache)
    }

    fn damage(path: &Path, bytes: &[u8]) {
        fs_err::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    #[test]
    fn what_goes_in_is_found_read_only() {
        let (_root, cache) = cache();
        let digest = Sha256::of("jove");
        assert_eq!(cache.find(&digest, "a.whl").unwrap(), None);
        let path = cache.insert(&digest, "a.whl", &mut &b"jove"[..]).unwrap();
        assert_eq!(cache.find(&digest, "a.whl").unwrap(), Some(path.clone()));
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
        let hex = digest.to_hex();
        assert!(path.ends_with(format!("files/sha256/{}/{hex}/a.whl", &hex[..2])), "{}", path.display());
        let ours = Digest::of("jove");
        let path = cache.insert(&ours, "a.whl", &mut &b"jove"[..]).unwrap();
        assert!(path.to_string_lossy().contains("/files/blake3/"));
        assert_eq!(cache.find(&ours, "a.whl").unwrap(), Some(path));
    }

    #[test]
    fn something_else_does_not_go_in() {
        let (_root, cache) = cache();
        let digest = Sha256::of("jove");
        let error = cache.insert(&digest, "a.whl", &mut &b"evoj"[..]).unwrap_err();
        assert!(matches!(error, CacheError::Content { .. }));
        assert_eq!(cache.find(&digest, "a.whl").unwrap(), None);
        assert!(!cache.path(&digest, "a.whl").parent().unwrap().exists(), "nothing stays behind");
    }

    #[test]
    fn damage_is_seen_on_first_use_and_after_a_change() {
        let (_root, cache) = cache();
        let digest = Sha256::of("jove");
        for altered in [&b"jov"[..], b"jovE", b""] {
            let path = cache.insert(&digest, "a.whl", &mut &b"jove"[..]).unwrap();
            damage(&path, altered);
            let fresh = Cache::open(cache.root()).unwrap();
            assert_eq!(fresh.look(&digest, "a.whl", false).unwrap(), Look::Damaged);
            assert_eq!(fresh.look(&digest, "a.whl", false).unwrap(), Look::Absent);
        }
    }

    #[test]
    fn distrust_sees_what_a_stamp_hides() {
        let (_root, cache) = cache();
        let digest = Sha256::of("jove");
        let path = cache.insert(&digest, "a.whl", &mut &b"jove"[..]).unwrap();
        let before = fs_err::metadata(&path).unwrap().modified().unwrap();
        damage(&path, b"evoj");
        fs_err::File::options().write(true).open(&path).unwrap().into_parts().0.set_modified(before).unwrap();
        assert_eq!(cache.look(&digest, "a.whl", false).unwrap(), Look::Found(path));
        assert_eq!(cache.look(&digest, "a.whl", true).unwrap(), Look::Damaged);
    }

    #[test]
    fn one_content_has_several_names() {
        let (_root, cache) = cache();
        let digest = Sha256::of("jove");
        cache.insert(&digest, "a.whl", &mut &b"jove"[..]).unwrap();
        let path = cache.find(&digest, "b.whl").unwrap().unwrap();
        assert_eq!(fs_err::read(path).unwrap(), b"jove");
    }

    #[test]
    fn a_link_or_folder_in_the_place_of_an_entry_is_damage() {
        let (root, cache) = cache();
        let digest = Sha256::of("jove");
        let path = cache.path(&digest, "a.whl");
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let outside = root.path().join("outside");
        fs_err::write(&outside, "jove").unwrap();
        std::os::unix::fs::symlink(&outside, &path).unwrap();
        assert_eq!(cache.look(&digest, "a.whl", false).unwrap(), Look::Damaged);
        assert!(outside.exists());
        fs_err::create_dir(&path).unwrap();
        assert_eq!(cache.look(&digest, "a.whl", false).unwrap(), Look::Damaged);
    }

    #[test]
    fn names_are_plain() {
        let (_root, cache) = cache();
        for name in ["", ".", "..", ".part", "a/b", "../x", "a\\b", "a\nb", &"x".repeat(256)] {
            assert!(matches!(cache.find(&Sha256::of("x"), name), Err(CacheError::Name(_))), "{name}");
        }
    }

    #[test]
    fn many_threads_put_in_the_same_file() {
        let (_root, cache) = cache();
        let content = vec![7_u8; 300_000];
        let digest = Sha256::of(&content);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                // Each with its own memory, as other processes have.
                let other = Cache::open(cache.root()).unwrap();
                let content = &content;
                scope.spawn(move || other.insert(&digest, "a.whl", &mut content.as_slice()).unwrap());
            }
        });
        assert!(cache.find(&digest, "a.whl").unwrap().is_some());
    }
}
