//! The arguments: global flags and one variant a verb. What `--help` prints is written here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const ABOUT: &str = "Installs and runs a whole web application stack as a plain user, in one folder of your home.";

const EXAMPLES: &str = "\
Examples:
  jove-install -p demo                  a running WPS service; its URL is printed at the end
  jove-install -p demo status           how its services are
  jove-install -p demo logs -f          what they say
  jove-install wipe -p demo --data      nothing left
  jove-install init                     a jove.toml for the project in this folder
  jove-install                          (in a project) install and start it in the profile `dev`

A profile says how (demo, dev, …), a project's jove.toml says what. No verb means `install`.";

/// The whole command line.
#[derive(Debug, Clone, Parser)]
#[command(name = "jove-install", bin_name = "jove-install", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true, args_conflicts_with_subcommands = false, subcommand_negates_reqs = true)]
pub struct Arguments {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// Flags of `install`, for a command line without a verb.
    #[command(flatten)]
    pub install: InstallArguments,
    /// What to do.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Flags of every verb.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Profile: how things run (`profile list` shows them), or a profile's file
    #[arg(short, long, global = true, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// Folder of the installation [default: ~/jove/PROFILE, in a project ~/jove/PROJECT-PROFILE]
    #[arg(long, global = true, value_name = "DIR")]
    pub prefix: Option<PathBuf>,
    /// Folder of `supervise`, instead of an installation
    #[arg(long, global = true, value_name = "DIR", conflicts_with_all = ["profile", "prefix"])]
    pub dir: Option<PathBuf>,
    /// Run as if started in this folder
    #[arg(short = 'C', long = "directory", global = true, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Set an option for this run: `PART.OPTION=VALUE`; `+=` and `-=` edit a list
    #[arg(long, global = true, value_name = "PART.OPTION=VALUE")]
    pub set: Vec<String>,
    /// Use the download cache only
    #[arg(long, global = true)]
    pub offline: bool,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Show the commands that are run and every step
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Fail rather than wait if another run holds the installation
    #[arg(long, global = true)]
    pub no_wait: bool,
    /// As root: run as this user
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Always.
    Always,
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Never.
    Never,
}

