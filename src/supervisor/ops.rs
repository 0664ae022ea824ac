//! Start, stop, restart, reload, and the end of everything.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::core::Core;
use super::inner::Inner;
use super::message::{ALL_STOPPED, SwitchEvent};
use super::{desired, history, overlap, port, reload, schedule};
use crate::keeper::mark;
use crate::keeper::message::Request;
use crate::name::{PartName, nearest};
use crate::service::state::{Event, Phase};
use crate::service::{ServiceSpec, order, signal};

/// A service without a probe that has lived so long is believed to be up: most that cannot run end sooner.
const STEADY: Duration = Duration::from_millis(300);

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The reason, for people.
    pub reason: String,
    /// The last lines of the service that failed.
    pub last_lines: Vec<String>,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { reason, last_lines: Vec::new() }
    }
}

impl From<Result<(), Failure>> for SwitchEvent {
    fn from(result: Result<(), Failure>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(Failure { reason, last_lines }) => Self::Failed { reason, last_lines },
        }
    }
}

/// Starts services and what they need, and waits until each is up.
pub(super) async fn start(core: &Rc<Core>, names: &[PartName]) -> Result<(), Failure> {
    let _busy = core.alone().await;
    refuse_at_the_end(core)?;
    let chosen = {
        let inner = core.inner.borrow();
        let chosen = inner.choose(names)?;
        inner.with_needs(chosen)
    };
    free_ports(core, &chosen, &BTreeSet::new())?;
    core.inner.borrow_mut().desired.extend(chosen.iter().cloned());
    core.save_desired();
    bring_up(core, &chosen).await
}

/// Whoever ends everything would wait for ever for what is started meanwhile.
pub(super) fn refuse_at_the_end(core: &Core) -> Result<(), Failure> {
    if core.inner.borrow().is_ending {
        return Err(Failure::from("everything is being stopped".to_owned()));
    }
    Ok(())
}

/// Refuses if an address that a service is to bind is held by somebody who does not stop.
pub(super) fn free_ports(
    core: &Core,
    chosen: &BTreeSet<PartName>,
    stopping: &BTreeSet<PartName>,
) -> Result<(), Failure> {
    let inner = core.inner.borrow();
    let down = chosen.iter().filter(|name| inner.is_down(name) || stopping.contains(*name));
    let specs: Vec<_> = down.filter_map(|name| Some(inner.entries.get(name)?.spec.clone())).collect();
    drop(inner);
    check_ports(core, specs.iter().map(|spec| (&spec.name, spec.listens.as_slice())), stopping)
}

/// Refuses if one of these addresses is held by a process that is not about to stop.
pub(super) fn check_ports<'a>(
    core: &Core,
    listens: impl Iterator<Item = (&'a PartName, &'a [String])>,
    stopping: &BTreeSet<PartName>,
) -> Result<(), Failure> {
    let inner = core.inner.borrow();
    let mark = |name| mark::of(core.layout.root(), inner.child(name).as_str());
    let mut ours: Vec<u64> = stopping.iter().map(mark).collect();
    for (name, addresses) in listens {
        ours.push(mark(name));
        for address in addresses {
            if let Some(holder) = holder(address, &ours) {
                return Err(Failure::from(format!(
                    "{address}, which `{name}` is to listen on, is held by {holder}; end that, or give `{name}` another port"
                )));
            }
        }
        ours.pop();
    }
    Ok(())
}

/// Who holds an address, other than the keeper and processes of these marks.
pub(super) fn holder(address: &str, marks: &[u64]) -> Option<String> {
    let keeper = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    port::holder(address, marks, keeper)
}

