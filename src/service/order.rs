//! The order in which services start and stop, from what they need of each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::life::{Life, Phase};
use super::{Need, ServiceSpec, Services};
use crate::condition::NeedCondition;
use crate::name::PartName;

/// Why services cannot be put in order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Services need each other.
    #[error("these services wait for each other, so that none can start: {}", path(.0))]
    Cycle(Vec<PartName>),
    /// Two services have one name.
    #[error("two services are called `{0}`")]
    Double(PartName),
    /// A service needs one that is not there.
    #[error("`{service}` needs `{needed}`, which is no service of this generation")]
    Unknown {
        /// The one that needs.
        service: PartName,
        /// What it needs.
        needed: PartName,
    },
}

fn path(names: &[PartName]) -> String {
    names.iter().map(PartName::as_str).collect::<Vec<_>>().join(" → ")
}

/// The names, each after those that it needs; otherwise as they are given.
///
/// # Errors
/// If there is no such order.
pub fn sorted(services: &Services) -> Result<Vec<PartName>, OrderError> {
    let mut specs = BTreeMap::new();
    for spec in &services.services {
        if specs.insert(&spec.name, spec.as_ref()).is_some() {
            return Err(OrderError::Double(spec.name.clone()));
        }
    }
    let mut order = Vec::new();
    let mut done = BTreeSet::new();
    for spec in &services.services {
        visit(spec, &specs, &mut Vec::new(), &mut done, &mut order)?;
    }
    Ok(order)
}

fn visit<'a>(
    spec: &'a ServiceSpec,
    specs: &BTreeMap<&'a PartName, &'a ServiceSpec>,
    above: &mut Vec<&'a PartName>,
    done: &mut BTreeSet<&'a PartName>,
    order: &mut Vec<PartName>,
) -> Result<(), OrderError> {
    if done.contains(&spec.name) {
        return Ok(());
    }
    if let Some(start) = above.iter().position(|name| **name == spec.name) {
        let cycle = above[start..].iter().copied().chain([&spec.name]);
        return Err(OrderError::Cycle(cycle.cloned().collect()));
    }
    above.push(&spec.name);
    for need in &spec.needs {
        let Some(needed) = specs.get(&need.service) else {
            return Err(OrderError::Unknown { service: spec.name.clone(), needed: need.service.clone() });
        };
        visit(needed, specs, above, done, order)?;
    }
    above.pop();
    done.insert(&spec.name);
    order.push(spec.name.clone());
    Ok(())
}

/// How far a service is, as far as others that need it care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It does not run.
    Down,
    /// Its process runs.
    Started,
    /// It is ready.
    Ready,
    /// It ended well.
    Succeeded,
}

impl Standing {
    /// How far it is by its life.
    #[must_use]
    pub const fn of(spec: &ServiceSpec, life: &Life) -> Self {
        if spec.kind.schedule().is_some() {
            // Between two runs it is as ready as it can be.
            return if life.is_wanted { Self::Ready } else { Self::Down };
        }
        match life.phase {
            Phase::Done => Self::Succeeded,
            Phase::Ready => Self::Ready,
            Phase::Starting => Self::Started,
            Phase::Backoff
            | Phase::Clearing(_)
            | Phase::Failed
            | Phase::Spawning
            | Phase::Stopped
            | Phase::Stopping(_)
            | Phase::Waiting => Self::Down,
        }
    }
}

/// The first need that is not met yet.
pub fn unmet(spec: &ServiceSpec, standing: impl Fn(&PartName) -> Standing) -> Option<&Need> {
    spec.needs.iter().find(|need| {
        let least = match need.condition {
            NeedCondition::Started => Standing::Started,
            NeedCondition::Ready => Standing::Ready,
            NeedCondition::Succeeded => Standing::Succeeded,
        };
        standing(&need.service) < least
    })
}

/// Which of `names` need `service`: they are stopped before it.
#[must_use]
pub fn dependents<'a>(services: &'a Services, service: &PartName, names: &BTreeSet<PartName>) -> Vec<&'a PartName> {
    let needs_it = |spec: &&Arc<ServiceSpec>| spec.needs.iter().any(|need| need.service == *service);
    services.services.iter().filter(|spec| names.contains(&spec.name)).filter(needs_it).map(|spec| &spec.name).collect()
}

#[cfg(test)]
mod wild;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{OrderError, Standing, dependents, sorted, unmet};
    use crate::condition::NeedCondition;
    use crate::service::testing::spec;
    use crate::service::{Need, ServiceSpec, Services};

    fn needing(name: &str, needs: &[(&str, NeedCondition)]) -> ServiceSpec {
        let need = |(service, condition): &(&str, NeedCondition)| Need {
            service: service.parse().expect("name"),
            condition: *condition,
        };
        ServiceSpec { needs: needs.iter().map(need).collect(), ..spec(name) }
    }

    fn services(services: Vec<ServiceSpec>) -> Services {
        let services = services.into_iter().map(Arc::new).collect();
        Services { format: 1, generation: 1, services, promises: Vec::new(), data: Vec::new() }
    }

    #[test]
    fn what_is_needed_comes_first() {
        use NeedCondition::{Ready, Started};
        let all = services(vec![
            needing("web", &[("app", Ready), ("db", Started)]),
            needing("app", &[("db", Ready)]),
            spec("db"),
        ]);
        let order: Vec<String> = sorted(&all).expect("order").iter().map(ToString::to_string).collect();
        assert_eq!(order, ["db", "app", "web"]);
        let names = ["web", "db"].map(|name| name.parse().expect("name")).into();
        assert_eq!(dependents(&all, &"db".parse().expect("name"), &names), [&"web".parse().expect("name")]);
    }

    #[test]
    fn cycles_and_unknown_names_are_named() {
        use NeedCondition::Ready;
        let cycle = services(vec![needing("a", &[("b", Ready)]), needing("b", &[("a", Ready)])]);
        insta::assert_snapshot!(sorted(&cycle).expect_err("cycle"), @"these services wait for each other, so that none can start: a → b → a");
        let unknown = services(vec![needing("a", &[("x", Ready)])]);
        assert!(matches!(sorted(&unknown), Err(OrderError::Unknown { .. })));
    }

    #[test]
    fn each_condition_asks_for_its_standing() {
        use NeedCondition::{Ready, Started, Succeeded};
        for (condition, least) in
            [(Started, Standing::Started), (Ready, Standing::Ready), (Succeeded, Standing::Succeeded)]
        {
            let spec = needing("a", &[("b", condition)]);
            for standing in [Standing::Down, Standing::Started, Standing::Ready, Standing::Succeeded] {
                assert_eq!(unmet(&spec, |_| standing).is_none(), standing >= least, "{condition:?} {standing:?}");
            }
        }
    }
}
