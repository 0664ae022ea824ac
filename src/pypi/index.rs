//! [`Index`]: where packages come from on this machine, and the address of each file there.
//!
//! Taken from the user's own configuration, else from what the tool (uv, or pip) has built in, which is asked for and never
//! spelled here. Addresses and their credentials stay in memory: they reach uv by its vars, and people only as
//! [`crate::net::show`] writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use futures_util::stream::{self, StreamExt as _};
use url::Url;

use super::absent::{AbsentFile, lines};
use super::config::{Configured, configured};
use super::interpreter::Interpreter;
use super::pin::{PackageName, PinnedFile};
use super::simple::{self, Listed};
use super::tool::Uv;
use crate::digest::Sha256;
use crate::host::Host;
use crate::net::{Client, Wanted, show};
use crate::process::{Run, clean_vars};

/// The largest page that is read.
const PAGE_LIMIT: u64 = 128 * 1024 * 1024;

/// How many pages are asked for at once.
const PAGES_AT_ONCE: usize = 12;

/// Vars that are handed to uv as they are: how it reaches an index, never which versions it takes.
const UV_VARS: [&str; 9] = [
    "UV_CONFIG_FILE",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX_STRATEGY",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_NATIVE_TLS",
    "UV_NO_CONFIG",
    "UV_NO_INDEX",
    "UV_SYSTEM_CERTS",
];

/// Why it is not known where packages come from.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// What was configured is no address.
    #[error("the package index of {from} is no address: {why}; correct it there")]
    Address {
        /// Where it was said.
        from: String,
        /// Why not.
        why: String,
    },
    /// Nothing is configured and no tool could be asked.
    #[error(
        "it is not known where Python packages come from: nothing is configured, and neither uv nor pip said its default \
         ({why})\nset index-url in pip.conf or uv.toml, or PIP_INDEX_URL"
    )]
    Unknown {
        /// What the tools said.
        why: String,
    },
    /// Files that are in no index.
    #[error("these files were found nowhere:{}\nlock again (`lock --upgrade`), or configure the index that has them", lines(.0))]
    Absent(Vec<AbsentFile>),
}

#[derive(Clone)]
enum Link {
    Folder(PathBuf),
    Page(Url),
}

/// Where packages come from on this machine.
pub struct Index {
    host: Host,
    interpreter: Option<PathBuf>,
    uv: Option<PathBuf>,
    configured: Configured,
    main: Option<Url>,
    extra: Vec<Url>,
    links: Vec<Link>,
    builtin: OnceLock<Result<Url, String>>,
}

/// What places say about one package.
#[derive(Default)]
struct Found {
    listed: Vec<Listed>,
    said: Vec<String>,
    asked: Vec<Url>,
}

impl Index {
    /// Reads the user's configuration. The tools are only asked for their default when it is needed.
    ///
    /// # Errors
    /// If something configured is no address.
    pub fn discover(host: &Host, interpreter: Option<&Interpreter>, uv: Option<&Uv>) -> Result<Self, IndexError> {
        let prefix = interpreter.map_or_else(PathBuf::new, |interpreter| interpreter.prefix.clone());
        let configured = configured(host, &prefix);
        let main = match &configured.index {
            Some((address, from)) => Some(parse(host, address, from)?),
            None => None,
        };
        let mut extra = Vec::new();
        for address in &configured.extra {
            extra.push(parse(host, address, "an extra index")?);
        }
        let links = configured.links.iter().filter_map(|link| as_link(host, link)).collect();
        Ok(Self {
            host: host.clone(),
            interpreter: interpreter.filter(|interpreter| interpreter.has_pip).map(|found| found.path.clone()),
            uv: uv.map(|uv| uv.path.clone()),
            configured,
            main,
            extra,
            links,
            builtin: OnceLock::new(),
        })
    }

