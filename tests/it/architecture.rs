//! The shape of the source: floors, small files, nothing forgotten, no package index spelled out.
//!
//! The table of floors is read from the documentation of `src/lib.rs`, so that there is one.

mod hosts;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use jove_install::graph::{Graph, Kind, Link};
use source::{SourceFile, source_files};

/// Lines of code (no blank lines, no comments, no tests) that one file may have.
const LONGEST_FILE: usize = 400;
/// Bytes that one tracked file may have.
const LARGEST_FILE: u64 = 1_000_000;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Tracked files, and those that would be at the next commit; without git every file outside `target`.
fn tracked_files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(repository())
        .output();
    match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(|name| repository().join(name))
            .filter(|path| path.is_file())
            .collect(),
        _ => walkdir::WalkDir::new(repository())
            .into_iter()
            .filter_entry(|entry| !["target", ".git"].contains(&entry.file_name().to_str().unwrap_or_default()))
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .collect(),
    }
}

/// Module to floor, from the table in `src/lib.rs`.
fn floors(lib: &str) -> BTreeMap<String, u32> {
    let mut floors = BTreeMap::new();
    for row in lib.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let Some((floor, modules)) = row.split_once('|') else { continue };
        let Ok(floor) = floor.trim().parse::<u32>() else { continue };
        for name in modules.split("[`").skip(1).filter_map(|rest| rest.split_once("`]")) {
            floors.insert(name.0.to_owned(), floor);
        }
    }
    floors
}

/// Whether a module may use another. Floor 0 is one floor of small things that build on each other; whether they do so in
/// a circle is asked apart.
fn may_use(floors: &BTreeMap<String, u32>, from: &str, to: &str) -> bool {
    match (floors.get(from), floors.get(to)) {
        (Some(0), Some(0)) => true,
        (Some(from), Some(to)) => to < from,
        _ => false,
    }
}

fn floor_violations(floors: &BTreeMap<String, u32>, files: &[SourceFile]) -> Vec<String> {
    let floor = |name: &str| floors.get(name).map_or_else(|| "no floor".to_owned(), |floor| format!("floor {floor}"));
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !file.is_test) {
        // `lib.rs` and `main.rs` stand above all floors.
        let Some(module) = file.module.first() else { continue };
        for used in file.uses() {
            if used.module != *module && !may_use(floors, module, &used.module) {
                found.push(format!(
                    "{}:{}: `{module}` ({}) uses `{}` ({})",
                    file.name,
                    used.line,
                    floor(module),
                    used.module,
                    floor(&used.module)
                ));
            }
        }
    }
    found
}

#[test]
fn imports_go_down_the_floors() {
    let lib = fs_err::read_to_string(repository().join("src/lib.rs")).expect("src/lib.rs");
    let floors = floors(&lib);
    assert!(floors.len() > 10, "the table of floors in src/lib.rs cannot be read: {floors:?}");
    let modules: BTreeSet<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let listed: BTreeSet<&str> = floors.keys().map(String::as_str).collect();
    assert_eq!(modules, listed, "modules of src/lib.rs and its table of floors");

    let files = source_files(repository());
    let violations = floor_violations(&floors, &files);
    assert!(violations.is_empty(), "imports that do not go down:\n{}", violations.join("\n"));
}

#[test]
fn modules_do_not_use_each_other_in_a_circle() {
    let mut links = Vec::new();
    let mut places = BTreeMap::new();
    for file in source_files(repository()).iter().filter(|file| !file.is_test) {
        let Some(module) = file.module.first() else { continue };
        for used in file.uses().into_iter().filter(|used| used.module != *module) {
            places.entry((module.clone(), used.module.clone())).or_insert(format!("{}:{}", file.name, used.line));
            links.push(Link { from: module.clone(), to: used.module, kind: Kind::Object, origin: None });
        }
    }
    if let Err(cycles) = Graph::build(Vec::new(), links, &[Kind::Object]) {
        let link = |link: &Link<String>| places[&(link.from.clone(), link.to.clone())].clone();
        let drawn = cycles.0.iter().map(|cycle| {
            let places: Vec<String> = cycle.links.iter().map(link).collect();
            format!("{} ({})", cycle.path(), places.join(", "))
        });
        panic!("modules use each other in a circle:\n{}", drawn.collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn files_are_short() {
    let long: Vec<String> = source_files(repository())
        .iter()
        .filter(|file| !file.is_test && file.lines_of_code() > LONGEST_FILE)
        .map(|file| format!("{}: {} lines of code, {LONGEST_FILE} are allowed", file.name, file.lines_of_code()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// The macros panic where nobody hears them, or a disk is full. Keeper and supervisor must not, and what is below the command
/// line runs in them.
#[test]
fn only_the_command_line_prints() {
    let mut found = Vec::new();
    for file in source_files(repository()).iter().filter(|file| !file.is_test && file.name != "src/main.rs") {
        if file.module.first().is_none_or(|module| module != "cli") {
            let lines = file.lines_with(&["print!(", "println!(", "dbg!("]);
            found.extend(lines.into_iter().map(|line| format!("{}:{line}: `crate::stderr::say` does it", file.name)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_file_of_tests_is_declared() {
    for suite in ["tests/it", "tests/real"] {
        let main = fs_err::read_to_string(repository().join(suite).join("main.rs")).expect("main.rs");
        for entry in fs_err::read_dir(repository().join(suite)).expect("a folder") {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") else { continue };
            assert!(
                main.lines().any(|line| line.trim() == format!("mod {module};")),
                "{suite}/{name} is not declared in {suite}/main.rs, so it is never run"
            );
        }
    }
}

#[test]
fn no_tracked_file_is_large() {
    for path in tracked_files() {
        let size = fs_err::metadata(&path).expect("a file").len();
        assert!(size <= LARGEST_FILE, "{} has {size} bytes, {LARGEST_FILE} are allowed", path.display());
    }
}

/// Addresses of indexes come from the user's own tools, so none is in the source or in a commit.
#[test]
fn no_package_index_is_spelled_out() {
    let hosts = hosts::package_hosts();
    let mut found = Vec::new();
    for path in tracked_files() {
        let text = String::from_utf8_lossy(&fs_err::read(&path).expect("a file")).to_lowercase();
        found.extend(hosts.iter().filter(|host| text.contains(host.as_str())).map(|_| path.display().to_string()));
    }
    let log = Command::new("git").args(["log", "--format=%B"]).current_dir(repository()).output();
    if let Ok(log) = log {
        let text = String::from_utf8_lossy(&log.stdout).to_lowercase();
        found.extend(hosts.iter().filter(|host| text.contains(host.as_str())).map(|_| "a commit's message".to_owned()));
    }
    assert!(found.is_empty(), "a package index's host is spelled in: {}", found.join(", "));
}

#[test]
fn a_violation_is_told_with_both_floors() {
    let floors = floors("//! | 3 | [`recipe`], [`lock`] |\n//! | 1 | [`net`] x |\n//! | 0 | [`name`], [`text`] |\n");
    let text = "//! About crate::lock.\nuse crate::net::Get;\nuse crate::{lock, name};\n\nfn f() { crate::recipe::g() }\n\
                #[cfg(test)]\nmod tests {\n    use crate::recipe::X;\n}\n";
    let files = [SourceFile::new("src/net/get.rs", text), SourceFile::new("src/text.rs", "use super::name::N;\n")];
    assert_eq!(
        floor_violations(&floors, &files),
        [
            "src/net/get.rs:3: `net` (floor 1) uses `lock` (floor 3)",
            "src/net/get.rs:5: `net` (floor 1) uses `recipe` (floor 3)",
        ]
    );
}