/// Asks for services and waits until each is up or one is lost.
pub(super) async fn bring_up(core: &Rc<Core>, names: &BTreeSet<PartName>) -> Result<(), Failure> {
    let (order, fresh) = {
        let inner = core.inner.borrow();
        (inner.order.clone(), names.iter().filter(|name| !inner.is_up(name)).cloned().collect())
    };
    let failure = |(name, reason): (PartName, String)| Failure {
        reason: format!("{name}: {reason}"),
        last_lines: core.last_lines(&name),
    };
    core.listen(names).await?;
    let steps = core.refuse(names);
    for name in order.iter().filter(|name| names.contains(*name)) {
        core.tell(name, Event::Start);
    }
    if !steps.is_empty() {
        let lost = |inner: &Inner| inner.judge(names).filter(Result::is_err);
        let done = core.until(|inner| lost(inner).or_else(|| inner.judge(&steps))).await;
        // Whatever came of it: what still waits may be started from now on.
        let again = core.refuse_no_more().await;
        done.map_err(failure)?;
        again?;
    }
    loop {
        core.until(|inner| inner.judge(names)).await.map_err(failure)?;
        let Some(rest) = core.until_steady(&fresh) else { return Ok(()) };
        // Whichever comes first: the time is over, or one has fallen.
        let fallen = core.until(|inner| (!matches!(inner.judge(names), Some(Ok(())))).then_some(()));
        let _ = tokio::time::timeout(rest, fallen).await;
    }
}

/// Stops services and waits until nothing of them is left.
pub(super) async fn stop(core: &Rc<Core>, names: &[PartName]) -> Result<(), Failure> {
    let chosen = core.inner.borrow().choose(names)?;
    core.inner.borrow_mut().desired.retain(|name| !chosen.contains(name));
    core.save_desired();
    bring_down(core, &chosen).await;
    schedule::forget(core, &chosen);
    Ok(())
}

/// Stops services, each after those that need it, and waits until nothing of them is left.
pub(super) async fn bring_down(core: &Rc<Core>, names: &BTreeSet<PartName>) {
    let mut told = BTreeSet::new();
    while told.len() < names.len() {
        let next = core.until(|inner| inner.may_stop(names, &told)).await;
        for name in next {
            core.tell(&name, Event::Stop);
            told.insert(name);
        }
    }
    core.until(|inner| names.iter().all(|name| inner.is_down(name)).then_some(())).await;
}

/// Stops and starts services.
pub(super) async fn restart(core: &Rc<Core>, names: &[PartName]) -> Result<(), Failure> {
    let _busy = core.alone().await;
    refuse_at_the_end(core)?;
    let chosen = {
        let inner = core.inner.borrow();
        let chosen = inner.choose(names)?;
        let is_running = |name: &PartName| inner.entries.get(name).is_some_and(|entry| entry.life.is_wanted);
        let chosen = if names.is_empty() { chosen.into_iter().filter(is_running).collect() } else { chosen };
        if chosen.is_empty() && !inner.entries.is_empty() {
            return Err(Failure::from(ALL_STOPPED.to_owned()));
        }
        chosen
    };
    let (beside, rest): (BTreeSet<_>, BTreeSet<_>) =
        chosen.iter().cloned().partition(|name| core.inner.borrow().may_overlap(name));
    let (rolling, together): (BTreeSet<_>, BTreeSet<_>) =
        rest.into_iter().partition(|name| core.inner.borrow().is_instance(name));
    free_ports(core, &chosen, &chosen)?;
    let all = core.inner.borrow().with_needs(chosen);
    core.inner.borrow_mut().desired.extend(all.iter().cloned());
    core.save_desired();
    bring_down(core, &together).await;
    let up = all.iter().filter(|name| !beside.contains(*name) && !rolling.contains(*name)).cloned().collect();
    bring_up(core, &up).await?;
    let order = core.inner.borrow().order.clone();
    for name in order {
        let one = BTreeSet::from([name.clone()]);
        if beside.contains(&name) {
            overlap::replace(core, &name).await?;
        } else if rolling.contains(&name) {
            bring_down(core, &one).await;
            bring_up(core, &one).await?;
        }
    }
    Ok(())
}

/// Tells services to read their configuration again, and waits until each has.
pub(super) async fn reload(core: &Rc<Core>, names: &[PartName]) -> Result<(), Failure> {
    let _busy = core.alone().await;
    let chosen = core.inner.borrow().choose(names)?;
    for name in chosen {
        let can = core.with(&name, |entry| entry.spec.reload.is_some() && entry.life.pid.is_some());
        if can == Some(true) || !names.is_empty() {
            reload::one(core, &name).await?;
        }
    }
    Ok(())
}

