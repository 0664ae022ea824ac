//! Sources of which not all can be used: whether deb is chosen at all, and what it goes on with.

use super::Site;

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
