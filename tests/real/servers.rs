//! MariaDB, RabbitMQ and Apache with mod_wsgi as an ordinary user, from Debian packages. Each is spoken to by its own client, and
//! what they keep is dumped and loaded.

use std::path::PathBuf;

use jove_install::service::DataVerb;

use crate::home::{Home, get, has_debian, kill};

const DEFINITION: &str = include_str!("servers/jove.toml");
const APPLICATION: &str = include_str!("servers/app.py");

/// An installed office.
struct Office {
    home: Home,
    url: String,
    prefix: PathBuf,
}

impl Office {
    fn new() -> Option<Self> {
        let mut home = has_debian().then(Home::of_known_user).flatten()?;
        home.enter("office");
        home.write("jove.toml", DEFINITION);
        home.write("app.py", APPLICATION);
        home.write("static/site.css", "body { color: blue }\n");
        Some(Self { home, url: String::new(), prefix: PathBuf::new() })
    }

    fn install(&mut self) {
        self.home.run(&["install"]).success();
        self.url = self.home.url(&[], "site");
        self.prefix = PathBuf::from(self.home.status(&[])["prefix"].as_str().unwrap());
    }

    fn page(&self, path: &str) -> String {
        get(&format!("{}{path}", self.url)).text
    }

    /// What a command in the surroundings of a part says.
    fn told(&self, part: &str, command: &[&str]) -> String {
        let said = self.home.run(&[&["run", part, "--"], command].concat());
        format!("{}{}", said.stdout(), said.stderr()).trim().to_owned()
    }
}

/// Addresses beyond this machine's own on which a user's processes listen.
fn open_to_all(user: u32) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    let rows = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
    let listening = rows.filter(|row| row[3] == "0A" && row[7] == user.to_string());
    let own = ["0100007F", "00000000000000000000000001000000"];
    listening.map(|row| row[1].to_owned()).filter(|place| !own.iter().any(|own| place.starts_with(own))).collect()
}

#[test]
fn databases_brokers_and_apache_run_from_packages() {
    let Some(mut office) = Office::new() else { return };
    let before = office.home.outside();
    office.install();
    serves(&office);
    is_closed_to_others(&office);
    has_its_own_databases_alone(&office);
    comes_back(&office);
    gives_its_data_and_takes_it(&office);
    takes_new_passwords_of_administrators(&office);
    office.home.run(&["verify"]).code(0);
    // Erlang's name server is no daemon that stays.
    office.home.run(&["stop"]).success();
    assert_eq!(format!("{:?}", office.home.processes()), "[]");
    office.home.run(&["wipe", "--data", "--yes"]).success();
    assert_eq!(format!("{:?}", office.home.processes()), "[]");
    let lock = office.home.folder().join("jove.lock");
    assert_eq!(before.changes(&office.home.outside().without(&lock)), "");
}

fn serves(office: &Office) {
    let page = office.page("");
    let python = office.prefix.join("store").display().to_string();
    assert!(page.contains("Grüße, 山 as office@localhost, python 3.") && page.contains(&python), "{page}");
    assert_eq!(office.page("static/site.css"), "body { color: blue }\n");
    assert_eq!((office.page("post"), office.page("fetch")), ("posted".into(), "a letter".into()));
    assert_eq!(office.page("guest"), "refused");
    let users = office.told("queue", &["rabbitmqctl", "--quiet", "list_users", "--no-table-headers"]);
    assert_eq!(users.split_whitespace().next(), Some("app"), "{users}");
    assert_eq!(users.lines().count(), 1, "{users}");
}

fn is_closed_to_others(office: &Office) {
    let ask = ["mariadb", "--user=office", "--batch", "--skip-column-names", "--execute=select user()", "letters"];
    assert_eq!(office.told("db", &ask), "office@localhost");
    for user in ["--user=office", "--user=root", "--user="] {
        let refused = office.told("db", &["env", "-u", "MYSQL_PWD", "mariadb", user, "--execute=select 1"]);
        assert!(refused.contains("ERROR 1045"), "{user}: {refused}");
    }
    assert_eq!(open_to_all(office.home.user()), [""; 0]);
}

/// What a user of the database server may do with a database, by its password: its tables, or why not.
fn tables(office: &Office, (user, secret): (&str, &str), database: &str) -> String {
    let password = office.home.run(&["secret", "show", secret]).success().stdout().trim().to_owned();
    let (password, user) = (format!("MYSQL_PWD={password}"), format!("--user={user}"));
    let ask = ["mariadb", &user, "--batch", "--skip-column-names", "--execute=show tables", database];
    office.told("db", &[&["env", &password][..], &ask].concat())
}

