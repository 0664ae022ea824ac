//! What is to run: the declared form of a service, as `services.json` holds it.
//!
//! Specs name store paths only, never `current/`. Every [`Text`] in a spec has its objects resolved to paths; secrets stay
//! references until the child is spawned. A service restarts if [`ServiceSpec::digest`] changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::condition::NeedCondition;
use crate::digest::Digest;
use crate::name::PartName;
use crate::service::limit::Limits;
use crate::service::socket::Sockets;
use crate::service::{DataCommand, Liveness, LogPolicy, Probe, ProbeKind, Promise, Restart, Schedule, seconds};
use crate::text::Text;

/// All services of one generation (`services.json`), and a whole run directory's for stand-alone use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// 1.
    pub format: u32,
    /// The generation that they belong to.
    pub generation: u32,
    /// The services, by name.
    pub services: Vec<Arc<ServiceSpec>>,
    /// What must hold once all are ready.
    pub promises: Vec<Promise>,
    /// How parts write their data out and take them in again.
    #[serde(default)]
    pub data: Vec<DataCommand>,
}

/// One service, or one data step (a service that runs once).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Unique in the prefix: the part's name, or `<part>-<service>` for a part's further services and steps.
    pub name: PartName,
    /// The part that it belongs to.
    pub part: PartName,
    /// Whether it goes on or ends.
    pub kind: Kind,
    /// Program (an absolute path) and arguments. No secret may be in it.
    pub command: Vec<Text>,
    /// The working folder.
    pub folder: PathBuf,
    /// The process variables: these and no others.
    pub vars: BTreeMap<String, Text>,
    /// Whether it has the supervisor's own variables too, below its `vars`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub inherits: bool,
    /// Folders that are made before it starts (0700).
    pub folders: Vec<PathBuf>,
    /// What must be up before it starts.
    pub needs: Vec<Need>,
    /// How it is known to be ready; without a probe it is ready when started.
    pub ready: Option<Probe>,
    /// How it is known to be still well.
    pub live: Option<Liveness>,
    /// How it is stopped.
    pub stop: Stop,
    /// The signal that makes it read its configuration again (`HUP`), if it can.
    pub reload: Option<String>,
    /// When it is started again.
    pub restart: Restart,
    /// Sealed files with secret placeholders that are rendered (0600) before each start and removed on stop.
    pub secret_files: Vec<SecretFile>,
    /// Files or folders whose change restarts it (`dev`).
    pub watch: Vec<PathBuf>,
    /// How its output is kept.
    pub log: LogPolicy,
    /// The command that tells somebody when it is given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_failed: Vec<Text>,
    /// It is started only when somebody asks for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub manual: bool,
    /// Where people reach it.
    pub urls: Vec<String>,
    /// Addresses (`127.0.0.1:5000`, `unix:/run/a.sock`) that it listens on: found busy, they are named before anything starts.
    pub listens: Vec<String>,
    /// Whether `listens` are held for it, and how they are given to it; or whether several processes can listen there.
    #[serde(default, skip_serializing_if = "Sockets::is_none")]
    pub sockets: Sockets,
    /// Whether a new process of it may run beside the old one, so that it is replaced without a gap.
    #[serde(default, skip_serializing_if = "is_false")]
    pub overlap: bool,
    /// A data step beside which no service of its part may run: until it is done those that wait for it refuse their callers.
    #[serde(default, skip_serializing_if = "is_false")]
    pub alone: bool,
    /// The service of which it is one of several instances (`web`, for `web-1`): they are restarted one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<PartName>,
    /// Files that it reads again when it is told to reload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conf: Vec<ConfFile>,
    /// How a reload is seen to have happened.
    #[serde(default, skip_serializing_if = "ReloadShows::is_none")]
    pub reload_shows: ReloadShows,
    /// How often it must give a sign of life (`WATCHDOG=1`).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "seconds::optional")]
    pub watchdog: Option<Duration>,
    /// How long a data step, or a run of a job, may take.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "seconds::optional")]
    pub timeout: Option<Duration>,
    /// Limits of its processes.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// The only places where its processes may write, where the kernel can see to that (Landlock); `None` for no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Vec<PathBuf>>,
    /// With `writes`: the data folders of other parts that it may read, and what its recipe says that it reads; all other data
    /// folders, and what is in `run/` of others, are hidden from it. `None` hides no more than the prefix's secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<PathBuf>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl ServiceSpec {
    /// Whether it is a migration with a way back: the step of a recipe whose command is `jove-install internal-migrate …`.
    #[must_use]
    pub fn is_migration(&self) -> bool {
        matches!(self.kind, Kind::Step { .. })
            && self.command.get(1).and_then(Text::as_plain) == Some("internal-migrate")
    }

    /// A service of which nothing is known but its name.
    #[must_use]
    pub fn bare(name: PartName) -> Self {
        Self {
            part: name.clone(),
            name,
            kind: Kind::Daemon,
            command: Vec::new(),
            folder: PathBuf::from("/"),
            vars: BTreeMap::new(),
            inherits: false,
            folders: Vec::new(),
            needs: Vec::new(),
            ready: None,
            live: None,
            stop: Stop::default(),
            reload: None,
            restart: Restart::default(),
            secret_files: Vec::new(),
            watch: Vec::new(),
            log: LogPolicy::default(),
            on_failed: Vec::new(),
            manual: false,
            urls: Vec::new(),
            listens: Vec::new(),
            sockets: Sockets::None,
            overlap: false,
            alone: false,
            group: None,
            conf: Vec::new(),
            reload_shows: ReloadShows::Nothing,
            watchdog: None,
            timeout: None,
            limits: Limits::default(),
            writes: None,
            reads: None,
        }
    }

    /// Whether it speaks over a notify socket.
    #[must_use]
    pub fn notifies(&self) -> bool {
        self.watchdog.is_some()
            || self.reload_shows == ReloadShows::Notice
            || self.ready.as_ref().is_some_and(|probe| probe.kind == ProbeKind::Notify)
    }

    /// Whether a process of `new` can be started while one of this runs, so that there is no gap between them.
    #[must_use]
    pub fn may_be_followed_by(&self, new: &Self) -> bool {
        self.may_overlap() && new.may_overlap() && self.sockets.are_held() == new.sockets.are_held()
    }

    /// Whether two processes of it can run at once.
    #[must_use]
    pub fn may_overlap(&self) -> bool {
        self.overlap && !self.sockets.is_none() && !self.listens.is_empty()
    }

    /// The addresses that are held for it.
    #[must_use]
    pub fn held(&self) -> &[String] {
        if self.sockets.are_held() { &self.listens } else { &[] }
    }

    /// The digest of what it reads when it is told to: it is reloaded if this changes and nothing else does.
    #[must_use]
    pub fn reload_digest(&self) -> Digest {
        Digest::of_json(&self.conf)
    }

    /// The digest of everything that a running process depends on: it restarts if this changes. `urls`, `log`, `live`, `needs`,
    /// `restart` and `stop` are not part of it; they apply without a restart.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let first = (
            &self.part,
            &self.kind.of_process(),
            &self.command,
            &self.folder,
            &self.vars,
            &self.folders,
            &self.secret_files,
            &self.watch,
            &self.listens,
        );
        // What came later counts only where it is used: a service that does not is the same for every version of this program.
        let later = (&self.sockets, &self.watchdog, &self.limits, &self.writes, &self.reads);
        let digest = if later == (&Sockets::None, &None, &Limits::default(), &None, &None) {
            Digest::of_json(&first)
        } else {
            Digest::of_json(&(first, later))
        };
        if self.inherits { Digest::of_json(&("inherits", digest)) } else { digest }
    }
}

