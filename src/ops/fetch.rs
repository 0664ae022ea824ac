//! Fetches what objects need from outside, before anything is built.

use crate::apply::Workshop;
use crate::apply::python::Tools;
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::pin::tool;
use crate::ops::prepare::Prepared;
use crate::plan::{Action, InterpreterFrom, PackagesAction, PythonAction};
use crate::pypi;

/// Fetches every file of the objects that are to be made; what is in the cache is not fetched again.
///
/// # Errors
/// With every file that did not come.
pub fn fetch(workshop: &Workshop<'_>, prepared: &Prepared) -> OpResult<()> {
    for part in prepared.desired.parts.values() {
        let Some(object) = part.object.as_ref().filter(|object| !object.exists) else { continue };
        match &object.action {
            Action::Packages(action) => packages(workshop, &part.name, action)?,
            Action::Python(action) => {
                interpreter(workshop, prepared, action)?;
                python(workshop, &part.name, action)?;
            }
            Action::Files(_) | Action::Step(_) => {}
        }
    }
    Ok(())
}

fn packages(workshop: &Workshop<'_>, part: &PartName, action: &PackagesAction) -> OpResult<()> {
    let log = workshop.logs.join(format!("{part}.log"));
    let resolved = &action.resolved;
    let fetched = resolved.request.provider().fetch(&workshop.provider_kit(&log), &resolved.pins);
    fetched.map_err(|error| OpError::from(error).context(format!("fetching the packages of `{part}`")))
}

/// An interpreter that comes from a provider serves the tools before its object is made.
fn interpreter(workshop: &Workshop<'_>, prepared: &Prepared, action: &PythonAction) -> OpResult<()> {
    let InterpreterFrom::Object { part, .. } = &action.resolved.from else { return Ok(()) };
    let object = prepared.desired.parts.get(part).and_then(|part| part.object.as_ref());
    if let Some(Action::Packages(packages)) = object.map(|object| &object.action)
        && !action.resolved.interpreter.path.exists()
    {
        let log = workshop.logs.join(format!("{part}.log"));
        tool::ensure(&workshop.provider_kit(&log), &packages.resolved, &packages.names)?;
    }
    Ok(())
}

fn python(workshop: &Workshop<'_>, part: &PartName, action: &PythonAction) -> OpResult<()> {
    let log = workshop.logs.join(format!("{part}.log"));
    let files: Vec<_> = action.resolved.packages.iter().map(|(pin, file)| (&pin.name, file)).collect();
    let failed =
        |error: pypi::PackageFetchError| OpError::from(error).context(format!("fetching the packages of `{part}`"));
    // Both hash much and wait a little.
    let (tools, looks) = std::thread::scope(|scope| {
        let looks = scope.spawn(|| pypi::look(workshop.cache, &files, workshop.distrust));
        (Tools::find(workshop, &action.resolved.interpreter), looks.join())
    });
    let looks = looks.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let (tools, looks) = (tools?, looks.map_err(|error| failed(error.into()))?);
    let kit = tools.kit(workshop, &action.resolved.interpreter, &log);
    pypi::fetch(&kit, &files, &looks, workshop.jobs.max(4)).map_err(failed)?;
    Ok(())
}
