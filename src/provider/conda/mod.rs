//! `conda`: packages of conda channels, without conda.
//!
//! # Theory
//!
//! The user's own configuration says which channels there are and where ([`channel`], [`condarc`]), and who asks ([`login`]).
//! What they have is read through the cache ([`index`]); what the machine has is found out ([`machine`]); a solver finds one
//! build of each package ([`solve`]). The lock keeps name, version, file, digest and the channel's name, never its host. Every
//! package is in the download cache, by digest, before anything is made of it. An environment is made at its final path:
//! packages are unpacked ([`package`]) and kept so in the cache, where each file is compared with its digest every time
//! ([`super::kept`]), checked together ([`placing`]) and linked ([`link`]). No script of a package is ever run. [`pack`] goes the
//! other way; [`wanted`] and [`export`] read and write the files of conda's users.
//!
//! # Weakness
//!
//! Files are copied from the cache and never linked: an environment costs its whole room. Two packages with different files of
//! one name are refused, where conda lets the last one win, unless the part allows that.

pub mod channel;
pub mod condarc;
pub mod export;
pub mod index;
pub mod link;
pub mod login;
pub mod machine;
pub mod pack;
pub mod package;
pub mod placing;
pub mod solve;
#[cfg(test)]
mod tests;
pub mod wanted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::try_join_all;
use rattler_conda_types::{RepoDataRecord, Subdir};
use rattler_networking::AuthenticationStorage;
use url::Url;

pub use self::channel::{Channel, Channels, Priority};
use self::link::{LinkError, Member};
use self::login::{logins, signed};
use self::machine::virtual_packages;
pub use self::machine::{platform, subdir};
pub use self::placing::Clobber;
use self::placing::Replaced;
use self::solve::{Question, solve, wishes};
use super::kept::Kept;
use super::{Kit, Pinned, PinnedFile, ProvideError, Provider, Realised};
use crate::digest::Sha256;
use crate::net::{self, Client, FetchError, NetError, Wanted};
use crate::platform::Platform;
use crate::progress::Event;

/// Raised when the same packages would give other bytes: by this module, or by rattler, which links them.
const VERSION: u32 = 1;

/// Raised when the same package would be unpacked to other files.
const KEPT: &str = "conda-1";

/// How long a channel may take to answer whether it is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a channel has where it is one: asked for in this order to see whether it is there.
const SIGNS: [&str; 3] = ["noarch/repodata_shards.msgpack.zst", "noarch/repodata.json.zst", "noarch/repodata.json"];

/// Packages that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// Each as conda writes it: `nginx >=1.26`.
    pub packages: Vec<String>,
    /// Where from.
    pub channels: Channels,
    /// By a package's file the digest that the user's own list demands of it.
    pub digests: BTreeMap<String, String>,
    /// Files in which it is said: a change of one is a change of the request.
    pub files: Vec<PathBuf>,
    /// What happens where two packages have different files of one name.
    pub clobber: Clobber,
}

/// Why conda packages could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CondaError {
    /// A word names no channel.
    #[error("`{word}` is no channel: {why}")]
    Channel {
        /// The word, without credentials.
        word: String,
        /// Why.
        why: String,
    },
    /// The user's configuration of conda cannot be used.
    #[error("conda's configuration `{}`: {why}", path.display())]
    Condarc {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The user's logins cannot be used.
    #[error("the logins in `{}` cannot be used: {why}", path.display())]
    Logins {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A wish names no package.
    #[error("`{text}` names no conda package: {why}; write a name and a range of versions (`nginx >=1.26`)")]
    Wish {
        /// What was written.
        text: String,
        /// Why.
        why: String,
    },
    /// A file with wishes cannot be used.
    #[error("`{}`: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file wishes what is not of conda.
    #[error("`{}` also asks for Python packages ({packages}): name the file in `conda` of a part of the recipe `python`, which takes both, or take them out there", path.display())]
    Pip {
        /// The file.
        path: PathBuf,
        /// They.
        packages: String,
    },
    /// A list demands another digest than the channel says.
    #[error("the channel's `{0}` is another than the list's: their digests differ")]
    Digest(String),
    /// No channel has anything for this platform.
    #[error("conda has no word for the platform {0}; take another provider")]
    Platform(Platform),
    /// What the machine has cannot be told.
    #[error("what this machine has cannot be told: {0}; is a variable `CONDA_OVERRIDE_…` wrong?")]
    Machine(String),
    /// The client does not start.
    #[error("the network cannot be used: {0}")]
    Start(String),
    /// A channel did not answer.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A channel did not answer in time.
    #[error("{address} did not answer within {seconds} s")]
    Silent {
        /// Its address, without credentials.
        address: String,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },
    /// Nobody may be asked.
    #[error("{address} is not asked, since the run is offline")]
    Offline {
        /// Its address, without credentials.
        address: String,
    },
    /// There is no channel.
    #[error("{address} answered {status}: {}", meaning(*.status))]
    NoChannel {
        /// Its address, without credentials.
        address: String,
        /// The status.
        status: u16,
    },
    /// An index cannot be read.
    #[error("the channels ({places}) cannot be read: {why}{}", if *.offline { "; the run is offline, and the cache has not all of it" } else { "" })]
    Index {
        /// The channels' addresses, without credentials.
        places: String,
        /// Why.
        why: String,
        /// Whether the network was left alone.
        offline: bool,
    },
    /// There is no set of packages.
    #[error("no set of packages of {channels} is what is asked for ({wanted}):\n{tree}\n{advice}")]
    Unsolvable {
        /// What was asked for.
        wanted: String,
        /// The channels by name.
        channels: String,
        /// Why not.
        tree: String,
        /// What to change.
        advice: String,
    },
    /// A package without a digest that counts.
    #[error("the channel says no sha256 of the package {0}, so it is not taken")]
    NoDigest(String),
    /// A package of no channel that was asked.
    #[error("the index of a channel sends for the package {0} to a place of no channel")]
    Stranger(String),
    /// Files did not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The environment could not be made.
    #[error(transparent)]
    Link(#[from] LinkError),
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "it wants a login; it is taken from the address (`https://USER:PASSWORD@…`, `…/t/TOKEN/…`), `~/.netrc` or the \
             file that RATTLER_AUTH_FILE names"
        }
        404 | 410 => "there is no channel",
        _ => "it cannot serve now",
    }
}

