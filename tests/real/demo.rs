//! The whole life of a demonstration, as the README tells it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jove_install::digest::Sha256;

use crate::home::{Home, get, kill};

const DEMO: &[&str] = &["-p", "demo"];
const CLIENT: &str = include_str!("../recipes/wps_client.py");

#[test]
fn a_demo_lives_and_leaves_nothing() {
    let Some(home) = Home::new() else { return };
    let client = home.write("wps_client.py", CLIENT);
    let before = home.outside();
    let url = is_installed_and_answers(&home, &client);
    tidies_up_after_a_killed_job(&home, &url);
    comes_back_when_killed(&home);
    takes_a_new_title_and_gives_it_back(&home, &url);
    finds_and_mends_a_flipped_byte(&home);
    assert!(home.run(&["verify", "-p", "demo", "--json"]).success().json()["damage"].as_array().unwrap().is_empty());
    comes_again_without_network(&home, &url);
    home.run(&["wipe", "-p", "demo", "--data", "--yes"]).success();
    assert_eq!(format!("{:?}", home.processes()), "[]");
    assert_eq!(before.changes(&home.outside()), "");
    let cached: Vec<_> =
        std::fs::read_dir(home.home().join(".cache")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(cached, ["jove-install"]);
}

/// The first command, the client's view, and a second run that does nothing.
fn is_installed_and_answers(home: &Home, client: &Path) -> String {
    let said = home.run(DEMO).success();
    let url = home.url(DEMO, "wps");
    assert!(said.stdout().contains(&format!("\n    {url}\n")), "{}", said.stdout());
    let page = get(&url);
    assert!(page.status == 200 && page.text.contains("<form") && page.text.contains("Demonstration WPS"), "{page:?}");
    let asked = format!("{url}wps");
    let spoke = ["run", "env", "-p", "demo", "--", "python", client.to_str().unwrap(), &asked];
    let spoke = home.run(&spoke).success();
    assert_eq!(spoke.stdout().lines().filter(|line| line.starts_with("ok: ")).count(), 16, "{}", spoke.stdout());
    let again = home.run(&["install", "-p", "demo", "--json"]).success();
    assert_eq!(again.json()["changed"], serde_json::json!([]));
    assert_eq!(again.json()["urls"][0], url.as_str());
    assert_eq!(again.stderr(), "", "a run with nothing to do builds, starts and asks nothing");
    url
}

/// PyWPS leaves the working folder of a job that was killed; it goes while the service runs, and that of another job stays.
fn tidies_up_after_a_killed_job(home: &Home, url: &str) {
    let service = home.service(DEMO, "wps")["pid"].as_i64().unwrap();
    let line = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let serving = line(i32::try_from(service).unwrap());
    let jobs = || -> Vec<i32> {
        let pids = home.processes().into_iter().map(|process| process.pid);
        pids.filter(|pid| i64::from(*pid) != service && line(*pid) == serving).collect()
    };
    let work = home.home().join("jove/demo/var/wps/work");
    let folders = || std::fs::read_dir(&work).unwrap().count();
    // Asked for, as people do: an idle service sleeps.
    let ask = || get(&format!("{url}wps?service=WPS&request=GetCapabilities")).status;
    home.until("jobs that had to wait left nothing", || ask() == 200 && jobs().is_empty() && folders() == 0);
    let execute = "wps?service=WPS&version=1.0.0&request=Execute&identifier=wait&datainputs=seconds=120&storeExecuteResponse=true&status=true";
    for _ in 0..2 {
        assert!(get(&format!("{url}{execute}")).text.contains("ProcessAccepted"));
    }
    home.until("two jobs run", || jobs().len() == 2 && folders() == 2);
    kill(&jobs()[0].into());
    home.until("the folder of the killed one is gone", || ask() == 200 && folders() == 1);
    assert_eq!(jobs().len(), 1);
    kill(&jobs()[0].into());
    home.until("the other folder is gone", || ask() == 200 && folders() == 0);
}

fn comes_back_when_killed(home: &Home) {
    let first = home.service(DEMO, "wps");
    kill(&first["pid"]);
    home.until("the service is ready again", || {
        let now = home.service(DEMO, "wps");
        now["state"] == "ready" && now["pid"] != first["pid"] && now["restarts"] == 1
    });
}

/// The folders in the store, and the processes that no service is.
fn objects(home: &Home) -> Vec<String> {
    let store = std::fs::read_dir(home.home().join("jove/demo/store")).unwrap().map(Result::unwrap);
    let mut names: Vec<String> = store
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn supervising(home: &Home) -> Vec<i32> {
    let all = home.processes().into_iter();
    all.filter(|process| process.command.contains(" internal-")).map(|process| process.pid).collect()
}

fn takes_a_new_title_and_gives_it_back(home: &Home, url: &str) {
    let capabilities = format!("{url}wps?service=WPS&request=GetCapabilities");
    let (objects_before, supervising_before) = (objects(home), supervising(home));
    let changed = home.run(&["-p", "demo", "--set", "wps.title=Other <title>", "--json"]).success().json();
    assert_eq!(changed["changed"].as_array().unwrap().len(), 1, "{changed}");
    assert_eq!(changed["changed"][0]["part"], "wps");
    assert_eq!(changed["changed"][0]["reasons"][0], "title: Demonstration WPS → Other <title>");
    let answer = get(&capabilities).text;
    assert!(answer.contains("Other &lt;title&gt;"), "{answer}");
    let fresh: Vec<String> = objects(home).into_iter().filter(|name| !objects_before.contains(name)).collect();
    assert!(fresh.len() == 1 && fresh[0].ends_with("-wps"), "{fresh:?}");
    assert_eq!(supervising(home), supervising_before);
    home.run(&["rollback", "-p", "demo"]).success();
    assert!(get(&capabilities).text.contains("Demonstration WPS"));
    assert!(home.status(DEMO)["held"].is_string());
    assert!(home.service(DEMO, "wps")["state"] == "ready");
    home.run(DEMO).success();
    assert!(get(&capabilities).text.contains("Demonstration WPS"));
}

/// Changes one byte in the middle of a read-only file.
fn flip(path: &Path) {
    let mode = path.metadata().unwrap().permissions();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, mode).unwrap();
}

/// The first file below a folder whose path says that it is the one.
fn find(folder: &Path, is_it: impl Fn(&str) -> bool) -> PathBuf {
    let mut files = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap().into_path());
    let found = files.find(|path| path.is_file() && is_it(&path.display().to_string()));
    found.unwrap_or_else(|| panic!("not in {}", folder.display()))
}

