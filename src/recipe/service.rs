//! Services, data steps and promises of a part, from the forms of its recipe.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Origin};
use crate::name::PartName;
use crate::profile::Value;
use crate::recipe::evaluate::{Evaluator, Failed, Place};
use crate::recipe::schema::{OptionType, ServiceForm, Written};
use crate::recipe::serving::instances;
use crate::recipe::stack::OptionValue;
use crate::recipe::table::Table;
use crate::recipe::value;
use crate::service::schedule::Timetable;
use crate::service::{Kind, Promise, Restart, RestartPolicy, Schedule, ServiceSpec};
use crate::text::{Piece, Text};

/// Signals by the names that specs use.
const SIGNALS: [&str; 12] =
    ["ABRT", "ALRM", "CONT", "HUP", "INT", "KILL", "QUIT", "TERM", "TSTP", "USR1", "USR2", "WINCH"];

/// What every process has unless its recipe says otherwise. Nothing that runs may write bytecode into an object.
const BASE_VARS: [(&str, &str); 3] =
    [("LANG", "C.UTF-8"), ("PATH", "/usr/local/bin:/usr/bin:/bin"), ("PYTHONDONTWRITEBYTECODE", "1")];

/// A path that may begin with the folder of an object, which is known only with its key: as a marked string (see
/// [`Text::to_marked`]), so that the plan can put the folder in its place.
#[must_use]
pub fn marked_path(text: &Text) -> PathBuf {
    PathBuf::from(text.to_marked())
}

/// The text of a [`marked_path`].
#[must_use]
pub fn text_of_path(path: &std::path::Path) -> Text {
    let plain = path.to_string_lossy();
    Text::from_marked(&plain).unwrap_or_else(|_| Text::literal(plain))
}

impl Evaluator<'_, '_> {
    /// The services and data steps of a part whose `when` holds, their needs on each other included.
    pub(super) fn services(&mut self, part: usize) -> Vec<ServiceSpec> {
        let recipe = self.world.parts[part].recipe;
        let held: Vec<&ServiceForm> = recipe.services.iter().filter(|form| self.holds(part, &form.when)).collect();
        let (mut made, mut counts) = (Vec::new(), Vec::new());
        for form in &held {
            let Ok(mut spec) = self.service(part, form) else { continue };
            spec.alone = form.step.is_some() && self.forbids_overlap(part, form);
            let Ok(count) = self.count(part, form, &spec) else { continue };
            counts.push((spec.name.clone(), count));
            made.push(spec);
        }
        if made.iter().any(|spec| spec.alone) {
            made.iter_mut().for_each(|spec| spec.overlap = false);
        }
        instances(super::need::among_own(&self.world.parts[part].name, &held, made), &counts)
    }

    /// Whether former services cannot go on with what a data step makes of the data.
    fn forbids_overlap(&mut self, part: usize, step: &ServiceForm) -> bool {
        matches!(self.truth(&Place::of(part), step.overlap.as_ref()), Ok(Some(false)))
    }

