//! `when`: whether a part is active here.
//!
//! `when = { platform = "linux", vars.CI = ["1", "true"] }`: a list means any of them, several keys mean all of them.
//! `when = false` switches a part off. A variable that is not set counts as empty.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Origin};
use crate::platform::Platform;

use super::setting::Value;
use super::value::Reader;

const KEYS: [&str; 4] = ["host", "platform", "profile", "vars"];

/// What conditions ask.
pub(super) struct Facts<'a> {
    pub host_name: &'a str,
    pub platform: &'a Platform,
    pub profile: &'a str,
    pub vars: &'a BTreeMap<String, String>,
}

/// One `when`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct When {
    pub origin: Origin,
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    question: Question,
    answers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Question {
    Host,
    Literal(bool),
    Platform,
    Profile,
    Var(String),
}

impl When {
    pub(super) fn read(reader: &mut Reader<'_>, written: &Spanned<DeValue<'_>>) -> Option<Self> {
        let origin = reader.origin(&written.span());
        let mut terms = Vec::new();
        match written.get_ref() {
            DeValue::Boolean(truth) => terms.push(Term { question: Question::Literal(*truth), answers: Vec::new() }),
            DeValue::Table(table) => read_terms(reader, table, &mut terms),
            _ => {
                reader.wrong(&written.span(), "`when` is a table, `true` or `false`", "as `{ platform = \"linux\" }`");
                return None;
            }
        }
        Some(Self { origin, terms })
    }

    /// The variables that it asks for.
    pub(super) fn vars(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter_map(|term| match &term.question {
            Question::Var(name) => Some(name.as_str()),
            Question::Host | Question::Literal(_) | Question::Platform | Question::Profile => None,
        })
    }

    /// Whether all of it is so.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        self.terms.iter().all(|term| {
            let any = |is: &dyn Fn(&str) -> bool| term.answers.iter().any(|answer| is(answer));
            match &term.question {
                Question::Host => any(&|answer| answer == facts.host_name),
                Question::Literal(truth) => *truth,
                Question::Platform => any(&|answer| facts.platform.answers_to(answer)),
                Question::Profile => any(&|answer| answer == facts.profile),
                Question::Var(name) => {
                    let value = facts.vars.get(name).map_or("", String::as_str);
                    any(&|answer| answer == value)
                }
            }
        })
    }
}

fn read_terms(reader: &mut Reader<'_>, table: &DeTable<'_>, terms: &mut Vec<Term>) {
    for (key, written) in table {
        let (name, span) = (key.get_ref().as_ref(), key.span());
        match name {
            "platform" => terms.extend(term(reader, Question::Platform, written)),
            "profile" => terms.extend(term(reader, Question::Profile, written)),
            "host" => {
                let Some(host) = reader.table("when.host", written) else { continue };
                for (key, written) in host {
                    if key.get_ref() == "name" {
                        terms.extend(term(reader, Question::Host, written));
                    } else {
                        let message =
                            format!("`when` cannot ask for `host.{}`: it can ask for `host.name`", key.get_ref());
                        reader.wrong(&key.span(), message, "");
                    }
                }
            }
            "vars" => {
                let Some(vars) = reader.table("when.vars", written) else { continue };
                for (key, written) in vars {
                    terms.extend(term(reader, Question::Var(key.get_ref().to_string()), written));
                }
            }
            _ => {
                let origin = reader.origin(&span);
                let message = format!(
                    "`when` cannot ask for `{name}`: it can ask for platform, profile, host.name and vars.NAME"
                );
                reader.refuse(Diagnostic::error(message).at(&origin, "").nearest(name, KEYS));
            }
        }
    }
}

/// One question with its answers: a scalar, or a list of scalars.
fn term(reader: &mut Reader<'_>, question: Question, written: &Spanned<DeValue<'_>>) -> Option<Term> {
    let (value, origin) = reader.value(written)?;
    let values = match value {
        Value::List(items) => items,
        other => vec![(other, origin)],
    };
    let mut answers = Vec::new();
    for (value, origin) in values {
        match value {
            Value::String(text) => answers.push(text),
            Value::Bool(_) | Value::Int(_) => answers.push(value.to_string()),
            Value::Float(_) | Value::List(_) | Value::Table(_) => {
                let message = format!("`when` compares with a text or a list of texts, not {}", value.kind());
                reader.refuse(Diagnostic::error(message).at(&origin, ""));
            }
        }
    }
    Some(Term { question, answers })
}
