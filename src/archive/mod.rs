//! Archives, unpacked without trust.
//!
//! # Theory
//!
//! An archive is written by someone else: its names, links, sizes and modes are wishes. Three walls stand between them and
//! the disk, each enough by itself:
//!
//! 1. [`place`] turns a name into plain components or refuses it;
//! 2. [`root`] opens every folder on the way from the target folder down, one component at a time and never through a link,
//!    and makes symbolic links last of all, when every file is written and every target was resolved against all links;
//! 3. [`budget`] counts what comes *out* of the decompressor, headers and skipped entries included.
//!
//! What is written is normal: files 0644 or 0755, folders 0755, every time 1980-01-01. If anything is refused, what was
//! written is removed again.
//!
//! # Weakness
//!
//! Sparse files and tar entries over 8 GiB are refused rather than supported. The folder must not be changed by others
//! meanwhile.

pub mod budget;
mod folder;
mod kind;
pub mod place;
mod root;
mod tar;
#[cfg(test)]
mod tests;
mod zip;

use std::path::{Path, PathBuf};

pub use budget::Limits;
use budget::{Budget, Exceeded};
use kind::Kind;
use root::{Absolute, Root};

/// What was unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// Files and links.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Why an entry is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// `..` in the name.
    #[error("it climbs out of its folder with `..`")]
    Parent,
    /// The name starts at the root of the machine.
    #[error("its name is an absolute path")]
    Absolute,
    /// A NUL in the name, which no system can write.
    #[error("its name has a NUL byte")]
    Nul,
    /// A symbolic link out of the folder.
    #[error("it is a symbolic link to `{0}`, which is outside of the archive")]
    LinkOut(String),
    /// A symbolic link whose resolution does not end.
    #[error("it is a symbolic link to `{0}`, which leads in a circle")]
    LinkLoop(String),
    /// A hard link to something else than an earlier file.
    #[error("it is a hard link to `{0}`, which is no earlier file of the archive")]
    HardLink(String),
    /// Something that is neither file, folder nor link.
    #[error("it is a {0}, not a file, folder or link")]
    Special(&'static str),
    /// The name is there already as something else.
    #[error("another entry, or a file that was there before, has its name or stands in its way")]
    Clash,
    /// Two entries of one name in an archive that cannot say which counts.
    #[error("there are two entries of this name")]
    Twice,
    /// Encrypted content.
    #[error("it is encrypted")]
    Encrypted,
    /// Content that does not fit its checksum.
    #[error("its content does not fit its checksum: {0}")]
    Checksum(std::io::Error),
    /// Something that is not supported.
    #[error("{0}, which is not supported")]
    Unsupported(String),
    /// Its extension headers are too long.
    #[error("its name or extension header has more than {0} bytes")]
    Header(u64),
    /// The limits are exceeded here.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// The content ends early or cannot be decompressed.
    #[error("it cannot be read: {0}")]
    Read(std::io::Error),
    /// It cannot be written.
    #[error("it cannot be written: {0}")]
    Write(std::io::Error),
}

