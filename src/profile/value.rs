//! TOML values as [`Value`]s that know their places.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::text::{MARK_CLOSE, MARK_OPEN};

use super::setting::Value;

/// Reads values of one source and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub source: &'a Arc<Source>,
    /// Where in the source the text begins that was given to the TOML parser.
    pub shift: usize,
    pub found: &'a mut Diagnostics,
}

impl Reader<'_> {
    pub(super) fn origin(&self, span: &Range<usize>) -> Origin {
        Origin::new(self.source, span.start + self.shift..span.end + self.shift)
    }

    pub(super) fn refuse(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// An error at one place.
    pub(super) fn wrong(&mut self, span: &Range<usize>, message: impl Into<String>, label: &str) {
        let origin = self.origin(span);
        self.refuse(Diagnostic::error(message).at(&origin, label));
    }

    /// Any value; `None` if it is no value of ours, which was said then.
    pub(super) fn value(&mut self, written: &Spanned<DeValue<'_>>) -> Option<(Value, Origin)> {
        let span = written.span();
        let value = match written.get_ref() {
            DeValue::Array(items) => Value::List(items.iter().filter_map(|item| self.value(item)).collect()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(_) => {
                self.wrong(&span, "there are no dates among settings", "write it in quotes");
                return None;
            }
            DeValue::Float(number) => {
                let Some(number) = number.as_str().parse().ok().filter(|number: &f64| number.is_finite()) else {
                    self.wrong(&span, format!("the number `{number}` is none that can be counted with"), "");
                    return None;
                };
                Value::Float(number)
            }
            DeValue::Integer(number) => {
                let Ok(number) = i64::from_str_radix(number.as_str(), number.radix()) else {
                    self.wrong(
                        &span,
                        format!("the number `{number}` is too large"),
                        "write it in quotes if it is a text",
                    );
                    return None;
                };
                Value::Int(number)
            }
            DeValue::String(text) => {
                if text.contains([MARK_OPEN, MARK_CLOSE]) {
                    self.wrong(
                        &span,
                        "a text holds the character U+E000 or U+E001, which has a meaning here",
                        "leave it out",
                    );
                    return None;
                }
                Value::String(text.clone().into_owned())
            }
            DeValue::Table(table) => {
                let mut entries = BTreeMap::new();
                for (key, written) in table {
                    if let Some(value) = self.value(written) {
                        entries.insert(key.get_ref().to_string(), value);
                    }
                }
                Value::Table(entries)
            }
        };
        Some((value, self.origin(&span)))
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str, written: &Spanned<DeValue<'_>>) -> Option<(String, Origin)> {
        match self.value(written)? {
            (Value::String(text), origin) => Some((text, origin)),
            (other, origin) => {
                let message = format!("`{key}` is a text, not {}", other.kind());
                self.refuse(Diagnostic::error(message).at(&origin, "write it in quotes"));
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, key: &str, written: &Spanned<DeValue<'_>>) -> Option<(bool, Origin)> {
        match self.value(written)? {
            (Value::Bool(truth), origin) => Some((truth, origin)),
            (other, origin) => {
                let message = format!("`{key}` is `true` or `false`, not {}", other.kind());
                self.refuse(Diagnostic::error(message).at(&origin, ""));
                None
            }
        }
    }

    /// A table.
    pub(super) fn table<'t, 'i>(&mut self, key: &str, written: &'t Spanned<DeValue<'i>>) -> Option<&'t DeTable<'i>> {
        if let DeValue::Table(table) = written.get_ref() {
            return Some(table);
        }
        let message = format!("`{key}` is a table: `[{key}]` on a line of its own");
        self.wrong(&written.span(), message, "");
        None
    }

    /// The leaves of a table by dotted key: `[sources.conda] url = …` is `conda.url`.
    pub(super) fn leaves(&mut self, table: &DeTable<'_>, above: &str, leaves: &mut Vec<(String, Value, Origin)>) {
        for (key, written) in table {
            let key = if above.is_empty() { key.get_ref().to_string() } else { format!("{above}.{}", key.get_ref()) };
            match written.get_ref() {
                DeValue::Table(table) if !is_edit(table) => self.leaves(table, &key, leaves),
                _ => leaves.extend(self.value(written).map(|(value, origin)| (key, value, origin))),
            }
        }
    }
}

/// An edit of a list (`order.add = […]`) is a leaf, though a table.
fn is_edit(table: &DeTable<'_>) -> bool {
    let mut entries = table.iter();
    !table.is_empty()
        && entries.all(|(key, value)| {
            matches!(key.get_ref().as_ref(), "add" | "remove") && matches!(value.get_ref(), DeValue::Array(_))
        })
}
