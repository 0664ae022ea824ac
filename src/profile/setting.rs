//! The merged definition: values with their origins.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::condition::NeedCondition;
use crate::diagnostic::{Origin, Source};
use crate::name::{OptionName, PartName};

/// A value as a file wrote it; references (`${…}`) are still text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true`, `false`.
    Bool(bool),
    /// A number with a fraction.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// A list; each element knows its own place.
    List(Vec<(Value, Origin)>),
    /// Text.
    String(String),
    /// A table; each value knows its own place.
    Table(BTreeMap<String, (Value, Origin)>),
}

/// A value, where it was set, and what it overrode.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// What holds.
    pub value: Value,
    /// Where it was set.
    pub origin: Origin,
    /// What was set below, nearest first.
    pub overridden: Vec<(Value, Origin)>,
    /// The part from which `like` copied it, if it was copied.
    pub copied_from: Option<PartName>,
}

/// One entry of `needs = ["db", "migrate:succeeded"]`: orders starting, never a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// The part that must be up.
    pub part: PartName,
    /// What counts as up.
    pub condition: NeedCondition,
    /// Where it is said.
    pub origin: Origin,
}

/// One part after all layers, `like` and `when`.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: PartName,
    /// Its recipe's name; absent only for a part that a recipe may bring (`[parts.X]` without `recipe`).
    pub recipe: Option<(String, Origin)>,
    /// Its options as written, without those of the recipe tables.
    pub options: BTreeMap<OptionName, Setting>,
    /// What must be up before it.
    pub needs: Vec<Need>,
    /// `None` if the part is active, else the `when` that switched it off.
    pub off: Option<Origin>,
    /// It exists only to be copied by `like`.
    pub is_abstract: bool,
    /// Where it was first named.
    pub origin: Origin,
}

/// Which layer a file is, lowest first: the order of this enum is the order of merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// A profile inside the binary.
    ShippedProfile,
    /// `$XDG_CONFIG_HOME/jove/config.toml`.
    UserConfig,
    /// `jove.toml`, what it extends, or the profile's example.
    Project,
    /// The project's `profiles/<name>.toml`, or `-p FILE`.
    ProjectProfile,
    /// `jove.local.toml`.
    Local,
    /// `JOVE_SET_<PART>__<OPTION>`.
    Vars,
    /// `--set`.
    Arguments,
}

/// One text that was merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Which layer it belongs to.
    pub kind: LayerKind,
    /// The text.
    pub source: Arc<Source>,
}

/// The project that is installed.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// `name` of `jove.toml`, else the folder's name.
    pub name: String,
    /// The folder of `jove.toml`; for an example, the folder where it would be unpacked.
    pub folder: PathBuf,
    /// The recipe whose shipped example this is, if it is one.
    pub example: Option<String>,
}

/// One line of `[require]`: what must hold after all layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// `"recipe.option"`, or a fact such as `pure`.
    pub subject: String,
    /// The value that it must have.
    pub value: Value,
    /// Where it is said.
    pub origin: Origin,
}

/// Everything that the layers say, merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The profile's name.
    pub profile: String,
    /// `[profile] summary` of the topmost layer that has one.
    pub summary: Option<String>,
    /// The project; absent never (without a `jove.toml` it is the profile's example).
    pub project: Project,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
    /// The parts by name, switched-off and abstract ones included.
    pub parts: BTreeMap<PartName, Part>,
    /// `[recipes.NAME]`: options for every part of a recipe. The `usize` is the index in `layers` of each setting's layer.
    pub recipes: BTreeMap<String, BTreeMap<OptionName, Setting>>,
    /// For each setting in `parts` and `recipes` the rule "a later layer wins, and within one layer the more specific" needs
    /// its layer: find it with [`Definition::layer_of`].
    pub requirements: Vec<Requirement>,
    /// `[sources]` of the topmost layers, by dotted key.
    pub sources: BTreeMap<String, Setting>,
    /// `[host]` settings, by dotted key.
    pub host: BTreeMap<String, Setting>,
    /// Every file that was read or looked for and absent, so that a later run can see by stat whether anything changed.
    pub inputs: Vec<PathBuf>,
}

impl Definition {
    /// The position of the layer that an origin belongs to.
    #[must_use]
    pub fn layer_of(&self, origin: &Origin) -> Option<usize> {
        self.layers.iter().position(|layer| Arc::ptr_eq(&layer.source, &origin.source))
    }
}
