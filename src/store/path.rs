//! [`StorePath`]: the name of an object in the store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::name::PartName;

/// How many hexadecimal digits of a key are in a name.
const DIGITS: usize = 20;

/// The name of an object: `<key>[.n]-<name>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorePath {
    name: PartName,
    key: String,
    serial: u32,
}

/// A text that names no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no object: `<key>-<name>` or `<key>.<number>-<name>` is expected")]
pub struct StorePathError(String);

impl StorePath {
    /// The name of an object with that key. `serial` counts how often it was made again.
    #[must_use]
    pub fn new(key: &Digest, serial: u32, name: PartName) -> Self {
        Self { name, key: key.short(), serial }
    }

    /// The part's name.
    #[must_use]
    pub fn name(&self) -> &PartName {
        &self.name
    }

    /// The first digits of the key.
    #[must_use]
    pub fn short_key(&self) -> &str {
        &self.key
    }

    /// How often an object of this key was made before.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// Whether this is an object of that key.
    #[must_use]
    pub fn has_key(&self, key: &Digest) -> bool {
        self.key == key.short()
    }

    /// The folder's name in the store.
    #[must_use]
    pub fn folder_name(&self) -> String {
        self.to_string()
    }

    /// The manifest's name in the store.
    #[must_use]
    pub fn manifest_name(&self) -> String {
        format!("{self}{MANIFEST_SUFFIX}")
    }
}

/// What a manifest's name ends with.
pub(super) const MANIFEST_SUFFIX: &str = ".manifest.json";

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.serial {
            0 => write!(f, "{}-{}", self.key, self.name),
            serial => write!(f, "{}.{serial}-{}", self.key, self.name),
        }
    }
}

impl FromStr for StorePath {
    type Err = StorePathError;

    fn from_str(text: &str) -> Result<Self, StorePathError> {
        let error = || StorePathError(text.to_owned());
        let (head, name) = text.split_once('-').ok_or_else(error)?;
        let (key, serial) = match head.split_once('.') {
            Some((key, serial)) => (key, serial.parse().map_err(|_| error())?),
            None => (head, 0),
        };
        let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        if key.len() != DIGITS || !key.bytes().all(is_digit) {
            return Err(error());
        }
        let path = Self { name: name.parse().map_err(|_| error())?, key: key.to_owned(), serial };
        // One name, one text: no `.0`, no `.007`.
        if path.to_string() == text { Ok(path) } else { Err(error()) }
    }
}

impl TryFrom<String> for StorePath {
    type Error = StorePathError;

    fn try_from(text: String) -> Result<Self, StorePathError> {
        text.parse()
    }
}

impl From<StorePath> for String {
    fn from(path: StorePath) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        let key = Digest::of("x");
        for serial in [0, 1, 12] {
            let path = StorePath::new(&key, serial, "my-env".parse().expect("name"));
            assert_eq!(path.folder_name().parse(), Ok(path.clone()));
            assert!(path.has_key(&key) && !path.has_key(&Digest::of("y")));
        }
    }

    #[test]
    fn what_names_no_object() {
        let key = Digest::of("x").short();
        let wrong = ["", "-", "abc-env", &key, &format!("{key}-"), &format!("{key}.0-env"), &format!("{key}.01-env")];
        for text in wrong.into_iter().chain([&*format!("{key}-Env"), &format!("{}-env", key.to_uppercase())]) {
            assert!(text.parse::<StorePath>().is_err(), "{text}");
        }
        assert!(format!("{key}-../x").parse::<StorePath>().is_err());
    }
}
