//! Reloads: a service reads its configuration again without a restart. Its files in `run/` are made to say the new content just
//! before the signal, and that the reload happened is seen by its effect: some programs keep their former configuration silently.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::core::{Core, GLANCE};
use super::entry::Entry;
use super::ops::Failure;
use super::{history, spawn};
use crate::keeper::message::Request;
use crate::keeper::proc;
use crate::name::PartName;
use crate::service::state::Phase;
use crate::service::{ReloadShows, signal};

/// How long a reload may take to show, at most: no longer than a start.
const PATIENCE: Duration = Duration::from_secs(15);

/// Reloads those of these services that run with another configuration than their specs name.
pub(super) async fn all(core: &Rc<Core>, names: &BTreeSet<PartName>) -> Result<(), Failure> {
    let stale: Vec<PartName> = {
        let inner = core.inner.borrow();
        let is_stale = |name: &&PartName| inner.entries.get(*name).is_some_and(|entry| entry.is_stale(core));
        names.iter().filter(is_stale).cloned().collect()
    };
    for name in stale {
        one(core, &name).await?;
    }
    Ok(())
}

/// After the way back: those that had read what was tried read their former configuration again.
pub(super) async fn back(core: &Rc<Core>) {
    let names = core.inner.borrow().order.iter().cloned().collect();
    if let Err(failure) = all(core, &names).await {
        history::append(&core.layout, None, "back", &failure.reason);
    }
}

/// Has one service read its configuration again, and waits until that shows.
pub(super) async fn one(core: &Rc<Core>, name: &PartName) -> Result<(), Failure> {
    let found = core.with(name, |entry| (entry.spec.clone(), entry.life.pid, entry.child.to_string()));
    let Some((spec, Some(pid), child)) = found else { return Err(Failure::from(format!("{name} does not run"))) };
    let Some(signal) = spec.reload.as_deref().and_then(signal::number) else {
        let text = format!("{name} cannot reload its configuration; `jove-install restart {name}` does it");
        return Err(Failure::from(text));
    };
    spawn::place_files(core, &spec).map_err(|reason| Failure::from(format!("{name}: {reason}")))?;
    crate::checkpoint::pass("reload-after-link");
    let before: BTreeSet<i32> = proc::children(pid).into_iter().collect();
    // From now on it may have read them.
    let note = core.with(name, |entry| {
        entry.reload_digest = spec.reload_digest().to_hex();
        entry.note()
    });
    if let Some(note) = note {
        let _ = core.keeper.send(Request::Note { service: child.clone(), note });
    }
    crate::checkpoint::pass("reload-before-signal");
    if spec.reload_shows == ReloadShows::Notice {
        core.with(name, |entry| entry.life.is_reloading = entry.life.phase == Phase::Ready);
    }
    let _ = core.keeper.send(Request::Signal { service: child, signal });
    let shown = async {
        match spec.reload_shows {
            ReloadShows::Nothing => true,
            ReloadShows::Notice => core.until(|inner| is_reloaded(inner.entries.get(name)?)).await,
            ReloadShows::Workers => {
                while proc::children(pid).iter().all(|child| before.contains(child)) {
                    if proc::stat(pid).is_none_or(|stat| stat.state == 'Z') {
                        return false;
                    }
                    sleep(GLANCE).await;
                }
                true
            }
        }
    };
    let patience = spec.ready.as_ref().map_or(PATIENCE, |probe| probe.deadline.min(PATIENCE));
    if timeout(patience, shown).await != Ok(true) {
        let reason =
            format!("{name}: nothing shows that it has read its configuration again: it may run with the former one");
        return Err(Failure { reason, last_lines: core.last_lines(name) });
    }
    history::append(&core.layout, Some(name), "reload", "");
    Ok(())
}

/// Whether it said that it has read its configuration; `false` if it fell.
fn is_reloaded(entry: &Entry) -> Option<bool> {
    match entry.life.phase {
        Phase::Ready if entry.life.is_reloading => None,
        Phase::Ready => Some(true),
        Phase::Backoff
        | Phase::Clearing(_)
        | Phase::Done
        | Phase::Failed
        | Phase::Spawning
        | Phase::Starting
        | Phase::Stopped
        | Phase::Stopping(_)
        | Phase::Waiting => Some(false),
    }
}

impl Entry {
    /// Whether it runs with another configuration than its spec names.
    fn is_stale(&self, core: &Core) -> bool {
        let has_read = !self.spec.conf.is_empty() && self.life.phase == Phase::Ready;
        let is_other = self.reload_digest != self.spec.reload_digest().to_hex() || !spawn::is_placed(core, &self.spec);
        has_read && self.spec.reload.is_some() && is_other
    }
}
