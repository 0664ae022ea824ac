//! The switch: services move to another generation, which is then committed by one rename, or back.
//!
//! The supervisor owns it. Whoever asked may die; a supervisor that dies is followed by one that finds the journal and goes back
//! (or, if the rename was done, on).

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::core::{Core, no_services};
use super::entry::Entry;
use super::message::SwitchEvent;
use super::ops::{self, Failure};
use super::{history, overlap, probe, reload, undo};
use crate::checkpoint;
use crate::generation::{self, Journal, Manifest, Phase};
use crate::keeper::message::Request;
use crate::name::PartName;
use crate::service::{ServiceSpec, Services, order};

/// Moves services to a generation and commits it, or back.
pub(super) async fn switch(core: &Rc<Core>, to: u32, verb: &str) -> SwitchEvent {
    let _busy = core.alone().await;
    let target = match read_services(core, to) {
        Ok(target) => target,
        Err(reason) => return SwitchEvent::Failed { reason, last_lines: Vec::new() },
    };
    if core.inner.borrow().is_ending {
        return SwitchEvent::Failed { reason: "everything is being stopped".to_owned(), last_lines: Vec::new() };
    }
    if let Err(Failure { reason, last_lines }) = check_ports(core, &target) {
        // Nothing has moved, and the generation is not to blame: it may be tried again.
        return SwitchEvent::BackedOut { reason, last_lines };
    }
    let journal = Journal {
        format: 1,
        from: generation::current(&core.layout),
        to,
        phase: Phase::Trial,
        started_by: verb.to_owned(),
    };
    if let Err(error) = journal.write(&core.layout) {
        let reason = format!("{}; nothing was changed", unwritten(&core.layout.switch(), &error));
        return SwitchEvent::BackedOut { reason, last_lines: Vec::new() };
    }
    let former = core.inner.borrow().services.clone();
    history::append(&core.layout, None, "switch", &format!("to generation {to}, for {verb}"));
    set_journal(core, Some(journal.clone()));
    let tried = match attempt(core, &journal, target).await {
        Ok(()) => commit(core, to),
        failed => failed,
    };
    match tried {
        Ok(()) => SwitchEvent::Committed { generation: to },
        Err(failure) => {
            // It is known from now on, whatever happens on the way back. One that was good before is not to blame alone.
            let failed = generation::Status::Failed { reason: failure.reason.clone() };
            let is_new = generation::Status::read(&core.layout, to) == generation::Status::Prepared;
            let recorded = if is_new { failed.write(&core.layout, to) } else { Ok(()) };
            back_out(core, journal, former, &failure.reason, recorded.err()).await;
            SwitchEvent::BackedOut { reason: failure.reason, last_lines: failure.last_lines }
        }
    }
}

/// A generation's services, if they can be run.
pub(super) fn read_services(core: &Core, number: u32) -> Result<Services, String> {
    let services = Manifest::services(&core.layout, number).map_err(|error| error.to_string())?;
    order::sorted(&services).map_err(|error| error.to_string())?;
    Ok(services)
}

fn set_journal(core: &Core, journal: Option<Journal>) {
    core.inner.borrow_mut().journal = journal;
    core.changed.notify_waiters();
}

fn check_ports(core: &Core, target: &Services) -> Result<(), Failure> {
    let stopping = moving(core, target);
    let is_new = |name: &PartName| core.inner.borrow().is_down(name) || stopping.contains(name);
    let specs = target.services.iter().filter(|spec| is_new(&spec.name));
    ops::check_ports(core, specs.map(|spec| (&spec.name, spec.listens.as_slice())), &stopping)
}

/// The services whose processes do not belong into `target`.
fn moving(core: &Core, target: &Services) -> BTreeSet<PartName> {
    let inner = core.inner.borrow();
    let stays = |entry: &Entry| {
        let spec = target.services.iter().find(|spec| spec.name == entry.spec.name);
        spec.is_some_and(|spec| {
            let digest = spec.digest().to_hex();
            let now = if entry.life.pid.is_some() { entry.digest.clone() } else { entry.spec.digest().to_hex() };
            digest == now
        })
    };
    let own = inner.entries.iter().filter(|(key, entry)| **key == entry.spec.name);
    own.filter(|(_, entry)| !stays(entry)).map(|(key, _)| key.clone()).collect()
}

/// Whether a service can move while it runs.
fn may_overlap(core: &Core, target: &Services, name: &PartName) -> bool {
    let inner = core.inner.borrow();
    let pair = inner.entries.get(name).zip(target.services.iter().find(|spec| spec.name == *name));
    pair.is_some_and(|(entry, spec)| entry.spec.may_be_followed_by(spec)) && inner.may_overlap(name)
}

async fn attempt(core: &Rc<Core>, journal: &Journal, target: Services) -> Result<(), Failure> {
    let is_wanted = |spec: &&Arc<ServiceSpec>| !spec.manual || core.inner.borrow().desired.contains(&spec.name);
    let all: BTreeSet<PartName> = target.services.iter().filter(is_wanted).map(|spec| spec.name.clone()).collect();
    let promises = target.promises.clone();
    checkpoint::pass("trial-before-stop");
    settle_into(core, target).await;
    checkpoint::pass("trial-after-stop");
    ops::bring_up(core, &all).await?;
    reload::all(core, &all).await?;
    overlap::retire_all(core).await;
    checkpoint::pass("trial-after-start");
    let journal = Journal { phase: Phase::Promises, ..journal.clone() };
    journal.write(&core.layout).map_err(|error| Failure::from(unwritten(&core.layout.switch(), &error)))?;
    set_journal(core, Some(journal));
    checkpoint::pass("promises-before");
    for promise in &promises {
        if let Err(reason) = probe::promise(core, promise).await {
            return Err(Failure { reason, last_lines: core.last_lines(&promise.part) });
        }
        core.say(&SwitchEvent::Note { text: format!("{}: holds", promise.name) });
    }
    // What came up may have fallen again meanwhile.
    match all.iter().find_map(|name| core.inner.borrow().lost(name)) {
        None => Ok(()),
        Some((name, reason)) => {
            Err(Failure { reason: format!("{name}: {reason}"), last_lines: core.last_lines(&name) })
        }
    }
}

