//! The certificate of a web server: made where none is given, made anew before it ends; one that is given is looked at.

use std::collections::BTreeSet;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use rustix::process::{Pid, Signal, getppid, kill_process};

use crate::certificate::{self, Certificate};
use crate::fs::{self, write_atomic};
use crate::ops::error::{OpError, OpResult, at};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The file with the certificate, and with its key if it is ours to make.
    pub certificate: PathBuf,
    /// The file with the key of one that is given.
    pub key: Option<PathBuf>,
    /// A file with the names, a line each, of one that is ours to make.
    pub names: Option<PathBuf>,
    /// The pid file of the server that is told of a new one.
    pub tell: Option<PathBuf>,
    /// For how many days one is made.
    pub days: u16,
    /// How many days before its end it is made anew.
    pub before: u16,
}

/// What was found or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What the certificate says now.
    pub certificate: Certificate,
    /// Whether it is a new one, and why.
    pub made: Option<&'static str>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.certificate.names.iter().map(String::as_str).collect();
        let verb = self.made.map_or_else(|| "is good".to_owned(), |why| format!("was made ({why}); it is good"));
        write!(f, "the certificate for {} {verb} until {}", names.join(", "), self.certificate.ends)
    }
}

/// Makes a certificate where there is none that will do, or looks at one that is given.
///
/// # Errors
/// If a given one cannot be used, or one cannot be made.
pub fn ensure(request: &Request) -> OpResult<Found> {
    let now = Timestamp::now();
    let Some(names) = &request.names else { return given(request, now) };
    let wished = wished(&std::fs::read_to_string(names).map_err(at(names))?);
    let existing = certificate::read(&request.certificate).ok();
    let Some(why) = reason(existing.as_ref(), &wished, now, request.before) else {
        // There is one, or there would be a reason.
        return existing
            .map(|certificate| Found { certificate, made: None })
            .ok_or_else(|| OpError::failed("no certificate"));
    };
    let text = certificate::make(&wished, request.days, now)?;
    write_atomic(&request.certificate, text.as_bytes(), 0o600).map_err(at(&request.certificate))?;
    let certificate = certificate::read(&request.certificate)?;
    Ok(Found { certificate, made: Some(why) })
}

/// The names that a certificate can have, of those by which a server is reached.
fn wished(text: &str) -> BTreeSet<String> {
    let names = text.lines().map(str::trim).filter(|name| !name.is_empty() && !name.starts_with('#') && *name != "_");
    let names = names.map(|name| name.trim_matches(['[', ']']).to_lowercase());
    names.filter(|name| name != "0.0.0.0" && name != "::").collect()
}

/// Why one must be made, if it must.
fn reason(
    existing: Option<&Certificate>,
    wished: &BTreeSet<String>,
    now: Timestamp,
    before: u16,
) -> Option<&'static str> {
    let Some(existing) = existing else { return Some("there was none") };
    let due = existing.ends.saturating_sub((i64::from(before) * 24).hours()).unwrap_or(existing.ends);
    if existing.names != *wished {
        Some("for other names")
    } else if now >= due {
        Some("the former one ends soon")
    } else if now < existing.begins {
        Some("the clock is behind the former one")
    } else {
        None
    }
}

fn given(request: &Request, now: Timestamp) -> OpResult<Found> {
    let certificate = certificate::read(&request.certificate).map_err(|error| {
        OpError::from(error).hint("set `certificate` to a file in PEM form, or `tls = \"self-signed\"`")
    })?;
    let path = request.certificate.display();
    if now >= certificate.ends {
        return Err(OpError::failed(format!("the certificate {path} ended on {}", certificate.ends))
            .hint("put the renewed one in its place"));
    }
    if now < certificate.begins {
        return Err(OpError::failed(format!("the certificate {path} holds only from {} on", certificate.begins))
            .hint("is the clock of this machine right?"));
    }
    if let Some(key) = &request.key {
        closed(key)?;
        if !certificate::is_key_of(key, &request.certificate)? {
            return Err(OpError::failed(format!("the key {} is not that of the certificate {path}", key.display()))
                .hint("set `key` to the file that was made with it, and have the site's own certificate come first in its file"));
        }
    }
    Ok(Found { certificate, made: None })
}

/// A key is its owner's alone.
fn closed(key: &Path) -> OpResult<()> {
    let metadata = std::fs::metadata(key).map_err(|error| {
        OpError::failed(format!("the key {} cannot be read: {error}", key.display()))
            .hint("set `key` to the file with the certificate's key in PEM form, or `tls = \"self-signed\"`")
    })?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(OpError::failed(format!("the key {} can be read by others (mode {mode:o})", key.display())).hint(format!(
        "close it, and have the certificate made anew if others may have read it: chmod 600 {}",
        key.display()
    )))
}

