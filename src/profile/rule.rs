//! The one rule table: what becomes of a setting when a layer above sets it again.
//!
//! | below | above | result |
//! |---|---|---|
//! | nothing | anything | above; an edit waits (see [`edit`](super::edit)) |
//! | list | edit | the list, edited |
//! | waiting edit | edit | both wait, in their order |
//! | table | table | joined key by key, above wins |
//! | anything else | edit | error: only a list can be edited |
//! | anything else | anything else | above |

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::name::PartName;

use super::edit::{apply, is_edit};
use super::setting::{Setting, Value};

/// The setting after a layer above has set `name` again.
pub(super) fn set(
    below: Option<Setting>,
    name: &str,
    value: Value,
    origin: Origin,
    found: &mut Diagnostics,
) -> Setting {
    let Some(below) = below else { return Setting::new(value, origin) };
    let made = match (&below.value, value) {
        (Value::List(list), value) if is_edit(&value) => Value::List(apply(list.clone(), &value, found)),
        (lower, value) if is_edit(lower) && is_edit(&value) => value,
        (Value::Table(lower), value) if !is_edit(&below.value) && is_edit(&value) => {
            // A table may have keys called `add` and `remove`, but then it is not a list that somebody wants to edit.
            let has_them = lower.contains_key("add") || lower.contains_key("remove");
            if !has_them {
                found.push(not_a_list(name, &below, &origin));
                return below;
            }
            join(below.value.clone(), value)
        }
        (_, value) if is_edit(&value) => {
            found.push(not_a_list(name, &below, &origin));
            return below;
        }
        (Value::Table(_), value @ Value::Table(_)) if !is_edit(&below.value) => join(below.value.clone(), value),
        (_, value) => value,
    };
    let mut overridden = Vec::with_capacity(below.overridden.len() + 1);
    overridden.push((below.value, below.origin));
    overridden.extend(below.overridden);
    Setting { value: made, origin, overridden, copied_from: None }
}

/// A part's own setting over the one that `like` copied.
pub(super) fn set_over_copy(copied: Setting, name: &str, own: Setting, found: &mut Diagnostics) -> Setting {
    // The own writes again, lowest first, over the copied one: so edits meet the copied list, and tables join.
    let mut made = copied;
    for (value, origin) in own.overridden.into_iter().rev().chain([(own.value, own.origin)]) {
        made = set(Some(made), name, value, origin, found);
    }
    made
}

/// A copied setting says whose it was.
pub(super) fn copy(setting: &Setting, from: &PartName) -> Setting {
    let copied_from = setting.copied_from.clone().or_else(|| Some(from.clone()));
    Setting { copied_from, ..setting.clone() }
}

fn join(below: Value, above: Value) -> Value {
    match (below, above) {
        (Value::Table(mut lower), Value::Table(upper)) => {
            for (key, (value, origin)) in upper {
                let joined = match lower.remove(&key) {
                    Some((below, _)) => join(below, value),
                    None => value,
                };
                lower.insert(key, (joined, origin));
            }
            Value::Table(lower)
        }
        (_, above) => above,
    }
}

fn not_a_list(name: &str, below: &Setting, origin: &Origin) -> Diagnostic {
    Diagnostic::error(format!(
        "`{name}` cannot be edited by `add` and `remove`: it is {}, not a list",
        below.value.kind()
    ))
    .at(origin, "edited here")
    .at(&below.origin, "set here")
    .hint(format!("set it anew: {name} = …"))
}
