//! Whom a connection trusts and through what it goes: certificate roots and proxies, from the [`Host`] alone.
//!
//! Roots are the platform's bundle and, *in addition*, what the usual variables name: a site's own authority should not
//! take the public ones away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::{NoProxy, Proxy};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::host::Host;

/// Variables that name a file (or folder) of certificates.
const VARS: [&str; 5] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"];

/// Where platforms keep their bundle; the first that exists is used.
const BUNDLES: [&str; 7] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
];

/// Why the connection cannot be set up as the user wants it.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A variable names a file that cannot be read.
    #[error("the certificates that {var} names cannot be read: {source}; correct or unset {var}")]
    Unreadable {
        /// The variable.
        var: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A variable names a file without certificates.
    #[error("{var} names `{}`, in which there is no certificate in PEM form; correct or unset {var}", path.display())]
    Empty {
        /// The variable.
        var: &'static str,
        /// The file or folder.
        path: PathBuf,
    },
    /// A variable names a proxy in a form that cannot be read. Its value may hold a password.
    #[error("the proxy in {0} is no address; write it as http://host:port, or unset {0}")]
    Proxy(&'static str),
    /// The cryptography refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The library refuses the settings.
    #[error("the network client cannot be set up: {0}")]
    Client(String),
}

/// The TLS settings: all roots, HTTP/2 where the server has it.
///
/// # Errors
/// If a variable names certificates that cannot be read.
pub fn tls(host: &Host) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(host)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(host: &Host) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    if let Some(bundle) = BUNDLES.iter().map(Path::new).find(|path| path.is_file()) {
        // A platform without a readable bundle can still use plain http, file and the user's own roots.
        let _ = add(&mut roots, bundle);
    }
    for var in VARS {
        let Some(value) = host.var(var) else { continue };
        let mut added = 0;
        // SSL_CERT_DIR is a list as PATH is; the others name one place.
        for path in std::env::split_paths(value).map(|path| host.folder.join(path)) {
            added += add_place(&mut roots, &path).map_err(|source| TrustError::Unreadable { var, source })?;
        }
        if added == 0 && var != "SSL_CERT_DIR" {
            return Err(TrustError::Empty { var, path: PathBuf::from(value) });
        }
    }
    Ok(roots)
}

fn add_place(roots: &mut RootCertStore, path: &Path) -> std::io::Result<usize> {
    if !path.is_dir() {
        return add(roots, path);
    }
    let mut added = 0;
    for entry in fs_err::read_dir(path)? {
        let path = entry?.path();
        if path.is_file() {
            // Such a folder also holds other things than certificates.
            added += add(roots, &path).unwrap_or(0);
        }
    }
    Ok(added)
}

/// Adds the certificates of a file; those that cannot be read (platforms carry odd ones) are passed over.
fn add(roots: &mut RootCertStore, path: &Path) -> std::io::Result<usize> {
    let bytes = fs_err::read(path)?;
    let certificates = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok);
    Ok(roots.add_parsable_certificates(certificates).0)
}

/// The proxies that the usual variables name, in either case of letters.
///
/// # Errors
/// If one is no address.
pub fn proxies(host: &Host) -> Result<Vec<Proxy>, TrustError> {
    let except = either(host, "no_proxy", "NO_PROXY").and_then(|(_, list)| NoProxy::from_string(list));
    let mut proxies = Vec::new();
    let mut add = |lower, upper, make: fn(&str) -> reqwest::Result<Proxy>| {
        if let Some((var, address)) = either(host, lower, upper) {
            proxies.push(make(address).map_err(|_| TrustError::Proxy(var))?.no_proxy(except.clone()));
        }
        Ok::<(), TrustError>(())
    };
    add("http_proxy", "HTTP_PROXY", |address| Proxy::http(address))?;
    add("https_proxy", "HTTPS_PROXY", |address| Proxy::https(address))?;
    add("all_proxy", "ALL_PROXY", |address| Proxy::all(address))?;
    Ok(proxies)
}

fn either<'a>(host: &'a Host, lower: &'static str, upper: &'static str) -> Option<(&'static str, &'a str)> {
    let find = |name| host.var(name).map(|value| (name, value));
    find(lower).or_else(|| find(upper))
}
