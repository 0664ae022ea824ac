//! Addresses: what people may see of one, and the credentials that it carries.

use std::fmt;
use std::path::PathBuf;

use url::{Origin, Url};

/// A user name and password for one host. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user, or a token.
    pub user: String,
    /// The password, where one is given.
    pub password: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// An address as people may see it: without user info and fragment, with `***` for a token in the path (`/t/<token>/`) and
/// for every value of the query. Every message and event uses this.
#[must_use]
pub fn show(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for addresses that cannot have user info.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    shown.set_query(None);
    shown.set_path(&without_tokens(url.path()));
    match url.query() {
        Some(query) => format!("{shown}?{}", without_values(query)),
        None => shown.into(),
    }
}

fn without_tokens(path: &str) -> String {
    let mut after_t = false;
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| {
            let hidden = after_t && !segment.is_empty();
            after_t = segment == "t";
            if hidden { "***" } else { segment }
        })
        .collect();
    segments.join("/")
}

fn without_values(query: &str) -> String {
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| pair.split_once('=').map_or_else(|| "***".to_owned(), |(name, _)| format!("{name}=***")))
        .collect();
    pairs.join("&")
}

/// The credentials that an address carries in its user info.
#[must_use]
pub fn credentials(url: &Url) -> Option<Credentials> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    Some(Credentials { user: decode(url.username()), password: url.password().map(decode) })
}

/// The address without its user info, as it is sent.
#[must_use]
pub fn bare(url: &Url) -> Url {
    let mut bare = url.clone();
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_fragment(None);
    bare
}

/// Scheme, host and port: what credentials are bound to.
#[must_use]
pub fn origin(url: &Url) -> Origin {
    url.origin()
}

/// The file that a `file://` address names.
#[must_use]
pub fn local(url: &Url) -> Option<PathBuf> {
    if url.scheme() == "file" { url.to_file_path().ok() } else { None }
}

/// Undoes percent-encoding; a `%` that is none stays.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match pair {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let table = [
            ("https://user:pw@host.example/a/b.whl#sha256=12", "https://host.example/a/b.whl"),
            (
                "https://host.example/t/tk-123/conda/linux-64/x.conda",
                "https://host.example/t/***/conda/linux-64/x.conda",
            ),
            ("https://host.example/t/", "https://host.example/t/"),
            ("https://host.example/a?sig=canary&name=x", "https://host.example/a?sig=***&name=***"),
            ("https://host.example/a?canary", "https://host.example/a?***"),
            ("http://token@[::1]:8080/x", "http://[::1]:8080/x"),
            ("file:///srv/files/x%20y.whl", "file:///srv/files/x%20y.whl"),
        ];
        for (address, shown) in table {
            assert_eq!(show(&Url::parse(address).unwrap()), shown);
        }
    }

    #[test]
    fn user_info_is_decoded() {
        let found = credentials(&Url::parse("https://me%40example:p%3Aw%25@host/").unwrap()).unwrap();
        assert_eq!((found.user.as_str(), found.password.as_deref()), ("me@example", Some("p:w%")));
        assert_eq!(credentials(&Url::parse("https://host/").unwrap()), None);
        assert_eq!(format!("{found:?}"), "Credentials(…)");
        assert_eq!(decode("100%zz%4"), "100%zz%4");
    }
}
