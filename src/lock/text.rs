//! The lock as text. Written by hand, so that the same meaning gives the same bytes whatever a TOML crate comes to prefer.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{FORMAT, Lock, LockFileError, Pin, Resolution};

const HEADER: &str = "\
# Made by `jove-install lock`: every byte that comes from outside, by digest. It names content, never a host.
# Commit it; do not edit it.
";

impl Lock {
    /// The lock as text: everything sorted, a few lines a pin.
    ///
    /// # Errors
    /// If anything in it looks like an address, or a file's name is none.
    pub fn to_text(&self) -> Result<String, LockFileError> {
        let mut text = format!("{HEADER}format = {FORMAT}\n");
        self.write_uses(&mut text)?;
        let mut resolutions: Vec<&Resolution> = self.resolutions.values().collect();
        // By what people know, so that a changed input does not move a whole block elsewhere.
        resolutions.sort_by(|one, other| {
            (&one.recipe, &one.platform, &one.inputs).cmp(&(&other.recipe, &other.platform, &other.inputs))
        });
        for resolution in resolutions {
            resolution.write(&mut text)?;
        }
        Ok(text)
    }

    fn write_uses(&self, text: &mut String) -> Result<(), LockFileError> {
        for (profile, platforms) in &self.uses {
            no_address("a profile's name", profile)?;
            for (platform, parts) in platforms {
                let platform = platform.to_string();
                no_address("a platform's name", &platform)?;
                push(text, format_args!("\n[uses.{}.{}]\n", key(profile), key(&platform)));
                for (part, id) in parts {
                    push(text, format_args!("{part} = {}\n", quoted(id)));
                }
            }
        }
        Ok(())
    }
}

impl Resolution {
    fn write(&self, text: &mut String) -> Result<(), LockFileError> {
        let platform = self.platform.to_string();
        no_address("a recipe's name", &self.recipe)?;
        no_address("a platform's name", &platform)?;
        push(text, format_args!("\n[[resolution]]\nid = {}\n", quoted(&self.id.to_hex())));
        push(text, format_args!("recipe = {}\nplatform = {}\n", quoted(&self.recipe), quoted(&platform)));
        push(text, format_args!("\n[resolution.inputs]\n"));
        for (name, list) in &self.inputs {
            no_address("the name of an input", name)?;
            push(text, format_args!("{} = [\n", key(name)));
            for item in list {
                no_address(&format!("one of the {name} of a `{}` part", self.recipe), item)?;
                push(text, format_args!("    {},\n", quoted(item)));
            }
            text.push_str("]\n");
        }
        self.pins.iter().try_for_each(|pin| pin.write(text))
    }
}

impl Pin {
    fn write(&self, text: &mut String) -> Result<(), LockFileError> {
        let fields = [
            ("name", Some(&self.name)),
            ("version", Some(&self.version)),
            ("provider", Some(&self.provider)),
            ("place", self.place.as_ref()),
            ("marker", self.marker.as_ref()),
            ("trust", Some(&self.trust)),
        ];
        text.push_str("\n[[resolution.pin]]\n");
        for (name, value) in fields.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            no_address(&format!("the {name} of the pin `{}`", self.name), value)?;
            push(text, format_args!("{name} = {}\n", quoted(value)));
        }
        for file in &self.files {
            no_address(&format!("a file of the pin `{}`", self.name), &file.file)?;
        }
        if let Some(file) = bad_file(self) {
            let place = format!("a file of the pin `{}`", self.name);
            return Err(LockFileError::FileName { place, text: file.escape_debug().to_string() });
        }
        text.push_str("files = [\n");
        for file in &self.files {
            let size = file.size.map_or(String::new(), |size| format!(", size = {size}"));
            let digest = quoted(&file.sha256.to_hex());
            push(text, format_args!("    {{ file = {}, sha256 = {digest}{size} }},\n", quoted(&file.file)));
        }
        text.push_str("]\n");
        Ok(())
    }
}

/// Writing to a string cannot fail.
fn push(text: &mut String, arguments: std::fmt::Arguments) {
    let _ = text.write_fmt(arguments);
}

/// The first file of a pin whose name is none, or that has the name of another.
pub(super) fn bad_file(pin: &Pin) -> Option<&str> {
    let mut names = BTreeSet::new();
    pin.files.iter().map(|file| file.file.as_str()).find(|name| !is_file_name(name) || !names.insert(*name))
}

/// Whether a text can name a file in one folder, whatever the system.
fn is_file_name(name: &str) -> bool {
    let strange = |c: char| c.is_control() || c == '/' || c == '\\';
    !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && !name.contains(strange)
}

/// Addresses have `://`, or are those of ssh (`git@host:path`).
fn no_address(place: &str, text: &str) -> Result<(), LockFileError> {
    let is_ssh =
        || text.split_whitespace().any(|word| word.split_once('@').is_some_and(|(_, host)| is_host_and_path(host)));
    if !text.contains("://") && !is_ssh() {
        return Ok(());
    }
    Err(LockFileError::Address { place: place.to_owned(), text: without_credentials(text) })
}

/// `example.org:path`, but not `1:2.0` (an epoch of a version).
fn is_host_and_path(text: &str) -> bool {
    text.split_once(':').is_some_and(|(host, path)| {
        !path.is_empty() && host.contains('.') && host.contains(|c: char| c.is_ascii_alphabetic())
    })
}

/// `https://user:word@host/x` as `https://…@host/x`: the error is shown.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', ' ', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => text.to_owned(),
    }
}

/// A key that needs no quotes, or one in quotes.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut made = String::with_capacity(text.len() + 2);
    made.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                made.push('\\');
                made.push(letter);
            }
            '\n' => made.push_str("\\n"),
            '\t' => made.push_str("\\t"),
            '\r' => made.push_str("\\r"),
            letter if letter.is_control() => push(&mut made, format_args!("\\u{:04X}", u32::from(letter))),
            letter => made.push(letter),
        }
    }
    made.push('"');
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_when_they_are_seen() {
        let table = [
            ("gunicorn >=20", true),
            ("numpy==2!1.0", true),
            ("python_version < '3.12'", true),
            ("pkg @ file:///home/ann/pkg", false),
            ("git+ssh://git@example.org/x", false),
            ("git@example.org:ann/pkg.git", false),
            ("pkg @ git@example.org:ann/pkg", false),
            ("libc6 1:2.0", true),
        ];
        for (text, expected) in table {
            assert_eq!(no_address("it", text).is_ok(), expected, "{text}");
        }
        let error = no_address("it", "a @ https://ann:canary@example.org/x@1").expect_err("an address").to_string();
        assert!(error.starts_with("it is `a @ https://…@example.org/x@1`, which looks like an address"), "{error}");
    }

    #[test]
    fn names_of_files_stay_in_their_folder() {
        for (name, expected) in
            [("a-1.whl", true), ("..", false), ("a/b", false), ("", false), ("a\nb", false), ("a\\b", false)]
        {
            assert_eq!(is_file_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn strings_are_quoted_so_that_they_come_back() {
        for text in ["", "a\"b\\c", "tab\tnew\nline\r", "nul\0 del\u{7f} next\u{85}", "ünï ☃ 𝄞", "''' \"\"\""] {
            let table: toml::Table = toml::from_str(&format!("{} = {}", key(text), quoted(text))).expect("toml");
            assert_eq!(table.get(text).and_then(toml::Value::as_str), Some(text));
        }
    }
}
