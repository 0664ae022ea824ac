//! Lowers a resolved stack: part by part along the object edges, each gets its key, its folder in the store, and specs
//! that name that folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::digest::Digest;
use crate::graph::{Graph, Kind};
use crate::name::PartName;
use crate::plan::action::{Action, FilesAction, Names, PackagesAction, PythonAction, RenderedFile, Tree, TreeSource};
use crate::plan::fact::facts;
use crate::plan::format::data_format;
use crate::plan::key;
use crate::plan::secret::Sealed;
use crate::plan::snapshot::{InterpreterFrom, Snapshot};
use crate::plan::value::{strings, text_of, texts};
use crate::provider::Request;
use crate::recipe::{OptionValue, ResolvedPart, Stack};
use crate::service::{DataCommand, DataFormat, Promise, ServiceSpec};
use crate::store::StorePath;
use crate::text::Text;

/// Everything that is wished for, with keys.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The parts by name.
    pub parts: BTreeMap<PartName, DesiredPart>,
    /// The parts in building order: what an object needs comes before it.
    pub order: Vec<PartName>,
    /// The digest of all keys and services: equal digests are equal generations.
    pub definition: Digest,
}

/// One part with its key.
#[derive(Debug, Clone)]
pub struct DesiredPart {
    /// Its name.
    pub name: PartName,
    /// Its recipe.
    pub recipe: String,
    /// Its object, if it has one.
    pub object: Option<DesiredObject>,
    /// Its services and data steps, with final paths.
    pub services: Vec<ServiceSpec>,
    /// Its promises.
    pub promises: Vec<Promise>,
    /// By name, what its key and services depend on.
    pub facts: BTreeMap<String, String>,
    /// Its data folders.
    pub data: Vec<PathBuf>,
    /// Its data's format.
    pub data_version: Option<String>,
    /// The software whose version is its data's format, too.
    pub data_format: Option<DataFormat>,
    /// How its data is written out and taken in again, with final paths.
    pub data_commands: Vec<DataCommand>,
}

/// An object that is to be there.
#[derive(Debug, Clone)]
pub struct DesiredObject {
    /// Its key.
    pub key: Digest,
    /// Where it is, or will be made.
    pub path: StorePath,
    /// Whether it is there already.
    pub exists: bool,
    /// How it is made.
    pub action: Action,
    /// The parts whose objects must be there first.
    pub needs: BTreeSet<PartName>,
    /// Why it depends on this machine, if it does.
    pub impure: BTreeSet<String>,
}

/// Lowers a stack.
///
/// # Errors
/// If something refers to the object of a part that has none.
pub fn desire(stack: &Stack, graph: &Graph<PartName>, snapshot: &Snapshot) -> Result<Desired, Diagnostics> {
    let order = graph.order(Kind::Object);
    let mut lowering =
        Lowering { stack, snapshot, folders: BTreeMap::new(), sealed: Vec::new(), wrong: Diagnostics::default() };
    let mut parts = BTreeMap::new();
    for name in &order {
        if let Some(part) = stack.parts.get(name) {
            parts.insert(name.clone(), lowering.part(part));
        }
    }
    if lowering.wrong.has_errors() {
        return Err(lowering.wrong);
    }
    let definition = definition_digest(stack, &parts);
    Ok(Desired { parts, order, definition })
}

fn definition_digest(stack: &Stack, parts: &BTreeMap<PartName, DesiredPart>) -> Digest {
    let parts: Vec<_> = parts
        .values()
        .map(|part| {
            let object = part.object.as_ref().map(|object| object.path.folder_name());
            (&part.name, object, &part.services, &part.promises, &part.data_commands)
        })
        .collect();
    Digest::of_json(&(&stack.profile, &stack.project.name, parts))
}

pub(super) struct Lowering<'a> {
    pub(super) stack: &'a Stack,
    pub(super) snapshot: &'a Snapshot,
    pub(super) folders: BTreeMap<PartName, PathBuf>,
    pub(super) sealed: Vec<Sealed>,
    wrong: Diagnostics,
}

