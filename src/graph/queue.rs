//! [`Queue`]: which node may be worked on now. Pure: the caller has the threads and the clock.
//!
//! ```text
//! waiting ──(all dependencies done)──> ready ──next()──> running ──done()────> done
//!    │                                                      └──────failed()──> failed
//!    └──(something it depends on failed)──> blocked
//! ```
//!
//! Of the ready nodes the one goes first on which the longest chain of others waits (itself and its dependents, all taken as
//! equally long), then the one that frees most nodes directly, then by name. That is cargo's idea (own cost and what hangs on
//! it) in the form that stays linear and is not fooled by diamonds.
//!
//! It always comes to an end: whatever the answers, each node is handed out at most once, and a node that is not
//! handed out is either blocked or waits for one that is running.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Display;

use super::build::{Graph, Kind};

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Something it depends on will never be done.
    Blocked,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// May be handed out.
    Ready,
    /// Handed out.
    Running,
    /// Something that it depends on is not done yet.
    Waiting,
}

/// The work that a graph means, by one kind of its links.
#[derive(Debug, Clone)]
pub struct Queue<N> {
    /// Sorted, so that indexes compare as names do.
    names: Vec<N>,
    progress: Vec<Progress>,
    dependents: Vec<Vec<usize>>,
    /// How many dependencies are not done.
    open: Vec<usize>,
    /// (longest chain that waits, nodes that it frees directly)
    priority: Vec<(usize, usize)>,
    ready: BinaryHeap<((usize, usize), Reverse<usize>)>,
    /// Nodes that are waiting, ready or running.
    unsettled: usize,
}

impl<N: Clone + Ord + Display> Queue<N> {
    /// A queue of all nodes. Where the graph was allowed circles of this kind, the links that close them are left out.
    #[must_use]
    pub fn new(graph: &Graph<N>, kind: Kind) -> Self {
        let count = graph.len();
        let order: Vec<usize> = graph.order_of_indexes(kind).into_iter().map(|index| index.index()).collect();
        let mut position = vec![0; count];
        for (place, node) in order.iter().enumerate() {
            position[*node] = place;
        }
        let mut dependents = vec![Vec::new(); count];
        let mut open = vec![0; count];
        for (from, to) in graph.pairs(kind).filter(|(from, to)| position[*to] < position[*from]) {
            dependents[to].push(from);
            open[from] += 1;
        }
        let mut priority = vec![(1, 0); count];
        for node in order.into_iter().rev() {
            let longest = dependents[node].iter().map(|other: &usize| priority[*other].0).max().unwrap_or(0);
            priority[node] = (longest + 1, dependents[node].len());
        }
        let names = graph.nodes().cloned().collect();
        let progress = vec![Progress::Waiting; count];
        let mut queue =
            Self { names, progress, dependents, open, priority, ready: BinaryHeap::new(), unsettled: count };
        for node in 0..count {
            queue.free(node);
        }
        queue
    }

    /// Hands out the most urgent node that may be worked on, if there is one now. Each must be answered with
    /// [`Queue::done`] or [`Queue::failed`].
    #[expect(clippy::should_implement_trait, reason = "not an iterator: there may be more after a `None`")]
    pub fn next(&mut self) -> Option<N> {
        let (_, Reverse(node)) = self.ready.pop()?;
        self.progress[node] = Progress::Running;
        Some(self.names[node].clone())
    }

    /// A node that was handed out is done. Any other node is ignored.
    pub fn done(&mut self, node: &N) {
        let Some(node) = self.settle(node, Progress::Done) else { return };
        for dependent in self.dependents[node].clone() {
            self.open[dependent] -= 1;
            self.free(dependent);
        }
    }

