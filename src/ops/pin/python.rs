//! Pins a Python part: its interpreter, and its packages through the resolver of the Python package index.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::lock::{Inputs as LockInputs, Lock, Pin, PinFile, Resolution};
use crate::net::{Cache, Client};
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::pin::interpreter::{self, Found};
use crate::ops::pin::{Pinned, Pinning, kept, upgrades, wants_resolution};
use crate::plan::ResolvedPython;
use crate::platform::Platform;
use crate::progress::Event;
use crate::pypi::{self, Chooser, Gathered, Index, Interpreter, Kit, Upgrade, Uv};
use crate::recipe::ResolvedPart;

/// A pinned part: what it resolved to, which resolution it uses, and files that were read for it.
pub(super) struct PinnedPython {
    pub(super) resolved: ResolvedPython,
    pub(super) resolution: Digest,
    pub(super) inputs: Vec<PathBuf>,
}

/// Pins one part; what had to be resolved is added to the lock.
pub(super) fn pin(pinning: &Pinning<'_>, part: &ResolvedPart, pinned: &mut Pinned) -> OpResult<PinnedPython> {
    let platform = Platform::current();
    let Some(asked_for) = pinning.asked.get(&part.name) else {
        return Err(OpError::failed(format!("what `{}` asks for was not read", part.name)));
    };
    let Found { interpreter, from, brings } = interpreter::find(pinning, part, &asked_for.python, pinned)?;
    let mut gathered = asked_for.gathered.clone();
    let asked = lock_inputs(&interpreter, &gathered, &brings)?;
    if wants_resolution(pinning.wishes, part, &pinned.lock, &platform, &asked)? {
        interpreter::ready(pinning, part, &interpreter, &from, pinned)?;
        if from.is_shared() {
            gathered.brought = pypi::brought(&pinning.place.host, &interpreter)?;
        }
        let resolution = resolve(pinning, part, &interpreter, &gathered, &pinned.lock, asked.clone())?;
        pinned.lock.upsert(resolution);
    }
    let Some(resolution) = pinned.lock.find(&part.recipe, &platform, &asked) else {
        return Err(OpError::failed(format!("the pins of `{}` were not found after they were made", part.name)));
    };
    let packages = choose(part, &interpreter, resolution)?;
    Ok(PinnedPython {
        resolution: resolution.id,
        inputs: gathered.files,
        resolved: ResolvedPython { interpreter, from, packages, editable: gathered.editable, build: gathered.build },
    })
}

/// What the answer depends on: the requirements, the interpreter's minor version, and what it has already.
fn lock_inputs(interpreter: &Interpreter, gathered: &Gathered, brings: &[String]) -> OpResult<LockInputs> {
    let (major, minor) = interpreter.minor();
    let lines = |lines: &[pypi::Line]| lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
    let mut inputs = LockInputs::from([
        ("python".to_owned(), vec![format!("{}-{major}.{minor}", interpreter.implementation)]),
        ("requirements".to_owned(), lines(&gathered.requirements)),
        ("brought".to_owned(), brings.to_vec()),
        ("constraints".to_owned(), lines(&gathered.constraints)),
        ("build".to_owned(), gathered.build.iter().map(ToString::to_string).collect()),
    ]);
    let mut editable = Vec::new();
    for source in &gathered.editable {
        let digest = project_digest(&source.folder)?;
        editable.push(format!("{} [{}]", digest.short(), source.extras.join(",")));
    }
    inputs.insert("editable".to_owned(), editable);
    inputs.retain(|_, list| !list.is_empty());
    Ok(inputs)
}

/// The digest of what says which packages a project needs.
fn project_digest(folder: &Path) -> OpResult<Digest> {
    let mut digests = BTreeMap::new();
    for name in ["pyproject.toml", "setup.cfg", "setup.py"] {
        match std::fs::read(folder.join(name)) {
            Ok(bytes) => drop(digests.insert(name, Digest::of(bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&folder.join(name))(error)),
        }
    }
    Ok(Digest::of_json(&digests))
}

/// The file of each package that this interpreter takes.
fn choose(
    part: &ResolvedPart,
    interpreter: &Interpreter,
    resolution: &Resolution,
) -> OpResult<Vec<(pypi::Pinned, pypi::PinnedFile)>> {
    let chooser = Chooser::new(interpreter);
    let mut error: Option<OpError> = None;
    let mut chosen = Vec::new();
    for pin in &resolution.pins {
        let pin = of_lock(pin)?;
        match chooser.choose(&pin) {
            Ok(file) => chosen.push((pin.clone(), file.clone())),
            Err(none) => match &mut error {
                Some(error) => error.lines.push(none.to_string()),
                None => error = Some(OpError::failed(none).context(format!("the packages of `{}`", part.name))),
            },
        }
    }
    error.map_or(Ok(chosen), Err)
}

fn of_lock(pin: &Pin) -> OpResult<pypi::Pinned> {
    let file = |file: &PinFile| pypi::PinnedFile { file: file.file.clone(), sha256: file.sha256, size: file.size };
    Ok(pypi::Pinned {
        name: pin.name.parse().map_err(OpError::failed)?,
        version: pin.version.clone(),
        files: pin.files.iter().map(file).collect(),
        marker: pin.marker.clone(),
    })
}

fn to_lock(pin: pypi::Pinned) -> Pin {
    let file = |file: pypi::PinnedFile| PinFile { file: file.file, sha256: file.sha256, size: file.size };
    Pin {
        name: pin.name.to_string(),
        version: pin.version,
        provider: "pypi".to_owned(),
        place: None,
        marker: pin.marker,
        trust: "index digest".to_owned(),
        files: pin.files.into_iter().map(file).collect(),
    }
}

/// Asks the resolver; what was pinned before is preferred unless it is to be upgraded.
fn resolve(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    interpreter: &Interpreter,
    gathered: &Gathered,
    lock: &Lock,
    asked: LockInputs,
) -> OpResult<Resolution> {
    let place = pinning.place;
    let platform = Platform::current();
    if pinning.wishes.offline {
        return kept::find(pinning, part, &platform, &asked);
    }
    let cache_root = place.host.cache()?;
    let cache = Cache::open(&cache_root)?;
    pinning.report.report(Event::Stage(format!("locking {}", part.name)));
    let client = Client::new(&place.host, false)?;
    let uv = Uv::ensure(&place.host, &client, &cache, Some(interpreter), pinning.report)?;
    let index = Index::discover(&place.host, Some(interpreter), Some(&uv))?;
    let log = cache.root().join("log").join(format!("lock-{}-{}.log", place.profile_name(), part.name));
    let kit = Kit {
        host: &place.host,
        client: &client,
        cache: &cache,
        uv: &uv,
        index: &index,
        interpreter,
        report: pinning.report,
        log: &log,
    };
    let previous = lock.used_by(&place.profile_name(), &platform, &part.name);
    let previous: Vec<pypi::Pinned> =
        previous.iter().flat_map(|previous| &previous.pins).map(of_lock).collect::<OpResult<_>>()?;
    let upgrade = if upgrades(pinning.wishes, part) { Upgrade::All } else { Upgrade::None };
    let pins = pypi::resolve(&kit, gathered, &previous, &upgrade)
        .map_err(|error| OpError::from(error).context(format!("resolving the packages of `{}`", part.name)))?;
    let resolution = Resolution::new(part.recipe.clone(), platform, asked, pins.into_iter().map(to_lock).collect());
    kept::keep(pinning, &cache, &resolution)?;
    Ok(resolution)
}
