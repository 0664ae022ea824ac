//! [`Graph`]: nodes and links that were checked for circles.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::fmt::{self, Display};

use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{EdgeFiltered, EdgeRef};

use super::cycle::{Cycle, Cycles};
use crate::diagnostic::Origin;

/// In which way one node depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It reads the other's value.
    Value,
    /// It needs the other's object, which is therefore made first.
    Object,
    /// Its services start after the other's.
    Start,
}

impl Kind {
    /// All kinds, in their order.
    pub const ALL: [Self; 3] = [Self::Value, Self::Object, Self::Start];
}

/// `value`, `object`, `start`.
impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::Object => "object",
            Self::Start => "start",
        })
    }
}

/// One dependency: `from` depends on `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link<N> {
    /// What depends.
    pub from: N,
    /// What it depends on.
    pub to: N,
    /// In which way.
    pub kind: Kind,
    /// Where this was written; `None` if a recipe implies it.
    pub origin: Option<Origin>,
}

/// Nodes and their links, free of the circles that [`Graph::build`] was told to refuse.
#[derive(Debug, Clone)]
pub struct Graph<N> {
    /// Nodes were added in their order, so that indexes compare as names do. An edge's weight is its index in `links`.
    inner: DiGraph<N, usize>,
    links: Vec<Link<N>>,
}

impl<N: Clone + Ord + Display> Graph<N> {
    /// The only constructor. The ends of links are nodes even if they are not in `nodes`; of links that say the same the first
    /// is kept, or the first that knows its place.
    ///
    /// # Errors
    /// If links of one of the kinds in `acyclic` go round in a circle: every such circle that stands apart from the others.
    pub fn build(nodes: impl IntoIterator<Item = N>, links: Vec<Link<N>>, acyclic: &[Kind]) -> Result<Self, Cycles<N>> {
        let links = without_repeats(links);
        let mut names: BTreeSet<N> = nodes.into_iter().collect();
        names.extend(links.iter().flat_map(|link| [link.from.clone(), link.to.clone()]));
        let mut inner = DiGraph::with_capacity(names.len(), links.len());
        for name in names {
            inner.add_node(name);
        }
        let mut graph = Self { inner, links };
        for (index, link) in graph.links.iter().enumerate() {
            if let (Some(from), Some(to)) = (find(&graph.inner, &link.from), find(&graph.inner, &link.to)) {
                graph.inner.add_edge(from, to, index);
            }
        }
        let kinds: BTreeSet<Kind> = acyclic.iter().copied().collect();
        let cycles: Vec<Cycle<N>> = kinds.into_iter().flat_map(|kind| graph.cycles(kind)).collect();
        if cycles.is_empty() { Ok(graph) } else { Err(Cycles(cycles)) }
    }

