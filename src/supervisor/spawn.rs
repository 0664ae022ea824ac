//! Makes a service's process: its folders, its secret files, its variables; then the keeper is asked.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::core::Core;
use super::entry::Entry;
use super::pump::Pump;
use crate::host::Host;
use crate::keeper::fifo;
use crate::keeper::message::{Note, Request, Spawn};
use crate::name::PartName;
use crate::sandbox::Access;
use crate::service::{ConfFile, Kind, SecretFile, ServiceSpec, Sockets};
use crate::text::{Secrets, Text};

/// The program of commands that this program does itself.
const OURSELVES: &str = "jove-install";

/// Where locks and memory that processes share are files, which nobody keeps.
const SHARED_MEMORY: &str = "/dev/shm";

/// Why a process cannot be made.
pub(super) enum Unmade {
    /// Another attempt may go better.
    Now(String),
    /// None will, before somebody changes something.
    Ever(String),
}

impl From<String> for Unmade {
    fn from(reason: String) -> Self {
        Self::Now(reason)
    }
}

/// Asks the keeper for a service's process.
pub(super) fn spawn(core: &Core, name: &PartName) -> Result<(), Unmade> {
    let mut inner = core.inner.borrow_mut();
    let Some(entry) = inner.entries.get_mut(name) else { return Ok(()) };
    if matches!(entry.spec.kind, Kind::Step { .. }) {
        crate::checkpoint::pass("step-before-run");
    }
    let spec = Arc::clone(&entry.spec);
    make_folders(core.layout.root(), &spec).map_err(|error| format!("its folders cannot be made: {error}"))?;
    if !spec.folder.is_dir() {
        let folder = spec.folder.display();
        return Err(Unmade::Ever(format!("its folder {folder} is not there: make it, or name another one")));
    }
    let secrets = secrets_for(core, &spec)?;
    write_files(&spec, &*secrets)?;
    start_pump(core, entry).map_err(|error| format!("its log cannot be opened: {error}"))?;
    let mut vars = if spec.inherits { inherited() } else { BTreeMap::new() };
    for (variable, value) in &spec.vars {
        vars.insert(variable.clone(), value.reveal(&*secrets).map_err(|error| error.to_string())?);
    }
    if let Some(often) = spec.watchdog {
        vars.insert("WATCHDOG_USEC".to_owned(), often.as_micros().to_string());
    }
    entry.digest = spec.digest().to_hex();
    entry.reload_digest = spec.reload_digest().to_hex();
    entry.log_from = entry.pump.as_ref().map_or(0, Pump::size);
    // One without a probe is ready as soon as it runs: that need not be said again.
    entry.is_noted = spec.kind == Kind::Daemon && spec.ready.is_none();
    let note = Note { ready: entry.is_noted, ..entry.note() };
    tell_of_sockets(&spec, &mut vars);
    let spawn = Spawn {
        service: entry.child.to_string(),
        argv: argv(&spec.command)?,
        vars,
        addresses: spec.held().to_vec(),
        nonblocking: spec.sockets == Sockets::Nginx,
        tells_pid: spec.sockets == Sockets::ListenFds,
        notifies: spec.notifies(),
        access: access(core, entry.child.as_str(), &spec),
        folder: spec.folder.clone(),
        note,
        limits: spec.limits.clone(),
    };
    core.keeper.send(Request::Spawn(Box::new(spawn))).map_err(|_| Unmade::Now("the keeper is gone".to_owned()))
}

/// The files of a service that may only write where it was said: there, below its own folders, and to devices. It reads what it
/// likes but the secrets of the prefix and, where it is known what it needs of them, the data of other parts.
fn access(core: &Core, child: &str, spec: &ServiceSpec) -> Option<Access> {
    let writes = spec.writes.as_ref()?;
    // Programs that are told to log into /dev/stdout open what is behind it by its name.
    let output = fifo::STREAMS.map(|stream| fifo::path(&core.run, child, stream));
    let shared = output.into_iter().chain([PathBuf::from(SHARED_MEMORY)]).filter(|place| place.exists());
    let own = [core.layout.data(&spec.part), core.run.join(spec.part.as_str()), core.run.join(spec.name.as_str())];
    let own = own.into_iter().filter(|folder| folder.is_dir());
    let places = writes.iter().cloned().chain(spec.folders.iter().cloned()).chain(own).chain(shared);
    let mut access = Access::read_all().hide(core.layout.state());
    if let Some(reads) = &spec.reads {
        access = access.hide(core.layout.var()).hide(&core.run);
        access = reads.iter().filter(|folder| folder.exists()).fold(access, Access::show);
    }
    Some(places.fold(access, Access::write))
}

