//! The arguments: global flags and one variant a verb. What `--help` prints is written here.

mod data;
mod prefix;
mod project;
mod service;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use data::{CertificateArguments, DumpArguments, LoadArguments, MigrateArguments, SecretVerb};
pub use prefix::{
    CompletionsArguments, DoctorArguments, EnvArguments, GcArguments, ListArguments, PackArguments, RollbackArguments,
    RunArguments, ShellArguments, VerifyArguments, WipeArguments,
};
pub use project::{
    CatalogueVerb, DiffArguments, ExplainArguments, ExportForm, GraphArguments, GraphForm, InitArguments,
    InstallArguments, LockArguments, PlanArguments, UpdateArguments,
};
pub use service::{
    BootVerb, EventsArguments, JobArguments, LogsArguments, RunsArguments, ServiceArguments, SignalArguments,
    StartArguments, StatusArguments, SuperviseArguments,
};

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
    /// Stop and start services: those that run, if none is named
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
    /// Migrates a part's data, with a way back
    #[command(hide = true)]
    InternalMigrate(MigrateArguments),
    /// Makes or checks the certificate of a web server
    #[command(hide = true)]
    InternalCertificate(CertificateArguments),
}
