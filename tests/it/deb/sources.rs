//! Sources of which not all can be used: whether deb is chosen at all, and what it goes on with.

use super::Site;
use super::archive::key;

/// A part that takes its tool from the archive if that is there, and else from this machine.
const EITHER: &str = "[parts.tools]\nrecipe = 'packages'\ndeb = ['tool']\nhost = ['sh']\nprograms = ['sh']\n";

#[test]
fn an_archive_without_the_suite_is_passed_over() {
    let site = Site::new();
    site.life.define(EITHER);
    site.configure(&["gone"]);
    let said = site.life.run(&["install"]).success();
    let why = format!("{}debian/dists/gone/InRelease answered 404", site.mirror.url());
    assert!(said.stderr().contains("software of `tools` comes from host"), "{}", said.stderr());
    assert!(said.stderr().contains(&format!("; not deb: {why}")), "{}", said.stderr());
}

#[test]
fn an_archive_that_may_not_be_asked_is_told_as_that() {
    let site = Site::new();
    site.life.define("[parts.tools]\nrecipe = 'packages'\ndeb = ['tool']\nprograms = ['tool']\n");
    site.configure(&["test", "gone"]);
    let told = site.life.run(&["plan", "--offline"]).code(1);
    let why = format!("    deb: {}debian/ is not asked, since the run is offline\n", site.mirror.url());
    assert!(told.stderr().contains(&why), "{}", told.stderr());
    assert_eq!(site.mirror.requests(), Vec::<String>::new());
}

/// Two parts, so that what one told is not told again by the other.
const PARTS: &str = "[parts.one]\nrecipe = 'packages'\nprovider = 'deb'\ndeb = ['tool']\n\
    [parts.two]\nrecipe = 'packages'\nprovider = 'deb'\ndeb = ['words']\n";

#[test]
fn suites_that_cannot_be_used_are_told_and_nothing_of_them_is_taken() {
    let mut site = Site::new();
    site.life.define(PARTS);
    let lock = |site: &Site| {
        let said = site.life.run(&["lock", "--upgrade"]).success();
        (site.life.sandbox.read("jove.lock"), said.stderr().to_owned())
    };
    let (whole, _) = lock(&site);
    assert!(whole.contains("pool/tool_1_"), "{whole}");
    site.mirror.requests();
    // All that is wrong offers a newer tool.
    let newer: [(&str, &str); 1] = [("usr/bin/tool", "#!/bin/sh\n")];
    site.archive.version("tool", "9", "", &newer, "xz");
    site.archive.sign_as("stale", &site.archive.key, -60);
    site.archive.sign_as("strange", &key(), 3600);
    for file in ["Release", "Release.gpg"] {
        fs_err::write(site.archive.path(&format!("debian/dists/beside/{file}")), "signed beside\n").expect("written");
    }
    site.configure(&["gone", "stale", "test", "strange", "beside"]);
    site.life.run(&["lock"]).success();
    assert_eq!(site.mirror.requests(), Vec::<String>::new(), "what is pinned stays pinned");
    let (skipping, said) = lock(&site);
    assert_eq!(skipping, whole);
    let reasons = [
        ("gone", "/debian/dists/gone/InRelease answered 404"),
        ("stale", "the suite stale is too old: it counted until "),
        ("strange", "the suite strange is not trusted "),
        ("beside", "/debian/dists/beside/InRelease answered 404"),
    ];
    for (suite, why) in reasons {
        let told: Vec<&str> =
            said.lines().filter(|line| line.contains(&format!("the suite {suite} is passed"))).collect();
        assert!(matches!(told.as_slice(), [told] if told.contains(why)), "{suite}: {said}");
    }
    // The same suites, as they should be.
    for suite in ["stale", "strange"] {
        site.archive.sign_as(suite, &site.archive.key, 3600);
        let (pinned, said) = lock(&site);
        assert!(pinned.contains("pool/tool_9_") && !said.contains(&format!("the suite {suite} is passed")), "{said}");
        fs_err::remove_file(site.archive.path(&format!("debian/dists/{suite}/InRelease"))).expect("removed");
    }
    assert_eq!(lock(&site).0, whole);
}

#[test]
fn what_is_missing_is_told_with_the_suites_that_might_have_it() {
    let site = Site::new();
    site.life.define("[parts.tools]\nrecipe = 'packages'\nprovider = 'deb'\ndeb = ['took']\n");
    site.configure(&["test", "gone"]);
    let told = |site: &Site| {
        let said = site.life.run(&["lock"]).code(1);
        said.stderr().replace(&site.mirror.url(), "http://[MIRROR]/")
    };
    let gone = "gone: http://[MIRROR]/debian/dists/gone/InRelease answered 404";
    let said = told(&site);
    let missing = "there is no package `took` in test; did you mean `tool`?";
    for text in [missing, "not looked for in suites that cannot be used:", gone] {
        assert!(said.contains(text), "{said}");
    }
    // Where none is left, they are the error and no notes before it.
    site.configure(&["none", "gone"]);
    let said = told(&site);
    for text in ["no suite can be used:", "none: http://[MIRROR]/debian/dists/none/InRelease answered 404", gone] {
        assert!(said.contains(text) && !said.contains("is passed over"), "{said}");
    }
    site.configure(&["gone"]);
    let said = told(&site);
    assert!(said.contains("InRelease answered 404") && !said.contains("no suite can be used"), "{said}");
}
