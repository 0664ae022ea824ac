//! [`Text`]: a string that knows which of its pieces are secrets or folders of objects.
//!
//! A value that contains a secret *is* secret: the piece stays a reference (part, option, version) through references,
//! templates and joining, and only [`Text::reveal`] turns it into the word itself. Folders of other parts' objects are
//! pieces too, since their paths are known only when their keys are.
//!
//! Templates work on plain strings, so a text can be carried through one as *marked* string, in which each piece that is
//! no literal stands between two private-use characters; see [`Text::to_marked`].

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

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
    },
    /// A secret (`{"secret": {…}}`).
    Secret {
        /// Which one.
        secret: SecretRef,
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
        Self(vec![Piece::Object { object: part }])
    }

    /// A secret.
    #[must_use]
    pub fn secret(secret: SecretRef) -> Self {
        Self(vec![Piece::Secret { secret }])
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
            Piece::Secret { secret } => Some(secret),
            Piece::Literal(_) | Piece::Object { .. } => None,
        })
    }

    /// The parts whose objects it names.
    pub fn objects(&self) -> impl Iterator<Item = &PartName> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Object { object } => Some(object),
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

    /// The same text with folders of objects in place of their names. `folder` gives each object's path.
    #[must_use]
    pub fn with_objects<'a>(&self, mut folder: impl FnMut(&PartName) -> &'a Path) -> Self {
        let mut made = Self::default();
        for piece in &self.0 {
            made.push(match piece {
                Piece::Object { object } => Piece::Literal(folder(object).display().to_string()),
                other => other.clone(),
            });
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
                Piece::Object { object } => made.push_str(&format!("${{{object}}}")),
                Piece::Secret { secret } => {
                    made.push_str(&secrets.word(secret).ok_or_else(|| UnknownSecret(secret.clone()))?);
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
                Piece::Object { object } => made.push_str(&format!("{MARK_OPEN}object:{object}{MARK_CLOSE}")),
                Piece::Secret { secret } => made.push_str(&format!("{MARK_OPEN}{secret}{MARK_CLOSE}")),
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

fn piece_of_mark(mark: &str) -> Option<Piece> {
    if let Some(part) = mark.strip_prefix("object:") {
        return Some(Piece::Object { object: part.parse().ok()? });
    }
    let (name, version) = mark.strip_prefix("secret:")?.rsplit_once('@')?;
    let (part, option) = name.split_once('.')?;
    let secret = SecretRef { part: part.parse().ok()?, option: option.parse().ok()?, version: version.to_owned() };
    Some(Piece::Secret { secret })
}

/// Shows secrets and objects by name.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => f.write_str(text)?,
                Piece::Object { object } => write!(f, "${{{object}}}")?,
                Piece::Secret { secret } => write!(f, "{secret}")?,
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
    fn serialises_as_strings_and_names() {
        let json = serde_json::to_string(&sample()).expect("json");
        assert_eq!(serde_json::from_str::<Text>(&json).expect("back"), sample());
        assert_eq!(serde_json::to_string(&Text::literal("a")).expect("json"), r#"["a"]"#);
    }
}