impl Packages {
    fn pins(&self, kit: &Kit<'_>, before: &[Pinned]) -> Result<Vec<Pinned>, CondaError> {
        let platform = Platform::current();
        let subdir = subdir(&platform).ok_or(CondaError::Platform(platform))?;
        self.pins_for(kit, subdir, before)
    }

    /// Pins for any platform.
    ///
    /// # Errors
    /// If the channels cannot be read, or have no answer.
    pub fn pins_for(&self, kit: &Kit<'_>, subdir: Subdir, before: &[Pinned]) -> Result<Vec<Pinned>, CondaError> {
        let wishes = wishes(&self.packages)?;
        let logins = logins(kit.host, &self.channels)?;
        let machine = virtual_packages(kit.host, subdir, kit.cache.root())?;
        // A network that swallows everything is told of within a bound, and by the channel that does not answer.
        if !kit.client.is_offline() {
            self.are_there(kit, PATIENCE)?;
        }
        let records = index::records(kit, &self.channels, &logins, subdir, &wishes)?;
        let channels = self.channels.names().join(", ");
        let priority = self.channels.priority;
        let question = Question { records: &records, wishes, machine, before, priority, channels };
        solve(question)?.iter().map(|record| self.pinned(record)).collect()
    }

    fn pinned(&self, record: &RepoDataRecord) -> Result<Pinned, CondaError> {
        let package = &record.package_record;
        let file = record.identifier.to_file_name();
        let digest = package.sha256.ok_or_else(|| CondaError::NoDigest(file.clone()))?;
        let sha256 = Sha256::from_bytes(digest.into());
        if let Some(demanded) = self.digests.get(&file) {
            let demanded = demanded.strip_prefix("sha256:").unwrap_or(demanded);
            let md5 = package.md5.map(|md5| md5.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            if demanded != sha256.to_hex() && Some(demanded) != md5.as_deref() {
                return Err(CondaError::Digest(file));
            }
        }
        let channel = self.channels.owner(&record.url).ok_or_else(|| CondaError::Stranger(file.clone()))?;
        Ok(Pinned {
            name: package.name.as_normalized().to_owned(),
            version: package.version.to_string(),
            place: Some(format!("{} {}", channel.name, package.subdir)),
            trust: "index digest".to_owned(),
            files: vec![PinnedFile { file, sha256, size: package.size }],
        })
    }

    /// Where a pin's file may be: in the channels of its name first, then in the others, which may have it, too.
    fn addresses(&self, pin: &Pinned, file: &str) -> Vec<Url> {
        let Some((name, subdir)) = pin.place.as_deref().and_then(|place| place.split_once(' ')) else {
            return Vec::new();
        };
        let (own, others): (Vec<&Channel>, Vec<&Channel>) =
            self.channels.list.iter().partition(|channel| channel.name == name);
        let below = |channel: &Channel| channel.address.join(&format!("{subdir}/{file}")).ok();
        own.into_iter().chain(others).filter_map(below).collect()
    }

    /// Asks all channels at once; the first that does not answer ends it.
    fn are_there(&self, kit: &Kit<'_>, patience: Duration) -> Result<(), CondaError> {
        let logins = logins(kit.host, &self.channels)?;
        let asked = self.channels.list.iter().map(|channel| is_there(kit.client, &logins, channel, patience));
        kit.client.block_on(try_join_all(asked)).map(drop)
    }
}

/// Whether a channel is there.
///
/// # Errors
/// If it is not, does not answer within `patience`, or nobody may be asked.
pub async fn is_there(
    client: &Client,
    logins: &AuthenticationStorage,
    channel: &Channel,
    patience: Duration,
) -> Result<(), CondaError> {
    let shown = || net::show(&channel.address);
    if client.is_offline() && channel.address.scheme() != "file" {
        return Err(CondaError::Offline { address: shown() });
    }
    let asked = async {
        let mut last = 404;
        for sign in SIGNS {
            let Ok(address) = channel.address.join(sign) else { continue };
            last = client.status(&signed(client, logins, &address)).await?;
            if (200..300).contains(&last) {
                return Ok(());
            }
        }
        Err(CondaError::NoChannel { address: shown(), status: last })
    };
    let silent = |_| CondaError::Silent { address: shown(), seconds: patience.as_secs() };
    tokio::time::timeout(patience, asked).await.map_err(silent)?
}

impl Provider for Packages {
    fn name(&self) -> &'static str {
        "conda"
    }

