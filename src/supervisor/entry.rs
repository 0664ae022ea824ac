//! One service, as the supervisor holds it.

use super::history;
use super::message::{ServiceKind, ServiceState, ServiceStatus};
use super::pump::Pump;
use super::scope::Task;
use crate::keeper::message::Note;
use crate::name::PartName;
use crate::service::order::Standing;
use crate::service::state::{Life, Next, Phase};
use crate::service::{Kind, ServiceSpec};

/// One service.
pub(super) struct Entry {
    /// What is to run.
    pub spec: ServiceSpec,
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
    /// Its log.
    pub pump: Option<Pump>,
    /// What is going on for it.
    pub(super) timer: Option<Task>,
    pub(super) probe: Option<Task>,
    pub(super) watchdog: Option<Task>,
    pub(super) watch: Option<Task>,
    pub(super) kills: u32,
    pub(super) killed: usize,
}

impl Entry {
    pub(super) fn new(spec: ServiceSpec) -> Self {
        Self {
            child: spec.name.clone(),
            spec,
            life: Life::default(),
            digest: String::new(),
            since: history::now(),
            log_from: 0,
            reload_digest: String::new(),
            pump: None,
            timer: None,
            probe: None,
            watchdog: None,
            watch: None,
            kills: 0,
            killed: 0,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match self.life.phase {
            Phase::Done => Standing::Succeeded,
            Phase::Ready => Standing::Ready,
            Phase::Starting => Standing::Started,
            Phase::Backoff
            | Phase::Clearing(_)
            | Phase::Failed
            | Phase::Spawning
            | Phase::Stopped
            | Phase::Stopping(_)
            | Phase::Waiting => Standing::Down,
        }
    }

    /// Its state for people.
    pub(super) fn status(&self) -> ServiceStatus {
        let is_step = self.spec.kind != Kind::Daemon;
        let state = match self.life.phase {
            Phase::Backoff => ServiceState::Backoff,
            Phase::Clearing(Next::Start | Next::Stop) | Phase::Stopping(_) => ServiceState::Stopping,
            Phase::Clearing(Next::Done) if is_step => ServiceState::Running,
            Phase::Clearing(Next::Done | Next::Fail | Next::Judge | Next::Retry) => ServiceState::Backoff,
            Phase::Done => ServiceState::Done,
            Phase::Failed => ServiceState::Failed,
            Phase::Ready => ServiceState::Ready,
            Phase::Starting if is_step => ServiceState::Running,
            Phase::Spawning | Phase::Starting | Phase::Waiting => ServiceState::Starting,
            Phase::Stopped => ServiceState::Stopped,
        };
        ServiceStatus {
            name: self.spec.name.clone(),
            part: self.spec.part.clone(),
            kind: if is_step { ServiceKind::Step } else { ServiceKind::Daemon },
            state,
            pid: self.life.pid,
            since: self.since.clone(),
            restarts: self.life.restarts,
            urls: self.spec.urls.clone(),
            reason: self.life.reason.clone(),
            status: self.life.status.clone(),
            last_exit: self.life.last_exit.map(|exit| exit.to_string()),
        }
    }
}

impl Entry {
    /// Its state for people if its life were another.
    pub(super) fn status_of(&self, life: &Life) -> ServiceStatus {
        let mut other = Self::new(self.spec.clone());
        other.life = life.clone();
        other.status()
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
