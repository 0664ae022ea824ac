//! `extends`: which files a file stands upon, read depth first, left to right, each once at its first place.
//!
//! `profile:NAME` always lies in the layer of shipped profiles, whoever extends it; a file lies in the layer of the file that
//! extends it first. A circle is drawn with the place of each of its edges.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::name::nearest;

use super::load::Shipped;
use super::read;
use super::setting::LayerKind;
use super::sheet::{self, Extends, Sheet};

/// How many files may extend one another in a row.
const MAX_DEPTH: usize = 64;
/// How many neighbours of a missing file are looked at for a name like it.
const MAX_NEIGHBOURS: usize = 1000;

/// One file that was read.
pub(super) struct Loaded {
    pub kind: LayerKind,
    pub sheet: Sheet,
    pub source: Arc<Source>,
}

/// A file or shipped text that was read, and not yet what it extends.
pub(super) struct Opened {
    pub loaded: Loaded,
    id: Id,
}

/// What makes a text the same text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Id {
    File(PathBuf),
    Shipped(String),
}

/// One edge on the way to the file that is being read.
struct Edge {
    id: Id,
    name: String,
    /// Where the file above on the way says that it extends this one.
    origin: Option<Origin>,
}

/// Reads files and what they extend.
pub(super) struct Reading<'a> {
    /// A file's content cannot be known, so that what follows from it is not worth telling.
    pub broken: bool,
    pub found: Diagnostics,
    pub inputs: Vec<PathBuf>,
    pub layers: Vec<Loaded>,
    /// Every source, used or not, in the order of reading.
    pub sources: Vec<(LayerKind, Arc<Source>)>,
    project: Option<&'a Path>,
    seen: HashSet<Id>,
    shipped: &'a dyn Shipped,
    way: Vec<Edge>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(project: Option<&'a Path>, shipped: &'a dyn Shipped) -> Self {
        Self {
            broken: false,
            found: Diagnostics::default(),
            inputs: Vec::new(),
            layers: Vec::new(),
            sources: Vec::new(),
            project,
            seen: HashSet::new(),
            shipped,
            way: Vec::new(),
        }
    }

    /// Tells a mistake that leaves a gap.
    pub(super) fn fail(&mut self, diagnostic: Diagnostic) {
        self.broken = true;
        self.found.push(diagnostic);
    }

    /// Reads a file that was named by the user; `None` if there is none, or if it cannot be used, which was said then.
    pub(super) fn file(&mut self, path: &Path, kind: LayerKind) -> Option<Opened> {
        self.file_of(path, kind, None)
    }

    /// Reads a file that belongs to the project by its name alone, and so must belong to the project's owner.
    pub(super) fn project_file(&mut self, path: &Path, kind: LayerKind) -> Option<Opened> {
        let owner = self.project.and_then(|folder| fs_err::metadata(folder).ok()).map(|metadata| metadata.uid());
        self.file_of(path, kind, owner)
    }

    fn file_of(&mut self, path: &Path, kind: LayerKind, owner: Option<u32>) -> Option<Opened> {
        self.inputs.push(path.to_path_buf());
        let text = match read::text(path, owner) {
            Ok(text) => text?,
            Err(error) => {
                self.fail(Diagnostic::error(error.to_string()));
                return None;
            }
        };
        let shown = self.project.and_then(|project| path.strip_prefix(project).ok()).unwrap_or(path);
        let name = shown.display().to_string();
        let folder = path.parent().map(Path::to_path_buf);
        let id = Id::File(fs_err::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()));
        self.open(Source { name, text, folder }, kind, id)
    }

    /// Reads one text from the binary.
    pub(super) fn shipped(
        &mut self,
        name: &str,
        text: &str,
        folder: Option<PathBuf>,
        kind: LayerKind,
    ) -> Option<Opened> {
        let source = Source { name: name.to_owned(), text: text.to_owned(), folder };
        self.open(source, kind, Id::Shipped(name.to_owned()))
    }

    fn open(&mut self, source: Source, kind: LayerKind, id: Id) -> Option<Opened> {
        let source = Arc::new(source);
        self.sources.push((kind, Arc::clone(&source)));
        match sheet::read(&source, kind, &mut self.found) {
            Some(sheet) => Some(Opened { loaded: Loaded { kind, sheet, source }, id }),
            None => {
                self.broken = true;
                None
            }
        }
    }

    /// Adds a file after everything that it extends.
    pub(super) fn add(&mut self, opened: Option<Opened>) {
        if let Some(opened) = opened {
            self.visit(opened, None);
        }
    }

    /// Adds a shipped profile.
    pub(super) fn add_profile(&mut self, name: &str) {
        self.extend_profile(name, None);
    }

    fn visit(&mut self, opened: Opened, origin: Option<Origin>) {
        let Opened { mut loaded, id } = opened;
        if !self.seen.insert(id.clone()) {
            return;
        }
        if self.way.len() >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} files extend one another in a row");
            let diagnostic = Diagnostic::error(message);
            self.fail(origin.iter().fold(diagnostic, |diagnostic, origin| diagnostic.at(origin, "")));
            return;
        }
        self.way.push(Edge { id, name: loaded.source.name.clone(), origin });
        let Extends { entries } = loaded.sheet.extends.take().unwrap_or(Extends { entries: Vec::new() });
        for (entry, origin) in entries {
            match entry.strip_prefix("profile:") {
                Some(name) => self.extend_profile(name, Some(&origin)),
                None => self.extend_file(&entry, &origin, loaded.kind),
            }
        }
        self.way.pop();
        self.layers.push(loaded);
    }

    fn extend_profile(&mut self, name: &str, origin: Option<&Origin>) {
        let shown = format!("profile:{name}");
        if self.meets(&Id::Shipped(shown.clone()), &shown, origin) {
            return;
        }
        let shipped = self.shipped;
        let Some(text) = shipped.profile(name) else {
            let diagnostic = Diagnostic::error(format!("no profile `{name}` is shipped"));
            let diagnostic = origin.iter().fold(diagnostic, |diagnostic, origin| diagnostic.at(origin, ""));
            self.fail(diagnostic.nearest(name, shipped.profiles()));
            return;
        };
        if let Some(opened) = self.shipped(&shown, text, None, LayerKind::ShippedProfile) {
            self.visit(opened, origin.cloned());
        }
    }

    fn extend_file(&mut self, entry: &str, origin: &Origin, kind: LayerKind) {
        let shipped = matches!(self.way.last(), Some(Edge { id: Id::Shipped(_), .. }));
        let folder = origin.source.folder.as_deref().filter(|_| !shipped);
        let Some(path) = folder.map(|folder| normal(&folder.join(entry))) else {
            let message = format!("a shipped file extends `profile:NAME` only, not `{entry}`");
            return self.fail(Diagnostic::error(message).at(origin, ""));
        };
        let id = Id::File(fs_err::canonicalize(&path).unwrap_or_else(|_| path.clone()));
        if self.meets(&id, entry, Some(origin)) {
            return;
        }
        let mistakes = self.found.0.len();
        match self.file(&path, kind) {
            Some(opened) => self.visit(opened, Some(origin.clone())),
            None if self.found.0.len() == mistakes => self.fail(missing(entry, &path, origin, self.shipped)),
            // What is wrong with the file itself was said; who wants it is worth knowing too.
            None => {
                for diagnostic in &mut self.found.0[mistakes..] {
                    if diagnostic.labels.is_empty() {
                        *diagnostic = diagnostic.clone().at(origin, "extended here");
                    }
                }
            }
        }
    }

    /// Whether a text was read before; if it is being read just now, the circle is drawn.
    fn meets(&mut self, id: &Id, name: &str, origin: Option<&Origin>) -> bool {
        let Some(first) = self.way.iter().position(|edge| edge.id == *id) else { return self.seen.contains(id) };
        let members = &self.way[first..];
        let drawn: Vec<&str> = members.iter().chain(members.first()).map(|edge| edge.name.as_str()).collect();
        let mut diagnostic = Diagnostic::error(format!("`extends` goes in a circle: {}", drawn.join(" → ")));
        for pair in members.windows(2) {
            if let (from, Edge { origin: Some(origin), name, .. }) = (&pair[0], &pair[1]) {
                diagnostic = diagnostic.at(origin, format!("`{}` extends `{name}`", from.name));
            }
        }
        if let (Some(origin), Some(last)) = (origin, members.last()) {
            let to = members.first().map_or(name, |edge| edge.name.as_str());
            diagnostic = diagnostic.at(origin, format!("`{}` extends `{to}`", last.name));
        }
        self.fail(diagnostic);
        true
    }
}

