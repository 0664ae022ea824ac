//! Channels: what the user calls them, the name that the lock keeps, and where they are now.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use url::{Host as UrlHost, Url};

use super::CondaError;
use super::condarc::Condarc;
use crate::host::Host;
use crate::net::show;

/// What is taken where nobody says a channel.
const DEFAULT: &str = "conda-forge";

/// Levels of channels that stand for others.
const DEEPEST: usize = 8;

/// Who asks, as an address or `.condarc` says it. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A name and its password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token in the path (`/t/…/`).
    Token(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What the lock calls it: without a host, so that a mirror is the same channel.
    pub name: String,
    /// Where it is: ends with `/`, without credentials.
    pub address: Url,
    /// Who asks, where the address says it.
    pub login: Option<Login>,
}

/// Which channel serves a package that several have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// The first that has any build of it.
    #[default]
    Strict,
    /// The first that has one that fits.
    Flexible,
    /// The newest version, wherever it is.
    Disabled,
}

impl Priority {
    /// Reads the word, as conda writes it.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "strict" => Some(Self::Strict),
            "flexible" | "true" => Some(Self::Flexible),
            "disabled" | "false" => Some(Self::Disabled),
            _ => None,
        }
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Flexible => "flexible",
            Self::Disabled => "disabled",
        }
    }
}

/// The channels of a request, most wanted first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// They.
    pub list: Vec<Channel>,
    /// Which of them serves a package.
    pub priority: Priority,
}

impl Channels {
    /// The channels that are wanted: `wanted` as the part or the configuration says, else those of the user's `.condarc`, else
    /// conda-forge.
    ///
    /// # Errors
    /// If `.condarc` cannot be read, or a word names no channel.
    pub fn of(host: &Host, wanted: &[String], priority: Option<Priority>) -> Result<Self, CondaError> {
        let condarc = Condarc::read(host)?;
        let words = match wanted {
            [] if condarc.channels.is_empty() => vec![DEFAULT.to_owned()],
            [] => condarc.channels.clone(),
            wanted => wanted.to_vec(),
        };
        let priority = priority.or(condarc.priority).unwrap_or_default();
        let list = named(host, &condarc, &words)?;
        Ok(Self { list, priority })
    }

    /// Their names, most wanted first, as the lock counts them.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for channel in &self.list {
            if !names.contains(&channel.name.as_str()) {
                names.push(&channel.name);
            }
        }
        names
    }

    /// Whose package an address is.
    #[must_use]
    pub fn owner(&self, address: &Url) -> Option<&Channel> {
        self.list.iter().find(|channel| address.as_str().starts_with(channel.address.as_str()))
    }
}

fn named(host: &Host, condarc: &Condarc, words: &[String]) -> Result<Vec<Channel>, CondaError> {
    let mut list: Vec<Channel> = Vec::new();
    let mut open: Vec<(String, usize)> = words.iter().rev().map(|word| (word.clone(), 0)).collect();
    while let Some((word, depth)) = open.pop() {
        let word = host.expand(&word);
        // A name that stands for several channels; one may stand for others again, but not without end.
        match condarc.groups.get(&word) {
            Some(members) if depth < DEEPEST => {
                open.extend(members.iter().rev().map(|member| (member.clone(), depth + 1)));
                continue;
            }
            Some(_) => return Err(CondaError::Channel { word, why: "it stands for itself in `.condarc`".to_owned() }),
            None => {}
        }
        let channel = one(host, condarc, &word)?;
        if !list.contains(&channel) {
            list.push(channel);
        }
    }
    Ok(list)
}

