//! Names that users write: parts and options. Parsed once; a value of these types is always well formed.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Words that `${word.…}` already means something for, so that no part may be called by them.
pub const RESERVED_PARTS: [&str; 4] = ["host", "profile", "project", "vars"];

/// Why a word is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A part's name has a letter that it may not have.
    #[error("`{0}` is no part name: it takes lowercase letters, digits and `-`, and starts with a letter")]
    Part(String),
    /// A part's name is one of [`RESERVED_PARTS`].
    #[error("`{0}` is no part name: `${{{0}.…}}` already has a meaning")]
    Reserved(String),
    /// An option's name has a letter that it may not have.
    #[error("`{0}` is no option name: it takes lowercase letters, digits and `_`, and starts with a letter")]
    Option(String),
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name! {
    /// A part's name: `[a-z][a-z0-9-]*`, and none of [`RESERVED_PARTS`]. Services are named in the same way.
    PartName
}

name! {
    /// An option's name: `[a-z][a-z0-9_]*`.
    OptionName
}

fn is_word(text: &str, joiner: char) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joiner)
}

impl FromStr for PartName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if RESERVED_PARTS.contains(&text) {
            return Err(NameError::Reserved(text.to_owned()));
        }
        if is_word(text, '-') { Ok(Self(text.to_owned())) } else { Err(NameError::Part(text.to_owned())) }
    }
}

impl FromStr for OptionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_word(text, '_') { Ok(Self(text.to_owned())) } else { Err(NameError::Option(text.to_owned())) }
    }
}

/// The candidate that `wrong` was most likely meant to be, if any is near enough to be worth naming.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word of this length is no slip of the pen, and comparing it would take long.
    let wrong = Some(wrong).filter(|wrong| wrong.len() <= 256)?;
    let bound = |candidate: &str| 1 + wrong.len().max(candidate.len()) / 4;
    candidates
        .into_iter()
        .filter(|candidate| wrong.len().abs_diff(candidate.len()) <= 4 * bound(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(wrong, candidate), candidate))
        // A word in which no letter is the same is not near, however short.
        .filter(|(distance, candidate)| *distance <= bound(candidate) && *distance < wrong.len().max(candidate.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_names_are_strict() {
        assert!("web-2".parse::<PartName>().is_ok());
        for wrong in ["", "Web", "2web", "a_b", "-a", "wëb", "host"] {
            assert!(wrong.parse::<PartName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn nearest_names_a_typo_and_nothing_far() {
        assert_eq!(nearest("titel", ["title", "port"]), Some("title"));
        assert_eq!(nearest("colour", ["title", "port"]), None);
        assert_eq!(nearest("a", ["b", ""]), None);
        assert_eq!(nearest(&"a".repeat(1_000_000), ["title"]), None);
    }
}
