//! From a definition to a stack: every option typed, every reference resolved, everything wrong in one run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
use crate::layout::Layout;
use crate::name::{OptionName, PartName};
use crate::platform::Platform;
use crate::profile::Definition;
use crate::recipe::Catalogue;
use crate::recipe::evaluate::{Evaluator, Place, Slot, World};
use crate::recipe::make::Maker;
use crate::recipe::schema::{Action, OptionType};
use crate::recipe::select::{Layers, select};
use crate::recipe::stack::{Edge, EdgeKind, OptionValue, ResolvedOption, ResolvedPart, Stack};
use crate::recipe::{need, require, site};
use crate::service::ServiceSpec;
use crate::text::SecretRef;

/// Gives what is allotted once and kept in `state.toml`.
pub trait Allot {
    /// The port of an option that says `"auto"`.
    fn port(&mut self, part: &PartName, option: &OptionName) -> u16;
    /// The secret of an option that says `"generate"`.
    fn secret(&mut self, part: &PartName, option: &OptionName) -> SecretRef;
    /// The secret of an option whose word comes from a process variable: kept in `state.toml` under a version that
    /// changes when the word does.
    fn secret_given(&mut self, part: &PartName, option: &OptionName, word: &str) -> SecretRef;
}

/// What a definition's values may refer to besides parts.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// The prefix.
    pub layout: &'a Layout,
    /// The folder of sockets: `<prefix>/run`, or a short one where that path is long.
    pub run: PathBuf,
    /// `${host.platform}`.
    pub platform: Platform,
    /// `${host.name}`.
    pub host_name: &'a str,
    /// How many processors there are for what runs here.
    pub processors: usize,
    /// `${vars.NAME}`.
    pub vars: &'a BTreeMap<String, String>,
    /// What `~` means, and `HOME` of services.
    pub home: Option<PathBuf>,
}

/// A definition that says something wrong.
#[derive(Debug)]
pub struct Unresolved {
    /// What is wrong.
    pub found: Diagnostics,
    /// All that could be resolved, to look for more mistakes in: an option that is wrong has no value in it.
    pub rest: Box<Stack>,
}

impl From<Unresolved> for Diagnostics {
    fn from(unresolved: Unresolved) -> Self {
        unresolved.found
    }
}

/// Resolves a definition. The diagnostics beside the stack are warnings.
///
/// # Errors
/// Everything that is wrong, in the order of the layers and of their lines.
pub fn resolve(
    definition: &Definition,
    catalogue: &Catalogue,
    surroundings: &Surroundings<'_>,
    allot: &mut dyn Allot,
) -> Result<(Stack, Diagnostics), Unresolved> {
    let mut wrong = Diagnostics::default();
    let layers = Layers::new(definition);
    let parts = select(definition, catalogue, &layers, &mut wrong);
    let names: Vec<PartName> = parts.iter().map(|part| part.name.clone()).collect();
    let index = names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let world = World { definition, catalogue, surroundings, layers, parts, index };

    let mut evaluator = Evaluator::new(&world, allot);
    evaluator.wrong = wrong;
    evaluator.all();
    let mut maker = Maker::default();
    let mut bodies: Vec<Body> = (0..world.parts.len()).map(|part| body(&mut evaluator, part, &mut maker)).collect();
    let mut services: Vec<Vec<ServiceSpec>> =
        bodies.iter_mut().map(|body| std::mem::take(&mut body.part.services)).collect();
    let starts = need::add_written(&world, &mut services, &mut evaluator.wrong);
    site::twice(&mut evaluator);
    let facts_required = require::check(&mut evaluator);

    let Evaluator { wrong, vars_used, secret_vars, edges, slots, .. } = evaluator;
    let found = in_order(wrong, &world.layers);
    let spare = spare(&world, &edges);
    for (part, edges) in edges.into_iter().enumerate() {
        let edges = edges.into_iter().filter(|((_, to), _)| !spare.contains(to));
        let kinds = edges.map(|((kind, to), origin)| (kind, to, origin));
        let starts = starts[part].iter().map(|(to, origin)| (EdgeKind::Start, *to, origin.clone()));
        bodies[part].part.edges = sorted(&world, kinds.chain(starts).collect());
    }
    let made = bodies.into_iter().zip(services).zip(slots).enumerate();
    let made = made.map(|(part, ((body, services), slots))| (part, finish(&world, part, body, services, slots)));
    let (apart, made): (Vec<_>, Vec<_>) = made.partition(|(part, _)| spare.contains(part));
    let by_name =
        |parts: Vec<(usize, ResolvedPart)>| parts.into_iter().map(|(_, part)| (part.name.clone(), part)).collect();
    let stack = Stack {
        profile: definition.profile.clone(),
        project: definition.project.clone(),
        parts: by_name(made),
        spare: by_name(apart),
        vars_used,
        secret_vars,
        facts_required,
    };
    if found.has_errors() {
        return Err(Unresolved { found, rest: Box::new(stack) });
    }
    Ok((stack, found))
}

