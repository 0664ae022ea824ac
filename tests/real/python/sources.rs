//! Source builds, source folders in place, requirement files, mistakes, offline runs.

use super::*;

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_source_folder_stays_untouched() {
    let Some(bench) = Bench::new() else { return };
    let source = bench.folder.path().join("my app");
    write(
        &source.join("pyproject.toml"),
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"My.App\"\ndynamic = [\"version\"]\ndependencies = [\"idna\"]\n[project.optional-dependencies]\nmore = [\"certifi\"]\n[project.scripts]\nmy-app = \"myapp:main\"\n[tool.setuptools.dynamic]\nversion = { attr = \"myapp.__version__\" }\n",
    );
    write(&source.join("src/myapp/__init__.py"), "__version__ = '1.2'\ndef main():\n    print('first')\n");
    let full = bench.folder.path().join("full");
    write(
        &full.join("pyproject.toml"),
        "[project]\nname = \"fullapp\"\nversion = \"3\"\ndependencies = [\"my-app\"]\n[project.entry-points.things]\none = \"fullapp:ONE\"\n",
    );
    write(&full.join("fullapp.py"), "ONE = 1\n");
    let plain = bench.folder.path().join("plain");
    write(&plain.join("plainly.py"), "X = 5\n");
    let before = (listing(&source), listing(&full), listing(&plain));
    let inputs = gather(&bench.inputs(&["-e ./my app[more]", "-e full", "-e plain"])).unwrap();
    let pins = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap();
    let names: Vec<&str> = pins.iter().map(|pin| pin.name.as_str()).collect();
    assert_eq!(names, ["certifi", "idna"]);
    let target = bench.folder.path().join("env");
    let built = build(&bench.kit(), &target, &bench.recipe(&pins, &inputs)).unwrap();
    assert_eq!(built.impure.len(), 4, "{built:?}");
    let script = "import myapp, fullapp, plainly, importlib.metadata as m; print(m.version('my-app'), m.requires('fullapp'), plainly.X, [e.load() for e in m.entry_points(group='things')])";
    assert_eq!(bench.python(&target, script), "1.2 ['my-app'] 5 [1]");
    write(&source.join("src/myapp/__init__.py"), "__version__ = '1.2'\ndef main():\n    print('changed')\n");
    let said = Command::new(target.join("bin/my-app")).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "changed\n", "{said:?}");
    write(&source.join("src/myapp/__init__.py"), "__version__ = '1.2'\ndef main():\n    print('first')\n");
    assert_eq!((listing(&source), listing(&full), listing(&plain)), before);
    // The same again, with the same bytes.
    let first = listing(&target);
    std::fs::remove_dir_all(&target).unwrap();
    build(&bench.kit(), &target, &bench.recipe(&pins, &inputs)).unwrap();
    assert_eq!(difference(&first, &listing(&target)), Vec::<String>::new());
}

#[test]
fn a_source_archive_is_built_only_where_it_is_allowed() {
    let Some(bench) = Bench::new() else { return };
    let asked = bench.inputs(&["docopt"]);
    let refused = resolve(&bench.kit(), &gather(&asked).unwrap(), &[], &Upgrade::None).unwrap_err().to_string();
    assert!(refused.contains("build = [\"docopt\"]") && refused.contains("the whole log: "), "{refused}");
    let allowed = gather(&Inputs { build: vec!["docopt".to_owned()], ..asked }).unwrap();
    let pins = resolve(&bench.kit(), &allowed, &[], &Upgrade::None).unwrap();
    assert!(pins[0].is_built(), "{pins:?}");
    let recipe = bench.recipe(&pins, &allowed);
    let target = bench.folder.path().join("env");
    let built = build(&bench.kit(), &target, &recipe).unwrap();
    assert_eq!(built.impure[1], format!("host-built docopt {}", pins[0].version));
    assert_eq!(bench.python(&target, "import docopt; print(docopt.__name__)"), "docopt");
    // Built once: the second environment needs no network.
    std::fs::remove_dir_all(&target).unwrap();
    let offline = Client::new(&bench.host, true).unwrap();
    build(&Kit { client: &offline, ..bench.kit() }, &target, &recipe).unwrap();
}

#[test]
fn a_build_that_fails_shows_its_last_lines() {
    let Some(bench) = Bench::new() else { return };
    let source = bench.folder.path().join("broken");
    write(&source.join("setup.py"), "import sys\nprint('about to fail')\nsys.exit('no compiler for the flux')\n");
    let inputs = gather(&bench.inputs(&["-e broken"])).unwrap();
    let error = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap_err().to_string();
    assert!(error.contains("no compiler for the flux") && error.contains("install.log"), "{error}");
    assert_eq!(listing(&source).len(), 2);
}

#[test]
fn digests_of_the_users_own_files_are_demanded() {
    let Some(bench) = Bench::new() else { return };
    let pins = resolve(&bench.kit(), &gather(&bench.inputs(&["idna"])).unwrap(), &[], &Upgrade::None).unwrap();
    let line = |sha: &str| format!("idna=={} --hash=sha256:{sha}\n", pins[0].version);
    let good = bench.folder.path().join("good.txt");
    write(&good, &line(&pins[0].files[0].sha256.to_hex()));
    let inputs = gather(&bench.inputs(&["-r good.txt"])).unwrap();
    assert_eq!(resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap(), pins);
    write(&bench.folder.path().join("bad.txt"), &line(&"0".repeat(64)));
    let inputs = gather(&bench.inputs(&["-r bad.txt"])).unwrap();
    let error = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap_err().to_string();
    assert!(error.contains("idna"), "{error}");
}

#[test]
fn kept_versions_stay_until_they_are_freed() {
    let Some(bench) = Bench::new() else { return };
    let old =
        resolve(&bench.kit(), &gather(&bench.inputs(&["idna<3.7", "certifi"])).unwrap(), &[], &Upgrade::None).unwrap();
    let inputs = gather(&bench.inputs(&["idna", "certifi"])).unwrap();
    assert_eq!(resolve(&bench.kit(), &inputs, &old, &Upgrade::None).unwrap(), old);
    let other = Upgrade::Some(vec!["certifi".parse().unwrap()]);
    assert_eq!(resolve(&bench.kit(), &inputs, &old, &other).unwrap()[1], old[1]);
    assert_ne!(resolve(&bench.kit(), &inputs, &old, &Upgrade::All).unwrap()[1].version, old[1].version);
}

#[test]
fn offline_names_what_is_missing() {
    let Some(bench) = Bench::new() else { return };
    let inputs = gather(&bench.inputs(&["idna"])).unwrap();
    let pins = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap();
    let offline = Client::new(&bench.host, true).unwrap();
    let kit = Kit { client: &offline, ..bench.kit() };
    let file = Chooser::new(&bench.interpreter).choose(&pins[0]).unwrap();
    let error = fetched(&kit, &[(&pins[0].name, file)], false).unwrap_err().to_string();
    assert!(error.contains(&file.file) && error.contains("--offline"), "{error}");
    fetched(&bench.kit(), &[(&pins[0].name, file)], false).unwrap();
    let paths = fetched(&kit, &[(&pins[0].name, file)], false).unwrap();
    // Damage is found, and told when it cannot be mended.
    std::fs::remove_file(&paths[0]).unwrap();
    std::fs::write(&paths[0], "damaged").unwrap();
    assert!(fetched(&kit, &[(&pins[0].name, file)], true).is_err());
    fetched(&bench.kit(), &[(&pins[0].name, file)], true).unwrap();
}
