//! Everything that some packages need: the greedy rule, which gives the same set as apt does without recommendations.
//!
//! A dependency that a chosen package fulfils already is done. Else the first alternative that exists is taken; of a name that
//! only others provide, the usual provider and then the one with the shortest name. No solver is needed, since one suite of an
//! archive is consistent in itself.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::index::{Index, Record};
use super::relation::{Wish, wish};
use crate::name::nearest;

/// Packages that only serve the scripts of others, which are never run here, or the machine as a whole. What depends on them
/// works without.
pub const WITHOUT: [&str; 36] = [
    "adduser",
    "base-files",
    "base-passwd",
    "bsdutils",
    "cdebconf",
    "coreutils",
    "dash",
    "debconf",
    "debconf-2.0",
    "debianutils",
    "default-mta",
    "diffutils",
    "dpkg",
    "findutils",
    "init-system-helpers",
    "install-info",
    "libc-bin",
    "locales",
    "login",
    "logrotate",
    "lsb-base",
    "mail-transport-agent",
    "mount",
    "netbase",
    "openssl",
    "passwd",
    "perl",
    "perl-base",
    "procps",
    "psmisc",
    "sed",
    "ssl-cert",
    "systemd",
    "sysvinit-utils",
    "tzdata",
    "ucf",
];

/// Why a set cannot be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClosureError {
    /// No package of that name.
    #[error("there is no package `{name}` in {archives}{}", meant(.near))]
    Unknown {
        /// The name.
        name: String,
        /// Where it was looked for.
        archives: String,
        /// What it may be.
        near: Option<String>,
    },
    /// A need that nothing fulfils.
    #[error("nothing in {archives} fulfils `{need}`:{chain}")]
    Unfulfilled {
        /// The dependency, as written.
        need: String,
        /// Where it was looked for.
        archives: String,
        /// Who needs it, and who needs that, down to what was asked for.
        chain: Chain,
    },
}

fn meant(near: &Option<String>) -> String {
    near.as_ref().map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// Who needs whom, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain(Vec<String>);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, name) in self.0.iter().enumerate() {
            let branch = if depth == 0 { "" } else { "└── needs " };
            write!(f, "\n    {:width$}{branch}{name}", "", width = depth.saturating_sub(1) * 4)?;
        }
        Ok(())
    }
}

/// What is asked of an index.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The packages, each perhaps with a version (`nginx (>= 1.22)`).
    pub packages: &'q [String],
    /// Packages that are left out, with whatever only they need; `*` stands for any letters.
    pub without: &'q [glob::Pattern],
    /// The archives, for errors.
    pub archives: &'q str,
}

/// Closes the set; sorted by name.
///
/// # Errors
/// If a package is unknown, or something that is needed is not there.
pub fn close<'a>(index: &Index<'a>, question: &Question<'_>) -> Result<Vec<Record<'a>>, ClosureError> {
    let mut closing = Closing { index, question, chosen: BTreeMap::new(), queue: VecDeque::new() };
    for text in question.packages {
        let Some(wish) = wish(text) else { continue };
        let found = index.newest(&wish).or_else(|| index.providers(&wish).into_iter().next());
        let Some(record) = found else {
            return Err(closing.unknown(&wish));
        };
        closing.choose(record, None);
    }
    while let Some(name) = closing.queue.pop_front() {
        let Some(record) = closing.chosen.get(name).map(|chosen| chosen.record.clone()) else { continue };
        for group in record.needs() {
            closing.fulfil(&record, &group)?;
        }
    }
    Ok(closing.chosen.into_values().map(|chosen| chosen.record).collect())
}

struct Chosen<'a> {
    record: Record<'a>,
    by: Option<&'a str>,
}

struct Closing<'a, 'q> {
    index: &'q Index<'a>,
    question: &'q Question<'q>,
    chosen: BTreeMap<&'a str, Chosen<'a>>,
    queue: VecDeque<&'a str>,
}

