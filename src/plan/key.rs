//! Keys: the digest of everything that can change an object's bytes, and of nothing else.
//!
//! An action's version is raised by hand when the same inputs would give other bytes; a test holds golden keys.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::digest::Digest;
use crate::plan::action::{FilesAction, PackagesAction, PythonAction, StepAction};
use crate::plan::snapshot::InterpreterFrom;
use crate::platform::Platform;

/// Raised when `files` would give other bytes for the same inputs.
pub const FILES_VERSION: u32 = 1;
/// Raised when `packages` would give other bytes for the same inputs.
pub const PACKAGES_VERSION: u32 = 1;
/// Raised when the library of a Python among them would be compiled to other bytes.
pub const BYTECODE_VERSION: u32 = 2;
/// Raised when `python` would give other bytes for the same inputs.
pub const PYTHON_VERSION: u32 = 2;
/// Raised when `step` would give other bytes for the same inputs.
pub const STEP_VERSION: u32 = 1;

#[derive(Serialize)]
struct Key<'a, T: Serialize> {
    action: &'a str,
    version: u32,
    inputs: T,
}

fn digest<T: Serialize>(action: &str, version: u32, inputs: T) -> Digest {
    Digest::of_json(&Key { action, version, inputs })
}

/// What of rendered files and copied folders is in a key. Paths of other objects are in the files' bytes.
#[derive(Serialize)]
struct FilesInputs<'a> {
    files: BTreeMap<&'a Path, (bool, Digest)>,
    trees: BTreeMap<&'a Path, Digest>,
}

impl<'a> FilesInputs<'a> {
    fn of(files: &'a FilesAction) -> Self {
        Self {
            files: files
                .files
                .iter()
                .map(|file| (file.path.as_path(), (file.executable, Digest::of(&file.content))))
                .collect(),
            trees: files.trees.iter().map(|tree| (tree.to.as_path(), tree.digest)).collect(),
        }
    }
}

/// The key of rendered files; free of the prefix's path unless that is in the bytes.
#[must_use]
pub fn of_files(files: &FilesAction) -> Digest {
    digest("files", FILES_VERSION, FilesInputs::of(files))
}

/// The key of a Python environment. Scripts name the interpreter in the environment by path, so the store's path is in it.
#[must_use]
pub fn of_python(python: &PythonAction, platform: &Platform, store: &Path) -> Digest {
    let resolved = &python.resolved;
    // One in an object of its own is known by that object's folder, which is in its path.
    let of_host = Some(python.interpreter.digest).filter(|_| resolved.from == InterpreterFrom::Host);
    let interpreter = (&python.interpreter.path, &python.interpreter.version, of_host);
    let files: BTreeMap<_, _> =
        resolved.packages.iter().map(|(pin, file)| (&pin.name, (&file.file, file.sha256))).collect();
    let editable: Vec<_> = resolved.editable.iter().map(|source| (&source.folder, &source.extras)).collect();
    let inputs = (platform, store, interpreter, files, editable);
    if resolved.from.is_shared() {
        // Another configuration of the environment, and links to what lies beside the interpreter.
        return digest("python", PYTHON_VERSION, (inputs, "with the packages of its interpreter"));
    }
    digest("python", PYTHON_VERSION, inputs)
}

/// The key of a provider's programs. Providers write the folder's path into programs, so the store's path is in it.
#[must_use]
pub fn of_packages(packages: &PackagesAction, platform: &Platform, store: &Path) -> Digest {
    let resolved = &packages.resolved;
    let provider = resolved.request.provider();
    let pins: BTreeMap<_, _> = resolved
        .pins
        .iter()
        .map(|pin| (&pin.name, pin.files.iter().map(|file| file.sha256).collect::<Vec<_>>()))
        .collect();
    let from = (provider.name(), provider.version(), provider.settings());
    let inputs = (platform, store, from, pins, &resolved.facts, &packages.names);
    if packages.names.has_python() {
        return digest("packages", PACKAGES_VERSION, (inputs, ("bytecode", BYTECODE_VERSION)));
    }
    digest("packages", PACKAGES_VERSION, inputs)
}

/// The key of a step: its command, variables, files and the folders that it reads.
#[must_use]
pub fn of_step(step: &StepAction, inputs: &BTreeMap<String, Digest>, platform: &Platform, store: &Path) -> Digest {
    digest(
        "step",
        STEP_VERSION,
        (platform, store, &step.command, &step.vars, &step.folder, inputs, FilesInputs::of(&step.files)),
    )
}
