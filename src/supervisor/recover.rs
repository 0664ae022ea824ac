//! What a supervisor does first: sees what runs, takes over what belongs, and ends a switch that another began.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::core::{Core, no_services};
use super::entry::Entry;
use super::message::SwitchEvent;
use super::{history, ops, overlap, reload, spawn, switch};
use crate::generation::{self, Journal};
use crate::keeper::fifo;
use crate::keeper::message::{ChildRecord, Request};
use crate::name::PartName;
use crate::service::state::Event;
use crate::service::{ServiceSpec, Services, order};

/// What was found.
pub(super) struct Found {
    /// The services of the committed generation.
    former: Services,
    /// The journal of a switch that another supervisor began.
    journal: Option<Journal>,
}

/// Takes over what runs. Nothing is started or stopped yet.
pub(super) fn take_over(core: &Rc<Core>, children: Vec<ChildRecord>) -> Found {
    let mut problems = Vec::new();
    let journal = Journal::read(&core.layout).unwrap_or_else(|error| {
        problems.push(error.to_string());
        None
    });
    let current = generation::current(&core.layout);
    let mut read = |number: Option<u32>| {
        number.map_or_else(no_services, |number| {
            switch::read_services(core, number).unwrap_or_else(|error| {
                problems.push(error);
                no_services()
            })
        })
    };
    let former = read(current);
    let tried = read(journal.as_ref().map(|journal| journal.to).filter(|to| Some(*to) != current));
    {
        let mut inner = core.inner.borrow_mut();
        inner.generation = current;
        inner.journal.clone_from(&journal);
        inner.order = order::sorted(&former).unwrap_or_default();
        inner.entries = former.services.iter().map(|spec| (spec.name.clone(), Entry::new(spec.clone()))).collect();
        inner.services = former.clone();
        if !problems.is_empty() {
            inner.problem = Some(problems.join("; "));
        }
    }
    // What the keeper holds was held for one of these.
    let held = former.services.iter().chain(&tried.services).flat_map(|spec| spec.held().to_vec());
    core.inner.borrow_mut().held.extend(held);
    let mut children = children;
    // Of two processes of one service the one is the service that belongs to what is committed, else that is ready, else the newer.
    children.sort_by_key(|child| {
        let name = child.service.parse().ok().map(|name| overlap::service_of(&name));
        let spec = former.services.iter().find(|spec| Some(&spec.name) == name.as_ref());
        let belongs = spec.is_some_and(|spec| spec.digest().to_hex() == child.note.digest);
        std::cmp::Reverse((child.exit.is_none(), belongs, child.note.ready, child.since))
    });
    for child in children {
        adopt(core, child, &former, &tried);
    }
    forget_others(core);
    Found { former, journal }
}

/// The keeper forgets what it has of services that were dropped while nothing ran.
fn forget_others(core: &Rc<Core>) {
    let inner = core.inner.borrow();
    let known: BTreeSet<&str> = inner.entries.values().map(|entry| entry.child.as_str()).collect();
    for service in fifo::services(&core.run).into_iter().filter(|service| !known.contains(service.as_str())) {
        let _ = core.keeper.send(Request::Forget { service, is_gone: true });
    }
}

fn adopt(core: &Rc<Core>, child: ChildRecord, former: &Services, tried: &Services) {
    let Ok(own) = child.service.parse::<PartName>() else { return };
    let mut name = overlap::service_of(&own);
    let named = |services: &Services| services.services.iter().find(|spec| spec.name == name).cloned();
    let candidates = [named(former), named(tried)];
    let is_it = |spec: &ServiceSpec| spec.digest().to_hex() == child.note.digest;
    let exact = candidates.iter().flatten().find(|spec| is_it(spec)).cloned();
    // One that nobody knows any more is stopped in the usual way.
    let spec = exact
        .or_else(|| candidates.into_iter().flatten().next())
        .unwrap_or_else(|| Arc::new(ServiceSpec::bare(name.clone())));
    {
        let mut inner = core.inner.borrow_mut();
        let mut entry = Entry::new(spec);
        entry.child = own;
        let first = inner.entries.get(&name).filter(|first| first.life.pid.is_some());
        if let Some(first) = first {
            entry.pump = first.pump.as_ref().and_then(|pump| pump.beside(&core.run, &entry.child).ok());
            entry.quiet();
            name = overlap::elder(&name);
        }
        entry.digest.clone_from(&child.note.digest);
        entry.reload_digest.clone_from(&child.note.reload_digest);
        entry.log_from = child.note.log_from;
        if let Err(error) = spawn::start_pump(core, &mut entry) {
            history::append(&core.layout, Some(&name), "adopt", &format!("its output cannot be read: {error}"));
        }
        inner.entries.insert(name.clone(), entry);
    }
    if child.exit.is_none() {
        history::append(&core.layout, Some(&name), "adopt", &format!("pid {} goes on", child.pid));
    }
    let (is_ready, restarts) = (child.note.ready, child.note.restarts);
    core.tell(&name, Event::Adopted { pid: child.pid, is_ready, restarts });
    core.noted(&child.service, &child.said);
    match (child.exit, jiff::Timestamp::from_millisecond(child.since.cast_signed())) {
        (Some(exit), _) => core.tell(&name, Event::Exited(exit)),
        // Not since it was taken over, which is our matter only.
        (None, Ok(since)) => drop(core.with(&name, |entry| entry.since = since.to_string())),
        (None, Err(_)) => {}
    }
}

/// Ends a switch that another began, and starts what is meant to run.
pub(super) async fn settle(core: &Rc<Core>, found: Found) {
    let _busy = core.alone().await;
    let Found { former, journal } = found;
    overlap::retire_all(core).await;
    if let Some(journal) = journal {
        if generation::current(&core.layout) != Some(journal.to) {
            // The generation is not to blame for that: it may be tried again.
            let reason = "the supervisor was killed during the switch";
            return switch::back_out(core, journal, former, reason, None).await;
        }
        switch::finish(core, journal.to);
        let text = format!("generation {} was committed before the supervisor was killed", journal.to);
        core.say(&SwitchEvent::Note { text });
    }
    switch::settle_into(core, former).await;
    reload::back(core).await;
    // One that could not be read: what it spoke of is settled now.
    if let Err(error) = Journal::remove(&core.layout) {
        history::append(&core.layout, None, "supervisor", &format!("switch.toml cannot be removed: {error}"));
    }
    let (wanted, others): (BTreeSet<PartName>, BTreeSet<PartName>) = {
        let inner = core.inner.borrow();
        inner.order.iter().cloned().partition(|name| inner.desired.contains(name))
    };
    ops::bring_down(core, &others).await;
    if let Err(failure) = ops::bring_up(core, &wanted).await {
        history::append(&core.layout, None, "supervisor", &failure.reason);
    }
    overlap::retire_all(core).await;
}
