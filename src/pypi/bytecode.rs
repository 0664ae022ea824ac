//! Bytecode of an environment: made once for each wheel and Python, kept in the cache, the same bytes everywhere.
//!
//! It carries a hash of its source that is never compared (PEP 552, unchecked), so that neither times nor a read of the
//! source are needed, and nothing is written when a service imports. File names inside are relative; Python puts in the real
//! ones when it loads. Each run of the compiler gets the same files in the same order, whatever the machine's cores, since
//! what was compiled before may show in the bytes.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fs_err::os::unix::fs::OpenOptionsExt as _;
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::interpreter::{Interpreter, InterpreterError};
use crate::digest::{Digest, Sha256};
use crate::fs::Known;
use crate::host::Host;
use crate::net::Cache;
use crate::process::{ProcessError, Run, clean_vars};
use crate::progress::{Event, Reporter};

const SCRIPT: &str = include_str!("bytecode.py");

/// Sources that one run of the compiler takes, in bytes.
const BATCH: u64 = 1024 * 1024;

/// Raised when the bytes in the cache would be others for the same wheel and Python.
const VERSION: u32 = 2;

/// Why bytecode could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BytecodeError {
    /// Files could not be read or written.
    #[error("bytecode of {what}: {source}")]
    Io {
        /// The package.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The compiler did not run to its end.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// A Python that compiles, and where what it made is kept.
#[derive(Clone, Copy)]
pub struct Compiler<'a> {
    /// The surroundings.
    pub host: &'a Host,
    /// The download cache.
    pub cache: &'a Cache,
    /// The Python.
    pub interpreter: &'a Interpreter,
    /// Who hears how it goes on.
    pub report: &'a Reporter,
    /// The file that gets everything that it says.
    pub log: &'a Path,
}

/// One package whose sources are to be compiled.
#[derive(Debug, Clone)]
pub(super) struct Package {
    /// For people.
    pub(super) name: String,
    /// The digest of its wheel.
    pub(super) wheel: Sha256,
    /// Its sources, relative to the packages' folder, sorted.
    pub(super) sources: Vec<PathBuf>,
}

/// Puts bytecode beside all sources of the packages in `site`; gives the digests of what the cache had of it.
pub(super) fn compile(kit: &Compiler<'_>, site: &Path, packages: &[Package]) -> Result<Known, BytecodeError> {
    let restored = packages.par_iter().filter(|package| !package.sources.is_empty()).map(|package| {
        let restored = restore(kit, site, package).map_err(|source| io_error(package, source))?;
        Ok((package, restored))
    });
    let (mut missing, mut known) = (Vec::new(), Known::default());
    for (package, restored) in restored.collect::<Result<Vec<_>, BytecodeError>>()? {
        match restored {
            None => missing.push(package),
            Some(written) => {
                written.into_iter().for_each(|(path, metadata, digest)| known.note(path, &metadata, digest));
            }
        }
    }
    if missing.is_empty() {
        return Ok(known);
    }
    kit.report.report(Event::Detail(format!("compiling {} packages to bytecode", missing.len())));
    let mut batches = Vec::new();
    for package in &missing {
        batches.extend(batches_of(kit, site, package).map_err(|source| io_error(package, source))?);
    }
    run_all(kit, &batches)?;
    for package in missing {
        let packed = packed(kit, site, package).map_err(|source| io_error(package, source))?;
        if let Err(error) = keep(&place(kit, package), &packed) {
            kit.cache.note_unkept(kit.report, &error);
        }
    }
    Ok(known)
}

/// Where an interpreter looks for modules, with those of its own library.
const FOLDERS: &str = "import sys\nprint('\\n'.join(folder for folder in sys.path if folder))\n";

/// Folders whose modules nobody imports who serves, and what is there already.
const LEFT_OUT: [&str; 3] = ["__pycache__", "test", "tests"];

