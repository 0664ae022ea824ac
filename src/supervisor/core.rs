//! What the supervisor knows, and the one place where events become states and effects: it feeds [`state::step`] and obeys it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify};

use super::entry::Entry;
use super::inner::Inner;
use super::line::Keeper;
use super::message::{ServiceState, ServiceStatus, Status, SwitchEvent, Switching};
use super::scope::Task;
use super::spawn::Unmade;
use super::{LoadSecrets, alarm, desired, done, history, last, overlap, probe, schedule, spawn, watch};
use crate::generation::Phase as SwitchPhase;
use crate::keeper::message::{Reply, Request};
use crate::layout::Layout;
use crate::name::PartName;
use crate::service::Services;
use crate::service::notice;
use crate::service::state::{self, Effect, Event, Life, Moment, Phase};

/// How often SIGKILL is repeated before what is left is given up.
const KILLS: u32 = 30;

/// The supervisor's whole state, shared by its tasks on one thread.
pub(super) struct Core {
    /// The prefix.
    pub layout: Layout,
    /// Its run folder, without links.
    pub run: PathBuf,
    /// Where secrets come from.
    pub secrets: LoadSecrets,
    /// The line to the keeper.
    pub keeper: Rc<Keeper>,
    /// Who changes generations or starts services, one at a time.
    pub busy: Mutex<()>,
    /// Something changed.
    pub changed: Notify,
    /// The supervisor may end.
    pub over: Notify,
    /// What changes.
    pub inner: RefCell<Inner>,
    began: Instant,
}

impl Core {
    pub(super) fn new(layout: Layout, run: PathBuf, secrets: LoadSecrets, keeper: Rc<Keeper>) -> Self {
        let inner = Inner {
            entries: BTreeMap::new(),
            order: Vec::new(),
            waiting: std::collections::BTreeSet::new(),
            services: no_services(),
            generation: None,
            desired: desired::read(&run),
            journal: None,
            problem: None,
            held: std::collections::BTreeSet::new(),
            unheld: std::collections::BTreeSet::new(),
            refused: std::collections::BTreeSet::new(),
            listens: std::collections::VecDeque::new(),
            is_ending: false,
            is_handing_over: false,
            listeners: Vec::new(),
        };
        Self {
            layout,
            run,
            secrets,
            keeper,
            busy: Mutex::new(()),
            changed: Notify::new(),
            over: Notify::new(),
            inner: RefCell::new(inner),
            began: Instant::now(),
        }
    }

    /// The clock that lives are told by.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Something happened to a service.
    pub(super) fn tell(self: &Rc<Self>, name: &PartName, event: Event) {
        self.apply(name, event);
        self.let_go();
        self.changed.notify_waiters();
    }

    fn apply(self: &Rc<Self>, name: &PartName, event: Event) {
        let moment = Moment { now: self.now(), chance: chance() };
        let (before, effects) = {
            let mut inner = self.inner.borrow_mut();
            let Some(entry) = inner.entries.get_mut(name) else { return };
            let (life, effects) = state::step(&entry.life, &entry.spec, event, moment);
            let before = std::mem::replace(&mut entry.life, life);
            if before.phase != entry.life.phase {
                inner.see_phase(name);
            }
            (before, effects)
        };
        if self.see_change(name, &before) {
            self.release_idle_later();
        }
        for effect in effects {
            self.obey(name, effect);
        }
    }

    /// Starts every service that waited for nothing any more.
    pub(super) fn let_go(self: &Rc<Self>) {
        loop {
            let next = {
                let mut inner = self.inner.borrow_mut();
                if inner.waiting.is_empty() {
                    return;
                }
                inner.note_waits();
                inner.order.iter().find(|name| inner.waiting.contains(*name) && inner.may_go(name)).cloned()
            };
            let Some(name) = next else { return };
            let is_done = {
                let mut inner = self.inner.borrow_mut();
                let entry = inner.entries.get_mut(&name);
                entry.is_some_and(|entry| schedule::is_to_rest(entry) || done::is_done(&self.layout, &entry.spec))
            };
            self.apply(&name, if is_done { Event::AlreadyDone } else { Event::Go });
        }
    }