/// Looks again and again, for ever: makes the certificate anew in time, sees that a given one was replaced, and tells the server.
pub fn stay(request: &Request, every: Duration, say: &mut dyn FnMut(&str)) -> ! {
    let stamp = || (fs::stat_stamp(&request.certificate), request.key.as_deref().map(fs::stat_stamp));
    let mut seen = stamp();
    loop {
        let outcome = ensure(request);
        let now = stamp();
        match outcome {
            Ok(found) if now != seen => {
                say(&found.to_string());
                if let Some(file) = &request.tell {
                    tell(file, say);
                }
                seen = now;
            }
            Ok(_) => {}
            // Perhaps only one of the two files is the new one yet: the server is told when they fit.
            Err(error) => say(&format!("error: {error}")),
        }
        // Short, because a suspended machine's clock jumps, and a long sleep would not notice.
        std::thread::sleep(every);
    }
}

/// Sends the server a hangup, which makes it read its files again. Only one that our own parent started is meant: the number in
/// an old file may be anybody's by now.
fn tell(file: &Path, say: &mut dyn FnMut(&str)) {
    let pid = std::fs::read_to_string(file).ok().and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
    let Some(pid) = pid.filter(|pid| parent(*pid) == getppid()) else {
        say(&format!("nobody is told: {} names no process beside this one", file.display()));
        return;
    };
    match kill_process(pid, Signal::HUP) {
        Ok(()) => say("the server was told to read it"),
        Err(error) => say(&format!("error: the server could not be told: {error}")),
    }
}

fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name in brackets may hold anything.
    let rest = &stat[stat.rfind(')')? + 1..];
    Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn request(folder: &Path, names: &str) -> Request {
        let file = folder.join("names");
        std::fs::write(&file, names).expect("names");
        Request { certificate: folder.join("c.pem"), key: None, names: Some(file), tell: None, days: 397, before: 30 }
    }

    #[test]
    fn one_is_made_once_and_again_for_other_names_and_before_its_end() {
        let folder = tempfile::tempdir().expect("folder");
        let first = request(folder.path(), "# a comment\nwps.example.org\n0.0.0.0\n127.0.0.1\n_\n");
        let made = ensure(&first).expect("made");
        assert_eq!(made.made, Some("there was none"));
        assert_eq!(made.certificate.names, ["127.0.0.1", "wps.example.org"].map(str::to_owned).into());
        assert_eq!(first.certificate.metadata().expect("there").mode() & 0o777, 0o600);
        assert_eq!(ensure(&first).expect("kept").made, None);
        let soon = Request { days: 20, ..request(folder.path(), "other.example.org") };
        assert_eq!(ensure(&soon).expect("made").made, Some("for other names"));
        assert_eq!(ensure(&soon).expect("made").made, Some("the former one ends soon"));
        std::fs::write(&soon.certificate, "rubbish").expect("written");
        assert_eq!(ensure(&soon).expect("made").made, Some("there was none"));
    }

    #[test]
    fn a_given_one_that_cannot_be_used_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("c.pem");
        let names: BTreeSet<String> = ["a.example.org".to_owned()].into();
        let given = Request { names: None, key: Some(file.clone()), ..request(folder.path(), "") };
        let write = |days: u16, from: Timestamp, mode: u32| {
            let text = certificate::make(&names, days, from).expect("made");
            std::fs::write(&file, text).expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("mode");
            ensure(&given).map_err(|error| error.to_string())
        };
        let now = Timestamp::now();
        assert!(write(10, now, 0o600).is_ok());
        assert!(write(10, now, 0o640).expect_err("open").contains("can be read by others (mode 640)"));
        let ago = now.saturating_sub((24 * 30).hours()).expect("a moment");
        assert!(write(10, ago, 0o600).expect_err("over").contains("ended on"));
        let ahead = now.saturating_add((24 * 30).hours()).expect("a moment");
        assert!(write(10, ahead, 0o600).expect_err("early").contains("holds only from"));
        assert!(write(10, now, 0o600).is_ok());
        let other = folder.path().join("k.pem");
        let with = Request { key: Some(other.clone()), ..given.clone() };
        let told = || ensure(&with).expect_err("no key").to_string();
        assert!(told().contains(&format!("the key {} cannot be read", other.display())), "{}", told());
        std::fs::write(&other, "rubbish").expect("written");
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).expect("mode");
        assert!(told().contains("holds no key (PEM)"), "{}", told());
        std::fs::write(&other, certificate::make(&names, 10, now).expect("made")).expect("written");
        assert!(told().contains("is not that of the certificate"), "{}", told());
        std::fs::remove_file(&file).expect("removed");
        assert!(ensure(&given).expect_err("none").to_string().contains("cannot be read"));
    }
}
