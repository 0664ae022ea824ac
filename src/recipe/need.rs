//! Needs: which services wait for which others.

use std::collections::BTreeMap;

use crate::condition::NeedCondition;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::name::PartName;
use crate::profile::Need as WrittenNeed;
use crate::recipe::evaluate::World;
use crate::recipe::schema::{MAIN, ServiceForm};
use crate::recipe::service::service_name;
use crate::service::{Kind, Need, ServiceSpec};

/// The needs of one part's services on each other: as their recipe says, and each service waits for the part's data steps
/// unless such a step itself waits for it.
pub(super) fn among_own(part: &PartName, forms: &[&ServiceForm], mut made: Vec<ServiceSpec>) -> Vec<ServiceSpec> {
    let by_short: BTreeMap<&str, PartName> =
        forms.iter().map(|form| (form.name.as_deref().unwrap_or(MAIN), service_name(part, form))).collect();
    for spec in &mut made {
        let form = forms.iter().find(|form| service_name(part, form) == spec.name);
        for (short, condition, _) in form.into_iter().flat_map(|form| &form.needs) {
            // A service whose `when` does not hold is not there to wait for.
            if let Some(service) = by_short.get(short.as_str()) {
                spec.needs.push(Need { service: service.clone(), condition: *condition });
            }
        }
    }
    let steps: Vec<PartName> = made.iter().filter(|spec| is_step(spec)).map(|spec| spec.name.clone()).collect();
    for index in 0..made.len() {
        if is_step(&made[index]) {
            continue;
        }
        for step in &steps {
            if !reaches(&made, step, &made[index].name) {
                let need = Need { service: step.clone(), condition: NeedCondition::Succeeded };
                made[index].needs.push(need);
            }
        }
    }
    for spec in &mut made {
        settle(spec);
    }
    made
}

fn is_step(spec: &ServiceSpec) -> bool {
    matches!(spec.kind, Kind::Step { .. })
}

/// Sorted, each once: of several conditions on one service all are kept.
fn settle(spec: &mut ServiceSpec) {
    spec.needs.sort();
    spec.needs.dedup();
}

/// Whether `from` waits, at whatever distance, for `to`.
fn reaches(made: &[ServiceSpec], from: &PartName, to: &PartName) -> bool {
    let mut seen = vec![from];
    let mut next = 0;
    while let Some(name) = seen.get(next).copied() {
        if name == to {
            return true;
        }
        let needs = made.iter().filter(|spec| spec.name == *name).flat_map(|spec| &spec.needs);
        for need in needs {
            if !seen.contains(&&need.service) {
                seen.push(&need.service);
            }
        }
        next += 1;
    }
    false
}

/// What a part's `needs` setting means once all services are known.
pub(super) struct Services<'s> {
    by_part: Vec<&'s [ServiceSpec]>,
    owners: BTreeMap<&'s PartName, usize>,
}

impl<'s> Services<'s> {
    pub(super) fn new(made: &'s [Vec<ServiceSpec>]) -> Self {
        let owners = made.iter().enumerate();
        let owners = owners.flat_map(|(part, specs)| specs.iter().map(move |spec| (&spec.name, part))).collect();
        Self { by_part: made.iter().map(Vec::as_slice).collect(), owners }
    }

    /// Whether a part has nothing that runs.
    fn is_idle(&self, part: usize) -> bool {
        self.by_part[part].is_empty()
    }

    /// Two parts whose services would be called alike (`a` with a service `b-c`, and a part `a-b` with a service `c`).
    pub(super) fn clashes(&self, world: &World<'_>, wrong: &mut Diagnostics) {
        for (part, specs) in self.by_part.iter().enumerate() {
            for spec in *specs {
                let owner = self.owners.get(&spec.name).copied().unwrap_or(part);
                if owner != part {
                    let (one, other) = (&world.parts[part], &world.parts[owner]);
                    let said = format!("parts `{}` and `{}` both have a service `{}`", one.name, other.name, spec.name);
                    let said = Diagnostic::error(said).at(&one.origin, "").at(&other.origin, "");
                    wrong.push(said.hint("rename one of the parts"));
                }
            }
        }
    }

