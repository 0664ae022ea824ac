//! The other direction: a folder becomes a package that any client of conda installs, and a channel's index learns of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rattler_conda_types::compression_level::CompressionLevel;
use rattler_conda_types::package::{
    FileMode, IndexJson, PackageFile as _, PathType, PathsEntry, PathsJson, PrefixPlaceholder,
};
use rattler_conda_types::{NoArchType, PackageName, PackageRecord, Subdir, VersionWithSource};
use rattler_package_streaming::write::write_conda_package;
use serde_json::{Value, json};

use crate::digest::Sha256;
use crate::fs::write_atomic;

/// How long the path is that stands for an environment's place in a package, in bytes: as long as any that is installed into.
const ROOM: usize = 255;

/// How hard a package is squeezed (zstd): the usual 15 makes that of a Python 2 % smaller, and takes seven times as long.
const LEVEL: i32 = 9;

/// What fills a path up to that length, as other builders write it.
const FILLER: &str = "_placehold";

/// What of a folder is no file of the package: what is said of packages that were installed into it.
const LEFT_OUT: [&str; 2] = ["conda-meta", "info"];

/// The index of what a channel has for one platform.
const INDEX: &str = "repodata.json";

/// Why a folder was not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Its name or version is not one that conda takes.
    #[error("`{text}` is no {what} of a conda package: {why}")]
    Word {
        /// The text.
        text: String,
        /// What it should be.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// A link leads out of the folder.
    #[error("`{}` is a link to `{}`, which is not in the object: what depends on this machine cannot be packed", path.display(), target.display())]
    Outside {
        /// The link, relative to the object.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A program has a path where a longer one has no room.
    #[error("`{}` cannot be described: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The channel's index is damaged.
    #[error("the index `{}` is not understood: {why}; remove it, and pack what the channel had again", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("`{}` cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What a package is called.
#[derive(Debug, Clone)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its version, in any words; what conda does not take in one is replaced.
    pub version: String,
    /// What tells two builds of one version apart.
    pub build: String,
    /// The platform that it is for.
    pub subdir: Subdir,
}

/// A package that was written.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Its file.
    pub file: PathBuf,
    /// Its version, as it was written.
    pub version: String,
    /// Its bytes.
    pub size: u64,
    /// How long the path of an environment may be that it is installed into; `None` for any.
    pub room: Option<usize>,
}

/// A folder below `base` whose path is as long as that of any environment: what is made there has room for all.
#[must_use]
pub fn roomy(base: &Path) -> PathBuf {
    let mut path = base.join(FILLER);
    while path.as_os_str().len() < ROOM {
        let missing = ROOM - path.as_os_str().len();
        // A component may not be empty, and its separator takes a byte, too.
        if missing <= FILLER.len() + 1 {
            let mut text = path.into_os_string();
            text.push("_".repeat(missing));
            return PathBuf::from(text);
        }
        path = path.join(FILLER);
    }
    path
}