/// Puts bytecode beside all sources that a Python in `folder` finds there: its library, and packages that came with it. `of` is
/// the digest of all that the folder is made of. Gives the digests of what the cache had of it.
///
/// # Errors
/// If the Python does not answer, or files cannot be read or written.
pub fn compile_all(kit: &Compiler<'_>, folder: &Path, of: &Digest) -> Result<Known, CompileError> {
    let unusable = |why: String| InterpreterError::Unusable { path: kit.interpreter.path.clone(), why };
    let run = Run::new(&kit.interpreter.path, clean_vars(kit.host)).args(["-E", "-s", "-"]).input(FOLDERS);
    let done = run.log(kit.log).capture().go().map_err(|error| unusable(error.to_string()))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut folders: Vec<PathBuf> = said.lines().map(PathBuf::from).filter(|path| path.starts_with(folder)).collect();
    folders.retain(|path| path.is_dir());
    let mut known = Known::default();
    for site in &folders {
        let sources = sources(site, &folders).map_err(|source| {
            let what = site.display().to_string();
            BytecodeError::Io { what, source }
        })?;
        let below = site.strip_prefix(folder).unwrap_or(site).display();
        let here = folder.to_string_lossy();
        let (placed, elsewhere) = apart(site, sources, here.as_bytes()).map_err(|source| {
            let what = site.display().to_string();
            BytecodeError::Io { what, source }
        })?;
        let package = |digest: String, sources| {
            let name = format!("the Python in {here}");
            Package { name, wheel: Sha256::of(digest), sources }
        };
        let packages = [package(format!("{of} {below}"), elsewhere), package(format!("{of} {below} {here}"), placed)];
        known.extend(compile(kit, site, &packages)?);
    }
    Ok(known)
}

/// The sources that have the folder's own path in them, as a provider writes it into scripts and settings, and the others: only
/// those are the same in another folder.
fn apart(site: &Path, sources: Vec<PathBuf>, here: &[u8]) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let finder = memchr::memmem::Finder::new(here);
    let (mut placed, mut elsewhere) = (Vec::new(), Vec::new());
    for source in sources {
        let text = fs_err::read(site.join(&source))?;
        if finder.find(&text).is_some() { placed.push(source) } else { elsewhere.push(source) }
    }
    Ok((placed, elsewhere))
}

/// Why the modules of a whole Python were not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Bytecode could not be made.
    #[error(transparent)]
    Bytecode(#[from] BytecodeError),
    /// It does not answer.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
}

/// The sources below a folder, sorted, relative to it; those of another of the folders are that one's.
fn sources(site: &Path, folders: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let is_own = |entry: &walkdir::DirEntry| {
        let is_other = entry.depth() > 0 && folders.iter().any(|folder| folder == entry.path());
        !(entry.file_type().is_dir() && (is_other || LEFT_OUT.iter().any(|name| entry.file_name() == *name)))
    };
    let mut sources = Vec::new();
    for entry in walkdir::WalkDir::new(site).sort_by_file_name().into_iter().filter_entry(is_own) {
        let entry = entry.map_err(io::Error::other)?;
        let path = entry.path().strip_prefix(site).unwrap_or(entry.path());
        let is_odd = path.to_string_lossy().contains(['\t', '\n']);
        if entry.file_type().is_file() && path.extension().is_some_and(|suffix| suffix == "py") && !is_odd {
            sources.push(path.to_owned());
        }
    }
    Ok(sources)
}

fn io_error(package: &Package, source: io::Error) -> BytecodeError {
    BytecodeError::Io { what: package.name.clone(), source }
}

/// `gunicorn/app/base.py` → `gunicorn/app/__pycache__/base.cpython-312.pyc`.
fn target(kit: &Compiler<'_>, source: &Path) -> PathBuf {
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    source.with_file_name("__pycache__").join(format!("{stem}.{}.pyc", kit.interpreter.cache_tag))
}

