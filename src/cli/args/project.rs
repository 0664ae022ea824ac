//! The flags of verbs about a project and what it asks for.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

fn one_or_more(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "a number from 1 on is needed".to_owned())
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
