//! The `python` action: an environment from files that are in the cache.

use std::path::Path;
use std::sync::PoisonError;

use crate::apply::{BuildError, Made, Workshop};
use crate::plan::{DesiredPart, PythonAction};
use crate::pypi::{Index, IndexError, Interpreter, Kit, ToolError, Uv, environment};

/// What Python work needs, found once.
pub struct Tools {
    uv: Uv,
    index: Index,
}

/// Why the tools were not found.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// The index is configured wrongly.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// There is no uv.
    #[error(transparent)]
    Tool(#[from] ToolError),
}

impl Tools {
    /// Finds uv and the index.
    ///
    /// # Errors
    /// With everything that was tried.
    pub fn find(workshop: &Workshop<'_>, interpreter: &Interpreter) -> Result<Self, ToolsError> {
        let uv = Self::uv(workshop, interpreter)?;
        let index = Index::discover(workshop.host, Some(interpreter), Some(&uv))?;
        Ok(Self { uv, index })
    }

    /// The one that this run found before, or finds now: it is hashed and asked for its version once.
    fn uv(workshop: &Workshop<'_>, interpreter: &Interpreter) -> Result<Uv, ToolError> {
        let mut known = workshop.uv.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(uv) = known.as_ref() {
            return Ok(uv.clone());
        }
        let uv = Uv::ensure(workshop.host, workshop.client, workshop.cache, Some(interpreter), &workshop.report)?;
        Ok(known.insert(uv).clone())
    }

    /// Them as the provider takes them.
    #[must_use]
    pub fn kit<'a>(&'a self, workshop: &'a Workshop<'_>, interpreter: &'a Interpreter, log: &'a Path) -> Kit<'a> {
        Kit {
            host: workshop.host,
            client: workshop.client,
            cache: workshop.cache,
            uv: &self.uv,
            index: &self.index,
            interpreter,
            report: &workshop.report,
            log,
        }
    }
}

/// Makes the environment.
///
/// # Errors
/// As the provider's own.
pub fn make(
    part: &DesiredPart,
    action: &PythonAction,
    object: &Path,
    workshop: &Workshop<'_>,
) -> Result<Made, BuildError> {
    let resolved = &action.resolved;
    // The tools are looked for by the interpreter that the lock asked: it is there before any object is.
    let tools = Tools::find(workshop, &resolved.interpreter)?;
    let log = workshop.logs.join(format!("{}.log", part.name));
    let kit = tools.kit(workshop, &action.interpreter, &log);
    let packages = resolved.packages.iter();
    let packages = packages.map(|(pin, file)| (pin.clone(), workshop.cache.path(&file.sha256, &file.file))).collect();
    let recipe =
        environment::Recipe { packages, editable: resolved.editable.clone(), is_shared: resolved.from.is_shared() };
    let built = environment::build(&kit, object, &recipe)?;
    Ok(Made { known: built.known, ..Made::by("python") })
}
