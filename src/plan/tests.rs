//! Golden keys, and reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::digest::Digest;
use crate::generation::{Manifest, PartRecord};
use crate::plan::action::{FilesAction, PythonAction, RenderedFile, StepAction, Tree, TreeSource};
use crate::plan::change::{Deed, Installed, diff};
use crate::plan::desire::{Desired, DesiredObject, DesiredPart};
use crate::plan::{Action, InterpreterFrom, ResolvedPython, key};
use crate::platform::Platform;
use crate::pypi::Interpreter;
use crate::service::{ServiceSpec, Services};
use crate::store::StorePath;
use crate::text::Text;

fn files(content: &str) -> FilesAction {
    FilesAction {
        files: vec![RenderedFile {
            path: "etc/a.conf".into(),
            executable: false,
            content: content.to_owned(),
            secret: false,
        }],
        trees: vec![Tree { from: TreeSource::Folder("/src".into()), to: "app".into(), digest: Digest::of("tree") }],
    }
}

fn platform() -> Platform {
    serde_json::from_str("\"linux-x86_64\"").expect("platform")
}

/// A change here makes every user's objects anew: raise the action's version by hand if the bytes differ, else undo the change.
#[test]
fn keys_are_what_they_were() {
    let interpreter = serde_json::json!({
        "path": "/usr/bin/python3.12", "prefix": "/usr", "version": "3.12.1", "implementation": "cpython", "abi": "cp312",
        "cache_tag": "cpython-312", "system": "linux", "machine": "x86_64", "libc": "glibc 2.36",
        "purelib": "lib/python3.12/site-packages", "has_pip": true, "has_venv": true, "has_ensurepip": true,
        "digest": Digest::of("python"), "stamp": "",
    });
    let interpreter: Interpreter = serde_json::from_value(interpreter).expect("an interpreter");
    let python = PythonAction {
        interpreter: interpreter.clone(),
        resolved: ResolvedPython {
            interpreter,
            from: InterpreterFrom::Host,
            packages: Vec::new(),
            editable: Vec::new(),
            build: Vec::new(),
        },
    };
    let step = StepAction {
        command: vec!["/bin/true".into()],
        vars: BTreeMap::new(),
        folder: None,
        files: FilesAction { files: Vec::new(), trees: Vec::new() },
        timeout: Duration::from_secs(1),
        is_sandbox_required: false,
    };
    let store = Path::new("/home/me/jove/demo/store");
    let keys = [
        key::of_files(&files("a")),
        key::of_python(&python, &platform(), store),
        key::of_step(&step, &BTreeMap::new(), &platform(), store),
    ];
    insta::assert_snapshot!(keys.map(|key| key.short()).join(" "), @"2f2e4069dc6a6d95c4ed 8231c07166d0ff8c4db1 d8cd6fc3f9717c6d4167");
    assert_ne!(key::of_files(&files("a")), key::of_files(&files("b")));
    assert_ne!(keys[1], key::of_python(&python, &platform(), Path::new("/elsewhere")));
}

fn part(fact: &str, content: &str, argument: &str) -> DesiredPart {
    let action = files(content);
    let key = key::of_files(&action);
    let name: crate::name::PartName = "app".parse().expect("name");
    let mut service = ServiceSpec::bare(name.clone());
    service.command = vec![Text::literal("/bin/app"), Text::literal(argument)];
    DesiredPart {
        name: name.clone(),
        recipe: "wsgi".into(),
        object: Some(DesiredObject {
            key,
            path: StorePath::new(&key, 0, name),
            exists: false,
            action: Action::Files(action),
            needs: BTreeSet::new(),
            impure: BTreeSet::new(),
        }),
        services: vec![service],
        promises: Vec::new(),
        facts: BTreeMap::from([
            ("title".to_owned(), fact.to_owned()),
            ("file etc/a.conf".to_owned(), content.to_owned()),
        ]),
        data: Vec::<PathBuf>::new(),
        data_version: None,
        data_format: None,
        data_commands: Vec::new(),
    }
}

fn desired(part: DesiredPart) -> Desired {
    Desired { order: vec![part.name.clone()], parts: [(part.name.clone(), part)].into(), definition: Digest::of("d") }
}

fn installed(part: &DesiredPart) -> Installed {
    let record = PartRecord {
        recipe: part.recipe.clone(),
        key: part.object.as_ref().map(|object| object.key),
        object: part.object.as_ref().map(|object| object.path.folder_name()),
        facts: part.facts.clone(),
        impure: BTreeSet::new(),
        data: Vec::new(),
        data_version: None,
        data_format: None,
    };
    Installed {
        manifest: Manifest {
            format: 1,
            generation: 1,
            created: String::new(),
            verb: "install".into(),
            reasons: Vec::new(),
            profile: "demo".into(),
            project: "p".into(),
            definition: Digest::of("d"),
            lock: Digest::of(""),
            program: None,
            parts: [(part.name.clone(), record)].into(),
        },
        services: Services {
            format: 1,
            generation: 1,
            services: part.services.iter().cloned().map(Arc::new).collect(),
            promises: Vec::new(),
            data: Vec::new(),
        },
    }
}

#[test]
fn a_difference_has_its_plainest_reason() {
    let old = part("Old", "a", "x");
    let told = |new: DesiredPart| {
        let plan = diff(&desired(new), Some(&installed(&old)));
        plan.changes.into_iter().map(|change| (change.action, change.reason(), change.interrupts.len())).next()
    };
    assert_eq!(told(old.clone()), None);
    // A fact that nothing uses makes no change.
    assert_eq!(told(part("New", "a", "x")), None);
    assert_eq!(told(part("New", "b", "x")), Some((Deed::Rebuild, "title: Old → New".into(), 0)));
    assert_eq!(told(part("Old", "b", "x")), Some((Deed::Rebuild, "file etc/a.conf changed".into(), 0)));
    assert_eq!(told(part("New", "a", "y")), Some((Deed::Restart, "title: Old → New".into(), 1)));
    assert_eq!(diff(&desired(old), None).changes[0].action, Deed::Create);
}

#[test]
fn a_part_that_nobody_names_goes() {
    let old = part("Old", "a", "x");
    let none = Desired { order: Vec::new(), parts: BTreeMap::new(), definition: Digest::of("d") };
    let plan = diff(&none, Some(&installed(&old)));
    assert_eq!((plan.changes[0].action, plan.changes[0].interrupts.len()), (Deed::Remove, 1));
}
