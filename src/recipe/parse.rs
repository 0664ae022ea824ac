//! From the text of a `recipe.toml` to a [`Recipe`]; all mistakes of the file in one run.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::name::{OptionName, PartName};
use crate::profile::Value;
use crate::provider::ORDER;
use crate::recipe::check;
use crate::recipe::data::data_form;
use crate::recipe::process::{CommonForm, Runs, service_form};
use crate::recipe::read::{Fields, kind_of, parse_toml};
use crate::recipe::schema::{
    Action, BRINGER, BUILT_IN, BringForm, Content, FileForm, OptionSpec, OptionType, PART_KEYS, PromiseForm, Recipe,
    SourceForm, When, Written,
};

/// The keys of a probe, which is a table of exactly one kind and its times.
pub(super) const PROBE_KINDS: [&str; 6] = ["exec", "http", "log", "notify", "tcp", "unix"];

/// What else is in the table of a probe: of the answer to `http`, and its times.
const PROBE_KEYS: [&str; 7] = ["status", "contains", "headers", "expect_headers", "interval", "timeout", "deadline"];

/// Reads a recipe.
///
/// # Errors
/// Everything that is wrong in the file.
pub fn parse(name: &str, source: &Arc<Source>) -> Result<Recipe, Diagnostics> {
    let mut wrong = Diagnostics::default();
    let table = parse_toml(source, &mut wrong);
    if wrong.has_errors() {
        return Err(wrong);
    }
    let recipe = recipe(name, source, table, &mut wrong);
    check::recipe(&recipe, &mut wrong);
    if wrong.has_errors() { Err(wrong) } else { Ok(recipe) }
}

fn recipe(name: &str, source: &Arc<Source>, table: BTreeMap<String, Written>, wrong: &mut Diagnostics) -> Recipe {
    let top = Origin::new(source, 0..0);
    let mut fields = Fields::new("a recipe", table, top, wrong);
    let summary = fields.text("summary").map(|(text, _)| text).unwrap_or_default();
    let action = action(&mut fields);
    let refuses_root = fields.truth("refuses_root");
    let refuses_in_paths = fields.text("refuses_in_paths").map(|(text, _)| text).unwrap_or_default();
    let options = fields.table("options");
    let sources = fields.list("source");
    let files = fields.list("file");
    let process = fields.take("process");
    let services = fields.list("service");
    let jobs = fields.list("schedule");
    let steps = fields.list("step");
    let data = fields.take("data");
    let exports = fields.table("exports");
    let promises = fields.list("promise");
    let brings = fields.list("brings");
    let tested = fields.table("tested");
    fields.done();

    let options = options.into_iter().filter_map(|(name, one)| option(&name, one, wrong)).collect();
    let sources: Vec<_> = sources.into_iter().filter_map(|one| source_form(one, wrong)).collect();
    let files: Vec<_> = files.into_iter().filter_map(|one| file_form(one, wrong)).collect();
    let common = process.and_then(|one| CommonForm::of(one, wrong)).unwrap_or_default();
    let mut forms = Vec::new();
    for (written, runs) in [(services, Runs::On), (jobs, Runs::AtTimes), (steps, Runs::Once)] {
        forms.extend(written.into_iter().filter_map(|one| service_form(one, runs, &common, wrong)));
    }
    let main = forms.iter().find(|form| form.schedule.is_none() && form.step.is_none()).cloned();
    let default = if files.is_empty() && sources.is_empty() { Action::None } else { Action::Files };
    Recipe {
        name: name.to_owned(),
        source: Arc::clone(source),
        summary,
        action: action.unwrap_or(default),
        refuses_root,
        refuses_in_paths,
        options,
        sources,
        files,
        services: forms,
        data: data.and_then(|one| data_form(one, main.as_ref(), wrong)).unwrap_or_default(),
        exports: exports.into_iter().collect(),
        promises: promises.into_iter().filter_map(|one| promise_form(one, wrong)).collect(),
        brings: brings.into_iter().filter_map(|one| bring_form(one, wrong)).collect(),
        tested: tested.into_iter().filter_map(|(provider, test)| tested_form(provider, test, wrong)).collect(),
    }
}

/// `deb = "real stack::a_site_runs"`: a provider, and a test by its suite and name.
fn tested_form(provider: String, (test, origin): Written, wrong: &mut Diagnostics) -> Option<(String, String)> {
    if !ORDER.contains(&provider.as_str()) {
        let said = Diagnostic::error(format!("`{provider}` in [tested] is no provider")).at(&origin, "");
        wrong.push(said.nearest(&provider, ORDER));
        return None;
    }
    match test {
        Value::String(test) => Some((provider, test)),
        other => {
            let said = format!("`{provider}` of [tested] must be the name of a test, but is {}", kind_of(&other));
            wrong.push(Diagnostic::error(said).at(&origin, ""));
            None
        }
    }
}

