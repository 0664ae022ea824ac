//! Which provider serves: one tool that a Debian archive and a conda channel both have.

use super::Site;

/// A tool for a channel.
const MAKER: &str = "name = 'maker'\n[parts.tool]\nrecipe = 'step'\ncommand = ['/bin/sh', 'make.sh']\nfolder = '.'\n\
    inputs = ['make.sh']\n";

const MAKE: &str = "set -e\nmkdir -p \"$JOVE_OBJECT/bin\"\n\
    printf '#!/bin/sh\\necho tool of conda\\n' > \"$JOVE_OBJECT/bin/tool\"\nchmod 755 \"$JOVE_OBJECT/bin/tool\"\n";

/// The archive, and the channel `work/channel`.
fn both() -> Site {
    let mut site = Site::new();
    let sandbox = &mut site.life.sandbox;
    sandbox.enter("maker");
    sandbox.write("jove.toml", MAKER);
    sandbox.write("make.sh", MAKE);
    sandbox.run(&["install", "--quiet"]).success();
    sandbox.run(&["pack", "tool", "--channel", "../channel"]).success();
    sandbox.run(&["wipe", "--data", "--yes"]).success();
    let app = sandbox.path("work/app");
    sandbox.enter(app);
    site
}

/// Parts of the tool, from either, asked for in words of their own.
fn define(site: &Site, order: &str, parts: &[(&str, &str)]) {
    let channel = site.life.sandbox.path("work/channel").display().to_string();
    let part = |(name, wish): &(&str, &str)| {
        format!(
            "[parts.{name}]\nrecipe = 'packages'\nconda = ['{wish}']\nconda_channels = ['{channel}']\n\
             deb = ['tool']\nprograms = ['tool']\n"
        )
    };
    let parts: String = parts.iter().map(part).collect();
    site.life.define(&format!("{parts}[sources]\norder = {order}\n"));
}

fn said_by(site: &Site, part: &str) -> String {
    site.life.run(&["run", part, "--", "tool"]).success().stdout().to_owned()
}

fn lock(site: &Site) -> String {
    site.life.sandbox.read("jove.lock")
}

#[test]
fn the_order_that_is_said_is_obeyed() {
    let site = both();
    for (order, provider, said) in
        [("['conda', 'deb']", "conda", "tool of conda\n"), ("['deb', 'conda']", "deb", "tool 1\n")]
    {
        define(&site, order, &[("tools", "tool")]);
        let told = site.life.run(&["install"]).success();
        let note = format!("software of this prefix comes from {provider} (the first in order that can be reached: ");
        assert!(told.stderr().contains(&note), "{}", told.stderr());
        assert_eq!(said_by(&site, "tools"), said);
        let pins = |provider: &str| lock(&site).matches(&format!("provider = \"{provider}\"")).count();
        let (conda, deb) = (pins("conda"), pins("deb"));
        assert_eq!((conda > 0, deb > 0), (provider == "conda", provider == "deb"), "{}", lock(&site));
        site.life.run(&["wipe", "--data", "--yes"]).success();
        fs_err::remove_file(site.life.sandbox.folder().join("jove.lock")).expect("no lock");
    }
    // One that it does not name is not taken.
    define(&site, "['host']", &[("tools", "tool")]);
    let told = site.life.run(&["plan"]).code(1);
    assert!(told.stderr().contains("`[sources] order` names none of what it offers"), "{}", told.stderr());
}

#[test]
fn what_was_chosen_for_a_prefix_stays_whatever_can_be_reached() {
    let site = both();
    define(&site, "['conda', 'deb']", &[("tools", "tool")]);
    site.life.install();
    // Neither another order nor a lock that is gone changes it.
    fs_err::remove_file(site.life.sandbox.folder().join("jove.lock")).expect("no lock");
    let two = [("tools", "tool"), ("more", "tool >=0")];
    define(&site, "['deb', 'conda']", &two);
    let told = site.life.run(&["install"]).success();
    assert!(!told.stderr().contains("software of"), "nothing was chosen anew: {}", told.stderr());
    assert_eq!((said_by(&site, "tools"), said_by(&site, "more")), ("tool of conda\n".into(), "tool of conda\n".into()));
    assert!(!lock(&site).contains("provider = \"deb\""), "{}", lock(&site));
    // A part that is added while its provider is away is an error, though the other one would do.
    let (before, generation) = (lock(&site), site.life.generation());
    let channel = site.life.sandbox.path("work/channel");
    fs_err::rename(&channel, channel.with_file_name("gone")).expect("moved");
    site.mirror.requests();
    define(&site, "['deb', 'conda']", &[two[0], two[1], ("third", "tool <9")]);
    let told = site.life.run(&["install"]).code(1);
    assert!(
        told.stderr().contains("the packages of `third`") && told.stderr().contains("channel"),
        "{}",
        told.stderr()
    );
    assert_eq!(site.mirror.requests(), Vec::<String>::new());
    assert_eq!((lock(&site), site.life.generation()), (before, generation));
    fs_err::rename(channel.with_file_name("gone"), &channel).expect("moved");
    site.life.install();
    assert_eq!(said_by(&site, "third"), "tool of conda\n");
}

#[test]
fn a_prefix_of_an_archive_that_is_down_takes_no_channel() {
    let site = both();
    define(&site, "['deb', 'conda']", &[("tools", "tool")]);
    site.life.install();
    fs_err::remove_file(site.life.sandbox.folder().join("jove.lock")).expect("no lock");
    fs_err::remove_dir_all(site.cache()).expect("an empty cache");
    define(&site, "['deb', 'conda']", &[("tools", "tool"), ("more", "tool")]);
    let Site { life, mirror, .. } = site;
    drop(mirror);
    let told = life.run(&["install"]).code(1);
    assert!(told.stderr().contains("/debian/") && !told.stderr().contains("comes from conda"), "{}", told.stderr());
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "tool 1\n");
    assert!(!life.sandbox.folder().join("jove.lock").exists());
}

#[test]
fn the_python_of_a_prefix_comes_from_where_its_software_does() {
    let mut site = both();
    let nothing: [(&str, &str); 0] = [];
    for (name, fields) in [("python3.11", ""), ("python3", "Depends: python3.11\n"), ("python3-pip", "")] {
        site.archive.version(name, "3.11.2-6", fields, &nothing, "xz");
    }
    site.archive.sign(&site.archive.key, 3600);
    let channel = site.life.sandbox.path("work/channel").display().to_string();
    let parts = |env: &str| {
        format!(
            "[parts.tools]\nrecipe = 'packages'\ndeb = ['tool']\nprograms = ['tool']\n\
             {env}[sources.conda]\nchannels = ['{channel}']\n"
        )
    };
    site.life.define(&parts(""));
    let told = site.life.run(&["install"]).success();
    assert!(told.stderr().contains("software of this prefix comes from deb"), "{}", told.stderr());
    // The channel can be reached, and comes first in the order.
    site.life.define(&parts("[parts.env]\nrecipe = 'python'\npython = '9.99'\n"));
    let told = site.life.run(&["plan"]).code(1);
    let told = told.stderr();
    assert!(told.contains("the Python of `env` comes from deb (") && told.contains("that of deb is 3.11.2"), "{told}");
    assert!(!told.contains("comes from conda"), "{told}");
}
