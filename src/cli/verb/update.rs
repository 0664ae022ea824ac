//! `update`, `diff` and `env`.

use crate::cli::args::{DiffArguments, EnvArguments, UpdateArguments};
use crate::cli::face::Face;
use crate::cli::{Exit, interrupt};
use crate::ops::diff::{self, Difference};
use crate::ops::{Choice, OpResult, env, update};

/// Updates.
///
/// # Errors
/// As [`update::update`].
pub fn run(face: &Face, arguments: &UpdateArguments) -> OpResult<Exit> {
    let place = face.place("update")?;
    interrupt::watch_installation(&place);
    let request =
        update::Request { upgrade: arguments.upgrade.clone(), unlocked: arguments.unlocked, retry: arguments.retry };
    let summary = update::update(&place, &request, &face.reporter())?;
    face.warn(&summary.warnings);
    face.result(&summary, || super::install::text(&place, &summary, face.global.quiet));
    Ok(Exit::Ok)
}

/// Compares two profiles.
///
/// # Errors
/// As [`diff::diff`].
pub fn diff(face: &Face, arguments: &DiffArguments) -> OpResult<Exit> {
    let choice = Choice {
        directory: face.global.directory.clone(),
        sets: face.global.set.clone(),
        verb: "diff".to_owned(),
        ..Choice::default()
    };
    let found = diff::diff(&face.host, &choice, &arguments.one, &arguments.other)?;
    face.result(&found, || {
        let groups = [
            ("parts", &found.parts),
            ("packages", &found.packages),
            ("settings", &found.settings),
            ("exposure", &found.exposure),
            ("secrets", &found.secrets),
        ];
        let texts = groups.iter().filter(|(_, rows)| !rows.is_empty()).map(|(name, rows)| {
            format!("{name}\n{}\n", rows.iter().map(|row| shown(row, arguments)).collect::<String>())
        });
        let text: String = texts.collect();
        if text.is_empty() { format!("{} and {} are the same\n", arguments.one, arguments.other) } else { text }
    });
    Ok(Exit::Ok)
}

fn shown(row: &Difference, arguments: &DiffArguments) -> String {
    let width = arguments.one.len().max(arguments.other.len());
    let side = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("    {name:width$}  {value}\n")).unwrap_or_default()
    };
    format!("  {}\n{}{}", row.subject, side(&arguments.one, &row.one), side(&arguments.other, &row.other))
}

/// Shows what a service sees.
///
/// # Errors
/// As [`env::env`].
pub fn env(face: &Face, arguments: &EnvArguments) -> OpResult<Exit> {
    let seen = env::env(&face.place("env")?, &arguments.part, arguments.reveal)?;
    face.result(&seen, || {
        let line = |(name, value): (&String, &String)| format!("{name}={}\n", shell_words::quote(value));
        seen.vars.iter().map(line).collect()
    });
    Ok(Exit::Ok)
}
