//! What programs refuse, told before anything is fetched for them: to run as root, or to live at the prefix's path.

use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::recipe::{ResolvedPart, Stack};

/// Whether all parts take this user and this prefix.
///
/// # Errors
/// Those that do not, by name.
pub(super) fn check(stack: &Stack, place: &Place) -> OpResult<()> {
    user(stack, place)?;
    path(stack, place)
}

/// Programs that refuse root are named before anything is fetched for them.
fn user(stack: &Stack, place: &Place) -> OpResult<()> {
    let refusing = stack.parts.values().filter(|part| part.refuses_root && place.host.user == 0);
    let names: Vec<String> = refusing.map(|part| format!("`{}` ({})", part.name, part.recipe)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(OpError::failed(format!("you are root, and these refuse to run as root: {}", names.join(", "))).hint(format!(
        "run it as an ordinary user: {} --user NAME, whose home then has the installation",
        place.command()
    )))
}

/// Programs that would misread the prefix's path are named before anything is fetched for them.
fn path(stack: &Stack, place: &Place) -> OpResult<()> {
    let root = place.layout.root().display().to_string();
    let refused = |part: &ResolvedPart| {
        let letters: String = part.refuses_in_paths.chars().filter(|letter| root.contains(*letter)).collect();
        (!letters.is_empty()).then(|| format!("`{}` ({}: {})", part.name, part.recipe, spelled(&letters)))
    };
    let refusing: Vec<String> = stack.parts.values().filter_map(refused).collect();
    if refusing.is_empty() {
        return Ok(());
    }
    let said = format!("{root} has characters that these take in no path: {}", refusing.join(", "));
    Err(OpError::failed(said).hint("give another place with --prefix DIR, or JOVE_HOME for all of them"))
}

/// Characters for people.
fn spelled(letters: &str) -> String {
    let words = letters.chars().map(|letter| if letter == ' ' { "spaces".to_owned() } else { letter.to_string() });
    words.collect::<Vec<_>>().join(" ")
}
