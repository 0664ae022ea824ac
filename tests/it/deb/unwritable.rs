//! A cache that cannot be written: what is in it is used, what it cannot keep is unpacked for one object, and what is missing is told.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use super::Site;

const NOTE: &str = "what can be made again is not kept in the download cache";

impl Site {
    /// Takes everybody's right to write from all folders of the cache, or gives the owner's back.
    fn set_cache_writable(&self, is_writable: bool) {
        for entry in walkdir::WalkDir::new(self.cache()).contents_first(!is_writable) {
            let entry = entry.expect("an entry");
            if entry.file_type().is_dir() {
                let mode = if is_writable { 0o755 } else { 0o555 };
                fs_err::set_permissions(entry.path(), std::fs::Permissions::from_mode(mode)).expect("mode");
            }
        }
    }

    /// Installs once more with a cache as `change` leaves it, which then cannot be written.
    #[track_caller]
    fn installs_from(&self, what: &str, change: impl Fn(), is_told: bool) {
        change();
        self.set_cache_writable(false);
        let said = self.life.run(&["install", "--offline", "--force", "tools"]).success();
        assert_eq!(said.stderr().matches(NOTE).count(), usize::from(is_told), "{what}: {}", said.stderr());
        assert_eq!(self.says(), "tool 1\n", "{what}");
        self.life.run(&["verify"]).success();
        self.life.has_no_litter(what);
        self.set_cache_writable(true);
    }

    /// What is kept of a package.
    fn kept(&self, name: &str) -> PathBuf {
        let files = walkdir::WalkDir::new(self.cache().join("packages")).into_iter().flatten();
        let mut files = files.map(walkdir::DirEntry::into_path).filter(|path| path.ends_with(name));
        files.next().expect("it is kept")
    }
}

#[test]
fn a_cache_that_cannot_be_written_serves_with_what_it_has() {
    let site = Site::new();
    site.life.install();
    let files = |path: &Path| {
        let entries = walkdir::WalkDir::new(path).sort_by_file_name().into_iter().flatten();
        entries.map(|entry| entry.path().strip_prefix(path).expect("below").to_owned()).collect::<Vec<_>>()
    };
    let object = || {
        let told =
            site.life.run(&["run", "tools", "--", "/bin/sh", "-c", "command -v tool"]).success().stdout().to_owned();
        let tool = Path::new(told.trim()).canonicalize().expect("it is there");
        tool.ancestors()
            .find(|path| path.parent().is_some_and(|store| store.ends_with("store")))
            .expect("below")
            .to_owned()
    };
    let before = files(&object());
    site.installs_from("all kept", || (), false);
    let damage = || fs_err::write(site.kept("files/usr/share/words"), "evil\n").expect("written");
    site.installs_from("one damaged", damage, true);
    let words = fs_err::read_to_string(site.kept("files/usr/share/words")).expect("read");
    assert_eq!(words, "evil\n", "what cannot be mended stays as it is");
    site.installs_from("none kept", || fs_err::remove_dir_all(site.cache().join("packages")).expect("removed"), true);
    assert_eq!(files(&object()), before);
    // In another prefix, too, for which the lock is all that there is.
    site.life.run(&["wipe", "--data", "--yes"]).success();
    site.set_cache_writable(false);
    site.life.run(&["install", "--offline", "--locked"]).success();
    assert_eq!(site.says(), "tool 1\n");
    let doctor = site.life.run(&["doctor"]);
    assert!(doctor.stdout().contains("cannot be written: what is there is used"), "{}", doctor.stdout());
    site.set_cache_writable(true);
}

#[test]
fn what_a_cache_that_cannot_be_written_lacks_is_told_with_what_to_do() {
    let mut site = Site::new();
    site.life.install();
    site.publish(2);
    site.set_cache_writable(false);
    let said = site.life.run(&["install", "--upgrade"]).code(1);
    for text in [
        "  a file could not be fetched\n",
        ": Permission denied (os error 13); make room or mend its permissions there, or point XDG_CACHE_HOME to another folder\n",
        "a cache that cannot be written serves with what it has, and that is not in it\n",
    ] {
        assert!(said.stderr().contains(text), "{}", said.stderr());
    }
    assert_eq!(site.says(), "tool 1\n");
    // One that cannot even be made.
    site.set_cache_writable(true);
    fs_err::remove_dir_all(site.cache()).expect("removed");
    site.life.sandbox.write(site.cache(), "");
    assert_snapshot!(site.life.run(&["install", "--upgrade"]).code(1).text(), @"
    ------- stderr -------
    error: the download cache cannot use [HOME]/.cache/jove-install: Not a directory (os error 20); make room or mend its permissions there, or point XDG_CACHE_HOME to another folder
    ------- exit 1 -------
    ");
}