/// One verb.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Lock if needed, fetch, build, switch, start, wait until ready (the default verb)
    #[command(
        after_help = "Examples:\n  jove-install -p demo --set wps.title='My service'\n  jove-install --upgrade env\n  jove-install --dry-run"
    )]
    Install(InstallArguments),
    /// What `install` would change, and why
    #[command(
        after_help = "Examples:\n  jove-install plan -p demo --set wps.port=8080\n  jove-install plan --detailed-exitcode   # 0 nothing, 2 changes, 1 error"
    )]
    Plan(PlanArguments),
    /// Resolve every outside byte and write jove.lock
    #[command(
        after_help = "Examples:\n  jove-install lock\n  jove-install lock --check\n  jove-install lock --upgrade env\n  jove-install lock --export environment tools > environment.yml"
    )]
    Lock(LockArguments),
    /// Where a setting comes from and what it overrode
    #[command(
        after_help = "Examples:\n  jove-install explain wps.title -p demo\n  jove-install explain wps\n  jove-install explain --layers"
    )]
    Explain(ExplainArguments),
    /// The graph of parts
    #[command(after_help = "Examples:\n  jove-install graph\n  jove-install graph --format svg > parts.svg")]
    Graph(GraphArguments),
    /// Start services
    #[command(
        after_help = "Examples:\n  jove-install start -p demo\n  jove-install start -p demo wps\n  jove-install start -p demo --foreground"
    )]
    Start(StartArguments),
    /// Stop services and everything they started
    #[command(after_help = "Examples:\n  jove-install stop -p demo\n  jove-install stop -p demo wps")]
    Stop(ServiceArguments),
    /// Stop and start services
    #[command(after_help = "Examples:\n  jove-install restart -p demo wps")]
    Restart(ServiceArguments),
    /// Make services read their configuration again
    #[command(after_help = "Examples:\n  jove-install reload -p production nginx")]
    Reload(ServiceArguments),
    /// Run a job now, and wait for its end
    #[command(after_help = "Examples:\n  jove-install run-now -p production backup")]
    RunNow(JobArguments),
    /// The runs of jobs: when, how long, how they ended
    #[command(
        after_help = "Examples:\n  jove-install runs -p production\n  jove-install runs -p production backup -n 50"
    )]
    Runs(RunsArguments),
    /// Send a signal to services
    #[command(after_help = "Examples:\n  jove-install signal -p production USR1 nginx")]
    Signal(SignalArguments),
    /// Run the services of a file in the foreground, without an installation
    #[command(
        after_help = "Examples:\n  jove-install supervise --dir run services.toml\n  jove-install supervise --dir run Procfile\n  jove-install supervise --dir run supervisord.conf\n  jove-install --dir run status"
    )]
    Supervise(SuperviseArguments),
    /// Stop everything, and whoever supervises it
    #[command(after_help = "Examples:\n  jove-install shutdown --dir run")]
    Shutdown,
    /// How the services are
    #[command(
        after_help = "Examples:\n  jove-install status -p demo\n  jove-install status -p demo --json\n  jove-install status -p demo --watch"
    )]
    Status(StatusArguments),
    /// What the services print
    #[command(
        after_help = "Examples:\n  jove-install logs -p demo\n  jove-install logs -p demo -f wps\n  jove-install logs -p demo --since 10m --grep ERROR"
    )]
    Logs(LogsArguments),
    /// What the supervisor did and saw
    #[command(after_help = "Examples:\n  jove-install events -p demo -n 50")]
    Events(EventsArguments),
    /// Run a command with what a part's service sees
    #[command(
        after_help = "Examples:\n  jove-install run env -p demo -- python -c 'import pywps'\n  jove-install run wps -p demo -- env"
    )]
    Run(RunArguments),
    /// A shell with what a part's service sees
    #[command(after_help = "Examples:\n  jove-install shell env -p demo")]
    Shell(ShellArguments),
    /// The generations: what was installed when, and why
    #[command(after_help = "Examples:\n  jove-install history -p demo")]
    History,
    /// Go back to an earlier generation
    #[command(
        after_help = "Examples:\n  jove-install rollback -p demo        # the one before\n  jove-install rollback -p demo 3"
    )]
    Rollback(RollbackArguments),
    /// Remove generations and objects that nothing needs
    #[command(after_help = "Examples:\n  jove-install gc -p demo --keep 2")]
    Gc(GcArguments),
    /// Hash every installed file and compare with what was sealed
    #[command(after_help = "Examples:\n  jove-install verify -p demo\n  jove-install verify -p demo --repair")]
    Verify(VerifyArguments),
    /// Write out what parts hold, packed, digested and tried
    #[command(
        after_help = "Examples:\n  jove-install dump -p production\n  jove-install dump -p production app-postgresql --keep 30\n  jove-install dump -p production --list"
    )]
    Dump(DumpArguments),
    /// Put what a dump holds in the place of the data; what is there now is dumped before
    #[command(
        after_help = "Examples:\n  jove-install load -p production                     # the newest dump\n  jove-install load -p stage ~/jove/shop-production/dumps/20300203T040506Z app-files"
    )]
    Load(LoadArguments),
    /// Stop everything and remove the software; with --data nothing is left
    #[command(
        after_help = "Examples:\n  jove-install wipe -p demo            # data, its passwords and jove.lock stay\n  jove-install wipe -p demo --data --yes"
    )]
    Wipe(WipeArguments),
    /// Make conda packages of parts, in a channel of your own
    #[command(
        after_help = "Examples:\n  jove-install pack tools --channel ~/channel\n  jove-install pack web-packages db-packages --channel /srv/team\n\nThe channel is a folder, made if it is not there, that any client of conda reads: by its path, or served by a web server."
    )]
    Pack(PackArguments),
    /// Take over an installation that was moved, or that another folder made
    #[command(after_help = "Examples:\n  jove-install adopt -p dev")]
    Adopt,
    /// Write a jove.toml for the project in this folder
    #[command(after_help = "Examples:\n  jove-install init\n  jove-install init --example pywps my-wps")]
    Init(InitArguments),
    /// The recipes
    #[command(after_help = "Examples:\n  jove-install recipe list\n  jove-install recipe show wsgi", subcommand)]
    Recipe(CatalogueVerb),
    /// The profiles
    #[command(after_help = "Examples:\n  jove-install profile list\n  jove-install profile show demo", subcommand)]
    Profile(CatalogueVerb),
    /// Your installations
    #[command(after_help = "Examples:\n  jove-install list\n  jove-install list --prune")]
    List(ListArguments),
    /// Passwords and keys that were generated or set
    #[command(
        after_help = "Examples:\n  jove-install secret list\n  jove-install secret show db.password\n  jove-install secret set app.token < token.txt",
        subcommand
    )]
    Secret(SecretVerb),
    /// What this machine has, and what is missing
    #[command(after_help = "Examples:\n  jove-install doctor\n  jove-install doctor --production -p production")]
    Doctor(DoctorArguments),
    /// Whether services start with the machine
    #[command(
        after_help = "Examples:\n  jove-install boot enable -p production\n  jove-install boot status -p production",
        subcommand
    )]
    Boot(BootVerb),
    /// Install a new state of the sources; the profile's rules hold (production: from jove.lock alone)
    #[command(
        after_help = "Examples:\n  jove-install update -p production\n  jove-install update -p dev --upgrade env"
    )]
    Update(UpdateArguments),
    /// What two profiles make different: packages, settings, exposure, secrets
    #[command(after_help = "Examples:\n  jove-install diff demo production")]
    Diff(DiffArguments),
    /// The process variables that a part's service sees
    #[command(after_help = "Examples:\n  jove-install env wps -p demo\n  jove-install env app -p production --reveal")]
    Env(EnvArguments),
    /// Completions for a shell
    #[command(
        after_help = "Examples:\n  jove-install completions bash > ~/.local/share/bash-completion/completions/jove-install"
    )]
    Completions(CompletionsArguments),
    /// The manual page
    #[command(after_help = "Examples:\n  jove-install man | man -l -")]
    Man,
    /// The keeper's own entry
    #[command(hide = true)]
    InternalKeeper(InternalArguments),
    /// The supervisor's own entry
    #[command(hide = true)]
    InternalSupervisor(InternalArguments),
    /// Migrates a part's data, with a way back
    #[command(hide = true)]
    InternalMigrate(MigrateArguments),
    /// Makes or checks the certificate of a web server
    #[command(hide = true)]
    InternalCertificate(CertificateArguments),
}

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

/// What the two processes are told.
#[derive(Debug, Clone, Args)]
pub struct InternalArguments {
    /// The prefix
    #[arg(long)]
    pub root: PathBuf,
}
