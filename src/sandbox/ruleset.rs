//! [`Ruleset`]: Landlock, prepared.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use landlock::{ABI, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, RulesetAttr, RulesetCreatedAttr, Scope};

use super::access::Right;
use super::confinement::Network;
use super::machine::Machine;
use super::{Access, SandboxError, apply};

/// The first version that lets files move between folders.
pub const OLDEST_LANDLOCK: u32 = 2;

/// The rights that are handled, as far as the kernel knows them: files up to truncation and device control.
const FILES: ABI = ABI::V5;

/// What one process and all that it starts may do with files, as the kernel has it. Prepared once, it can be applied in any
/// number of children.
#[derive(Debug)]
pub struct Ruleset {
    descriptor: OwnedFd,
    version: u32,
}

impl Ruleset {
    /// Rules for a service, whose network is not touched. `None` where this machine has no Landlock that is of use.
    ///
    /// # Errors
    /// If a path to write is not there, or the kernel refuses the rules.
    pub fn prepare(access: &Access) -> Result<Option<Self>, SandboxError> {
        Self::of(access, Network::Any)
    }

    /// Rules; without a network also for TCP, abstract sockets and signals to processes outside, where the kernel knows them.
    pub(super) fn of(access: &Access, network: Network) -> Result<Option<Self>, SandboxError> {
        let Ok(version) = Machine::current().landlock else { return Ok(None) };
        let mut rules = landlock::Ruleset::default().handle_access(<AccessFs as landlock::Access>::from_all(FILES))?;
        if network == Network::None {
            rules = rules.handle_access(<AccessNet as landlock::Access>::from_all(ABI::V4))?;
            rules = rules.scope(<Scope as landlock::Access>::from_all(ABI::V6))?;
        }
        let mut rules = rules.create()?;
        for (path, right) in access.grants() {
            let opened = match open(&path) {
                Ok(opened) => opened,
                // What cannot be opened cannot be read either; but who is to write somewhere relies on it.
                Err(source) if right == Right::Write => return Err(SandboxError::Path { path, source }),
                Err(_) => continue,
            };
            rules = rules.add_rule(PathBeneath::new(opened, rights(&path, right)))?;
        }
        let descriptor: Option<OwnedFd> = rules.into();
        Ok(descriptor.map(|descriptor| Self { descriptor, version }))
    }

    /// The kernel's version of Landlock.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }
}

impl AsFd for Ruleset {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn open(path: &Path) -> std::io::Result<PathFd> {
    PathFd::new(path).map_err(|_| std::fs::metadata(path).err().unwrap_or_else(std::io::Error::last_os_error))
}

fn rights(path: &Path, right: Right) -> BitFlags<AccessFs> {
    let rights = match right {
        Right::List => AccessFs::ReadDir.into(),
        Right::Read => AccessFs::from_read(FILES),
        Right::Write => <AccessFs as landlock::Access>::from_all(FILES),
    };
    if path.is_dir() { rights } else { rights & AccessFs::from_file(FILES) }
}

/// The kernel's version of Landlock, if it is of use here.
pub(super) fn version() -> Result<u32, String> {
    match apply::landlock_version() {
        Ok(version) if version >= OLDEST_LANDLOCK => Ok(version),
        Ok(version) => {
            Err(format!("Landlock {version} is too old (Linux 5.19 and newer have one that lets files move)"))
        }
        Err(error) => Err(format!("the kernel has no Landlock, or it is off: {error}")),
    }
}