    /// Where packages come from, for people (`doctor`): each address as it may be shown, and who said so.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .links
            .iter()
            .map(|link| match link {
                Link::Folder(folder) => format!("{} (find-links)", folder.display()),
                Link::Page(url) => format!("{} (find-links)", show(url)),
            })
            .collect();
        if self.configured.no_index {
            return lines;
        }
        lines.extend(self.extra.iter().map(|url| format!("{} (extra index)", show(url))));
        lines.push(match (&self.main, &self.configured.index, self.main_url()) {
            (Some(url), Some((_, from)), _) => format!("{} (from {from})", show(url)),
            (_, _, Ok(url)) => format!("{} (the tool's own default)", show(&url)),
            (_, _, Err(error)) => error.to_string(),
        });
        lines
    }

    /// The vars by which uv learns where packages come from.
    pub(super) fn uv_vars(&self) -> BTreeMap<String, String> {
        let mut vars: BTreeMap<String, String> =
            UV_VARS.iter().filter_map(|name| Some(((*name).to_owned(), self.host.var(name)?.to_owned()))).collect();
        if let Some(main) = &self.main {
            vars.insert("UV_DEFAULT_INDEX".to_owned(), main.to_string());
        }
        let join = |words: Vec<String>, between: &str| Some(words.join(between)).filter(|text| !text.is_empty());
        if let Some(extra) = join(self.extra.iter().map(Url::to_string).collect(), " ") {
            vars.insert("UV_INDEX".to_owned(), extra);
        }
        let links = self.links.iter().map(|link| match link {
            Link::Folder(folder) => folder.display().to_string(),
            Link::Page(url) => url.to_string(),
        });
        if let Some(links) = join(links.collect(), ",") {
            vars.insert("UV_FIND_LINKS".to_owned(), links);
        }
        if self.configured.no_index {
            vars.insert("UV_NO_INDEX".to_owned(), "1".to_owned());
        }
        if let Some(cert) = self.configured.cert.as_ref().filter(|_| self.host.var("SSL_CERT_FILE").is_none()) {
            vars.insert("SSL_CERT_FILE".to_owned(), cert.clone());
        }
        vars
    }

    /// The words of addresses that must not be shown: user info, as written and as meant.
    pub(super) fn hidden(&self) -> Vec<String> {
        let pages = self.links.iter().filter_map(|link| if let Link::Page(url) = link { Some(url) } else { None });
        let mut words = Vec::new();
        for url in self.main.iter().chain(&self.extra).chain(pages) {
            words.extend(url.password().map(ToOwned::to_owned));
            words.extend(url.password().map(simple::decode));
            // A user name alone is a token; with a password it is only a name, but short names would blot out whole logs.
            if url.password().is_none() && !url.username().is_empty() {
                words.push(url.username().to_owned());
            }
        }
        words
    }

    /// Where each file is now. The digest decides, so an index that lists another file under the name is no source.
    ///
    /// # Errors
    /// With every file that is nowhere, and what each place said.
    pub(super) fn locate(
        &self,
        client: &Client,
        files: &[(&PackageName, &PinnedFile)],
    ) -> Result<Vec<Wanted>, IndexError> {
        let mut names: Vec<&PackageName> = files.iter().map(|(name, _)| *name).collect();
        names.sort();
        names.dedup();
        let pages = self.pages(client, &names)?;
        let mut absent = Vec::new();
        let mut wanted = Vec::new();
        for (name, file) in files {
            let Some(found) = pages.get(*name) else { continue };
            let (addresses, size) = addresses(found, file);
            // Nothing was asked: the fetch itself says that this file would have been needed.
            let addresses = if addresses.is_empty() && client.is_offline() { found.asked.clone() } else { addresses };
            if addresses.is_empty() {
                absent.push(AbsentFile { file: file.file.clone(), said: said(found, file) });
            }
            wanted.push(Wanted { name: file.file.clone(), sha256: file.sha256, size: file.size.or(size), addresses });
        }
        if absent.is_empty() { Ok(wanted) } else { Err(IndexError::Absent(absent)) }
    }

    /// All files that the places list for a package.
    pub(super) fn list(&self, client: &Client, names: &[&PackageName]) -> Result<Vec<Vec<Listed>>, IndexError> {
        let mut pages = self.pages(client, names)?;
        Ok(names.iter().map(|name| pages.remove(*name).unwrap_or_default().listed).collect())
    }

    fn pages(&self, client: &Client, names: &[&PackageName]) -> Result<BTreeMap<PackageName, Found>, IndexError> {
        let mut indexes = self.extra.clone();
        if !self.configured.no_index {
            indexes.push(self.main_url()?);
        }
        let found = client.block_on(
            stream::iter(names.iter().map(|name| self.page(client, &indexes, name)))
                .buffer_unordered(PAGES_AT_ONCE)
                .collect::<BTreeMap<_, _>>(),
        );
        Ok(found)
    }

    async fn page(&self, client: &Client, indexes: &[Url], name: &PackageName) -> (PackageName, Found) {
        let mut found = Found::default();
        for link in &self.links {
            match link {
                Link::Folder(folder) => found.listed.extend(in_folder(folder)),
                Link::Page(url) => ask(client, url.clone(), &mut found).await,
            }
        }
        for index in indexes {
            ask(client, page_address(index, name), &mut found).await;
        }
        (name.clone(), found)
    }

    /// The main index: as configured, else the tool's own.
    fn main_url(&self) -> Result<Url, IndexError> {
        if let Some(main) = &self.main {
            return Ok(main.clone());
        }
        self.builtin.get_or_init(|| self.ask_tools()).clone().map_err(|why| IndexError::Unknown { why })
    }

    fn ask_tools(&self) -> Result<Url, String> {
        let mut said = Vec::new();
        if let Some(uv) = &self.uv {
            // An empty resolution, offline, which prints the index that it would have used. Without a cache: uv's own
            // would stay in the user's home after a wipe.
            let words = ["pip", "compile", "--quiet", "--offline", "--no-cache", "--no-config", "--no-header"];
            let args = words.into_iter().chain(["--emit-index-url", "-"]);
            let printed = Run::new(uv, clean_vars(&self.host)).args(args).capture().go();
            match printed.map(|done| index_url(&String::from_utf8_lossy(&done.stdout))) {
                Ok(Some(url)) => return Ok(url),
                Ok(None) => said.push("uv printed no address".to_owned()),
                Err(error) => said.push(error.to_string()),
            }
        }
        if let Some(python) = &self.interpreter {
            let script = "from pip._internal.models.index import PyPI; print('--index-url ' + PyPI.simple_url)";
            let printed = Run::new(python, clean_vars(&self.host)).args(["-I", "-c", script]).capture().go();
            match printed.map(|done| index_url(&String::from_utf8_lossy(&done.stdout))) {
                Ok(Some(url)) => return Ok(url),
                Ok(None) => said.push("pip printed no address".to_owned()),
                Err(error) => said.push(error.to_string()),
            }
        }
        Err(if said.is_empty() { "there is neither".to_owned() } else { said.join("; ") })
    }
}

