//! From files to a plan: the steps that change nothing, in the order of the design.
//!
//! `profile → parts → graph → lock → allot → plan`. What must be kept of it (ports and secrets allotted, pins resolved) is returned
//! for the caller to write or to drop.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::digest::Digest;
use crate::fs::Stamp;
use crate::generation::{self, Manifest};
use crate::graph::{Graph, Kind, Link};
use crate::lock::Lock;
use crate::name::{OptionName, PartName};
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::install::processors;
use crate::ops::mistake::Sound;
use crate::ops::pin::{self, Pinned, Pinning};
use crate::ops::place::Place;
use crate::ops::{format, mistake, program, refusal, stamp};
use crate::plan::change::{Installed, diff};
use crate::plan::{Desired, Plan, Snapshot, desire, source};
use crate::platform::Platform;
use crate::profile::{self, Definition, Request, Unloaded};
use crate::progress::Reporter;
use crate::provider::deb::lists::Lists;
use crate::recipe::{Allot, Catalogue, EdgeKind, Stack, Surroundings, Unresolved, resolve};
use crate::state::{Allotter, Identity, Registry, State, run};
use crate::store::Store;
use crate::text::SecretRef;

/// What a definition says, before anything of the prefix is looked at.
pub struct Loaded {
    /// The merged definition.
    pub definition: Definition,
    /// The recipes.
    pub catalogue: Catalogue,
    /// What is worth a look.
    pub warnings: Diagnostics,
}

/// Everything up to the plan.
pub struct Prepared {
    /// What was loaded.
    pub loaded: Loaded,
    /// With all references resolved.
    pub stack: Stack,
    /// The parts and their edges.
    pub graph: Graph<PartName>,
    /// The state with everything that was allotted.
    pub state: State,
    /// The lock with everything that was resolved.
    pub lock: Lock,
    /// Where the lock is kept.
    pub lock_path: PathBuf,
    /// With keys.
    pub desired: Desired,
    /// What is installed.
    pub installed: Option<Installed>,
    /// The difference.
    pub plan: Plan,
    /// The stamp of each file and folder whose change makes another plan, none newer than what was read.
    pub stamps: BTreeMap<PathBuf, Stamp>,
}

/// How much a preparation may do.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The lock may not change.
    pub locked: bool,
    /// `Some("*")` for everything, else a part.
    pub upgrade: Option<String>,
    /// What is installed cannot be read, and is to be replaced.
    pub anew: bool,
    /// Parts whose objects are to be made again.
    pub forced: BTreeSet<PartName>,
    /// Lock the foreign outside bytes only as far as they are locked: no network.
    pub offline: bool,
}

/// Loads and merges the layers.
///
/// # Errors
/// Everything that is wrong in the user's files.
pub fn load(place: &Place) -> OpResult<Loaded> {
    let catalogue = Catalogue::with_project(place.project.as_deref())?;
    let request = Request {
        profile: Some(place.profile.clone()),
        project: place.project.clone(),
        example_folder: place.layout.example(),
        config: place.host.config()?,
        vars: &place.host.vars,
        sets: &place.choice.sets,
        platform: Platform::current(),
        host_name: place.host.name.clone(),
        shipped: &catalogue,
    };
    let loaded = profile::load(&request);
    let (definition, mut warnings) = loaded.map_err(|unloaded| all_wrong(place, &catalogue, unloaded))?;
    if definition.parts.is_empty() {
        let message = format!("the project `{}` has no parts, so nothing is installed", definition.project.name);
        let hint =
            "`jove-install init --stdout` prints one to begin with, `jove-install recipe list` what parts can be";
        warnings.push(Diagnostic::warning(message).hint(hint));
    }
    Ok(Loaded { definition, catalogue, warnings })
}

/// Everything that is wrong: what cannot be merged, and the mistakes in what can. Ports and secrets for it are of no account.
fn all_wrong(place: &Place, catalogue: &Catalogue, unloaded: Unloaded) -> Diagnostics {
    let Unloaded { mut found, rest } = unloaded;
    let Some(rest) = rest else { return found };
    let mut nobody = Giver(Allotter::new(State::default(), "", BTreeSet::new()));
    let stack = match resolve(&rest, catalogue, &surroundings(place), &mut nobody) {
        Ok((stack, _)) => stack,
        Err(Unresolved { found: more, rest }) => {
            found.append(more);
            *rest
        }
    };
    mistake::all(found, &stack, &rest)
}

