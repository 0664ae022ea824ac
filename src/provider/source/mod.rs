//! `source`: programs built from source, in a sandbox.
//!
//! # Theory
//!
//! Sources are files of the net by digest, as the provider `archive` has them; patches are such files too, or files of the
//! project. They are unpacked side by side below a folder whose path follows from what is built, and the commands run in one
//! of them, with a clean set of vars, no network, and nothing writable but that folder and the object ([`crate::sandbox`]).
//! Times and paths that get into programs are fixed as far as tools let them be, so that the same key gives the same bytes.
//!
//! # Weakness
//!
//! The machine's compiler, its headers and whatever else a build looks at make a difference: what is named in `build_tools` is
//! part of the key, and everything that was built is impure.

mod build;
mod patch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use self::build::Workplace;
use super::archive::{ArchivesError, Form, Item, item, place};
use super::{HostError, HostPrograms, Kit, Pinned, ProvideError, Provider, Realised};
use crate::checkpoint;
use crate::digest::Digest;
use crate::process::ProcessError;
use crate::sandbox::SandboxError;

pub use patch::PatchError;

/// Raised when the same sources would give other bytes.
const VERSION: u32 = 1;

/// Sources, and how a program is built of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The sources, and patches that have addresses.
    pub items: Vec<Item>,
    /// Folders of the user's configuration in which files may be, by name.
    pub mirrors: Vec<Url>,
    /// Patches of the project, with their digests, in this order.
    pub patches: Vec<(PathBuf, Digest)>,
    /// In which source the commands run; the only one if not said.
    pub folder: Option<String>,
    /// Lines for the shell, one after another.
    pub commands: Vec<String>,
    /// Vars of the commands.
    pub vars: BTreeMap<String, String>,
    /// Programs of this machine that build.
    pub tools: HostPrograms,
    /// How long all commands together may take.
    pub timeout: Duration,
    /// Whether nothing is built where the sandbox cannot be enforced.
    pub is_sandbox_required: bool,
}

/// Why nothing came of the sources.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The sources could not be had.
    #[error(transparent)]
    Archives(#[from] ArchivesError),
    /// This machine cannot build.
    #[error("building from source: {0}")]
    Tools(#[from] HostError),
    /// The sandbox cannot be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A patch is not applied.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// Several sources, and none is named to build in.
    #[error("there are several sources ({}): say with `build_in` in which of them the commands run", .0.join(", "))]
    Folder(Vec<String>),
    /// A command failed. It is in a sandbox, which may be why.
    #[error(
        "`{command}`: {source}\nit ran without network, and may write only below $JOVE_SOURCES, $TMPDIR and $JOVE_OBJECT"
    )]
    Command {
        /// The line.
        command: String,
        /// Why.
        source: Box<ProcessError>,
    },
    /// The build did not end.
    #[error("`{command}`: {source}\nall commands together may take {} s: `build_timeout` says so", timeout.as_secs())]
    TimedOut {
        /// The line.
        command: String,
        /// How long all may take.
        timeout: Duration,
        /// How it ended.
        source: Box<ProcessError>,
    },
    /// The commands put nothing into the object.
    #[error(
        "the commands left nothing in `$JOVE_OBJECT`: let the last one install there (`make install DESTDIR=$JOVE_OBJECT/`)"
    )]
    Nothing,
    /// A file cannot be read or written.
    #[error("`{}` cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl SourceError {
    fn of_command(command: &str, timeout: Duration, source: ProcessError) -> Self {
        let command = command.lines().next().unwrap_or_default().to_owned();
        match source {
            source @ ProcessError::TimedOut { .. } => Self::TimedOut { command, timeout, source: Box::new(source) },
            source @ (ProcessError::Failed { .. }
            | ProcessError::Interrupted
            | ProcessError::Log { .. }
            | ProcessError::Start { .. }) => Self::Command { command, source: Box::new(source) },
        }
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = path.to_owned();
    |source| SourceError::Io { path, source }
}

