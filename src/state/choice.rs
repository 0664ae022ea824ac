//! Which provider serves what, and why: as it was when it was first decided.

use super::State;
use crate::name::PartName;
use crate::provider::choose::FORCED;
use crate::provider::{Choice, Chosen};

/// Under which name the state remembers the provider of the whole prefix.
pub const PREFIX: &str = "prefix";

impl State {
    /// Notes a choice for a part. What the lock or the prefix had already keeps the reason for which it was taken first.
    pub fn note_choice(&mut self, part: &PartName, choice: Choice) {
        let own = own(part);
        let Choice { chosen, is_decided, is_new } = choice;
        let is_known = |known: &Chosen| known.provider == chosen.provider && known.reason != FORCED;
        if is_new {
            self.choices.remove(&own);
            self.providers.insert(PREFIX.to_owned(), chosen.provider.clone());
            self.choices.insert(PREFIX.to_owned(), chosen);
        } else if is_decided {
            self.choices.insert(own, chosen);
        } else if !self.choices.get(&own).is_some_and(is_known) {
            match self.choices.get(PREFIX).is_some_and(is_known) {
                true => drop(self.choices.remove(&own)),
                false => drop(self.choices.insert(own, chosen)),
            }
        }
    }

    /// Why a part has the provider that it has.
    #[must_use]
    pub fn choice(&self, part: &PartName) -> Option<&Chosen> {
        self.choices.get(&own(part)).or_else(|| self.choices.get(PREFIX))
    }
}

fn own(part: &PartName) -> String {
    format!("parts.{part}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Passed;

    fn choice(provider: &str, reason: &str, is_decided: bool, is_new: bool) -> Choice {
        let chosen = Chosen { provider: provider.into(), reason: reason.into(), passed: Vec::new() };
        Choice { chosen, is_decided, is_new }
    }

    #[test]
    fn the_first_reason_is_kept_as_long_as_it_holds() {
        let (mut state, part): (State, PartName) = (State::default(), "tools".parse().expect("name"));
        let reason = |state: &State| state.choice(&part).map(|chosen| chosen.reason.clone());
        let mut first = choice("deb", "the first", true, true);
        first.chosen.passed.push(Passed { provider: "conda".into(), why: "refused".into() });
        for (choice, expected) in [
            (first, "the first"),
            (choice("deb", "in the lock", false, false), "the first"),
            (choice("host", FORCED, true, false), FORCED),
            // It is no longer asked for, and the lock has it.
            (choice("host", "in the lock", false, false), "in the lock"),
            (choice("deb", "of the prefix", false, false), "the first"),
        ] {
            state.note_choice(&part, choice);
            assert_eq!(reason(&state).as_deref(), Some(expected));
        }
        assert_eq!(state.choices[PREFIX].passed[0].provider, "conda");
        assert_eq!(state.choices.len(), 1, "{:?}", state.choices);
        assert_eq!(state.providers[PREFIX], "deb");
    }
}
