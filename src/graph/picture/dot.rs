//! The picture in the language of graphviz.

use std::fmt::Write;

use super::Sketch;
use crate::graph::Kind;

pub(super) fn draw(title: &str, sketch: &Sketch) -> String {
    let mut made = String::from("digraph {\n");
    let label = quoted(&format!("{title}\nsolid: object · dashed: value · dotted: start"));
    let _ = writeln!(made, "  graph [rankdir=LR, fontname=\"sans-serif\", labelloc=t, label={label}]");
    made.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"]\n");
    for (name, subtitle) in &sketch.nodes {
        let label = if subtitle.is_empty() { (*name).to_owned() } else { format!("{name}\n{subtitle}") };
        let _ = writeln!(made, "  {} [label={}]", quoted(name), quoted(&label));
    }
    for (from, to, kind) in &sketch.links {
        let style = match kind {
            Kind::Object => "solid",
            Kind::Start => "dotted",
            Kind::Value => "dashed",
        };
        let (from, to) = (quoted(sketch.nodes[*from].0), quoted(sketch.nodes[*to].0));
        let _ = writeln!(made, "  {from} -> {to} [style={style}, tooltip={}]", quoted(&kind.to_string()));
    }
    made.push_str("}\n");
    made
}

fn quoted(text: &str) -> String {
    let mut made = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => made.push_str("\\\""),
            '\\' => made.push_str("\\\\"),
            '\n' => made.push_str("\\n"),
            c if c.is_control() => made.push(' '),
            c => made.push(c),
        }
    }
    made.push('"');
    made
}
