//! Header fields of HTTP that a probe sends, or looks for in the answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Fields by their names, which differ in more than the case of their letters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Headers(BTreeMap<String, String>);

/// Why names and values are no header fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is no name.
    #[error("`{0}` is no name of a header field: it takes letters, digits and `-`, as in `Content-Type`")]
    Name(String),
    /// One field is given twice.
    #[error("`{0}` and `{1}` are one header field, for the case of letters counts for nothing: keep one of them")]
    Twice(String, String),
    /// The value would be more than one line.
    #[error("the value of header field `{0}` must be one line without control characters")]
    Value(String),
}

impl Headers {
    /// Fields by names and values as somebody wrote them.
    ///
    /// # Errors
    /// If one cannot stand in the head of a request or an answer.
    pub fn new(fields: BTreeMap<String, String>) -> Result<Self, HeaderError> {
        let mut seen: BTreeMap<String, &String> = BTreeMap::new();
        for (name, value) in &fields {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)) {
                return Err(HeaderError::Name(name.clone()));
            }
            if value.contains(|c: char| c.is_control() && c != '\t') {
                return Err(HeaderError::Value(name.clone()));
            }
            if let Some(former) = seen.insert(name.to_ascii_lowercase(), name) {
                return Err(HeaderError::Twice(former.clone(), name.clone()));
            }
        }
        Ok(Self(fields))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a field of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.keys().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Headers {
    type Error = HeaderError;

    fn try_from(fields: BTreeMap<String, String>) -> Result<Self, HeaderError> {
        Self::new(fields)
    }
}

impl From<Headers> for BTreeMap<String, String> {
    fn from(headers: Headers) -> Self {
        headers.0
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderError, Headers};

    fn headers(fields: &[(&str, &str)]) -> Result<Headers, HeaderError> {
        Headers::new(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn names_and_values_that_would_break_a_request_are_refused() {
        let fields = headers(&[("Host", "shop.example.org"), ("x-token", "")]).expect("fields");
        assert!(fields.has("host") && fields.has("X-Token") && !fields.has("Accept"));
        for (fields, expected) in [
            (&[("", "x")][..], HeaderError::Name(String::new())),
            (&[("Host:", "x")], HeaderError::Name("Host:".into())),
            (&[("Content Type", "x")], HeaderError::Name("Content Type".into())),
            (&[("Größe", "x")], HeaderError::Name("Größe".into())),
            (&[("Host", "a\r\nX: b")], HeaderError::Value("Host".into())),
            (&[("Host", "a"), ("host", "b")], HeaderError::Twice("Host".into(), "host".into())),
        ] {
            assert_eq!(headers(fields), Err(expected));
        }
    }

    #[test]
    fn what_was_kept_is_read_again() {
        let fields = headers(&[("Host", "shop")]).expect("fields");
        let json = serde_json::to_string(&fields).expect("JSON");
        assert_eq!((json.as_str(), serde_json::from_str(&json).ok()), (r#"{"Host":"shop"}"#, Some(fields)));
        assert!(serde_json::from_str::<Headers>(r#"{"Ho st":"shop"}"#).is_err());
    }
}
