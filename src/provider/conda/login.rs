//! Who asks a private channel: from the channel's address, the login file of conda's tools, and netrc.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rattler_networking::authentication_storage::StorageBackend;
use rattler_networking::authentication_storage::backends::memory::MemoryStorage;
use rattler_networking::{Authentication, AuthenticationStorage};
use url::Url;

use super::CondaError;
use super::channel::{Channels, Login};
use crate::host::Host;
use crate::net::Client;
use crate::net::netrc::Netrc;

/// Where conda's tools keep logins, below the home.
const FILE: &str = ".rattler/credentials.json";

/// The logins for some channels.
///
/// # Errors
/// If the file with logins cannot be read.
pub fn logins(host: &Host, channels: &Channels) -> Result<AuthenticationStorage, CondaError> {
    let known = MemoryStorage::new();
    let keep = |host: &str, login: &Authentication| {
        known
            .store(host, login)
            .map_err(|_| CondaError::Logins { path: PathBuf::from(FILE), why: "cannot be kept".to_owned() })
    };
    let netrc = Netrc::read(host);
    let hosts = || channels.list.iter().filter_map(|channel| Some((channel, channel.address.host_str()?)));
    for (_, name) in hosts() {
        if let Some(found) = netrc.find(name, true) {
            let password = found.password.clone().unwrap_or_default();
            keep(name, &Authentication::BasicHTTP { username: found.user.clone(), password })?;
        }
    }
    for (name, login) in file(host)? {
        keep(&name, &login)?;
    }
    // What stands in an address is meant for it.
    for (channel, name) in hosts() {
        match &channel.login {
            Some(Login::Basic { user, password }) => {
                keep(name, &Authentication::BasicHTTP { username: user.clone(), password: password.clone() })?;
            }
            Some(Login::Token(token)) => keep(name, &Authentication::CondaToken(token.clone()))?,
            None => {}
        }
    }
    let mut storage = AuthenticationStorage::empty();
    storage.add_backend(Arc::new(known));
    Ok(storage)
}

fn file(host: &Host) -> Result<HashMap<String, Authentication>, CondaError> {
    let named = host.var("RATTLER_AUTH_FILE").map(PathBuf::from);
    let Some(path) = named.or_else(|| Some(host.home().ok()?.join(FILE))) else { return Ok(HashMap::new()) };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(CondaError::Logins { path, why: error.to_string() }),
    };
    // The parser's own words may quote what it read.
    serde_json::from_slice(&text).map_err(|error| CondaError::Logins {
        path,
        why: format!("it is not understood (line {}, column {})", error.line(), error.column()),
    })
}

/// An address with the login that its host wants: in the address where that is the way, else told to the client.
#[must_use]
pub fn signed(client: &Client, logins: &AuthenticationStorage, address: &Url) -> Url {
    let mut signed = address.clone();
    let Ok((_, Some(login))) = logins.get_by_url(address.clone()) else { return signed };
    match login {
        Authentication::BasicHTTP { username, password } => {
            // Both fail only for addresses without a host, which want no login.
            let _ = signed.set_username(&username);
            let _ = signed.set_password(Some(&password));
        }
        Authentication::CondaToken(token) => {
            let path = format!("/t/{token}{}", address.path());
            signed.set_path(&path);
        }
        Authentication::BearerToken(token) | Authentication::OAuth { access_token: token, .. } => {
            client.bear(address, token)
        }
        // Keys of a store that is no web server; channels of that kind are refused.
        Authentication::S3Credentials { .. } => {}
    }
    signed
}
