//! Values: references are resolved per option, lazily, each option once.
//!
//! Before an option is worked out, all that it refers to is; a stack of our own holds what waits, so that a chain of ten
//! thousand options needs no deep recursion, and an option that is met again while it waits is a circle, which is drawn.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::name::OptionName;
use crate::profile::refer::{self, ReferError, Token};
use crate::profile::{Definition, Value};
use crate::recipe::Catalogue;
use crate::recipe::resolve::{Allot, Surroundings};
use crate::recipe::said::Item;
use crate::recipe::schema::OptionType;
use crate::recipe::select::{Active, Layers};
use crate::recipe::stack::{EdgeKind, OptionValue};
use crate::recipe::target::{SlotId, Target, dig};
use crate::text::SecretRef;

/// What does not change while values are worked out.
pub(super) struct World<'a> {
    pub(super) definition: &'a Definition,
    pub(super) catalogue: &'a Catalogue,
    pub(super) surroundings: &'a Surroundings<'a>,
    pub(super) layers: Layers,
    pub(super) parts: Vec<Active<'a>>,
    pub(super) index: HashMap<&'a str, usize>,
}

/// Something is wrong, and was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed;

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// The part that it is worked out for: its edges.
    pub(super) part: usize,
    /// The part that `${.x}` means.
    pub(super) scope: usize,
    /// The option that it is the whole value of.
    pub(super) option: Option<&'p OptionName>,
    /// What `${item.x}` means.
    pub(super) item: Option<&'p Item>,
}

impl Place<'_> {
    /// A text of a part's recipe.
    pub(super) fn of(part: usize) -> Self {
        Self { part, scope: part, option: None, item: None }
    }
}

/// A text in pieces, or why it cannot be read.
pub(super) type Tokens = Result<Vec<Token>, ReferError>;

/// One option or export.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slot {
    /// Not asked for yet.
    Empty,
    /// It waits for what it refers to.
    Busy,
    /// Worked out.
    Done(OptionValue),
    /// Something is wrong with it, and was said.
    Failed,
}

/// Works values out.
pub(super) struct Evaluator<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) slots: Vec<Vec<Slot>>,
    pub(super) edges: Vec<BTreeMap<(EdgeKind, usize), Origin>>,
    pub(super) wrong: Diagnostics,
    pub(super) vars_used: BTreeMap<String, Option<String>>,
    pub(super) secret_vars: BTreeMap<String, SecretRef>,
    pub(super) allot: &'w mut dyn Allot,
    /// Texts that were read: those of a recipe are met once for each of its parts.
    read: RefCell<HashMap<Box<str>, Rc<Tokens>>>,
}

impl<'w, 'a> Evaluator<'w, 'a> {
    pub(super) fn new(world: &'w World<'a>, allot: &'w mut dyn Allot) -> Self {
        let slots =
            world.parts.iter().map(|part| vec![Slot::Empty; part.recipe.options.len() + part.recipe.exports.len()]);
        Self {
            world,
            slots: slots.collect(),
            edges: vec![BTreeMap::new(); world.parts.len()],
            wrong: Diagnostics::default(),
            vars_used: BTreeMap::new(),
            secret_vars: BTreeMap::new(),
            allot,
            read: RefCell::default(),
        }
    }

    /// The pieces of a text.
    pub(super) fn read(&self, text: &str) -> Rc<Tokens> {
        if let Some(tokens) = self.read.borrow().get(text) {
            return Rc::clone(tokens);
        }
        let tokens = Rc::new(refer::parse(text));
        self.read.borrow_mut().insert(text.into(), Rc::clone(&tokens));
        tokens
    }

    /// Works out every option and export.
    pub(super) fn all(&mut self) {
        for part in 0..self.slots.len() {
            for slot in 0..self.slots[part].len() {
                self.force(SlotId { part, slot });
            }
        }
    }

    /// An option's value, if it could be worked out.
    pub(super) fn option(&self, part: usize, name: &str) -> Option<&OptionValue> {
        let index = self.world.parts[part].recipe.option_index(name)?;
        match &self.slots[part][index] {
            Slot::Done(value) => Some(value),
            Slot::Empty | Slot::Busy | Slot::Failed => None,
        }
    }

    fn force(&mut self, wanted: SlotId) {
        struct Waiting {
            id: SlotId,
            via: Option<Origin>,
            is_entered: bool,
        }
        let mut stack = vec![Waiting { id: wanted, via: None, is_entered: false }];
        while let Some(top) = stack.last_mut() {
            let id = top.id;
            let is_done = matches!(self.slots[id.part][id.slot], Slot::Done(_) | Slot::Failed);
            if is_done || (self.slots[id.part][id.slot] == Slot::Busy && !top.is_entered) {
                stack.pop();
                continue;
            }
            top.is_entered = true;
            self.slots[id.part][id.slot] = Slot::Busy;
            let mut unmet = Vec::new();
            if let Some((place, value, origin)) = self.source(id) {
                self.unmet(&place, value, origin, &mut unmet);
            }
            if let Some((met, origin)) = unmet.iter().find(|(id, _)| self.slots[id.part][id.slot] == Slot::Busy) {
                let path = stack.iter().filter(|waiting| waiting.is_entered).skip_while(|waiting| waiting.id != *met);
                let steps: Vec<_> = path.map(|waiting| (waiting.id, waiting.via.clone())).collect();
                self.draw_circle(&steps, origin);
                self.slots[id.part][id.slot] = Slot::Failed;
            } else if unmet.is_empty() {
                let made = self.work_out(id);
                self.slots[id.part][id.slot] = made.map_or(Slot::Failed, Slot::Done);
                stack.pop();
            } else {
                // The first one on top, so that mistakes are met in the order of the text.
                stack.extend(unmet.into_iter().rev().map(|(id, via)| Waiting {
                    id,
                    via: Some(via),
                    is_entered: false,
                }));
            }
        }
    }

