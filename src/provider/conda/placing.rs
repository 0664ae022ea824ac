//! Where the files of some packages will be: decided for all of them before anything is linked.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use rattler::install::PythonInfo;
use rattler_conda_types::package::{FileMode, PathType, PathsEntry};

use super::package::Unpacked;

/// Why packages cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum PlacingError {
    /// A path leads out of the object.
    #[error("the package `{package}` is refused: its file `{}` would be outside of the environment", path.display())]
    Outside {
        /// The package's file.
        package: String,
        /// The path.
        path: PathBuf,
    },
    /// Two packages have different files of one name.
    #[error(
        "the packages `{one}` and `{other}` both have `{}`, and differ in it: neither may overwrite the other; ask for a \
         version of one of them that does not have it, or take them into two parts",
        path.display()
    )]
    Clash {
        /// The package that has it first.
        one: String,
        /// The package that has it, too.
        other: String,
        /// The path.
        path: PathBuf,
    },
    /// The place is longer than what stands for it in a program.
    #[error(
        "`{}` of the package `{package}` has room for a path of {room} bytes, and the environment's has {need} ({prefix}); \
         choose a shorter folder with `--prefix`, or by JOVE_HOME",
        path.display()
    )]
    TooLong {
        /// The package's file.
        package: String,
        /// The path.
        path: PathBuf,
        /// The room, in bytes.
        room: usize,
        /// The length of the environment's path, in bytes.
        need: usize,
        /// The environment's path.
        prefix: String,
    },
    /// A package needs a Python that is not there.
    #[error("the package `{0}` is Python for every platform, and there is no `python` among the others")]
    NoPython(String),
}

/// The files of one package that are to be linked, each with its place.
#[derive(Debug, Default)]
pub struct Placed {
    /// Those of its own list; what another has in the same bytes is left out.
    pub entries: Vec<PathsEntry>,
    /// The places of all its files and commands, relative to the object.
    pub places: Vec<PathBuf>,
}

/// What has a place already.
struct Taken<'a> {
    package: &'a Unpacked,
    entry: Option<&'a PathsEntry>,
}

/// Places the files of packages in an environment that will be at `prefix`.
///
/// # Errors
/// If one leads outside, two clash, or one has no room for the prefix.
pub fn place(packages: &[Unpacked], python: Option<&PythonInfo>, prefix: &str) -> Result<Vec<Placed>, PlacingError> {
    let mut taken: BTreeMap<PathBuf, Taken<'_>> = BTreeMap::new();
    let mut all = Vec::new();
    for package in packages {
        let mut placed = Placed::default();
        for entry in &package.paths.paths {
            let path = target(package, entry, python)?;
            has_room(package, entry, prefix)?;
            match taken.get(&path) {
                Some(known) if is_same(known, package, entry) => continue,
                Some(known) => return Err(clash(known, package, path)),
                None => {}
            }
            taken.insert(path.clone(), Taken { package, entry: Some(entry) });
            placed.places.push(path);
            placed.entries.push(entry.clone());
        }
        for command in &package.commands {
            let path = Path::new("bin").join(&command.command);
            plain(package, &path)?;
            if let Some(known) = taken.get(&path) {
                return Err(clash(known, package, path));
            }
            taken.insert(path.clone(), Taken { package, entry: None });
            placed.places.push(path);
        }
        all.push(placed);
    }
    nothing_below_files(&taken)?;
    Ok(all)
}

fn target(package: &Unpacked, entry: &PathsEntry, python: Option<&PythonInfo>) -> Result<PathBuf, PlacingError> {
    // As it is written in the package first: what is read must not be outside of it either.
    plain(package, &entry.relative_path)?;
    if !package.index.noarch.is_python() {
        return Ok(entry.relative_path.clone());
    }
    let python = python.ok_or_else(|| PlacingError::NoPython(package.file.clone()))?;
    let path = python.get_python_noarch_target_path(&entry.relative_path).into_owned();
    plain(package, &path)?;
    Ok(path)
}

fn plain(package: &Unpacked, path: &Path) -> Result<(), PlacingError> {
    let plain = path.components().all(|component| matches!(component, Component::Normal(_)));
    if plain && path.components().next().is_some() {
        return Ok(());
    }
    Err(PlacingError::Outside { package: package.file.clone(), path: path.to_owned() })
}

fn has_room(package: &Unpacked, entry: &PathsEntry, prefix: &str) -> Result<(), PlacingError> {
    match &entry.prefix_placeholder {
        Some(found) if found.file_mode == FileMode::Binary && found.placeholder.len() < prefix.len() => {
            Err(PlacingError::TooLong {
                package: package.file.clone(),
                path: entry.relative_path.clone(),
                room: found.placeholder.len(),
                need: prefix.len(),
                prefix: prefix.to_owned(),
            })
        }
        _ => Ok(()),
    }
}

/// Whether two packages have the same there, so that it does not matter whose it is.
fn is_same(taken: &Taken<'_>, package: &Unpacked, entry: &PathsEntry) -> bool {
    let Some(known) = taken.entry.filter(|known| known.path_type == entry.path_type) else { return false };
    let target =
        |package: &Unpacked, entry: &PathsEntry| std::fs::read_link(package.folder.join(&entry.relative_path)).ok();
    match entry.path_type {
        PathType::Directory => true,
        PathType::SoftLink => target(taken.package, known).is_some_and(|known| Some(known) == target(package, entry)),
        PathType::HardLink => {
            known.sha256.is_some()
                && known.sha256 == entry.sha256
                && known.prefix_placeholder == entry.prefix_placeholder
        }
    }
}

fn clash(known: &Taken<'_>, package: &Unpacked, path: PathBuf) -> PlacingError {
    PlacingError::Clash { one: known.package.file.clone(), other: package.file.clone(), path }
}

/// A file or link where another package has a folder would lead the other's files astray.
fn nothing_below_files(taken: &BTreeMap<PathBuf, Taken<'_>>) -> Result<(), PlacingError> {
    for (path, owner) in taken {
        for above in path.ancestors().skip(1) {
            let Some(found) = taken.get(above) else { continue };
            let is_folder = found.entry.is_some_and(|entry| entry.path_type == PathType::Directory);
            if !is_folder {
                return Err(PlacingError::Clash {
                    one: found.package.file.clone(),
                    other: owner.package.file.clone(),
                    path: above.to_owned(),
                });
            }
        }
    }
    Ok(())
}