    fn see_change(self: &Rc<Self>, name: &PartName, before: &Life) -> bool {
        let mut is_down = false;
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let has_elder = inner.entries.contains_key(overlap::elder(name).as_str());
        let Some(entry) = inner.entries.get_mut(name) else { return false };
        let is_elder = entry.spec.name != *name;
        if entry.life.is_wanted && !entry.spec.watch.is_empty() && !is_elder {
            if entry.watch.is_none() {
                entry.watch = Some(watch::task(self, &entry.spec));
            }
        } else {
            entry.watch = None;
        }
        if entry.life.serial == before.serial {
            return false;
        }
        entry.timer = None;
        entry.probe = None;
        entry.watchdog = None;
        schedule::see_change(&self.layout, entry, before);
        let old = entry.state_of(before);
        if entry.life.is_down() {
            if !is_elder && !has_elder {
                spawn::remove_secret_files(&entry.spec);
            }
            is_down = true;
            let _ = self.keeper.send(Request::Forget { service: entry.child.to_string(), is_gone: false });
        }
        if entry.life.phase == Phase::Ready && !std::mem::replace(&mut entry.is_noted, true) {
            let _ = self.keeper.send(Request::Note { service: entry.child.to_string(), note: entry.note() });
        }
        // One that is replaced is told of where it is replaced.
        if entry.state_of(&entry.life) != old && !is_elder {
            let status = entry.status();
            entry.since = history::now();
            if status.state == ServiceState::Failed {
                alarm::tell(self, entry);
            }
            let reason = status.reason.clone().unwrap_or_default();
            let state = serde_json::to_value(status.state).unwrap_or_default();
            history::append(&self.layout, Some(name), state.as_str().unwrap_or_default(), &reason);
            let event = SwitchEvent::Service { service: entry.status() };
            inner.listeners.retain(|listener| listener.send(event.clone()).is_ok());
        }
        is_down
    }

    fn obey(self: &Rc<Self>, name: &PartName, effect: Effect) {
        match effect {
            Effect::KillTree => {
                let _ = self.with(name, |entry| {
                    (entry.kills, entry.killed) = (0, 0);
                    self.keeper.send(Request::KillTree { service: entry.child.to_string() })
                });
            }
            Effect::ProbeLive(serial) => {
                let _ = self.with(name, |entry| entry.probe = Some(probe::live(self, entry, serial)));
            }
            Effect::ProbeReady(serial) => {
                let _ = self.with(name, |entry| entry.probe = Some(probe::ready(self, entry, serial)));
            }
            Effect::Record => self.record(name),
            Effect::Signal(signal) => {
                let _ = self
                    .with(name, |entry| self.keeper.send(Request::Signal { service: entry.child.to_string(), signal }));
            }
            Effect::Spawn => match spawn::spawn(self, name) {
                Ok(()) => {}
                Err(Unmade::Now(reason)) => self.apply(name, Event::SpawnFailed(reason)),
                Err(Unmade::Ever(reason)) => self.apply(name, Event::Barred(reason)),
            },
            Effect::Timer(serial, after) => {
                let timer = self.later(name, after, Event::Timer(serial));
                let _ = self.with(name, |entry| entry.timer = Some(timer));
            }
            Effect::Watchdog(serial, after) => {
                let watchdog = after.map(|after| self.later(name, after, Event::Watchdog(serial)));
                let _ = self.with(name, |entry| entry.watchdog = watchdog);
            }
        }
    }

    /// Says something after a time.
    fn later(self: &Rc<Self>, name: &PartName, after: Duration, event: Event) -> Task {
        let (core, service) = (Rc::clone(self), name.clone());
        Task::spawn(async move {
            tokio::time::sleep(after).await;
            // Told by a task of its own: the step may drop this one.
            tokio::task::spawn_local(async move { core.tell(&service, event) });
        })
    }

    fn record(&self, name: &PartName) {
        crate::checkpoint::pass("step-after-run");
        let inner = self.inner.borrow();
        let Some(entry) = inner.entries.get(name) else { return };
        let generation = inner.journal.as_ref().map(|journal| journal.to).or(inner.generation);
        if let Err(error) = done::record(&self.layout, &entry.spec, generation) {
            let text = format!("that it was done could not be recorded, it will run again: {error}");
            history::append(&self.layout, Some(name), "step", &text);
        }
    }

    /// Looks at or changes one service.
    pub(super) fn with<T>(&self, name: &PartName, work: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.inner.borrow_mut().entries.get_mut(name).map(work)
    }

    /// Which service the keeper means.
    fn key_of(&self, child: &str) -> Option<PartName> {
        let inner = self.inner.borrow();
        let own = inner.entries.get_key_value(child).filter(|(_, entry)| entry.child.as_str() == child);
        let found = own.or_else(|| inner.entries.iter().find(|(_, entry)| entry.child.as_str() == child));
        found.map(|(name, _)| name.clone())
    }