fn action(fields: &mut Fields<'_>) -> Option<Action> {
    let (word, origin) = fields.text("action")?;
    let found = Action::WORDS.iter().find(|(known, _)| *known == word).map(|(_, action)| *action);
    if found.is_none() {
        let known = Action::WORDS.map(|(word, _)| word);
        let said = Diagnostic::error(format!("`{word}` is no action: there are {}", known.join(", ")));
        fields.push(said.at(&origin, "").nearest(&word, known));
    }
    found
}

fn option(name: &str, written: Written, wrong: &mut Diagnostics) -> Option<OptionSpec> {
    let origin = written.1.clone();
    let name: OptionName = match name.parse() {
        Ok(name) => name,
        Err(error) => {
            wrong.push(Diagnostic::error(error.to_string()).at(&origin, ""));
            return None;
        }
    };
    let is_taken = BUILT_IN.contains(&name.as_str()) || PART_KEYS.contains(&name.as_str()) || name.as_str() == "item";
    if is_taken {
        let said = format!("no option can be called `{name}`: the word already has a meaning in a part");
        wrong.push(Diagnostic::error(said).at(&origin, ""));
        return None;
    }
    let mut fields = Fields::of(format!("[options.{name}]"), written, wrong)?;
    let kind = option_type(&mut fields);
    let spec = OptionSpec {
        name,
        kind: kind.unwrap_or(OptionType::Any),
        default: fields.take("default"),
        required: fields.truth("required"),
        doc: fields.text("doc").map(|(text, _)| text).unwrap_or_default(),
        placeholder: fields.take("placeholder"),
        example: fields.take("example").map(|(value, _)| value),
        origin,
    };
    fields.done();
    Some(spec)
}

fn option_type(fields: &mut Fields<'_>) -> Option<OptionType> {
    let values = fields.take("values");
    let of = fields.text("of");
    let Some((word, origin)) = fields.text("type") else {
        fields.missing("type");
        return None;
    };
    let kind = match word.as_str() {
        "enum" => return enum_type(fields, values),
        "list" => match of {
            None => OptionType::List(Box::new(OptionType::String)),
            Some((of, origin)) if of == "secret" || of == "list" => {
                let said = format!("a list cannot be of type `{of}`");
                fields.push(Diagnostic::error(said).at(&origin, ""));
                return None;
            }
            Some((of, origin)) => OptionType::List(Box::new(simple_type(fields, &of, &origin)?)),
        },
        word => simple_type(fields, word, &origin)?,
    };
    if let Some((_, origin)) = values {
        fields.push(Diagnostic::error("only an enum has `values`").at(&origin, ""));
    }
    Some(kind)
}

fn enum_type(fields: &mut Fields<'_>, values: Option<Written>) -> Option<OptionType> {
    let Some(values) = values else {
        fields.missing("values");
        return None;
    };
    let words = strings(&values.0);
    if words.as_ref().is_none_or(Vec::is_empty) {
        fields.wrong("values", "a list of texts", &values);
    }
    words.filter(|words| !words.is_empty()).map(OptionType::Enum)
}

fn simple_type(fields: &mut Fields<'_>, word: &str, origin: &Origin) -> Option<OptionType> {
    const WORDS: [&str; 14] = [
        "any", "bool", "duration", "enum", "float", "int", "list", "path", "port", "secret", "sites", "size", "string",
        "workers",
    ];
    let kind = match word {
        "any" => OptionType::Any,
        "bool" => OptionType::Bool,
        "duration" => OptionType::Duration,
        "float" => OptionType::Float,
        "int" => OptionType::Int,
        "path" => OptionType::Path,
        "port" => OptionType::Port,
        "secret" => OptionType::Secret,
        "sites" => OptionType::Sites,
        "size" => OptionType::Size,
        "string" => OptionType::String,
        "table" => OptionType::Table,
        "workers" => OptionType::Workers,
        other => {
            let said = Diagnostic::error(format!("`{other}` is no type of an option here")).at(origin, "");
            fields.push(said.nearest(other, WORDS.into_iter().chain(["table"])));
            return None;
        }
    };
    Some(kind)
}

