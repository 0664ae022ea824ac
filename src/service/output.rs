//! How a service's output is kept.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;

/// How output is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPolicy {
    /// A file is rotated at this many bytes.
    pub max_bytes: u64,
    /// How many rotated files are kept.
    pub keep: u32,
    /// A file is rotated when its first byte is so old and another comes.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "seconds::optional")]
    pub max_age: Option<Duration>,
    /// How rotated files are packed.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub compress: Compress,
    /// What a line of the file is.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub format: LogFormat,
    /// What happens when it cannot be written.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub on_full: OnFull,
    /// A socket to which each line is sent, too: syslog's (`/dev/log`), or journald's own (`…/journal/socket`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<PathBuf>,
}

/// How rotated files are packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compress {
    /// By gzip.
    Gzip,
    /// Not at all.
    #[default]
    None,
    /// By zstd.
    Zstd,
}

/// What a line of a log file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// The time, `out` or `err`, and the service's own.
    Prefixed,
    /// The service's own; times and streams are in an index beside it.
    #[default]
    Raw,
}

/// What happens when a log cannot be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFull {
    /// The service waits.
    Block,
    /// What it says is dropped, counted, and told in one line.
    #[default]
    Drop,
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for LogPolicy {
    fn default() -> Self {
        Self {
            max_bytes: 10 << 20,
            keep: 5,
            max_age: None,
            compress: Compress::None,
            format: LogFormat::Raw,
            on_full: OnFull::Drop,
            forward: None,
        }
    }
}
