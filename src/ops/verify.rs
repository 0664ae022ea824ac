//! `verify`: re-hashes every file of the current generation and names each that is not as it was sealed; `--repair` makes exactly
//! those objects again, beside the damaged ones, and switches to them.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::digest::Digest;
use crate::generation::manifest::GenerationError;
use crate::generation::{self, Manifest};
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::install::{self, Request};
use crate::ops::place::Place;
use crate::ops::{plan, prepare};
use crate::progress::{Event, Reporter};
use crate::store::{Difference, Store, StorePath};
use crate::supervisor::client::Client;

/// What is wrong with one object.
#[derive(Debug, Clone, Serialize)]
pub struct Damage {
    /// The part; the supervising program is called `jove-install`.
    pub part: PartName,
    /// The object's folder.
    pub object: String,
    /// Each file that is not as it was sealed.
    pub differences: Vec<Difference>,
    /// Why the object as a whole cannot be compared, if so.
    pub reason: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// The generation.
    pub generation: u32,
    /// Objects that were compared.
    pub objects: usize,
    /// Files that were hashed.
    pub files: usize,
    /// Why the generation's own record cannot be used, if so.
    pub record: Option<String>,
    /// What is wrong with them.
    pub damage: Vec<Damage>,
    /// What else is not as it should be, for people: what runs, what the lock says.
    pub notes: Vec<String>,
    /// Whether it was mended.
    pub repaired: bool,
    /// How long it took.
    pub seconds: f64,
}

impl Findings {
    /// Whether all is as it was sealed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        (self.damage.is_empty() && self.record.is_none()) || self.repaired
    }
}

/// Looks at every file.
///
/// # Errors
/// If nothing is installed, or what is cannot be read.
pub fn verify(place: &Place, report: &Reporter) -> OpResult<Findings> {
    let begin = std::time::Instant::now();
    place.installed()?;
    let layout = &place.layout;
    let Some(number) = generation::current(layout) else {
        return Err(OpError::failed("no generation is committed, so there is nothing to compare with"));
    };
    let mut findings = Findings {
        generation: number,
        objects: 0,
        files: 0,
        record: None,
        damage: Vec::new(),
        notes: Vec::new(),
        repaired: false,
        seconds: 0.0,
    };
    let read = Manifest::read(layout, number).and_then(|read| Manifest::services(layout, number).map(|_| read));
    let manifest = match read {
        Ok(manifest) => manifest,
        Err(error @ GenerationError::Newer { .. }) => return Err(error.into()),
        Err(error) => {
            findings.record = Some(error.to_string());
            return Ok(findings);
        }
    };
    let store = Store::open(layout).map_err(at(&layout.store()))?;
    let program = manifest.program.iter().map(|folder| ("jove-install".parse::<PartName>(), folder.clone()));
    let parts = manifest.parts.iter().filter_map(|(name, part)| Some((Ok(name.clone()), part.object.clone()?)));
    for (name, folder) in parts.chain(program) {
        let name = name.map_err(OpError::failed)?;
        report.report(Event::Begin { task: folder.clone(), total: None });
        examine(&store, name, &folder, &mut findings);
        report.report(Event::End { task: folder });
    }
    notes(place, &manifest, &mut findings)?;
    findings.seconds = begin.elapsed().as_secs_f64();
    Ok(findings)
}

fn examine(store: &Store, part: PartName, object: &str, findings: &mut Findings) {
    findings.objects += 1;
    let compared = object.parse::<StorePath>().map_err(|error| error.to_string()).and_then(|path| {
        let manifest = store.manifest(&path).map_err(|error| error.to_string())?;
        findings.files += manifest.entries.len();
        store.verify(&path).map_err(|error| error.to_string())
    });
    match compared {
        Ok(differences) if differences.is_empty() => {}
        Ok(differences) => {
            findings.damage.push(Damage { part, object: object.to_owned(), differences, reason: None });
        }
        Err(reason) => {
            let reason = Some(reason);
            findings.damage.push(Damage { part, object: object.to_owned(), differences: Vec::new(), reason });
        }
    }
}

fn notes(place: &Place, manifest: &Manifest, findings: &mut Findings) -> OpResult<()> {
    let layout = &place.layout;
    if let Some(client) = Client::connect(layout)? {
        let running = client.status()?.generation;
        if running.is_some_and(|running| running != manifest.generation) {
            findings.notes.push(format!(
                "generation {} runs, {} is committed; `{} restart` brings them together",
                running.unwrap_or_default(),
                manifest.generation,
                place.command()
            ));
        }
    }
    let kept = std::fs::read(layout.generation(manifest.generation).join("jove.lock")).unwrap_or_default();
    if Digest::of(&kept) != manifest.lock {
        findings.notes.push("the generation's copy of jove.lock is not the one that it was made from".to_owned());
    } else if std::fs::read(prepare::lock_path(place)).is_ok_and(|lock| lock != kept) {
        findings.notes.push(format!("jove.lock changed since; `{}` brings it in", place.command()));
    }
    if rustix::process::geteuid().is_root() {
        findings.notes.push(
            "as root, read-only files are no protection: anything may have been changed and changed back".to_owned(),
        );
    }
    Ok(())
}

/// Makes what is damaged again and switches to it. Cached files are hashed again before they are used.
///
/// # Errors
/// If the definition changed since, or the parts cannot be made.
pub fn repair(place: &Place, findings: Findings, report: &Reporter) -> OpResult<Findings> {
    if findings.record.is_some() {
        let request = Request { anew: true, distrust: true, retry: true, release: true, ..Request::default() };
        install::install(place, &request, report)?;
        return Ok(Findings { repaired: true, ..findings });
    }
    if findings.damage.is_empty() {
        return Ok(findings);
    }
    let outlook = plan::plan(place, &prepare::Wishes { offline: place.choice.offline, ..Default::default() }, report)?;
    let damaged: BTreeSet<&PartName> = findings.damage.iter().map(|damage| &damage.part).collect();
    let forced: Vec<String> = damaged.iter().map(ToString::to_string).collect();
    let others: Vec<String> = outlook
        .changes
        .iter()
        .filter(|change| !damaged.contains(&change.part))
        .map(|change| change.part.to_string())
        .collect();
    if !others.is_empty() {
        let forces: Vec<String> = forced.iter().map(|part| format!("--force {part}")).collect();
        return Err(OpError::failed(format!(
            "the definition changed since the damaged generation was made ({})",
            others.join(", ")
        ))
        .hint(format!("bring in both: {} install {}", place.command(), forces.join(" "))));
    }
    install::install(
        place,
        &Request { force: forced, distrust: true, retry: true, release: true, ..Request::default() },
        report,
    )?;
    Ok(Findings { repaired: true, ..findings })
}
