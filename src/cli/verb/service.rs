//! `start`, `stop`, `restart`, `reload`, `run-now`, `runs`.

use crate::cli::Exit;
use crate::cli::args::{RunsArguments, ServiceArguments};
use crate::cli::face::Face;
use crate::cli::render::status::services;
use crate::cli::render::table::{seconds, table};
use crate::ops::service::{self, Deed};
use crate::ops::{OpResult, logs};
use crate::supervisor::Run;

/// Does it, and shows how the services are then.
///
/// # Errors
/// As [`service::act`].
pub fn run(face: &Face, arguments: &ServiceArguments, deed: Deed) -> OpResult<Exit> {
    let verb = match deed {
        Deed::Reload => "reload",
        Deed::Restart => "restart",
        Deed::Run => "run-now",
        Deed::Start => "start",
        Deed::Stop => "stop",
    };
    let place = face.place(verb)?;
    let done = service::act(&place, deed, &arguments.services, &face.reporter())?;
    face.result(&done, || {
        if done.services.is_empty() {
            return "everything is stopped\n".to_owned();
        }
        services(&done.services, jiff::Timestamp::now())
    });
    Ok(Exit::Ok)
}

/// Shows the runs of jobs.
///
/// # Errors
/// As [`logs::runs`].
pub fn runs(face: &Face, arguments: &RunsArguments) -> OpResult<Exit> {
    let place = face.place("runs")?;
    let runs = logs::runs(&place, &arguments.services, arguments.lines)?;
    face.result(&runs, || {
        if runs.is_empty() {
            return "nothing has run yet\n".to_owned();
        }
        table(&["JOB", "RUN", "DUE", "BEGAN", "TOOK", "RESULT"], &runs.iter().map(row).collect::<Vec<_>>())
    });
    Ok(Exit::Ok)
}

fn row(run: &Run) -> Vec<String> {
    let moment = |text: &Option<String>| text.as_ref()?.parse::<jiff::Timestamp>().ok();
    let shown = |text: &Option<String>| moment(text).map(|moment| moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
    let took = moment(&run.began).zip(moment(&run.ended));
    let took = took.map(|(began, ended)| seconds(ended.duration_since(began).as_secs_f64().max(0.0)));
    let result = match (run.ok, &run.began) {
        (Some(true), _) => "ok".to_owned(),
        (Some(false), _) => run.result.clone(),
        (None, Some(_)) => "it goes on".to_owned(),
        (None, None) => "it waits".to_owned(),
    };
    vec![
        run.service.to_string(),
        run.number.to_string(),
        shown(&run.due).unwrap_or_else(|| "by hand".to_owned()),
        shown(&run.began).unwrap_or_else(|| "-".to_owned()),
        took.unwrap_or_else(|| "-".to_owned()),
        result,
    ]
}
