//! The flags of verbs about what a site holds: its dumps, its migrations, its certificates.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Flags of `dump`.
#[derive(Debug, Clone, Args)]
pub struct DumpArguments {
    /// The parts; all that have data to dump, if none is named
    #[arg(value_name = "PART")]
    pub parts: Vec<String>,
    /// Do not try whether it can be restored into a scratch place
    #[arg(long)]
    pub no_proof: bool,
    /// How many dumps to keep; the last one that was tried always stays
    #[arg(long, value_name = "N", default_value_t = crate::ops::dump::KEEP)]
    pub keep: usize,
    /// Show the dumps there are
    #[arg(long)]
    pub list: bool,
}

/// Flags of `load`.
#[derive(Debug, Clone, Args)]
pub struct LoadArguments {
    /// The dump: its name, or its folder, also of another installation [default: the newest]
    pub dump: Option<String>,
    /// The parts; all that are in it, if none is named
    #[arg(value_name = "PART")]
    pub parts: Vec<String>,
    /// Load although its data have another format
    #[arg(long)]
    pub force: bool,
}

/// Flags of the entry for migrations.
#[derive(Debug, Clone, Args)]
pub struct MigrateArguments {
    /// The prefix
    #[arg(long)]
    pub root: PathBuf,
    /// The part
    #[arg(long)]
    pub part: String,
    /// Old code works on what it makes
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set)]
    pub compatible: bool,
    /// Nothing is migrated: the data come back from this dump
    #[arg(long, value_name = "DUMP")]
    pub back: Option<String>,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Flags of the entry for certificates.
#[derive(Debug, Clone, Args)]
pub struct CertificateArguments {
    /// The file with the certificate; with `--make` its key is in the same
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,
    /// The file with its key
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Make it where there is none that will do
    #[arg(long)]
    pub make: bool,
    /// A file with the names that it is for, a line each
    #[arg(long, value_name = "FILE")]
    pub names: Option<PathBuf>,
    /// Look again and again
    #[arg(long)]
    pub stay: bool,
    /// The pid file of the server that is told of a new one
    #[arg(long, value_name = "FILE")]
    pub tell: Option<PathBuf>,
    /// For how many days one is made
    #[arg(long, value_name = "N", default_value_t = 397)]
    pub days: u16,
    /// How many days before its end it is made anew
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub before: u16,
    /// How many seconds lie between two looks
    #[arg(long, value_name = "N", default_value_t = 3600)]
    pub every: u64,
}

/// Verbs of `secret`.
#[derive(Debug, Clone, Subcommand)]
pub enum SecretVerb {
    /// Their names, never their words
    List,
    /// Print one word
    Show {
        /// `PART.OPTION`
        name: String,
    },
    /// Set one from standard input
    Set {
        /// `PART.OPTION`
        name: String,
    },
    /// Generate one anew; the next install brings it to its services
    Rotate {
        /// `PART.OPTION`
        name: String,
    },
}
