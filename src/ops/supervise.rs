//! `supervise`: runs the services of a file in a folder, without any installation.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use crate::digest::Digest;
use crate::fs::private_folder;
use crate::generation::{self, Manifest};
use crate::layout::Layout;
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::foreground::{self, Acts};
use crate::ops::place::Place;
use crate::ops::{reach, service};
use crate::progress::{Event, Reporter};
use crate::service::file::{self, Form, Read, Surroundings, procfile};
use crate::service::{ServiceSpec, Services};
use crate::supervisor::client::Client;
use crate::supervisor::message::{Outcome, SwitchEvent, SwitchOutcome};

/// How many former generations of a folder are kept.
const KEPT: usize = 3;

/// Runs a file's services in the foreground until they are stopped. `up` is called once they run.
///
/// # Errors
/// If the file is wrong, another holds the folder, or services cannot be run.
pub fn supervise(place: &Place, file: &Path, report: &Reporter, up: &(dyn Fn(&Services) + Sync)) -> OpResult<()> {
    let layout = &place.layout;
    let file = place.host.folder.join(file);
    let read = read(place, &file)?;
    for folder in [layout.root().to_owned(), layout.run(), layout.log()] {
        private_folder(&folder).map_err(at(&folder))?;
    }
    let _held = hold(layout)?;
    for left in &read.left {
        report.report(Event::Note(format!("{}: {left}", file.display())));
    }
    let _control = Control::link(layout).map_err(at(&layout.root().join("control.sock")))?;
    let services = read.services;
    let start = || start(place, &services, report);
    let reread = || reread(place, &file, report);
    foreground::stay(place, &Acts { start: &start, reread: &reread, up: &|| up(&services) }, report)
}

/// Reads the file and what it includes.
fn read(place: &Place, file: &Path) -> OpResult<Read> {
    let form = file::form(file).ok_or_else(|| {
        OpError::usage(format!("{}: nobody can tell by this name what it is", file.display()))
            .hint("call it *.toml (our own form), Procfile, or *.conf (supervisord)")
    })?;
    let text = std::fs::read_to_string(file).map_err(at(file))?;
    let folder = file.parent().unwrap_or(file);
    let declared = if form == Form::Procfile { variables(&folder.join(".env"))? } else { BTreeMap::new() };
    let surroundings = Surroundings { folder, vars: &place.host.vars, declared: &declared, host: &place.host.name };
    let mut read = file::read(form, &text, surroundings, &included)
        .map_err(|error| OpError::failed(format!("{}: {error}", file.display())))?;
    for spec in &mut read.services.services {
        find_program(place, Arc::make_mut(spec))?;
    }
    Ok(read)
}

fn variables(path: &Path) -> OpResult<BTreeMap<String, String>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(at(path)(error)),
    };
    let vars = procfile::variables(&text);
    Ok(vars.map_err(|error| OpError::failed(format!("{}: {error}", path.display())))?.into_iter().collect())
}

fn included(pattern: &str) -> Vec<(PathBuf, String)> {
    let paths = glob::glob(pattern).into_iter().flatten().flatten();
    paths.filter_map(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?))).collect()
}

/// A bare name is looked for in `PATH`, as a shell would do.
fn find_program(place: &Place, spec: &mut ServiceSpec) -> OpResult<()> {
    let Some(program) = spec.command.first().and_then(|text| text.as_plain()).map(str::to_owned) else { return Ok(()) };
    let found = match program.contains('/') {
        true => spec.folder.join(&program),
        false => place.host.which(&program).ok_or_else(|| {
            OpError::failed(format!("service `{}`: there is no program `{program}` in PATH", spec.name))
        })?,
    };
    spec.command[0] = crate::text::Text::literal(found.display().to_string());
    Ok(())
}

