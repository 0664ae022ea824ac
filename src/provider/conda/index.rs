//! What channels have: their indexes, sharded or whole, with what is known of them kept in the cache.

use rattler_conda_types::{Channel as Remote, MatchSpec, Subdir};
use rattler_networking::{AuthenticationMiddleware, AuthenticationStorage, LazyClient};
use rattler_repodata_gateway::fetch::CacheAction;
use rattler_repodata_gateway::{ChannelConfig, Gateway, GatewayError, RepoData, SourceConfig};

use super::CondaError;
use super::channel::{Channel, Channels};
use crate::net::show;
use crate::provider::Kit;

/// Requests to channels at once.
const REQUESTS: usize = 50;

/// Everything of the channels that could be part of an answer.
///
/// # Errors
/// If a channel cannot be read.
pub fn records(
    kit: &Kit<'_>,
    channels: &Channels,
    logins: &AuthenticationStorage,
    subdir: Subdir,
    wanted: &[MatchSpec],
) -> Result<Vec<RepoData>, CondaError> {
    let library = kit.client.for_library().map_err(|error| CondaError::Start(error.to_string()))?;
    let signing = AuthenticationMiddleware::from_auth_storage(logins.clone());
    let client = reqwest_middleware::ClientBuilder::new(library).with(signing).build();
    let remote: Vec<Remote> = channels.list.iter().map(remote).collect();
    let ask = |cache_action| {
        let default = SourceConfig { cache_action, ..SourceConfig::default() };
        let gateway = Gateway::builder()
            .with_client(LazyClient::from(client.clone()))
            .with_cache_dir(kit.cache.root().join("repodata"))
            .with_channel_config(ChannelConfig { default, ..ChannelConfig::default() })
            .with_max_concurrent_requests(REQUESTS)
            .finish();
        let query = gateway.query(remote.clone(), [subdir, Subdir::NoArch], wanted.to_vec()).recursive(true);
        kit.client.block_on(query.execute())
    };
    let found = match ask(if kit.client.is_offline() { CacheAction::ForceCacheOnly } else { CacheAction::CacheOrFetch })
    {
        // Some servers say that nothing changed without saying of what, which the library takes for no answer: whoever is not
        // told what is kept has to send all of it.
        Err(GatewayError::ReqwestMiddlewareError(_)) if !kit.client.is_offline() => ask(CacheAction::NoCache),
        found => found,
    };
    Ok(found.map_err(|error| told(channels, kit, &error))?.repodata)
}

fn remote(channel: &Channel) -> Remote {
    Remote { platforms: None, base_url: channel.address.clone().into(), name: Some(channel.name.clone()) }
}

/// An error with all its causes: the last says what happened.
fn told(channels: &Channels, kit: &Kit<'_>, error: &GatewayError) -> CondaError {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let text = next.to_string();
        // Several layers say the same.
        if !why.contains(&text) {
            why = format!("{why}: {text}");
        }
        cause = next.source();
    }
    let places = channels.list.iter().map(|channel| show(&channel.address)).collect::<Vec<_>>().join(", ");
    CondaError::Index { places, why, offline: kit.client.is_offline() }
}
