//! `kill -9` where packages are fetched and an environment is made: the next run goes on from there.

use std::path::PathBuf;

use walkdir::WalkDir;

use crate::home::Home;

/// The checkpoints that only a Python part passes; all others are killed at in `tests/it/crash.rs`.
const NAMES: &[&str] =
    &["fetch-before-insert", "fetch-after-insert", "python-before-install", "python-before-bytecode"];

/// A package without requirements.
const PACKAGE: &str = "itsdangerous";

const PROJECT: &str = r#"
name = "crash"
[parts.env]
recipe = "python"
pypi   = ["itsdangerous"]
"#;

/// The package's files in the download cache.
fn cached(home: &Home) -> Vec<PathBuf> {
    let entries = WalkDir::new(home.cache()).into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    let is_its_own = |name: &str| name.starts_with(PACKAGE) && name.ends_with(".whl");
    files.filter(|path| path.file_name().is_some_and(|name| is_its_own(&name.to_string_lossy()))).collect()
}

#[test]
fn an_install_of_packages_is_killed() {
    let Some(mut home) = Home::new() else { return };
    let checkpoint = home.path("work/checkpoint");
    home.set("JOVE_CHECKPOINT_FILE", checkpoint.display());
    home.write("jove.toml", PROJECT);
    for name in NAMES {
        if name.starts_with("fetch-") {
            for path in cached(&home) {
                fs_err::remove_file(path).unwrap();
            }
        }
        home.write(&checkpoint, name);
        home.run(&["install"]).signal(9);
        assert!(!checkpoint.exists() && !home.home().join("jove/crash-dev/current").exists(), "{name}");
        home.run(&["install"]).success();
        home.run(&["verify"]).success();
        home.run(&["gc"]).success();
        let said = home.run(&["run", "env", "--", "python", "-c", "import itsdangerous; print(itsdangerous.__name__)"]);
        assert_eq!(said.success().stdout().trim(), PACKAGE, "{name}");
        assert_eq!(cached(&home).len(), 1, "{name}: {:?}", cached(&home));
        for folder in [home.cache(), home.home().join("jove"), home.folder().to_owned()] {
            let entries = WalkDir::new(&folder).into_iter().filter_map(Result::ok);
            let rubbish: Vec<PathBuf> = entries
                .map(walkdir::DirEntry::into_path)
                .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".tmp-")))
                .collect();
            assert!(rubbish.is_empty(), "{name}: {rubbish:?}");
        }
        home.run(&["stop"]).success();
        assert!(home.processes().is_empty(), "{name}: {:?}", home.processes());
        home.run(&["wipe", "--data", "--yes"]).success();
    }
}