/// Why an archive was not unpacked. Nothing of it is left in the folder.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// An entry is refused.
    #[error("`{}` is not unpacked: entry `{entry}`: {refusal}", archive.display())]
    Entry {
        /// The archive.
        archive: PathBuf,
        /// The entry's name, escaped.
        entry: String,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// No kind of archive that is known here.
    #[error("`{}` is no archive: expected tar (plain, gz, xz, zst, bz2) or zip", .0.display())]
    Kind(PathBuf),
    /// The archive itself is damaged or cut off.
    #[error("`{}` is not unpacked: it is damaged or cut off: {source}", archive.display())]
    Damaged {
        /// The archive.
        archive: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// More than the limits allow.
    #[error("`{}` is not unpacked: {exceeded}", archive.display())]
    Exceeded {
        /// The archive.
        archive: PathBuf,
        /// Which limit.
        #[source]
        exceeded: Exceeded,
    },
    /// The archive or the folder cannot be used.
    #[error("`{}` cannot be used: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl ArchiveError {
    /// The same of an archive that people know by another name than its path: one inside another.
    #[must_use]
    pub fn of(self, name: &str) -> Self {
        let archive = PathBuf::from(name);
        match self {
            Self::Entry { entry, refusal, .. } => Self::Entry { archive, entry, refusal },
            Self::Kind(_) => Self::Kind(archive),
            Self::Damaged { source, .. } => Self::Damaged { archive, source },
            Self::Exceeded { exceeded, .. } => Self::Exceeded { archive, exceeded },
            Self::Io { path, source } => Self::Io { path, source },
        }
    }
}

/// What went wrong while walking an archive, before the archive's name is known to it.
#[derive(Debug)]
enum Fault {
    /// At an entry.
    Entry(String, Refusal),
    /// In the archive as a whole.
    Whole(std::io::Error),
}

impl Fault {
    fn entry(name: &[u8], refusal: Refusal) -> Self {
        Self::Entry(name.escape_ascii().to_string(), refusal)
    }

    /// A failed read at an entry: a limit, or damage.
    fn read(name: &[u8], error: std::io::Error) -> Self {
        match budget::exceeded(&error) {
            Some(exceeded) => Self::entry(name, Refusal::Exceeded(exceeded)),
            None => Self::entry(name, Refusal::Read(error)),
        }
    }

    fn named(self, archive: &Path) -> ArchiveError {
        let archive = archive.to_owned();
        match self {
            Self::Entry(entry, refusal) => ArchiveError::Entry { archive, entry, refusal },
            Self::Whole(source) => match budget::exceeded(&source) {
                Some(exceeded) => ArchiveError::Exceeded { archive, exceeded },
                None => ArchiveError::Damaged { archive, source },
            },
        }
    }
}

/// Unpacks an archive into a folder, made if it is not there, without the first `strip` components of every name (entries
/// that have no more are passed over, as tar does). What kind it is, its first bytes say.
///
/// # Errors
/// If the archive is damaged, too large, of an unknown kind, or has an entry that is refused; or if the folder cannot be
/// written. What was written is then removed.
pub fn unpack(archive: &Path, to: &Path, limits: Limits, strip: usize) -> Result<Unpacked, ArchiveError> {
    unpack_into(archive, to, limits, strip, Absolute::Refuse)
}

/// Unpacks an archive that is meant for the root of a machine into a folder that takes that root's place: an absolute
/// symbolic link becomes a relative one to the same place below the folder.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_rerooted(archive: &Path, to: &Path, limits: Limits) -> Result<Unpacked, ArchiveError> {
    unpack_into(archive, to, limits, 0, Absolute::Reroot)
}

/// Puts everything of a folder that an archive was unpacked into under another one, by the same rules: nothing may be there
/// that has the name of something in it, and no link may lead out. Files of several names stay so.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_folder(from: &Path, to: &Path) -> Result<Unpacked, ArchiveError> {
    let mut root =
        Root::open(to, Absolute::Refuse).map_err(|source| ArchiveError::Io { path: to.to_owned(), source })?;
    let walked = folder::walk(from, &mut root);
    ended(walked, root, from)
}

/// The plain bytes of a file that is packed with gz, xz, zst or bz2, or of a plain one.
///
/// # Errors
/// If it cannot be opened.
pub fn open_packed(file: &Path) -> std::io::Result<Box<dyn std::io::Read>> {
    kind::open_packed(fs_err::File::open(file)?)
}

fn unpack_into(
    archive: &Path,
    to: &Path,
    limits: Limits,
    strip: usize,
    absolute: Absolute,
) -> Result<Unpacked, ArchiveError> {
    let at_archive = |source| ArchiveError::Io { path: archive.to_owned(), source };
    let mut file = fs_err::File::open(archive).map_err(at_archive)?;
    let size = file.metadata().map_err(at_archive)?.len();
    let kind = kind::detect(&mut file).map_err(at_archive)?.ok_or_else(|| ArchiveError::Kind(archive.to_owned()))?;
    let budget = Budget::new(limits, size);
    let mut root = Root::open(to, absolute).map_err(|source| ArchiveError::Io { path: to.to_owned(), source })?;
    let walked = match kind {
        Kind::Zip => zip::walk(file, &budget, strip, &mut root),
        Kind::Tar(packing) => {
            packing.open(file).map_err(Fault::Whole).and_then(|reader| tar::walk(reader, &budget, strip, &mut root))
        }
    };
    ended(walked, root, archive)
}

/// Makes the links; if anything was refused, removes what was made.
fn ended(walked: Result<(), Fault>, mut root: Root, archive: &Path) -> Result<Unpacked, ArchiveError> {
    walked.and_then(|()| root.finish()).map_err(|fault| {
        root.undo();
        fault.named(archive)
    })
}
