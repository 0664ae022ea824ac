//! Files of commits: pinned once, taken from the cache, never more than what is committed; and what goes wrong with remotes.

use std::path::PathBuf;

use crate::life::Life;

/// Runs git in a repository of the sandbox, as its user; gives what it prints.
fn git(life: &Life, repository: &str, arguments: &[&str]) -> String {
    let folder = life.sandbox.path("work").join(repository);
    let mut command = life.sandbox.other("/usr/bin/env");
    let me = ["git", "-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "protocol.file.allow=always"];
    command.args(me).arg("-c").arg("init.defaultBranch=main").args(arguments).current_dir(&folder);
    life.sandbox.finish(command, b"").success().stdout().trim().to_owned()
}

fn commit(life: &Life, repository: &str, file: &str, text: &str) -> String {
    life.sandbox.write(format!("{repository}/{file}"), text);
    git(life, repository, &["add", "--all"]);
    git(life, repository, &["commit", "--quiet", "--message", text.trim()]);
    git(life, repository, &["rev-parse", "HEAD"])
}

/// A repository `app` with one commit.
fn life() -> Life {
    let mut life = Life::of("");
    // Where git is, if not in the usual places.
    let found = std::process::Command::new("/bin/sh").args(["-c", "command -v git"]).output().expect("a shell");
    let path = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    let folder = PathBuf::from(path).parent().expect("git is there").display().to_string();
    let search = format!("{}:{folder}", life.sandbox.var("PATH"));
    life.sandbox.set("PATH", search);
    repository(&life, "app");
    commit(&life, "app", "hello.txt", "one\n");
    life
}

fn repository(life: &Life, name: &str) {
    life.sandbox.write(format!("{name}/.keep"), "");
    git(life, name, &["init", "--quiet", "."]);
}

fn define(life: &Life, more: &str) {
    let url = life.sandbox.path("work/app").display().to_string();
    life.define(&format!("[parts.code]\nrecipe = 'packages'\n[parts.code.git.app]\nurl = '{url}'\n{more}\n"));
}

fn reads(life: &Life, file: &str) -> String {
    life.run(&["run", "code", "--", "sh", "-c", &format!("cat {}/store/*-code/{file}", life.prefix().display())])
        .success()
        .stdout()
        .to_owned()
}

#[test]
fn a_branch_is_pinned_to_its_commit_until_it_is_upgraded() {
    let life = life();
    define(&life, "rev = 'main'");
    life.sandbox.write("app/hello.txt", "not committed\n");
    life.sandbox.write("app/new.txt", "nor this\n");
    let before = git(&life, "app", &["status", "--porcelain"]);
    life.install();
    assert_eq!(reads(&life, "hello.txt"), "one\n");
    assert_eq!(git(&life, "app", &["status", "--porcelain"]), before);
    assert_eq!(life.sandbox.read("app/hello.txt"), "not committed\n");
    let first = git(&life, "app", &["rev-parse", "HEAD"]);
    assert!(life.sandbox.read("jove.lock").contains(&first));
    let second = commit(&life, "app", "hello.txt", "two\n");
    life.install();
    assert!(life.sandbox.read("jove.lock").contains(&first));
    life.run(&["install", "--quiet", "--upgrade"]).success();
    assert!(life.sandbox.read("jove.lock").contains(&second));
    life.run(&["gc", "--keep", "0"]).success();
    assert_eq!(reads(&life, "hello.txt"), "two\n");
    life.run(&["verify"]).success();
}

#[test]
fn what_is_locked_and_cached_needs_no_remote() {
    let life = life();
    let tagged = git(&life, "app", &["rev-parse", "HEAD"]);
    git(&life, "app", &["tag", "--annotate", "--message", "first", "v1"]);
    commit(&life, "app", "hello.txt", "two\n");
    define(&life, "rev = 'v1'");
    life.install();
    assert!(life.sandbox.read("jove.lock").contains(&tagged));
    life.run(&["wipe", "--data", "--yes"]).success();
    fs_err::rename(life.sandbox.path("work/app"), life.sandbox.path("work/away")).expect("moved");
    life.install();
    assert_eq!(reads(&life, "hello.txt"), "one\n");
}

#[test]
fn a_remote_that_is_gone_or_was_rewritten_is_told_with_the_remedy() {
    let life = life();
    define(&life, "rev = 'nowhere'");
    let said = life.run(&["install", "--quiet"]).code(1);
    assert!(said.stderr().contains("has no branch or tag `nowhere`"), "{}", said.stderr());
    define(&life, "rev = 'main'");
    life.install();
    life.run(&["wipe", "--data", "--cache", "--yes"]).success();
    let _ = fs_err::remove_dir_all(life.sandbox.home().join(".cache"));
    git(&life, "app", &["commit", "--quiet", "--amend", "--message", "rewritten"]);
    git(&life, "app", &["reflog", "expire", "--expire=now", "--all"]);
    git(&life, "app", &["gc", "--quiet", "--prune=now"]);
    let said = life.run(&["install", "--quiet"]).code(1);
    assert!(
        said.stderr().contains("its history was rewritten") && said.stderr().contains("--upgrade"),
        "{}",
        said.stderr()
    );
    assert!(life.generation().is_none());
    fs_err::rename(life.sandbox.path("work/app"), life.sandbox.path("work/away")).expect("moved");
    let said = life.run(&["install", "--quiet"]).code(1);
    assert!(said.stderr().contains("cannot be read"), "{}", said.stderr());
}

#[test]
fn submodules_come_along_and_none_runs_a_program() {
    let life = life();
    repository(&life, "lib");
    commit(&life, "lib", "lib.txt", "lib\n");
    git(&life, "app", &["submodule", "--quiet", "add", "../lib", "vendor/lib"]);
    git(&life, "app", &["commit", "--quiet", "--message", "with lib"]);
    define(&life, "submodules = true");
    life.install();
    assert_eq!(reads(&life, "vendor/lib/lib.txt"), "lib\n");
    assert_eq!(reads(&life, "hello.txt"), "one\n");
    let marker = life.sandbox.path("work/ran");
    let evil = format!("[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = ext::sh -c touch% {}\n", marker.display());
    commit(&life, "app", ".gitmodules", &evil);
    let said = life.run(&["install", "--quiet", "--upgrade"]).code(1);
    assert!(
        said.stderr().contains("the submodule `vendor/lib`") && said.stderr().contains("run a program"),
        "{}",
        said.stderr()
    );
    assert!(!marker.exists());
    assert_eq!(reads(&life, "vendor/lib/lib.txt"), "lib\n", "what runs goes on");
}

#[test]
fn what_is_said_of_a_repository_is_checked() {
    let life = life();
    for (said, told) in [
        ("[parts.code.git.app]\nurl = 'ext::sh -c id'", "is no address of a repository"),
        ("[parts.code.git.app]\nurl = '/x'\nrev = '--upload-pack=id'", "is no branch, tag or commit"),
        ("[parts.code.git.app]\nurl = '/x'\nto = '../..'", "must be relative"),
        ("[parts.code.git.app]\nuri = '/x'", "did you mean `url`?"),
    ] {
        life.define(&format!("[parts.code]\nrecipe = 'packages'\n{said}\n"));
        let output = life.run(&["install", "--quiet"]).code(1);
        assert!(output.stderr().contains(told), "{}", output.stderr());
    }
}
