//! `recipe list/show` and `profile list/show`: what there is to choose from.

use serde::Serialize;

use crate::host::Host;
use crate::ops::error::{OpError, OpResult};
use crate::profile::{Shipped, find_project};
use crate::recipe::Catalogue;
use crate::recipe::schema::Recipe;

/// One line of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub summary: String,
    /// Where a recipe's software may come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderCard>,
}

/// A provider of a recipe's software for people.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderCard {
    /// Its word.
    pub name: String,
    /// The test that installs the recipe from there and talks to it; without one it is declared only.
    pub tested: Option<String>,
}

/// One recipe for people.
#[derive(Debug, Clone, Serialize)]
pub struct RecipeCard {
    /// Its name.
    pub name: String,
    /// What it is.
    pub summary: String,
    /// Where its software may come from.
    pub providers: Vec<ProviderCard>,
    /// Its options.
    pub options: Vec<OptionCard>,
    /// What other parts may refer to.
    pub exports: Vec<String>,
    /// Whether `init --example` copies one.
    pub example: bool,
}

/// One option for people.
#[derive(Debug, Clone, Serialize)]
pub struct OptionCard {
    /// Its name.
    pub name: String,
    /// Its type, with the values of an enum.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its default, as written.
    pub default: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// What it means.
    pub doc: String,
}

/// The recipes that are known here: shipped ones, and the project's own.
///
/// # Errors
/// If the project's recipes cannot be read.
pub fn catalogue(host: &Host) -> OpResult<Catalogue> {
    let project = find_project(&host.folder, host.home().ok().as_deref(), host.user)?;
    Ok(Catalogue::with_project(project.as_deref())?)
}

/// All recipes.
///
/// # Errors
/// If a recipe cannot be read.
pub fn recipes(host: &Host) -> OpResult<Vec<Entry>> {
    let catalogue = catalogue(host)?;
    let names: Vec<String> = catalogue.names().map(str::to_owned).collect();
    let entries = names.into_iter().filter_map(|name| {
        let recipe = catalogue.get(&name)?;
        Some(Entry { summary: recipe.summary.clone(), providers: providers(&catalogue, recipe), name })
    });
    Ok(entries.collect())
}

fn providers(catalogue: &Catalogue, recipe: &Recipe) -> Vec<ProviderCard> {
    let tested = |name: &str| recipe.tested.get(name).cloned();
    let names = catalogue.providers(recipe).into_iter();
    names.map(|name| ProviderCard { name: name.to_owned(), tested: tested(name) }).collect()
}

/// One recipe.
///
/// # Errors
/// If there is none of that name, with the nearest.
pub fn recipe(host: &Host, name: &str) -> OpResult<RecipeCard> {
    let catalogue = catalogue(host)?;
    let Some(recipe) = catalogue.get(name) else {
        return Err(unknown("recipe", name, catalogue.names()));
    };
    let options = recipe.options.iter().map(|option| OptionCard {
        name: option.name.to_string(),
        kind: option.kind.to_string(),
        default: option.default.as_ref().map(|(value, _)| value.to_string()),
        required: option.required,
        doc: option.doc.clone(),
    });
    Ok(RecipeCard {
        name: name.to_owned(),
        summary: recipe.summary.clone(),
        providers: providers(&catalogue, recipe),
        options: options.collect(),
        exports: recipe.exports.iter().map(|(name, _)| name.clone()).collect(),
        example: !catalogue.example_files(name).is_empty(),
    })
}

/// All shipped profiles.
///
/// # Errors
/// If the project's recipes cannot be read.
pub fn profiles(host: &Host) -> OpResult<Vec<Entry>> {
    let catalogue = catalogue(host)?;
    let entries = catalogue.profiles().into_iter().map(|name| Entry {
        name: name.to_owned(),
        summary: catalogue.profile(name).and_then(summary).unwrap_or_default(),
        providers: Vec::new(),
    });
    Ok(entries.collect())
}

/// A shipped profile's text.
///
/// # Errors
/// If there is none of that name, with the nearest.
pub fn profile(host: &Host, name: &str) -> OpResult<String> {
    let catalogue = catalogue(host)?;
    match catalogue.profile(name) {
        Some(text) => Ok(text.to_owned()),
        None => Err(unknown("profile", name, catalogue.profiles())),
    }
}

fn summary(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    Some(table.get("profile")?.get("summary")?.as_str()?.to_owned())
}

fn unknown<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> OpError {
    let known: Vec<&str> = known.into_iter().collect();
    let error = OpError::usage(format!("there is no {kind} `{name}`"));
    match crate::name::nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("there are: {}", known.join(", "))),
    }
}