    pub(super) fn service(&mut self, part: usize, form: &ServiceForm) -> Result<ServiceSpec, Failed> {
        let place = Place::of(part);
        let name = self.world.parts[part].name.clone();
        let kind = match (&form.step, &form.schedule) {
            (Some(key), _) => Kind::Step { key: self.done_key(&place, key)? },
            (None, Some(times)) => Kind::Schedule(self.schedule(&place, times)?),
            (None, None) => Kind::Daemon,
        };
        // Each is worked out before the first failure ends it, so that all mistakes are told at once.
        let command = self.command(&place, form);
        let folder = match &form.folder {
            None => Ok(None),
            Some(written) => self.path_text(&place, written),
        };
        let vars = self.vars(&place, form);
        let folders = self.folder_list(&place, form.folders.as_ref());
        let watch = self.path_list(&place, form.watch.as_ref());
        let ready = self.table(&place, form.ready.as_ref(), "ready", |table| table.probe().map(Some));
        let live = self.table(&place, form.live.as_ref(), "live", |table| table.liveness().map(Some));
        let stop = self.table(&place, form.stop.as_ref(), "stop", Table::stop);
        let restart = self.table(&place, form.restart.as_ref(), "restart", Table::restart);
        let log = self.table(&place, form.log.as_ref(), "log", Table::log);
        let on_failed = self.on_failed(&place, form);
        let urls = self.plain_list(&place, form.urls.as_ref(), "an address that people see");
        let serving = self.serving(&place, form);
        let data = self.world.surroundings.layout.data(&name);
        let ends = kind != Kind::Daemon;
        let serving = serving?;
        Ok(ServiceSpec {
            name: service_name(&name, form),
            part: name,
            kind,
            command: command?,
            folder: folder?.unwrap_or(data),
            vars: vars?,
            inherits: false,
            folders: folders?,
            needs: Vec::new(),
            ready: ready?,
            live: live?,
            stop: stop?,
            reload: serving.reload,
            restart: if ends { Restart { policy: RestartPolicy::Never, ..Restart::default() } } else { restart? },
            secret_files: Vec::new(),
            watch: watch?,
            log: log?,
            on_failed: on_failed?,
            manual: false,
            urls: urls?,
            listens: serving.listens,
            sockets: serving.sockets,
            overlap: serving.overlap,
            alone: false,
            group: None,
            conf: Vec::new(),
            reload_shows: serving.reload_shows,
            watchdog: serving.watchdog,
            timeout: serving.timeout,
            limits: serving.limits,
            writes: serving.writes,
            reads: serving.reads,
        })
    }

    /// The times of a job, which must come.
    fn schedule(&mut self, place: &Place<'_>, times: &Written) -> Result<Schedule, Failed> {
        let made = self.table(place, Some(times), "schedule", |table| table.schedule().map(Some))?;
        let Some(schedule) = made else { return Err(Failed) };
        let at = if let Value::Table(table) = &times.0 { table.get("at") } else { None };
        let at = at.and_then(|at| self.said_by(place.part, at));
        let checked = Timetable::of(&schedule).and_then(|times| times.comes_after(jiff::Timestamp::now()));
        match checked {
            Ok(()) => Ok(schedule),
            Err(error) => {
                let said = Diagnostic::error(error.to_string()).at(&at.unwrap_or_else(|| times.1.clone()), "");
                Err(self.say(place, said))
            }
        }
    }

    /// The done-key of a step. The folder of an object stays a mark in it, which becomes the path.
    fn done_key(&mut self, place: &Place<'_>, key: &Written) -> Result<String, Failed> {
        let scalar = match self.written(place, &OptionType::Any, key)? {
            OptionValue::None => return Ok(String::new()),
            scalar => value::as_text(&scalar),
        };
        match scalar {
            // A secret in a key is its name and version: a rotation runs the step again, and nothing is shown.
            Some(text) if text.is_secret() => Ok(secrets_by_name(&text).to_marked()),
            Some(text) => Ok(text.to_marked()),
            None => {
                let said = Diagnostic::error("`key` of a step must be a text").at(&key.1, "");
                Err(self.say(place, said))
            }
        }
    }

    fn command(&mut self, place: &Place<'_>, form: &ServiceForm) -> Result<Vec<Text>, Failed> {
        let written = &form.command;
        let list = self.texts(place, written, "command")?;
        let at = self.command_place(place, form);
        for text in &list {
            if let Some(secret) = text.secrets().next() {
                let said = format!("the command holds {secret}, and everybody on this machine can read a command");
                let said = Diagnostic::error(said).at(&at, "");
                return Err(self.say(place, said.hint("pass it by a process variable (`vars`) or a file")));
            }
        }
        let Some(program) = list.first() else {
            let said = Diagnostic::error("the command is empty").at(&at, "");
            return Err(self.say(place, said));
        };
        let is_relative = program.as_plain().is_some_and(|plain| plain.contains('/') && !plain.starts_with('/'));
        if is_relative || program.is_empty() {
            let said = format!("the program `{program}` is neither an absolute path nor a bare name");
            let said = Diagnostic::error(said).at(&at, "");
            return Err(self.say(place, said.hint("begin it with a folder: `${project.folder}/…`, `${env}/bin/…`")));
        }
        Ok(list)
    }

