//! Settings that are not in files: `JOVE_SET_<PART>__<OPTION>` variables and `--set PART.OPTION=VALUE`.
//!
//! A value is read as TOML; what is none is a text as it stands. So `--set web.port=8080` is a number, `--set wps.title=My title`
//! a text, and quotes (`--set 'wps.title="8080"'`) make a text of anything. Relative paths in them are relative to the project.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::name::PartName;

use super::extend::Loaded;
use super::setting::LayerKind;
use super::sheet::{PartSheet, Sheet};
use super::value::Reader;

const PREFIX: &str = "JOVE_SET_";

/// The names of all parts that files speak of.
pub(super) type Names = BTreeSet<PartName>;

/// One layer a variable, in the order of their names.
pub(super) fn of_vars(
    vars: &BTreeMap<String, String>,
    parts: &Names,
    folder: &Path,
    found: &mut Diagnostics,
) -> Vec<Loaded> {
    let folded: BTreeMap<String, &PartName> =
        parts.iter().map(|part| (part.as_str().replace('-', "_"), part)).collect();
    let mut layers = Vec::new();
    for (var, text) in vars.range(PREFIX.to_owned()..).take_while(|(var, _)| var.starts_with(PREFIX)) {
        let source = Arc::new(Source { name: var.clone(), text: text.clone(), folder: Some(folder.to_path_buf()) });
        let origin = Origin::whole(&source);
        let words = var[PREFIX.len()..].to_lowercase();
        let splits: Vec<(&str, &str)> =
            words.match_indices("__").map(|(at, _)| (&words[..at], &words[at + 2..])).collect();
        let known = splits.iter().find_map(|(part, option)| Some((*folded.get(*part)?, *option)));
        let Some((part, option)) = known else {
            // Only a warning: the variable may be meant for another project.
            let message =
                format!("the variable `{var}` sets nothing: it is no {PREFIX}<PART>__<OPTION> of a part here");
            let wrong = splits.first().map_or(words.as_str(), |(part, _)| part).replace('_', "-");
            let diagnostic = Diagnostic::warning(message);
            found.push(diagnostic.nearest(&wrong, parts.iter().map(PartName::as_str)));
            continue;
        };
        let mut sheet = PartSheet::new(part.clone(), origin.clone());
        let mut reader = Reader { source: &source, shift: 0, found };
        sheet.field(&mut reader, option, &origin, &value(text));
        layers.push(layer(LayerKind::Vars, sheet, &source));
    }
    layers
}

/// One layer an argument, in their order.
pub(super) fn of_sets(sets: &[String], parts: &Names, folder: &Path, found: &mut Diagnostics) -> Vec<Loaded> {
    sets.iter().filter_map(|set| of_set(set, parts, folder, found)).collect()
}

fn of_set(set: &str, parts: &Names, folder: &Path, found: &mut Diagnostics) -> Option<Loaded> {
    let source =
        Arc::new(Source { name: "--set".to_owned(), text: set.to_owned(), folder: Some(folder.to_path_buf()) });
    let wrong = |span: Range<usize>, message: String| Diagnostic::error(message).at(&Origin::new(&source, span), "");
    let form = "it is PART.OPTION=VALUE, or += and -= on a list";
    let Some(equals) = set.find('=') else {
        found.push(wrong(0..set.len(), format!("`--set {set}` has no `=`: {form}")));
        return None;
    };
    let (target, edit) = match set[..equals].chars().next_back() {
        Some('+') => (&set[..equals - 1], Some("add")),
        Some('-') => (&set[..equals - 1], Some("remove")),
        _ => (&set[..equals], None),
    };
    let mut words = words(target);
    if words.len() < 2 || words.iter().any(|word| target[word.clone()].is_empty()) {
        found.push(wrong(0..target.len(), format!("`--set {target}` does not name an option: {form}")));
        return None;
    }
    let part_span = words.remove(0);
    let part = &target[part_span.clone()];
    let Some(name) = parts.get(part) else {
        let diagnostic = wrong(part_span, format!("`--set` names a part `{part}`, which no layer has"));
        found.push(diagnostic.nearest(part, parts.iter().map(PartName::as_str)));
        return None;
    };
    let option = words.remove(0);
    let mut value = value(&set[equals + 1..]);
    let shift = equals + 1;
    // Spans of keys are before the value, and the reader counts from the value: the tables made here have the value's span.
    if let Some(edit) = edit {
        value = nest(edit, listed(value));
    }
    for word in words.into_iter().rev() {
        value = nest(&target[word], value);
    }
    let mut sheet = PartSheet::new(name.clone(), Origin::new(&source, part_span));
    let mut reader = Reader { source: &source, shift, found };
    sheet.field(&mut reader, &target[option.clone()], &Origin::new(&source, option), &value);
    Some(layer(LayerKind::Arguments, sheet, &source))
}

fn layer(kind: LayerKind, part: PartSheet, source: &Arc<Source>) -> Loaded {
    Loaded { kind, sheet: Sheet { parts: vec![part], ..Sheet::default() }, source: Arc::clone(source) }
}

/// The places of the words between dots.
fn words(target: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = 0;
    for word in target.split('.') {
        words.push(start..start + word.len());
        start += word.len() + 1;
    }
    words
}

/// A text as TOML value, or as it stands.
fn value(text: &str) -> Spanned<DeValue<'_>> {
    let plain = || Spanned::new(0..text.len(), DeValue::String(Cow::Borrowed(text)));
    match DeValue::parse(text) {
        Ok(value) => match value.get_ref() {
            // `nan`, `inf` and dates are more likely words.
            DeValue::Datetime(_) => plain(),
            DeValue::Float(float) if float.as_str().parse().is_ok_and(|float: f64| !float.is_finite()) => plain(),
            DeValue::Integer(number) if i64::from_str_radix(number.as_str(), number.radix()).is_err() => plain(),
            _ => value,
        },
        Err(_) => plain(),
    }
}

fn listed(value: Spanned<DeValue<'_>>) -> Spanned<DeValue<'_>> {
    if matches!(value.get_ref(), DeValue::Array(_)) {
        return value;
    }
    let span = value.span();
    let mut items = DeArray::new();
    items.push(value);
    Spanned::new(span, DeValue::Array(items))
}

fn nest<'i>(key: &'i str, value: Spanned<DeValue<'i>>) -> Spanned<DeValue<'i>> {
    let span = value.span();
    let mut table = DeTable::new();
    table.insert(Spanned::new(span.clone(), Cow::Borrowed(key)), value);
    Spanned::new(span, DeValue::Table(table))
}
