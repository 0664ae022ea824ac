//! The keeper's loop: waits for signals, requests and the end of adopted processes, and does what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, setrlimit};

use super::child;
use super::children::Running;
use super::ground::Ground;
use super::group::{self, Groups};
use super::handover::State;
use super::link::Link;
use super::mark::{self, Tree};
use super::message::{Reply, Request};
use super::notice::Ear;
use super::socket::Held;
use super::{KeeperError, at, proc, signal};
use crate::memory;
use crate::service::Exit;
use crate::service::notice::{self, Notice};

/// The keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) root: PathBuf,
    pub(super) program: PathBuf,
    /// The program that it is to become.
    pub(super) next: Option<PathBuf>,
    pub(super) lock: File,
    pub(super) run: PathBuf,
    pub(super) log: File,
    pub(super) null: File,
    signals: OwnedFd,
    ground: Ground,
    /// The limit of open files that services get: what the keeper was started with.
    pub(super) files: Rlimit,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) children: BTreeMap<String, Running>,
    pub(super) fifos: BTreeMap<String, Vec<OwnedFd>>,
    pub(super) ears: BTreeMap<String, Ear>,
    pub(super) sockets: Held,
    pub(super) groups: Groups,
    /// Processes of which nobody could see how they ended, by service, until whoever is their parent takes notice.
    pub(super) late: BTreeMap<String, (i32, OwnedFd)>,
    pub(super) link: Option<Link>,
    pub(super) started: Instant,
    pub(super) early_deaths: u32,
    pub(super) is_told_to_end: bool,
    /// When memory that only work needed may be given back; never, if there was no work since.
    rest: Option<Instant>,
    rested: Option<Instant>,
}