    /// All nodes, sorted.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &N> {
        self.inner.raw_nodes().iter().map(|node| &node.weight)
    }

    /// All links, sorted by their ends and kind.
    #[must_use]
    pub fn links(&self) -> &[Link<N>] {
        &self.links
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.node_count()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All nodes, dependencies of this kind first; nodes that are free to stand anywhere stand by name. Where a kind that is
    /// allowed circles has one, its nodes stand together, by name.
    #[must_use]
    pub fn order(&self, kind: Kind) -> Vec<N> {
        self.order_of_indexes(kind).into_iter().map(|index| self.inner[index].clone()).collect()
    }

    /// What a node depends on directly in this way, sorted.
    #[must_use]
    pub fn dependencies(&self, node: &N, kind: Kind) -> Vec<N> {
        self.neighbours(node, kind, Direction::Outgoing)
    }

    /// What depends on a node directly in this way, sorted.
    #[must_use]
    pub fn dependents(&self, node: &N, kind: Kind) -> Vec<N> {
        self.neighbours(node, kind, Direction::Incoming)
    }

    /// The links of one kind as pairs of indexes, which are dense from 0 and compare as the nodes do.
    pub(super) fn pairs(&self, kind: Kind) -> impl Iterator<Item = (usize, usize)> {
        self.edges(kind).map(|(from, to)| (from.index(), to.index()))
    }

    /// [`Graph::order`] as indexes.
    pub(super) fn order_of_indexes(&self, kind: Kind) -> Vec<NodeIndex> {
        // One walk serves kinds with and without circles: it goes over components, which are single nodes where there is none.
        let mut components = self.components(kind);
        for component in &mut components {
            component.sort_unstable();
        }
        components.sort_unstable();
        let mut component_of = vec![0; self.len()];
        for (number, component) in components.iter().enumerate() {
            for node in component {
                component_of[node.index()] = number;
            }
        }
        let mut dependents = vec![Vec::new(); components.len()];
        let mut open = vec![0_usize; components.len()];
        for (from, to) in self.edges(kind) {
            let (from, to) = (component_of[from.index()], component_of[to.index()]);
            if from != to {
                dependents[to].push(from);
                open[from] += 1;
            }
        }
        let mut free: BinaryHeap<Reverse<usize>> =
            open.iter().enumerate().filter(|(_, open)| **open == 0).map(|(number, _)| Reverse(number)).collect();
        let mut order = Vec::with_capacity(self.len());
        while let Some(Reverse(number)) = free.pop() {
            order.extend_from_slice(&components[number]);
            for dependent in &dependents[number] {
                open[*dependent] -= 1;
                if open[*dependent] == 0 {
                    free.push(Reverse(*dependent));
                }
            }
        }
        order
    }

    fn edges(&self, kind: Kind) -> impl Iterator<Item = (NodeIndex, NodeIndex)> {
        self.inner
            .edge_references()
            .filter(move |edge| self.links[*edge.weight()].kind == kind)
            .map(|edge| (edge.source(), edge.target()))
    }

    fn components(&self, kind: Kind) -> Vec<Vec<NodeIndex>> {
        kosaraju_scc(&EdgeFiltered::from_fn(&self.inner, |edge| self.links[*edge.weight()].kind == kind))
    }

    fn neighbours(&self, node: &N, kind: Kind, direction: Direction) -> Vec<N> {
        let Some(index) = find(&self.inner, node) else { return Vec::new() };
        let mut found: Vec<NodeIndex> = self
            .inner
            .edges_directed(index, direction)
            .filter(|edge| self.links[*edge.weight()].kind == kind)
            .map(|edge| if direction == Direction::Outgoing { edge.target() } else { edge.source() })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|index| self.inner[index].clone()).collect()
    }

    /// One circle a component, each the shortest through its first node.
    fn cycles(&self, kind: Kind) -> Vec<Cycle<N>> {
        let mut components: Vec<BTreeSet<NodeIndex>> =
            self.components(kind).into_iter().map(|component| component.into_iter().collect()).collect();
        components.sort_unstable();
        components.iter().filter_map(|component| self.cycle_in(component, kind)).collect()
    }

    /// The shortest way from the first node of a component back to itself; none where the component is one node without a
    /// link to itself.
    fn cycle_in(&self, component: &BTreeSet<NodeIndex>, kind: Kind) -> Option<Cycle<N>> {
        let start = *component.first()?;
        let mut came_by: BTreeMap<NodeIndex, (NodeIndex, usize)> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            let mut edges: Vec<_> = self
                .inner
                .edges(node)
                .filter(|edge| self.links[*edge.weight()].kind == kind && component.contains(&edge.target()))
                .map(|edge| (edge.target(), *edge.weight()))
                .collect();
            edges.sort_unstable();
            for (target, link) in edges {
                if let Entry::Vacant(unseen) = came_by.entry(target) {
                    unseen.insert((node, link));
                    queue.push_back(target);
                }
            }
        }
        let mut links = Vec::new();
        let mut node = start;
        while let Some((before, link)) = came_by.get(&node) {
            links.push(self.links[*link].clone());
            node = *before;
            if node == start {
                links.reverse();
                return Some(Cycle { kind, links });
            }
        }
        None
    }
}

fn find<N: Ord>(inner: &DiGraph<N, usize>, node: &N) -> Option<NodeIndex> {
    inner.raw_nodes().binary_search_by(|other| other.weight.cmp(node)).ok().map(NodeIndex::new)
}

