//! A secret set to a known word, and searched for after a whole life. Every recipe's are in `tests/it/canary.rs`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::home::{Home, get};

const CANARY: &str = "Kanarienvogel-7f3a-gelb";

/// Files that hold the word, apart from the state, which is where it is kept.
fn holders(home: &Home) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(home.root()).into_iter().filter_map(Result::ok);
    entries
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()))
        .filter(|path| contains(&std::fs::read(path).unwrap_or_default()))
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("state.toml")))
        .collect()
}

fn contains(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

/// A project whose application shows its secret in each of the ways that it can get it.
fn bird(home: &mut Home) {
    home.enter("bird");
    home.write(
        "app.py",
        "import os\ndef app(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [os.environ['SECRET_KEY'].encode(), os.environ['TOKEN'].encode(), open(os.environ['CONF'], 'rb').read()]\n",
    );
    home.write(
        "jove.toml",
        "name = 'bird'\n[parts.env]\nrecipe = 'python'\npypi = ['flask']\n[parts.app]\nrecipe = 'wsgi'\napp = 'app:app'\nenv = '${env}'\nvars = { TOKEN = 'x-${app.secret_key}', CONF = '${conf}/etc/bird.conf' }\n[parts.conf]\nrecipe = 'file'\nfiles = [{ template = 'bird.conf', path = 'etc/bird.conf' }]\nvalues = { word = '${app.secret_key}' }\n",
    );
    home.write("bird.conf", "word = {{ values.word }}\n");
}

#[test]
fn a_secret_is_found_nowhere_but_in_the_state() {
    let Some(mut home) = Home::new() else { return };
    bird(&mut home);
    let say = |home: &Home, arguments: &[&str], code: i32| {
        let output = home.run(arguments).code(code);
        let told = format!("{}{}", output.stdout(), output.stderr());
        assert!(!told.contains(CANARY), "{arguments:?}: {told}");
        let shown = home.processes().into_iter().find(|process| process.command.contains(CANARY));
        assert!(shown.is_none(), "{shown:?}");
    };
    say(&home, &["install", "--no-start"], 0);
    let set = home.run_with_input(&["secret", "set", "app.secret_key"], CANARY).success();
    assert!(!set.stdout().contains(CANARY) && !set.stderr().contains(CANARY));
    say(&home, &["-v"], 0);
    let url = home.url(&[], "app");
    let seen = get(&url).text;
    assert!(
        seen.starts_with(&format!("{CANARY}x-{CANARY}")) && seen.ends_with(&format!("word = {CANARY}\n")),
        "{seen}"
    );
    let rendered = home.home().join("jove/bird-dev/run/app/conf/etc/bird.conf");
    assert_eq!(holders(&home), [rendered.as_path()], "the file of a running service alone");
    assert_eq!(rendered.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for verb in [
        &["plan", "-v"][..],
        &["plan", "--json", "--set", "app.threads=3"],
        &["explain", "app"],
        &["explain", "app.secret_key"],
        &["explain", "app.vars", "--json"],
        &["graph"],
        &["graph", "--json"],
        &["graph", "--format", "svg"],
        &["env", "app"],
        &["env", "app", "--json"],
        &["explain", "app", "--json"],
        &["explain", "--layers"],
        &["--set", "app.threads=3", "-v", "--json"],
        &["status", "--json"],
        &["logs", "-n", "500"],
        &["events"],
        &["history"],
        &["history", "--json"],
        &["secret", "list"],
        &["rollback"],
        &["verify", "--json"],
        &["restart"],
        &["gc", "--keep", "0"],
        &["list", "--json"],
        &["doctor"],
    ] {
        say(&home, verb, 0);
    }
    assert_eq!(holders(&home), [rendered], "the file of a running service alone");
    // A broken application must not carry it out either.
    home.write("app.py", "import os\nraise SystemExit(1)\n");
    home.until("the broken application is noticed", || get(&url).status == 0);
    say(&home, &["install", "--retry", "--set", "app.threads=4"], 1);
    // Only its own verb shows it, and only the service has it.
    assert_eq!(home.run(&["secret", "show", "app.secret_key"]).success().stdout(), format!("{CANARY}\n"));
    say(&home, &["stop"], 0);
    assert_eq!(holders(&home), Vec::<PathBuf>::new());
    say(&home, &["wipe", "--yes"], 0);
    assert_eq!(holders(&home), Vec::<PathBuf>::new());
}
