//! Where the user said what a text of a recipe consists of: that is what can be mended, and not the recipe.

use std::collections::BTreeMap;

use crate::diagnostic::Origin;
use crate::profile::Value;
use crate::recipe::evaluate::{Evaluator, Place};
use crate::recipe::schema::{OptionType, Written};
use crate::recipe::stack::OptionValue;

/// One of the things that a recipe makes a file of each.
pub(super) struct Item {
    /// What `${item.x}` means.
    pub(super) values: BTreeMap<String, OptionValue>,
    /// As the user wrote it, where that is known.
    pub(super) written: Option<Written>,
}

/// The name in a text that is one reference and nothing else.
fn whole<'t>(value: &'t Value, opening: &str) -> Option<&'t str> {
    let Value::String(text) = value else { return None };
    text.strip_prefix(opening).and_then(|rest| rest.strip_suffix('}'))
}

impl Evaluator<'_, '_> {
    /// What was set for the option that a text consists of.
    fn set_for(&self, part: usize, value: &Value) -> Option<(&Value, &Origin)> {
        let active = &self.world.parts[part];
        let chosen = &active.chosen[active.recipe.option_index(whole(value, "${.")?)?];
        let (value, origin) = chosen.value.as_ref().filter(|_| !chosen.is_default)?;
        Some((value, origin))
    }

    /// Where the option was set that a text consists of; a text that is no reference stands where it is.
    pub(super) fn said_by(&self, part: usize, (value, origin): &Written) -> Option<Origin> {
        if !matches!(value, Value::String(_)) {
            return Some(origin.clone());
        }
        self.set_for(part, value).map(|(_, origin)| origin.clone())
    }

    /// Where the entry of an item was written that a text consists of; else where the text is.
    pub(super) fn said_in_item(&self, place: &Place<'_>, (value, origin): &Written) -> Origin {
        let written = place.item.and_then(|item| item.written.as_ref()).zip(whole(value, "${item."));
        written.map_or_else(
            || origin.clone(),
            |((item, whole), name)| match item {
                Value::Table(table) => table.get(name).map_or(whole, |(_, origin)| origin).clone(),
                _ => whole.clone(),
            },
        )
    }

    /// Where each entry of a list was written that a text or list of a recipe gives; as many as it should have, if that is known.
    pub(super) fn said_entries(&self, part: usize, (value, origin): &Written) -> Vec<Origin> {
        match (value, self.set_for(part, value)) {
            (Value::List(list), _) => list.iter().flat_map(|one| self.said_entries(part, one)).collect(),
            (_, Some((Value::List(list), _))) => list.iter().map(|(_, origin)| origin.clone()).collect(),
            (_, Some((_, origin))) => vec![origin.clone()],
            (_, None) => vec![origin.clone()],
        }
    }

    /// The things that a recipe makes a file of each.
    pub(super) fn items(&mut self, part: usize, each: &Written) -> Vec<Item> {
        let kind = OptionType::List(Box::new(OptionType::Table));
        let Ok(OptionValue::List(list)) = self.written(&Place::of(part), &kind, each) else { return Vec::new() };
        let written = match self.set_for(part, &each.0) {
            // A reference to a list has become several entries.
            Some((Value::List(written), _)) if written.len() == list.len() => written.as_slice(),
            _ => &[],
        };
        let items = list.into_iter().enumerate().filter_map(|(index, one)| match one {
            OptionValue::Table(values) => Some(Item { values, written: written.get(index).cloned() }),
            _ => None,
        });
        items.collect()
    }
}
