//! The one HTTP client: redirects, credentials and retries in our own words.
//!
//! Redirects are followed here and not by the library, since each hop decides anew: an origin gets only credentials of its
//! own, https never falls back to http, and a place that was seen before ends the walk.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use url::{Origin, Url};

use super::address::{self, Credentials, show};
use super::answer::{Answer, inflate, is_redirect, next_place, read_local, retry_after};
use super::netrc::Netrc;
use super::patience::{Patience, jitter};
use super::trouble::Trouble;
use super::trust::{self, TrustError};
use crate::host::Host;

/// Redirects that are followed for one request.
const MOST_REDIRECTS: usize = 10;

/// Why a document did not come, or no connection can be set up.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A document did not come.
    #[error("{address} could not be fetched: {trouble}{}", times(*.attempts))]
    Text {
        /// The address, as people may see it.
        address: String,
        /// Why the last attempt failed.
        #[source]
        trouble: Box<Trouble>,
        /// How many attempts were made.
        attempts: u32,
    },
    /// The roots or proxies of this machine cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The library refuses to start.
    #[error("the network client cannot be started: {0}")]
    Start(String),
}

impl NetError {
    /// Whether it is on this machine, so that no other address would end better.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Text { trouble, .. } => trouble.is_local(),
            Self::Trust(_) | Self::Start(_) => true,
        }
    }
}

fn times(attempts: u32) -> String {
    if attempts > 1 { format!(" (after {attempts} attempts)") } else { String::new() }
}

struct Inner {
    host: Host,
    offline: bool,
    patience: Patience,
    netrc: OnceLock<Netrc>,
    /// Credentials that addresses carried, by their origin: relative and absolute links of an index need them too.
    known: Mutex<HashMap<Origin, Credentials>>,
    /// Tokens that an origin wants in a header.
    bearers: Mutex<HashMap<Origin, String>>,
    /// Origins that were given up because no connection could be made: without a network, a hundred files should not each
    /// find that out by several attempts.
    silent: Mutex<HashSet<Origin>>,
    http: OnceLock<Result<reqwest::Client, Arc<TrustError>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// The client. A clone is the same client. Certificates are read at the first request, so that a run that needs none pays
/// nothing.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

impl Client {
    /// A client for this host's variables; `offline` answers `file://` addresses only.
    ///
    /// # Errors
    /// If the system refuses the runtime's threads.
    pub fn new(host: &Host, offline: bool) -> Result<Self, NetError> {
        Self::with_patience(host, offline, Patience::default())
    }

