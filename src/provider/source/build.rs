//! One build: its folder, its vars, its commands in a sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{SourceError, Sources};
use crate::fs::remove_tree;
use crate::layout::SCRATCH;
use crate::process::Run;
use crate::progress::Event;
use crate::provider::Kit;
use crate::sandbox::{Access, Confinement, Demand, Enforced};

/// A fixed time for what writes one: the zip format's first.
const EPOCH: &str = "315532800";

/// Where programs are that no tool names.
const PATH: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// A folder to build in, gone when dropped. Its path is the same whenever the same is built, as it may get into what is built.
pub(super) struct Workplace {
    root: PathBuf,
}

impl Workplace {
    /// Makes it in the prefix; what a killed run left there is removed.
    pub(super) fn open(prefix: &Path, name: &str) -> std::io::Result<Self> {
        let place = Self { root: prefix.join(format!("{SCRATCH}{name}")) };
        remove_tree(&place.root)?;
        for folder in [place.sources(), place.home(), place.temporary()] {
            std::fs::create_dir_all(folder)?;
        }
        Ok(place)
    }

    /// Where sources are unpacked, each in a folder of its name.
    pub(super) fn sources(&self) -> PathBuf {
        self.root.join("src")
    }

    fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What stays is removed by the next run.
        let _ = remove_tree(&self.root);
    }
}

/// The folders of `PATH`: those of the tools that were found, then the usual ones.
fn search_path(tools: &[PathBuf]) -> String {
    let mut folders: Vec<String> = Vec::new();
    let of_tools = tools.iter().filter_map(|tool| Some(tool.parent()?.display().to_string()));
    for folder in of_tools.chain(PATH.map(str::to_owned)) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders.join(":")
}

fn vars(asked: &Sources, place: &Workplace, tools: &[PathBuf], object: &Path) -> BTreeMap<String, String> {
    let flags = format!("-O2 -g0 -ffile-prefix-map={}=/build", place.root.display());
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut vars: BTreeMap<String, String> = [
        ("CFLAGS", flags.clone()),
        ("CXXFLAGS", flags),
        ("HOME", place.home().display().to_string()),
        ("JOVE_JOBS", jobs.to_string()),
        ("JOVE_OBJECT", object.display().to_string()),
        ("JOVE_SOURCES", place.sources().display().to_string()),
        ("LANG", "C.UTF-8".to_owned()),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("PATH", search_path(tools)),
        ("PYTHONHASHSEED", "0".to_owned()),
        ("SOURCE_DATE_EPOCH", EPOCH.to_owned()),
        ("TMPDIR", place.temporary().display().to_string()),
        ("TZ", "UTC".to_owned()),
        ("ZERO_AR_DATE", "1".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    vars.extend(asked.vars.clone());
    vars
}

/// Runs the commands one after another; gives what kept them inside.
pub(super) fn run(kit: &Kit<'_>, asked: &Sources, place: &Workplace, object: &Path) -> Result<Enforced, SourceError> {
    let folder = place.sources().join(asked.folder()?);
    let tools = asked.tools.paths(kit.host)?;
    let vars = vars(asked, place, &tools, object);
    let access = Access::of_work(kit.work, kit.host.home().ok().as_deref()).write(&place.root).write(object);
    let demand = if asked.is_sandbox_required { Demand::Required } else { Demand::Best };
    let confinement = Arc::new(Confinement::make(&access, demand)?);
    let end = Instant::now() + asked.timeout;
    for command in &asked.commands {
        kit.report.report(Event::Detail(command.clone()));
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let run = Run::new("/bin/sh", vars.clone()).args(["-e", "-c", command]).folder(&folder);
        let run = run.log(kit.log).limit(left).before_exec(Arc::clone(&confinement) as Arc<_>);
        run.go().map_err(|source| SourceError::of_command(command, asked.timeout, source))?;
    }
    Ok(confinement.enforced())
}

/// Why what was built depends on this machine.
pub(super) fn impurities() -> BTreeSet<String> {
    BTreeSet::from(["built from source by this machine's tools".to_owned()])
}
