//! The boundary: what any use case fails with, for every face alike.

use std::fmt;

use crate::diagnostic::Diagnostics;
use crate::supervisor::ClientError;

/// Which kind of failure it is; a face makes an exit code or a status of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// It could not be done: the world or the installation is in the way.
    Failed,
    /// It was done, and a service is not ready.
    NotReady,
    /// What the user wrote is wrong.
    Definition,
    /// The command line is wrong.
    Usage,
    /// Ctrl-C.
    Interrupted,
    /// The supervisor that was asked ended meanwhile.
    Gone,
}

/// Why a use case failed, and what to do.
#[derive(Debug)]
pub struct OpError {
    /// Which kind.
    pub kind: ErrorKind,
    /// What failed, outermost first: a line each.
    pub lines: Vec<String>,
    /// What is wrong in the user's files, if that is it.
    pub diagnostics: Diagnostics,
    /// What to do.
    pub hints: Vec<String>,
}

/// What to do about a full disk.
const FREE: &str = "free some space and run the same command again: nothing that was done is lost";

/// Whether somebody says that a disk is full: this program, its supervisor, or a tool in words of its own.
#[must_use]
pub fn tells_of_full_disk(said: &str) -> bool {
    ["No space left on device", "Disk quota exceeded", "there is no room left"].iter().any(|words| said.contains(words))
}

/// What a use case gives.
pub type OpResult<T> = Result<T, OpError>;

impl OpError {
    /// A failure with a message of its own.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self { kind, lines: vec![message.to_string()], diagnostics: Diagnostics::default(), hints: Vec::new() }
    }

    /// A failure of the world.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// A wrong command line.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A failure with an error's own words and those of its causes.
    fn with_causes(kind: ErrorKind, error: &dyn std::error::Error) -> Self {
        let mut lines = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            let line = cause.to_string();
            // Many messages end with that of their cause already.
            if !lines.iter().any(|known| known.contains(&line)) {
                lines.push(line);
            }
            source = cause.source();
        }
        Self { kind, lines, diagnostics: Diagnostics::default(), hints: Vec::new() }
    }

    /// Adds a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Whether a disk is full.
    #[must_use]
    pub fn is_of_full_disk(&self) -> bool {
        self.lines.iter().any(|line| tells_of_full_disk(line))
    }

    /// With what to do where a disk is full, whoever found that.
    #[must_use]
    pub fn with_room_advised(self) -> Self {
        let is_advised = self.hints.iter().any(|hint| hint == FREE);
        if self.is_of_full_disk() && !is_advised { self.hint(FREE) } else { self }
    }

    /// Puts what was being done in front.
    #[must_use]
    pub fn context(mut self, doing: impl Into<String>) -> Self {
        self.lines.insert(0, doing.into());
        self
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join(": "))
    }
}

impl std::error::Error for OpError {}

impl From<Diagnostics> for OpError {
    fn from(diagnostics: Diagnostics) -> Self {
        Self { kind: ErrorKind::Definition, lines: Vec::new(), diagnostics, hints: Vec::new() }
    }
}

/// Errors of the lower floors fail a use case with their own words and those of their causes.
macro_rules! failed_by {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for OpError {
            fn from(error: $error) -> Self {
                Self::with_causes(ErrorKind::Failed, &error)
            }
        })*
    };
}

failed_by!(
    crate::certificate::CertificateError,
    crate::dump::DumpError,
    crate::process::ProcessError,
    crate::fs::DocumentError,
    crate::fs::LockError,
    crate::generation::journal::JournalError,
    crate::generation::SweepError,
    crate::generation::hold::HoldError,
    crate::generation::manifest::GenerationError,
    crate::host::HostError,
    crate::lock::LockFileError,
    crate::net::CacheError,
    crate::net::FetchError,
    crate::net::NetError,
    crate::apply::python::ToolsError,
    crate::provider::ProvideError,
    crate::pypi::EnvironmentError,
    crate::pypi::IndexError,
    crate::pypi::PackageFetchError,
    crate::pypi::InterpreterError,
    crate::pypi::ResolveError,
    crate::pypi::ToolError,
    crate::state::IdentityError,
    crate::state::StateError,
    crate::state::registry::RegistryError,
    crate::state::run::RunError,
    crate::store::StoreError,
);

impl From<ClientError> for OpError {
    fn from(error: ClientError) -> Self {
        let kind = if error.is_gone() { ErrorKind::Gone } else { ErrorKind::Failed };
        Self::with_causes(kind, &error)
    }
}

/// Turns an error of the file system into a failure that names the path.
pub fn at(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> OpError {
    let path = path.to_owned();
    move |error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            OpError::failed(format!("there is no room left to write {}", path.display())).hint(FREE)
        }
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
            OpError::failed(format!("{}: {error}", path.display()))
                .hint("give another place with --prefix DIR, or JOVE_HOME for all of them")
        }
        _ => OpError::failed(format!("{}: {error}", path.display())),
    }
}
