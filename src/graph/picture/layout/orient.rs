//! An order of the nodes against which few and weak links point: the greedy way of Eades, Lin and Smyth.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use crate::graph::Kind;

/// How unwilling a link is to point backward in the drawing.
fn weight(kind: Kind) -> i64 {
    match kind {
        Kind::Object => 9,
        Kind::Start => 3,
        Kind::Value => 1,
    }
}

/// Each node's position: links should point from lower to higher. Links of a node to itself must not be among them.
pub(in crate::graph::picture) fn positions(nodes: usize, links: &[(usize, usize, Kind)]) -> Vec<usize> {
    let mut pull = Pull::new(nodes, links);
    let (mut first, mut last) = (Vec::with_capacity(nodes), VecDeque::new());
    loop {
        if let Some(node) = pull.sinks.pop_last() {
            pull.remove(node);
            last.push_front(node);
        } else if let Some(node) = pull.sources.pop_first() {
            pull.remove(node);
            first.push(node);
        } else if let Some((.., Reverse(node))) = pull.others.last().copied() {
            pull.remove(node);
            first.push(node);
        } else {
            break;
        }
    }
    let mut positions = vec![0; nodes];
    for (position, node) in first.into_iter().chain(last).enumerate() {
        positions[node] = position;
    }
    positions
}

/// What is left, sorted by what may go next.
struct Pull {
    outgoing: Vec<Vec<(usize, i64)>>,
    incoming: Vec<Vec<(usize, i64)>>,
    /// Links to and from what is left, and the weight out less the weight in.
    state: Vec<(usize, usize, i64)>,
    removed: Vec<bool>,
    sinks: BTreeSet<usize>,
    sources: BTreeSet<usize>,
    /// The rest by weight, then by the number of links, so that what all turn around goes first; of equal ones the lowest is last.
    others: BTreeSet<(i64, usize, Reverse<usize>)>,
}

impl Pull {
    fn new(nodes: usize, links: &[(usize, usize, Kind)]) -> Self {
        let mut made = Self {
            outgoing: vec![Vec::new(); nodes],
            incoming: vec![Vec::new(); nodes],
            state: vec![(0, 0, 0); nodes],
            removed: vec![false; nodes],
            sinks: BTreeSet::new(),
            sources: BTreeSet::new(),
            others: BTreeSet::new(),
        };
        for (from, to, kind) in links.iter().copied() {
            made.outgoing[from].push((to, weight(kind)));
            made.incoming[to].push((from, weight(kind)));
            made.state[from].0 += 1;
            made.state[from].2 += weight(kind);
            made.state[to].1 += 1;
            made.state[to].2 -= weight(kind);
        }
        for node in 0..nodes {
            made.file(node);
        }
        made
    }

    fn file(&mut self, node: usize) {
        match self.state[node] {
            (0, _, _) => self.sinks.insert(node),
            (_, 0, _) => self.sources.insert(node),
            (out, into, weight) => self.others.insert((weight, out + into, Reverse(node))),
        };
    }

    fn unfile(&mut self, node: usize) {
        self.sinks.remove(&node);
        self.sources.remove(&node);
        let (out, into, weight) = self.state[node];
        self.others.remove(&(weight, out + into, Reverse(node)));
    }

    fn remove(&mut self, node: usize) {
        self.unfile(node);
        self.removed[node] = true;
        for (other, weight) in std::mem::take(&mut self.outgoing[node]) {
            self.change(other, |state| (state.0, state.1 - 1, state.2 + weight));
        }
        for (other, weight) in std::mem::take(&mut self.incoming[node]) {
            self.change(other, |state| (state.0 - 1, state.1, state.2 - weight));
        }
    }

    fn change(&mut self, node: usize, how: impl FnOnce((usize, usize, i64)) -> (usize, usize, i64)) {
        if !self.removed[node] {
            self.unfile(node);
            self.state[node] = how(self.state[node]);
            self.file(node);
        }
    }
}
