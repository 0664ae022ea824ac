//! What is wrong with what the user wrote, as data: where, what, and the remedy.
//!
//! A [`Diagnostic`] points into a [`Source`]. All diagnostics of a run are collected and drawn together, by
//! [`draw`] for a terminal or as JSON. The shape follows cargo's and rustc's, drawn by annotate-snippets.

pub mod draw;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// One text that settings come from: a file, a shipped file, a variable, a command line argument.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// How people know it: `jove.toml`, `profile:demo`, `--set`, `JOVE_SET_WPS__PORT`.
    pub name: String,
    /// Its whole content, for excerpts. Secrets must not be in it.
    pub text: String,
    /// The folder that relative paths in it refer to, where there is one.
    pub folder: Option<PathBuf>,
}

/// A place in a [`Source`]: what every value knows about itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Where it stands.
    pub source: Arc<Source>,
    /// Which bytes.
    pub span: Range<usize>,
}

impl Origin {
    /// The place of some bytes of a source.
    #[must_use]
    pub fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        Self { source: Arc::clone(source), span }
    }

    /// The whole of a source that is one value, such as a variable.
    #[must_use]
    pub fn whole(source: &Arc<Source>) -> Self {
        Self::new(source, 0..source.text.len())
    }

    /// Line and column (in characters), both from 1.
    #[must_use]
    pub fn line_column(&self) -> (usize, usize) {
        let end = self.span.start.min(self.source.text.len());
        let before = self.source.text.get(..end).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// The same place, of a source in which nobody reads the login of an address (`https://user:word@host`).
    #[must_use]
    pub fn without_logins(&self) -> Self {
        let text = &self.source.text;
        let mut bytes = text.clone().into_bytes();
        for (at, sign) in text.match_indices("://") {
            let begin = at + sign.len();
            let rest = &text[begin..];
            let host = rest.find(|c: char| c.is_whitespace() || "/\"'".contains(c)).unwrap_or(rest.len());
            if let Some(login) = rest[..host].rfind('@') {
                bytes[begin..begin + login].fill(b'*');
            }
        }
        if bytes == text.as_bytes() {
            return self.clone();
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let source = Source { name: self.source.name.clone(), text, folder: self.source.folder.clone() };
        Self::new(&Arc::new(source), self.span.clone())
    }
}

/// `jove.toml:12:3`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing can be done before it is mended.
    Error,
    /// Worth a look.
    Warning,
}

/// A place that a diagnostic shows, with a word on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub origin: Origin,
    /// What to say there; may be empty.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lowercase, no final period, names in backticks.
    pub message: String,
    /// The places; the first is the one to mend. May be empty where no text is at fault.
    pub labels: Vec<Label>,
    /// What to do, one line each.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), labels: Vec::new(), hints: Vec::new() }
    }

    /// A warning without a place yet.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, origin: &Origin, text: impl Into<String>) -> Self {
        self.labels.push(Label { origin: origin.clone(), text: text.into() });
        self
    }

    /// Adds a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds `did you mean` if a candidate is near.
    #[must_use]
    pub fn nearest<'a>(self, wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match crate::name::nearest(wrong, candidates) {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// All that is wrong, if anything is: never empty when it is an `Err`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all of another.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether any of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

/// Messages only, a line each; [`draw`] shows the places.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&diagnostic.message)?;
            if let Some(label) = diagnostic.labels.first() {
                write!(f, " ({})", label.origin)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_not_shown() {
        let text = "a = \"https://user:wörd@host/x\"\nb = 'http://host/@' # @\n";
        let origin = Origin::new(&Arc::new(Source { name: "f".into(), text: text.into(), folder: None }), 4..10);
        let shown = origin.without_logins();
        assert_eq!(shown.source.text, "a = \"https://**********@host/x\"\nb = 'http://host/@' # @\n");
        assert_eq!((shown.span, shown.source.text.len()), (4..10, text.len()));
    }
}