/// Stops what does not belong into `target`, and makes its specs the active ones. Unchanged services are not touched.
pub(super) async fn settle_into(core: &Rc<Core>, target: Services) {
    overlap::settle(core, &target).await;
    let (beside, moving): (BTreeSet<_>, BTreeSet<_>) =
        moving(core, &target).into_iter().partition(|name| may_overlap(core, &target, name));
    ops::bring_down(core, &moving).await;
    for name in beside {
        if let Err(failure) = overlap::set_aside(core, &name) {
            history::append(&core.layout, Some(&name), "replace", &failure.reason);
            ops::bring_down(core, &BTreeSet::from([name])).await;
        }
    }
    {
        let mut inner = core.inner.borrow_mut();
        let inner = &mut *inner;
        // Checked when it was read.
        inner.order = order::sorted(&target).unwrap_or_default();
        inner.entries.retain(|_, entry| {
            let stays = inner.order.contains(&entry.spec.name);
            if !stays {
                let _ = core.keeper.send(Request::Forget { service: entry.child.to_string(), is_gone: true });
            }
            stays
        });
        for spec in &target.services {
            let entry = inner.entries.entry(spec.name.clone()).or_insert_with(|| Entry::new(spec.clone()));
            if let Some(pump) = &entry.pump {
                pump.set_policy(spec.log.clone());
            }
            entry.spec = spec.clone();
        }
        inner.services = target;
    }
    core.release_former();
    core.changed.notify_waiters();
}

/// Why a file of the switch could not be written, and what to do.
fn unwritten(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("there is no room left to write {path}: free some space and run the same command again")
        }
        _ => format!("{path} cannot be written: {error}"),
    }
}

fn commit(core: &Rc<Core>, to: u32) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::from(format!("generation {to} cannot be made the current one: {error}"));
    generation::commit(&core.layout, to).map_err(failed)?;
    finish(core, to);
    Ok(())
}

/// What follows the rename: it is done, whatever happens here.
pub(super) fn finish(core: &Rc<Core>, to: u32) {
    {
        let mut inner = core.inner.borrow_mut();
        let inner = &mut *inner;
        inner.generation = Some(to);
        // Somebody may have stopped a service meanwhile.
        let is_manual = |name: &PartName| inner.entries.get(name).is_some_and(|entry| entry.spec.manual);
        let wanted = inner.order.iter().filter(|name| !is_manual(name) || inner.desired.contains(*name));
        inner.desired = wanted.cloned().collect();
    }
    core.save_desired();
    for result in [generation::Status::Committed.write(&core.layout, to), Journal::remove(&core.layout)] {
        if let Err(error) = result {
            history::append(&core.layout, None, "commit", &format!("generation {to} is current; but: {error}"));
        }
    }
    history::append(&core.layout, None, "commit", &format!("generation {to}"));
    set_journal(core, None);
}

/// Brings services back to what they were, and says why. A problem of writing that down may have come before.
pub(super) async fn back_out(
    core: &Rc<Core>,
    journal: Journal,
    former: Services,
    reason: &str,
    problem: Option<io::Error>,
) {
    let (from, to) = (journal.from, journal.to);
    let journal = Journal { phase: Phase::Back, ..journal };
    let problem = problem.or(journal.write(&core.layout).err());
    history::append(&core.layout, None, "back", &format!("from generation {to}: {reason}"));
    core.say(&SwitchEvent::Note {
        text: match from {
            Some(from) => format!("going back to generation {from}: {reason}"),
            None => format!("stopping what was started: {reason}"),
        },
    });
    set_journal(core, Some(journal.clone()));
    let former = if from.is_none() { no_services() } else { former };
    settle_into(core, former.clone()).await;
    undo::migrations(core, &journal, &former).await;
    reload::back(core).await;
    let wanted: BTreeSet<PartName> = {
        let inner = core.inner.borrow();
        let is_wanted = |name: &&PartName| inner.desired.contains(*name) && !inner.is_ending;
        inner.order.iter().filter(is_wanted).cloned().collect()
    };
    if let Err(failure) = ops::bring_up(core, &wanted).await {
        history::append(&core.layout, None, "back", &format!("after going back, {}", failure.reason));
    }
    overlap::retire_all(core).await;
    core.inner.borrow_mut().generation = from;
    if let Some(error) = problem.or(Journal::remove(&core.layout).err()) {
        history::append(&core.layout, None, "back", &format!("the way back was not written down: {error}"));
    }
    set_journal(core, None);
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::unwritten;

    #[test]
    fn a_full_disk_is_told_as_everywhere_else() {
        let said = |error: rustix::io::Errno| unwritten(Path::new("/p/switch.toml"), &io::Error::from(error));
        let full = "there is no room left to write /p/switch.toml: free some space and run the same command again";
        assert_eq!((said(rustix::io::Errno::NOSPC).as_str(), said(rustix::io::Errno::DQUOT).as_str()), (full, full));
        assert!(said(rustix::io::Errno::ACCESS).starts_with("/p/switch.toml cannot be written: Permission denied"));
    }
}
