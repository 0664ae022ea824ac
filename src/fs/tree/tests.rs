use std::os::unix::net::UnixListener;

use super::*;

/// `a.txt`, `bin/run` (executable), `bin/link -> run`, `empty/`, and a file of more than [`LARGE`].
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path().join("tree");
    std::fs::create_dir_all(root.join("bin")).expect("made");
    std::fs::create_dir(root.join("empty")).expect("made");
    std::fs::write(root.join("a.txt"), "a").expect("written");
    std::fs::write(root.join("bin/run"), "#!/bin/sh\n").expect("written");
    set_mode(&root.join("bin/run"), 0o700).expect("mode");
    symlink("run", root.join("bin/link")).expect("link");
    folder
}

fn modes(root: &Path) -> Vec<String> {
    let found = walk(root, NOTHING).expect("walked");
    found.iter().map(|f| format!("{} {:o}", f.path.display(), f.metadata.mode() & 0o7777)).collect()
}

#[test]
fn a_digested_tree_is_sorted_and_whole() {
    let folder = sample();
    let entries = digest_tree(&folder.path().join("tree")).expect("digested");
    let file =
        |text: &str, executable| EntryKind::File { digest: Digest::of(text), executable, size: text.len() as u64 };
    let expected = [
        ("a.txt", file("a", false)),
        ("bin", EntryKind::Folder),
        ("bin/link", EntryKind::Link { target: "run".into() }),
        ("bin/run", file("#!/bin/sh\n", true)),
        ("empty", EntryKind::Folder),
    ];
    assert_eq!(entries, expected.map(|(path, kind)| Entry { path: path.into(), kind }));
}

#[test]
fn digests_are_those_of_blake3_at_every_size() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("file");
    for size in [0, 1, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, (9 << 20) + 7] {
        let bytes: Vec<u8> = (0..size).map(|at: usize| (at % 251) as u8).collect();
        std::fs::write(&path, &bytes).expect("written");
        assert_eq!(digest_file(&path).expect("hashed"), (Digest::of(&bytes), size as u64), "{size}");
    }
}

#[test]
fn sealing_leaves_no_right_to_write() {
    let folder = sample();
    let root = folder.path().join("tree");
    let before = digest_tree(&root).expect("digested");
    assert_eq!(seal_tree(&root, &Known::default()).expect("sealed"), before);
    assert_eq!(modes(&root)[..2], ["a.txt 444", "bin 555"]);
    assert_eq!(modes(&root)[3..], ["bin/run 555", "empty 555"]);
    assert_eq!(std::fs::metadata(&root).expect("there").mode() & 0o7777, 0o555);
    let again = sample();
    make_read_only(&again.path().join("tree")).expect("closed");
    assert_eq!(modes(&again.path().join("tree")), modes(&root));
    remove_tree(&root).expect("removed although sealed");
    remove_tree(&again.path().join("tree")).expect("removed although sealed");
    assert!(!root.exists());
}

#[test]
fn closed_folders_are_opened_before_they_are_removed() {
    let folder = sample();
    let root = folder.path().join("tree");
    set_mode(&root.join("bin"), 0).expect("mode");
    set_mode(&root, 0).expect("mode");
    loosen(&root).expect("loosened");
    assert_eq!(std::fs::metadata(root.join("bin")).expect("there").mode() & 0o777, 0o700);
    set_mode(&root.join("bin"), 0).expect("mode");
    set_mode(&root, 0).expect("mode");
    remove_tree(&root).expect("removed");
    assert!(!root.exists());
}

#[test]
fn removing_never_follows_a_link_and_absent_is_fine() {
    let folder = sample();
    let link = folder.path().join("link");
    symlink(folder.path().join("tree"), &link).expect("link");
    symlink("../tree", folder.path().join("tree/empty/up")).expect("link");
    remove_tree(&link).expect("removed");
    assert!(folder.path().join("tree/a.txt").exists());
    remove_tree(&folder.path().join("tree/empty")).expect("removed");
    assert!(folder.path().join("tree/a.txt").exists());
    remove_tree(&folder.path().join("nothing")).expect("absent is fine");
}

#[test]
fn two_can_remove_one_tree() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path().join("tree");
    for number in 0..200 {
        std::fs::create_dir_all(root.join(format!("{}/{number}", number % 7))).expect("made");
    }
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(|| remove_tree(&root))).collect();
        for worker in workers {
            worker.join().expect("thread").expect("removed");
        }
    });
    assert!(!root.exists());
}

#[test]
fn a_copy_has_contents_links_and_execution_and_leaves_what_is_skipped() {
    let folder = sample();
    let (from, to) = (folder.path().join("tree"), folder.path().join("copy"));
    let _socket = UnixListener::bind(from.join("app.sock")).expect("socket");
    set_mode(&from.join("a.txt"), 0o600).expect("mode");
    copy_tree(&from, &to, &|path, is_folder| is_folder && path == Path::new("empty")).expect("copied");
    assert_eq!(modes(&to)[..2], ["a.txt 644", "bin 755"]);
    assert_eq!(modes(&to)[3..], ["bin/run 755"]);
    assert_eq!(std::fs::read_link(to.join("bin/link")).expect("link"), Path::new("run"));
    assert_eq!(std::fs::read_to_string(to.join("a.txt")).expect("read"), "a");
}

