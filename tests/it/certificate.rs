//! The service that keeps a web server's certificate good: it makes it anew in time, sees that a given one was replaced, and has the
//! server read it. The server is a shell that says what it hears, beside it under one keeper as nginx is.

use std::os::unix::fs::MetadataExt as _;

use rustix::process::Signal;

use crate::life::until;
use crate::sandbox::Sandbox;
use crate::standalone::Stay;

/// A server that writes its pid and says that it was told to read its files again; and the service beside it.
fn services(stay: &Stay, words: &[&str]) -> String {
    let program = stay.sandbox.program().display().to_string();
    let own = [&program, "internal-certificate", "--stay", "--every=1", "--tell=server.pid", "--certificate=c.pem"];
    let command: Vec<&str> = own.into_iter().chain(words.iter().copied()).collect();
    let server = "trap 'echo told' HUP; echo $$ > server.pid; while :; do sleep 0.05; done";
    format!("[services.server]\ncommand = \"{server}\"\n[services.renew]\ncommand = {command:?}\nneeds = ['server']\n")
}

fn begun(words: &[&str]) -> Stay {
    let mut stay = Stay::idle("names", "site.example.org\n");
    stay.sandbox.write("services.toml", services(&stay, words));
    stay.begin("services.toml");
    stay
}

fn log_of(stay: &Stay, service: &str) -> String {
    std::fs::read_to_string(stay.sandbox.path(format!("work/run/log/{service}.log"))).unwrap_or_default()
}

#[test]
fn one_that_ends_soon_is_made_anew_and_the_server_reads_it() {
    // Always too near its end.
    let mut stay = begun(&["--make", "--names=names", "--days=20", "--before=30"]);
    let certificate = stay.sandbox.path("work/c.pem");
    let first = until("the first", || std::fs::read_to_string(&certificate).ok().filter(|text| !text.is_empty()));
    until("another one", || (std::fs::read_to_string(&certificate).expect("it is there") != first).then_some(()));
    until("a server that was told twice", || (log_of(&stay, "server").lines().count() >= 2).then_some(()));
    let said = log_of(&stay, "renew");
    assert!(said.contains("was made (the former one ends soon)") && said.contains("the server was told"), "{said}");
    assert_eq!(certificate.metadata().expect("it is there").mode() & 0o777, 0o600);
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
}

#[test]
fn a_given_one_that_was_replaced_is_read_and_a_bad_one_is_named() {
    let make = |name: &str| {
        let sandbox = Sandbox::new();
        sandbox.write("names", name);
        sandbox.run(&["internal-certificate", "--make", "--names=names", "--certificate=c.pem"]).success();
        std::fs::read_to_string(sandbox.path("work/c.pem")).expect("made")
    };
    let (first, second) = (make("a.example.org\n"), make("b.example.org\n"));
    let mut stay = Stay::idle("c.pem", &first);
    stay.sandbox.write("services.toml", services(&stay, &[]));
    stay.begin("services.toml");
    until("a server", || stay.sandbox.path("work/server.pid").exists().then_some(()));
    stay.sandbox.write("c.pem", "rubbish");
    until("a word of the bad one", || log_of(&stay, "renew").contains("error: ").then_some(()));
    assert_eq!(log_of(&stay, "server"), "", "nobody reads what is no certificate");
    stay.sandbox.write("c.pem", &second);
    until("a server that was told", || log_of(&stay, "server").contains("told").then_some(()));
    assert!(log_of(&stay, "renew").contains("the certificate for b.example.org is good"), "{}", log_of(&stay, "renew"));
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
}
