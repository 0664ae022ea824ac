//! The catalogue: recipes by name, shipped inside the binary and overridden file by file by a project.
//!
//! ```text
//! <project>/templates/<recipe>/<file>     first
//! <project>/recipes/<recipe>/<file>       then
//! recipes/<recipe>/<file>                 inside the binary
//! ```
//! A recipe is parsed when it is first asked for, once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use include_dir::{Dir, DirEntry, include_dir};

use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::provider::ORDER;
use crate::recipe::parse::parse;
use crate::recipe::schema::{Action, Recipe};

static RECIPES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/recipes");
static PROFILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/profiles");

/// Recipes by name.
#[derive(Debug)]
pub struct Catalogue {
    shipped: Shipped,
    project: Option<PathBuf>,
    entries: BTreeMap<String, Entry>,
    read: Mutex<BTreeSet<PathBuf>>,
}

/// Where recipes are that no project overrides.
#[derive(Debug)]
enum Shipped {
    Binary,
    Memory(BTreeMap<String, Vec<u8>>),
}

#[derive(Debug, Default)]
struct Entry {
    parsed: OnceLock<Result<Recipe, Diagnostics>>,
}

impl Catalogue {
    /// What is inside the binary.
    #[must_use]
    pub fn shipped() -> Self {
        let names = RECIPES.dirs().filter(|dir| dir.get_file(dir.path().join("recipe.toml")).is_some());
        let names = names.map(|dir| dir.path().display().to_string());
        Self::of(Shipped::Binary, names.collect::<Vec<_>>())
    }

    /// Recipes given as files by path (`pywps/recipe.toml`), and profiles (`profiles/dev.toml`), for tests and benches.
    pub fn from_files(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files: BTreeMap<String, Vec<u8>> = files.into_iter().collect();
        let names: Vec<String> =
            files.keys().filter_map(|path| Some(path.strip_suffix("/recipe.toml")?.to_owned())).collect();
        Self::of(Shipped::Memory(files), names)
    }

    fn of(shipped: Shipped, names: Vec<String>) -> Self {
        let entries = names.into_iter().map(|name| (name, Entry::default())).collect();
        Self { shipped, project: None, entries, read: Mutex::default() }
    }

    /// What is inside the binary, under the `recipes/` and `templates/` of a project.
    ///
    /// # Errors
    /// If a folder of the project cannot be read.
    pub fn with_project(project: Option<&Path>) -> Result<Self, Diagnostics> {
        match project {
            None => Ok(Self::shipped()),
            Some(project) => Self::shipped().over(project),
        }
    }

    /// The same under the `recipes/` and `templates/` of a project.
    ///
    /// # Errors
    /// If a folder of the project cannot be read.
    pub fn over(mut self, project: &Path) -> Result<Self, Diagnostics> {
        let folder = project.join("recipes");
        self.note(&folder);
        let listed = match fs_err::read_dir(&folder) {
            Ok(listed) => listed.collect::<Result<Vec<_>, _>>(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let listed =
            listed.map_err(|error| Diagnostic::error(format!("the project's recipes cannot be listed: {error}")))?;
        for entry in listed {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && entry.path().is_dir() {
                self.entries.entry(name).or_default();
            }
        }
        self.project = Some(project.to_owned());
        Ok(self)
    }

    /// The names of all recipes, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// A recipe, if there is one of that name and its file is in order.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Recipe> {
        self.find(name)?.ok()
    }

    /// A recipe, or all that is wrong with its file; `None` if there is none of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Result<&Recipe, &Diagnostics>> {
        let entry = self.entries.get(name)?;
        Some(entry.parsed.get_or_init(|| self.parse(name)).as_ref())
    }

