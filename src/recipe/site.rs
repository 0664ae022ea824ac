//! Sites: `serves = "*"` of a web server means every part that exports a `site`.
//!
//! Before anything is resolved the names become references to those exports, so that they are edges of value like all others: a
//! web server and its application may read each other's address.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::profile::Value;
use crate::recipe::evaluate::Evaluator;
use crate::recipe::schema::{OptionType, SITE};
use crate::recipe::select::Active;
use crate::recipe::stack::OptionValue;
use crate::recipe::value;

/// Writes references in place of names and of `"*"`.
pub(super) fn name_sites(active: &mut [Active<'_>], wrong: &mut Diagnostics) {
    let sites: Vec<String> = active
        .iter()
        .filter(|part| part.recipe.export_index(SITE).is_some())
        .map(|part| part.name.to_string())
        .collect();
    for part in active {
        for (spec, chosen) in part.recipe.options.iter().zip(&mut part.chosen) {
            let Some((value, origin)) = chosen.value.as_mut().filter(|_| spec.kind == OptionType::Sites) else {
                continue;
            };
            let list = match value.as_ref() {
                Value::String(text) if text == "*" => {
                    let others = sites.iter().filter(|site| site.as_str() != part.name.as_str());
                    others.map(|site| (reference(site), (*origin).clone())).collect()
                }
                Value::List(list) => list.iter().filter_map(|(one, origin)| named(one, origin, wrong)).collect(),
                // Fails with what was expected.
                _ => continue,
            };
            *value = Cow::Owned(Value::List(list));
        }
    }
}

fn reference(part: &str) -> Value {
    Value::String(format!("${{{part}.{SITE}}}"))
}

fn named(one: &Value, origin: &Origin, wrong: &mut Diagnostics) -> Option<(Value, Origin)> {
    match one {
        Value::String(text) if value::has_references(one) => {
            let said = format!("`{text}` decides which sites there are, so it must be the plain name of a part");
            wrong.push(Diagnostic::error(said).at(origin, ""));
            None
        }
        Value::String(text) => Some((reference(text), origin.clone())),
        Value::Bool(_) | Value::Float(_) | Value::Int(_) | Value::List(_) | Value::Table(_) => {
            let said = "this must be the name of a part".to_owned();
            wrong.push(Diagnostic::error(said).at(origin, ""));
            None
        }
    }
}

/// Two sites at one place of one server.
pub(super) fn twice(evaluator: &mut Evaluator<'_, '_>) {
    let world = evaluator.world;
    for (part, server) in world.parts.iter().enumerate() {
        for (index, spec) in server.recipe.options.iter().enumerate() {
            let written = server.chosen[index].value.as_ref().filter(|_| spec.kind == OptionType::Sites);
            let Some((Value::List(list), _)) = written.map(|(value, origin)| (value.as_ref(), origin)) else {
                continue;
            };
            let Some(OptionValue::List(values)) = evaluator.option(part, spec.name.as_str()) else { continue };
            let names = list.iter().filter_map(|(one, _)| site_of(one));
            let sites = names.zip(values.iter().map(place));
            let mut seen: BTreeMap<(String, String), &str> = BTreeMap::new();
            let mut wrong = Vec::new();
            for (name, at) in sites {
                let Some(other) = seen.insert(at.clone(), name) else { continue };
                let (host, path) = at;
                let host = if host.is_empty() { String::new() } else { format!(" of {host}") };
                let said = format!("`{}` would serve two sites at `{path}`{host}: `{other}` and `{name}`", server.name);
                let said = Diagnostic::error(said)
                    .at(&place_of(evaluator, other), "one")
                    .at(&place_of(evaluator, name), "the other");
                let hint = format!("give one of them another path, `at = \"/{name}/\"`, or another `domain`");
                wrong.push(said.hint(hint));
            }
            wrong.into_iter().for_each(|said| evaluator.wrong.push(said));
        }
    }
}

/// `wps` of `${wps.site}`.
fn site_of(value: &Value) -> Option<&str> {
    let Value::String(text) = value else { return None };
    text.strip_prefix("${")?.strip_suffix('}')?.strip_suffix(SITE)?.strip_suffix('.')
}

/// Host and path of a site, so written that equal ones are equal.
fn place(site: &OptionValue) -> (String, String) {
    let entry = |name: &str| match site {
        OptionValue::Table(table) => match table.get(name) {
            Some(OptionValue::Text(text)) => text.to_string(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let path = entry("at");
    let path = path.trim_matches('/');
    let path = if path.is_empty() { "/".to_owned() } else { format!("/{path}/") };
    (entry("host").to_lowercase(), path)
}

/// Where a site's place is said: its path, else its domain, else the part.
fn place_of(evaluator: &Evaluator<'_, '_>, name: &str) -> Origin {
    let Some(part) = evaluator.world.index.get(name).map(|index| &evaluator.world.parts[*index]) else {
        return evaluator.world.parts[0].origin.clone();
    };
    let set = |option: &str| {
        let chosen = &part.chosen[part.recipe.option_index(option)?];
        chosen.value.as_ref().filter(|_| !chosen.is_default).map(|(_, origin)| (*origin).clone())
    };
    set("at").or_else(|| set("domain")).unwrap_or_else(|| part.origin.clone())
}