#[test]
fn a_copy_into_itself_ends() {
    let folder = sample();
    let root = folder.path().join("tree");
    copy_tree(&root, &root.join("inside"), NOTHING).expect("copied");
    assert!(root.join("inside/bin/run").exists());
    assert!(!root.join("inside/inside").exists());
}

#[test]
fn what_is_no_file_is_named() {
    let folder = sample();
    let root = folder.path().join("tree");
    let _socket = UnixListener::bind(root.join("app.sock")).expect("socket");
    let error = digest_tree(&root).expect_err("a socket").to_string();
    assert!(error.ends_with("app.sock: neither a file, a folder nor a link; remove it and run again"), "{error}");
    let missing = digest_tree(&folder.path().join("nothing")).expect_err("absent").to_string();
    assert!(missing.contains("nothing: "), "{missing}");
}

#[test]
fn a_link_is_not_hashed_as_what_it_points_to() {
    let folder = sample();
    assert!(digest_file(&folder.path().join("tree/bin/link")).is_err());
}

#[test]
fn freed_bytes_do_not_count_files_with_another_name() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path().join("tree");
    std::fs::create_dir(&root).expect("made");
    std::fs::write(root.join("big"), vec![1; 1 << 20]).expect("written");
    sync_filesystem(folder.path()).expect("synced");
    let alone = occupied_bytes(&root);
    std::fs::hard_link(root.join("big"), folder.path().join("other")).expect("linked");
    assert!(alone >= 1 << 20 && occupied_bytes(&root) < 1 << 20);
}

#[test]
fn a_file_of_several_names_is_one_file_in_all_that_is_done() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path().join("tree");
    std::fs::create_dir_all(root.join("sub")).expect("made");
    std::fs::write(root.join("big"), vec![1; 1 << 20]).expect("written");
    std::fs::write(root.join("other"), vec![1; 1 << 20]).expect("written");
    let apart = digest_tree(&root).expect("digested");
    std::fs::remove_file(root.join("other")).expect("removed");
    for name in ["other", "sub/third"] {
        std::fs::hard_link(root.join("big"), root.join(name)).expect("linked");
    }
    let sealed = seal_tree(&root, &Known::default()).expect("sealed");
    assert_eq!(
        sealed.iter().map(|entry| entry.path.to_str().expect("text")).collect::<Vec<_>>(),
        ["big", "other", "sub", "sub/third"]
    );
    assert_eq!((&sealed[0], &sealed[1]), (&apart[0], &apart[1]), "the same as of files apart");
    assert_eq!(sealed[3].kind, sealed[0].kind);
    assert_eq!(sealed[2].kind, EntryKind::Folder);
    assert_eq!(modes(&root), ["big 444", "other 444", "sub 555", "sub/third 444"]);
    sync_filesystem(folder.path()).expect("synced");
    let bytes = occupied_bytes(&root);
    assert!((1 << 20..2 << 20).contains(&bytes), "{bytes}");
    remove_tree(&root).expect("removed");
}

#[test]
fn files_are_copied_with_their_time_and_those_of_several_names_stay_one() {
    let root = tempfile::tempdir().expect("folder");
    let (from, to) = (root.path().join("from"), root.path().join("to"));
    for folder in [&from, &to] {
        std::fs::create_dir_all(folder.join("in")).expect("made");
    }
    std::fs::write(from.join("a"), "a").expect("written");
    std::fs::write(from.join("in/run"), "run").expect("written");
    std::fs::hard_link(from.join("a"), from.join("in/b")).expect("linked");
    set_mode(&from.join("in/run"), 0o555).expect("mode");
    set_mode(&from.join("a"), 0o444).expect("mode");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(315_532_800);
    File::open(from.join("a")).expect("opened").set_modified(time).expect("time");
    copy_files(&from, &to, ["a", "in/b", "in/run"].into_iter().map(Path::new)).expect("copied");
    let facts = |path: &str| to.join(path).metadata().expect("there");
    assert_eq!((facts("a").ino(), facts("a").nlink()), (facts("in/b").ino(), 2));
    assert_ne!(facts("a").ino(), from.join("a").metadata().expect("there").ino());
    assert_eq!(facts("a").modified().expect("time"), time);
    assert_eq!([facts("a").mode() & 0o777, facts("in/run").mode() & 0o777], [0o644, 0o755]);
    assert_eq!(std::fs::read_to_string(to.join("in/run")).expect("read"), "run");
    assert!(copy_files(&from, &to, [Path::new("a")].into_iter()).is_err(), "nothing is overwritten");
}
