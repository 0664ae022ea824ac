//! [`Cycle`]: links that go round in a circle, told with the place of each.

use std::fmt::{self, Debug, Display};

use super::build::{Kind, Link};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// A circle of links of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle<N> {
    /// The kind of all its links.
    pub kind: Kind,
    /// The links in order: each ends where the next begins, the last where the first begins. Never empty.
    pub links: Vec<Link<N>>,
}

/// All circles that [`super::Graph::build`] found. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycles<N>(pub Vec<Cycle<N>>);

impl<N: Display> Cycle<N> {
    /// The circle in one line: `env → app → env`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path: Vec<String> = self.links.iter().map(|link| link.from.to_string()).collect();
        path.extend(self.links.last().map(|link| link.to.to_string()));
        path.join(" → ")
    }

    /// What is wrong, with the place of each link, for the user to mend.
    #[must_use]
    pub fn to_diagnostic(&self) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(self.message());
        for link in &self.links {
            let Link { from, to, origin, .. } = link;
            let does = match self.kind {
                Kind::Value => "reads",
                Kind::Object => "needs the object of",
                Kind::Start => "starts after",
            };
            diagnostic = match origin {
                Some(origin) => diagnostic.at(origin, format!("`{from}` {does} `{to}`")),
                None => diagnostic.hint(format!("`{from}` {does} `{to}` by its recipe")),
            };
        }
        diagnostic.hint(match self.kind {
            Kind::Value => "give one of them a value of its own",
            Kind::Object => {
                "refer to an option (`${part.option}`) instead of the whole part, or take one of the references out"
            }
            Kind::Start => "take one of them out of `needs`",
        })
    }

    fn message(&self) -> String {
        let path = self.path();
        let alone = self.links.len() == 1;
        match (self.kind, alone) {
            (Kind::Value, true) => format!("a value refers to itself: `{path}`"),
            (Kind::Value, false) => format!("values refer to each other in a circle: `{path}`"),
            (Kind::Object, true) => format!("a part needs its own object before it is made: `{path}`"),
            (Kind::Object, false) => format!("parts need each other's objects, so none can be made first: `{path}`"),
            (Kind::Start, true) => format!("a part is to start after itself: `{path}`"),
            (Kind::Start, false) => format!("parts wait for each other, so none can start first: `{path}`"),
        }
    }
}

impl<N: Display> Cycles<N> {
    /// All of them, for the user to mend.
    #[must_use]
    pub fn to_diagnostics(&self) -> Diagnostics {
        Diagnostics(self.0.iter().map(Cycle::to_diagnostic).collect())
    }
}

/// The message, and below it a line for each link with its place.
impl<N: Display> Display for Cycle<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        let edges: Vec<String> = self.links.iter().map(|link| format!("{} → {}", link.from, link.to)).collect();
        let width = edges.iter().map(|edge| edge.chars().count()).max().unwrap_or(0);
        for (link, edge) in self.links.iter().zip(edges) {
            match &link.origin {
                Some(origin) => write!(f, "\n  {edge:width$}  {origin}")?,
                None => write!(f, "\n  {edge:width$}  its recipe")?,
            }
        }
        Ok(())
    }
}

impl<N: Display> Display for Cycles<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, cycle) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{cycle}")?;
        }
        Ok(())
    }
}

impl<N: Debug + Display> std::error::Error for Cycle<N> {}

impl<N: Debug + Display> std::error::Error for Cycles<N> {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{Origin, Source};
    use crate::graph::Graph;

    const TEXT: &str = "[parts.env]\nfiles = \"${app}\"\n[parts.app]\nenv = \"${env}\"\n";

    fn cycle(kind: Kind, known: bool) -> Cycle<String> {
        let source = Arc::new(Source { name: "jove.toml".into(), text: TEXT.into(), folder: None });
        let link = |from: &str, to: &str, at: &str| {
            let start = TEXT.find(at).expect("there");
            let origin = known.then(|| Origin::new(&source, start..start + at.len()));
            Link { from: from.to_owned(), to: to.to_owned(), kind, origin }
        };
        let links = vec![link("env", "app", "${app}"), link("app", "env", "${env}")];
        Graph::build(Vec::new(), links, &[kind]).expect_err("a circle").0.remove(0)
    }

    #[test]
    fn it_is_told_with_the_place_of_each_link() {
        insta::assert_snapshot!(cycle(Kind::Object, true), @r"
        parts need each other's objects, so none can be made first: `app → env → app`
          app → env  jove.toml:4:8
          env → app  jove.toml:2:10
        ");
        insta::assert_snapshot!(cycle(Kind::Start, false), @r"
        parts wait for each other, so none can start first: `app → env → app`
          app → env  its recipe
          env → app  its recipe
        ");
    }

    #[test]
    fn its_diagnostic_shows_each_place_and_a_remedy() {
        let made = cycle(Kind::Object, true).to_diagnostic();
        let labels: Vec<String> = made.labels.iter().map(|label| format!("{} {}", label.origin, label.text)).collect();
        assert_eq!(
            labels,
            ["jove.toml:4:8 `app` needs the object of `env`", "jove.toml:2:10 `env` needs the object of `app`"]
        );
        assert_eq!(made.hints.len(), 1);
        let made = cycle(Kind::Value, false).to_diagnostic();
        assert_eq!(made.message, "values refer to each other in a circle: `app → env → app`");
        assert_eq!(made.hints[0], "`app` reads `env` by its recipe");
    }

    #[test]
    fn a_link_to_itself_has_its_own_words() {
        for (kind, words) in [
            (Kind::Value, "a value refers to itself: `a → a`"),
            (Kind::Object, "a part needs its own object before it is made: `a → a`"),
            (Kind::Start, "a part is to start after itself: `a → a`"),
        ] {
            let link = Link { from: "a", to: "a", kind, origin: None };
            let cycles = Graph::build(Vec::new(), vec![link], &[kind]).expect_err("a circle");
            assert_eq!(cycles.to_diagnostics().0[0].message, words);
            assert_eq!(cycles.to_string(), format!("{words}\n  a → a  its recipe"));
        }
    }
}
