//! Templates (minijinja, strict): compiled once, rendered over named values.
//!
//! A name that no value has is an error, and so is writing a value that is none: a configuration file that says `none`
//! is hardly ever what was meant. Errors are diagnostics that point into the template, with the nearest known name.

mod filter;
mod header;

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

pub use header::with_header;
/// A value of a template.
pub use minijinja::Value;

use crate::diagnostic::{Diagnostic, Origin, Source};
use crate::text::{Language, MARK_OPEN, quote_marks};

/// Compiled templates by name.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    sources: BTreeMap<String, Arc<Source>>,
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Templates {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            let is_markup = [".html", ".htm", ".xml", ".svg"].iter().any(|suffix| name.ends_with(suffix));
            if is_markup { AutoEscape::Html } else { AutoEscape::None }
        });
        environment.set_formatter(|out, state, value| {
            if value.is_none() {
                let detail = "a value that is none would be written; test it (`{% if x is not none %}`) or give another (`{{ x or \"\" }}`)";
                return Err(minijinja::Error::new(ErrorKind::InvalidOperation, detail));
            }
            // As everywhere else in a definition; `py` writes Python's words.
            if let ValueKind::Bool = value.kind() {
                return Ok(out.write_str(if value.is_true() { "true" } else { "false" })?);
            }
            // What a mark stands for is escaped when it is known.
            if let Some(text) = value.as_str()
                && let (AutoEscape::Html, false, true) = (state.auto_escape(), value.is_safe(), text.contains(MARK_OPEN))
            {
                return Ok(out.write_str(&quote_marks(&Language::Markup.escape(text), Language::Markup))?);
            }
            minijinja::escape_formatter(out, state, value)
        });
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_debug(true);
        filter::add_to(&mut environment);
        Self { environment, sources: BTreeMap::new() }
    }

    /// Whether a template of that name was added.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.sources.contains_key(name)
    }

    /// Compiles a template.
    ///
    /// # Errors
    /// If it is not well formed.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), Diagnostic> {
        let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned(), folder: None });
        self.sources.insert(name.to_owned(), Arc::clone(&source));
        self.environment
            .add_template_owned(name.to_owned(), text.to_owned())
            .map_err(|error| diagnose(&error, &source, "cannot be read", &Value::from(())))
    }

    /// Renders a template that was added.
    ///
    /// # Errors
    /// If it names what is not there, or does with a value what cannot be done.
    pub fn render(&self, name: &str, values: &Value) -> Result<String, Diagnostic> {
        let Some(source) = self.sources.get(name) else {
            return Err(Diagnostic::error(format!("there is no template called `{name}`")));
        };
        let known = |error: minijinja::Error| diagnose(&error, source, "cannot be rendered", values);
        let template = self.environment.get_template(name).map_err(known)?;
        template.render(values).map_err(known)
    }
}

fn diagnose(error: &minijinja::Error, source: &Arc<Source>, what: &str, values: &Value) -> Diagnostic {
    let span = error.range().filter(|span| span.end <= source.text.len());
    let line = line_span(source, error.line());
    let span = span.or_else(|| line.clone()).unwrap_or(0..0);
    let name = &source.name;
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let Some(expression) = undefined(&detail) else {
        let said = Diagnostic::error(format!("template `{name}` {what}: {detail}"));
        return said.at(&Origin::new(source, span), "");
    };
    // The engine points at what was done with it; its own letters are before that, on the same line.
    let line = line.unwrap_or(span);
    let written = source.text.get(line.clone()).unwrap_or_default();
    let start = written.find(expression).map_or(line.clone(), |at| line.start + at..line.start + at + expression.len());
    let said = format!("template `{name}` cannot be rendered: nothing is called `{expression}`");
    let said = Diagnostic::error(said).at(&Origin::new(source, start), "unknown name");
    let (table, word) = match expression.rsplit_once('.') {
        Some((path, word)) => (path.split('.').try_fold(values.clone(), |at, name| at.get_attr(name)).ok(), word),
        None => (Some(values.clone()), expression),
    };
    let names = table.and_then(|table| table.try_iter().ok()).into_iter().flatten();
    let names: Vec<String> = names.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    said.nearest(word, names.iter().map(String::as_str))
}

