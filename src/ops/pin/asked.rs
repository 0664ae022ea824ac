//! What Python parts ask for, read before anything is pinned: what is wrong in it is told with all other mistakes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::name::PartName;
use crate::ops::pin::{offer, text};
use crate::plan::value::{entries, place, strings};
use crate::pypi::{self, Gathered, PythonRange, RequirementMistake};
use crate::recipe::{ResolvedPart, Stack};

/// What a Python part asks for.
pub struct Asked {
    /// Which Python.
    pub(super) python: PythonRange,
    /// Which packages.
    pub(super) gathered: Gathered,
}

/// What each Python part of a stack asks for.
///
/// # Errors
/// Everything that is wrong in it.
pub(in crate::ops) fn read(stack: &Stack) -> Result<BTreeMap<PartName, Asked>, Diagnostics> {
    let mut wrong = Diagnostics::default();
    let mut asked = BTreeMap::new();
    for part in stack.parts.values().filter(|part| part.action == "python") {
        let python = python(part).map_err(|said| wrong.push(said));
        let gathered = gather(stack, part).map_err(|said| wrong.append(said));
        if let (Ok(python), Ok(gathered)) = (python, gathered) {
            asked.insert(part.name.clone(), Asked { python, gathered });
        }
    }
    if wrong.has_errors() { Err(wrong) } else { Ok(asked) }
}

/// Which Python a part wants.
pub(super) fn python(part: &ResolvedPart) -> Result<PythonRange, Diagnostic> {
    let wanted = text(part, "python").unwrap_or_else(|| ">=3.9".to_owned());
    let wrong = |error| Diagnostic::error(format!("`{}.python`: {error}", part.name)).at(place(part, "python"), "");
    wanted.parse::<PythonRange>().map_err(wrong)
}

fn gather(stack: &Stack, part: &ResolvedPart) -> Result<Gathered, Diagnostics> {
    let mut wrong = Diagnostics::default();
    let of_conda = offer::pip_words(part, &stack.project.folder).unwrap_or_else(|error| {
        let said = Diagnostic::error(error.to_string()).at(place(part, "conda"), "");
        wrong.push(error.hints.into_iter().fold(said, Diagnostic::hint));
        Vec::new()
    });
    let inputs = pypi::Inputs {
        folder: folder_of(stack, part),
        requirements: [strings(part, "pypi"), of_conda].concat(),
        constraints: strings(part, "constraints").into_iter().map(PathBuf::from).collect(),
        editable: strings(part, "editable").into_iter().map(PathBuf::from).collect(),
        build: strings(part, "build"),
    };
    match pypi::gather(&inputs) {
        Ok(gathered) if !wrong.has_errors() => Ok(gathered),
        Ok(_) => Err(wrong),
        Err(error) => {
            error.0.iter().for_each(|mistake| wrong.push(told(part, mistake)));
            Err(wrong)
        }
    }
}

/// A mistake where the user can mend it: in a file that an option names, else in the option.
fn told(part: &ResolvedPart, mistake: &RequirementMistake) -> Diagnostic {
    let entry = entries(part, mistake.option).get(mistake.entry).map(|(_, origin)| *origin);
    // Behind those of `pypi` are the words that files of `conda` have for pip.
    let origin = mistake.place.as_ref().or(entry).unwrap_or_else(|| place(part, "conda"));
    Diagnostic::error(mistake.message.clone()).at(&origin.without_logins(), "")
}

/// Requirement files are named relative to the file that names them.
fn folder_of(stack: &Stack, part: &ResolvedPart) -> PathBuf {
    let origin = part.options.get("pypi").and_then(|option| option.origin.as_ref());
    let folder = origin.and_then(|origin| origin.source.folder.clone());
    folder.unwrap_or_else(|| stack.project.folder.clone())
}
