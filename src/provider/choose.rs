//! The policy: which provider serves a part.
//!
//! A part may force one. Else the lock decides, then what was chosen for the prefix before; else the first in order that can be
//! reached, which then serves the whole prefix. What is locked or was chosen and cannot be reached is an error, never a reason
//! to take another: data of a database follows the build that wrote it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The providers that have nearly everything: of these, one serves the whole prefix, so that its programs share their libraries
/// and a database meets the client it was built with. The others serve the parts that name them.
const OF_PREFIX: [&str; 2] = ["conda", "deb"];

/// A provider that a part offers, and whether it can be reached: asked only if it matters.
pub struct Candidate<'a> {
    /// Its word.
    pub name: &'static str,
    /// Asks it.
    pub reach: Box<dyn Fn() -> Result<String, String> + 'a>,
}

/// Why a part has a provider that it asks for itself.
pub const FORCED: &str = "the part asks for it";

/// What was chosen, and why: kept in the state of a prefix, and what `explain` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// The provider's word.
    pub provider: String,
    /// Why this one.
    pub reason: String,
    /// Those before it in the order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Passed>,
}

/// A provider that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passed {
    /// Its word.
    pub provider: String,
    /// Why not.
    pub why: String,
}

/// A choice for a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What was chosen, and why.
    pub chosen: Chosen,
    /// Whether it was decided now; else the lock or the prefix had it.
    pub is_decided: bool,
    /// Whether it is the prefix's from now on.
    pub is_new: bool,
}

/// Nothing serves a part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoProvider {
    /// It asks for a provider for which it says no packages.
    #[error("it asks for the provider `{wanted}`, but says nothing to take from there: give it `{wanted} = …`, or one of {}", list(.offered))]
    NotOffered {
        /// The provider asked for.
        wanted: String,
        /// Those for which it says packages.
        offered: Vec<String>,
    },
    /// It says no packages at all.
    #[error("it says nothing to install: give it `conda`, `deb`, `archive`, `git`, `source` or `host`")]
    Nothing,
    /// The policy names none of its providers.
    #[error("`[sources] order` names none of what it offers ({}): add one there, or force it with `provider`", list(.offered))]
    NotInOrder {
        /// Those for which it says packages.
        offered: Vec<String>,
    },
    /// None can be reached.
    #[error("no provider can be reached:{}", lines(.tried))]
    Unreachable {
        /// Each, and why not.
        tried: Vec<(String, String)>,
    },
}

fn list(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn lines(tried: &[(String, String)]) -> String {
    tried.iter().fold(String::new(), |text, (name, why)| format!("{text}\n    {name}: {why}"))
}

/// What is already decided.
#[derive(Debug, Clone, Default)]
pub struct Decided<'a> {
    /// `provider = "…"` of the part.
    pub forced: Option<&'a str>,
    /// The provider of the part's pins in the lock.
    pub locked: Option<&'a str>,
    /// The provider that was chosen for the prefix.
    pub prefix: Option<&'a str>,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.provider, self.reason)?;
        self.passed.iter().try_for_each(|passed| write!(f, "; not {}: {}", passed.provider, passed.why))
    }
}

