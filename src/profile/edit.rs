//! Edits of lists: `tags.add = ["x"]`, `tags.remove = ["y"]`.
//!
//! An edit applies to the list below it, in the order of the layers: first `remove`, then `add`. What is there already is not
//! added twice; removing what is absent is an error. Where no part below has a list, the edit *waits*: it stays a table in its
//! [`Setting`], and [`list_over`] applies it to what the recipe's table or default says.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};

use super::setting::{Setting, Value};

/// A list whose elements know their places.
pub type List = Vec<(Value, Origin)>;

/// Whether a value is an edit: a table of nothing but `add` and `remove`, both lists.
#[must_use]
pub fn is_edit(value: &Value) -> bool {
    let Value::Table(entries) = value else { return false };
    !entries.is_empty()
        && entries
            .iter()
            .all(|(key, (value, _))| matches!(key.as_str(), "add" | "remove") && matches!(value, Value::List(_)))
}

/// The list that a setting means over the list `below` (of a recipe's table or default): the setting's own list, or `below`
/// with the setting's waiting edits. `None` if the setting is neither.
///
/// # Errors
/// An edit that removes what is not in the list.
pub fn list_over(setting: &Setting, below: &[(Value, Origin)]) -> Option<Result<List, Diagnostics>> {
    if let Value::List(items) = &setting.value {
        return Some(Ok(items.clone()));
    }
    if !is_edit(&setting.value) {
        return None;
    }
    let mut list = below.to_vec();
    let mut found = Diagnostics::default();
    let waiting = setting.overridden.iter().take_while(|(value, _)| is_edit(value)).map(|(value, _)| value);
    for edit in waiting.collect::<Vec<_>>().into_iter().rev().chain([&setting.value]) {
        list = apply(list, edit, &mut found);
    }
    Some(if found.0.is_empty() { Ok(list) } else { Err(found) })
}

/// A list after one edit.
pub(super) fn apply(list: List, edit: &Value, found: &mut Diagnostics) -> List {
    let Value::Table(entries) = edit else { return list };
    let items = |key: &str| match entries.get(key) {
        Some((Value::List(items), _)) => items.as_slice(),
        _ => &[],
    };
    let mut list = remove(list, items("remove"), found);
    let mut there: HashSet<String> = list.iter().map(|(value, _)| value.to_string()).collect();
    for (value, origin) in items("add") {
        if there.insert(value.to_string()) {
            list.push((value.clone(), origin.clone()));
        }
    }
    list
}

fn remove(mut list: List, unwanted: &[(Value, Origin)], found: &mut Diagnostics) -> List {
    if unwanted.is_empty() {
        return list;
    }
    let there: HashSet<String> = list.iter().map(|(value, _)| value.to_string()).collect();
    for (value, origin) in unwanted {
        if !there.contains(&value.to_string()) {
            let message = format!("`{value}` cannot be removed: the list below does not hold it");
            let (wrong, texts) = (plain(value), list.iter().map(|(value, _)| plain(value)).collect::<Vec<_>>());
            let diagnostic = Diagnostic::error(message).at(origin, "");
            found.push(diagnostic.nearest(&wrong, texts.iter().map(String::as_str)));
        }
    }
    let gone: HashSet<String> = unwanted.iter().map(|(value, _)| value.to_string()).collect();
    list.retain(|(value, _)| !gone.contains(&value.to_string()));
    list
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
