//! The `step` action: a command that fills its object, once per key.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::apply::{BuildError, Made, Workshop, files, io_at};
use crate::layout;
use crate::plan::{DesiredPart, StepAction};
use crate::process::Run;
use crate::progress::Event;
use crate::sandbox::{Access, Confinement, Demand};

/// Writes the step's files, then runs its command, in a sandbox. It has no network, and may write into its object and into a
/// folder for temporary files, which is its home and is removed afterwards.
///
/// # Errors
/// If it cannot be started or does not exit with 0: with its last lines and the path of the whole log; if it is to run in a
/// sandbox that this machine does not have.
pub fn make(
    part: &DesiredPart,
    action: &StepAction,
    object: &Path,
    workshop: &Workshop<'_>,
) -> Result<Made, BuildError> {
    files::make(&action.files, object, workshop)?;
    let [program, arguments @ ..] = action.command.as_slice() else { return Ok(Made::by("step")) };
    // In the prefix: a run that is killed leaves it there, where the next one finds it.
    let scratch = tempfile::Builder::new().prefix(layout::SCRATCH).tempdir_in(workshop.layout.root());
    let scratch = scratch.map_err(io_at(object))?;
    let home = scratch.path().display().to_string();
    let mut vars = action.vars.clone();
    for (name, value) in
        [("HOME", home.as_str()), ("TMPDIR", &home), ("LANG", "C.UTF-8"), ("PATH", "/usr/local/bin:/usr/bin:/bin")]
    {
        vars.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    vars.insert("JOVE_OBJECT".into(), object.display().to_string());
    workshop.report.report(Event::Detail(shell_words::join(&action.command)));
    let folder = action.folder.as_ref().map_or(object, |folder| Path::new(folder));
    let log = workshop.logs.join(format!("{}.log", part.name));
    let access = Access::of_work(workshop.layout.root(), workshop.host.home().ok().as_deref());
    let demand = if action.is_sandbox_required { Demand::Required } else { Demand::Best };
    let confinement = Arc::new(Confinement::make(&access.write(scratch.path()).write(object), demand)?);
    let run = Run::new(program, vars).args(arguments).folder(folder).log(log).limit(action.timeout);
    run.before_exec(Arc::clone(&confinement) as Arc<_>).go()?;
    let facts = BTreeMap::from([("sandbox enforced".to_owned(), confinement.enforced().to_string())]);
    Ok(Made { facts, ..Made::by("step") })
}
