//! Whether what was installed is what the wheels have, byte by byte.
//!
//! The installer copies out of unpacked wheels that it keeps, and what was altered there would be handed out again. The wheels
//! themselves are verified by digest: from each, once, a list of the digests of its files is made and kept (behind a digest of
//! itself), and every installed file is compared with that.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rayon::prelude::{IntoParallelIterator as _, ParallelIterator as _};

use super::bytecode::keep;
use crate::digest::{Digest, Sha256};
use crate::fs::Known;
use crate::fs::tree::digest_file;

/// Where wheels' files go, and where lists of their digests are kept.
pub(super) struct Places<'a> {
    pub(super) target: &'a Path,
    pub(super) site: &'a Path,
    pub(super) lists: &'a Path,
}

/// The digests of a wheel's files, by entry.
type Contents = BTreeMap<String, Digest>;

/// One file as a wheel has it.
struct Expected<'a> {
    wheel: &'a Path,
    entry: String,
    place: PathBuf,
    digest: Digest,
}

/// What comparing found.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// The installed files that differ from their wheels', sorted.
    pub(super) altered: Vec<PathBuf>,
    /// The digests of those that are the same.
    pub(super) known: Known,
}

/// Compares each installed file with its wheel's.
pub(super) fn prove(places: &Places<'_>, wheels: &[(&Path, Sha256)]) -> io::Result<Proof> {
    let lists = wheels.into_par_iter().map(|(wheel, sha256)| expected(places, wheel, sha256));
    let lists = lists.collect::<io::Result<Vec<_>>>()?;
    let all: Vec<Expected<'_>> = lists.into_iter().flatten().collect();
    let compared = all.into_par_iter().map(|file| Ok((compare(&file)?, file)));
    let mut proof = Proof::default();
    for (found, file) in compared.collect::<io::Result<Vec<_>>>()? {
        match found {
            Installed::Same(metadata) => proof.known.note(file.place, &metadata, file.digest),
            Installed::Adapted => {}
            Installed::Altered => proof.altered.push(file.place),
        }
    }
    proof.altered.sort();
    Ok(proof)
}

fn expected<'a>(places: &Places<'_>, wheel: &'a Path, sha256: &Sha256) -> io::Result<Vec<Expected<'a>>> {
    let list = places.lists.join(sha256.to_hex());
    let contents = match kept(&list) {
        Some(contents) => contents,
        None => {
            let contents = read(wheel)?;
            if let Ok(bytes) = serde_json::to_vec(&contents) {
                // It only saves reading the wheel again.
                let _ = keep(&list, &bytes);
            }
            contents
        }
    };
    let files = contents
        .into_iter()
        .filter_map(|(entry, digest)| Some(Expected { wheel, place: place(places, &entry)?, entry, digest }));
    Ok(files.collect())
}

fn open(wheel: &Path) -> io::Result<zip::ZipArchive<io::BufReader<fs_err::File>>> {
    zip::ZipArchive::new(io::BufReader::new(fs_err::File::open(wheel)?)).map_err(io::Error::other)
}

fn read(wheel: &Path) -> io::Result<Contents> {
    let mut archive = open(wheel)?;
    let mut contents = Contents::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(io::Error::other)?;
        if entry.is_file() {
            let name = entry.name().map_err(io::Error::other)?.into_owned();
            contents.insert(name, Digest::of_reader(entry)?);
        }
    }
    Ok(contents)
}

fn kept(list: &Path) -> Option<Contents> {
    let bytes = std::fs::read(list).ok()?;
    let (digest, rest) = bytes.split_at_checked(32)?;
    if Digest::of(rest).as_bytes() == digest { serde_json::from_slice(rest).ok() } else { None }
}

