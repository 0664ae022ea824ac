//! Typed values: reading durations, fitting a value to an option's type, and saying what was found.

use crate::profile::Value;
use crate::recipe::schema::OptionType;
use crate::recipe::stack::OptionValue;
use crate::service::amount::{decimal, size};
use crate::text::Text;

/// Reads `100ms`, `5s`, `2m`, `1h`, `1d`, or a number of seconds.
pub(super) fn duration(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let text = text.trim();
    let (number, factor) =
        UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor))).unwrap_or((text, 1.0));
    seconds(decimal(number)? * factor)
}

/// A number of seconds that a duration can hold: not negative, at most some centuries.
pub(super) fn seconds(number: f64) -> Option<f64> {
    (0.0..=1e10).contains(&number).then_some(number)
}

/// A value that does not fit: what was found instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit(pub(super) String);

/// Makes a value one of the type. A `loose` value came as text from outside (a process variable, joined pieces), so that
/// `"8080"` is a number there, while in a file it is not.
///
/// What only the surroundings can settle stays: `"auto"` of a port or of workers, a relative path, the word of a secret.
pub(super) fn fit(kind: &OptionType, value: OptionValue, is_loose: bool) -> Result<OptionValue, Misfit> {
    let misfit = |value: &OptionValue| Err(Misfit(found(value)));
    match (kind, value) {
        (_, OptionValue::None) => Ok(OptionValue::None),
        (OptionType::Any, value)
        | (OptionType::Bool, value @ OptionValue::Bool(_))
        | (OptionType::Int, value @ OptionValue::Int(_))
        | (OptionType::Float, value @ OptionValue::Float(_))
        | (OptionType::Duration, value @ OptionValue::Seconds(_))
        | (OptionType::Sites, value @ OptionValue::List(_))
        | (OptionType::Table, value @ OptionValue::Table(_))
        | (OptionType::String | OptionType::Path | OptionType::Secret, value @ OptionValue::Text(_)) => Ok(value),
        (OptionType::List(of), OptionValue::List(list)) => {
            let fitted = list.into_iter().map(|one| fit(of, one, is_loose));
            fitted.collect::<Result<_, _>>().map(OptionValue::List)
        }
        (kind, OptionValue::Text(text)) => match text.as_plain() {
            None => Err(Misfit(if text.is_secret() { "a secret" } else { "a folder" }.into())),
            Some(plain) => from_text(kind, plain, is_loose).ok_or_else(|| Misfit(quoted(plain))),
        },
        (kind, value) => match from_number(kind, &value) {
            Some(fitted) => Ok(fitted),
            None => misfit(&value),
        },
    }
}

/// A scalar of another type that is as good.
fn from_number(kind: &OptionType, value: &OptionValue) -> Option<OptionValue> {
    match (kind, value) {
        #[expect(clippy::cast_precision_loss, reason = "a fraction was asked for")]
        (OptionType::Float, OptionValue::Int(number)) => Some(OptionValue::Float(*number as f64)),
        (OptionType::Float, OptionValue::Seconds(number)) => Some(OptionValue::Float(*number)),
        #[expect(clippy::cast_precision_loss, reason = "bounded by `seconds`")]
        (OptionType::Duration, OptionValue::Int(number)) => seconds(*number as f64).map(OptionValue::Seconds),
        (OptionType::Duration, OptionValue::Float(number)) => seconds(*number).map(OptionValue::Seconds),
        (OptionType::Port, OptionValue::Int(1..=65_535)) => Some(value.clone()),
        (OptionType::Size, OptionValue::Int(0..)) | (OptionType::Workers, OptionValue::Int(1..)) => Some(value.clone()),
        (
            OptionType::String | OptionType::Secret,
            OptionValue::Int(_) | OptionValue::Float(_) | OptionValue::Seconds(_) | OptionValue::Bool(_),
        ) => as_text(value).map(OptionValue::Text),
        _ => None,
    }
}

fn from_text(kind: &OptionType, plain: &str, is_loose: bool) -> Option<OptionValue> {
    let loose = |made: Option<OptionValue>| made.filter(|_| is_loose);
    match kind {
        OptionType::Bool => loose(plain.parse().ok().map(OptionValue::Bool)),
        OptionType::Duration => duration(plain).map(OptionValue::Seconds),
        OptionType::Enum(words) => {
            words.iter().any(|word| word == plain).then(|| OptionValue::Text(Text::literal(plain)))
        }
        OptionType::Float => loose(plain.parse().ok().map(OptionValue::Float)),
        OptionType::Int => loose(plain.parse().ok().map(OptionValue::Int)),
        OptionType::Port | OptionType::Workers if plain == "auto" => Some(OptionValue::Text(Text::literal(plain))),
        OptionType::Port => loose(plain.parse().ok().filter(|port| (1..=65_535).contains(port)).map(OptionValue::Int)),
        OptionType::Sites => (plain == "*").then(|| OptionValue::List(Vec::new())),
        OptionType::Size => size(plain).map(OptionValue::Int),
        OptionType::Workers => loose(plain.parse().ok().filter(|count| *count >= 1).map(OptionValue::Int)),
        OptionType::Any
        | OptionType::List(_)
        | OptionType::Path
        | OptionType::Secret
        | OptionType::String
        | OptionType::Table => None,
    }
}

