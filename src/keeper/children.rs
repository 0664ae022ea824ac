//! How the keeper gets its children: makes them, takes them over from another keeper, forgets them.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use rustix::process::{Resource, Rlimit};

use super::child::{self, Child};
use super::lease::{self, Holder, Lease};
use super::mark::{self, Tree};
use super::message::{ChildRecord, Spawn};
use super::notice::{self, Ear};
use super::task::Keeper;
use super::{KeeperError, fifo, group, limit, proc, room};
use crate::sandbox::Ruleset;
use crate::service::Exit;

/// One service's process.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) lease: Lease,
    /// Whether this keeper made it, so that all that it leaves behind becomes our child.
    pub(super) is_ours: bool,
    /// Holds a process that is not our child.
    pub(super) adopted: Option<OwnedFd>,
    pub(super) exit: Option<Exit>,
    pub(super) tree: Tree,
    /// What it said of itself that still counts, by name.
    pub(super) said: BTreeMap<String, String>,
}

impl Running {
    pub(super) fn record(&self) -> ChildRecord {
        ChildRecord {
            service: self.lease.service.to_string(),
            pid: self.lease.pid,
            since: self.lease.since,
            note: self.lease.note.clone(),
            exit: self.exit,
            adopted: self.adopted.is_some(),
            said: self.said.iter().map(|(name, value)| format!("{name}={value}\n")).collect(),
        }
    }

