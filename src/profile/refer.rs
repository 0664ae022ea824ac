//! References inside texts: `${part.option}`, `${part}`, `${.option}`, `${vars.NAME}`, each with a default `${…:-default}`, and
//! written in the language around it if that is named: `postgresql://${.user|url}@/`.
//!
//! ```text
//! text      = { "$${" | reference | character }
//! reference = "${" path [ "|" language ] [ ":-" text ] "}"        braces in a default are balanced
//! path      = [ "." ] word { "." word }          word: letters, digits, `_`, `-`
//! language  = `url`, `shell` …                   a default stands as it is written
//! ```
//! `$${` is a literal `${`; a `$` before anything else is itself. What a path means is the recipe floor's matter.

use std::fmt;
use std::ops::Range;

use crate::diagnostic::Origin;
use crate::text::Language;

/// How deep defaults may hold references that have defaults.
const MAX_DEPTH: usize = 16;

/// One piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// Plain characters; escapes are undone.
    Literal(String),
    /// `${…}`.
    Reference {
        /// The words between the dots. `${.port}` is `["", "port"]`, `${env}` is `["env"]`.
        path: Vec<String>,
        /// In which language its value is written, for the text around it.
        language: Option<Language>,
        /// What stands after `:-`; `${a:-}` has an empty default.
        default: Option<Vec<Token>>,
        /// Where in the text, from `${` to `}`.
        span: Range<usize>,
    },
}

/// Why a text's references cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferError {
    /// `${a b}`.
    #[error(
        "a reference cannot hold `{found}`: it is words joined by dots, as `${{part.option}}`; a plain `${{` is written `$${{`"
    )]
    Character {
        /// The character.
        found: char,
        /// Where it is.
        span: Range<usize>,
    },
    /// `${part:option}`, the way of another tool.
    #[error(
        "`:` stands between part and option: write `${{part.option}}`, or `${{part.option:-default}}` for a default"
    )]
    Colon {
        /// The colon.
        span: Range<usize>,
    },
    /// Defaults in defaults without end.
    #[error("references are nested more than {MAX_DEPTH} deep in their defaults")]
    Deep {
        /// The innermost one that was read.
        span: Range<usize>,
    },
    /// `${}`, `${.}`, `${a..b}`.
    #[error(
        "a reference has an empty word: write `${{part.option}}`, `${{part}}` or `${{.option}}`; a plain `${{` is written `$${{`"
    )]
    Empty {
        /// The reference.
        span: Range<usize>,
    },
    /// `${a|latin}`.
    #[error("there is no language `{found}` to write a value in: there are {}", languages())]
    Language {
        /// Its word.
        found: String,
        /// Where that is.
        span: Range<usize>,
    },
    /// `${a`.
    #[error("a reference is not closed: `}}` is missing; a plain `${{` is written `$${{`")]
    Unclosed {
        /// From `${` to the end of the text.
        span: Range<usize>,
    },
}

impl ReferError {
    /// Where in the text.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        match self {
            Self::Character { span, .. }
            | Self::Colon { span }
            | Self::Deep { span }
            | Self::Empty { span }
            | Self::Language { span, .. }
            | Self::Unclosed { span } => span.clone(),
        }
    }
}

/// Reads a text into pieces. Adjacent literals are one, and none is empty.
///
/// # Errors
/// At the first reference that is not well formed.
pub fn parse(text: &str) -> Result<Vec<Token>, ReferError> {
    let mut parser = Parser { text, at: 0 };
    parser.tokens(0)
}

/// Writes pieces as the text that [`parse`] reads them from.
#[must_use]
pub fn write(tokens: &[Token]) -> String {
    tokens.iter().map(ToString::to_string).collect()
}

/// The place of a part of a value, if the value is written plainly (without escapes); else the whole value's place.
#[must_use]
pub fn locate(origin: &Origin, value: &str, span: &Range<usize>) -> Origin {
    let written = origin.source.text.get(origin.span.clone()).unwrap_or_default();
    let inner = ["\"\"\"", "'''", "\"", "'"]
        .iter()
        .find_map(|quote| {
            let inner = written.strip_prefix(quote)?.strip_suffix(quote)?;
            // A newline right after the opening quotes of a long string is no part of it.
            let newline = inner.strip_prefix("\r\n").or_else(|| inner.strip_prefix('\n')).filter(|_| quote.len() == 3);
            let plain = newline.unwrap_or(inner);
            Some((quote.len() + inner.len() - plain.len(), plain))
        })
        .unwrap_or((0, written));
    if inner.1 != value || span.end > value.len() {
        return origin.clone();
    }
    let start = origin.span.start + inner.0;
    Origin::new(&origin.source, start + span.start..start + span.end)
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(&text.replace("${", "$${")),
            Self::Reference { path, language, default, .. } => {
                write!(f, "${{{}", path.join("."))?;
                if let Some(language) = language {
                    write!(f, "|{}", language.word())?;
                }
                if let Some(tokens) = default {
                    write!(f, ":-{}", write(tokens))?;
                }
                f.write_str("}")
            }
        }
    }
}