/// Fits a value that holds no reference, as written in a file.
pub(super) fn fit_written(kind: &OptionType, value: &Value) -> Result<OptionValue, Misfit> {
    // In a file a text is in quotes; only a reference may bring a number to a text.
    if matches!(kind, OptionType::String | OptionType::Secret)
        && matches!(value, Value::Bool(_) | Value::Float(_) | Value::Int(_))
    {
        return Err(Misfit(found(&plain(value))));
    }
    match (kind, value) {
        (OptionType::List(of), Value::List(list)) => {
            let fitted = list.iter().map(|(one, _)| fit_written(of, one));
            fitted.collect::<Result<_, _>>().map(OptionValue::List)
        }
        _ => fit(kind, plain(value), false),
    }
}

/// A written value as it is, its texts without references.
pub(super) fn plain(value: &Value) -> OptionValue {
    match value {
        Value::Bool(truth) => OptionValue::Bool(*truth),
        Value::Float(number) => OptionValue::Float(*number),
        Value::Int(number) => OptionValue::Int(*number),
        Value::List(list) => OptionValue::List(list.iter().map(|(one, _)| plain(one)).collect()),
        Value::String(text) => OptionValue::Text(Text::literal(text.replace("$${", "${"))),
        Value::Table(table) => {
            OptionValue::Table(table.iter().map(|(key, (one, _))| (key.clone(), plain(one))).collect())
        }
    }
}

/// Whether a text in the value holds a reference.
pub(super) fn has_references(value: &Value) -> bool {
    match value {
        Value::Bool(_) | Value::Float(_) | Value::Int(_) => false,
        Value::List(list) => list.iter().any(|(one, _)| has_references(one)),
        Value::String(text) => text.replace("$${", "").contains("${"),
        Value::Table(table) => table.values().any(|(one, _)| has_references(one)),
    }
}

/// What a value is, for people.
pub(super) fn found(value: &OptionValue) -> String {
    match value {
        OptionValue::Bool(truth) => format!("`{truth}`"),
        OptionValue::Float(number) => format!("the number {number}"),
        OptionValue::Int(number) => format!("the number {number}"),
        OptionValue::List(_) => "a list".into(),
        OptionValue::None => "nothing".into(),
        OptionValue::Seconds(number) => format!("a duration of {number} seconds"),
        OptionValue::Table(_) => "a table".into(),
        OptionValue::Text(text) => match text.as_plain() {
            Some(plain) => quoted(plain),
            None if text.is_secret() => "a secret".into(),
            None => "a folder".into(),
        },
    }
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("the text `\"{short}{dots}\"`")
}

/// A scalar as text, for joining; `None` for lists, tables and nothing.
pub(super) fn as_text(value: &OptionValue) -> Option<Text> {
    match value {
        OptionValue::Bool(truth) => Some(Text::literal(truth.to_string())),
        OptionValue::Float(number) | OptionValue::Seconds(number) => Some(Text::literal(number.to_string())),
        OptionValue::Int(number) => Some(Text::literal(number.to_string())),
        OptionValue::Text(text) => Some(text.clone()),
        OptionValue::List(_) | OptionValue::None | OptionValue::Table(_) => None,
    }
}

/// Whether an option's value equals one of the wished ones; a list, whether it contains one. `kind` is the option's type.
///
/// Where the option is no truth value, `true` asks whether it is given and not empty.
pub(super) fn answers(kind: &OptionType, value: &OptionValue, wished: &[Value]) -> bool {
    let asks = |truth: bool| wished.contains(&Value::Bool(truth));
    if *kind != OptionType::Bool && asks(is_given(value)) {
        return true;
    }
    let equals = |kind: &OptionType, value: &OptionValue| {
        wished.iter().any(|wish| fit_written(kind, wish).is_ok_and(|wish| wish == *value))
    };
    match (kind, value) {
        (OptionType::List(of), OptionValue::List(list)) => {
            equals(kind, value) || list.iter().any(|one| equals(of, one))
        }
        _ => equals(kind, value),
    }
}

/// Whether there is a value, and something in it.
fn is_given(value: &OptionValue) -> bool {
    match value {
        OptionValue::Bool(_) | OptionValue::Float(_) | OptionValue::Int(_) | OptionValue::Seconds(_) => true,
        OptionValue::List(list) => !list.is_empty(),
        OptionValue::None => false,
        OptionValue::Table(table) => !table.is_empty(),
        OptionValue::Text(text) => !text.is_empty(),
    }
}

/// The texts in a value, wherever they are.
pub(super) fn texts<'a>(value: &'a OptionValue, each: &mut impl FnMut(&'a Text)) {
    match value {
        OptionValue::Text(text) => each(text),
        OptionValue::List(list) => list.iter().for_each(|one| texts(one, each)),
        OptionValue::Table(table) => table.values().for_each(|one| texts(one, each)),
        OptionValue::Bool(_)
        | OptionValue::Float(_)
        | OptionValue::Int(_)
        | OptionValue::None
        | OptionValue::Seconds(_) => {}
    }
}
