//! Where nodes and links of a drawn picture go: columns, what depends on the left, what it depends on to its right.
//!
//! The classic four steps of layered drawing, each a file: [`orient`] turns a few links so that no circle is left, [`column`] gives each node a
//! column, [`sort`] sorts each column so that few links cross, [`place`] gives heights that keep links straight. A link
//! that passes a column has a *slot* there; links of one kind to one node share their slots, so that many become one
//! line where they would run side by side.

mod column;
mod orient;
mod place;
mod sort;

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Kind;

pub(super) use orient::positions;

/// Beyond this many slots, long links go straight and may pass behind nodes.
const MANY_SLOTS: usize = 40_000;

/// A piece of a link between slots of neighbouring columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    /// The slot on its left.
    pub left: usize,
    /// The slot on its right.
    pub right: usize,
    /// Its kind.
    pub kind: Kind,
    /// Which way it points.
    pub way: Way,
}

/// Which way a link points in the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// From right to left, since it closes a circle.
    Backward,
    /// There is a link of this kind in both directions.
    Both,
    /// From left to right.
    Forward,
}

/// Links between two nodes of which the first will stand on the left.
type Arc = (usize, usize, Kind, Way);

/// Columns of slots. Slots below the number of nodes are nodes; the others are passed by links.
#[derive(Debug)]
pub(super) struct Layout {
    /// The slots of each column, from top to bottom.
    pub columns: Vec<Vec<usize>>,
    /// The middle of each slot, from top to bottom.
    pub heights: Vec<f64>,
    /// All pieces of links, each once.
    pub pieces: Vec<Piece>,
    /// How many of the slots are nodes.
    pub nodes: usize,
}

/// How much room slots take from top to bottom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// A node.
    pub node: f64,
    /// A link that passes.
    pub link: f64,
}

/// Lays out that many nodes with links (from, to, kind). Links of a node to itself are left to the caller.
pub(super) fn lay_out(nodes: usize, links: &[(usize, usize, Kind)], room: Room) -> Layout {
    let links: Vec<(usize, usize, Kind)> = links.iter().copied().filter(|(from, to, _)| from != to).collect();
    let position = positions(nodes, &links);
    let mut ways: BTreeMap<(usize, usize, Kind), Way> = BTreeMap::new();
    for (from, to, kind) in links {
        let forward = position[from] < position[to];
        let (pair, way) = if forward { ((from, to, kind), Way::Forward) } else { ((to, from, kind), Way::Backward) };
        ways.entry(pair).and_modify(|old| *old = if *old == way { way } else { Way::Both }).or_insert(way);
    }
    let arcs: Vec<Arc> = ways.into_iter().map(|((left, right, kind), way)| (left, right, kind, way)).collect();
    let column = column::columns(&position, &arcs);
    let mut layout = with_slots(nodes, &arcs, &column);
    sort::sort(&mut layout);
    place::place(&mut layout, room);
    layout
}

fn with_slots(nodes: usize, arcs: &[Arc], column: &[usize]) -> Layout {
    let count = column.iter().max().map_or(0, |last| last + 1);
    let mut columns = vec![Vec::new(); count];
    for node in 0..nodes {
        columns[column[node]].push(node);
    }
    let long: usize = arcs.iter().map(|(left, right, ..)| column[*right] - column[*left] - 1).sum();
    let mut slots: BTreeMap<(usize, Kind, Way, usize), usize> = BTreeMap::new();
    let mut pieces = BTreeSet::new();
    for (left, right, kind, way) in arcs.iter().copied() {
        let mut last = left;
        if long <= MANY_SLOTS {
            for (passed, column) in columns.iter_mut().enumerate().take(column[right]).skip(column[left] + 1) {
                let next = nodes + slots.len();
                let slot = *slots.entry((right, kind, way, passed)).or_insert_with(|| {
                    column.push(next);
                    next
                });
                pieces.insert(Piece { left: last, right: slot, kind, way });
                last = slot;
            }
        }
        pieces.insert(Piece { left: last, right, kind, way });
    }
    let heights = vec![0.0; nodes + slots.len()];
    Layout { columns, heights, pieces: pieces.into_iter().collect(), nodes }
}

impl Layout {
    /// The column of each slot.
    pub fn column_of(&self) -> Vec<usize> {
        let mut made = vec![0; self.heights.len()];
        for (number, column) in self.columns.iter().enumerate() {
            for slot in column {
                made[*slot] = number;
            }
        }
        made
    }

    /// The slots on the left and on the right of each slot.
    fn neighbours(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let mut left = vec![Vec::new(); self.heights.len()];
        let mut right = vec![Vec::new(); self.heights.len()];
        for piece in &self.pieces {
            left[piece.right].push(piece.left);
            right[piece.left].push(piece.right);
        }
        (left, right)
    }
}
