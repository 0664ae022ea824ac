//! [`Language`]: how a word is written in a language, between its quotes if it has some, also for words that are not known yet.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// A language. Two texts that are escaped one behind the other are the whole, escaped: so a folder or a secret can be
/// put between quotes that were set around its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// A value of a file in which the lines that belong to it are indented.
    Ini,
    /// A text of JSON.
    Json,
    /// Markup, inside and outside of attributes.
    Markup,
    /// A text of Python in single quotes.
    Python,
    /// A word of a shell in single quotes.
    Shell,
    /// A piece of a URL: a user, a password, a name, a value of the query (RFC 3986, percent-encoding).
    Url,
    /// A path in a URL, whose slashes stay.
    UrlPath,
}

/// What percent-encoding leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const UNRESERVED_IN_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

impl Language {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Ini, Self::Json, Self::Markup, Self::Python, Self::Shell, Self::Url, Self::UrlPath];

    /// Its word in a mark.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ini => "ini",
            Self::Json => "json",
            Self::Markup => "markup",
            Self::Python => "python",
            Self::Shell => "shell",
            Self::Url => "url",
            Self::UrlPath => "urlpath",
        }
    }

    /// The language of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.word() == word)
    }

    /// A text as it stands in the language, between the quotes.
    #[must_use]
    pub fn escape(self, text: &str) -> String {
        match self {
            Self::Ini => text.replace("\r\n", "\n").replace('\n', "\n\t"),
            Self::Json => json(text),
            Self::Markup => text.chars().map(markup).collect(),
            Self::Python => text.chars().map(python).collect(),
            // The quotes end, one that stands for itself follows, and they begin again.
            Self::Shell => text.replace('\'', "'\\''"),
            Self::Url => utf8_percent_encode(text, UNRESERVED).to_string(),
            Self::UrlPath => utf8_percent_encode(text, UNRESERVED_IN_PATH).to_string(),
        }
    }
}

fn json(text: &str) -> String {
    // In markup `<` would end a script element; as an escape it means the same.
    let quoted = serde_json::Value::from(text).to_string().replace("</", "<\\/");
    quoted[1..quoted.len() - 1].to_owned()
}

fn markup(letter: char) -> String {
    match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#x27;".to_owned(),
        other => other.to_string(),
    }
}

fn python(letter: char) -> String {
    match letter {
        '\\' => "\\\\".to_owned(),
        '\'' => "\\'".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        other if other.is_control() => format!("\\U{:08x}", u32::from(other)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_languages() {
        for language in Language::ALL {
            assert_eq!(Language::of_word(language.word()), Some(language));
            assert_eq!(serde_json::json!(language), language.word());
        }
    }

    proptest::proptest! {
        #[test]
        fn a_whole_is_its_parts(one in "[a-z'\"\\\\$&\u{e4}]*", other in "[a-z'\"\\\\$&\u{e4}]*") {
            for language in Language::ALL {
                let parts = language.escape(&one) + &language.escape(&other);
                proptest::prop_assert_eq!(language.escape(&format!("{one}{other}")), parts);
            }
        }
    }
}
