//! The packages of some suites, to be looked up by name. Borrows from the texts of the `Packages` files.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::control::paragraphs;
use super::relation::{Wish, relations};
use super::version::compare;
use crate::digest::Sha256;

/// One package at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// What must be there with it.
    pub depends: &'a str,
    /// What must be there before it; the same to us, who run none of its scripts.
    pub pre_depends: &'a str,
    /// Other names under which it counts.
    pub provides: &'a str,
    /// Which of several is usual: `required` first, `extra` last.
    pub priority: &'a str,
    /// Its file, relative to the archive.
    pub filename: &'a str,
    /// The file's bytes.
    pub size: Option<u64>,
    /// The file's digest, in hexadecimal.
    pub sha256: &'a str,
    /// Which of the archives has it.
    pub archive: usize,
}

impl<'a> Record<'a> {
    /// Everything that it needs.
    pub fn needs(&self) -> impl Iterator<Item = Vec<Wish<'a>>> + use<'a> {
        relations(self.pre_depends).chain(relations(self.depends))
    }

    /// The file's digest.
    #[must_use]
    pub fn digest(&self) -> Option<Sha256> {
        self.sha256.parse().ok()
    }

    /// The file's own name. An epoch is written as it is in the archive (`%3a`).
    #[must_use]
    pub fn file(&self) -> &'a str {
        self.filename.rsplit('/').next().unwrap_or(self.filename)
    }

    fn rank(&self) -> usize {
        const RANKS: [&str; 5] = ["required", "important", "standard", "optional", "extra"];
        RANKS.iter().position(|rank| *rank == self.priority).unwrap_or(RANKS.len())
    }
}

/// All packages, by name.
#[derive(Debug, Default)]
pub struct Index<'a> {
    records: Vec<Record<'a>>,
    by_name: HashMap<&'a str, Vec<u32>>,
    by_provided: HashMap<&'a str, Vec<(u32, Option<&'a str>)>>,
}

impl<'a> Index<'a> {
    /// Adds a `Packages` file of an archive.
    pub fn add(&mut self, text: &'a str, archive: usize) {
        for paragraph in paragraphs(text) {
            let mut record = Record {
                name: "",
                version: "",
                depends: "",
                pre_depends: "",
                provides: "",
                priority: "",
                filename: "",
                size: None,
                sha256: "",
                archive,
            };
            for (field, value) in paragraph.fields() {
                match field {
                    "Package" => record.name = value,
                    "Version" => record.version = value,
                    "Depends" => record.depends = value,
                    "Pre-Depends" => record.pre_depends = value,
                    "Provides" => record.provides = value,
                    "Priority" => record.priority = value,
                    "Filename" => record.filename = value,
                    "Size" => record.size = value.parse().ok(),
                    "SHA256" => record.sha256 = value,
                    _ => {}
                }
            }
            if !record.name.is_empty() && !record.filename.is_empty() {
                self.insert(record);
            }
        }
    }

    fn insert(&mut self, record: Record<'a>) {
        let Ok(number) = u32::try_from(self.records.len()) else { return };
        self.by_name.entry(record.name).or_default().push(number);
        for provided in relations(record.provides).flatten() {
            let version = provided.bound.map(|bound| bound.version());
            self.by_provided.entry(provided.name).or_default().push((number, version));
        }
        self.records.push(record);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All names, for telling the nearest.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.by_name.keys().copied()
    }

    /// The newest version of a package that a wish takes.
    #[must_use]
    pub fn newest(&self, wish: &Wish<'_>) -> Option<&Record<'a>> {
        let versions = self.by_name.get(wish.name)?.iter().map(|number| &self.records[*number as usize]);
        let fitting = versions.filter(|record| wish.bound.is_none_or(|bound| bound.takes(record.version)));
        // Of equal versions the archive that was named first counts, as for apt.
        fitting.fold(None, |best: Option<&Record<'a>>, record| match best {
            Some(best) if compare(record.version, best.version) != Ordering::Greater => Some(best),
            _ => Some(record),
        })
    }

    /// The packages that count as another, the best first: each only in its newest version.
    #[must_use]
    pub fn providers(&self, wish: &Wish<'_>) -> Vec<&Record<'a>> {
        let Some(providers) = self.by_provided.get(wish.name) else { return Vec::new() };
        let fits = |version: &Option<&str>| match (wish.bound, version) {
            (None, _) => true,
            (Some(bound), Some(version)) => bound.takes(version),
            // Without a version it fulfils no wish for one.
            (Some(_), None) => false,
        };
        let fitting = providers.iter().filter(|(_, version)| fits(version));
        let mut found: Vec<&Record<'a>> = fitting.map(|(number, _)| &self.records[*number as usize]).collect();
        let is_newest = |record: &&Record<'a>| {
            self.newest(&Wish { name: record.name, bound: None }).is_some_and(|newest| newest.version == record.version)
        };
        found.retain(is_newest);
        found.sort_by_key(|record| (record.rank(), record.name.len(), record.name));
        found.dedup_by_key(|record| record.name);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::deb::relation::wish;

    const TEXT: &str = "Package: a\nVersion: 1\nFilename: pool/a_1.deb\n\nPackage: a\nVersion: 2\nFilename: pool/a_2.deb\n\n\
        Package: mta-long\nVersion: 1\nProvides: mta, api (= 3)\nPriority: optional\nFilename: f\n\n\
        Package: mta-b\nVersion: 1\nProvides: mta\nPriority: optional\nFilename: f\n\n\
        Package: mta-usual\nVersion: 1\nProvides: mta\nPriority: standard\nFilename: f\n";

    fn index() -> Index<'static> {
        let mut index = Index::default();
        index.add(TEXT, 0);
        index
    }

    #[test]
    fn the_newest_fitting_version_counts() {
        let index = index();
        let of = |text: &str| index.newest(&wish(text).expect("a wish")).map(|record| record.version);
        assert_eq!((of("a"), of("a (<< 2)"), of("a (>> 2)"), of("b")), (Some("2"), Some("1"), None, None));
    }

    #[test]
    fn the_usual_and_then_the_shortest_provider_is_first() {
        let index = index();
        let of = |text: &str| -> Vec<&str> {
            index.providers(&wish(text).expect("a wish")).iter().map(|record| record.name).collect()
        };
        assert_eq!(of("mta"), ["mta-usual", "mta-b", "mta-long"]);
        assert_eq!((of("mta (>= 1)"), of("api (>= 3)")), (vec![], vec!["mta-long"]));
    }
}
