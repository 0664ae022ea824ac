//! Values of a type: what a text gave is fitted, and what only the surroundings know is settled.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Origin, Source};
use crate::name::OptionName;
use crate::profile::Value;
use crate::recipe::evaluate::{Evaluator, Failed, Place};
use crate::recipe::reference::Raw;
use crate::recipe::schema::{OptionType, Written};
use crate::recipe::stack::OptionValue;
use crate::recipe::value::{self, Misfit};
use crate::text::Text;

/// How many workers `auto` may be: one for each processor, but two even where there is one, so that a slow request does not keep
/// all others waiting, and no more than eight, for each holds an application in memory.
const WORKERS: RangeInclusive<i64> = 2..=8;

impl Evaluator<'_, '_> {
    /// A text of a part's recipe, as one of the type.
    pub(super) fn written(
        &mut self,
        place: &Place<'_>,
        kind: &OptionType,
        written: &Written,
    ) -> Result<OptionValue, Failed> {
        self.value(place, kind, &written.0, &written.1)
    }

    /// A value of the type, its references resolved.
    pub(super) fn value(
        &mut self,
        place: &Place<'_>,
        kind: &OptionType,
        value: &Value,
        origin: &Origin,
    ) -> Result<OptionValue, Failed> {
        match (kind, value) {
            (_, Value::String(text)) => {
                let raw = self.text(place, text, origin)?;
                self.fitted(place, kind, raw, origin)
            }
            (OptionType::List(of), Value::List(list)) => self.list(place, of, list),
            (OptionType::Any | OptionType::Sites, Value::List(list)) => self.list(place, &OptionType::Any, list),
            (OptionType::Any | OptionType::Table, Value::Table(table)) => {
                let mut made = BTreeMap::new();
                let mut is_failed = false;
                for (key, (one, origin)) in table {
                    match self.value(place, &OptionType::Any, one, origin) {
                        Ok(value) => drop(made.insert(key.clone(), value)),
                        Err(Failed) => is_failed = true,
                    }
                }
                if is_failed { Err(Failed) } else { Ok(OptionValue::Table(made)) }
            }
            (_, scalar) => match value::fit_written(kind, scalar) {
                Ok(fitted) => Ok(fitted),
                Err(misfit) => Err(self.misfit(place, kind, &misfit, origin)),
            },
        }
    }

    /// A list; a reference to a list splices it, one to nothing disappears.
    fn list(&mut self, place: &Place<'_>, of: &OptionType, list: &[Written]) -> Result<OptionValue, Failed> {
        let place = Place { option: None, ..*place };
        let mut made = Vec::with_capacity(list.len());
        let mut is_failed = false;
        for (one, origin) in list {
            let element = match one {
                Value::String(text) => self.text(&place, text, origin).and_then(|raw| {
                    let is_spliced = raw.is_reference && matches!(raw.value, OptionValue::List(_));
                    if is_spliced && !matches!(of, OptionType::List(_)) {
                        return self.fitted(&place, &OptionType::List(Box::new(of.clone())), raw, origin);
                    }
                    let fitted = self.fitted(&place, of, raw, origin)?;
                    Ok(if fitted == OptionValue::None {
                        OptionValue::List(Vec::new())
                    } else {
                        OptionValue::List(vec![fitted])
                    })
                }),
                other => self.value(&place, of, other, origin).map(|value| OptionValue::List(vec![value])),
            };
            match element {
                Ok(OptionValue::List(elements)) => made.extend(elements),
                Ok(other) => made.push(other),
                Err(Failed) => is_failed = true,
            }
        }
        if is_failed { Err(Failed) } else { Ok(OptionValue::List(made)) }
    }

    fn fitted(
        &mut self,
        place: &Place<'_>,
        kind: &OptionType,
        raw: Raw,
        origin: &Origin,
    ) -> Result<OptionValue, Failed> {
        if *kind == OptionType::Secret {
            return self.secret(place, raw, origin);
        }
        match value::fit(kind, raw.value, raw.is_loose) {
            Ok(value) => self.settle(place, kind, value, origin),
            Err(misfit) => Err(self.misfit(place, kind, &misfit, origin)),
        }
    }

