//! Values of options as planning reads them: texts, plain strings, and words for people.

use std::time::Duration;

use crate::diagnostic::Origin;
use crate::profile::Value;
use crate::recipe::{OptionValue, ResolvedPart};
use crate::text::Text;

/// The texts of a list option.
pub(super) fn texts(value: Option<&OptionValue>) -> Vec<Text> {
    match value {
        Some(OptionValue::List(list)) => list.iter().map(text_of).collect(),
        _ => Vec::new(),
    }
}

/// The plain strings of a list option.
#[must_use]
pub fn strings(part: &ResolvedPart, option: &str) -> Vec<String> {
    entries(part, option).into_iter().map(|(text, _)| text).collect()
}

/// The plain strings of a list option, and where each was written; the option's place where that of an entry is not known.
#[must_use]
pub fn entries<'p>(part: &'p ResolvedPart, option: &str) -> Vec<(String, &'p Origin)> {
    let Some(found) = part.options.get(option) else { return Vec::new() };
    let texts = texts(Some(&found.value));
    let written = match &found.written {
        // A reference to a list has become several entries.
        Some(Value::List(list)) if found.origin.is_some() && list.len() == texts.len() => list.as_slice(),
        _ => &[],
    };
    let whole = place(part, option);
    let entry = |(index, text): (usize, &Text)| {
        let origin = written.get(index).map_or(whole, |(_, origin)| origin);
        Some((text.as_plain()?.to_owned(), origin))
    };
    texts.iter().enumerate().filter_map(entry).collect()
}

/// Where an option was set; the part, for one that nobody set.
#[must_use]
pub fn place<'p>(part: &'p ResolvedPart, option: &str) -> &'p Origin {
    part.options.get(option).and_then(|option| option.origin.as_ref()).unwrap_or(&part.origin)
}

/// A duration.
#[must_use]
pub fn seconds(value: Option<&OptionValue>) -> Option<Duration> {
    match value {
        Some(OptionValue::Seconds(seconds)) => Duration::try_from_secs_f64(*seconds).ok(),
        _ => None,
    }
}

/// Whether a value is this word.
#[must_use]
pub fn is_word(value: Option<&OptionValue>, word: &str) -> bool {
    matches!(value, Some(OptionValue::Text(text)) if text.as_plain() == Some(word))
}

/// A value as a text.
pub(super) fn text_of(value: &OptionValue) -> Text {
    match value {
        OptionValue::Text(text) => text.clone(),
        other => Text::literal(shown(other)),
    }
}

/// An option's value for people; secrets show as their names.
#[must_use]
pub fn shown(value: &OptionValue) -> String {
    match value {
        OptionValue::Bool(value) => value.to_string(),
        OptionValue::Float(value) => value.to_string(),
        OptionValue::Int(value) => value.to_string(),
        OptionValue::List(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(", ")),
        OptionValue::None => "(none)".to_owned(),
        OptionValue::Seconds(seconds) => format!("{seconds}s"),
        OptionValue::Table(table) => {
            let rows: Vec<_> = table.iter().map(|(name, value)| format!("{name} = {}", shown(value))).collect();
            format!("{{{}}}", rows.join(", "))
        }
        OptionValue::Text(text) => text.to_string(),
    }
}
