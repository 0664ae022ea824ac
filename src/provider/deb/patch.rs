//! Makes programs and libraries find each other below their folder: interpreter and library path of ELF files, shebangs.
//!
//! Always from the file as it was packed, and written whole beside it: patchers ruin files that they patch twice. A file that
//! has several names is patched once and keeps them: drivers of graphics have one of 25 MB under thirteen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use arwen::elf::{ElfContainer, ElfError};
use object::read::elf::{ElfFile64, FileHeader as _};
use rayon::prelude::*;

/// Why a file was not patched.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// It cannot be read or written.
    #[error("`{}` cannot be patched: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The patcher does not understand it.
    #[error("`{}` cannot be patched: {why}", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PatchError {
    let path = path.to_owned();
    |source| PatchError::Io { path, source }
}

/// All names of one file.
pub(super) type Names = Vec<PathBuf>;

/// The files of a folder, by what must be done to them.
#[derive(Debug, Default)]
struct Found {
    elves: Vec<Names>,
    scripts: Vec<Names>,
    libraries: BTreeSet<PathBuf>,
}

/// Patches everything below a folder.
///
/// # Errors
/// With a file that could not be patched.
pub fn patch(folder: &Path) -> Result<(), PatchError> {
    let found = find(folder)?;
    let interpreter = interpreter(folder);
    let run_path = run_path(folder, &found.libraries);
    found.elves.par_iter().try_for_each(|names| patch_elf(names, folder, interpreter.as_deref(), &run_path))?;
    found.scripts.iter().try_for_each(|names| patch_shebang(names, folder))
}

/// Puts paths together that name one file, in the order of their first.
///
/// # Errors
/// With a path that cannot be looked at.
pub(super) fn by_file(paths: impl IntoIterator<Item = PathBuf>) -> Result<Vec<Names>, PatchError> {
    let mut files: Vec<Names> = Vec::new();
    let mut known = BTreeMap::new();
    for path in paths {
        let facts = std::fs::symlink_metadata(&path).map_err(at(&path))?;
        let place = *known.entry((facts.dev(), facts.ino())).or_insert(files.len());
        match files.get_mut(place) {
            Some(names) => names.push(path),
            None => files.push(vec![path]),
        }
    }
    Ok(files)
}

fn find(folder: &Path) -> Result<Found, PatchError> {
    let (mut elves, mut scripts, mut libraries) = (Vec::new(), Vec::new(), BTreeSet::new());
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| at(folder)(error.into()))?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy();
        let is_library = name.ends_with(".so") || name.contains(".so.");
        if is_library && let Some(parent) = path.parent() {
            libraries.insert(parent.to_owned());
        }
        if !entry.file_type().is_file() {
            continue;
        }
        match head(path)? {
            [0x7f, b'E', b'L', b'F'] => elves.push(path.to_owned()),
            [b'#', b'!', ..] => scripts.push(path.to_owned()),
            _ => {}
        }
    }
    Ok(Found { elves: by_file(elves)?, scripts: by_file(scripts)?, libraries })
}

fn head(path: &Path) -> Result<[u8; 4], PatchError> {
    use std::io::Read as _;
    let mut head = [0; 4];
    let mut file = std::fs::File::open(path).map_err(at(path))?;
    match file.read_exact(&mut head) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(at(path)(error)),
        _ => Ok(head),
    }
}

/// The folder's own program loader, if the C library is among its packages; its real file, since links to it differ.
fn interpreter(folder: &Path) -> Option<PathBuf> {
    let places = ["lib64", "lib", "usr/lib64", "usr/lib"];
    let loaders = places.iter().flat_map(|place| {
        let pattern = format!("{}/{place}/ld-linux*.so.*", glob::Pattern::escape(&folder.display().to_string()));
        glob::glob(&pattern).into_iter().flatten().filter_map(Result::ok).collect::<Vec<_>>()
    });
    let mut real = loaders.filter_map(|loader| loader.canonicalize().ok());
    real.find(|loader| loader.starts_with(folder.canonicalize().unwrap_or_else(|_| folder.to_owned())))
}

