//! Tar entries, read raw: extension headers are bounded here, since the library would take them into memory whole.

use std::io::{self, Read};

use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::budget::{Budget, Counted};
use super::place::place;
use super::root::Root;
use super::{Fault, Refusal};

/// The longest extension header that is read; a name has at most 4,096 bytes.
const HEADER: u64 = 1 << 20;

/// What extension headers say about the entry that follows.
#[derive(Debug, Default)]
struct Said {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

pub(super) fn walk(reader: impl Read, budget: &Budget, strip: usize, root: &mut Root) -> Result<(), Fault> {
    let mut archive = Archive::new(Counted::new(reader, budget));
    let mut said = Said::default();
    for entry in archive.entries().map_err(Fault::Whole)?.raw(true) {
        let mut entry = entry.map_err(Fault::Whole)?;
        let name = said.name.clone().unwrap_or_else(|| entry.path_bytes().into_owned());
        budget.entry().map_err(|exceeded| Fault::entry(&name, exceeded.into()))?;
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => {}
            EntryType::XHeader => pax(&read(&mut entry, &name)?, &mut said),
            EntryType::GNULongName => said.name = Some(text(read(&mut entry, &name)?)),
            EntryType::GNULongLink => said.target = Some(text(read(&mut entry, &name)?)),
            kind => {
                put(&mut entry, kind, &name, &std::mem::take(&mut said), strip, root)?;
            }
        }
    }
    finish(archive.into_inner())
}

/// Reads on to the very end, so that the decompressor compares its checksums and a cut-off archive is seen.
fn finish(mut rest: Counted<'_, impl Read>) -> Result<(), Fault> {
    io::copy(&mut rest, &mut io::sink()).map_err(Fault::Whole)?;
    // Two blocks of zeros end a tar; some writers leave it at one.
    if rest.zeros() < 512 {
        return Err(Fault::Whole(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(())
}

fn put(
    entry: &mut Entry<'_, impl Read>,
    kind: EntryType,
    name: &[u8],
    said: &Said,
    strip: usize,
    root: &mut Root,
) -> Result<(), Fault> {
    let refuse = |refusal| Fault::entry(name, refusal);
    let unsupported = |what: &str| refuse(Refusal::Unsupported(what.to_owned()));
    if said.sparse || kind == EntryType::GNUSparse {
        return Err(unsupported("it is a sparse file"));
    }
    if said.size.is_some_and(|size| size != entry.size()) {
        return Err(unsupported("its size is said twice and differently, as for files over 8 GiB"));
    }
    let place_of = |name: &[u8]| place(name, strip);
    let Some(place) = place_of(name).map_err(refuse)? else {
        return check_kind(kind).map_err(refuse);
    };
    let target =
        || said.target.clone().or_else(|| entry.link_name_bytes().map(|name| name.into_owned())).unwrap_or_default();
    match kind {
        EntryType::Directory => root.folder(&place).map_err(refuse),
        // The oldest tars know no folders but by the slash.
        EntryType::Regular if name.ends_with(b"/") => root.folder(&place).map_err(refuse),
        EntryType::Regular | EntryType::Continuous => {
            let executable = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
            let expected = entry.size();
            match root.file(&place, executable, true, entry) {
                Ok(got) if got == expected => Ok(()),
                Ok(_) => Err(Fault::read(name, io::ErrorKind::UnexpectedEof.into())),
                Err(Refusal::Read(error)) => Err(Fault::read(name, error)),
                Err(refusal) => Err(refuse(refusal)),
            }
        }
        EntryType::Symlink => root.link(name, &place, &target()).map_err(refuse),
        EntryType::Link => {
            let target = target();
            let shown = target.escape_ascii().to_string();
            let to = place_of(&target).map_err(|_| refuse(Refusal::HardLink(shown.clone())))?;
            root.hard_link(&place, to.as_deref(), &shown).map_err(refuse)
        }
        other => Err(refuse(check_kind(other).err().unwrap_or(Refusal::Special("special file")))),
    }
}

/// Refuses what is neither file, folder nor link, even where its name is stripped away.
fn check_kind(kind: EntryType) -> Result<(), Refusal> {
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::Directory | EntryType::Symlink | EntryType::Link => {
            Ok(())
        }
        EntryType::Char => Err(Refusal::Special("character device")),
        EntryType::Block => Err(Refusal::Special("block device")),
        EntryType::Fifo => Err(Refusal::Special("fifo")),
        other => Err(Refusal::Unsupported(format!("it is of tar type {:?}", char::from(other.as_byte())))),
    }
}

fn read(entry: &mut Entry<'_, impl Read>, name: &[u8]) -> Result<Vec<u8>, Fault> {
    let expected = entry.size();
    if expected > HEADER {
        return Err(Fault::entry(name, Refusal::Header(HEADER)));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| Fault::read(name, error))?;
    if bytes.len() as u64 != expected {
        return Err(Fault::read(name, io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(bytes)
}

/// A long name ends at its first NUL.
fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

fn pax(bytes: &[u8], said: &mut Said) {
    for extension in PaxExtensions::new(bytes).flatten() {
        let value = extension.value_bytes();
        match extension.key_bytes() {
            b"path" => said.name = Some(value.to_owned()),
            b"linkpath" => said.target = Some(value.to_owned()),
            b"size" => {
                said.size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).or(Some(u64::MAX))
            }
            key if key.starts_with(b"GNU.sparse.") => said.sparse = true,
            _ => {}
        }
    }
}
