//! A part that nobody need write, since another brings it. What the project says of the part of that name counts: its options, and
//! that it is off.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::name::{OptionName, PartName};
use crate::profile::Definition;
use crate::recipe::schema::{Recipe, Written};
use crate::recipe::select::{Active, Layers, choose, unknown_options};

/// What is brought, and by whom.
pub(super) struct Brought<'b, 'a> {
    pub(super) definition: &'a Definition,
    pub(super) layers: &'b Layers,
    pub(super) recipe: &'a Recipe,
    /// Who brings it, by its place among the active parts.
    pub(super) bringer: usize,
    /// What it is to be called.
    pub(super) called: &'b str,
    /// Where that is said, for a part that the project does not name.
    pub(super) origin: &'b Origin,
    /// Options that the bringer sets; `${.x}` in them is the bringer's.
    pub(super) options: Option<&'a BTreeMap<OptionName, Written>>,
}

impl<'a> Brought<'_, 'a> {
    /// The part, to be the next of the active ones; `None` if it is off, or cannot be, which is said.
    pub(super) fn make(&self, active: &[Active<'a>], wrong: &mut Diagnostics) -> Option<Active<'a>> {
        let by = &active[self.bringer];
        let called = self.called;
        let name: PartName = match called.parse() {
            Ok(name) => name,
            Err(error) => {
                let said = format!("`{}` brings a part that cannot be called `{called}`: {error}", by.name);
                wrong.push(Diagnostic::error(said).at(self.origin, "").hint("give it a shorter name"));
                return None;
            }
        };
        let part = self.definition.parts.get(&name);
        if let Some(part) = part {
            if part.off.is_some() || part.is_abstract {
                return None;
            }
            if let Some((other, place)) = part.recipe.as_ref().filter(|(other, _)| *other != self.recipe.name) {
                let said =
                    format!("`{}` brings a part `{name}`, but the part of this name has recipe `{other}`", by.name);
                let said = Diagnostic::error(said).at(place, "").at(self.origin, "brought by");
                wrong.push(said.hint("rename the part"));
                return None;
            }
            unknown_options(&part.options, self.recipe, wrong);
        }
        let table = self.definition.recipes.get(&self.recipe.name);
        let chosen = self.recipe.options.iter().map(|spec| {
            let own = part.and_then(|part| part.options.get(&spec.name));
            let table = table.and_then(|table| table.get(&spec.name));
            let brought = self.options.and_then(|options| options.get(&spec.name));
            choose(self.layers, spec, own, table, brought.map(|written| (written, self.bringer)), active.len(), wrong)
        });
        Some(Active {
            name,
            recipe: self.recipe,
            origin: part.map_or(self.origin, |part| &part.origin).clone(),
            brought_by: Some(by.name.clone()),
            is_spare: false,
            needs: part.map_or(&[], |part| part.needs.as_slice()),
            is_whole: part.is_none_or(|part| part.is_whole),
            chosen: chosen.collect(),
            links: BTreeMap::new(),
        })
    }
}