    /// A node that was handed out failed: all that depend on it, near or far, are blocked. Gives those that were not yet,
    /// sorted. Any other node is ignored.
    pub fn failed(&mut self, node: &N) -> Vec<N> {
        let Some(node) = self.settle(node, Progress::Failed) else { return Vec::new() };
        let mut blocked = Vec::new();
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            for dependent in self.dependents[node].clone() {
                if self.progress[dependent] == Progress::Waiting {
                    self.progress[dependent] = Progress::Blocked;
                    self.unsettled -= 1;
                    blocked.push(dependent);
                    open.push(dependent);
                }
            }
        }
        blocked.sort_unstable();
        blocked.into_iter().map(|node| self.names[node].clone()).collect()
    }

    /// Whether every node is done, failed or blocked.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.unsettled == 0
    }

    /// All nodes that are blocked, sorted.
    #[must_use]
    pub fn blocked(&self) -> Vec<N> {
        self.at(Progress::Blocked)
    }

    /// All nodes that are this far, sorted.
    #[must_use]
    pub fn at(&self, progress: Progress) -> Vec<N> {
        let nodes = self.names.iter().zip(&self.progress);
        nodes.filter(|(_, at)| **at == progress).map(|(name, _)| name.clone()).collect()
    }

    /// How far a node is.
    #[must_use]
    pub fn progress(&self, node: &N) -> Option<Progress> {
        self.find(node).map(|node| self.progress[node])
    }

    fn find(&self, node: &N) -> Option<usize> {
        self.names.binary_search(node).ok()
    }

    fn settle(&mut self, node: &N, progress: Progress) -> Option<usize> {
        let node = self.find(node).filter(|node| self.progress[*node] == Progress::Running)?;
        self.progress[node] = progress;
        self.unsettled -= 1;
        Some(node)
    }

    fn free(&mut self, node: usize) {
        if self.open[node] == 0 && self.progress[node] == Progress::Waiting {
            self.progress[node] = Progress::Ready;
            self.ready.push((self.priority[node], Reverse(node)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::Link;

    fn queue(pairs: &[(&'static str, &'static str)]) -> Queue<&'static str> {
        let links = pairs.iter().map(|(from, to)| Link { from: *from, to: *to, kind: Kind::Object, origin: None });
        let graph = Graph::build(["alone"], links.collect(), &[Kind::Object]).expect("no circle");
        Queue::new(&graph, Kind::Object)
    }

    fn all_ready(queue: &mut Queue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.next()).collect()
    }

    #[test]
    fn the_longest_chain_goes_first_then_what_frees_most_then_names() {
        // `deep` heads a chain of three; `wide` frees two; `one` frees one; `alone` none.
        let mut made = queue(&[("d2", "deep"), ("d3", "d2"), ("w1", "wide"), ("w2", "wide"), ("o", "one")]);
        assert_eq!(all_ready(&mut made), ["deep", "wide", "one", "alone"]);
        assert_eq!(made.next(), None);
        assert!(!made.is_finished());
        made.done(&"wide");
        made.done(&"deep");
        assert_eq!(all_ready(&mut made), ["d2", "w1", "w2"]);
    }

    #[test]
    fn a_node_waits_for_all_it_depends_on() {
        let mut made = queue(&[("web", "env"), ("web", "db")]);
        assert_eq!(all_ready(&mut made), ["db", "env", "alone"]);
        made.done(&"db");
        assert_eq!(made.next(), None);
        assert_eq!(made.progress(&"web"), Some(Progress::Waiting));
        made.done(&"env");
        assert_eq!(made.next(), Some("web"));
        made.done(&"web");
        made.done(&"alone");
        assert!(made.is_finished());
        assert_eq!(made.at(Progress::Done), ["alone", "db", "env", "web"]);
    }

    #[test]
    fn a_failure_blocks_what_depends_on_it_and_nothing_else() {
        let mut made = queue(&[("web", "wps"), ("wps", "env"), ("wps", "db"), ("web", "db"), ("file", "db")]);
        assert_eq!(all_ready(&mut made), ["db", "env", "alone"]);
        assert_eq!(made.failed(&"env"), ["web", "wps"]);
        made.done(&"db");
        assert_eq!(all_ready(&mut made), ["file"]);
        assert_eq!(made.failed(&"file"), Vec::<&str>::new());
        made.done(&"alone");
        assert!(made.is_finished());
        assert_eq!(made.blocked(), ["web", "wps"]);
        assert_eq!(made.at(Progress::Failed), ["env", "file"]);
    }

    #[test]
    fn answers_that_nobody_asked_for_are_ignored() {
        let mut made = queue(&[("web", "env")]);
        made.done(&"web");
        made.done(&"nobody");
        assert!(made.failed(&"web").is_empty());
        assert_eq!(made.next(), Some("env"));
        made.done(&"env");
        made.done(&"env");
        assert!(made.failed(&"env").is_empty());
        assert_eq!(made.progress(&"env"), Some(Progress::Done));
        assert_eq!(made.progress(&"nobody"), None);
        assert_eq!(all_ready(&mut made), ["alone", "web"]);
    }

    #[test]
    fn an_allowed_circle_does_not_stop_it() {
        let links = [("a", "b"), ("b", "a"), ("c", "a"), ("s", "s")];
        let links = links.map(|(from, to)| Link { from, to, kind: Kind::Value, origin: None });
        let graph = Graph::build(Vec::new(), links.to_vec(), &[]).expect("allowed");
        let mut made = Queue::new(&graph, Kind::Value);
        let mut seen = Vec::new();
        while let Some(node) = made.next() {
            seen.push(node);
            made.done(&node);
        }
        assert!(made.is_finished());
        assert_eq!(seen, ["a", "b", "c", "s"]);
    }

    /// Links that point from a higher to a lower number: any such set is free of circles.
    fn any_links() -> impl Strategy<Value = Vec<Link<u8>>> {
        let link = (1_u8..16, any::<u8>()).prop_map(|(from, other)| Link {
            from,
            to: other % from,
            kind: Kind::Object,
            origin: None,
        });
        proptest::collection::vec(link, 0..40)
    }

    proptest! {
        #[test]
        fn it_ends_hands_out_each_node_once_and_none_too_early(
            links in any_links(),
            answers in proptest::collection::vec((any::<bool>(), any::<u8>(), 0_u8..4), 64),
        ) {
            let graph = Graph::build(0..16, links, &[Kind::Object]).expect("no circle");
            let mut queue = Queue::new(&graph, Kind::Object);
            let (mut running, mut handed, mut blocked) = (Vec::new(), Vec::new(), Vec::new());
            for (hand_out, which, luck) in answers {
                if hand_out || running.is_empty() {
                    let Some(node) = queue.next() else { continue };
                    for dependency in graph.dependencies(&node, Kind::Object) {
                        prop_assert_eq!(queue.progress(&dependency), Some(Progress::Done));
                    }
                    prop_assert!(!handed.contains(&node));
                    handed.push(node);
                    running.push(node);
                } else {
                    let node = running.swap_remove(usize::from(which) % running.len());
                    if luck == 0 {
                        blocked.extend(queue.failed(&node));
                    } else {
                        queue.done(&node);
                    }
                }
            }
            // Whatever is left to answer, it ends.
            loop {
                for node in std::mem::take(&mut running) {
                    queue.done(&node);
                }
                let Some(node) = queue.next() else { break };
                prop_assert!(!handed.contains(&node));
                handed.push(node);
                running.push(node);
            }
            prop_assert!(queue.is_finished());
            blocked.sort_unstable();
            prop_assert_eq!(queue.blocked(), blocked.clone());
            prop_assert_eq!(handed.len() + blocked.len(), 16);
        }
    }
}
