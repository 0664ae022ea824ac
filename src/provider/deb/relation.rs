//! What a package says it needs: `libc6 (>= 2.34), mta | postfix`.

use std::cmp::Ordering;
use std::fmt;

use super::version::compare;

/// A wish for a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<'a> {
    operator: Operator,
    version: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Exactly,
    AtLeast,
    More,
}

impl<'a> Bound<'a> {
    /// The version that it names.
    #[must_use]
    pub fn version(&self) -> &'a str {
        self.version
    }

    /// Whether a version fulfils it.
    #[must_use]
    pub fn takes(&self, version: &str) -> bool {
        let order = compare(version, self.version);
        match self.operator {
            Operator::Less => order == Ordering::Less,
            Operator::AtMost => order != Ordering::Greater,
            Operator::Exactly => order == Ordering::Equal,
            Operator::AtLeast => order != Ordering::Less,
            Operator::More => order == Ordering::Greater,
        }
    }
}

impl fmt::Display for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            Operator::Less => "<<",
            Operator::AtMost => "<=",
            Operator::Exactly => "=",
            Operator::AtLeast => ">=",
            Operator::More => ">>",
        };
        write!(f, "({operator} {})", self.version)
    }
}

/// One package that would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which versions of it.
    pub bound: Option<Bound<'a>>,
}

impl fmt::Display for Wish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.bound.iter().try_for_each(|bound| write!(f, " {bound}"))
    }
}

/// A field of dependencies: each entry is a list of alternatives.
pub fn relations(field: &str) -> impl Iterator<Item = Vec<Wish<'_>>> {
    let groups = field.split(',').map(|group| group.split('|').filter_map(wish).collect::<Vec<_>>());
    groups.filter(|group| !group.is_empty())
}

/// `name:any (>= 1) [arch] <profile>`; what follows the version is for source packages and never met here.
#[must_use]
pub fn wish(text: &str) -> Option<Wish<'_>> {
    let text = text.trim();
    let end = text.find(|c: char| c.is_whitespace() || c == '(' || c == '[').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let name = name.split(':').next().filter(|name| !name.is_empty())?;
    let bound =
        rest.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')')).and_then(|(inner, _)| bound(inner));
    Some(Wish { name, bound })
}

fn bound(text: &str) -> Option<Bound<'_>> {
    let text = text.trim();
    let end = text.find(|c: char| !matches!(c, '<' | '>' | '='))?;
    let operator = match &text[..end] {
        "<<" => Operator::Less,
        "<=" | "<" => Operator::AtMost,
        "=" => Operator::Exactly,
        ">=" | ">" => Operator::AtLeast,
        ">>" => Operator::More,
        _ => return None,
    };
    Some(Bound { operator, version: text[end..].trim() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_groups_of_alternatives() {
        let field = "libc6 (>= 2.34), python3:any, default-mta | mail-transport-agent (<<3),, x(=1:2-3) [amd64]";
        let read: Vec<String> = relations(field)
            .map(|group| group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "))
            .collect();
        assert_eq!(read, ["libc6 (>= 2.34)", "python3", "default-mta | mail-transport-agent (<< 3)", "x (= 1:2-3)"]);
    }

    #[test]
    fn bounds_take_versions() {
        for (text, version, takes) in [
            ("a (>= 1.0)", "1.0-1", true),
            ("a (>= 1.0)", "1.0~rc1", false),
            ("a (<< 2)", "2", false),
            ("a (<= 2)", "2", true),
            ("a (= 1:1-1)", "1:1-1", true),
            ("a (>> 1)", "1.1", true),
        ] {
            let wish = wish(text).expect("a wish");
            assert_eq!(wish.bound.expect("a bound").takes(version), takes, "{text} {version}");
        }
    }
}
