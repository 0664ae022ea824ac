//! Bad days of one small site in production: certificates that will not do, a database that is not there, requests that hang,
//! processes that are killed while people use it, and a machine that breaks down. As an ordinary user, programs from Debian packages.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{Timestamp, ToSpan as _};
use jove_install::certificate;
use serde_json::{Value, json};

use crate::home::{Home, kill};
use crate::production::{PRODUCTION, ask, ask_trusting, certificate as own_certificate, home};
use crate::visits::meanwhile;

const CLINIC: &str = include_str!("bad_days/clinic.py");
const LOAD: &str = include_str!("bad_days/load.py");

fn clinic() -> Option<Home> {
    let mut home = home()?;
    home.enter("clinic");
    home.write("jove.toml", include_str!("bad_days/jove.toml"));
    home.write("clinic.py", CLINIC);
    Some(home)
}

#[test]
fn a_site_comes_through_its_bad_days() {
    let Some(home) = clinic() else { return };
    home.run(PRODUCTION).success();
    let url = home.url(PRODUCTION, "web");
    wants_a_certificate_that_will_do(&home, &url);
    wants_its_database(&home, &url);
    does_not_hang(&home, &url);
    comes_back_whoever_is_killed(&home, &url);
    comes_back_with_the_machine(&home, &url);
    home.wipe(PRODUCTION);
}

fn text(home: &Home, url: &str, path: &str) -> String {
    ask(home, PRODUCTION, &[&format!("{url}{path}")])[0]["text"].as_str().unwrap().to_owned()
}

/// An install with other settings fails and says why; what was there before goes on, or is there again.
#[track_caller]
fn is_refused(home: &Home, url: &str, settings: &[&str], told: &[&str]) {
    let before = home.status(PRODUCTION)["generation"].clone();
    let settings: Vec<&str> = settings.iter().flat_map(|one| ["--set", one]).collect();
    let failed = home.run(&[PRODUCTION, &settings].concat()).code(1);
    for told in told {
        assert!(failed.stderr().contains(told), "{}", failed.stderr());
    }
    let after = home.status(PRODUCTION);
    assert_eq!((&after["generation"], &after["switching"]), (&before, &Value::Null));
    assert_eq!(text(home, url, "health"), "well");
}

/// A certificate of this machine that was made some days ago, for so many days, and its key, in a file each.
fn pair(home: &Home, name: &str, ago: i64, days: u16) -> (PathBuf, PathBuf) {
    let then = Timestamp::now().checked_sub((ago * 24).hours()).unwrap();
    let both = certificate::make(&["127.0.0.1".to_owned()].into(), days, then).unwrap();
    let (certificate, key) = both.split_at(both.find("-----BEGIN PRIVATE").unwrap());
    let files = [("certificate", certificate), ("key", key)].map(|(kind, text)| {
        let file = home.write(home.path(format!("tls/{name}-{kind}.pem")), text);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        file
    });
    files.into()
}

fn wants_a_certificate_that_will_do(home: &Home, url: &str) {
    let (good, key) = pair(home, "good", 0, 90);
    let (over, key_of_over) = pair(home, "over", 90, 60);
    let (_, open) = pair(home, "open", 0, 90);
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o640)).unwrap();
    let missing = home.path("tls/missing.pem");
    let settings = |certificate: &Path, key: &Path| {
        let files = [format!("web.certificate={}", certificate.display()), format!("web.key={}", key.display())];
        ["web.tls=files".to_owned()].into_iter().chain(files).collect::<Vec<_>>()
    };
    let refused = |certificate: &Path, key: &Path, told: &[&str]| {
        let settings = settings(certificate, key);
        is_refused(home, url, &settings.iter().map(String::as_str).collect::<Vec<_>>(), told);
    };
    refused(&missing, &key, &["missing.pem cannot be read", "set `certificate` to a file in PEM form"]);
    refused(&good, &missing, &["missing.pem cannot be read", "set `key` to the file with the certificate's key"]);
    refused(&over, &key_of_over, &["over-certificate.pem ended on", "put the renewed one in its place"]);
    refused(&good, &key_of_over, &["is not that of the certificate", "set `key` to the file that was made with it"]);
    refused(&good, &open, &["open-key.pem can be read by others (mode 640)", "chmod 600"]);
    let settings = settings(&good, &key);
    let given: Vec<&str> = settings.iter().flat_map(|one| ["--set", one]).collect();
    home.run(&[PRODUCTION, &given].concat()).success();
    home.until("the certificate that was given", || {
        ask_trusting(home, PRODUCTION, &good, None, &[&format!("{url}health")])[0]["status"] == 200
    });
    home.run(PRODUCTION).success();
    home.until("its own certificate", || text(home, url, "health") == "well");
}

