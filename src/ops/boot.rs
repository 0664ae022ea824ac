//! `boot`: services come back when the machine was started anew. A unit of the user's systemd where that runs without a login,
//! else a line in the user's crontab, else honest words on what is missing.
//!
//! The entry asks whether the prefix is there and runs its `boot.sh`, which looks for the program: the one that made it, else
//! the one that the prefix keeps. It is in the ledger before it is made, and `wipe` takes it away.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::fs::write_atomic;
use crate::layout::Layout;
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::place::Place;
use crate::ops::prefix;
use crate::progress::Reporter;
use crate::state::Identity;

/// The ledger's word for a unit.
pub const UNIT: &str = "boot unit";

/// The ledger's word for a line of a crontab.
pub const LINE: &str = "crontab line";

/// How services come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// A line `@reboot` of the user's crontab.
    Crontab,
    /// They do not.
    None,
    /// A unit of the user's systemd.
    Systemd,
}

/// What is so, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Boot {
    /// Which entry there is.
    pub rung: Rung,
    /// Where it is.
    pub entry: Option<PathBuf>,
    /// What it lacks to work, or what would be needed for one.
    pub missing: Vec<String>,
}

/// What this machine has.
struct Machine<'a> {
    place: &'a Place,
    id: String,
}

/// Says how it is.
///
/// # Errors
/// If nothing is installed.
pub fn status(place: &Place) -> OpResult<Boot> {
    let machine = Machine::of(place)?;
    let unit = machine.unit()?;
    if unit.exists() {
        let missing = if machine.lingers() { Vec::new() } else { vec![no_lingering()] };
        return Ok(Boot { rung: Rung::Systemd, entry: Some(unit), missing });
    }
    if machine.crontab().is_some_and(|text| text.lines().any(|line| machine.is_own(line))) {
        return Ok(Boot { rung: Rung::Crontab, entry: Some("crontab".into()), missing: Vec::new() });
    }
    Ok(Boot { rung: Rung::None, entry: None, missing: machine.missing() })
}

/// Makes an entry.
///
/// # Errors
/// If this machine offers nothing that could start services, or it cannot be written.
pub fn enable(place: &Place, report: &Reporter) -> OpResult<Boot> {
    let _entered = prefix::enter_existing(place, report)?;
    let machine = Machine::of(place)?;
    let (systemd, lingers) = (machine.has_systemd(), machine.lingers());
    let has_crontab = machine.program("crontab").is_some();
    if systemd && (lingers || !has_crontab) {
        write_script(place)?;
        machine.add_unit()?;
    } else if has_crontab {
        write_script(place)?;
        machine.add_line()?;
    } else {
        let mut error = OpError::failed("nothing on this machine would start services for you after a reboot");
        error.lines.extend(machine.missing().into_iter().map(|missing| format!("  {missing}")));
        return Err(error.hint(format!("run this after a reboot: {} start", place.command())));
    }
    prefix::record(place, "boot enable")?;
    status(place)
}

/// Takes the entry away.
///
/// # Errors
/// If it cannot be removed.
pub fn disable(place: &Place, report: &Reporter) -> OpResult<Boot> {
    let _entered = prefix::enter_existing(place, report)?;
    remove(place)?;
    status(place)
}

/// Takes away what the ledger knows, of whatever kind.
///
/// # Errors
/// If it cannot be removed.
pub(super) fn remove(place: &Place) -> OpResult<()> {
    let ledger = prefix::ledger(place);
    let outside = ledger.outside().map_err(at(&place.layout.ledger()))?;
    for thing in outside.into_iter().filter(|thing| thing.what == UNIT || thing.what == LINE) {
        let machine = Machine::of(place)?;
        if thing.what == UNIT {
            machine.remove_unit(&thing.path)?
        } else {
            machine.remove_line()?
        }
        ledger.removed(&thing.what, &thing.path).map_err(at(&place.layout.ledger()))?;
    }
    remove_file(&script(&place.layout))
}

/// What the entry runs.
pub(super) fn script(layout: &Layout) -> PathBuf {
    layout.root().join("boot.sh")
}

fn write_script(place: &Place) -> OpResult<()> {
    let quoted = |path: &Path| shell_words::quote(&path.display().to_string()).into_owned();
    let (program, root) = (quoted(&place.host.program), quoted(place.layout.root()));
    let text = format!(
        "#!/bin/sh\n# Starts these services after the machine was started; made by `jove-install boot enable`.\n\
         for program in {program} {root}/store/*-jove-install/bin/jove-install; do\n    \
         [ -x \"$program\" ] && exec \"$program\" --prefix {root} start --quiet \"$@\"\ndone\n\
         echo 'jove-install is not there any more' >&2\nexit 1\n"
    );
    let path = script(&place.layout);
    write_atomic(&path, text.as_bytes(), 0o700).map_err(at(&path))
}

fn remove_file(path: &Path) -> OpResult<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn no_lingering() -> String {
    "your systemd starts when you log in, not with the machine; `loginctl enable-linger` changes that".to_owned()
}

