//! The user's netrc file: credentials by host.

use std::path::PathBuf;

use super::address::Credentials;
use crate::host::Host;

/// What a netrc file says.
#[derive(Debug, Clone, Default)]
pub struct Netrc {
    machines: Vec<(String, Credentials)>,
    default: Option<Credentials>,
}

impl Netrc {
    /// Reads the file that `NETRC` names, else `~/.netrc`; without one there are no credentials.
    #[must_use]
    pub fn read(host: &Host) -> Self {
        let path = host.var("NETRC").map(PathBuf::from).or_else(|| Some(host.home().ok()?.join(".netrc")));
        path.and_then(|path| fs_err::read_to_string(path).ok()).map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Reads the text of a netrc file. Words that mean nothing here (`account`, macros) are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut made = Self::default();
        let text = without_macros(text);
        let mut words = text.split_whitespace();
        // Which entry the words belong to: none yet, the default, or a machine.
        let mut entry: Option<Option<String>> = None;
        let mut user = String::new();
        let mut password = None;
        while let Some(word) = words.next() {
            match word {
                "machine" | "default" => {
                    made.add(entry.take(), &mut user, &mut password);
                    let machine = if word == "machine" { words.next().map(str::to_owned) } else { None };
                    entry = (word == "default" || machine.is_some()).then_some(machine);
                }
                "login" => user = words.next().unwrap_or_default().trim_matches('"').to_owned(),
                "password" => password = words.next().map(|word| word.trim_matches('"').to_owned()),
                "account" => drop(words.next()),
                _ => {}
            }
        }
        made.add(entry, &mut user, &mut password);
        made
    }

    /// The credentials for a host; those of `default` only where `by_default` allows (never after a redirect).
    #[must_use]
    pub fn find(&self, host: &str, by_default: bool) -> Option<&Credentials> {
        let named = self.machines.iter().find(|(machine, _)| machine.eq_ignore_ascii_case(host));
        named.map(|(_, found)| found).or_else(|| self.default.as_ref().filter(|_| by_default))
    }

    fn add(&mut self, entry: Option<Option<String>>, user: &mut String, password: &mut Option<String>) {
        let credentials = Credentials { user: std::mem::take(user), password: password.take() };
        match entry {
            Some(Some(machine)) => self.machines.push((machine, credentials)),
            Some(None) => self.default = Some(credentials),
            None => {}
        }
    }
}

/// Drops comment lines and macro definitions (`macdef NAME` up to an empty line).
fn without_macros(text: &str) -> String {
    let mut in_macro = false;
    let mut kept = String::new();
    for line in text.lines() {
        let start = line.trim_start();
        in_macro = if in_macro { !start.is_empty() } else { start.starts_with("macdef") };
        if !in_macro && !start.starts_with('#') {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_found_and_default_only_where_allowed() {
        let netrc = Netrc::parse(
            "# mine\nmachine a.example login me password p#1\nmacdef init\n machine evil login x password y\n\n\
             machine B.example\n  login you\n  account z password \"q\"\ndefault login any password all\n",
        );
        let find = |host, by_default| {
            netrc
                .find(host, by_default)
                .map(|found| format!("{}:{}", found.user, found.password.as_deref().unwrap_or("-")))
        };
        assert_eq!(find("a.example", false).as_deref(), Some("me:p#1"));
        assert_eq!(find("b.example", false).as_deref(), Some("you:q"));
        assert_eq!(find("evil", false), None);
        assert_eq!(find("evil", true).as_deref(), Some("any:all"));
    }

    #[test]
    fn broken_files_give_nothing() {
        for text in ["", "machine", "login a password b", "password", "machine x login"] {
            assert!(Netrc::parse(text).find("y", true).is_none(), "{text}");
        }
    }
}
