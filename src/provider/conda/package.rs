//! One package: an archive with what is to be installed and what is said of it, unpacked without trust.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use rattler_conda_types::package::{EntryPoint, IndexJson, LinkJson, NoArchLinks, PackageFile as _, PathsJson};

use crate::archive::{ArchiveError, Limits, unpack as unpack_archive};
use crate::provider::PinnedFile;
use crate::provider::kept::{Kept, KeptError, Taken};

/// The first bytes of a zip, which the newer form of packages is.
const ZIP: [u8; 4] = *b"PK\x03\x04";

/// Why a package is not usable.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It is no package.
    #[error("`{file}` is no conda package: {why}")]
    Shape {
        /// The file's name.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// An entry is refused, or the archive is damaged.
    #[error(transparent)]
    Archive(Box<ArchiveError>),
    /// There is no folder to unpack it in.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// It says of itself something else than the lock.
    #[error(
        "`{file}` says that it is {found}: the channel's index and its packages disagree; run again with `--upgrade`"
    )]
    Other {
        /// The file's name.
        file: String,
        /// What it says.
        found: String,
    },
    /// It cannot be read or written.
    #[error("`{}` cannot be unpacked: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An unpacked package.
#[derive(Debug)]
pub struct Unpacked {
    /// The name of its file.
    pub file: String,
    /// Where it is.
    pub taken: Taken,
    /// What it is.
    pub index: IndexJson,
    /// Its files.
    pub paths: PathsJson,
    /// Its commands, where it is Python for every platform.
    pub commands: Vec<EntryPoint>,
}

/// A package of the cache, unpacked and proved there, with what is said of it.
///
/// # Errors
/// If it is no package, is damaged, or has an entry that is refused.
pub fn take(kept: Kept<'_>, file: &PinnedFile) -> Result<Unpacked, PackageError> {
    let taken = kept.take(file, unpack)?;
    let Said { index, paths, commands } = read(&file.file, taken.files())?;
    Ok(Unpacked { file: file.file.clone(), taken, index, paths, commands })
}

/// Unpacks a package into an empty folder.
///
/// # Errors
/// If it is no package, is damaged, or has an entry that is refused.
pub fn unpack(package: &Path, folder: &Path) -> Result<(), PackageError> {
    let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let refused = |error: ArchiveError| PackageError::Archive(Box::new(error.of(&name)));
    let mut file = File::open(package).map_err(at(package))?;
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    if is_zip(&mut file).map_err(at(package))? {
        for tar in members(&name, file, folder)? {
            let path = PathBuf::from(format!("/proc/self/fd/{}", tar.as_raw_fd()));
            unpack_archive(&path, folder, Limits::default(), 0).map_err(refused)?;
        }
    } else {
        unpack_archive(package, folder, Limits::default(), 0).map_err(refused)?;
    }
    // One that does not say what it has in it is not kept.
    read(&name, folder).map(drop)
}

fn is_zip(file: &mut File) -> io::Result<bool> {
    use io::{Read as _, Seek as _};
    let mut start = [0; ZIP.len()];
    let is_zip = file.read_exact(&mut start).is_ok() && start == ZIP;
    file.rewind()?;
    Ok(is_zip)
}

/// The packed tars in the newer form: what is installed, and what is said of it.
fn members(name: &str, file: File, folder: &Path) -> Result<Vec<File>, PackageError> {
    let shape = |why: String| PackageError::Shape { file: name.to_owned(), why };
    let mut archive = zip::ZipArchive::new(file).map_err(|error| shape(error.to_string()))?;
    let names = archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect::<Result<Vec<_>, _>>();
    let names: Vec<String> = names.map_err(|error| shape(error.to_string()))?;
    let mut tars = Vec::new();
    for kind in ["pkg-", "info-"] {
        let mut fitting = names.iter().filter(|name| name.starts_with(kind) && name.ends_with(".tar.zst"));
        let (Some(member), None) = (fitting.next(), fitting.next()) else {
            return Err(shape(format!("it has not exactly one `{kind}….tar.zst`")));
        };
        let mut member = archive.by_name(member).map_err(|error| shape(error.to_string()))?;
        // Without a name: a run that is killed leaves nothing of it. Where its files go there is room for it.
        let mut tar = tempfile::tempfile_in(folder).map_err(at(folder))?;
        io::copy(&mut member, &mut tar).map_err(|error| shape(error.to_string()))?;
        tars.push(tar);
    }
    Ok(tars)
}

/// What a package says of itself.
struct Said {
    index: IndexJson,
    paths: PathsJson,
    commands: Vec<EntryPoint>,
}

fn read(file: &str, folder: &Path) -> Result<Said, PackageError> {
    let shape = |what: &str| {
        let (file, what) = (file.to_owned(), what.to_owned());
        move |error: io::Error| PackageError::Shape { file, why: format!("its {what} cannot be read: {error}") }
    };
    let index = IndexJson::from_package_directory(folder).map_err(shape("info/index.json"))?;
    let paths = PathsJson::from_package_directory_with_deprecated_fallback(folder).map_err(shape("list of files"))?;
    let commands = match LinkJson::from_package_directory(folder) {
        Ok(LinkJson { noarch: NoArchLinks::Python(python), .. }) if index.noarch.is_python() => python.entry_points,
        Ok(_) => Vec::new(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(shape("info/link.json")(error)),
    };
    Ok(Said { index, paths, commands })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PackageError + use<> {
    let path = path.to_owned();
    |source| PackageError::Io { path, source }
}
