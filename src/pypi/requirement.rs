//! Requirements as users write them: lines of the option `pypi`, requirement files, constraint files. Nested files are read,
//! every line keeps its origin, and all mistakes are told in one run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;

use pep508_rs::{Requirement, VerbatimUrl, VersionOrUrl};

use super::brought::Brought;
use super::pin::PackageName;
use crate::diagnostic::{Origin, Source};
use crate::digest::Sha256;

/// What a python part asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// What paths in `requirements` are relative to.
    pub folder: PathBuf,
    /// `gunicorn >=22`, `-r requirements.txt`, `-e .` …
    pub requirements: Vec<String>,
    /// Files of constraints.
    pub constraints: Vec<PathBuf>,
    /// Source folders that are used in place.
    pub editable: Vec<PathBuf>,
    /// Packages that are built from source on this machine.
    pub build: Vec<String>,
}

/// One requirement and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The requirement as PEP 508 has it.
    pub text: String,
    /// `requirements.txt:3`, or the option.
    pub origin: String,
}

/// A source folder that is used in place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EditableSource {
    /// The folder.
    pub folder: PathBuf,
    /// The extras that are asked for, sorted.
    pub extras: Vec<String>,
}

/// All requirements, with nested files read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathered {
    /// What is required.
    pub requirements: Vec<Line>,
    /// What limits versions without requiring anything.
    pub constraints: Vec<Line>,
    /// Source folders.
    pub editable: Vec<EditableSource>,
    /// Packages that are built from source.
    pub build: Vec<PackageName>,
    /// Digests that the user's own files demand.
    pub hashes: BTreeMap<PackageName, BTreeSet<Sha256>>,
    /// Whether pre-releases are taken (`--pre`).
    pub prerelease: bool,
    /// What the interpreter has already: of these nothing is installed, and there is no other version.
    pub brought: Vec<Brought>,
    /// Every file that was read: a change of one is a change of the inputs.
    pub files: Vec<PathBuf>,
}

/// One mistake in what is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementMistake {
    /// The option that led to it: `pypi`, `constraints`, `editable`, `build`.
    pub option: &'static str,
    /// Which of the option's entries, from 0.
    pub entry: usize,
    /// Where, if not in that entry but in a file that it names.
    pub place: Option<Origin>,
    /// What, and what to do.
    pub message: String,
}

/// All mistakes in what is required.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RequirementError(pub Vec<RequirementMistake>);

impl fmt::Display for RequirementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |mistake: &RequirementMistake| match &mistake.place {
            Some(place) => format!("{place}: {}", mistake.message),
            None => format!("the option `{}`: {}", mistake.option, mistake.message),
        };
        f.write_str(&self.0.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// Reads all that a part asks for.
///
/// # Errors
/// With every mistake.
pub fn gather(inputs: &Inputs) -> Result<Gathered, RequirementError> {
    let mut reader = Reader { root: inputs.folder.clone(), ..Reader::default() };
    for (entry, text) in inputs.requirements.iter().enumerate() {
        reader.entry = ("pypi", entry);
        reader.line(text, None, &inputs.folder, List::Requirements);
    }
    for (entry, file) in inputs.constraints.iter().enumerate() {
        reader.entry = ("constraints", entry);
        reader.file(&inputs.folder.join(file), None, List::Constraints);
    }
    for (entry, folder) in inputs.editable.iter().enumerate() {
        reader.entry = ("editable", entry);
        reader.editable(&folder.display().to_string(), None, &inputs.folder);
    }
    for (entry, name) in inputs.build.iter().enumerate() {
        reader.entry = ("build", entry);
        match name.parse() {
            Ok(name) => reader.found.build.push(name),
            Err(error) => reader.mistake(None, error.to_string()),
        }
    }
    reader.found.build.sort();
    reader.found.build.dedup();
    reader.found.editable.sort();
    reader.found.editable.dedup();
    if reader.mistakes.is_empty() { Ok(reader.found) } else { Err(RequirementError(reader.mistakes)) }
}

/// Which list a line goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum List {
    Constraints,
    Requirements,
}

