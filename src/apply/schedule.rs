//! Hands tasks of the ready-queue to threads: as many at once as asked for, each as soon as what it needs is done.
//!
//! A task that fails stops what depends on it; the rest finish, and every failure is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use crate::apply::{BuildError, Failure, Made, Workshop, files, packages, python, step};
use crate::checkpoint;
use crate::graph::{Graph, Kind, Queue};
use crate::name::PartName;
use crate::plan::{Action, Desired, DesiredPart};
use crate::progress::Event;
use crate::store::{Build, Lookup, ObjectRecord, Sealed};

/// Builds every object that is not there, and seals all of them with one sync.
///
/// # Errors
/// Every part that failed, with the parts that could not be begun for it. Objects that were built are kept for the next run.
pub fn build(
    desired: &Desired,
    graph: &Graph<PartName>,
    workshop: &Workshop<'_>,
) -> Result<BTreeSet<PartName>, Vec<Failure>> {
    let mut queue = Queue::new(graph, Kind::Object);
    let mut made = BTreeMap::new();
    let mut failures = Vec::new();
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel::<(PartName, Result<Option<Sealed>, BuildError>)>();
        let mut running = 0;
        loop {
            while running < workshop.jobs.max(1) {
                let Some(name) = queue.next() else { break };
                let Some(part) = desired.parts.get(&name) else {
                    queue.done(&name);
                    continue;
                };
                let send = send.clone();
                running += 1;
                scope.spawn(move || {
                    let built = build_part(part, workshop);
                    // The receiver outlives every builder: it waits until `running` is 0.
                    let _ = send.send((part.name.clone(), built));
                });
            }
            if running == 0 {
                break;
            }
            let Ok((name, built)) = receive.recv() else { break };
            running -= 1;
            match built {
                Ok(sealed) => {
                    queue.done(&name);
                    made.extend(sealed.map(|sealed| (name, sealed)));
                }
                Err(error) => {
                    let blocked = queue.failed(&name);
                    failures.push(Failure { part: name, error, blocked });
                }
            }
        }
    });
    let names: BTreeSet<PartName> = made.keys().cloned().collect();
    if let Err(error) = workshop.store.commit(made.into_values().collect()) {
        let part = names.first().cloned().or_else(|| desired.order.first().cloned());
        failures.extend(part.map(|part| Failure { part, error: error.into(), blocked: Vec::new() }));
    }
    if failures.is_empty() { Ok(names) } else { Err(failures) }
}

fn build_part(part: &DesiredPart, workshop: &Workshop<'_>) -> Result<Option<Sealed>, BuildError> {
    let Some(object) = part.object.as_ref().filter(|object| !object.exists) else { return Ok(None) };
    let build = match workshop.store.lookup(&object.key, &part.name, object.path.serial() > 0)? {
        Lookup::Hit(_) => return Ok(None),
        Lookup::Miss(build) => build,
    };
    workshop.report.report(Event::Begin { task: part.name.to_string(), total: None });
    checkpoint::pass("object-before-build");
    let made = run(part, &object.action, &build, workshop)?;
    checkpoint::pass("object-after-build");
    let record = ObjectRecord {
        action: made.action.to_owned(),
        impure: object.impure.iter().cloned().chain(made.impure).collect(),
        facts: part.facts.clone().into_iter().chain(made.facts).collect(),
    };
    let sealed = build.finish(record, &made.known)?;
    workshop.report.report(Event::End { task: part.name.to_string() });
    Ok(Some(sealed))
}

fn run(part: &DesiredPart, action: &Action, build: &Build, workshop: &Workshop<'_>) -> Result<Made, BuildError> {
    match action {
        Action::Files(action) => files::make(action, build.folder(), workshop).map(|()| Made::by("files")),
        Action::Packages(action) => packages::make(part, action, build.folder(), workshop),
        Action::Python(action) => python::make(part, action, build.folder(), workshop),
        Action::Step(action) => step::make(part, action, build.folder(), workshop),
    }
}
