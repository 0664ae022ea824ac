//! Random sites: services that need each other, of which any may fall at any moment. Whoever feeds them does so as the supervisor
//! does: after each event all those are let go that wait for nothing.

use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::{Standing, unmet};
use crate::condition::NeedCondition;
use crate::service::state::{Effect, Event, Life, Moment, Phase, step};
use crate::service::testing::spec;
use crate::service::{Exit, Kind, Need, Probe, ProbeKind, ServiceSpec};

const MOST: usize = 7;

fn name(index: usize) -> String {
    format!("service-{index}")
}

/// A service that may need those before it.
fn any_service(index: usize) -> impl Strategy<Value = ServiceSpec> {
    let conditions =
        prop_oneof![Just(NeedCondition::Started), Just(NeedCondition::Ready), Just(NeedCondition::Succeeded)];
    let need = proptest::option::of(conditions);
    (proptest::collection::vec(need, index), any::<bool>(), any::<bool>()).prop_map(
        move |(needs, is_step, is_probed)| {
            let need = |(needed, condition): (usize, Option<NeedCondition>)| {
                Some(Need { service: name(needed).parse().expect("a name"), condition: condition? })
            };
            ServiceSpec {
                kind: if is_step { Kind::Step { key: "1".into() } } else { Kind::Daemon },
                ready: is_probed.then(|| Probe::new(ProbeKind::Tcp("127.0.0.1:1".into()))),
                needs: needs.into_iter().enumerate().filter_map(need).collect(),
                ..spec(&name(index))
            }
        },
    )
}

fn any_site() -> impl Strategy<Value = Vec<ServiceSpec>> {
    (1..=MOST).prop_flat_map(|count| (0..count).map(any_service).collect::<Vec<_>>()).prop_map(|mut specs| {
        let daemons: Vec<bool> = specs.iter().map(|spec| spec.kind == Kind::Daemon).collect();
        for spec in &mut specs {
            // A daemon never succeeds.
            spec.needs.retain(|need| {
                let needed = (0..daemons.len()).find(|index| name(*index) == need.service.as_str());
                need.condition != NeedCondition::Succeeded || needed.is_some_and(|index| !daemons[index])
            });
        }
        specs
    })
}

/// What befalls one of them.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// Somebody asks.
    Start,
    Stop,
    Restart,
    /// What it is about to do goes well.
    Well,
    /// Its process ends, or cannot be made.
    Fall,
}

fn any_turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        1 => Just(Turn::Start),
        1 => Just(Turn::Stop),
        1 => Just(Turn::Restart),
        8 => Just(Turn::Well),
        2 => Just(Turn::Fall),
    ]
}

struct Site {
    specs: Vec<ServiceSpec>,
    lives: Vec<Life>,
    now: Duration,
}

impl Site {
    fn new(specs: Vec<ServiceSpec>) -> Self {
        let lives = specs.iter().map(|_| Life::default()).collect();
        Self { specs, lives, now: Duration::ZERO }
    }

    /// The first need of a service that is not met, by the number of the one that is needed.
    fn lacks(&self, index: usize) -> Option<usize> {
        let at = |needed: &str| (0..self.specs.len()).find(|index| name(*index) == needed).expect("it is one of them");
        let standing = |needed: &str| Standing::of(&self.specs[at(needed)], &self.lives[at(needed)]);
        unmet(&self.specs[index], |needed| standing(needed.as_str())).map(|need| at(need.service.as_str()))
    }

    fn tell(&mut self, index: usize, event: Event) {
        self.apply(index, event);
        let free = |site: &Self| {
            (0..site.specs.len())
                .find(|index| site.lives[*index].phase == Phase::Waiting && site.lacks(*index).is_none())
        };
        while let Some(next) = free(self) {
            self.apply(next, Event::Go);
        }
    }

    fn apply(&mut self, index: usize, event: Event) {
        self.now += Duration::from_millis(10);
        let (life, effects) =
            step(&self.lives[index], &self.specs[index], event, Moment { now: self.now, chance: 0.5 });
        self.lives[index] = life;
        assert!(!effects.contains(&Effect::Spawn) || self.lacks(index).is_none(), "it starts without what it needs");
    }

    /// What comes next where all goes well; nothing for one that is at rest, or waits for another.
    fn next_of(&self, index: usize) -> Option<Event> {
        let life = &self.lives[index];
        match life.phase {
            Phase::Backoff => Some(Event::Timer(life.serial)),
            Phase::Clearing(_) => Some(Event::Cleared { killed: 0, left: Vec::new() }),
            Phase::Spawning => Some(Event::Spawned(7)),
            Phase::Starting if self.specs[index].kind == Kind::Daemon => Some(Event::Answered(life.serial)),
            Phase::Starting | Phase::Stopping(_) => Some(Event::Exited(Exit::Code(0))),
            Phase::Done | Phase::Failed | Phase::Ready | Phase::Stopped | Phase::Waiting => None,
        }
    }

    fn take(&mut self, index: usize, turn: Turn) {
        let event = match turn {
            Turn::Start => Some(Event::Start),
            Turn::Stop => Some(Event::Stop),
            Turn::Restart => Some(Event::Restart),
            Turn::Well => self.next_of(index),
            Turn::Fall if self.lives[index].pid.is_some() => Some(Event::Exited(Exit::Signal(9))),
            Turn::Fall if self.lives[index].phase == Phase::Spawning => Some(Event::SpawnFailed("no".into())),
            Turn::Fall => None,
        };
        if let Some(event) = event {
            self.tell(index, event);
        }
    }

    /// Lets all go well until everything is at rest, which comes soon.
    fn settle(&mut self) {
        for _ in 0..20 * MOST {
            let Some((index, event)) = (0..self.specs.len()).find_map(|index| Some((index, self.next_of(index)?)))
            else {
                return;
            };
            self.tell(index, event);
        }
        panic!("it comes to no rest: {:?}", self.lives)
    }
}

proptest! {
    #[test]
    fn a_site_keeps_its_order_and_comes_up(
        specs in any_site(),
        turns in proptest::collection::vec((0..MOST, any_turn()), 0..150),
    ) {
        let mut site = Site::new(specs);
        let count = site.specs.len();
        for index in 0..count {
            site.tell(index, Event::Start);
        }
        for (index, turn) in turns {
            site.take(index % count, turn);
        }
        // Whoever waits lacks something, and says what.
        for index in (0..count).filter(|index| site.lives[*index].phase == Phase::Waiting) {
            assert!(site.lacks(index).is_some());
        }
        site.settle();
        // Whatever is not up now was stopped, has failed, or needs such a one.
        for index in 0..count {
            let life = &site.lives[index];
            assert!(
                matches!(life.phase, Phase::Done | Phase::Failed | Phase::Ready | Phase::Stopped)
                    || site.lacks(index).is_some_and(|needed| !site.lives[needed].is_up()),
                "{life:?}"
            );
        }
        for index in 0..count {
            site.tell(index, Event::Start);
        }
        site.settle();
        for (life, spec) in site.lives.iter().zip(&site.specs) {
            assert!(life.is_up(), "{} is {:?}", spec.name, life.phase);
        }
        for index in 0..count {
            site.tell(index, Event::Stop);
        }
        site.settle();
        assert!(site.lives.iter().all(|life| life.phase == Phase::Stopped && life.pid.is_none()));
    }
}
