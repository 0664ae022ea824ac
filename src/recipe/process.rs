//! Reads `[[service]]`, `[[schedule]]` and `[[step]]` of a `recipe.toml`, and `[process]`: what all of them have.

use std::collections::BTreeMap;

use crate::condition::NeedCondition;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::name::PartName;
use crate::profile::Value;
use crate::recipe::parse::{required, when};
use crate::recipe::read::Fields;
use crate::recipe::schema::{ServiceForm, Written};

/// The keys of a job that say when it runs.
const TIMES: [&str; 5] = ["at", "catch_up", "delay", "overlap", "zone"];

/// How a form's process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// At its times: a job.
    AtTimes,
    /// Until it is stopped.
    On,
    /// Once for each key: a data step.
    Once,
}

/// `[process]`: what every process of a recipe has where it says nothing else itself.
#[derive(Debug, Default)]
pub(super) struct CommonForm {
    folder: Option<Written>,
    vars: BTreeMap<String, Written>,
    vars_from: Option<Written>,
    folders: Option<Written>,
}

impl CommonForm {
    /// Reads `[process]`.
    pub(super) fn of(written: Written, wrong: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of("[process]", written, wrong)?;
        let made = Self::read(&mut fields);
        fields.done();
        Some(made)
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            folder: fields.take("folder"),
            vars: fields.table("vars"),
            vars_from: fields.take("vars_from"),
            folders: fields.take("folders"),
        }
    }

    /// These, and from `common` what they do not say; of process variables, each by its name.
    fn or(self, common: &Self) -> Self {
        let mut vars = common.vars.clone();
        vars.extend(self.vars);
        Self {
            folder: self.folder.or_else(|| common.folder.clone()),
            vars,
            vars_from: self.vars_from.or_else(|| common.vars_from.clone()),
            folders: self.folders.or_else(|| common.folders.clone()),
        }
    }
}

/// Reads one of them.
pub(super) fn service_form(
    written: Written,
    runs: Runs,
    common: &CommonForm,
    wrong: &mut Diagnostics,
) -> Option<ServiceForm> {
    let origin = written.1.clone();
    let what = match runs {
        Runs::AtTimes => "[[schedule]]",
        Runs::On => "[[service]]",
        Runs::Once => "[[step]]",
    };
    let mut fields = Fields::of(what, written, wrong)?;
    let name = fields.text("name");
    if let Some((name, origin)) = &name
        && name.parse::<PartName>().is_err()
    {
        let said = format!("`{name}` is no name of a service: it takes lowercase letters, digits and `-`");
        fields.push(Diagnostic::error(said).at(origin, ""));
    }
    if runs == Runs::Once && name.is_none() {
        fields.missing("name");
    }
    let command = required(&mut fields, "command");
    let CommonForm { folder, vars, vars_from, folders } = CommonForm::read(&mut fields).or(common);
    let mut form = ServiceForm {
        name: name.map(|(name, _)| name),
        command: command.unwrap_or((Value::List(Vec::new()), origin.clone())),
        folder,
        vars,
        vars_from,
        folders,
        needs: needs(&mut fields),
        stop: fields.take("stop"),
        limits: fields.take("limits"),
        writes: fields.take("writes"),
        reads: fields.take("reads"),
        log: fields.take("log"),
        on_failed: fields.take("on_failed"),
        when: when(&mut fields),
        ..ServiceForm::bare(&origin)
    };
    own(&mut form, &mut fields, runs, origin);
    fields.done();
    Some(form)
}

/// What only one way of running has.
fn own(form: &mut ServiceForm, fields: &mut Fields<'_>, runs: Runs, origin: Origin) {
    match runs {
        Runs::AtTimes => {
            form.timeout = fields.take("timeout");
            form.schedule = Some(times(fields, origin));
        }
        Runs::On => {
            form.ready = fields.take("ready");
            form.live = fields.take("live");
            form.reload = fields.take("reload");
            form.restart = fields.take("restart");
            form.watch = fields.take("watch");
            form.urls = fields.take("urls");
            form.listens = fields.take("listens");
            form.sockets = fields.take("sockets");
            form.overlap = fields.take("overlap");
            form.count = fields.take("count");
            form.watchdog = fields.take("watchdog");
        }
        Runs::Once => {
            form.timeout = fields.take("timeout");
            form.overlap = fields.take("overlap");
            form.step = Some(fields.take("key").unwrap_or((Value::String("1".into()), origin)));
        }
    }
}

/// The times of a job, as a table of their own.
fn times(fields: &mut Fields<'_>, origin: Origin) -> Written {
    let mut table = BTreeMap::new();
    for key in TIMES {
        if let Some(value) = fields.take(key) {
            table.insert(key.to_owned(), value);
        }
    }
    if !table.contains_key("at") {
        fields.missing("at");
    }
    (Value::Table(table), origin)
}

/// Reads `["logdb:succeeded", "worker"]`.
fn needs(fields: &mut Fields<'_>) -> Vec<(String, NeedCondition, Origin)> {
    let mut made = Vec::new();
    for written in fields.list("needs") {
        let Value::String(text) = &written.0 else {
            fields.wrong("needs", "a list of texts", &written);
            continue;
        };
        let (name, condition) = text.split_once(':').unwrap_or((text, "ready"));
        let condition = match condition {
            "ready" => NeedCondition::Ready,
            "started" => NeedCondition::Started,
            "succeeded" => NeedCondition::Succeeded,
            other => {
                let said = format!("`{other}` is no condition: there are ready, started and succeeded");
                let said = Diagnostic::error(said).at(&written.1, "");
                fields.push(said.nearest(other, ["ready", "started", "succeeded"]));
                continue;
            }
        };
        made.push((name.to_owned(), condition, written.1.clone()));
    }
    made
}
