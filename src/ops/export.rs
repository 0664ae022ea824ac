//! `lock --export`: what is locked, in the words of other tools.

use crate::name::PartName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::ops::prepare::{self, Prepared, Wishes};
use crate::plan::Action;
use crate::platform::Platform;
use crate::progress::Reporter;
use crate::provider::Request;
use crate::provider::conda::{self, export};

/// In whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// conda's `environment.yml`: packages by version and build.
    Environment,
    /// conda's explicit list: packages by address and digest.
    Explicit,
}

/// What is locked of one part; without a name of the only one that has what the form can say.
///
/// # Errors
/// If there is no such part, it is not locked, or the form has no words for it.
pub fn export(place: &Place, part: Option<&str>, form: Form, report: &Reporter) -> OpResult<String> {
    let wishes = Wishes { locked: true, offline: place.choice.offline, ..Wishes::default() };
    let prepared = prepare::prepare(place, &wishes, report)?;
    let name = match part {
        Some(name) => prepare::part_named(&prepared.stack, name)?,
        None => only(&prepared, form)?,
    };
    let nothing = || OpError::failed(format!("`{name}` has nothing that this form can say"));
    let action = prepared.desired.parts.get(&name).and_then(|part| part.object.as_ref()).map(|object| &object.action);
    let project = &prepared.loaded.definition.project.name;
    let text = match (action, form) {
        (Some(Action::Packages(action)), form) => match (&action.resolved.request, form) {
            (Request::Conda(request), Form::Explicit) => {
                let platform = Platform::current();
                let subdir = conda::subdir(&platform).ok_or_else(nothing)?;
                export::explicit(request, subdir, &action.resolved.pins)
            }
            (Request::Conda(request), Form::Environment) => {
                export::environment(&format!("{project}-{name}"), &request.channels.list, &action.resolved.pins, &[])
            }
            (Request::Archive(_) | Request::Deb(_) | Request::Git(_) | Request::Host(_) | Request::Source(_), _) => {
                return Err(nothing());
            }
        },
        (Some(Action::Python(action)), Form::Environment) => {
            let pip = action.resolved.packages.iter().map(|(pin, _)| (pin.name.to_string(), pin.version.clone()));
            export::environment(&format!("{project}-{name}"), &[], &[], &pip.collect::<Vec<_>>())
        }
        (Some(Action::Python(_)), Form::Explicit) | (Some(Action::Files(_) | Action::Step(_)) | None, _) => {
            return Err(nothing());
        }
    };
    text.map_err(|error| OpError::failed(error).context(format!("exporting `{name}`")))
}

/// The only part that the form can say.
fn only(prepared: &Prepared, form: Form) -> OpResult<PartName> {
    let can = |action: &Action| match action {
        Action::Packages(action) => matches!(action.resolved.request, Request::Conda(_)),
        Action::Python(_) => form == Form::Environment,
        Action::Files(_) | Action::Step(_) => false,
    };
    let parts = prepared.desired.parts.values();
    let fitting = parts.filter(|part| part.object.as_ref().is_some_and(|object| can(&object.action)));
    let names: Vec<&PartName> = fitting.map(|part| &part.name).collect();
    match names.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(OpError::failed("no part has what this form can say")
            .hint("an explicit list is of packages from conda channels; `environment` can say Python packages, too")),
        several => {
            let several = several.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            Err(OpError::usage(format!("several parts can be exported: {several}"))
                .hint("name one: jove-install lock --export FORM PART"))
        }
    }
}
