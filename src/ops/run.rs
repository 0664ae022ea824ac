//! `run` and `shell`: exactly what a part's service sees: its variables, folder and environment.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

use crate::generation::{self, Manifest};
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::service::ServiceSpec;
use crate::state::State;

/// What a command of a part is given.
#[derive(Debug, Clone)]
pub struct Inside {
    /// The part.
    pub part: PartName,
    /// The variables, secrets revealed.
    pub vars: BTreeMap<String, String>,
    /// The folder of the part's object, if it has one.
    pub object: Option<PathBuf>,
}

/// What a command of a part of the current generation sees. A part without a service gives its object's programs alone.
///
/// # Errors
/// If nothing is installed, there is no such part, or a secret is unknown.
pub fn inside(place: &Place, part: &str) -> OpResult<Inside> {
    place.installed()?;
    let Some(number) = generation::current(&place.layout) else {
        return Err(OpError::failed("no generation is committed yet").hint(format!("install it: {}", place.command())));
    };
    let manifest = Manifest::read(&place.layout, number)?;
    let services = Manifest::services(&place.layout, number)?;
    let Some((name, record)) = manifest.parts.get_key_value(part) else {
        let error = OpError::usage(format!("there is no part `{part}`"));
        let known = manifest.parts.keys().map(PartName::as_str);
        return Err(match crate::name::nearest(part, known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("there are: {}", names(&manifest))),
        });
    };
    let object = record.object.as_ref().map(|folder| place.layout.store().join(folder));
    let service = services.services.iter().find(|spec| &spec.part == name);
    let mut vars = surroundings(place);
    vars.extend(service.map(|spec| revealed(place, spec)).transpose()?.unwrap_or_default());
    // The programs of the part's own object come first, then those of the environment that its service runs from.
    let from = service.and_then(|spec| spec.command.first()?.as_plain().map(PathBuf::from));
    let folders = object
        .iter()
        .map(|object| object.join("bin"))
        .chain(from.and_then(|program| Some(program.parent()?.to_owned())));
    let path: Vec<String> =
        folders.filter(|folder| folder.is_dir()).map(|folder| folder.display().to_string()).collect();
    let rest = vars.get("PATH").cloned().unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let first = path.into_iter().filter(|folder| !rest.split(':').any(|known| known == folder));
    vars.insert("PATH".into(), first.chain([rest.clone()]).collect::<Vec<_>>().join(":"));
    vars.insert("PYTHONDONTWRITEBYTECODE".into(), "1".into());
    Ok(Inside { part: name.clone(), vars, object })
}

fn names(manifest: &Manifest) -> String {
    manifest.parts.keys().map(PartName::as_str).collect::<Vec<_>>().join(", ")
}

/// What a terminal needs, and nothing else of the caller's.
fn surroundings(place: &Place) -> BTreeMap<String, String> {
    let wanted = ["COLORTERM", "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TERM", "TZ", "USER"];
    wanted.iter().filter_map(|name| Some(((*name).to_owned(), place.host.var(name)?.to_owned()))).collect()
}

fn revealed(place: &Place, spec: &ServiceSpec) -> OpResult<BTreeMap<String, String>> {
    let state = State::load(&place.layout)?;
    let vars = spec.vars.iter().map(|(name, text)| Ok((name.clone(), text.reveal(&state).map_err(OpError::failed)?)));
    vars.collect()
}

impl Inside {
    /// Becomes the command, in the caller's folder. Comes back only if that fails.
    #[must_use]
    pub fn become_command(&self, command: &[String]) -> OpError {
        let Some((program, arguments)) = command.split_first() else {
            return OpError::usage("there is no command to run")
                .hint(format!("jove-install run {} -- COMMAND", self.part));
        };
        let error = std::process::Command::new(program).args(arguments).env_clear().envs(&self.vars).exec();
        OpError::failed(format!("{program}: {error}")).hint(match &self.object {
            Some(object) => format!("the programs of `{}` are in {}", self.part, object.join("bin").display()),
            None => format!("`{}` has no programs of its own", self.part),
        })
    }

    /// Becomes the user's shell, with the part's name in its prompt's variables. Comes back only if that fails.
    #[must_use]
    pub fn become_shell(mut self, shell: &str) -> OpError {
        self.vars.insert("JOVE_PART".into(), self.part.to_string());
        self.become_command(&[shell.to_owned()])
    }
}
