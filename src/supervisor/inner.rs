//! What changes while the supervisor lives, and the questions that are asked of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::entry::Entry;
use super::message::SwitchEvent;
use crate::generation::Journal;
use crate::name::PartName;
use crate::service::Services;
use crate::service::order::{self, Standing};
use crate::service::state::Phase;

/// The part of it that changes.
pub(super) struct Inner {
    /// The services that are active, by name.
    pub entries: BTreeMap<PartName, Entry>,
    /// Their order of starting.
    pub order: Vec<PartName>,
    /// Those that are to start as soon as what they need is up.
    pub waiting: BTreeSet<PartName>,
    /// What they were read from.
    pub services: Services,
    /// Its generation.
    pub generation: Option<u32>,
    /// What is meant to run.
    pub desired: BTreeSet<PartName>,
    /// A switch in progress.
    pub journal: Option<Journal>,
    /// What keeps the supervisor from its work.
    pub problem: Option<String>,
    /// The addresses that the keeper listens on.
    pub held: BTreeSet<String>,
    /// Those that it could not take back from a service that another keeper had started.
    pub unheld: BTreeSet<String>,
    /// Services whose sockets it closed until data steps are done: they are not started before it listens again.
    pub refused: BTreeSet<PartName>,
    /// Who waits to hear whether it does.
    pub listens: VecDeque<oneshot::Sender<Option<(String, String)>>>,
    /// Everything is being stopped for good.
    pub is_ending: bool,
    /// Another program takes over.
    pub is_handing_over: bool,
    /// Who listens to events.
    pub listeners: Vec<UnboundedSender<SwitchEvent>>,
}

impl Inner {
    /// How far a service is.
    pub(super) fn standing(&self, name: &PartName) -> Standing {
        self.entries.get(name).map_or(Standing::Down, Entry::standing)
    }

    /// The life of a service has come to another phase.
    pub(super) fn see_phase(&mut self, name: &PartName) {
        if self.entries.get(name).is_some_and(|entry| entry.life.phase == Phase::Waiting) {
            self.waiting.insert(name.clone());
        } else {
            self.waiting.remove(name);
        }
    }

    pub(super) fn may_go(&self, name: &PartName) -> bool {
        self.entries.get(name).is_some_and(|entry| {
            entry.life.phase == Phase::Waiting
                && !self.refused.contains(name)
                && order::unmet(&entry.spec, |need| self.standing(need)).is_none()
        })
    }

    /// Says of each service that waits what it waits for.
    pub(super) fn note_waits(&mut self) {
        let waits = |entry: &Entry| {
            let need = order::unmet(&entry.spec, |need| self.standing(need))?;
            Some(format!("it waits for {}", need.service))
        };
        let waiting = self.waiting.iter().filter_map(|name| self.entries.get(name));
        let reasons: Vec<_> = waiting.map(|entry| (entry.spec.name.clone(), waits(entry))).collect();
        for (name, reason) in reasons {
            if let Some(entry) = self.entries.get_mut(&name)
                && reason.is_some()
            {
                entry.life.reason = reason;
            }
        }
    }

    /// Whether all of these are up, or which one will not come up; `None` if that is still open.
    pub(super) fn judge(&self, names: &BTreeSet<PartName>) -> Option<Result<(), (PartName, String)>> {
        let mut are_up = true;
        for (name, entry) in self.among(names) {
            if let Some(lost) = self.loss(name, entry) {
                return Some(Err(lost));
            }
            are_up &= entry.is_some_and(Entry::is_up);
        }
        are_up.then_some(Ok(()))
    }

    /// What is known of these services. It walks beside all of them, which are sorted alike: with a thousand, looking each one up
    /// at every change took a third of the supervisor's time.
    fn among<'a>(&'a self, names: &'a BTreeSet<PartName>) -> impl Iterator<Item = (&'a PartName, Option<&'a Entry>)> {
        let mut entries = self.entries.iter().peekable();
        names.iter().map(move |name| {
            while entries.next_if(|(known, _)| *known < name).is_some() {}
            (name, entries.next_if(|(known, _)| *known == name).map(|(_, entry)| entry))
        })
    }

    /// Whether a service will not come up by itself, and why.
    pub(super) fn lost(&self, name: &PartName) -> Option<(PartName, String)> {
        self.loss(name, self.entries.get(name))
    }

    fn loss(&self, name: &PartName, entry: Option<&Entry>) -> Option<(PartName, String)> {
        let Some(entry) = entry else { return Some((name.clone(), "it is gone".to_owned())) };
        let life = &entry.life;
        if entry.spec.kind.schedule().is_some() && life.is_wanted {
            // A run that failed is followed by others.
            return None;
        }
        let reason = || life.reason.clone().unwrap_or_else(|| "it failed".to_owned());
        match life.phase {
            Phase::Failed => Some((name.clone(), reason())),
            _ if !life.is_wanted => Some((name.clone(), "it was told to stop".to_owned())),
            _ if life.has_missed => Some((name.clone(), reason())),
            Phase::Waiting => {
                let need = order::unmet(&entry.spec, |need| self.standing(need))?;
                self.lost(&need.service)
            }
            Phase::Backoff
            | Phase::Clearing(_)
            | Phase::Done
            | Phase::Ready
            | Phase::Spawning
            | Phase::Starting
            | Phase::Stopped
            | Phase::Stopping(_) => None,
        }
    }

    /// What the keeper calls the process of a service.
    pub(super) fn child<'a>(&'a self, name: &'a PartName) -> &'a PartName {
        self.entries.get(name).map_or(name, |entry| &entry.child)
    }

    /// Whether a service is up.
    pub(super) fn is_up(&self, name: &PartName) -> bool {
        self.entries.get(name).is_some_and(Entry::is_up)
    }

    /// Whether nothing of a service runs.
    pub(super) fn is_down(&self, name: &PartName) -> bool {
        self.entries.get(name).is_none_or(|entry| entry.life.is_down())
    }
}