    /// The command that tells of a failure.
    fn on_failed(&mut self, place: &Place<'_>, form: &ServiceForm) -> Result<Vec<Text>, Failed> {
        let Some(written) = &form.on_failed else { return Ok(Vec::new()) };
        let list = self.texts(place, written, "on_failed")?;
        match list.iter().find_map(|text| text.secrets().next()) {
            None => Ok(list),
            Some(secret) => {
                let said = format!("`on_failed` holds {secret}, and everybody on this machine can read a command");
                Err(self.say(place, Diagnostic::error(said).at(&written.1, "")))
            }
        }
    }

    /// Where a user can change the command: the option that it is spliced from, else the recipe.
    fn command_place(&self, place: &Place<'_>, form: &ServiceForm) -> Origin {
        let elements = match &form.command.0 {
            Value::List(list) => list.as_slice(),
            _ => std::slice::from_ref(&form.command),
        };
        let said = elements.iter().filter(|(one, _)| value::has_references(one));
        let mut said = said.filter_map(|written| self.said_by(place.part, written));
        said.next().unwrap_or_else(|| form.command.1.clone())
    }

    fn vars(&mut self, place: &Place<'_>, form: &ServiceForm) -> Result<BTreeMap<String, Text>, Failed> {
        let mut made: BTreeMap<String, Text> =
            BASE_VARS.into_iter().map(|(name, word)| (name.to_owned(), Text::literal(word))).collect();
        let home = self.world.surroundings.layout.data(&self.world.parts[place.part].name);
        made.insert("HOME".into(), Text::literal(home.display().to_string()));
        let mut is_failed = false;
        for (name, written) in &form.vars {
            match self.written(place, &OptionType::Any, written) {
                Ok(value) => is_failed |= self.var_into(place, &mut made, name, &value, &written.1).is_err(),
                Err(Failed) => is_failed = true,
            }
        }
        let tables = form.vars_from.as_ref().map_or(&[][..], |written| match &written.0 {
            Value::List(several) => several,
            Value::Bool(_) | Value::Float(_) | Value::Int(_) | Value::String(_) | Value::Table(_) => {
                std::slice::from_ref(written)
            }
        });
        for written in tables {
            let OptionValue::Table(table) = self.written(place, &OptionType::Table, written)? else { continue };
            let at = self.said_by(place.part, written).unwrap_or_else(|| written.1.clone());
            for (name, value) in &table {
                is_failed |= self.var_into(place, &mut made, name, value, &at).is_err();
            }
        }
        if is_failed { Err(Failed) } else { Ok(made) }
    }

    fn var_into(
        &mut self,
        place: &Place<'_>,
        vars: &mut BTreeMap<String, Text>,
        name: &str,
        value: &OptionValue,
        origin: &Origin,
    ) -> Result<(), Failed> {
        if name.is_empty() || name.contains(['=', '\0']) {
            let said = format!("`{name}` is no name of a process variable");
            return Err(self.say(place, Diagnostic::error(said).at(origin, "")));
        }
        match value::as_text(value) {
            Some(text) => drop(vars.insert(name.to_owned(), text)),
            None if *value == OptionValue::None => {}
            None => {
                let said = format!("process variable `{name}` must be a text, but is {}", value::found(value));
                return Err(self.say(place, Diagnostic::error(said).at(origin, "")));
            }
        }
        Ok(())
    }

    /// A list of texts; nothing is an empty list.
    fn texts(&mut self, place: &Place<'_>, written: &Written, what: &str) -> Result<Vec<Text>, Failed> {
        let list = match self.written(place, &OptionType::Any, written)? {
            OptionValue::None => return Ok(Vec::new()),
            OptionValue::List(list) => list,
            one => vec![one],
        };
        let mut made = Vec::with_capacity(list.len());
        for one in &list {
            match value::as_text(one) {
                Some(text) => made.push(text),
                None => {
                    let said = format!("`{what}` must be a list of texts, but holds {}", value::found(one));
                    return Err(self.say(place, Diagnostic::error(said).at(&written.1, "")));
                }
            }
        }
        Ok(made)
    }

    pub(super) fn plain_list(
        &mut self,
        place: &Place<'_>,
        written: Option<&Written>,
        what: &str,
    ) -> Result<Vec<String>, Failed> {
        let Some(written) = written else { return Ok(Vec::new()) };
        let texts = self.texts(place, written, what)?;
        texts.iter().map(|text| self.plain_text(place, text, what, &written.1)).collect()
    }

