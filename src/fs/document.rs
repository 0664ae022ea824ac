//! Small TOML documents that a program writes and a person may open: read within a limit, by format, with the line of a mistake.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{path}:{line}:{column} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A newer program wrote it.
    #[error(
        "{path} has format {found}, this program reads up to {known}; use the jove-install that made it, or a newer one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that is known here.
        known: u32,
    },
    /// It is larger than any that this program would write.
    #[error("{path} is larger than {limit} bytes, so it is none of ours; move it away")]
    Huge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
}

/// How a kind of document is read.
#[derive(Debug, Clone, Copy)]
pub struct TomlDocument {
    /// The newest `format` that is known.
    pub format: u32,
    /// More bytes than that are refused unread.
    pub limit: u64,
    /// Whether its values are secret, so that no error may quote them.
    pub private: bool,
}

impl TomlDocument {
    /// Reads the text of a document within the limit; `None` if there is no file.
    ///
    /// # Errors
    /// If it cannot be read, is too large, or is no UTF-8.
    pub fn text(&self, path: &Path) -> Result<Option<String>, DocumentError> {
        let failed = |source| DocumentError::Read { path: path.to_owned(), source };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.take(self.limit + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > self.limit {
            return Err(DocumentError::Huge { path: path.to_owned(), limit: self.limit });
        }
        String::from_utf8(bytes).map(Some).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let (line, column) = line_and_column(&String::from_utf8_lossy(good), good.len());
            DocumentError::Damaged { path: path.to_owned(), line, column, reason: "this is no text".to_owned() }
        })
    }

    /// Reads a document's text as a value. Its `format` is looked at first, so that a newer one is not called damaged.
    ///
    /// # Errors
    /// If it is damaged or newer.
    pub fn parse<T: DeserializeOwned>(&self, path: &Path, text: &str) -> Result<T, DocumentError> {
        let error = match toml::from_str::<T>(text) {
            Ok(value) => return self.check_format(path, text).map(|()| value),
            Err(error) => error,
        };
        self.check_format(path, text)?;
        let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
        let reason = if self.private {
            "what stands there is not what is expected".to_owned()
        } else {
            error.message().chars().take(300).collect()
        };
        Err(DocumentError::Damaged { path: path.to_owned(), line, column, reason })
    }

    fn check_format(&self, path: &Path, text: &str) -> Result<(), DocumentError> {
        #[derive(serde::Deserialize)]
        struct Head {
            format: i64,
        }
        // Only what stands before the first table: the rest may be long.
        let end = text.find("\n[").unwrap_or(text.len());
        match toml::from_str::<Head>(&text[..end]) {
            Ok(head) if head.format > i64::from(self.format) => {
                Err(DocumentError::Newer { path: path.to_owned(), found: head.format, known: self.format })
            }
            Ok(head) if head.format < 1 => {
                let reason = format!("format {} was never written", head.format);
                Err(DocumentError::Damaged { path: path.to_owned(), line: 1, column: 1, reason })
            }
            _ => Ok(()),
        }
    }

    /// Reads the document at `path`; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, is too large, damaged or newer.
    pub fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, DocumentError> {
        self.text(path)?.map(|text| self.parse(path, &text)).transpose()
    }
}

/// The line and column (from 1, in characters) of a byte of a text.
#[must_use]
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        format: u32,
        word: Option<String>,
    }

    const KIND: TomlDocument = TomlDocument { format: 2, limit: 1 << 16, private: false };

    fn read(bytes: &[u8], kind: TomlDocument) -> Result<Option<Sample>, String> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.toml");
        std::fs::write(&path, bytes).expect("written");
        kind.read(&path).map_err(|error| error.to_string().replace(&folder.path().display().to_string(), ""))
    }

    #[test]
    fn good_absent_and_bad_documents() {
        assert_eq!(read(b"format = 1\nword = \"x\"", KIND).map(|s| s.and_then(|s| s.word)), Ok(Some("x".to_owned())));
        assert_eq!(KIND.read::<Sample>(Path::new("/nowhere/at/all")).map_err(|e| e.to_string()), Ok(None));
        let table: [(&[u8], &str); 6] = [
            (b"", "/a.toml:1:1 is damaged: missing field `format`"),
            (
                b"format = 3\nnew = 1",
                "/a.toml has format 3, this program reads up to 2; use the jove-install that made it, or a newer one",
            ),
            (b"format = 0", "/a.toml:1:1 is damaged: format 0 was never written"),
            (b"format = 1\nword = 7", "/a.toml:2:8 is damaged: invalid type: integer `7`, expected a string"),
            (b"format = 1\nw\xff", "/a.toml:2:2 is damaged: this is no text"),
            (&[b'a'; 70_000], "/a.toml is larger than 65536 bytes, so it is none of ours; move it away"),
        ];
        for (bytes, expected) in table {
            assert_eq!(read(bytes, KIND), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_private_document_is_never_quoted() {
        let kind = TomlDocument { private: true, ..KIND };
        let error = read(b"format = \"canary\"", kind).expect_err("wrong type");
        assert_eq!(error, "/a.toml:1:10 is damaged: what stands there is not what is expected");
    }

    #[test]
    fn deep_and_garbled_documents_are_errors_not_crashes() {
        let deep = format!("format = 1\nword = {}", "[".repeat(20_000));
        for text in [deep.as_str(), "[[[[", "format = 1\nformat = 1", "\u{feff}format", "a.b.c = 1\na.b = 2"] {
            assert!(read(text.as_bytes(), KIND).is_err(), "{}", &text[..4]);
        }
    }
}
