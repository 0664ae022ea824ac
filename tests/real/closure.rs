//! What a set of Debian packages needs is what apt says that it needs, by the very lists that apt has.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Command;

use jove_install::provider::deb::closure::{Question, close};
use jove_install::provider::deb::index::Index;

const SETS: [&[&str]; 8] = [
    &["nginx"],
    &["postgresql", "postgresql-client"],
    &["redis-server"],
    &["memcached"],
    &["mariadb-server"],
    &["rabbitmq-server"],
    &["apache2", "libapache2-mod-wsgi-py3"],
    &["python3", "python3-venv", "python3-pip"],
];

/// What a program prints, if it is there and succeeds.
fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The lists of packages that apt has, whatever it packs them in.
fn lists() -> Option<Vec<String>> {
    let of_packages = ["indextargets", "--format", "$(FILENAME)", "Created-By: Packages"];
    let files = printed("apt-get", &of_packages)?;
    let lists: Option<Vec<String>> =
        files.lines().map(|file| printed("/usr/lib/apt/apt-helper", &["cat-file", file])).collect();
    lists.filter(|lists| !lists.is_empty())
}

/// The names of what apt would install where nothing is installed.
fn by_apt(packages: &[&str]) -> Option<BTreeSet<String>> {
    let nothing = tempfile::NamedTempFile::new().unwrap();
    let status = format!("Dir::State::status={}", nothing.path().display());
    let words = ["-o", &status, "--simulate", "--no-install-recommends", "install"];
    let said = printed("apt-get", &[&words, packages].concat())?;
    let names =
        said.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next().map(str::to_owned));
    Some(names.collect())
}

#[test]
fn the_closure_is_that_of_apt() {
    let Some(lists) = lists() else {
        let _ = writeln!(std::io::stderr(), "the_closure_is_that_of_apt is skipped, because apt has no lists here");
        return;
    };
    let mut index = Index::default();
    for (archive, text) in lists.iter().enumerate() {
        index.add(text, archive);
    }
    for packages in SETS {
        let Some(expected) = by_apt(packages) else { panic!("apt has lists, and none has {packages:?}") };
        let words: Vec<String> = packages.iter().map(ToString::to_string).collect();
        let question = Question { packages: &words, without: &[], archives: "apt's lists" };
        let closed = close(&index, &question).unwrap_or_else(|error| panic!("{packages:?}: {error}"));
        let found: BTreeSet<String> = closed.iter().map(|record| record.name.to_owned()).collect();
        assert!(found.len() > 10, "{found:?}");
        assert_eq!(found, expected, "{packages:?}");
    }
}
