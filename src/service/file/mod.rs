//! Files that declare services without an installation: our own TOML, a `Procfile`, a supervisord configuration.
//!
//! What a foreign file says and we do otherwise is told, a line each ([`Read::left`]); nothing is dropped in silence.

mod bounds;
mod ini;
mod own;
pub mod procfile;
mod supervisord;
mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ServiceSpec, Services, order};
use crate::name::PartName;
use crate::text::Text;

/// What a file declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The services.
    pub services: Services,
    /// What could not be carried over, or is done otherwise, for people.
    pub left: Vec<String>,
}

/// Which language a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Our own TOML.
    Own,
    /// `name: command` lines.
    Procfile,
    /// supervisord's INI.
    Supervisord,
}

/// What a reader may know of its surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The file's folder, absolute.
    pub folder: &'a Path,
    /// The process variables.
    pub vars: &'a BTreeMap<String, String>,
    /// More of them, that a file beside it declares.
    pub declared: &'a BTreeMap<String, String>,
    /// The machine's name.
    pub host: &'a str,
}

/// Why a file of services cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It declares nothing.
    #[error("it declares no service")]
    Empty,
    /// A line of it is wrong.
    #[error("line {line}: {reason}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Two names become one.
    #[error("`{0}` and `{1}` both become a service `{2}`; rename one")]
    Double(String, String, PartName),
    /// A name cannot be a service's.
    #[error("`{0}` cannot be the name of a service: it takes letters, digits and `-`")]
    Name(String),
    /// A service of it is wrong.
    #[error("service `{service}`: {reason}")]
    Service {
        /// Which.
        service: String,
        /// What is wrong.
        reason: String,
    },
    /// The services cannot be put in order.
    #[error(transparent)]
    Order(#[from] order::OrderError),
    /// It is no TOML of ours.
    #[error("{0}")]
    Toml(String),
}

/// Which language a file is written in, by its name: `*.toml`, `Procfile*`, and `*.conf` or `*.ini`.
#[must_use]
pub fn form(path: &Path) -> Option<Form> {
    let name = path.file_name()?.to_str()?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => Some(Form::Own),
        Some("conf" | "ini") => Some(Form::Supervisord),
        _ => (name.starts_with("Procfile") || name.ends_with("Procfile")).then_some(Form::Procfile),
    }
}

/// Reads a file. `include` gives the texts of further files that supervisord's `[include]` names by a pattern.
///
/// # Errors
/// What is wrong in it.
pub fn read(
    form: Form,
    text: &str,
    surroundings: Surroundings<'_>,
    include: &dyn Fn(&str) -> Vec<(PathBuf, String)>,
) -> Result<Read, FileError> {
    let read = match form {
        Form::Own => own::read(text, surroundings),
        Form::Procfile => procfile::read(text, surroundings),
        Form::Supervisord => supervisord::read(text, surroundings, include),
    }?;
    if read.services.services.is_empty() {
        return Err(FileError::Empty);
    }
    order::sorted(&read.services)?;
    Ok(read)
}

/// Services of a file, in a generation whose number is set later.
fn services(services: Vec<ServiceSpec>) -> Services {
    let services = services.into_iter().map(Arc::new).collect();
    Services { format: 1, generation: 0, services, promises: Vec::new(), data: Vec::new() }
}

/// A foreign name as a service's.
fn service_name(name: &str) -> Result<PartName, FileError> {
    let lower = name.to_lowercase().replace(['_', '.', ' '], "-");
    lower.parse().map_err(|_| FileError::Name(name.to_owned()))
}

/// Names that differ in the file must differ here, too.
fn check_names(names: &[(String, PartName)]) -> Result<(), FileError> {
    let mut seen: BTreeMap<&PartName, &String> = BTreeMap::new();
    for (written, name) in names {
        if let Some(other) = seen.insert(name, written) {
            return Err(FileError::Double(other.clone(), written.clone(), name.clone()));
        }
    }
    Ok(())
}

/// The variables that a file beside it declares.
fn declared(surroundings: Surroundings<'_>) -> BTreeMap<String, Text> {
    surroundings.declared.iter().map(|(name, value)| (name.clone(), Text::literal(value))).collect()
}

/// A command that a shell reads.
fn shell(command: &str) -> Vec<Text> {
    ["/bin/sh", "-c", command].map(Text::literal).into()
}

#[cfg(test)]
mod tests;
