//! Packages of a Debian archive on loopback, signed by a key of its own: kills in every step, what has nothing to do, and files
//! of several names.

mod archive;
mod data;
mod mirror;
mod policy;
mod python;
mod sources;
mod unwritable;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::life::Life;
use archive::Archive;
use mirror::Mirror;

/// Killed at each of them an install goes on, and leaves nothing. Written twice it is the second time that it is passed: first
/// the archive's list of packages is brought into the cache, then one package after another.
pub const CHECKPOINTS: &[&str] = &["package-before-keep", "deb-after-package", "deb-before-patch", "deb-after-patch"];

const STEPS: &[(&str, usize)] = &[
    ("fetch-before-insert", 1),
    ("fetch-after-insert", 1),
    ("fetch-before-insert", 2),
    ("fetch-after-insert", 3),
    ("object-before-build", 1),
    ("package-before-keep", 1),
    ("deb-after-package", 1),
    ("deb-after-package", 2),
    ("deb-before-patch", 1),
    ("deb-after-patch", 1),
    ("object-before-seal", 1),
    ("object-after-build", 1),
    ("object-after-seal", 1),
];

/// A project whose tool comes from an archive.
struct Site {
    life: Life,
    archive: Archive,
    mirror: Mirror,
    checkpoint: PathBuf,
}

impl Site {
    fn new() -> Self {
        let mut life =
            Life::of("[parts.tools]\nrecipe = 'packages'\nprovider = 'deb'\ndeb = ['tool']\nprograms = ['tool']\n");
        let folder = life.sandbox.path("work/mirror");
        life.sandbox.write(folder.join("README"), "an archive\n");
        let mut archive = Archive::new(&folder);
        archive.package("words", "", &[("usr/share/words", "some\n")], "zst");
        let mirror = Mirror::of(&folder);
        let checkpoint = life.sandbox.path("work/checkpoint");
        life.sandbox.set("JOVE_CHECKPOINT_FILE", checkpoint.display());
        let mut site = Self { life, archive, mirror, checkpoint };
        site.configure(&["test"]);
        site.publish(1);
        site
    }

    /// Has the user's packages come from these suites of the archive.
    fn configure(&self, suites: &[&str]) {
        let key = self.life.sandbox.path("work/mirror/key.asc");
        let text = format!(
            "[sources.debian]\naddress = '{}debian/'\nsuites = {suites:?}\nkeyring = ['{}']\n",
            self.mirror.url(),
            key.display()
        );
        self.life.sandbox.write(self.life.sandbox.home().join(".config/jove/config.toml"), text);
    }

    /// Puts a version of the tool into the archive. Its script is run by the shell that comes with it.
    fn publish(&mut self, version: usize) {
        let run = format!("#!/usr/bin/env shell\necho tool {version}\n");
        let [shell, library] = ["/bin/sh", "/bin/true"].map(|program| std::fs::read(program).expect("read"));
        let files: [(&str, &[u8]); 6] = [
            ("usr/bin/shell", &shell),
            ("usr/bin/tool", run.as_bytes()),
            ("usr/bin/tool-1", b"=> usr/bin/tool"),
            ("usr/lib/libtool.so.1", &library),
            ("usr/lib/dri/one.so", b"=> usr/lib/libtool.so.1"),
            ("usr/lib/dri/two.so", b"=> usr/lib/libtool.so.1"),
        ];
        self.archive.version("tool", &version.to_string(), "Depends: words\n", &files, "xz");
        self.archive.sign(&self.archive.key, 3600);
    }

    /// Runs a command that dies at a checkpoint.
    #[track_caller]
    fn killed(&self, (name, times): (&str, usize), arguments: &[&str]) {
        self.life.sandbox.write(&self.checkpoint, vec![name; times].join("\n"));
        self.life.run(arguments).signal(9);
        assert!(!self.checkpoint.exists(), "{name} is not passed {times} times");
    }

    fn says(&self) -> String {
        self.life.run(&["run", "tools", "--", "tool"]).success().stdout().to_owned()
    }