/// Goes all the way to the plan, and writes nothing but the cache of tools.
///
/// # Errors
/// Whatever stands in the way of a plan.
pub fn prepare(place: &Place, wishes: &Wishes, report: &Reporter) -> OpResult<Prepared> {
    let begin = jiff::Timestamp::now();
    let mut loaded = load(place)?;
    let mut state = State::load(&place.layout)?;
    format::note(&place.layout, &mut state);
    let (mut stack, state) = resolved(place, &mut loaded, state)?;
    check_wishes(&stack, wishes)?;
    refusal::check(&stack, place)?;
    // Before anything is asked for: these are the user's mistakes.
    let Sound { graph: mut graph_of_stack, asked } = mistake::none(&stack, &loaded.definition)?;
    let lock_path = lock_path(place);
    let lock = Lock::read(&lock_path)?.unwrap_or_default();
    let lists = Lists::default();
    let pinning = Pinning { place, loaded: &loaded, stack: &stack, wishes, report, asked: &asked, lists: &lists };
    let pinned = pin::pin(&pinning, lock, state)?;
    drop(lists);
    for (user, spare) in &pinned.awake {
        stack.wake(spare, user);
    }
    if !pinned.awake.is_empty() {
        graph_of_stack = graph(&stack)?;
    }
    let graph = graph_of_stack;
    let mut stamps = BTreeMap::new();
    let trees = trees(&loaded, &stack, &mut stamps)?;
    let snapshot = snapshot(place, trees, &pinned, wishes)?;
    let desired = desire(&stack, &graph, &snapshot)?;
    check_pure(&stack, &desired)?;
    check_secrets(&stack, &pinned.state)?;
    let installed = if wishes.anew { None } else { installed(place)? };
    let plan = diff(&desired, installed.as_ref());
    let files = loaded.definition.inputs.iter().cloned().chain(loaded.catalogue.inputs()).chain(pinned.inputs);
    stamps.extend(files.map(|path| (path.clone(), stamp::look_before(&path, begin))));
    Ok(Prepared {
        loaded,
        stack,
        graph,
        state: pinned.state,
        lock: pinned.lock,
        lock_path,
        desired,
        installed,
        plan,
        stamps,
    })
}

/// Types options and resolves references, with ports and secrets allotted in a copy of the state.
///
/// # Errors
/// Everything that is wrong in the definition.
pub fn resolved(place: &Place, loaded: &mut Loaded, state: State) -> OpResult<(Stack, State)> {
    let id = identity_seed(place)?;
    let taken = Registry::new(place.host.registry()?).taken_ports(&id);
    let allotter = Allotter::new(state, &id, taken);
    let mut giver = Giver(allotter);
    let resolved = resolve(&loaded.definition, &loaded.catalogue, &surroundings(place), &mut giver);
    let (stack, warnings) =
        resolved.map_err(|Unresolved { found, rest }| mistake::all(found, &rest, &loaded.definition))?;
    loaded.warnings.append(warnings);
    Ok((stack, giver.0.into_state()))
}

fn surroundings(place: &Place) -> Surroundings<'_> {
    Surroundings {
        layout: &place.layout,
        run: run_folder(place),
        platform: Platform::current(),
        host_name: &place.host.name,
        processors: processors(),
        vars: &place.host.vars,
        home: place.host.home().ok(),
    }
}

/// Gives what references ask for from a copy of the state.
struct Giver(Allotter);

impl Allot for Giver {
    fn port(&mut self, part: &PartName, option: &OptionName) -> u16 {
        self.0.port(part, option)
    }

    fn secret(&mut self, part: &PartName, option: &OptionName) -> SecretRef {
        self.0.secret(part, option)
    }

    fn secret_given(&mut self, part: &PartName, option: &OptionName, word: &str) -> SecretRef {
        self.0.secret_given(part, option, word)
    }
}

/// What ports start from: the prefix's identity; before there is one, its path.
fn identity_seed(place: &Place) -> OpResult<String> {
    let identity = Identity::open(&place.layout)?;
    Ok(identity
        .map_or_else(|| Digest::of(place.layout.root().as_os_str().as_encoded_bytes()).short(), |identity| identity.id))
}

/// The graph of a stack; cycles of objects and of starts are mistakes.
///
/// # Errors
/// The cycle, drawn.
pub fn graph(stack: &Stack) -> Result<Graph<PartName>, Diagnostics> {
    let links = stack.parts.values().flat_map(|part| {
        part.edges.iter().map(|edge| Link {
            from: part.name.clone(),
            to: edge.to.clone(),
            kind: match edge.kind {
                EdgeKind::Value => Kind::Value,
                EdgeKind::Object => Kind::Object,
                EdgeKind::Start => Kind::Start,
            },
            origin: Some(edge.origin.clone()),
        })
    });
    Graph::build(stack.parts.keys().cloned(), links.collect(), &[Kind::Object, Kind::Start])
        .map_err(|cycles| cycles.to_diagnostics())
}

/// Where the lock is kept: beside the project's `jove.toml`, else in the prefix.
#[must_use]
pub fn lock_path(place: &Place) -> PathBuf {
    place.project.as_ref().map_or_else(|| place.layout.lock(), |folder| folder.join("jove.lock"))
}

