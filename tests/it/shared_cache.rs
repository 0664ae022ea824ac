//! One download cache and several installations that want the same file at the same time.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::index_server::{Fault, IndexServer, Wheel};
use crate::life::{Life, until};

/// Two projects of one user, each with the same file of the net in its lock.
fn projects(server: &IndexServer) -> Life {
    let life = Life::of("");
    let (address, sha256) = server.file("demo");
    for name in ["one", "two"] {
        life.sandbox.write(
            format!("{name}/jove.toml"),
            format!(
                "name = \"{name}\"\n[parts.tools]\nrecipe = \"packages\"\n[parts.tools.archive.demo]\nversion = \"1\"\n\
                 form = \"file\"\nurl = \"{address}\"\nsha256 = \"{sha256}\"\n"
            ),
        );
        life.run(&["-C", name, "lock"]).success();
    }
    // Whether the archive can be reached was asked.
    drop(server.requests());
    life
}

fn begun(life: &Life, name: &str) -> Child {
    let mut command = life.sandbox.command(&["-C", name, "install", "-v"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

#[track_caller]
fn succeeds(mut child: Child) {
    let mut said = String::new();
    // What is left of it, where a part was read already.
    let _ = child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut said));
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0), "{said}");
}

/// The whole file is in the cache, once, and nothing half.
#[track_caller]
fn is_kept_once(life: &Life, server: &IndexServer) {
    let (address, sha256) = server.file("demo");
    let name = address.rsplit('/').next().expect("a name");
    let files = life.sandbox.home().join(".cache/jove-install/files");
    let entries = walkdir::WalkDir::new(files).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    let kept: Vec<PathBuf> = entries.map(walkdir::DirEntry::into_path).collect();
    assert_eq!(kept.len(), 1, "{kept:#?}");
    assert!(kept[0].ends_with(format!("{}/{sha256}/{name}", &sha256[..2])), "{kept:#?}");
    let found = jove_install::digest::Sha256::of(fs_err::read(&kept[0]).expect("a file")).to_hex();
    assert_eq!(found, sha256);
    life.has_no_litter("afterwards");
    for name in ["one", "two"] {
        life.run(&["-C", name, "verify"]).success();
    }
}

fn wheel() -> IndexServer {
    IndexServer::start([Wheel::new("demo", "1.0")])
}

#[test]
fn two_that_fetch_one_file_at_once_both_have_it() {
    let server = wheel();
    let life = projects(&server);
    let children = ["one", "two"].map(|name| begun(&life, name));
    children.into_iter().for_each(succeeds);
    let requests = server.requests();
    assert!((1..=2).contains(&requests.len()), "{requests:#?}");
    is_kept_once(&life, &server);
}

#[test]
fn one_that_is_killed_half_way_leaves_its_half_to_the_other() {
    let server = wheel();
    let life = projects(&server);
    server.fail_times(1, "/files/", Fault::Stall);
    let mut first = begun(&life, "one");
    let files = life.sandbox.home().join(".cache/jove-install/files");
    until("the first half", || {
        let parts = walkdir::WalkDir::new(&files).into_iter().flatten().filter(|entry| entry.file_name() == ".part");
        parts.into_iter().find(|part| part.metadata().is_ok_and(|facts| facts.len() > 0))
    });
    let mut second = begun(&life, "two");
    let mut said = BufReader::new(second.stderr.take().expect("piped")).lines();
    let pid = first.id().to_string();
    let waits = said.by_ref().map_while(Result::ok).find(|line| line.contains(&pid));
    assert!(waits.is_some(), "it does not say for whom it waits");
    first.kill().expect("killed");
    let _ = first.wait();
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    assert_eq!(second.wait().expect("it ends").code(), Some(0), "{rest:#?}");
    life.run(&["-C", "one", "install", "--quiet"]).success();
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "the killed one's comes at once: {requests:#?}");
    assert!(requests[1].contains(" bytes="), "only the rest is fetched: {requests:#?}");
    is_kept_once(&life, &server);
}