/// The texts of a list of texts.
pub(super) fn strings(value: &Value) -> Option<Vec<String>> {
    let Value::List(list) = value else { return None };
    list.iter()
        .map(|(one, _)| match one {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

pub(super) fn when(fields: &mut Fields<'_>) -> When {
    let mut conditions = Vec::new();
    for (name, (value, origin)) in fields.table("when") {
        let values = match value {
            Value::List(list) => list.into_iter().map(|(one, _)| one).collect(),
            other => vec![other],
        };
        match name.parse() {
            Ok(name) => conditions.push((name, values)),
            Err(error) => {
                let said: crate::name::NameError = error;
                fields.push(Diagnostic::error(said.to_string()).at(&origin, ""));
            }
        }
    }
    When(conditions)
}

/// Takes what must be there.
pub(super) fn required(fields: &mut Fields<'_>, key: &'static str) -> Option<Written> {
    let taken = fields.take(key);
    if taken.is_none() {
        fields.missing(key);
    }
    taken
}

fn source_form(written: Written, wrong: &mut Diagnostics) -> Option<SourceForm> {
    let origin = written.1.clone();
    let mut fields = Fields::of("[[source]]", written, wrong)?;
    let from = required(&mut fields, "from");
    let to = fields.take("to").unwrap_or((Value::String(String::new()), origin));
    let when = when(&mut fields);
    fields.done();
    Some(SourceForm { from: from?, to, when })
}

fn file_form(written: Written, wrong: &mut Diagnostics) -> Option<FileForm> {
    let origin = written.1.clone();
    let mut fields = Fields::of("[[file]]", written, wrong)?;
    let given: Vec<Content> = [
        fields.take("template").map(Content::Template),
        fields.take("content").map(Content::Inline),
        fields.take("copy").map(Content::Copy),
    ]
    .into_iter()
    .flatten()
    .collect();
    let path = required(&mut fields, "path");
    let executable = fields.take("executable").unwrap_or((Value::Bool(false), origin.clone()));
    let reloadable = fields.truth("reloadable");
    let each = fields.take("each");
    let when = when(&mut fields);
    fields.done();
    let count = given.len();
    let content = given.into_iter().next();
    if count != 1 {
        let said = "[[file]] must have exactly one of `template`, `content` and `copy`";
        wrong.push(Diagnostic::error(said).at(&origin, ""));
    }
    Some(FileForm { content: content?, path: path?, executable, reloadable, each, when })
}

fn promise_form(written: Written, wrong: &mut Diagnostics) -> Option<PromiseForm> {
    let origin = written.1.clone();
    let mut fields = Fields::of("[[promise]]", written, wrong)?;
    let name = fields.text("name");
    if name.is_none() {
        fields.missing("name");
    }
    let when = when(&mut fields);
    let mut probe = BTreeMap::new();
    for key in PROBE_KINDS.into_iter().chain(PROBE_KEYS) {
        if let Some(value) = fields.take(key) {
            probe.insert(key.to_owned(), value);
        }
    }
    fields.done();
    Some(PromiseForm { name: name?.0, probe: (Value::Table(probe), origin), when })
}

fn bring_form(written: Written, wrong: &mut Diagnostics) -> Option<BringForm> {
    let mut fields = Fields::of("[[brings]]", written, wrong)?;
    let recipe = fields.text("recipe");
    if recipe.is_none() {
        fields.missing("recipe");
    }
    let name = fields.text("name");
    let is_spare = fields.truth("spare");
    let service = fields.text("service").map(|(word, _)| word);
    let when = when(&mut fields);
    let mut options = BTreeMap::new();
    for (name, value) in fields.table("options") {
        match name.parse::<OptionName>() {
            Ok(option) => {
                options.insert(option, value);
            }
            Err(error) => fields.push(Diagnostic::error(error.to_string()).at(&value.1, "")),
        }
    }
    fields.done();
    let recipe = recipe?;
    let sample = |name: &str| name.replace(BRINGER, "x").parse::<PartName>();
    let name = match name.map(|(name, origin)| (sample(&name).map(|_| name), origin)) {
        Some((Ok(name), origin)) => Some((name, origin)),
        Some((Err(error), origin)) => {
            wrong.push(Diagnostic::error(error.to_string()).at(&origin, ""));
            None
        }
        None if recipe.0.parse::<PartName>().is_err() => {
            let said = format!("`{}` is no name for a part: a part that is brought is called as its recipe", recipe.0);
            wrong.push(Diagnostic::error(said).at(&recipe.1, "").hint("give it a `name`"));
            None
        }
        None => None,
    };
    Some(BringForm { recipe, name, service, is_spare, when, options })
}