    /// What only the surroundings can tell: allotted ports, how many workers there are, absolute paths.
    fn settle(
        &mut self,
        place: &Place<'_>,
        kind: &OptionType,
        value: OptionValue,
        origin: &Origin,
    ) -> Result<OptionValue, Failed> {
        match (kind, value) {
            (OptionType::Port, OptionValue::Text(_)) => {
                let Some(option) = place.option else {
                    let said = "`auto` is one port of one option: it cannot stand in a list";
                    return Err(self.say(place, Diagnostic::error(said).at(origin, "")));
                };
                let part = &self.world.parts[place.part].name;
                Ok(OptionValue::Int(i64::from(self.allot.port(part, option))))
            }
            (OptionType::Workers, OptionValue::Text(_)) => {
                let processors = i64::try_from(self.world.surroundings.processors).unwrap_or(i64::MAX);
                Ok(OptionValue::Int(processors.clamp(*WORKERS.start(), *WORKERS.end())))
            }
            (OptionType::Path, OptionValue::Text(text)) => match self.world.path(text, origin) {
                Ok(text) => Ok(OptionValue::Text(text)),
                Err(said) => Err(self.say(place, Diagnostic::error(said).at(origin, ""))),
            },
            (OptionType::List(of), OptionValue::List(list)) => {
                let settled: Vec<_> = list.into_iter().map(|one| self.settle(place, of, one, origin)).collect();
                settled.into_iter().collect::<Result<_, _>>().map(OptionValue::List)
            }
            (_, value) => Ok(value),
        }
    }

    /// A secret: allotted, taken from a process variable, or another part's; never a word in a file.
    fn secret(&mut self, place: &Place<'_>, raw: Raw, origin: &Origin) -> Result<OptionValue, Failed> {
        let world = self.world;
        let part = &world.parts[place.part].name;
        let Some(option) = place.option else { return Err(Failed) };
        let text = match value::as_text(&raw.value) {
            Some(text) => text,
            None if raw.value == OptionValue::None => return Ok(OptionValue::None),
            None => return Err(self.misfit(place, &OptionType::Secret, &Misfit(value::found(&raw.value)), origin)),
        };
        let secret = match (text.is_secret(), text.as_plain(), raw.vars.as_slice()) {
            (true, _, []) => return Ok(OptionValue::Text(text)),
            (false, Some("generate"), _) => self.allot.secret(part, option),
            (false, Some(word), [_, ..]) => {
                let secret = self.allot.secret_given(part, option, word);
                for name in raw.vars {
                    self.vars_used.remove(&name);
                    self.secret_vars.insert(name, secret.clone());
                }
                secret
            }
            (true, _, [_, ..]) => {
                let said = format!("`{part}.{option}` joins a secret with a process variable");
                let said = Diagnostic::error(said).at(origin, "");
                return Err(self.say(place, said.hint("take it whole from one of them")));
            }
            (false, _, _) => return Err(self.literal_secret(place, option, origin)),
        };
        Ok(OptionValue::Text(Text::secret(secret)))
    }

    fn literal_secret(&mut self, place: &Place<'_>, option: &OptionName, origin: &Origin) -> Failed {
        let part = &self.world.parts[place.part].name;
        let said = format!("`{part}.{option}` is a secret, and its word is written in `{}`", origin.source.name);
        let said = Diagnostic::error(said).at(&redacted(origin), "a secret's word is never in a file or an argument");
        let said = said.hint(format!("`jove-install secret set {part}.{option}` reads it from the terminal or a pipe"));
        self.say(place, said.hint("or write \"generate\", or a process variable: \"${vars.NAME}\""))
    }

    fn misfit(&mut self, place: &Place<'_>, kind: &OptionType, misfit: &Misfit, origin: &Origin) -> Failed {
        let part = &self.world.parts[place.part];
        let what = match place.option {
            Some(option) => format!("`{}.{option}`", part.name),
            None => format!("a value of part `{}`", part.name),
        };
        let expected = kind.expected();
        let said = format!("{what} must be {expected}, but is {}", misfit.0);
        let mut said = Diagnostic::error(said).at(origin, format!("expected {expected}"));
        if let OptionType::Enum(words) = kind {
            let word = misfit.0.split('"').nth(1).unwrap_or_default();
            said = said.nearest(word, words.iter().map(String::as_str));
        }
        self.say(place, said)
    }

    /// Says that something is wrong; where a recipe's own text is at fault, for which part.
    pub(super) fn say(&mut self, place: &Place<'_>, said: Diagnostic) -> Failed {
        // A part whose recipe is unknown was told of already.
        if said.message.is_empty() {
            return Failed;
        }
        let part = &self.world.parts[place.part];
        let is_of_recipe = said.labels.first().is_some_and(|label| label.origin.source == part.recipe.source);
        let said = if is_of_recipe { said.at(&part.origin, format!("for part `{}`", part.name)) } else { said };
        self.wrong.push(said);
        Failed
    }
}

/// The place with every letter of its value hidden.
fn redacted(origin: &Origin) -> Origin {
    let mut bytes = origin.source.text.clone().into_bytes();
    let end = origin.span.end.min(bytes.len());
    let span = origin.span.start.min(end)..end;
    bytes[span].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'*');
    let source = Source {
        name: origin.source.name.clone(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
        folder: origin.source.folder.clone(),
    };
    Origin::new(&Arc::new(source), origin.span.clone())
}
