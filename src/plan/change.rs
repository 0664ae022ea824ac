//! The difference between what is wished and what is installed, with reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::generation::{Manifest, PartRecord};
use crate::name::PartName;
use crate::plan::desire::{Desired, DesiredPart};
use crate::service::{Kind, ServiceSpec, Services};

/// What is done to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// It was not there.
    Create,
    /// Its object is made again, and its services restart if their specs changed.
    Rebuild,
    /// Its services read their configuration again; nothing restarts.
    Reload,
    /// Only its services restart.
    Restart,
    /// Only what the supervisor knows of it changes; nothing restarts.
    Update,
    /// It goes.
    Remove,
}

/// One part's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The part.
    pub part: PartName,
    /// What is done.
    pub action: Deed,
    /// Why, a line each: the old and the new value.
    pub reasons: Vec<String>,
    /// The services that stop for it, if any ("interrupts").
    pub interrupts: Vec<PartName>,
    /// The services that are replaced while they run: the new process is ready before the former one stops.
    pub replaces: Vec<PartName>,
    /// The services that only read their configuration again.
    pub reloads: Vec<PartName>,
}

/// Its fields, and the reasons in one line beside them, for those who show it.
impl Serialize for Change {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            part: &'a PartName,
            action: Deed,
            reason: String,
            reasons: &'a [String],
            interrupts: &'a [PartName],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            replaces: &'a [PartName],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            reloads: &'a [PartName],
        }
        let Self { part, action, reasons, interrupts, replaces, reloads } = self;
        Shown { part, action: *action, reason: self.reason(), reasons, interrupts, replaces, reloads }.serialize(to)
    }
}

impl Change {
    /// The reasons in one line.
    #[must_use]
    pub fn reason(&self) -> String {
        self.reasons.join("; ")
    }
}

/// All that an install would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The changes, by part.
    pub changes: Vec<Change>,
}

/// What is installed.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The committed generation's manifest.
    pub manifest: Manifest,
    /// Its services.
    pub services: Services,
}

/// Compares what is wished with what is installed.
#[must_use]
pub fn diff(desired: &Desired, installed: Option<&Installed>) -> Plan {
    let none = BTreeMap::new();
    let old_parts = installed.map_or(&none, |installed| &installed.manifest.parts);
    let old_services = services_by_part(installed);
    let mut changes: Vec<Change> = desired
        .parts
        .values()
        .filter_map(|part| match old_parts.get(&part.name) {
            None => Some(created(part)),
            Some(old) => changed(part, old, old_services.get(&part.name).map_or(&[], Vec::as_slice)),
        })
        .collect();
    let gone = old_parts.keys().filter(|name| !desired.parts.contains_key(*name));
    changes.extend(gone.map(|name| removed(name, old_services.get(name).map_or(&[], Vec::as_slice))));
    changes.sort_by(|one, other| one.part.cmp(&other.part));
    Plan { changes }
}

fn services_by_part(installed: Option<&Installed>) -> BTreeMap<PartName, Vec<Arc<ServiceSpec>>> {
    let mut by_part: BTreeMap<PartName, Vec<Arc<ServiceSpec>>> = BTreeMap::new();
    for spec in installed.iter().flat_map(|installed| &installed.services.services) {
        by_part.entry(spec.part.clone()).or_default().push(Arc::clone(spec));
    }
    by_part
}

fn created(part: &DesiredPart) -> Change {
    Change {
        part: part.name.clone(),
        action: Deed::Create,
        reasons: vec![format!("not installed yet (recipe `{}`)", part.recipe)],
        interrupts: Vec::new(),
        replaces: Vec::new(),
        reloads: Vec::new(),
    }
}

fn removed(name: &PartName, services: &[Arc<ServiceSpec>]) -> Change {
    Change {
        part: name.clone(),
        action: Deed::Remove,
        reasons: vec!["no layer names it any more; its data stays".to_owned()],
        interrupts: services.iter().filter(|spec| spec.kind == Kind::Daemon).map(|spec| spec.name.clone()).collect(),
        replaces: Vec::new(),
        reloads: Vec::new(),
    }
}

fn changed(part: &DesiredPart, old: &PartRecord, services: &[Arc<ServiceSpec>]) -> Option<Change> {
    let new_object = part.object.as_ref().map(|object| object.path.folder_name());
    let rebuilt = new_object != old.object;
    let (mut interrupts, mut replaces, mut reloads) = (Vec::new(), Vec::new(), Vec::new());
    for spec in services.iter().filter(|spec| spec.kind == Kind::Daemon) {
        let new = part.services.iter().find(|new| new.name == spec.name);
        match new {
            Some(new) if new.digest() == spec.digest() && new.reload_digest() == spec.reload_digest() => {}
            Some(new) if new.digest() == spec.digest() => reloads.push(spec.name.clone()),
            Some(new) if spec.may_be_followed_by(new) => replaces.push(spec.name.clone()),
            Some(_) | None => interrupts.push(spec.name.clone()),
        }
    }
    let updated = !services.iter().map(Arc::as_ref).eq(&part.services)
        || part.data_version != old.data_version
        || part.data_format != old.data_format;
    let action = match (interrupts.is_empty() && replaces.is_empty(), reloads.is_empty()) {
        _ if rebuilt => Deed::Rebuild,
        (false, _) => Deed::Restart,
        (true, false) => Deed::Reload,
        (true, true) if updated => Deed::Update,
        (true, true) => return None,
    };
    let reasons = reasons(part, old, rebuilt);
    Some(Change { part: part.name.clone(), action, reasons, interrupts, replaces, reloads })
}

/// The facts that differ. A fact that is only a digest (`file`, `folder`) is named when nothing plainer explains it.
fn reasons(part: &DesiredPart, old: &PartRecord, rebuilt: bool) -> Vec<String> {
    let names: BTreeSet<&String> = part.facts.keys().chain(old.facts.keys()).collect();
    let differing: Vec<&String> =
        names.into_iter().filter(|name| part.facts.get(*name) != old.facts.get(*name)).collect();
    let (digests, plain): (Vec<&String>, Vec<&String>) = differing.into_iter().partition(|name| is_digest_fact(name));
    let shown = if plain.is_empty() { digests } else { plain };
    let mut lines: Vec<String> =
        shown.into_iter().map(|name| reason(name, old.facts.get(name), part.facts.get(name))).collect();
    if lines.is_empty() && rebuilt {
        let same_key = part.object.as_ref().map(|object| object.key) == old.key;
        let why = if same_key { "it is made again, as asked" } else { "this jove-install makes it in another way" };
        lines.push(why.to_owned());
    }
    if part.data_version != old.data_version {
        lines.push("the format of its data changed".to_owned());
    }
    if lines.is_empty() && part.data_format != old.data_format {
        lines.push("what its data are made by is told otherwise".to_owned());
    }
    if lines.is_empty() {
        lines.push("the recipe's service changed".to_owned());
    }
    lines
}

fn is_digest_fact(name: &str) -> bool {
    ["file ", "folder ", "input ", "object "].iter().any(|kind| name.starts_with(kind))
}

fn reason(name: &str, old: Option<&String>, new: Option<&String>) -> String {
    match (old, new) {
        (None, Some(new)) => format!("{name}: {new} (new)"),
        (Some(old), None) => format!("{name}: {old} (gone)"),
        (Some(_), Some(_)) if is_digest_fact(name) => format!("{name} changed"),
        (old, new) => {
            let empty = String::new();
            format!("{name}: {} → {}", old.unwrap_or(&empty), new.unwrap_or(&empty))
        }
    }
}