/// Where an entry of a wheel is installed; `None` for what is not compared: headers, whose folder is the installer's to choose,
/// and what it writes itself.
fn place(places: &Places<'_>, entry: &str) -> Option<PathBuf> {
    let (first, rest) = entry.split_once('/').unwrap_or((entry, ""));
    if first.ends_with(".dist-info")
        && matches!(rest, "RECORD" | "RECORD.jws" | "RECORD.p7s" | "INSTALLER" | "REQUESTED" | "direct_url.json")
    {
        return None;
    }
    if !first.ends_with(".data") {
        return Some(places.site.join(entry));
    }
    let (kind, path) = rest.split_once('/')?;
    match kind {
        "purelib" | "platlib" => Some(places.site.join(path)),
        "scripts" => Some(places.target.join("bin").join(path)),
        "data" => Some(places.target.join(path)),
        _ => None,
    }
}

/// An installed file beside its wheel's.
enum Installed {
    /// The same bytes; it had this metadata.
    Same(Metadata),
    /// A script whose first line names its interpreter.
    Adapted,
    /// Another one, or not there.
    Altered,
}

fn compare(file: &Expected<'_>) -> io::Result<Installed> {
    let metadata = match fs_err::symlink_metadata(&file.place) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Installed::Altered),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        return Ok(Installed::Altered);
    }
    if digest_file(&file.place)?.0 == file.digest {
        return Ok(Installed::Same(metadata));
    }
    if !file.entry.contains(".data/scripts/") {
        return Ok(Installed::Altered);
    }
    // A script's first line is written anew: the rest must be the same.
    let mut original = Vec::new();
    open(file.wheel)?.by_name(&file.entry).map_err(io::Error::other)?.read_to_end(&mut original)?;
    let installed = fs_err::read(&file.place)?;
    let rest = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n').map(|end| bytes[end..].to_vec());
    let is_adapted =
        original.starts_with(b"#!python") && rest(&original).is_some_and(|rest| installed.ends_with(&rest));
    Ok(if is_adapted { Installed::Adapted } else { Installed::Altered })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn each_altered_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("demo-1-py3-none-any.whl");
        let files = [
            ("demo/a.py", "a"),
            ("demo/b.py", "b"),
            ("demo-1.data/scripts/run", "#!python\nbody\n"),
            ("demo-1.data/data/share/x", "x"),
            ("demo-1.dist-info/RECORD", "demo/a.py,,\n"),
        ];
        let mut archive = zip::ZipWriter::new(fs_err::File::create(&wheel).unwrap());
        for (name, text) in files {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
        let (target, site) = (folder.path().join("env"), folder.path().join("env/site"));
        let put = |path: &str, text: &str| {
            let path = target.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        for (path, text) in [
            ("site/demo/a.py", "a"),
            ("site/demo/b.py", "b"),
            ("bin/run", "#!/env/bin/python\nbody\n"),
            ("share/x", "x"),
        ] {
            put(path, text);
        }
        let lists = folder.path().join("lists");
        let places = Places { target: &target, site: &site, lists: &lists };
        let sha256 = Sha256::of("demo");
        let found = || {
            let found = prove(&places, &[(&wheel, sha256)]).unwrap().altered;
            found.iter().map(|path| path.strip_prefix(&target).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found(), Vec::<String>::new());
        put("site/demo/a.py", "A");
        put("bin/run", "#!/env/bin/python\nother\n");
        fs_err::remove_file(target.join("share/x")).unwrap();
        assert_eq!(found(), ["bin/run", "share/x", "site/demo/a.py"]);
        // A list that was altered is not believed.
        let list = lists.join(sha256.to_hex());
        let text = fs_err::read(&list).unwrap();
        let digest = |word: &str| Digest::of(word).to_hex();
        let lie = String::from_utf8_lossy(&text[32..]).replace(&digest("a"), &digest("A"));
        fs_err::write(&list, [&text[..32], lie.as_bytes()].concat()).unwrap();
        assert_eq!(found(), ["bin/run", "share/x", "site/demo/a.py"]);
    }
}