fn languages() -> String {
    Language::ALL.map(|language| format!("`{}`", language.word())).join(", ")
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    /// Reads up to the end, or inside a default (`depth` > 0) up to its closing brace, which is left.
    fn tokens(&mut self, depth: usize) -> Result<Vec<Token>, ReferError> {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        let mut open_braces = 0_usize;
        while let Some(next) = self.rest().chars().next() {
            if self.rest().starts_with("$${") {
                literal.push_str("${");
                self.at += 3;
                // Its brace is balanced by the writer's own `}` in a default, as any other.
                open_braces += 1;
            } else if self.rest().starts_with("${") {
                if !literal.is_empty() {
                    tokens.push(Token::Literal(std::mem::take(&mut literal)));
                }
                tokens.push(self.reference(depth)?);
            } else {
                match next {
                    '{' => open_braces += 1,
                    '}' if depth > 0 && open_braces == 0 => break,
                    '}' => open_braces = open_braces.saturating_sub(1),
                    _ => {}
                }
                literal.push(next);
                self.at += next.len_utf8();
            }
        }
        if !literal.is_empty() {
            tokens.push(Token::Literal(literal));
        }
        Ok(tokens)
    }

    fn reference(&mut self, depth: usize) -> Result<Token, ReferError> {
        let start = self.at;
        self.at += 2;
        if depth >= MAX_DEPTH {
            return Err(ReferError::Deep { span: start..self.at });
        }
        let path = self.path(start)?;
        let language = self.language(start)?;
        let default = if self.rest().starts_with(":-") {
            self.at += 2;
            let tokens = self.tokens(depth + 1)?;
            if self.rest().is_empty() {
                return Err(ReferError::Unclosed { span: start..self.text.len() });
            }
            Some(tokens)
        } else {
            None
        };
        self.at += 1;
        Ok(Token::Reference { path, language, default, span: start..self.at })
    }

    /// Reads the words, up to `}`, `|` or `:-`, which is left.
    fn path(&mut self, start: usize) -> Result<Vec<String>, ReferError> {
        let mut path = vec![String::new()];
        loop {
            let Some(next) = self.rest().chars().next() else {
                return Err(ReferError::Unclosed { span: start..self.text.len() });
            };
            match next {
                '}' | '|' => break,
                ':' if self.rest().starts_with(":-") => break,
                ':' => return Err(ReferError::Colon { span: self.at..self.at + 1 }),
                '.' => path.push(String::new()),
                _ if next.is_ascii_alphanumeric() || next == '_' || next == '-' => {
                    if let Some(word) = path.last_mut() {
                        word.push(next);
                    }
                }
                _ => return Err(ReferError::Character { found: next, span: self.at..self.at + next.len_utf8() }),
            }
            self.at += next.len_utf8();
        }
        // Only the first word may be empty, and only before another: `${.option}`.
        let own = usize::from(path.len() > 1 && path[0].is_empty());
        if path[own..].iter().any(String::is_empty) {
            return Err(ReferError::Empty { span: start..(self.at + 1).min(self.text.len()) });
        }
        Ok(path)
    }

    /// Reads the language, if one is named, up to `}` or `:-`, which is left.
    fn language(&mut self, start: usize) -> Result<Option<Language>, ReferError> {
        if !self.rest().starts_with('|') {
            return Ok(None);
        }
        self.at += 1;
        let Some(length) = self.rest().find(['}', ':']) else {
            return Err(ReferError::Unclosed { span: start..self.text.len() });
        };
        let (word, span) = (&self.rest()[..length], self.at..self.at + length);
        let Some(language) = Language::of_word(word) else {
            return Err(ReferError::Language { found: word.to_owned(), span });
        };
        self.at = span.end;
        if self.rest().starts_with(':') && !self.rest().starts_with(":-") {
            return Err(ReferError::Colon { span: self.at..self.at + 1 });
        }
        Ok(Some(language))
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::Source;

    /// Pieces as short text: literals in quotes, references as path, default and span.
    fn shown(tokens: &[Token]) -> String {
        let one = |token: &Token| match token {
            Token::Literal(text) => format!("{text:?}"),
            Token::Reference { path, language, default, span } => {
                let language = language.map(|language| format!(" in {}", language.word())).unwrap_or_default();
                let default = default.as_ref().map(|tokens| format!(" or [{}]", shown(tokens))).unwrap_or_default();
                format!("<{}{language}{default} {}..{}>", path.join("/"), span.start, span.end)
            }
        };
        tokens.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn texts_are_read_into_pieces() {
        let table = [
            ("", ""),
            ("plain", r#""plain""#),
            ("${env}", "<env 0..6>"),
            ("${.port}", "</port 0..8>"),
            ("${db.url}/x", r#"<db/url 0..9> "/x""#),
            ("a${vars.HOME}b${host.name}", r#""a" <vars/HOME 1..13> "b" <host/name 14..26>"#),
            ("${a.b.c-d_1}", "<a/b/c-d_1 0..12>"),
            ("${a:-}", "<a or [] 0..6>"),
            ("${a:-x y}", r#"<a or ["x y"] 0..9>"#),
            ("${a:-:-}", r#"<a or [":-"] 0..8>"#),
            ("${a.b:-${c:-d}e}", r#"<a/b or [<c or ["d"] 7..14> "e"] 0..16>"#),
            ("${a:-{'x': {}}}", r#"<a or ["{'x': {}}"] 0..15>"#),
            ("${a:-$${x}}", r#"<a or ["${x}"] 0..11>"#),
            ("${a.b|url}", "<a/b in url 0..10>"),
            ("${a|url:-b|c}", r#"<a in url or ["b|c"] 0..13>"#),
            ("$${a}", r#""${a}""#),
            ("$$${a}", r#""$${a}""#),
            ("$", r#""$""#),
            ("$x $$ }", r#""$x $$ }""#),
            ("é${é", "!Character"),
            ("${é}", "!Character"),
            ("${ a}", "!Character"),
            ("${a$}", "!Character"),
            ("${a.${b}}", "!Character"),
            ("${}", "!Empty"),
            ("${.}", "!Empty"),
            ("${a.}", "!Empty"),
            ("${a..b}", "!Empty"),
            ("${..a}", "!Empty"),
            ("${:-a}", "!Empty"),
            ("${a", "!Unclosed"),
            ("${", "!Unclosed"),
            ("${a:-", "!Unclosed"),
            ("${a:-{}", "!Unclosed"),
            ("${a:-${b}", "!Unclosed"),
            ("${a:b}", "!Colon"),
            ("${a|url:b}", "!Colon"),
            ("${a|url", "!Unclosed"),
            ("${a|latin}", "!Language"),
            ("${a|}", "!Language"),
            ("${a| url}", "!Language"),
            ("${|url}", "!Empty"),
        ];
        for (text, expected) in table {
            let read = match parse(text) {
                Ok(tokens) => shown(&tokens),
                Err(error) => format!("!{}", format!("{error:?}").split([' ', '{']).next().unwrap_or_default()),
            };
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn mistakes_have_a_place_and_a_remedy() {
        let error = parse("x ${db url}").expect_err("a space");
        assert_eq!(error.span(), 6..7);
        insta::assert_snapshot!(error, @"a reference cannot hold ` `: it is words joined by dots, as `${part.option}`; a plain `${` is written `$${`");
    }

    #[test]
    fn defaults_end_somewhere() {
        let deep = "${a:-".repeat(100_000);
        assert!(matches!(parse(&deep), Err(ReferError::Deep { .. })));
        let nested = "${a:-".repeat(MAX_DEPTH) + "x" + &"}".repeat(MAX_DEPTH);
        assert!(parse(&nested).is_ok());
    }

    #[test]
    fn a_place_in_a_value_is_found_where_it_is_written_plainly() {
        let table = [
            ("\"x ${a}\"", "x ${a}", "${a}"),
            ("'${a}'", "${a}", "${a}"),
            ("\"\"\"\n${a}\"\"\"", "${a}", "${a}"),
            ("'''\r\n\n${a}'''", "\n${a}", "${a}"),
            ("${a}", "${a}", "${a}"),
            ("\"\\t${a}\"", "\t${a}", "\"\\t${a}\""),
        ];
        for (written, value, expected) in table {
            let source = Arc::new(Source { name: "x".into(), text: format!("k = {written}"), folder: None });
            let origin = Origin::new(&source, 4..source.text.len());
            let start = value.find("${a}").expect("a reference");
            let found = locate(&origin, value, &(start..start + 4));
            assert_eq!(&source.text[found.span], expected, "{written}");
        }
    }

    /// The pieces without their places.
    fn bare(tokens: Vec<Token>) -> Vec<Token> {
        let one = |token| match token {
            Token::Literal(text) => Token::Literal(text),
            Token::Reference { path, language, default, .. } => {
                Token::Reference { path, language, default: default.map(bare), span: 0..0 }
            }
        };
        tokens.into_iter().map(one).collect()
    }

    fn text() -> impl Strategy<Value = String> {
        let pieces = [
            "$",
            "{",
            "}",
            ".",
            ":",
            "-",
            "a",
            "b c",
            "${",
            "${a",
            ":-",
            "é",
            "${a:-",
            "|url",
            "|",
            "}}",
            "\u{1F600}",
            "$${",
        ];
        let text =
            prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..20).prop_map(|pieces| pieces.concat());
        prop_oneof![4 => text, 1 => "\\PC{0,30}"]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in text()) {
            if let Ok(tokens) = parse(&text) {
                let again = write(&tokens);
                prop_assert_eq!(&again, &text);
                prop_assert_eq!(bare(parse(&again).expect("was read")), bare(tokens));
            }
        }

        #[test]
        fn places_are_whole_letters(text in text()) {
            match parse(&text) {
                Ok(tokens) => for token in tokens {
                    if let Token::Reference { span, .. } = token {
                        assert!(text[span].starts_with("${"));
                    }
                },
                Err(error) => prop_assert!(text.get(error.span()).is_some()),
            }
        }
    }
}