impl Sources {
    fn folder(&self) -> Result<PathBuf, SourceError> {
        let trees: Vec<&Item> = self.items.iter().filter(|item| item.form != Form::Patch).collect();
        match (&self.folder, trees.as_slice()) {
            (Some(name), trees) if trees.iter().any(|item| item.name == *name) => Ok(PathBuf::from(name)),
            (None, [only]) => Ok(PathBuf::from(&only.name)),
            _ => Err(SourceError::Folder(trees.iter().map(|item| item.name.clone()).collect())),
        }
    }

    /// The name of the folder to build in: the same for what gives the same bytes.
    fn place_name(&self) -> String {
        Digest::of_json(&(VERSION, self.inputs(), self.settings())).short()
    }

    fn unpack(&self, kit: &Kit<'_>, sources: &Path) -> Result<(), SourceError> {
        self.items.iter().try_for_each(|item| place(kit, item, sources))?;
        let folder = sources.join(self.folder()?);
        for item in self.items.iter().filter(|item| item.form == Form::Patch) {
            let path = sources.join(&item.to);
            let text = std::fs::read_to_string(&path).map_err(at(&path))?;
            patch::apply(&item.name, &text, &folder)?;
        }
        for (path, _) in &self.patches {
            let text = std::fs::read_to_string(path).map_err(at(path))?;
            patch::apply(&path.display().to_string(), &text, &folder)?;
        }
        Ok(())
    }
}

impl Provider for Sources {
    fn name(&self) -> &'static str {
        "source"
    }

    fn version(&self) -> String {
        VERSION.to_string()
    }

    fn inputs(&self) -> BTreeMap<String, Vec<String>> {
        [("source".to_owned(), self.items.iter().map(Item::asked).collect())].into()
    }

    fn settings(&self) -> BTreeMap<String, Vec<String>> {
        let mut settings: BTreeMap<String, Vec<String>> = self.items.iter().map(Item::setting).collect();
        settings.insert("build".to_owned(), self.commands.clone());
        settings.insert("build in".to_owned(), self.folder.iter().cloned().collect());
        settings
            .insert("build vars".to_owned(), self.vars.iter().map(|(name, value)| format!("{name}={value}")).collect());
        settings.insert("patches".to_owned(), self.patches.iter().map(|(_, digest)| digest.to_hex()).collect());
        settings
    }

    fn reachable(&self, kit: &Kit<'_>) -> Result<String, ProvideError> {
        self.tools.paths(kit.host).map_err(SourceError::from)?;
        let found = item::reach(kit, &self.items, &self.mirrors);
        found.map_err(|why| SourceError::from(ArchivesError::Unreachable(why)).into())
    }

    fn resolve(&self, _kit: &Kit<'_>, _before: &[Pinned]) -> Result<Vec<Pinned>, ProvideError> {
        self.folder()?;
        Ok(self.items.iter().map(Item::pin).collect())
    }

    fn host_facts(&self, kit: &Kit<'_>) -> Result<BTreeMap<String, String>, ProvideError> {
        self.tools.host_facts(kit)
    }

    fn fetch(&self, kit: &Kit<'_>, pins: &[Pinned]) -> Result<(), ProvideError> {
        let fetched = item::fetch(kit, &self.items, &self.mirrors, pins);
        Ok(fetched.map_err(|error| SourceError::from(ArchivesError::from(error)))?)
    }

    fn realise(&self, kit: &Kit<'_>, _pins: &[Pinned], folder: &Path) -> Result<Realised, ProvideError> {
        let place = Workplace::open(kit.work, &self.place_name()).map_err(at(kit.work))?;
        self.unpack(kit, &place.sources())?;
        checkpoint::pass("source-before-build");
        let enforced = build::run(kit, self, &place, folder)?;
        checkpoint::pass("source-after-build");
        if std::fs::read_dir(folder).map_err(at(folder))?.next().is_none() {
            return Err(SourceError::Nothing.into());
        }
        let facts = BTreeMap::from([("sandbox enforced".to_owned(), enforced.to_string())]);
        Ok(Realised { impure: build::impurities(), facts })
    }
}
