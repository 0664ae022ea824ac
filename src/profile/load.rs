//! Loading: from a request to one definition.
//!
//! ```text
//! layers   which files there are, read with what they extend      mistakes that leave gaps end here
//! merge    lays one sheet over the other                          rule: what becomes of one setting
//! like     copies merged settings from part to part
//! finish   asks `when`, reads `needs`
//! ```
//! Every step collects what is wrong, and what is right is handed on all the same, so that one run tells all of it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Source};
use crate::platform::Platform;

use super::assign::{self, Names};
use super::extend::Reading;
use super::finish;
use super::layers;
use super::like;
use super::merge::Merged;
use super::read;
use super::setting::{Definition, Layer, LayerKind, Project, Setting};
use super::sheet;
use super::when::{Facts, When};

/// The profile where none is chosen.
pub const DEFAULT_PROFILE: &str = "dev";

/// Which profile is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileChoice {
    /// A file of the user's (`-p ./my.toml`): absolute.
    File(PathBuf),
    /// A name: shipped, or `profiles/<name>.toml` of the project.
    Named(String),
}

/// What is shipped inside the binary, by name. A trait, since recipes are a floor above.
pub trait Shipped {
    /// The text of a shipped profile.
    fn profile(&self, name: &str) -> Option<&str>;
    /// The names of all shipped profiles.
    fn profiles(&self) -> Vec<&str>;
    /// The text of `recipes/<recipe>/example/jove.toml`.
    fn example(&self, recipe: &str) -> Option<&str>;
    /// The text of `recipes/<recipe>/example/profiles/<name>.toml`.
    fn example_profile(&self, recipe: &str, name: &str) -> Option<&str>;
}

/// Everything that loading depends on.
pub struct Request<'a> {
    /// The chosen profile; without one it is `dev`.
    pub profile: Option<ProfileChoice>,
    /// The folder that holds `jove.toml`, as [`find_project`](crate::profile::find::find_project) found it.
    pub project: Option<PathBuf>,
    /// [`Project::folder`](crate::profile::Project) for an example: where it would be unpacked. Not read.
    pub example_folder: PathBuf,
    /// The user's configuration folder; `config.toml` in it may be absent.
    pub config: PathBuf,
    /// The process variables: `JOVE_SET_*`, and what `when.vars.NAME` asks.
    pub vars: &'a BTreeMap<String, String>,
    /// `--set` arguments: `PART.OPTION=VALUE`, `+=`, `-=`.
    pub sets: &'a [String],
    /// For `when.platform`.
    pub platform: Platform,
    /// For `when.host.name`.
    pub host_name: String,
    /// The profiles and examples inside the binary.
    pub shipped: &'a dyn Shipped,
}

/// Layers that say something wrong.
#[derive(Debug)]
pub struct Unloaded {
    /// What is wrong.
    pub found: Diagnostics,
    /// The definition without what is wrong in it, to look for more mistakes in; nothing if a file is missing or no TOML.
    pub rest: Option<Box<Definition>>,
}

impl From<Unloaded> for Diagnostics {
    fn from(unloaded: Unloaded) -> Self {
        unloaded.found
    }
}

