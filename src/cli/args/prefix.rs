//! The flags of verbs about an installation and its store, and of those that only look.

use std::path::PathBuf;

use clap::Args;

/// Flags of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// The part
    pub part: String,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Flags of `shell`.
#[derive(Debug, Clone, Args)]
pub struct ShellArguments {
    /// The part
    pub part: String,
}

/// Flags of `env`.
#[derive(Debug, Clone, Args)]
pub struct EnvArguments {
    /// The part, or one of its services
    pub part: String,
    /// Show the words of secrets
    #[arg(long)]
    pub reveal: bool,
}

/// Flags of `rollback`.
#[derive(Debug, Clone, Args)]
pub struct RollbackArguments {
    /// The generation [default: the committed one before]
    pub generation: Option<u32>,
    /// Go back although data have a newer format
    #[arg(long)]
    pub force: bool,
    /// Do not start services
    #[arg(long)]
    pub no_start: bool,
}

/// Flags of `gc`.
#[derive(Debug, Clone, Args)]
pub struct GcArguments {
    /// How many committed generations to keep beside the current one
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub keep: usize,
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArguments {
    /// Make damaged objects again and switch to them
    #[arg(long)]
    pub repair: bool,
}

/// Flags of `wipe`.
#[derive(Debug, Clone, Args)]
pub struct WipeArguments {
    /// Data, passwords and the lock too
    #[arg(long)]
    pub data: bool,
    /// The download cache too (other installations share it)
    #[arg(long)]
    pub cache: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Flags of `pack`.
#[derive(Debug, Clone, Args)]
pub struct PackArguments {
    /// The parts
    #[arg(required = true, value_name = "PART")]
    pub parts: Vec<String>,
    /// The channel's folder
    #[arg(long, value_name = "DIR")]
    pub channel: PathBuf,
}

/// Flags of `list`.
#[derive(Debug, Clone, Args)]
pub struct ListArguments {
    /// Forget installations whose folder is gone
    #[arg(long)]
    pub prune: bool,
}

/// Flags of `doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// What an operator should still look at in this installation
    #[arg(long)]
    pub production: bool,
}

/// Flags of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArguments {
    /// The shell
    pub shell: clap_complete::Shell,
}
