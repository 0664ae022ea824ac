//! `.condarc`: what a user of conda has configured already, of the files that conda reads, in its order.
//!
//! What is not read: the files of conda's own installation (`$CONDA_ROOT`), since none need be here; and every setting that says
//! nothing of which package is taken from where. `ssl_verify` and `proxy_servers` are among those: whom this program trusts and
//! how it reaches the network is said by the same variables for everything that it fetches (`SSL_CERT_FILE`, `https_proxy`).

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use super::CondaError;
use super::channel::{Groups, Priority};
use crate::host::Host;

/// What of the configuration counts here.
#[derive(Debug, Clone)]
pub struct Condarc {
    /// Channels, most wanted first.
    pub channels: Vec<String>,
    /// Where a channel is that is only a name.
    pub alias: Url,
    /// Names that stand for several channels.
    pub groups: Groups,
    /// Names that are at places of their own.
    pub custom: std::collections::BTreeMap<String, Url>,
    /// Which channel serves a package that several have.
    pub priority: Option<Priority>,
}

/// One file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    channels: Option<Vec<String>>,
    channel_alias: Option<String>,
    default_channels: Option<Vec<String>>,
    custom_channels: Option<std::collections::BTreeMap<String, String>>,
    custom_multichannels: Option<Groups>,
    /// A word, or in old files a bool.
    channel_priority: Option<serde_yaml::Value>,
}

impl Condarc {
    /// Reads the files, most specific first, and the variables that stand above them. A list of a more specific file stands
    /// before that of a more general one; of single values the most specific counts.
    ///
    /// # Errors
    /// If a file cannot be read or says something that it must not.
    pub fn read(host: &Host) -> Result<Self, CondaError> {
        let mut made = Self {
            channels: words(host, "CONDA_CHANNELS"),
            alias: built_in_alias(),
            groups: Groups::new(),
            custom: std::collections::BTreeMap::new(),
            priority: None,
        };
        let mut alias = host.var("CONDA_CHANNEL_ALIAS").map(str::to_owned);
        let mut priority = host.var("CONDA_CHANNEL_PRIORITY").map(str::to_owned);
        for path in places(host)? {
            let Some(file) = read(&path)? else { continue };
            for channel in file.channels.unwrap_or_default() {
                if !made.channels.contains(&channel) {
                    made.channels.push(channel);
                }
            }
            alias = alias.or(file.channel_alias);
            priority = priority.or(file.channel_priority.and_then(|value| match value {
                serde_yaml::Value::Bool(yes) => Some(yes.to_string()),
                serde_yaml::Value::String(word) => Some(word),
                _ => None,
            }));
            if let Some(defaults) = file.default_channels {
                made.groups.entry("defaults".to_owned()).or_insert(defaults);
            }
            for (name, members) in file.custom_multichannels.unwrap_or_default() {
                made.groups.entry(name).or_insert(members);
            }
            for (name, base) in file.custom_channels.unwrap_or_default() {
                let base = address(host, &base, &path)?;
                made.custom.entry(name).or_insert(base);
            }
        }
        if let Some(alias) = alias {
            made.alias = address(host, &alias, Path::new("channel_alias"))?;
        }
        made.priority = priority
            .as_deref()
            .map(|word| {
                Priority::of(word).ok_or_else(|| CondaError::Condarc {
                    path: PathBuf::from("channel_priority"),
                    why: format!("`{word}` is none of strict, flexible, disabled"),
                })
            })
            .transpose()?;
        Ok(made)
    }
}

/// Where a name is a channel, as the libraries of conda have it built in.
pub(super) fn built_in_alias() -> Url {
    rattler_conda_types::ChannelConfig::default_with_root_dir(PathBuf::new()).channel_alias
}

