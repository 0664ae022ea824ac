//! Which versions: uv decides, we pin. What comes out names content by digest and never a host.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr as _;

use pep440_rs::Version;
use url::Url;

use super::brought::Brought;
use super::choose::WheelName;
use super::editable::{self, EditableError};
use super::index::IndexError;
use super::interpreter::Interpreter;
use super::kit::Kit;
use super::pin::{PackageName, Pinned, PinnedFile};
use super::pylock::{self, PylockError};
use super::requirement::{Gathered, Line};
use super::simple::Listed;
use super::tags::{Tag, tags};
use super::tool::scratch;
use crate::process::ProcessError;

/// Which versions may change against what was pinned before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Upgrade {
    /// All.
    All,
    /// Only those that no longer fit what is required.
    #[default]
    None,
    /// These, and those that no longer fit.
    Some(Vec<PackageName>),
}

impl Upgrade {
    fn frees(&self, name: &PackageName) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(names) => names.contains(name),
        }
    }
}

/// Why there are no pins.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A source folder cannot be used.
    #[error(transparent)]
    Editable(#[from] EditableError),
    /// The index cannot be asked.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A folder for the work cannot be made or written.
    #[error("requirements cannot be written for uv: {0}")]
    Io(#[from] std::io::Error),
    /// uv's answer is not understood.
    #[error(transparent)]
    Answer(#[from] PylockError),
    /// A file that the user's own digests allow is not there.
    #[error(
        "`{name}` {version} has no file with a digest that the requirement files demand (`--hash`); correct the digests there or take \
         another version"
    )]
    Hash {
        /// The package.
        name: PackageName,
        /// The version that was chosen.
        version: String,
    },
    /// There is no solution, or the index could not be reached.
    #[error("Python packages for {what} cannot be resolved:\n{said}\n{remedy}\nthe whole log: {log}")]
    Unsolved {
        /// The requirements, in short.
        what: String,
        /// uv's own words.
        said: String,
        /// What to do.
        remedy: String,
        /// The whole log.
        log: String,
    },
    /// uv did not run to its end.
    #[error(transparent)]
    Process(ProcessError),
}

/// Resolves; versions of `previous` are kept unless `upgrade` frees them or they no longer fit. Sorted by name. Blocks.
///
/// # Errors
/// If there is no solution, or it cannot be found.
pub fn resolve(
    kit: &Kit<'_>,
    inputs: &Gathered,
    previous: &[Pinned],
    upgrade: &Upgrade,
) -> Result<Vec<Pinned>, ResolveError> {
    let folder = scratch(kit.cache)?;
    write_inputs(kit, inputs, folder.path())?;
    let kept: Vec<&Pinned> = previous.iter().filter(|pin| !upgrade.frees(&pin.name)).collect();
    let answer = folder.path().join("pylock.toml");
    if !kept.is_empty() {
        fs_err::write(&answer, pylock::preferences(kept))?;
    }
    let mut run = kit.uv_online().folder(folder.path()).args(["pip", "compile", "requirements.in"]);
    run = run.args(["--format", "pylock.toml", "--no-header", "--quiet", "--only-binary", ":all:"]);
    for name in &inputs.build {
        run = run.args(["--no-binary", name.as_str()]);
    }
    if inputs.prerelease {
        run = run.args(["--prerelease", "allow"]);
    }
    run = run.args(["--constraints", "constraints.in", "--python"]).arg(&kit.interpreter.path);
    run.arg("--output-file").arg(&answer).go().map_err(|error| unsolved(error, inputs, kit.log))?;
    let brought = inputs.brought.iter().map(|package| &package.name).collect();
    let mut pins = pylock::read(&fs_err::read_to_string(&answer)?, &brought)?;
    demand_hashes(&mut pins, inputs)?;
    widen(kit, inputs, &mut pins, previous, upgrade)?;
    Ok(pins)
}

fn write_inputs(kit: &Kit<'_>, inputs: &Gathered, folder: &Path) -> Result<(), ResolveError> {
    let text = |lines: &[Line]| lines.iter().map(|line| format!("{}\n", line.text)).collect::<String>();
    let mut requirements = text(&inputs.requirements);
    for (number, source) in inputs.editable.iter().enumerate() {
        let described = editable::describe(kit, source)?;
        let stub = folder.join(format!("editable-{number}"));
        fs_err::create_dir(&stub)?;
        fs_err::write(stub.join("pyproject.toml"), described.stub())?;
        let extras = if source.extras.is_empty() { String::new() } else { format!("[{}]", source.extras.join(",")) };
        requirements.push_str(&format!("-e ./editable-{number}{extras}\n"));
    }
    fs_err::write(folder.join("requirements.in"), requirements)?;
    let mut constraints = text(&inputs.constraints);
    for package in &inputs.brought {
        let stub = package.stub(folder)?;
        let address =
            Url::from_file_path(&stub).map_err(|()| std::io::Error::other("the cache has no absolute path"))?;
        constraints.push_str(&format!("{} @ {address}\n", package.name));
    }
    fs_err::write(folder.join("constraints.in"), constraints)?;
    Ok(())
}

