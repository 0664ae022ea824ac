//! A Python that is not the machine's: unpacked from packages, an object of its own.

use crate::home::{Home, has_debian};

const DEMO: &[&str] = &["-p", "demo"];
const CLIENT: &str = include_str!("../recipes/wps_client.py");

#[test]
fn a_demo_runs_where_path_has_no_python() {
    let Some(mut home) = has_debian().then(Home::new).flatten() else { return };
    let machine = home.var("PATH");
    home.without_python();
    // Not even uv is there: the pip of the Python that is unpacked brings it.
    std::fs::remove_dir_all(home.cache().join("tools")).unwrap();
    let client = home.write("wps_client.py", CLIENT);
    let before = home.outside();
    let said = home.run(&["install", "-p", "demo"]).success();
    assert!(said.stderr().contains("the Python of `env` comes from deb"), "{}", said.stderr());
    let asked = format!("{}wps", home.url(DEMO, "wps"));
    let spoke = home.run(&["run", "env", "-p", "demo", "--", "python", client.to_str().unwrap(), &asked]).success();
    assert_eq!(spoke.stdout().lines().filter(|line| line.starts_with("ok: ")).count(), 16, "{}", spoke.stdout());

    // What runs is the object's, libraries included.
    let store = home.home().join("jove/demo/store");
    let script = "import sys, ssl, sqlite3, ctypes\nprint(sys.base_prefix)\nprint(open('/proc/self/maps').read())";
    let said = home.run(&["run", "env", "-p", "demo", "--", "python", "-c", script]).success();
    let (prefix, maps) = said.stdout().split_once('\n').unwrap();
    assert!(prefix.starts_with(store.to_str().unwrap()) && prefix.ends_with("-python-packages/usr"), "{prefix}");
    let files = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    let code: Vec<&str> = files.filter(|file| file.contains(".so") || file.contains("/bin/")).collect();
    let of_machine: Vec<&&str> = code.iter().filter(|file| !file.starts_with(store.to_str().unwrap())).collect();
    assert!(!code.is_empty() && of_machine.is_empty(), "{of_machine:?}");

    // It stays when the machine has a Python again: what was chosen is no guess to be made anew.
    home.set("PATH", machine);
    home.run(&["plan", "-p", "demo", "--detailed-exitcode"]).code(0);
    assert!(home.run(&["graph", "-p", "demo"]).success().stdout().contains("python-packages (packages) [object]"));
    // A cache that was emptied is filled again when something must be resolved anew.
    std::fs::remove_dir_all(home.cache().join("tools")).unwrap();
    home.run(&["install", "-p", "demo", "--set", "env.pypi+=packaging"]).success();
    home.run(&["verify", "-p", "demo"]).success();
    home.run(&["wipe", "-p", "demo", "--data", "--yes"]).success();
    assert_eq!(format!("{:?}", home.processes()), "[]");
    assert_eq!(before.changes(&home.outside()), "");
}
