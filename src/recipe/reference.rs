//! Texts: their references followed, process variables read, edges noted.

use crate::diagnostic::{Diagnostic, Origin};
use crate::profile::refer::{self, Token};
use crate::recipe::evaluate::{Evaluator, Failed, Place, Slot};
use crate::recipe::stack::{EdgeKind, OptionValue};
use crate::recipe::target::{Target, dig};
use crate::recipe::value;
use crate::text::{MARK_CLOSE, MARK_OPEN, Text};

/// A text whose references are resolved.
pub(super) struct Raw {
    pub(super) value: OptionValue,
    /// It is one reference and nothing else.
    pub(super) is_reference: bool,
    /// It came as text from outside, or was joined.
    pub(super) is_loose: bool,
    /// The process variables in it.
    pub(super) vars: Vec<String>,
}

impl Evaluator<'_, '_> {
    /// A text with its references resolved.
    pub(super) fn text(&mut self, place: &Place<'_>, text: &str, origin: &Origin) -> Result<Raw, Failed> {
        if text.contains([MARK_OPEN, MARK_CLOSE]) {
            let said = "a text holds a character (U+E000 or U+E001) that no setting may hold";
            return Err(self.say(place, Diagnostic::error(said).at(origin, "")));
        }
        if !text.contains("${") {
            let value = OptionValue::Text(Text::literal(text));
            return Ok(Raw { value, is_reference: false, is_loose: false, vars: Vec::new() });
        }
        let read = self.read(text);
        let tokens = match read.as_ref() {
            Ok(tokens) => tokens,
            Err(error) => {
                let at = refer::locate(origin, text, &error.span());
                return Err(self.say(place, Diagnostic::error(error.to_string()).at(&at, "")));
            }
        };
        self.tokens(place, tokens, text, origin)
    }

    fn tokens(&mut self, place: &Place<'_>, tokens: &[Token], text: &str, origin: &Origin) -> Result<Raw, Failed> {
        if let [Token::Reference { language: None, .. }] = tokens {
            let raw = self.reference(place, &tokens[0], text, origin)?;
            return Ok(Raw { is_reference: true, ..raw });
        }
        let mut made = Text::default();
        let mut vars = Vec::new();
        let mut is_failed = false;
        let mut is_joined = false;
        for token in tokens {
            let Token::Reference { span, .. } = token else {
                if let Token::Literal(literal) = token {
                    made.append(Text::literal(literal.as_str()));
                }
                continue;
            };
            is_joined = true;
            let Ok(raw) = self.reference(place, token, text, origin) else {
                is_failed = true;
                continue;
            };
            vars.extend(raw.vars);
            match value::as_text(&raw.value) {
                Some(piece) => made.append(piece),
                None => {
                    let at = refer::locate(origin, text, span);
                    let found = value::found(&raw.value);
                    let said = Diagnostic::error(format!("`{token}` is {found}, which cannot be a piece of a text"));
                    let said = said.at(&at, "");
                    self.say(
                        place,
                        if raw.value == OptionValue::None {
                            said.hint("give a default: `${…:-default}`")
                        } else {
                            said
                        },
                    );
                    is_failed = true;
                }
            }
        }
        if is_failed {
            return Err(Failed);
        }
        Ok(Raw { value: OptionValue::Text(made), is_reference: false, is_loose: is_joined, vars })
    }

    fn reference(&mut self, place: &Place<'_>, token: &Token, text: &str, origin: &Origin) -> Result<Raw, Failed> {
        let Token::Reference { path, language, default, span } = token else { return Err(Failed) };
        let at = || refer::locate(origin, text, span);
        let strict = |value| Raw { value, is_reference: false, is_loose: false, vars: Vec::new() };
        let (raw, said) = match self.world.target(place, path, &at) {
            Target::Known(value, owner) => {
                self.note_edges(place, owner, &value, &at);
                (strict(value), None)
            }
            Target::Slot(id, words) => {
                let Slot::Done(value) = &self.slots[id.part][id.slot] else { return Err(Failed) };
                let value = match dig(value, words) {
                    Ok(value) => value.clone(),
                    Err(said) => return Err(self.say(place, Diagnostic::error(said).at(&at(), ""))),
                };
                self.note_edges(place, Some(id.part), &value, &at);
                (strict(value), None)
            }
            Target::Var(name) => self.var(name, default.is_some(), &at),
            Target::Absent(said) => (strict(OptionValue::None), Some(said)),
            Target::Wrong(said) => return Err(self.say(place, said)),
        };
        match (default, said) {
            (Some(tokens), _) if raw.value == OptionValue::None => {
                let made = self.tokens(place, tokens, text, origin)?;
                Ok(Raw { is_loose: true, ..made })
            }
            (None, Some(said)) => Err(self.say(place, said)),
            (Some(_) | None, _) => Ok(match language.zip(value::as_text(&raw.value)) {
                Some((language, text)) => Raw { value: OptionValue::Text(text.quoted(language)), ..raw },
                None => raw,
            }),
        }
    }

    fn var(&mut self, name: &str, has_default: bool, at: &dyn Fn() -> Origin) -> (Raw, Option<Diagnostic>) {
        let value = self.world.surroundings.vars.get(name);
        self.vars_used.insert(name.to_owned(), value.cloned());
        let mut raw = Raw { value: OptionValue::None, is_reference: false, is_loose: true, vars: Vec::new() };
        match value {
            Some(word) if word.contains([MARK_OPEN, MARK_CLOSE]) => {
                let said = format!("process variable `{name}` holds a character that no setting may hold");
                (raw, Some(Diagnostic::error(said).at(&at(), "")))
            }
            Some(word) if !(word.is_empty() && has_default) => {
                raw.value = OptionValue::Text(Text::literal(word));
                raw.vars.push(name.to_owned());
                (raw, None)
            }
            Some(_) => (raw, None),
            None => {
                let said = Diagnostic::error(format!("process variable `{name}` is not set")).at(&at(), "");
                (raw, Some(said.hint(format!("set it, or give a default: `${{vars.{name}:-default}}`"))))
            }
        }
    }

    /// A reference to another part is an edge of value, and each object in what it gives one of object.
    fn note_edges(&mut self, place: &Place<'_>, owner: Option<usize>, value: &OptionValue, at: &dyn Fn() -> Origin) {
        let world = self.world;
        let mut kinds = Vec::new();
        value::texts(value, &mut |text| {
            for object in text.objects() {
                kinds.extend(world.index.get(object.as_str()).map(|part| (EdgeKind::Object, *part)));
            }
        });
        if let Some(owner) = owner
            && !kinds.contains(&(EdgeKind::Object, owner))
        {
            kinds.push((EdgeKind::Value, owner));
        }
        for (kind, part) in kinds {
            if part != place.part {
                self.edges[place.part].entry((kind, part)).or_insert_with(at);
            }
        }
    }
}