/// Sends a signal to services that run; they are not told apart from one that somebody else sent.
pub(super) fn signal(core: &Rc<Core>, names: &[PartName], word: &str) -> Result<(), Failure> {
    let name = word.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let Some(number) = signal::number(name) else {
        return Err(Failure::from(format!("`{word}` is no signal; write one such as HUP, USR1 or TERM")));
    };
    let inner = core.inner.borrow();
    for name in inner.choose(names)? {
        let Some(entry) = inner.entries.get(&name) else { continue };
        if entry.life.pid.is_some() {
            let _ = core.keeper.send(Request::Signal { service: entry.child.to_string(), signal: number });
            history::append(&core.layout, Some(&name), "signal", word);
        } else if !names.is_empty() {
            return Err(Failure::from(format!("{name} does not run")));
        }
    }
    Ok(())
}

/// Stops everything for good; afterwards supervisor and keeper end.
pub(super) async fn shutdown(core: &Rc<Core>) -> Result<(), Failure> {
    {
        let mut inner = core.inner.borrow_mut();
        inner.is_ending = true;
        inner.desired.clear();
    }
    stop_all(core).await;
    // A switch that was under way has gone back by now, and starts nothing more.
    let _busy = core.alone().await;
    stop_all(core).await;
    desired::remove(&core.run);
    history::append(&core.layout, None, "supervisor", "shut down");
    let _ = core.keeper.send(Request::Shutdown);
    core.over.notify_one();
    Ok(())
}

async fn stop_all(core: &Rc<Core>) {
    let all = core.inner.borrow().entries.keys().cloned().collect();
    bring_down(core, &all).await;
}

impl Core {
    /// How long until every service without a probe has run long enough to be believed; `None` if all have.
    fn until_steady(&self, names: &BTreeSet<PartName>) -> Option<Duration> {
        let inner = self.inner.borrow();
        let entries = names.iter().filter_map(|name| inner.entries.get(name));
        let unproven = entries.filter(|entry| entry.life.phase == Phase::Ready && entry.spec.ready.is_none());
        let longest = unproven.map(|entry| STEADY.saturating_sub(self.now().saturating_sub(entry.life.since))).max();
        longest.filter(|rest| !rest.is_zero())
    }
}

impl Inner {
    /// The services that are meant by names of services or parts; all, if there is no name.
    pub(super) fn choose(&self, names: &[PartName]) -> Result<BTreeSet<PartName>, Failure> {
        if names.is_empty() {
            return Ok(self.entries.keys().cloned().collect());
        }
        let mut chosen = BTreeSet::new();
        for name in names {
            let is_meant =
                |spec: &ServiceSpec| spec.name == *name || spec.part == *name || spec.group.as_ref() == Some(name);
            let meant = self.entries.iter().filter(|(_, entry)| is_meant(&entry.spec));
            let before = chosen.len();
            chosen.extend(meant.map(|(key, _)| key.clone()));
            if chosen.len() == before && !chosen.contains(name) {
                let known = self.entries.keys().map(PartName::as_str);
                let hint = nearest(name.as_str(), known).map(|near| format!("; did you mean `{near}`?"));
                let hint = hint.unwrap_or_else(|| "; `jove-install status` lists the services".to_owned());
                return Err(Failure::from(format!("there is no service `{name}`{hint}")));
            }
        }
        Ok(chosen)
    }

    /// The same with all that they need.
    pub(super) fn with_needs(&self, mut names: BTreeSet<PartName>) -> BTreeSet<PartName> {
        let mut open: Vec<PartName> = names.iter().cloned().collect();
        while let Some(name) = open.pop() {
            for need in self.entries.get(&name).into_iter().flat_map(|entry| &entry.spec.needs) {
                if names.insert(need.service.clone()) {
                    open.push(need.service.clone());
                }
            }
        }
        names
    }

    /// Those that are to stop, were not told yet, and that nobody needs who is still to stop.
    fn may_stop(&self, names: &BTreeSet<PartName>, told: &BTreeSet<PartName>) -> Option<Vec<PartName>> {
        let is_free = |name: &&PartName| {
            let dependents = order::dependents(&self.services, name, names);
            !told.contains(*name) && dependents.into_iter().all(|dependent| self.is_down(dependent))
        };
        let free: Vec<PartName> = names.iter().filter(is_free).cloned().collect();
        (!free.is_empty()).then_some(free)
    }
}