    fn cache(&self) -> PathBuf {
        self.life.sandbox.home().join(".cache/jove-install")
    }
}

#[test]
fn a_kill_at_every_step_of_a_first_install_is_made_good_by_the_next() {
    let site = Site::new();
    let life = &site.life;
    for step in STEPS {
        site.killed(*step, &["install", "--quiet"]);
        assert!(life.generation().is_none(), "{step:?}");
        life.install();
        assert_eq!(site.says(), "tool 1\n", "{step:?}");
        life.run(&["verify"]).success();
        life.has_no_litter(&format!("{step:?}"));
        life.run(&["wipe", "--data", "--yes"]).success();
        fs_err::remove_dir_all(site.cache()).expect("an empty cache");
        fs_err::remove_file(life.sandbox.folder().join("jove.lock")).expect("no lock");
    }
}

#[test]
fn a_kill_at_every_step_of_an_upgrade_leaves_what_runs() {
    let mut site = Site::new();
    site.life.install();
    for (number, step) in STEPS.iter().enumerate() {
        // What needs no change is in the cache, so that one package less is fetched.
        let (name, times) = *step;
        let times = if name.starts_with("fetch") { times.min(2) } else { times };
        let before = site.says();
        site.publish(number + 2);
        site.killed((name, times), &["install", "--quiet", "--upgrade"]);
        assert_eq!(site.says(), before, "{step:?}");
        site.life.run(&["verify"]).success();
        site.life.run(&["install", "--quiet", "--upgrade"]).success();
        assert_eq!(site.says(), format!("tool {}\n", number + 2), "{step:?}");
        site.life.run(&["verify"]).success();
        site.life.run(&["gc", "--keep", "0"]).success();
        site.life.has_no_litter(&format!("{step:?}"));
    }
}

#[test]
fn what_the_cache_keeps_unpacked_is_proved_and_mended() {
    let site = Site::new();
    let life = &site.life;
    life.install();
    let kept = || {
        let files = walkdir::WalkDir::new(site.cache().join("packages")).into_iter().flatten();
        let find = |path: &Path| path.ends_with("files/usr/share/words");
        files.map(walkdir::DirEntry::into_path).find(|path| find(path)).expect("it is kept")
    };
    let list = || kept().ancestors().nth(3).expect("its folder").with_extension("json");
    // A number may be given to the next file at once; when it was made is told by most file systems.
    let file = || {
        let facts = kept().metadata().expect("facts");
        (facts.ino(), facts.created().ok())
    };
    let edit = |path: &Path, text: &str| fs_err::write(path, text).expect("written");
    let damages: [(&str, &dyn Fn()); 6] = [
        ("nothing", &|| ()),
        ("edited", &|| edit(&kept(), "evil\n")),
        ("not executable", &|| fs_err::set_permissions(kept(), std::fs::Permissions::from_mode(0o644)).expect("mode")),
        ("removed", &|| fs_err::rename(kept(), kept().with_file_name("worms")).expect("renamed")),
        ("more", &|| fs_err::write(kept().with_file_name("more"), "x").expect("written")),
        ("without a list", &|| edit(&list(), "[")),
    ];
    for (what, damage) in damages {
        let (before, damaged) = (file(), what != "nothing");
        damage();
        let place = life.sandbox.path("work/mirror-aside");
        // Nobody is asked for what the cache has packed.
        fs_err::rename(life.sandbox.path("work/mirror"), &place).expect("moved");
        let said = life.run(&["install", "--offline", "--force", "tools"]).success();
        fs_err::rename(&place, life.sandbox.path("work/mirror")).expect("moved");
        let told = said.stderr().contains("was damaged where the cache keeps it unpacked, and is unpacked again");
        assert_eq!(told, damaged, "{what}: {}", said.stderr());
        assert_eq!(file() != before, damaged, "{what}");
        assert_eq!(fs_err::read_to_string(kept()).expect("read"), "some\n", "{what}");
        assert_eq!(kept().metadata().expect("facts").mode() & 0o777, 0o755, "{what}");
        let object = life.prefix().join("store");
        let words = walkdir::WalkDir::new(object).into_iter().flatten().map(walkdir::DirEntry::into_path);
        for words in words.filter(|path| path.ends_with("usr/share/words")) {
            assert_eq!(fs_err::read_to_string(&words).expect("read"), "some\n", "{what}");
            assert_eq!(words.metadata().expect("facts").nlink(), 1, "an object shares nothing with the cache");
        }
        life.run(&["verify"]).success();
        life.has_no_litter(what);
    }
}

