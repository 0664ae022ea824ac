//! The picture as a tree of text, as `cargo tree` draws one.
//!
//! A node that was shown above with what it depends on is shown again with `(*)` only. What would stand very deep is marked `(↓)`
//! and shown below as a tree of its own, since indentation of a long chain would be most of the text.

use std::fmt::Write;

use super::layout::positions;
use super::{Sketch, words};
use crate::graph::Kind;

/// The deepest level that is indented.
const DEPTH: usize = 30;

/// A line that is still to be written: what leads to it, and whether it is the last of its siblings.
struct Line<'a> {
    node: usize,
    kinds: &'a [Kind],
    prefix: String,
    depth: usize,
    last: bool,
}

pub(super) fn draw(title: &str, sketch: &Sketch) -> String {
    let dependencies = sketch.dependencies();
    let mut shown = vec![false; sketch.nodes.len()];
    let mut made = format!("{title}\n");
    for root in roots(sketch) {
        tree(root, sketch, &dependencies, &mut shown, &mut made);
    }
    // What was too deep above, and what only circles lead to, from where most of it hangs.
    let mut left: Vec<usize> = (0..sketch.nodes.len()).filter(|node| !shown[*node]).collect();
    if !left.is_empty() {
        let links: Vec<_> = sketch.links.iter().copied().filter(|(from, to, _)| from != to).collect();
        let positions = positions(sketch.nodes.len(), &links);
        left.sort_by_key(|node| positions[*node]);
    }
    for node in left {
        if !shown[node] {
            tree(node, sketch, &dependencies, &mut shown, &mut made);
        }
    }
    made
}

/// Nodes on which no other depends.
fn roots(sketch: &Sketch) -> Vec<usize> {
    let mut is_root = vec![true; sketch.nodes.len()];
    for (from, to, _) in &sketch.links {
        is_root[*to] &= from == to;
    }
    is_root.iter().enumerate().filter(|(_, root)| **root).map(|(node, _)| node).collect()
}

fn tree(root: usize, sketch: &Sketch, dependencies: &[Vec<(usize, Vec<Kind>)>], shown: &mut [bool], made: &mut String) {
    let mut open = vec![Line { node: root, kinds: &[], prefix: String::new(), depth: 0, last: true }];
    while let Some(line) = open.pop() {
        let below = &dependencies[line.node];
        let too_deep = line.depth == DEPTH && !below.is_empty() && !shown[line.node];
        write_line(&line, sketch, made);
        if too_deep {
            made.push_str(" (↓)\n");
            continue;
        }
        let again = shown[line.node] && !below.is_empty();
        made.push_str(if again { " (*)\n" } else { "\n" });
        if again {
            continue;
        }
        shown[line.node] = true;
        let prefix = match (line.depth, line.last) {
            (0, _) => String::new(),
            (_, true) => format!("{}    ", line.prefix),
            (_, false) => format!("{}│   ", line.prefix),
        };
        for (place, (node, kinds)) in below.iter().enumerate().rev() {
            let last = place + 1 == below.len();
            open.push(Line { node: *node, kinds, prefix: prefix.clone(), depth: line.depth + 1, last });
        }
    }
}

fn write_line(line: &Line, sketch: &Sketch, made: &mut String) {
    let (name, subtitle) = sketch.nodes[line.node];
    if line.depth > 0 {
        made.push_str(&line.prefix);
        made.push_str(if line.last { "└── " } else { "├── " });
    }
    made.push_str(name);
    if !subtitle.is_empty() {
        let _ = write!(made, " ({subtitle})");
    }
    if !line.kinds.is_empty() {
        let _ = write!(made, " [{}]", words(line.kinds));
    }
}