/// The variables that tell a service of the sockets that it gets.
fn tell_of_sockets(spec: &ServiceSpec, vars: &mut BTreeMap<String, String>) {
    let count = spec.held().len();
    match spec.sockets {
        Sockets::ListenFds => {
            let names = vec![spec.group.as_ref().unwrap_or(&spec.name).as_str(); count];
            vars.insert("LISTEN_FDS".to_owned(), count.to_string());
            vars.insert("LISTEN_FDNAMES".to_owned(), names.join(":"));
        }
        Sockets::Nginx => {
            vars.insert("NGINX".to_owned(), (3..3 + count).map(|number| format!("{number};")).collect());
        }
        Sockets::ReusePort | Sockets::None => {}
    }
}

/// A command's words; one that holds a secret is refused, for everybody can see it in `ps`.
pub(super) fn argv(command: &[Text]) -> Result<Vec<String>, String> {
    let word = |text: &Text| match text.as_plain() {
        Some(plain) => Ok(plain.to_owned()),
        None => Err(format!("its command holds `{text}`, which everybody could see; give it by variable or file")),
    };
    let mut words: Vec<String> = command.iter().map(word).collect::<Result<_, _>>()?;
    if let Some(program) = words.first_mut().filter(|program| *program == OURSELVES) {
        // Its own path may be gone by now; the file that runs is still there.
        let own = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
        *program = own.display().to_string();
    }
    Ok(words)
}

/// Opens a service's log and FIFOs, if they are not open.
pub(super) fn start_pump(core: &Core, entry: &mut Entry) -> io::Result<()> {
    if let Some(pump) = &entry.pump {
        // What an earlier process said is its own.
        pump.drain();
        return Ok(());
    }
    let pump = Pump::start(&core.run, &core.layout.log(), (&entry.spec.name, &entry.child), entry.spec.log.clone())?;
    pump.drain();
    entry.pump = Some(pump);
    Ok(())
}

/// The words of the secrets that a service needs.
fn secrets_for(core: &Core, spec: &ServiceSpec) -> Result<Box<dyn Secrets + Send>, String> {
    if needs_secrets(spec) { (core.secrets)(&core.layout) } else { Ok(Box::new(NoSecrets)) }
}

/// Puts the files of a service in `run/` that it is about to read: rendered secrets, and links to its configuration.
pub(super) fn place_files(core: &Core, spec: &ServiceSpec) -> Result<(), String> {
    write_files(spec, &*secrets_for(core, spec)?)
}

/// Whether the configuration of a service in `run/` is what its spec says: a supervisor that was killed may have put another there
/// without a word.
pub(super) fn is_placed(core: &Core, spec: &ServiceSpec) -> bool {
    let Ok(secrets) = secrets_for(core, spec) else { return false };
    spec.conf.iter().all(|ConfFile { sealed, link, secret }| match secret {
        false => fs::read_link(link).is_ok_and(|target| target == *sealed),
        true => fs::read(link).is_ok_and(|now| revealed(sealed, &*secrets).is_ok_and(|text| text.as_bytes() == now)),
    })
}

fn write_files(spec: &ServiceSpec, secrets: &dyn Secrets) -> Result<(), String> {
    for file in &spec.secret_files {
        render(file, secrets).map_err(|error| format!("{}: {error}", file.rendered.display()))?;
    }
    for ConfFile { sealed, link, secret } in &spec.conf {
        let done = if *secret {
            render(&SecretFile { sealed: sealed.clone(), rendered: link.clone() }, secrets)
        } else {
            point(link, sealed).map_err(|error| error.to_string())
        };
        done.map_err(|error| format!("{}: {error}", link.display()))?;
    }
    Ok(())
}

/// Makes a link say another file, so that whoever opens it finds the one or the other.
fn point(link: &Path, to: &Path) -> io::Result<()> {
    if fs::read_link(link).is_ok_and(|now| now == to) {
        return Ok(());
    }
    if let Some(folder) = link.parent() {
        private_folder(folder)?;
    }
    let mut aside = link.as_os_str().to_owned();
    aside.push(".new");
    let _ = fs::remove_file(&aside);
    std::os::unix::fs::symlink(to, &aside)?;
    fs_err::rename(aside, link)
}

