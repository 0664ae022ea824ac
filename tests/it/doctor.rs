//! `doctor`: what it finds of tools, walls and channels, told with what to do.

use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::Sandbox;

/// What was found of a subject: the verdict and the text.
fn found(said: &serde_json::Value, subject: &str) -> (String, String) {
    let checks = said.as_array().expect("a list").iter();
    let check =
        checks.into_iter().find(|check| check["subject"] == subject).unwrap_or_else(|| panic!("{subject}: {said}"));
    let text = |key: &str| check[key].as_str().expect("a text").to_owned();
    (text("verdict"), text("finding"))
}

#[test]
fn git_and_the_sandbox_are_told_with_their_limits() {
    let mut sandbox = Sandbox::new();
    let git = sandbox.write("tools/git", "#!/bin/sh\n");
    fs_err::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).expect("mode");
    sandbox.set("PATH", sandbox.path("work/tools").display());
    let said = sandbox.run(&["doctor", "--offline", "--json"]).either(&[0, 1]).json();
    assert_eq!(found(&said, "git"), ("good".to_owned(), git.display().to_string()));
    let (verdict, walls) = found(&said, "sandbox");
    // What a machine has, it names; what it has not, it says why.
    for wall in ["namespaces", "Landlock", "seccomp"] {
        assert!(walls.contains(wall), "{walls}");
    }
    assert_eq!(verdict == "good", !walls.contains("no "), "{walls}");
    fs_err::remove_file(&git).expect("removed");
    let said = sandbox.run(&["doctor", "--offline", "--json"]).either(&[0, 1]).json();
    let none = "none: parts cannot be taken from repositories".to_owned();
    assert_eq!(found(&said, "git"), ("limited".to_owned(), none));
}

#[test]
fn each_channel_is_asked_whether_it_is_there() {
    let mut sandbox = Sandbox::new();
    sandbox.write("good/noarch/repodata.json", "{}");
    let good = sandbox.path("work/good").display().to_string();
    let gone = sandbox.path("work/gone").display().to_string();
    sandbox.set("CONDA_CHANNELS", format!("{good},{gone},http://127.0.0.1:9/far"));
    let said = sandbox.run(&["doctor", "--json"]).either(&[0, 1]).json();
    assert_eq!(found(&said, "channel good"), ("good".to_owned(), format!("file://{good}/")));
    let (verdict, finding) = found(&said, "channel gone");
    assert!(verdict == "limited" && finding.contains("there is no channel"), "{finding}");
    let (verdict, finding) = found(&said, "channel far");
    assert!(verdict == "limited" && finding.contains("127.0.0.1:9"), "{finding}");
    let said = sandbox.run(&["doctor", "--offline", "--json"]).either(&[0, 1]).json();
    assert!(found(&said, "channel far").1.contains("the run is offline"));
    // The user's own configuration stands above conda's.
    sandbox.write(sandbox.home().join(".config/jove/config.toml"), format!("[sources.conda]\nchannels = ['{good}']\n"));
    let said = sandbox.run(&["doctor", "--json"]).either(&[0, 1]).json();
    assert_eq!(
        said.as_array()
            .expect("a list")
            .iter()
            .filter(|check| check["subject"].as_str().is_some_and(|text| text.starts_with("channel")))
            .count(),
        1
    );
    sandbox.write(sandbox.home().join(".config/jove/config.toml"), "");
    sandbox.set("CONDA_CHANNELS", "no channel");
    let said = sandbox.run(&["doctor", "--json"]).either(&[0, 1]).json();
    assert!(found(&said, "conda channels").1.contains("`no channel` is no channel"));
}
