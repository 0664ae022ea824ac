//! What makes an object: one variant an action, each with all that it needs and nothing of the world.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::digest::Digest;
use crate::plan::snapshot::{ResolvedPackages, ResolvedPython};
use crate::pypi::Interpreter;

/// How an object is made.
#[derive(Debug, Clone)]
pub enum Action {
    /// Rendered files and copied folders.
    Files(FilesAction),
    /// Programs of a provider.
    Packages(Box<PackagesAction>),
    /// A Python environment.
    Python(Box<PythonAction>),
    /// A command that fills the object.
    Step(StepAction),
}

/// Rendered files and copied folders.
#[derive(Debug, Clone)]
pub struct FilesAction {
    /// The files.
    pub files: Vec<RenderedFile>,
    /// The folders.
    pub trees: Vec<Tree>,
}

/// One file, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Relative to the object.
    pub path: PathBuf,
    /// Whether it may be executed.
    pub executable: bool,
    /// Its bytes; with marks where secrets go.
    pub content: String,
    /// Whether there are such marks.
    pub secret: bool,
}

/// A folder to copy.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Where it comes from.
    pub from: TreeSource,
    /// Relative to the object.
    pub to: PathBuf,
    /// The digest of its content.
    pub digest: Digest,
}

/// Where a copied folder comes from.
#[derive(Debug, Clone)]
pub enum TreeSource {
    /// A folder on disk.
    Folder(PathBuf),
    /// A shipped example inside this binary: the recipe that ships it, and the folder within the example.
    Example {
        /// The recipe.
        recipe: String,
        /// Relative to the example.
        folder: PathBuf,
    },
}

/// A Python environment.
#[derive(Debug, Clone)]
pub struct PythonAction {
    /// What its part resolved to.
    pub resolved: ResolvedPython,
    /// The interpreter that it runs on, at its final place.
    pub interpreter: Interpreter,
}

/// Programs of a provider.
#[derive(Debug, Clone)]
pub struct PackagesAction {
    /// What its part resolved to.
    pub resolved: ResolvedPackages,
    /// The names that it has whatever the provider.
    pub names: Names,
}

/// Names in an object that are the same for every provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// Programs that are to be in `bin/`.
    pub programs: Vec<String>,
    /// For each name, the places where it may be; the first that is there counts.
    pub links: BTreeMap<String, Vec<String>>,
}

impl Names {
    /// Whether a Python is promised, whose library is then compiled.
    #[must_use]
    pub fn has_python(&self) -> bool {
        self.programs.iter().any(|name| name.starts_with("python"))
    }
}

/// A command that fills the object.
#[derive(Debug, Clone)]
pub struct StepAction {
    /// Program and arguments.
    pub command: Vec<String>,
    /// The process variables.
    pub vars: BTreeMap<String, String>,
    /// The working folder; without it the object.
    pub folder: Option<String>,
    /// Files that are written before it runs.
    pub files: FilesAction,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether it is not run where the sandbox cannot be enforced.
    pub is_sandbox_required: bool,
}
