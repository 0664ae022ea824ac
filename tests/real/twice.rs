//! Two installs of one lock and state at one path, each with a past and surroundings of its own, make the same bytes.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jove_install::digest::Digest;

use crate::home::{Home, has_debian};
use crate::sandbox::Output;

const DEFINITION: &str = r#"
name = "same"
[parts.env]
recipe   = "python"
provider = "deb"
pypi     = ["flask", "pymysql", "amqp"]
[parts.app]
recipe = "wsgi"
env    = "${env}"
app    = "app:app"
[parts.cache]
recipe = "redis"
[parts.web]
recipe    = "nginx"
locations = { "/" = "http://${app.address}" }
"#;

/// What else of a process's surroundings could find its way into a file.
struct Surroundings<'a> {
    umask: &'a str,
    vars: [(&'a str, &'a str); 5],
    jobs: &'a str,
}

fn install(home: &mut Home, around: &Surroundings<'_>, more: &[&str]) -> Output {
    for (name, value) in around.vars {
        home.set(name, value);
    }
    let program = home.command(&[]).get_program().to_owned();
    let mut command = home.other("/bin/sh");
    command.arg("-c").arg(format!("umask {} && exec \"$0\" \"$@\"", around.umask)).arg(program);
    command.args(["install", "--no-start", "--jobs", around.jobs]).args(more);
    home.finish(command, b"")
}

/// Each thing in a store by its path: kind, mode and content. Times are no part of it.
fn store(home: &Home) -> BTreeMap<PathBuf, String> {
    let root = home.home().join("jove/same-dev/store");
    let entries = walkdir::WalkDir::new(&root).into_iter().map(Result::unwrap);
    let row = |path: &Path| {
        let meta = path.symlink_metadata().unwrap();
        let content = match (meta.is_symlink(), meta.is_dir()) {
            (true, _) => path.read_link().unwrap().display().to_string(),
            (_, true) => String::new(),
            _ => Digest::of_file(path).unwrap().to_string(),
        };
        format!("{:o} {} {content}", meta.permissions().mode(), if meta.is_file() { meta.nlink() } else { 0 })
    };
    // The store's own folder is none of its objects.
    let entries = entries.filter(|entry| entry.depth() > 0);
    entries.map(|entry| (entry.path().strip_prefix(&root).unwrap().to_owned(), row(entry.path()))).collect()
}

#[test]
fn two_homes_at_one_path_get_the_same_bytes() {
    let Some(mut home) = has_debian().then(Home::new).flatten() else { return };
    home.write("jove.toml", DEFINITION);
    home.write("app.py", "import flask\napp = flask.Flask(__name__)\n");
    let first = Surroundings {
        umask: "022",
        vars: [("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC"), ("PYTHONHASHSEED", "0"), ("COLUMNS", "100")],
        jobs: "1",
    };
    install(&mut home, &first, &[]).success();
    let one = store(&home);
    let (lock, state) = (home.read("jove.lock"), home.home().join("jove/same-dev/state.toml"));
    let state = std::fs::read(state).unwrap();

    // The other home: the files that were fetched, and nothing that was made of them.
    let aside = home.path("first");
    std::fs::rename(home.home(), &aside).unwrap();
    let cache = home.cache();
    for folder in [home.home(), home.home().join(".cache"), cache.clone()] {
        std::fs::create_dir(&folder).unwrap();
        home.own(&folder);
    }
    std::fs::rename(aside.join(".cache/jove-install/files"), cache.join("files")).unwrap();
    let second = Surroundings {
        umask: "077",
        vars: [
            ("LANG", "de_DE.UTF-8"),
            ("LC_ALL", "POSIX"),
            ("TZ", "Pacific/Chatham"),
            ("PYTHONHASHSEED", "4711"),
            ("COLUMNS", "40"),
        ],
        jobs: "4",
    };
    // With another past: other parts, and another order.
    home.write(
        "jove.toml",
        "name = 'same'\n[parts.cache]\nrecipe = 'redis'\nmax_memory = '1MiB'\n[parts.old]\nrecipe = 'memcached'\n",
    );
    install(&mut home, &second, &[]).success();
    home.write("jove.toml", DEFINITION);
    home.write("jove.lock", &lock);
    let place = home.home().join("jove/same-dev/state.toml");
    std::fs::write(&place, &state).unwrap();
    install(&mut home, &second, &["--locked"]).success();
    assert_eq!(std::fs::read(&place).unwrap(), state, "nothing was allotted anew");
    let mut other = store(&home);

    // The past has objects of its own; what both have is the same, and nothing is missing.
    other.retain(|path, _| path.iter().next().is_some_and(|object| one.contains_key(Path::new(object))));
    let differences: Vec<_> = one
        .iter()
        .filter(|(path, row)| other.get(*path) != Some(row))
        .map(|(path, row)| (path, row, other.get(path)))
        .collect();
    assert!(
        differences.is_empty(),
        "{} of {}: {:?}",
        differences.len(),
        one.len(),
        &differences[..differences.len().min(8)]
    );
    assert_eq!(one.len(), other.len());
    assert!(one.len() > 3000, "{}", one.len());
}