impl Lowering<'_> {
    fn part(&mut self, part: &ResolvedPart) -> DesiredPart {
        let needs: BTreeSet<PartName> = self.object_needs(part);
        let object = self.action(part).map(|(key, action, impure)| {
            let (path, exists) = self.place(part, &key);
            DesiredObject { key, path, exists, action, needs, impure }
        });
        let folder = object.as_ref().map(|object| self.snapshot.store.join(object.path.folder_name()));
        if let Some(folder) = &folder {
            self.folders.insert(part.name.clone(), folder.clone());
        }
        let object = object.map(|object| with_own_folder(object, &part.name, folder.as_deref()));
        let action = object.as_ref().map(|object| &object.action);
        self.sealed.extend(Sealed::of(&part.name, action, folder.as_deref()));
        let services = part.services.iter().map(|spec| self.service(part, spec)).collect();
        let promises = part.promises.iter().map(|promise| self.promise(part, promise)).collect();
        let data_commands = part.data_commands.iter().map(|command| self.data_command(part, command)).collect();
        let facts = facts(part, object.as_ref(), self.snapshot, &self.folders);
        DesiredPart {
            name: part.name.clone(),
            recipe: part.recipe.clone(),
            object,
            services,
            promises,
            facts,
            data: part.data.clone(),
            data_version: part.data_version.clone(),
            data_format: data_format(part, self.snapshot),
            data_commands,
        }
    }

    /// An object that exists under this key is taken, unless it is to be made again: then the next serial is.
    fn place(&self, part: &ResolvedPart, key: &Digest) -> (StorePath, bool) {
        match self.snapshot.objects.find(key, &part.name) {
            Some(path) if self.snapshot.forced.contains(&part.name) => {
                (StorePath::new(key, path.serial() + 1, part.name.clone()), false)
            }
            Some(path) => (path, true),
            None => (StorePath::new(key, 0, part.name.clone()), false),
        }
    }

    fn object_needs(&self, part: &ResolvedPart) -> BTreeSet<PartName> {
        let edges = part.edges.iter().filter(|edge| edge.kind == crate::recipe::EdgeKind::Object);
        edges.map(|edge| edge.to.clone()).filter(|to| to != &part.name).collect()
    }

    fn action(&mut self, part: &ResolvedPart) -> Option<(Digest, Action, BTreeSet<String>)> {
        match part.action.as_str() {
            "packages" => self.packages(part),
            "python" => self.python(part),
            "step" => Some(self.step(part)),
            _ if part.files.is_empty() && part.sources.is_empty() => None,
            _ => {
                let files = self.files(part);
                Some((key::of_files(&files), Action::Files(files), BTreeSet::new()))
            }
        }
    }

    fn python(&self, part: &ResolvedPart) -> Option<(Digest, Action, BTreeSet<String>)> {
        let resolved = self.snapshot.python.get(&part.name)?.clone();
        let mut impure = BTreeSet::new();
        let interpreter = match &resolved.from {
            InterpreterFrom::Host => {
                let (version, path) = (&resolved.interpreter.version, resolved.interpreter.path.display());
                impure.insert(format!("runs on the Python {version} of this machine ({path})"));
                resolved.interpreter.clone()
            }
            InterpreterFrom::Object { part, copy, .. } => resolved.interpreter.moved(copy, self.folders.get(part)?),
        };
        impure.extend(resolved.editable.iter().map(|source| format!("{} is used in place", source.folder.display())));
        let built = resolved.packages.iter().filter(|(_, file)| file.is_source());
        impure.extend(built.map(|(pin, _)| format!("{} is built from source here", pin.name)));
        let action = PythonAction { resolved, interpreter };
        let key = key::of_python(&action, &self.snapshot.platform, &self.snapshot.store);
        Some((key, Action::Python(Box::new(action)), impure))
    }

    fn packages(&mut self, part: &ResolvedPart) -> Option<(Digest, Action, BTreeSet<String>)> {
        let mut resolved = self.snapshot.packages.get(&part.name)?.clone();
        if let Request::Source(sources) = &mut resolved.request {
            let value = |option: &str| part.options.get(option).map(|option| &option.value);
            sources.commands = texts(value("build")).iter().map(|text| self.step_text(part, text)).collect();
            sources.vars = self.step_vars(part, value("build_vars"));
        }
        let impure = resolved.facts.iter().map(|(name, fact)| format!("uses {name} of this machine: {fact}")).collect();
        let action = PackagesAction { resolved, names: names(part) };
        let key = key::of_packages(&action, &self.snapshot.platform, &self.snapshot.store);
        Some((key, Action::Packages(Box::new(action)), impure))
    }

    pub(super) fn files(&mut self, part: &ResolvedPart) -> FilesAction {
        let files = part
            .files
            .iter()
            .map(|file| {
                let content = self.others(part, &file.content);
                let named = self.others(part, &file.content.without_quotes());
                self.check_names(part, &file.path, &named);
                RenderedFile {
                    path: file.path.clone(),
                    executable: file.executable,
                    secret: content.is_secret(),
                    content: content.to_marked(),
                }
            })
            .collect();
        let trees = part.sources.iter().map(|source| self.tree(part, source)).collect();
        FilesAction { files, trees }
    }

    fn tree(&mut self, part: &ResolvedPart, source: &crate::recipe::SourceTree) -> Tree {
        if let Some(object) = &source.object {
            let Some(folder) = self.folders.get(object).cloned() else {
                self.no_object(part, object);
                return Tree {
                    from: TreeSource::Folder(source.from.clone()),
                    to: source.to.clone(),
                    digest: Digest::of(""),
                };
            };
            // An object is known by its folder's name.
            let digest = Digest::of_json(&(folder.file_name().map(|name| name.to_string_lossy()), &source.from));
            return Tree { from: TreeSource::Folder(folder.join(&source.from)), to: source.to.clone(), digest };
        }
        let project = &self.stack.project;
        let from = match (&project.example, source.from.strip_prefix(&project.folder)) {
            (Some(recipe), Ok(folder)) => TreeSource::Example { recipe: recipe.clone(), folder: folder.to_owned() },
            _ => TreeSource::Folder(source.from.clone()),
        };
        let digest = self.snapshot.trees.get(&source.from).copied().unwrap_or_else(|| Digest::of(""));
        Tree { from, to: source.to.clone(), digest }
    }

    /// Puts the folders of other parts' objects into a text; the part's own stays a piece, for its key is not known yet.
    pub(super) fn others(&mut self, part: &ResolvedPart, text: &Text) -> Text {
        for object in text.objects().filter(|object| *object != &part.name) {
            if !self.folders.contains_key(object) {
                self.no_object(part, object);
            }
        }
        text.with_objects(|object| self.folders.get(object).filter(|_| object != &part.name).map(PathBuf::as_path))
    }

    pub(super) fn no_object(&mut self, part: &ResolvedPart, object: &PartName) {
        let edge = part.edges.iter().find(|edge| &edge.to == object);
        let origin = edge.map_or(&part.origin, |edge| &edge.origin);
        let message = format!("`{}` refers to the folder of `{object}`, which makes no files", part.name);
        let hint = format!("refer to an option or export of it: `jove-install explain {object}` lists them");
        self.refuse(Diagnostic::error(message).at(origin, "").hint(hint));
    }

    /// Notes a mistake, once however many texts make it.
    pub(super) fn refuse(&mut self, diagnostic: Diagnostic) {
        if !self.wrong.0.contains(&diagnostic) {
            self.wrong.push(diagnostic);
        }
    }
}

