//! The profile `dev`: beside a running demo, restarted when a source changes, and no trace in a source folder.

use std::path::Path;

use crate::home::{Home, get};
use crate::sandbox::Listing;

const DEV: &[&str] = &["-p", "dev"];

/// What the process `greet` answers.
fn greeting(url: &str) -> String {
    let asked = "service=WPS&version=1.0.0&request=Execute&identifier=greet&datainputs=name=Ada";
    get(&format!("{url}wps?{asked}")).text
}

/// What changed below a folder, without those files that an installation may make there.
fn changes(before: &Listing, after: &Listing, folder: &Path, made: &[&str]) -> String {
    let lines = before.changes(after);
    let below = format!(" {}/", folder.display());
    let told = lines.lines().filter(|line| line.contains(&below));
    told.filter(|line| !made.iter().any(|name| line.contains(&format!("{below}{name} ")))).collect()
}

#[test]
fn dev_runs_beside_a_demo_and_follows_its_sources() {
    let Some(home) = Home::new() else { return };
    let empty = home.outside();
    home.run(&["-p", "demo"]).success();
    home.run(DEV).success();
    let (demo, dev) = (home.url(&["-p", "demo"], "wps"), home.url(DEV, "wps"));
    assert_ne!(demo, dev);
    let example = home.home().join("jove/dev/example");
    let source = example.join("processes/greet.py");
    let (before, text) = (home.listing(), home.read(&source));
    assert!(text.contains("\"Hello\"") && greeting(&dev).contains("Hello, Ada!"), "{text}");
    home.write(&source, text.replace("\"Hello\"", "\"Good day\""));
    home.until("the change is seen", || greeting(&dev).contains("Good day, Ada!"));
    home.write(&source, "def broken(:\n");
    home.until("the broken source is noticed", || !greeting(&dev).contains("Good day"));
    home.until("the log says what is wrong", || {
        home.run(&["logs", "-p", "dev"]).success().stdout().contains("SyntaxError")
    });
    home.until("it is no longer tried", || home.service(DEV, "wps")["state"] == "failed");
    home.write(&source, &text);
    home.until("the mended source works", || greeting(&dev).contains("Hello, Ada!"));
    home.until("all is ready", || home.service(DEV, "wps")["state"] == "ready");
    assert!(greeting(&demo).contains("Hello, Ada!"), "the demo went on beside it");
    assert_eq!(home.service(&["-p", "demo"], "wps")["restarts"], 0);
    assert_eq!(changes(&before, &home.listing(), &example, &["processes/greet.py"]), "");
    for profile in ["dev", "demo"] {
        home.run(&["wipe", "-p", profile, "--data", "--yes"]).success();
    }
    assert_eq!(empty.changes(&home.outside()), "");
}

#[test]
fn a_project_of_ones_own_is_left_as_it_is() {
    let Some(mut home) = Home::new() else { return };
    home.run(&["init", "--example", "pywps", "climate"]).success();
    let project = home.folder().join("climate");
    let before = home.listing();
    home.enter("climate/processes");
    let url = home.run(&["--json"]).success().json()["urls"][0].as_str().unwrap().to_owned();
    assert!(greeting(&url).contains("Hello, Ada!"));
    home.run(&["verify"]).success();
    home.run(&["restart"]).success();
    assert!(greeting(&url).contains("Hello, Ada!"));
    home.run(&["wipe", "--data", "--yes"]).success();
    // The lock is the project's: it is for all its profiles and stays.
    assert_eq!(changes(&before, &home.listing(), &project, &["jove.lock"]), "");
    assert!(project.join("jove.lock").is_file());
}
