//! `doctor`: what it finds of tools, walls, channels and archives, told with what to do.

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

/// Debian packages of nobody, so that this machine's archives are not asked.
const NOBODY: &str = "[sources.debian]\naddress = 'http://127.0.0.1:9/debian'\nsuites = ['test']\n";

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
    let config = sandbox.home().join(".config/jove/config.toml");
    sandbox.write(&config, NOBODY);
    let said = sandbox.run(&["doctor", "--json"]).either(&[0, 1]).json();
    assert_eq!(found(&said, "channel good"), ("good".to_owned(), format!("file://{good}/")));
    let (verdict, finding) = found(&said, "channel gone");
    assert!(verdict == "limited" && finding.contains("there is no channel"), "{finding}");
    let (verdict, finding) = found(&said, "channel far");
    assert!(verdict == "limited" && finding.contains("127.0.0.1:9"), "{finding}");
    let said = sandbox.run(&["doctor", "--offline", "--json"]).either(&[0, 1]).json();
    assert!(found(&said, "channel far").1.contains("the run is offline"));
    // The user's own configuration stands above conda's.
    sandbox.write(&config, format!("{NOBODY}[sources.conda]\nchannels = ['{good}']\n"));
    let said = sandbox.run(&["doctor", "--json"]).either(&[0, 1]).json();
    assert_eq!(
        said.as_array()
            .expect("a list")
            .iter()
            .filter(|check| check["subject"].as_str().is_some_and(|text| text.starts_with("channel")))
            .count(),
        1
    );
    sandbox.write(&config, NOBODY);
    sandbox.set("CONDA_CHANNELS", "no channel");
    let said = sandbox.run(&["doctor", "--json"]).either(&[0, 1]).json();
    assert!(found(&said, "conda channels").1.contains("`no channel` is no channel"));
}

#[test]
fn where_software_would_come_from_is_told_and_in_which_order() {
    let mut sandbox = Sandbox::new();
    sandbox.set("PATH", sandbox.path("work/none").display());
    sandbox.write("good/noarch/repodata.json", "{}");
    sandbox.write("good/dists/test/InRelease", "signed");
    let work = sandbox.path("work").display().to_string();
    let doctor = |order: &str, channel: &str, archive: &str, flags: &[&str]| {
        let debian = format!("[sources.debian]\naddress = 'file://{work}/{archive}'\nsuites = ['other', 'test']\n");
        let conda = format!("[sources.conda]\nchannels = ['{work}/{channel}']\n");
        sandbox.write(sandbox.home().join(".config/jove/config.toml"), format!("[sources]\n{order}\n{conda}{debian}"));
        sandbox.run(&[&["doctor", "--json"], flags].concat()).either(&[0, 1]).json()
    };
    let is = |verdict: &str, finding: &str| (verdict.to_owned(), finding.to_owned());
    let said = doctor("", "good", "good", &[]);
    assert_eq!(found(&said, "provider order"), is("good", "conda, deb, archive, git, source, host"));
    assert_eq!(found(&said, "Debian archives"), is("good", &format!("test at file://{work}/good/")));
    let of_conda = is("good", "none that fits: one is unpacked from conda packages where it is needed");
    assert_eq!(found(&said, "python"), of_conda);
    let said = doctor("", "good", "gone", &[]);
    let (verdict, finding) = found(&said, "Debian archives");
    assert!(verdict == "limited" && finding.contains("/gone/dists/test/InRelease answered 404"), "{finding}");
    assert_eq!(found(&said, "python"), of_conda);
    let of_debian = is("good", "none that fits: one is unpacked from Debian packages where it is needed");
    assert_eq!(found(&doctor("", "gone", "good", &[]), "python"), of_debian);
    assert_eq!(found(&doctor("", "gone", "gone", &[]), "python").0, "missing");
    // What is not in the order serves nobody.
    let said = doctor("order = ['deb', 'host']", "good", "good", &[]);
    assert_eq!(found(&said, "provider order"), is("good", "deb, host"));
    assert_eq!(found(&said, "python"), of_debian);
    assert_eq!(found(&doctor("order = ['deb', 'host']", "good", "gone", &[]), "python").0, "missing");
    let wrong = "`[sources] order` is a list of providers; the providers are conda, deb, archive, git, source, host";
    assert_eq!(found(&doctor("order = ['apt']", "good", "good", &[]), "provider order"), is("limited", wrong));
    let said = doctor("", "gone", "good", &["--offline"]);
    let offline = format!("file://{work}/good/ is not asked, since the run is offline");
    assert_eq!(found(&said, "Debian archives"), is("limited", &offline));
    let cache = "none that fits, and offline nobody is asked for one: what the cache has may do";
    assert_eq!(found(&said, "python"), is("limited", cache));
}
