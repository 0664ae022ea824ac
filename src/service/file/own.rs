//! Our own form: tables `[services.NAME]`, `[jobs.NAME]` and `[steps.NAME]`, in the words of recipes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{FileError, Read, Surroundings, declared, services, shell};
use crate::condition::NeedCondition;
use crate::name::PartName;
use crate::service::schedule::Timetable;
use crate::service::{
    CatchUp, Compress, Kind, Liveness, LogFormat, LogPolicy, Need, OnFull, Overlap, Probe, ProbeKind, Restart,
    RestartPolicy, Schedule, ServiceSpec, Stop, signal,
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
    #[serde(default)]
    watch: Vec<PathBuf>,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    listens: Vec<String>,
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
    #[serde(default)]
    key: String,
    timeout: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbeTable {
    exec: Option<Vec<String>>,
    http: Option<String>,
    status: Option<u16>,
    contains: Option<String>,
    log: Option<String>,
    notify: Option<bool>,
    tcp: Option<String>,
    unix: Option<PathBuf>,
    interval: Option<Span>,
    timeout: Option<Span>,
    deadline: Option<Span>,
    failures: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopTable {
    signal: Option<String>,
    grace: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestartTable {
    policy: Option<RestartPolicy>,
    first: Option<Span>,
    max: Option<Span>,
    settle: Option<Span>,
    burst: Option<u32>,
    window: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    max_bytes: Option<u64>,
    keep: Option<u32>,
    max_age: Option<Span>,
    #[serde(default)]
    compress: Compress,
    #[serde(default)]
    format: LogFormat,
    #[serde(default)]
    on_full: OnFull,
    forward: Option<PathBuf>,
}

/// `"5s"`, `"2m"`, or a number of seconds.
#[derive(Clone, Copy)]
struct Span(Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let value = toml::Value::deserialize(deserializer)?;
        let seconds = match &value {
            #[expect(clippy::cast_precision_loss, reason = "no span is so long")]
            toml::Value::Integer(number) => Some(*number as f64),
            toml::Value::Float(number) => Some(*number),
            toml::Value::String(text) => seconds(text),
            toml::Value::Array(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
        };
        let span = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        span.map(Self).ok_or_else(|| D::Error::custom(format!("{value} is no span of time such as `\"5s\"`")))
    }
}

fn seconds(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let (number, factor) = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    Some(number.trim().parse::<f64>().ok()? * factor)
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
}

impl Process {
    fn spec(self, name: PartName, surroundings: Surroundings<'_>) -> Result<ServiceSpec, String> {
        let command = self.command.words();
        if command.first().and_then(Text::as_plain).is_none_or(str::is_empty) {
            return Err("its command is empty".to_owned());
        }
        let mut vars = declared(surroundings);
        vars.extend(self.vars.into_iter().map(|(name, value)| (name, Text::literal(value))));
        let mut stop = Stop::default();
        if let Some(table) = self.stop {
            stop.grace = table.grace.map_or(stop.grace, |span| span.0);
            stop.signal = table.signal.map_or(Ok(stop.signal), |word| known_signal(&word))?;
        }
        let usual = LogPolicy::default();
        let log = self.log.map_or(usual.clone(), |table| LogPolicy {
            max_bytes: table.max_bytes.unwrap_or(usual.max_bytes),
            keep: table.keep.unwrap_or(usual.keep),
            max_age: table.max_age.map(|span| span.0),
            compress: table.compress,
            format: table.format,
            on_full: table.on_full,
            forward: table.forward,
        });
        Ok(ServiceSpec {
            command,
            folder: self.folder.map_or_else(|| surroundings.folder.to_owned(), |below| surroundings.folder.join(below)),
            vars,
            inherits: !self.clean,
            needs: self.needs.iter().map(|need| need_of(need)).collect::<Result<_, _>>()?,
            stop,
            log,
            ..ServiceSpec::bare(name)
        })
    }
}

impl Service {
    fn spec(self, name: PartName, surroundings: Surroundings<'_>) -> Result<ServiceSpec, String> {
        let Self { command, folder, vars, clean, needs, stop, log, .. } = self;
        let spec = Process { command, folder, vars, clean, needs, stop, log }.spec(name, surroundings)?;
        let mut restart = Restart::default();
        if let Some(table) = self.restart {
            restart = Restart {
                policy: table.policy.unwrap_or(restart.policy),
                first: table.first.map_or(restart.first, |span| span.0),
                max: table.max.map_or(restart.max, |span| span.0),
                settle: table.settle.map_or(restart.settle, |span| span.0),
                burst: table.burst.unwrap_or(restart.burst),
                window: table.window.map_or(restart.window, |span| span.0),
            };
        }
        let live = self.live.map(|table| {
            let failures = table.failures.unwrap_or(3);
            let has_interval = table.interval.is_some();
            table.probe("live").map(|mut probe| {
                if !has_interval {
                    probe.interval = Duration::from_secs(10);
                }
                Liveness { probe, failures }
            })
        });
        Ok(ServiceSpec {
            ready: self.ready.map(|table| table.probe("ready")).transpose()?,
            live: live.transpose()?,
            reload: self.reload.map(|word| known_signal(&word)).transpose()?,
            restart,
            watch: self.watch.into_iter().map(|path| surroundings.folder.join(path)).collect(),
            urls: self.urls,
            listens: self.listens,
            manual: self.manual,
            on_failed: self.on_failed.map(Command::words).unwrap_or_default(),
            ..spec
        })
    }
}

impl Job {
    fn spec(self, name: PartName, surroundings: Surroundings<'_>) -> Result<ServiceSpec, String> {
        let Self { command, folder, vars, clean, needs, stop, log, .. } = self;
        let spec = Process { command, folder, vars, clean, needs, stop, log }.spec(name, surroundings)?;
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
        let Self { command, folder, vars, clean, needs, log, key, timeout } = self;
        let spec = Process { command, folder, vars, clean, needs, stop: None, log }.spec(name, surroundings)?;
        let restart = Restart { policy: RestartPolicy::Never, ..Restart::default() };
        let timeout = timeout.map(|span| span.0);
        Ok(ServiceSpec { kind: Kind::Step { key }, restart, timeout, ..spec })
    }
}

impl ProbeTable {
    fn probe(self, what: &str) -> Result<Probe, String> {
        let (status, contains) = (self.status.unwrap_or(0), self.contains.unwrap_or_default());
        let words = |words: Vec<String>| ProbeKind::Exec(words.into_iter().map(Text::literal).collect());
        let mut kinds = [
            self.exec.map(words),
            self.http.map(|url| ProbeKind::Http { url, status, contains }),
            self.log.map(ProbeKind::Log),
            self.notify.filter(|is| *is).map(|_| ProbeKind::Notify),
            self.tcp.map(ProbeKind::Tcp),
            self.unix.map(ProbeKind::Unix),
        ]
        .into_iter()
        .flatten();
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err(format!("`{what}` must have exactly one of `exec`, `http`, `log`, `notify`, `tcp`, `unix`"));
        };
        let usual = Probe::new(kind);
        Ok(Probe {
            interval: self.interval.map_or(usual.interval, |span| span.0),
            timeout: self.timeout.map_or(usual.timeout, |span| span.0),
            deadline: self.deadline.map_or(usual.deadline, |span| span.0),
            ..usual
        })
    }
}

fn known_signal(word: &str) -> Result<String, String> {
    let upper = word.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper).to_owned();
    if signal::number(&name).is_some() { Ok(name) } else { Err(format!("`{word}` is no signal")) }
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
