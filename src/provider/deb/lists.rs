//! [`Lists`]: the lists of packages that this run has read, for parts that ask the same archives.

use std::sync::{Arc, Mutex, PoisonError};

use super::DebError;
use super::source::Source;

/// Lists of packages by their source. One of Debian has fifty million bytes, which take a second to be unpacked: every part with
/// packages asks, and the answer of one run is one.
#[derive(Debug, Default)]
pub struct Lists(Mutex<Vec<(Source, Arc<Vec<String>>)>>);

impl Lists {
    /// The lists of a source: those that are known, else those that `read` gives.
    ///
    /// # Errors
    /// As `read`; nothing is kept then.
    pub fn of(
        &self,
        source: &Source,
        read: impl FnOnce() -> Result<Vec<String>, DebError>,
    ) -> Result<Arc<Vec<String>>, DebError> {
        let known = |lists: &[(Source, Arc<Vec<String>>)]| {
            lists.iter().find(|(known, _)| known == source).map(|(_, texts)| Arc::clone(texts))
        };
        // Not locked while an archive is asked: parts that ask at once may both read.
        if let Some(texts) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(texts);
        }
        let texts = Arc::new(read()?);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((source.clone(), Arc::clone(&texts)));
        Ok(texts)
    }
}
