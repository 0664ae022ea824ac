//! `plan` and `lock`.

use crate::cli::Exit;
use crate::cli::args::{ExportForm, LockArguments, PlanArguments};
use crate::cli::face::Face;
use crate::cli::render::change::changes;
use crate::cli::render::table::bytes;
use crate::ops::plan::{self, Outlook};
use crate::ops::prepare::Wishes;
use crate::ops::{OpResult, export, lock};

/// Says what `install` would do.
///
/// # Errors
/// As [`plan::plan`].
pub fn run(face: &Face, arguments: &PlanArguments) -> OpResult<Exit> {
    let place = face.place("plan")?;
    let wishes = Wishes { upgrade: arguments.upgrade.clone(), offline: place.choice.offline, ..Wishes::default() };
    let outlook = plan::plan(&place, &wishes, &face.reporter()).map_err(|error| match arguments.detailed_exitcode {
        // 64 would be told apart from 1 by nobody who asked for three answers.
        true => crate::ops::OpError { kind: crate::ops::ErrorKind::Failed, ..error },
        false => error,
    })?;
    face.warn(&outlook.warnings);
    face.result(&outlook, || text(&outlook));
    let changed = arguments.detailed_exitcode && !outlook.changes.is_empty();
    Ok(if changed { Exit::Changes } else { Exit::Ok })
}

/// The plan for people.
#[must_use]
pub fn text(outlook: &Outlook) -> String {
    if outlook.changes.is_empty() {
        return format!("nothing to do: all {} parts are as wished\n", outlook.parts);
    }
    let mut text = changes(&outlook.changes);
    text.push_str(&format!("{} of {} parts change", outlook.changes.len(), outlook.parts));
    if outlook.fetch > 0 {
        text.push_str(&format!("; up to {} to fetch", bytes(outlook.fetch)));
    }
    text.push('\n');
    text
}

/// Locks.
///
/// # Errors
/// As [`lock::lock`].
pub fn lock(face: &Face, arguments: &LockArguments) -> OpResult<Exit> {
    let place = face.place("lock")?;
    if let Some(form) = arguments.export {
        let form = match form {
            ExportForm::Environment => export::Form::Environment,
            ExportForm::Explicit => export::Form::Explicit,
            ExportForm::Pylock => export::Form::Pylock,
        };
        let text = export::export(&place, arguments.part.as_deref(), form, &face.reporter())?;
        face.result(&serde_json::json!({ "text": text }), || text.clone());
        return Ok(Exit::Ok);
    }
    let summary = lock::lock(&place, arguments.check, arguments.upgrade.clone(), &face.reporter())?;
    face.result(&summary, || {
        let what = if summary.changed { "written" } else { "unchanged" };
        format!("{} {what}: {} packages pinned\n", summary.lock.display(), summary.pins)
    });
    Ok(Exit::Ok)
}
