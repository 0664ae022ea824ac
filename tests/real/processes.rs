//! A PyWPS service of a project of one's own through its life in production, and in stage beside it. As an ordinary user, programs
//! from Debian packages.

use std::process::Command;

use serde_json::Value;

use crate::home::Home;
use crate::production::{PRODUCTION, STAGE, ask, home};
use crate::visits::nobody_notices;

const GREET: &str = include_str!("../../recipes/pywps/example/processes/greet.py");
const CAPABILITIES: &str = "/wps?service=WPS&request=GetCapabilities";

fn climate() -> Option<Home> {
    let mut home = home()?;
    home.run(&["init", "--example", "pywps", "climate"]).success();
    home.enter("climate");
    Some(home)
}

#[test]
fn a_service_of_ones_own_lives_in_production() {
    let Some(home) = climate() else { return };
    home.run(PRODUCTION).success();
    let url = home.url(PRODUCTION, "web");
    greets(&home, PRODUCTION, "Hello");
    nobody_notices(&home, &url, CAPABILITIES, || is_updated_or_not_at_all(&home));
    let drawn = Drawn::new(&home);
    comes_back_from_a_dump(&home, &drawn);
    let kept = home.folder().parent().unwrap().join("kept").display().to_string();
    let dumped = home.run(&[&["dump", "--json"], PRODUCTION].concat()).success().json();
    let copied = Command::new("cp").arg("-a").args([dumped["dump"]["path"].as_str().unwrap(), &kept]).status();
    assert!(copied.unwrap().success());
    let then = requests(&home, PRODUCTION);

    // What production holds, in stage.
    home.run(STAGE).success();
    greets(&home, STAGE, "Good day");
    assert!(!drawn.is_there(&home, STAGE), "its own data");
    home.run(&[&["load", &kept], STAGE].concat()).success();
    assert!(drawn.is_there(&home, STAGE));
    assert_eq!(requests(&home, STAGE), then);
    home.run(&[&["wipe", "--data", "--yes"], STAGE].concat()).success();

    // A dump that was put away is all that is left of the service, and all that it takes.
    home.run(&[&["wipe", "--data", "--yes"], PRODUCTION].concat()).success();
    home.run(PRODUCTION).success();
    assert!(!drawn.is_there(&home, PRODUCTION), "another service, without what people did");
    home.run(&[&["load", &kept], PRODUCTION].concat()).success();
    assert!(drawn.is_there(&home, PRODUCTION));
    assert_eq!(requests(&home, PRODUCTION), then);
    greets(&home, PRODUCTION, "Good day");
    home.wipe(PRODUCTION);
}

/// What a process answers.
fn execute(home: &Home, place: &[&str], inputs: &str) -> String {
    let url = home.url(place, "web");
    let asked = format!("{url}wps?service=WPS&version=1.0.0&request=Execute&{inputs}");
    ask(home, place, &[&asked])[0]["text"].as_str().unwrap().to_owned()
}

#[track_caller]
fn greets(home: &Home, place: &[&str], word: &str) {
    let said = execute(home, place, "identifier=greet&datainputs=name=Ada");
    assert!(said.contains(&format!("{word}, Ada!")), "{said}");
}

/// How many requests the service has written down in its database.
fn requests(home: &Home, place: &[&str]) -> String {
    let code = "import os, sqlalchemy as s\nwith s.create_engine(os.environ['JOVE_PYWPS_DATABASE']).connect() as c:\n    \
                print(c.execute(s.text('select count(*) from pywps_requests')).scalar())";
    home.run(&[&["run", "wps"], place, &["--", "python", "-c", code]].concat()).success().stdout().trim().to_owned()
}

/// One that cannot be loaded never answers anybody: the former one comes back, and who asks meanwhile waits.
fn is_updated_or_not_at_all(home: &Home) {
    let update = || home.run(&[&["update"], PRODUCTION].concat());
    let good_day = GREET.replace("\"Hello\"", "\"Good day\"");
    home.write("processes/greet.py", &good_day);
    update().success();
    greets(home, PRODUCTION, "Good day");
    home.run(&[&["rollback"], PRODUCTION].concat()).success();
    greets(home, PRODUCTION, "Hello");
    home.run(&[&["install", "--release"], PRODUCTION].concat()).success();
    greets(home, PRODUCTION, "Good day");
    let before = home.status(PRODUCTION)["generation"].clone();
    home.write("processes/greet.py", format!("import nowhere\n{good_day}"));
    let failed = update().code(1);
    assert!(failed.stderr().contains("No module named 'nowhere'"), "{}", failed.stderr());
    assert_eq!(
        (&home.status(PRODUCTION)["generation"], &Value::Null),
        (&before, &home.status(PRODUCTION)["switching"])
    );
    assert_eq!(home.service(PRODUCTION, "wps")["state"], "ready");
    greets(home, PRODUCTION, "Good day");
    home.write("processes/greet.py", good_day);
    update().success();
}

/// A chart that somebody had drawn.
struct Drawn {
    /// Below the address of the service.
    path: String,
}

impl Drawn {
    fn new(home: &Home) -> Self {
        let said = execute(home, PRODUCTION, "identifier=chart&datainputs=values=1,2,3&title=a");
        let path = said.split("/outputs/").nth(1).and_then(|rest| rest.split(['"', '<']).next());
        let drawn = Self { path: format!("outputs/{}", path.unwrap_or_else(|| panic!("{said}"))) };
        assert!(drawn.is_there(home, PRODUCTION), "{said}");
        drawn
    }

    fn is_there(&self, home: &Home, place: &[&str]) -> bool {
        ask(home, place, &[&format!("{}{}", home.url(place, "web"), self.path)])[0]["status"] == 200
    }
}

fn comes_back_from_a_dump(home: &Home, drawn: &Drawn) {
    let then = requests(home, PRODUCTION);
    home.run(&[&["dump"], PRODUCTION].concat()).success();
    greets(home, PRODUCTION, "Good day");
    assert_ne!(requests(home, PRODUCTION), then);
    let prefix = home.status(PRODUCTION)["prefix"].as_str().unwrap().to_owned();
    std::fs::remove_file(std::path::Path::new(&prefix).join("var/wps").join(&drawn.path)).unwrap();
    assert!(!drawn.is_there(home, PRODUCTION));
    home.run(&[&["load"], PRODUCTION].concat()).success();
    assert!(drawn.is_there(home, PRODUCTION));
    assert_eq!(requests(home, PRODUCTION), then);
}