/// Packs a folder into a channel. Files in it may name the folder as `prefix`; whoever installs it replaces that by the place of
/// the environment. What is said of the package is written into the folder, too.
///
/// # Errors
/// If a file cannot be described or written, or the channel's index is damaged.
pub fn pack(folder: &Path, prefix: &str, about: &About, channel: &Path) -> Result<Packed, PackError> {
    let (index, version) = index_of(about)?;
    let entries = entries(folder, prefix)?;
    let is_binary =
        |entry: &PathsEntry| entry.prefix_placeholder.as_ref().is_some_and(|found| found.file_mode == FileMode::Binary);
    let room = entries.iter().any(is_binary).then_some(prefix.len());
    let info = folder.join("info");
    fs::create_dir(&info).map_err(at(&info))?;
    let listed: Vec<PathBuf> = entries.iter().map(|entry| entry.relative_path.clone()).collect();
    let paths = PathsJson { paths: entries, paths_version: 1 };
    let mut files: Vec<PathBuf> = listed.iter().map(|path| folder.join(path)).collect();
    for (name, text) in [
        (IndexJson::package_path(), serde_json::to_vec_pretty(&index)),
        (PathsJson::package_path(), serde_json::to_vec_pretty(&paths)),
        (Path::new("info/about.json"), serde_json::to_vec_pretty(&json!({"summary": "packed by jove-install"}))),
    ] {
        let path = folder.join(name);
        let text = text.map_err(|error| PackError::File { path: path.clone(), why: error.to_string() })?;
        fs::write(&path, text).map_err(at(&path))?;
        files.push(path);
    }
    let stem = format!("{}-{version}-{}", index.name.as_normalized(), about.build);
    let shelf = channel.join(about.subdir.as_str());
    fs::create_dir_all(&shelf).map_err(at(&shelf))?;
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(&shelf).map_err(at(&shelf))?;
    let moment = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 3652);
    write_conda_package(&mut file, folder, &files, CompressionLevel::Numeric(LEVEL), None, &stem, Some(&moment), None)
        .map_err(at(folder))?;
    let path = shelf.join(format!("{stem}.conda"));
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).map_err(at(&path))?;
    file.persist(&path).map_err(|error| at(&path)(error.error))?;
    let size = fs::metadata(&path).map_err(at(&path))?.len();
    let digest = Sha256::of_reader(fs::File::open(&path).map_err(at(&path))?).map_err(at(&path))?;
    enter(&shelf, about.subdir, &format!("{stem}.conda"), index, size, digest)?;
    // Every channel has one, if only to say that it is one.
    let noarch = channel.join("noarch");
    if !noarch.join(INDEX).exists() {
        fs::create_dir_all(&noarch).map_err(at(&noarch))?;
        write_index(&noarch, &empty(Subdir::NoArch))?;
    }
    Ok(Packed { file: path, version, size, room })
}

fn index_of(about: &About) -> Result<(IndexJson, String), PackError> {
    let word = |text: &str, what, why: String| PackError::Word { text: text.to_owned(), what, why };
    let name =
        PackageName::try_from(about.name.as_str()).map_err(|error| word(&about.name, "name", error.to_string()))?;
    let text = version(&about.version);
    let parsed: VersionWithSource =
        text.parse().map_err(|_| word(&text, "version", "conda does not read it".to_owned()))?;
    let index = json!({
        "name": name.as_normalized(), "version": text, "build": about.build, "build_number": 0, "depends": [],
        "subdir": about.subdir.as_str(),
    });
    let mut index: IndexJson =
        serde_json::from_value(index).map_err(|error| word(&about.build, "build", error.to_string()))?;
    index.version = parsed;
    index.noarch = NoArchType::none();
    Ok((index, text))
}

/// A version in words that conda takes: `1:15.8-0+deb12u1` as `15.8_0+deb12u1`.
fn version(text: &str) -> String {
    let text =
        text.split_once(':').map_or(text, |(epoch, rest)| if epoch.parse::<u32>().is_ok() { rest } else { text });
    let mut local = false;
    let replaced: String = text
        .chars()
        .map(|c| match c {
            // The part behind it may be there once only.
            '+' if local => '.',
            '+' => {
                local = true;
                '+'
            }
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') => c.to_ascii_lowercase(),
            _ => '_',
        })
        .collect();
    let mut single = String::new();
    for c in replaced.chars() {
        // Two in a row mean nothing more than one.
        if !(c == '_' && single.ends_with('_')) {
            single.push(c);
        }
    }
    let trimmed = single.trim_matches(|c| matches!(c, '_' | '.' | '+'));
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}

