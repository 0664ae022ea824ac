//! `recipe list/show` and `profile list/show`.

use crate::cli::Exit;
use crate::cli::args::CatalogueVerb;
use crate::cli::face::Face;
use crate::cli::render::table::table;
use crate::ops::OpResult;
use crate::ops::catalogue::{self, Entry, ProviderCard, RecipeCard};

/// The recipes.
///
/// # Errors
/// As [`catalogue::recipes`] and [`catalogue::recipe`].
pub fn recipe(face: &Face, asked: &CatalogueVerb) -> OpResult<Exit> {
    match asked {
        CatalogueVerb::List => list(face, &catalogue::recipes(&face.host)?),
        CatalogueVerb::Show { name } => {
            let card = catalogue::recipe(&face.host, name)?;
            face.result(&card, || shown(&card));
        }
    }
    Ok(Exit::Ok)
}

/// The profiles.
///
/// # Errors
/// As [`catalogue::profiles`] and [`catalogue::profile`].
pub fn profile(face: &Face, asked: &CatalogueVerb) -> OpResult<Exit> {
    match asked {
        CatalogueVerb::List => list(face, &catalogue::profiles(&face.host)?),
        CatalogueVerb::Show { name } => {
            let text = catalogue::profile(&face.host, name)?;
            face.result(&serde_json::json!({ "name": name, "text": text }), || text.clone());
        }
    }
    Ok(Exit::Ok)
}

fn list(face: &Face, entries: &[Entry]) {
    face.result(&entries, || {
        let rows: Vec<Vec<String>> =
            entries.iter().map(|entry| vec![entry.name.clone(), entry.summary.clone()]).collect();
        table(&[], &rows)
    });
}

fn shown(card: &RecipeCard) -> String {
    let mut text = format!("{}: {}\n\n", card.name, card.summary);
    for option in &card.options {
        let default = match (&option.default, option.required) {
            (_, true) => "required".to_owned(),
            (Some(default), _) => format!("default {default}"),
            (None, _) => "not set".to_owned(),
        };
        text.push_str(&format!("  {} ({}, {default})\n", option.name, option.kind));
        text.extend(option.doc.lines().map(|line| format!("      {line}\n")));
    }
    if !card.providers.is_empty() {
        let how = |provider: &ProviderCard| if provider.tested.is_some() { "tested" } else { "declared" };
        let providers = card.providers.iter().map(|provider| format!("{} ({})", provider.name, how(provider)));
        text.push_str(&format!("\nproviders: {}\n", providers.collect::<Vec<_>>().join(", ")));
    }
    if !card.exports.is_empty() {
        text.push_str(&format!("\nother parts may refer to: {}\n", card.exports.join(", ")));
    }
    if card.example {
        text.push_str(&format!("\na project to start from: jove-install init --example {}\n", card.name));
    }
    text
}
