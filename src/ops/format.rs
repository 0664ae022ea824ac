//! Data and the software that reads them: a version that could not is refused before anything is fetched or stopped.

use std::path::PathBuf;

use crate::generation::{self, Manifest};
use crate::layout::Layout;
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::plan::Desired;
use crate::service::{DataFormat, DataVerb};
use crate::state::State;

/// Notes in the state what made the data of the current generation, where there are some: they stay when it goes.
pub(super) fn note(layout: &Layout, state: &mut State) {
    let current = generation::current(layout).and_then(|number| Manifest::read(layout, number).ok());
    for (name, part) in current.into_iter().flat_map(|manifest| manifest.parts) {
        match part.data_format.filter(|_| has_data(&part.data)) {
            Some(format) => drop(state.formats.insert(name, format)),
            None => drop(state.formats.remove(&name)),
        }
    }
}

/// What is wished must read the data that there are.
///
/// # Errors
/// If a part's software does not: with the ways out.
pub(super) fn check_desired(place: &Place, desired: &Desired, state: &State) -> OpResult<()> {
    for part in desired.parts.values() {
        let wished = Wished { part: &part.name, format: part.data_format.as_ref(), folders: &part.data };
        let Some(written) = wished.refused(state) else { continue };
        let error = OpError::failed(wished.told(written));
        let has_dump = part.data_commands.iter().any(|command| command.verb == DataVerb::Dump);
        let error = error.hint(keep(written, part.data_format.as_ref()));
        return Err(if has_dump { error.hint(wished.way(place, "install")) } else { error });
    }
    Ok(())
}

/// A former generation must, too.
///
/// # Errors
/// If the software of one of its parts does not.
pub(super) fn check_former(place: &Place, target: &Manifest, state: &State) -> OpResult<()> {
    for (name, part) in &target.parts {
        let wished = Wished { part: name, format: part.data_format.as_ref(), folders: &part.data };
        let Some(written) = wished.refused(state) else { continue };
        let error = OpError::failed(wished.told(written)).context(format!("generation {}", target.generation));
        let back = format!("rollback {}", target.generation);
        return Err(error.hint(wished.way(place, &back)).hint("go back all the same: --force"));
    }
    Ok(())
}

/// A part, as it is to be.
struct Wished<'a> {
    part: &'a PartName,
    format: Option<&'a DataFormat>,
    folders: &'a [PathBuf],
}

impl Wished<'_> {
    /// What made the data that there are, if it is not what can read them.
    fn refused<'s>(&self, state: &'s State) -> Option<&'s DataFormat> {
        let written = state.formats.get(self.part)?;
        (!self.format?.can_read(written) && has_data(self.folders)).then_some(written)
    }

    fn told(&self, written: &DataFormat) -> String {
        let format = self.format.map_or_else(String::new, ToString::to_string);
        format!("the data of `{}` were made by {written}, and {format} does not read them", self.part)
    }

    /// How the data come along.
    fn way(&self, place: &Place, verb: &str) -> String {
        let (command, part) = (place.command(), self.part);
        let folders: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let folders = folders.join(" and ");
        format!(
            "take them along: {command} dump {part}; {command} stop; move {folders} away; {command} {verb}; {command} load"
        )
    }
}

/// How what made them is kept.
fn keep(written: &DataFormat, wished: Option<&DataFormat>) -> String {
    let DataFormat { provider, part, of, version, .. } = written;
    match wished {
        Some(wished) if wished.provider != *provider => {
            format!("keep what made them: --set {part}.provider={provider}, or the same in jove.toml")
        }
        _ => format!("keep what made them: {of} {version} in `{part}`; without --upgrade its pins stay"),
    }
}

/// Whether there is anything in the folders but what is noted of steps and runs.
fn has_data(folders: &[PathBuf]) -> bool {
    let notes = [".steps.jsonl", ".runs.jsonl", ".migrations.json"];
    folders.iter().any(|folder| match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().any(|entry| !notes.iter().any(|note| entry.file_name() == *note)),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_steps_are_no_data() {
        let folder = tempfile::tempdir().expect("folder");
        let data = [folder.path().join("db")];
        assert!(!has_data(&data), "not there");
        std::fs::create_dir(&data[0]).expect("folder");
        std::fs::write(data[0].join(".steps.jsonl"), "").expect("file");
        assert!(!has_data(&data));
        std::fs::create_dir(data[0].join("cluster")).expect("folder");
        assert!(has_data(&data));
    }
}