/// Whether a service goes on or ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is", deny_unknown_fields)]
pub enum Kind {
    /// It runs until it is stopped.
    Daemon,
    /// A job: it runs at its times, and each run ends by itself.
    Schedule(Schedule),
    /// A data step: it runs once per key and must exit with 0. The key is recorded in `var/<part>/.steps.jsonl`.
    Step {
        /// The done-key.
        key: String,
    },
}

impl Kind {
    /// What of it a running process depends on: other times of a job end none of its runs.
    fn of_process(&self) -> serde_json::Value {
        match self {
            Self::Daemon => serde_json::json!({ "is": "daemon" }),
            Self::Schedule(_) => serde_json::json!({ "is": "schedule" }),
            Self::Step { key } => serde_json::json!({ "is": "step", "key": key }),
        }
    }

    /// The times of a job.
    #[must_use]
    pub const fn schedule(&self) -> Option<&Schedule> {
        match self {
            Self::Schedule(schedule) => Some(schedule),
            Self::Daemon | Self::Step { .. } => None,
        }
    }
}

/// One service that must be up before another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The service's name.
    pub service: PartName,
    /// What counts as up.
    pub condition: NeedCondition,
}

/// How a service is stopped: the signal to its group, then after the grace SIGKILL to its whole tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// `TERM`, `INT`, `QUIT` …
    pub signal: String,
    /// How long it may take.
    #[serde(with = "seconds")]
    pub grace: Duration,
}

/// A sealed file with placeholders of secrets (see [`crate::text`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFile {
    /// The sealed file in the store.
    pub sealed: PathBuf,
    /// The file that is rendered, below `run/<part>/`.
    pub rendered: PathBuf,
}

/// A file that a service reads again when it is told to reload. It is named by a path in `run/` that does not change; only the
/// supervisor puts another file there, just before it gives the signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfFile {
    /// The sealed file in the store.
    pub sealed: PathBuf,
    /// The link to it, below `run/<part>/conf/`; with secrets in it, a file that is rendered (0600).
    pub link: PathBuf,
    /// Whether it has placeholders of secrets.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
}

/// How a reload is seen to have happened: some programs keep their former configuration silently if the new one is wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadShows {
    /// It says `RELOADING=1`, and `READY=1` when it has.
    Notice,
    /// It cannot be seen.
    #[default]
    Nothing,
    /// Its main process has new children.
    Workers,
}

impl ReloadShows {
    const fn is_none(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: "TERM".into(), grace: Duration::from_secs(10) }
    }
}

#[cfg(test)]
mod tests {
    use crate::service::ServiceSpec;
    use crate::service::testing::spec;

    #[test]
    fn whose_variables_it_has_counts_where_it_is_said() {
        let (plain, inheriting) = (spec("web"), ServiceSpec { inherits: true, ..spec("web") });
        assert_ne!(plain.digest(), inheriting.digest());
        assert_eq!(inheriting.digest(), inheriting.clone().digest());
        // Other times of stopping do not.
        assert_eq!(plain.digest(), ServiceSpec { manual: true, ..spec("web") }.digest());
    }
}
