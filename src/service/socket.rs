//! How a service comes by its listening sockets, and the addresses they are at.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a service gets its listening sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sockets {
    /// From descriptor 3 on, as `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES` say.
    ListenFds,
    /// From descriptor 3 on, as `NGINX="3;4;"` says.
    Nginx,
    /// It opens them itself, and its successor beside it: each has a socket of its own at the same address (`SO_REUSEPORT`).
    ReusePort,
    /// It opens them itself.
    #[default]
    None,
}

impl Sockets {
    /// All, with their words.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("listen-fds", Self::ListenFds),
        ("nginx", Self::Nginx),
        ("reuse-port", Self::ReusePort),
        ("none", Self::None),
    ];

    /// Whether several processes cannot listen at one address.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether the keeper holds them.
    #[must_use]
    pub const fn are_held(self) -> bool {
        matches!(self, Self::ListenFds | Self::Nginx)
    }

    /// Whether a service can come by sockets at these addresses in this way.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(self, listens: &[String]) -> Result<(), String> {
        if self.is_none() {
            return Ok(());
        }
        if listens.is_empty() {
            return Err("`sockets` says how a service comes by its sockets, but `listens` says no address".to_owned());
        }
        listens.iter().try_for_each(|text| match text.parse::<Address>() {
            Ok(Address::Unix(_)) if !self.are_held() => Err(format!(
                "`{text}` cannot be listened on by two processes that open it themselves: `reuse-port` is for TCP alone"
            )),
            Ok(_) => Ok(()),
            Err(wrong) => Err(wrong.to_string()),
        })
    }
}

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `127.0.0.1:5000`, `[::1]:5000`, `localhost:5000`.
    Tcp(SocketAddr),
    /// `unix:/path`.
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address to listen on: it takes `127.0.0.1:5000`, `[::1]:5000`, `localhost:5000` or `unix:/absolute/path`"
)]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(wrong()) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
        let ip = match host {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.trim_matches(['[', ']']).parse().map_err(|_| wrong())?,
        };
        Ok(Self::Tcp(SocketAddr::new(ip, port)))
    }
}

impl Address {
    /// Whether a program that opens its sockets itself may listen there: it may also know a host by its name, or `*` for all.
    ///
    /// # Errors
    /// If it is no address.
    pub fn check(text: &str) -> Result<(), AddressError> {
        let Err(error) = text.parse::<Self>() else { return Ok(()) };
        let (host, port) = text.rsplit_once(':').unwrap_or_default();
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        let is_letter = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && host.chars().all(is_letter);
        if is_port && (is_name || ["", "*"].contains(&host)) { Ok(()) } else { Err(error) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn addresses_are_read() {
        for (text, expected) in [
            ("127.0.0.1:80", Some("127.0.0.1:80")),
            ("localhost:80", Some("127.0.0.1:80")),
            ("[::]:80", Some("[::]:80")),
            ("unix:/run/a.sock", Some("unix:/run/a.sock")),
            ("unix:a.sock", None),
            ("example.org:80", None),
            ("127.0.0.1:0", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(text.parse::<Address>().ok().map(|address| address.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn programs_know_more_addresses() {
        for text in ["127.0.0.1:80", "[::1]:80", "::1:80", "*:80", ":80", "web.example.org:80", "unix:/a"] {
            assert_eq!(Address::check(text), Ok(()), "{text}");
        }
        for text in ["nonsense", "127.0.0.1:99999", "h:0", "h:", "300.0.0.1:80", "unix:a:80", "http://h:80", ""] {
            assert!(Address::check(text).is_err(), "{text}");
        }
    }
}
