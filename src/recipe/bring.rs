//! Parts that recipes bring: packages of a server, and the services that a site asks for by name.
//!
//! Decided once, on what is written plainly. A form without `name` is met by the project's own part of that recipe, so that there is
//! one server a prefix; where there are several, `services = ["postgresql:db2"]` chooses. A form with `name` is met by the part
//! of that name. Whatever meets it is linked: `${.services.postgresql.url}` is its, and it is up before the part that asked.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::profile::{Definition, Value};
use crate::recipe::Catalogue;
use crate::recipe::brought::Brought;
use crate::recipe::schema::{BRINGER, BringForm, Recipe, SERVICES, When};
use crate::recipe::select::{Active, Layers};
use crate::recipe::value;

/// How deep what is brought may bring.
const DEEPEST: usize = 8;

/// What there is, and where mistakes go.
struct Bringing<'b, 'a> {
    definition: &'a Definition,
    catalogue: &'a Catalogue,
    layers: &'b Layers,
    wrong: &'b mut Diagnostics,
    /// For each part, what it chose.
    choices: Vec<Choices>,
}

/// What a part chose of several.
#[derive(Default)]
struct Choices {
    /// By word, the part of `word:PART`.
    by_word: BTreeMap<String, (String, Origin)>,
    /// The word by which it was asked for, if it was brought so.
    word: Option<String>,
    /// The part of that `word:PART`: a site's database is on the server that the site chose.
    handed_down: Option<(String, Origin)>,
}

/// Whether something is there that a form asks for.
enum Met {
    /// That part.
    By(usize),
    /// None: it is to be brought.
    ByNone,
    /// What is asked for is not there, which was said.
    Wrong,
}

/// Adds the parts that recipes bring, and links all of them to who asked.
pub(super) fn bring<'a>(
    definition: &'a Definition,
    catalogue: &'a Catalogue,
    layers: &Layers,
    active: &mut Vec<Active<'a>>,
    wrong: &mut Diagnostics,
) {
    let mut bringing = Bringing { definition, catalogue, layers, wrong, choices: Vec::new() };
    for part in active.iter() {
        let by_word = bringing.choices_of(part);
        bringing.choices.push(Choices { by_word, ..Choices::default() });
    }
    let mut bringer = 0;
    while bringer < active.len() {
        let recipe = active[bringer].recipe;
        for form in &recipe.brings {
            if !bringing.is_asked(&active[bringer], form) {
                continue;
            }
            let linked = match bringing.met(active, bringer, form) {
                Met::By(index) => index,
                Met::Wrong => continue,
                Met::ByNone => {
                    let Some(part) = bringing.brought(active, bringer, form) else { continue };
                    active.push(part);
                    active.len() - 1
                }
            };
            let origin = asked_at(&active[bringer], form);
            active[bringer].links.insert(form.word().to_owned(), (linked, origin));
        }
        bringer += 1;
    }
}

/// The plain entries of a part's `services`, `postgresql` and `postgresql:db2`.
fn services<'p>(part: &'p Active<'_>) -> Vec<(&'p str, Option<&'p str>, &'p Origin)> {
    let chosen = part.recipe.option_index(SERVICES).and_then(|index| part.chosen[index].value.as_ref());
    let Some((value, _)) = chosen else { return Vec::new() };
    let Value::List(list) = value.as_ref() else { return Vec::new() };
    let entries = list.iter().filter_map(|(one, origin)| match one {
        Value::String(text) => {
            let (word, choice) = text.split_once(':').map_or((text.as_str(), None), |(word, part)| (word, Some(part)));
            Some((word, choice, origin))
        }
        _ => None,
    });
    entries.collect()
}

/// Where a part is asked for: the entry of `services`, else the part that brings it.
fn asked_at(part: &Active<'_>, form: &BringForm) -> Origin {
    let entries = services(part);
    let entry = entries.iter().find(|(word, ..)| form.service.as_deref() == Some(*word));
    entry.map_or_else(|| part.origin.clone(), |(_, _, origin)| (*origin).clone())
}

