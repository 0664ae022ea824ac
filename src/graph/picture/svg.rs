//! The picture drawn, as SVG.
//!
//! It needs nothing from outside: fonts are the reader's own, colours follow a light or dark page. Kinds differ by line and by
//! colour; every node and line has a `<title>`.

mod text;

use std::collections::BTreeSet;
use std::fmt::Write;

use super::layout::{self, Layout, Piece, Room, Way};
use super::{Sketch, words};
use crate::graph::Kind;
use text::{escaped, shortened, width};

/// Between a node and the next below it.
const GAP: f64 = 16.0;
const MARGIN: f64 = 28.0;
const TITLE: f64 = 38.0;
const LEGEND: f64 = 36.0;
const NAME_SIZE: f64 = 13.5;
const SUBTITLE_SIZE: f64 = 11.0;

const STYLE: &str = "
    .page { fill: #ffffff; }
    text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #1f2937; }
    .title { font-size: 17px; font-weight: 600; }
    .name { font-size: 13.5px; font-weight: 600; }
    .subtitle, .legend { font-size: 11px; fill: #64748b; }
    .box { fill: #f8fafc; stroke: #cbd5e1; stroke-width: 1.2; }
    .node:hover .box { stroke: #475569; }
    .line { fill: none; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
    .object { stroke: #475569; }
    .value { stroke: #0d9488; stroke-dasharray: 7 5; }
    .start { stroke: #ea580c; stroke-width: 2; stroke-dasharray: 0.1 5; }
    .object-head { fill: #475569; }
    .value-head { fill: #0d9488; }
    .start-head { fill: #ea580c; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0f172a; }
      text { fill: #e2e8f0; }
      .subtitle, .legend { fill: #94a3b8; }
      .box { fill: #1e293b; stroke: #475569; }
      .node:hover .box { stroke: #cbd5e1; }
      .object { stroke: #94a3b8; }
      .object-head { fill: #94a3b8; }
    }
";

/// What a line of a kind means, for the legend.
fn meaning(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "object: made first, part of the key",
        Kind::Start => "start: order of services",
        Kind::Value => "value: only what it says is read",
    }
}

pub(super) fn draw(title: &str, sketch: &Sketch) -> String {
    let scene = Scene::new(sketch);
    let kinds: Vec<Kind> = [Kind::Object, Kind::Value, Kind::Start]
        .into_iter()
        .filter(|k| sketch.links.iter().any(|l| l.2 == *k))
        .collect();
    let legend: f64 = kinds.iter().map(|kind| legend_width(*kind)).sum();
    let title_shown = shortened(title, 17.0, 900.0);
    let inner = scene.width.max(width(&title_shown, 17.0)).max(legend);
    let (w, h) = (inner + 2.0 * MARGIN, TITLE + scene.height + 2.0 * MARGIN + LEGEND);
    let mut made = String::new();
    let _ = write!(
        made,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w:.0} {h:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" \
         role=\"img\" aria-labelledby=\"jove-title jove-desc\">\n  <title id=\"jove-title\">{}</title>\n  \
         <desc id=\"jove-desc\">{} and {}. A line goes from what depends to what it depends on.</desc>\n  \
         <style>{STYLE}  </style>\n",
        escaped(title),
        counted(sketch.nodes.len(), "part", "parts"),
        counted(sketch.links.len(), "dependency", "dependencies"),
    );
    let _ = writeln!(made, "  <rect class=\"page\" width=\"{w:.0}\" height=\"{h:.0}\"/>");
    let _ = writeln!(
        made,
        "  <text class=\"title\" x=\"{MARGIN}\" y=\"{:.0}\">{}</text>",
        MARGIN + 14.0,
        escaped(&title_shown)
    );
    let left = MARGIN + (inner - scene.width) / 2.0;
    let _ = writeln!(made, "  <g transform=\"translate({left:.1} {:.1})\">", MARGIN + TITLE);
    scene.lines(sketch, &mut made);
    scene.boxes(sketch, &mut made);
    made.push_str("  </g>\n");
    draw_legend(&kinds, h - MARGIN, &mut made);
    made.push_str("</svg>\n");
    made
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn legend_width(kind: Kind) -> f64 {
    width(meaning(kind), SUBTITLE_SIZE) + 44.0 + 24.0
}

fn draw_legend(kinds: &[Kind], y: f64, made: &mut String) {
    let mut x = MARGIN;
    made.push_str("  <g>\n");
    for kind in kinds {
        line(*kind, &format!("M{x:.1} {:.1}H{:.1}", y - 4.0, x + 28.0), made);
        head(*kind, (x + 34.0, y - 4.0), false, made);
        let _ = writeln!(
            made,
            "    <text class=\"legend\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
            x + 44.0,
            escaped(meaning(*kind))
        );
        x += legend_width(*kind);
    }
    made.push_str("  </g>\n");
}

fn line(kind: Kind, path: &str, made: &mut String) {
    let _ = writeln!(made, "    <path class=\"line {kind}\" d=\"{path}\"/>");
}

/// An arrow head whose tip is at a place. Drawn rather than a marker, so that a dotted line does not make it dotted and every
/// viewer shows it.
fn head(kind: Kind, (x, y): (f64, f64), backward: bool, made: &mut String) {
    let back = if backward { 8.0 } else { -8.0 };
    let _ = writeln!(made, "    <path class=\"{kind}-head\" d=\"M{x:.1} {y:.1}l{back} -4.5v9z\"/>");
}

/// Everything placed.
struct Scene {
    layout: Layout,
    column_of: Vec<usize>,
    /// Left edge and width of each column.
    columns: Vec<(f64, f64)>,
    node_height: f64,
    /// Names as shown, and the widths of their boxes.
    names: Vec<(String, String, f64)>,
    /// Which kinds of line touch each node on the left and on the right, so that they don't touch at one point.
    ports: Vec<[Vec<Kind>; 2]>,
    width: f64,
    height: f64,
}

impl Scene {
    fn new(sketch: &Sketch) -> Self {
        let node_height = if sketch.nodes.iter().any(|node| !node.1.is_empty()) { 46.0 } else { 32.0 };
        let layout =
            layout::lay_out(sketch.nodes.len(), &sketch.links, Room { node: node_height + GAP, link: GAP - 4.0 });
        let names: Vec<(String, String, f64)> =
            sketch.nodes.iter().map(|(name, subtitle)| label(name, subtitle)).collect();
        let mut ports: Vec<[Vec<Kind>; 2]> = vec![[Vec::new(), Vec::new()]; sketch.nodes.len()];
        for piece in &layout.pieces {
            for (slot, side) in [(piece.right, 0), (piece.left, 1)] {
                if slot < layout.nodes && !ports[slot][side].contains(&piece.kind) {
                    ports[slot][side].push(piece.kind);
                    ports[slot][side].sort_unstable();
                }
            }
        }
        let column_of = layout.column_of();
        let columns = columns(&layout, &column_of, &names);
        let width = columns.last().map_or(0.0, |(x, width)| x + width);
        let height = layout.heights.iter().copied().fold(0.0, f64::max) + node_height;
        Self { layout, column_of, columns, node_height, names, ports, width, height }
    }

    /// Left edge, top and width of a node's box.
    fn frame(&self, node: usize) -> (f64, f64, f64) {
        let (x, column) = self.columns[self.column_of[node]];
        let width = self.names[node].2;
        (x + (column - width) / 2.0, self.layout.heights[node], width)
    }

    /// Where a line touches a slot on its left (0) or right (1) side.
    fn port(&self, slot: usize, side: usize, kind: Kind) -> (f64, f64) {
        let middle = self.layout.heights[slot] + self.node_height / 2.0;
        if slot >= self.layout.nodes {
            let (x, width) = self.columns[self.column_of[slot]];
            return (if side == 0 { x } else { x + width }, middle);
        }
        let (x, _, width) = self.frame(slot);
        let kinds = &self.ports[slot][side];
        let place = kinds.iter().position(|other| *other == kind).unwrap_or(0) as f64;
        let shift = (place - (kinds.len() as f64 - 1.0) / 2.0) * 11.0;
        (if side == 0 { x } else { x + width }, middle + shift)
    }

    fn pieces(&self, kind: Kind) -> impl Iterator<Item = &Piece> {
        self.layout.pieces.iter().filter(move |piece| piece.kind == kind)
    }

    fn lines(&self, sketch: &Sketch, made: &mut String) {
        // Objects last, so that the firmest lines lie on top.
        for kind in [Kind::Start, Kind::Value, Kind::Object] {
            for piece in self.pieces(kind) {
                let (mut x1, y1) = self.port(piece.left, 1, kind);
                let (mut x2, y2) = self.port(piece.right, 0, kind);
                if piece.way != Way::Forward && piece.left < self.layout.nodes {
                    head(kind, (x1 + 1.0, y1), true, made);
                    x1 += 8.0;
                }
                if piece.way != Way::Backward && piece.right < self.layout.nodes {
                    head(kind, (x2 - 1.0, y2), false, made);
                    x2 -= 8.0;
                }
                let bend = (x2 - x1) / 2.0;
                let (left, right) = (x1 + bend, x2 - bend);
                line(kind, &format!("M{x1:.1} {y1:.1}C{left:.1} {y1:.1} {right:.1} {y2:.1} {x2:.1} {y2:.1}"), made);
            }
            // Once for all that share it: dashes drawn over each other would fill up.
            let passed: BTreeSet<usize> = self.pieces(kind).map(|piece| piece.right).collect();
            for slot in passed.range(self.layout.nodes..) {
                let ((x1, y), (x2, _)) = (self.port(*slot, 0, kind), self.port(*slot, 1, kind));
                line(kind, &format!("M{x1:.1} {y:.1}H{x2:.1}"), made);
            }
        }
        for (from, _, kind) in sketch.links.iter().filter(|(from, to, _)| from == to) {
            let (x, y, width) = self.frame(*from);
            let right = x + width - 14.0;
            line(*kind, &format!("M{:.1} {y:.1}c0 -14 16 -14 16 -6", right - 16.0), made);
            let _ = writeln!(made, "    <path class=\"{kind}-head\" d=\"M{right:.1} {y:.1}l-4.5 -8h9z\"/>");
        }
    }

    fn boxes(&self, sketch: &Sketch, made: &mut String) {
        let dependencies = sketch.dependencies();
        for (node, (name, subtitle, _)) in self.names.iter().enumerate() {
            let (x, y, width) = self.frame(node);
            let middle = x + width / 2.0;
            let _ = write!(
                made,
                "    <g class=\"node\"><title>{}</title><rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                 height=\"{:.0}\" rx=\"9\"/>",
                escaped(&told(node, sketch, &dependencies[node])),
                self.node_height
            );
            let baseline = if subtitle.is_empty() { y + self.node_height / 2.0 + 4.7 } else { y + 20.5 };
            let _ = write!(
                made,
                "<text class=\"name\" text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{baseline:.1}\">{}</text>",
                escaped(name)
            );
            if !subtitle.is_empty() {
                let _ = write!(
                    made,
                    "<text class=\"subtitle\" text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
                    y + 36.0,
                    escaped(subtitle)
                );
            }
            made.push_str("</g>\n");
        }
    }
}

/// A node in words, whole.
fn told(node: usize, sketch: &Sketch, dependencies: &[(usize, Vec<Kind>)]) -> String {
    let (name, subtitle) = sketch.nodes[node];
    let mut told = if subtitle.is_empty() { name.to_owned() } else { format!("{name} ({subtitle})") };
    for (place, (other, kinds)) in dependencies.iter().enumerate() {
        told.push_str(if place == 0 { " depends on " } else { ", " });
        let _ = write!(told, "{} ({})", sketch.nodes[*other].0, words(kinds));
    }
    told
}

/// Name and subtitle as shown, and the width of their box.
fn label(name: &str, subtitle: &str) -> (String, String, f64) {
    let (name, subtitle) = (shortened(name, NAME_SIZE, 230.0), shortened(subtitle, SUBTITLE_SIZE, 230.0));
    // The name is bold, which is a tenth wider.
    let inner = (width(&name, NAME_SIZE) * 1.1).max(width(&subtitle, SUBTITLE_SIZE));
    let outer = (inner + 30.0).max(84.0);
    (name, subtitle, outer)
}

/// Columns as wide as their widest node, and between them as much room as the steepest line needs.
fn columns(layout: &Layout, column_of: &[usize], names: &[(String, String, f64)]) -> Vec<(f64, f64)> {
    let mut steepest = vec![0.0_f64; layout.columns.len()];
    for piece in &layout.pieces {
        let rise = (layout.heights[piece.left] - layout.heights[piece.right]).abs();
        let column = column_of[piece.left];
        steepest[column] = steepest[column].max(rise);
    }
    let mut made = Vec::with_capacity(layout.columns.len());
    let mut x = 0.0;
    for (column, rise) in layout.columns.iter().zip(steepest) {
        let widest = column.iter().filter(|slot| **slot < layout.nodes).map(|slot| names[*slot].2).fold(0.0, f64::max);
        made.push((x, widest));
        x += widest + (rise * 0.3).clamp(64.0, 190.0);
    }
    made
}
