//! A whole stack as an ordinary user: nginx, gunicorn, PostgreSQL, Redis, memcached, Celery, from Debian packages where the
//! machine has apt sources, and then from a conda channel of what was installed. Each server is spoken to by its own client.

use std::path::Path;

use jove_install::service::DataVerb;

use crate::home::{Home, get, has_debian, kill};
use crate::walls::confined;

const DEFINITION: &str = include_str!("stack/jove.toml");
const APPLICATION: &str = include_str!("stack/app.py");

/// The parts that have all software of the stack.
const SOFTWARE: [&str; 5] =
    ["nginx-packages", "postgresql-packages", "redis-packages", "memcached-packages", "python-packages"];

fn shop() -> Option<Home> {
    let mut home = has_debian().then(Home::of_known_user).flatten()?;
    home.enter("shop");
    home.write("jove.toml", DEFINITION);
    home.write("app.py", APPLICATION);
    home.write("static/site.css", "body { color: green }\n");
    Some(home)
}

/// What the machine keeps for this user beyond files and processes.
fn shared_memory(home: &Home) -> Vec<String> {
    let listing = home.listing();
    let tables = listing.paths().filter(|path| path.starts_with("/proc/sysvipc"));
    tables.map(|path| path.display().to_string()).collect()
}

#[test]
fn a_site_with_all_its_servers_runs_from_packages() {
    let Some(mut home) = shop() else { return };
    // The lock is a file of the project, which is not to be written later.
    home.run(&["lock"]).success();
    let caches = home.home().join(".cache");
    home.set("XDG_STATE_HOME", caches.join("state").display());
    home.set("TMPDIR", caches.join("tmp").display());
    // A prefix is removed with the folder that it is in, if that is empty then.
    let own = home.home().join("own");
    home.set("JOVE_HOME", own.join("jove").display());
    for folder in [&own, &caches.join("tmp")] {
        std::fs::create_dir(folder).unwrap();
        home.own(folder);
    }
    let places = [own.as_path(), &caches, Path::new("/dev/null"), Path::new("/dev/shm")];
    let channel = caches.join("channel");
    confined(&places, || lives(&home, &channel));
    lives_again(&channel);
}

/// From nothing to nothing, with only the prefix, the cache, `/dev/null` and `/dev/shm` to write to. What is left is a channel with
/// its software.
fn lives(home: &Home, channel: &Path) {
    let before = home.outside();
    home.run(&["install"]).success();
    serves(home);
    let url = home.url(&[], "web");
    let status = home.status(&[]);
    let prefix = status["prefix"].as_str().unwrap();

    // Killed, it comes back with its data; stopped, it leaves nothing that runs.
    kill(&home.service(&[], "db")["pid"]);
    home.until("the database after a kill", || get(&url).text.starts_with("db 2 as app"));
    home.run(&["stop"]).success();
    home.run(&["start"]).success();
    assert!(get(&url).text.starts_with("db 3 as app"), "{:?}", get(&url));
    home.run(&["verify"]).code(0);

    gives_its_data_and_takes_it(home, &url, Path::new(prefix));

    let said = home.run(&["dump", "tasks"]).success().text();
    assert!(said.contains("proven") && !said.contains("unproven"), "{said}");

    // A new password is the role's and its clients' after the next run.
    home.run(&["secret", "rotate", "db.password"]).success();
    home.run(&["install"]).success();
    assert!(get(&url).text.starts_with("db 5 as app"), "{:?}", get(&url));

    // Whoever sets one by hand takes what letters they like: in addresses they are percent-encoded.
    for secret in ["db.password", "cache.password"] {
        home.run_with_input(&["secret", "set", secret], "it's a/b:c@d?e#f&g=100% +ä\n").success();
    }
    home.run(&["install"]).success();
    let page = get(&url).text;
    assert!(page.starts_with("db 6 as app") && page.ends_with("memcached kept, task 5"), "{page}");

    takes_new_passwords_of_superusers(home, &format!("--host={prefix}/run/db"));
    assert!(get(&url).text.contains(" as app superuser off"), "{:?}", get(&url));

    home.run(&[&["pack", "--channel", channel.to_str().unwrap()], &SOFTWARE[..]].concat()).success();
    home.run(&["wipe", "--data", "--yes"]).success();
    assert_eq!(shared_memory(home), [""; 0]);
    assert_eq!(before.changes(&home.outside()), "");
}

/// The same definition in the home of another user, who has neither Debian packages nor a Python: all is in the channel, which is
/// only read.
fn lives_again(channel: &Path) {
    let Some(mut home) = shop() else { return };
    let own = home.path("channel");
    std::fs::rename(channel, &own).unwrap();
    home.without_python();
    let sources = format!("[sources]\norder = ['conda']\n[sources.conda]\nchannels = ['{}']\n", own.display());
    home.write(home.home().join(".config/jove/config.toml"), sources);
    let parts: String = SOFTWARE.map(|part| format!("[parts.{part}]\nconda = ['{part}']\n")).concat();
    home.write("jove.local.toml", format!("[parts.env]\nprovider = 'conda'\n{parts}"));
    let before = home.outside();
    home.run(&["install"]).success();
    serves(&home);
    runs_nothing_of_the_machine(&home);
    home.run(&["verify"]).code(0);
    assert_eq!(home.run(&["install", "--json"]).success().json()["changed"], serde_json::json!([]));
    home.wipe(&[]);
    assert_eq!(shared_memory(&home), [""; 0]);
    let lock = home.folder().join("jove.lock");
    assert_eq!(before.changes(&home.outside().without(&lock)), "");
}

