//! Which parts there are, brought ones included, and which of several settings holds for each option.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::name::{OptionName, PartName};
use crate::profile::edit;
use crate::profile::{Definition, Need, Part, Setting, Value};
use crate::recipe::Catalogue;
use crate::recipe::schema::{OptionSpec, OptionType, Recipe, Written};
use crate::recipe::{bring, checkout, site};

/// A part that is active, before its values are resolved.
pub(super) struct Active<'a> {
    pub(super) name: PartName,
    pub(super) recipe: &'a Recipe,
    pub(super) origin: Origin,
    pub(super) brought_by: Option<PartName>,
    /// Whether it is only made where pinning finds that it is needed.
    pub(super) is_spare: bool,
    pub(super) needs: &'a [Need],
    /// See [`Part::is_whole`].
    pub(super) is_whole: bool,
    /// For each option of the recipe, in its order.
    pub(super) chosen: Vec<Chosen<'a>>,
    /// The parts that serve it, by the word of `${.services.WORD.…}`, and where that was said.
    pub(super) links: BTreeMap<String, (usize, Origin)>,
}

/// What holds for one option.
pub(super) struct Chosen<'a> {
    /// The value and its place; `None` if nobody gives one.
    pub(super) value: Option<(Cow<'a, Value>, &'a Origin)>,
    /// The part whose options `${.x}` means: the part itself, or who brought it.
    pub(super) scope: usize,
    /// Whether the recipe's default holds.
    pub(super) is_default: bool,
    part: Option<&'a Setting>,
    table: Option<&'a Setting>,
    brought: Option<&'a Written>,
}

impl Chosen<'_> {
    /// All that was set below what holds, nearest first. `layer_of` tells the layer of a place.
    pub(super) fn overridden(&self, spec: &OptionSpec, layers: &Layers) -> Vec<(Value, Origin)> {
        if self.is_default {
            return Vec::new();
        }
        let mut all: Vec<(usize, usize, &Value, &Origin)> = Vec::new();
        for (setting, rank) in [(self.part, 1), (self.table, 0)] {
            let Some(setting) = setting else { continue };
            let below = setting.overridden.iter().map(|(value, origin)| (value, origin));
            let chain = std::iter::once((&setting.value, &setting.origin)).chain(below);
            all.extend(chain.map(|(value, origin)| (layers.of(origin) + 1, rank, value, origin)));
        }
        // Within one layer the part's own stands above its recipe's table; a stable sort keeps each chain's own order.
        all.sort_by_key(|(layer, rank, ..)| std::cmp::Reverse((*layer, *rank)));
        let below = [self.brought, spec.default.as_ref()];
        let below = below.into_iter().flatten().map(|(value, origin)| (value, origin));
        let all = all.into_iter().map(|(_, _, value, origin)| (value, origin)).chain(below);
        // What holds is no part of it.
        all.skip(1).map(|(value, origin)| (value.clone(), origin.clone())).collect()
    }
}

/// The position of each source among the layers, looked up without a walk.
pub(super) struct Layers(HashMap<*const Source, usize>);

impl Layers {
    pub(super) fn new(definition: &Definition) -> Self {
        let layers = definition.layers.iter().enumerate();
        Self(layers.map(|(index, layer)| (Arc::as_ptr(&layer.source), index)).collect())
    }

    pub(super) fn of(&self, origin: &Origin) -> usize {
        self.0.get(&Arc::as_ptr(&origin.source)).copied().unwrap_or(0)
    }

    /// Where a place stands when all mistakes are told in order: layers first, then recipes.
    pub(super) fn rank(&self, origin: &Origin) -> usize {
        self.0.get(&Arc::as_ptr(&origin.source)).copied().unwrap_or(usize::MAX)
    }
}

/// Finds the active parts and chooses their settings.
pub(super) fn select<'a>(
    definition: &'a Definition,
    catalogue: &'a Catalogue,
    layers: &Layers,
    wrong: &mut Diagnostics,
) -> Vec<Active<'a>> {
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    let mut active = Vec::new();
    for part in definition.parts.values() {
        if part.is_abstract || part.off.is_some() {
            continue;
        }
        let Some((name, origin)) = &part.recipe else { continue };
        match catalogue.find(name) {
            Some(Ok(recipe)) => active.push(activate(definition, layers, part, recipe, active.len(), wrong)),
            Some(Err(said)) => {
                if broken.insert(name) {
                    wrong.append(said.clone());
                }
            }
            None => {
                let said =
                    Diagnostic::error(format!("there is no recipe called `{name}`")).at(origin, "unknown recipe");
                wrong.push(said.nearest(name, catalogue.names()).hint("`jove-install recipe list` shows them all"));
            }
        }
    }
    bring::bring(definition, catalogue, layers, &mut active, wrong);
    checkout::check_out(definition, catalogue, layers, &mut active, wrong);
    site::name_sites(&mut active, wrong);
    unmade(definition, &active, wrong);
    tables(definition, catalogue, wrong);
    active
}