/// Drops files that the user's own digests do not allow.
fn demand_hashes(pins: &mut [Pinned], inputs: &Gathered) -> Result<(), ResolveError> {
    for pin in pins {
        if let Some(allowed) = inputs.hashes.get(&pin.name) {
            pin.files.retain(|file| allowed.contains(&file.sha256));
            if pin.files.is_empty() {
                return Err(ResolveError::Hash { name: pin.name.clone(), version: pin.version.clone() });
            }
        }
    }
    Ok(())
}

/// Adds the wheels of the same version for the other machines that a team may have, so that one lock serves all of them. A
/// version that stays keeps the files that it had, so that a lock does not change when somebody uploads another wheel.
fn widen(
    kit: &Kit<'_>,
    inputs: &Gathered,
    pins: &mut [Pinned],
    previous: &[Pinned],
    upgrade: &Upgrade,
) -> Result<(), ResolveError> {
    let mut fresh: Vec<&mut Pinned> = Vec::new();
    for pin in pins.iter_mut().filter(|pin| !pin.is_built()) {
        let same = |old: &&Pinned| old.name == pin.name && old.version == pin.version && !upgrade.frees(&old.name);
        match previous.iter().find(same).filter(|old| pin.files.iter().all(|file| has(old, file))) {
            Some(old) => pin.files.clone_from(&old.files),
            None if is_universal(pin) => {}
            None => fresh.push(pin),
        }
    }
    if kit.client.is_offline() {
        return Ok(());
    }
    let names: Vec<PackageName> = fresh.iter().map(|pin| pin.name.clone()).collect();
    let names: Vec<&PackageName> = names.iter().collect();
    if names.is_empty() {
        return Ok(());
    }
    let known: Vec<BTreeSet<Tag>> =
        relatives(kit.interpreter).iter().map(|other| tags(other).into_iter().collect()).collect();
    for (pin, listed) in fresh.into_iter().zip(kit.index.list(kit.client, &names)?) {
        let allowed = inputs.hashes.get(&pin.name);
        let more = listed.iter().filter_map(|file| fits(pin, file, &known));
        let more: Vec<PinnedFile> = more.filter(|file| allowed.is_none_or(|set| set.contains(&file.sha256))).collect();
        pin.files.extend(more);
        pin.files.sort();
        pin.files.dedup_by(|one, other| one.file == other.file && one.sha256 == other.sha256);
    }
    Ok(())
}

fn has(pin: &Pinned, file: &PinnedFile) -> bool {
    pin.files.iter().any(|old| old.file == file.file && old.sha256 == file.sha256)
}

/// Whether its one wheel is for every machine already.
fn is_universal(pin: &Pinned) -> bool {
    pin.files.iter().all(|file| file.file.ends_with("-none-any.whl"))
}

/// The same Python on other machines.
fn relatives(interpreter: &Interpreter) -> Vec<Interpreter> {
    let machines = [
        ("linux", "x86_64", "glibc 2.40"),
        ("linux", "aarch64", "glibc 2.40"),
        ("linux", "x86_64", "musl 1.2"),
        ("linux", "aarch64", "musl 1.2"),
        ("darwin", "arm64", "15.0"),
        ("darwin", "x86_64", "15.0"),
    ];
    let other = |(system, machine, libc): (&str, &str, &str)| Interpreter {
        system: system.to_owned(),
        machine: machine.to_owned(),
        libc: libc.to_owned(),
        ..interpreter.clone()
    };
    machines.into_iter().map(other).collect()
}

fn fits(pin: &Pinned, listed: &Listed, known: &[BTreeSet<Tag>]) -> Option<PinnedFile> {
    let name = WheelName::parse(&listed.file)?;
    let same_version = match (Version::from_str(name.version), Version::from_str(&pin.version)) {
        (Ok(one), Ok(other)) => one == other,
        _ => name.version == pin.version,
    };
    let same = same_version && name.name.parse::<PackageName>().is_ok_and(|name| name == pin.name);
    let good = same && known.iter().any(|tags| name.tags().any(|tag| tags.contains(&tag)));
    good.then_some(PinnedFile { file: listed.file.clone(), sha256: listed.sha256?, size: listed.size })
}

