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
         version of one of them that does not have it, take them into two parts, or allow the later one to win: \
         conda_clobber = \"later\"",
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

/// What happens where two packages have different files of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clobber {
    /// They are refused.
    #[default]
    Refuse,
    /// The later one's counts: that of a package which needs the other, else of the later name.
    Later,
}

/// A file that another package's stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Whose it was.
    pub one: String,
    /// Whose it is.
    pub other: String,
    /// Its place.
    pub path: PathBuf,
}

/// Where everything goes.
#[derive(Debug, Default)]
pub struct Placement {
    /// For each package, what of it is linked.
    pub placed: Vec<Placed>,
    /// What is not, because another package's is.
    pub replaced: Vec<Replaced>,
}

/// What has a place already.
struct Taken<'a> {
    index: usize,
    package: &'a Unpacked,
    entry: Option<&'a PathsEntry>,
}

/// Places the files of packages in an environment that will be at `prefix`.
///
/// # Errors
/// If one leads outside, two clash, or one has no room for the prefix.
pub fn place(
    packages: &[Unpacked],
    python: Option<&PythonInfo>,
    prefix: &str,
    clobber: Clobber,
) -> Result<Placement, PlacingError> {
    let mut taken: BTreeMap<PathBuf, Taken<'_>> = BTreeMap::new();
    let mut made = Placement { placed: packages.iter().map(|_| Placed::default()).collect(), replaced: Vec::new() };
    let order = match clobber {
        Clobber::Refuse => (0..packages.len()).collect(),
        Clobber::Later => by_needs(packages),
    };
    for index in order {
        let package = &packages[index];
        for entry in &package.paths.paths {
            let path = target(package, entry, python)?;
            has_room(package, entry, prefix)?;
            match taken.get(&path) {
                Some(known) if is_same(known, package, entry) => continue,
                Some(_) if entry.path_type == PathType::Directory => return Err(clash(&taken[&path], package, path)),
                Some(known) => made.replace(known, package, &path, clobber)?,
                None => {}
            }
            taken.insert(path.clone(), Taken { index, package, entry: Some(entry) });
            made.placed[index].places.push(path);
            made.placed[index].entries.push(entry.clone());
        }
        for command in &package.commands {
            let path = Path::new("bin").join(&command.command);
            plain(package, &path)?;
            if let Some(known) = taken.get(&path) {
                made.replace(known, package, &path, clobber)?;
            }
            taken.insert(path.clone(), Taken { index, package, entry: None });
            made.placed[index].places.push(path);
        }
    }
    nothing_below_files(&taken)?;
    Ok(made)
}

impl Placement {
    /// Takes a file out in favour of another package's. A command stays, since whoever links makes all of a package's.
    fn replace(
        &mut self,
        known: &Taken<'_>,
        package: &Unpacked,
        path: &Path,
        clobber: Clobber,
    ) -> Result<(), PlacingError> {
        let entry = known.entry.filter(|entry| entry.path_type != PathType::Directory);
        let (Clobber::Later, Some(entry)) = (clobber, entry) else {
            return Err(clash(known, package, path.to_owned()));
        };
        let placed = &mut self.placed[known.index];
        placed.places.retain(|place| place != path);
        placed.entries.retain(|other| other.relative_path != entry.relative_path);
        let (one, other) = (known.package.file.clone(), package.file.clone());
        self.replaced.push(Replaced { one, other, path: path.to_owned() });
        Ok(())
    }
}

/// The packages in the order in which they are installed: each after all that it needs, else by name. Of those that need each
/// other the first by name is the first.
fn by_needs(packages: &[Unpacked]) -> Vec<usize> {
    let name = |index: usize| packages[index].index.name.as_normalized();
    let mut rest: Vec<usize> = (0..packages.len()).collect();
    rest.sort_by_key(|index| name(*index));
    let mut order = Vec::new();
    while !rest.is_empty() {
        let needs = |index: usize, other: usize| {
            let words = packages[index].index.depends.iter().filter_map(|text| text.split_whitespace().next());
            index != other && words.into_iter().any(|word| word == name(other))
        };
        let free = rest.iter().position(|index| !rest.iter().any(|other| needs(*index, *other)));
        order.push(rest.remove(free.unwrap_or(0)));
    }
    order
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
    let target = |package: &Unpacked, entry: &PathsEntry| {
        std::fs::read_link(package.taken.files().join(&entry.relative_path)).ok()
    };
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