impl Keeper {
    /// A keeper; with what its former program left, if it is a program that takes over.
    pub(super) fn new(
        (root, program): (&Path, &Path),
        run: PathBuf,
        (lock, log): (File, File),
        (vars, left): (BTreeMap<String, String>, Option<State>),
    ) -> Result<Self, KeeperError> {
        let system = |what| move |source: io::Error| KeeperError::System { what, source };
        rustix::process::set_child_subreaper(Pid::from_raw(1)).map_err(|e| system("prctl")(e.into()))?;
        let files = left.as_ref().map_or_else(|| getrlimit(Resource::Nofile), State::files);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum });
        rustix::process::chdir("/").map_err(|e| system("chdir")(e.into()))?;
        let signals = [libc::SIGCHLD, libc::SIGHUP, libc::SIGINT, libc::SIGTERM];
        let blocked = signal::descriptor(&signals).map_err(system("signalfd"))?;
        signal::heed_all();
        let mut keeper = Self {
            root: root.to_owned(),
            program: program.to_owned(),
            next: None,
            lock,
            ground: Ground::watch(root, &run),
            run,
            log,
            null: at(Path::new("/dev/null"), File::options().read(true).write(true).open("/dev/null"))?,
            signals: blocked,
            files,
            vars,
            children: BTreeMap::new(),
            fifos: BTreeMap::new(),
            ears: BTreeMap::new(),
            sockets: Held::default(),
            groups: Groups::begin(root),
            late: BTreeMap::new(),
            link: None,
            started: Instant::now(),
            early_deaths: 0,
            is_told_to_end: false,
            rest: None,
            rested: None,
        };
        match left {
            Some(left) => keeper.take_up(left),
            None => keeper.adopt()?,
        }
        Ok(keeper)
    }

    /// Works until it was told to end and the supervisor is gone.
    pub(super) fn serve(&mut self) -> Result<(), KeeperError> {
        // What ended while another program was here.
        self.reap();
        loop {
            if self.link.is_none() {
                if self.is_told_to_end {
                    self.finish();
                    return Ok(());
                }
                if let Some(program) = self.next.take() {
                    let error = self.become_program(&program);
                    self.say(&format!("{} cannot take over: {error}", program.display()));
                }
                self.start_supervisor_if_due()?;
            }
            self.wait()?;
            // What a service said comes before its end.
            self.pass_notices();
            while let Some(signal) = signal::next(&self.signals) {
                match signal {
                    libc::SIGCHLD => self.reap(),
                    libc::SIGINT | libc::SIGTERM => self.send(&Reply::Terminate),
                    _ => {}
                }
            }
            self.see_adopted();
            self.see_late();
            self.hear();
            if self.ground.is_gone() {
                self.leave();
            }
        }
    }

    pub(super) fn hear(&mut self) {
        let requests = self.link.as_mut().map(|link| {
            link.flush();
            link.requests()
        });
        for request in requests.unwrap_or_default() {
            self.obey(request);
        }
    }

    fn wait(&mut self) -> Result<(), KeeperError> {
        let mut watched = vec![PollFd::new(&self.signals, PollFlags::IN)];
        watched.extend(self.ground.poll());
        if let Some(link) = self.link.as_ref().filter(|link| link.open) {
            let wanted = if link.is_full() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            watched.push(PollFd::new(link, wanted));
        }
        if self.link.as_ref().is_some_and(|link| link.is_told) {
            watched.extend(self.ears.values().map(|ear| PollFd::new(ear, PollFlags::IN)));
        }
        let alive = self.children.values().filter(|child| child.exit.is_none());
        watched.extend(alive.filter_map(|child| Some(PollFd::new(child.adopted.as_ref()?, PollFlags::IN))));
        // Without an event to ask for, only the end of the end is told.
        watched.extend(self.late.values().map(|(_, handle)| PollFd::new(handle, PollFlags::empty())));
        let until = if self.link.is_none() { Some(self.due()) } else { self.rest };
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|left| Timespec::try_from(left + Duration::from_millis(1)).ok());
        match poll(&mut watched, timeout.as_ref()) {
            Ok(0) => self.rest_if_due(),
            Ok(_) => self.rest = Some(self.next_rest()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(KeeperError::System { what: "poll", source: error.into() }),
        }
        Ok(())
    }

    fn next_rest(&self) -> Instant {
        let quiet = Instant::now() + memory::QUIET;
        self.rested.map_or(quiet, |rested| quiet.max(rested + memory::SELDOM))
    }

    /// Gives back the memory that only a busy moment needed; while nothing happens, nothing wakes up.
    fn rest_if_due(&mut self) {
        if self.rest.take_if(|rest| *rest <= Instant::now()).is_some() {
            memory::forget_code();
            self.rested = Some(Instant::now());
        }
    }

    /// Passes on what services said; while no supervisor knows of them it waits in their sockets.
    fn pass_notices(&mut self) {
        if !self.link.as_ref().is_some_and(|link| link.is_told && link.open) {
            return;
        }
        let said =
            self.ears.iter().flat_map(|(service, ear)| ear.hear().into_iter().map(|text| (service.clone(), text)));
        for (service, text) in said.collect::<Vec<_>>() {
            for notice in notice::parse(&text) {
                // The former main process may end at any moment: this cannot wait for the supervisor.
                if let Notice::MainPid(pid) = notice {
                    self.change_main(&service, pid);
                }
            }
            if let Some(child) = self.children.get_mut(&service) {
                child.keep(&text);
            }
            self.send(&Reply::Noted { service, text });
        }
    }

    /// A service said that another of its processes is the main one.
    fn change_main(&mut self, service: &str, pid: i32) {
        match self.hold_main(service, pid) {
            Ok(()) => self.send(&Reply::Main { service: service.to_owned(), pid }),
            Err(error) => self.say(&format!("{service} said that pid {pid} is its main process: {error}")),
        }
    }

    pub(super) fn send(&mut self, reply: &Reply) {
        if let Some(link) = &mut self.link {
            link.send(reply);
        }
    }

    pub(super) fn say(&self, text: &str) {
        use std::io::Write as _;
        let _ = writeln!(&self.log, "keeper: {text}");
    }

    fn obey(&mut self, request: Request) {
        match request {
            Request::Become { program } => self.next = Some(program),
            Request::Forget { service, is_gone } => self.forget(&service, is_gone),
            Request::KillTree { service } => {
                let (killed, left) = self.kill_tree(&service);
                self.send(&Reply::Killed { service, killed, left });
            }
            Request::List => {
                let children = self.children.values().map(Running::record).collect();
                self.send(&Reply::Children(children));
                if let Some(link) = &mut self.link {
                    link.is_told = true;
                }
            }
            Request::Listen { addresses } => {
                let problem = self.sockets.listen(&addresses).err();
                self.send(&Reply::Listening { problem });
            }
            Request::Note { service, note } => {
                if let Some(child) = self.children.get_mut(&service).filter(|child| child.exit.is_none()) {
                    child.lease.note = note;
                    let _ = child.lease.write(&self.run);
                }
            }
            Request::Release { addresses } => self.sockets.release(&addresses),
            Request::Shutdown => self.is_told_to_end = true,
            Request::Signal { service, signal } => self.signal(&service, signal),
            Request::Spawn(spawn) => {
                let service = spawn.service.clone();
                let reply = match self.spawn(*spawn) {
                    Ok(pid) => Reply::Spawned { service, pid },
                    Err(reason) => Reply::SpawnFailed { service, reason },
                };
                self.send(&reply);
            }
            Request::Up => {
                let _ = child::redirect_output(self.log.as_fd());
            }
        }
    }

    /// Ends everything of a service. What one of our own children made, and lost, has become our child: only what was made
    /// under another keeper must be looked for among all processes.
    fn kill_tree(&self, service: &str) -> (usize, Vec<i32>) {
        let group = self.children.get(service).and_then(|child| child.lease.group.as_deref());
        let (together, mut left) = group.map_or((0, Vec::new()), group::kill);
        let (killed, still) = self.kill_marked(service);
        left.extend(still);
        (together + killed, left)
    }

    fn kill_marked(&self, service: &str) -> (usize, Vec<i32>) {
        let Some(child) = self.children.get(service) else {
            return Tree { mark: mark::of(&self.root, service), session: None }.kill();
        };
        if !child.is_ours || child.tree.session.is_some() {
            return child.tree.kill();
        }
        let others = self.children.values().filter(|other| other.lease.service != child.lease.service);
        let others = others.filter(|other| other.exit.is_none()).map(|other| other.lease.pid);
        let others: BTreeSet<i32> = others.chain(self.link.as_ref().map(|link| link.pid)).collect();
        let own = rustix::process::getpid().as_raw_nonzero().get();
        child.tree.kill_below(|| proc::children(own).into_iter().filter(|pid| !others.contains(pid)).collect())
    }

    fn signal(&self, service: &str, number: i32) {
        let Some(child) = self.children.get(service).filter(|child| child.exit.is_none()) else { return };
        let Some(signal) = Signal::from_named_raw(number) else { return };
        match (&child.adopted, Pid::from_raw(child.lease.pid)) {
            // Our own child that was not reaped: its number is its own.
            (None, Some(group)) => {
                let _ = rustix::process::kill_process_group(group, signal);
            }
            _ => {
                let group = proc::stat(child.lease.pid).map_or(child.lease.pid, |stat| stat.group);
                child.tree.signal_group(group, signal);
            }
        }
    }

    /// Leaves nothing behind that does anything: no process, no lease, no socket. FIFOs and the files of leases wait for the next
    /// start.
    fn finish(&mut self) {
        let services: BTreeSet<String> = self.children.keys().chain(self.fifos.keys()).cloned().collect();
        for service in services {
            let _ = self.kill_tree(&service);
            if let Some(child) = self.children.get_mut(&service) {
                child.exit.get_or_insert(Exit::Unknown);
            }
            self.forget(&service, false);
            self.close_ear(&service);
        }
        self.sockets.release_all();
        self.groups.end();
        for name in ["control.sock", "supervisor.lock", "keeper.lock"] {
            let _ = fs::remove_file(self.run.join(name));
        }
    }
}
