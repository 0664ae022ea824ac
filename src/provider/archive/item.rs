//! [`Item`]: one file of the net with a digest, and what is to become of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use crate::digest::Sha256;
use crate::net::{self, Cache, CacheError, FetchError, Wanted};
use crate::provider::{Kit, Pinned, PinnedFile};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A file that is taken as it is, and may be executed.
    File,
    /// A change to the sources beside it, as `diff -u` writes it.
    Patch,
    /// Packed files: tar or zip.
    Tree,
}

/// One file with a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name: one plain component.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// Where it can be had, in this order; the digest says what it is.
    pub addresses: Vec<Url>,
    /// Its digest.
    pub sha256: Sha256,
    /// Leading components that are left out of every name in it.
    pub strip: usize,
    /// Where it goes, relative.
    pub to: PathBuf,
    /// What it is.
    pub form: Form,
}

impl Item {
    /// Its file's name: what its first address ends with.
    #[must_use]
    pub fn file(&self) -> String {
        let mut segments = self.addresses.iter().filter_map(|address| address.path_segments()?.next_back());
        let named = segments.find(|name| !name.is_empty() && *name != "." && *name != "..");
        named.map_or_else(|| format!("{}-{}", self.name, self.version), str::to_owned)
    }

    /// It, as the lock has it.
    #[must_use]
    pub fn pin(&self) -> Pinned {
        Pinned {
            name: self.name.clone(),
            version: self.version.clone(),
            place: None,
            trust: "given digest".to_owned(),
            files: vec![PinnedFile { file: self.file(), sha256: self.sha256, size: None }],
        }
    }

    /// What of it is an input of the lock.
    #[must_use]
    pub fn asked(&self) -> String {
        format!("{} {} {}", self.name, self.version, self.sha256)
    }

    /// What of it changes what is made, besides the file itself.
    pub(in crate::provider) fn setting(&self) -> (String, Vec<String>) {
        let form = match self.form {
            Form::File => "file",
            Form::Patch => "patch",
            Form::Tree => "tree",
        };
        (format!("item {}", self.name), vec![form.to_owned(), self.strip.to_string(), self.to.display().to_string()])
    }

    /// Where to get it: the user's mirrors first, which are near.
    fn all_addresses(&self, mirrors: &[Url]) -> Vec<Url> {
        let file = self.file();
        let at_mirror = |mirror: &Url| {
            let mut mirror = mirror.clone();
            mirror.path_segments_mut().ok()?.pop_if_empty().push(&file);
            Some(mirror)
        };
        mirrors.iter().filter_map(at_mirror).chain(self.addresses.iter().cloned()).collect()
    }
}

/// Whether the files are in the cache, on this machine, or can be asked for; in words for people.
///
/// # Errors
/// Why not.
pub(in crate::provider) fn reach(kit: &Kit<'_>, items: &[Item], mirrors: &[Url]) -> Result<String, String> {
    let in_cache = |item: &Item| matches!(kit.cache.find(&item.sha256, &item.file()), Ok(Some(_)));
    let Some(item) = items.iter().find(|item| !in_cache(item)) else { return Ok("in the download cache".to_owned()) };
    let mut failed = Vec::new();
    for address in item.all_addresses(mirrors) {
        let shown = net::show(&address);
        match address.to_file_path() {
            Ok(path) if address.scheme() == "file" => match path.is_file() {
                true => return Ok(shown),
                false => failed.push(format!("{shown} is not there")),
            },
            _ if kit.client.is_offline() => failed.push(format!("{shown} is not asked, because of --offline")),
            _ => match ask(kit, &address) {
                Ok(()) => return Ok(shown),
                Err(why) => failed.push(why),
            },
        }
    }
    Err(failed.join("; "))
}

/// Whether an address has something. It is far larger than what is read of it.
fn ask(kit: &Kit<'_>, address: &Url) -> Result<(), String> {
    let shown = net::show(address);
    let ask = async { tokio::time::timeout(super::PATIENCE, kit.client.text(address, "*/*", 1)).await };
    match kit.client.block_on(ask) {
        Ok(Ok(answer)) if answer.status < 400 => Ok(()),
        Ok(Ok(answer)) => Err(format!("{shown} answered {}", answer.status)),
        Ok(Err(net::NetError::Text { trouble, .. })) if matches!(*trouble, net::Trouble::TooLarge(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("{shown} did not answer within {} s", super::PATIENCE.as_secs())),
    }
}

/// Brings the files into the cache.
///
/// # Errors
/// With every file that did not come.
pub(in crate::provider) fn fetch(
    kit: &Kit<'_>,
    items: &[Item],
    mirrors: &[Url],
    pins: &[Pinned],
) -> Result<(), FetchError> {
    let addresses: BTreeMap<&str, Vec<Url>> =
        items.iter().map(|item| (item.name.as_str(), item.all_addresses(mirrors))).collect();
    let wanted = pins.iter().flat_map(|pin| {
        let addresses = addresses.get(pin.name.as_str()).cloned().unwrap_or_default();
        pin.files.iter().map(move |file| Wanted {
            name: file.file.clone(),
            sha256: file.sha256,
            size: file.size,
            addresses: addresses.clone(),
        })
    });
    let wanted: Vec<Wanted> = wanted.collect();
    let fetched = net::fetch(kit.client, kit.cache, &wanted, kit.jobs, kit.report, kit.distrust);
    kit.client.block_on(fetched).map(drop)
}

/// An item's file in the cache, its digest compared.
///
/// # Errors
/// If the cache cannot be read.
pub(in crate::provider) fn cached(cache: &Cache, item: &Item) -> Result<Option<PathBuf>, CacheError> {
    cache.find(&item.sha256, &item.file())
}
