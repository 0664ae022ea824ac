//! The listening sockets that the keeper holds for services: asked for before the first of those that share one starts, given up
//! when none of them is meant to run any more.

use std::collections::BTreeSet;
use std::rc::Rc;

use tokio::sync::{MutexGuard, oneshot};

use super::core::Core;
use super::done;
use super::entry::Entry;
use super::inner::Inner;
use super::ops::{self, Failure};
use crate::keeper::message::Request;
use crate::name::PartName;

/// The one that changes generations or starts services. When it is done, sockets that nobody serves are closed.
pub(super) struct Alone<'a> {
    core: &'a Core,
    _lock: MutexGuard<'a, ()>,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.core.release_idle();
    }
}

impl Core {
    /// Waits until nobody else changes generations or starts services.
    pub(super) async fn alone(&self) -> Alone<'_> {
        Alone { _lock: self.busy.lock().await, core: self }
    }

    /// Has the keeper listen where these services are to be reached.
    pub(super) async fn listen(&self, names: &BTreeSet<PartName>) -> Result<(), Failure> {
        let (running, fresh) = {
            let inner = self.inner.borrow();
            let of = |is_running: bool| -> BTreeSet<String> {
                let entries = names.iter().filter_map(|name| inner.entries.get(name));
                let entries = entries.filter(|entry| entry.life.pid.is_some() == is_running);
                entries.flat_map(|entry| entry.spec.held()).cloned().collect()
            };
            (of(true), of(false))
        };
        // What runs has its sockets; if it got them from another keeper, this one may not have been able to take them back.
        for address in running.difference(&fresh) {
            let problem = self.ask_for(BTreeSet::from([address.clone()])).await;
            let mut inner = self.inner.borrow_mut();
            if problem.is_some() {
                inner.unheld.insert(address.clone())
            } else {
                inner.unheld.remove(address)
            };
        }
        let Some((address, reason)) = self.ask_for(fresh).await else { return Ok(()) };
        let inner = self.inner.borrow();
        let wants_it =
            |name: &&PartName| inner.entries.get(*name).is_some_and(|entry| entry.spec.held().contains(&address));
        let name = names.iter().find(wants_it).map_or("a service", PartName::as_str);
        let holder = ops::holder(&address, &[]);
        let holder = holder.map_or_else(String::new, |holder| format!("; it is held by {holder}"));
        Err(Failure::from(format!(
            "{address}, where `{name}` is to be reached, cannot be listened on: {reason}{holder}"
        )))
    }

    /// Asks the keeper for sockets; gives the address that cannot be had, and why.
    async fn ask_for(&self, addresses: BTreeSet<String>) -> Option<(String, String)> {
        if addresses.is_empty() {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        {
            let mut inner = self.inner.borrow_mut();
            inner.listens.push_back(sender);
            inner.held.extend(addresses.iter().cloned());
        }
        let _ = self.keeper.send(Request::Listen { addresses: addresses.into_iter().collect() });
        answer.await.ok().flatten()
    }

    /// The keeper answered.
    pub(super) fn listening(&self, problem: Option<(String, String)>) {
        if let Some(asked) = self.inner.borrow_mut().listens.pop_front() {
            let _ = asked.send(problem);
        }
    }

    /// Closes the sockets of services that wait for data steps beside which they cannot run, and gives these steps: one may take
    /// long, and whoever calls is to hear at once that nobody is there.
    pub(super) fn refuse(&self, names: &BTreeSet<PartName>) -> BTreeSet<PartName> {
        let (steps, refused) = {
            let mut inner = self.inner.borrow_mut();
            let is_to_run =
                |entry: &Entry| entry.spec.alone && !entry.life.is_up() && !done::is_done(&self.layout, &entry.spec);
            let steps = names.iter().filter(|name| inner.entries.get(*name).is_some_and(is_to_run));
            let steps: BTreeSet<PartName> = steps.cloned().collect();
            inner.refused = inner.to_refuse(names, &steps);
            (steps, inner.refused.clone())
        };
        if refused.is_empty() {
            return BTreeSet::new();
        }
        self.release_all_but(|entry| !entry.life.is_down() || !refused.contains(&entry.spec.name));
        steps
    }

    /// Has the keeper listen again where it was told by [`Core::refuse`] not to, and lets these services start.
    pub(super) async fn refuse_no_more(self: &Rc<Self>) -> Result<(), Failure> {
        let refused = self.inner.borrow().refused.clone();
        self.listen(&refused).await?;
        self.inner.borrow_mut().refused.clear();
        self.let_go();
        self.changed.notify_waiters();
        Ok(())
    }

    /// Closes sockets that no service is meant to serve: whoever calls is refused at once and does not wait for ever.
    pub(super) fn release_idle(&self) {
        self.release_all_but(|entry| !entry.life.is_down());
    }

    /// Closes sockets that are held for no service any more: another may open one there itself.
    pub(super) fn release_former(&self) {
        self.release_all_but(|_| true);
    }

    fn release_all_but(&self, serves: impl Fn(&Entry) -> bool) {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let served: BTreeSet<&String> =
            inner.entries.values().filter(|entry| serves(entry)).flat_map(|entry| entry.spec.held()).collect();
        let (keep, idle) = inner.held.iter().cloned().partition(|address| served.contains(address));
        drop(served);
        inner.held = keep;
        let addresses: BTreeSet<String> = idle;
        if !addresses.is_empty() {
            let _ = self.keeper.send(Request::Release { addresses: addresses.into_iter().collect() });
        }
    }

    /// The same, unless somebody is about to start services.
    pub(super) fn release_idle_later(self: &Rc<Self>) {
        if self.inner.borrow().held.is_empty() {
            return;
        }
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            if core.busy.try_lock().is_ok() {
                core.release_idle();
            }
        });
    }
}

impl Inner {
    /// The services with held sockets that wait for one of these data steps of their own part.
    fn to_refuse(&self, names: &BTreeSet<PartName>, steps: &BTreeSet<PartName>) -> BTreeSet<PartName> {
        let part = |name: &PartName| self.entries.get(name).map(|entry| &entry.spec.part);
        let parts: BTreeSet<_> = steps.iter().filter_map(part).collect();
        let mut waiting = steps.clone();
        let mut refused = BTreeSet::new();
        for (name, entry) in self.order.iter().filter_map(|name| self.entries.get_key_value(name)) {
            if !entry.spec.needs.iter().any(|need| waiting.contains(&need.service)) {
                continue;
            }
            waiting.insert(name.clone());
            let is_called = entry.life.is_down() && !entry.spec.held().is_empty();
            if is_called && names.contains(name) && parts.contains(&entry.spec.part) {
                refused.insert(name.clone());
            }
        }
        refused
    }
}
