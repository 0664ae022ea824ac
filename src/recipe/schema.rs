//! The form of `recipe.toml`: what a recipe declares, checked for spelling and types, its references still text.
//!
//! [`Recipe::parse`](crate::recipe::parse) makes one from the text of a file. Whatever may hold a reference stays [`Written`], so that a
//! recipe's author can refer to an option wherever a value stands (`ready = "${.ready}"`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::condition::NeedCondition;
use crate::diagnostic::{Origin, Source};
use crate::name::OptionName;
use crate::profile::Value;
use crate::service::{DataState, DataVerb, FormatRule};

pub use crate::recipe::kind::OptionType;

/// A value as written, with its place.
pub type Written = (Value, Origin);

/// Names that every part has without declaring them (`${.data}`), so that no option may be called by them.
pub const BUILT_IN: [&str; 6] = ["data", "log", "name", "object", "prefix", "run"];

/// Keys of `[parts.X]` that are no options, so that no option may be called by them.
pub const PART_KEYS: [&str; 6] = ["abstract", "like", "needs", "recipe", "replace", "when"];

/// The option that names services that a part wants; `${.services.postgresql.url}` is of the part that serves it.
pub const SERVICES: &str = "services";

/// What stands for the bringer's name in the name of a part that is brought for it alone.
pub const BRINGER: &str = "${.name}";

/// The export that a web server asks of a part that `serves` names.
pub const SITE: &str = "site";

/// The short name, in `needs` of a recipe, of the service that is called as its part.
pub const MAIN: &str = "main";

/// One recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The name of its folder.
    pub name: String,
    /// The text of its `recipe.toml`.
    pub source: Arc<Source>,
    /// One line for people.
    pub summary: String,
    /// What makes a part's object.
    pub action: Action,
    /// Whether its program refuses to run as root.
    pub refuses_root: bool,
    /// Characters that no path of its program may have.
    pub refuses_in_paths: String,
    /// Its options, sorted by name.
    pub options: Vec<OptionSpec>,
    /// Folders copied into the object.
    pub sources: Vec<SourceForm>,
    /// Files of the object.
    pub files: Vec<FileForm>,
    /// Services, jobs and data steps: services in the order of the file, then jobs, then steps.
    pub services: Vec<ServiceForm>,
    /// What its data is.
    pub data: DataForm,
    /// What other parts may refer to besides options, sorted by name.
    pub exports: Vec<(String, Written)>,
    /// What is checked once all services are ready.
    pub promises: Vec<PromiseForm>,
    /// Parts that it adds where the project has none of that recipe.
    pub brings: Vec<BringForm>,
    /// By provider, the test that installs it from there and talks to it.
    pub tested: BTreeMap<String, String>,
}

impl Recipe {
    /// An option by name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&OptionSpec> {
        self.option_index(name).and_then(|index| self.options.get(index))
    }

    /// An option's position in `options`.
    #[must_use]
    pub fn option_index(&self, name: &str) -> Option<usize> {
        self.options.binary_search_by(|option| option.name.as_str().cmp(name)).ok()
    }

    /// An export's position in `exports`.
    #[must_use]
    pub fn export_index(&self, name: &str) -> Option<usize> {
        self.exports.binary_search_by(|(export, _)| export.as_str().cmp(name)).ok()
    }
}

/// What makes a part's object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Its files and source folders alone.
    Files,
    /// Nothing: the part has no object.
    None,
    /// Programs of a provider.
    Packages,
    /// A Python environment, and files.
    Python,
    /// A command that writes into it, and files.
    Step,
}

impl Action {
    /// All of them, by the words of `recipe.toml`.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("files", Self::Files),
        ("none", Self::None),
        ("packages", Self::Packages),
        ("python", Self::Python),
        ("step", Self::Step),
    ];

    /// The word of `recipe.toml`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::None => "none",
            Self::Packages => "packages",
            Self::Python => "python",
            Self::Step => "step",
        }
    }
}

/// One declared option.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionSpec {
    /// Its name.
    pub name: OptionName,
    /// Its type.
    pub kind: OptionType,
    /// Its value where no layer gives one.
    pub default: Option<Written>,
    /// Whether some layer must give it.
    pub required: bool,
    /// What it means.
    pub doc: String,
    /// A value that is there to be changed; a profile may refuse it.
    pub placeholder: Option<Written>,
    /// A good value, for documentation.
    pub example: Option<Value>,
    /// Where it is declared.
    pub origin: Origin,
}

/// `when = { debug = true }` in a recipe: each option must equal, or contain, one of the values. Of an option that is no
/// truth value, `true` asks whether it is given and not empty, `false` whether not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct When(pub Vec<(OptionName, Vec<Value>)>);

/// `[[source]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceForm {
    /// The folder.
    pub from: Written,
    /// Relative to the object.
    pub to: Written,
    /// On own options.
    pub when: When,
}

/// What is in a file of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// `content = "…"`: a template written in place.
    Inline(Written),
    /// `template = "pywps.cfg"`: a template beside `recipe.toml`, or an absolute path that references give.
    Template(Written),
    /// `copy = "serve.py"`, `copy = "wsgi:serve.py"`: a file taken as it is.
    Copy(Written),
}

