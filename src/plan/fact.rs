//! Facts: by name, everything that a part's key and services depend on, in words for people. The facts of two generations are
//! the old and the new side of a reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::name::PartName;
use crate::plan::action::Action;
use crate::plan::desire::DesiredObject;
use crate::plan::snapshot::{InterpreterFrom, Snapshot};
use crate::plan::value::{shown, strings};
use crate::recipe::{EdgeKind, ResolvedPart};
use crate::text::Text;

/// The facts of a part; `folders` are those of the objects that are known by then.
pub(super) fn facts(
    part: &ResolvedPart,
    object: Option<&DesiredObject>,
    snapshot: &Snapshot,
    folders: &BTreeMap<PartName, PathBuf>,
) -> BTreeMap<String, String> {
    let mut facts: BTreeMap<String, String> =
        part.options.iter().map(|(name, option)| (name.to_string(), shown(&option.value))).collect();
    for need in part.edges.iter().filter(|edge| edge.kind == EdgeKind::Object && edge.to != part.name) {
        let folder = folders.get(&need.to).and_then(|folder| folder.file_name());
        facts.insert(format!("object {}", need.to), folder.map_or(String::new(), |name| name.to_string_lossy().into()));
    }
    if let Some(Action::Packages(_) | Action::Python(_) | Action::Step(_)) = object.map(|object| &object.action) {
        // It is baked into what they make.
        let prefix = snapshot.store.parent().unwrap_or(&snapshot.store);
        facts.insert("the prefix".into(), prefix.display().to_string());
    }
    if let Some(resolved) = snapshot.python.get(&part.name) {
        let interpreter = &resolved.interpreter;
        let (name, from) = match &resolved.from {
            InterpreterFrom::Host => ("host python", interpreter.path.display().to_string()),
            InterpreterFrom::Object { part, .. } => ("interpreter", part.to_string()),
        };
        facts.insert(name.into(), format!("{} ({from})", interpreter.version));
        facts.extend(resolved.packages.iter().map(|(pin, _)| (format!("package {}", pin.name), pin.version.clone())));
    }
    if let Some(resolved) = snapshot.packages.get(&part.name) {
        facts.insert("provider".into(), resolved.request.provider().name().into());
        facts.extend(resolved.pins.iter().map(|pin| (format!("package {}", pin.name), pin.version.clone())));
        facts.extend(resolved.facts.iter().map(|(name, fact)| (format!("host {name}"), fact.clone())));
    }
    if part.action == "step" {
        let digest = |path: &String| snapshot.trees.get(Path::new(path)).map(Digest::short);
        let inputs = strings(part, "inputs").into_iter();
        facts.extend(inputs.filter_map(|path| Some((format!("input {path}"), digest(&path)?))));
    }
    for source in &part.sources {
        // Of another object's it is told by that object.
        if source.object.is_some() {
            continue;
        }
        let digest = snapshot.trees.get(&source.from).map_or(String::new(), Digest::short);
        facts.insert(format!("folder {}", source.to.display()), digest);
    }
    for file in &part.files {
        let digest = Digest::of(plain(&file.content, folders)).short();
        facts.insert(format!("file {}", file.path.display()), digest);
    }
    facts
}

fn plain(text: &Text, folders: &BTreeMap<PartName, PathBuf>) -> String {
    text.with_objects(|object| Some(folders.get(object).map_or(Path::new(""), PathBuf::as_path))).to_marked()
}