    fn draw_circle(&mut self, steps: &[(SlotId, Option<Origin>)], last: &Origin) {
        let names: Vec<String> = steps.iter().map(|(id, _)| self.name_of(*id)).collect();
        let Some(first) = names.first() else { return };
        let said = format!("options refer to each other in a circle: {} → {first}", names.join(" → "));
        let mut said = Diagnostic::error(said);
        let vias = steps.iter().skip(1).filter_map(|(_, via)| via.as_ref()).chain([last]);
        for (index, via) in vias.enumerate() {
            let to = names.get(index + 1).unwrap_or(first);
            said = said.at(via, format!("{} refers to {to}", names[index]));
        }
        self.wrong.push(said.hint("write one of them plainly"));
    }

    /// `db.url`.
    fn name_of(&self, id: SlotId) -> String {
        let part = &self.world.parts[id.part];
        let options = part.recipe.options.len();
        let word = match part.recipe.options.get(id.slot) {
            Some(option) => option.name.as_str(),
            None => part.recipe.exports.get(id.slot - options).map_or("", |(name, _)| name.as_str()),
        };
        format!("`{}.{word}`", part.name)
    }

    /// What is written for an option or export, and where it stands.
    fn source(&self, id: SlotId) -> Option<(Place<'w>, &'w Value, &'w Origin)> {
        let world: &'w World<'a> = self.world;
        let part = &world.parts[id.part];
        match part.recipe.options.get(id.slot) {
            Some(spec) => {
                let chosen = &part.chosen[id.slot];
                let (value, origin) = chosen.value.as_ref()?;
                let place = Place { part: id.part, scope: chosen.scope, option: Some(&spec.name), item: None };
                Some((place, value, origin))
            }
            None => {
                let (_, (value, origin)) = part.recipe.exports.get(id.slot - part.recipe.options.len())?;
                Some((Place::of(id.part), value, origin))
            }
        }
    }

    fn work_out(&mut self, id: SlotId) -> Result<OptionValue, Failed> {
        let part = &self.world.parts[id.part];
        let Some(spec) = part.recipe.options.get(id.slot) else {
            let Some((place, value, origin)) = self.source(id) else { return Ok(OptionValue::None) };
            return self.value(&place, &OptionType::Any, value, origin);
        };
        let worked = match self.source(id) {
            Some((place, value, origin)) => self.value(&place, &spec.kind, value, origin)?,
            None => OptionValue::None,
        };
        if worked == OptionValue::None && spec.required {
            let (name, option) = (&part.name, &spec.name);
            let said = format!("part `{name}` must say its `{option}`: recipe `{}` requires it", part.recipe.name);
            let place = self.source(id).map_or(&part.origin, |(_, _, origin)| origin);
            let said = Diagnostic::error(said).at(place, "");
            let example = spec.example.as_ref().map(|example| format!("for example `{option} = {example}`"));
            let said = if spec.doc.is_empty() { said } else { said.hint(format!("{option}: {}", spec.doc)) };
            if part.is_whole {
                self.wrong.push(example.into_iter().fold(said, Diagnostic::hint));
            }
            return Err(Failed);
        }
        Ok(worked)
    }

    /// The options that a value refers to and that are not worked out yet. A default counts only where it will hold.
    fn unmet(&self, place: &Place<'_>, value: &Value, origin: &Origin, found: &mut Vec<(SlotId, Origin)>) {
        match value {
            Value::Bool(_) | Value::Float(_) | Value::Int(_) => {}
            Value::List(list) => list.iter().for_each(|(one, origin)| self.unmet(place, one, origin, found)),
            Value::Table(table) => table.values().for_each(|(one, origin)| self.unmet(place, one, origin, found)),
            Value::String(text) if text.contains("${") => {
                for token in self.read(text).iter().flatten() {
                    self.unmet_token(place, token, text, origin, found);
                }
            }
            Value::String(_) => {}
        }
    }

    fn unmet_token(
        &self,
        place: &Place<'_>,
        token: &Token,
        text: &str,
        origin: &Origin,
        found: &mut Vec<(SlotId, Origin)>,
    ) {
        let Token::Reference { path, default, span, .. } = token else { return };
        let at = || refer::locate(origin, text, span);
        let needs_default = match self.world.target(place, path, &at) {
            Target::Slot(id, words) => match &self.slots[id.part][id.slot] {
                Slot::Empty | Slot::Busy => {
                    found.push((id, at()));
                    false
                }
                Slot::Done(value) => dig(value, words) == Ok(&OptionValue::None),
                Slot::Failed => false,
            },
            Target::Var(name) => self.world.surroundings.vars.get(name).is_none_or(String::is_empty),
            Target::Known(value, _) => value == OptionValue::None,
            Target::Absent(_) => true,
            Target::Wrong(_) => false,
        };
        if needs_default {
            for token in default.iter().flatten() {
                self.unmet_token(place, token, text, origin, found);
            }
        }
    }
}