/// The expression of `` `values.prot` is undefined``.
fn undefined(detail: &str) -> Option<&str> {
    let (before, _) = detail.split_once("` is undefined")?;
    before.rsplit_once('`').map(|(_, expression)| expression)
}

fn line_span(source: &Source, line: Option<usize>) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for (number, text) in source.text.split_inclusive('\n').enumerate() {
        if Some(number + 1) == line {
            return Some(start..start + text.trim_end().len());
        }
        start += text.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Value {
        let values: BTreeMap<String, Value> = [
            ("title", Value::from("It's <a> \"name\" é")),
            ("port", Value::from(5000)),
            ("debug", Value::from(true)),
            ("nothing", Value::from(())),
            ("tags", Value::from(vec!["a", "b c"])),
            ("table", Value::from(BTreeMap::from([("port".to_owned(), Value::from(1))]))),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        Value::from(values)
    }

    fn render(name: &str, text: &str) -> Result<String, Diagnostic> {
        let mut templates = Templates::new();
        templates.add(name, text)?;
        templates.render(name, &values())
    }

    #[test]
    fn filters_speak_the_language_of_the_file() {
        for (text, expected) in [
            ("{{ title | py }}", r#"'It\'s <a> "name" é'"#),
            ("{{ debug | py }} {{ nothing | py }} {{ tags | py }}", "True None ['a', 'b c']"),
            (
                "{{ tags | tojson }} {{ nothing | tojson }} {{ title | tojson }}",
                r#"["a","b c"] null "It's <a> \"name\" é""#,
            ),
            ("{{ tags | map('shell_quote') | join(' ') }}", "a 'b c'"),
            ("{{ '\u{E000}object:env\u{E001}' | shell_quote }}/bin", "'\u{E000}object:env|shell\u{E001}'/bin"),
            ("{{ 'a\nb' | ini }}", "a\n\tb"),
            ("{{ port }} {{ debug }}\n", "5000 true\n"),
        ] {
            assert_eq!(render("t.cfg", text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn markup_is_escaped_and_configuration_is_not() {
        assert_eq!(render("a.html", "{{ '<b>' }}").as_deref(), Ok("&lt;b&gt;"));
        assert_eq!(render("a.conf", "{{ '<b>' }}").as_deref(), Ok("<b>"));
    }

    #[test]
    fn an_unknown_name_is_shown_with_the_nearest() {
        let error = render("wps.cfg", "a = 1\nb = {{ titel | upper }}\n").expect_err("unknown");
        assert_eq!(error.message, "template `wps.cfg` cannot be rendered: nothing is called `titel`");
        assert_eq!(error.labels[0].origin.to_string(), "wps.cfg:2:8");
        assert_eq!(error.hints, ["did you mean `title`?"]);
    }

    #[test]
    fn an_unknown_entry_of_a_table_is_shown_with_the_nearest() {
        let error = render("a.cfg", "{% if table.prot > 1 %}x{% endif %}").expect_err("unknown");
        assert_eq!(error.message, "template `a.cfg` cannot be rendered: nothing is called `table.prot`");
        assert_eq!(error.hints, ["did you mean `port`?"]);
    }

    #[test]
    fn none_is_not_written_by_accident() {
        let error = render("a.cfg", "x = {{ nothing }}").expect_err("none");
        assert!(error.message.contains("a value that is none would be written"), "{}", error.message);
        assert_eq!(render("a.cfg", "{{ nothing or 'x' }}").as_deref(), Ok("x"));
    }

    #[test]
    fn a_template_that_is_not_well_formed_is_shown() {
        let error = render("a.cfg", "ok\n{% if debug %}\n").expect_err("open");
        assert!(error.message.starts_with("template `a.cfg` cannot be read: "), "{}", error.message);
        assert!(!error.labels.is_empty());
    }
}