/// A place in a file: the line's number beside it, since to count lines for each of many takes long.
#[derive(Clone, Copy)]
struct Spot<'p> {
    number: usize,
    place: &'p Origin,
}

#[derive(Default)]
struct Reader {
    found: Gathered,
    mistakes: Vec<RequirementMistake>,
    seen: BTreeSet<(PathBuf, List)>,
    /// What files are named relative to.
    root: PathBuf,
    /// The option and which of its entries is read.
    entry: (&'static str, usize),
}

impl Reader {
    fn mistake(&mut self, spot: Option<Spot<'_>>, message: impl Into<String>) {
        let (option, entry) = self.entry;
        self.mistakes.push(RequirementMistake {
            option,
            entry,
            place: spot.map(|spot| spot.place.clone()),
            message: message.into(),
        });
    }

    fn file(&mut self, path: &Path, spot: Option<Spot<'_>>, into: List) {
        let path = normal(path);
        if !self.seen.insert((path.clone(), into)) {
            return;
        }
        let text = match fs_err::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').to_owned(),
            Err(error) => {
                let why = if error.kind() == std::io::ErrorKind::NotFound {
                    "is not there".to_owned()
                } else {
                    error.to_string()
                };
                return self
                    .mistake(spot, format!("the file {} {why}; correct the path or make the file", path.display()));
            }
        };
        if !self.found.files.contains(&path) {
            self.found.files.push(path.clone());
        }
        let folder = path.parent().unwrap_or(&path).to_owned();
        let name = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
        let lines = logical_lines(&text);
        let source = Arc::new(Source { name, text, folder: Some(folder.clone()) });
        for (number, span, line) in lines {
            let place = Origin::new(&source, span);
            self.line(&line, Some(Spot { number, place: &place }), &folder, into);
        }
    }

    fn line(&mut self, text: &str, spot: Option<Spot<'_>>, folder: &Path, into: List) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if text.starts_with('-') {
            return self.option(text, spot, folder, into);
        }
        let (text, hashes) = without_hashes(text);
        let local = text.starts_with(['.', '/', '~']) || text.starts_with("file:");
        if local || text.split([' ', ';', '@']).next().is_some_and(|word| word.contains('/') || word.ends_with(".whl"))
        {
            let message = if text.contains("://") {
                DIRECT.to_owned()
            } else {
                format!(
                    "`{text}` is a path; use a source folder in place with `-e {text}`, or put wheels into a folder of find-links in pip.conf"
                )
            };
            return self.mistake(spot, message);
        }
        let requirement: Requirement<VerbatimUrl> = match Requirement::from_str(&text) {
            Ok(requirement) => requirement,
            Err(error) => {
                let first = error.to_string().lines().next().unwrap_or_default().to_owned();
                return self.mistake(spot, format!("`{text}` is no requirement: {}", first.to_lowercase()));
            }
        };
        if matches!(requirement.version_or_url, Some(VersionOrUrl::Url(_))) {
            return self.mistake(spot, DIRECT);
        }
        match (requirement.name.as_ref().parse::<PackageName>(), hashes) {
            (Ok(name), Ok(hashes)) if !hashes.is_empty() => self.found.hashes.entry(name).or_default().extend(hashes),
            (Err(error), _) => return self.mistake(spot, error.to_string()),
            (_, Err(word)) => {
                return self.mistake(spot, format!("`--hash={word}` is no sha256 digest; only these are compared"));
            }
            (Ok(_), Ok(_)) => {}
        }
        let origin = match spot {
            Some(spot) => format!("{}:{}", spot.place.source.name, spot.number),
            None => format!("the option `{}`", self.entry.0),
        };
        let line = Line { text, origin };
        match into {
            List::Requirements => self.found.requirements.push(line),
            List::Constraints => self.found.constraints.push(line),
        }
    }

    fn option(&mut self, text: &str, spot: Option<Spot<'_>>, folder: &Path, into: List) {
        let (option, value) = split_option(text);
        match option {
            "-r" | "--requirement" | "-c" | "--constraint" if value.contains("://") => {
                self.mistake(spot, "a requirement file is read from disk only; fetch it and name the file");
            }
            "-r" | "--requirement" => self.file(&folder.join(value), spot, into),
            "-c" | "--constraint" => self.file(&folder.join(value), spot, List::Constraints),
            "-e" | "--editable" => self.editable(value, spot, folder),
            "--pre" => self.found.prerelease = true,
            // What these ask for holds here in any case.
            "--only-binary" | "--prefer-binary" | "--require-hashes" => {}
            "--no-binary" => {
                self.mistake(spot, format!("builds from source are named in the part: build = [\"{value}\"]"))
            }
            "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links" | "--no-index" | "--trusted-host" => {
                self.mistake(
                    spot,
                    format!("`{option}` says where packages come from; that belongs to pip.conf or uv.toml"),
                );
            }
            _ => self
                .mistake(spot, format!("`{option}` is no option of requirement files that is known here; remove it")),
        }
    }

    fn editable(&mut self, text: &str, spot: Option<Spot<'_>>, folder: &Path) {
        if text.contains("://") || text.starts_with("git+") {
            return self.mistake(spot, "only a folder can be used in place; clone it and name the folder");
        }
        let (path, extras) = match text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) {
            Some((path, extras)) => (path, extras),
            None => (text, ""),
        };
        let path = normal(&folder.join(path));
        if !path.is_dir() {
            return self.mistake(spot, format!("the source folder {} is not there", path.display()));
        }
        let mut extras: Vec<String> =
            extras.split(',').map(str::trim).filter(|extra| !extra.is_empty()).map(ToOwned::to_owned).collect();
        extras.sort();
        self.found.editable.push(EditableSource { folder: path, extras });
    }
}