/// Every service is a program of the store.
fn runs_nothing_of_the_machine(home: &Home) {
    let status = home.status(&[]);
    let store = Path::new(status["prefix"].as_str().unwrap()).join("store");
    let services = status["services"].as_array().unwrap();
    // What is done, as steps are, has no process.
    let running = services.iter().filter_map(|service| service["pid"].as_i64());
    let programs: Vec<_> = running.map(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).unwrap()).collect();
    assert!(programs.len() >= 7 && programs.iter().all(|program| program.starts_with(&store)), "{programs:?}");
}

/// Every server of a fresh installation answers, by way of the site and to its own client, and nobody without a password.
fn serves(home: &Home) {
    let url = home.url(&[], "web");
    let page = get(&url);
    assert_eq!(page.text, "db 1 as app superuser off, redis 1, memcached kept, task 5");
    assert_eq!(get(&format!("{url}static/site.css")).text, "body { color: green }\n");
    assert_eq!(get(&format!("{}well", home.url(&[], "page"))).text, "well");
    home.until("a tick of the schedule", || get(&format!("{url}ticks")).text == "ticks True");

    let told = |part: &str, command: &[&str]| {
        let said = home.run(&[&["run", part, "--"], command].concat());
        format!("{}{}", said.stdout(), said.stderr())
    };
    let status = home.status(&[]);
    let prefix = status["prefix"].as_str().unwrap();
    let (socket, database) = (format!("{prefix}/run/cache/redis.sock"), format!("--host={prefix}/run/db"));
    assert!(told("cache", &["redis-cli", "-s", &socket, "get", "visits"]).contains('1'));
    assert!(
        told("cache", &["env", "-u", "REDISCLI_AUTH", "redis-cli", "-s", &socket, "get", "visits"]).contains("NOAUTH")
    );
    assert!(
        told(
            "db",
            &["psql", &database, "--username=app", "--tuples-only", "--command=select count(*) from visits", "shop"]
        )
        .contains('1')
    );
    assert!(
        told("db", &["env", "-u", "PGPASSWORD", "psql", "--no-password", &database, "--username=app", "shop"])
            .contains("no password supplied")
    );
}

/// What is rotated opens the database after the next run, and what was before opens nothing any more.
fn takes_new_passwords_of_superusers(home: &Home, database: &str) {
    let admin = |word: &str, user: &str| {
        let password = format!("PGPASSWORD={word}");
        let ask = ["psql", database, "--username", user, "--tuples-only", "--command=select 7", "shop"];
        let said = home.run(&[&["run", "db", "--", "env", &password][..], &ask].concat());
        format!("{}{}", said.stdout(), said.stderr())
    };
    let word = |secret: &str| home.run(&["secret", "show", secret]).success().stdout().trim().to_owned();
    for (secret, user) in
        [("db.admin_password", "jove"), ("db.spare_password", "jove-spare"), ("db.admin_password", "jove")]
    {
        let former = word(secret);
        assert_eq!(admin(&former, user).trim(), "7");
        home.run(&["secret", "rotate", secret]).success();
        home.run(&["install"]).success();
        assert!(admin(&former, user).contains("password authentication failed"), "{secret}");
        assert_eq!(admin(&word(secret), user).trim(), "7", "{secret}");
    }
    // A former generation runs with the secrets of now.
    home.run(&["rollback"]).success();
    assert_eq!(admin(&word("db.admin_password"), "jove").trim(), "7");
}

/// What was dumped is there again when it is loaded, and as lasting as before.
fn gives_its_data_and_takes_it(home: &Home, url: &str, prefix: &Path) {
    let folders = ["db", "cache"].map(|part| (part, home.home().join("own").join(part)));
    for (part, folder) in &folders {
        home.data(prefix, part, DataVerb::Dump, folder);
    }
    let page = get(url).text;
    assert!(page.starts_with("db 4 as app"), "{page}");
    for (part, folder) in &folders {
        home.data(prefix, part, DataVerb::Load, folder);
        std::fs::remove_dir_all(folder).unwrap();
    }
    assert_eq!(get(url).text, page, "one visit was forgotten and counted again");
    let visits = || {
        let socket = format!("{}/run/cache/redis.sock", prefix.display());
        home.run(&["run", "cache", "--", "redis-cli", "-s", &socket, "get", "visits"]).success().stdout().to_owned()
    };
    let counted = visits();
    home.run(&["restart", "cache"]).success();
    assert_eq!(visits(), counted);
}

#[test]
fn shared_memory_of_a_database_that_was_killed_goes_with_it() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: shared memory is told apart by its user, and only root has one for each test");
        return;
    }
    let Some(home) = shop() else { return };
    home.write("jove.toml", "name = 'shop'\n[parts.db]\nrecipe = 'postgresql'\n");
    home.run(&["install"]).success();
    assert_ne!(shared_memory(&home), [""; 0]);
    home.breaks_down();
    assert_ne!(shared_memory(&home), [""; 0]);
    home.run(&["wipe", "--data", "--yes"]).success();
    assert_eq!(shared_memory(&home), [""; 0]);
}
