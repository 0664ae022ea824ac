//! Which files there are: the chosen profile, the user's configuration, the project or the profile's example, local settings.
//!
//! A project's profile of a shipped name lies above the shipped one, unless it extends another shipped profile, or nothing at
//! all (`extends = []`). A project's profile of a new name must say what it extends.

use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;

use super::extend::{Opened, Reading};
use super::find::PROJECT_FILE;
use super::load::{DEFAULT_PROFILE, ProfileChoice, Request};
use super::setting::{LayerKind, Project};
use super::sheet::is_folder_word;

/// What reading all files tells beyond their content.
pub(super) struct Layers {
    pub profile: String,
    /// Its name is the one that holds if no layer says another.
    pub project: Project,
}

/// Reads all files; `None` if one of them is missing or no TOML, so that what follows from it is not worth telling.
pub(super) fn read(request: &Request<'_>, reading: &mut Reading<'_>) -> Option<Layers> {
    let (profile, opened) = choose(request, reading)?;
    if let Some(base) = base(&profile, opened.as_ref(), request, reading) {
        reading.add_profile(&base);
    }
    let config = reading.file(&request.config.join("config.toml"), LayerKind::UserConfig);
    reading.add(config);
    let project = match &request.project {
        Some(folder) => {
            let file = reading.project_file(&folder.join(PROJECT_FILE), LayerKind::Project);
            if file.is_none() && !reading.broken {
                reading.fail(Diagnostic::error(format!("there is no {PROJECT_FILE} in `{}`", folder.display())));
            }
            reading.add(file);
            reading.add(opened);
            let local = reading.project_file(&folder.join("jove.local.toml"), LayerKind::Local);
            reading.add(local);
            Project { name: folder_word(folder), folder: folder.clone(), example: None }
        }
        None => {
            reading.add(opened);
            example(&profile, request, reading)?
        }
    };
    (!reading.broken).then_some(Layers { profile, project })
}

/// Opens a profile file of the user's, and says the profile's name.
pub(super) fn open_file(reading: &mut Reading<'_>, path: &Path) -> Option<(String, Opened)> {
    let opened = reading.file(path, LayerKind::ProjectProfile);
    let Some(opened) = opened else {
        if !reading.broken {
            reading.fail(Diagnostic::error(format!("there is no profile file `{}`", path.display())));
        }
        return None;
    };
    let named = opened.loaded.sheet.profile_name.clone();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let (name, place) = named.map_or((stem, None), |(name, origin)| (name, Some(origin)));
    if is_folder_word(&name) {
        return Some((name, opened));
    }
    let message = format!("`{name}` cannot be a profile's name, since it is part of a folder's name");
    let diagnostic = place.iter().fold(Diagnostic::error(message), |diagnostic, origin| diagnostic.at(origin, ""));
    reading.fail(diagnostic.hint("give it one of letters, digits and `-`: [profile] name = \"…\""));
    None
}

/// The profile's name, and its file if it has one.
fn choose(request: &Request<'_>, reading: &mut Reading<'_>) -> Option<(String, Option<Opened>)> {
    let name = match &request.profile {
        Some(ProfileChoice::File(path)) => return open_file(reading, path).map(|(name, opened)| (name, Some(opened))),
        Some(ProfileChoice::Named(name)) => name.as_str(),
        None => DEFAULT_PROFILE,
    };
    let folder = request.project.as_ref().map(|project| project.join("profiles"));
    let opened = match &folder {
        // A name with `/` in it would lead out of the folder of profiles.
        Some(folder) if is_folder_word(name) => {
            reading.project_file(&folder.join(format!("{name}.toml")), LayerKind::ProjectProfile)
        }
        _ => None,
    };
    if opened.is_some() || request.shipped.profile(name).is_some() || reading.broken {
        return Some((name.to_owned(), opened));
    }
    let own = folder.map(|folder| profiles_in(&folder)).unwrap_or_default();
    let diagnostic = Diagnostic::error(format!("there is no profile `{name}`"));
    let known: Vec<&str> = request.shipped.profiles().into_iter().chain(own.iter().map(String::as_str)).collect();
    let listed =
        format!("the profiles here are {}; a file is given by its path, as -p ./{name}.toml", known.join(", "));
    reading.fail(diagnostic.nearest(name, known).hint(listed));
    None
}

/// The shipped profile below the chosen one that it does not name itself.
fn base(name: &str, opened: Option<&Opened>, request: &Request<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let shipped = request.shipped.profile(name).is_some();
    let Some(opened) = opened else { return shipped.then(|| name.to_owned()) };
    let Some(extends) = &opened.loaded.sheet.extends else {
        if !shipped {
            let file = &opened.loaded.source.name;
            let message = format!(
                "the profile `{name}` (`{file}`) does not say what it extends, and no profile of its name is shipped"
            );
            let hint = "begin it with a line `extends = [\"profile:dev\"]`, or `extends = []` if it stands alone";
            reading.fail(Diagnostic::error(message).hint(hint));
        }
        return shipped.then(|| name.to_owned());
    };
    let chosen = extends.entries.is_empty() || extends.entries.iter().any(|(entry, _)| entry.starts_with("profile:"));
    (shipped && !chosen).then(|| name.to_owned())
}

/// The example project of the topmost layer that names one.
fn example(profile: &str, request: &Request<'_>, reading: &mut Reading<'_>) -> Option<Project> {
    let Some((recipe, origin)) = reading.layers.iter().rev().find_map(|loaded| loaded.sheet.example.clone()) else {
        if !reading.broken {
            let message =
                format!("the profile `{profile}` names no example, and there is no {PROJECT_FILE} here or above");
            reading.fail(
                Diagnostic::error(message).hint("change into a project's folder, or make one: jove-install init"),
            );
        }
        return None;
    };
    let Some(text) = request.shipped.example(&recipe) else {
        let message = format!("the recipe `{recipe}` ships no example project");
        reading.fail(Diagnostic::error(message).at(&origin, ""));
        return None;
    };
    let folder = request.example_folder.clone();
    let file = format!("example:{recipe}/{PROJECT_FILE}");
    let opened = reading.shipped(&file, text, Some(folder.clone()), LayerKind::Project);
    reading.add(opened);
    if let Some(text) = request.shipped.example_profile(&recipe, profile) {
        let file = format!("example:{recipe}/profiles/{profile}.toml");
        let opened = reading.shipped(&file, text, Some(folder.join("profiles")), LayerKind::ProjectProfile);
        reading.add(opened);
        // It belongs to the example, and so lies below a profile file of the user's.
        if let Some(own) = reading.layers.iter().position(|layer| layer.kind == LayerKind::ProjectProfile) {
            reading.layers[own..].rotate_right(1);
        }
    }
    Some(Project { name: recipe.clone(), folder, example: Some(recipe) })
}

fn profiles_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    let paths =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let mut names: Vec<String> =
        paths.filter_map(|path: PathBuf| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    names
}

/// A project's name from its folder's.
fn folder_word(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mended: String =
        name.chars().map(|c| if c.is_alphanumeric() || "-_. ".contains(c) { c } else { '-' }).take(64).collect();
    let mended = mended.trim_start_matches(['-', '.', ' ']).trim_end();
    if is_folder_word(mended) { mended.to_owned() } else { "project".to_owned() }
}
