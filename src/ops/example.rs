//! The shipped example where it is used in place (`dev`): unpacked into the prefix, where the user may edit it.

use crate::digest::Digest;
use crate::fs::write_atomic;
use crate::ops::error::{OpResult, at};
use crate::ops::place::Place;
use crate::plan::Desired;
use crate::progress::{Event, Reporter};
use crate::recipe::{Catalogue, Stack};

/// Unpacks the example if a service names its folder. A file that the user edited stays as it is.
///
/// # Errors
/// What cannot be written.
pub fn unpack(
    place: &Place,
    stack: &Stack,
    desired: &Desired,
    catalogue: &Catalogue,
    report: &Reporter,
) -> OpResult<()> {
    let Some(recipe) = &stack.project.example else { return Ok(()) };
    let folder = place.layout.example();
    if !is_named(desired, &folder.display().to_string()) {
        return Ok(());
    }
    for (path, bytes) in catalogue.example_files(recipe) {
        let target = folder.join(&path);
        let ours = folder.join(".shipped").join(format!("{}.digest", path.display()));
        let new = Digest::of(&bytes).to_hex();
        let written = std::fs::read_to_string(&ours).ok();
        let is = std::fs::read(&target).ok().map(|bytes| Digest::of(bytes).to_hex());
        if is.as_ref() == Some(&new) {
            continue;
        }
        if is.is_some() && is != written {
            report.report(Event::Note(format!("{} is yours now: left as it is", target.display())));
            continue;
        }
        for (path, bytes) in [(&target, bytes.as_slice()), (&ours, new.as_bytes())] {
            let parent = path.parent().unwrap_or(&folder);
            std::fs::create_dir_all(parent).map_err(at(parent))?;
            write_atomic(path, bytes, 0o644).map_err(at(path))?;
        }
    }
    Ok(())
}

fn is_named(desired: &Desired, folder: &str) -> bool {
    let mut services = desired.parts.values().flat_map(|part| &part.services);
    services.any(|spec| serde_json::to_string(spec).is_ok_and(|text| text.contains(folder)))
}
