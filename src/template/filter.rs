//! Filters that write a value in the language of a file: `tojson`, `py`, `shell_quote`, `ini`.
//!
//! Marks of secrets and objects (see [`crate::text`]) pass through all of them unaltered.

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

use crate::text::MARK_OPEN;

/// Adds all filters.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    // The folder of an object is a mark until its key is known.
    environment.add_test("absolute", |path: &str| path.starts_with(['/', MARK_OPEN]));
    environment.add_filter("tojson", to_json);
    environment.add_filter("py", |value: Value| python(&value));
    environment.add_filter("shell_quote", |text: String| shell_quoted(&text));
    environment.add_filter("ini", |text: String| text.replace("\r\n", "\n").replace('\n', "\n\t"));
}

/// A word of a shell. The folder that a mark stands for may have spaces.
fn shell_quoted(text: &str) -> String {
    let quoted = shell_words::quote(text);
    if quoted == text && text.contains(MARK_OPEN) { format!("'{text}'") } else { quoted.into_owned() }
}

fn to_json(value: Value) -> Result<Value, Error> {
    // In markup `<` would end a script element; as an escape it means the same.
    serde_json::to_string(&value)
        .map(|text| Value::from_safe_string(text.replace("</", "<\\/")))
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// A value as a literal of Python.
fn python(value: &Value) -> Result<String, Error> {
    let made = match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::Number => value.to_string(),
        ValueKind::String => python_text(&value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => {
            let list: Vec<String> = value.try_iter()?.map(|one| python(&one)).collect::<Result<_, _>>()?;
            format!("[{}]", list.join(", "))
        }
        ValueKind::Map => {
            let entry = |key: Value| Ok(format!("{}: {}", python(&key)?, python(&value.get_item(&key)?)?));
            let entries: Vec<String> = value.try_iter()?.map(entry).collect::<Result<_, Error>>()?;
            format!("{{{}}}", entries.join(", "))
        }
        other => {
            let detail = format!("{other} has no literal in Python");
            return Err(Error::new(ErrorKind::InvalidOperation, detail));
        }
    };
    Ok(made)
}

fn python_text(text: &str) -> String {
    let mut made = String::from("'");
    for letter in text.chars() {
        match letter {
            '\\' => made.push_str("\\\\"),
            '\'' => made.push_str("\\'"),
            '\n' => made.push_str("\\n"),
            '\r' => made.push_str("\\r"),
            '\t' => made.push_str("\\t"),
            c if c.is_control() => made.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => made.push(c),
        }
    }
    made.push('\'');
    made
}
