//! As much of INI as supervisord reads: sections, `key = value` with lines that go on, comments, and `%(word)s`.

use super::FileError;

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub name: String,
    entries: Vec<(String, String)>,
}

impl Section {
    /// A value; the last one counts.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The keys, in the order of the file.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }
}

/// Reads sections.
pub(super) fn parse(text: &str) -> Result<Vec<Section>, FileError> {
    let mut sections: Vec<Section> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |reason: &str| FileError::Line { line: number, reason: reason.to_owned() };
        let is_more = line.starts_with([' ', '\t']);
        let line = without_comment(line).trim();
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').filter(|_| !is_more) {
            let name = name.strip_suffix(']').ok_or_else(|| wrong("a section without `]`"))?;
            sections.push(Section { name: name.trim().to_owned(), entries: Vec::new() });
            continue;
        }
        let Some(section) = sections.last_mut() else { return Err(wrong("it stands before any `[section]`")) };
        if is_more && let Some((_, value)) = section.entries.last_mut() {
            value.push('\n');
            value.push_str(line);
            continue;
        }
        let end = line.find(['=', ':']).ok_or_else(|| wrong("no `key = value`"))?;
        let (key, value) = (line[..end].trim().to_lowercase(), line[end + 1..].trim().to_owned());
        section.entries.push((key, value));
    }
    Ok(sections)
}

/// A comment is a whole line, or stands behind ` ;`.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with([';', '#']) {
        return "";
    }
    line.find(" ;").or_else(|| line.find("\t;")).map_or(line, |start| &line[..start])
}

/// Puts words in the place of `%(word)s` and `%(word)02d`; `%%` is `%`.
pub(super) fn expand(text: &str, word: &dyn Fn(&str) -> Option<String>) -> Result<String, FileError> {
    let wrong = |reason: String| FileError::Toml(reason);
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        made.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            made.push('%');
            rest = after;
            continue;
        }
        let inside = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        let (name, after) = inside.ok_or_else(|| wrong(format!("`%` in `{text}` is neither `%%` nor `%(name)s`")))?;
        let value = word(name).ok_or_else(|| wrong(format!("`%({name})s` is not known here")))?;
        let end = after.find(['s', 'd']).ok_or_else(|| wrong(format!("`%({name})` ends in no `s` or `d`")))?;
        let width = after[..end].trim_start_matches('0').parse::<usize>().unwrap_or(0).min(20);
        made.push_str(&"0".repeat(width.saturating_sub(value.len())));
        made.push_str(&value);
        rest = &after[end + 1..];
    }
    made.push_str(rest);
    Ok(made)
}
