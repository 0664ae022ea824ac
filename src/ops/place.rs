//! Where a run works: which project, which profile, which prefix.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::host::Host;
use crate::layout::Layout;
use crate::ops::error::{OpError, OpResult};
use crate::profile::{ProfileChoice, find_project};
use crate::state::identity::Claim;
use crate::state::{Identity, machine_id};

/// What the command line chose.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// `-p`.
    pub profile: Option<String>,
    /// `--prefix`.
    pub prefix: Option<PathBuf>,
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// `--set`.
    pub sets: Vec<String>,
    /// `--offline`.
    pub offline: bool,
    /// `--no-wait`.
    pub no_wait: bool,
    /// The verb, for the holder's name and the ledger.
    pub verb: String,
}

/// Where a run works.
#[derive(Debug, Clone)]
pub struct Place {
    /// The surroundings.
    pub host: Host,
    /// What the command line chose.
    pub choice: Choice,
    /// The folder of `jove.toml`, if there is a project.
    pub project: Option<PathBuf>,
    /// The profile.
    pub profile: ProfileChoice,
    /// The prefix.
    pub layout: Layout,
    /// Whether it is the folder of `supervise`, where nothing is installed.
    pub standalone: bool,
}

impl Place {
    /// Finds it.
    ///
    /// # Errors
    /// Outside a project without `-p` or `--prefix`, with a project that is not to be trusted, or without a home.
    pub fn find(mut host: Host, choice: Choice) -> OpResult<Self> {
        if let Some(folder) = &choice.directory {
            let folder = host.folder.join(folder);
            host.folder = fs_err::canonicalize(&folder).map_err(|error| OpError::usage(format!("-C: {error}")))?;
        }
        let home = host.home().ok();
        let found = find_project(&host.folder, home.as_deref(), host.user)?;
        let known = choice.prefix.as_ref().map(|prefix| normalise(&host.folder.join(prefix)));
        let head = known.as_deref().and_then(Head::of);
        let profile = match (&choice.profile, &found, &known) {
            (Some(profile), _, _) => chosen(profile, &host.folder),
            (None, None, Some(_)) => head.as_ref().map_or_else(dev, |head| ProfileChoice::Named(head.profile.clone())),
            (None, Some(_), _) => dev(),
            (None, None, None) => return Err(nowhere(&host)),
        };
        // A prefix that is named from outside of all projects brings its own: by that it is updated at its times.
        let project = match (found, head) {
            (None, Some(head)) if head.owner.is_dir() => {
                find_project(&head.owner, home.as_deref(), host.user)?.filter(|folder| *folder == head.owner)
            }
            (found, _) => found,
        };
        let root = match known {
            Some(prefix) => prefix,
            None => host.prefixes()?.join(folder_name(project.as_deref(), &profile)),
        };
        Ok(Self { host, choice, project, profile, layout: Layout::new(root), standalone: false })
    }

    /// The folder of `supervise`.
    #[must_use]
    pub fn of_folder(host: Host, choice: Choice, folder: &Path) -> Self {
        let layout = Layout::new(normalise(&host.folder.join(folder)));
        let profile = ProfileChoice::Named("supervise".to_owned());
        Self { host, choice, project: None, profile, layout, standalone: true }
    }

    /// The profile's name, as the prefix's folder has it.
    #[must_use]
    pub fn profile_name(&self) -> String {
        profile_name(&self.profile)
    }

    /// The command line that reaches this place again, for hints: `jove-install -p demo`.
    #[must_use]
    pub fn command(&self) -> String {
        // Before it is in PATH it is run by another name: `bootstrap.sh` says so.
        let mut command = self.host.var("JOVE_COMMAND").unwrap_or("jove-install").to_owned();
        if self.standalone {
            return format!("{command} --dir {}", shell_words::quote(&self.layout.root().display().to_string()));
        }
        if let Some(profile) = &self.choice.profile {
            command.push_str(&format!(" -p {}", shell_words::quote(profile)));
        }
        if let Some(prefix) = &self.choice.prefix {
            command.push_str(&format!(" --prefix {}", shell_words::quote(&prefix.display().to_string())));
        }
        command
    }

