//! Pins a part with packages: which provider serves it, and what that provider says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::lock::{Inputs as LockInputs, Lock, Pin, PinFile, Resolution};
use crate::name::PartName;
use crate::net::{Cache, Client};
use crate::ops::error::{OpError, OpResult};
use crate::ops::pin::offer::Offering;
use crate::ops::pin::{Pinning, interpreter, kept, platforms, text, upgrades, wants_resolution};
use crate::plan::ResolvedPackages;
use crate::platform::Platform;
use crate::profile::{Setting, Value};
use crate::progress::Event;
use crate::provider::{self, Candidate, Choice, Decided, Kit, Provider, Request};
use crate::recipe::ResolvedPart;
use crate::state::{self, State};

/// A pinned part: what it resolved to, which resolution it uses, and files that were looked at for it.
pub(super) struct PinnedPackages {
    pub(super) resolved: ResolvedPackages,
    pub(super) resolution: Digest,
    pub(super) inputs: Vec<PathBuf>,
}

/// What pinning by a provider works with.
pub(super) struct Bench {
    client: Client,
    cache: Cache,
    log: PathBuf,
}

impl Bench {
    /// For one part.
    pub(super) fn new(pinning: &Pinning<'_>, part: &PartName) -> OpResult<Self> {
        let place = pinning.place;
        let root = place.host.cache()?;
        Ok(Self {
            client: Client::new(&place.host, place.choice.offline)?,
            cache: Cache::open(&root)?,
            log: root.join("log").join(format!("lock-{}-{part}.log", place.profile_name())),
        })
    }

    /// It, as providers take it.
    pub(super) fn kit<'a>(&'a self, pinning: &'a Pinning<'_>) -> Kit<'a> {
        Kit {
            host: &pinning.place.host,
            client: &self.client,
            cache: &self.cache,
            report: pinning.report,
            log: &self.log,
            work: pinning.place.layout.root(),
            jobs: 4,
            distrust: false,
            lists: Some(pinning.lists),
        }
    }
}

/// What a part offers, as requests to providers.
pub(super) fn offered(pinning: &Pinning<'_>, part: &ResolvedPart) -> OpResult<Vec<Request>> {
    let user = part.brought_by.as_ref().and_then(|name| pinning.stack.part(name));
    let user = user.filter(|user| interpreter::has_conda(user) && part.name.as_str() == format!("{}-conda", user.name));
    let offering = Offering { part, user, host: &pinning.place.host, project: &pinning.stack.project.folder };
    offering.offers(&pinning.loaded.definition.sources)
}

/// Pins one part; what had to be resolved is added to the lock, what was chosen to the state.
pub(super) fn pin(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    lock: &mut Lock,
    state: &mut State,
) -> OpResult<PinnedPackages> {
    let of_part = |error: OpError| error.context(format!("the packages of `{}`", part.name));
    let place = pinning.place;
    let bench = Bench::new(pinning, &part.name)?;
    let kit = bench.kit(pinning);
    let (request, choice) = chosen(pinning, part, lock, state, &kit).map_err(of_part)?;
    let provider = request.provider();
    let platform = Platform::current();
    let asked = inputs(provider);
    if wants_resolution(pinning.wishes, part, lock, &platform, &asked)? {
        let resolution = resolve(pinning, part, provider, lock, &kit).map_err(of_part)?;
        lock.upsert(resolution);
    }
    platforms::pin(pinning, part, &request, &asked, lock, &kit)?;
    let Some(resolution) = lock.find(&part.recipe, &platform, &asked) else {
        return Err(OpError::failed(format!("the pins of `{}` were not found after they were made", part.name)));
    };
    if choice.is_new {
        pinning.report.report(Event::Note(format!("software of this prefix comes from {}", choice.chosen)));
    } else if !choice.chosen.passed.is_empty() {
        pinning.report.report(Event::Note(format!("software of `{}` comes from {}", part.name, choice.chosen)));
    }
    state.note_choice(&part.name, choice);
    let facts = provider.host_facts(&kit).map_err(OpError::from).map_err(of_part)?;
    if facts.is_empty() {
        state.host.remove(&part.name);
    } else {
        state.host.insert(part.name.clone(), facts.clone());
    }
    let inputs = match &request {
        Request::Archive(_) | Request::Deb(_) | Request::Git(_) => Vec::new(),
        Request::Conda(request) => request.files.clone(),
        Request::Host(programs) => programs.paths(&place.host).unwrap_or_default(),
        Request::Source(sources) => {
            let tools = sources.tools.paths(&place.host).unwrap_or_default();
            tools.into_iter().chain(sources.patches.iter().map(|(path, _)| path.clone())).collect()
        }
    };
    let pins = resolution.pins.iter().map(of_lock).collect();
    Ok(PinnedPackages { resolution: resolution.id, inputs, resolved: ResolvedPackages { request, pins, facts } })
}

