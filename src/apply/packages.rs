//! The `packages` action: a provider fills the object, and names that are the same for every provider are added.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use crate::apply::{BuildError, Made, Workshop, io_at};
use crate::digest::Digest;
use crate::fs::Known;
use crate::host::is_executable;
use crate::name::nearest;
use crate::plan::{DesiredPart, Names, PackagesAction, ResolvedPackages};
use crate::progress::Event;
use crate::provider::{self, Realised};
use crate::pypi::{Compiler, Interpreter, compile_all};

/// Where providers put programs, relative to the object; the first that has one counts.
const PROGRAM_FOLDERS: [&str; 8] =
    ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/games", "usr/lib/*/bin", "usr/lib/*/*/bin"];

/// Where a Python is in what a provider gave; the first that is there counts.
pub const PYTHONS: [&str; 4] = ["bin/python3", "bin/python", "usr/bin/python3", "usr/local/bin/python3"];

/// Why the names of an object could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// A program is not among what the provider gave.
    #[error("there is no program `{name}` in what {provider} gave{}; correct `programs`, or add the package that has it", meant(.near))]
    NoProgram {
        /// The program.
        name: String,
        /// The provider.
        provider: &'static str,
        /// What it may be.
        near: Option<String>,
    },
    /// A link's places are all empty.
    #[error("nothing for the link `{name}` in what {provider} gave: none of {} is there", places.join(", "))]
    NoPlace {
        /// The link.
        name: String,
        /// The provider.
        provider: &'static str,
        /// Where it was looked for.
        places: Vec<String>,
    },
    /// A name or place leads out of the object.
    #[error("`{0}` is no place in an object: it must be relative and have no `..`")]
    Outside(String),
}

fn meant(near: &Option<String>) -> String {
    near.as_ref().map_or(String::new(), |near| format!(" (did you mean `{near}`?)"))
}

/// Fills the object.
///
/// # Errors
/// As the provider's own; and if a name that the part promises is not in what it gave.
pub fn make(
    part: &DesiredPart,
    action: &PackagesAction,
    object: &Path,
    workshop: &Workshop<'_>,
) -> Result<Made, BuildError> {
    let log = workshop.logs.join(format!("{}.log", part.name));
    let kit = workshop.provider_kit(&log);
    let realised = fill(&action.resolved, &action.names, &kit, object)?;
    let known = if action.names.has_python() { compile(action, &kit, object)? } else { Known::default() };
    Ok(Made { impure: realised.impure, facts: realised.facts, known, ..Made::by("packages") })
}

/// Compiles the library of a Python that a provider gave, as wheels are: nothing may be written there later. One that does not
/// run here is another's affair.
fn compile(action: &PackagesAction, kit: &provider::Kit<'_>, object: &Path) -> Result<Known, BuildError> {
    let programs = PYTHONS.iter().map(|place| object.join(place));
    let Some(program) = programs.into_iter().find(|path| is_executable(path)) else { return Ok(Known::default()) };
    let interpreter = match Interpreter::ask(kit.host, &program) {
        Ok(interpreter) => interpreter,
        Err(error) => {
            kit.report.report(Event::Note(format!("the library of {} is not compiled: {error}", program.display())));
            return Ok(Known::default());
        }
    };
    let compiler =
        Compiler { host: kit.host, cache: kit.cache, interpreter: &interpreter, report: kit.report, log: kit.log };
    let resolved = &action.resolved;
    let provider = resolved.request.provider();
    let files = resolved.pins.iter().flat_map(|pin| pin.files.iter().map(|file| file.sha256));
    let of = (provider.name(), provider.version(), provider.settings(), files.collect::<Vec<_>>());
    compile_all(&compiler, object, &Digest::of_json(&of)).map_err(BuildError::from)
}

/// Fills an empty folder with what packages resolved to, and names it.
///
/// # Errors
/// As [`make`].
pub fn fill(
    resolved: &ResolvedPackages,
    names: &Names,
    kit: &provider::Kit<'_>,
    folder: &Path,
) -> Result<Realised, BuildError> {
    let provider = resolved.request.provider();
    let realised = provider.realise(kit, &resolved.pins, folder)?;
    name_all(names, provider.name(), folder)?;
    Ok(realised)
}

