//! What the path of a reference means: `db.url`, `.port`, `env`, `vars.HOME`.

use crate::diagnostic::{Diagnostic, Origin};
use crate::recipe::evaluate::{Place, World};
use crate::recipe::schema::{BUILT_IN, SERVICES};
use crate::recipe::stack::OptionValue;
use crate::recipe::{schema::Action, value};
use crate::text::Text;

/// An option or export of a part: options first, then exports, in the recipe's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotId {
    pub(super) part: usize,
    pub(super) slot: usize,
}

/// What a path means.
pub(super) enum Target<'p> {
    /// A value that needs no other, and the part that it belongs to.
    Known(OptionValue, Option<usize>),
    /// An option or export, and the words after it.
    Slot(SlotId, &'p [String]),
    /// A process variable.
    Var(&'p str),
    /// Nothing now, so that a default holds; without one it is this.
    Absent(Diagnostic),
    /// Nothing ever.
    Wrong(Diagnostic),
}

impl<'a> World<'a> {
    /// What a path means where it stands. `at` makes the place of the reference, for messages.
    pub(super) fn target<'p>(&self, place: &Place<'_>, path: &'p [String], at: &dyn Fn() -> Origin) -> Target<'p> {
        let Some((first, rest)) = path.split_first() else {
            return Target::Wrong(Diagnostic::error("a reference is empty").at(&at(), ""));
        };
        match (first.as_str(), rest) {
            ("item", [name]) if place.item.is_some() => Self::item(place, name),
            ("", [item, name]) if item == "item" && place.item.is_some() => Self::item(place, name),
            ("", [name, word, rest @ ..]) if name == SERVICES => self.link(place.scope, word, rest, at),
            ("", [name, rest @ ..]) => self.own(place, name, rest, at),
            ("vars", [name]) => Target::Var(name),
            ("host", [name]) => match name.as_str() {
                "name" => Target::Known(literal(self.surroundings.host_name), None),
                "platform" => Target::Known(literal(&self.surroundings.platform.to_string()), None),
                _ => unknown_fact("host", name, &["name", "platform"], at),
            },
            ("project", [name]) => match name.as_str() {
                "name" => Target::Known(literal(&self.definition.project.name), None),
                "folder" => Target::Known(literal(&self.definition.project.folder.display().to_string()), None),
                _ => unknown_fact("project", name, &["folder", "name"], at),
            },
            ("profile", [name]) => match name.as_str() {
                "name" => Target::Known(literal(&self.definition.profile), None),
                _ => unknown_fact("profile", name, &["name"], at),
            },
            ("vars" | "host" | "project" | "profile", _) => {
                let said = format!("`${{{}}}` names nothing: `{first}` takes one word after it", path.join("."));
                Target::Wrong(Diagnostic::error(said).at(&at(), ""))
            }
            (part, rest) => self.other(part, rest, at),
        }
    }

    fn item<'p>(place: &Place<'_>, name: &str) -> Target<'p> {
        let entry = place.item.and_then(|item| item.values.get(name));
        Target::Known(entry.cloned().unwrap_or(OptionValue::None), None)
    }

    fn own<'p>(&self, place: &Place<'_>, name: &'p str, rest: &'p [String], at: &dyn Fn() -> Origin) -> Target<'p> {
        let part = place.scope;
        let recipe = self.parts[part].recipe;
        if rest.is_empty()
            && let Some(known) = self.built_in(part, name, at)
        {
            return known;
        }
        if let Some(slot) = recipe.option_index(name) {
            return Target::Slot(SlotId { part, slot }, rest);
        }
        if let Some(export) = recipe.export_index(name) {
            return Target::Slot(SlotId { part, slot: recipe.options.len() + export }, rest);
        }
        self.unknown_option(part, name, at)
    }

    fn other<'p>(&self, name: &str, rest: &'p [String], at: &dyn Fn() -> Origin) -> Target<'p> {
        let Some(&part) = self.index.get(name) else { return self.no_such_part(name, at) };
        match rest {
            [services, word, rest @ ..] if services == SERVICES => self.link(part, word, rest, at),
            _ => self.of_part(part, rest, at),
        }
    }

    /// What a service that a part asked for gives; nothing, if it asked for none of that word.
    fn link<'p>(&self, part: usize, word: &str, rest: &'p [String], at: &dyn Fn() -> Origin) -> Target<'p> {
        match self.parts[part].links.get(word) {
            Some((linked, _)) => self.of_part(*linked, rest, at),
            None => Target::Known(OptionValue::None, None),
        }
    }

    fn of_part<'p>(&self, part: usize, rest: &'p [String], at: &dyn Fn() -> Origin) -> Target<'p> {
        let Some((word, rest)) = rest.split_first() else {
            return self.built_in(part, "object", at).unwrap_or_else(|| self.unknown_option(part, "object", at));
        };
        let recipe = self.parts[part].recipe;
        if let Some(export) = recipe.export_index(word) {
            return Target::Slot(SlotId { part, slot: recipe.options.len() + export }, rest);
        }
        if rest.is_empty()
            && let Some(known) = self.built_in(part, word, at)
        {
            return known;
        }
        match recipe.option_index(word) {
            Some(slot) => Target::Slot(SlotId { part, slot }, rest),
            None => self.unknown_option(part, word, at),
        }
    }

    fn built_in<'p>(&self, part: usize, name: &str, at: &dyn Fn() -> Origin) -> Option<Target<'p>> {
        let active = &self.parts[part];
        let layout = self.surroundings.layout;
        let path = |path: std::path::PathBuf| literal(&path.display().to_string());
        let value = match name {
            "data" => path(layout.data(&active.name)),
            "log" => path(layout.log()),
            "name" => literal(active.name.as_str()),
            "object" if active.recipe.action == Action::None => {
                let said = format!("part `{}` has no folder: recipe `{}` makes none", active.name, active.recipe.name);
                let said = Diagnostic::error(said).at(&at(), "");
                return Some(Target::Wrong(said.hint(format!("name what it gives: `${{{}.OPTION}}`", active.name))));
            }
            "object" => OptionValue::Text(Text::object(active.name.clone())),
            "prefix" => path(layout.root().to_owned()),
            "run" => path(self.surroundings.run.join(active.name.as_str())),
            _ => return None,
        };
        Some(Target::Known(value, Some(part)))
    }

    fn unknown_option<'p>(&self, part: usize, name: &str, at: &dyn Fn() -> Origin) -> Target<'p> {
        let active = &self.parts[part];
        let recipe = active.recipe;
        let said = format!("part `{}` (recipe `{}`) has no option or export called `{name}`", active.name, recipe.name);
        let known = recipe.options.iter().map(|option| option.name.as_str());
        let known = known.chain(recipe.exports.iter().map(|(name, _)| name.as_str())).chain(BUILT_IN);
        Target::Wrong(Diagnostic::error(said).at(&at(), "").nearest(name, known))
    }

    /// The names of all parts, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }

    fn no_such_part<'p>(&self, name: &str, at: &dyn Fn() -> Origin) -> Target<'p> {
        let place = at();
        if let Some(part) = self.definition.parts.get(name) {
            if part.is_abstract {
                let said = format!("part `{name}` is abstract: it exists only to be copied by `like`");
                return Target::Wrong(Diagnostic::error(said).at(&place, "").at(&part.origin, "declared here"));
            }
            if let Some(when) = &part.off {
                let said = format!("part `{name}` is switched off by its `when`");
                let said = Diagnostic::error(said).at(&place, "referred to here").at(when, "switched off here");
                return Target::Absent(said.hint(format!("give a default: `${{{name}.…:-default}}`")));
            }
            // A part whose recipe is unknown or broken: that was said already.
            return Target::Absent(Diagnostic { labels: Vec::new(), ..Diagnostic::error(String::new()) });
        }
        let said = Diagnostic::error(format!("there is no part called `{name}`")).at(&place, "");
        // Past some dozens of mistakes, looking for near names among thousands helps nobody.
        let said = if self.parts.len() < 2_000 { said.nearest(name, self.names()) } else { said };
        Target::Absent(said)
    }
}

fn literal(text: &str) -> OptionValue {
    OptionValue::Text(Text::literal(text))
}

fn unknown_fact<'p>(what: &str, name: &str, known: &[&str], at: &dyn Fn() -> Origin) -> Target<'p> {
    let said = format!("`{what}` has no `{name}`: there are {}", known.join(", "));
    Target::Wrong(Diagnostic::error(said).at(&at(), "").nearest(name, known.iter().copied()))
}

/// The entry of a table that the words after an option name.
pub(super) fn dig<'v>(value: &'v OptionValue, words: &[String]) -> Result<&'v OptionValue, String> {
    let mut at = value;
    for word in words {
        match at {
            OptionValue::Table(table) => at = table.get(word).unwrap_or(&OptionValue::None),
            OptionValue::None => {}
            other => return Err(format!("`{word}` cannot be taken from {}", value::found(other))),
        }
    }
    Ok(at)
}
