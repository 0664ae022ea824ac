//! Reading tables: TOML with the place of each value, and a table that is emptied key by key so that what is left is misspelt.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::profile::Value;
use crate::recipe::schema::Written;

/// Parses a text whole. What is no TOML, or of a kind that no setting has, is said in `wrong`.
pub(super) fn parse_toml(source: &Arc<Source>, wrong: &mut Diagnostics) -> BTreeMap<String, Written> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = format!("`{}` is not valid TOML: {}", source.name, error.message().trim().replace('\n', ", "));
        wrong.push(Diagnostic::error(message).at(&Origin::new(source, span), ""));
    }
    table_of(source, table.get_ref(), wrong)
}

fn table_of(source: &Arc<Source>, table: &DeTable<'_>, wrong: &mut Diagnostics) -> BTreeMap<String, Written> {
    table
        .iter()
        .filter_map(|(key, value)| {
            let written = value_of(source, value, wrong)?;
            Some((key.get_ref().to_string(), written))
        })
        .collect()
}

fn value_of(source: &Arc<Source>, value: &Spanned<DeValue<'_>>, wrong: &mut Diagnostics) -> Option<Written> {
    let origin = Origin::new(source, value.span());
    let read = match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Int(number),
            Err(_) => {
                wrong.push(Diagnostic::error(format!("`{number}` is too large a number")).at(&origin, ""));
                return None;
            }
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(date) => {
            let said = Diagnostic::error(format!("`{date}` is a date, which no setting takes"));
            wrong.push(said.at(&origin, "").hint("write it in quotes"));
            return None;
        }
        DeValue::Array(list) => Value::List(list.iter().filter_map(|one| value_of(source, one, wrong)).collect()),
        DeValue::Table(table) => Value::Table(table_of(source, table, wrong)),
    };
    Some((read, origin))
}

/// A value's kind, for people.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "a truth value",
        Value::Float(_) => "a number",
        Value::Int(_) => "a whole number",
        Value::List(_) => "a list",
        Value::String(_) => "a text",
        Value::Table(_) => "a table",
    }
}

/// A table that is read key by key.
pub(super) struct Fields<'a> {
    /// `[options.port]`, for messages.
    pub(super) what: String,
    /// Where the table is.
    pub(super) origin: Origin,
    left: BTreeMap<String, Written>,
    asked: Vec<&'static str>,
    wrong: &'a mut Diagnostics,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        what: impl Into<String>,
        table: BTreeMap<String, Written>,
        origin: Origin,
        wrong: &'a mut Diagnostics,
    ) -> Self {
        Self { what: what.into(), origin, left: table, asked: Vec::new(), wrong }
    }

    /// The fields of a value that must be a table.
    pub(super) fn of(what: impl Into<String>, written: Written, wrong: &'a mut Diagnostics) -> Option<Self> {
        let what = what.into();
        match written {
            (Value::Table(table), origin) => Some(Self::new(what, table, origin, wrong)),
            (other, origin) => {
                let said = format!("{what} must be a table, but is {}", kind_of(&other));
                wrong.push(Diagnostic::error(said).at(&origin, ""));
                None
            }
        }
    }

    /// Takes any value.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Written> {
        self.asked.push(key);
        self.left.remove(key)
    }

    /// Says that a value is wrong.
    pub(super) fn wrong(&mut self, key: &str, expected: &str, written: &Written) {
        let said = format!("`{key}` of {} must be {expected}, but is {}", self.what, kind_of(&written.0));
        self.wrong.push(Diagnostic::error(said).at(&written.1, format!("expected {expected}")));
    }

    /// Adds a diagnostic.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.wrong.push(diagnostic);
    }

    /// Takes a text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<(String, Origin)> {
        match self.take(key)? {
            (Value::String(text), origin) => Some((text, origin)),
            other => {
                self.wrong(key, "a text", &other);
                None
            }
        }
    }

    /// Takes `true` or `false`; `false` if absent.
    pub(super) fn truth(&mut self, key: &'static str) -> bool {
        match self.take(key) {
            None => false,
            Some((Value::Bool(truth), _)) => truth,
            Some(other) => {
                self.wrong(key, "`true` or `false`", &other);
                false
            }
        }
    }

    /// Takes a table.
    pub(super) fn table(&mut self, key: &'static str) -> BTreeMap<String, Written> {
        match self.take(key) {
            None => BTreeMap::new(),
            Some((Value::Table(table), _)) => table,
            Some(other) => {
                self.wrong(key, "a table", &other);
                BTreeMap::new()
            }
        }
    }

    /// Takes a list.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<Written> {
        match self.take(key) {
            None => Vec::new(),
            Some((Value::List(list), _)) => list,
            Some(other) => {
                self.wrong(key, "a list", &other);
                Vec::new()
            }
        }
    }

    /// Says that a key is missing.
    pub(super) fn missing(&mut self, key: &str) {
        let said = Diagnostic::error(format!("{} has no `{key}`", self.what)).at(&self.origin, "");
        self.wrong.push(said);
    }

    /// What was not taken is misspelt.
    pub(super) fn done(self) {
        for (key, (_, origin)) in self.left {
            let said = Diagnostic::error(format!("{} knows no `{key}`", self.what)).at(&origin, "unknown key");
            self.wrong.push(said.nearest(&key, self.asked.iter().copied()));
        }
    }
}
