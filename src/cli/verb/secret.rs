//! `secret list/show/set/rotate`.

use std::io::Read as _;

use crate::cli::Exit;
use crate::cli::args::SecretVerb;
use crate::cli::face::Face;
use crate::ops::secret::{self, Entry};
use crate::ops::{OpError, OpResult};

/// Lists, shows or changes secrets.
///
/// # Errors
/// As the use cases in [`secret`].
pub fn run(face: &Face, asked: &SecretVerb) -> OpResult<Exit> {
    let place = face.place("secret")?;
    match asked {
        SecretVerb::List => {
            let entries = secret::list(&place)?;
            face.result(&entries, || entries.iter().map(|entry| format!("{}\n", entry.name)).collect());
        }
        SecretVerb::Show { name } => {
            let word = secret::show(&place, name)?;
            face.result(&serde_json::json!({ "name": name, "word": word }), || word.clone());
        }
        SecretVerb::Set { name } => {
            let mut word = String::new();
            let read = std::io::stdin().take(1 << 16).read_to_string(&mut word);
            read.map_err(|error| OpError::failed(format!("reading the secret from standard input: {error}")))?;
            changed(
                face,
                &place.command(),
                secret::set(&place, name, Some(word.trim_end_matches('\n')), &face.reporter())?,
            );
        }
        SecretVerb::Rotate { name } => {
            changed(face, &place.command(), secret::set(&place, name, None, &face.reporter())?);
        }
    }
    Ok(Exit::Ok)
}

fn changed(face: &Face, command: &str, entry: Entry) {
    face.result(&entry, || format!("{} is set; bring it to its services: {command}\n", entry.name));
}
