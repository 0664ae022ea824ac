//! Data that one version of a package made, and another one that does not read them: refused, with ways out that hold.

use super::Site;

/// A server that writes down which version made its data.
fn keeper(reads: &str) -> String {
    format!(
        r#"
summary = "a keeper"
[options.software]
type    = "path"
default = "${{keeper-packages}}"
doc     = "Its programs."
[[brings]]
recipe  = "packages"
name    = "keeper-packages"
options = {{ provider = "deb", deb = ["tool"], programs = ["tool"] }}
[[step]]
name    = "make"
command = ["/bin/sh", "-c", "test -e made-by || \"$0\" > made-by", "${{.software}}/bin/tool"]
key     = "1"
folder  = "${{.data}}"
[[service]]
command = ["/bin/sh", "-c", "\"$0\" && exec sleep 1000000", "${{.software}}/bin/tool"]
[data]
folders   = ["${{.data}}"]
version   = "1"
format_of = ["keeper", "tool"]
reads     = "{reads}"
dump      = ["/bin/sh", "-c", "cp made-by $JOVE_DUMP/"]
load      = {{ command = ["/bin/sh", "-c", "cp $JOVE_DUMP/made-by made-by"], while = "stopped" }}
"#
    )
}

const PROJECT: &str = "[parts.db]\nrecipe = 'keeper'\n";

impl Site {
    /// With a keeper whose data the first version of its tool made.
    fn with_keeper(reads: &str) -> Self {
        let site = Self::new();
        site.life.sandbox.write("recipes/keeper/recipe.toml", keeper(reads));
        site.life.define(PROJECT);
        site.life.install();
        assert_eq!(site.made_by(), "tool 1\n");
        site
    }

    fn made_by(&self) -> String {
        self.life.sandbox.read(self.life.prefix().join("var/db/made-by"))
    }

    /// A run is refused with these words; gives all of them.
    #[track_caller]
    fn refuses(&self, verb: &[&str], said: &str) -> String {
        let failed = self.life.run(verb).code(1);
        assert!(failed.stderr().contains(said), "{verb:?}: {}", failed.stderr());
        failed.stderr().to_owned()
    }

    /// No package is asked for.
    #[track_caller]
    fn has_fetched_nothing(&self) {
        let asked = self.mirror.requests();
        assert!(!asked.iter().any(|path| path.contains("/pool/")), "{asked:?}");
    }
}

#[test]
fn another_version_than_the_one_that_made_them_is_refused_and_can_be_had_by_a_dump() {
    let mut site = Site::with_keeper("same");
    site.publish(2);
    site.mirror.requests();
    let (pid, lock) = (site.life.pid("db"), site.life.sandbox.read("jove.lock"));
    let told = "the data of `db` were made by keeper 1 (deb), and keeper 2 (deb) does not read them";
    for verb in [&["install", "--upgrade"][..], &["update", "--upgrade"], &["plan", "--upgrade"]] {
        let said = site.refuses(verb, told);
        assert!(said.contains("keep what made them: keeper 1 in `keeper-packages`; without --upgrade"), "{said}");
    }
    site.has_fetched_nothing();
    assert_eq!((site.life.pid("db"), site.life.sandbox.read("jove.lock")), (pid, lock));
    // What made them is kept by doing nothing more.
    site.life.install();
    assert_eq!(site.life.pid("db"), pid);
    // The ways that are told are gone, one after another.
    let said = site.refuses(&["install", "--upgrade"], told);
    let way = said.split("take them along: ").nth(1).expect("a way").lines().next().expect("a line");
    let folder = site.life.prefix().join("var/db");
    for step in way.split("; ") {
        match step.strip_prefix("jove-install ") {
            Some("install") => drop(site.life.run(&["install", "--quiet", "--upgrade"]).success()),
            Some(verb) => drop(site.life.run(&verb.split(' ').collect::<Vec<_>>()).success()),
            None => {
                assert_eq!(step, format!("move {} away", folder.display()));
                fs_err::rename(&folder, site.life.sandbox.path("work/aside")).expect("moved");
            }
        }
    }
    assert_eq!(site.made_by(), "tool 1\n", "they came along");
    let log = site.life.run(&["logs", "db"]).success();
    assert!(log.stdout().contains("tool 2"), "{}", log.stdout());
    // Back they come only so, too.
    site.refuses(&["rollback"], "made by keeper 2 (deb), and keeper 1 (deb) does not read them");
    site.life.run(&["rollback", "--force"]).success();
}

#[test]
fn a_newer_version_takes_what_an_older_one_made_and_none_goes_back() {
    let mut site = Site::with_keeper("older");
    site.publish(2);
    site.life.run(&["install", "--quiet", "--upgrade"]).success();
    let before = site.life.generation();
    let told = "the data of `db` were made by keeper 2 (deb), and keeper 1 (deb) does not read them";
    let said = site.refuses(&["rollback"], told);
    assert!(said.contains("rollback 1; ") && said.contains("--force"), "{said}");
    assert_eq!(site.life.generation(), before);
    // What made them is known as long as they are there, whatever else is removed.
    site.life.run(&["wipe", "--yes"]).success();
    site.life.define(&format!("{PROJECT}[parts.keeper-packages]\ndeb = ['tool (= 1)']\n"));
    site.mirror.requests();
    site.refuses(&["install"], told);
    site.has_fetched_nothing();
    fs_err::remove_dir_all(site.life.prefix().join("var/db")).expect("removed");
    site.life.install();
    assert_eq!(site.made_by(), "tool 1\n", "where there are no data, nothing is refused");
}
