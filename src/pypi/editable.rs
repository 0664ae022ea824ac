//! Source folders that are used in place, and stay untouched.
//!
//! What is installed for one is a wheel of ours: its metadata, its scripts, and a `.pth` that names the folder. The metadata
//! is read from `pyproject.toml` where it stands there in full; otherwise the project's own build runs, in a *copy* of the
//! folder, so that no `egg-info` and no `build` appears beside the user's sources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use pep508_rs::{ExtraName, Requirement, VerbatimUrl};
use serde::{Deserialize, Serialize};

use super::built::{self, BuildError, BuiltWheel};
use super::kit::Kit;
use super::pin::PackageName;
use super::requirement::EditableSource;

/// Builders whose projects are pure Python when `pyproject.toml` says everything and there is no `setup.py`.
const PURE_BACKENDS: [&str; 7] = [
    "flit_core.buildapi",
    "hatchling.build",
    "pdm.backend",
    "poetry.core.masonry.api",
    "setuptools.build_meta",
    "setuptools.build_meta:__legacy__",
    "uv_build",
];

/// Why a source folder cannot be used in place.
#[derive(Debug, thiserror::Error)]
pub enum EditableError {
    /// Its `pyproject.toml` is not understood.
    #[error("{} is not understood: {source}", path.display())]
    Project {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// It cannot be read.
    #[error("the source folder {} cannot be read: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its own build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It has compiled modules.
    #[error(
        "{} cannot be used in place: it has compiled modules; build a wheel of it into a folder of find-links and require it by name",
        path.display()
    )]
    Compiled {
        /// The folder.
        path: PathBuf,
    },
    /// Its modules are not where a path can name them.
    #[error(
        "{} cannot be used in place: its build makes {what} of files that are neither in the folder nor in its `src`; build a wheel of it \
         into a folder of find-links and require it by name", path.display()
    )]
    Layout {
        /// The folder.
        path: PathBuf,
        /// A module that was not found.
        what: String,
    },
}