/// This process's own variables, but for those that are between it and whoever started it.
fn inherited() -> BTreeMap<String, String> {
    const OWN: [&str; 7] = [
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "LISTEN_PID",
        "JOVE_CHECKPOINT",
    ];
    let mut vars = Host::current().map(|host| host.vars).unwrap_or_default();
    vars.retain(|name, _| !OWN.contains(&name.as_str()));
    vars
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn word(&self, _secret: &crate::text::SecretRef) -> Option<String> {
        None
    }
}

fn needs_secrets(spec: &ServiceSpec) -> bool {
    !spec.secret_files.is_empty() || spec.conf.iter().any(|file| file.secret) || spec.vars.values().any(Text::is_secret)
}

/// Makes the folders that a service finds when it starts.
pub(super) fn make_folders(root: &Path, spec: &ServiceSpec) -> io::Result<()> {
    let own = Some(&spec.folder).filter(|folder| folder.starts_with(root));
    // What it may read of others is opened for it by its folder, which must be there before.
    let others = spec.reads.iter().flatten().filter(|folder| folder.starts_with(root));
    for folder in spec.folders.iter().chain(own).chain(others) {
        private_folder(folder)?;
    }
    Ok(())
}

fn private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() { Ok(()) } else { DirBuilder::new().recursive(true).mode(0o700).create(path) }
}

/// Renders a sealed file with the words of its secrets, for its owner's eyes only.
fn render(file: &SecretFile, secrets: &dyn Secrets) -> Result<(), String> {
    let text = revealed(&file.sealed, secrets)?;
    write_private(&file.rendered, text.as_bytes()).map_err(|error| error.to_string())
}

/// A sealed file with the words of its secrets.
fn revealed(sealed: &Path, secrets: &dyn Secrets) -> Result<String, String> {
    let text = fs::read_to_string(sealed).map_err(|error| format!("{}: {error}", sealed.display()))?;
    let text = Text::from_marked(&text).map_err(|error| error.to_string())?;
    text.reveal(secrets).map_err(|error| error.to_string())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let _ = fs::remove_file(&aside);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?.write_all(bytes)?;
    fs_err::rename(aside, path)
}

/// Removes what [`spawn`] rendered.
pub(super) fn remove_secret_files(spec: &ServiceSpec) {
    let rendered = spec.secret_files.iter().map(|file| &file.rendered);
    for path in rendered.chain(spec.conf.iter().filter(|file| file.secret).map(|file| &file.link)) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{argv, remove_secret_files, render};
    use crate::service::testing::spec;
    use crate::service::{SecretFile, ServiceSpec};
    use crate::text::{SecretRef, Secrets, Text};

    struct One;

    impl Secrets for One {
        fn word(&self, secret: &SecretRef) -> Option<String> {
            (secret.version == "k1").then(|| "canary".to_owned())
        }
    }

    fn secret(version: &str) -> Text {
        let name = |text: &str| text.parse().expect("name");
        Text::secret(SecretRef {
            part: name("db"),
            option: "password".parse().expect("name"),
            version: version.to_owned(),
        })
    }

    #[test]
    fn a_secret_file_is_private_and_goes_again() {
        let folder = tempfile::tempdir().expect("folder");
        let file = SecretFile { sealed: folder.path().join("sealed"), rendered: folder.path().join("run/db/db.conf") };
        std::fs::write(&file.sealed, format!("password = {}\n", secret("k1").to_marked())).expect("write");
        render(&file, &One).expect("render");
        assert_eq!(std::fs::read_to_string(&file.rendered).expect("read"), "password = canary\n");
        let mode = std::fs::metadata(&file.rendered).expect("facts").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&file.sealed, secret("k0").to_marked()).expect("write");
        assert!(render(&file, &One).expect_err("rotated away").contains("secret:db.password@k0"));
        remove_secret_files(&ServiceSpec { secret_files: vec![file.clone()], ..spec("db") });
        assert!(!file.rendered.exists());
    }

    #[test]
    fn a_secret_in_a_command_is_refused_by_name() {
        let refused = argv(&[Text::literal("/bin/db"), secret("k1")]).expect_err("refused");
        assert!(refused.contains("secret:db.password@k1"), "{refused}");
    }
}
