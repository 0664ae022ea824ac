//! The door to files of settings: a whole text, or a reason that a person understands.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::trust::{Distrust, distrust, writable};

/// What no file of settings is larger than.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Why a file gives no text.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("`{path}` is not in UTF-8: byte {offset} (line {line}) belongs to no letter; save it as UTF-8")]
    Encoding { path: PathBuf, offset: usize, line: usize },
    #[error("`{path}` is larger than 64 MiB: it can hardly be a file of settings")]
    Large { path: PathBuf },
    #[error("`{path}` is a folder, pipe or device, and no file")]
    Shape { path: PathBuf },
    #[error("`{path}` cannot be read: {source}")]
    System { path: PathBuf, source: io::Error },
    #[error("`{path}` is not trusted: {reason}; if it is to be: chown it to yourself, and chmod go-w it")]
    Trust { path: PathBuf, reason: Distrust },
    #[error("`{path}` is in UTF-16; save it as UTF-8")]
    Wide { path: PathBuf },
}

/// The text of a file; `None` if there is none. A byte-order mark is left out. With an `owner`, the file must be theirs or root's.
pub(super) fn text(path: &Path, owner: Option<u32>) -> Result<Option<String>, ReadError> {
    let system = |source| ReadError::System { path: path.to_path_buf(), source };
    // The kind is asked before opening: opening a named pipe would wait for its writer.
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(system(error)),
    };
    let path_buf = || path.to_path_buf();
    if !metadata.is_file() {
        return Err(ReadError::Shape { path: path_buf() });
    }
    if let Some(reason) = owner.map_or_else(|| writable(&metadata), |owner| distrust(&metadata, owner)) {
        return Err(ReadError::Trust { path: path_buf(), reason });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_BYTES)).unwrap_or_default());
    std::fs::File::open(path).map_err(system)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(system)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::Large { path: path_buf() });
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(ReadError::Wide { path: path_buf() });
    }
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{FEFF}') {
                text.drain(..'\u{FEFF}'.len_utf8());
            }
            Ok(Some(text))
        }
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(ReadError::Encoding { path: path_buf(), offset, line })
        }
    }
}
