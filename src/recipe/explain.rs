//! What `explain` shows: a value, where it was set, and everything that it overrode.

use std::fmt::Write as _;

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::name::nearest;
use crate::profile::{Definition, Value};
use crate::provider::Chosen;
use crate::recipe::Catalogue;
use crate::recipe::schema::OptionType;
use crate::recipe::stack::{Edge, OptionValue, ResolvedOption, ResolvedPart, Stack};

/// A part, or one option or export of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "is")]
pub enum Explained {
    /// One option.
    Option(ExplainedOption),
    /// One export.
    Export(ExplainedExport),
    /// A whole part.
    Part(ExplainedPart),
}

/// One option of a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedOption {
    /// `wps.port`.
    pub name: String,
    /// The value; secrets by name.
    pub value: serde_json::Value,
    /// The same for people.
    pub shown: String,
    /// `jove.toml:12:8`, or `default`.
    pub origin: String,
    /// As written, where that is not the value itself.
    pub written: Option<String>,
    /// What was set below, nearest first.
    pub overridden: Vec<Overridden>,
    /// What it means.
    pub doc: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The recipe's default, as written.
    pub default: Option<String>,
}

/// A value that does not hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overridden {
    /// As written.
    pub value: String,
    /// Where.
    pub origin: String,
}

/// One export of a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedExport {
    /// `wps.url`.
    pub name: String,
    /// The value; secrets by name.
    pub value: serde_json::Value,
    /// The same for people.
    pub shown: String,
}

/// A whole part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedPart {
    /// Its name.
    pub name: String,
    /// Its recipe.
    pub recipe: String,
    /// What the recipe is for.
    pub summary: String,
    /// Where it was first named.
    pub origin: String,
    /// The part that brought it.
    pub brought_by: Option<String>,
    /// Where its packages come from, and why from there, once that is decided.
    pub provider: Option<Chosen>,
    /// Its options.
    pub options: Vec<ExplainedOption>,
    /// Its exports.
    pub exports: Vec<ExplainedExport>,
    /// Its services and data steps.
    pub services: Vec<String>,
    /// Its data folders.
    pub data: Vec<String>,
    /// What can be done with its data: `dump`, `load`.
    pub data_commands: Vec<String>,
    /// What it depends on.
    pub edges: Vec<ExplainedEdge>,
}

/// One dependency of a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedEdge {
    /// `value`, `object` or `start`.
    pub kind: crate::recipe::EdgeKind,
    /// The other part.
    pub to: String,
    /// Where it was written.
    pub origin: String,
}

/// Explains `part` or `part.option`.
///
/// # Errors
/// If there is nothing of that name; with the nearest one.
pub fn explain(
    stack: &Stack,
    definition: &Definition,
    catalogue: &Catalogue,
    name: &str,
) -> Result<Explained, Diagnostics> {
    let (part_name, word) = name.split_once('.').map_or((name, None), |(part, word)| (part, Some(word)));
    let Some(part) = stack.parts.get(part_name) else { return Err(no_part(stack, definition, part_name).into()) };
    let Some(word) = word else { return Ok(Explained::Part(whole(part, catalogue))) };
    if let Some((option, resolved)) = part.options.get_key_value(word) {
        return Ok(Explained::Option(one_option(part, option.as_str(), resolved, catalogue)));
    }
    if let Some(value) = part.exports.get(word) {
        return Ok(Explained::Export(one_export(part, word, value)));
    }
    let said = format!("part `{part_name}` (recipe `{}`) has no option or export called `{word}`", part.recipe);
    let known = part.options.keys().map(crate::name::OptionName::as_str).chain(part.exports.keys().map(String::as_str));
    let near = nearest(word, known).map(|near| format!("did you mean `{part_name}.{near}`?"));
    Err(near.into_iter().fold(Diagnostic::error(said), Diagnostic::hint).into())
}

fn no_part(stack: &Stack, definition: &Definition, name: &str) -> Diagnostic {
    if let Some(part) = definition.parts.get(name) {
        if part.is_abstract {
            let said = format!("part `{name}` is abstract: it exists only to be copied by `like`");
            return Diagnostic::error(said).at(&part.origin, "");
        }
        if let Some(when) = &part.off {
            return Diagnostic::error(format!("part `{name}` is switched off by its `when`")).at(when, "");
        }
    }
    let said = Diagnostic::error(format!("there is no part called `{name}`"));
    said.nearest(name, stack.parts.keys().map(crate::name::PartName::as_str))
}

