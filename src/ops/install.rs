//! `install`: from files to running services. All or nothing: what is made is made beside what runs, and the supervisor
//! tries it before it is committed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use serde::Serialize;

use crate::apply::generation::Occasion;
use crate::apply::{self, Failure, Workshop};
use crate::checkpoint;
use crate::generation::{self, Hold, Manifest, Status};
use crate::name::PartName;
use crate::net::{Cache, Client};
use crate::ops::error::{ErrorKind, OpError, OpResult, at, tells_of_full_disk};
use crate::ops::place::Place;
use crate::ops::prepare::{self, Prepared, Wishes};
use crate::ops::{example, fetch, format, prefix, program, rollback, service, stamp};
use crate::plan::Change;
use crate::progress::{Event, Reporter};
use crate::state::State;
use crate::store::Store;

/// What `install` was asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--locked`.
    pub locked: bool,
    /// `--upgrade`.
    pub upgrade: Option<String>,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--no-start`.
    pub no_start: bool,
    /// `--jobs`.
    pub jobs: Option<usize>,
    /// `--force`.
    pub force: Vec<String>,
    /// `--retry`.
    pub retry: bool,
    /// `--release`.
    pub release: bool,
    /// Make a generation although the current one cannot be read (`verify --repair`).
    pub anew: bool,
    /// Hash cached files again before they are used (`verify --repair`).
    pub distrust: bool,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The prefix.
    pub prefix: PathBuf,
    /// The profile.
    pub profile: String,
    /// The committed generation.
    pub generation: u32,
    /// What changed; empty if nothing did.
    pub changed: Vec<Change>,
    /// Where people reach it.
    pub urls: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// Whether services were started.
    pub started: bool,
    /// What is worth a look, drawn.
    #[serde(skip)]
    pub warnings: crate::diagnostic::Diagnostics,
}

impl Request {
    /// Whether it asks for nothing beyond what the last run did.
    fn is_plain(&self) -> bool {
        self.upgrade.is_none() && self.force.is_empty() && !self.retry && !self.release && !self.dry_run && !self.anew
    }
}

/// Installs.
///
/// # Errors
/// Whatever stands in the way; the prefix is then as before.
pub fn install(place: &Place, request: &Request, report: &Reporter) -> OpResult<Summary> {
    let begin = Instant::now();
    if request.is_plain()
        && let Some(seen) = stamp::unchanged(place, request.no_start)
    {
        return Ok(Summary { seconds: begin.elapsed().as_secs_f64(), ..seen });
    }
    let project = prepare::load(place)?.definition.project.name;
    let entered = prefix::enter(place, &project, report)?;
    let mut state = State::load(&place.layout)?;
    prefix::run_folder(place, &entered.identity, &mut state)?;
    state.save(&place.layout)?;
    let prepared = prepare::prepare(place, &wishes(place, request)?, report)?;
    format::check_desired(place, &prepared.desired, &prepared.state)?;
    rollback::check_hold(place, &prepared.desired.definition, request.release)?;
    refuse_retry(place, &prepared, request.retry)?;
    prefix::register(place, &entered.identity, &prepared.state)?;
    keep(&prepared, place, request.locked)?;
    let unchanged = prepared.plan.changes.is_empty() && prepared.installed.is_some();
    let generation = match (&prepared.installed, unchanged) {
        (Some(installed), true) => installed.manifest.generation,
        _ => make(place, &prepared, request, report)?,
    };
    prefix::note_data(place, generation)?;
    if request.no_start {
        if !unchanged {
            commit_without_start(place, generation)?;
        }
    } else {
        service::switch(place, generation, report)?;
    }
    Hold::remove(&place.layout).map_err(at(&place.layout.hold()))?;
    let services = Manifest::services(&place.layout, generation)?;
    let urls: Vec<String> = services.services.iter().flat_map(|spec| spec.urls.clone()).collect();
    stamp::write(place, &prepared, generation, &urls)?;
    prefix::record(place, &format!("generation {generation}"))?;
    Ok(Summary {
        prefix: place.layout.root().to_owned(),
        profile: prepared.stack.profile.clone(),
        generation,
        changed: prepared.plan.changes,
        urls,
        seconds: begin.elapsed().as_secs_f64(),
        started: !request.no_start,
        warnings: prepared.loaded.warnings,
    })
}

/// What the arguments wish for.
///
/// # Errors
/// If a forced part's name is none.
pub fn wishes(place: &Place, request: &Request) -> OpResult<Wishes> {
    let forced = request.force.iter().map(|name| name.parse::<PartName>().map_err(OpError::usage));
    Ok(Wishes {
        locked: request.locked,
        upgrade: request.upgrade.clone(),
        anew: request.anew,
        forced: forced.collect::<OpResult<BTreeSet<_>>>()?,
        offline: place.choice.offline,
    })
}

/// What failed is not tried again with the same inputs: a cron job would flap.
fn refuse_retry(place: &Place, prepared: &Prepared, retry: bool) -> OpResult<()> {
    if retry {
        return Ok(());
    }
    let newest = generation::manifest::list(&place.layout).pop();
    let Some(number) = newest else { return Ok(()) };
    let Status::Failed { reason } = Status::read(&place.layout, number) else { return Ok(()) };
    // Room is no input, and may be there now.
    if tells_of_full_disk(&reason) {
        return Ok(());
    }
    let same = Manifest::read(&place.layout, number).is_ok_and(|made| made.definition == prepared.desired.definition);
    if !same {
        return Ok(());
    }
    Err(OpError::failed(format!("the same inputs were tried as generation {number}, and failed: {reason}")).hint(
        format!("change what was wrong and run again, or try the same once more: {} install --retry", place.command()),
    ))
}

/// Writes what was allotted and resolved; the lock only where it may change.
fn keep(prepared: &Prepared, place: &Place, locked: bool) -> OpResult<()> {
    prepared.state.save(&place.layout)?;
    if locked {
        return Ok(());
    }
    let profile = place.profile_name();
    let written = prepared.lock.write(&prepared.lock_path);
    written.map_err(|error| OpError::from(error).context(format!("profile `{profile}`")))?;
    Ok(())
}

/// Fetches, builds and seals; gives the number of the new generation.
fn make(place: &Place, prepared: &Prepared, request: &Request, report: &Reporter) -> OpResult<u32> {
    let layout = &place.layout;
    let store = Store::open(layout).map_err(at(&layout.store()))?;
    let cache_root = place.host.cache()?;
    let cache = Cache::open(&cache_root)?;
    let client = Client::new(&place.host, place.choice.offline)?;
    let number = generation::manifest::list(layout).last().map_or(1, |last| last + 1);
    let workshop = Workshop {
        layout,
        store: &store,
        host: &place.host,
        cache: &cache,
        client: &client,
        catalogue: &prepared.loaded.catalogue,
        logs: layout.log().join("install").join(number.to_string()),
        report: report.clone(),
        jobs: request.jobs.unwrap_or_else(processors),
        distrust: request.distrust,
        uv: Mutex::default(),
    };
    report.report(Event::Stage("fetching".into()));
    fetch::fetch(&workshop, prepared)?;
    report.report(Event::Stage("building".into()));
    let fresh = request.force.iter().any(|name| name == program::NAME);
    let (program, built) = std::thread::scope(|scope| {
        // Copying and syncing it takes about as long as building small parts.
        let program = scope.spawn(|| program::seal(&place.host, &store, fresh));
        let built = example::unpack(place, &prepared.stack, &prepared.desired, &prepared.loaded.catalogue, report)
            .and_then(|()| apply::schedule::build(&prepared.desired, &prepared.graph, &workshop).map_err(failed));
        (program.join(), built)
    });
    built?;
    let program = program.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let occasion = Occasion { verb: place.choice.verb.clone(), now: now(), program: Some(program) };
    let lock = prepared.lock.to_text()?;
    apply::generation::write(layout, &prepared.stack, &prepared.desired, &prepared.plan, &lock, &occasion)
        .map_err(at(&layout.generations()))
}

fn failed(failures: Vec<Failure>) -> OpError {
    let mut error = OpError::failed(match failures.len() {
        1 => "a part could not be built; nothing was changed".to_owned(),
        count => format!("{count} parts could not be built; nothing was changed"),
    });
    for failure in failures {
        error.lines.push(format!("{}: {}", failure.part, failure.error));
        if !failure.blocked.is_empty() {
            let blocked: Vec<&str> = failure.blocked.iter().map(PartName::as_str).collect();
            error.lines.push(format!("not begun, because they need `{}`: {}", failure.part, blocked.join(", ")));
        }
    }
    error.hint("what was built is kept: the next run goes on from there")
}

/// Nothing runs: commit follows at once.
fn commit_without_start(place: &Place, generation: u32) -> OpResult<()> {
    if crate::supervisor::client::Client::connect(&place.layout)?.is_some() {
        return Err(OpError::new(ErrorKind::Failed, "services are running, so --no-start cannot switch them")
            .hint(format!("stop them first: {} stop", place.command())));
    }
    generation::commit(&place.layout, generation).map_err(at(&place.layout.current()))?;
    Status::Committed.write(&place.layout, generation).map_err(at(&place.layout.generation(generation)))?;
    checkpoint::pass("journal-after-remove");
    Ok(())
}

/// How many processors there are.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Now, for records.
#[must_use]
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