    /// The keeper said something.
    pub(super) fn heard(self: &Rc<Self>, reply: Reply) {
        let (service, event) = match reply {
            Reply::Exited { service, exit } => (service, Event::Exited(exit)),
            Reply::Explained { service, exit, .. } => (service, Event::Explained(exit)),
            Reply::Killed { service, killed, left } => return self.killed(&service, killed, left),
            Reply::Main { service, pid } => (service, Event::Main(pid)),
            Reply::Noted { service, text } => return self.noted(&service, &text),
            Reply::SpawnFailed { service, reason } => (service, Event::SpawnFailed(reason)),
            Reply::Spawned { service, pid } => (service, Event::Spawned(pid)),
            // The first is asked for before this is called, the second is the loop's.
            Reply::Children(_) | Reply::Terminate => return,
            Reply::Listening { problem } => return self.listening(problem),
        };
        if let Some(name) = self.key_of(&service) {
            if let Event::Explained(exit) = event {
                history::append(&self.layout, Some(&name), "exit", &format!("what nobody saw at first: it {exit}"));
            }
            if matches!(event, Event::Exited(_)) {
                self.with(&name, |entry| entry.pump.as_ref().inspect(|pump| pump.drain()).is_some());
            }
            self.tell(&name, event);
        }
    }

    /// A service said something of itself.
    pub(super) fn noted(self: &Rc<Self>, service: &str, text: &str) {
        let Some(name) = self.key_of(service) else { return };
        for notice in notice::parse(text) {
            self.tell(&name, Event::Notice(notice));
        }
    }

    fn killed(self: &Rc<Self>, service: &str, killed: usize, left: Vec<i32>) {
        let Some(name) = self.key_of(service) else { return };
        let sum = self.with(&name, |entry| {
            entry.kills += 1;
            entry.killed += killed;
            (entry.kills, entry.killed)
        });
        let Some((kills, killed)) = sum else { return };
        if left.is_empty() || kills >= KILLS {
            self.tell(&name, Event::Cleared { killed, left });
        } else {
            let _ = self.keeper.send(Request::KillTree { service: service.to_owned() });
        }
    }

    /// Waits until something is true.
    pub(super) async fn until<T>(&self, mut ask: impl FnMut(&Inner) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the question, so that no change falls between.
            changed.as_mut().enable();
            if let Some(answer) = ask(&self.inner.borrow()) {
                return answer;
            }
            changed.await;
        }
    }

    /// Says something to whoever listens.
    pub(super) fn say(&self, event: &SwitchEvent) {
        self.inner.borrow_mut().listeners.retain(|listener| listener.send(event.clone()).is_ok());
    }

    /// The last lines of a service since its start.
    pub(super) fn last_lines(&self, name: &PartName) -> Vec<String> {
        let from = self.with(name, |entry| {
            if let Some(pump) = &entry.pump {
                pump.drain();
            }
            entry.log_from
        });
        last::lines(&self.layout.log(), name.as_str(), from.unwrap_or(0), last::OF_FAILURE)
    }

    /// Keeps what is meant to run.
    pub(super) fn save_desired(&self) {
        if let Err(error) = desired::write(&self.run, &self.inner.borrow().desired) {
            history::append(&self.layout, None, "supervisor", &format!("run/desired.json cannot be written: {error}"));
        }
    }

    /// Everything, for people.
    pub(super) fn status(&self) -> Status {
        let inner = self.inner.borrow();
        let listed = inner.order.iter().filter_map(|name| inner.entries.get(name));
        let others = inner.entries.values().filter(|entry| !inner.order.contains(&entry.spec.name));
        Status {
            format: 1,
            supervisor: rustix::process::getpid().as_raw_nonzero().get(),
            keeper: rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get()),
            generation: inner.generation,
            switching: inner.journal.as_ref().map(|journal| Switching {
                from: journal.from,
                to: journal.to,
                phase: match journal.phase {
                    SwitchPhase::Trial => "trial",
                    SwitchPhase::Promises => "promises",
                    SwitchPhase::Back => "back",
                }
                .to_owned(),
                started_by: journal.started_by.clone(),
            }),
            problem: inner.problem.clone(),
            is_ending: inner.is_ending,
            services: listed.chain(others).map(|entry| self.status_of(entry)).collect(),
        }
    }

    /// One of them; of one that has failed with its last lines, for whoever looks was seldom there when it did.
    fn status_of(&self, entry: &Entry) -> ServiceStatus {
        let mut status = entry.status();
        if status.state == ServiceState::Failed {
            if let Some(pump) = &entry.pump {
                pump.drain();
            }
            let lines = last::lines(&self.layout.log(), entry.spec.name.as_str(), entry.log_from, last::OF_STATUS);
            status.last_lines = lines.into();
        }
        status
    }
}

/// The services of a prefix without a generation.
pub(super) const fn no_services() -> Services {
    Services { format: 1, generation: 0, services: Vec::new(), promises: Vec::new(), data: Vec::new() }
}

fn chance() -> f64 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

/// How long to wait between two looks at something that tells nobody when it changes.
pub(super) const GLANCE: Duration = Duration::from_millis(20);
