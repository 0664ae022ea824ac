//! [`Answer`]: a small document, and what is read of a response before it is one.

use std::io::Read as _;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use url::Url;

use super::address::{self, show};
use super::trouble::Trouble;

/// A small document.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200 and the like; 404 for a `file://` address without a file.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
    /// The media type with its parameters, where the server names one.
    pub content_type: Option<String>,
    /// Where it was found after all redirects: what its relative links are relative to. It keeps the user info that was
    /// given for the same origin.
    pub final_url: Url,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({} from {}, {} bytes)", self.status, show(&self.final_url), self.body.len())
    }
}

pub(super) fn is_redirect(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) && response.headers().contains_key(LOCATION)
}

pub(super) fn next_place(place: &Url, headers: &HeaderMap) -> Result<Url, Trouble> {
    let location = headers.get(LOCATION).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    let next = location.and_then(|location| place.join(location).ok()).ok_or(Trouble::Location)?;
    match (place.scheme(), next.scheme()) {
        ("https", "http") => Err(Trouble::Downgrade(show(&next))),
        (_, "http" | "https") => Ok(address::bare(&next)),
        (_, other) => Err(Trouble::Scheme(other.to_owned())),
    }
}

/// Retry-After in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

pub(super) fn inflate(body: &[u8], limit: u64) -> Result<Vec<u8>, Trouble> {
    let mut plain = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(body);
    decoder
        .take(limit + 1)
        .read_to_end(&mut plain)
        .map_err(|error| Trouble::Connection(format!("the answer cannot be unpacked: {error}")))?;
    if plain.len() as u64 > limit { Err(Trouble::TooLarge(limit)) } else { Ok(plain) }
}

pub(super) fn read_local(url: &Url, path: std::path::PathBuf, limit: u64) -> Result<Answer, Trouble> {
    let path = if path.is_dir() { path.join("index.html") } else { path };
    let content_type = match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => Some("text/html".to_owned()),
        Some("json") => Some("application/json".to_owned()),
        _ => None,
    };
    let mut body = Vec::new();
    let status = match fs_err::File::open(&path) {
        Ok(file) => {
            file.take(limit.saturating_add(1)).read_to_end(&mut body).map_err(Trouble::File)?;
            200
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 404,
        Err(error) => return Err(Trouble::File(error)),
    };
    if body.len() as u64 > limit {
        return Err(Trouble::TooLarge(limit));
    }
    // A folder's links are relative to the folder, with or without the slash.
    let final_url = Url::from_file_path(&path).unwrap_or_else(|()| url.clone());
    Ok(Answer { status, body, content_type, final_url })
}