/// `[[file]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FileForm {
    /// What is in it.
    pub content: Content,
    /// Relative to the object.
    pub path: Written,
    /// Whether it may be run.
    pub executable: Written,
    /// Reloaded rather than restarted.
    pub reloadable: bool,
    /// A list of tables, for each of which the file is made, with `${item.…}` its entries.
    pub each: Option<Written>,
    /// On own options.
    pub when: When,
}

/// `[[service]]`, `[[schedule]]` or `[[step]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceForm {
    /// Its short name; the first service may have none and is called as its part.
    pub name: Option<String>,
    /// The done-key of a data step; `None` for a service that goes on.
    pub step: Option<Written>,
    /// The times of a job, a table; `None` for a service that goes on.
    pub schedule: Option<Written>,
    /// Program and arguments.
    pub command: Written,
    /// The working folder; the part's data folder if absent.
    pub folder: Option<Written>,
    /// Process variables.
    pub vars: BTreeMap<String, Written>,
    /// A table of more of them, which win, or a list of tables.
    pub vars_from: Option<Written>,
    /// Folders that are made before it starts.
    pub folders: Option<Written>,
    /// Own services that must be up before it, by short name.
    pub needs: Vec<(String, NeedCondition, Origin)>,
    /// When it is ready.
    pub ready: Option<Written>,
    /// How it is known to be still well.
    pub live: Option<Written>,
    /// How it is stopped.
    pub stop: Option<Written>,
    /// The signal that makes it reload.
    pub reload: Option<Written>,
    /// When it is started again.
    pub restart: Option<Written>,
    /// What restarts it by changing.
    pub watch: Option<Written>,
    /// Where people reach it.
    pub urls: Option<Written>,
    /// Addresses that it listens on.
    pub listens: Option<Written>,
    /// How it gets the sockets of those.
    pub sockets: Option<Written>,
    /// Whether a new process may run beside the old one; of a step, whether those of its part's services may over it.
    pub overlap: Option<Written>,
    /// How many of it run.
    pub count: Option<Written>,
    /// How often it gives a sign of life.
    pub watchdog: Option<Written>,
    /// How long a step may run.
    pub timeout: Option<Written>,
    /// What its processes may use.
    pub limits: Option<Written>,
    /// The only places where it may write.
    pub writes: Option<Written>,
    /// What it must be able to read then.
    pub reads: Option<Written>,
    /// How its output is kept.
    pub log: Option<Written>,
    /// The command that tells somebody when it is given up.
    pub on_failed: Option<Written>,
    /// On own options.
    pub when: When,
    /// Where it is declared.
    pub origin: Origin,
}

impl ServiceForm {
    /// A form of which nothing is written.
    pub(super) fn bare(origin: &Origin) -> Self {
        Self {
            name: None,
            step: None,
            schedule: None,
            command: (Value::List(Vec::new()), origin.clone()),
            folder: None,
            vars: BTreeMap::new(),
            vars_from: None,
            folders: None,
            needs: Vec::new(),
            ready: None,
            live: None,
            stop: None,
            reload: None,
            restart: None,
            watch: None,
            urls: None,
            listens: None,
            sockets: None,
            overlap: None,
            count: None,
            watchdog: None,
            timeout: None,
            limits: None,
            writes: None,
            reads: None,
            log: None,
            on_failed: None,
            when: When::default(),
            origin: origin.clone(),
        }
    }
}

/// `[data]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DataForm {
    /// Folders that are its data.
    pub folders: Option<Written>,
    /// The version of its format.
    pub version: Option<Written>,
    /// The software whose version is its format, too.
    pub format: Option<FormatRule>,
    /// How it is written out and taken in again.
    pub commands: Vec<DataCommandForm>,
}

/// `dump` or `load` of `[data]`: what a data step is, run when it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct DataCommandForm {
    /// Which of both.
    pub verb: DataVerb,
    /// Program, arguments and surroundings: those of the part's first service, and what it says itself.
    pub form: ServiceForm,
    /// What the part's services are to be meanwhile.
    pub during: DataState,
}

/// `[[promise]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PromiseForm {
    /// What is promised.
    pub name: String,
    /// The probe's keys.
    pub probe: Written,
    /// On own options.
    pub when: When,
}

/// `[[brings]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BringForm {
    /// The recipe of the part that is added.
    pub recipe: (String, Origin),
    /// The part's name, in which [`BRINGER`] stands for the bringer's own; called as its recipe if `None`.
    pub name: Option<(String, Origin)>,
    /// The word of the option `services` that asks for it; also what `${.services.WORD.…}` calls it, else by its recipe.
    pub service: Option<String>,
    /// Whether it is only made where pinning finds that it is needed.
    pub is_spare: bool,
    /// On own options, as written.
    pub when: When,
    /// The added part's options; `${.x}` in them is the bringer's.
    pub options: BTreeMap<OptionName, Written>,
}

impl BringForm {
    /// What `${.services.WORD.…}` calls the part.
    #[must_use]
    pub fn word(&self) -> &str {
        let name = self.name.as_ref().map(|(name, _)| name.trim_start_matches(BRINGER).trim_start_matches('-'));
        self.service.as_deref().or(name).unwrap_or(&self.recipe.0)
    }
}
