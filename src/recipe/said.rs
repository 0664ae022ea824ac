//! Where the user said what a text of a recipe consists of: that is what can be mended, and not the recipe.

use crate::diagnostic::Origin;
use crate::profile::Value;
use crate::recipe::evaluate::Evaluator;
use crate::recipe::schema::Written;

/// The name in a text that is one reference to an option and nothing else.
fn whole(value: &Value) -> Option<&str> {
    let Value::String(text) = value else { return None };
    text.strip_prefix("${.").and_then(|rest| rest.strip_suffix('}'))
}

impl Evaluator<'_, '_> {
    /// What was set for the option that a text consists of.
    fn set_for(&self, part: usize, value: &Value) -> Option<(&Value, &Origin)> {
        let active = &self.world.parts[part];
        let chosen = &active.chosen[active.recipe.option_index(whole(value)?)?];
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

    /// Where each entry of a list was written that a text or list of a recipe gives; as many as it should have, if that is known.
    pub(super) fn said_entries(&self, part: usize, (value, origin): &Written) -> Vec<Origin> {
        match (value, self.set_for(part, value)) {
            (Value::List(list), _) => list.iter().flat_map(|one| self.said_entries(part, one)).collect(),
            (_, Some((Value::List(list), _))) => list.iter().map(|(_, origin)| origin.clone()).collect(),
            (_, Some((_, origin))) => vec![origin.clone()],
            (_, None) => vec![origin.clone()],
        }
    }
}