/// The folders that programs look for libraries in: those of the machine's kind first, then whatever else has one at its usual
/// depth; private ones are named by the files that use them.
fn run_path(folder: &Path, libraries: &BTreeSet<PathBuf>) -> String {
    let is_usual = |path: &&PathBuf| {
        let Ok(below) = path.strip_prefix(folder) else { return false };
        let below = below.strip_prefix("usr").unwrap_or(below);
        let words: Vec<_> = below.iter().map(|word| word.to_string_lossy()).collect();
        match words.as_slice() {
            [lib] => lib.starts_with("lib"),
            [lib, triplet] => lib.starts_with("lib") && triplet.contains("-linux-"),
            [lib, triplet, systemd] => lib.starts_with("lib") && triplet.contains("-linux-") && systemd == "systemd",
            _ => false,
        }
    };
    libraries.iter().filter(is_usual).map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

fn patch_elf(names: &[PathBuf], folder: &Path, interpreter: Option<&Path>, run_path: &str) -> Result<(), PatchError> {
    let Some(path) = names.first() else { return Ok(()) };
    let is_of_loader = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("ld-linux");
    let is_loader = names.iter().filter_map(|path| path.file_name()).any(is_of_loader);
    let bytes = std::fs::read(path).map_err(at(path))?;
    // Objects for linking, and files of other machines, have no library path to set.
    let Some(shape) = shape(&bytes).filter(|_| !is_loader) else { return Ok(()) };
    if !shape.is_dynamic {
        return Ok(());
    }
    let interpreter = interpreter.filter(|_| shape.has_interpreter);
    let patched = rewritten(&bytes, folder, interpreter, run_path)
        .or_else(|error| match with_room(&bytes) {
            Some(roomy) => rewritten(&roomy, folder, interpreter, run_path),
            None => Err(error),
        })
        .map_err(|error| PatchError::Elf { path: path.clone(), why: told(&error) })?;
    replace(names, &patched)
}

/// What an ELF file is with the interpreter and the library path.
fn rewritten(bytes: &[u8], folder: &Path, interpreter: Option<&Path>, run_path: &str) -> Result<Vec<u8>, ElfError> {
    let mut elf = ElfContainer::parse(bytes)?;
    let own: Vec<String> = elf.get_rpath().iter().map(|entry| rerooted(entry, folder)).collect();
    let entries = own.iter().map(String::as_str).chain([run_path]).filter(|entry| !entry.is_empty());
    elf.set_runpath(entries.collect::<Vec<_>>().join(":"))?;
    if let Some(interpreter) = interpreter {
        elf.set_interpreter(&interpreter.display().to_string())?;
    }
    let mut patched = Vec::with_capacity(bytes.len() + 8192);
    elf.write(&mut patched)?;
    Ok(patched)
}

/// The patcher's error with its reason, which its text leaves out.
fn told(error: &ElfError) -> String {
    match error {
        ElfError::Modify(why) => why.clone(),
        ElfError::Write(why) => format!("{error}: {why}"),
        ElfError::Io(_) | ElfError::Parse(_) | ElfError::InvalidDtNeededEncoding(_) => error.to_string(),
    }
}

/// An ELF file whose dynamic table has an entry for a library path, in the place of one that loaders and programs do without.
///
/// A table by lld has no entry to spare, and it cannot grow: what follows it is referred to by address. `RELACOUNT` only tells
/// how many relocations may be done in a quicker way, `DEBUG` only debuggers where the list of libraries is.
fn with_room(bytes: &[u8]) -> Option<Vec<u8>> {
    use object::elf::{DT_DEBUG, DT_NULL, DT_RELACOUNT, DT_RELCOUNT, DT_RPATH, DT_RUNPATH, PT_DYNAMIC};
    use object::read::elf::{Dyn as _, ProgramHeader as _};
    let file = ElfFile64::<object::Endianness>::parse(bytes).ok()?;
    let endian = file.endian();
    let segment = file.elf_program_headers().iter().find(|header| header.p_type(endian) == PT_DYNAMIC)?;
    let entries = segment.dynamic(endian, bytes).ok()??;
    let tags = || entries.iter().map(|entry| entry.d_tag(endian)).take_while(|tag| *tag != u64::from(DT_NULL));
    if tags().any(|tag| [DT_RPATH, DT_RUNPATH].map(u64::from).contains(&tag)) {
        return None;
    }
    let spared = [DT_RELACOUNT, DT_RELCOUNT, DT_DEBUG].map(u64::from);
    let index = spared.iter().find_map(|wanted| tags().position(|tag| tag == *wanted))?;
    let entry = object::elf::Dyn64 {
        d_tag: object::U64::new(endian, u64::from(DT_RUNPATH)),
        // The first text of every table of texts is the empty one.
        d_val: object::U64::new(endian, 0),
    };
    let at = usize::try_from(segment.p_offset(endian)).ok()? + index * size_of_val(&entry);
    let mut made = bytes.to_vec();
    made.get_mut(at..at + size_of_val(&entry))?.copy_from_slice(object::bytes_of(&entry));
    Some(made)
}

/// `/usr/lib/x` of the machine is that of the folder; `$ORIGIN` stays.
fn rerooted(entry: &str, folder: &Path) -> String {
    match entry.strip_prefix('/') {
        Some(below) => folder.join(below).display().to_string(),
        None => entry.to_owned(),
    }
}

/// What of an ELF file matters here.
struct Shape {
    is_dynamic: bool,
    has_interpreter: bool,
}

fn shape(bytes: &[u8]) -> Option<Shape> {
    use object::elf::{ET_DYN, ET_EXEC, PT_DYNAMIC, PT_INTERP};
    use object::read::elf::ProgramHeader as _;
    let file = ElfFile64::<object::Endianness>::parse(bytes).ok()?;
    let endian = file.endian();
    if !matches!(file.elf_header().e_type(endian), ET_DYN | ET_EXEC) {
        return None;
    }
    let has = |kind: u32| file.elf_program_headers().iter().any(|header| header.p_type(endian) == kind);
    Some(Shape { is_dynamic: has(PT_DYNAMIC), has_interpreter: has(PT_INTERP) })
}

/// A script whose interpreter is in the folder is run by that one.
fn patch_shebang(names: &[PathBuf], folder: &Path) -> Result<(), PatchError> {
    let Some(path) = names.first() else { return Ok(()) };
    let bytes = std::fs::read(path).map_err(at(path))?;
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(()) };
    let line = String::from_utf8_lossy(&bytes[2..end]);
    let line = line.trim();
    let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (program, rest) = match (program, rest.split_once(' ').unwrap_or((rest, ""))) {
        ("/usr/bin/env", (name, rest)) if !name.is_empty() && !name.starts_with('-') => {
            (format!("/usr/bin/{name}"), rest)
        }
        _ => (program.to_owned(), rest),
    };
    let Some(below) = program.strip_prefix('/') else { return Ok(()) };
    let own = folder.join(below);
    if !own.exists() {
        return Ok(());
    }
    let mut patched = format!("#!{} {rest}", own.display()).trim_end().to_owned().into_bytes();
    patched.extend_from_slice(&bytes[end..]);
    replace(names, &patched)
}