/// Chooses among what a part offers. `order` are the words of the policy; offered providers that it does not name are not
/// taken unless they are forced or locked.
///
/// # Errors
/// If the part offers nothing that may be taken, or nothing can be reached.
pub fn choose(offered: &[Candidate<'_>], decided: &Decided<'_>, order: &[String]) -> Result<Choice, NoProvider> {
    let find = |wanted: &str| offered.iter().find(|candidate| candidate.name == wanted);
    if let Some(wanted) = decided.forced {
        let Some(candidate) = find(wanted) else {
            let offered = offered.iter().map(|candidate| candidate.name.to_owned()).collect();
            return Err(NoProvider::NotOffered { wanted: wanted.to_owned(), offered });
        };
        return Ok(Choice { is_decided: true, ..settled(candidate, FORCED) });
    }
    if offered.is_empty() {
        return Err(NoProvider::Nothing);
    }
    if let Some(candidate) = decided.locked.and_then(find) {
        return Ok(settled(candidate, "jove.lock has its pins"));
    }
    if let Some(candidate) = decided.prefix.and_then(find) {
        return Ok(settled(candidate, "chosen for this prefix before"));
    }
    let mut passed: Vec<Passed> = Vec::new();
    for wanted in order {
        let Some(candidate) = find(wanted) else { continue };
        match (candidate.reach)() {
            Ok(found) => {
                let reason = format!("the first in order that can be reached: {found}");
                let is_new = decided.prefix.is_none() && OF_PREFIX.contains(&candidate.name);
                let chosen = Chosen { provider: candidate.name.to_owned(), reason, passed };
                return Ok(Choice { chosen, is_decided: true, is_new });
            }
            Err(why) => passed.push(Passed { provider: wanted.clone(), why }),
        }
    }
    if passed.is_empty() {
        let offered = offered.iter().map(|candidate| candidate.name.to_owned()).collect();
        return Err(NoProvider::NotInOrder { offered });
    }
    Err(NoProvider::Unreachable { tried: passed.into_iter().map(|passed| (passed.provider, passed.why)).collect() })
}

fn settled(candidate: &Candidate<'_>, reason: &str) -> Choice {
    let chosen = Chosen { provider: candidate.name.to_owned(), reason: reason.to_owned(), passed: Vec::new() };
    Choice { chosen, is_decided: false, is_new: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(name: &'static str, answer: Result<&'static str, &'static str>) -> Candidate<'static> {
        Candidate { name, reach: Box::new(move || answer.map(str::to_owned).map_err(str::to_owned)) }
    }

    fn order() -> Vec<String> {
        ["conda", "deb", "host"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_first_in_order_that_answers_serves_the_prefix() {
        let offered = [offer("host", Ok("/usr/bin")), offer("deb", Ok("bookworm")), offer("conda", Err("refused"))];
        let choice = choose(&offered, &Decided::default(), &order()).expect("a choice");
        assert!(choice.is_new);
        insta::assert_snapshot!(choice.chosen, @"deb (the first in order that can be reached: bookworm); not conda: refused");
    }

    #[test]
    fn what_is_decided_is_not_asked_for_again() {
        let offered = [offer("deb", Err("down")), offer("conda", Err("down"))];
        let locked = Decided { locked: Some("deb"), prefix: Some("conda"), ..Decided::default() };
        assert_eq!(choose(&offered, &locked, &order()).expect("a choice").chosen.provider, "deb");
        let prefix = Decided { prefix: Some("conda"), ..Decided::default() };
        let choice = choose(&offered, &prefix, &order()).expect("a choice");
        assert_eq!((choice.chosen.provider.as_str(), choice.is_decided, choice.is_new), ("conda", false, false));
    }

    #[test]
    fn a_part_that_offers_another_than_the_prefixs_is_served_by_order_and_changes_nothing_for_others() {
        let offered = [offer("host", Ok("/usr/bin"))];
        for prefix in [None, Some("deb")] {
            let choice = choose(&offered, &Decided { prefix, ..Decided::default() }, &order()).expect("a choice");
            assert_eq!((choice.chosen.provider.as_str(), choice.is_decided, choice.is_new), ("host", true, false));
        }
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let offered = [offer("deb", Err("no answer in 10 s"))];
        let forced = Decided { forced: Some("conda"), ..Decided::default() };
        insta::assert_snapshot!(choose(&offered, &forced, &order()).expect_err("not offered"), @"it asks for the provider `conda`, but says nothing to take from there: give it `conda = …`, or one of `deb`");
        insta::assert_snapshot!(choose(&offered, &Decided::default(), &order()).expect_err("nobody"), @"
        no provider can be reached:
            deb: no answer in 10 s
        ");
        let other = ["host".to_owned()];
        insta::assert_snapshot!(choose(&offered, &Decided::default(), &other).expect_err("none"), @"`[sources] order` names none of what it offers (`deb`): add one there, or force it with `provider`");
        insta::assert_snapshot!(choose(&[], &Decided::default(), &order()).expect_err("nothing"), @"it says nothing to install: give it `conda`, `deb`, `archive`, `git`, `source` or `host`");
    }
}