fn wants_its_database(home: &Home, url: &str) {
    let prefix = home.status(PRODUCTION)["prefix"].as_str().unwrap().to_owned();
    let other = |password: &str, folder: &str| {
        let user = "site-app";
        format!("app.vars={{ DATABASE_URL = \"postgresql://{user}:{password}@/{user}?host={folder}&port=5432\" }}")
    };
    let [wrong, away] =
        [other("wrong", &format!("{prefix}/run/postgresql")), other("wrong", &format!("{prefix}/none"))];
    is_refused(home, url, &[&wrong], &["so it is not started", "password authentication failed"]);
    is_refused(home, url, &[&away], &["so it is not started", "No such file or directory"]);
}

fn does_not_hang(home: &Home, url: &str) {
    let patience = "app.timeout=3s";
    home.write("clinic.py", CLINIC.replace("    return \"well\"", "    hang(query)"));
    is_refused(home, url, &[patience], &["the application has not answered `/health` within 3 s"]);
    home.write("clinic.py", CLINIC);
    home.run(&[PRODUCTION, &["--set", patience]].concat()).success();
    // As many as there are threads in all workers.
    let hanging = format!("{url}hang");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(ask(home, PRODUCTION, &[&hanging])[0]["status"], 503));
        }
    });
    home.until("an answer", || text(home, url, "health") == "well");
    let log = home.run(&[&["logs", "app"], PRODUCTION].concat()).success();
    assert!(log.stdout().contains("no answer within 3 s, so this worker is replaced: GET /hang"), "{}", log.stdout());
    home.run(PRODUCTION).success();
}

/// The moments at which somebody was answered, in seconds.
fn answers(file: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
}

fn seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A process that another one started.
fn child(pid: &Value) -> Value {
    let file = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(&file).unwrap();
    let child = children.split_whitespace().next().unwrap_or_else(|| panic!("{file} is empty"));
    json!(child.parse::<i32>().unwrap())
}

fn comes_back_whoever_is_killed(home: &Home, url: &str) {
    let answered = home.path("answered");
    let (trusted, file) = (own_certificate(home, PRODUCTION).display().to_string(), answered.display().to_string());
    std::fs::write(&answered, "").unwrap();
    home.own(&answered);
    let lost = meanwhile(home, ("load.py", LOAD), &[&trusted, url, &file], |_| {
        for (service, is_worker) in
            [("web", true), ("app", true), ("web", false), ("app", false), ("postgresql", false)]
        {
            let so_far = answers(&answered).len();
            home.until("people are answered", || answers(&answered).len() > so_far + 10);
            let first = home.service(PRODUCTION, service)["pid"].clone();
            let pid = if is_worker { child(&first) } else { first.clone() };
            let (then, so_far) = (seconds(), answers(&answered).len());
            kill(&pid);
            home.until("the end of who was killed", || {
                !home.processes().iter().any(|process| i64::from(process.pid) == pid.as_i64().unwrap())
            });
            home.until("all is ready again", || {
                home.run(&[&["status"], PRODUCTION].concat()).status().success()
                    && (home.service(PRODUCTION, service)["pid"] == first) == is_worker
            });
            home.until("people are answered again", || answers(&answered).len() > so_far + 20);
            let moments: Vec<f64> = answers(&answered).into_iter().filter(|one| *one >= then).collect();
            let gaps = std::iter::once(&then).chain(&moments).zip(&moments).map(|(one, next)| next - one);
            let what = if is_worker { "a worker of " } else { "" };
            println!("kill -9 of {what}{service}: nobody was answered for {:.0} ms", gaps.fold(0.0, f64::max) * 1000.0);
        }
    });
    assert!(lost.starts_with("of ") && lost.ends_with(" these were lost: \n"), "{lost}");
    std::fs::remove_file(answered).unwrap();
}

/// Everything ends at once and leaves its files; by then the number of the database's process is somebody else's.
fn comes_back_with_the_machine(home: &Home, url: &str) {
    let kept = text(home, url, "kept");
    let prefix = PathBuf::from(home.status(PRODUCTION)["prefix"].as_str().unwrap());
    home.breaks_down();
    for left in ["run/web/nginx.pid", "run/app/gunicorn.sock", "var/postgresql/cluster/postmaster.pid"] {
        assert!(prefix.join(left).symlink_metadata().is_ok(), "{left} is as it was left");
    }
    let mut other = home.other("/bin/sleep").arg("1000000").spawn().unwrap();
    for file in ["var/postgresql/cluster/postmaster.pid", "run/web/nginx.pid"] {
        let file = prefix.join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
        home.write(&file, format!("{}\n{rest}", other.id()));
    }
    home.run(&[&["start"], PRODUCTION].concat()).success();
    assert_eq!(text(home, url, "kept"), kept);
    assert_eq!(text(home, url, "put?0"), "0");
    assert!(other.try_wait().unwrap().is_none(), "it is none of ours");
    kill(&json!(other.id()));
    other.wait().unwrap();
}