/// In the name of a grant `_` and `%` stand for other letters.
fn has_its_own_databases_alone(office: &Office) {
    let (root, office_user, notes) =
        (("root", "db.admin_password"), ("office", "db.password"), ("notes", "notes.password"));
    let password = office.home.run(&["secret", "show", root.1]).success().stdout().trim().to_owned();
    let make = "create database oldXletters; create database ourXnotes";
    let (password, make) = (format!("MYSQL_PWD={password}"), format!("--execute={make}"));
    assert_eq!(office.told("db", &["env", &password, "mariadb", "--user=root", &make]), "");
    for (user, own, sibling) in [
        (office_user, "old_letters", "oldXletters"),
        (notes, "our_notes", "ourXnotes"),
        (notes, "our_notes", "letters"),
    ] {
        assert_eq!(tables(office, user, own), "");
        let refused = tables(office, user, sibling);
        assert!(refused.contains("ERROR 1044") && refused.contains(sibling), "{refused}");
        assert!(!tables(office, root, sibling).contains("ERROR"), "{sibling} is there");
    }
}

fn comes_back(office: &Office) {
    let rows = || office.page("").split(' ').next().and_then(|count| count.parse::<u32>().ok());
    let first = rows().unwrap();
    kill(&office.home.service(&[], "db")["pid"]);
    office.home.until("the database after a kill", || rows().is_some_and(|now| now > first));
}

fn takes_new_passwords_of_administrators(office: &Office) {
    let ask = |word: &str, user: &str| {
        let (password, user) = (format!("MYSQL_PWD={word}"), format!("--user={user}"));
        office.told("db", &["env", &password, "mariadb", &user, "--batch", "--skip-column-names", "--execute=select 7"])
    };
    for (secret, user) in
        [("db.admin_password", "root"), ("db.spare_password", "root-spare"), ("db.admin_password", "root")]
    {
        let word = || office.home.run(&["secret", "show", secret]).success().stdout().trim().to_owned();
        let former = word();
        assert_eq!(ask(&former, user), "7");
        office.home.run(&["secret", "rotate", secret]).success();
        office.home.run(&["install"]).success();
        assert!(ask(&former, user).contains("ERROR 1045"), "{secret}");
        assert_eq!(ask(&word(), user), "7", "{secret}");
    }
    // Whoever sets one by hand takes what letters they like; in addresses they are percent-encoded.
    let word = r#"it's $1, "\root\" & %s"#;
    for secret in ["db.password", "queue.password"] {
        office.home.run_with_input(&["secret", "set", secret], "it's a/b:c@d?e#f&g=100% +ä\n").success();
    }
    for secret in ["db.admin_password", "notes.password"] {
        office.home.run_with_input(&["secret", "set", secret], &format!("{word}\n")).success();
    }
    office.home.run(&["install"]).success();
    assert_eq!((ask(word, "root"), ask(word, "notes")), ("7".into(), "7".into()));
    assert!(office.page("").contains("Grüße, 山 as office@localhost"), "{}", office.page(""));
    assert_eq!((office.page("post"), office.page("fetch")), ("posted".into(), "a letter".into()));
    let said = office.home.run(&["dump", "db", "notes", "site"]).success().text();
    assert!(said.contains("proven") && !said.contains("unproven"), "{said}");
}

fn gives_its_data_and_takes_it(office: &Office) {
    let count = [
        "mariadb",
        "--user=office",
        "--batch",
        "--skip-column-names",
        "--execute=select count(*) from letters",
        "letters",
    ];
    office.page("post");
    let letters = office.told("db", &count);
    let folders = ["db", "queue"].map(|part| (part, office.home.path("tmp").join(part)));
    for (part, folder) in &folders {
        office.home.data(&office.prefix, part, DataVerb::Dump, folder);
    }
    office.page("");
    assert_eq!(office.page("fetch"), "a letter");
    assert_ne!(office.told("db", &count), letters);
    for (part, folder) in &folders {
        office.home.data(&office.prefix, part, DataVerb::Load, folder);
        std::fs::remove_dir_all(folder).unwrap();
    }
    assert_eq!(office.told("db", &count), letters);
    assert_eq!(office.page("fetch"), "a letter");
}