fn name_all(names: &Names, provider: &'static str, object: &Path) -> Result<(), BuildError> {
    for (name, places) in &names.links {
        let link = inside(name)?;
        let found = places.iter().map(|place| matches(object, place)).find_map(|found| match found {
            Ok(found) => found.into_iter().next().map(Ok),
            Err(error) => Some(Err(error)),
        });
        let Some(found) = found.transpose()? else {
            return Err(NamesError::NoPlace { name: name.clone(), provider, places: places.clone() }.into());
        };
        link_to(object, &link, &found)?;
    }
    for name in &names.programs {
        let link = Path::new("bin").join(inside(name)?);
        if is_executable(&object.join(&link)) {
            continue;
        }
        match program(object, name)? {
            Some(found) => link_to(object, &link, &found)?,
            None => {
                let known = programs(object)?;
                let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                return Err(NamesError::NoProgram { name: name.clone(), provider, near }.into());
            }
        }
    }
    Ok(())
}

/// A relative path without `..`.
fn inside(name: &str) -> Result<PathBuf, NamesError> {
    let path = PathBuf::from(name);
    let plain = !name.is_empty() && path.components().all(|component| matches!(component, Component::Normal(_)));
    if plain { Ok(path) } else { Err(NamesError::Outside(name.to_owned())) }
}

/// What a place with `*` stands for in the object, sorted; relative to it.
fn matches(object: &Path, place: &str) -> Result<Vec<PathBuf>, NamesError> {
    inside(place)?;
    let pattern = format!("{}/{place}", glob::Pattern::escape(&object.display().to_string()));
    let found = glob::glob(&pattern).map_err(|_| NamesError::Outside(place.to_owned()))?;
    let relative = found.filter_map(Result::ok).filter_map(|path| path.strip_prefix(object).map(Path::to_owned).ok());
    Ok(relative.collect())
}

fn program(object: &Path, name: &str) -> Result<Option<PathBuf>, NamesError> {
    for folder in PROGRAM_FOLDERS {
        let found = matches(object, &format!("{folder}/{name}"))?;
        // Of several versions the newest, as sorting has it.
        if let Some(found) = found.into_iter().rfind(|path| is_executable(&object.join(path))) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn programs(object: &Path) -> Result<BTreeSet<String>, NamesError> {
    let mut names = BTreeSet::new();
    for folder in PROGRAM_FOLDERS {
        let found = matches(object, &format!("{folder}/*"))?;
        names.extend(found.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())));
    }
    Ok(names)
}

/// A link by a relative path, so that the object does not name its own place.
fn link_to(object: &Path, link: &Path, found: &Path) -> Result<(), BuildError> {
    let place = object.join(link);
    let folder = place.parent().unwrap_or(object);
    std::fs::create_dir_all(folder).map_err(io_at(folder))?;
    let up: PathBuf = link.components().skip(1).map(|_| "..").collect();
    symlink(up.join(found), &place).map_err(io_at(&place))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn object(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("folder");
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
            std::fs::write(&path, file).expect("written");
            std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("mode");
        }
        folder
    }

    fn names(programs: &[&str], links: &[(&str, &[&str])]) -> Names {
        let list = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        Names {
            programs: list(programs),
            links: links.iter().map(|(name, places)| ((*name).to_owned(), list(places))).collect(),
        }
    }

    #[test]
    fn programs_and_links_have_one_name_wherever_the_provider_put_them() {
        let object = object(&["usr/lib/postgresql/9/bin/psql", "usr/sbin/nginx", "bin/own", "etc/nginx/mime.types"]);
        let names = names(&["psql", "nginx", "own"], &[("share/mime.types", &["conf/mime.types", "etc/*/mime.types"])]);
        name_all(&names, "deb", object.path()).expect("named");
        let read = |path: &str| std::fs::read_to_string(object.path().join(path)).expect("read");
        assert_eq!(read("bin/psql"), "usr/lib/postgresql/9/bin/psql");
        assert_eq!(read("bin/nginx"), "usr/sbin/nginx");
        assert_eq!(read("bin/own"), "bin/own");
        assert_eq!(read("share/mime.types"), "etc/nginx/mime.types");
        let link = std::fs::read_link(object.path().join("share/mime.types")).expect("link");
        assert_eq!(link, Path::new("../etc/nginx/mime.types"));
    }

    #[test]
    fn what_is_not_there_is_said_with_the_nearest_name() {
        let object = object(&["usr/bin/redis-server"]);
        let said = |names: &Names| name_all(names, "deb", object.path()).expect_err("refused").to_string();
        insta::assert_snapshot!(said(&names(&["redis-serve"], &[])), @"there is no program `redis-serve` in what deb gave (did you mean `redis-server`?); correct `programs`, or add the package that has it");
        insta::assert_snapshot!(said(&names(&[], &[("a", &["b", "c/*"])])), @"nothing for the link `a` in what deb gave: none of b, c/* is there");
        insta::assert_snapshot!(said(&names(&["../sh"], &[])), @"`../sh` is no place in an object: it must be relative and have no `..`");
    }
}
