//! What a machine has that no channel brings: the virtual packages (`__glibc`, `__linux`, `__cuda` …).

use std::path::Path;

use rattler_conda_types::{GenericVirtualPackage, Subdir};
use rattler_virtual_packages::{Override, VirtualPackageOverrides, VirtualPackages};

use super::CondaError;
use crate::host::Host;
use crate::platform::Platform;

/// A platform in conda's word; `None` for one that conda does not know.
#[must_use]
pub fn subdir(platform: &Platform) -> Option<Subdir> {
    let system = match platform.system() {
        "linux" => "linux",
        "macos" => "osx",
        _ => return None,
    };
    let machine = match (system, platform.machine()) {
        (_, "x86_64") => "64",
        ("osx", "aarch64") => "arm64",
        (_, machine) => machine,
    };
    format!("{system}-{machine}").parse().ok()
}

/// The platform that a user names, in conda's word (`osx-arm64`) or ours.
#[must_use]
pub fn platform(word: &str) -> Option<Platform> {
    let (system, machine) = word.split_once('-')?;
    let system = if system == "osx" { "macos" } else { system };
    let machine = match machine {
        "64" => "x86_64",
        "arm64" => "aarch64",
        machine => machine,
    };
    let platform = Platform::of(system, machine);
    subdir(&platform).map(|_| platform)
}

/// What this machine has; `CONDA_OVERRIDE_…` says otherwise, as for conda, and stands for the machine where the platform is
/// another than this one.
///
/// # Errors
/// If an override is no version.
pub fn virtual_packages(host: &Host, subdir: Subdir, cache: &Path) -> Result<Vec<GenericVirtualPackage>, CondaError> {
    let said = |name: &str| host.vars.get(&format!("CONDA_OVERRIDE_{name}")).cloned().map(Override::String);
    let mut overrides = VirtualPackageOverrides::default();
    overrides.libc = said("GLIBC");
    overrides.linux = said("LINUX");
    overrides.osx = said("OSX");
    overrides.cuda = said("CUDA");
    overrides.archspec = said("ARCHSPEC");
    let found = VirtualPackages::detect_for_platform(subdir, &overrides, Some(cache))
        .map_err(|error| CondaError::Machine(error.to_string()))?;
    Ok(found.into_generic_virtual_packages().collect())
}
