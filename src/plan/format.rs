//! Which version of its software is the format of a part's data: that of the pin which its recipe names, among the packages that
//! it refers to.

use crate::plan::snapshot::{ResolvedPackages, Snapshot};
use crate::provider::Request;
use crate::recipe::{EdgeKind, ResolvedPart};
use crate::service::DataFormat;

/// The software of a part's data; `None` where its recipe names none, or the part was given other software than packages.
pub(super) fn data_format(part: &ResolvedPart, snapshot: &Snapshot) -> Option<DataFormat> {
    let rule = part.data_format.as_ref()?;
    let objects = part.edges.iter().filter(|edge| edge.kind == EdgeKind::Object).map(|edge| &edge.to);
    objects.filter_map(|to| Some((to, snapshot.packages.get(to)?))).find_map(|(to, resolved)| {
        Some(DataFormat {
            of: rule.of.first()?.clone(),
            version: rule.of.iter().find_map(|word| version(resolved, word))?,
            provider: resolved.request.provider().name().to_owned(),
            part: to.clone(),
            digits: rule.digits,
            reads: rule.reads,
        })
    })
}

/// The version of the pin of that name.
fn version(resolved: &ResolvedPackages, word: &str) -> Option<String> {
    let pin = resolved.pins.iter().find(|pin| is_called(&pin.name, word))?;
    match &resolved.request {
        // A commit tells no version.
        Request::Git(_) => None,
        // Its pin has the range that was asked for: `/usr/bin/postgres 15.18 (digest)` is what is there.
        Request::Host(_) => {
            let (found, _) = resolved.facts.get(&pin.name)?.rsplit_once(" (")?;
            Some(found.rsplit_once(' ')?.1.to_owned())
        }
        Request::Archive(_) | Request::Conda(_) | Request::Deb(_) | Request::Source(_) => Some(pin.version.clone()),
    }
}

/// Debian's packages may have the number of their series in their names: `postgresql-15`.
fn is_called(name: &str, word: &str) -> bool {
    let number = name.strip_prefix(word).and_then(|rest| rest.strip_prefix('-'));
    name == word || number.is_some_and(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::provider::archive::Archives;
    use crate::provider::{HostPrograms, Pinned};

    fn resolved(request: Request, version: &str) -> ResolvedPackages {
        let pin = Pinned {
            name: "postgres".to_owned(),
            version: version.to_owned(),
            place: None,
            trust: String::new(),
            files: Vec::new(),
        };
        let facts = BTreeMap::from([("postgres".to_owned(), "/opt/my db/postgres 15.18 (3fa9)".to_owned())]);
        ResolvedPackages { request, pins: vec![pin], facts }
    }

    #[test]
    fn a_pin_tells_the_version_and_of_this_machine_what_was_found() {
        let archive = Request::Archive(Archives { items: Vec::new(), mirrors: Vec::new() });
        assert_eq!(version(&resolved(archive.clone(), "17.2"), "postgres").as_deref(), Some("17.2"));
        assert_eq!(version(&resolved(archive, "17.2"), "mariadbd"), None);
        let host = Request::Host(HostPrograms { programs: Vec::new() });
        assert_eq!(version(&resolved(host, ">=15"), "postgres").as_deref(), Some("15.18"));
    }

    #[test]
    fn a_series_may_be_part_of_the_name() {
        for (name, is) in [
            ("postgresql", true),
            ("postgresql-15", true),
            ("postgresql-", false),
            ("postgresql-client-15", false),
            ("postgresql-15-postgis-3", false),
            ("postgresql15", false),
        ] {
            assert_eq!(is_called(name, "postgresql"), is, "{name}");
        }
    }
}
