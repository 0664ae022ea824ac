//! `wipe`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::cli::args::WipeArguments;
use crate::cli::face::Face;
use crate::cli::render::table::bytes;
use crate::cli::{Exit, interrupt};
use crate::ops::wipe::{self, Outlook, Request};
use crate::ops::{OpError, OpResult};

/// Shows what goes and what stays, asks, and does it.
///
/// # Errors
/// As [`wipe::wipe`], or if nobody can be asked.
pub fn run(face: &Face, arguments: &WipeArguments) -> OpResult<Exit> {
    let place = face.place("wipe")?;
    let request = Request { data: arguments.data, cache: arguments.cache };
    if !arguments.yes {
        let outlook = wipe::outlook(&place, request)?;
        face.say(&shown(&outlook));
        if !confirmed(&outlook)? {
            face.say("nothing was removed");
            return Ok(Exit::Failed);
        }
    }
    interrupt::watch("what was removed is gone; the same command goes on from there");
    let outlook = wipe::wipe(&place, request, &face.reporter())?;
    face.result(&outlook, || {
        let mut text = format!("{} is wiped, {} freed\n", outlook.prefix.display(), bytes(outlook.bytes));
        text.push_str(&kept(&outlook));
        text
    });
    Ok(Exit::Ok)
}

fn shown(outlook: &Outlook) -> String {
    let mut text =
        format!("this stops everything in {} and removes {}:\n", outlook.prefix.display(), bytes(outlook.bytes));
    text.extend(outlook.removes.iter().map(|path| format!("  {}\n", path.display())));
    text.push_str(&kept(outlook));
    text
}

fn kept(outlook: &Outlook) -> String {
    if outlook.keeps.is_empty() {
        return String::new();
    }
    let rows = outlook.keeps.iter().map(|kept| format!("  {}: {}\n", kept.path.display(), kept.why));
    std::iter::once("kept:\n".to_owned()).chain(rows).collect()
}

fn confirmed(outlook: &Outlook) -> OpResult<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(OpError::usage("nobody can be asked here, and nothing was removed").hint("say it with --yes"));
    }
    anstream::eprint!("\nremove {}? [y/N] ", outlook.prefix.display());
    let _ = anstream::stderr().flush();
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| OpError::failed(format!("reading the answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
