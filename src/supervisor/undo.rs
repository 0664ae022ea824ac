//! The way back of data: where a migration is killed, or the new code does not come up after it, what was there before is loaded
//! again, while nobody serves from it.
//!
//! The migration's own command does it ([`crate::service::ServiceSpec::is_migration`]), as a data step of the former generation.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::core::Core;
use super::message::SwitchEvent;
use super::ops::{self, Failure};
use super::switch::{read_services, settle_into};
use super::{done, history};
use crate::generation::{Journal, Migration, migration};
use crate::name::PartName;
use crate::service::{Kind, ServiceSpec, Services, order};
use crate::text::Text;

/// A migration that is to be undone.
struct Undo {
    /// The step that did it.
    step: Arc<ServiceSpec>,
    /// The step that undoes it.
    back: ServiceSpec,
    /// From this dump.
    dump: String,
}

/// Brings back the data that migrations of the tried generation have changed. The former services are the active ones, those that
/// moved are down; so it is afterwards.
pub(super) async fn migrations(core: &Rc<Core>, journal: &Journal, former: &Services) {
    for undo in found(core, journal, former) {
        let Undo { step, back, dump } = undo;
        core.say(&SwitchEvent::Note { text: format!("{}: the data come back from the dump {dump}", step.part) });
        // First: whoever is killed after the load finds no migration any more that would be undone.
        if let Err(error) = done::undo(&core.layout, &step) {
            let text = format!("that its work is undone could not be recorded, so it is not done again: {error}");
            history::append(&core.layout, Some(&step.name), "back", &text);
        }
        if let Err(Failure { reason, .. }) = run(core, former, back).await {
            let text = format!(
                "the data of `{}` are those of generation {}, for the dump could not be brought back: {reason}; `jove-install load {dump}` does it",
                step.part, journal.to
            );
            history::append(&core.layout, Some(&step.name), "back", &text);
            core.say(&SwitchEvent::Note { text: text.clone() });
            core.inner.borrow_mut().problem = Some(text);
        }
        crate::checkpoint::pass("back-after-load");
    }
}

fn found(core: &Core, journal: &Journal, former: &Services) -> Vec<Undo> {
    let Ok(tried) = read_services(core, journal.to) else { return Vec::new() };
    let steps = tried.services.iter().filter(|spec| spec.is_migration());
    let undo = |step: &Arc<ServiceSpec>| {
        let is_of_this = |last: &Migration| Some(last.from) == journal.from && last.to == journal.to;
        let done = || migration::read(&core.layout, &step.part).ok()?.pop().filter(is_of_this)?.dump;
        // One that was killed may have done anything, and noted nothing.
        let dump = migration::cut_off(&core.layout, &step.part).or_else(done)?;
        Some(Undo { back: way_back(step, &dump, former), step: step.clone(), dump })
    };
    steps.filter_map(undo).collect()
}

/// The step that loads a dump. It needs what the part needs that it is of, and has a key of its own.
fn way_back(step: &ServiceSpec, dump: &str, former: &Services) -> ServiceSpec {
    let mut back = step.clone();
    back.kind = Kind::Step { key: format!("back to {dump}") };
    back.command.insert(2, Text::literal(format!("--back={dump}")));
    let of_part = former.services.iter().filter(|spec| spec.part == step.part).flat_map(|spec| &spec.needs);
    back.needs.extend(of_part.cloned());
    // Neither itself nor what waits for it, nor what only the tried generation has.
    let is_there = |name: &PartName| {
        former.services.iter().any(|spec| spec.name == *name && (spec.part != step.part || spec.name == step.name))
    };
    back.needs.retain(|need| need.service != step.name && is_there(&need.service));
    back.needs.dedup();
    back
}

async fn run(core: &Rc<Core>, former: &Services, back: ServiceSpec) -> Result<(), Failure> {
    let name = back.name.clone();
    let mut with_back = former.clone();
    with_back.services.retain(|spec| spec.name != name);
    with_back.services.push(Arc::new(back));
    order::sorted(&with_back).map_err(|error| Failure::from(error.to_string()))?;
    settle_into(core, with_back).await;
    let names = core.inner.borrow().with_needs(BTreeSet::from([name.clone()]));
    let loaded = ops::bring_up(core, &names).await;
    let unwanted: BTreeSet<PartName> = {
        let inner = core.inner.borrow();
        names.into_iter().filter(|one| *one == name || !inner.desired.contains(one)).collect()
    };
    ops::bring_down(core, &unwanted).await;
    settle_into(core, former.clone()).await;
    loaded
}