/// The provider that serves a part, by the policy.
fn chosen(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    lock: &Lock,
    state: &State,
    kit: &Kit<'_>,
) -> OpResult<(Request, Choice)> {
    let offered = offered(pinning, part)?;
    let platform = Platform::current();
    let candidates: Vec<Candidate<'_>> = offered
        .iter()
        .map(|request| {
            let provider = request.provider();
            let reach = Box::new(move || provider.reachable(kit).map_err(|error| error.to_string()));
            Candidate { name: provider.name(), reach }
        })
        .collect();
    let order = order(&pinning.loaded.definition.sources)?;
    // The pins of this part; where the lock has none for this profile, those that another profile made of equal inputs.
    let used = lock.used_by(&pinning.place.profile_name(), &platform, &part.name);
    let used = used.and_then(|resolution| resolution.pins.first()).map(|pin| pin.provider.clone());
    let shared = || {
        let mut by_order = order.iter().filter_map(|word| offered.iter().find(|one| one.provider().name() == word));
        by_order.find(|one| lock.find(&part.recipe, &platform, &inputs(one.provider())).is_some())
    };
    let locked = used.or_else(|| shared().map(|request| request.provider().name().to_owned()));
    let forced = text(part, "provider").filter(|word| word != "auto");
    let decided = Decided {
        forced: forced.as_deref(),
        locked: locked.as_deref(),
        prefix: state.providers.get(state::PREFIX).map(String::as_str),
    };
    let choice = provider::choose(&candidates, &decided, &order).map_err(OpError::failed)?;
    drop(candidates);
    let request = offered.into_iter().find(|request| request.provider().name() == choice.chosen.provider);
    let request = request.ok_or_else(|| OpError::failed("the chosen provider is not offered"))?;
    Ok((request, choice))
}

/// `[sources] order`, else the order of this program.
///
/// # Errors
/// If it is no list of providers.
pub(in crate::ops) fn order(sources: &BTreeMap<String, Setting>) -> OpResult<Vec<String>> {
    Ok(said_order(sources)?.unwrap_or_else(|| provider::ORDER.map(str::to_owned).to_vec()))
}

/// `[sources] order`, if it is said.
///
/// # Errors
/// As [`order`].
pub(in crate::ops) fn said_order(sources: &BTreeMap<String, Setting>) -> OpResult<Option<Vec<String>>> {
    let Some(setting) = sources.get("order") else { return Ok(None) };
    let known = |word: &String| provider::ORDER.contains(&word.as_str());
    let wrong = || {
        OpError::failed("`[sources] order` is a list of providers")
            .hint(format!("the providers are {}", provider::ORDER.join(", ")))
    };
    let Value::List(list) = &setting.value else { return Err(wrong()) };
    let words: Option<Vec<String>> = list
        .iter()
        .map(|(word, _)| match word {
            Value::String(word) => Some(word.clone()).filter(known),
            _ => None,
        })
        .collect();
    words.map(Some).ok_or_else(wrong)
}

/// What the answer depends on, with the provider's word, so that pins of two providers never mix.
fn inputs(provider: &dyn Provider) -> LockInputs {
    let mut inputs = provider.inputs();
    inputs.insert("provider".to_owned(), vec![provider.name().to_owned()]);
    inputs
}

fn resolve(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    provider: &dyn Provider,
    lock: &Lock,
    kit: &Kit<'_>,
) -> OpResult<Resolution> {
    let platform = Platform::current();
    let asked = inputs(provider);
    let mut unknown = None;
    if pinning.wishes.offline && provider.name() != "host" {
        match kept::find(pinning, part, &platform, &asked) {
            // What the cache has of the channels, and those that are folders, may do.
            Err(error) if provider.name() == "conda" => unknown = Some(error),
            known => return known,
        }
    }
    pinning.report.report(Event::Stage(format!("locking {}", part.name)));
    let before = lock.used_by(&pinning.place.profile_name(), &platform, &part.name);
    let before = before.filter(|_| !upgrades(pinning.wishes, part));
    let before: Vec<provider::Pinned> = before.iter().flat_map(|before| &before.pins).map(of_lock).collect();
    let pins = provider.resolve(kit, &before).map_err(|error| unknown.unwrap_or_else(|| error.into()))?;
    let pins = pins.into_iter().map(|pin| to_lock(provider.name(), pin)).collect();
    let resolution = Resolution::new(part.recipe.clone(), platform, asked, pins);
    kept::keep(pinning, kit.cache, &resolution)?;
    Ok(resolution)
}

fn of_lock(pin: &Pin) -> provider::Pinned {
    let file = |file: &PinFile| provider::PinnedFile { file: file.file.clone(), sha256: file.sha256, size: file.size };
    provider::Pinned {
        name: pin.name.clone(),
        version: pin.version.clone(),
        place: pin.place.clone(),
        trust: pin.trust.clone(),
        files: pin.files.iter().map(file).collect(),
    }
}

pub(super) fn to_lock(provider: &str, pin: provider::Pinned) -> Pin {
    let file = |file: provider::PinnedFile| PinFile { file: file.file, sha256: file.sha256, size: file.size };
    Pin {
        name: pin.name,
        version: pin.version,
        provider: provider.to_owned(),
        place: pin.place,
        marker: None,
        trust: pin.trust,
        files: pin.files.into_iter().map(file).collect(),
    }
}