fn index_url(printed: &str) -> Option<Url> {
    let line = printed.lines().find_map(|line| line.trim().strip_prefix("--index-url"))?;
    Url::parse(line.trim_start_matches('=').trim()).ok()
}

fn parse(host: &Host, address: &str, from: &str) -> Result<Url, IndexError> {
    if !address.contains("://") {
        let folder = host.folder.join(address);
        return Url::from_directory_path(&folder)
            .map_err(|()| IndexError::Address { from: from.to_owned(), why: "it is no absolute path".to_owned() });
    }
    Url::parse(address).map_err(|error| IndexError::Address { from: from.to_owned(), why: error.to_string() })
}

/// A place of files; a folder that is not there holds none, as for pip.
fn as_link(host: &Host, link: &str) -> Option<Link> {
    if link.contains("://") {
        let url = Url::parse(link).ok()?;
        return Some(match url.to_file_path() {
            Ok(path) if url.scheme() == "file" && path.is_dir() => Link::Folder(path),
            _ => Link::Page(url),
        });
    }
    let path = match (link.strip_prefix("~/"), host.home()) {
        (Some(rest), Ok(home)) => home.join(rest),
        _ => host.folder.join(link),
    };
    if path.is_dir() {
        return Some(Link::Folder(path));
    }
    if path.is_file() { Url::from_file_path(path).ok().map(Link::Page) } else { None }
}

fn page_address(index: &Url, name: &PackageName) -> Url {
    let mut url = index.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(name.as_str()).push("");
    }
    url
}

async fn ask(client: &Client, url: Url, found: &mut Found) {
    found.asked.push(url.clone());
    if client.is_offline() && url.scheme() != "file" {
        return;
    }
    let shown = show(&url);
    match client.text(&url, simple::ACCEPT, PAGE_LIMIT).await {
        Ok(answer) if answer.status == 200 => {
            // Joined to the address that was asked for where it did not move, since only that one has the user info.
            let base = if answer.final_url.origin() == url.origin() {
                let mut base = answer.final_url.clone();
                let _ = base.set_username(url.username());
                let _ = base.set_password(url.password());
                base
            } else {
                answer.final_url.clone()
            };
            match simple::read(&base, answer.content_type.as_deref(), &answer.body) {
                Ok(listed) => found.listed.extend(listed),
                Err(error) => found.said.push(format!("{shown}: {error}")),
            }
        }
        Ok(answer) => found.said.push(format!("{shown}: answered {}", answer.status)),
        Err(error) => found.said.push(error.to_string()),
    }
}

/// The files of a folder. Their digests are taken only when a name is wanted.
fn in_folder(folder: &Path) -> Vec<Listed> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    let listed = entries.flatten().filter_map(|entry| {
        let url = Url::from_file_path(entry.path()).ok()?;
        Some(Listed { file: entry.file_name().into_string().ok()?, url, sha256: None, size: None })
    });
    listed.collect()
}

/// The addresses of one file among what was found.
fn addresses(found: &Found, file: &PinnedFile) -> (Vec<Url>, Option<u64>) {
    let same_name = found.listed.iter().filter(|listed| listed.file == file.file);
    let same = same_name.filter(|listed| match listed.sha256 {
        Some(sha256) => sha256 == file.sha256,
        None => local_digest(&listed.url).is_none_or(|sha256| sha256 == file.sha256),
    });
    let same: Vec<&Listed> = same.collect();
    (same.iter().map(|listed| listed.url.clone()).collect(), same.iter().find_map(|listed| listed.size))
}

fn local_digest(url: &Url) -> Option<Sha256> {
    let path = url.to_file_path().ok().filter(|_| url.scheme() == "file")?;
    Sha256::of_reader(fs_err::File::open(path).ok()?).ok()
}

fn said(found: &Found, file: &PinnedFile) -> Vec<String> {
    let mut said = found.said.clone();
    if found.listed.iter().any(|listed| listed.file == file.file) {
        said.push(format!(
            "a file of this name with another digest than the lock's ({}) is offered, and was refused",
            file.sha256
        ));
    } else if said.is_empty() {
        said.extend(found.asked.iter().map(|url| format!("{}: does not list it", show(url))));
    }
    said
}
