//! What a recipe's file says twice, misspells or contradicts: checked once, before any part uses it.

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::profile::Value;
use crate::profile::refer::{self, Token};
use crate::recipe::schema::{
    BUILT_IN, BringForm, Content, MAIN, OptionType, Recipe, SERVICES, ServiceForm, When, Written,
};
use crate::recipe::value;

/// The keys of tables that may be written in place.
const TABLES: [(&str, &[&str]); 5] = [
    (
        "ready",
        &[
            "exec",
            "http",
            "log",
            "notify",
            "tcp",
            "unix",
            "status",
            "contains",
            "headers",
            "expect_headers",
            "interval",
            "timeout",
            "deadline",
        ],
    ),
    (
        "live",
        &[
            "exec",
            "http",
            "log",
            "notify",
            "tcp",
            "unix",
            "status",
            "contains",
            "headers",
            "expect_headers",
            "interval",
            "timeout",
            "deadline",
            "failures",
        ],
    ),
    ("stop", &["signal", "grace"]),
    ("restart", &["policy", "first", "max", "settle", "burst", "window"]),
    ("log", &["max_bytes", "keep", "max_age", "compress", "format", "on_full", "forward"]),
];

/// Checks a recipe that was read.
pub(super) fn recipe(recipe: &Recipe, wrong: &mut Diagnostics) {
    for option in &recipe.options {
        for (key, written) in [("default", &option.default), ("placeholder", &option.placeholder)] {
            let Some((value, origin)) = written else { continue };
            if value::has_references(value) {
                continue;
            }
            let is_literal_secret = option.kind == OptionType::Secret && *value != Value::String("generate".into());
            let fitted = value::fit_written(&option.kind, value);
            if let Err(value::Misfit(found)) = fitted {
                let expected = option.kind.expected();
                let said = format!("`{key}` of option `{}` must be {expected}, but is {found}", option.name);
                wrong.push(Diagnostic::error(said).at(origin, ""));
            } else if is_literal_secret && key == "default" {
                let said = format!("a secret may not be written in a recipe (option `{}`)", option.name);
                wrong.push(Diagnostic::error(said).at(origin, "").hint("write \"generate\""));
            }
        }
    }
    for (name, (_, origin)) in &recipe.exports {
        let is_word = name.parse::<crate::name::OptionName>().is_ok();
        if !is_word || BUILT_IN.contains(&name.as_str()) {
            let said = format!("no export can be called `{name}`");
            wrong.push(Diagnostic::error(said).at(origin, "it takes lowercase letters, digits and `_`"));
        }
    }
    services(recipe, wrong);
    services_option(recipe, wrong);
    each_when(recipe, &mut |when, origin| conditions(recipe, when, origin, wrong));
    each_written(recipe, &mut |written| references(recipe, written, wrong));
}

fn services(recipe: &Recipe, wrong: &mut Diagnostics) {
    let names: Vec<&str> = recipe.services.iter().map(|form| form.name.as_deref().unwrap_or(MAIN)).collect();
    for (index, form) in recipe.services.iter().enumerate() {
        let mut others = recipe.services[..index].iter().filter(|other| !exclude(&other.when, &form.when));
        match &form.name {
            None if others.next().is_some() => {
                let said = "only the first [[service]] or [[schedule]] may be without `name`: it is called as its part";
                wrong.push(Diagnostic::error(said).at(&form.origin, ""));
            }
            Some(name) if others.any(|other| other.name.as_ref() == Some(name)) => {
                let said = format!("two services, jobs or steps of this recipe are called `{name}`");
                wrong.push(Diagnostic::error(said).at(&form.origin, ""));
            }
            _ => {}
        }
        if let Some(command) = recipe.data.commands.iter().find(|command| command.form.name == form.name) {
            let said = format!("`{}` is the name of a command of [data]", command.verb.word());
            wrong.push(Diagnostic::error(said).at(&form.origin, "").hint("call the service or step otherwise"));
        }
        for (need, _, origin) in &form.needs {
            if !names.contains(&need.as_str()) {
                let said = format!("this recipe has no service, job or step called `{need}`");
                let said = Diagnostic::error(said).at(origin, "");
                wrong.push(said.nearest(need, names.iter().copied()));
            }
        }
        tables(form, wrong);
    }
}

/// Whether two conditions can never hold at once: an option would have to have two values.
fn exclude(one: &When, other: &When) -> bool {
    one.0.iter().any(|(name, values)| {
        let same = other.0.iter().filter(|(asked, _)| asked == name);
        same.into_iter().any(|(_, asked)| !asked.iter().any(|value| values.contains(value)))
    })
}

fn tables(form: &ServiceForm, wrong: &mut Diagnostics) {
    let written = [&form.ready, &form.live, &form.stop, &form.restart, &form.log];
    for ((what, keys), written) in TABLES.iter().zip(written) {
        let Some((Value::Table(table), _)) = written else { continue };
        for (key, (_, origin)) in table {
            if !keys.contains(&key.as_str()) {
                let said = Diagnostic::error(format!("`{what}` knows no `{key}`")).at(origin, "unknown key");
                wrong.push(said.nearest(key, keys.iter().copied()));
            }
        }
    }
}

