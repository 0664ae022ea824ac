//! [`Lists`]: the lists of packages that this run has read, for parts that ask the same archives; and what is done about those
//! that cannot be read ([`read`]).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::source::Source;
use super::{DebError, suite};
use crate::progress::Event;
use crate::provider::Kit;

/// What a source has, or why that cannot be used.
type Found = Result<Arc<Vec<String>>, Arc<DebError>>;

/// The lists of sources, each with its source's place among all.
pub type Listed = Vec<(usize, Arc<Vec<String>>)>;

/// Lists of packages by their source. One of Debian has fifty million bytes, which take a second to be unpacked: every part with
/// packages asks, and the answer of one run is one, also of an archive that is gone.
#[derive(Debug, Default)]
pub struct Lists(Mutex<Vec<(Source, Found)>>);

impl Lists {
    /// The lists of a source: those that are known, else those that `read` gives; and whether they are new.
    fn of(&self, source: &Source, read: impl FnOnce() -> Found) -> (Found, bool) {
        let known = |lists: &[(Source, Found)]| {
            lists.iter().find(|(known, _)| known == source).map(|(_, found)| Found::clone(found))
        };
        // Not locked while an archive is asked: parts that ask at once may both read.
        if let Some(found) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return (found, false);
        }
        let found = read();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((source.clone(), Found::clone(&found)));
        (found, true)
    }
}

/// Suites that cannot be used, and why.
#[derive(Debug, Default)]
pub struct Skipped(Vec<(String, Arc<DebError>)>);

impl Skipped {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(suite, why)| write!(f, "\n    {suite}: {}", on_one_line(why)))
    }
}

fn on_one_line(why: &DebError) -> String {
    why.to_string().lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// The lists of all sources that can be used, each with its source's place among them, and those sources that cannot.
///
/// As apt does it goes on without an archive that is down, too old, or not to be trusted, and tells so: nothing of it is used.
/// What is wrong on this machine ends it, since it would be wrong for every archive.
///
/// # Errors
/// If no source can be used.
pub fn read(kit: &Kit<'_>, sources: &[Source], architecture: &str) -> Result<(Listed, Skipped), DebError> {
    let (mut lists, mut skipped, mut notes) = (Vec::new(), Skipped::default(), Vec::new());
    for (place, source) in sources.iter().enumerate() {
        let read = || suite::packages(kit, source, architecture).map(Arc::new).map_err(Arc::new);
        let (found, is_new) = kit.lists.map_or_else(|| (read(), true), |lists| lists.of(source, read));
        match found {
            Ok(texts) => lists.push((place, texts)),
            Err(why) if why.is_local() || sources.len() == 1 => return Err(DebError::Shared(why)),
            Err(why) => {
                if is_new {
                    notes.push(format!("the suite {} is passed over: {}", source.name(), on_one_line(&why)));
                }
                skipped.0.push((source.name(), why));
            }
        }
    }
    if lists.is_empty() {
        return Err(DebError::NoneLeft(skipped));
    }
    notes.into_iter().for_each(|note| kit.report.report(Event::Note(note)));
    Ok((lists, skipped))
}