/// The channel that a word names.
fn one(host: &Host, condarc: &Condarc, word: &str) -> Result<Channel, CondaError> {
    let wrong = |why: &str| CondaError::Channel { word: hidden(word), why: why.to_owned() };
    if word.contains("://") {
        let address = Url::parse(word).map_err(|error| wrong(&error.to_string()))?;
        return at(&condarc.alias, address);
    }
    if let Some(below) = word.strip_prefix("~/") {
        let home = host.home().map_err(|error| wrong(&error.to_string()))?;
        return folder(&home.join(below)).ok_or_else(|| wrong("its path is none"));
    }
    if word.starts_with('/') {
        return folder(Path::new(word)).ok_or_else(|| wrong("its path is none"));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+');
    let plain = word.split('/').all(|piece| !piece.is_empty() && !piece.starts_with('.'));
    if !plain || !word.chars().all(is_name) {
        return Err(wrong("write a name (`conda-forge`), an address or an absolute path"));
    }
    if word == "defaults" {
        return Err(wrong("say in `.condarc` which channels it stands for (`default_channels`)"));
    }
    // The first component may have a place of its own (`custom_channels`).
    let first = word.split('/').next().unwrap_or(word);
    let base = condarc.custom.get(word).or_else(|| condarc.custom.get(first)).unwrap_or(&condarc.alias);
    let base = with_slash(base.clone());
    let address = base.join(word).map_err(|error| wrong(&error.to_string()))?;
    Ok(Channel { name: word.to_owned(), ..at(&condarc.alias, address)? })
}

fn folder(path: &Path) -> Option<Channel> {
    let address = Url::from_directory_path(path).ok()?;
    let name = path.file_name()?.to_str()?.to_owned();
    Some(Channel { name, address, login: None })
}

/// The channel at an address, its credentials taken out.
fn at(alias: &Url, address: Url) -> Result<Channel, CondaError> {
    let wrong = |why: &str| CondaError::Channel { word: show(&address), why: why.to_owned() };
    match address.scheme() {
        "https" | "file" => {}
        "http" if is_loopback(&address) => {}
        "http" => return Err(wrong("it comes over http, so that nobody vouches for its digests; use https")),
        _ => return Err(wrong("only https and file addresses are channels")),
    }
    let (bare, login) = without_login(&address);
    let bare = with_slash(bare);
    let below =
        bare.as_str().strip_prefix(with_slash(without_login(alias).0).as_str()).map(|rest| rest.trim_matches('/'));
    let last = || bare.path_segments().and_then(|mut pieces| pieces.rfind(|piece| !piece.is_empty()));
    let name =
        below.filter(|name| !name.is_empty()).or_else(last).ok_or_else(|| wrong("it has no name in its path"))?;
    Ok(Channel { name: name.to_owned(), address: bare.clone(), login })
}

fn without_login(address: &Url) -> (Url, Option<Login>) {
    let mut bare = address.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    let pieces: Vec<&str> = address.path().split('/').collect();
    if let Some(at) = pieces.iter().position(|piece| *piece == "t")
        && let Some(token) = pieces.get(at + 1).filter(|token| !token.is_empty())
    {
        let rest: Vec<&str> = pieces[..at].iter().chain(&pieces[at + 2..]).copied().collect();
        bare.set_path(&rest.join("/"));
        return (crate::net::address::bare(&bare), Some(Login::Token((*token).to_owned())));
    }
    let login = crate::net::address::credentials(address)
        .map(|known| Login::Basic { user: known.user, password: known.password.unwrap_or_default() });
    (crate::net::address::bare(&bare), login)
}

fn with_slash(mut address: Url) -> Url {
    if !address.path().ends_with('/') {
        let path = format!("{}/", address.path());
        address.set_path(&path);
    }
    address
}

fn is_loopback(address: &Url) -> bool {
    match address.host() {
        Some(UrlHost::Domain(name)) => name == "localhost",
        Some(UrlHost::Ipv4(ip)) => ip.is_loopback(),
        Some(UrlHost::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// A word as it may be shown.
fn hidden(word: &str) -> String {
    Url::parse(word).map_or_else(|_| word.to_owned(), |address| show(&address))
}

/// Channels by name that stand for others: `defaults` and what the user defines.
pub(super) type Groups = BTreeMap<String, Vec<String>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn host(home: &Path) -> Host {
        Host {
            vars: [("HOME".to_owned(), home.display().to_string()), ("TOKEN".to_owned(), "tk-1".to_owned())].into(),
            folder: home.to_owned(),
            user: 0,
            name: "here".into(),
            program: "/bin/true".into(),
        }
    }

    fn channels(condarc: &str, wanted: &[&str]) -> Result<Channels, CondaError> {
        let home = tempfile::tempdir().expect("folder");
        std::fs::write(home.path().join(".condarc"), condarc).expect("written");
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        Channels::of(&host(home.path()), &wanted, None)
    }

    fn shown(channels: &Channels) -> Vec<String> {
        let one = |channel: &Channel| {
            format!("{} {}{}", channel.name, channel.address, if channel.login.is_some() { " +" } else { "" })
        };
        channels.list.iter().map(one).collect()
    }

    #[test]
    fn names_addresses_and_folders_are_channels_and_the_name_has_no_host() {
        let condarc = "channel_alias: https://mirror.example.org/conda\n";
        let wanted = [
            "conda-forge",
            "https://mirror.example.org/conda/team/label/dev",
            "https://me:word@host.example.org:8443/repo/own/",
            "https://host.example.org/t/tk-9/private",
            "https://host.example.org/t/${TOKEN}/other",
            "/srv/channel",
            "http://127.0.0.1:8080/local",
        ];
        let found = channels(condarc, &wanted).expect("channels");
        insta::assert_snapshot!(shown(&found).join("\n"), @"
        conda-forge https://mirror.example.org/conda/conda-forge/
        team/label/dev https://mirror.example.org/conda/team/label/dev/
        own https://host.example.org:8443/repo/own/ +
        private https://host.example.org/private/ +
        other https://host.example.org/other/ +
        channel file:///srv/channel/
        local http://127.0.0.1:8080/local/
        ");
        assert_eq!(found.list[4].login, Some(Login::Token("tk-1".to_owned())));
        assert_eq!(format!("{:?}", found.list[3].login), "Some(Login(…))");
    }

    #[test]
    fn what_condarc_says_counts_where_nothing_else_is_said() {
        let condarc = "channels: [defaults, own]\nchannel_priority: flexible\n\
            default_channels: ['https://a.example.org/main', 'https://a.example.org/r']\n\
            custom_channels: {own: 'https://b.example.org/x'}\n";
        let found = channels(condarc, &[]).expect("channels");
        assert_eq!(
            shown(&found),
            ["main https://a.example.org/main/", "r https://a.example.org/r/", "own https://b.example.org/x/own/"]
        );
        assert_eq!(found.priority, Priority::Flexible);
        let plain = channels("", &[]).expect("channels");
        assert_eq!((plain.names(), plain.priority), (vec!["conda-forge"], Priority::Strict));
    }

    #[test]
    fn what_is_no_channel_is_refused_without_telling_secrets() {
        let refused = |word: &str| {
            channels("custom_multichannels: {a: [b], b: [a]}\n", &[word]).expect_err("refused").to_string()
        };
        insta::assert_snapshot!(refused("http://u:secret@example.org/t/secret/x"), @"`http://example.org/t/***/x` is no channel: it comes over http, so that nobody vouches for its digests; use https");
        insta::assert_snapshot!(refused("ftp://example.org/x"), @"`ftp://example.org/x` is no channel: only https and file addresses are channels");
        insta::assert_snapshot!(refused("https://example.org/"), @"`https://example.org/` is no channel: it has no name in its path");
        insta::assert_snapshot!(refused("../x"), @"`../x` is no channel: write a name (`conda-forge`), an address or an absolute path");
        insta::assert_snapshot!(refused("a"), @"`a` is no channel: it stands for itself in `.condarc`");
        insta::assert_snapshot!(refused("defaults"), @"`defaults` is no channel: say in `.condarc` which channels it stands for (`default_channels`)");
    }
}