fn whole(part: &ResolvedPart, catalogue: &Catalogue) -> ExplainedPart {
    let options = part.options.iter();
    ExplainedPart {
        name: part.name.to_string(),
        recipe: part.recipe.clone(),
        summary: catalogue.get(&part.recipe).map(|recipe| recipe.summary.clone()).unwrap_or_default(),
        origin: part.origin.to_string(),
        brought_by: part.brought_by.as_ref().map(ToString::to_string),
        provider: None,
        options: options.map(|(name, one)| one_option(part, name.as_str(), one, catalogue)).collect(),
        exports: part.exports.iter().map(|(name, value)| one_export(part, name, value)).collect(),
        services: part.services.iter().map(|spec| spec.name.to_string()).collect(),
        data: part.data.iter().map(|folder| folder.display().to_string()).collect(),
        data_commands: part.data_commands.iter().map(|command| command.verb.word().to_owned()).collect(),
        edges: part.edges.iter().map(edge).collect(),
    }
}

fn edge(edge: &Edge) -> ExplainedEdge {
    ExplainedEdge { kind: edge.kind, to: edge.to.to_string(), origin: edge.origin.to_string() }
}

fn one_option(part: &ResolvedPart, name: &str, resolved: &ResolvedOption, catalogue: &Catalogue) -> ExplainedOption {
    let spec = catalogue.get(&part.recipe).and_then(|recipe| recipe.option(name));
    let shown = for_people(&resolved.value);
    let written = resolved.written.as_ref().map(ToString::to_string);
    let is_secret = spec.is_some_and(|spec| spec.kind == OptionType::Secret);
    ExplainedOption {
        name: format!("{}.{name}", part.name),
        value: as_json(&resolved.value),
        written: written.filter(|written| *written != shown && !is_secret),
        shown,
        origin: resolved.origin.as_ref().map_or_else(|| "default".into(), ToString::to_string),
        overridden: resolved.overridden.iter().map(|(value, origin)| overridden(value, origin.to_string())).collect(),
        doc: spec.map(|spec| spec.doc.clone()).unwrap_or_default(),
        kind: spec.map(|spec| spec.kind.to_string()).unwrap_or_default(),
        default: spec.and_then(|spec| spec.default.as_ref()).map(|(value, _)| value.to_string()),
    }
}

fn overridden(value: &Value, origin: String) -> Overridden {
    Overridden { value: value.to_string(), origin }
}

fn one_export(part: &ResolvedPart, name: &str, value: &OptionValue) -> ExplainedExport {
    ExplainedExport { name: format!("{}.{name}", part.name), value: as_json(value), shown: for_people(value) }
}

/// A value as JSON; secrets and objects by name.
#[must_use]
pub fn as_json(value: &OptionValue) -> serde_json::Value {
    match value {
        OptionValue::Bool(truth) => (*truth).into(),
        OptionValue::Float(number) | OptionValue::Seconds(number) => (*number).into(),
        OptionValue::Int(number) => (*number).into(),
        OptionValue::List(list) => list.iter().map(as_json).collect::<Vec<_>>().into(),
        OptionValue::None => serde_json::Value::Null,
        OptionValue::Table(table) => {
            table.iter().map(|(key, value)| (key.clone(), as_json(value))).collect::<serde_json::Map<_, _>>().into()
        }
        OptionValue::Text(text) => text.to_string().into(),
    }
}

/// A value on one line, as a file would write it; secrets and objects by name.
#[must_use]
pub fn for_people(value: &OptionValue) -> String {
    match value {
        OptionValue::Bool(truth) => truth.to_string(),
        OptionValue::Float(number) => format!("{number:?}"),
        OptionValue::Int(number) => number.to_string(),
        OptionValue::List(list) => format!("[{}]", list.iter().map(for_people).collect::<Vec<_>>().join(", ")),
        OptionValue::None => "none".into(),
        OptionValue::Seconds(number) => format!("\"{}\"", duration(*number)),
        OptionValue::Table(table) => {
            let mut made = String::from("{");
            for (index, (key, value)) in table.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                // Writing to a string cannot fail.
                let _ = write!(made, "{comma} {key} = {}", for_people(value));
            }
            made.push_str(if table.is_empty() { "}" } else { " }" });
            made
        }
        OptionValue::Text(text) => toml::Value::from(text.to_string()).to_string(),
    }
}

/// In the largest unit that it is a whole number of: `30d`, as people write it.
fn duration(seconds: f64) -> String {
    let units = [(86_400.0, 'd'), (3600.0, 'h'), (60.0, 'm')];
    let whole = units.into_iter().find(|(unit, _)| seconds > 0.0 && seconds % unit == 0.0);
    whole.map_or_else(|| format!("{seconds}s"), |(unit, letter)| format!("{}{letter}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_as_people_write_them() {
        for (seconds, shown) in [
            (0.0, "0s"),
            (0.5, "0.5s"),
            (45.0, "45s"),
            (120.0, "2m"),
            (90.0, "90s"),
            (7200.0, "2h"),
            (2_592_000.0, "30d"),
        ] {
            assert_eq!(duration(seconds), shown);
        }
    }
}
