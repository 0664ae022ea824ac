//! `bootstrap.sh`, with the program that these tests have built already: what it asks cargo for, what it passes on and puts where,
//! and what it says where something is missing. A build of its own would take minutes; `cargo` here notes what it is asked for
//! and hands out that program.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::sandbox::{Output, Sandbox};

/// As cargo would, but that it has nothing to compile.
const CARGO: &str = "#!/bin/sh\nset -eu\necho \"$*\" >> \"$NOTES\"\n[ -z \"${BROKEN:-}\" ] || { echo 'error: no such crate' >&2; exit 101; }\n\
    mkdir -p \"$CARGO_TARGET_DIR/release\"\nln -sf \"$PROGRAM\" \"$CARGO_TARGET_DIR/release/jove-install\"\n";

/// The tools of a machine that `bootstrap.sh` uses, and `cargo` here.
const TOOLS: &[&str] = &["cp", "dirname", "ln", "mkdir", "mv", "sed", "sh"];

/// A checkout with `bootstrap.sh`, and a folder with the only programs on PATH.
struct Checkout {
    sandbox: Sandbox,
}

impl Checkout {
    fn new(programs: &[&str]) -> Self {
        let mut sandbox = Sandbox::new();
        let script = sandbox.write("jove/bootstrap.sh", include_str!("../../bootstrap.sh"));
        fs_err::set_permissions(script, PermissionsExt::from_mode(0o755)).expect("mode");
        for tool in TOOLS {
            let found = ["/usr/bin", "/bin"].map(|folder| PathBuf::from(folder).join(tool)).into_iter();
            let found = found.into_iter().find(|file| file.exists()).expect("a tool");
            let link = sandbox.folder().join("tools").join(tool);
            fs_err::create_dir_all(link.parent().expect("a folder")).expect("made");
            std::os::unix::fs::symlink(found, link).expect("linked");
        }
        for program in programs {
            let text = if *program == "cargo" { CARGO } else { "#!/bin/sh\n" };
            let file = sandbox.write(format!("tools/{program}"), text);
            fs_err::set_permissions(file, PermissionsExt::from_mode(0o755)).expect("mode");
        }
        let folder = sandbox.folder().to_owned();
        let program = sandbox.program().to_owned();
        for (name, path) in [("PATH", "tools"), ("NOTES", "notes"), ("CARGO_TARGET_DIR", "build")] {
            sandbox.set(name, folder.join(path).display());
        }
        sandbox.set("PROGRAM", program.display());
        Self { sandbox }
    }

    fn whole() -> Self {
        Self::new(&["cargo", "cc"])
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.sandbox.other(self.sandbox.folder().join("jove/bootstrap.sh"));
        command.args(arguments);
        self.sandbox.finish(command, b"")
    }

    /// What cargo was asked for.
    fn asked(&self) -> String {
        fs_err::read_to_string(self.sandbox.folder().join("notes")).unwrap_or_default()
    }
}

#[test]
fn it_builds_what_is_locked_and_passes_every_argument_on() {
    let checkout = Checkout::whole();
    let said = checkout.run(&["recipe", "show", "no such  recipe", "--json"]).code(64);
    assert_eq!(said.json()["error"]["lines"][0], "there is no recipe `no such  recipe`", "{}", said.text());
    let manifest = checkout.sandbox.folder().join("jove/Cargo.toml");
    let expected = format!("build --release --locked --manifest-path {} --bin jove-install\n", manifest.display());
    assert_eq!(checkout.asked(), expected);
    assert!(said.stderr().contains("the first build takes some minutes"), "{}", said.text());
    let again = checkout.run(&["recipe", "list"]).success();
    assert!(!again.stderr().contains("first build"), "{}", again.text());
    // Hints name it as it can be called again.
    let hint = checkout.run(&["-p", "demo", "rollback"]).code(1);
    assert!(hint.stderr().contains("jove/bootstrap.sh -p demo"), "{}", hint.text());
}

#[test]
fn a_relative_build_folder_is_found_where_cargo_makes_it() {
    let mut checkout = Checkout::whole();
    checkout.sandbox.set("CARGO_TARGET_DIR", "elsewhere");
    checkout.run(&["recipe", "list"]).success();
    assert!(checkout.sandbox.folder().join("elsewhere/release/jove-install").exists());
}

#[test]
fn installed_it_is_in_the_home_and_replaced_whole() {
    let checkout = Checkout::whole();
    let said = checkout.run(&["--install"]).success();
    let (folder, path) =
        (checkout.sandbox.home().join(".local/bin"), checkout.sandbox.home().join(".local/bin/jove-install"));
    assert!(said.stderr().contains(&format!("installed {}", path.display())), "{}", said.text());
    assert!(said.stderr().contains("is not in your PATH; add it: export PATH="), "{}", said.text());
    let built = fs_err::read(checkout.sandbox.program()).expect("the program");
    assert!(fs_err::read(&path).expect("a copy") == built, "it is the program");
    let said = checkout.run(&["--install", "recipe", "list"]).success();
    assert!(said.stdout().contains("wsgi"), "{}", said.text());
    let names: Vec<_> = fs_err::read_dir(folder).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["jove-install"], "nothing lies beside it");
}

#[test]
fn its_help_needs_no_build_and_says_what_stays() {
    for asked in ["--help", "-h"] {
        let checkout = Checkout::new(&[]);
        let said = checkout.run(&[asked]).success();
        for expected in [
            "Builds jove-install and runs it",
            "./bootstrap.sh --install -p demo ",
            "`target/`",
            "~/.cargo",
            "~/.local/bin",
        ] {
            assert!(said.stdout().contains(expected), "{expected} in\n{}", said.text());
        }
        assert!(!said.stdout().contains("set -eu") && !said.stdout().contains('#'), "{}", said.text());
    }
    let own = Checkout::whole().run(&["install", "--help"]).success();
    assert!(own.stdout().contains("--no-start"), "that of the program: {}", own.text());
}

#[test]
fn what_is_missing_is_named_with_how_to_get_it() {
    let said = Checkout::new(&["cc"]).run(&["-p", "demo"]).code(1);
    assert!(said.stderr().starts_with("bootstrap.sh: cargo, the builder of Rust programs, is not in PATH\nhint: "));
    let said = Checkout::new(&["cargo"]).run(&["-p", "demo"]).code(1);
    assert!(said.stderr().starts_with("bootstrap.sh: no C compiler (cc, gcc or clang) is in PATH"), "{}", said.text());
    assert!(said.stderr().contains("hint: or name one: CC="), "{}", said.text());
    let mut checkout = Checkout::new(&["cargo", "my-cc"]);
    checkout.sandbox.set("CC", "my-cc");
    checkout.run(&["recipe", "list"]).success();
    // Where rustup puts it, which a shell that was open before does not know.
    let checkout = Checkout::new(&["cc"]);
    let file = checkout.sandbox.write(checkout.sandbox.home().join(".cargo/bin/cargo"), CARGO);
    fs_err::set_permissions(file, PermissionsExt::from_mode(0o755)).expect("mode");
    checkout.run(&["recipe", "list"]).success();
}

#[test]
fn a_build_that_fails_runs_nothing() {
    let mut checkout = Checkout::whole();
    checkout.sandbox.set("BROKEN", "yes");
    let said = checkout.run(&["recipe", "list"]).code(1);
    assert!(said.stderr().contains("error: no such crate\nbootstrap.sh: the build failed"), "{}", said.text());
    assert_eq!(said.stdout(), "");
}
