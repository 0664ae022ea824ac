//! The sandbox keeps what it promises.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::Sandbox;

fn shell(sandbox: &Sandbox, script: &str) -> super::Output {
    let mut command = sandbox.other("/bin/sh");
    command.args(["-c", script]);
    sandbox.finish(command, b"")
}

#[test]
fn only_its_own_variables_and_folders_are_seen() {
    let mut sandbox = Sandbox::new();
    sandbox.set("GIVEN", "word");
    sandbox.enter("below");
    let output =
        shell(&sandbox, "pwd; echo $HOME $TMPDIR $GIVEN; echo ${CARGO_MANIFEST_DIR:-none}; touch $HOME/x").success();
    insta::assert_snapshot!(output.text(), @r"
    [WORK]/below
    [HOME] [SANDBOX]/tmp word
    none
    ------- stderr -------
    ------- exit 0 -------
    ");
}

#[test]
fn root_is_left_behind() {
    let sandbox = Sandbox::new();
    let said = shell(&sandbox, "id -u; id -G").success();
    assert_ne!(sandbox.user(), 0);
    if let Some(user) = sandbox.user {
        assert_eq!(said.stdout(), format!("{user}\n{user}\n"), "no group of root's may be left either");
    }
}

#[test]
fn output_holds_all_that_was_said() {
    let sandbox = Sandbox::new();
    let output = shell(&sandbox, "printf 'no end'; echo beside >&2; exit 3").code(3);
    insta::assert_snapshot!(output.text(), @r"
    no end[no newline]
    ------- stderr -------
    beside
    ------- exit 3 -------
    ");
    insta::assert_snapshot!(shell(&sandbox, "kill -9 $$").signal(9).text(), @r"
    ------- stderr -------
    ------- signal: 9 (SIGKILL) -------
    ");
}

#[test]
fn the_program_can_be_run() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["--help"]);
    assert!(output.status().code().is_some(), "{}", output.text());
}

#[test]
fn changes_are_seen_wherever_the_user_can_write() {
    let sandbox = Sandbox::new();
    sandbox.write("kept", "same");
    sandbox.write("changed", "before");
    let before = sandbox.listing();
    assert_eq!(before.changes(&sandbox.listing()), "");
    let outside = format!("/tmp/jove-outside-{}", std::process::id());
    shell(&sandbox, &format!("echo after > changed; mkdir -m 700 new; ln -s kept link; echo x > {outside}")).success();
    let changes = before.changes(&sandbox.listing());
    fs_err::remove_file(&outside).expect("written above");
    let mut signs: Vec<String> = changes
        .lines()
        .map(|line| line.split(" (").next().expect("a path").replace(&sandbox.path("").display().to_string(), ""))
        .collect();
    signs.sort_unstable();
    let mut expected = [format!("+ {outside}"), "~ work/changed".into(), "+ work/link".into(), "+ work/new".into()];
    expected.sort_unstable();
    assert_eq!(signs, expected);
}

#[test]
fn nothing_of_it_outlives_it() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.other("/bin/sh");
    // A process that left its group and whose parent is gone.
    command.args(["-c", "setsid sh -c 'echo up; exec sleep 1000' & wait"]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("a shell");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    assert_eq!(line, "up\n");
    assert!(sandbox.processes().len() >= 2, "{:?}", sandbox.processes());
    shell(&sandbox, "mkdir -p sealed/in; touch sealed/in/file; chmod -R a-w sealed").success();
    let (root, user) = (sandbox.root().to_owned(), sandbox.user);
    drop(sandbox);
    child.wait().expect("ended");
    assert!(!root.exists());
    assert!(super::processes::of(&root, user).is_empty());
}
