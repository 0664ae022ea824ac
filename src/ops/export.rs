//! `lock --export`: what is locked, in the words of other tools.

use crate::name::PartName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::ops::prepare::{self, Prepared, Wishes};
use crate::plan::{Action, InterpreterFrom};
use crate::platform::Platform;
use crate::progress::Reporter;
use crate::provider::Request;
use crate::provider::conda::{self, export};
use crate::pypi::{Pinned, pylock};

/// In whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// conda's `environment.yml`: packages by version and build.
    Environment,
    /// conda's explicit list: packages by address and digest.
    Explicit,
    /// `pylock.toml` (PEP 751): Python packages by file and digest.
    Pylock,
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
    let parts = &prepared.desired.parts;
    let object = |name: &PartName| parts.get(name).and_then(|part| part.object.as_ref()).map(|object| &object.action);
    let project = format!("{}-{name}", prepared.loaded.definition.project.name);
    let nothing = || OpError::failed(format!("`{name}` has nothing that this form can say"));
    let (conda, python) = match object(&name) {
        Some(Action::Packages(action)) => (Some(action), None),
        Some(Action::Python(action)) => match &action.resolved.from {
            // What conda brings is as much of the environment as the rest.
            InterpreterFrom::Object { part, is_shared: true, .. } => match object(part) {
                Some(Action::Packages(packages)) => (Some(packages), Some(action)),
                Some(Action::Files(_) | Action::Python(_) | Action::Step(_)) | None => (None, Some(action)),
            },
            InterpreterFrom::Host | InterpreterFrom::Object { .. } => (None, Some(action)),
        },
        Some(Action::Files(_) | Action::Step(_)) | None => return Err(nothing()),
    };
    let conda = conda.and_then(|action| match &action.resolved.request {
        Request::Conda(request) => Some((request, action.resolved.pins.as_slice())),
        Request::Archive(_) | Request::Deb(_) | Request::Git(_) | Request::Host(_) | Request::Source(_) => None,
    });
    let pins = python.iter().flat_map(|action| action.resolved.packages.iter().map(|(pin, _)| pin));
    let text = match (form, conda, python) {
        (Form::Explicit, Some((request, pins)), None) => {
            let subdir = conda::subdir(&Platform::current()).ok_or_else(nothing)?;
            export::explicit(request, subdir, pins)
        }
        (Form::Environment, Some((request, conda)), _) => {
            export::environment(&project, &request.channels.list, conda, &named(pins))
        }
        (Form::Environment, None, Some(_)) => export::environment(&project, &[], &[], &named(pins)),
        (Form::Pylock, _, Some(action)) => return Ok(pylock::write(pins, action.interpreter.minor())),
        (Form::Explicit | Form::Environment | Form::Pylock, _, _) => return Err(nothing()),
    };
    text.map_err(|error| OpError::failed(error).context(format!("exporting `{name}`")))
}

fn named<'a>(pins: impl Iterator<Item = &'a Pinned>) -> Vec<(String, String)> {
    pins.map(|pin| (pin.name.to_string(), pin.version.clone())).collect()
}

/// The only part that the form can say.
fn only(prepared: &Prepared, form: Form) -> OpResult<PartName> {
    let can = |action: &Action| match action {
        Action::Packages(action) => form != Form::Pylock && matches!(action.resolved.request, Request::Conda(_)),
        Action::Python(_) => form != Form::Explicit,
        Action::Files(_) | Action::Step(_) => false,
    };
    let parts = prepared.desired.parts.values();
    let fitting = parts.filter(|part| part.object.as_ref().is_some_and(|object| can(&object.action)));
    let names: Vec<&PartName> = fitting.map(|part| &part.name).collect();
    match names.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(OpError::failed("no part has what this form can say")
            .hint("an explicit list is of packages from conda channels; `environment` can say Python packages, too, and `pylock` says them alone")),
        several => {
            let several = several.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            Err(OpError::usage(format!("several parts can be exported: {several}"))
                .hint("name one: jove-install lock --export FORM PART"))
        }
    }
}
