//! Why one attempt at one address failed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::digest::Sha256;

/// Why one attempt at one address failed. Texts are for people and contain no part of an address that is not
/// [shown](super::show).
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No connection could be made.
    #[error("no connection{}", reason(.0))]
    Unreachable(String),
    /// The connection broke, or the server does not keep to the protocol.
    #[error("{0}")]
    Connection(String),
    /// The other side is not who it says, or nobody whom this machine trusts says so.
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    /// No byte for too long.
    #[error("no byte came for {}", seconds(*.0))]
    Stalled(Duration),
    /// The connection ended before the file did.
    #[error("the connection ended after {got} of {expected} bytes")]
    Short {
        /// Bytes that came.
        got: u64,
        /// Bytes that were announced.
        expected: u64,
    },
    /// The server refused or does not have it.
    #[error("the server answered {}", status_text(*.0))]
    Status(u16),
    /// The server asks to come back later.
    #[error("the server answered {}", status_text(*.status))]
    Busy {
        /// 429 or 5xx.
        status: u16,
        /// How long it asks to wait.
        after: Option<Duration>,
    },
    /// What came is not what the lock names.
    #[error("its content has another digest than the one expected (sha256 {got}, expected {expected})")]
    Digest {
        /// The digest of what came.
        got: Sha256,
        /// The one wanted.
        expected: Sha256,
    },
    /// What came cannot be it.
    #[error("it has {got} bytes, expected {expected}")]
    Size {
        /// Bytes announced or come.
        got: u64,
        /// Bytes wanted.
        expected: u64,
    },
    /// A document larger than a document of its kind can be.
    #[error("it is larger than {0} bytes, which no document of this kind is")]
    TooLarge(u64),
    /// Redirects that do not end.
    #[error("the server redirects in a loop (at {0})")]
    Loop(String),
    /// More than ten.
    #[error("there are more than {0} redirects")]
    Redirects(usize),
    /// From https to http.
    #[error("the server redirects from https to {0}, which anyone on the way could change")]
    Downgrade(String),
    /// To something that is not fetched.
    #[error("the server redirects to an address that cannot be read")]
    Location,
    /// An address that is neither http, https nor file.
    #[error("`{0}:` addresses are not fetched; use https, http or file")]
    Scheme(String),
    /// A `file://` address that cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[source] std::io::Error),
    /// `--offline`.
    #[error("not tried, because of --offline")]
    Offline,
    /// The disk of the cache is full.
    #[error("the disk is full: {missing} more bytes are needed in {}", folder.display())]
    Full {
        /// Bytes that did not fit.
        missing: u64,
        /// Where.
        folder: PathBuf,
    },
    /// The cache cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The connection cannot be set up as configured.
    #[error("{0}")]
    Setup(String),
}

impl Trouble {
    /// Whether another attempt at the same address may end better.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Connection(_) | Self::Stalled(_) | Self::Short { .. } | Self::Busy { .. } => {
                true
            }
            Self::Status(_)
            | Self::Untrusted(_)
            | Self::Digest { .. }
            | Self::Size { .. }
            | Self::TooLarge(_)
            | Self::Loop(_)
            | Self::Redirects(_)
            | Self::Downgrade(_)
            | Self::Location
            | Self::Scheme(_)
            | Self::File(_)
            | Self::Offline
            | Self::Full { .. }
            | Self::Disk { .. }
            | Self::Setup(_) => false,
        }
    }

    /// Whether it is on this machine, so that no other address would end better.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Disk { .. } | Self::Setup(_))
    }

    /// A failed write of a file of which `remaining` bytes were still to come.
    #[must_use]
    pub fn disk(path: &Path, remaining: u64, source: std::io::Error) -> Self {
        let folder = path.parent().unwrap_or(path).to_owned();
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                let free = free(&folder).unwrap_or(0);
                Self::Full { missing: remaining.saturating_sub(free).max(1), folder }
            }
            _ => Self::Disk { path: path.to_owned(), source },
        }
    }

    /// A failure of the HTTP client; the address is named by whoever reports it.
    #[must_use]
    pub fn http(error: reqwest::Error, stall: Duration) -> Self {
        if error.is_timeout() && !error.is_connect() {
            return Self::Stalled(stall);
        }
        let error = error.without_url();
        if error.is_connect() && error.is_timeout() {
            return Self::Unreachable("it was not made in time".to_owned());
        }
        // The innermost cause is the one that says something (`connection refused`).
        let mut cause = std::error::Error::source(&error);
        let mut innermost = None;
        while let Some(source) = cause {
            if let Some(reason) = distrust(source) {
                return Self::Untrusted(reason);
            }
            innermost = Some(source.to_string());
            cause = source.source();
        }
        let innermost = innermost.unwrap_or_default();
        if error.is_connect() {
            Self::Unreachable(innermost)
        } else {
            Self::Connection(format!("the connection broke{}", reason(&innermost)))
        }
    }
}

fn reason(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// Why a certificate was refused, if that is what this cause says.
fn distrust(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    // What an io error wraps is not its source, and it may wrap another.
    if let Some(error) = cause.downcast_ref::<std::io::Error>() {
        return distrust(error.get_ref()?);
    }
    match cause.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(reason) => Some(reason.to_string()),
        _ => None,
    }
}

/// Bytes that this user may still write in a folder.
pub(super) fn free(folder: &Path) -> std::io::Result<u64> {
    let facts = rustix::fs::statvfs(folder)?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}

fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

fn status_text(status: u16) -> String {
    reqwest::StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_how_much_and_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.part");
        let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let trouble = Trouble::disk(&path, u64::MAX, error);
        let Trouble::Full { missing, folder: place } = &trouble else { panic!("{trouble}") };
        assert!(*missing > u64::MAX / 2);
        assert_eq!(place, folder.path());
        assert!(trouble.is_local() && !trouble.passes());
        assert!(trouble.to_string().contains("more bytes are needed in"), "{trouble}");
    }

    #[test]
    fn statuses_have_their_words() {
        assert_eq!(Trouble::Status(404).to_string(), "the server answered 404 Not Found");
        assert_eq!(Trouble::Stalled(Duration::from_secs(30)).to_string(), "no byte came for 30 s");
    }
}
