//! Which hosts serve packages, asked of the package tools of this machine, so that this repository can be searched for them
//! without spelling one. A tool that is absent is not asked.

use std::collections::BTreeSet;
use std::process::Command;

/// Hosts of package indexes, in small letters.
pub fn package_hosts() -> BTreeSet<String> {
    let questions: [&[&str]; 9] = [
        // Its help tells the built-in default.
        &["python3", "-m", "pip", "install", "--help"],
        &["python3", "-m", "pip", "config", "list"],
        &["pip", "install", "--help"],
        &["npm", "config", "get", "registry"],
        &["conda", "config", "--show", "channel_alias"],
        &["apt-get", "indextargets", "--format", "$(SITE)"],
        &["sh", "-c", "cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources"],
        // cargo names the folders of its registries after their hosts.
        &["sh", "-c", "ls \"${CARGO_HOME:-$HOME/.cargo}/registry/index\" | sed 's|^|https://|; s|-[0-9a-f]*$|/|'"],
        &["sh", "-c", "cat \"${CARGO_HOME:-$HOME/.cargo}/config.toml\""],
    ];
    let answers = questions.iter().filter_map(|question| {
        let output = Command::new(question[0]).args(&question[1..]).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    });
    answers.flat_map(|answer| hosts_in(&answer)).collect()
}

/// The hosts of the addresses in a text. Loopback and bare addresses are somebody's proxy, and a host of source code is no index.
fn hosts_in(text: &str) -> Vec<String> {
    let addresses = text.split("://").skip(1).filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    addresses
        .map(|rest| {
            let authority = rest.split(|c: char| "/ \t\r\n\"'),]>".contains(c)).next().unwrap_or_default();
            let host = authority.rsplit('@').next().unwrap_or_default();
            host.split(':').next().unwrap_or_default().trim_end_matches('.').to_lowercase()
        })
        .filter(|host| host.contains('.') && host.contains(|c: char| c.is_ascii_alphabetic()))
        .filter(|host| !["example.org", "example.com", "github.com"].contains(&host.as_str()))
        .collect()
}

#[test]
fn hosts_are_read_from_addresses() {
    let text = "index-url='https://user:word@Packages.Test:8443/simple'\nproxy http://127.0.0.1:3141/\n\
                deb http://mirror.test/debian bookworm main\n(default https://index.test/simple).\n";
    assert_eq!(hosts_in(text), ["packages.test", "mirror.test", "index.test"]);
}
