//! The small tables of our own form (`ready`, `live`, `stop`, `restart`, `log`), and what they mean.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::service::socket::Address;
use crate::service::{
    Compress, Headers, Liveness, LogFormat, LogPolicy, OnFull, Probe, ProbeKind, Restart, RestartPolicy, Stop, signal,
};
use crate::text::Text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeTable {
    exec: Option<Vec<String>>,
    http: Option<String>,
    status: Option<u16>,
    contains: Option<String>,
    headers: Option<Headers>,
    expect_headers: Option<Headers>,
    log: Option<String>,
    notify: Option<bool>,
    tcp: Option<String>,
    unix: Option<PathBuf>,
    interval: Option<Span>,
    timeout: Option<Span>,
    deadline: Option<Span>,
    failures: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StopTable {
    signal: Option<String>,
    grace: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestartTable {
    policy: Option<RestartPolicy>,
    first: Option<Span>,
    max: Option<Span>,
    settle: Option<Span>,
    burst: Option<u32>,
    window: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogTable {
    max_bytes: Option<u64>,
    keep: Option<u32>,
    max_age: Option<Span>,
    #[serde(default)]
    compress: Compress,
    #[serde(default)]
    format: LogFormat,
    #[serde(default)]
    on_full: OnFull,
    forward: Option<PathBuf>,
}

/// An address to listen on: one that cannot be read would not be looked at before something starts.
pub(super) struct Listen(pub String);

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Address::check(&text).map_err(serde::de::Error::custom)?;
        Ok(Self(text))
    }
}

/// `"5s"`, `"2m"`, or a number of seconds.
#[derive(Clone, Copy)]
pub(super) struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let value = toml::Value::deserialize(deserializer)?;
        let seconds = match &value {
            #[expect(clippy::cast_precision_loss, reason = "no span is so long")]
            toml::Value::Integer(number) => Some(*number as f64),
            toml::Value::Float(number) => Some(*number),
            toml::Value::String(text) => seconds(text),
            toml::Value::Array(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
        };
        let span = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        span.map(Self).ok_or_else(|| D::Error::custom(format!("{value} is no span of time such as `\"5s\"`")))
    }
}

fn seconds(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let (number, factor) = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    Some(number.trim().parse::<f64>().ok()? * factor)
}

impl ProbeTable {
    /// A probe: exactly one kind, and its times. `what` is the table's name.
    pub(super) fn probe(self, what: &str) -> Result<Probe, String> {
        let of_http = [
            ("status", self.status.is_some()),
            ("contains", self.contains.is_some()),
            ("headers", self.headers.is_some()),
            ("expect_headers", self.expect_headers.is_some()),
        ];
        if let (None, Some((key, _))) = (&self.http, of_http.iter().find(|(_, is_given)| *is_given)) {
            return Err(format!("`{key}` of `{what}` is for `http` alone"));
        }
        let (status, contains) = (self.status.unwrap_or(0), self.contains.unwrap_or_default());
        let (headers, expect_headers) = (self.headers.unwrap_or_default(), self.expect_headers.unwrap_or_default());
        let words = |words: Vec<String>| ProbeKind::Exec(words.into_iter().map(Text::literal).collect());
        let mut kinds = [
            self.exec.map(words),
            self.http.map(|url| ProbeKind::Http { url, status, contains, headers, expect_headers }),
            self.log.map(ProbeKind::Log),
            self.notify.filter(|is| *is).map(|_| ProbeKind::Notify),
            self.tcp.map(ProbeKind::Tcp),
            self.unix.map(ProbeKind::Unix),
        ]
        .into_iter()
        .flatten();
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err(format!("`{what}` must have exactly one of `exec`, `http`, `log`, `notify`, `tcp`, `unix`"));
        };
        let usual = Probe::new(kind);
        Ok(Probe {
            interval: self.interval.map_or(usual.interval, |span| span.0),
            timeout: self.timeout.map_or(usual.timeout, |span| span.0),
            deadline: self.deadline.map_or(usual.deadline, |span| span.0),
            ..usual
        })
    }

    /// A probe of what runs, which need not be asked often.
    pub(super) fn liveness(self) -> Result<Liveness, String> {
        let (has_interval, failures) = (self.interval.is_some(), self.failures.unwrap_or(3));
        let mut probe = self.probe("live")?;
        if !has_interval {
            probe.interval = Duration::from_secs(10);
        }
        Ok(Liveness { probe, failures })
    }
}

impl StopTable {
    pub(super) fn stop(self) -> Result<Stop, String> {
        let usual = Stop::default();
        Ok(Stop {
            signal: self.signal.map_or(Ok(usual.signal), |word| known_signal(&word))?,
            grace: self.grace.map_or(usual.grace, |span| span.0),
        })
    }
}

impl RestartTable {
    pub(super) fn restart(self) -> Restart {
        let usual = Restart::default();
        Restart {
            policy: self.policy.unwrap_or(usual.policy),
            first: self.first.map_or(usual.first, |span| span.0),
            max: self.max.map_or(usual.max, |span| span.0),
            settle: self.settle.map_or(usual.settle, |span| span.0),
            burst: self.burst.unwrap_or(usual.burst),
            window: self.window.map_or(usual.window, |span| span.0),
        }
    }
}

impl LogTable {
    pub(super) fn policy(self) -> LogPolicy {
        let usual = LogPolicy::default();
        LogPolicy {
            max_bytes: self.max_bytes.unwrap_or(usual.max_bytes),
            keep: self.keep.unwrap_or(usual.keep),
            max_age: self.max_age.map(|span| span.0),
            compress: self.compress,
            format: self.format,
            on_full: self.on_full,
            forward: self.forward,
        }
    }
}

/// A signal's name without `SIG`.
pub(super) fn known_signal(word: &str) -> Result<String, String> {
    let upper = word.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper).to_owned();
    if signal::number(&name).is_some() { Ok(name) } else { Err(format!("`{word}` is no signal")) }
}
