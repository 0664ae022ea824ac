//! `[require]`: what must hold after all layers.

use crate::diagnostic::{Diagnostic, Origin};
use crate::name::nearest;
use crate::profile::{Requirement, Value};
use crate::recipe::evaluate::{Evaluator, Slot};
use crate::recipe::schema::{OptionSpec, OptionType, Recipe};
use crate::recipe::value;

/// Facts that only a plan knows.
const FACTS: [&str; 2] = ["demo_secrets", "pure"];
/// The fact that no option has the value that its recipe calls a placeholder.
const PLACEHOLDERS: &str = "placeholders";

/// Checks what can be checked here; gives back what only a plan can.
pub(super) fn check(evaluator: &mut Evaluator<'_, '_>) -> Vec<Requirement> {
    let definition = evaluator.world.definition;
    let mut facts = Vec::new();
    for requirement in &definition.requirements {
        match requirement.subject.split_once('.') {
            Some((recipe, option)) => option_must(evaluator, requirement, recipe, option),
            None if requirement.subject == PLACEHOLDERS => placeholders(evaluator, requirement),
            None if FACTS.contains(&requirement.subject.as_str()) => facts.push(requirement.clone()),
            None => {
                let subject = &requirement.subject;
                let said = format!("nothing called `{subject}` can be required");
                let said = Diagnostic::error(said).at(&requirement.origin, "");
                let said = said.nearest(subject, FACTS.into_iter().chain([PLACEHOLDERS]));
                evaluator.wrong.push(said.hint("write `\"recipe.option\" = value`, or `pure = true`"));
            }
        }
    }
    facts
}

fn option_must(evaluator: &mut Evaluator<'_, '_>, requirement: &Requirement, recipe: &str, option: &str) {
    let Some(spec) = declared(evaluator, requirement, recipe, option) else { return };
    let wished = match &requirement.value {
        Value::List(list) if !matches!(spec.kind, OptionType::List(_)) => {
            list.iter().map(|(one, _)| one.clone()).collect()
        }
        one => vec![one.clone()],
    };
    if spec.kind == OptionType::Secret {
        let said = format!("`{recipe}.{option}` is a secret: its word cannot be required");
        evaluator.wrong.push(Diagnostic::error(said).at(&requirement.origin, ""));
        return;
    }
    if let Some(wrong) = wished.iter().find(|wish| value::fit_written(&spec.kind, wish).is_err()) {
        let said = format!("`{recipe}.{option}` can never be {wrong}: it is {}", spec.kind.expected());
        evaluator.wrong.push(Diagnostic::error(said).at(&requirement.origin, ""));
        return;
    }
    let world = evaluator.world;
    for (part, active) in world.parts.iter().enumerate() {
        if active.recipe.name != recipe {
            continue;
        }
        let Some(value) = evaluator.option(part, option) else { continue };
        if value::answers(&spec.kind, value, &wished) {
            continue;
        }
        let found = value::found(value);
        let must = &requirement.value;
        let said = format!(
            "`{}.{option}` must be {must} under profile `{}`, but is {found}",
            active.name, world.definition.profile
        );
        let said = Diagnostic::error(said).at(&place_of(evaluator, part, option), "set here");
        let said = said.at(&requirement.origin, "required here");
        let lift = format!("[require] \"{recipe}.{option}\" = \"off\"");
        let profile = &world.definition.profile;
        let said = said.hint(format!("change it, or lift the requirement in profiles/{profile}.toml: {lift}"));
        evaluator.wrong.push(said);
    }
}

/// The option that a requirement names; says what is wrong if there is none.
fn declared<'a>(
    evaluator: &mut Evaluator<'_, 'a>,
    requirement: &Requirement,
    recipe: &str,
    option: &str,
) -> Option<&'a OptionSpec> {
    let catalogue = evaluator.world.catalogue;
    let Some(found) = catalogue.find(recipe) else {
        let said = format!("`{}`: there is no recipe called `{recipe}`", requirement.subject);
        let said = Diagnostic::error(said).at(&requirement.origin, "");
        evaluator.wrong.push(said.nearest(recipe, catalogue.names()));
        return None;
    };
    let found: &Recipe = found.ok()?;
    let spec = found.option(option);
    if spec.is_none() {
        let said = format!("`{}`: recipe `{recipe}` has no option `{option}`", requirement.subject);
        let said = Diagnostic::error(said).at(&requirement.origin, "");
        let near = nearest(option, found.options.iter().map(|option| option.name.as_str()));
        evaluator
            .wrong
            .push(near.iter().fold(said, |said, near| said.hint(format!("did you mean `{recipe}.{near}`?"))));
    }
    spec
}

fn placeholders(evaluator: &mut Evaluator<'_, '_>, requirement: &Requirement) {
    if requirement.value != Value::Bool(false) {
        let said = Diagnostic::error("`placeholders` can only be required to be `false`").at(&requirement.origin, "");
        evaluator.wrong.push(said);
        return;
    }
    let world = evaluator.world;
    for (part, active) in world.parts.iter().enumerate() {
        for (index, spec) in active.recipe.options.iter().enumerate() {
            let Some((placeholder, _)) = &spec.placeholder else { continue };
            let Slot::Done(value) = &evaluator.slots[part][index] else { continue };
            if value::fit_written(&spec.kind, placeholder).is_ok_and(|placeholder| placeholder == *value) {
                let said = format!("`{}.{}` still has its placeholder {placeholder}", active.name, spec.name);
                let said = Diagnostic::error(said).at(&place_of(evaluator, part, spec.name.as_str()), "to be changed");
                let said = said.at(&requirement.origin, "refused here");
                let hint = format!("set `{}` in `[parts.{}]`", spec.name, active.name);
                evaluator.wrong.push(said.hint(hint));
            }
        }
    }
}

/// Where an option of a part was set: its layer, else the recipe.
fn place_of(evaluator: &Evaluator<'_, '_>, part: usize, option: &str) -> Origin {
    let active = &evaluator.world.parts[part];
    let chosen = active.recipe.option_index(option).and_then(|index| active.chosen[index].value.as_ref());
    chosen.map_or_else(|| active.origin.clone(), |(_, origin)| (*origin).clone())
}
