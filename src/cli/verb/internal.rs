//! The entries of the two processes that watch over a prefix, and of what recipes have this program do. Not for people.

use std::path::{Path, PathBuf};

use crate::cli::Exit;
use crate::cli::args::{CertificateArguments, MigrateArguments};
use crate::cli::face::Face;
use crate::host::Host;
use crate::layout::Layout;
use crate::ops::certificate::{self, Request};
use crate::ops::migrate;
use crate::ops::{OpError, OpResult};
use crate::state::State;
use crate::text::Secrets;
use crate::{keeper, supervisor};

/// One of the two processes that watch over a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watcher {
    /// It holds what must not be lost.
    Keeper,
    /// It decides.
    Supervisor,
}

/// Which of the two processes this one is to be, and of which prefix. Only they start each other, in these very words: nothing is
/// built for them that reads what people say.
#[must_use]
pub fn asked() -> Option<(Watcher, PathBuf)> {
    let mut words = std::env::args_os().skip(1);
    let watcher = match words.next()?.to_str()? {
        "internal-keeper" => Watcher::Keeper,
        "internal-supervisor" => Watcher::Supervisor,
        _ => return None,
    };
    let root = words.next().filter(|flag| flag == "--root").and(words.next())?;
    words.next().is_none().then(|| (watcher, root.into()))
}

/// Is the keeper or the supervisor.
///
/// # Errors
/// If it cannot hold its place.
pub fn watch(watcher: Watcher, root: &Path) -> OpResult<()> {
    match watcher {
        Watcher::Keeper => {
            let program = Host::current().map_err(OpError::failed)?.program;
            keeper::run(root, &program).map_err(OpError::failed)
        }
        Watcher::Supervisor => supervisor::run(root, secrets).map_err(OpError::failed),
    }
}

fn secrets(layout: &Layout) -> Result<Box<dyn Secrets + Send>, String> {
    match State::load(layout) {
        Ok(state) => Ok(Box::new(state)),
        Err(error) => Err(error.to_string()),
    }
}

/// Makes or checks the certificate of a web server.
///
/// # Errors
/// As [`certificate::ensure`].
pub fn certificate(face: &Face, arguments: CertificateArguments) -> OpResult<Exit> {
    let request = Request {
        certificate: arguments.certificate,
        key: arguments.key,
        names: arguments.names.filter(|_| arguments.make),
        tell: arguments.tell,
        days: arguments.days,
        before: arguments.before,
    };
    if arguments.stay {
        certificate::stay(&request, std::time::Duration::from_secs(arguments.every), &mut |text| face.print(text));
    }
    let found = certificate::ensure(&request)?;
    face.print(&found.to_string());
    Ok(Exit::Ok)
}

/// Migrates a part's data, with a way back.
///
/// # Errors
/// As [`migrate::migrate`].
pub fn migrate(face: &Face, arguments: MigrateArguments) -> OpResult<Exit> {
    let request = migrate::Request {
        layout: Layout::new(arguments.root),
        part: arguments.part.parse().map_err(OpError::usage)?,
        compatible: arguments.compatible,
        back: arguments.back,
        command: arguments.command,
    };
    migrate::migrate(&request, &mut |text| face.print(text))?;
    Ok(Exit::Ok)
}
