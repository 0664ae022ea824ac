//! The one door to the process's surroundings: variables, folders, user, clock.
//!
//! Everything above takes a [`Host`], so that tests give their own and no module reads the environment behind a caller's
//! back. clippy's `disallowed-methods` guards the door.
#![allow(clippy::disallowed_methods, reason = "this module is the door")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The surroundings of one run, taken once at its start.
#[derive(Debug, Clone)]
pub struct Host {
    /// The process variables that are valid UTF-8.
    pub vars: BTreeMap<String, String>,
    /// The working folder, absolute.
    pub folder: PathBuf,
    /// The effective user id.
    pub user: u32,
    /// The machine's name.
    pub name: String,
    /// This program's own file.
    pub program: PathBuf,
}

/// Why the surroundings are not usable.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The working folder is gone or unreadable.
    #[error("the working folder cannot be read: {0}; change to another one")]
    Folder(#[source] std::io::Error),
    /// The program's own file cannot be found.
    #[error("this program's own file cannot be found: {0}")]
    Program(#[source] std::io::Error),
    /// There is no home.
    #[error("HOME is not set to an absolute path, so there is no place for a prefix; set HOME, or give --prefix")]
    Home,
}

impl Host {
    /// Reads the surroundings of this process.
    ///
    /// # Errors
    /// If the working folder or the program's own file cannot be found.
    pub fn current() -> Result<Self, HostError> {
        Ok(Self {
            vars: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            folder: std::env::current_dir().map_err(HostError::Folder)?,
            user: rustix::process::geteuid().as_raw(),
            name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            program: std::env::current_exe().map_err(HostError::Program)?,
        })
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A text with the values of variables for `$NAME` and `${NAME}`; those that are not set stay as they are written.
    #[must_use]
    pub fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let (name, behind) = braced.unwrap_or((&after[..end], &after[end..]));
            match self.vars.get(name) {
                Some(value) => {
                    expanded.push_str(value);
                    rest = behind;
                }
                None => {
                    expanded.push('$');
                    rest = after;
                }
            }
        }
        expanded + rest
    }

    /// The user's home.
    ///
    /// # Errors
    /// If `HOME` is not an absolute path.
    pub fn home(&self) -> Result<PathBuf, HostError> {
        self.absolute("HOME").ok_or(HostError::Home)
    }

    /// The folder of all prefixes: `JOVE_HOME`, else `~/jove`.
    ///
    /// # Errors
    /// If there is no home.
    pub fn prefixes(&self) -> Result<PathBuf, HostError> {
        self.absolute("JOVE_HOME").map_or_else(|| Ok(self.home()?.join("jove")), Ok)
    }

    /// The download cache: `$XDG_CACHE_HOME/jove-install`.
    ///
    /// # Errors
    /// If there is no home.
    pub fn cache(&self) -> Result<PathBuf, HostError> {
        self.base("XDG_CACHE_HOME", ".cache")
    }

    /// The user's configuration: `$XDG_CONFIG_HOME/jove`.
    ///
    /// # Errors
    /// If there is no home.
    pub fn config(&self) -> Result<PathBuf, HostError> {
        Ok(self.base("XDG_CONFIG_HOME", ".config")?.with_file_name("jove"))
    }

    /// The registry's folder: `$XDG_STATE_HOME/jove-install`.
    ///
    /// # Errors
    /// If there is no home.
    pub fn registry(&self) -> Result<PathBuf, HostError> {
        self.base("XDG_STATE_HOME", ".local/state")
    }

    /// The folders of `PATH`.
    #[must_use]
    pub fn path(&self) -> Vec<PathBuf> {
        self.var("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default()
    }

    /// The first executable file of that name in `PATH`.
    #[must_use]
    pub fn which(&self, program: &str) -> Option<PathBuf> {
        self.path().into_iter().map(|folder| folder.join(program)).find(|path| is_executable(path))
    }

    fn base(&self, var: &str, fallback: &str) -> Result<PathBuf, HostError> {
        let base = self.absolute(var).map_or_else(|| Ok(self.home()?.join(fallback)), Ok)?;
        Ok(base.join("jove-install"))
    }

    fn absolute(&self, var: &str) -> Option<PathBuf> {
        self.var(var).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

/// Whether a path is a file that this user may execute.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}
