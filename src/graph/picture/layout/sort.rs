//! The order of slots in each column: to and fro, each column is sorted by the mean place of its neighbours, and the
//! order with the fewest crossings is kept.

use super::Layout;

/// How often the columns are gone through; half of that to the right and half to the left.
const SWEEPS: usize = 16;

pub(super) fn sort(layout: &mut Layout) {
    let (left, right) = layout.neighbours();
    let mut best = (crossings(layout, &right), layout.columns.clone());
    let mut place = places(layout);
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let to_the_right = sweep % 2 == 0;
        let neighbours = if to_the_right { &left } else { &right };
        let count = layout.columns.len();
        for step in 0..count {
            let column = &mut layout.columns[if to_the_right { step } else { count - 1 - step }];
            sort_column(column, neighbours, &mut place);
        }
        let found = crossings(layout, &right);
        if found < best.0 {
            best = (found, layout.columns.clone());
        }
    }
    layout.columns = best.1;
}

fn sort_column(column: &mut [usize], neighbours: &[Vec<usize>], place: &mut [usize]) {
    let mut keyed: Vec<(f64, usize, usize)> = column
        .iter()
        .map(|slot| {
            let beside = &neighbours[*slot];
            let sum: usize = beside.iter().map(|other| place[*other]).sum();
            let mean = if beside.is_empty() { place[*slot] as f64 } else { sum as f64 / beside.len() as f64 };
            (mean, place[*slot], *slot)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for (number, (_, _, slot)) in keyed.into_iter().enumerate() {
        column[number] = slot;
        place[slot] = number;
    }
}

fn places(layout: &Layout) -> Vec<usize> {
    let mut place = vec![0; layout.heights.len()];
    for column in &layout.columns {
        for (number, slot) in column.iter().enumerate() {
            place[*slot] = number;
        }
    }
    place
}

/// How many pairs of pieces cross: inversions, counted in a binary indexed tree.
fn crossings(layout: &Layout, right: &[Vec<usize>]) -> u64 {
    let place = places(layout);
    let column_of = layout.column_of();
    let mut crossings = 0;
    for (number, column) in layout.columns.iter().enumerate() {
        let Some(next) = layout.columns.get(number + 1) else { continue };
        let mut tree = vec![0_u64; next.len() + 1];
        let mut seen = 0;
        for slot in column {
            let ends: Vec<usize> = right[*slot]
                .iter()
                .filter(|other| column_of[**other] == number + 1)
                .map(|other| place[*other])
                .collect();
            for end in &ends {
                crossings += seen - sum(&tree, end + 1);
            }
            for end in ends {
                add(&mut tree, end + 1);
                seen += 1;
            }
        }
    }
    crossings
}

fn sum(tree: &[u64], mut index: usize) -> u64 {
    let mut sum = 0;
    while index > 0 {
        sum += tree[index];
        index &= index - 1;
    }
    sum
}

fn add(tree: &mut [u64], mut index: usize) {
    while index < tree.len() {
        tree[index] += 1;
        index += index & index.wrapping_neg();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Kind;
    use crate::graph::picture::layout::{Piece, Way};

    fn layout(columns: &[&[usize]], pieces: &[(usize, usize)]) -> Layout {
        let pieces = pieces.iter().map(|(left, right)| Piece {
            left: *left,
            right: *right,
            kind: Kind::Object,
            way: Way::Forward,
        });
        let nodes = columns.iter().map(|column| column.len()).sum();
        Layout {
            columns: columns.iter().map(|column| column.to_vec()).collect(),
            heights: vec![0.0; nodes],
            pieces: pieces.collect(),
            nodes,
        }
    }

    #[test]
    fn crossings_are_counted_and_undone() {
        let mut made = layout(&[&[0, 1, 2], &[3, 4, 5]], &[(0, 5), (1, 4), (2, 3)]);
        let (_, right) = made.neighbours();
        assert_eq!(crossings(&made, &right), 3);
        sort(&mut made);
        assert_eq!(crossings(&made, &right), 0);
        let shared = layout(&[&[0, 1], &[2, 3]], &[(0, 2), (0, 3), (1, 2), (1, 3)]);
        assert_eq!(crossings(&shared, &shared.neighbours().1), 1);
    }
}