/// Loads and merges all layers. The diagnostics beside the definition are warnings.
///
/// # Errors
/// Everything that is wrong in any layer, in the order of the layers and of their lines.
pub fn load(request: &Request<'_>) -> Result<(Definition, Diagnostics), Unloaded> {
    let mut reading = Reading::new(request.project.as_deref(), request.shipped);
    let Some(layers) = layers::read(request, &mut reading) else {
        return Err(Unloaded { found: in_order(reading.found, reading.sources), rest: None });
    };
    let Reading { mut found, inputs, layers: mut files, mut sources, .. } = reading;
    // Stable: within one layer the order of reading, which is depth first, stays.
    files.sort_by_key(|loaded| loaded.kind);
    let names: Names = files.iter().flat_map(|file| file.sheet.parts.iter().map(|part| part.name.clone())).collect();
    let folder = &layers.project.folder;
    files.extend(assign::of_vars(request.vars, &names, folder, &mut found));
    files.extend(assign::of_sets(request.sets, &names, folder, &mut found));
    sources.extend(files.iter().map(|file| (file.kind, Arc::clone(&file.source))));

    let mut merged = Merged::default();
    let mut kept = Vec::with_capacity(files.len());
    for file in files {
        merged.lay(file.kind, file.sheet, &mut found);
        kept.push(Layer { kind: file.kind, source: file.source });
    }
    like::copy(&mut merged.parts, &mut found);
    let facts = Facts {
        host_name: &request.host_name,
        platform: &request.platform,
        profile: &layers.profile,
        vars: request.vars,
    };
    let whens = merged.parts.values().filter_map(|draft| draft.when.as_ref());
    let vars_asked =
        whens.flat_map(When::vars).map(|name| (name.to_owned(), request.vars.get(name).cloned())).collect();
    let parts = finish::parts(merged.parts, &facts, &mut found);
    let found = in_order(found, sources);
    let project = Project { name: merged.name.unwrap_or(layers.project.name), ..layers.project };
    let definition = Definition {
        profile: layers.profile,
        summary: merged.summary,
        locked: merged.locked.unwrap_or(false),
        project,
        layers: kept,
        parts,
        recipes: merged.recipes,
        requirements: merged.require,
        sources: merged.sources,
        host: merged.host,
        inputs,
        vars_asked,
    };
    if found.has_errors() {
        return Err(Unloaded { found, rest: Some(Box::new(definition)) });
    }
    Ok((definition, found))
}

/// The name of a chosen profile, for a prefix that is named before anything is loaded: a file's `[profile] name`, else its stem.
///
/// # Errors
/// If the file cannot be read.
pub fn profile_name(choice: Option<&ProfileChoice>, shipped: &dyn Shipped) -> Result<String, Diagnostics> {
    let mut reading = Reading::new(None, shipped);
    let name = match choice {
        None => Some(DEFAULT_PROFILE.to_owned()),
        Some(ProfileChoice::Named(name)) => Some(name.clone()),
        Some(ProfileChoice::File(path)) => layers::open_file(&mut reading, path).map(|(name, _)| name),
    };
    name.ok_or(reading.found)
}

/// `[sources]` of the user's configuration alone, for what is asked outside of every project. What is wrong in the file is told
/// by those who load it with all the others.
#[must_use]
pub fn user_sources(config: &Path) -> BTreeMap<String, Setting> {
    let (file, mut found) = (config.join("config.toml"), Diagnostics::default());
    let Ok(Some(text)) = read::text(&file, None) else { return BTreeMap::new() };
    let source = Arc::new(Source { name: file.display().to_string(), text, folder: Some(config.to_path_buf()) });
    let mut merged = Merged::default();
    if let Some(sheet) = sheet::read(&source, LayerKind::UserConfig, &mut found) {
        merged.lay(LayerKind::UserConfig, sheet, &mut found);
    }
    merged.sources
}

/// Diagnostics by the order of their layers, and within one source by place; those without a place first.
fn in_order(mut found: Diagnostics, mut sources: Vec<(LayerKind, Arc<Source>)>) -> Diagnostics {
    sources.sort_by_key(|(kind, _)| *kind);
    let mut ranks: HashMap<*const Source, usize> = HashMap::new();
    for (rank, (_, source)) in sources.iter().enumerate() {
        ranks.entry(Arc::as_ptr(source)).or_insert(rank + 1);
    }
    found.0.sort_by_key(|diagnostic| {
        let first = diagnostic.labels.first();
        first.map_or((0, 0), |label| {
            let rank = ranks.get(&Arc::as_ptr(&label.origin.source)).copied().unwrap_or(usize::MAX);
            (rank, label.origin.span.start)
        })
    });
    found
}
