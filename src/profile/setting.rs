//! The merged definition: values with their origins.

use std::collections::BTreeMap;
use std::fmt;
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
    /// A table; each value knows its own place. Tables of several layers are joined key by key. Where no list lies below,
    /// `tags.add = […]` stays a table until the recipe's list is known: see [`edit`](crate::profile::edit).
    Table(BTreeMap<String, (Value, Origin)>),
}

impl Value {
    /// What it is, for messages: `a text`, `a list`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::Float(_) => "a number with a fraction",
            Self::Int(_) => "a number",
            Self::List(_) => "a list",
            Self::String(_) => "a text",
            Self::Table(_) => "a table",
        }
    }
}

/// As in TOML, on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, (item, _)) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::String(text) => write!(f, "{}", toml::Value::from(text.as_str())),
            Self::Table(entries) => {
                f.write_str("{")?;
                for (index, (key, (value, _))) in entries.iter().enumerate() {
                    let bare =
                        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                    let key = if bare { key.clone() } else { toml::Value::from(key.as_str()).to_string() };
                    write!(f, "{} {key} = {value}", if index > 0 { "," } else { "" })?;
                }
                f.write_str(if entries.is_empty() { "}" } else { " }" })
            }
        }
    }
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

impl Setting {
    /// A setting that overrides nothing.
    #[must_use]
    pub fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, overridden: Vec::new(), copied_from: None }
    }

    /// The place of the key before the value (`titel` in `titel = "x"`), to point at a name that is wrong; the value's place
    /// where there is no key before it.
    #[must_use]
    pub fn key(&self) -> Origin {
        let found = self.origin.source.text.get(..self.origin.span.start).and_then(|before| {
            let before = before.trim_end_matches([' ', '\t']).strip_suffix('=')?;
            let key = before.trim_end_matches(['+', '-', ' ', '\t']);
            let start = match key.chars().next_back()? {
                quote @ ('"' | '\'') => key[..key.len() - 1].rfind(quote)?,
                _ => key.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-').len(),
            };
            (start < key.len()).then_some(start..key.len())
        });
        found.map_or_else(|| self.origin.clone(), |span| Origin::new(&self.origin.source, span))
    }
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
    /// Whether nothing of it was left out because it was wrong; what it lacks is else no further mistake.
    pub is_whole: bool,
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
    /// `[profile] locked` of the topmost layer that has one: `update` takes what `jove.lock` says.
    pub locked: bool,
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
    /// The process variables that a `when` asks for, and their values: inputs of a later run's stamp, as `inputs` are.
    pub vars_asked: BTreeMap<String, Option<String>>,
}

impl Definition {
    /// The position of the layer that an origin belongs to.
    #[must_use]
    pub fn layer_of(&self, origin: &Origin) -> Option<usize> {
        self.layers.iter().position(|layer| Arc::ptr_eq(&layer.source, &origin.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_before_a_value_is_found() {
        let table = [
            ("titel = ", "x", "titel"),
            ("a.titel=", "x", "titel"),
            ("\"a b\" \t= ", "x", "\"a b\""),
            ("{ é = 1, b = ", "x", "b"),
            ("wps.tags+=", "x", "tags"),
            ("[", "x", "x"),
            ("= ", "x", "x"),
            ("\" = ", "x", "x"),
            ("", "x", "x"),
        ];
        for (before, value, expected) in table {
            let source = Arc::new(Source { name: "x".into(), text: format!("{before}{value}"), folder: None });
            let setting = Setting::new(Value::Bool(true), Origin::new(&source, before.len()..source.text.len()));
            assert_eq!(&source.text[setting.key().span], expected, "{before}");
        }
    }

    #[test]
    fn values_are_shown_as_toml() {
        let source = Arc::new(Source { name: String::new(), text: String::new(), folder: None });
        let at = |value| (value, Origin::whole(&source));
        let list = Value::List(vec![at(Value::Int(1)), at(Value::Float(2.0)), at(Value::String("a\"\n".into()))]);
        let entries = BTreeMap::from([("a b".to_owned(), at(list)), ("c".to_owned(), at(Value::Bool(true)))]);
        let shown = Value::Table(entries).to_string();
        let back: toml::Table = toml::from_str(&format!("x = {shown}")).expect("TOML");
        assert_eq!(back["x"]["a b"][2].as_str(), Some("a\"\n"), "{shown}");
        assert_eq!(Value::Table(BTreeMap::new()).to_string(), "{}");
    }
}
