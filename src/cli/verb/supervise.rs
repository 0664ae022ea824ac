//! `supervise`, `start --foreground`, `shutdown`, `signal`.

use std::io::Write as _;

use crate::cli::Exit;
use crate::cli::args::{SignalArguments, StartArguments, SuperviseArguments};
use crate::cli::face::Face;
use crate::layout::Layout;
use crate::ops::foreground::{Acts, stay};
use crate::ops::service::{self, Deed};
use crate::ops::{OpError, OpResult, reach, supervise};
use crate::supervisor::logs::{LogLine, Wanted, tail};

/// Runs a file's services until they are stopped, and shows what they say.
///
/// # Errors
/// As [`supervise::supervise`].
pub fn run(face: &Face, arguments: &SuperviseArguments) -> OpResult<Exit> {
    if face.global.dir.is_none() {
        return Err(OpError::usage("`supervise` needs a folder for logs and sockets").hint("name one with --dir DIR"));
    }
    let place = face.place("supervise")?;
    let began = jiff::Timestamp::now();
    supervise::supervise(&place, &arguments.file, &face.reporter(), &|services| {
        let (folder, count) = (place.layout.root().display(), services.services.len());
        face.say(&format!("supervising {count} services in {folder}, control at {folder}/control.sock"));
        if !face.global.quiet {
            follow(&place.layout, began, face.global.json);
        }
    })?;
    Ok(Exit::Ok)
}

/// Shows what services say, from the beginning of this run on, as long as the process lives.
fn follow(layout: &Layout, since: jiff::Timestamp, json: bool) {
    let layout = layout.clone();
    std::thread::spawn(move || {
        let wanted = Wanted { follow: true, since: Some(since), ..Wanted::default() };
        let mut show = |line: LogLine| {
            let mut out = anstream::stdout().lock();
            let text = if json {
                serde_json::to_string(&line).unwrap_or_default()
            } else {
                format!("{} | {}", line.service, line.text)
            };
            writeln!(out, "{text}").is_ok()
        };
        if let Err(error) = tail(&layout, &wanted, &mut show) {
            anstream::eprintln!("the logs cannot be followed: {error}");
        }
    });
}

/// Starts services and stays until they are stopped.
///
/// # Errors
/// As [`service::act`].
pub fn start(face: &Face, arguments: &StartArguments) -> OpResult<Exit> {
    let place = face.place("start")?;
    if place.standalone {
        return Err(OpError::usage("a folder of `supervise` is started by that verb").hint("supervise --dir DIR FILE"));
    }
    let report = face.reporter();
    let started = || service::act(&place, Deed::Start, &arguments.services, &report).map(drop);
    let again = || service::act(&place, Deed::Reload, &[], &report).map(drop);
    let up = || face.say("everything is up; Ctrl-C stops it");
    stay(&place, &Acts { start: &started, reread: &again, up: &up }, &report)?;
    Ok(Exit::Ok)
}

/// Stops everything, keeper and supervisor too.
///
/// # Errors
/// As [`reach::stop_all`].
pub fn shutdown(face: &Face) -> OpResult<Exit> {
    let place = face.place("shutdown")?;
    place.installed()?;
    reach::stop_all(&place, &mut |_| {})?;
    face.result(&serde_json::json!({ "services": [] }), || "everything is stopped\n".to_owned());
    Ok(Exit::Ok)
}

/// Sends a signal.
///
/// # Errors
/// As [`service::signal`].
pub fn signal(face: &Face, arguments: &SignalArguments) -> OpResult<Exit> {
    let place = face.place("signal")?;
    service::signal(&place, &arguments.services, &arguments.signal)?;
    face.result(&serde_json::json!({ "signal": arguments.signal }), || format!("{} is sent\n", arguments.signal));
    Ok(Exit::Ok)
}
