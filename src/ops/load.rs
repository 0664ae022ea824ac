//! `load`: puts what a dump holds in the place of what parts hold now, of which a dump is taken before.

use serde::Serialize;

use crate::dump::{self, Dump, Scratch};
use crate::ops::data::{self, Held};
use crate::ops::dump::write;
use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::ops::{migrate, prefix};
use crate::progress::{Event, Reporter};
use crate::service::DataVerb;

/// Why a dump was taken.
const BEFORE_LOAD: &str = "before load";

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The dump's name or folder (also of another prefix); the newest one of this prefix if not said.
    pub dump: Option<String>,
    /// The parts; all that are in it, if none is named.
    pub parts: Vec<String>,
    /// Load although its data have another format.
    pub force: bool,
}

/// What was done.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The dump that was loaded.
    pub loaded: Dump,
    /// The parts that were.
    pub parts: Vec<String>,
    /// The dump of what was there before.
    pub before: String,
}

/// Loads.
///
/// # Errors
/// If there is no such dump, it is damaged, does not fit, or a command fails.
pub fn load(place: &Place, request: &Request, report: &Reporter) -> OpResult<Summary> {
    let _entered = prefix::enter_existing(place, report)?;
    prefix::check(place, None)?;
    let dump = find(place, request.dump.as_deref())?;
    let names = if request.parts.is_empty() {
        dump.manifest.parts.keys().map(ToString::to_string).collect()
    } else {
        request.parts.clone()
    };
    let held = data::held(place, &names, DataVerb::Load)?;
    for one in &held {
        fits(&dump, one, request.force)?;
        dump.check(&one.part).map_err(|error| OpError::from(error).hint("nothing was loaded"))?;
    }
    let before = write(place, &held, BEFORE_LOAD, false, report)?;
    report.report(Event::Note(format!("what was there is in the dump {}", before.name)));
    for one in &held {
        report.report(Event::Stage(format!("loading {}", one.part)));
        let unpacked = Scratch::new(&place.layout.dumps())?;
        dump.unpack(&one.part, unpacked.path())?;
        crate::checkpoint::pass("load-before-command");
        data::run(place, one, DataVerb::Load, unpacked.path(), report).map_err(|error| {
            let back = format!("what was there before is in a dump: {} load {}", place.command(), before.name);
            error.context(format!("`{}` could not be loaded", one.part)).hint(back)
        })?;
        crate::checkpoint::pass("load-after-command");
    }
    prefix::record(place, &format!("loaded {}", dump.path.display()))?;
    Ok(Summary { loaded: dump, parts: names, before: before.name })
}

fn find(place: &Place, wanted: Option<&str>) -> OpResult<Dump> {
    let dumps = place.layout.dumps();
    let Some(wanted) = wanted else { return newest(place) };
    let path = if wanted.contains('/') { place.host.folder.join(wanted) } else { dumps.join(wanted) };
    if !path.exists() {
        let error = OpError::usage(format!("there is no dump {}", path.display()));
        let known: Vec<String> = dump::list(&dumps).into_iter().map(|dump| dump.name).collect();
        return Err(match crate::name::nearest(wanted, known.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint(format!("what there is: {} dump --list", place.command())),
        });
    }
    dump::read(&path).map_err(|error| OpError::from(error).hint("nothing was loaded"))
}

/// The newest dump that somebody made. What was saved before a load, or before a migration and is of some parts only, is not what
/// a load without a name means.
fn newest(place: &Place) -> OpResult<Dump> {
    let mut shelf = dump::shelf(&place.layout.dumps());
    let newest = shelf
        .whole
        .iter()
        .rev()
        .find(|dump| ![BEFORE_LOAD, migrate::WHY].contains(&dump.manifest.why.as_str()))
        .cloned();
    // Names are times: an older one is not taken in silence for one that is damaged.
    let is_newer = |name: &String| newest.as_ref().is_none_or(|newest| *name > newest.name);
    if let Some((_, error)) = shelf.damaged.pop_if(|(name, _)| is_newer(name)) {
        let error = OpError::from(error).hint("nothing was loaded");
        return Err(match newest {
            Some(older) => error.hint(format!("load the one before it: {} load {}", place.command(), older.name)),
            None => error,
        });
    }
    let others = shelf.whole.len();
    newest.ok_or_else(|| match others {
        0 => OpError::failed(format!("there is no dump in {}", place.layout.dumps().display()))
            .hint(format!("make one: {} dump", place.command())),
        _ => OpError::failed(
            "there are only dumps that were taken before a load or a migration; name the one that is meant",
        )
        .hint(format!("what there is: {} dump --list", place.command())),
    })
}

/// A dump is for parts of the same recipe and format of data.
fn fits(dump: &Dump, held: &Held, is_forced: bool) -> OpResult<()> {
    let part = &held.part;
    let Some(share) = dump.manifest.parts.get(part) else {
        let there: Vec<&str> = dump.manifest.parts.keys().map(crate::name::PartName::as_str).collect();
        return Err(OpError::usage(format!("the dump {} holds nothing of `{part}`", dump.name))
            .hint(format!("it holds: {}", there.join(", "))));
    };
    if share.recipe != held.recipe {
        let said = format!("the dump {} has `{part}` of recipe `{}`", dump.name, share.recipe);
        return Err(OpError::failed(format!("{said}; here it is of recipe `{}`", held.recipe)));
    }
    if share.version != held.version && !is_forced {
        let shown = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".into());
        let said = format!("the data of `{part}` in the dump {} have format {}", dump.name, shown(&share.version));
        return Err(OpError::failed(format!("{said}; what is installed reads format {}", shown(&held.version)))
            .hint("go back to the generation that made it, or load it all the same with --force"));
    }
    Ok(())
}
