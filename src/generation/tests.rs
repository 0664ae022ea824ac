use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{FORMAT, GenerationError, list};
use super::*;
use crate::digest::Digest;
use crate::layout::Layout;
use crate::service::Services;
use crate::store::StorePath;

fn sample() -> (tempfile::TempDir, Layout) {
    let folder = tempfile::tempdir().expect("folder");
    let layout = Layout::new(folder.path());
    (folder, layout)
}

fn object(number: u32) -> StorePath {
    StorePath::new(&Digest::of(number.to_string()), 0, "env".parse().expect("name"))
}

fn manifest(number: u32) -> Manifest {
    let record = PartRecord {
        recipe: "python".into(),
        key: Some(Digest::of("k")),
        object: Some(object(number).folder_name()),
        facts: BTreeMap::new(),
        impure: BTreeSet::new(),
        data: Vec::new(),
        data_version: None,
        data_format: None,
    };
    Manifest {
        format: FORMAT,
        generation: number,
        created: "2026-01-01T00:00:00Z".into(),
        verb: "install".into(),
        reasons: Vec::new(),
        profile: "demo".into(),
        project: "pywps".into(),
        definition: Digest::of("d"),
        lock: Digest::of("l"),
        program: None,
        parts: [("env".parse().expect("name"), record)].into(),
    }
}

fn make(layout: &Layout, number: u32, status: &Status) {
    let services =
        Services { format: 1, generation: number, services: Vec::new(), promises: Vec::new(), data: Vec::new() };
    manifest(number).write(layout, &services, "lock").expect("written");
    status.write(layout, number).expect("written");
}

fn failed() -> Status {
    Status::Failed { reason: "no".into() }
}

#[test]
fn a_generation_is_there_with_its_manifest() {
    let (_folder, layout) = sample();
    assert_eq!((next(&layout), list(&layout), current(&layout)), (1, vec![], None));
    make(&layout, 1, &Status::Prepared);
    std::fs::create_dir(layout.generation(2)).expect("made");
    assert_eq!((next(&layout), list(&layout)), (3, vec![1]));
    assert_eq!(Manifest::read(&layout, 1).expect("read"), manifest(1));
    assert_eq!(Manifest::services(&layout, 1).expect("read").format, 1);
    commit(&layout, 1).expect("committed");
    assert_eq!(current(&layout), Some(1));
    assert!(matches!(Manifest::read(&layout, 2), Err(GenerationError::Read { .. })));
}

#[test]
fn what_may_go_is_old_or_half_made() {
    let (_folder, layout) = sample();
    let statuses = [Status::Committed, failed(), Status::Committed, Status::Committed, failed()];
    for (number, status) in (1..).zip(&statuses) {
        make(&layout, number, status);
    }
    std::fs::create_dir(layout.generation(7)).expect("half made");
    commit(&layout, 4).expect("committed");
    assert_eq!(surplus(&layout, 2).expect("known"), [2, 7]);
    assert_eq!(surplus(&layout, 0).expect("known"), [1, 2, 3, 7]);
    commit(&layout, 1).expect("rolled back");
    assert_eq!(surplus(&layout, 1).expect("known"), [2, 3, 7]);
    let journal = Journal { format: 1, from: Some(3), to: 7, phase: Phase::Trial, started_by: "install".into() };
    journal.write(&layout).expect("written");
    assert_eq!(surplus(&layout, 1).expect("known"), [2]);
    std::fs::write(layout.switch(), "x").expect("written");
    assert!(surplus(&layout, 1).is_err());
}

#[test]
fn objects_of_all_generations_are_kept() {
    let (_folder, layout) = sample();
    make(&layout, 1, &Status::Committed);
    make(&layout, 2, &Status::Committed);
    assert_eq!(objects(&layout, &[]).expect("known"), [object(1), object(2)].into());
    assert_eq!(objects(&layout, &[1]).expect("known"), [object(2)].into());
    commit(&layout, 2).expect("committed");
    assert!(remove(&layout, 2).expect_err("current").to_string().contains("is the current one"));
    assert!(remove(&layout, 1).expect("removed") > 0);
    assert_eq!(objects(&layout, &[]).expect("known"), [object(2)].into());
    let path = layout.generation(2).join("manifest.json");
    let text = std::fs::read_to_string(&path).expect("text").replace(&object(2).folder_name(), "../../home");
    std::fs::write(&path, text).expect("written");
    let error = objects(&layout, &[]).expect_err("no object").to_string();
    assert!(error.contains("the part `env`: `../../home` names no object"), "{error}");
}

#[test]
fn newer_and_damaged_manifests_are_told_apart() {
    let (_folder, layout) = sample();
    make(&layout, 1, &Status::Committed);
    let path = layout.generation(1).join("manifest.json");
    let good = std::fs::read_to_string(&path).expect("text");
    for (text, expected) in [
        (good.replace("\"format\": 1", "\"format\": 2"), "has format 2, this program reads up to 1"),
        ("{\"format\": 3}".to_owned(), "has format 3"),
        (String::new(), "is damaged: EOF"),
        (good.replace("\"verb\"", "\"word\""), "is damaged: unknown field `word`"),
    ] {
        std::fs::write(&path, text).expect("written");
        let error = Manifest::read(&layout, 1).expect_err("bad").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_journal_comes_and_goes() {
    let (_folder, layout) = sample();
    let journal = Journal { format: 1, from: None, to: 1, phase: Phase::Promises, started_by: "install".into() };
    assert_eq!(Journal::read(&layout).expect("none"), None);
    journal.write(&layout).expect("written");
    assert_eq!(Journal::read(&layout).expect("there"), Some(journal));
    Journal::remove(&layout).expect("removed");
    Journal::remove(&layout).expect("absent is fine");
    assert_eq!(Journal::read(&layout).expect("none"), None);
}
