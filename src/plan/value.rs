//! Values of options as planning reads them: texts, plain strings, and words for people.

use std::time::Duration;

use crate::name::OptionName;
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
    let value = option.parse::<OptionName>().ok().and_then(|name| part.options.get(&name)).map(|option| &option.value);
    texts(value).iter().filter_map(|text| text.as_plain().map(str::to_owned)).collect()
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