/// Every file and link below a folder, sorted, with whether it names the folder.
fn entries(folder: &Path, prefix: &str) -> Result<Vec<PathsEntry>, PackError> {
    let mut entries = Vec::new();
    let walked = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    let kept = walked
        .filter_entry(|entry| entry.depth() != 1 || !LEFT_OUT.iter().any(|left_out| entry.file_name() == *left_out));
    for entry in kept {
        let entry = entry.map_err(|error| at(folder)(error.into()))?;
        let path = entry.path();
        let Ok(relative) = path.strip_prefix(folder) else { continue };
        if entry.file_type().is_dir() {
            continue;
        }
        let mut described = PathsEntry {
            relative_path: relative.to_owned(),
            no_link: false,
            path_type: PathType::HardLink,
            prefix_placeholder: None,
            sha256: None,
            size_in_bytes: None,
        };
        if entry.file_type().is_symlink() {
            stays_inside(path, relative, prefix)?;
            described.path_type = PathType::SoftLink;
        } else {
            let mut bytes = fs::read(path).map_err(at(path))?;
            described.prefix_placeholder = placeholder(&bytes, prefix);
            if let Some(found) = &mut described.prefix_placeholder
                && prefix.len() == ROOM
            {
                // The same for every builder, and of the same length, so that nothing moves.
                found.placeholder = usual();
                bytes = replaced(&bytes, prefix.as_bytes(), found.placeholder.as_bytes());
                overwrite(path, &bytes).map_err(at(path))?;
            }
            described.sha256 = Some((*Sha256::of(&bytes).as_bytes()).into());
            described.size_in_bytes = Some(bytes.len() as u64);
        }
        entries.push(described);
    }
    Ok(entries)
}

/// What stands for a place of full length, wherever a package was made.
fn usual() -> String {
    let mut text = "/opt/".to_owned();
    while text.len() < ROOM {
        text.push_str(FILLER);
    }
    text.truncate(ROOM);
    text
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, from) {
        made.extend_from_slice(&rest[..at]);
        made.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    made.extend_from_slice(rest);
    made
}

/// Writes a file anew: its other names, if it has some, keep the former content and have their own turn.
fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions();
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(path))?;
    io::Write::write_all(&mut file, bytes)?;
    file.as_file().set_permissions(mode)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn placeholder(bytes: &[u8], prefix: &str) -> Option<PrefixPlaceholder> {
    memchr::memmem::find(bytes, prefix.as_bytes())?;
    let is_text = !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok();
    let file_mode = if is_text { FileMode::Text } else { FileMode::Binary };
    Some(PrefixPlaceholder { file_mode, placeholder: prefix.to_owned(), experimental_offsets: None })
}

/// A link must lead to something of the package. One that names the folder itself becomes a relative one.
fn stays_inside(path: &Path, relative: &Path, prefix: &str) -> Result<(), PackError> {
    let target = fs::read_link(path).map_err(at(path))?;
    let outside = || PackError::Outside { path: relative.to_owned(), target: target.clone() };
    let depth = relative.components().count() - 1;
    if let Ok(below) = target.strip_prefix(prefix) {
        let mut relative_target: PathBuf = std::iter::repeat_n("..", depth).collect();
        relative_target.push(below);
        fs::remove_file(path).map_err(at(path))?;
        return std::os::unix::fs::symlink(relative_target, path).map_err(at(path));
    }
    if target.is_absolute() {
        return Err(outside());
    }
    let mut level = depth;
    for component in target.components() {
        level = match component {
            std::path::Component::ParentDir => level.checked_sub(1).ok_or_else(outside)?,
            std::path::Component::Normal(_) => level + 1,
            _ => level,
        };
    }
    Ok(())
}

/// Enters a package into the index of its platform.
fn enter(
    shelf: &Path,
    subdir: Subdir,
    file: &str,
    index: IndexJson,
    size: u64,
    digest: Sha256,
) -> Result<(), PackError> {
    let path = shelf.join(INDEX);
    let damaged = |why: String| PackError::Index { path: path.clone(), why };
    let mut known = match fs::read(&path) {
        Ok(text) => serde_json::from_slice::<Value>(&text).map_err(|error| damaged(error.to_string()))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => empty(subdir),
        Err(error) => return Err(at(&path)(error)),
    };
    let record = PackageRecord::from_index_json(index, Some(size), Some((*digest.as_bytes()).into()), None)
        .map_err(|error| damaged(error.to_string()))?;
    let record = serde_json::to_value(&record).map_err(|error| damaged(error.to_string()))?;
    let shelf_of = known.get_mut("packages.conda").and_then(Value::as_object_mut);
    let packages = shelf_of.ok_or_else(|| damaged("it has no `packages.conda`".to_owned()))?;
    packages.insert(file.to_owned(), record);
    write_index(shelf, &known)
}

