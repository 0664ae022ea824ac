//! [`Text`]: a string that knows which of its pieces are secrets or folders of objects.
//!
//! A value that contains a secret *is* secret: the piece stays a reference (part, option, version) through references,
//! templates and joining, and only [`Text::reveal`] turns it into the word itself. Folders of other parts' objects are
//! pieces too, since their paths are known only when their keys are.
//!
//! Templates work on plain strings, so a text can be carried through one as *marked* string, in which each piece that is
//! no literal stands between two private-use characters; see [`Text::to_marked`]. What a template puts in quotes before its word
//! is known says so in its mark ([`quote_marks`]), and the word is escaped for them when it takes the mark's place.

mod language;

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::language::Language;
use crate::name::{OptionName, PartName};

/// Opens a marked piece. A private-use character: user's values that contain it are refused.
pub const MARK_OPEN: char = '\u{E000}';
/// Closes a marked piece.
pub const MARK_CLOSE: char = '\u{E001}';

/// Which secret is meant: the name that stands wherever a secret would otherwise be shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// The part that owns the secret.
    pub part: PartName,
    /// The option that holds it.
    pub option: OptionName,
    /// A random word that changes with the value, so that a rotation is seen and nothing can be guessed from it.
    pub version: String,
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret:{}.{}@{}", self.part, self.option, self.version)
    }
}

/// One piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Piece {
    /// Plain characters.
    Literal(String),
    /// The folder of another part's object (`{"object": "env"}`).
    Object {
        /// The part whose object it is.
        object: PartName,
        /// In which quotes it is, from the inmost on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        quotes: Vec<Language>,
    },
    /// A secret (`{"secret": {…}}`).
    Secret {
        /// Which one.
        secret: SecretRef,
        /// In which quotes it is, from the inmost on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        quotes: Vec<Language>,
    },
}

/// A string in pieces. Adjacent literals are joined, so equal texts are equal values.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(Vec<Piece>);

/// Where the words of secrets come from (`state.toml`).
pub trait Secrets {
    /// The secret's word, if this version of it is known.
    fn word(&self, secret: &SecretRef) -> Option<String>;
}

/// A secret that a text needs and that is not (or no longer) known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not in state.toml")]
pub struct UnknownSecret(pub SecretRef);

/// A marked string that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a secret or object was cut or changed inside a template (a filter such as `upper` cannot be applied to it)")]
pub struct BrokenMark;

impl Text {
    /// A text of plain characters.
    pub fn literal(text: impl Into<String>) -> Self {
        let mut made = Self::default();
        made.push(Piece::Literal(text.into()));
        made
    }

    /// The folder of a part's object.
    #[must_use]
    pub fn object(part: PartName) -> Self {
        Self(vec![Piece::Object { object: part, quotes: Vec::new() }])
    }

    /// A secret.
    #[must_use]
    pub fn secret(secret: SecretRef) -> Self {
        Self(vec![Piece::Secret { secret, quotes: Vec::new() }])
    }

    /// Appends one piece.
    pub fn push(&mut self, piece: Piece) {
        match (self.0.last_mut(), piece) {
            (_, Piece::Literal(text)) if text.is_empty() => {}
            (Some(Piece::Literal(last)), Piece::Literal(text)) => last.push_str(&text),
            (_, piece) => self.0.push(piece),
        }
    }

    /// Appends all pieces of another text.
    pub fn append(&mut self, other: Self) {
        for piece in other.0 {
            self.push(piece);
        }
    }