fn words(host: &Host, var: &str) -> Vec<String> {
    let words = host.var(var).unwrap_or_default().split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn address(host: &Host, text: &str, path: &Path) -> Result<Url, CondaError> {
    let text = host.expand(text);
    let wrong = |why: String| CondaError::Condarc { path: path.to_owned(), why };
    Url::parse(&text).map_err(|error| wrong(format!("an address in it is none: {error}")))
}

/// The files, most specific first: conda's own list begins at its other end.
fn places(host: &Host) -> Result<Vec<PathBuf>, CondaError> {
    let mut places: Vec<PathBuf> = host.var("CONDARC").map(PathBuf::from).into_iter().collect();
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(environment) = host.var("CONDA_PREFIX") {
        places.extend(within(Path::new(environment))?);
    }
    if let Ok(home) = host.home() {
        places.push(home.join(".condarc"));
        folders.extend([".conda", ".config/conda"].map(|name| home.join(name)));
    }
    folders.extend(host.var("XDG_CONFIG_HOME").map(|config| Path::new(config).join("conda")));
    folders.extend(["/var/lib/conda", "/etc/conda"].map(PathBuf::from));
    for folder in folders {
        places.extend(within(&folder)?);
    }
    Ok(places)
}

/// The files of one folder, most specific first: those of `condarc.d`, of which a later name counts more, then the two names.
fn within(folder: &Path) -> Result<Vec<PathBuf>, CondaError> {
    let several = folder.join("condarc.d");
    let mut found: Vec<PathBuf> = match std::fs::read_dir(&several) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if is_absent(&error) => Vec::new(),
        Err(error) => return Err(CondaError::Condarc { path: several, why: error.to_string() }),
    };
    found.retain(|path| path.extension().is_some_and(|suffix| suffix == "yml" || suffix == "yaml"));
    found.sort_by(|one, other| other.cmp(one));
    found.extend(["condarc", ".condarc"].map(|name| folder.join(name)));
    Ok(found)
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn read(path: &Path) -> Result<Option<File>, CondaError> {
    let wrong = |why: String| CondaError::Condarc { path: path.to_owned(), why };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    // An empty file is no mapping, and says nothing.
    let file: Option<File> = serde_yaml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(Some(file.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_conda_are_read_in_its_order() {
        let root = tempfile::tempdir().expect("folder");
        let path = |below: &str| root.path().join(below).display().to_string();
        let host = Host {
            vars: [
                ("HOME".to_owned(), path("home")),
                ("XDG_CONFIG_HOME".to_owned(), path("xdg")),
                ("CONDA_PREFIX".to_owned(), path("env")),
                ("CONDARC".to_owned(), path("own.yml")),
            ]
            .into(),
            folder: root.path().to_owned(),
            user: 0,
            name: "here".into(),
            program: "/bin/true".into(),
        };
        // As conda documents them, from the most general one on.
        let files = [
            "xdg/conda/.condarc",
            "xdg/conda/condarc",
            "xdg/conda/condarc.d/a.yaml",
            "home/.config/conda/.condarc",
            "home/.config/conda/condarc",
            "home/.config/conda/condarc.d/a.yml",
            "home/.conda/.condarc",
            "home/.conda/condarc",
            "home/.conda/condarc.d/a.yml",
            "home/.conda/condarc.d/b.yaml",
            "home/.condarc",
            "env/.condarc",
            "env/condarc",
            "env/condarc.d/z.yml",
            "own.yml",
        ];
        let write = |below: &str, text: &str| {
            let path = root.path().join(below);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        for (number, file) in files.iter().enumerate() {
            write(file, &format!("channels: ['{file}', shared]\nchannel_alias: 'https://{number}.example.org'\n"));
        }
        // Neither is conda's.
        write("home/.conda/condarc.d/c.txt", "channels: [stray]\n");
        write("home/condarc", "channels: [stray]\n");
        let read = || Condarc::read(&host).expect("read");
        let of_tests = |read: &Condarc| {
            let known = |channel: &&String| files.contains(&channel.as_str()) || *channel == "stray";
            read.channels.iter().filter(known).cloned().collect::<Vec<_>>()
        };
        assert_eq!(of_tests(&read()), files.iter().rev().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(read().channels.iter().filter(|channel| *channel == "shared").count(), 1);
        // Of single values that of the most specific file counts, one after another.
        for (number, file) in files.iter().enumerate().rev() {
            assert_eq!(read().alias.as_str(), format!("https://{number}.example.org/"));
            std::fs::remove_file(root.path().join(file)).expect("removed");
        }
        write("home/.conda/condarc.d/a.yml", "channels: {\n");
        let told = Condarc::read(&host).expect_err("no YAML").to_string();
        assert!(told.contains("condarc.d/a.yml"), "{told}");
    }
}