/// uv's words and what to do about them.
fn unsolved(error: ProcessError, inputs: &Gathered, log: &Path) -> ResolveError {
    let ProcessError::Failed { last, .. } = &error else { return ResolveError::Process(error) };
    let said: Vec<&str> = last.iter().map(String::as_str).collect();
    let text = said.join("\n");
    let names = inputs.requirements.iter().take(6).map(|line| format!("`{}`", line.text)).collect::<Vec<_>>();
    let more = if inputs.requirements.len() > 6 { " …" } else { "" };
    ResolveError::Unsolved {
        what: format!("{}{more}", names.join(", ")),
        remedy: contradiction(&text, &inputs.brought).unwrap_or_else(|| remedy(&text)),
        said: said.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"),
        log: log.display().to_string(),
    }
}

/// What to do where what is brought already is in the way.
fn contradiction(said: &str, brought: &[Brought]) -> Option<String> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let words: BTreeSet<&str> = said.split(|c: char| !is_word(c)).collect();
    let named: Vec<&Brought> = brought.iter().filter(|package| words.contains(package.name.as_str())).collect();
    let first = named.first()?;
    let list =
        named.iter().map(|package| format!("{} {}", package.name, package.version)).collect::<Vec<_>>().join(", ");
    Some(format!(
        "conda brings {list}, and the Python packages want another version: ask `conda` for one that both take \
         (conda = [\"{} …\"]), or widen what `pypi` asks for",
        first.name
    ))
}

fn remedy(said: &str) -> String {
    let quoted = said.split("Wheels are required for `").nth(1).and_then(|rest| rest.split('`').next());
    if let Some(name) = quoted {
        return format!(
            "`{name}` has no wheel for this Python and machine: take another version or another `python`, or allow a build from source: build = [\"{name}\"]"
        );
    }
    if said.contains("was not found in the package registry") {
        return "check the spelling of the name, and that the configured index has it".to_owned();
    }
    if said.contains("Network connectivity is disabled") || said.contains("network was disabled") {
        return "the versions are not known without the network: run once without --offline".to_owned();
    }
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["Received some unexpected JSON", "Received some unexpected HTML", "`Content-Type`"]) {
        return "what answers there is no package index: check the index of pip.conf or uv.toml and the proxy variables, or try again later".to_owned();
    }
    if says(&["error sending request", "tcp connect error", "dns error", "Failed to fetch", "timed out"]) {
        return "the package index cannot be reached: check the network, the proxy variables and the index of pip.conf or uv.toml".to_owned();
    }
    if said.contains("Requires-Python") || said.contains("Python>=") || said.contains("Python<") {
        return "choose another `python` for the part, or other versions".to_owned();
    }
    "loosen one of the versions that are named above".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_conda_brings_is_named_where_it_is_in_the_way() {
        let package = |name: &str, version: &str| Brought {
            name: name.parse().unwrap(),
            version: version.to_owned(),
            extras: Vec::new(),
            requires: Vec::new(),
            scripts: std::collections::BTreeMap::new(),
        };
        let brought = [package("werkzeug", "2.0.0"), package("pip", "24.0")];
        let said =
            "Because only werkzeug<3.1.0 is available and flask>=3.1.0 depends on werkzeug>=3.1, we can conclude";
        insta::assert_snapshot!(contradiction(said, &brought).unwrap(), @r#"conda brings werkzeug 2.0.0, and the Python packages want another version: ask `conda` for one that both take (conda = ["werkzeug …"]), or widen what `pypi` asks for"#);
        assert_eq!(contradiction("there is no version of flask==9 and pipx", &brought), None);
    }

    #[test]
    fn remedies_fit_what_was_said() {
        let table = [
            ("hint: Wheels are required for `docopt` because building", "build = [\"docopt\"]"),
            ("Because nosuch was not found in the package registry and", "spelling"),
            ("cause: error sending request for url", "cannot be reached"),
            ("error: Received some unexpected JSON from", "no package index"),
            ("cause: Network connectivity is disabled, but", "without --offline"),
            ("you require a<1 and a>2", "loosen"),
        ];
        for (said, expected) in table {
            assert!(remedy(said).contains(expected), "{said}: {}", remedy(said));
        }
    }
}