/// What is to be known of a source folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The Pythons that it takes.
    pub requires_python: Option<String>,
    /// What it requires.
    pub dependencies: Vec<String>,
    /// What it requires besides, by extra.
    pub extras: BTreeMap<String, Vec<String>>,
    /// Its entry points as `entry_points.txt` has them.
    pub entry_points: String,
    /// The folder that goes on Python's path.
    pub root: PathBuf,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct PyProject {
    build_system: BuildSystem,
    project: Option<Project>,
    tool: toml::Table,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct BuildSystem {
    build_backend: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Project {
    name: String,
    version: Option<String>,
    requires_python: Option<String>,
    dependencies: Vec<String>,
    optional_dependencies: BTreeMap<String, Vec<String>>,
    scripts: BTreeMap<String, String>,
    gui_scripts: BTreeMap<String, String>,
    entry_points: BTreeMap<String, BTreeMap<String, String>>,
    dynamic: Vec<String>,
}

/// Reads a source folder; runs its own build, in a copy, only where its `pyproject.toml` leaves something open. Blocks.
///
/// # Errors
/// If it cannot be read, built or used in place.
pub fn describe(kit: &Kit<'_>, source: &EditableSource) -> Result<Described, EditableError> {
    let folder = &source.folder;
    let path = folder.join("pyproject.toml");
    let has = |file: &str| folder.join(file).is_file();
    let parsed: PyProject = match fs_err::read_to_string(&path) {
        Ok(text) => {
            toml::from_str(&text).map_err(|source| EditableError::Project { path, source: Box::new(source) })?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => PyProject::default(),
        Err(source) => return Err(EditableError::Io { path: folder.clone(), source }),
    };
    if let Some(described) = in_full(folder, &parsed) {
        return Ok(described);
    }
    let packaged = parsed.project.is_some() || parsed.build_system.build_backend.is_some();
    if !packaged && !has("setup.py") && !has("setup.cfg") {
        return Ok(plain(folder));
    }
    by_build(kit, folder)
}

/// A folder of modules without any packaging: only its path counts.
fn plain(folder: &Path) -> Described {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let name = format!("source-{}", name.trim_matches('-'));
    Described {
        name: name.trim_matches('-').to_owned(),
        version: "0".to_owned(),
        requires_python: None,
        dependencies: Vec::new(),
        extras: BTreeMap::new(),
        entry_points: String::new(),
        root: folder.to_owned(),
    }
}

/// What `pyproject.toml` says, if it says everything.
fn in_full(folder: &Path, parsed: &PyProject) -> Option<Described> {
    let project = parsed.project.as_ref()?;
    let backend = parsed.build_system.build_backend.as_deref().unwrap_or("setuptools.build_meta");
    let open = [
        "version",
        "dependencies",
        "optional-dependencies",
        "scripts",
        "gui-scripts",
        "entry-points",
        "requires-python",
    ];
    let whole = !project.dynamic.iter().any(|word| open.contains(&word.as_str()));
    if !whole || folder.join("setup.py").exists() || !PURE_BACKENDS.contains(&backend) {
        return None;
    }
    let mut groups = vec![("console_scripts", &project.scripts), ("gui_scripts", &project.gui_scripts)];
    groups.extend(project.entry_points.iter().map(|(group, entries)| (group.as_str(), entries)));
    let mut entry_points = String::new();
    for (group, entries) in groups.into_iter().filter(|(_, entries)| !entries.is_empty()) {
        entry_points.push_str(&format!("[{group}]\n"));
        entries.iter().for_each(|(name, target)| entry_points.push_str(&format!("{name} = {target}\n")));
    }
    Some(Described {
        name: project.name.parse::<PackageName>().ok()?.to_string(),
        version: project.version.clone()?,
        requires_python: project.requires_python.clone(),
        dependencies: project.dependencies.clone(),
        extras: project.optional_dependencies.clone(),
        entry_points,
        root: root_by_settings(folder, &parsed.tool),
    })
}

/// Where the modules are: as setuptools or hatch were told, else in `src` if there is one, else in the folder.
fn root_by_settings(folder: &Path, tool: &toml::Table) -> PathBuf {
    let at = |path: &[&str]| {
        let mut value = tool.get(*path.first()?)?;
        for word in &path[1..] {
            value = match value {
                toml::Value::Array(list) => list.get(word.parse::<usize>().ok()?)?,
                other => other.get(word)?,
            };
        }
        value.as_str().map(ToOwned::to_owned)
    };
    let told = at(&["setuptools", "packages", "find", "where", "0"])
        .or_else(|| at(&["setuptools", "package-dir", ""]))
        .or_else(|| at(&["hatch", "build", "targets", "wheel", "sources", "0"]))
        .or_else(|| at(&["poetry", "packages", "0", "from"]))
        .or_else(|| at(&["uv", "build-backend", "module-root"]));
    let below = |name: &str| folder.join(name).components().collect::<PathBuf>();
    match told {
        Some(told) => below(&told),
        None if folder.join("src").is_dir() && !folder.join("src/__init__.py").exists() => below("src"),
        None => folder.to_owned(),
    }
}

fn by_build(kit: &Kit<'_>, folder: &Path) -> Result<Described, EditableError> {
    let built = built::from_copy(kit, folder)?;
    if !built.is_pure {
        return Err(EditableError::Compiled { path: folder.to_owned() });
    }
    let root = root_by_modules(folder, &built)?;
    Ok(from_metadata(&built, root))
}

/// The folder that has every module that the build put into the wheel.
fn root_by_modules(folder: &Path, built: &BuiltWheel) -> Result<PathBuf, EditableError> {
    let candidates = [folder.join("src"), folder.join("lib"), folder.to_owned()];
    let has_all = |root: &&PathBuf| built.modules.iter().all(|module| root.join(module).exists());
    candidates.iter().find(has_all).cloned().ok_or_else(|| EditableError::Layout {
        path: folder.to_owned(),
        what: built.modules.first().cloned().unwrap_or_default(),
    })
}

fn from_metadata(built: &BuiltWheel, root: PathBuf) -> Described {
    let field = |name: &'static str| {
        let named = built.metadata.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.clone())
    };
    let requires: Vec<Requirement<VerbatimUrl>> =
        field("Requires-Dist").filter_map(|text| Requirement::from_str(&text).ok()).collect();
    let needed_with = |extras: &[ExtraName]| -> Vec<String> {
        let needed = requires.iter().filter(|requirement| requirement.marker.evaluate_extras(extras));
        needed
            .map(|requirement| {
                let marker = requirement.marker.clone().simplify_extras(extras);
                Requirement { marker, ..requirement.clone() }.to_string()
            })
            .collect()
    };
    let dependencies = needed_with(&[]);
    let mut extras = BTreeMap::new();
    for extra in field("Provides-Extra") {
        if let Ok(name) = ExtraName::from_str(&extra) {
            let mut more = needed_with(&[name]);
            more.retain(|text| !dependencies.contains(text));
            extras.insert(extra, more);
        }
    }
    Described {
        name: field("Name").next().unwrap_or_default(),
        version: field("Version").next().unwrap_or_default(),
        requires_python: field("Requires-Python").next(),
        dependencies,
        extras,
        entry_points: built.entry_points.clone(),
        root,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Stub<'a> {
    project: StubProject<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct StubProject<'a> {
    name: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    requires_python: Option<&'a str>,
    dependencies: &'a [String],
    optional_dependencies: &'a BTreeMap<String, Vec<String>>,
}

impl Described {
    /// A `pyproject.toml` that says everything, for uv to resolve without running anything.
    #[must_use]
    pub(super) fn stub(&self) -> String {
        let project = StubProject {
            name: &self.name,
            version: &self.version,
            requires_python: self.requires_python.as_deref(),
            dependencies: &self.dependencies,
            optional_dependencies: &self.extras,
        };
        toml::to_string(&Stub { project }).expect("strings, lists and tables are valid TOML")
    }

    /// `METADATA` of the installed package.
    #[must_use]
    pub(super) fn metadata(&self) -> String {
        let mut text = format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", self.name, self.version);
        if let Some(python) = &self.requires_python {
            text.push_str(&format!("Requires-Python: {python}\n"));
        }
        for requirement in &self.dependencies {
            text.push_str(&format!("Requires-Dist: {requirement}\n"));
        }
        for (extra, requirements) in &self.extras {
            text.push_str(&format!("Provides-Extra: {extra}\n"));
            for requirement in requirements {
                let line = match requirement.split_once(';') {
                    Some((what, marker)) => format!("{}; ({}) and extra == \"{extra}\"", what.trim(), marker.trim()),
                    None => format!("{requirement}; extra == \"{extra}\""),
                };
                text.push_str(&format!("Requires-Dist: {line}\n"));
            }
        }
        text
    }
}