#[test]
fn a_run_with_nothing_to_do_reads_no_list_of_packages() {
    let site = Site::new();
    let life = &site.life;
    life.install();
    let asked = site.mirror.requests();
    assert!(asked.iter().any(|path| path.ends_with("/Packages")), "{asked:?}");
    let idle = "nothing to do: all 1 parts are as wished\n";
    assert_eq!(life.run(&["plan"]).success().stdout(), idle);
    life.install();
    assert_eq!(site.mirror.requests(), Vec::<String>::new());
    // Neither the archive nor what was kept of it is there any more.
    let Site { life, mirror, .. } = site;
    drop(mirror);
    fs_err::remove_dir_all(life.sandbox.path("work/mirror")).expect("removed");
    fs_err::remove_dir_all(life.sandbox.home().join(".cache/jove-install/files")).expect("removed");
    assert_eq!(life.run(&["plan"]).success().stdout(), idle);
    life.install();
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "tool 1\n");
}

#[test]
fn parts_that_ask_the_same_archive_share_its_list() {
    let site = Site::new();
    let part = |name: &str| format!("[parts.{name}]\nrecipe = 'packages'\nprovider = 'deb'\ndeb = ['words']\n");
    site.life.define(&format!("{}{}{}", part("one"), part("two"), part("three")));
    site.life.run(&["lock"]).success();
    let asked = site.mirror.requests();
    for file in ["/InRelease", "/Packages"] {
        assert_eq!(asked.iter().filter(|path| path.ends_with(file)).count(), 1, "{asked:?}");
    }
}

#[test]
fn a_file_of_several_names_is_one_file_of_the_object() {
    let site = Site::new();
    let life = &site.life;
    life.install();
    let store = life.prefix().join("store");
    let find = |name: &str| {
        let files = walkdir::WalkDir::new(&store).into_iter().flatten().map(walkdir::DirEntry::into_path);
        let mut files = files.filter(|path| path.ends_with(name) && path.to_string_lossy().contains("-tools"));
        files.next().unwrap_or_else(|| panic!("{name} is in the object"))
    };
    let facts = |name: &str| {
        let facts = find(name).metadata().expect("facts");
        (facts.ino(), facts.nlink(), facts.mode() & 0o7777)
    };
    let library = facts("usr/lib/libtool.so.1");
    assert_eq!((library.1, library.2), (3, 0o555));
    assert_eq!([facts("usr/lib/dri/one.so"), facts("usr/lib/dri/two.so")], [library, library]);
    assert_eq!(facts("usr/bin/tool"), facts("usr/bin/tool-1"));
    let object = find("usr/lib").ancestors().nth(2).expect("its object").display().to_string();
    let text = fs_err::read(find("usr/lib/dri/one.so")).expect("read");
    assert!(String::from_utf8_lossy(&text).contains(&format!("{object}/usr/lib")), "it looks in its object");
    life.run(&["verify"]).success();
    // All of its names are altered with one, and all are made good.
    let below = find("usr/lib/dri/two.so");
    life.damage(below.strip_prefix(life.prefix()).expect("below"), b"other");
    let said = life.run(&["verify"]).code(1);
    for name in ["libtool.so.1", "one.so", "two.so"] {
        assert!(
            said.stdout().lines().any(|line| line.contains("altered") && line.ends_with(name)),
            "{}",
            said.stdout()
        );
    }
    life.run(&["verify", "--repair"]).success();
    life.run(&["verify"]).success();
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "tool 1\n");
}
