//! What is wanted, as a part says it: packages, and files of conda's users: `environment.yml`, lists, explicit lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rattler_conda_types::package::DistArchiveIdentifier;
use rattler_conda_types::{EnvironmentYaml, ExplicitEnvironmentSpec};
use url::Url;

use super::CondaError;
use crate::net::show;

/// How a file is named in a list, as conda's own command line has it.
const FLAGS: [&str; 2] = ["--file", "-f"];

/// Words among channels that are none: what they would switch off is never taken.
const NO_CHANNELS: [&str; 1] = ["nodefaults"];

/// What a part asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Packages, as conda writes them.
    pub packages: Vec<String>,
    /// The channels that files name.
    pub channels: Vec<String>,
    /// By a package's file the digest that an explicit list demands: `sha256:…` or an md5.
    pub digests: BTreeMap<String, String>,
    /// Every file that was read.
    pub files: Vec<PathBuf>,
    /// By file what it asks of the Python package index.
    pub pip: Vec<(PathBuf, Vec<String>)>,
}

impl Wanted {
    /// Reads words, and the files that they name (`--file environment.yml`), which are relative to `folder`.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read(words: &[String], folder: &Path) -> Result<Self, CondaError> {
        let mut wanted = Self::default();
        for word in words {
            let file = FLAGS.iter().find_map(|flag| {
                let rest = word.trim().strip_prefix(flag)?;
                rest.starts_with([' ', '=']).then(|| rest[1..].trim())
            });
            match file {
                Some(file) => wanted.file(&folder.join(file))?,
                None => wanted.packages.push(word.clone()),
            }
        }
        Ok(wanted)
    }

    fn file(&mut self, path: &Path) -> Result<(), CondaError> {
        let wrong = |why: String| CondaError::File { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        self.files.push(path.to_owned());
        let is_yaml = path.extension().is_some_and(|suffix| suffix == "yml" || suffix == "yaml");
        if is_yaml {
            return self.environment(path, &text);
        }
        if text.lines().any(|line| line.trim() == "@EXPLICIT") {
            let list: ExplicitEnvironmentSpec = text.parse().map_err(|error| wrong(format!("{error}")))?;
            return list.packages.iter().try_for_each(|package| self.exact(path, &package.url));
        }
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        self.packages.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
        Ok(())
    }

    fn environment(&mut self, path: &Path, text: &str) -> Result<(), CondaError> {
        let wrong = |why: String| CondaError::File { path: path.to_owned(), why };
        let environment = EnvironmentYaml::from_yaml_str(text).map_err(|error| wrong(error.to_string()))?;
        if let Some(pip) = environment.pip_specs().filter(|list| !list.is_empty()) {
            self.pip.push((path.to_owned(), pip.to_vec()));
        }
        self.packages.extend(environment.match_specs().map(ToString::to_string));
        let channels = environment.channels.iter().map(|channel| channel.as_str().to_owned());
        for channel in channels.filter(|word| !NO_CHANNELS.contains(&word.as_str())) {
            self.channel(channel);
        }
        Ok(())
    }

    fn channel(&mut self, word: String) {
        if !self.channels.contains(&word) {
            self.channels.push(word);
        }
    }

    /// An address of a package: exactly this build, from that channel, by its digest.
    fn exact(&mut self, path: &Path, address: &Url) -> Result<(), CondaError> {
        let wrong = || CondaError::File { path: path.to_owned(), why: format!("{} is no package", show(address)) };
        let package = DistArchiveIdentifier::try_from_url(address).ok_or_else(wrong)?;
        let mut channel = address.clone();
        channel.set_fragment(None);
        // The channel is above the folder of the platform.
        channel.path_segments_mut().map_err(|()| wrong())?.pop().pop();
        self.channel(channel.to_string());
        if let Some(digest) = address.fragment() {
            self.digests.insert(package.to_file_name(), digest.to_owned());
        }
        let known = &package.identifier;
        self.packages.push(format!("{} =={} {}", known.name, known.version, known.build_string));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Wanted, CondaError> {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join(name), text).expect("written");
        Wanted::read(&["zlib".to_owned(), format!("--file {name}")], folder.path())
    }

    #[test]
    fn files_of_condas_users_are_read() {
        let text = "name: x\nchannels: [conda-forge, nodefaults]\ndependencies:\n  - python >=3.11\n  - gdal=3.8\n";
        let wanted = read("environment.yml", text).expect("read");
        assert_eq!(
            (wanted.packages.as_slice(), wanted.files.len()),
            (&["zlib", "python >=3.11", "gdal 3.8.*"].map(str::to_owned)[..], 1)
        );
        assert_eq!(wanted.channels, ["conda-forge"]);
        let wanted = read("list.txt", "# tools\nnginx >=1.26\n\nredis-server # 7\n").expect("read");
        assert_eq!(wanted.packages, ["zlib", "nginx >=1.26", "redis-server"]);
        let text = "# platform: linux-64\n@EXPLICIT\nhttps://example.org/t/tk/conda-forge/linux-64/libz-1.3-h0_0.conda#0123456789abcdef0123456789abcdef\n";
        let wanted = read("explicit.txt", text).expect("read");
        assert_eq!(wanted.packages, ["zlib", "libz ==1.3 h0_0"]);
        assert_eq!(wanted.channels, ["https://example.org/t/tk/conda-forge"]);
        assert_eq!(wanted.digests["libz-1.3-h0_0.conda"], "0123456789abcdef0123456789abcdef");
    }

    #[test]
    fn what_is_not_of_conda_is_refused_with_its_place() {
        let said = |name: &str, text: &str| read(name, text).expect_err("refused").to_string().replace(['\n'], " ");
        let wanted = read("environment.yml", "dependencies:\n  - python\n  - pip:\n    - flask\n").expect("read");
        assert_eq!((wanted.packages.len(), wanted.pip[0].1.as_slice()), (2, &["flask".to_owned()][..]));
        assert!(said("environment.yml", "dependencies: 7\n").contains("environment.yml"));
        assert!(
            said("explicit.txt", "@EXPLICIT\nhttps://example.org/t/canary/x/readme.txt\n")
                .contains("/t/***/x/readme.txt")
        );
        let missing = Wanted::read(&["-f no.yml".to_owned()], Path::new("/nowhere")).expect_err("missing").to_string();
        assert!(missing.contains("/nowhere/no.yml"), "{missing}");
    }
}
