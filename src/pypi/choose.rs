//! Which file of a pin serves an interpreter.

use super::interpreter::Interpreter;
use super::pin::{Pinned, PinnedFile};
use super::tags::{Tag, tags};

/// No file of a pin serves this interpreter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` {version} has no wheel for this Python ({python}); there are wheels for: {}\ntake another Python or another version, \
     or allow a build from source: build = [\"{name}\"]", .found.join(", ")
)]
pub struct NoWheel {
    /// The package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The interpreter's best tag.
    pub python: String,
    /// The tags of the files that there are.
    pub found: Vec<String>,
}

/// Chooses files for one interpreter.
#[derive(Debug, Clone)]
pub struct Chooser {
    tags: Vec<Tag>,
}

impl Chooser {
    /// For this interpreter.
    #[must_use]
    pub fn new(interpreter: &Interpreter) -> Self {
        Self { tags: tags(interpreter) }
    }

    /// The best file of a pin: the source archive of a built one, else the wheel whose tag comes first (the highest build
    /// number among equals).
    ///
    /// # Errors
    /// If no wheel fits.
    pub fn choose<'a>(&self, pin: &'a Pinned) -> Result<&'a PinnedFile, NoWheel> {
        if pin.is_built()
            && let Some(source) = pin.files.first()
        {
            return Ok(source);
        }
        let ranked = pin.files.iter().filter_map(|file| Some((self.rank(&file.file)?, file)));
        ranked.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, file)| file).ok_or_else(|| self.none(pin))
    }

    /// How good a wheel is (lower is better); `None` if it does not fit.
    fn rank(&self, file: &str) -> Option<(usize, std::cmp::Reverse<u64>)> {
        let name = WheelName::parse(file)?;
        let place = self.tags.iter().position(|tag| name.has(tag))?;
        Some((place, std::cmp::Reverse(name.build)))
    }

    fn none(&self, pin: &Pinned) -> NoWheel {
        let mut found: Vec<String> = pin
            .files
            .iter()
            .filter_map(|file| WheelName::parse(&file.file))
            .map(|name| format!("{}-{}-{}", name.pythons, name.abis, name.platforms))
            .collect();
        found.dedup();
        let python = self.tags.first().map(ToString::to_string).unwrap_or_default();
        NoWheel { name: pin.name.to_string(), version: pin.version.clone(), python, found }
    }
}

/// The words of a wheel's file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WheelName<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) build: u64,
    pub(super) pythons: &'a str,
    pub(super) abis: &'a str,
    pub(super) platforms: &'a str,
}

impl<'a> WheelName<'a> {
    pub(super) fn parse(file: &'a str) -> Option<Self> {
        let stem = file.strip_suffix(".whl")?;
        let words: Vec<&str> = stem.split('-').collect();
        let (build, tags) = match words.len() {
            5 => (0, 2),
            6 => (words[2].chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()?, 3),
            _ => return None,
        };
        Some(Self {
            name: words[0],
            version: words[1],
            build,
            pythons: words[tags],
            abis: words[tags + 1],
            platforms: words[tags + 2],
        })
    }

    /// Every tag that the name stands for.
    pub(super) fn tags(&self) -> impl Iterator<Item = Tag> {
        let words = *self;
        words.pythons.split('.').flat_map(move |python| {
            words.abis.split('.').flat_map(move |abi| {
                words.platforms.split('.').map(move |platform| Tag {
                    python: python.to_owned(),
                    abi: abi.to_owned(),
                    platform: platform.to_owned(),
                })
            })
        })
    }

    fn has(&self, tag: &Tag) -> bool {
        let one_of = |words: &str, word: &str| words.split('.').any(|known| known == word);
        one_of(self.pythons, &tag.python) && one_of(self.abis, &tag.abi) && one_of(self.platforms, &tag.platform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Digest, Sha256};

    fn chooser() -> Chooser {
        Chooser::new(&Interpreter {
            path: "/x".into(),
            prefix: "/".into(),
            version: "3.11.7".to_owned(),
            implementation: "cpython".to_owned(),
            abi: "cp311".to_owned(),
            cache_tag: String::new(),
            system: "linux".to_owned(),
            machine: "x86_64".to_owned(),
            libc: "glibc 2.31".to_owned(),
            purelib: "lib".into(),
            has_pip: false,
            has_venv: false,
            has_ensurepip: false,
            digest: Digest::of(""),
            stamp: String::new(),
        })
    }

    fn pin(files: &[&str]) -> Pinned {
        let files =
            files.iter().map(|file| PinnedFile { file: (*file).to_owned(), sha256: Sha256::of(file), size: None });
        Pinned { name: "numpy".parse().unwrap(), version: "2.4".to_owned(), files: files.collect(), marker: None }
    }

    #[test]
    fn the_nearest_tag_wins() {
        let table: [(&[&str], &str); 4] = [
            (
                &["numpy-2.4-cp311-cp311-manylinux_2_17_x86_64.whl", "numpy-2.4-cp311-cp311-manylinux_2_28_x86_64.whl"],
                "numpy-2.4-cp311-cp311-manylinux_2_28_x86_64.whl",
            ),
            (
                &["numpy-2.4-cp311-cp311-manylinux_2_35_x86_64.whl", "numpy-2.4-py3-none-any.whl"],
                "numpy-2.4-py3-none-any.whl",
            ),
            (
                &["numpy-2.4-cp37-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", "numpy-2.4-py3-none-any.whl"],
                "numpy-2.4-cp37-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            ),
            (
                &["numpy-2.4-1-py3-none-any.whl", "numpy-2.4-2b-py3-none-any.whl", "numpy-2.4-py3-none-any.whl"],
                "numpy-2.4-2b-py3-none-any.whl",
            ),
        ];
        for (files, best) in table {
            assert_eq!(chooser().choose(&pin(files)).unwrap().file, best);
        }
        assert_eq!(chooser().choose(&pin(&["numpy-2.4.tar.gz"])).unwrap().file, "numpy-2.4.tar.gz");
    }

    #[test]
    fn no_wheel_says_which_there_are() {
        let error = chooser().choose(&pin(&["numpy-2.4-cp312-cp312-win_amd64.whl"])).unwrap_err();
        insta::assert_snapshot!(error, @r#"
        `numpy` 2.4 has no wheel for this Python (cp311-cp311-manylinux_2_31_x86_64); there are wheels for: cp312-cp312-win_amd64
        take another Python or another version, or allow a build from source: build = ["numpy"]
        "#);
    }
}
