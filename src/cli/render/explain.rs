//! A setting, an export or a part, explained.

use crate::cli::render::table::table;
use crate::recipe::explain::{Explained, ExplainedOption, ExplainedPart};

/// Value first, then where it comes from and what it overrode.
#[must_use]
pub fn explained(explained: &Explained) -> String {
    match explained {
        Explained::Option(option) => one(option),
        Explained::Export(export) => format!("{} = {}\n  exported by its recipe\n", export.name, export.shown),
        Explained::Part(part) => whole(part),
    }
}

fn one(option: &ExplainedOption) -> String {
    let mut text = format!("{} = {}\n  set by {}\n", option.name, option.shown, option.origin);
    if let Some(written) = &option.written {
        text.push_str(&format!("  written {written}\n"));
    }
    for below in &option.overridden {
        text.push_str(&format!("  overrides {} of {}\n", below.value, below.origin));
    }
    if let Some(default) = &option.default {
        text.push_str(&format!("  default {default}\n"));
    }
    text.push_str(&format!("  {}\n", option.kind));
    text.extend(option.doc.lines().map(|line| format!("  {line}\n")));
    text
}

fn whole(part: &ExplainedPart) -> String {
    let mut text = format!("{} (recipe `{}`: {})\n  named in {}\n", part.name, part.recipe, part.summary, part.origin);
    if let Some(by) = &part.brought_by {
        text.push_str(&format!("  brought by {by}\n"));
    }
    if let Some(chosen) = &part.provider {
        text.push_str(&format!("  provider {} ({})\n", chosen.provider, chosen.reason));
        text.extend(chosen.passed.iter().map(|passed| {
            let why = passed.why.trim().replace('\n', "\n      ");
            format!("    not {}: {why}\n", passed.provider)
        }));
    }
    let options: Vec<Vec<String>> = part
        .options
        .iter()
        .map(|option| vec![format!("  {}", own(&option.name)), shortened(&option.shown), option.origin.clone()])
        .collect();
    text.push_str(&format!("\n{}", table(&[], &options)));
    let exports: Vec<Vec<String>> = part
        .exports
        .iter()
        .map(|export| vec![format!("  {}", own(&export.name)), shortened(&export.shown), "exported".to_owned()])
        .collect();
    text.push_str(&table(&[], &exports));
    for edge in &part.edges {
        let kind = serde_json::to_value(edge.kind).ok();
        let kind = kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
        text.push_str(&format!("\n  depends on {} ({kind}, {})", edge.to, edge.origin));
    }
    if !part.services.is_empty() {
        text.push_str(&format!("\n  services: {}", part.services.join(", ")));
    }
    if !part.data.is_empty() {
        let commands = Some(part.data_commands.join(", ")).filter(|commands| !commands.is_empty());
        let commands = commands.map_or(String::new(), |commands| format!(" ({commands})"));
        text.push_str(&format!("\n  data: {}{commands}", part.data.join(", ")));
    }
    text.push('\n');
    text
}

/// `wps.title` is `title` where its part is the subject.
fn own(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, own)| own)
}

/// A value that fits a column; the option by itself shows it whole.
fn shortened(value: &str) -> String {
    const WIDTH: usize = 60;
    if value.chars().count() <= WIDTH {
        return value.to_owned();
    }
    value.chars().take(WIDTH - 1).chain(['…']).collect()
}
