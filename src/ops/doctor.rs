//! `doctor`: what this machine has, and what is missing. Changes nothing; of the network it asks the conda channels and Debian
//! archives alone, whether they are there, and no longer than some seconds.

mod sources;

use serde::Serialize;

use self::sources::Sources;
use crate::host::Host;
use crate::ops::error::OpResult;
use crate::platform::Platform;
use crate::pypi::{Interpreter, PythonRange};
use crate::sandbox::Machine;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, with a limit.
    Limited,
    /// Something will not work.
    Missing,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What was looked at.
    pub subject: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, and what to do if it is not good.
    pub finding: String,
}

/// Looks at the machine.
///
/// # Errors
/// If there is no home.
pub fn doctor(host: &Host, is_offline: bool) -> OpResult<Vec<Check>> {
    let sources = Sources::look(host, is_offline);
    let mut checks = vec![
        check("platform", Verdict::Good, Platform::current().to_string()),
        prefixes(host)?,
        cache(host)?,
        python(host, &sources),
        uv(host),
        compiler(host),
        git(host),
        sandbox(),
        logout(host),
        pidfd(),
    ];
    checks.extend(sources.checks());
    Ok(checks)
}

pub(super) fn check(subject: &str, verdict: Verdict, finding: impl Into<String>) -> Check {
    Check { subject: subject.to_owned(), verdict, finding: finding.into() }
}

fn prefixes(host: &Host) -> OpResult<Check> {
    let folder = host.prefixes()?;
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(&folder);
    let free = crate::fs::free_bytes(existing).unwrap_or(0);
    let megabytes = free >> 20;
    let shown = format!("{}: {megabytes} MiB free", folder.display());
    Ok(match (rustix::fs::access(existing, rustix::fs::Access::WRITE_OK).is_ok(), megabytes) {
        (false, _) => {
            check("prefixes", Verdict::Missing, format!("{} cannot be written; set JOVE_HOME", existing.display()))
        }
        (true, 0..500) => {
            check("prefixes", Verdict::Limited, format!("{shown}; a Python environment takes some hundred"))
        }
        (true, _) => check("prefixes", Verdict::Good, shown),
    })
}

fn cache(host: &Host) -> OpResult<Check> {
    let folder = host.cache()?;
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(&folder);
    if rustix::fs::access(existing, rustix::fs::Access::WRITE_OK).is_ok() {
        return Ok(check("download cache", Verdict::Good, folder.display().to_string()));
    }
    let found = format!(
        "{} cannot be written: what is there is used, and nothing is added; mend its permissions or set XDG_CACHE_HOME",
        existing.display()
    );
    Ok(check("download cache", Verdict::Limited, found))
}

fn python(host: &Host, sources: &Sources) -> Check {
    let range: Result<PythonRange, _> = ">=3.9".parse();
    match range
        .map_err(|error| error.to_string())
        .and_then(|range| Interpreter::find(host, &range).map_err(|error| error.to_string()))
    {
        Ok(found) => check("python", Verdict::Good, format!("{} at {}", found.version, found.path.display())),
        Err(error) => sources.python(error),
    }
}

fn uv(host: &Host) -> Check {
    match host.which("uv") {
        Some(path) => check("uv", Verdict::Good, path.display().to_string()),
        None => {
            let chain = "not in PATH: it is fetched once, by the host's pip or that of the Python which is unpacked, and kept in the cache";
            check("uv", Verdict::Good, chain)
        }
    }
}

fn compiler(host: &Host) -> Check {
    match ["cc", "gcc", "clang"].iter().find_map(|name| host.which(name)) {
        Some(path) => check("C compiler", Verdict::Good, path.display().to_string()),
        None => check("C compiler", Verdict::Limited, "none: packages named in `build` cannot be built from source"),
    }
}

fn git(host: &Host) -> Check {
    match host.which("git") {
        Some(path) => check("git", Verdict::Good, path.display().to_string()),
        None => check("git", Verdict::Limited, "none: parts cannot be taken from repositories"),
    }
}

/// What keeps builds, steps and services inside.
fn sandbox() -> Check {
    let machine = Machine::current();
    let walls = [
        ("namespaces", machine.namespaces.as_ref().map(|()| "namespaces".to_owned())),
        ("Landlock", machine.landlock.as_ref().map(|version| format!("Landlock {version}"))),
        ("seccomp", machine.filter.as_ref().map(|()| "seccomp".to_owned())),
    ];
    let there: Vec<String> = walls.iter().filter_map(|(_, wall)| wall.clone().ok()).collect();
    let missing = walls.iter().filter_map(|(name, wall)| Some(format!("no {name}: {}", wall.as_ref().err()?)));
    let missing: Vec<String> = missing.collect();
    let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    if missing.is_empty() {
        return check("sandbox", Verdict::Good, there);
    }
    check("sandbox", Verdict::Limited, format!("{there}; {}", missing.join("; ")))
}

/// Whether services outlive the session that started them.
pub(super) fn logout(host: &Host) -> Check {
    let text = std::fs::read_to_string("/etc/systemd/logind.conf").unwrap_or_default();
    let kills = text.lines().any(|line| line.trim().eq_ignore_ascii_case("KillUserProcesses=yes"));
    let user = host.var("USER").unwrap_or_default();
    let lingers = !user.is_empty() && std::path::Path::new("/var/lib/systemd/linger").join(user).exists();
    match (kills, lingers) {
        (true, false) => check(
            "logout",
            Verdict::Limited,
            "this machine ends your processes when you log out; ask for `loginctl enable-linger`",
        ),
        _ => check("logout", Verdict::Good, "services go on after logout"),
    }
}

fn pidfd() -> Check {
    let works = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).is_ok();
    if works {
        check("supervision", Verdict::Good, "the kernel has process descriptors")
    } else {
        check("supervision", Verdict::Missing, "the kernel has no process descriptors (Linux 5.3 and newer have them)")
    }
}
