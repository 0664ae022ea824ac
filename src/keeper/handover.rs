//! The keeper becomes another program without letting go of anything: it keeps its number, so that services stay its children, and
//! the descriptors that it holds; what it knows of them goes along in a file in memory.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Rlimit;
use serde::{Deserialize, Serialize};

use super::child;
use super::children::Running;
use super::group;
use super::lease::Lease;
use super::notice::Ear;
use super::task::Keeper;
use crate::service::Exit;

/// Names the descriptor of the file in memory to the program that takes over.
pub(super) const VARIABLE: &str = "JOVE_KEEPER_STATE";

/// What the program that takes over is to know. Unknown fields are ignored, missing ones empty: it may be older or newer.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    lock: RawFd,
    files: (Option<u64>, Option<u64>),
    fifos: BTreeMap<String, Vec<RawFd>>,
    ears: BTreeMap<String, RawFd>,
    sockets: BTreeMap<String, RawFd>,
    children: BTreeMap<String, Child>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Child {
    handle: Option<RawFd>,
    /// Whether it was made under yet another keeper.
    is_foreign: bool,
    exit: Option<Exit>,
    said: BTreeMap<String, String>,
}

impl Keeper {
    /// Becomes another program; on success it does not return.
    pub(super) fn become_program(&self, program: &Path) -> io::Error {
        match self.prepare(program) {
            Ok((argv, vars)) => child::exec(&argv, &vars),
            Err(error) => error,
        }
    }

    fn prepare(&self, program: &Path) -> io::Result<(Vec<CString>, Vec<CString>)> {
        let children = self.children.iter().map(|(service, child)| {
            let handle = child.adopted.as_ref().map(kept).transpose()?;
            Ok((
                service.clone(),
                Child { handle, is_foreign: !child.is_ours, exit: child.exit, said: child.said.clone() },
            ))
        });
        let fifos = self
            .fifos
            .iter()
            .map(|(service, held)| Ok((service.clone(), held.iter().map(kept).collect::<io::Result<Vec<_>>>()?)));
        let state = State {
            lock: kept(&self.lock)?,
            files: (self.files.current, self.files.maximum),
            fifos: fifos.collect::<io::Result<_>>()?,
            ears: self
                .ears
                .iter()
                .map(|(service, ear)| Ok((service.clone(), kept(ear)?)))
                .collect::<io::Result<_>>()?,
            sockets: self
                .sockets
                .iter()
                .map(|(address, socket)| Ok((address.to_owned(), kept(&socket)?)))
                .collect::<io::Result<_>>()?,
            children: children.collect::<io::Result<_>>()?,
        };
        let mut file = File::from(memfd_create("jove-keeper", MemfdFlags::empty())?);
        file.write_all(&serde_json::to_vec(&state)?)?;
        file.rewind()?;
        let word = |text: &[u8]| CString::new(text).map_err(io::Error::from);
        let argv = [program.as_os_str().as_bytes(), b"internal-keeper", b"--root", self.root.as_os_str().as_bytes()];
        let mut vars = self
            .vars
            .iter()
            .map(|(name, value)| word(format!("{name}={value}").as_bytes()))
            .collect::<io::Result<Vec<_>>>()?;
        vars.push(word(format!("{VARIABLE}={}", std::os::fd::IntoRawFd::into_raw_fd(file)).as_bytes())?);
        Ok((argv.into_iter().map(word).collect::<io::Result<_>>()?, vars))
    }

    /// Takes up what the former program held.
    pub(super) fn take_up(&mut self, state: State) {
        self.fifos = state
            .fifos
            .into_iter()
            .map(|(service, held)| (service, held.into_iter().filter_map(taken).collect()))
            .collect();
        let ears = state.ears.into_iter().filter_map(|(service, ear)| Some((service, Ear::from(taken(ear)?))));
        self.ears = ears.collect();
        for (address, socket) in state.sockets {
            if let Some(socket) = taken(socket) {
                self.sockets.take_up(address, socket);
            }
        }
        let (leases, _) = Lease::read_all(&self.run);
        let mut children = state.children;
        for mut lease in leases {
            let service = lease.service.to_string();
            lease.group = lease.group.filter(|folder| group::is_of(folder, &self.root, &service));
            let Some(Child { handle, is_foreign, exit, said }) = children.remove(&service) else { continue };
            let tree = self.tree(&service, lease.pid);
            let (adopted, is_ours) = (handle.and_then(taken), !is_foreign);
            self.children.insert(service, Running { lease, is_ours, adopted, exit, tree, said });
        }
    }
}

impl State {
    /// What the former program left, if this one takes over; and the lock that it held.
    pub(super) fn read(vars: &mut BTreeMap<String, String>) -> io::Result<Option<(Self, File)>> {
        let Some(number) = vars.remove(VARIABLE).and_then(|number| number.parse().ok()) else { return Ok(None) };
        let missing = || io::Error::other("what the former program left is not there");
        let mut text = String::new();
        File::from(taken(number).ok_or_else(missing)?).read_to_string(&mut text)?;
        let state: Self = serde_json::from_str(&text)?;
        let lock = File::from(taken(state.lock).ok_or_else(missing)?);
        Ok(Some((state, lock)))
    }

    /// The limit of open files that services get.
    pub(super) const fn files(&self) -> Rlimit {
        Rlimit { current: self.files.0, maximum: self.files.1 }
    }
}

/// A descriptor that is to stay open over exec.
fn kept(descriptor: &impl AsFd) -> io::Result<RawFd> {
    let descriptor = descriptor.as_fd();
    fcntl_setfd(descriptor, FdFlags::empty())?;
    Ok(descriptor.as_raw_fd())
}

/// The other end of [`kept`].
fn taken(number: RawFd) -> Option<OwnedFd> {
    let descriptor = child::take_descriptor(number)?;
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC).ok()?;
    Some(descriptor)
}