/// The cached wheel of PyWPS.
fn wheel(home: &Home) -> PathBuf {
    find(&home.cache().join("files"), |path| path.contains("/pywps-") && path.ends_with(".whl"))
}

fn finds_and_mends_a_flipped_byte(home: &Home) {
    home.run(&["verify", "-p", "demo"]).success();
    let installed = find(&home.home().join("jove/demo/store"), |path| path.ends_with("pywps/app/Service.py"));
    let cached = wheel(home);
    let sha256 = Sha256::of_reader(std::fs::File::open(&cached).unwrap()).unwrap();
    flip(&installed);
    flip(&cached);
    let found = home.run(&["verify", "-p", "demo"]).code(1);
    let told = format!("{}{}", found.stdout(), found.stderr());
    assert!(told.contains("pywps/app/Service.py"), "{told}");
    home.run(&["verify", "-p", "demo", "--repair"]).success();
    home.run(&["verify", "-p", "demo"]).success();
    assert!(home.service(DEMO, "wps")["state"] == "ready");
    assert_eq!(Sha256::of_reader(std::fs::File::open(wheel(home)).unwrap()).unwrap(), sha256);
}

/// Software gone and back from the cache alone, with the port and the data that it had.
fn comes_again_without_network(home: &Home, url: &str) {
    let data = home.home().join("jove/demo/var/wps/log.sqlite");
    let size = data.metadata().unwrap().len();
    home.run(&["wipe", "-p", "demo", "--yes"]).success();
    assert_eq!(format!("{:?}", home.processes()), "[]");
    assert!(!home.home().join("jove/demo/store").exists() && data.metadata().unwrap().len() == size);
    let again = home.run(&["-p", "demo", "--offline", "--locked", "--json"]).success().json();
    assert_eq!(again["urls"][0], url);
    assert_eq!(get(url).status, 200);
    home.run(&["stop", "-p", "demo"]).success();
    assert_eq!(format!("{:?}", home.processes()), "[]");
    home.run(&["status", "-p", "demo"]).code(1);
    home.run(&["start", "-p", "demo"]).success();
    assert_eq!(get(url).status, 200);
}
