//! The picture in the language of mermaid, which code hosts draw in their pages.

use std::fmt::Write;

use super::Sketch;
use crate::graph::Kind;

pub(super) fn draw(title: &str, sketch: &Sketch) -> String {
    // The title is YAML, of which a JSON string is a part.
    let title = serde_json::Value::from(format!("{title} (solid: object, dashed: value, dotted: start)"));
    let mut made = format!("---\ntitle: {title}\n---\nflowchart LR\n");
    for (index, (name, subtitle)) in sketch.nodes.iter().enumerate() {
        let (name, subtitle) = (escaped(name), escaped(subtitle));
        let gap = if subtitle.is_empty() { "" } else { "<br/>" };
        let _ = writeln!(made, "  n{index}[\"{name}{gap}{subtitle}\"]");
    }
    for (from, to, kind) in &sketch.links {
        let arrow = match kind {
            Kind::Object => "-->",
            Kind::Start | Kind::Value => "-.->",
        };
        let _ = writeln!(made, "  n{from} {arrow} n{to}");
    }
    for (kind, dashes) in [(Kind::Value, "6 4"), (Kind::Start, "1 4")] {
        let links = sketch.links.iter().enumerate().filter(|(_, link)| link.2 == kind);
        let numbers: Vec<String> = links.map(|(number, _)| number.to_string()).collect();
        if !numbers.is_empty() {
            let _ = writeln!(made, "  linkStyle {} stroke-dasharray:{dashes}", numbers.join(","));
        }
    }
    made
}

/// Mermaid reads `#` codes in quoted labels; everything that it or HTML could understand is spelled so.
fn escaped(text: &str) -> String {
    let mut made = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || " .,:;-_+/()=@".contains(c) && c != ';' {
            made.push(c);
        } else if c.is_control() {
            made.push(' ');
        } else {
            let _ = write!(made, "#{};", u32::from(c));
        }
    }
    made
}