    /// The pieces, first to last.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any piece is a secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secrets().next().is_some()
    }

    /// The secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Secret { secret, .. } => Some(secret),
            Piece::Literal(_) | Piece::Object { .. } => None,
        })
    }

    /// The parts whose objects it names.
    pub fn objects(&self) -> impl Iterator<Item = &PartName> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Object { object, .. } => Some(object),
            Piece::Literal(_) | Piece::Secret { .. } => None,
        })
    }

    /// The characters, if every piece is plain.
    #[must_use]
    pub fn as_plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The same text with folders of objects in place of their names, escaped for the quotes that they are in. `folder` gives
    /// each object's path; one that it does not know stays a name.
    #[must_use]
    pub fn with_objects<'a>(&self, mut folder: impl FnMut(&PartName) -> Option<&'a Path>) -> Self {
        let mut made = Self::default();
        for piece in &self.0 {
            made.push(match piece {
                Piece::Object { object, quotes } => folder(object).map_or_else(
                    || piece.clone(),
                    |folder| Piece::Literal(escaped(folder.display().to_string(), quotes)),
                ),
                Piece::Literal(_) | Piece::Secret { .. } => piece.clone(),
            });
        }
        made
    }

    /// The same text as if nothing of it were in quotes: to see what it names.
    #[must_use]
    pub fn without_quotes(&self) -> Self {
        let mut made = self.clone();
        for piece in &mut made.0 {
            match piece {
                Piece::Object { quotes, .. } | Piece::Secret { quotes, .. } => quotes.clear(),
                Piece::Literal(_) => {}
            }
        }
        made
    }

    /// The same text as it is written in a language: what is known is escaped for it, the rest when it becomes known.
    #[must_use]
    pub fn quoted(&self, language: Language) -> Self {
        let mut made = Self::default();
        for piece in &self.0 {
            let mut piece = piece.clone();
            match &mut piece {
                Piece::Literal(text) => *text = language.escape(text),
                Piece::Object { quotes, .. } | Piece::Secret { quotes, .. } => quotes.push(language),
            }
            made.push(piece);
        }
        made
    }

    /// The one door by which a secret leaves its type: the whole string, for a child's environment or a file of mode 0600.
    ///
    /// # Errors
    /// If a secret in it is unknown.
    pub fn reveal(&self, secrets: &dyn Secrets) -> Result<String, UnknownSecret> {
        let mut made = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => made.push_str(text),
                Piece::Object { object, .. } => made.push_str(&format!("${{{object}}}")),
                Piece::Secret { secret, quotes } => {
                    let word = secrets.word(secret).ok_or_else(|| UnknownSecret(secret.clone()))?;
                    made.push_str(&escaped(word, quotes));
                }
            }
        }
        Ok(made)
    }

    /// The text as one string in which each piece that is no literal is marked, to be carried through a template.
    #[must_use]
    pub fn to_marked(&self) -> String {
        let mut made = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => made.push_str(text),
                Piece::Object { object, quotes } => {
                    made.push_str(&format!("{MARK_OPEN}object:{object}{}{MARK_CLOSE}", words(quotes)));
                }
                Piece::Secret { secret, quotes } => {
                    made.push_str(&format!("{MARK_OPEN}{secret}{}{MARK_CLOSE}", words(quotes)));
                }
            }
        }
        made
    }

    /// Reads a marked string back.
    ///
    /// # Errors
    /// If a mark is cut or was altered.
    pub fn from_marked(marked: &str) -> Result<Self, BrokenMark> {
        let mut made = Self::default();
        let mut rest = marked;
        while let Some(start) = rest.find(MARK_OPEN) {
            let (before, after) = rest.split_at(start);
            let inside = &after[MARK_OPEN.len_utf8()..];
            let end = inside.find(MARK_CLOSE).ok_or(BrokenMark)?;
            made.push(Piece::Literal(before.to_owned()));
            made.push(piece_of_mark(&inside[..end]).ok_or(BrokenMark)?);
            rest = &inside[end + MARK_CLOSE.len_utf8()..];
        }
        if rest.contains(MARK_CLOSE) {
            return Err(BrokenMark);
        }
        made.push(Piece::Literal(rest.to_owned()));
        Ok(made)
    }
}

/// A marked string that was put in quotes, all its literals escaped for them: its marks say so from now on.
#[must_use]
pub fn quote_marks(marked: &str, language: Language) -> String {
    marked.replace(MARK_CLOSE, &format!("{QUOTES}{}{MARK_CLOSE}", language.word()))
}

