//! Fetches what Python objects need, before anything is built.

use crate::apply::Workshop;
use crate::apply::python::Tools;
use crate::ops::error::{OpError, OpResult};
use crate::ops::prepare::Prepared;
use crate::plan::Action;
use crate::pypi;

/// Fetches every file of the Python objects that are to be made; what is in the cache is not fetched again.
///
/// # Errors
/// With every file that did not come.
pub fn fetch(workshop: &Workshop<'_>, prepared: &Prepared, distrust: bool) -> OpResult<()> {
    for part in prepared.desired.parts.values() {
        let Some(object) = part.object.as_ref().filter(|object| !object.exists) else { continue };
        let Action::Python(action) = &object.action else { continue };
        let log = workshop.logs.join(format!("{}.log", part.name));
        let tools = Tools::find(workshop, &action.resolved.interpreter)?;
        let files: Vec<_> = action.resolved.packages.iter().map(|(pin, file)| (&pin.name, file)).collect();
        pypi::fetch(&tools.kit(workshop, &action.resolved.interpreter, &log), &files, workshop.jobs.max(4), distrust)
            .map_err(|error| OpError::from(error).context(format!("fetching the packages of `{}`", part.name)))?;
    }
    Ok(())
}
