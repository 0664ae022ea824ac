//! Filters that write a value in the language of a file: `tojson`, `py`, `shell_quote`, `ini`, `url`, `urlpath`.
//!
//! Marks of secrets and objects (see [`crate::text`]) pass through all of them, and remember in which quotes they are.

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

use crate::text::{Language, MARK_OPEN, Text, quote_marks};

/// Adds all filters.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    // The folder of an object is a mark until its key is known.
    environment.add_test("absolute", |path: &str| path.starts_with(['/', MARK_OPEN]));
    environment.add_filter("tojson", to_json);
    environment.add_filter("py", |value: Value| python(&value).map(|text| quote_marks(&text, Language::Python)));
    environment.add_filter("shell_quote", |text: String| shell_quoted(&text));
    for (name, language) in [("ini", Language::Ini), ("url", Language::Url), ("urlpath", Language::UrlPath)] {
        environment.add_filter(name, move |text: String| escaped(&text, language));
    }
}

/// A word of a shell. What a mark stands for may need quotes, so that one is always in them.
fn shell_quoted(text: &str) -> String {
    if !text.contains(MARK_OPEN) {
        return shell_words::quote(text).into_owned();
    }
    quote_marks(&format!("'{}'", Language::Shell.escape(text)), Language::Shell)
}

/// A text in a language without quotes of its own.
fn escaped(marked: &str, language: Language) -> Result<String, Error> {
    let text = Text::from_marked(marked).map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
    Ok(text.quoted(language).to_marked())
}

fn to_json(value: Value) -> Result<Value, Error> {
    // In markup `<` would end a script element; as an escape it means the same. What a mark stands for begins with a slash.
    let closed = format!("<{MARK_OPEN}");
    serde_json::to_string(&value)
        .map(|text| text.replace("</", "<\\/").replace(&closed, &format!("\\u003c{MARK_OPEN}")))
        .map(|text| Value::from_safe_string(quote_marks(&text, Language::Json)))
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// A value as a literal of Python.
fn python(value: &Value) -> Result<String, Error> {
    let made = match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::Number => value.to_string(),
        ValueKind::String => format!("'{}'", Language::Python.escape(&value.to_string())),
        ValueKind::Seq | ValueKind::Iterable => {
            let list: Vec<String> = value.try_iter()?.map(|one| python(&one)).collect::<Result<_, _>>()?;
            format!("[{}]", list.join(", "))
        }
        ValueKind::Map => {
            let entry = |key: Value| Ok(format!("{}: {}", python(&key)?, python(&value.get_item(&key)?)?));
            let entries: Vec<String> = value.try_iter()?.map(entry).collect::<Result<_, Error>>()?;
            format!("{{{}}}", entries.join(", "))
        }
        other => {
            let detail = format!("{other} has no literal in Python");
            return Err(Error::new(ErrorKind::InvalidOperation, detail));
        }
    };
    Ok(made)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use proptest::prelude::{prop_assert_eq, proptest};

    use crate::name::PartName;
    use crate::template::{Templates, Value};
    use crate::text::{SecretRef, Secrets, Text};

    struct Word<'a>(&'a str);

    impl Secrets for Word<'_> {
        fn word(&self, _: &SecretRef) -> Option<String> {
            Some(self.0.to_owned())
        }
    }

    /// Renders a template that sees a folder, a secret and a text, each of which is `nasty` in the end.
    fn rendered(name: &str, template: &str, nasty: &str) -> String {
        let part: PartName = "app".parse().expect("a name");
        let secret = SecretRef { part: part.clone(), option: "word".parse().expect("a name"), version: "k".to_owned() };
        let mut templates = Templates::new();
        templates.add(name, template).expect("a template");
        let values: std::collections::BTreeMap<&str, Value> = [
            ("folder", Text::object(part).to_marked().into()),
            ("word", Text::secret(secret).to_marked().into()),
            ("text", nasty.into()),
        ]
        .into();
        let marked = templates.render(name, &Value::from(values)).expect("rendered");
        let placed = Text::from_marked(&marked).expect("marks").with_objects(|_| Some(Path::new(nasty)));
        placed.reveal(&Word(nasty)).expect("known")
    }

    const NASTY: [&str; 8] =
        ["/plain", "a b", "it's", r#"say "hi""#, "$HOME `id` $(id)", r"back\slash\", "'", "ä*?[#;&|"];

    fn said(program: &str, script: &str) -> Option<String> {
        let output = Command::new(program).args(["-c", script]).output().ok()?;
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).expect("a text"))
    }

    #[test]
    fn a_shell_reads_what_was_quoted() {
        for nasty in NASTY {
            for name in ["folder", "word", "text"] {
                let template = format!(
                    "printf '%s\\n' {{{{ {name} | shell_quote }}}} {{{{ (\"'\" ~ {name} ~ \"/$x\") | shell_quote }}}}"
                );
                let script = rendered("a.sh", &template, nasty);
                assert_eq!(said("/bin/sh", &script), Some(format!("{nasty}\n'{nasty}/$x\n")), "{script}");
            }
        }
    }

    #[test]
    fn a_shell_hands_on_what_was_quoted_for_another() {
        for nasty in NASTY {
            let template = "sh -c {{ (\"printf %s \" ~ folder | shell_quote) | shell_quote }}";
            assert_eq!(said("/bin/sh", &rendered("a.sh", template, nasty)).as_deref(), Some(nasty));
        }
    }

    #[test]
    fn python_reads_what_was_quoted() {
        for nasty in NASTY.into_iter().filter(|_| Command::new("python3").arg("--version").output().is_ok()) {
            let template =
                "print({{ folder | py }}, {{ [word, text] | py }}[0], {{ {'a': folder} | tojson }}['a'], sep='\\n')";
            let script = rendered("a.py", template, nasty);
            assert_eq!(said("python3", &script), Some(format!("{nasty}\n{nasty}\n{nasty}\n")), "{script}");
        }
    }

    #[test]
    fn addresses_are_percent_encoded() {
        let address =
            rendered("a.txt", "x://{{ word | url }}@{{ folder | urlpath }}?{{ (text ~ word) | url }}", "/ä b@%");
        assert_eq!(address, "x://%2F%C3%A4%20b%40%25@/%C3%A4%20b%40%25?%2F%C3%A4%20b%40%25%2F%C3%A4%20b%40%25");
    }

    #[test]
    fn markup_shows_what_was_written() {
        let page = rendered("a.html", "<a href=\"{{ folder }}\">{{ word }}</a>{{ text }}", "<&\"'");
        assert_eq!(page, "<a href=\"&lt;&amp;&quot;&#x27;\">&lt;&amp;&quot;&#x27;</a>&lt;&amp;&quot;&#x27;");
    }

    proptest! {
        #[test]
        fn json_is_what_was_written(nasty in "[a-z/<>\"'\\\\\u{1}\u{e4}]*") {
            let json = rendered("a.json", "{{ [folder, word, text, \"<\" ~ folder] | tojson }}", &nasty);
            let read: Vec<String> = serde_json::from_str(&json).expect("json");
            prop_assert_eq!(read, [nasty.clone(), nasty.clone(), nasty.clone(), format!("<{nasty}")]);
            prop_assert_eq!(json.find("</"), None);
        }
    }
}
