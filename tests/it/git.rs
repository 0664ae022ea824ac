//! Files of commits: pinned once, taken from the cache, never more than what is committed; and what goes wrong with remotes.

use std::path::PathBuf;

use crate::life::Life;

/// Killed at each of them an install goes on, and leaves nothing. Written twice it is the second time that it is passed: for the
/// submodule.
pub const CHECKPOINTS: &[&str] = &["git-before-fetch", "git-after-fetch", "git-after-archive", "git-after-checkout"];

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
fn a_job_updates_to_the_newest_commit() {
    let life = life();
    let path = life.sandbox.var("PATH");
    let nightly = format!(
        "[parts.nightly]\nrecipe = 'upkeep'\nat = '0 3 29 2 *'\nverb = ['update', '--upgrade']\npath = '{path}'"
    );
    define(&life, &format!("rev = 'main'\n{nightly}"));
    life.install();
    let second = commit(&life, "app", "hello.txt", "two\n");
    life.run(&["run-now", "nightly", "--quiet"]).success();
    assert!(life.sandbox.read("jove.lock").contains(&second));
    // What runs is told with its commit.
    let revision = std::fs::read_to_string(life.prefix().join("current/revision.json")).expect("a file");
    assert!(revision.contains(&second[..7]), "{revision}");
    life.run(&["gc", "--keep", "0"]).success();
    assert_eq!(reads(&life, "hello.txt"), "two\n");
    life.run(&["stop"]).success();
    life.is_quiet();
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

/// A recipe with a folder of sources, as those of applications have it.
const SITE: &str = "summary = 'a site'\naction = 'files'\n[options.source]\ntype = 'path'\ndefault = '.'\ndoc = 'Its folder.'\n\
    [[source]]\nfrom = '${.source}'\nto = 'app'\n[[file]]\npath = 'where'\ncontent = '{{ source }}'\n";

fn site(life: &Life, address: &str) {
    life.sandbox.write("recipes/site/recipe.toml", SITE);
    life.define(&format!("[parts.web]\nrecipe = 'site'\nsource = '{address}'\n"));
}

fn served(life: &Life, file: &str) -> String {
    let script = format!("cat {}/current/../../store/*-web/app/{file} | tail -n 1", life.prefix().display());
    life.run(&["run", "web", "--", "sh", "-c", &script]).success().stdout().to_owned()
}

#[test]
fn an_applications_source_may_be_a_commit_and_moves_only_when_that_is_asked() {
    let life = life();
    let address = format!("git+file://{}@main", life.sandbox.path("work/app").display());
    site(&life, &address);
    let first = git(&life, "app", &["rev-parse", "HEAD"]);
    life.sandbox.write("app/hello.txt", "not committed\n");
    let said = life.run(&["install"]).success();
    assert!(said.stderr().contains("has work that is not committed: it is not taken"), "{}", said.stderr());
    assert_eq!(served(&life, "hello.txt"), "one\n");
    let lock = life.sandbox.read("jove.lock");
    assert!(lock.contains(&first) && !lock.contains("file://"), "{lock}");
    assert!(life.run(&["graph"]).stdout().contains("web-source (packages) [object]"));
    assert_eq!(life.run(&["plan"]).success().stdout(), "nothing to do: all 2 parts are as wished\n");
    let second = commit(&life, "app", "hello.txt", "two\n");
    life.install();
    assert_eq!(served(&life, "hello.txt"), "one\n");
    // The part's own name moves what it brought.
    life.run(&["update", "--quiet", "--upgrade", "web"]).success();
    assert!(life.sandbox.read("jove.lock").contains(&second));
    life.run(&["gc", "--keep", "0"]).success();
    assert_eq!(served(&life, "hello.txt"), "two\n");
    commit(&life, "app", "web/inner/hello.txt", "inner\n");
    site(&life, &format!("{address}#subdirectory=web/inner"));
    life.run(&["install", "--quiet", "--upgrade", "web-source"]).success();
    life.run(&["gc", "--keep", "0"]).success();
    assert_eq!(served(&life, "hello.txt"), "inner\n");
    life.run(&["verify"]).success();
}

#[test]
fn a_source_whose_remote_is_gone_or_was_rewritten_is_told_and_what_runs_stays() {
    let life = life();
    let address = format!("git+file://{}@main", life.sandbox.path("work/app").display());
    site(&life, &address);
    life.install();
    let first = git(&life, "app", &["rev-parse", "HEAD"]);
    git(&life, "app", &["commit", "--quiet", "--amend", "--message", "rewritten"]);
    git(&life, "app", &["reflog", "expire", "--expire=now", "--all"]);
    git(&life, "app", &["gc", "--quiet", "--prune=now"]);
    // What is locked and cached is as it was; without the cache it is gone for good, and that is said.
    life.run(&["install", "--quiet", "--force", "web"]).success();
    assert!(life.sandbox.read("jove.lock").contains(&first));
    fs_err::remove_dir_all(life.sandbox.home().join(".cache")).expect("an empty cache");
    let said = life.run(&["install", "--quiet", "--force", "web-source"]).code(1);
    assert!(
        said.stderr().contains("its history was rewritten") && said.stderr().contains("--upgrade"),
        "{}",
        said.stderr()
    );
    assert_eq!(served(&life, "hello.txt"), "one\n");
    fs_err::rename(life.sandbox.path("work/app"), life.sandbox.path("work/away")).expect("moved");
    let said = life.run(&["install", "--quiet", "--upgrade", "web"]).code(1);
    assert!(said.stderr().contains("cannot be read"), "{}", said.stderr());
    assert_eq!(served(&life, "hello.txt"), "one\n");
}

#[test]
fn an_address_that_is_none_is_told_where_it_is_written() {
    let life = life();
    for (address, told) in [
        ("git+example.org/app.git", "it has no scheme"),
        ("git+ext::sh://x", "is no address of a repository"),
        ("git+https://h.example/app.git#egg=app", "neither `subdirectory=FOLDER` nor `submodules`"),
        ("git+https://h.example/app.git@-x", "is no branch, tag or commit"),
        ("git+https://${vars.HOST}/app.git", "must be written without references"),
    ] {
        site(&life, address);
        let said = life.run(&["plan"]).code(1);
        assert!(said.stderr().contains(told), "{address}: {}", said.stderr());
    }
}

/// A repository with a submodule, and where checkpoints are written.
fn nested() -> (Life, PathBuf) {
    let mut life = life();
    repository(&life, "lib");
    commit(&life, "lib", "lib.txt", "lib\n");
    git(&life, "app", &["submodule", "--quiet", "add", "../lib", "vendor/lib"]);
    git(&life, "app", &["commit", "--quiet", "--message", "with lib"]);
    define(&life, "rev = 'main'\nsubmodules = true");
    let checkpoint = life.sandbox.path("work/checkpoint");
    life.sandbox.set("JOVE_CHECKPOINT_FILE", checkpoint.display());
    (life, checkpoint)
}

fn steps() -> impl Iterator<Item = &'static str> {
    CHECKPOINTS.iter().chain(&["fetch-before-insert", "fetch-after-insert", "object-before-seal"]).copied()
}

