//! `[data]` of a recipe: what the user's data is, and the commands that write it out and take it in again.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::profile::Value;
use crate::recipe::evaluate::Evaluator;
use crate::recipe::parse::strings;
use crate::recipe::read::Fields;
use crate::recipe::schema::{DataCommandForm, DataForm, ServiceForm, Written};
use crate::service::{DataCommand, DataState, DataVerb, FormatRule, Reads};

/// Reads `[data]`. Its commands see what the first service sees.
pub(super) fn data_form(written: Written, main: Option<&ServiceForm>, wrong: &mut Diagnostics) -> Option<DataForm> {
    let mut fields = Fields::of("[data]", written, wrong)?;
    let (folders, version) = (fields.take("folders"), fields.take("version"));
    let mut form = DataForm { folders, version, format: format_rule(&mut fields), commands: Vec::new() };
    let written = [
        (DataVerb::Dump, fields.take("dump")),
        (DataVerb::Load, fields.take("load")),
        (DataVerb::Prove, fields.take("prove")),
    ];
    fields.done();
    for (verb, written) in written {
        form.commands.extend(written.and_then(|written| command_form(verb, written, main, wrong)));
    }
    Some(form)
}

/// `format_of = "postgresql"`, with `digits` and `reads`.
fn format_rule(fields: &mut Fields<'_>) -> Option<FormatRule> {
    let (of, digits, reads) = (fields.take("format_of"), fields.take("digits"), fields.text("reads"));
    let Some(of) = of else {
        let further = [digits.map(|(_, origin)| ("digits", origin)), reads.map(|(_, origin)| ("reads", origin))];
        for (key, origin) in further.into_iter().flatten() {
            fields
                .push(Diagnostic::error(format!("`{key}` of [data] says nothing without `format_of`")).at(&origin, ""));
        }
        return None;
    };
    let words = match &of.0 {
        Value::String(word) => Some(vec![word.clone()]),
        list => strings(list).filter(|words| !words.is_empty()),
    };
    if words.is_none() {
        fields.wrong("format_of", "a text or a list of texts", &of);
    }
    let digits = match digits {
        None => 1,
        Some((Value::Int(number @ 1..=4), _)) => usize::try_from(number).unwrap_or(1),
        Some(other) => {
            fields.wrong("digits", "a whole number from 1 to 4", &other);
            1
        }
    };
    let reads = reads.map(|(word, origin)| one_of(fields, (&word, &origin), &Reads::WORDS, "word for what is read"));
    Some(FormatRule { of: words?, digits, reads: reads.unwrap_or_default() })
}

/// `dump = ["program", "argument"]`, or a table with that as `command`.
fn command_form(
    verb: DataVerb,
    written: Written,
    main: Option<&ServiceForm>,
    wrong: &mut Diagnostics,
) -> Option<DataCommandForm> {
    let origin = written.1.clone();
    let mut form = seen_by(main, verb, &origin);
    if !matches!(written.0, Value::Table(_)) {
        form.command = written;
        return Some(DataCommandForm { verb, form, during: DataState::default() });
    }
    let mut fields = Fields::of(format!("`{}` of [data]", verb.word()), written, wrong)?;
    match fields.take("command") {
        Some(command) => form.command = command,
        None => fields.missing("command"),
    }
    form.vars.extend(fields.table("vars"));
    form.folder = fields.take("folder").or(form.folder);
    let during = state(&mut fields);
    fields.done();
    Some(DataCommandForm { verb, form, during })
}

fn state(fields: &mut Fields<'_>) -> DataState {
    let Some((word, origin)) = fields.text("while") else { return DataState::default() };
    one_of(fields, (&word, &origin), &DataState::WORDS, "state of services")
}

/// What a word stands for; the default where it is none of these.
fn one_of<T: Copy + Default>(
    fields: &mut Fields<'_>,
    (word, origin): (&str, &Origin),
    words: &[(&'static str, T)],
    what: &str,
) -> T {
    if let Some((_, meant)) = words.iter().find(|(known, _)| *known == word) {
        return *meant;
    }
    let known = || words.iter().map(|(word, _)| *word);
    let said = format!("`{word}` is no {what}: there are {}", known().collect::<Vec<_>>().join(", "));
    fields.push(Diagnostic::error(said).at(origin, "").nearest(word, known()));
    T::default()
}

/// A step in the surroundings of a service.
fn seen_by(main: Option<&ServiceForm>, verb: DataVerb, origin: &Origin) -> ServiceForm {
    let of = |written: fn(&ServiceForm) -> &Option<Written>| main.and_then(|main| written(main).clone());
    ServiceForm {
        name: Some(verb.word().to_owned()),
        step: Some((Value::String(String::new()), origin.clone())),
        command: (Value::List(Vec::new()), origin.clone()),
        folder: of(|main| &main.folder),
        vars: main.map_or_else(BTreeMap::new, |main| main.vars.clone()),
        vars_from: of(|main| &main.vars_from),
        folders: of(|main| &main.folders),
        limits: of(|main| &main.limits),
        writes: of(|main| &main.writes),
        reads: of(|main| &main.reads),
        ..ServiceForm::bare(origin)
    }
}

impl Evaluator<'_, '_> {
    /// The commands that write a part's data out and take them in.
    pub(super) fn data_commands(&mut self, part: usize) -> Vec<DataCommand> {
        let recipe = self.world.parts[part].recipe;
        let forms = recipe.data.commands.iter();
        let made = forms.filter_map(|one| {
            let spec = self.service(part, &one.form).ok()?;
            Some(DataCommand { verb: one.verb, during: one.during, spec })
        });
        made.collect()
    }
}