const DIRECT: &str = "a lock names content, never hosts, so a direct address or a repository cannot be required; put the file where \
                      find-links or an index of pip.conf or uv.toml has it, or use a clone in place with `-e FOLDER`";

/// A path without `.` and `..`, as written otherwise.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(normal.pop()),
            other => normal.push(other),
        }
    }
    normal
}

/// `-r x`, `-rx`, `--requirement=x`, `--requirement x`.
fn split_option(text: &str) -> (&str, &str) {
    if let Some(end) = text.find(|c: char| c.is_whitespace() || c == '=') {
        return (&text[..end], text[end + 1..].trim_start_matches(|c: char| c.is_whitespace() || c == '='));
    }
    if !text.starts_with("--") && text.len() > 2 && text.is_char_boundary(2) {
        return text.split_at(2);
    }
    (text, "")
}

/// Lines with their numbers and places, those that end in `\` joined, comments dropped.
fn logical_lines(text: &str) -> Vec<(usize, Range<usize>, String)> {
    let mut lines: Vec<(usize, Range<usize>, String)> = Vec::new();
    let mut open = false;
    let mut end = 0;
    for (index, raw) in text.split_inclusive('\n').enumerate() {
        let begin = end + raw.len() - raw.trim_start().len();
        end += raw.len();
        let (plain, goes_on) = match raw.trim_end().strip_suffix('\\') {
            Some(plain) => (plain, true),
            None => (raw, false),
        };
        let plain = without_comment(plain);
        match lines.last_mut().filter(|_| open) {
            Some((_, _, line)) => {
                line.push(' ');
                line.push_str(plain.trim());
            }
            None => {
                let plain = plain.trim();
                lines.push((index + 1, begin..begin + plain.len(), plain.to_owned()));
            }
        }
        open = goes_on;
    }
    lines.retain(|(.., line)| !line.is_empty());
    lines
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    line.find(" #").or_else(|| line.find("\t#")).map_or(line, |start| &line[..start])
}

