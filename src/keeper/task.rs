//! The keeper's loop: waits for signals, requests and the end of adopted processes, and does what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, getrlimit, setrlimit};

use super::child::{self, Child};
use super::children::Running;
use super::handover::State;
use super::lease;
use super::link::Link;
use super::mark::{self, Tree};
use super::message::{Reply, Request};
use super::notice::Ear;
use super::socket::Held;
use super::{KeeperError, at, proc};
use crate::service::Exit;
use crate::service::notice::{self, Notice};

/// A supervisor that lives shorter than this has died early.
const EARLY: Duration = Duration::from_secs(2);

/// The longest wait between two starts of a supervisor that always dies early.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// After so many early deaths it is said aloud.
const GIVEN_UP: u32 = 4;

/// The keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) root: PathBuf,
    program: PathBuf,
    /// The program that it is to become.
    next: Option<PathBuf>,
    pub(super) lock: File,
    pub(super) run: PathBuf,
    log: File,
    pub(super) null: File,
    signals: OwnedFd,
    /// The limit of open files that services get: what the keeper was started with.
    pub(super) files: Rlimit,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) children: BTreeMap<String, Running>,
    pub(super) fifos: BTreeMap<String, Vec<OwnedFd>>,
    pub(super) ears: BTreeMap<String, Ear>,
    pub(super) sockets: Held,
    link: Option<Link>,
    started: Instant,
    early_deaths: u32,
    is_told_to_end: bool,
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
        let mut keeper = Self {
            root: root.to_owned(),
            program: program.to_owned(),
            next: None,
            lock,
            run,
            log,
            null: at(Path::new("/dev/null"), File::options().read(true).write(true).open("/dev/null"))?,
            signals: child::signal_descriptor(&signals).map_err(system("signalfd"))?,
            files,
            vars,
            children: BTreeMap::new(),
            fifos: BTreeMap::new(),
            ears: BTreeMap::new(),
            sockets: Held::default(),
            link: None,
            started: Instant::now(),
            early_deaths: 0,
            is_told_to_end: false,
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
            while let Some(signal) = child::next_signal(&self.signals) {
                match signal {
                    libc::SIGCHLD => self.reap(),
                    libc::SIGINT | libc::SIGTERM => self.send(&Reply::Terminate),
                    _ => {}
                }
            }
            self.see_adopted();
            self.hear();
        }
    }

    fn hear(&mut self) {
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
        if let Some(link) = self.link.as_ref().filter(|link| link.open) {
            let wanted = if link.is_full() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            watched.push(PollFd::new(link, wanted));
        }
        if self.link.as_ref().is_some_and(|link| link.is_told) {
            watched.extend(self.ears.values().map(|ear| PollFd::new(ear, PollFlags::IN)));
        }
        let alive = self.children.values().filter(|child| child.exit.is_none());
        watched.extend(alive.filter_map(|child| Some(PollFd::new(child.adopted.as_ref()?, PollFlags::IN))));
        let timeout = self.link.is_none().then(|| self.due().saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|left| Timespec::try_from(left + Duration::from_millis(1)).ok());
        match poll(&mut watched, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(KeeperError::System { what: "poll", source: error.into() }),
        }
    }

    /// When the supervisor may be started: at once, unless it has died early again and again.
    fn due(&self) -> Instant {
        match self.early_deaths {
            0..=3 => self.started,
            deaths => self.started + LONGEST_WAIT.min(Duration::from_millis(50 << (deaths - 3).min(8))),
        }
    }

    fn start_supervisor_if_due(&mut self) -> Result<(), KeeperError> {
        if Instant::now() < self.due() {
            return Ok(());
        }
        self.started = Instant::now();
        match self.start_supervisor() {
            Ok(link) => self.link = Some(link),
            Err(error) => {
                self.early_deaths += 1;
                self.say(&format!("starting the supervisor ({}) failed: {error}", self.program.display()));
                if self.early_deaths == 1 {
                    // Whoever started the keeper still waits to hear how it went.
                    return Err(KeeperError::File { path: self.program.clone(), source: error });
                }
            }
        }
        // A test may kill the first supervisor at a checkpoint; its successor must get past it.
        self.vars.remove("JOVE_CHECKPOINT");
        Ok(())
    }

    fn start_supervisor(&self) -> io::Result<Link> {
        let (ours, theirs) = UnixStream::pair()?;
        let program = CString::new(self.program.as_os_str().as_bytes())?;
        let root = CString::new(self.root.as_os_str().as_bytes())?;
        let argv = vec![program, CString::new("internal-supervisor")?, CString::new("--root")?, root];
        let vars = self.vars.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
        let child = Child {
            argv,
            vars: vars.collect::<Result<_, _>>()?,
            sockets: Vec::new(),
            tells_pid: false,
            folder: CString::new("/")?,
            stdio: [theirs.as_fd(), self.log.as_fd(), self.log.as_fd()],
            mark: None,
            limits: vec![(Resource::Nofile, Rlimit { current: self.files.maximum, maximum: self.files.maximum })],
            umask: 0o022,
            nice: None,
            oom: None,
            rules: None,
        };
        Link::new(child::spawn(&child, |_| Ok(()))?, ours)
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get();
            let exit = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (_, Some(signal)) => Exit::Signal(signal),
                (None, None) => continue,
            };
            if self.link.as_ref().is_some_and(|link| link.pid == pid) {
                // Its last requests may still be on the line.
                self.hear();
                self.supervisor_ended(exit);
                continue;
            }
            // One that we took over, or that another process of its service made, may have become our child.
            let is_it = |child: &&mut Running| {
                child.lease.pid == pid && child.exit.is_none() && child.adopted.as_ref().is_none_or(has_ended)
            };
            if let Some(child) = self.children.values_mut().find(is_it) {
                child.exit = Some(exit);
                let service = child.lease.service.to_string();
                self.send(&Reply::Exited { service, exit });
            }
        }
    }

    fn supervisor_ended(&mut self, exit: Exit) {
        self.link = None;
        if self.is_told_to_end {
            return;
        }
        if self.next.is_some() {
            return;
        }
        self.early_deaths = if self.started.elapsed() < EARLY { self.early_deaths + 1 } else { 0 };
        self.say(&format!("the supervisor {exit}; it is started again"));
        if self.early_deaths == GIVEN_UP {
            // Whoever started the keeper waits for the end of its standard error.
            eprintln!(
                "the supervisor cannot stay up (it {exit}); {} shows why",
                self.root.join("log/supervisor.log").display()
            );
            let _ = child::redirect_output(self.log.as_fd());
        }
    }

    fn see_adopted(&mut self) {
        let mut ended = Vec::new();
        for child in self.children.values_mut().filter(|child| child.exit.is_none()) {
            if let Some(handle) = &child.adopted
                && has_ended(handle)
            {
                let exit = exit_once_buried(handle);
                child.exit = Some(exit);
                ended.push(Reply::Exited { service: child.lease.service.to_string(), exit });
            }
        }
        for reply in ended {
            self.send(&reply);
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

    fn send(&mut self, reply: &Reply) {
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
                child::forget_code();
            }
        }
    }

    /// Ends everything of a service. What one of our own children made, and lost, has become our child: only what was made
    /// under another keeper must be looked for among all processes.
    fn kill_tree(&self, service: &str) -> (usize, Vec<i32>) {
        let Some(child) = self.children.get(service) else {
            return Tree { mark: mark::of(&self.root, service), session: None }.kill();
        };
        if child.adopted.is_some() || child.tree.session.is_some() {
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

    /// Leaves nothing behind: no process, no FIFO, no lease, no socket.
    fn finish(&mut self) {
        let services: BTreeSet<String> = self.children.keys().chain(self.fifos.keys()).cloned().collect();
        for service in services {
            if let Some(child) = self.children.get_mut(&service) {
                let _ = child.tree.kill();
                child.exit.get_or_insert(Exit::Unknown);
            }
            self.forget(&service, true);
        }
        self.sockets.release_all();
        let _ = fs::remove_dir(lease::folder(&self.run));
        for name in ["control.sock", "supervisor.lock", "keeper.lock"] {
            let _ = fs::remove_file(self.run.join(name));
        }
    }
}

/// Whether a process that is held has ended.
fn has_ended(handle: &OwnedFd) -> bool {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&none)), Ok(1))
}

/// How a process ended that is not our child. The kernel tells once its parent has taken notice, which takes a moment.
fn exit_once_buried(handle: &OwnedFd) -> Exit {
    match child::exit_of(handle) {
        Exit::Unknown => {
            let moment = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            // Without an event to ask for, only the end of the end is told.
            let _ = poll(&mut [PollFd::new(handle, PollFlags::empty())], Some(&moment));
            child::exit_of(handle)
        }
        known => known,
    }
}