fn without_repeats<N: Ord>(mut links: Vec<Link<N>>) -> Vec<Link<N>> {
    // The sort is stable, so the first written stays the first; one that knows its place stands before one that does not.
    links.sort_by(|a, b| {
        (&a.from, &a.to, a.kind, a.origin.is_none()).cmp(&(&b.from, &b.to, b.kind, b.origin.is_none()))
    });
    links.dedup_by(|later, first| later.from == first.from && later.to == first.to && later.kind == first.kind);
    links
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn links(text: &str) -> Vec<Link<String>> {
        text.split_whitespace()
            .map(|word| {
                let (from, kind, to) = ["->", "=>", "~>"]
                    .iter()
                    .find_map(|arrow| word.split_once(arrow).map(|(from, to)| (from, *arrow, to)))
                    .expect("an arrow");
                let kind = match kind {
                    "->" => Kind::Object,
                    "=>" => Kind::Start,
                    _ => Kind::Value,
                };
                Link { from: from.to_owned(), to: to.to_owned(), kind, origin: None }
            })
            .collect()
    }

    fn graph(text: &str) -> Graph<String> {
        Graph::build(Vec::new(), links(text), &[Kind::Object, Kind::Start]).expect("no circle")
    }

    #[test]
    fn order_puts_dependencies_first_and_ties_by_name() {
        let cases = [
            ("", ""),
            ("web->env", "env web"),
            ("b->z a->z", "z a b"),
            ("b->a d->c", "a b c d"),
            ("wps->env web->wps web->env db->env", "env db wps web"),
            // Only objects count for the order of objects.
            ("a=>b b->a", "a b"),
        ];
        for (text, order) in cases {
            assert_eq!(graph(text).order(Kind::Object).join(" "), order, "{text}");
        }
        assert_eq!(graph("a=>b b->a").order(Kind::Start).join(" "), "b a");
    }

    #[test]
    fn a_circle_of_values_is_allowed_and_keeps_together() {
        let made = graph("web~>wps wps~>web wps~>env after~>web aaa~>after");
        assert_eq!(made.order(Kind::Value).join(" "), "env web wps after aaa");
    }

    #[test]
    fn neighbours_are_sorted_and_of_one_kind() {
        let made = graph("web->c web->b web~>a x->b x=>b");
        assert_eq!(made.dependencies(&"web".into(), Kind::Object), ["b", "c"]);
        assert_eq!(made.dependencies(&"web".into(), Kind::Value), ["a"]);
        assert_eq!(made.dependents(&"b".into(), Kind::Object), ["web", "x"]);
        assert!(made.dependents(&"nobody".into(), Kind::Object).is_empty());
    }

    #[test]
    fn repeats_are_one_link_with_the_place_that_is_known() {
        let source =
            std::sync::Arc::new(crate::diagnostic::Source { name: "f".into(), text: "x".into(), folder: None });
        let mut twice = links("a->b a->b");
        twice[1].origin = Some(Origin::whole(&source));
        let made = Graph::build(["c".to_owned()], twice, &[]).expect("no circle");
        assert_eq!(made.links().len(), 1);
        assert!(made.links()[0].origin.is_some());
        assert_eq!(made.nodes().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((made.len(), made.is_empty()), (3, false));
    }

    #[test]
    fn only_circles_of_one_refused_kind_are_refused() {
        let refused = |text: &str, kinds: &[Kind]| {
            Graph::build(Vec::new(), links(text), kinds)
                .map_or_else(|cycles| cycles.0.iter().map(Cycle::path).collect::<Vec<_>>(), |_| Vec::new())
        };
        let both = [Kind::Object, Kind::Start];
        assert_eq!(refused("a->b b=>a", &both), Vec::<String>::new());
        assert_eq!(refused("a~>b b~>a", &both), Vec::<String>::new());
        assert_eq!(refused("a~>b b~>a", &[Kind::Value]), ["a → b → a"]);
        assert_eq!(refused("a->a", &both), ["a → a"]);
        // The shortest through the first node; each knot once; each kind by itself.
        assert_eq!(refused("a->b b->c c->a b->a x->y y->x p=>q q=>p", &both), ["a → b → a", "x → y → x", "p → q → p"]);
        // What leads into a circle is not in it.
        assert_eq!(refused("a->m m->z z->m", &both), ["m → z → m"]);
    }

    #[test]
    fn a_long_chain_and_a_wide_fan_are_quick_and_need_no_stack() {
        let chain = (0..20_000).map(|n| Link { from: n, to: n + 1, kind: Kind::Object, origin: None });
        let fan = (0..20_000).map(|n| Link { from: 30_000 + n, to: 0, kind: Kind::Object, origin: None });
        let made = Graph::build(Vec::new(), chain.chain(fan).collect(), &Kind::ALL).expect("no circle");
        let order = made.order(Kind::Object);
        assert_eq!((order.len(), order[0], order[20_000]), (40_001, 20_000, 0));
        let ring = (0..20_000).map(|n| Link { from: n, to: (n + 1) % 20_000, kind: Kind::Object, origin: None });
        let found = Graph::build(Vec::new(), ring.collect(), &Kind::ALL).expect_err("a circle");
        assert_eq!(found.0[0].links.len(), 20_000);
    }

    fn any_links() -> impl Strategy<Value = Vec<Link<u8>>> {
        let kind = prop_oneof![Just(Kind::Value), Just(Kind::Object), Just(Kind::Start)];
        let link = (0_u8..12, 0_u8..12, kind).prop_map(|(from, to, kind)| Link { from, to, kind, origin: None });
        proptest::collection::vec(link, 0..30)
    }

    proptest! {
        #[test]
        fn whatever_is_built_is_in_order_and_whatever_is_refused_is_a_circle(links in any_links()) {
            match Graph::build(0..12, links, &[Kind::Object]) {
                Ok(graph) => {
                    let order = graph.order(Kind::Object);
                    let place = |node: &u8| order.iter().position(|other| other == node);
                    prop_assert_eq!(order.len(), 12);
                    for link in graph.links().iter().filter(|link| link.kind == Kind::Object) {
                        prop_assert!(place(&link.to) < place(&link.from));
                    }
                    prop_assert_eq!(graph.order(Kind::Value).len(), 12);
                }
                Err(cycles) => {
                    prop_assert!(!cycles.0.is_empty());
                    for cycle in cycles.0 {
                        prop_assert!(!cycle.links.is_empty());
                        for (link, next) in cycle.links.iter().zip(cycle.links.iter().cycle().skip(1)) {
                            prop_assert_eq!(link.to, next.from);
                            prop_assert_eq!(link.kind, Kind::Object);
                        }
                    }
                }
            }
        }
    }
}
