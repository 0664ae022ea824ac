//! A definition with every option typed and every reference resolved: what is to be made and run, before keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::diagnostic::Origin;
use crate::name::{OptionName, PartName};
use crate::profile::{Project, Requirement, Value};
use crate::service::{DataCommand, FormatRule, Promise, ServiceSpec};
use crate::text::{SecretRef, Text};

/// All active parts, resolved.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The profile's name.
    pub profile: String,
    /// The project.
    pub project: Project,
    /// The parts by name; abstract and switched-off ones are not here.
    pub parts: BTreeMap<PartName, ResolvedPart>,
    /// Parts that are made only where pinning finds that they are needed (`[[brings]] spare`), by name: see [`Stack::wake`].
    pub spare: BTreeMap<PartName, ResolvedPart>,
    /// Process variables that values referred to (`${vars.NAME}`): inputs of a later run's stamp.
    pub vars_used: BTreeMap<String, Option<String>>,
    /// Process variables whose words are secrets of options: never in `vars_used`, so that no stamp holds them. A later run
    /// compares each with the word of its secret.
    pub secret_vars: BTreeMap<String, SecretRef>,
    /// Requirements on what only a plan knows (`pure = true`).
    pub facts_required: Vec<Requirement>,
}

impl Stack {
    /// A part by name, also one that is spare.
    #[must_use]
    pub fn part(&self, name: &PartName) -> Option<&ResolvedPart> {
        self.parts.get(name).or_else(|| self.spare.get(name))
    }

    /// Makes a spare part one of the parts, on whose object `user` depends from now on. Nothing if it is one already.
    pub fn wake(&mut self, name: &PartName, user: &PartName) {
        if let Some(part) = self.spare.remove(name) {
            self.parts.insert(name.clone(), part);
        }
        let Some(user) = self.parts.get_mut(user) else { return };
        let is_there = |edge: &Edge| edge.kind == EdgeKind::Object && edge.to == *name;
        if !user.edges.iter().any(is_there) {
            user.edges.push(Edge { kind: EdgeKind::Object, to: name.clone(), origin: user.origin.clone() });
            user.edges.sort_by(|one, other| (one.kind, &one.to).cmp(&(other.kind, &other.to)));
        }
    }
}

/// A typed value of an option, its references resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// `bool`.
    Bool(bool),
    /// `float`.
    Float(f64),
    /// `int`, `port`, `workers`, and `size` (bytes).
    Int(i64),
    /// `list`.
    List(Vec<OptionValue>),
    /// No value: an option without default that was not given.
    None,
    /// `duration`, in seconds.
    Seconds(f64),
    /// `table`.
    Table(BTreeMap<String, OptionValue>),
    /// `string`, `enum`, `path` (made absolute), `secret`.
    Text(Text),
}

/// One option of a part.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedOption {
    /// Its value.
    pub value: OptionValue,
    /// Where it was set; `None` for the recipe's default.
    pub origin: Option<Origin>,
    /// What was set below, nearest first, as written.
    pub overridden: Vec<(Value, Origin)>,
    /// As written, before references were resolved.
    pub written: Option<Value>,
}

/// How one part depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// Only the other's resolved value enters the key (`${db.url}`).
    Value,
    /// The other's object is built first and its key enters the key (`${env}`).
    Object,
    /// Order of services, never in a key (`needs`).
    Start,
}

/// One dependency, with the place that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// Its kind.
    pub kind: EdgeKind,
    /// The part depended upon.
    pub to: PartName,
    /// Where it was written.
    pub origin: Origin,
}

/// A file that is to be in a part's object.
#[derive(Debug, Clone, PartialEq)]
pub struct FilePart {
    /// Relative to the object; has no `..`.
    pub path: PathBuf,
    /// Permission bits as wished (0444 or 0555 after sealing).
    pub executable: bool,
    /// What is in it: rendered, with objects and secrets still as pieces.
    pub content: Text,
    /// Reached through `run/<part>/conf/` and reloaded rather than restarted.
    pub reloadable: bool,
    /// The template's name, for `explain` and reasons.
    pub template: String,
}

/// A folder that is copied into a part's object.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceTree {
    /// The folder, absolute; within `object` relative to that. Below [`Project::folder`] of an example it is read from the
    /// binary instead.
    pub from: PathBuf,
    /// The part in whose object it is: what a provider gave is not in the way of what is made from it.
    pub object: Option<PartName>,
    /// Relative to the object.
    pub to: PathBuf,
    /// Where it was said.
    pub origin: Option<Origin>,
}

/// One part, resolved.
#[derive(Debug, Clone)]
pub struct ResolvedPart {
    /// Its name.
    pub name: PartName,
    /// Its recipe.
    pub recipe: String,
    /// What makes its object: `none`, `files`, `python`, `step`.
    pub action: String,
    /// Whether its program refuses to run as root.
    pub refuses_root: bool,
    /// Characters that no path of its program may have.
    pub refuses_in_paths: String,
    /// Who brought it, if no layer names it.
    pub brought_by: Option<PartName>,
    /// Where it was first named.
    pub origin: Origin,
    /// All options of the recipe, by name.
    pub options: BTreeMap<OptionName, ResolvedOption>,
    /// What other parts may refer to, beyond options.
    pub exports: BTreeMap<String, OptionValue>,
    /// Rendered files of its object.
    pub files: Vec<FilePart>,
    /// Folders copied into its object.
    pub sources: Vec<SourceTree>,
    /// Its services and data steps. Objects in their texts are still pieces; `${.object}` is a piece of the part itself.
    pub services: Vec<ServiceSpec>,
    /// Its promises.
    pub promises: Vec<Promise>,
    /// Its data folders (absolute), for `wipe` and `explain`.
    pub data: Vec<PathBuf>,
    /// What its data's format is (`[data] version`), for rollback.
    pub data_version: Option<String>,
    /// The software whose version is its data's format, too (`[data] format_of`).
    pub data_format: Option<FormatRule>,
    /// How its data is written out and taken in again (`[data] dump`, `load`).
    pub data_commands: Vec<DataCommand>,
    /// What it depends on, sorted, each pair of kind and target once (first place).
    pub edges: Vec<Edge>,
}
