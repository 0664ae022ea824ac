//! What parts hold, and the commands of their recipes that write it out, take it in and try it: run with what the part's service
//! sees, while its services are as the command needs them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::fs::{private_folder, write_atomic};
use crate::generation::{self, Manifest, migration};
use crate::layout::Layout;
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::place::Place;
use crate::ops::reach;
use crate::ops::service::Deed;
use crate::process::{Run, running};
use crate::progress::{Event, Reporter};
use crate::service::{DUMP_VAR, DataCommand, DataState, DataVerb, Kind, ServiceSpec, order};
use crate::state::State;
use crate::supervisor::client::Client;
use crate::supervisor::{Outcome, ServiceState};
use crate::text::Text;

/// A part of the current generation that holds data.
#[derive(Debug, Clone)]
pub struct Held {
    /// The part.
    pub part: PartName,
    /// Its recipe.
    pub recipe: String,
    /// The format of its data.
    pub version: Option<String>,
    /// The generation.
    pub generation: u32,
    /// Its commands.
    pub commands: Vec<DataCommand>,
}

impl Held {
    /// Whether its recipe has a command for that.
    #[must_use]
    pub fn has(&self, verb: DataVerb) -> bool {
        self.commands.iter().any(|command| command.verb == verb)
    }
}

/// The named parts, or all, whose recipes have a command for that.
///
/// # Errors
/// If nothing is installed, or a named part is unknown or has none.
pub fn held(place: &Place, names: &[String], verb: DataVerb) -> OpResult<Vec<Held>> {
    place.installed()?;
    let Some(generation) = generation::current(&place.layout) else {
        return Err(OpError::failed("no generation is committed yet").hint(format!("install it: {}", place.command())));
    };
    let all = of_generation(&place.layout, generation)?;
    if names.is_empty() {
        return Ok(all.into_iter().filter(|held| held.has(verb)).collect());
    }
    names.iter().map(|name| named(&all, name, verb)).collect()
}

/// All parts of a generation, with their commands.
///
/// # Errors
/// If it cannot be read.
pub fn of_generation(layout: &Layout, generation: u32) -> OpResult<Vec<Held>> {
    let manifest = Manifest::read(layout, generation)?;
    let services = Manifest::services(layout, generation)?;
    let all = manifest.parts.iter().map(|(name, record)| Held {
        part: name.clone(),
        recipe: record.recipe.clone(),
        version: record.data_version.clone(),
        generation,
        commands: services.data.iter().filter(|command| command.spec.part == *name).cloned().collect(),
    });
    Ok(all.collect())
}

fn named(all: &[Held], name: &str, verb: DataVerb) -> OpResult<Held> {
    let known = || all.iter().filter(|held| held.has(verb)).map(|held| held.part.as_str());
    let Some(held) = all.iter().find(|held| held.part.as_str() == name) else {
        let error = OpError::usage(format!("there is no part `{name}`"));
        return Err(match crate::name::nearest(name, known()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("there are: {}", known().collect::<Vec<_>>().join(", "))),
        });
    };
    if held.has(verb) {
        return Ok(held.clone());
    }
    let said = format!("the recipe of `{name}` ({}) says nothing of how to {} its data", held.recipe, verb.word());
    Err(OpError::usage(said).hint(format!("those that do: {}", known().collect::<Vec<_>>().join(", "))))
}

/// Runs one of a part's commands on a folder, its services as the command needs them, and afterwards as they were.
///
/// # Errors
/// If a service cannot be brought into that state, or the command fails: with its last lines.
pub fn run(place: &Place, held: &Held, verb: DataVerb, folder: &Path, report: &Reporter) -> OpResult<()> {
    let Some(command) = held.commands.iter().find(|command| command.verb == verb) else { return Ok(()) };
    let before = running_services(place)?;
    let services = Manifest::services(&place.layout, held.generation)?;
    let own: BTreeSet<PartName> =
        services.services.iter().filter(|spec| spec.part == held.part).map(|spec| spec.name.clone()).collect();
    // Nobody writes while data are replaced: all that need the part wait.
    let mut quiet = if verb == DataVerb::Load { dependents(&services, &own) } else { BTreeSet::new() };
    match command.during {
        DataState::Ready => {}
        DataState::Stopped => quiet.extend(own.iter().cloned()),
    }
    let quiet: Vec<String> =
        quiet.iter().filter(|name| before.iter().flatten().any(|up| up == *name)).map(ToString::to_string).collect();
    if !quiet.is_empty() {
        report.report(Event::Note(format!("stopped for this: {}", quiet.join(", "))));
        act(place, Deed::Stop, &quiet, report)?;
    }
    let tried = match command.during {
        DataState::Ready if !own.is_empty() => {
            let names: Vec<String> = own.iter().map(ToString::to_string).collect();
            act(place, Deed::Start, &names, report)
        }
        DataState::Ready | DataState::Stopped => Ok(()),
    };
    let words: Vec<String> = command.spec.command.iter().map(ToString::to_string).collect();
    report.report(Event::Detail(words.join(" ")));
    let tried = tried.and_then(|()| execute(&place.layout, &State::load(&place.layout)?, held, verb, folder));
    let tried = match verb {
        DataVerb::Load => tried.and_then(|()| forget_steps(place, &services, held, &own)),
        DataVerb::Dump | DataVerb::Prove => tried,
    };
    let restored = restore(place, before, &quiet, report);
    tried.and(restored)
}