/// A requirement without its `--hash` options, and these.
fn without_hashes(text: &str) -> (String, Result<BTreeSet<Sha256>, String>) {
    let mut words = text.split(" --hash");
    let plain = words.next().unwrap_or_default().trim().to_owned();
    let hashes = words
        .map(|word| {
            let word = word.trim_start_matches(['=', ' ']).trim();
            word.strip_prefix("sha256:").and_then(|hex| hex.parse().ok()).ok_or_else(|| word.to_owned())
        })
        .collect();
    (plain, hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(folder: &Path, requirements: &[&str]) -> Inputs {
        Inputs {
            folder: folder.to_owned(),
            requirements: requirements.iter().map(|text| (*text).to_owned()).collect(),
            ..Inputs::default()
        }
    }

    #[test]
    fn nested_files_keep_origins() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write(
            "requirements.txt",
            "# all\nflask >=3 # web\n-r more/base.txt\n--pre\nwheelly==1 \\\n  --hash=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \\\n  --hash=sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n",
        );
        write(
            "more/base.txt",
            "\u{feff}-r ../requirements.txt\nnumpy; python_version >= '3.9'\n-c limits.txt\n-e ../src[dev, test]\n",
        );
        write("more/limits.txt", "numpy<3\n");
        fs_err::create_dir(folder.path().join("src")).unwrap();
        let found = gather(&inputs(folder.path(), &["gunicorn", "-r requirements.txt"])).unwrap();
        let place = format!("{}/", folder.path().display());
        let lines: Vec<String> = found
            .requirements
            .iter()
            .map(|line| format!("{} <- {}", line.text, line.origin.replace(&place, "")))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        gunicorn <- the option `pypi`
        flask >=3 <- requirements.txt:2
        numpy; python_version >= '3.9' <- more/base.txt:2
        wheelly==1 <- requirements.txt:5
        "#);
        assert_eq!(found.constraints.len(), 1);
        assert_eq!(found.editable[0].extras, ["dev", "test"]);
        assert_eq!(found.editable[0].folder, folder.path().join("src"));
        assert_eq!(found.files.len(), 3);
        assert_eq!(found.hashes.values().next().unwrap().len(), 2);
        assert!(found.prerelease);
    }

    #[test]
    fn all_mistakes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = [
            "-r none.txt",
            "flask @ https://user:pw@host.example/flask.whl",
            "git+https://host.example/x.git",
            "./local",
            "flask ==",
            "--index-url https://user:pw@host.example",
            "--frobnicate",
            "-e https://host.example/x",
            "-e nowhere",
            "--no-binary numpy",
        ];
        let error = gather(&Inputs { build: vec!["a b".to_owned()], ..inputs(folder.path(), &wrong) }).unwrap_err();
        assert_eq!(error.0.len(), wrong.len() + 1, "{error}");
        let entries: Vec<usize> = error.0.iter().map(|mistake| mistake.entry).collect();
        assert_eq!(entries, (0..wrong.len()).chain([0]).collect::<Vec<_>>());
        assert_eq!(error.0.last().map(|mistake| mistake.option), Some("build"));
        assert!(!error.to_string().contains("pw@"), "{error}");
        assert!(error.to_string().contains("none.txt is not there"), "{error}");
    }

    #[test]
    fn a_mistake_in_a_file_stands_in_that_file() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("a.txt"), "flask\n  numpy >>1 # ä\n-r b.txt\n").unwrap();
        let error = gather(&inputs(folder.path(), &["gunicorn", "-r a.txt"])).unwrap_err();
        let places = error.0.iter().map(|mistake| {
            let place = mistake.place.as_ref().unwrap();
            (mistake.entry, place.to_string(), &place.source.text[place.span.clone()])
        });
        let places: Vec<_> = places.collect();
        assert_eq!(places, [(1, "a.txt:2:3".to_owned(), "numpy >>1"), (1, "a.txt:3:1".to_owned(), "-r b.txt")]);
        assert!(error.to_string().starts_with("a.txt:2:3: `numpy >>1` is no requirement"), "{error}");
    }
}
