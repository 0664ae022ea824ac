//! uv itself: fetched by pip, kept, checked, fetched by two runs at once, and not to be had.

use jove_install::pypi::{ToolError, UvSource};

use super::*;

fn ensure(host: &Host, cache: &Cache, offline: bool) -> Result<Uv, ToolError> {
    let client = Client::new(host, offline).unwrap();
    Uv::ensure(host, &client, cache, None, &silent())
}

#[test]
fn it_is_fetched_once_checked_and_mended() {
    if !crate::home::may_use_the_network() {
        return;
    }
    let mut host = Host::current().unwrap();
    // Without the folder that has uv, should this machine have one.
    if let Some(found) = host.which("uv") {
        let without: Vec<PathBuf> =
            host.path().into_iter().filter(|folder| Some(folder.as_path()) != found.parent()).collect();
        let path = std::env::join_paths(without).unwrap().into_string().unwrap();
        host.vars.insert("PATH".to_owned(), path);
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let error = ensure(&host, &cache, true).unwrap_err().to_string();
    assert!(
        error.contains("there is no uv on PATH") && error.contains("--offline") && error.contains("install uv"),
        "{error}"
    );
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| ensure(&host, &cache, false).unwrap());
        (ensure(&host, &cache, false).unwrap(), other.join().unwrap())
    });
    assert_eq!((one.path.as_path(), one.source), (other.path.as_path(), UvSource::Fetched));
    assert_eq!(ensure(&host, &cache, true).unwrap().source, UvSource::Cache);
    std::fs::remove_file(&one.path).unwrap();
    std::fs::write(&one.path, "#!/bin/sh\necho uv 0.13.0\n").unwrap();
    // Its wheel is still in the cache, so that no network is needed to have it back.
    let mended = ensure(&host, &cache, true).unwrap();
    assert_eq!((mended.path, mended.version), (one.path, one.version));
    let left = std::fs::read_dir(folder.path().join("tools")).unwrap().count()
        + std::fs::read_dir(folder.path().join("tmp")).unwrap().count();
    assert_eq!(left, 1, "nothing of the work is left");
}