#[test]
fn a_kill_at_every_step_of_a_first_install_is_made_good_by_the_next() {
    let (life, checkpoint) = nested();
    let lock = life.sandbox.folder().join("jove.lock");
    for name in steps() {
        for times in [1, 2].into_iter().filter(|times| *times == 1 || !name.starts_with("object")) {
            life.sandbox.write(&checkpoint, vec![name; times].join("\n"));
            life.run(&["install", "--quiet"]).signal(9);
            assert!(!checkpoint.exists(), "{name} is not passed {times} times");
            assert!(life.generation().is_none(), "{name}");
            life.install();
            assert_eq!(
                (reads(&life, "hello.txt"), reads(&life, "vendor/lib/lib.txt")),
                ("one\n".into(), "lib\n".into())
            );
            life.run(&["verify"]).success();
            life.has_no_litter(name);
            life.run(&["wipe", "--data", "--yes"]).success();
            fs_err::remove_dir_all(life.sandbox.home().join(".cache")).expect("an empty cache");
            // The second time what is locked is fetched, the first time it is found.
            if times == 2 {
                fs_err::remove_file(&lock).expect("no lock");
            }
        }
    }
}

#[test]
fn a_kill_at_every_step_of_an_upgrade_leaves_what_runs() {
    let (life, checkpoint) = nested();
    life.install();
    for name in steps() {
        let before = reads(&life, "hello.txt");
        commit(&life, "app", "hello.txt", &format!("{name}\n"));
        life.sandbox.write(&checkpoint, name);
        life.run(&["install", "--quiet", "--upgrade"]).signal(9);
        assert!(!checkpoint.exists(), "{name} is not passed");
        life.run(&["verify"]).success();
        life.run(&["install", "--quiet", "--upgrade"]).success();
        life.run(&["gc", "--keep", "0"]).success();
        assert_ne!(before, format!("{name}\n"));
        assert_eq!(reads(&life, "hello.txt"), format!("{name}\n"));
        life.run(&["verify"]).success();
        life.has_no_litter(name);
    }
}

/// Stands in git's place: once, in a run of one kind, it leaves what a git that is killed leaves, and kills who runs it (between
/// the two stands a guard).
const DEADLY: &str = "#!/bin/sh\nif [ -e ARM ] && word=$(cat ARM) && case \" $* \" in *\" $word \"*) true ;; *) false ;; esac; then\n\
    rm ARM\nmkdir -p objects/pack refs\n[ -e HEAD ] || echo 'ref: refs/heads/main' > HEAD\n\
    touch shallow.lock config.lock HEAD.lock objects/pack/tmp_pack_Ab12Cd\n\
    kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)\nexec sleep 1000\nfi\nexec REAL \"$@\"\n";

#[test]
fn what_a_killed_git_left_in_the_cache_stops_nobody() {
    let (mut life, _) = nested();
    let search = life.sandbox.var("PATH");
    let found = search.split(':').map(|folder| PathBuf::from(folder).join("git")).find(|path| path.exists());
    let arm = life.sandbox.path("work/arm");
    let script =
        DEADLY.replace("ARM", &arm.display().to_string()).replace("REAL", &found.expect("git").display().to_string());
    let tool = life.sandbox.write("tools/git", script);
    fs_err::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    life.sandbox.set("PATH", format!("{}:{search}", life.sandbox.folder().join("tools").display()));
    for word in ["init", "fetch", "archive"] {
        life.sandbox.write(&arm, word);
        life.run(&["install", "--quiet"]).signal(9);
        assert!(!arm.exists(), "{word}");
        life.is_quiet();
        assert!(life.generation().is_none(), "{word}");
        life.install();
        assert_eq!(reads(&life, "hello.txt"), "one\n", "{word}");
        life.run(&["verify"]).success();
        life.has_no_litter(word);
        life.run(&["wipe", "--data", "--yes"]).success();
        fs_err::remove_dir_all(life.sandbox.home().join(".cache")).expect("an empty cache");
    }
}
