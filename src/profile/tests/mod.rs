//! Loading as a whole: real files in a temporary folder, each rule by a table of its cases.

mod extends;
mod files;
mod layers;
mod parts;
mod sets;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::diagnostic::Diagnostics;
use crate::diagnostic::draw::draw;
use crate::platform::Platform;

/// Profiles and one example, as a binary would have them.
struct Inside;

impl Shipped for Inside {
    fn profile(&self, name: &str) -> Option<&str> {
        Some(match name {
            "demo" => "[profile]\nsummary = \"a demo\"\nexample = \"pywps\"\n[recipes.wsgi]\ndebug = false\n",
            "dev" => "extends = [\"profile:demo\"]\n[profile]\nsummary = \"for work\"\n[recipes.wsgi]\ndebug = true\n",
            "bare" => "[profile]\nsummary = \"no example\"\n",
            "strict" => {
                "[require]\n\"wsgi.debug\" = false\npure = true\n[parts.nginx]\nrecipe = \"nginx\"\nport = 80\n"
            }
            _ => return None,
        })
    }

    fn profiles(&self) -> Vec<&str> {
        vec!["bare", "demo", "dev", "strict"]
    }

    fn example(&self, recipe: &str) -> Option<&str> {
        (recipe == "pywps").then_some("name = \"emu\"\n[parts.wps]\nrecipe = \"pywps\"\ntitle = \"Emu\"\n")
    }

    fn example_profile(&self, recipe: &str, name: &str) -> Option<&str> {
        (recipe == "pywps" && name == "dev").then_some("[parts.wps]\ntitle = \"Emu at work\"\n")
    }
}

/// A folder with files, and what else a request says.
struct Sandbox {
    folder: tempfile::TempDir,
    profile: Option<ProfileChoice>,
    project: bool,
    sets: Vec<String>,
    vars: BTreeMap<String, String>,
}

impl Sandbox {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let sandbox = Self { folder, profile: None, project: true, sets: Vec::new(), vars: BTreeMap::new() };
        for (path, text) in files {
            sandbox.write(path, text.as_bytes());
        }
        sandbox
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs_err::write(&path, bytes).expect("file");
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("mode");
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root().join("project").join(path)
    }

    fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("root")
    }

    fn profile(mut self, name: &str) -> Self {
        self.profile = Some(ProfileChoice::Named(name.into()));
        self
    }

    fn without_project(mut self) -> Self {
        self.project = false;
        self
    }

    fn set(mut self, set: &str) -> Self {
        self.sets.push(set.into());
        self
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    fn load(&self) -> Result<(Definition, Diagnostics), Diagnostics> {
        let loaded = load(&Request {
            profile: self.profile.clone(),
            project: self.project.then(|| self.path("")).map(|path| path.components().collect()),
            example_folder: PathBuf::from("/example"),
            config: self.root().join("config"),
            vars: &self.vars,
            sets: &self.sets,
            platform: Platform::current(),
            host_name: "crunch".into(),
            shipped: &Inside,
        });
        loaded.map_err(|unloaded| unloaded.found)
    }

    fn good(&self) -> Definition {
        match self.load() {
            Ok((definition, warnings)) => {
                assert!(warnings.0.is_empty(), "{}", draw(&warnings, false));
                definition
            }
            Err(found) => panic!("{}", draw(&found, false)),
        }
    }

    /// What is drawn for what is wrong.
    fn bad(&self) -> String {
        let found = self.load().expect_err("something is wrong");
        assert!(found.has_errors());
        draw(&found, false).replace(&self.root().display().to_string(), "ROOT")
    }
}

/// A project of this `jove.toml` under the profile `bare`.
fn project(text: &str) -> Sandbox {
    Sandbox::new(&[("jove.toml", text)]).profile("bare")
}

/// A project of two layers: `jove.toml`, and `profiles/own.toml` above it.
fn two(below: &str, above: &str) -> Sandbox {
    let above = format!("extends = []\n{above}");
    Sandbox::new(&[("jove.toml", below), ("profiles/own.toml", &above)]).profile("own")
}

fn setting<'a>(definition: &'a Definition, part: &str, option: &str) -> &'a Setting {
    definition.parts.get(part).and_then(|part| part.options.get(option)).unwrap_or_else(|| panic!("{part}.{option}"))
}

fn value(definition: &Definition, part: &str, option: &str) -> String {
    setting(definition, part, option).value.to_string()
}

fn names(definition: &Definition) -> Vec<String> {
    definition
        .layers
        .iter()
        .map(|layer| layer.source.name.rsplit("/project/").next().unwrap_or_default().to_owned())
        .collect()
}