/// A path without `.` and with `x/..` taken out by its letters, for names that read well.
fn normal(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut made = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(made.components().next_back(), Some(Component::Normal(_))) && !made.is_symlink() =>
            {
                made.pop();
            }
            other => made.push(other),
        }
    }
    made
}

fn missing(entry: &str, path: &Path, origin: &Origin, shipped: &dyn Shipped) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("there is no file `{entry}` to extend")).at(origin, "");
    if entry.contains("://") {
        return diagnostic.hint("`extends` takes files, not addresses: fetch it, and extend the copy");
    }
    if entry.contains("${") {
        return diagnostic.hint("`extends` takes no references: it is read before anything has a value");
    }
    let wrong = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let neighbours: Vec<String> = path
        .parent()
        .and_then(|folder| fs_err::read_dir(folder).ok())
        .map(|folder| {
            folder
                .flatten()
                .take(MAX_NEIGHBOURS)
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect()
        })
        .unwrap_or_default();
    let candidates =
        neighbours.iter().map(String::as_str).filter(|name| name.ends_with(".toml") || !wrong.ends_with(".toml"));
    match nearest(&wrong, candidates) {
        Some(near) => diagnostic.hint(format!("did you mean `{}`?", Path::new(entry).with_file_name(near).display())),
        None if shipped.profile(entry).is_some() => {
            diagnostic.hint(format!("the shipped profile is written `profile:{entry}`"))
        }
        None => diagnostic.hint(format!("looked for `{}`", path.display())),
    }
}
