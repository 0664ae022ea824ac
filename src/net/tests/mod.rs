//! The client and the fetching against servers that behave badly, and one that behaves.

mod cache;
mod document;
mod download;
mod trust;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use url::Url;

use super::test_server::{AUTHORITY, Ending, Reply, Request, Server};
use super::{Cache, Client, FetchError, NetError, Patience, Wanted, fetch};
use crate::digest::Sha256;
use crate::host::Host;
use crate::progress::{Event, Report, Reporter};

const QUICK: Patience = Patience {
    connect: Duration::from_secs(1),
    stall: Duration::from_millis(300),
    attempts: 3,
    pause: Duration::from_millis(1),
    longest_pause: Duration::from_secs(2),
};

#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl Report for Heard {
    fn report(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

struct Place {
    root: tempfile::TempDir,
    vars: BTreeMap<String, String>,
    offline: bool,
    heard: Arc<Heard>,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let vars = [("HOME".to_owned(), root.path().display().to_string())].into();
        Self { root, vars, offline: false, heard: Arc::default() }
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    fn client(&self) -> Client {
        let host = Host {
            vars: self.vars.clone(),
            folder: self.root.path().to_owned(),
            user: 1,
            name: "test".to_owned(),
            program: PathBuf::from("/bin/true"),
        };
        Client::with_patience(&host, self.offline, QUICK).unwrap()
    }

    fn cache(&self) -> Cache {
        Cache::open(&self.root.path().join("cache")).unwrap()
    }

    fn fetch_all(&self, wanted: &[Wanted]) -> Result<Vec<PathBuf>, FetchError> {
        let (client, report): (_, Reporter) = (self.client(), self.heard.clone());
        client.block_on(fetch(&client, &self.cache(), wanted, 4, &report, false))
    }

    fn fetch(&self, file: &[u8], addresses: &[Url]) -> Result<Sha256, String> {
        let paths = self.fetch_all(&[wanted(file, addresses)]).map_err(|error| error.to_string())?;
        Ok(Sha256::of(fs_err::read(&paths[0]).unwrap()))
    }

    fn text(&self, url: &Url) -> Result<(u16, Vec<u8>), String> {
        let client = self.client();
        let answer = client.block_on(client.text(url, "text/html", 10_000));
        answer.map(|answer| (answer.status, answer.body)).map_err(|error| error.to_string())
    }

    /// Puts the first bytes of a file into its part, as a killed run leaves them.
    fn leave_part(&self, file: &[u8], bytes: &[u8]) {
        let folder = self.cache().path(&Sha256::of(file), "x").parent().unwrap().to_owned();
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join(".part"), bytes).unwrap();
    }

    fn heard(&self) -> Vec<Event> {
        self.heard.0.lock().unwrap().clone()
    }

    fn advanced(&self) -> u64 {
        self.heard().iter().map(|event| if let Event::Advance { bytes, .. } = event { *bytes } else { 0 }).sum()
    }
}

fn wanted(file: &[u8], addresses: &[Url]) -> Wanted {
    Wanted {
        name: "f.whl".to_owned(),
        sha256: Sha256::of(file),
        size: Some(file.len() as u64),
        addresses: addresses.to_vec(),
    }
}

fn file() -> Vec<u8> {
    (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn whole() -> Result<Sha256, String> {
    Ok(Sha256::of(file()))
}

/// The file, after as many bad replies as given.
fn after(bad: Vec<Reply>) -> impl Fn(&Request) -> Reply {
    move |request| bad.get(request.number).cloned().unwrap_or_else(|| Reply::range(request, &file()))
}