/// The parts that wait until pinning needs them. One whose object is referred to by more than those for which it is brought is
/// no spare.
fn spare<E>(world: &World<'_>, edges: &[BTreeMap<(EdgeKind, usize), E>]) -> BTreeSet<usize> {
    let is_used = |wanted: usize| {
        let users = edges.iter().enumerate().filter(|(_, edges)| edges.keys().any(|(_, to)| *to == wanted));
        users.map(|(user, _)| world.parts[user].recipe).any(|recipe| recipe.action != Action::Python)
    };
    let spare = world.parts.iter().enumerate().filter(|(_, part)| part.is_spare).map(|(index, _)| index);
    spare.filter(|index| !is_used(*index)).collect()
}

/// A part without options and exports, which are moved in last.
struct Body {
    part: ResolvedPart,
}

fn body(evaluator: &mut Evaluator<'_, '_>, part: usize, maker: &mut Maker) -> Body {
    let active = &evaluator.world.parts[part];
    let recipe = active.recipe;
    let place = Place::of(part);
    let data = evaluator.folder_list(&place, recipe.data.folders.as_ref()).unwrap_or_default();
    let version = recipe.data.version.as_ref().map(|written| evaluator.plain(&place, written, "the version of data"));
    Body {
        part: ResolvedPart {
            name: active.name.clone(),
            recipe: recipe.name.clone(),
            action: recipe.action.word().to_owned(),
            refuses_root: recipe.refuses_root,
            refuses_in_paths: recipe.refuses_in_paths.clone(),
            brought_by: active.brought_by.clone(),
            origin: active.origin.clone(),
            options: BTreeMap::new(),
            exports: BTreeMap::new(),
            files: evaluator.files(part, maker),
            sources: evaluator.sources(part),
            services: evaluator.services(part),
            promises: evaluator.promises(part),
            data,
            data_version: version.and_then(Result::ok),
            data_format: recipe.data.format.clone(),
            data_commands: evaluator.data_commands(part),
            edges: Vec::new(),
        },
    }
}

fn finish(world: &World<'_>, part: usize, body: Body, services: Vec<ServiceSpec>, slots: Vec<Slot>) -> ResolvedPart {
    let active = &world.parts[part];
    let mut values = slots.into_iter().map(|slot| match slot {
        Slot::Done(value) => value,
        // A failure was told: whoever takes this stack looks for mistakes only.
        Slot::Empty | Slot::Busy | Slot::Failed => OptionValue::None,
    });
    let mut made = ResolvedPart { services, ..body.part };
    for ((spec, chosen), value) in active.recipe.options.iter().zip(&active.chosen).zip(values.by_ref()) {
        let mut overridden = chosen.overridden(spec, &world.layers);
        let mut written = chosen.value.as_ref().map(|(value, _)| value.clone().into_owned());
        if spec.kind == OptionType::Secret {
            // What is overridden may be a word that should never have been written.
            overridden.clear();
            written = written.filter(|_| chosen.is_default);
        }
        let origin = chosen.value.as_ref().filter(|_| !chosen.is_default).map(|(_, origin)| (*origin).clone());
        made.options.insert(spec.name.clone(), ResolvedOption { value, origin, overridden, written });
    }
    made.exports = active.recipe.exports.iter().map(|(name, _)| name.clone()).zip(values).collect();
    made
}

/// Each pair of kind and target once, at its first place.
fn sorted(world: &World<'_>, edges: Vec<(EdgeKind, usize, Origin)>) -> Vec<Edge> {
    let mut found: BTreeMap<(EdgeKind, &PartName), Origin> = BTreeMap::new();
    for (kind, to, origin) in edges {
        found.entry((kind, &world.parts[to].name)).or_insert(origin);
    }
    found.into_iter().map(|((kind, to), origin)| Edge { kind, to: to.clone(), origin }).collect()
}

/// Mistakes in the order of the layers and of their lines, each once.
fn in_order(wrong: Diagnostics, layers: &Layers) -> Diagnostics {
    let place = |said: &Diagnostic| {
        let label = said.labels.first();
        label.map_or((usize::MAX, String::new(), 0), |label| {
            (layers.rank(&label.origin), label.origin.source.name.clone(), label.origin.span.start)
        })
    };
    let mut found = wrong.0;
    found.sort_by_cached_key(|said| (said.severity == Severity::Warning, place(said)));
    found.dedup();
    Diagnostics(found)
}
