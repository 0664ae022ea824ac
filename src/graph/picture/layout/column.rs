//! Which column each node stands in: as far right as what it depends on allows, and no column too tall.

use super::Arc;

/// The column of each node, from the left. Each arc (left, right, …) goes from a lower to a higher position and gets from a lower to
/// a higher column.
pub(super) fn columns(position: &[usize], arcs: &[Arc]) -> Vec<usize> {
    let count = position.len();
    let mut by_position = vec![0; count];
    for (node, place) in position.iter().enumerate() {
        by_position[*place] = node;
    }
    let (mut left, mut right) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for (from, to, ..) in arcs {
        right[*from].push(*to);
        left[*to].push(*from);
    }
    // Counted from the right first, since the longest way to the end decides.
    let mut rank = vec![0; count];
    let mut used = Used { tallest: tallest(count), ranks: Vec::new() };
    for node in by_position.iter().rev().copied().filter(|node| !left[*node].is_empty() || !right[*node].is_empty()) {
        let wanted = right[node].iter().map(|other: &usize| rank[*other] + 1).max().unwrap_or(0);
        rank[node] = used.take(wanted);
    }
    for node in by_position.iter().copied().filter(|node| left[*node].len() > right[*node].len()) {
        let nearest = left[node].iter().map(|other: &usize| rank[*other]).min().unwrap_or(1).saturating_sub(1);
        if nearest > rank[node] && used.ranks[nearest] < used.tallest {
            used.ranks[rank[node]] -= 1;
            used.ranks[nearest] += 1;
            rank[node] = nearest;
        }
    }
    // What stands alone begins at the left and goes where there is room.
    let alone: Vec<usize> = (0..count).filter(|node| left[*node].is_empty() && right[*node].is_empty()).collect();
    for node in alone {
        let last = used.ranks.len().saturating_sub(1);
        rank[node] = used.take(last);
    }
    let last = rank.iter().copied().max().unwrap_or(0);
    rank.into_iter().map(|rank| last - rank).collect()
}

/// How many nodes a column may hold: a picture is to be a little taller than a screen rather than a ribbon.
fn tallest(count: usize) -> usize {
    let mut side = 1;
    while side * side < 2 * count {
        side += 1;
    }
    side.max(12)
}

struct Used {
    tallest: usize,
    ranks: Vec<usize>,
}

impl Used {
    fn take(&mut self, wanted: usize) -> usize {
        let mut rank = wanted;
        while self.ranks.get(rank).is_some_and(|used| *used >= self.tallest) {
            rank += 1;
        }
        if self.ranks.len() <= rank {
            self.ranks.resize(rank + 1, 0);
        }
        self.ranks[rank] += 1;
        rank
    }
}
