//! Merging: the sheets of all layers, lowest first, to one draft a part and one setting an option.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::name::{OptionName, PartName};

use super::rule;
use super::setting::{LayerKind, Requirement, Setting, Value};
use super::sheet::{Entry, PartSheet, Sheet};
use super::when::When;

/// Options by name.
pub(super) type Options = BTreeMap<OptionName, Setting>;

/// One part after all layers, before `like`.
#[derive(Debug)]
pub(super) struct Draft {
    pub origin: Origin,
    pub is_abstract: bool,
    /// Whether nothing of it was left out because it was wrong.
    pub is_whole: bool,
    pub like: Option<(PartName, Origin)>,
    pub needs: Option<Setting>,
    pub options: Options,
    pub recipe: Option<(String, Origin)>,
    pub when: Option<When>,
}

/// All layers as one.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub host: BTreeMap<String, Setting>,
    pub name: Option<String>,
    pub parts: BTreeMap<PartName, Draft>,
    pub recipes: BTreeMap<String, Options>,
    pub require: Vec<Requirement>,
    pub sources: BTreeMap<String, Setting>,
    pub summary: Option<String>,
    pub locked: Option<bool>,
}

impl Merged {
    /// Lays one more sheet over what there is.
    pub(super) fn lay(&mut self, kind: LayerKind, sheet: Sheet, found: &mut Diagnostics) {
        self.name = sheet.name.map(|(name, _)| name).or(self.name.take());
        self.summary = sheet.summary.map(|(summary, _)| summary).or(self.summary.take());
        self.locked = sheet.locked.map(|(locked, _)| locked).or(self.locked);
        lay_leaves(&mut self.host, sheet.host, found);
        lay_leaves(&mut self.sources, sheet.sources, found);
        for (recipe, entries) in sheet.recipes {
            lay_options(self.recipes.entry(recipe).or_default(), entries, found);
        }
        for (subject, value, origin) in sheet.require {
            self.require(kind, subject, value, origin, found);
        }
        for part in sheet.parts {
            self.part(part, found);
        }
    }

    fn part(&mut self, sheet: PartSheet, found: &mut Diagnostics) {
        let draft = self.parts.entry(sheet.name.clone()).or_insert_with(|| Draft::new(sheet.origin.clone()));
        if sheet.replace {
            *draft = Draft::new(sheet.origin.clone());
        }
        let before = found.0.len();
        match (&draft.recipe, sheet.recipe) {
            (Some((below, place)), Some((recipe, origin))) if *below != recipe => {
                found.push(two_recipes(&sheet.name, (below, place), (&recipe, &origin)));
            }
            (_, Some(recipe)) => draft.recipe = Some(recipe),
            (_, None) => {}
        }
        if let Some((value, origin)) = sheet.needs {
            draft.needs = Some(rule::set(draft.needs.take(), "needs", value, origin, found));
        }
        draft.is_abstract = sheet.is_abstract.unwrap_or(draft.is_abstract);
        draft.like = sheet.like.or(draft.like.take());
        draft.when = sheet.when.or(draft.when.take());
        lay_options(&mut draft.options, sheet.options, found);
        draft.is_whole &= sheet.is_whole && found.0.len() == before;
    }

    fn require(&mut self, kind: LayerKind, subject: String, value: Value, origin: Origin, found: &mut Diagnostics) {
        if value != Value::String("off".to_owned()) {
            let known = |old: &Requirement| old.subject == subject && old.value.to_string() == value.to_string();
            if !self.require.iter().any(known) {
                self.require.push(Requirement { subject, value, origin });
            }
            return;
        }
        if kind != LayerKind::ProjectProfile {
            let message = format!("the requirement `{subject}` can be lifted only by the project's own profile");
            let hint = "write it in the [require] of profiles/<name>.toml beside jove.toml";
            found.push(Diagnostic::error(message).at(&origin, "").hint(hint));
            return;
        }
        let before = self.require.len();
        self.require.retain(|old| old.subject != subject);
        if self.require.len() == before {
            let message = format!("the requirement `{subject}` cannot be lifted: no layer below states it");
            let known = self.require.iter().map(|old| old.subject.as_str());
            found.push(Diagnostic::error(message).at(&origin, "").nearest(&subject, known));
        }
    }
}

impl Draft {
    fn new(origin: Origin) -> Self {
        Self {
            origin,
            is_abstract: false,
            is_whole: true,
            like: None,
            needs: None,
            options: Options::new(),
            recipe: None,
            when: None,
        }
    }
}

fn lay_options(options: &mut Options, entries: Vec<Entry>, found: &mut Diagnostics) {
    for Entry { name, value, origin } in entries {
        let setting = rule::set(options.remove(&name), name.as_str(), value, origin, found);
        options.insert(name, setting);
    }
}

fn lay_leaves(settings: &mut BTreeMap<String, Setting>, leaves: Vec<(String, Value, Origin)>, found: &mut Diagnostics) {
    for (key, value, origin) in leaves {
        let setting = rule::set(settings.remove(&key), &key, value, origin, found);
        settings.insert(key, setting);
    }
}

fn two_recipes(part: &PartName, below: (&str, &Origin), above: (&str, &Origin)) -> Diagnostic {
    Diagnostic::error(format!("part `{part}` has two recipes: `{}` and `{}`", below.0, above.0))
        .at(above.1, format!("`{}` here", above.0))
        .at(below.1, format!("`{}` in a layer below", below.0))
        .hint(format!("rename one of the two parts, or say `replace = true` in [parts.{part}] to drop all that the layers below say of it"))
}
