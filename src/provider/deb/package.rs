//! One `.deb`: an `ar` archive with a tar of files in it, unpacked as if the folder were the machine's root. Its scripts are
//! left alone.

use std::io::{self, BufReader};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use crate::archive::{ArchiveError, Limits, unpack_folder, unpack_rerooted};
use crate::provider::PinnedFile;
use crate::provider::kept::{Kept, KeptError};

/// Why a package was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It is no package.
    #[error("`{}` is no Debian package: {why}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Its files are refused or damaged.
    #[error(transparent)]
    Archive(Box<ArchiveError>),
    /// There is no folder to unpack it in.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// It cannot be read or its tar be written aside.
    #[error("`{}` cannot be unpacked: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Puts the files of a package into a folder, which may have those of others.
///
/// # Errors
/// If it is no package, is damaged, has a file that another has, or wants to write outside.
pub fn put(kept: Kept<'_>, file: &PinnedFile, to: &Path) -> Result<(), PackageError> {
    let taken = kept.take(file, unpack)?;
    unpack_folder(taken.files(), to).map(drop).map_err(|error| PackageError::Archive(Box::new(error.of(&file.file))))
}

/// Unpacks the files of a package into an empty folder.
fn unpack(package: &Path, to: &Path) -> Result<(), PackageError> {
    let at = |source| PackageError::Io { path: package.to_owned(), source };
    let shape = |why: String| PackageError::Shape { path: package.to_owned(), why };
    let file = fs_err::File::open(package).map_err(at)?;
    let mut archive = ar::Archive::new(BufReader::new(file));
    while let Some(entry) = archive.next_entry() {
        let mut entry = entry.map_err(|error| shape(error.to_string()))?;
        let member = String::from_utf8_lossy(entry.header().identifier()).into_owned();
        if !member.starts_with("data.tar") {
            continue;
        }
        // Without a name: a run that is killed leaves nothing of it. Where its files go there is room for it.
        let mut tar = tempfile::tempfile_in(to).map_err(at)?;
        io::copy(&mut entry, &mut tar).map_err(at)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", tar.as_raw_fd()));
        let name = package.file_name().unwrap_or_default().to_string_lossy();
        return unpack_rerooted(&path, to, Limits::default())
            .map(drop)
            .map_err(|error| PackageError::Archive(Box::new(error.of(&name))));
    }
    Err(shape("it has no data.tar".to_owned()))
}
