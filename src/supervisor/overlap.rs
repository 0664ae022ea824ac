//! New before old: a service whose sockets are held, or that shares its port with its successor, is replaced without a gap. The
//! running process is set aside, another is started beside it and gets ready, and only then the former one is told to stop. Should
//! the new one not get ready, it goes and the former is the service again, as if nothing had happened.
//!
//! The two have names of their own with the keeper (`web` and `web--next`, in turn), so that each has its own lease, mark and
//! output; both write into the service's one log.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::core::Core;
use super::entry::Entry;
use super::inner::Inner;
use super::ops::{self, Failure};
use super::{history, spawn};
use crate::keeper::message::Request;
use crate::name::PartName;
use crate::service::state::{Event, Life, Phase};
use crate::service::{Restart, RestartPolicy, ServiceSpec, Services};

/// What the keeper calls the second process of a service.
const BESIDE: &str = "--next";

/// What a process is called here that is to be replaced.
const ELDER: &str = "--old";

/// The name under which a service's former process is kept.
pub(super) fn elder(name: &PartName) -> PartName {
    suffixed(name, ELDER)
}

fn suffixed(name: &PartName, suffix: &str) -> PartName {
    format!("{name}{suffix}").parse().unwrap_or_else(|_| name.clone())
}

/// The service whose process the keeper calls so.
#[must_use]
pub fn service_of(child: &PartName) -> PartName {
    child.as_str().strip_suffix(BESIDE).and_then(|name| name.parse().ok()).unwrap_or_else(|| child.clone())
}

/// Replaces a service's process; on failure the former one goes on.
pub(super) async fn replace(core: &Rc<Core>, name: &PartName) -> Result<(), Failure> {
    set_aside(core, name)?;
    let up = ops::bring_up(core, &BTreeSet::from([name.clone()])).await;
    // Somebody may have told it to stop meanwhile: then both are.
    let is_wanted = core.inner.borrow().desired.contains(name);
    match up {
        Err(failure) if is_wanted => {
            let reason = if bring_back(core, name, None).await { "; the former process goes on" } else { "" };
            Err(Failure { reason: format!("{}{reason}", failure.reason), ..failure })
        }
        up => {
            retire(core, name).await;
            up
        }
    }
}

/// Makes room for another process of a service beside its running one.
pub(super) fn set_aside(core: &Rc<Core>, name: &PartName) -> Result<(), Failure> {
    let mut inner = core.inner.borrow_mut();
    let Some(entry) = inner.entries.get_mut(name) else { return Ok(()) };
    let mut fresh = Entry::new(entry.spec.clone());
    fresh.child = if entry.child == *name { suffixed(name, BESIDE) } else { name.clone() };
    let beside = entry.pump.as_ref().map(|pump| pump.beside(&core.run, &fresh.child)).transpose();
    fresh.pump = beside.map_err(|error| Failure::from(format!("{name}: its output cannot be read: {error}")))?;
    fresh.since.clone_from(&entry.since);
    let mut former = std::mem::replace(entry, fresh);
    let pid = former.life.pid.unwrap_or(0);
    former.quiet();
    inner.entries.insert(elder(name), former);
    drop(inner);
    history::append(&core.layout, Some(name), "replace", &format!("another process is started beside pid {pid}"));
    Ok(())
}

/// Stops a service's former process.
pub(super) async fn retire(core: &Rc<Core>, name: &PartName) {
    let elder = elder(name);
    core.tell(&elder, Event::Stop);
    core.until(|inner| inner.is_down(&elder).then_some(())).await;
    remove(core, &elder);
}

/// Stops the former processes of all services.
pub(super) async fn retire_all(core: &Rc<Core>) {
    let names = core.inner.borrow().with_elders();
    // All at once, then one after the other until it is gone.
    for name in &names {
        core.tell(&elder(name), Event::Stop);
    }
    for name in &names {
        retire(core, name).await;
    }
}

/// Makes a service's former process the service again, if it still runs. `spec` is what it runs from, where that is not what the
/// new one was to run from.
pub(super) async fn bring_back(core: &Rc<Core>, name: &PartName, spec: Option<&Arc<ServiceSpec>>) -> bool {
    let old = elder(name);
    ops::bring_down(core, &BTreeSet::from([name.clone()])).await;
    if core.inner.borrow().is_down(&old) {
        remove(core, &old);
        return false;
    }
    let (pid, restarts) = {
        let mut inner = core.inner.borrow_mut();
        let Some(mut former) = inner.entries.remove(&old) else { return false };
        if let Some(failed) = inner.entries.get(name) {
            former.spec = spec.unwrap_or(&failed.spec).clone();
            let _ = core.keeper.send(Request::Forget { service: failed.child.to_string(), is_gone: true });
        }
        let now = (former.life.pid, former.life.restarts);
        former.life = Life::default();
        inner.entries.insert(name.clone(), former);
        now
    };
    let Some(pid) = pid else { return false };
    core.tell(name, Event::Adopted { pid, is_ready: true, restarts });
    let spec = core.with(name, |entry| entry.spec.clone());
    if let Some(Err(reason)) = spec.map(|spec| spawn::place_files(core, &spec)) {
        history::append(&core.layout, Some(name), "back", &reason);
    }
    history::append(&core.layout, Some(name), "back", &format!("pid {pid} goes on"));
    true
}

/// What is to happen to former processes when services move to `target`: those that belong there come back, others go.
pub(super) async fn settle(core: &Rc<Core>, target: &Services) {
    let names = core.inner.borrow().with_elders();
    for name in names {
        let spec = target.services.iter().find(|spec| spec.name == name);
        let digest = core.with(&elder(&name), |entry| entry.digest.clone());
        match spec.filter(|spec| Some(spec.digest().to_hex()) == digest) {
            Some(spec) => drop(bring_back(core, &name, Some(spec)).await),
            None => retire(core, &name).await,
        }
    }
}

fn remove(core: &Core, elder: &PartName) {
    if let Some(entry) = core.inner.borrow_mut().entries.remove(elder) {
        if let Some(pump) = &entry.pump {
            pump.drain();
        }
        let _ = core.keeper.send(Request::Forget { service: entry.child.to_string(), is_gone: true });
    }
}

impl Entry {
    /// From now on it only waits for its end: it is not probed, and not started again.
    pub(super) fn quiet(&mut self) {
        (self.timer, self.probe, self.watch, self.watchdog) = (None, None, None, None);
        let spec = Arc::make_mut(&mut self.spec);
        spec.restart = Restart { policy: RestartPolicy::Never, ..spec.restart.clone() };
    }
}

impl Inner {
    /// Whether a service can be replaced while it runs.
    pub(super) fn may_overlap(&self, name: &PartName) -> bool {
        self.entries.get(name).is_some_and(|entry| {
            entry.spec.name == *name
                && entry.spec.may_overlap()
                && entry.spec.held().iter().all(|address| !self.unheld.contains(address))
                && entry.life.phase == Phase::Ready
                && !self.entries.contains_key(&elder(name))
        })
    }

    /// Whether it is one of several instances of a service.
    pub(super) fn is_instance(&self, name: &PartName) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.spec.group.is_some())
    }

    /// The services of which a former process is still there.
    pub(super) fn with_elders(&self) -> Vec<PartName> {
        let elders = self.entries.iter().filter(|(key, entry)| **key != entry.spec.name);
        elders.map(|(_, entry)| entry.spec.name.clone()).collect()
    }
}
