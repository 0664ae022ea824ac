//! Our own form: tables `[services.NAME]`, `[jobs.NAME]` and `[steps.NAME]`, in the words of recipes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::bounds::LimitsTable;
use super::tables::{Listen, LogTable, ProbeTable, RestartTable, Span, StopTable, known_signal};
use super::{FileError, Read, Surroundings, declared, services, shell};
use crate::condition::NeedCondition;
use crate::name::PartName;
use crate::service::schedule::Timetable;
use crate::service::{
    CatchUp, Kind, Limits, LogPolicy, Need, Overlap, Restart, RestartPolicy, Schedule, ServiceSpec, Sockets, Stop,
};
use crate::text::Text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    services: BTreeMap<PartName, Service>,
    #[serde(default)]
    jobs: BTreeMap<PartName, Job>,
    #[serde(default)]
    steps: BTreeMap<PartName, Step>,
}

/// A list of words, or one text that a shell reads.
#[derive(Deserialize)]
#[serde(untagged)]
enum Command {
    Words(Vec<String>),
    Shell(String),
}

impl Command {
    fn words(self) -> Vec<Text> {
        match self {
            Self::Words(words) => words.into_iter().map(Text::literal).collect(),
            Self::Shell(text) => shell(&text),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    command: Command,
    folder: Option<PathBuf>,
    #[serde(default)]
    vars: BTreeMap<String, String>,
    #[serde(default)]
    clean: bool,
    #[serde(default)]
    needs: Vec<String>,
    ready: Option<ProbeTable>,
    live: Option<ProbeTable>,
    stop: Option<StopTable>,
    reload: Option<String>,
    restart: Option<RestartTable>,
    log: Option<LogTable>,
    limits: Option<LimitsTable>,
    writes: Option<Vec<PathBuf>>,
    #[serde(default)]
    watch: Vec<PathBuf>,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    listens: Vec<Listen>,
    #[serde(default)]
    sockets: Sockets,
    overlap: Option<bool>,
    watchdog: Option<Span>,
    #[serde(default)]
    manual: bool,
    on_failed: Option<Command>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    command: Command,
    folder: Option<PathBuf>,
    #[serde(default)]
    vars: BTreeMap<String, String>,
    #[serde(default)]
    clean: bool,
    #[serde(default)]
    needs: Vec<String>,
    stop: Option<StopTable>,
    log: Option<LogTable>,
    limits: Option<LimitsTable>,
    writes: Option<Vec<PathBuf>>,
    at: String,
    zone: Option<String>,
    #[serde(default)]
    catch_up: CatchUp,
    #[serde(default)]
    overlap: Overlap,
    delay: Option<Span>,
    timeout: Option<Span>,
    on_failed: Option<Command>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    command: Command,
    folder: Option<PathBuf>,
    #[serde(default)]
    vars: BTreeMap<String, String>,
    #[serde(default)]
    clean: bool,
    #[serde(default)]
    needs: Vec<String>,
    log: Option<LogTable>,
    limits: Option<LimitsTable>,
    writes: Option<Vec<PathBuf>>,
    #[serde(default)]
    key: String,
    timeout: Option<Span>,
}

pub(super) fn read(text: &str, surroundings: Surroundings<'_>) -> Result<Read, FileError> {
    let file: File = toml::from_str(text).map_err(|error| FileError::Toml(error.to_string().trim().to_owned()))?;
    let mut specs = Vec::new();
    for (name, service) in file.services {
        let wrong = wrong(&name);
        specs.push(service.spec(name, surroundings).map_err(wrong)?);
    }
    for (name, job) in file.jobs {
        let wrong = wrong(&name);
        specs.push(job.spec(name, surroundings).map_err(wrong)?);
    }
    for (name, step) in file.steps {
        let wrong = wrong(&name);
        specs.push(step.spec(name, surroundings).map_err(wrong)?);
    }
    Ok(Read { services: services(specs), left: Vec::new() })
}

fn wrong(name: &PartName) -> impl FnOnce(String) -> FileError + use<> {
    let service = name.to_string();
    move |reason| FileError::Service { service, reason }
}

/// What every kind of process has.
struct Process {
    command: Command,
    folder: Option<PathBuf>,
    vars: BTreeMap<String, String>,
    clean: bool,
    needs: Vec<String>,
    stop: Option<StopTable>,
    log: Option<LogTable>,
    limits: Option<LimitsTable>,
    writes: Option<Vec<PathBuf>>,
}

impl Process {
    fn spec(self, name: PartName, surroundings: Surroundings<'_>) -> Result<ServiceSpec, String> {
        let command = self.command.words();
        if command.first().and_then(Text::as_plain).is_none_or(str::is_empty) {
            return Err("its command is empty".to_owned());
        }
        let mut vars = declared(surroundings);
        vars.extend(self.vars.into_iter().map(|(name, value)| (name, Text::literal(value))));
        let below = |path: PathBuf| surroundings.folder.join(path);
        Ok(ServiceSpec {
            command,
            folder: self.folder.map_or_else(|| surroundings.folder.to_owned(), below),
            vars,
            inherits: !self.clean,
            needs: self.needs.iter().map(|need| need_of(need)).collect::<Result<_, _>>()?,
            stop: self.stop.map_or_else(|| Ok(Stop::default()), StopTable::stop)?,
            log: self.log.map_or_else(LogPolicy::default, LogTable::policy),
            limits: self.limits.map_or_else(Limits::default, LimitsTable::limits),
            writes: self.writes.map(|places| places.into_iter().map(below).collect()),
            ..ServiceSpec::bare(name)
        })
    }
}

impl Service {
    fn spec(self, name: PartName, surroundings: Surroundings<'_>) -> Result<ServiceSpec, String> {
        let Self { command, folder, vars, clean, needs, stop, log, limits, writes, .. } = self;
        let spec =
            Process { command, folder, vars, clean, needs, stop, log, limits, writes }.spec(name, surroundings)?;
        let listens: Vec<String> = self.listens.into_iter().map(|listen| listen.0).collect();
        self.sockets.check(&listens)?;
        Ok(ServiceSpec {
            ready: self.ready.map(|table| table.probe("ready")).transpose()?,
            live: self.live.map(ProbeTable::liveness).transpose()?,
            reload: self.reload.map(|word| known_signal(&word)).transpose()?,
            restart: self.restart.map_or_else(Restart::default, RestartTable::restart),
            watch: self.watch.into_iter().map(|path| surroundings.folder.join(path)).collect(),
            urls: self.urls,
            overlap: self.overlap.unwrap_or(true) && !self.sockets.is_none(),
            sockets: self.sockets,
            listens,
            watchdog: self.watchdog.map(|span| span.0).filter(|often| !often.is_zero()),
            manual: self.manual,
            on_failed: self.on_failed.map(Command::words).unwrap_or_default(),
            ..spec
        })
    }
}

impl Job {
    fn spec(self, name: PartName, surroundings: Surroundings<'_>) -> Result<ServiceSpec, String> {
        let Self { command, folder, vars, clean, needs, stop, log, limits, writes, .. } = self;
        let spec =
            Process { command, folder, vars, clean, needs, stop, log, limits, writes }.spec(name, surroundings)?;
        let schedule = Schedule {
            at: self.at,
            zone: self.zone,
            catch_up: self.catch_up,
            overlap: self.overlap,
            delay: self.delay.map_or(Duration::ZERO, |span| span.0),
        };
        let times = Timetable::of(&schedule).and_then(|times| times.comes_after(jiff::Timestamp::now()));
        times.map_err(|error| error.to_string())?;
        let restart = Restart { policy: RestartPolicy::Never, ..Restart::default() };
        let on_failed = self.on_failed.map(Command::words).unwrap_or_default();
        let timeout = self.timeout.map(|span| span.0);
        Ok(ServiceSpec { kind: Kind::Schedule(schedule), restart, on_failed, timeout, ..spec })
    }
}

impl Step {
    fn spec(self, name: PartName, surroundings: Surroundings<'_>) -> Result<ServiceSpec, String> {
        let Self { command, folder, vars, clean, needs, log, limits, writes, key, timeout } = self;
        let spec = Process { command, folder, vars, clean, needs, stop: None, log, limits, writes }
            .spec(name, surroundings)?;
        let restart = Restart { policy: RestartPolicy::Never, ..Restart::default() };
        let timeout = timeout.map(|span| span.0);
        Ok(ServiceSpec { kind: Kind::Step { key }, restart, timeout, ..spec })
    }
}

/// `db`, `db:started`, `init:succeeded`.
fn need_of(text: &str) -> Result<Need, String> {
    let (name, condition) = text.split_once(':').unwrap_or((text, "ready"));
    let condition = match condition {
        "ready" => NeedCondition::Ready,
        "started" => NeedCondition::Started,
        "succeeded" => NeedCondition::Succeeded,
        other => return Err(format!("`{other}` is no condition: there are ready, started and succeeded")),
    };
    let service = name.parse().map_err(|_| format!("`needs` names `{name}`, which is no name of a service"))?;
    Ok(Need { service, condition })
}