    fn version(&self) -> String {
        VERSION.to_string()
    }

    fn inputs(&self) -> BTreeMap<String, Vec<String>> {
        // A list of the lock is a set, and here the order counts.
        let names = self.channels.names();
        let channels = names.iter().enumerate().map(|(place, name)| format!("{} {name}", place + 1)).collect();
        let mut inputs: BTreeMap<String, Vec<String>> =
            [("conda".to_owned(), self.packages.clone()), ("conda channels".to_owned(), channels)].into();
        let digests = self.digests.iter().map(|(file, digest)| format!("{file} {digest}"));
        inputs.insert("conda digests".to_owned(), digests.collect());
        if self.channels.priority != Priority::default() {
            inputs.insert("conda priority".to_owned(), vec![self.channels.priority.word().to_owned()]);
        }
        inputs
    }

    fn settings(&self) -> BTreeMap<String, Vec<String>> {
        match self.clobber {
            Clobber::Refuse => BTreeMap::new(),
            Clobber::Later => [("clobber".to_owned(), vec!["later".to_owned()])].into(),
        }
    }

    fn reachable(&self, kit: &Kit<'_>) -> Result<String, ProvideError> {
        self.are_there(kit, PATIENCE)?;
        let one = |channel: &Channel| format!("{} at {}", channel.name, net::show(&channel.address));
        Ok(self.channels.list.iter().map(one).collect::<Vec<_>>().join(", "))
    }

    fn resolve(&self, kit: &Kit<'_>, before: &[Pinned]) -> Result<Vec<Pinned>, ProvideError> {
        Ok(self.pins(kit, before)?)
    }

    fn fetch(&self, kit: &Kit<'_>, pins: &[Pinned]) -> Result<(), ProvideError> {
        let logins = logins(kit.host, &self.channels)?;
        let wanted = |pin: &Pinned, file: &PinnedFile| Wanted {
            name: file.file.clone(),
            sha256: file.sha256,
            size: file.size,
            addresses: self
                .addresses(pin, &file.file)
                .iter()
                .map(|address| signed(kit.client, &logins, address))
                .collect(),
        };
        let wanted: Vec<Wanted> =
            pins.iter().flat_map(|pin| pin.files.iter().map(move |file| wanted(pin, file))).collect();
        let fetched = net::fetch(kit.client, kit.cache, &wanted, kit.jobs, kit.report, kit.distrust);
        kit.client.block_on(fetched).map_err(CondaError::from)?;
        Ok(())
    }

    fn realise(&self, kit: &Kit<'_>, pins: &[Pinned], folder: &Path) -> Result<Realised, ProvideError> {
        let platform = Platform::current();
        let subdir = subdir(&platform).ok_or(CondaError::Platform(platform))?;
        let members: Vec<Member<'_>> = pins
            .iter()
            .filter_map(|pin| {
                let file = pin.files.first()?;
                Some(Member { pin, file })
            })
            .collect();
        let replaced = link::link(Kept::of(kit, KEPT, folder), &members, subdir, folder, self.clobber)
            .map_err(CondaError::from)?;
        for Replaced { one, other, path } in replaced {
            let text = format!("`{}` is that of `{other}`, not of `{one}` (conda_clobber = \"later\")", path.display());
            kit.report.report(Event::Note(text));
        }
        Ok(Realised::default())
    }
}