    /// The providers of which a recipe, or what it brings, says what to take from there; in the order in which they are tried.
    #[must_use]
    pub fn providers(&self, recipe: &Recipe) -> Vec<&'static str> {
        let has = |word: &str| {
            let is_packages = |name: &str| self.get(name).is_some_and(|brought| brought.action == Action::Packages);
            let own = recipe.action == Action::Packages && recipe.option(word).is_some();
            let mut brings = recipe.brings.iter().filter(|form| is_packages(&form.recipe.0));
            own || brings.any(|form| form.options.contains_key(word))
        };
        ORDER.into_iter().filter(|word| has(word)).collect()
    }

    fn parse(&self, name: &str) -> Result<Recipe, Diagnostics> {
        let Some((bytes, from)) = self.read(name, "recipe.toml") else {
            let said = format!("the project's folder `recipes/{name}` has no `recipe.toml`");
            return Err(Diagnostic::error(said).hint("write one, or move the folder away").into());
        };
        let named = from.map_or_else(|| format!("recipe:{name}"), |path| path.display().to_string());
        let text = String::from_utf8(bytes.into_owned())
            .map_err(|_| Diagnostic::error(format!("`{named}` is no text: it must be UTF-8")))?;
        let text = text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text);
        parse(name, &Arc::new(Source { name: named, text, folder: None }))
    }

    /// A file of a recipe, the project's before the shipped one.
    #[must_use]
    pub fn file(&self, recipe: &str, path: &str) -> Option<Cow<'_, [u8]>> {
        self.read(recipe, path).map(|(bytes, _)| bytes)
    }

    /// How people know a file of a recipe: its path in the project, or `recipe:pywps/pywps.cfg`.
    #[must_use]
    pub fn file_name(&self, recipe: &str, path: &str) -> String {
        match self.read(recipe, path) {
            Some((_, Some(file))) => file.display().to_string(),
            _ => format!("recipe:{recipe}/{path}"),
        }
    }

    fn read(&self, recipe: &str, path: &str) -> Option<(Cow<'_, [u8]>, Option<PathBuf>)> {
        if let Some(project) = &self.project {
            for folder in ["templates", "recipes"] {
                let file = project.join(folder).join(recipe).join(path);
                self.note(&file);
                if let Ok(bytes) = fs_err::read(&file) {
                    return Some((Cow::Owned(bytes), Some(file)));
                }
            }
        }
        self.read_shipped(&format!("{recipe}/{path}")).map(|bytes| (Cow::Borrowed(bytes), None))
    }

    fn read_shipped(&self, path: &str) -> Option<&[u8]> {
        match &self.shipped {
            Shipped::Binary => RECIPES.get_file(path).map(include_dir::File::contents),
            Shipped::Memory(files) => files.get(path).map(Vec::as_slice),
        }
    }

    /// The paths of a recipe's own files, for the nearest name of one that is missing.
    #[must_use]
    pub fn file_list(&self, recipe: &str) -> Vec<String> {
        let mut names: BTreeSet<String> = self.below(&format!("{recipe}/")).into_iter().map(|(path, _)| path).collect();
        if let Some(project) = &self.project {
            for folder in ["templates", "recipes"] {
                let folder = project.join(folder).join(recipe);
                let files =
                    walkdir::WalkDir::new(&folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
                names.extend(
                    files.filter_map(|entry| {
                        Some(entry.path().strip_prefix(&folder).ok()?.to_string_lossy().into_owned())
                    }),
                );
            }
        }
        names.into_iter().collect()
    }

    /// The files of a recipe's example project, by relative path, sorted.
    #[must_use]
    pub fn example_files(&self, recipe: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: BTreeMap<PathBuf, Vec<u8>> = self
            .below(&format!("{recipe}/example/"))
            .into_iter()
            .map(|(path, bytes)| (PathBuf::from(path), bytes.to_vec()))
            .collect();
        if let Some(project) = &self.project {
            let folder = project.join("recipes").join(recipe).join("example");
            self.note(&folder);
            for entry in
                walkdir::WalkDir::new(&folder).into_iter().flatten().filter(|entry| entry.file_type().is_file())
            {
                if let (Ok(path), Ok(bytes)) = (entry.path().strip_prefix(&folder), fs_err::read(entry.path())) {
                    files.insert(path.to_owned(), bytes);
                }
            }
        }
        files.into_iter().collect()
    }

    /// Shipped files below a folder, by path relative to it.
    fn below(&self, folder: &str) -> Vec<(String, &[u8])> {
        let mut found: Vec<(String, &[u8])> = match &self.shipped {
            Shipped::Memory(files) => files
                .iter()
                .filter_map(|(path, bytes)| Some((path.strip_prefix(folder)?.to_owned(), bytes.as_slice())))
                .collect(),
            Shipped::Binary => {
                let mut found = Vec::new();
                if let Some(dir) = RECIPES.get_dir(folder.trim_end_matches('/')) {
                    collect(dir, folder, &mut found);
                }
                found
            }
        };
        // What a trial run of an example may have left beside it is no part of it.
        found.retain(|(path, _)| !path.split('/').any(|name| name == "__pycache__"));
        found
    }

    /// The project's files that were read or looked for, so that a later run sees by stat whether anything changed.
    #[must_use]
    pub fn inputs(&self) -> Vec<PathBuf> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Remembers a file of the project that was read or looked for.
    pub(super) fn note(&self, path: &Path) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }
}

fn collect(dir: &'static Dir<'static>, folder: &str, found: &mut Vec<(String, &'static [u8])>) {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(dir) => collect(dir, folder, found),
            DirEntry::File(file) => {
                let path = file.path().to_string_lossy();
                if let Some(path) = path.strip_prefix(folder) {
                    found.push((path.to_owned(), file.contents()));
                }
            }
        }
    }
}

/// What loading a profile needs of the binary.
impl crate::profile::load::Shipped for Catalogue {
    fn profile(&self, name: &str) -> Option<&str> {
        match &self.shipped {
            Shipped::Binary => PROFILES.get_file(format!("{name}.toml"))?.contents_utf8(),
            Shipped::Memory(files) => std::str::from_utf8(files.get(&format!("profiles/{name}.toml"))?).ok(),
        }
    }

    fn profiles(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match &self.shipped {
            Shipped::Binary => PROFILES.files().filter_map(|file| file.path().to_str()).collect(),
            Shipped::Memory(files) => files.keys().filter_map(|path| path.strip_prefix("profiles/")).collect(),
        };
        names.retain(|name| name.ends_with(".toml"));
        names.iter_mut().for_each(|name| *name = name.trim_end_matches(".toml"));
        names.sort_unstable();
        names
    }

    fn example(&self, recipe: &str) -> Option<&str> {
        std::str::from_utf8(self.read_shipped(&format!("{recipe}/example/jove.toml"))?).ok()
    }

    fn example_profile(&self, recipe: &str, name: &str) -> Option<&str> {
        std::str::from_utf8(self.read_shipped(&format!("{recipe}/example/profiles/{name}.toml"))?).ok()
    }
}