impl<'a> Closing<'a, '_> {
    fn choose(&mut self, record: &Record<'a>, by: Option<&'a str>) {
        if !self.chosen.contains_key(record.name) {
            self.chosen.insert(record.name, Chosen { record: record.clone(), by });
            self.queue.push_back(record.name);
        }
    }

    fn fulfil(&mut self, by: &Record<'a>, group: &[Wish<'a>]) -> Result<(), ClosureError> {
        let is_left_out = |name: &str| self.question.without.iter().any(|pattern| pattern.matches(name));
        if group.iter().any(|wish| is_left_out(wish.name)) || group.iter().any(|wish| self.is_chosen(wish)) {
            return Ok(());
        }
        let found = group.iter().find_map(|wish| {
            self.index.newest(wish).or_else(|| {
                let mut providers = self.index.providers(wish).into_iter();
                providers.find(|record| !is_left_out(record.name))
            })
        });
        let Some(record) = found.cloned() else {
            return Err(self.unfulfilled(by, group));
        };
        self.choose(&record, Some(by.name));
        Ok(())
    }

    /// Whether a chosen package, or what one provides, fulfils it.
    fn is_chosen(&self, wish: &Wish<'a>) -> bool {
        let takes = |record: &Record<'a>| wish.bound.is_none_or(|bound| bound.takes(record.version));
        self.chosen.get(wish.name).is_some_and(|chosen| takes(&chosen.record))
            || self.index.providers(wish).iter().any(|record| self.chosen.contains_key(record.name))
    }

    fn unknown(&self, wish: &Wish<'_>) -> ClosureError {
        ClosureError::Unknown {
            name: wish.to_string(),
            archives: self.question.archives.to_owned(),
            near: nearest(wish.name, self.index.names()).map(str::to_owned),
        }
    }

    fn unfulfilled(&self, by: &Record<'a>, group: &[Wish<'a>]) -> ClosureError {
        let need = group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
        let mut chain = vec![need.clone()];
        let mut here = Some(by.name);
        while let Some(name) = here {
            chain.push(name.to_owned());
            here = self.chosen.get(name).and_then(|chosen| chosen.by);
        }
        chain.reverse();
        ClosureError::Unfulfilled { need, archives: self.question.archives.to_owned(), chain: Chain(chain) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Package: web\nVersion: 1\nDepends: libz (>= 2), adduser, small | large\nFilename: f\n\n\
        Package: libz\nVersion: 2\nPre-Depends: libc\nFilename: f\n\n\
        Package: libc\nVersion: 3\nProvides: libc-api (= 5)\nFilename: f\n\n\
        Package: large\nVersion: 1\nFilename: f\n\n\
        Package: api-user\nVersion: 1\nDepends: libc-api (>= 5)\nFilename: f\n\n\
        Package: broken\nVersion: 1\nDepends: web, missing (>= 2) | gone\nFilename: f\n\n\
        Package: user-of-broken\nVersion: 1\nDepends: broken\nFilename: f\n";

    fn closed(packages: &[&str]) -> Result<Vec<String>, String> {
        let mut index = Index::default();
        index.add(TEXT, 0);
        let packages: Vec<String> = packages.iter().map(ToString::to_string).collect();
        let without: Vec<glob::Pattern> =
            WITHOUT.iter().chain(&["lar*"]).map(|word| glob::Pattern::new(word).expect("a pattern")).collect();
        let question = Question { packages: &packages, without: &without, archives: "bookworm" };
        let closed = close(&index, &question).map_err(|error| error.to_string())?;
        Ok(closed.iter().map(|record| record.name.to_owned()).collect())
    }

    #[test]
    fn a_set_is_closed_without_what_only_scripts_need() {
        assert_eq!(closed(&["web"]).expect("closed"), ["libc", "libz", "web"]);
        assert_eq!(closed(&["api-user"]).expect("closed"), ["api-user", "libc"]);
    }

    #[test]
    fn what_is_missing_is_told_with_its_chain() {
        insta::assert_snapshot!(closed(&["user-of-broken"]).expect_err("broken"), @"
        nothing in bookworm fulfils `missing (>= 2) | gone`:
            user-of-broken
            └── needs broken
                └── needs missing (>= 2) | gone
        ");
        insta::assert_snapshot!(closed(&["wep"]).expect_err("unknown"), @"there is no package `wep` in bookworm; did you mean `web`?");
    }
}
