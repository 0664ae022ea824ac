//! The shape of one file: its tables and keys, read with their places, before any layer is known.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::name::{OptionName, PartName};

use super::setting::{LayerKind, Value};
use super::value::Reader;
use super::when::When;

const KEYS: [&str; 8] = ["extends", "host", "name", "parts", "profile", "recipes", "require", "sources"];
const PART_KEYS: [&str; 6] = ["abstract", "like", "needs", "recipe", "replace", "when"];
const PROFILE_KEYS: [&str; 4] = ["example", "locked", "name", "summary"];
/// Files up to this size are read on after a mistake, to find more of them.
const RECOVERABLE: usize = 256 * 1024;
/// More mistakes of form than these are not told: they follow from each other.
const MAX_MISTAKES: usize = 8;

/// One file's content.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub example: Option<(String, Origin)>,
    pub extends: Option<Extends>,
    pub host: Vec<(String, Value, Origin)>,
    pub locked: Option<(bool, Origin)>,
    pub name: Option<(String, Origin)>,
    pub parts: Vec<PartSheet>,
    pub profile_name: Option<(String, Origin)>,
    pub recipes: Vec<(String, Vec<Entry>)>,
    pub require: Vec<(String, Value, Origin)>,
    pub sources: Vec<(String, Value, Origin)>,
    pub summary: Option<(String, Origin)>,
}

/// `extends = […]`.
#[derive(Debug, Clone)]
pub(super) struct Extends {
    pub entries: Vec<(String, Origin)>,
}

/// One option.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: OptionName,
    pub value: Value,
    pub origin: Origin,
}

/// One `[parts.X]`.
#[derive(Debug)]
pub(super) struct PartSheet {
    pub name: PartName,
    pub origin: Origin,
    pub is_abstract: Option<bool>,
    /// Whether nothing of it was left out because it was wrong.
    pub is_whole: bool,
    pub like: Option<(PartName, Origin)>,
    pub needs: Option<(Value, Origin)>,
    pub options: Vec<Entry>,
    pub recipe: Option<(String, Origin)>,
    pub replace: bool,
    pub when: Option<When>,
}

/// Reads a whole file; `None` if it is no TOML, which was said then.
pub(super) fn read(source: &Arc<Source>, kind: LayerKind, found: &mut Diagnostics) -> Option<Sheet> {
    let table = match DeTable::parse(&source.text) {
        Ok(table) => table.into_inner(),
        Err(first) => {
            let mistakes =
                if source.text.len() <= RECOVERABLE { DeTable::parse_recoverable(&source.text).1 } else { vec![first] };
            for mistake in mistakes.iter().take(MAX_MISTAKES) {
                let span = mistake.span().unwrap_or(0..0);
                let message = format!("`{}` is no TOML: {}", source.name, mistake.message().trim_end());
                found.push(Diagnostic::error(message).at(&Origin::new(source, span), ""));
            }
            return None;
        }
    };
    let mut sheet = Sheet::default();
    let mut reader = Reader { source, shift: 0, found };
    for (key, written) in &table {
        sheet.field(&mut reader, kind, key, written);
    }
    Some(sheet)
}

impl Sheet {
    fn field(
        &mut self,
        reader: &mut Reader<'_>,
        kind: LayerKind,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        written: &Spanned<DeValue<'_>>,
    ) {
        let name = key.get_ref().as_ref();
        let origin = reader.origin(&key.span());
        let common = matches!(name, "recipes" | "sources" | "host");
        if kind == LayerKind::UserConfig && KEYS.contains(&name) && !common {
            let message =
                format!("`{name}` has no place in the user's config.toml, which holds [recipes], [sources] and [host]");
            reader.refuse(
                Diagnostic::error(message).at(&origin, "").hint("write it in the project's jove.toml or a profile"),
            );
            return;
        }
        let profile = matches!(kind, LayerKind::ShippedProfile | LayerKind::ProjectProfile);
        match name {
            "extends" => self.extends = extends(reader, written),
            "host" => leaves(reader, name, written, &mut self.host),
            "name" if profile => {
                let message = "`name` is a project's; a profile's own name stands in [profile]";
                reader.refuse(Diagnostic::error(message).at(&origin, ""));
            }
            "name" => self.name = project_name(reader, written),
            "parts" => self.parts(reader, written),
            "profile" => self.profile(reader, written),
            "recipes" => self.recipes(reader, written),
            "require" => leaves(reader, name, written, &mut self.require),
            "sources" => leaves(reader, name, written, &mut self.sources),
            _ => {
                let message = format!("`{name}` means nothing here");
                let diagnostic = Diagnostic::error(message).at(&origin, "").nearest(name, KEYS);
                reader.refuse(match diagnostic.hints.is_empty() {
                    true => diagnostic.hint(format!(
                        "a file holds {}; options stand in [parts.NAME] or [recipes.NAME]",
                        KEYS.join(", ")
                    )),
                    false => diagnostic,
                });
            }
        }
    }

    fn parts(&mut self, reader: &mut Reader<'_>, written: &Spanned<DeValue<'_>>) {
        let Some(table) = reader.table("parts", written) else { return };
        for (key, written) in table {
            let origin = reader.origin(&key.span());
            let name = match key.get_ref().parse::<PartName>() {
                Ok(name) => name,
                Err(error) => {
                    reader.refuse(Diagnostic::error(error.to_string()).at(&origin, ""));
                    continue;
                }
            };
            let Some(fields) = reader.table(&format!("parts.{name}"), written) else { continue };
            let mut part = PartSheet::new(name, origin);
            let before = reader.found.0.len();
            for (key, written) in fields {
                part.field(reader, key.get_ref(), &reader.origin(&key.span()), written);
            }
            part.is_whole = reader.found.0.len() == before;
            self.parts.push(part);
        }
    }

