//! nginx built from source by the recipe's own lines, in a sandbox, as an ordinary user. Its source is taken from the package
//! `nginx-src`, which carries it, and comes to the build as the official archive would: by a mirror and a digest.

use std::path::{Path, PathBuf};
use std::process::Command;

use jove_install::digest::Sha256;

use crate::home::{Home, get, has_debian};

const PACKAGE: &str = "nginx-src";
const VERSION: &str = "1.28.3";

/// nginx's source as its official archive has it, if cargo can fetch the package.
fn archive(folder: &Path) -> Option<Vec<u8>> {
    let manifest = format!(
        "[package]\nname = 'scratch'\nversion = '0.1.0'\nedition = '2021'\n[dependencies]\n{PACKAGE} = '=1.28.5'\n[workspace]\n"
    );
    fs_err::create_dir_all(folder.join("src")).unwrap();
    fs_err::write(folder.join("src/lib.rs"), "").unwrap();
    fs_err::write(folder.join("Cargo.toml"), manifest).unwrap();
    let vendored = Command::new(env!("CARGO")).args(["vendor", "--quiet", "out"]).current_dir(folder).output().ok()?;
    if !vendored.status.success() {
        eprintln!("skipped: {PACKAGE} cannot be fetched: {}", String::from_utf8_lossy(&vendored.stderr));
        return None;
    }
    let tree = folder.join("out").join(PACKAGE).join("nginx");
    let packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(packed);
    tar.mode(tar::HeaderMode::Deterministic);
    let top = PathBuf::from(format!("nginx-{VERSION}"));
    tar.append_dir_all(&top, &tree).unwrap();
    // In the archive it is at the top; in the repository beside the other scripts.
    tar.append_path_with_name(tree.join("auto/configure"), top.join("configure")).unwrap();
    Some(tar.into_inner().and_then(flate2::write::GzEncoder::finish).unwrap())
}

#[test]
fn nginx_is_built_from_source_and_serves() {
    let Some(mut home) = has_debian().then(Home::new).flatten() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let Some(bytes) = archive(scratch.path()) else { return };
    home.enter("site");
    let mirror = home.write(format!("mirror/nginx-{VERSION}.tar.gz"), &bytes);
    let mirror = mirror.parent().unwrap().display().to_string();
    home.write(
        home.home().join(".config/jove/config.toml"),
        format!("[sources.archive]\nmirrors = ['file://{mirror}']\n"),
    );
    home.write("static/index.html", "from source\n");
    let folders =
        "${headers}/usr/lib/x86_64-linux-gnu:${headers}/lib/x86_64-linux-gnu:${headers}/usr/lib/aarch64-linux-gnu";
    home.write(
        "jove.toml",
        format!(
            "name = 'site'\n[parts.headers]\nrecipe = 'packages'\nprovider = 'deb'\ndeb = ['libpcre2-dev', 'zlib1g-dev']\n\
             [parts.web]\nrecipe = 'nginx'\nlocations = {{ '/files/' = '{static_files}' }}\n\
             [parts.nginx-packages]\nprovider = 'source'\n\
             build_vars = {{ JOVE_NGINX_OPTIONS = '', CPATH = '${{headers}}/usr/include:${{headers}}/usr/include/x86_64-linux-gnu', \
             LIBRARY_PATH = '{folders}', LD_RUN_PATH = '{folders}' }}\n\
             source = {{ nginx = {{ version = '{VERSION}', urls = ['https://nginx.invalid/nginx-{{version}}.tar.gz'], sha256 = '{sha256}' }} }}\n",
            static_files = home.folder().join("static").display(),
            sha256 = Sha256::of(&bytes).to_hex(),
        ),
    );
    home.run(&["install"]).success();
    let url = home.url(&[], "web");
    assert_eq!(get(&format!("{url}files/index.html")).text, "from source\n");
    let said = home.run(&["run", "nginx-packages", "--", "nginx", "-v"]).success();
    assert!(said.stderr().contains(VERSION), "{}", said.stderr());
    home.run(&["verify"]).code(0);
    home.run(&["wipe", "--data", "--yes"]).success();
}
