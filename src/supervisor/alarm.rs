//! `on_failed`: tells somebody that a service was given up: once a failure, and no more often than each minute.

use std::process::Stdio;
use std::time::Duration;

use super::core::Core;
use super::entry::Entry;
use super::history;
use super::last;
use super::spawn::argv;

/// No service cries more often.
const EVERY: Duration = Duration::from_secs(60);

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a service's alarm remembers.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    told: Option<Duration>,
    untold: u32,
}

/// Runs the service's command, with what has happened in its variables.
pub(super) fn tell(core: &Core, entry: &mut Entry) {
    if entry.spec.on_failed.is_empty() {
        return;
    }
    let (layout, name) = (core.layout.clone(), entry.spec.name.clone());
    if entry.alarm.told.is_some_and(|told| core.now().saturating_sub(told) < EVERY) {
        entry.alarm.untold += 1;
        return history::append(&layout, Some(&name), "on-failed", "not told: it was told less than a minute ago");
    }
    entry.alarm.told = Some(core.now());
    let untold = std::mem::take(&mut entry.alarm.untold).to_string();
    let words = match argv(&entry.spec.on_failed) {
        Ok(words) => words,
        Err(reason) => return history::append(&layout, Some(&name), "on-failed", &reason),
    };
    let mut vars = entry.spec.vars.clone();
    vars.retain(|_, value| !value.is_secret());
    let reason = entry.life.reason.clone().unwrap_or_default();
    let lines = last::lines(&layout.log(), name.as_str(), entry.log_from, last::OF_FAILURE).join("\n");
    let folder = entry.spec.folder.clone();
    let own = [
        ("JOVE_PREFIX", layout.root().display().to_string()),
        ("JOVE_SERVICE", name.to_string()),
        ("JOVE_REASON", reason),
        ("JOVE_LAST_LINES", lines),
        ("JOVE_UNTOLD", untold),
    ];
    tokio::task::spawn_local(async move {
        let Some((program, arguments)) = words.split_first() else { return };
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).env_clear().envs(vars.iter().map(|(name, value)| (name, value.to_string()))).envs(own);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let run = async { command.process_group(0).kill_on_drop(true).spawn()?.wait().await };
        let said = match tokio::time::timeout(PATIENCE, run).await {
            Ok(Ok(status)) if status.success() => "told".to_owned(),
            Ok(Ok(status)) => format!("{program}: {status}"),
            Ok(Err(error)) => format!("{program}: {error}"),
            Err(_) => format!("{program}: it took longer than {} s and was ended", PATIENCE.as_secs()),
        };
        history::append(&layout, Some(&name), "on-failed", &said);
    });
}
