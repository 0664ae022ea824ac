//! [`Namespaces`]: own namespaces of a plain user, prepared.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Access, SandboxError};

/// User, mount, network, IPC and process namespaces, in which everything but some paths is read-only. The user is the same
/// inside as outside.
#[derive(Debug)]
pub struct Namespaces {
    pub(super) writable: Vec<CString>,
    pub(super) users: Vec<u8>,
    pub(super) groups: Vec<u8>,
}

impl Namespaces {
    /// Where the paths of `access.write` may be changed.
    ///
    /// # Errors
    /// If a path is not there, or has a NUL.
    pub fn prepare(access: &Access) -> Result<Self, SandboxError> {
        let writable = access.write.iter().map(|path| there(path)).collect::<Result<_, _>>()?;
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Ok(Self {
            writable,
            users: format!("{user} {user} 1\n").into_bytes(),
            groups: format!("{group} {group} 1\n").into_bytes(),
        })
    }
}

fn there(path: &Path) -> Result<CString, SandboxError> {
    let at = |source| SandboxError::Path { path: path.to_owned(), source };
    std::fs::metadata(path).map_err(at)?;
    CString::new(path.as_os_str().as_bytes()).map_err(|error| at(error.into()))
}