    /// A client that waits and tries as told.
    ///
    /// # Errors
    /// If the system refuses the runtime's threads.
    pub fn with_patience(host: &Host, offline: bool, patience: Patience) -> Result<Self, NetError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("net")
            .enable_all()
            .build()
            .map_err(|error| NetError::Start(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            host: host.clone(),
            offline,
            patience,
            netrc: OnceLock::new(),
            known: Mutex::default(),
            bearers: Mutex::default(),
            silent: Mutex::default(),
            http: OnceLock::new(),
            runtime: Some(runtime),
        })))
    }

    /// Whether only the cache and `file://` addresses are used.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.0.offline
    }

    /// How it waits and tries.
    #[must_use]
    pub fn patience(&self) -> &Patience {
        &self.0.patience
    }

    /// Runs a future on the client's own runtime, for callers that have none. Not from inside a runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let runtime = self.0.runtime.as_ref().expect("it is taken only when the last client is dropped");
        runtime.block_on(future)
    }

    /// A small document, of at most `limit` bytes; http, https and `file://` (a folder gives its `index.html`). Every status
    /// that will not pass by itself is an answer; what may pass is tried again.
    ///
    /// # Errors
    /// If no answer comes, or a larger one.
    pub async fn text(&self, url: &Url, accept: &str, limit: u64) -> Result<Answer, NetError> {
        if let Some(path) = address::local(url) {
            return read_local(url, path, limit).map_err(|trouble| text_error(url, trouble, 1));
        }
        let mut failed = 0;
        loop {
            let trouble = match self.text_once(url, accept, limit).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            failed += 1;
            match self.pause_after(url, &trouble, failed, failed) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(text_error(url, trouble, failed)),
            }
        }
    }

    /// Asks once for an address and reads no more than its status, to see whether somebody is there.
    ///
    /// # Errors
    /// If no answer comes, or one that may pass.
    pub async fn status(&self, url: &Url) -> Result<u16, NetError> {
        if let Some(path) = address::local(url) {
            return Ok(if path.exists() { 200 } else { 404 });
        }
        let asked = self.get(url, &HeaderMap::new()).await;
        asked.map(|(response, _)| response.status().as_u16()).map_err(|trouble| text_error(url, trouble, 1))
    }

    /// From now on a token goes with every request to the origin of an address.
    pub fn bear(&self, url: &Url, token: String) {
        let mut bearers = self.0.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        bearers.insert(address::origin(url), token);
    }

    /// A client of the same trust, proxies and patience for a library that speaks HTTP itself: redirects are followed, but
    /// never from https to http.
    ///
    /// # Errors
    /// If the roots or proxies of this machine cannot be used.
    pub fn for_library(&self) -> Result<reqwest::Client, TrustError> {
        let follow = reqwest::redirect::Policy::custom(|attempt| {
            let was_safe = attempt.previous().last().is_some_and(|from| from.scheme() == "https");
            if was_safe && attempt.url().scheme() != "https" {
                attempt.error("it leads from https to http")
            } else if attempt.previous().len() > MOST_REDIRECTS {
                attempt.error("too many redirects")
            } else {
                attempt.follow()
            }
        });
        let builder = builder(&self.0.host, &self.0.patience)?.redirect(follow).read_timeout(self.0.patience.stall);
        builder.build().map_err(|error| TrustError::Client(error.to_string()))
    }

    /// How long to wait after a failure at an address; `None`: give it up.
    pub(super) fn pause_after(&self, url: &Url, trouble: &Trouble, failed: u32, barren: u32) -> Option<Duration> {
        let origin = address::origin(url);
        let unreachable = matches!(trouble, Trouble::Unreachable(_));
        let mut silent = self.0.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if !trouble.passes() || (unreachable && silent.contains(&origin)) {
            return None;
        }
        let asked = if let Trouble::Busy { after, .. } = trouble { *after } else { None };
        let pause = self.0.patience.pause_before(failed, barren, asked, jitter());
        if unreachable && pause.is_none() {
            silent.insert(origin);
        }
        pause
    }

    async fn text_once(&self, url: &Url, accept: &str, limit: u64) -> Result<Answer, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap_or(HeaderValue::from_static("*/*")));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let (mut response, final_url) = self.get(url, &headers).await?;
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(Trouble::TooLarge(limit));
        }
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, encoding) = (header(CONTENT_TYPE), header(CONTENT_ENCODING));
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            body.extend_from_slice(chunk.as_ref());
            if body.len() as u64 > limit {
                return Err(Trouble::TooLarge(limit));
            }
        }
        if encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("gzip")) {
            body = inflate(&body, limit)?;
        }
        Ok(Answer { status, body, content_type, final_url })
    }

    /// The next bytes of a body, or why none came.
    pub(super) async fn chunk(&self, response: &mut Response) -> Result<Option<impl AsRef<[u8]> + use<>>, Trouble> {
        let stall = self.0.patience.stall;
        match tokio::time::timeout(stall, response.chunk()).await {
            Err(_) => Err(Trouble::Stalled(stall)),
            Ok(chunk) => chunk.map_err(|error| Trouble::http(error, stall)),
        }
    }

    /// Asks for an address and follows its redirects; also returns where it ended. A status that may pass is an error.
    pub(super) async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<(Response, Url), Trouble> {
        if self.0.offline {
            return Err(Trouble::Offline);
        }
        if let Some(credentials) = address::credentials(url) {
            let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(address::origin(url), credentials);
        }
        let start = address::origin(url);
        let mut place = address::bare(url);
        let mut seen = vec![place.clone()];
        loop {
            let response = self.ask(&place, headers, seen.len() > 1).await?;
            if !is_redirect(&response) {
                let status = response.status();
                if status == StatusCode::TOO_MANY_REQUESTS
                    || status == StatusCode::REQUEST_TIMEOUT
                    || status.is_server_error()
                {
                    return Err(Trouble::Busy { status: status.as_u16(), after: retry_after(response.headers()) });
                }
                if start == address::origin(&place) {
                    let _ = place.set_username(url.username());
                    let _ = place.set_password(url.password());
                }
                return Ok((response, place));
            }
            place = next_place(&place, response.headers())?;
            if seen.contains(&place) {
                return Err(Trouble::Loop(show(&place)));
            }
            if seen.len() > MOST_REDIRECTS {
                return Err(Trouble::Redirects(MOST_REDIRECTS));
            }
            seen.push(place.clone());
        }
    }

    async fn ask(&self, place: &Url, headers: &HeaderMap, redirected: bool) -> Result<Response, Trouble> {
        if !matches!(place.scheme(), "http" | "https") {
            return Err(Trouble::Scheme(place.scheme().to_owned()));
        }
        let mut request = self.http()?.get(place.clone()).headers(headers.clone());
        if let Some(token) = self.bearer(place) {
            request = request.bearer_auth(token);
        } else if let Some(credentials) = self.credentials(place, redirected) {
            request = request.basic_auth(&credentials.user, credentials.password.as_ref());
        }
        debug_assert!(!headers.contains_key(AUTHORIZATION), "credentials belong to one origin, not to a request");
        let stall = self.0.patience.stall + self.0.patience.connect;
        match tokio::time::timeout(stall, request.send()).await {
            Err(_) => Err(Trouble::Stalled(self.0.patience.stall)),
            Ok(sent) => sent.map_err(|error| Trouble::http(error, self.0.patience.stall)),
        }
    }

    /// The credentials of this origin: those of an address with user info, else of the netrc file. After a redirect the
    /// netrc's `default` entry does not count, since any server could ask for it then.
    fn credentials(&self, place: &Url, redirected: bool) -> Option<Credentials> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner).get(&address::origin(place)).cloned();
        known.or_else(|| {
            let netrc = self.0.netrc.get_or_init(|| Netrc::read(&self.0.host));
            netrc.find(place.host_str()?, !redirected).cloned()
        })
    }

    fn bearer(&self, place: &Url) -> Option<String> {
        self.0.bearers.lock().unwrap_or_else(PoisonError::into_inner).get(&address::origin(place)).cloned()
    }

    fn http(&self) -> Result<&reqwest::Client, Trouble> {
        let made = self.0.http.get_or_init(|| build(&self.0.host, &self.0.patience).map_err(Arc::new));
        made.as_ref().map_err(|error| Trouble::Setup(error.to_string()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A plain drop would panic inside another runtime and wait for blocked file locks elsewhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn build(host: &Host, patience: &Patience) -> Result<reqwest::Client, TrustError> {
    // Packed answers are unpacked here, within limits, whatever the library could do.
    let builder = builder(host, patience)?.redirect(reqwest::redirect::Policy::none());
    let builder = builder.no_gzip().no_brotli().no_zstd().no_deflate();
    builder.build().map_err(|error| TrustError::Client(error.to_string()))
}

fn builder(host: &Host, patience: &Patience) -> Result<reqwest::ClientBuilder, TrustError> {
    // For libraries that ask for the process's provider; it does not matter who was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("jove-install/", env!("CARGO_PKG_VERSION")))
        .referer(false)
        .connect_timeout(patience.connect)
        .tls_backend_preconfigured(trust::tls(host)?)
        // The library would look at the process's variables itself.
        .no_proxy();
    for proxy in trust::proxies(host)? {
        builder = builder.proxy(proxy);
    }
    Ok(builder)
}

fn text_error(url: &Url, trouble: Trouble, attempts: u32) -> NetError {
    NetError::Text { address: show(url), trouble: Box::new(trouble), attempts }
}
