//! The lock in conda's own words: an explicit list of one platform, an `environment.yml`.

use rattler_conda_types::{
    EnvironmentYaml, ExplicitEnvironmentEntry, ExplicitEnvironmentSpec, MatchSpec, MatchSpecOrSubSection,
    ParseMatchSpecOptions, Subdir,
};

use super::condarc::built_in_alias;
use super::{Channel, CondaError, Packages};
use crate::provider::Pinned;

/// Every package by address and digest, as the channels are configured now; without credentials.
///
/// # Errors
/// If a pin has no address.
pub fn explicit(request: &Packages, subdir: Subdir, pins: &[Pinned]) -> Result<String, CondaError> {
    let packages = pins.iter().map(|pin| {
        let missing = || CondaError::Stranger(pin.name.clone());
        let file = pin.files.first().ok_or_else(missing)?;
        let mut url = request.addresses(pin, &file.file).into_iter().next().ok_or_else(missing)?;
        url.set_fragment(Some(&format!("sha256:{}", file.sha256.to_hex())));
        Ok(ExplicitEnvironmentEntry { url })
    });
    let packages = packages.collect::<Result<Vec<_>, CondaError>>()?;
    Ok(ExplicitEnvironmentSpec { platform: Some(subdir), packages }.to_spec_string())
}

/// Every package by version and build, and what Python's index adds to them.
///
/// # Errors
/// If a pin is nothing that conda reads.
pub fn environment(
    name: &str,
    channels: &[Channel],
    pins: &[Pinned],
    pip: &[(String, String)],
) -> Result<String, CondaError> {
    let wrong = |text: &str, why: String| CondaError::Wish { text: text.to_owned(), why };
    let mut dependencies = Vec::new();
    for pin in pins {
        let text = format!("{} =={} {}", pin.name, pin.version, build(pin).unwrap_or("*"));
        let spec = MatchSpec::from_str(&text, ParseMatchSpecOptions::lenient());
        dependencies
            .push(MatchSpecOrSubSection::MatchSpec(Box::new(spec.map_err(|error| wrong(&text, error.to_string()))?)));
    }
    if !pip.is_empty() {
        let list = pip.iter().map(|(name, version)| format!("{name}=={version}")).collect();
        dependencies.push(MatchSpecOrSubSection::SubSection("pip".to_owned(), list));
    }
    let word = |channel: &Channel| {
        let is_usual = built_in_alias().join(&format!("{}/", channel.name)).is_ok_and(|usual| usual == channel.address);
        if is_usual { channel.name.clone() } else { channel.address.to_string() }
    };
    let channels = channels
        .iter()
        .map(|channel| word(channel).parse().map_err(|error: url::ParseError| wrong(&channel.name, error.to_string())));
    let channels = channels.collect::<Result<Vec<_>, CondaError>>()?;
    let made = EnvironmentYaml { name: Some(name.to_owned()), channels, dependencies, ..EnvironmentYaml::default() };
    Ok(made.to_yaml_string())
}

/// What tells two builds of one version apart: the end of the file's name.
fn build(pin: &Pinned) -> Option<&str> {
    let file = &pin.files.first()?.file;
    let stem = file.strip_suffix(".conda").or_else(|| file.strip_suffix(".tar.bz2"))?;
    stem.rsplit_once('-').map(|(_, build)| build)
}