    /// Keeps of what it says what the next supervisor must know, should this one die before it has heard it.
    pub(super) fn keep(&mut self, text: &str) {
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            if ["READY", "STATUS", "WATCHDOG_USEC"].contains(&name) {
                self.said.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Keeper {
    /// Takes over what another keeper left.
    pub(super) fn adopt(&mut self) -> Result<(), KeeperError> {
        let (leases, problems) = Lease::read_all(&self.run);
        for problem in problems {
            self.say(&problem);
        }
        for mut lease in leases {
            let service = lease.service.to_string();
            let path = lease::path(&self.run, &service);
            if lease.mark != mark::of(&self.root, &service) {
                self.say(&format!("{service} (pid {}) was started in another folder and is left alone", lease.pid));
                let _ = fs::remove_file(path);
                continue;
            }
            lease.group = lease.group.filter(|folder| group::is_of(folder, &self.root, &service));
            let (adopted, exit) = match lease.holder() {
                Holder::Alive(handle) => (Some(handle), None),
                Holder::Ended(handle) => {
                    if let Some(handle) = handle {
                        self.late.insert(service.clone(), (lease.pid, handle));
                    }
                    (None, Some(Exit::Unknown))
                }
                Holder::Stale => {
                    let _ = fs::remove_file(path);
                    continue;
                }
                Holder::Elsewhere => return Err(KeeperError::Elsewhere { service, host: lease.host, path }),
            };
            let tree = self.tree(&service, lease.pid);
            if exit.is_none() {
                self.say(&format!("{service} (pid {}) is taken over", lease.pid));
                if let Err(error) = self.hold_fifos(&service) {
                    self.say(&format!("output of {service}: {error}"));
                }
                self.hear_again(&service);
                for address in self.sockets.take_from(lease.pid, &lease.sockets) {
                    self.say(&format!("the socket {address} of {service} stays its own: it cannot be taken back here"));
                }
            }
            self.children
                .insert(service, Running { lease, is_ours: false, adopted, exit, tree, said: BTreeMap::new() });
        }
        Ok(())
    }

    pub(super) fn tree(&self, service: &str, pid: i32) -> Tree {
        let mark = mark::of(&self.root, service);
        let is_unmarked = proc::stat(pid).is_some() && proc::realtime_limit(pid) != Some(mark);
        Tree { mark, session: is_unmarked.then_some(pid) }
    }

    pub(super) fn spawn(&mut self, spawn: Spawn) -> Result<i32, String> {
        let service = spawn.service.clone();
        if let Some(child) = self.children.get(&service).filter(|child| child.exit.is_none()) {
            return Err(format!("it runs already, as pid {}", child.lease.pid));
        }
        if !spawn.folder.is_dir() {
            return Err(format!("its folder {} is not there", spawn.folder.display()));
        }
        let program = spawn.argv.first().cloned().unwrap_or_default();
        // Held already, unless another keeper held them and they could not be taken back.
        self.sockets
            .listen(&spawn.addresses)
            .map_err(|(address, reason)| format!("{address} cannot be listened on: {reason}"))?;
        let limits = limit::of(&spawn.limits, self.files)?;
        let rules = match &spawn.access {
            Some(access) => Ruleset::prepare(access).map_err(|error| error.to_string())?,
            None => None,
        };
        if spawn.access.is_some() && rules.is_none() {
            self.say(&format!("{service} can write where it likes: this machine has no Landlock that is of use"));
        }
        let place = self.groups.make(&service, &spawn.limits.total)?;
        if let Some(missing) = &place.missing {
            self.say(&format!("{service}: {missing}"));
        }
        let made = self.make_child(spawn, limits, rules, place.folder).map_err(|error| format!("{program}: {error}"));
        let (lease, is_marked) = made?;
        let (pid, mark) = (lease.pid, lease.mark);
        let tree = Tree { mark, session: (!is_marked).then_some(pid) };
        let made = Running { lease, is_ours: true, adopted: None, exit: None, tree, said: BTreeMap::new() };
        self.children.insert(service, made);
        Ok(pid)
    }

    fn make_child(
        &mut self,
        spawn: Spawn,
        limits: Vec<(Resource, Rlimit)>,
        rules: Option<Ruleset>,
        group: Option<PathBuf>,
    ) -> io::Result<(Lease, bool)> {
        let mut vars = variables(&spawn, &self.run)?;
        let service = spawn.service;
        self.hold_fifos(&service)?;
        if spawn.notifies {
            self.ears.insert(service.clone(), Ear::open(&self.run, &service)?);
        }
        let open = |stream| fifo::hold(&fifo::path(&self.run, &service, stream), OFlags::empty());
        let (output, errors) = (open(fifo::STREAMS[0])?, open(fifo::STREAMS[1])?);
        let mark = mark::of(&self.root, &service);
        let word = |number: i32| CString::new(number.to_string());
        let child = Child {
            argv: spawn.argv.into_iter().map(CString::new).collect::<Result<_, _>>()?,
            vars: std::mem::take(&mut vars),
            sockets: self.sockets.given(&spawn.addresses, spawn.nonblocking)?,
            tells_pid: spawn.tells_pid,
            folder: CString::new(spawn.folder.as_os_str().as_bytes())?,
            stdio: [self.null.as_fd(), output.as_fd(), errors.as_fd()],
            mark: Some(mark),
            limits,
            umask: spawn.limits.umask.unwrap_or(0o022),
            nice: spawn.limits.nice,
            oom: spawn.limits.oom.map(word).transpose()?,
            rules,
            entrance: group.as_deref().map(group::entrance).transpose()?,
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let mut lease = Lease {
            service: service.parse().map_err(io::Error::other)?,
            mark,
            machine: proc::machine_id().to_owned(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot: proc::boot_id().to_owned(),
            pid: 0,
            start: 0,
            since: u64::try_from(since).unwrap_or(0),
            note: spawn.note,
            sockets: spawn.addresses.clone(),
            group,
        };
        let made = child::spawn(&child, |pid| {
            lease.pid = pid;
            lease.start = proc::stat(pid).map_or(0, |stat| stat.start);
            lease.write(&self.run)
        });
        if made.is_err() {
            lease::end(&self.run, &service);
            if let Some(folder) = &lease.group {
                group::remove(folder);
            }
        }
        let made = made.map_err(|error| room::explained(error, &child.argv, &child.vars))?;
        if !made.is_grouped
            && let Some(folder) = lease.group.take()
        {
            self.say(&format!("{service} could not enter its control group {}", folder.display()));
            let _ = lease.write(&self.run);
        }
        Ok((lease, made.is_marked))
    }

    pub(super) fn hold_fifos(&mut self, service: &str) -> io::Result<()> {
        if !self.fifos.contains_key(service) {
            let open = |stream| fifo::hold(&fifo::path(&self.run, service, stream), OFlags::NONBLOCK);
            let held = fifo::STREAMS.into_iter().map(open).collect::<io::Result<_>>()?;
            self.fifos.insert(service.to_owned(), held);
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, service: &str, is_gone: bool) {
        if self.children.get(service).is_some_and(|child| child.exit.is_none()) {
            return;
        }
        if let Some(folder) = self.children.remove(service).and_then(|child| child.lease.group) {
            group::remove(&folder);
        }
        lease::end(&self.run, service);
        if is_gone {
            self.fifos.remove(service);
            fifo::remove(&self.run, service);
            lease::remove(&self.run, service);
            self.close_ear(service);
        }
    }

    pub(super) fn close_ear(&mut self, service: &str) {
        if self.ears.remove(service).is_some() {
            let _ = fs::remove_file(notice::path(&self.run, service));
        }
    }

    /// Opens the notify socket of a service that had one with another keeper.
    fn hear_again(&mut self, service: &str) {
        if notice::path(&self.run, service).exists() {
            match Ear::open(&self.run, service) {
                Ok(ear) => drop(self.ears.insert(service.to_owned(), ear)),
                Err(error) => self.say(&format!("notify socket of {service}: {error}")),
            }
        }
    }

    /// Takes another process of a service for its main one.
    pub(super) fn hold_main(&mut self, service: &str, pid: i32) -> io::Result<()> {
        let Some(child) = self.children.get_mut(service).filter(|child| child.exit.is_none()) else {
            return Err(io::Error::other("it has ended"));
        };
        let Some(handle) = child.tree.handle(pid) else {
            return Err(io::Error::other("that is no process of its own"));
        };
        child.lease.pid = pid;
        child.lease.start = proc::stat(pid).map_or(0, |stat| stat.start);
        child.adopted = Some(handle);
        child.lease.write(&self.run)
    }
}

/// A child's variables: its own, and where it speaks.
fn variables(spawn: &Spawn, run: &std::path::Path) -> io::Result<Vec<CString>> {
    let ear = spawn.notifies.then(|| format!("NOTIFY_SOCKET={}", notice::path(run, &spawn.service).display()));
    let own = spawn.vars.iter().map(|(name, value)| format!("{name}={value}"));
    Ok(own.chain(ear).map(CString::new).collect::<Result<_, _>>()?)
}