/// What is installed, if anything is.
///
/// # Errors
/// If the committed generation cannot be read.
pub fn installed(place: &Place) -> OpResult<Option<Installed>> {
    let Some(number) = generation::current(&place.layout) else { return Ok(None) };
    let manifest = Manifest::read(&place.layout, number)?;
    let services = Manifest::services(&place.layout, number)?;
    Ok(Some(Installed { manifest, services }))
}

fn snapshot(place: &Place, trees: BTreeMap<PathBuf, Digest>, pinned: &Pinned, wishes: &Wishes) -> OpResult<Snapshot> {
    let store = Store::open(&place.layout).map_err(at(&place.layout.store()))?;
    Ok(Snapshot {
        platform: Platform::current(),
        store: place.layout.store(),
        run: run_folder(place),
        objects: store.index(),
        forced: wishes.forced.clone(),
        python: pinned.python.clone(),
        packages: pinned.packages.clone(),
        trees,
    })
}

/// The real run folder. An install makes it before it plans, so that a plan before that may only differ for a long path.
fn run_folder(place: &Place) -> PathBuf {
    run::existing(&place.layout).unwrap_or_else(|| place.layout.run())
}

/// The digest of every file and folder that is copied or read by a step.
fn trees(loaded: &Loaded, stack: &Stack, stamps: &mut BTreeMap<PathBuf, Stamp>) -> OpResult<BTreeMap<PathBuf, Digest>> {
    let mut trees = BTreeMap::new();
    for part in stack.parts.values() {
        for (folder, origin) in mistake::sources(part) {
            if trees.contains_key(&folder) {
                continue;
            }
            if loaded.definition.project.example.is_none() {
                // Before it is read: a change in between is then seen by the next run.
                stamps.insert(folder.clone(), stamp::look(&folder));
            }
            let digest = match source::digest(&folder, &loaded.definition.project, &loaded.catalogue) {
                Ok(digest) => digest,
                // Taken away since it was looked for.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Diagnostics::from(mistake::absence(part, &folder, origin)).into());
                }
                Err(error) => return Err(at(&folder)(error)),
            };
            trees.insert(folder, digest);
        }
    }
    Ok(trees)
}

/// `[require] pure = true`: no object may depend on this machine.
fn check_pure(stack: &Stack, desired: &Desired) -> OpResult<()> {
    let mut required = stack.facts_required.iter();
    let required =
        required.find(|requirement| requirement.subject == "pure" && requirement.value == profile::Value::Bool(true));
    let Some(required) = required else { return Ok(()) };
    let impure = desired.parts.values().filter_map(|part| {
        let object = part.object.as_ref().filter(|object| !object.impure.is_empty())?;
        let reasons: Vec<&str> = object.impure.iter().map(String::as_str).collect();
        let message = format!("`{}` depends on this machine: {}", part.name, reasons.join("; "));
        Some(Diagnostic::error(message).at(&required.origin, "required here"))
    });
    let wrong = Diagnostics(impure.collect());
    if wrong.has_errors() { Err(wrong.into()) } else { Ok(()) }
}

/// `[require] demo_secrets = false`: no secret may be one that anybody would try.
fn check_secrets(stack: &Stack, state: &State) -> OpResult<()> {
    let is_meant = |requirement: &&profile::Requirement| {
        requirement.subject == "demo_secrets" && requirement.value == profile::Value::Bool(false)
    };
    let Some(required) = stack.facts_required.iter().find(is_meant) else { return Ok(()) };
    let of_part = |key: &str| key.split_once('.').is_some_and(|(part, _)| stack.parts.contains_key(part));
    let weak = state.secrets.iter().filter(|(key, entry)| of_part(key) && entry.is_guessable());
    let wrong = Diagnostics(
        weak.map(|(key, _)| {
            let said =
                format!("the secret `{key}` is one that anybody would try, which profile `{}` refuses", stack.profile);
            let said = Diagnostic::error(said).at(&required.origin, "required here");
            said.hint(format!("have one made: jove-install secret rotate {key}"))
        })
        .collect(),
    );
    if wrong.has_errors() { Err(wrong.into()) } else { Ok(()) }
}

/// Parts that the command line names must be there.
fn check_wishes(stack: &Stack, wishes: &Wishes) -> OpResult<()> {
    let forced = wishes.forced.iter().map(PartName::as_str).filter(|name| *name != program::NAME);
    for name in forced.chain(wishes.upgrade.as_deref().filter(|name| *name != "*")) {
        part_named(stack, name)?;
    }
    Ok(())
}

/// The part of that name.
///
/// # Errors
/// If there is none: with the nearest.
pub fn part_named(stack: &Stack, name: &str) -> OpResult<PartName> {
    if let Some((name, _)) = stack.parts.get_key_value(name).or_else(|| stack.spare.get_key_value(name)) {
        return Ok(name.clone());
    }
    let error = OpError::usage(format!("there is no part `{name}`"));
    Err(match crate::name::nearest(name, stack.parts.keys().map(PartName::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`jove-install graph` shows the parts"),
    })
}
