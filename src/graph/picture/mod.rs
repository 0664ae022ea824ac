//! [`Picture`]: a graph for people, in four forms. Plain data in, text out; equal pictures give equal bytes.
//!
//! The three kinds of link are told apart in each form: in the tree by a word, in the drawn ones by solid (object), dashed
//! (value) and dotted (start) lines.

mod dot;
mod layout;
mod mermaid;
mod svg;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::build::{Graph, Kind};

/// What is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Stands above it.
    pub title: String,
    /// The nodes; names are unique (of two with one name the first counts).
    pub nodes: Vec<PictureNode>,
    /// The links; their ends that are no nodes are shown as nodes without a subtitle.
    pub links: Vec<PictureLink>,
}

/// One node of a picture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PictureNode {
    /// Its name.
    pub name: String,
    /// A word more, such as the recipe; may be empty.
    pub subtitle: String,
}

/// One link of a picture: `from` depends on `to`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PictureLink {
    /// What depends.
    pub from: String,
    /// What it depends on.
    pub to: String,
    /// In which way.
    pub kind: Kind,
}

impl Picture {
    /// The picture of a graph; `subtitle` says the word more about a node.
    #[must_use]
    pub fn of<N: Clone + Ord + Display>(
        graph: &Graph<N>,
        title: impl Into<String>,
        mut subtitle: impl FnMut(&N) -> String,
    ) -> Self {
        let nodes =
            graph.nodes().map(|node| PictureNode { name: node.to_string(), subtitle: subtitle(node) }).collect();
        let links = graph.links().iter();
        let links = links
            .map(|link| PictureLink { from: link.from.to_string(), to: link.to.to_string(), kind: link.kind })
            .collect();
        Self { title: title.into(), nodes, links }
    }

    /// As a tree of text, as `cargo tree` draws one.
    #[must_use]
    pub fn tree(&self) -> String {
        tree::draw(&self.title, &self.sketch())
    }

    /// In the language of graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        dot::draw(&self.title, &self.sketch())
    }

    /// In the language of mermaid.
    #[must_use]
    pub fn mermaid(&self) -> String {
        mermaid::draw(&self.title, &self.sketch())
    }

    /// Drawn, as a whole SVG file.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::draw(&self.title, &self.sketch())
    }

    fn sketch(&self) -> Sketch<'_> {
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for node in &self.nodes {
            names.entry(&node.name).or_insert(&node.subtitle);
        }
        for link in &self.links {
            names.entry(&link.from).or_default();
            names.entry(&link.to).or_default();
        }
        let index: BTreeMap<&str, usize> = names.keys().enumerate().map(|(index, name)| (*name, index)).collect();
        let links: BTreeSet<(usize, usize, Kind)> =
            self.links.iter().map(|link| (index[link.from.as_str()], index[link.to.as_str()], link.kind)).collect();
        Sketch { nodes: names.into_iter().collect(), links: links.into_iter().collect() }
    }
}

/// A picture in order: nodes by name, links as pairs of their indexes, each once.
struct Sketch<'a> {
    /// Name and subtitle.
    nodes: Vec<(&'a str, &'a str)>,
    /// From, to, kind; sorted.
    links: Vec<(usize, usize, Kind)>,
}

impl Sketch<'_> {
    /// What each node depends on, sorted, with all kinds of it.
    fn dependencies(&self) -> Vec<Vec<(usize, Vec<Kind>)>> {
        let mut made: Vec<Vec<(usize, Vec<Kind>)>> = vec![Vec::new(); self.nodes.len()];
        for (from, to, kind) in &self.links {
            match made[*from].last_mut() {
                Some((last, kinds)) if last == to => kinds.push(*kind),
                _ => made[*from].push((*to, vec![*kind])),
            }
        }
        made
    }
}

/// `object, value`.
fn words(kinds: &[Kind]) -> String {
    let words: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests;
