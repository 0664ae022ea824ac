//! Deaths in the middle of a switch, of the keeper, of both; and several runs at once.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use super::site::{Site, kill, kill_both, until};

/// A run that goes on beside the test; killed when it is dropped.
struct Running(Child);

impl Running {
    fn start(site: &Site, arguments: &[&str]) -> Self {
        let mut command = site.command(arguments);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started"))
    }

    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        for pipe in [
            self.0.stdout.take().map(|it| Box::new(it) as Box<dyn Read>),
            self.0.stderr.take().map(|it| Box::new(it) as Box<dyn Read>),
        ] {
            let _ = pipe.map(|mut pipe| pipe.read_to_string(&mut said));
        }
        (self.0.wait().expect("ended").code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A site with one generation, and an install of the next that cannot get past its trial.
fn in_trial() -> (Site, Running) {
    let site = Site::new();
    site.run(&["install"]).success();
    site.hold(true);
    site.says("two");
    let install = Running::start(&site, &["install"]);
    until("the trial", || (site.words() == ["two"]).then_some(()));
    (site, install)
}

#[test]
fn the_command_dies_between_trial_and_commit() {
    let (site, install) = in_trial();
    drop(install);
    assert_eq!((site.current(), site.words()), (Some(1), vec!["two".to_owned()]));
    site.hold(false);
    site.settle();
    assert_eq!(site.current(), Some(2), "the supervisor owns the switch");
    site.run(&["install"]).success();
    site.is_well("after it", "two");
    site.stops("at the end");
}

#[test]
fn the_supervisor_dies_between_trial_and_commit() {
    let (site, install) = in_trial();
    kill(site.pid_of("internal-supervisor").expect("it runs"));
    site.hold(false);
    let (code, said) = install.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the supervisor was killed during the switch"), "{said}");
    site.is_one_of("after it", &[Some(1)]);
    until("the former service", || (site.words() == ["one"]).then_some(()));
    site.run(&["install"]).success();
    site.is_well("after another", "two");
    site.stops("at the end");
}

#[test]
fn command_and_supervisor_die_between_trial_and_commit() {
    let (site, install) = in_trial();
    kill(site.pid_of("internal-supervisor").expect("it runs"));
    drop(install);
    site.hold(false);
    site.is_one_of("after it", &[Some(1)]);
    site.run(&["install"]).success();
    site.is_well("after another", "two");
    site.stops("at the end");
}

#[test]
fn all_of_ours_die_between_trial_and_commit() {
    let (site, install) = in_trial();
    kill_both(&site);
    drop(install);
    site.hold(false);
    assert_eq!((site.current(), site.words()), (Some(1), vec!["two".to_owned()]), "nobody is there to go back");
    site.run(&["install"]).success();
    site.is_well("after another", "two");
    site.stops("at the end");
}

#[test]
fn the_next_verb_takes_over_what_a_dead_keeper_left() {
    let site = Site::new();
    site.run(&["install"]).success();
    let service = site.pid_of(" says ").expect("it runs");
    for verb in ["status", "install", "start", "verify"] {
        kill_both(&site);
        let _ = site.run(&[verb]);
        site.run(&["install"]).success();
        site.is_well(verb, "one");
        assert_eq!(site.pid_of(" says "), Some(service), "{verb}: it is taken over, not restarted");
    }
    kill_both(&site);
    site.stops("with nobody to ask");
}

#[test]
fn a_keeper_alone_is_replaced_by_its_supervisor() {
    let site = Site::new();
    site.run(&["install"]).success();
    let (service, keeper) = (site.pid_of(" says "), site.pid_of("internal-keeper").expect("it runs"));
    kill(keeper);
    until("the end of the keeper", || (site.pid_of("internal-keeper") != Some(keeper)).then_some(()));
    site.run(&["install"]).success();
    site.is_well("after it", "one");
    assert_eq!(site.pid_of(" says "), service);
    site.stops("at the end");
}

#[test]
fn a_stop_meets_a_supervisor_whose_keeper_was_killed_that_moment() {
    let site = Site::new();
    site.run(&["install"]).success();
    // Whether it is met before it knows, as it goes, or after it is gone is left to chance.
    for _ in 0..8 {
        kill(site.pid_of("internal-keeper").expect("it runs"));
        site.stops("after a dead keeper");
        site.run(&["start"]).success();
    }
    kill(site.pid_of("internal-keeper").expect("it runs"));
    site.run(&["wipe", "--data", "--yes"]).success();
    until("an end of all", || site.sandbox.processes().is_empty().then_some(()));
}

#[test]
fn a_second_install_waits_and_names_the_first() {
    let (site, first) = in_trial();
    let pid = first.0.id();
    let refused = site.run(&["install", "--no-wait"]).code(1);
    assert!(refused.stderr().contains(&format!("(pid {pid}")), "{}", refused.stderr());
    let mut second = Running::start(&site, &["install"]);
    let mut said = BufReader::new(second.0.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("waiting") {
        line.clear();
        assert!(said.read_line(&mut line).expect("text") > 0, "it does not wait");
    }
    assert!(line.contains(&format!("(pid {pid}")), "{line}");
    // Those that only look do not wait.
    let _ = site.run(&["status"]);
    site.run(&["plan"]).success();
    site.hold(false);
    let (code, text) = first.end();
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = second.end();
    let mut rest = String::new();
    let _ = said.read_to_string(&mut rest);
    assert_eq!(code, Some(0), "{text}{rest}");
    site.is_well("after both", "two");
    assert_eq!(site.current(), Some(2), "the second had nothing to do");
    site.stops("at the end");
}

#[test]
fn prefixes_are_installed_at_once() {
    let site = Site::new();
    let places: Vec<[String; 2]> = (0..3)
        .map(|number| {
            let project = format!("../project{number}");
            site.project(&project, "one");
            [project, site.sandbox.home().join(format!("prefix{number}")).display().to_string()]
        })
        .collect();
    let arguments = |verb: &'static str, [project, prefix]: &[String; 2]| {
        [verb, "-C", project, "--prefix", prefix].map(str::to_owned)
    };
    let start = |place| Running::start(&site, &arguments("install", place).each_ref().map(String::as_str));
    let runs: Vec<Running> = places.iter().map(start).collect();
    for run in runs {
        let (code, said) = run.end();
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(site.words(), ["one"; 3]);
    let port = |place: &[String; 2]| {
        let state = fs_err::read_to_string(format!("{}/state.toml", place[1])).expect("state");
        state.lines().find(|line| line.contains("app.port")).expect("a port").to_owned()
    };
    let ports: BTreeSet<String> = places.iter().map(port).collect();
    assert_eq!(ports.len(), 3, "no port is allotted twice: {ports:?}");
    for place in &places {
        let wipe = arguments("wipe", place);
        let wipe = wipe.iter().map(String::as_str).chain(["--data", "--yes"]);
        site.run(&wipe.collect::<Vec<_>>()).success();
    }
    assert!(site.sandbox.processes().is_empty());
}