impl<'a> Machine<'a> {
    fn of(place: &'a Place) -> OpResult<Self> {
        place.installed()?;
        let identity = Identity::open(&place.layout)?;
        let id = identity.map(|identity| identity.id).ok_or_else(|| OpError::failed("the prefix has no identity"))?;
        Ok(Self { place, id })
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        self.place.host.which(name)
    }

    /// Runs a tool of the machine; its output if it does well.
    fn asked(&self, name: &str, arguments: &[&str]) -> Option<String> {
        let output = Command::new(self.program(name)?).args(arguments).stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn has_systemd(&self) -> bool {
        self.asked("systemctl", &["--user", "show-environment"]).is_some()
    }

    /// Whether the user's systemd runs without a login.
    fn lingers(&self) -> bool {
        let user = self.place.host.user.to_string();
        let said = self.asked("loginctl", &["show-user", &user, "--property=Linger", "--value"]);
        said.is_some_and(|said| said.trim() == "yes")
    }

    /// What would be needed.
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.has_systemd() {
            missing.push("no systemd runs for you (`systemctl --user`)".to_owned());
        } else if !self.lingers() {
            missing.push(no_lingering());
        }
        if self.program("crontab").is_none() {
            missing.push("there is no `crontab`".to_owned());
        }
        missing
    }

    fn name(&self) -> String {
        format!("jove-install-{}.service", self.id)
    }

    fn unit(&self) -> OpResult<PathBuf> {
        // Beside this program's own folder of the user's configuration.
        let folder = self.place.host.config()?.with_file_name("systemd").join("user");
        Ok(folder.join(self.name()))
    }

    fn add_unit(&self) -> OpResult<()> {
        let path = self.unit()?;
        self.note(UNIT, &path)?;
        let script = script(&self.place.layout).display().to_string();
        let text = format!(
            "[Unit]\nDescription=services of {root}\nConditionPathExists={plain}\n\n[Service]\nType=notify\n\
             ExecStart=/bin/sh {quoted} --foreground\nKillMode=mixed\nDelegate=yes\nTimeoutStartSec=infinity\nTimeoutStopSec=300\n\
             Restart=on-failure\n\n[Install]\nWantedBy=default.target\n",
            root = percent(&self.place.layout.root().display().to_string()),
            plain = percent(&script),
            quoted = unit_word(&script),
        );
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(at(folder))?;
        }
        write_atomic(&path, text.as_bytes(), 0o644).map_err(at(&path))?;
        let _ = self.asked("systemctl", &["--user", "daemon-reload"]);
        match self.asked("systemctl", &["--user", "enable", &self.name()]) {
            Some(_) => Ok(()),
            None => Err(OpError::failed(format!("systemctl --user enable {} failed", self.name()))
                .hint("try it by hand; `boot disable` takes the unit away")),
        }
    }

    fn remove_unit(&self, path: &Path) -> OpResult<()> {
        let _ = self.asked("systemctl", &["--user", "disable", &self.name()]);
        remove_file(path)?;
        let _ = self.asked("systemctl", &["--user", "daemon-reload"]);
        Ok(())
    }

    /// The user's crontab; empty if there is none.
    fn crontab(&self) -> Option<String> {
        self.program("crontab")?;
        Some(self.asked("crontab", &["-l"]).unwrap_or_default())
    }

    fn is_own(&self, line: &str) -> bool {
        line.trim_end().ends_with(&self.mark())
    }

    fn mark(&self) -> String {
        format!("# jove-install {}", self.id)
    }

    fn add_line(&self) -> OpResult<()> {
        self.note(LINE, Path::new("crontab"))?;
        let script = shell_words::quote(&script(&self.place.layout).display().to_string()).into_owned();
        let command = format!("[ -x {script} ] && {script} >/dev/null 2>&1").replace('%', "\\%");
        self.rewrite(Some(&format!("@reboot {command} {}", self.mark())))
    }

    fn remove_line(&self) -> OpResult<()> {
        self.rewrite(None)
    }

    /// Writes the crontab with all lines of others as they are.
    fn rewrite(&self, own: Option<&str>) -> OpResult<()> {
        let failed = |why: String| OpError::failed(format!("the crontab cannot be written: {why}"));
        let (Some(program), Some(text)) = (self.program("crontab"), self.crontab()) else {
            return Err(failed("there is no `crontab`".to_owned()));
        };
        let others = text.lines().filter(|line| !self.is_own(line));
        let lines: String = others.chain(own).map(|line| format!("{line}\n")).collect();
        let mut child = Command::new(program)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(lines.as_bytes()).map_err(|error| failed(error.to_string()))?;
        }
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }

    fn note(&self, what: &str, path: &Path) -> OpResult<()> {
        prefix::ledger(self.place).made(what, path).map_err(at(&self.place.layout.ledger()))
    }
}

/// `%` begins a specifier in a unit.
fn percent(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word of a unit's command line.
fn unit_word(text: &str) -> String {
    format!("\"{}\"", percent(text).replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::unit_word;

    #[test]
    fn words_of_a_unit_are_quoted() {
        assert_eq!(unit_word("/home/a b/100%/$x\"y"), r#""/home/a b/100%%/$$x\"y""#);
    }
}