/// Replaces a file as a whole under these names; others, if it has some, keep the former content.
pub(super) fn replace(names: &[PathBuf], bytes: &[u8]) -> Result<(), PatchError> {
    let [first, others @ ..] = names else { return Ok(()) };
    let mode = std::fs::metadata(first).map_err(at(first))?.permissions().mode();
    let new = aside(first);
    std::fs::write(&new, bytes).map_err(at(&new))?;
    std::fs::set_permissions(&new, Permissions::from_mode(mode)).map_err(at(&new))?;
    std::fs::rename(&new, first).map_err(at(first))?;
    for other in others {
        let new = aside(other);
        std::fs::hard_link(first, &new).map_err(at(&new))?;
        std::fs::rename(&new, other).map_err(at(other))?;
    }
    Ok(())
}

/// A name beside a file that no other file's is: several are patched at once.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".jove-patched");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_run_by_what_is_beside_them() {
        let folder = tempfile::tempdir().expect("folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
            std::fs::write(&path, text).expect("written");
            path
        };
        write("usr/bin/python3", "a python");
        let table = [
            ("#!/usr/bin/python3 -Es\nx\n", "#!{}/usr/bin/python3 -Es\nx\n"),
            ("#!/usr/bin/env python3\nx\n", "#!{}/usr/bin/python3\nx\n"),
            ("#! /usr/bin/perl\nx\n", "#! /usr/bin/perl\nx\n"),
            ("#!/bin/sh\n", "#!/bin/sh\n"),
        ];
        for (before, after) in table {
            let path = write("usr/bin/script", before);
            patch(folder.path()).expect("patched");
            let expected = after.replace("{}", &folder.path().display().to_string());
            assert_eq!(std::fs::read_to_string(path).expect("read"), expected);
        }
    }

    #[test]
    fn a_program_finds_its_libraries_below_the_folder() {
        let folder = tempfile::tempdir().expect("folder");
        let bin = folder.path().join("usr/bin");
        let lib = folder.path().join("usr/lib/x86_64-linux-gnu");
        std::fs::create_dir_all(&bin).expect("made");
        std::fs::create_dir_all(&lib).expect("made");
        let program = bin.join("true");
        std::fs::copy("/bin/true", &program).expect("copied");
        std::fs::copy("/bin/true", lib.join("libx.so.1")).expect("copied");
        patch(folder.path()).expect("patched");
        let bytes = std::fs::read(&program).expect("read");
        let elf = ElfContainer::parse(&bytes).expect("an ELF file");
        assert_eq!(elf.get_rpath(), [lib.display().to_string()]);
        assert!(std::process::Command::new(&program).status().expect("it runs").success());
    }

    #[test]
    fn a_file_of_several_names_is_patched_once_and_keeps_them() {
        let patched = |names: &[&str]| {
            let folder = tempfile::tempdir().expect("folder");
            let lib = folder.path().join("usr/lib");
            std::fs::create_dir_all(lib.join("dri")).expect("made");
            std::fs::copy("/bin/true", lib.join("liba.so.1")).expect("copied");
            std::fs::write(lib.join("run"), "#!/usr/lib/liba.so.1 x\n").expect("written");
            for name in names {
                let first = if name.ends_with("run") { "run" } else { "liba.so.1" };
                std::fs::hard_link(lib.join(first), lib.join(name)).expect("linked");
            }
            patch(folder.path()).expect("patched");
            let read = |name: &str| {
                let bytes = std::fs::read(lib.join(name)).expect("read");
                let text = String::from_utf8_lossy(&bytes).into_owned();
                (text.matches(&folder.path().display().to_string()).count(), bytes.len())
            };
            let inode = |name: &str| std::fs::metadata(lib.join(name)).expect("facts").ino();
            for name in names {
                let first = if name.ends_with("run") { "run" } else { "liba.so.1" };
                assert_eq!(inode(name), inode(first), "{name}");
                assert_eq!(read(name), read(first), "{name}");
            }
            let files = walkdir::WalkDir::new(folder.path()).into_iter().flatten();
            let count = files.filter(|entry| entry.file_type().is_file()).count();
            assert_eq!(count, names.len() + 2, "nothing else is left");
            (read("liba.so.1"), read("run"))
        };
        let (alone, script) = patched(&[]);
        assert!(alone.0 > 0 && script.0 == 1);
        assert_eq!(patched(&["libb.so.1", "dri/x.so", "liba.so.2", "dri/run"]).1, script);
    }

    /// Where the entries of a program's dynamic table are, and their tags up to the last.
    fn tags(bytes: &[u8]) -> (usize, Vec<u64>) {
        use object::read::elf::{Dyn as _, ProgramHeader as _};
        let file = ElfFile64::<object::Endianness>::parse(bytes).expect("an ELF file");
        let endian = file.endian();
        let headers = file.elf_program_headers().iter();
        let segment =
            headers.into_iter().find(|header| header.p_type(endian) == object::elf::PT_DYNAMIC).expect("dynamic");
        let entries = segment.dynamic(endian, bytes).expect("whole").expect("entries");
        let at = usize::try_from(segment.p_offset(endian)).expect("small");
        (at, entries.iter().map(|entry| entry.d_tag(endian)).collect())
    }

    #[test]
    fn a_dynamic_table_without_an_entry_to_spare_gives_up_one_that_is_of_no_use() {
        // As lld leaves it: every entry that GNU's linker keeps for later is taken.
        let mut bytes = std::fs::read("/bin/true").expect("read");
        let (at, before) = tags(&bytes);
        for (index, tag) in before.iter().enumerate().take(before.len() - 1) {
            if *tag == u64::from(object::elf::DT_NULL) {
                let unknown = 0x6000_0001_u64 + index as u64;
                bytes[at + index * 16..at + index * 16 + 8].copy_from_slice(&unknown.to_le_bytes());
            }
        }
        let folder = tempfile::tempdir().expect("folder");
        let program = folder.path().join("true");
        std::fs::write(&program, &bytes).expect("written");
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("permissions");
        let path = "/a/b:/c";
        assert!(rewritten(&bytes, folder.path(), None, path).is_err(), "no room, so that this tries something");
        patch_elf(std::slice::from_ref(&program), folder.path(), None, path).expect("patched");
        let patched = std::fs::read(&program).expect("read");
        assert_eq!(ElfContainer::parse(&patched).expect("an ELF file").get_rpath(), ["/a/b", "/c"]);
        let (_, after) = tags(&patched);
        assert_eq!(after.len(), before.len());
        assert!(!after.contains(&u64::from(object::elf::DT_RELACOUNT)));
        assert!(std::process::Command::new(&program).status().expect("it runs").success());
    }
}
