//! Zip entries (and wheels), by the central directory.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read};

use zip::read::Config;
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;
use zip::{CompressionMethod, ZipArchive};

use super::budget::{Budget, Counted};
use super::place::place;
use super::root::Root;
use super::{Fault, Refusal};

/// No system has longer link targets.
const TARGET: u64 = 4096;

/// The kinds of file in the upper half of a unix mode.
const KIND: u32 = 0o170_000;

pub(super) fn walk(file: fs_err::File, budget: &Budget, strip: usize, root: &mut Root) -> Result<(), Fault> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| Fault::Whole(whole(error)))?;
    if archive.has_duplicate_names() {
        return Err(duplicate(archive.into_inner()));
    }
    for index in 0..archive.len() {
        put(&mut archive, index, budget, strip, root)?;
    }
    Ok(())
}

/// Names the entry that is there twice. The archive keeps one entry a name, so its directory is read once more.
fn duplicate(file: BufReader<fs_err::File>) -> Fault {
    let find = || -> Result<Option<Vec<u8>>, ZipError> {
        let mut seen = BTreeSet::new();
        for entry in ZipIterable::try_new(file, Config::default())?.files()? {
            let name = entry?.name_raw().to_vec();
            if !seen.insert(name.clone()) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    };
    match find() {
        Ok(name) => Fault::entry(&name.unwrap_or_default(), Refusal::Twice),
        Err(error) => Fault::Whole(whole(error)),
    }
}

fn put(
    archive: &mut ZipArchive<BufReader<fs_err::File>>,
    index: usize,
    budget: &Budget,
    strip: usize,
    root: &mut Root,
) -> Result<(), Fault> {
    let raw = archive.by_index_raw(index).map_err(|error| Fault::Whole(whole(error)))?;
    let name = name_of(&raw);
    let refuse = |refusal| Fault::entry(&name, refusal);
    let (mode, encrypted, method, said) = (raw.unix_mode(), raw.encrypted(), raw.compression(), raw.size());
    drop(raw);
    budget.entry().map_err(|exceeded| refuse(exceeded.into()))?;
    if encrypted {
        return Err(refuse(Refusal::Encrypted));
    }
    if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
        return Err(refuse(Refusal::Unsupported(format!("it is compressed by {method}"))));
    }
    let kind = kind(mode, &name).map_err(refuse)?;
    let Some(place) = place(&name, strip).map_err(refuse)? else { return Ok(()) };
    if kind == Kind::Folder {
        return root.folder(&place).map_err(refuse);
    }
    let entry = archive.by_index(index).map_err(|error| refuse(Refusal::Read(whole(error))))?;
    let mut entry = Counted::new(entry, budget);
    let written = match kind {
        Kind::Link => {
            let mut target = Vec::new();
            let got = entry.by_ref().take(TARGET).read_to_end(&mut target);
            got.map_err(Refusal::Read).and_then(|_| root.link(&name, &place, &target)).map(|()| said)
        }
        Kind::File | Kind::Folder => root.file(&place, mode.is_some_and(|mode| mode & 0o100 != 0), false, &mut entry),
    };
    match written {
        Ok(got) if got == said => Ok(()),
        Ok(_) => Err(Fault::read(&name, io::ErrorKind::UnexpectedEof.into())),
        Err(Refusal::Read(error)) if error.to_string().to_ascii_lowercase().contains("checksum") => {
            Err(refuse(Refusal::Checksum(error)))
        }
        Err(Refusal::Read(error)) => Err(Fault::read(&name, error)),
        Err(refusal) => Err(refuse(refusal)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Link,
}

fn kind(mode: Option<u32>, name: &[u8]) -> Result<Kind, Refusal> {
    match mode.unwrap_or(0) & KIND {
        0o120_000 => Ok(Kind::Link),
        0o040_000 => Ok(Kind::Folder),
        0 | 0o100_000 => Ok(if name.ends_with(b"/") { Kind::Folder } else { Kind::File }),
        0o020_000 => Err(Refusal::Special("character device")),
        0o060_000 => Err(Refusal::Special("block device")),
        0o010_000 => Err(Refusal::Special("fifo")),
        _ => Err(Refusal::Special("special file")),
    }
}

/// The name's own bytes where they are UTF-8 (whether the archive says so or not), else what its old code page means.
fn name_of(entry: &zip::read::ZipFile<'_, impl Read>) -> Vec<u8> {
    let raw = entry.name_raw();
    if std::str::from_utf8(raw).is_ok() {
        return raw.to_vec();
    }
    entry.name().map_or_else(|_| raw.to_vec(), |name| name.into_owned().into_bytes())
}

fn whole(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}