    /// Whether anything was installed here.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        if self.standalone { self.layout.generations().exists() } else { self.layout.identity().exists() }
    }

    /// Fails where nothing is installed, or where what is belongs to somebody else: to another checkout of the project that
    /// would have the same folder, or to the prefix that this one is a copy of.
    ///
    /// # Errors
    /// If there is no installation of ours.
    pub fn installed(&self) -> OpResult<()> {
        self.there()?;
        if self.standalone {
            return Ok(());
        }
        // One that cannot be read is told by whoever needs it: services can be stopped without.
        let Ok(Some(identity)) = Identity::open(&self.layout) else { return Ok(()) };
        if identity.is_copy(&self.layout) || (self.choice.prefix.is_none() && self.project.is_some()) {
            let project = identity.project.clone();
            self.check(&identity, &project)?;
        }
        Ok(())
    }

    /// Fails where an identity is not that of this place.
    ///
    /// # Errors
    /// What differs, with the remedies.
    pub fn check(&self, identity: &Identity, project: &str) -> OpResult<()> {
        let (profile, machine) = (self.profile_name(), machine_id());
        let claim = Claim { owner: &self.owner(), project, profile: &profile, machine: &machine };
        Ok(identity.check(&self.layout, &claim)?)
    }

    /// The folder that owns the prefix: the project's, or none.
    #[must_use]
    pub fn owner(&self) -> PathBuf {
        self.project.clone().unwrap_or_default()
    }

    /// Fails where nothing is installed at all.
    ///
    /// # Errors
    /// If there is no installation.
    pub fn there(&self) -> OpResult<()> {
        if self.is_installed() {
            return Ok(());
        }
        if self.standalone {
            return Err(OpError::failed(format!("nothing was supervised in {}", self.layout.root().display()))
                .hint(format!("run a file's services there: {} supervise FILE", self.command())));
        }
        Err(OpError::failed(format!("nothing is installed in {}", self.layout.root().display()))
            .hint(format!("install it: {}", self.command()))
            .hint("what is installed elsewhere: jove-install list"))
    }
}

fn dev() -> ProfileChoice {
    ProfileChoice::Named("dev".to_owned())
}

fn chosen(profile: &str, folder: &Path) -> ProfileChoice {
    if profile.contains('/') || profile.ends_with(".toml") {
        ProfileChoice::File(normalise(&folder.join(profile)))
    } else {
        ProfileChoice::Named(profile.to_owned())
    }
}

/// What a prefix says of how it was made, whatever else is in `prefix.toml`.
#[derive(Deserialize)]
struct Head {
    profile: String,
    /// The project's folder; empty for an example.
    #[serde(default)]
    owner: PathBuf,
}

impl Head {
    fn of(prefix: &Path) -> Option<Self> {
        toml::from_str(&std::fs::read_to_string(Layout::new(prefix).identity()).ok()?).ok()
    }
}

fn profile_name(profile: &ProfileChoice) -> String {
    match profile {
        ProfileChoice::Named(name) => name.clone(),
        ProfileChoice::File(file) => {
            file.file_stem().map_or_else(|| "profile".to_owned(), |stem| stem.to_string_lossy().into_owned())
        }
    }
}

fn folder_name(project: Option<&Path>, profile: &ProfileChoice) -> String {
    let profile = profile_name(profile);
    match project {
        Some(folder) => format!("{}-{profile}", project_name(folder)),
        None => profile,
    }
}

/// `name` of `jove.toml`, else the folder's name. A file that cannot be read says so when it is loaded.
fn project_name(folder: &Path) -> String {
    #[derive(Deserialize)]
    struct Head {
        name: Option<String>,
    }
    let text = std::fs::read_to_string(folder.join("jove.toml")).unwrap_or_default();
    let name = |text| toml::from_str::<Head>(text).map(|head| head.name);
    let name = name(before_tables(&text)).or_else(|_| name(&text)).ok().flatten();
    let name = name.filter(|name| !name.is_empty() && !name.contains(['/', '\0']) && !name.starts_with('.'));
    name.or_else(|| Some(folder.file_name()?.to_string_lossy().into_owned())).unwrap_or_else(|| "project".to_owned())
}

/// What stands before the first table of a file, which may be long: its own settings, unless a longer text or list is cut there, and
/// then it cannot be read.
fn before_tables(text: &str) -> &str {
    let is_table = |line: &str| line.trim_start_matches([' ', '\t']).starts_with('[');
    let lines = text.split_inclusive('\n').take_while(|line| !is_table(line));
    &text[..lines.map(str::len).sum()]
}

/// Removes `.` and `..` by words alone: a prefix that does not exist yet has no real path.
fn normalise(path: &Path) -> PathBuf {
    let mut made = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                made.pop();
            }
            other => made.push(other),
        }
    }
    made
}

fn nowhere(host: &Host) -> OpError {
    let message = format!("there is no jove.toml in {} or above it, and no profile is named", host.folder.display());
    OpError::usage(message)
        .hint("try the demo: jove-install -p demo")
        .hint("make this folder a project: jove-install init")
        .hint("what is installed already: jove-install list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_called_as_its_file_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("town");
        std::fs::create_dir(&folder).expect("made");
        for (text, name) in [
            ("name = \"a\"\n[parts.x]\nname = \"b\"\n", "a"),
            ("# a\n  [parts.x]\nname = \"b\"\n", "town"),
            ("extends = [\n[\n]]\nname = \"a\"\n[parts.x]\n", "a"),
            ("extends = \"\"\"\n[parts.x]\n\"\"\"\nname = \"a\"", "a"),
            ("name = \"a\"", "a"),
            ("name = \"../a\"", "town"),
            ("name = 1", "town"),
            ("name = [", "town"),
            ("", "town"),
        ] {
            std::fs::write(folder.join("jove.toml"), text).expect("written");
            assert_eq!(project_name(&folder), name, "{text}");
        }
    }
}
