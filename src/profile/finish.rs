//! From drafts to parts: `when` is asked, `needs` is read.

use std::collections::BTreeMap;

use crate::condition::NeedCondition;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::name::PartName;

use super::merge::Draft;
use super::setting::{Need, Part, Setting, Value};
use super::when::Facts;

const CONDITIONS: [(&str, NeedCondition); 3] =
    [("started", NeedCondition::Started), ("ready", NeedCondition::Ready), ("succeeded", NeedCondition::Succeeded)];

/// All parts, finished.
pub(super) fn parts(
    drafts: BTreeMap<PartName, Draft>,
    facts: &Facts<'_>,
    found: &mut Diagnostics,
) -> BTreeMap<PartName, Part> {
    drafts.into_iter().map(|(name, draft)| (name.clone(), part(name, draft, facts, found))).collect()
}

fn part(name: PartName, draft: Draft, facts: &Facts<'_>, found: &mut Diagnostics) -> Part {
    let off = draft.when.filter(|when| !when.holds(facts)).map(|when| when.origin);
    Part {
        name,
        recipe: draft.recipe,
        options: draft.options,
        needs: draft.needs.map(|setting| needs(setting, found)).unwrap_or_default(),
        off,
        is_abstract: draft.is_abstract,
        is_whole: draft.is_whole,
        origin: draft.origin,
    }
}

fn needs(setting: Setting, found: &mut Diagnostics) -> Vec<Need> {
    let items = match super::edit::list_over(&setting, &[]) {
        Some(Ok(items)) => items,
        Some(Err(mistakes)) => {
            found.append(mistakes);
            return Vec::new();
        }
        None => {
            let message = format!("`needs` is a list of parts, not {}", setting.value.kind());
            found.push(Diagnostic::error(message).at(&setting.origin, "as `[\"db\", \"migrate:succeeded\"]`"));
            return Vec::new();
        }
    };
    items.into_iter().filter_map(|(value, origin)| need(&value, &origin, found)).collect()
}

fn need(value: &Value, origin: &Origin, found: &mut Diagnostics) -> Option<Need> {
    let Value::String(text) = value else {
        let message = format!("`needs` is a list of parts' names, and {} is none", value.kind());
        found.push(Diagnostic::error(message).at(origin, "write it in quotes"));
        return None;
    };
    let (part, condition) = match text.split_once(':') {
        None => (text.as_str(), NeedCondition::default()),
        Some((part, word)) => match CONDITIONS.iter().find(|(known, _)| *known == word) {
            Some((_, condition)) => (part, *condition),
            None => {
                let words = CONDITIONS.map(|(word, _)| word);
                let message = format!("a part can be needed {}, not `{word}`", words.join(", "));
                found.push(Diagnostic::error(message).at(origin, "").nearest(word, words));
                return None;
            }
        },
    };
    match part.parse() {
        Ok(part) => Some(Need { part, condition, origin: origin.clone() }),
        Err(error) => {
            let bare = part.trim_start_matches("${").trim_end_matches('}');
            let diagnostic = Diagnostic::error(error.to_string()).at(origin, "");
            found.push(match bare != part {
                true => diagnostic.hint(format!("`needs` names parts without `${{}}`: \"{bare}\"")),
                false => diagnostic,
            });
            None
        }
    }
}