/// The compiler's inputs for one package, cut by size.
fn batches_of(kit: &Compiler<'_>, site: &Path, package: &Package) -> io::Result<Vec<String>> {
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (String::new(), 0);
    for source in &package.sources {
        let path = site.join(source);
        bytes += fs_err::metadata(&path)?.len();
        let target = site.join(target(kit, source));
        batch.push_str(&format!("{}\t{}\t{}\n", path.display(), target.display(), source.display()));
        if bytes > BATCH {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    Ok(batches)
}

fn run_all(kit: &Compiler<'_>, batches: &[String]) -> Result<(), BytecodeError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(batches.len());
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<ProcessError>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Without `-E` the fixed hash seed of the vars counts; they are clean.
                    let run = Run::new(&kit.interpreter.path, clean_vars(kit.host)).args(["-S", "-s", "-c", SCRIPT]);
                    if let Err(error) = run.input(batch.as_bytes()).log(kit.log).go() {
                        next.store(batches.len(), Ordering::Relaxed);
                        *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn place(kit: &Compiler<'_>, package: &Package) -> PathBuf {
    let python = kit.interpreter;
    let name = format!("{}-{}-{}-{VERSION}.zst", package.wheel, python.cache_tag, python.version);
    kit.cache.root().join("bytecode").join(name)
}

/// A file that was written, as it was then.
type Written = (PathBuf, Metadata, Digest);

/// Writes what the cache has; `None` if it has nothing that is whole.
fn restore(kit: &Compiler<'_>, site: &Path, package: &Package) -> io::Result<Option<Vec<Written>>> {
    let place = place(kit, package);
    let Ok(bytes) = fs_err::read(&place) else { return Ok(None) };
    let whole = bytes.split_at_checked(32).filter(|(digest, rest)| Digest::of(rest).as_bytes() == digest);
    let Some((_, rest)) = whole else {
        // If it cannot be removed, it is known for what it is again.
        let _ = fs_err::remove_file(&place);
        return Ok(None);
    };
    let mut plain = Vec::new();
    zstd::Decoder::new(rest)?.read_to_end(&mut plain)?;
    let files = unpack(&plain).ok_or_else(|| io::Error::other("the cache's bytecode has another form"))?;
    let mut written = Vec::new();
    for source in &package.sources {
        if let Some(code) = files.get(source.to_string_lossy().as_ref()) {
            let path = site.join(target(kit, source));
            let metadata = write(&path, code)?;
            written.push((path, metadata, Digest::of(code)));
        }
    }
    Ok(Some(written))
}

/// Writes a file, read-only as it will be sealed.
fn write(path: &Path, bytes: &[u8]) -> io::Result<Metadata> {
    let open = || fs_err::OpenOptions::new().write(true).create(true).truncate(true).mode(0o444).open(path);
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs_err::create_dir_all(path.parent().unwrap_or(path))?;
            open()?
        }
        opened => opened?,
    };
    file.write_all(bytes)?;
    file.metadata()
}

/// A package's new bytecode as the cache has it.
fn packed(kit: &Compiler<'_>, site: &Path, package: &Package) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    for source in &package.sources {
        let code = match fs_err::read(site.join(target(kit, source))) {
            Ok(code) => code,
            // A source that does not compile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        pack(&mut plain, source.to_string_lossy().as_bytes());
        pack(&mut plain, &code);
    }
    zstd::encode_all(plain.as_slice(), 1)
}

/// Puts bytes into the cache, behind a digest of themselves.
pub(super) fn keep(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = place.parent().unwrap_or(place);
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    file.write_all(Digest::of(bytes).as_bytes())?;
    file.write_all(bytes)?;
    // No sync: a torn one is known by its digest and made again.
    file.persist(place).map_err(|error| error.error)?;
    Ok(())
}

/// Appends a length and the bytes.
fn pack(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    to.extend_from_slice(bytes);
}

fn unpack(mut plain: &[u8]) -> Option<BTreeMap<String, &[u8]>> {
    let mut files = BTreeMap::new();
    while !plain.is_empty() {
        let (name, rest) = take(plain)?;
        let (code, rest) = take(rest)?;
        files.insert(String::from_utf8(name.to_vec()).ok()?, code);
        plain = rest;
    }
    Some(files)
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_a_folder_are_those_of_no_other_one() {
        let root = tempfile::tempdir().unwrap();
        let lib = root.path().join("lib");
        for file in ["a.py", "b/c.py", "b/c.txt", "test/d.py", "b/tests/e.py", "site/f.py", "__pycache__/g.py"] {
            let path = lib.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let folders = [lib.clone(), lib.join("site")];
        let found = |folder: &Path| sources(folder, &folders).unwrap();
        assert_eq!(found(&folders[0]), [Path::new("a.py"), Path::new("b/c.py")]);
        assert_eq!(found(&folders[1]), [Path::new("f.py")]);
    }

    #[test]
    fn sources_with_the_path_of_their_folder_are_kept_apart() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("script.py"), "#!/home/a/store/1/bin/python3\n").unwrap();
        std::fs::write(root.path().join("module.py"), "prefix = '/home/a'\n").unwrap();
        let both = vec![PathBuf::from("module.py"), PathBuf::from("script.py")];
        let (placed, elsewhere) = apart(root.path(), both, b"/home/a/store/1").unwrap();
        assert_eq!((placed, elsewhere), (vec![PathBuf::from("script.py")], vec![PathBuf::from("module.py")]));
    }

    #[test]
    fn packing_is_undone_and_damage_seen() {
        let mut plain = Vec::new();
        for word in ["a/b.py", "code", "c.py", ""] {
            pack(&mut plain, word.as_bytes());
        }
        let files = unpack(&plain).unwrap();
        assert_eq!((files["a/b.py"], files["c.py"]), (b"code".as_slice(), b"".as_slice()));
        assert!(unpack(&plain[..plain.len() - 1]).is_none() && unpack(&plain[..9]).is_none());
        assert!(unpack(&[255; 8]).is_none());
    }
}
