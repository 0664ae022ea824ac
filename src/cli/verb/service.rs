//! `start`, `stop`, `restart`, `reload`.

use crate::cli::Exit;
use crate::cli::args::ServiceArguments;
use crate::cli::face::Face;
use crate::cli::render::status::services;
use crate::ops::OpResult;
use crate::ops::service::{self, Deed};

/// Does it, and shows how the services are then.
///
/// # Errors
/// As [`service::act`].
pub fn run(face: &Face, arguments: &ServiceArguments, deed: Deed) -> OpResult<Exit> {
    let verb = match deed {
        Deed::Reload => "reload",
        Deed::Restart => "restart",
        Deed::Start => "start",
        Deed::Stop => "stop",
    };
    let place = face.place(verb)?;
    let done = service::act(&place, deed, &arguments.services, &face.reporter())?;
    face.result(&done, || {
        if done.services.is_empty() {
            return "everything is stopped\n".to_owned();
        }
        services(&done.services, jiff::Timestamp::now())
    });
    Ok(Exit::Ok)
}
