//! `logs` and `events`.

use crate::cli::Exit;
use crate::cli::args::{EventsArguments, LogsArguments};
use crate::cli::face::Face;
use crate::ops::{OpResult, logs};
use crate::supervisor::history;
use crate::supervisor::logs::{LogLine, Wanted, tail};

/// Shows lines; with `--follow` until Ctrl-C.
///
/// # Errors
/// As [`logs::services`], or if a log cannot be read.
pub fn run(face: &Face, arguments: &LogsArguments) -> OpResult<Exit> {
    let place = face.place("logs")?;
    let services = logs::services(&place, &arguments.services)?;
    let (began, until) = match arguments.run {
        Some(number) => logs::span_of_run(&place, &arguments.services, number)?,
        None => (None, None),
    };
    let since = arguments.since.as_deref().map(|text| logs::moment(text, jiff::Timestamp::now())).transpose()?;
    let several = services.len() > 1;
    let wanted = Wanted {
        names: services,
        lines: Some(arguments.lines),
        follow: arguments.follow,
        since: since.or(began),
        until,
        grep: arguments.grep.clone(),
    };
    tail(&place.layout, &wanted, &mut |line: LogLine| {
        if face.global.json {
            face.print(&serde_json::to_string(&line).unwrap_or_default());
        } else {
            let time = line.when.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
            let name = if several { format!("{} ", line.service) } else { String::new() };
            face.print(&format!("{time} {name}{}", line.text));
        }
        true
    })
    .map_err(crate::ops::error::at(&place.layout.log()))?;
    Ok(Exit::Ok)
}

/// Shows what the supervisor did and saw.
///
/// # Errors
/// If nothing is installed or the history cannot be read.
pub fn events(face: &Face, arguments: &EventsArguments) -> OpResult<Exit> {
    let place = face.place("events")?;
    place.installed()?;
    let events = history::last(&place.layout, arguments.lines);
    face.result(&events, || {
        let lines = events.iter().map(|event| {
            let service = event.service.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
            // Every time as long as the others, so that what happened stands in a column.
            let when = event.when.parse().map_or_else(
                |_| event.when.clone(),
                |when: jiff::Timestamp| when.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
            );
            let line = format!("{when} {service}{} {}", event.what, event.text);
            format!("{}\n", line.trim_end())
        });
        lines.collect()
    });
    Ok(Exit::Ok)
}