/// Two that supervise one folder would stop each other's services.
fn hold(layout: &Layout) -> OpResult<File> {
    let path = layout.root().join("supervise.lock");
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let folder = shell_words::quote(&layout.root().display().to_string()).into_owned();
            Err(OpError::failed(format!("{} is supervised already", layout.root().display()))
                .hint(format!("look at it: jove-install --dir {folder} status"))
                .hint(format!("end it: jove-install --dir {folder} shutdown")))
        }
        Err(error) => Err(at(&path)(error.into())),
    }
}

/// `control.sock` at the top, where it is looked for, as long as somebody answers there.
struct Control(PathBuf);

impl Control {
    fn link(layout: &Layout) -> std::io::Result<Self> {
        let (path, aside) = (layout.root().join("control.sock"), layout.root().join("control.new"));
        let _ = std::fs::remove_file(&aside);
        symlink("run/control.sock", &aside)?;
        fs_err::rename(&aside, &path)?;
        Ok(Self(path))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // After a failure services may go on.
        if !self.0.exists() {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

/// Writes a generation of services, unless the current one is just that.
fn write(layout: &Layout, services: &Services) -> OpResult<Option<u32>> {
    let current = generation::current(layout);
    let former = current.and_then(|number| Manifest::services(layout, number).ok());
    if former.is_some_and(|former| former.services == services.services) {
        return Ok(None);
    }
    let number = generation::next(layout);
    let manifest = Manifest {
        format: generation::manifest::FORMAT,
        generation: number,
        created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        verb: "supervise".to_owned(),
        reasons: Vec::new(),
        profile: "supervise".to_owned(),
        project: String::new(),
        definition: Digest::of_json(&services.services),
        lock: Digest::of(""),
        program: None,
        parts: BTreeMap::new(),
    };
    let services = Services { generation: number, ..services.clone() };
    manifest.write(layout, &services, "").map_err(at(&layout.generations()))?;
    for old in generation::surplus(layout, KEPT)? {
        generation::remove(layout, old).map_err(at(&layout.generations()))?;
    }
    Ok(Some(number))
}

/// Starts what is to run; what cannot be is told, and the rest goes on.
fn start(place: &Place, services: &Services, report: &Reporter) -> OpResult<()> {
    let layout = &place.layout;
    let is_running = Client::connect(layout)?.is_some();
    match (write(layout, services)?, is_running) {
        (Some(number), true) => switch(place, number)?,
        (Some(number), false) => generation::commit(layout, number).map_err(at(&layout.current()))?,
        (None, _) => {}
    }
    let client = reach::ensure(place, None)?;
    let names: Vec<PartName> =
        services.services.iter().filter(|spec| !spec.manual).map(|spec| spec.name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let command = |name: &PartName| service::command_of(&services.services, name);
    let mut tell = |event: SwitchEvent| {
        if let SwitchEvent::Service { service } = event {
            service::tell_of(report, &service, &command);
        }
    };
    if let Outcome::Failed { reason, last_lines } = client.start(&names, &mut tell)? {
        report.report(Event::Note(reason));
        last_lines.into_iter().for_each(|line| report.report(Event::Note(format!("| {line}"))));
    }
    Ok(())
}

/// Reads the file again and moves to what it says now; if that cannot run, everything is as before.
fn reread(place: &Place, file: &Path, report: &Reporter) -> OpResult<()> {
    let read = read(place, file)?;
    for left in &read.left {
        report.report(Event::Note(format!("{}: {left}", file.display())));
    }
    let Some(number) = write(&place.layout, &read.services)? else {
        report.report(Event::Note(format!("{} says what it said", file.display())));
        return Ok(());
    };
    switch(place, number)?;
    report.report(Event::Note(format!("{} is read again", file.display())));
    Ok(())
}

fn switch(place: &Place, number: u32) -> OpResult<()> {
    match reach::ensure(place, None)?.switch(number, "supervise", &mut |_| {})? {
        SwitchOutcome::Committed => Ok(()),
        SwitchOutcome::BackedOut { reason, last_lines } => {
            let mut error = OpError::failed(reason);
            error.lines.extend(last_lines.into_iter().map(|line| format!("  | {line}")));
            Err(error)
        }
    }
}
