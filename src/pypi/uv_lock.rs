//! `uv.lock`: what another resolver decided for a project, as requirements that name just that. Pure.
//!
//! The lock is a graph: packages, and edges with conditions (markers) between them. A package is wanted where some way to it from
//! the project is open. Groups for developers and extras that nobody asks for are no way.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use pep508_rs::MarkerTree;
use serde::Deserialize;

use super::range::PythonRange;

/// What no other system than this program's ever is.
const HERE: &str = "sys_platform == 'linux' and platform_system == 'Linux' and os_name == 'posix'";

/// The kinds of sources that are folders.
const FOLDERS: [&str; 3] = ["directory", "editable", "virtual"];

/// What a lock says of its project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UvLock {
    /// Packages of an index, each with its one version and the condition under which it is wanted.
    pub pins: Vec<String>,
    /// The Python that it was made for.
    pub python: Option<String>,
    /// Folders of other packages, relative to the lock's.
    pub folders: Vec<String>,
    /// Packages that come from elsewhere: a repository, an address, a file.
    pub others: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    requires_python: Option<String>,
    #[serde(default, rename = "package")]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: String,
    version: Option<String>,
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    dependencies: Vec<Edge>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Edge>>,
}

#[derive(Deserialize)]
struct Edge {
    name: String,
    version: Option<String>,
    #[serde(default)]
    extra: Vec<String>,
    marker: Option<String>,
}

/// A package by its place in the lock, and one of its extras or, named by nothing, itself.
type Node<'a> = (usize, &'a str);

impl UvLock {
    /// Reads a lock; nothing if it is none, or says nothing of any project.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let file: File = toml::from_str(text).ok()?;
        let wanted = wanted(&file.packages);
        let here = MarkerTree::from_str(HERE).ok()?;
        let mut lock = Self {
            python: file.requires_python.filter(|range| range.parse::<PythonRange>().is_ok()),
            ..Self::default()
        };
        for ((place, _), marker) in wanted.iter().filter(|((_, extra), _)| extra.is_empty()) {
            let package = &file.packages[*place];
            match (&package.version, package.folder()) {
                _ if marker.is_disjoint(&here) => {}
                (_, Some(folder)) if folder != "." && !package.source.contains_key("virtual") => {
                    lock.folders.push(folder.to_owned());
                }
                (_, Some(_)) => {}
                (Some(version), None) if package.source.contains_key("registry") => {
                    let condition = marker.try_to_string().map(|marker| format!(" ; {marker}")).unwrap_or_default();
                    lock.pins.push(format!("{}=={version}{condition}", package.name));
                }
                (_, None) => lock.others.push(package.name.clone()),
            }
        }
        (!wanted.is_empty()).then_some(lock)
    }
}

impl Package {
    /// The folder that it is in.
    fn folder(&self) -> Option<&str> {
        FOLDERS.iter().find_map(|kind| self.source.get(*kind)?.as_str())
    }

    /// What it needs by itself, or for an extra.
    fn edges(&self, extra: &str) -> &[Edge] {
        match extra {
            "" => &self.dependencies,
            _ => self.optional_dependencies.get(extra).map(Vec::as_slice).unwrap_or_default(),
        }
    }
}

impl Edge {
    /// When it is there. A condition that is not understood is none.
    fn marker(&self) -> MarkerTree {
        self.marker.as_deref().and_then(|marker| MarkerTree::from_str(marker).ok()).unwrap_or(MarkerTree::TRUE)
    }

    /// A version is said where the lock has several.
    fn leads_to(&self, package: &Package) -> bool {
        package.name == self.name && (self.version.is_none() || package.version == self.version)
    }
}