/// Stands before each language in a mark.
const QUOTES: char = '|';

fn words(quotes: &[Language]) -> String {
    quotes.iter().map(|language| format!("{QUOTES}{}", language.word())).collect()
}

fn escaped(word: String, quotes: &[Language]) -> String {
    quotes.iter().fold(word, |word, language| language.escape(&word))
}

fn piece_of_mark(mark: &str) -> Option<Piece> {
    let (mark, quotes) = match mark.split_once(QUOTES) {
        Some((mark, words)) => (mark, words.split(QUOTES).map(Language::of_word).collect::<Option<Vec<_>>>()?),
        None => (mark, Vec::new()),
    };
    if let Some(part) = mark.strip_prefix("object:") {
        return Some(Piece::Object { object: part.parse().ok()?, quotes });
    }
    let (name, version) = mark.strip_prefix("secret:")?.rsplit_once('@')?;
    let (part, option) = name.split_once('.')?;
    let secret = SecretRef { part: part.parse().ok()?, option: option.parse().ok()?, version: version.to_owned() };
    Some(Piece::Secret { secret, quotes })
}

/// Shows secrets and objects by name.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => f.write_str(text)?,
                Piece::Object { object, .. } => write!(f, "${{{object}}}")?,
                Piece::Secret { secret, .. } => write!(f, "{secret}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Text {
        let secret = SecretRef {
            part: "db".parse().expect("name"),
            option: "password".parse().expect("name"),
            version: "k3".into(),
        };
        let mut text = Text::literal("postgresql://app:");
        text.append(Text::secret(secret));
        text.append(Text::literal("@"));
        text.append(Text::object("db".parse().expect("name")));
        text
    }

    #[test]
    fn a_secret_shows_as_its_name() {
        assert_eq!(sample().to_string(), "postgresql://app:secret:db.password@k3@${db}");
        assert!(sample().is_secret());
        assert_eq!(sample().as_plain(), None);
    }

    #[test]
    fn marks_round_trip_and_a_cut_mark_is_found() {
        let marked = sample().to_marked();
        assert_eq!(Text::from_marked(&marked), Ok(sample()));
        assert_eq!(Text::from_marked(&marked.to_uppercase()), Err(BrokenMark));
        let cut: String = marked.chars().filter(|c| *c != MARK_CLOSE).collect();
        assert_eq!(Text::from_marked(&cut), Err(BrokenMark));
    }

    #[test]
    fn what_is_in_quotes_is_escaped_for_them_when_it_is_known() {
        let quoted = quote_marks(&quote_marks(&sample().to_marked(), Language::Python), Language::Shell);
        let text = Text::from_marked(&quoted).expect("marks");
        assert_eq!(text.to_marked(), quoted);
        assert_eq!(text.without_quotes(), sample());
        let json = serde_json::to_string(&text).expect("json");
        assert_eq!(serde_json::from_str::<Text>(&json).expect("back"), text);
        struct Word;
        impl Secrets for Word {
            fn word(&self, _: &SecretRef) -> Option<String> {
                Some("it's".to_owned())
            }
        }
        let placed = text.with_objects(|_| Some(Path::new("/o'neil")));
        assert_eq!(placed.reveal(&Word).as_deref(), Ok(r"postgresql://app:it\'\''s@/o\'\''neil"));
        assert_eq!(sample().quoted(Language::Python).quoted(Language::Shell), text);
        let unknown = quoted.replace("shell", "latin");
        assert_eq!(Text::from_marked(&unknown), Err(BrokenMark));
    }

    #[test]
    fn serialises_as_strings_and_names() {
        let json = serde_json::to_string(&sample()).expect("json");
        assert_eq!(serde_json::from_str::<Text>(&json).expect("back"), sample());
        assert_eq!(serde_json::to_string(&Text::literal("a")).expect("json"), r#"["a"]"#);
    }
}