fn conditions(recipe: &Recipe, when: &When, origin: &Origin, wrong: &mut Diagnostics) {
    for (name, wished) in &when.0 {
        let Some(option) = recipe.option(name.as_str()) else {
            let said = format!("`when` asks for option `{name}`, which this recipe does not declare");
            let said = Diagnostic::error(said).at(origin, "");
            wrong.push(said.nearest(name.as_str(), recipe.options.iter().map(|option| option.name.as_str())));
            continue;
        };
        let element = match &option.kind {
            OptionType::List(of) => of.as_ref(),
            other => other,
        };
        for wish in wished {
            // Of any option `true` asks whether it is given.
            let is_asked = matches!(wish, Value::Bool(_));
            if !is_asked
                && value::fit_written(element, wish).is_err()
                && value::fit_written(&option.kind, wish).is_err()
            {
                let said = format!("`when` compares option `{name}` with what it can never be");
                let hint = format!("it is {}", option.kind.expected());
                wrong.push(Diagnostic::error(said).at(origin, "").hint(hint));
            }
        }
    }
}

/// Own references must name an option, an export or a built-in.
fn references(recipe: &Recipe, (value, origin): &Written, wrong: &mut Diagnostics) {
    match value {
        Value::Bool(_) | Value::Float(_) | Value::Int(_) => {}
        Value::List(list) => list.iter().for_each(|one| references(recipe, one, wrong)),
        Value::Table(table) => table.values().for_each(|one| references(recipe, one, wrong)),
        Value::String(text) => match refer::parse(text) {
            Ok(tokens) => tokens.iter().for_each(|token| token_names(recipe, text, origin, token, wrong)),
            Err(error) => {
                let place = refer::locate(origin, text, &error.span());
                wrong.push(Diagnostic::error(error.to_string()).at(&place, ""));
            }
        },
    }
}

fn token_names(recipe: &Recipe, text: &str, origin: &Origin, token: &Token, wrong: &mut Diagnostics) {
    let Token::Reference { path, default, span, .. } = token else { return };
    for token in default.iter().flatten() {
        token_names(recipe, text, origin, token, wrong);
    }
    let [own, name, rest @ ..] = path.as_slice() else { return };
    if own.is_empty() && name == SERVICES && !rest.is_empty() {
        return linked(recipe, rest, &refer::locate(origin, text, span), wrong);
    }
    let is_known = BUILT_IN.contains(&name.as_str())
        || name == "item"
        || recipe.option(name).is_some()
        || recipe.export_index(name).is_some();
    if own.is_empty() && !is_known {
        let said = format!("this recipe has no option or export called `{name}`");
        let said = Diagnostic::error(said).at(&refer::locate(origin, text, span), "");
        let known = recipe.options.iter().map(|option| option.name.as_str());
        let known = known.chain(recipe.exports.iter().map(|(name, _)| name.as_str())).chain(BUILT_IN);
        wrong.push(said.nearest(name, known));
    }
}

/// `${.services.WORD.…}` must name what the recipe brings.
fn linked(recipe: &Recipe, rest: &[String], at: &Origin, wrong: &mut Diagnostics) {
    let words = || recipe.brings.iter().map(BringForm::word);
    if let Some(word) = rest.first()
        && !words().any(|known| known == word)
    {
        let said = Diagnostic::error(format!("this recipe brings nothing called `{word}`")).at(at, "");
        wrong.push(said.nearest(word, words()));
    }
}

/// A part that `services` asks for needs that option, a list of texts.
fn services_option(recipe: &Recipe, wrong: &mut Diagnostics) {
    let asked = recipe.brings.iter().find(|form| form.service.is_some());
    let texts = OptionType::List(Box::new(OptionType::String));
    if let Some(form) = asked
        && recipe.option(SERVICES).is_none_or(|option| option.kind != texts)
    {
        let said = "`service` of [[brings]] needs an option `services` of type `list`";
        wrong.push(Diagnostic::error(said).at(&form.recipe.1, ""));
    }
}

fn each_when(recipe: &Recipe, each: &mut impl FnMut(&When, &Origin)) {
    recipe.sources.iter().for_each(|form| each(&form.when, &form.from.1));
    recipe.files.iter().for_each(|form| each(&form.when, &form.path.1));
    recipe.services.iter().for_each(|form| each(&form.when, &form.origin));
    recipe.promises.iter().for_each(|form| each(&form.when, &form.probe.1));
    recipe.brings.iter().for_each(|form| each(&form.when, &form.recipe.1));
}

/// Everything in which a reference may stand.
fn each_written(recipe: &Recipe, each: &mut impl FnMut(&Written)) {
    recipe.options.iter().flat_map(|option| &option.default).for_each(&mut *each);
    for form in &recipe.sources {
        each(&form.from);
        each(&form.to);
    }
    for form in &recipe.files {
        if let Content::Template(written) | Content::Copy(written) = &form.content {
            each(written);
        }
        each(&form.path);
        form.each.iter().for_each(&mut *each);
    }
    let of_data = recipe.data.commands.iter().map(|command| &command.form);
    for form in recipe.services.iter().chain(of_data) {
        each(&form.command);
        form.vars.values().for_each(&mut *each);
        let rest = [
            &form.step,
            &form.schedule,
            &form.folder,
            &form.vars_from,
            &form.folders,
            &form.ready,
            &form.live,
            &form.stop,
            &form.reload,
            &form.restart,
            &form.watch,
            &form.urls,
            &form.listens,
            &form.sockets,
            &form.overlap,
            &form.count,
            &form.watchdog,
            &form.timeout,
            &form.limits,
            &form.writes,
            &form.reads,
            &form.log,
            &form.on_failed,
        ];
        rest.into_iter().flatten().for_each(&mut *each);
    }
    recipe.data.folders.iter().chain(&recipe.data.version).for_each(&mut *each);
    recipe.exports.iter().for_each(|(_, written)| each(written));
    recipe.promises.iter().for_each(|form| each(&form.probe));
    recipe.brings.iter().flat_map(|form| form.options.values()).for_each(each);
}