/// All that the project wants, with when: from the package in the lock's own folder on or, where there is none, from all that are
/// in folders.
fn wanted(packages: &[Package]) -> BTreeMap<Node<'_>, MarkerTree> {
    let own = |is_root: &dyn Fn(&str) -> bool| -> Vec<Node<'_>> {
        let places = packages.iter().enumerate();
        places.filter(|(_, package)| package.folder().is_some_and(is_root)).map(|(place, _)| (place, "")).collect()
    };
    let mut open = own(&|folder| folder == ".");
    if open.is_empty() {
        open = own(&|_| true);
    }
    let mut wanted: BTreeMap<Node<'_>, MarkerTree> = open.iter().map(|node| (*node, MarkerTree::TRUE)).collect();
    while let Some((place, extra)) = open.pop() {
        let condition = wanted[&(place, extra)].clone();
        for edge in packages[place].edges(extra) {
            let mut marker = edge.marker();
            marker.and(condition.clone());
            let targets = packages.iter().enumerate().filter(|(_, package)| edge.leads_to(package));
            for (target, _) in targets {
                for extra in edge.extra.iter().map(String::as_str).chain([""]) {
                    let known = wanted.entry((target, extra)).or_insert(MarkerTree::FALSE);
                    let mut joined = known.clone();
                    joined.or(marker.clone());
                    if joined != *known {
                        *known = joined;
                        open.push((target, extra));
                    }
                }
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As uv writes it, less the digests that nothing is made of here.
    const LOCK: &str = r#"
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "async-timeout"
version = "5.0.1"
source = { registry = "https://example.org/simple" }

[[package]]
name = "click"
version = "8.1.8"
source = { registry = "https://example.org/simple" }
dependencies = [
    { name = "colorama", marker = "sys_platform == 'win32'" },
]
sdist = { url = "https://example.org/files/click-8.1.8.tar.gz", hash = "sha256:00", size = 226593 }
wheels = [
    { url = "https://example.org/files/click-8.1.8-py3-none-any.whl", hash = "sha256:01", size = 98188 },
]

[[package]]
name = "colorama"
version = "0.4.6"
source = { registry = "https://example.org/simple" }

[[package]]
name = "flask"
version = "3.0.0"
source = { registry = "https://example.org/simple" }
dependencies = [
    { name = "click" },
]

[[package]]
name = "hiredis"
version = "3.1.0"
source = { registry = "https://example.org/simple" }

[[package]]
name = "letters"
version = "0.1"
source = { editable = "libs/letters" }
dependencies = [
    { name = "numpy", version = "1.26.4", source = { registry = "https://example.org/simple" }, marker = "python_full_version < '3.12'" },
    { name = "numpy", version = "2.2.0", source = { registry = "https://example.org/simple" }, marker = "python_full_version >= '3.12'" },
]

[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://example.org/simple" }
resolution-markers = [
    "python_full_version < '3.12'",
]

[[package]]
name = "numpy"
version = "2.2.0"
source = { registry = "https://example.org/simple" }

[[package]]
name = "pytest"
version = "8.3.4"
source = { registry = "https://example.org/simple" }

[[package]]
name = "redis"
version = "5.2.1"
source = { registry = "https://example.org/simple" }
dependencies = [
    { name = "async-timeout", marker = "python_full_version < '3.11.3'" },
]

[package.optional-dependencies]
hiredis = [
    { name = "hiredis" },
]
ocsp = [
    { name = "pytest" },
]

[[package]]
name = "shop"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "flask" },
    { name = "letters" },
    { name = "redis", extra = ["hiredis"] },
    { name = "tally" },
]

[package.dev-dependencies]
dev = [
    { name = "pytest" },
]

[package.metadata]
requires-dist = [{ name = "flask", specifier = ">=3" }]

[[package]]
name = "tally"
version = "1.0"
source = { git = "https://example.org/team/tally.git#0123" }
"#;

    #[test]
    fn what_the_project_wants_is_pinned_and_no_more() {
        let lock = UvLock::read(LOCK).expect("a lock");
        assert_eq!(
            lock.pins,
            [
                "async-timeout==5.0.1 ; python_full_version < '3.11.3'",
                "click==8.1.8",
                "flask==3.0.0",
                "hiredis==3.1.0",
                "numpy==1.26.4 ; python_full_version < '3.12'",
                "numpy==2.2.0 ; python_full_version >= '3.12'",
                "redis==5.2.1",
            ]
        );
        assert_eq!(lock.python.as_deref(), Some(">=3.11"));
        assert_eq!((lock.folders, lock.others), (vec!["libs/letters".to_owned()], vec!["tally".to_owned()]));
    }

    #[test]
    fn a_package_is_wanted_where_some_way_to_it_is_open() {
        let package = |name: &str, source: &str, needs: &str| {
            format!("[[package]]\nname = '{name}'\nversion = '1'\nsource = {{ {source} }}\ndependencies = [{needs}]\n")
        };
        let index = "registry = 'https://example.org/simple'";
        let lock = [
            package("all", "virtual = '.'", "{ name = 'a', marker = \"python_version < '3.10'\" }, { name = 'b' }"),
            // In a circle, and by two ways.
            package("a", index, "{ name = 'b' }, { name = 'c' }"),
            package("b", index, "{ name = 'c', marker = \"python_version >= '3.12'\" }"),
            package("c", index, "{ name = 'a' }"),
        ];
        let pins = UvLock::read(&lock.concat()).expect("a lock").pins;
        let either = "python_full_version < '3.10' or python_full_version >= '3.12'";
        assert_eq!(pins, [format!("a==1 ; {either}"), "b==1".to_owned(), format!("c==1 ; {either}")]);
    }

    #[test]
    fn a_workspace_is_all_that_is_in_folders() {
        let text = LOCK.replace("virtual = \".\"", "editable = \"apps/shop\"");
        let lock = UvLock::read(&text).expect("a lock");
        assert_eq!((lock.folders.len(), lock.pins.len()), (2, 7), "{lock:?}");
    }

    #[test]
    fn what_is_no_lock_says_nothing() {
        for text in ["", "version = 1\n", "no toml", "[[package]]\nname = 'x'\n"] {
            assert_eq!(UvLock::read(text), None, "{text}");
        }
    }
}
