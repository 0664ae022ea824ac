//! The profile `production` confines every server (Landlock): whoever took one over writes nowhere but below its own folders. As an
//! ordinary user, programs from Debian packages.

use std::path::PathBuf;

use crate::home::Home;
use crate::production::{PRODUCTION, home};

const DEFINITION: &str = include_str!("confined/jove.toml");

struct Walled {
    home: Home,
    prefix: PathBuf,
}

impl Walled {
    /// What a server's own client says, as its administrator.
    fn told(&self, part: &str, password: &str, command: &[&str]) -> String {
        let begin = ["run", part, "-p", "production", "--", "env", password];
        let said = self.home.run(&[&begin[..], command].concat());
        format!("{}{}", said.stdout(), said.stderr()).trim().to_owned()
    }

    fn secret(&self, name: &str) -> String {
        self.home.run(&[&["secret", "show", name], PRODUCTION].concat()).success().stdout().trim().to_owned()
    }

    /// Has a server write a file `x` into its own folder, and then where it must not.
    fn cannot_write_elsewhere(&self, part: &str, refusal: &str, write: impl Fn(&str) -> String) {
        let own = self.prefix.join("var").join(part);
        let said = write(own.to_str().unwrap());
        assert!(own.join("x").exists(), "{part} writes where it may: {said}");
        for folder in [self.prefix.join("var/other"), self.home.home().join("beside")] {
            let said = write(folder.to_str().unwrap());
            assert!(said.contains(refusal), "{part}: {said}");
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{part}: {said}");
        }
    }
}

#[test]
fn a_server_in_production_writes_into_its_own_folders_alone() {
    if let Err(reason) = &jove_install::sandbox::Machine::current().landlock {
        eprintln!("not tried: {reason}");
        return;
    }
    let Some(mut home) = home() else { return };
    home.enter("walled");
    home.write("jove.toml", DEFINITION);
    home.run(PRODUCTION).success();
    let prefix = PathBuf::from(home.status(PRODUCTION)["prefix"].as_str().unwrap());
    for folder in [prefix.join("var/other"), home.home().join("beside")] {
        std::fs::create_dir(&folder).unwrap();
        home.own(&folder);
    }
    let walled = Walled { home, prefix };
    databases_stay_inside(&walled);
    a_cache_and_a_broker_stay_inside(&walled);
    // The job tries it by itself.
    walled.home.run(&[&["run-now", "job"], PRODUCTION].concat()).success();
    walled.home.run(&[&["verify"], PRODUCTION].concat()).success();
    walled.home.wipe(PRODUCTION);
}

fn databases_stay_inside(walled: &Walled) {
    let password = format!("PGPASSWORD={}", walled.secret("db.admin_password"));
    let host = format!("--host={}", walled.prefix.join("run/db").display());
    let ask = |statement: &str| {
        let command = format!("--command={statement}");
        walled.told("db", &password, &["psql", &host, "--username=jove", &command, "postgres"])
    };
    walled.cannot_write_elsewhere("db", "Permission denied", |folder| ask(&format!("copy (select 1) to '{folder}/x'")));
    let secrets = walled.prefix.join("state.toml");
    let read = ask(&format!("select pg_read_file('{}')", secrets.display()));
    assert!(read.contains("Permission denied"), "{read}");

    let password = format!("MYSQL_PWD={}", walled.secret("letters.admin_password"));
    walled.cannot_write_elsewhere("letters", "Permission denied", |folder| {
        let statement = format!("--execute=select 1 into outfile '{folder}/x'");
        walled.told("letters", &password, &["mariadb", "--user=root", &statement])
    });
}

fn a_cache_and_a_broker_stay_inside(walled: &Walled) {
    let socket = walled.prefix.join("run/cache/redis.sock");
    let ask = |words: &[&str]| {
        let client = ["redis-cli", "-s", socket.to_str().unwrap()];
        walled.told("cache", "LC_ALL=C", &[&client[..], words].concat())
    };
    assert_eq!(ask(&["config", "set", "dbfilename", "x"]), "OK");
    walled.cannot_write_elsewhere("cache", "ERR", |folder| {
        assert_eq!(ask(&["config", "set", "dir", folder]), "OK");
        ask(&["save"])
    });
    walled.cannot_write_elsewhere("queue", "{error,eacces}", |folder| {
        let said = format!("file:write_file(\"{folder}/x\", \"x\").");
        walled.told("queue", "LC_ALL=C.UTF-8", &["rabbitmqctl", "eval", &said])
    });
}