    pub(super) fn path_list(&mut self, place: &Place<'_>, written: Option<&Written>) -> Result<Vec<PathBuf>, Failed> {
        let Some(written) = written else { return Ok(Vec::new()) };
        let texts = self.texts(place, written, "a list of paths")?;
        texts.into_iter().map(|text| self.absolute_path(place, text, &written.1)).collect()
    }

    /// Folders that are to be made, so that none may lie in an object.
    pub(super) fn folder_list(&mut self, place: &Place<'_>, written: Option<&Written>) -> Result<Vec<PathBuf>, Failed> {
        let Some(written) = written else { return Ok(Vec::new()) };
        let texts = self.texts(place, written, "folders")?;
        let mut made = Vec::with_capacity(texts.len());
        for text in texts {
            let plain = self.plain_text(place, &text, "a folder to make", &written.1)?;
            made.push(self.absolute_path(place, Text::literal(plain), &written.1)?);
        }
        Ok(made)
    }

    fn path_text(&mut self, place: &Place<'_>, written: &Written) -> Result<Option<PathBuf>, Failed> {
        match self.written(place, &OptionType::Path, written)? {
            OptionValue::Text(text) => Ok(Some(marked_path(&text))),
            _ => Ok(None),
        }
    }

    fn absolute_path(&mut self, place: &Place<'_>, text: Text, origin: &Origin) -> Result<PathBuf, Failed> {
        match self.world.path(text, origin) {
            Ok(text) => Ok(marked_path(&text)),
            Err(said) => Err(self.say(place, Diagnostic::error(said).at(origin, ""))),
        }
    }

    /// A table of a form, read by `read`; absent or nothing, it is the default.
    pub(super) fn table<T: Default>(
        &mut self,
        place: &Place<'_>,
        written: Option<&Written>,
        what: &'static str,
        read: impl FnOnce(&mut Table) -> Result<T, String>,
    ) -> Result<T, Failed> {
        let Some(written) = written else { return Ok(T::default()) };
        let entries = match self.written(place, &OptionType::Table, written)? {
            OptionValue::Table(entries) => entries,
            _ => return Ok(T::default()),
        };
        let mut table = Table::new(what, entries);
        let read = read(&mut table).and_then(|made| table.done().map(|()| made));
        read.map_err(|said| {
            let at = self.said_by(place.part, written).unwrap_or_else(|| written.1.clone());
            self.say(place, Diagnostic::error(said).at(&at, ""))
        })
    }

    /// The promises of a part whose `when` holds.
    pub(super) fn promises(&mut self, part: usize) -> Vec<Promise> {
        let place = Place::of(part);
        let active = &self.world.parts[part];
        let (recipe, name) = (active.recipe, active.name.clone());
        let mut made = Vec::new();
        for form in &recipe.promises {
            if !self.holds(part, &form.when) {
                continue;
            }
            let probe = self.table(&place, Some(&form.probe), "a promise", |table| table.probe().map(Some));
            if let Ok(Some(probe)) = probe {
                made.push(Promise { name: format!("{name}: {}", form.name), part: name.clone(), probe });
            }
        }
        made
    }
}

/// `TERM`, from `TERM`, `SIGTERM` or `term`.
pub(super) fn signal(word: &str) -> Option<String> {
    let upper = word.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    SIGNALS.contains(&bare).then(|| bare.to_owned())
}

/// The names of signals, for messages.
pub(super) fn signals() -> String {
    SIGNALS.join(", ")
}

fn secrets_by_name(text: &Text) -> Text {
    let mut made = Text::default();
    for piece in text.pieces() {
        made.push(match piece {
            Piece::Secret { secret, .. } => Piece::Literal(secret.to_string()),
            other => other.clone(),
        });
    }
    made
}

/// The name of a form's service: its part's, or `<part>-<name>`.
pub(super) fn service_name(part: &PartName, form: &ServiceForm) -> PartName {
    let joined = form.name.as_ref().map(|name| format!("{part}-{name}"));
    joined.and_then(|name| name.parse().ok()).unwrap_or_else(|| part.clone())
}

/// A duration that was bounded when it was read.
pub(super) fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
