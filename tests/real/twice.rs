//! Two installs of one lock and state at one path, each with a past and surroundings of its own, make the same bytes: of Debian
//! packages, of Python's, and of those that were packed into a conda channel, which are the same then, too.

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

/// What is packed of it.
const PACKED: [&str; 2] = ["python-packages", "nginx-packages"];

/// The same software, and a Python environment on it, from the channel that it is packed into.
const OF_CHANNEL: &str = r#"
[parts.interpreter]
recipe         = "packages"
provider       = "conda"
conda          = ["python-packages"]
conda_channels = ["CHANNEL"]
programs       = ["python3"]
[parts.server]
recipe         = "packages"
provider       = "conda"
conda          = ["nginx-packages"]
conda_channels = ["CHANNEL"]
programs       = ["nginx"]
[parts.other]
recipe   = "python"
software = "${interpreter}"
pypi     = ["flask"]
"#;

/// What else of a process's surroundings could find its way into a file.
struct Surroundings<'a> {
    umask: &'a str,
    vars: [(&'a str, &'a str); 5],
    jobs: &'a str,
}

fn install(home: &mut Home, around: &Surroundings<'_>, more: &[&str]) -> Output {
    run(home, around, &[&["install", "--no-start", "--jobs", around.jobs], more].concat())
}

/// Each file of the channel that is packed. Who may enter its folders is for the user's mask to say.
fn pack(home: &mut Home, around: &Surroundings<'_>, channel: &Path) -> BTreeMap<PathBuf, String> {
    run(home, around, &[&["pack", "--channel", channel.to_str().unwrap()], &PACKED[..]].concat()).success();
    let mut content = content(channel);
    content.retain(|path, _| channel.join(path).is_file());
    content
}

fn run(home: &mut Home, around: &Surroundings<'_>, arguments: &[&str]) -> Output {
    for (name, value) in around.vars {
        home.set(name, value);
    }
    let program = home.command(&[]).get_program().to_owned();
    let mut command = home.other("/bin/sh");
    command.arg("-c").arg(format!("umask {} && exec \"$0\" \"$@\"", around.umask)).arg(program);
    command.args(arguments);
    home.finish(command, b"")
}

/// Each thing in a folder by its path: kind, mode and content. Times are no part of it.
fn content(root: &Path) -> BTreeMap<PathBuf, String> {
    let entries = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let row = |path: &Path| {
        let meta = path.symlink_metadata().unwrap();
        let content = match (meta.is_symlink(), meta.is_dir()) {
            (true, _) => path.read_link().unwrap().display().to_string(),
            (_, true) => String::new(),
            _ => Digest::of_file(path).unwrap().to_string(),
        };
        format!("{:o} {} {content}", meta.permissions().mode(), if meta.is_file() { meta.nlink() } else { 0 })
    };
    // A store's own folder is none of its objects.
    let entries = entries.filter(|entry| entry.depth() > 0);
    entries.map(|entry| (entry.path().strip_prefix(root).unwrap().to_owned(), row(entry.path()))).collect()
}

/// Another home at the same path: with the files that were fetched, and nothing that was made of them.
fn becomes_another(home: &Home) {
    let aside = home.path("first");
    std::fs::rename(home.home(), &aside).unwrap();
    let cache = home.cache();
    for folder in [home.home(), home.home().join(".cache"), cache.clone()] {
        std::fs::create_dir(&folder).unwrap();
        home.own(&folder);
    }
    std::fs::rename(aside.join(".cache/jove-install/files"), cache.join("files")).unwrap();
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
    let channel = home.folder().join("channel");
    let packed = pack(&mut home, &first, &channel);
    let definition = format!("{DEFINITION}{}", OF_CHANNEL.replace("CHANNEL", channel.to_str().unwrap()));
    home.write("jove.toml", &definition);
    install(&mut home, &first, &[]).success();
    let store = home.home().join("jove/same-dev/store");
    let one = content(&store);
    let (lock, state) = (home.read("jove.lock"), home.home().join("jove/same-dev/state.toml"));
    let state = std::fs::read(state).unwrap();

    becomes_another(&home);
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
    home.write("jove.toml", &definition);
    home.write("jove.lock", &lock);
    let place = home.home().join("jove/same-dev/state.toml");
    std::fs::write(&place, &state).unwrap();
    install(&mut home, &second, &["--locked"]).success();
    assert_eq!(std::fs::read(&place).unwrap(), state, "nothing was allotted anew");
    let mut other = content(&store);

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
    assert!(one.len() > 9000, "{}", one.len());
    let again = home.folder().join("other-channel");
    assert_eq!(packed, pack(&mut home, &second, &again));
    assert_eq!(packed.keys().filter(|path| path.extension().is_some_and(|end| end == "conda")).count(), PACKED.len());
}
