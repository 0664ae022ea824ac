//! For tests: a project in a temporary folder, recipes in memory, a stack that counts ports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::diagnostic::Diagnostics;
use crate::layout::Layout;
use crate::name::{OptionName, PartName};
use crate::platform::Platform;
use crate::profile::{Definition, ProfileChoice, Request, load};
use crate::recipe::{Allot, Catalogue, OptionValue, Stack, Surroundings, resolve};
use crate::text::SecretRef;

/// Recipes, a project, and what surrounds them.
pub(super) struct Fixture {
    folder: tempfile::TempDir,
    files: Vec<(String, Vec<u8>)>,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) sets: Vec<String>,
    processors: usize,
    project: Option<PathBuf>,
}

/// Ports from 20000 upwards, secrets of version `v1`.
#[derive(Default)]
pub(super) struct Counter {
    next: u16,
    pub(super) given: Vec<(String, String)>,
}

impl Allot for Counter {
    fn port(&mut self, _: &PartName, _: &OptionName) -> u16 {
        self.next += 1;
        20_000 + self.next
    }

    fn secret(&mut self, part: &PartName, option: &OptionName) -> SecretRef {
        SecretRef { part: part.clone(), option: option.clone(), version: "v1".into() }
    }

    fn secret_given(&mut self, part: &PartName, option: &OptionName, word: &str) -> SecretRef {
        self.given.push((format!("{part}.{option}"), word.to_owned()));
        SecretRef { part: part.clone(), option: option.clone(), version: "given".into() }
    }
}

impl Fixture {
    /// A project whose `jove.toml` is the text.
    pub(super) fn new(project: &str) -> Self {
        let made = Self {
            folder: tempfile::tempdir().expect("folder"),
            files: vec![("profiles/dev.toml".into(), b"[profile]\nsummary = \"test\"\n".to_vec())],
            vars: BTreeMap::new(),
            sets: Vec::new(),
            processors: 4,
            project: None,
        };
        let folder = made.folder.path().join("p");
        fs_err::create_dir(&folder).expect("folder");
        fs_err::write(folder.join("jove.toml"), project).expect("project");
        Self { project: Some(folder), ..made }
    }

    /// Adds a recipe.
    pub(super) fn recipe(self, name: &str, text: &str) -> Self {
        self.shipped(&format!("{name}/recipe.toml"), text)
    }

    /// Adds a shipped file.
    pub(super) fn shipped(mut self, path: &str, text: &str) -> Self {
        self.files.retain(|(known, _)| known != path);
        self.files.push((path.to_owned(), text.as_bytes().to_vec()));
        self
    }

    /// Adds a file of the project.
    pub(super) fn file(self, path: &str, text: &str) -> Self {
        let file = self.folder().join(path);
        fs_err::create_dir_all(file.parent().expect("parent")).expect("folder");
        fs_err::write(file, text).expect("file");
        self
    }

    pub(super) fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    pub(super) fn set(mut self, set: &str) -> Self {
        self.sets.push(set.into());
        self
    }

    pub(super) fn processors(self, processors: usize) -> Self {
        Self { processors, ..self }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.project.clone().expect("project")
    }

    pub(super) fn catalogue(&self) -> Catalogue {
        Catalogue::from_files(self.files.clone()).over(&self.folder()).expect("catalogue")
    }

    pub(super) fn definition(&self, catalogue: &Catalogue) -> Result<Definition, Diagnostics> {
        let request = Request {
            profile: Some(ProfileChoice::Named("dev".into())),
            project: self.project.clone(),
            example_folder: self.folder.path().join("example"),
            config: self.folder.path().join("config"),
            vars: &self.vars,
            sets: &self.sets,
            platform: Platform::current(),
            host_name: "box".into(),
            shipped: catalogue,
        };
        load(&request).map(|(definition, _)| definition).map_err(|unloaded| unloaded.found)
    }

    pub(super) fn resolve_with(&self, counter: &mut Counter) -> Result<(Stack, Diagnostics), Diagnostics> {
        let catalogue = self.catalogue();
        let definition = self.definition(&catalogue)?;
        let layout = Layout::new("/home/u/jove/p");
        let surroundings = Surroundings {
            layout: &layout,
            run: "/home/u/jove/p/run".into(),
            platform: Platform::current(),
            host_name: "box",
            processors: self.processors,
            vars: &self.vars,
            home: Some("/home/u".into()),
        };
        Ok(resolve(&definition, &catalogue, &surroundings, counter)?)
    }

    pub(super) fn resolve(&self) -> Result<Stack, Diagnostics> {
        self.resolve_with(&mut Counter::default()).map(|(stack, _)| stack)
    }

    /// All that is wrong, with places and hints, the project's folder as `.`.
    pub(super) fn wrong(&self) -> String {
        let Err(wrong) = self.resolve() else { return "nothing".into() };
        let mut made = String::new();
        for said in wrong.0 {
            made.push_str(&format!("{:?}: {}\n", said.severity, said.message).to_lowercase().replace("error: ", ""));
            for label in &said.labels {
                let text = &label.origin.source.text;
                let excerpt: String = text.get(label.origin.span.clone()).unwrap_or("?").chars().take(50).collect();
                made.push_str(&format!("  {} {excerpt} <{}>\n", label.origin, label.text));
            }
            for hint in &said.hints {
                made.push_str(&format!("  hint: {hint}\n"));
            }
        }
        made.replace(&format!("{}/", self.folder().display()), "")
    }
}

/// The value of `part.option` for people.
pub(super) fn value(stack: &Stack, name: &str) -> String {
    let (part, word) = name.split_once('.').expect("part.option");
    let part = &stack.parts[part];
    let value = part.options.get(word).map(|option| &option.value).or_else(|| part.exports.get(word));
    shown(value.expect("an option or export"))
}

pub(super) fn shown(value: &OptionValue) -> String {
    crate::recipe::explain::for_people(value)
}