impl<'a> Bringing<'_, 'a> {
    /// What a part chose; what its recipe knows nothing of is said.
    fn choices_of(&mut self, part: &Active<'_>) -> BTreeMap<String, (String, Origin)> {
        let known: Vec<&str> = part.recipe.brings.iter().filter_map(|form| form.service.as_deref()).collect();
        let mut choices = BTreeMap::new();
        if known.is_empty() {
            return choices;
        }
        for (word, choice, origin) in services(part) {
            if !known.contains(&word) && !word.contains("${") {
                let said =
                    format!("recipe `{}` knows no service `{word}`: there are {}", part.recipe.name, known.join(", "));
                self.wrong.push(Diagnostic::error(said).at(origin, "").nearest(word, known.iter().copied()));
            }
            if let Some(choice) = choice {
                choices.insert(word.to_owned(), (choice.to_owned(), origin.clone()));
            }
        }
        choices
    }

    fn is_asked(&mut self, part: &Active<'_>, form: &BringForm) -> bool {
        let is_named =
            form.service.as_deref().is_none_or(|service| services(part).iter().any(|(word, ..)| *word == service));
        self.holds(part, &form.when) && self.is_plain(part, form) && is_named
    }

    /// Whether `services` is written without references, if the form is asked for by it.
    fn is_plain(&mut self, part: &Active<'_>, form: &BringForm) -> bool {
        let chosen = part.recipe.option_index(SERVICES).and_then(|index| part.chosen[index].value.as_ref());
        match chosen {
            Some((value, origin)) if form.service.is_some() && value::has_references(value) => {
                self.must_be_plain(SERVICES, origin);
                false
            }
            _ => true,
        }
    }

    /// Whether a `when` holds over what is written, before references.
    fn holds(&mut self, part: &Active<'_>, when: &When) -> bool {
        when.0.iter().all(|(name, wished)| {
            let Some(index) = part.recipe.option_index(name.as_str()) else { return false };
            let Some((value, origin)) = &part.chosen[index].value else { return false };
            if value::has_references(value) {
                self.must_be_plain(name.as_str(), origin);
                return false;
            }
            let kind = &part.recipe.options[index].kind;
            value::fit_written(kind, value).is_ok_and(|value| value::answers(kind, &value, wished))
        })
    }

    fn must_be_plain(&mut self, name: &str, origin: &Origin) {
        let said = format!("`{name}` decides which parts there are, so it must be written without references");
        let said = Diagnostic::error(said).at(origin, "");
        if !self.wrong.0.contains(&said) {
            self.wrong.push(said);
        }
    }

    /// The part that meets a form already. Where it is not clear which, that is said, and the first one serves meanwhile.
    fn met(&mut self, active: &[Active<'_>], bringer: usize, form: &BringForm) -> Met {
        let by = &active[bringer];
        let recipe = form.recipe.0.as_str();
        if let Some((name, _)) = &form.name {
            let name = name.replace(BRINGER, by.name.as_str());
            // A project's own part of that name with another recipe is told of where the part would be made.
            let found = active.iter().position(|part| part.name.as_str() == name && part.recipe.name == recipe);
            return found.map_or(Met::ByNone, Met::By);
        }
        let choices = &self.choices[bringer];
        if let Some((choice, origin)) = choices.by_word.get(form.word()).or(choices.handed_down.as_ref()) {
            let found = active.iter().position(|part| part.name.as_str() == choice);
            let Some(index) = found.filter(|index| active[*index].recipe.name == recipe) else {
                let said = format!("there is no part `{choice}` of recipe `{recipe}`");
                let of_recipe = active.iter().filter(|part| part.recipe.name == recipe);
                let said = Diagnostic::error(said).at(origin, "chosen here");
                self.wrong.push(said.nearest(choice, of_recipe.map(|part| part.name.as_str())));
                return active.iter().position(|part| part.recipe.name == recipe).map_or(Met::Wrong, Met::By);
            };
            return Met::By(index);
        }
        let mut candidates = active.iter().enumerate().filter(|(_, part)| part.recipe.name == recipe);
        let (first, second) = (candidates.next(), candidates.next());
        match (first, second) {
            (Some((index, one)), Some((_, other))) => {
                let said = format!("`{}` needs one part of recipe `{recipe}`, and there are several", by.name);
                let said = Diagnostic::error(said).at(&asked_at(by, form), "needed here");
                let said = said.at(&one.origin, "one").at(&other.origin, "another");
                let word = choices.word.as_deref().unwrap_or(form.word());
                self.wrong.push(said.hint(format!("choose one: services = [\"{word}:{}\"]", one.name)));
                Met::By(index)
            }
            (Some((index, _)), None) => Met::By(index),
            (None, _) => Met::ByNone,
        }
    }

    /// The recipe of a part that another brings.
    fn brought_recipe(&mut self, active: &[Active<'a>], bringer: usize, form: &BringForm) -> Option<&'a Recipe> {
        let (name, origin) = &form.recipe;
        let by = &active[bringer];
        let recipe = match self.catalogue.find(name) {
            Some(Ok(recipe)) => recipe,
            Some(Err(said)) => {
                self.wrong.append(said.clone());
                return None;
            }
            None => {
                let said = format!("recipe `{}` brings recipe `{name}`, which does not exist", by.recipe.name);
                self.wrong.push(Diagnostic::error(said).at(origin, "").nearest(name, self.catalogue.names()));
                return None;
            }
        };
        if is_too_deep(active, bringer) {
            let said = format!("recipe `{}` brings recipe `{name}` without end", by.recipe.name);
            self.wrong.push(Diagnostic::error(said).at(origin, ""));
            return None;
        }
        Some(recipe)
    }

    /// What is brought has only options that its recipe knows.
    fn brought_options(&mut self, form: &BringForm, recipe: &Recipe) {
        let name = &form.recipe.0;
        for (option, (_, origin)) in &form.options {
            if recipe.option(option.as_str()).is_none() {
                let said = Diagnostic::error(format!("recipe `{name}` has no option `{option}`")).at(origin, "");
                let known = recipe.options.iter().map(|option| option.name.as_str());
                self.wrong.push(said.nearest(option.as_str(), known));
            }
        }
    }

    fn brought(&mut self, active: &[Active<'a>], bringer: usize, form: &'a BringForm) -> Option<Active<'a>> {
        let by = &active[bringer];
        let (name, _) = &form.recipe;
        let recipe = self.brought_recipe(active, bringer, form)?;
        let called =
            form.name.as_ref().map_or_else(|| name.clone(), |(called, _)| called.replace(BRINGER, by.name.as_str()));
        self.brought_options(form, recipe);
        let brought = Brought {
            definition: self.definition,
            layers: self.layers,
            recipe,
            bringer,
            called: &called,
            origin: &by.origin,
            options: Some(&form.options),
        };
        let mut made = brought.make(active, self.wrong)?;
        made.is_spare = form.is_spare;
        let handed_down = form.service.as_ref().and_then(|word| self.choices[bringer].by_word.get(word)).cloned();
        let by_word = self.choices_of(&made);
        self.choices.push(Choices { by_word, word: form.service.clone(), handed_down });
        Some(made)
    }
}

/// Whether a part stands at the end of a long chain of bringers.
fn is_too_deep(active: &[Active<'_>], bringer: usize) -> bool {
    let by = |part: &Active<'_>| part.brought_by.as_ref().and_then(|name| active.iter().find(|one| one.name == *name));
    std::iter::successors(active.get(bringer), |part| by(part)).take(DEEPEST + 1).count() > DEEPEST
}
