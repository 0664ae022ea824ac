//! `.condarc`: what a user of conda has configured already, read as conda reads it.

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
    /// Reads every file that conda reads, most specific first, and the variables that stand above them. A list of a more
    /// specific file stands before that of a more general one; of single values the most specific counts.
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
        for path in places(host) {
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

/// The files, most specific first.
fn places(host: &Host) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = host.var("CONDARC").map(PathBuf::from).into_iter().collect();
    if let Ok(home) = host.home() {
        places.extend([".condarc", ".conda/.condarc"].map(|name| home.join(name)));
        let config = host.var("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
        places.push(config.join("conda/.condarc"));
    }
    places.extend(["/var/lib/conda/.condarc", "/etc/conda/.condarc"].map(PathBuf::from));
    places
}

fn read(path: &Path) -> Result<Option<File>, CondaError> {
    let wrong = |why: String| CondaError::Condarc { path: path.to_owned(), why };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(wrong(error.to_string())),
    };
    // An empty file is no mapping, and says nothing.
    let file: Option<File> = serde_yaml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(Some(file.unwrap_or_default()))
}