    fn profile(&mut self, reader: &mut Reader<'_>, written: &Spanned<DeValue<'_>>) {
        let Some(table) = reader.table("profile", written) else { return };
        for (key, written) in table {
            let name = key.get_ref().as_ref();
            match name {
                "example" => self.example = reader.text(name, written),
                "locked" => self.locked = reader.truth(name, written),
                "name" => self.profile_name = reader.text(name, written),
                "summary" => self.summary = reader.text(name, written),
                _ => {
                    let origin = reader.origin(&key.span());
                    let message =
                        format!("`{name}` means nothing in [profile], which holds {}", PROFILE_KEYS.join(", "));
                    reader.refuse(Diagnostic::error(message).at(&origin, "").nearest(name, PROFILE_KEYS));
                }
            }
        }
    }

    fn recipes(&mut self, reader: &mut Reader<'_>, written: &Spanned<DeValue<'_>>) {
        let Some(table) = reader.table("recipes", written) else { return };
        for (key, written) in table {
            let recipe = key.get_ref().to_string();
            let Some(fields) = reader.table(&format!("recipes.{recipe}"), written) else { continue };
            let mut entries = Vec::new();
            for (key, written) in fields {
                let name = key.get_ref().as_ref();
                let origin = reader.origin(&key.span());
                if PART_KEYS.contains(&name) {
                    let message = format!("`{name}` belongs to a part, and has no place in [recipes.{recipe}]");
                    reader.refuse(Diagnostic::error(message).at(&origin, "").hint("write it in [parts.NAME]"));
                } else {
                    entries.extend(entry(reader, name, &origin, written));
                }
            }
            self.recipes.push((recipe, entries));
        }
    }
}

impl PartSheet {
    pub(super) fn new(name: PartName, origin: Origin) -> Self {
        Self {
            name,
            origin,
            is_abstract: None,
            is_whole: true,
            like: None,
            needs: None,
            options: Vec::new(),
            recipe: None,
            replace: false,
            when: None,
        }
    }

    /// One key of the part.
    pub(super) fn field(
        &mut self,
        reader: &mut Reader<'_>,
        name: &str,
        origin: &Origin,
        written: &Spanned<DeValue<'_>>,
    ) {
        match name {
            "abstract" => self.is_abstract = reader.truth(name, written).map(|(truth, _)| truth),
            "like" => self.like = like(reader, written),
            "needs" => self.needs = reader.value(written),
            "recipe" => self.recipe = reader.text(name, written),
            "replace" => self.replace = reader.truth(name, written).is_some_and(|(truth, _)| truth),
            "when" => self.when = When::read(reader, written),
            _ => self.options.extend(entry(reader, name, origin, written)),
        }
    }
}

fn entry(reader: &mut Reader<'_>, name: &str, origin: &Origin, written: &Spanned<DeValue<'_>>) -> Option<Entry> {
    match name.parse::<OptionName>() {
        Ok(name) => reader.value(written).map(|(value, origin)| Entry { name, value, origin }),
        Err(error) => {
            let mended = name.to_lowercase().replace('-', "_");
            let diagnostic = Diagnostic::error(error.to_string()).at(origin, "");
            reader.refuse(match mended.parse::<OptionName>() {
                Ok(mended) => diagnostic.hint(format!("did you mean `{mended}`?")),
                Err(_) => diagnostic,
            });
            None
        }
    }
}

fn like(reader: &mut Reader<'_>, written: &Spanned<DeValue<'_>>) -> Option<(PartName, Origin)> {
    let (text, origin) = reader.text("like", written)?;
    match text.parse() {
        Ok(name) => Some((name, origin)),
        Err(error) => {
            reader.refuse(Diagnostic::error(error.to_string()).at(&origin, "").hint("`like` names one other part"));
            None
        }
    }
}

fn leaves(
    reader: &mut Reader<'_>,
    name: &str,
    written: &Spanned<DeValue<'_>>,
    into: &mut Vec<(String, Value, Origin)>,
) {
    if let Some(table) = reader.table(name, written) {
        reader.leaves(table, "", into);
    }
}

/// One text or a list of texts.
fn extends(reader: &mut Reader<'_>, written: &Spanned<DeValue<'_>>) -> Option<Extends> {
    let (value, origin) = reader.value(written)?;
    let items = match value {
        Value::List(items) => items,
        other => vec![(other, origin)],
    };
    let mut entries = Vec::new();
    for (item, origin) in items {
        match item {
            Value::String(text) => entries.push((text, origin)),
            other => {
                let message = format!("`extends` lists files or `profile:NAME`, not {}", other.kind());
                reader.refuse(Diagnostic::error(message).at(&origin, "write it in quotes"));
            }
        }
    }
    Some(Extends { entries })
}

/// The name becomes part of the name of a folder.
fn project_name(reader: &mut Reader<'_>, written: &Spanned<DeValue<'_>>) -> Option<(String, Origin)> {
    let (text, origin) = reader.text("name", written)?;
    if is_folder_word(&text) {
        return Some((text, origin));
    }
    let message = "a project's name is part of a folder's name: letters, digits, `-`, `_`, `.` and spaces between them";
    reader.refuse(Diagnostic::error(message).at(&origin, "at most 64 letters, the first one no `.` and no `-`"));
    None
}

/// Whether a word can be part of the name of a folder.
pub(super) fn is_folder_word(text: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    (1..=64).contains(&text.chars().count())
        && text.chars().all(inner)
        && text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && !text.ends_with(' ')
}
