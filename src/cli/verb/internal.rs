//! The entries of the two processes that watch over a prefix, and of what recipes have this program do. Not for people.

use crate::cli::Exit;
use crate::cli::args::{CertificateArguments, InternalArguments, MigrateArguments};
use crate::cli::face::Face;
use crate::layout::Layout;
use crate::ops::certificate::{self, Request};
use crate::ops::migrate;
use crate::ops::{OpError, OpResult};
use crate::state::State;
use crate::text::Secrets;
use crate::{keeper, supervisor};

/// Is the keeper.
///
/// # Errors
/// If it cannot hold its place.
pub fn keeper(face: &Face, arguments: &InternalArguments) -> OpResult<Exit> {
    keeper::run(&arguments.root, &face.host.program).map_err(OpError::failed)?;
    Ok(Exit::Ok)
}

/// Is the supervisor.
///
/// # Errors
/// If it cannot hold its place.
pub fn supervisor(arguments: &InternalArguments) -> OpResult<Exit> {
    supervisor::run(&arguments.root, secrets).map_err(OpError::failed)?;
    Ok(Exit::Ok)
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
        command: arguments.command,
    };
    migrate::migrate(&request, &mut |text| face.print(text))?;
    Ok(Exit::Ok)
}
