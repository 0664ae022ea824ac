//! What is generated and kept: identity of a prefix, secrets, ports, the ledger, the registry, the run folder.
//!
//! [`State`] is `state.toml`: allotted once ([`allot`]), changed only by a verb that names what it changes.

pub mod allot;
mod choice;
#[cfg(test)]
mod crash_tests;
pub mod identity;
pub mod ledger;
pub mod registry;
pub mod run;
pub mod secret;
mod shape;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

pub use allot::Allotter;
pub use choice::PREFIX;
pub use identity::{Identity, IdentityError, machine_id};
pub use ledger::Ledger;
pub use registry::Registry;
pub use secret::{SecretEntry, SecretWord};

use self::shape::Shape;
use crate::checkpoint;
use crate::fs::{DocumentError, TomlDocument, write_atomic};
use crate::layout::Layout;
use crate::name::{OptionName, PartName};
use crate::provider::Chosen;
use crate::service::DataFormat;
use crate::text::{SecretRef, Secrets};

/// The format number of what this module writes.
pub const FORMAT: u32 = 1;

const DOCUMENT: TomlDocument = TomlDocument { format: FORMAT, limit: 16 << 20, private: true };

/// What is kept of a prefix beside its data: `state.toml`, mode 0600. Only [`State::save`] writes its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// [`FORMAT`].
    pub format: u32,
    /// The short run folder, where the prefix's path is too long for sockets.
    pub run: Option<PathBuf>,
    /// Allotted ports, by `part.option`.
    pub ports: BTreeMap<String, u16>,
    /// Which provider was chosen, by what it was chosen for. Sticky.
    pub providers: BTreeMap<String, String>,
    /// Why it was, and which were passed over: of the [`PREFIX`], and of `parts.NAME` that has it for reasons of its own.
    pub choices: BTreeMap<String, Chosen>,
    /// The host's Python that each part uses (path, version, digest …), by part.
    pub python: BTreeMap<PartName, BTreeMap<String, String>>,
    /// What of this machine the packages of each part use, by part.
    pub host: BTreeMap<PartName, BTreeMap<String, String>>,
    /// What made the data that there are, by part: they outlive the generation that says it, too.
    pub formats: BTreeMap<PartName, DataFormat>,
    /// Generated and given secrets, by `part.option`.
    pub secrets: BTreeMap<String, SecretEntry>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            format: FORMAT,
            run: None,
            ports: BTreeMap::new(),
            providers: BTreeMap::new(),
            choices: BTreeMap::new(),
            python: BTreeMap::new(),
            host: BTreeMap::new(),
            formats: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// `state.toml` is unreadable, damaged or newer.
    #[error("the state of the prefix: {0}; its last good form may be `state.toml.1` beside it")]
    Document(#[from] DocumentError),
    /// Others can read the secrets.
    #[error(
        "{path} can be read or written by others (mode {mode:o}); close it with `chmod 600` and rotate its secrets"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is another user's.
    #[error("{path} belongs to user {owner}, not to you; run as that user")]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It cannot be written.
    #[error("while writing {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// `part.option`, as keys of the state are written.
#[must_use]
pub fn state_key(part: &PartName, option: &OptionName) -> String {
    format!("{part}.{option}")
}

impl State {
    /// Reads the state of a prefix; one that has none yet has an empty one.
    ///
    /// # Errors
    /// If it cannot be read, is open to others, damaged or newer.
    pub fn load(layout: &Layout) -> Result<Self, StateError> {
        let path = layout.state();
        if let Ok(metadata) = path.symlink_metadata() {
            let (mode, owner) = (metadata.mode() & 0o777, metadata.uid());
            if owner != rustix::process::geteuid().as_raw() {
                return Err(StateError::Owner { path, owner });
            }
            if metadata.is_file() && mode & 0o077 != 0 {
                return Err(StateError::Open { path, mode });
            }
        }
        Ok(DOCUMENT.read::<Shape>(&path)?.map(State::from).unwrap_or_default())
    }

    /// Writes the state if it says something new, keeping the previous form as `state.toml.1`; says whether it did.
    ///
    /// # Errors
    /// If it cannot be written; the old state is then as before.
    pub fn save(&self, layout: &Layout) -> Result<bool, StateError> {
        let path = layout.state();
        let failed = |source| StateError::Write { path: path.clone(), source };
        let text = self.to_text().map_err(failed)?;
        let previous = std::fs::read(&path).ok();
        if previous.as_deref() == Some(text.as_bytes()) {
            return Ok(false);
        }
        if let Some(previous) = previous {
            write_atomic(&path.with_extension("toml.1"), &previous, 0o600).map_err(failed)?;
        }
        checkpoint::pass("state-before-rename");
        write_atomic(&path, text.as_bytes(), 0o600).map_err(failed)?;
        checkpoint::pass("state-after-rename");
        Ok(true)
    }

    fn to_text(&self) -> io::Result<String> {
        let body = toml::to_string(&Shape::from(self.clone())).map_err(io::Error::other)?;
        Ok(format!("# Kept by jove-install: allotted once. It holds secrets: do not show, copy or commit it.\n{body}"))
    }

    /// Forgets ports and run folder: of a prefix that is a copy, these are the first one's.
    pub fn forget_places(&mut self) {
        self.ports.clear();
        self.run = None;
    }

    /// The name under which a secret is spoken of now.
    #[must_use]
    pub fn secret_ref(&self, part: &PartName, option: &OptionName) -> Option<SecretRef> {
        let entry = self.secrets.get(&state_key(part, option))?;
        Some(SecretRef { part: part.clone(), option: option.clone(), version: entry.version.clone() })
    }

    /// Gives a secret a value of the user's (`secret set`), or a new random one (`secret rotate`).
    pub fn set_secret(&mut self, part: &PartName, option: &OptionName, word: Option<SecretWord>) -> SecretRef {
        let entry = word.map_or_else(SecretEntry::random, SecretEntry::given);
        let version = entry.version.clone();
        self.secrets.insert(state_key(part, option), entry);
        SecretRef { part: part.clone(), option: option.clone(), version }
    }
}

/// Answers with the word of *now*, whatever version is asked for: services of a generation that was rolled back to must speak
/// to data that has the present secrets. The version is for keys and reasons.
impl Secrets for State {
    fn word(&self, secret: &SecretRef) -> Option<String> {
        Some(self.secrets.get(&state_key(&secret.part, &secret.option))?.word.reveal().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn sample() -> (tempfile::TempDir, Layout, State) {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path());
        let mut state = State::default();
        state.ports.insert("wps.port".into(), 20_000);
        state.providers.insert("prefix".into(), "conda".into());
        state.python.insert("env".parse().expect("name"), [("version".to_owned(), "3.12".to_owned())].into());
        let entry = SecretEntry { word: SecretWord::new("canary"), version: "abcdefgh".into() };
        state.secrets.insert("db.password".into(), entry);
        (folder, layout, state)
    }

    fn write(layout: &Layout, text: &str) {
        write_atomic(&layout.state(), text.as_bytes(), 0o600).expect("written");
    }

    #[test]
    fn a_state_is_kept_closed_and_readable() {
        let (_folder, layout, state) = sample();
        assert_eq!(State::load(&layout).expect("none yet"), State::default());
        assert!(state.save(&layout).expect("saved"));
        assert_eq!(State::load(&layout).expect("loaded"), state);
        assert_eq!(layout.state().metadata().expect("there").mode() & 0o777, 0o600);
        insta::assert_snapshot!(std::fs::read_to_string(layout.state()).expect("text"), @r#"
        # Kept by jove-install: allotted once. It holds secrets: do not show, copy or commit it.
        format = 1

        [ports]
        "wps.port" = 20000

        [providers]
        prefix = "conda"

        [python.env]
        version = "3.12"

        [secrets."db.password"]
        word = "canary"
        version = "abcdefgh"
        "#);
    }

    #[test]
    fn only_a_change_is_written_and_the_previous_form_is_kept() {
        let (_folder, layout, mut state) = sample();
        assert!(state.save(&layout).expect("saved"));
        assert!(!state.save(&layout).expect("nothing new"));
        let before = std::fs::read(layout.state()).expect("text");
        state.ports.insert("web.port".into(), 20_001);
        assert!(state.save(&layout).expect("saved"));
        let kept = layout.state().with_file_name("state.toml.1");
        assert_eq!(std::fs::read(&kept).expect("kept"), before);
        assert_eq!(kept.metadata().expect("there").mode() & 0o777, 0o600);
    }

    #[test]
    fn a_state_that_others_can_read_is_refused() {
        let (_folder, layout, state) = sample();
        state.save(&layout).expect("saved");
        std::fs::set_permissions(layout.state(), Permissions::from_mode(0o640)).expect("mode");
        let error = State::load(&layout).expect_err("open").to_string();
        assert!(error.contains("by others (mode 640); close it with `chmod 600`"), "{error}");
    }

    #[test]
    fn no_error_and_no_debug_form_shows_a_secret() {
        let (_folder, layout, state) = sample();
        assert!(!format!("{state:?}").contains("canary"));
        for text in [
            "format = 1\n[secrets]\n\"db.password\" = \"canary\"",
            "format = 1\n[secrets.\"db.password\"]\nword = [\"canary\"]\nversion = \"a\"",
            "format = 1\n[secrets.\"db.password\"]\nword = \"canary\nversion = \"a\"",
            "format = 1\n[secrets.canary]\nword = \"x\"\nversion = \"a\"\nodd = \"canary\"",
        ] {
            write(&layout, text);
            let error = State::load(&layout).expect_err("damaged");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
            assert!(error.to_string().contains("state.toml:"), "{error}");
        }
    }

    #[test]
    fn hostile_and_newer_states_are_named() {
        let (_folder, layout, _) = sample();
        for (text, expected) in [
            ("format = 2\nall = \"new\"", "has format 2, this program reads up to 1"),
            ("", "state.toml:1:1 is damaged"),
            ("format = 1\n[ports]\n\"a.b\" = 99999", "state.toml:3:9 is damaged"),
            ("format = 1\nunknown = 1", "state.toml:2:1 is damaged"),
        ] {
            write(&layout, text);
            let error = State::load(&layout).expect_err("bad").to_string();
            assert!(error.contains(expected) && error.ends_with("`state.toml.1` beside it"), "{error}");
        }
    }

    #[test]
    fn secrets_are_those_of_now() {
        let (part, option) = ("db".parse().expect("name"), "password".parse().expect("name"));
        let (_folder, _, mut state) = sample();
        let old = state.secret_ref(&part, &option).expect("known");
        let new = state.set_secret(&part, &option, None);
        assert_ne!(old.version, new.version);
        assert_eq!(state.word(&old), state.word(&new));
        assert_ne!(state.word(&new).expect("known"), "canary");
        let given = state.set_secret(&part, &option, Some(SecretWord::new("mine")));
        assert_eq!(state.word(&given).as_deref(), Some("mine"));
        assert_eq!(state.secret_ref(&part, &option), Some(given));
    }
}