/// Starts or stops services. Whoever calls holds the prefix, so this asks the supervisor itself.
fn act(place: &Place, deed: Deed, names: &[String], report: &Reporter) -> OpResult<()> {
    let names: Vec<PartName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let client = reach::ensure(place, None)?;
    report.report(Event::Detail(format!("{deed:?}: {names:?}")));
    let outcome = match deed {
        Deed::Start => client.start(&names, &mut |_| {})?,
        Deed::Stop => client.stop(&names, &mut |_| {})?,
        Deed::Restart => client.restart(&names, &mut |_| {})?,
        Deed::Reload => client.reload(&names, &mut |_| {})?,
        Deed::Run => client.run(&names, &mut |_| {})?,
    };
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Failed { reason, .. } => Err(OpError::failed(reason)),
    }
}

/// The services that run; nothing if no supervisor does.
fn running_services(place: &Place) -> OpResult<Option<Vec<PartName>>> {
    let Some(client) = Client::connect(&place.layout)? else { return Ok(None) };
    let up = client.status()?.services.into_iter().filter(|service| {
        matches!(
            service.state,
            ServiceState::Ready | ServiceState::Running | ServiceState::Starting | ServiceState::Backoff
        )
    });
    Ok(Some(up.map(|service| service.name).collect()))
}

/// All daemons that need one of these, at whatever distance.
fn dependents(services: &crate::service::Services, own: &BTreeSet<PartName>) -> BTreeSet<PartName> {
    let all: BTreeSet<PartName> = services.services.iter().map(|spec| spec.name.clone()).collect();
    let mut found = BTreeSet::new();
    let mut open: Vec<PartName> = own.iter().cloned().collect();
    while let Some(name) = open.pop() {
        for dependent in order::dependents(services, &name, &all) {
            if !own.contains(dependent) && found.insert(dependent.clone()) {
                open.push(dependent.clone());
            }
        }
    }
    let is_daemon =
        |name: &PartName| services.services.iter().any(|spec| spec.name == *name && spec.kind == Kind::Daemon);
    found.into_iter().filter(is_daemon).collect()
}

/// What was done to the data that were there is not done to those that came: migrations run again at the next start.
fn forget_steps(
    place: &Place,
    services: &crate::service::Services,
    held: &Held,
    own: &BTreeSet<PartName>,
) -> OpResult<()> {
    let needing = dependents(services, own);
    let parts = services.services.iter().filter(|spec| needing.contains(&spec.name)).map(|spec| &spec.part);
    for part in parts.chain([&held.part]).collect::<BTreeSet<_>>() {
        let done = place.layout.data(part).join(".steps.jsonl");
        match std::fs::remove_file(&done) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(&done)(error)),
            _ => {}
        }
        migration::forget_all(&place.layout, part).map_err(at(&place.layout.data(part)))?;
    }
    Ok(())
}

/// Starts what was stopped, and stops what was started.
fn restore(place: &Place, before: Option<Vec<PartName>>, quiet: &[String], report: &Reporter) -> OpResult<()> {
    let Some(before) = before else {
        return reach::stop_all(place, &mut |_| {});
    };
    if !quiet.is_empty() {
        act(place, Deed::Start, quiet, report)?;
    }
    let now = running_services(place)?.unwrap_or_default();
    let more: Vec<String> = now.iter().filter(|name| !before.contains(name)).map(ToString::to_string).collect();
    if !more.is_empty() {
        act(place, Deed::Stop, &more, report)?;
    }
    Ok(())
}

/// Runs one of a part's commands on a folder, whatever its services do.
///
/// # Errors
/// If it cannot be run or fails.
pub fn execute(layout: &Layout, state: &State, held: &Held, verb: DataVerb, folder: &Path) -> OpResult<()> {
    let Some(DataCommand { spec, .. }) = held.commands.iter().find(|command| command.verb == verb) else {
        return Ok(());
    };
    for made in spec.folders.iter().chain([&spec.folder]).filter(|made| made.starts_with(layout.root())) {
        private_folder(made).map_err(at(made))?;
    }
    render(spec, state)?;
    let done = command(spec, state, folder)?.under(running()).go();
    for file in &spec.secret_files {
        let _ = std::fs::remove_file(&file.rendered);
    }
    done?;
    Ok(())
}

/// The files with secrets that a command reads.
fn render(spec: &ServiceSpec, state: &State) -> OpResult<()> {
    for file in &spec.secret_files {
        let sealed = std::fs::read_to_string(&file.sealed).map_err(at(&file.sealed))?;
        let text = Text::from_marked(&sealed).map_err(|error| OpError::failed(format!("{error}")))?;
        let text = text.reveal(state).map_err(OpError::failed)?;
        if let Some(parent) = file.rendered.parent() {
            private_folder(parent).map_err(at(parent))?;
        }
        write_atomic(&file.rendered, text.as_bytes(), 0o600).map_err(at(&file.rendered))?;
    }
    Ok(())
}

fn command(spec: &ServiceSpec, state: &State, folder: &Path) -> OpResult<Run> {
    let vars = spec.vars.iter().map(|(name, text)| Ok((name.clone(), text.reveal(state).map_err(OpError::failed)?)));
    let vars: std::collections::BTreeMap<String, String> = vars.collect::<OpResult<_>>()?;
    let words: Vec<String> = spec.command.iter().map(|text| text.as_plain().unwrap_or_default().to_owned()).collect();
    let Some((program, arguments)) = words.split_first() else {
        return Err(OpError::failed(format!("{} has no command", spec.name)));
    };
    let hidden: Vec<String> =
        spec.vars.iter().filter(|(_, text)| text.is_secret()).map(|(name, _)| vars[name].clone()).collect();
    let run = Run::new(program, vars).args(arguments).var(DUMP_VAR, folder.display().to_string());
    Ok(run.folder(&spec.folder).hide(hidden))
}