/// Puts the object's own folder where its files and command name it.
fn with_own_folder(mut object: DesiredObject, name: &PartName, folder: Option<&Path>) -> DesiredObject {
    let Some(folder) = folder else { return object };
    let place = |word: &mut String| {
        if let Ok(text) = Text::from_marked(word) {
            *word = text.with_objects(|object| (object == name).then_some(folder)).to_marked();
        }
    };
    let files = match &mut object.action {
        Action::Files(files) => files,
        Action::Step(step) => {
            for word in step.command.iter_mut().chain(step.vars.values_mut()).chain(&mut step.folder) {
                place(word);
            }
            &mut step.files
        }
        Action::Packages(action) => {
            if let Request::Source(sources) = &mut action.resolved.request {
                for word in sources.commands.iter_mut().chain(sources.vars.values_mut()) {
                    place(word);
                }
            }
            return object;
        }
        Action::Python(_) => return object,
    };
    for file in &mut files.files {
        place(&mut file.content);
    }
    object
}

/// The names that an object has whatever its provider.
#[must_use]
pub fn names(part: &ResolvedPart) -> Names {
    let links = match part.options.get("links").map(|option| &option.value) {
        Some(OptionValue::Table(table)) => {
            table.iter().map(|(name, places)| (name.clone(), places_of(places))).collect()
        }
        _ => BTreeMap::new(),
    };
    Names { programs: strings(part, "programs"), links }
}

fn places_of(value: &OptionValue) -> Vec<String> {
    match value {
        OptionValue::List(list) => list.iter().map(|text| text_of(text).to_string()).collect(),
        one => vec![text_of(one).to_string()],
    }
}
