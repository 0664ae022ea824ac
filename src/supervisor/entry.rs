//! One service, as the supervisor holds it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::alarm::Alarm;
use super::history;
use super::message::{ServiceKind, ServiceState, ServiceStatus};
use super::pump::Pump;
use super::schedule::Agenda;
use super::scope::Task;
use crate::keeper::message::Note;
use crate::name::PartName;
use crate::service::order::Standing;
use crate::service::state::{Life, Next, Phase};
use crate::service::{Kind, ServiceSpec};

/// One service.
pub(super) struct Entry {
    /// What is to run.
    pub spec: Arc<ServiceSpec>,
    /// What the keeper calls its process: the service's name, or that of a process beside it.
    pub child: PartName,
    /// Where it is.
    pub life: Life,
    /// The digest of the spec that its process was started from.
    pub digest: String,
    /// Since when it is in its state, for people.
    pub since: String,
    /// Where its output since its start begins in its log.
    pub log_from: u64,
    /// The digest of the configuration that it has read.
    pub reload_digest: String,
    /// Whether the keeper knows that it is ready.
    pub is_noted: bool,
    /// Its log.
    pub pump: Option<Pump>,
    /// Its times, if it is a job that is meant to run.
    pub agenda: Option<Box<Agenda>>,
    /// How long its last probe took.
    pub latency: Rc<Cell<Option<Duration>>>,
    /// What tells of its failures.
    pub alarm: Alarm,
    /// What is going on for it.
    pub(super) timer: Option<Task>,
    pub(super) probe: Option<Task>,
    pub(super) watchdog: Option<Task>,
    pub(super) watch: Option<Task>,
    pub(super) kills: u32,
    pub(super) killed: usize,
}

impl Entry {
    pub(super) fn new(spec: Arc<ServiceSpec>) -> Self {
        Self {
            child: spec.name.clone(),
            spec,
            life: Life::default(),
            digest: String::new(),
            since: history::now(),
            log_from: 0,
            reload_digest: String::new(),
            is_noted: false,
            pump: None,
            agenda: None,
            latency: Rc::default(),
            alarm: Alarm::default(),
            timer: None,
            probe: None,
            watchdog: None,
            watch: None,
            kills: 0,
            killed: 0,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::of(&self.spec, &self.life)
    }

    /// Whether it is up.
    pub(super) fn is_up(&self) -> bool {
        match self.spec.kind {
            Kind::Daemon | Kind::Step { .. } => self.life.is_up(),
            // It waits for its times.
            Kind::Schedule(_) => self.life.is_wanted,
        }
    }

    /// Its state for people.
    pub(super) fn status(&self) -> ServiceStatus {
        ServiceStatus {
            name: self.spec.name.clone(),
            part: self.spec.part.clone(),
            kind: self.kind(),
            state: self.state_of(&self.life),
            pid: self.life.pid,
            since: self.since.clone(),
            restarts: self.life.restarts,
            urls: self.spec.urls.clone(),
            reason: self.life.reason.clone(),
            status: self.life.status.clone(),
            last_exit: self.life.last_exit.map(|exit| exit.to_string()),
            next: self.agenda.as_ref().and_then(|agenda| agenda.next()).map(history::shown),
            latency: self.latency.get().map(|latency| latency.as_secs_f64()),
            last_lines: Box::default(),
            last_run: self.agenda.as_ref().and_then(|agenda| agenda.last.clone()),
        }
    }
}

impl Entry {
    fn kind(&self) -> ServiceKind {
        match self.spec.kind {
            Kind::Daemon => ServiceKind::Daemon,
            Kind::Schedule(_) => ServiceKind::Schedule,
            Kind::Step { .. } => ServiceKind::Step,
        }
    }

    /// Its state for people if this were its life.
    pub(super) fn state_of(&self, life: &Life) -> ServiceState {
        let kind = self.kind();
        let is_job = kind == ServiceKind::Schedule;
        let is_step = kind != ServiceKind::Daemon;
        match life.phase {
            Phase::Backoff => ServiceState::Backoff,
            Phase::Clearing(Next::Start | Next::Stop) | Phase::Stopping(_) => ServiceState::Stopping,
            Phase::Clearing(Next::Done) if is_step => ServiceState::Running,
            Phase::Clearing(Next::Fail) if is_job => ServiceState::Running,
            Phase::Clearing(Next::Done | Next::Fail | Next::Judge | Next::Retry) => ServiceState::Backoff,
            Phase::Done if is_job => ServiceState::Scheduled,
            Phase::Done => ServiceState::Done,
            Phase::Failed => ServiceState::Failed,
            Phase::Ready => ServiceState::Ready,
            Phase::Starting if is_step => ServiceState::Running,
            Phase::Spawning | Phase::Starting | Phase::Waiting => ServiceState::Starting,
            Phase::Stopped => ServiceState::Stopped,
        }
    }

    /// What the next supervisor is to know.
    pub(super) fn note(&self) -> Note {
        Note {
            digest: self.digest.clone(),
            ready: self.life.phase == Phase::Ready,
            restarts: self.life.restarts,
            log_from: self.log_from,
            reload_digest: self.reload_digest.clone(),
        }
    }
}
