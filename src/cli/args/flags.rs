//! The flags of each verb.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

fn one_or_more(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "a number from 1 on is needed".to_owned())
}

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

/// Flags of `update`.
#[derive(Debug, Clone, Args)]
pub struct UpdateArguments {
    /// Resolve anew: everything, or one part
    #[arg(long, value_name = "PART", num_args = 0..=1, default_missing_value = "*")]
    pub upgrade: Option<String>,
    /// Let jove.lock change although the profile forbids it
    #[arg(long)]
    pub unlocked: bool,
    /// Try again what failed with the same inputs
    #[arg(long)]
    pub retry: bool,
}

/// Flags of `diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArguments {
    /// One profile
    #[arg(value_name = "PROFILE")]
    pub one: String,
    /// The other
    #[arg(value_name = "OTHER")]
    pub other: String,
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

/// Flags of `doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// What an operator should still look at in this installation
    #[arg(long)]
    pub production: bool,
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

/// Flags of `install`.
#[derive(Debug, Clone, Default, Args)]
pub struct InstallArguments {
    /// Refuse to change jove.lock
    #[arg(long)]
    pub locked: bool,
    /// Resolve anew: everything, or one part
    #[arg(long, value_name = "PART", num_args = 0..=1, default_missing_value = "*", conflicts_with = "locked")]
    pub upgrade: Option<String>,
    /// Print what would be done and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Install without starting services
    #[arg(long)]
    pub no_start: bool,
    /// How many fetches and builds at once [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = one_or_more)]
    pub jobs: Option<usize>,
    /// Make a part's object again
    #[arg(long, value_name = "PART")]
    pub force: Vec<String>,
    /// Try again what failed with the same inputs
    #[arg(long)]
    pub retry: bool,
    /// Go forward from a rollback that holds the installation
    #[arg(long)]
    pub release: bool,
}

/// Flags of `plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArguments {
    /// Exit with 2 if there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// As if everything, or one part, were resolved anew
    #[arg(long, value_name = "PART", num_args = 0..=1, default_missing_value = "*")]
    pub upgrade: Option<String>,
}

/// Flags of `lock`.
#[derive(Debug, Clone, Args)]
pub struct LockArguments {
    /// Change nothing; fail if jove.lock is not what the project needs
    #[arg(long)]
    pub check: bool,
    /// Resolve anew: everything, or one part
    #[arg(long, value_name = "PART", num_args = 0..=1, default_missing_value = "*", conflicts_with = "check")]
    pub upgrade: Option<String>,
    /// Print what is locked in the words of other tools, and change nothing
    #[arg(long, value_name = "FORM", conflicts_with_all = ["check", "upgrade"])]
    pub export: Option<ExportForm>,
    /// The part to export [default: the only one that can be]
    #[arg(requires = "export")]
    pub part: Option<String>,
}

/// In whose words a lock is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// conda's `environment.yml`.
    Environment,
    /// conda's explicit list, by address and digest.
    Explicit,
    /// `pylock.toml` (PEP 751): Python packages by file and digest.
    Pylock,
}

/// Flags of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArguments {
    /// `PART` or `PART.OPTION`
    #[arg(required_unless_present = "layers")]
    pub subject: Option<String>,
    /// The layers, lowest first
    #[arg(long)]
    pub layers: bool,
}

/// Flags of `graph`.
#[derive(Debug, Clone, Args)]
pub struct GraphArguments {
    /// Which form
    #[arg(long, value_name = "FORM", default_value = "tree")]
    pub format: GraphForm,
}

/// Forms of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphForm {
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// A picture.
    Svg,
    /// Text.
    Tree,
}

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

/// Flags of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArguments {
    /// Copy a recipe's example project instead
    #[arg(long, value_name = "RECIPE")]
    pub example: Option<String>,
    /// The folder [default: this one; for an example, one named as the recipe]
    pub folder: Option<PathBuf>,
    /// The application: `module:callable`, `path/file.wsgi` or `ini:file.ini#section`
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// The project's name
    #[arg(long)]
    pub name: Option<String>,
    /// Print instead of writing
    #[arg(long)]
    pub stdout: bool,
}

/// `list` and `show` of a catalogue.
#[derive(Debug, Clone, Subcommand)]
pub enum CatalogueVerb {
    /// All of them, a line each
    List,
    /// One of them, whole
    Show {
        /// Its name
        name: String,
    },
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

/// Flags of `list`.
#[derive(Debug, Clone, Args)]
pub struct ListArguments {
    /// Forget installations whose folder is gone
    #[arg(long)]
    pub prune: bool,
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

/// Flags of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArguments {
    /// The shell
    pub shell: clap_complete::Shell,
}
