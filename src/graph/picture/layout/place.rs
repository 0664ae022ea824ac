//! The height of each slot: near the mean of its neighbours, as far as the slots above and below allow.

use super::{Layout, Room};

/// How often the columns are gone through.
const SWEEPS: usize = 24;

pub(super) fn place(layout: &mut Layout, room: Room) {
    let (left, right) = layout.neighbours();
    for number in 0..layout.columns.len() {
        let offsets = offsets(&layout.columns[number], layout.nodes, room);
        let middle = offsets.last().copied().unwrap_or(0.0) / 2.0;
        for (slot, offset) in layout.columns[number].iter().zip(offsets) {
            layout.heights[*slot] = offset - middle;
        }
    }
    for sweep in 0..SWEEPS {
        let count = layout.columns.len();
        for step in 0..count {
            let number = if sweep % 2 == 0 { step } else { count - 1 - step };
            // The last rounds look to both sides, so that what stands between is in the middle.
            let sides: &[&[Vec<usize>]] = match (sweep + 4 >= SWEEPS, sweep % 2 == 0) {
                (true, _) => &[&left, &right],
                (false, true) => &[&left],
                (false, false) => &[&right],
            };
            settle(layout, number, sides, room);
        }
    }
    let top = layout.heights.iter().copied().fold(f64::INFINITY, f64::min);
    for height in &mut layout.heights {
        *height -= top;
    }
}

/// The distance of each slot from the first, if they stand as close as may be.
fn offsets(column: &[usize], nodes: usize, room: Room) -> Vec<f64> {
    let of = |slot: usize| if slot < nodes { room.node } else { room.link };
    let mut made = Vec::with_capacity(column.len());
    let mut last = None;
    for slot in column {
        let offset = last.map_or(0.0, |(before, offset)| offset + (of(before) + of(*slot)) / 2.0);
        made.push(offset);
        last = Some((*slot, offset));
    }
    made
}

/// Moves the slots of one column as near to their wishes as their order allows: least squares, by pooling neighbours that are in
/// each other's way.
fn settle(layout: &mut Layout, number: usize, sides: &[&[Vec<usize>]], room: Room) {
    let offsets = offsets(&layout.columns[number], layout.nodes, room);
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (slot, offset) in layout.columns[number].iter().zip(&offsets) {
        let beside = sides.iter().flat_map(|side| side[*slot].iter());
        let (sum, count) = beside.fold((0.0, 0_u32), |(sum, count), other| (sum + layout.heights[*other], count + 1));
        let (wish, weight) = match count {
            // Without a neighbour to go to, it stays if it can.
            0 => (layout.heights[*slot], 0.1),
            count if *slot < layout.nodes => (sum / f64::from(count), 1.0),
            count => (sum / f64::from(count), 4.0),
        };
        pools.push(((wish - offset) * weight, weight, 1));
        while let [.., (sum, weight, count), (last_sum, last_weight, last_count)] = pools.as_mut_slice() {
            if *sum / *weight <= *last_sum / *last_weight {
                break;
            }
            (*sum, *weight, *count) = (*sum + *last_sum, *weight + *last_weight, *count + *last_count);
            pools.pop();
        }
    }
    let wished = pools.iter().flat_map(|(sum, weight, count)| std::iter::repeat_n(sum / weight, *count));
    for ((slot, offset), wished) in layout.columns[number].iter().zip(&offsets).zip(wished) {
        layout.heights[*slot] = wished + offset;
    }
}
