//! The software whose version is the format of a part's data, and whether another version of it reads what that one wrote.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::PartName;

/// What a recipe says of it: `format_of`, `digits` and `reads` of `[data]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatRule {
    /// What the pin is called that counts, by one provider or another; the first is the software's name for people.
    pub of: Vec<String>,
    /// How many numbers of its version tell the format.
    pub digits: usize,
    /// Which data a version reads.
    pub reads: Reads,
}

/// Which data a version reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reads {
    /// Its own alone.
    Same,
    /// Its own, and those of older versions.
    #[default]
    Older,
}

impl Reads {
    /// All of them, by the words of `recipe.toml`.
    pub const WORDS: [(&'static str, Self); 2] = [("same", Self::Same), ("older", Self::Older)];
}

/// The software of a part's data in one version: kept with each generation, and in the state of a prefix for data that outlive it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFormat {
    /// Its name: `postgresql`.
    pub of: String,
    /// Its version, in its provider's words: `15.18-0+deb12u1`.
    pub version: String,
    /// Where it comes from.
    pub provider: String,
    /// The part that has it.
    pub part: PartName,
    /// How many numbers of the version tell the format.
    pub digits: usize,
    /// Which data it reads.
    pub reads: Reads,
}

impl DataFormat {
    /// Whether it reads what another one wrote. Versions that tell no numbers, and other software, are nothing to compare.
    #[must_use]
    pub fn can_read(&self, written: &Self) -> bool {
        let numbers = |version: &str| numbers(version, self.digits);
        match (numbers(&self.version), numbers(&written.version)) {
            (Some(own), Some(other)) if self.of == written.of => match self.reads {
                Reads::Same => own == other,
                Reads::Older => own >= other,
            },
            _ => true,
        }
    }
}

impl fmt::Display for DataFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.of, self.version, self.provider)
    }
}

/// The first numbers of a version, as many as wished: those that it does not say are 0. Debian's epoch (`1:`) is none of them.
fn numbers(version: &str, digits: usize) -> Option<Vec<u64>> {
    let version = version.split_once(':').map_or(version, |(_, version)| version);
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let said = version[..end].trim_end_matches('.').split('.').take(digits);
    let said: Vec<u64> = said.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(said.into_iter().chain(std::iter::repeat(0)).take(digits).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: &str, digits: usize, reads: Reads) -> DataFormat {
        let part = "software".parse().expect("name");
        DataFormat { of: "db".into(), version: version.into(), provider: "deb".into(), part, digits, reads }
    }

    #[test]
    fn versions_of_all_providers_tell_their_numbers() {
        for (version, digits, expected) in [
            ("17.2", 1, Some(vec![17])),
            ("15+248", 1, Some(vec![15])),
            ("15.18-0+deb12u1", 1, Some(vec![15])),
            ("1:10.11.11-0+deb12u1", 2, Some(vec![10, 11])),
            ("5:7.0.15-1", 2, Some(vec![7, 0])),
            ("17", 2, Some(vec![17, 0])),
            ("18.beta1", 2, Some(vec![18, 0])),
            ("any", 1, None),
            (">=15", 1, None),
            ("", 1, None),
            ("99999999999999999999", 1, None),
        ] {
            assert_eq!(numbers(version, digits), expected, "{version}");
        }
    }

    #[test]
    fn what_a_version_reads_is_by_its_rule() {
        for (own, written, same, older) in [
            ("17.2", "17.6", true, true),
            ("15.18-0+deb12u1", "17.2", false, false),
            ("17.2", "15.18-0+deb12u1", false, true),
            ("any", "17.2", true, true),
        ] {
            let reads = |reads: Reads| of(own, 1, reads).can_read(&of(written, 1, Reads::Same));
            assert_eq!((reads(Reads::Same), reads(Reads::Older)), (same, older), "{own} after {written}");
        }
        // The second number counts only where the recipe says so.
        let reads =
            |digits: usize| of("10.6.1", digits, Reads::Older).can_read(&of("1:10.11.11-0", digits, Reads::Older));
        assert_eq!((reads(1), reads(2)), (true, false));
        let other = DataFormat { of: "other".into(), ..of("17", 1, Reads::Same) };
        assert!(of("15", 1, Reads::Same).can_read(&other), "other software has other data");
    }
}