fn activate<'a>(
    definition: &'a Definition,
    layers: &Layers,
    part: &'a Part,
    recipe: &'a Recipe,
    index: usize,
    wrong: &mut Diagnostics,
) -> Active<'a> {
    unknown_options(&part.options, recipe, wrong);
    let table = definition.recipes.get(&recipe.name);
    let chosen = recipe.options.iter().map(|spec| {
        let table = table.and_then(|table| table.get(&spec.name));
        choose(layers, spec, part.options.get(&spec.name), table, None, index, wrong)
    });
    Active {
        name: part.name.clone(),
        recipe,
        origin: part.origin.clone(),
        brought_by: None,
        is_spare: false,
        needs: &part.needs,
        is_whole: part.is_whole,
        chosen: chosen.collect(),
        links: BTreeMap::new(),
    }
}

pub(super) fn choose<'a>(
    layers: &Layers,
    spec: &'a OptionSpec,
    part: Option<&'a Setting>,
    table: Option<&'a Setting>,
    brought: Option<(&'a Written, usize)>,
    index: usize,
    wrong: &mut Diagnostics,
) -> Chosen<'a> {
    let (first, second) = match (part, table) {
        (Some(part), Some(table)) if layers.of(&table.origin) > layers.of(&part.origin) => (Some(table), Some(part)),
        (Some(part), table) => (Some(part), table),
        (None, table) => (table, None),
    };
    let scope = brought.map_or(index, |(_, bringer)| bringer);
    let brought = brought.map(|(written, _)| written);
    let below = brought.or(spec.default.as_ref());
    let mut chosen = Chosen { value: None, scope: index, is_default: false, part, table, brought };
    match first {
        Some(setting) => {
            let value = over(spec, setting, second, below, wrong);
            chosen.value = Some((value.map_or(Cow::Borrowed(&setting.value), Cow::Owned), &setting.origin));
        }
        None => {
            chosen.value = below.map(|(value, origin)| (Cow::Borrowed(value), origin));
            chosen.is_default = brought.is_none();
            if brought.is_some() {
                chosen.scope = scope;
            }
        }
    }
    chosen
}

/// What a setting means over the one below it, where it does not simply replace it: an edit of a list, a table of some keys.
fn over(
    spec: &OptionSpec,
    setting: &Setting,
    second: Option<&Setting>,
    below: Option<&Written>,
    wrong: &mut Diagnostics,
) -> Option<Value> {
    match (&spec.kind, &setting.value, second) {
        (OptionType::Table, Value::Table(upper), Some(second)) => {
            let Value::Table(lower) = &second.value else { return None };
            let joined = lower.iter().chain(upper).map(|(key, written)| (key.clone(), written.clone()));
            Some(Value::Table(joined.collect()))
        }
        (OptionType::List(_), value, second) if edit::is_edit(value) => {
            let lowest = match below {
                Some((Value::List(list), _)) => list.clone(),
                _ => Vec::new(),
            };
            let base = second.and_then(|second| edit::list_over(second, &lowest)).unwrap_or(Ok(lowest));
            // What is wrong with the lower edit is told where that one holds.
            match edit::list_over(setting, &base.unwrap_or_default())? {
                Ok(list) => Some(Value::List(list)),
                Err(said) => {
                    wrong.append(said);
                    Some(Value::List(Vec::new()))
                }
            }
        }
        _ => None,
    }
}

pub(super) fn unknown_options(
    options: &std::collections::BTreeMap<OptionName, Setting>,
    recipe: &Recipe,
    wrong: &mut Diagnostics,
) {
    for (name, setting) in options {
        if recipe.option(name.as_str()).is_none() && setting.copied_from.is_none() {
            let said = format!("recipe `{}` has no option `{name}`", recipe.name);
            let said = Diagnostic::error(said).at(&setting.key(), "unknown option");
            let said = said.nearest(name.as_str(), recipe.options.iter().map(|option| option.name.as_str()));
            wrong.push(said.hint(format!("`jove-install recipe show {}` shows them all", recipe.name)));
        }
    }
}

/// `[recipes.X]`: checked for spelling even where no part uses the recipe.
fn tables(definition: &Definition, catalogue: &Catalogue, wrong: &mut Diagnostics) {
    for (name, options) in &definition.recipes {
        match catalogue.find(name) {
            Some(Ok(recipe)) => unknown_options(options, recipe, wrong),
            Some(Err(_)) => {}
            None => {
                let said = Diagnostic::error(format!("`[recipes.{name}]`: there is no recipe called `{name}`"));
                let place = options.values().next().map(|setting| setting.origin.clone());
                let said = place.iter().fold(said, |said, origin| said.at(origin, ""));
                wrong.push(said.nearest(name, catalogue.names()));
            }
        }
    }
}

/// A part without a recipe that nobody brought.
fn unmade(definition: &Definition, active: &[Active<'_>], wrong: &mut Diagnostics) {
    let brought: HashSet<&PartName> =
        active.iter().filter(|one| one.brought_by.is_some()).map(|one| &one.name).collect();
    for part in definition.parts.values() {
        let is_idle = part.recipe.is_some() || part.is_abstract || part.off.is_some();
        if !is_idle && part.is_whole && !brought.contains(&part.name) {
            let said = format!("part `{}` has no recipe, and no other part brings one of that name", part.name);
            let said = Diagnostic::error(said).at(&part.origin, "");
            wrong.push(said.hint(format!("add `recipe = \"…\"` to `[parts.{}]`", part.name)));
        }
    }
}