fn empty(subdir: Subdir) -> Value {
    json!({"info": {"subdir": subdir.as_str()}, "packages": {}, "packages.conda": {}, "removed": [], "repodata_version": 1})
}

/// Writes an index, plain and packed.
fn write_index(shelf: &Path, index: &Value) -> Result<(), PackError> {
    let path = shelf.join(INDEX);
    let sorted: BTreeMap<&String, &Value> = index.as_object().into_iter().flatten().collect();
    let text = serde_json::to_vec_pretty(&sorted)
        .map_err(|error| PackError::Index { path: path.clone(), why: error.to_string() })?;
    let packed = zstd::encode_all(text.as_slice(), 0).map_err(at(&path))?;
    write_atomic(&path, &text, 0o644).map_err(at(&path))?;
    let path = shelf.join("repodata.json.zst");
    write_atomic(&path, &packed, 0o644).map_err(at(&path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PackError + use<> {
    let path = path.to_owned();
    |source| PackError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roomy_place_has_the_same_length_wherever_it_is() {
        for base in ["/x", "/home/somebody/with/a/longer/place/than/others/have", &format!("/{}", "y".repeat(200))] {
            let path = roomy(Path::new(base));
            assert_eq!(path.as_os_str().len(), ROOM, "{}", path.display());
            assert!(path.components().all(|component| component.as_os_str().len() < 256));
        }
    }

    #[test]
    fn what_stands_for_the_place_is_the_same_wherever_a_package_was_made() {
        let made = |base: &str| {
            let folder = tempfile::tempdir().expect("folder");
            let place = roomy(&folder.path().join(base));
            fs::create_dir_all(&place).expect("made");
            fs::write(place.join("text"), format!("at {0} and {0}/lib", place.display())).expect("written");
            fs::write(place.join("program"), format!("\0{}/lib\0", place.display())).expect("written");
            fs::hard_link(place.join("program"), place.join("same")).expect("linked");
            let entries = entries(&place, &place.display().to_string()).expect("described");
            assert!(entries.iter().all(|entry| entry.prefix_placeholder.is_some()), "{entries:?}");
            (format!("{entries:?}"), fs::read(place.join("text")).expect("read"))
        };
        assert_eq!(made("a"), made("another"));
    }

    #[test]
    fn versions_of_others_become_versions_of_conda() {
        for (theirs, ours) in [
            ("1.22.1-9+deb12u7", "1.22.1_9+deb12u7"),
            ("5:7.0.15-1~deb12u5", "7.0.15_1_deb12u5"),
            ("1+a+b", "1+a.b"),
            (">=1.18,<2", "1.18_2"),
            ("any", "any"),
            ("", "0"),
        ] {
            assert_eq!(version(theirs), ours);
            assert!(ours.parse::<VersionWithSource>().is_ok(), "{ours}");
        }
    }

    #[test]
    fn links_stay_inside_or_are_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let link = |name: &str, target: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("parent")).expect("made");
            std::os::unix::fs::symlink(target, &path).expect("link");
            stays_inside(&path, Path::new(name), "/env")
                .map(|()| fs::read_link(&path).expect("link").display().to_string())
        };
        assert_eq!(link("bin/a", "../lib/a").expect("inside"), "../lib/a");
        assert_eq!(link("bin/b", "/env/lib/b").expect("inside"), "../lib/b");
        assert!(link("bin/c", "../../c").is_err());
        assert!(link("d", "/usr/bin/d").expect_err("outside").to_string().contains("depends on this machine"));
    }
}
