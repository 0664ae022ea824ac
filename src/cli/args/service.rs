//! The flags of verbs about services, jobs and their supervisor.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Which services.
#[derive(Debug, Clone, Args)]
pub struct ServiceArguments {
    /// Services or parts; all if none is named
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

/// Flags of `start`.
#[derive(Debug, Clone, Args)]
pub struct StartArguments {
    /// Services or parts; all if none is named
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Stay, and stop everything on Ctrl-C or SIGTERM: for containers and service managers
    #[arg(long)]
    pub foreground: bool,
}

/// Flags of `signal`.
#[derive(Debug, Clone, Args)]
pub struct SignalArguments {
    /// The signal: `HUP`, `USR1` …
    pub signal: String,
    /// Services or parts; all if none is named
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

/// Flags of `supervise`.
#[derive(Debug, Clone, Args)]
pub struct SuperviseArguments {
    /// `*.toml` (our own form), `Procfile`, or `*.conf` (supervisord)
    pub file: PathBuf,
}

/// Which jobs.
#[derive(Debug, Clone, Args)]
pub struct JobArguments {
    /// Jobs or parts
    #[arg(value_name = "JOB", required = true)]
    pub jobs: Vec<String>,
}

/// Flags of `runs`.
#[derive(Debug, Clone, Args)]
pub struct RunsArguments {
    /// Jobs or parts; all if none is named
    #[arg(value_name = "JOB")]
    pub services: Vec<String>,
    /// How many of each job
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    pub lines: usize,
}

/// Flags of `status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArguments {
    /// Services or parts; all if none is named
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Show it again whenever it changes, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// Flags of `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArguments {
    /// Services or parts; all if none is named
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Go on as lines come
    #[arg(short, long)]
    pub follow: bool,
    /// How many lines of each service
    #[arg(short = 'n', long, default_value_t = 50, value_name = "N")]
    pub lines: usize,
    /// Only lines since then: `10m`, `2h`, or a time (RFC 3339)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only lines of this run of a job (`runs` lists them)
    #[arg(long, value_name = "N", conflicts_with_all = ["since", "follow"])]
    pub run: Option<u64>,
    /// Only lines that contain this text
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,
}

/// Flags of `events`.
#[derive(Debug, Clone, Args)]
pub struct EventsArguments {
    /// How many
    #[arg(short = 'n', long, default_value_t = 30, value_name = "N")]
    pub lines: usize,
}

/// Verbs of `boot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum BootVerb {
    /// They do not
    Disable,
    /// They do: by your systemd, else by your crontab
    Enable,
    /// How it is, and what is missing
    Status,
}