    /// The services that a written need means, and the part that owns them.
    pub(super) fn meant(&self, world: &World<'_>, need: &WrittenNeed) -> Result<(usize, Vec<Need>), Diagnostic> {
        let name = need.part.as_str();
        let Some(&part) = world.index.get(name) else {
            let several = self.by_part.iter().enumerate().find_map(|(owner, specs)| {
                let instances = specs.iter().filter(|spec| spec.group.as_ref() == Some(&need.part));
                let needs = instances.map(|spec| Need { service: spec.name.clone(), condition: need.condition });
                Some((owner, needs.collect::<Vec<_>>())).filter(|(_, needs)| !needs.is_empty())
            });
            if let Some(several) = several {
                return Ok(several);
            }
            if let Some(&owner) = self.owners.get(&need.part) {
                return Ok((owner, vec![Need { service: need.part.clone(), condition: need.condition }]));
            }
            return Err(unknown(world, need));
        };
        let specs = self.by_part[part];
        let is_main = |spec: &&ServiceSpec| spec.group.as_ref().unwrap_or(&spec.name) == &need.part;
        let main: Vec<&ServiceSpec> = specs.iter().filter(is_main).collect();
        // What makes it whole once it runs, as users and databases of a server, belongs to its being ready.
        let completes =
            |spec: &&ServiceSpec| is_step(spec) && main.iter().any(|main| reaches(specs, &spec.name, &main.name));
        let after = specs.iter().filter(|spec| need.condition == NeedCondition::Ready && completes(spec));
        let meant: Vec<&ServiceSpec> =
            if main.is_empty() { specs.iter().collect() } else { main.iter().copied().chain(after).collect() };
        let meant = meant.into_iter().map(|spec| {
            // A step that is over is as ready as it will be.
            let condition = if is_step(spec) { NeedCondition::Succeeded } else { need.condition };
            Need { service: spec.name.clone(), condition }
        });
        Ok((part, meant.collect()))
    }
}

fn unknown(world: &World<'_>, need: &WrittenNeed) -> Diagnostic {
    let name = need.part.as_str();
    match world.definition.parts.get(name) {
        Some(part) if part.is_abstract => {
            let said = format!("part `{name}` is abstract: it exists only to be copied by `like`");
            Diagnostic::error(said).at(&need.origin, "needed here").at(&part.origin, "declared here")
        }
        Some(part) => match &part.off {
            Some(when) => {
                let said = format!("part `{name}` is switched off by its `when`, but is needed");
                Diagnostic::error(said).at(&need.origin, "needed here").at(when, "switched off here")
            }
            None => Diagnostic::error(String::new()),
        },
        None => {
            let said = Diagnostic::error(format!("there is no part called `{name}`")).at(&need.origin, "");
            said.nearest(name, world.names())
        }
    }
}

/// Adds a part's written needs to each of its services. Gives the parts needed, with their places, and warnings.
pub(super) fn add_written(
    world: &World<'_>,
    made: &mut [Vec<ServiceSpec>],
    wrong: &mut Diagnostics,
) -> Vec<Vec<(usize, Origin)>> {
    let mut found = Vec::with_capacity(made.len());
    {
        let services = Services::new(made);
        services.clashes(world, wrong);
        for (part, active) in world.parts.iter().enumerate() {
            let mut mine = Vec::new();
            for need in active.needs {
                match services.meant(world, need) {
                    Ok((owner, _)) if owner == part && need.part == active.name => {
                        let said = format!("part `{}` needs itself", active.name);
                        wrong.push(Diagnostic::error(said).at(&need.origin, ""));
                    }
                    Ok((owner, needs)) => {
                        // A service with a mistake, which was told, is not there either.
                        if needs.is_empty() && !wrong.has_errors() {
                            let said = format!("part `{}` has no service, so needing it orders nothing", need.part);
                            wrong.push(Diagnostic::warning(said).at(&need.origin, ""));
                        }
                        mine.push((owner, need.origin.clone(), needs));
                    }
                    Err(said) if said.message.is_empty() => {}
                    Err(said) => wrong.push(said),
                }
            }
            // What was brought for a part, or serves it by name, is up before it.
            for (linked, origin) in active.links.values().filter(|(linked, _)| !services.is_idle(*linked)) {
                let need = WrittenNeed {
                    part: world.parts[*linked].name.clone(),
                    condition: NeedCondition::Ready,
                    origin: origin.clone(),
                };
                let meant = services.meant(world, &need);
                mine.extend(meant.into_iter().map(|(owner, needs)| (owner, need.origin.clone(), needs)));
            }
            found.push(mine);
        }
    }
    let mut edges = Vec::with_capacity(made.len());
    for (part, mine) in found.into_iter().enumerate() {
        for spec in &mut made[part] {
            for (_, _, needs) in &mine {
                spec.needs.extend(needs.iter().filter(|need| need.service != spec.name).cloned());
            }
            settle(spec);
        }
        edges.push(mine.into_iter().filter(|(owner, ..)| *owner != part).map(|(owner, at, _)| (owner, at)).collect());
    }
    edges
}
