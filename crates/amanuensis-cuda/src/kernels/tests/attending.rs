//! Attention.

use super::super::{Kept, LaneAttention, Split, Window, WindowAttention, Windows};
use super::*;

/// Rows of queries, keys and values whose scores differ enough for softmax to prefer some.
pub(super) fn rows(setting: &mut Setting, count: usize, pitch: usize) -> View<f16> {
    let numbers: Vec<f16> = (0..count * pitch).map(|_| f16::from_f32(setting.number() * 1.5)).collect();
    setting.put_halves(&numbers)
}

#[test]
fn positions_of_a_window_attend_to_their_own_window_only() {
    // Less than a tile, one, one and a row, several: queries and keys both end within a tile.
    for rows_of in [&[1][..], &[64], &[65, 3], &[200, 129, 16]] {
        for width in [64, 128] {
            compare("window attention", 4.0 * HALF, |setting| {
                let mut first = 2;
                let mut table = Vec::new();
                for &rows_out in rows_of {
                    table.extend(Window { first_in: 0, rows_in: 0, first_out: first, rows_out }.numbers());
                    first += rows_out;
                }
                let windows = Windows { table: setting.table(&table), longest: *rows_of.iter().max().expect("one") };
                // Rows in front of and behind the windows hold no numbers: whoever looks at them has none.
                let mut numbers = vec![f16::NAN; (first + 70) * 3 * width];
                for number in &mut numbers[2 * 3 * width..first * 3 * width] {
                    *number = f16::from_f32(setting.number() * 1.5);
                }
                let input = setting.put_halves(&numbers);
                let out = setting.out_halves((first + 1) * width);
                WindowAttention { input, out, windows, width }.into()
            });
        }
    }
}

#[test]
fn tokens_attend_to_what_they_may_see() {
    for (width, pitch) in [(64, 64), (192, 576)] {
        for lengths in [[1, 2, 15], [16, 17, 64], [65, 300, 128]] {
            compare("lane attention", 2.0 * HALF, |setting| {
                let queries = rows(setting, 3, pitch);
                let pool = rows(setting, 500, 2 * width);
                // The last row sees the end of the pool.
                let table = [0, lengths[0], 40, lengths[1], 490 - lengths[2], lengths[2]];
                let (seen, out) = (setting.table(&table), setting.out_halves(3 * width));
                LaneAttention { queries, pitch, pool, seen, offset: 10, out, width, kept: None, split: None }.into()
            });
        }
    }
}

#[test]
fn scores_are_kept_of_the_heads_that_are_asked_for() {
    compare("lane attention with scores", 2.0 * HALF, |setting| {
        let width = 192;
        let (queries, pool) = (rows(setting, 2, width), rows(setting, 120, 2 * width));
        let (seen, out) = (setting.table(&[0, 33, 20, 100]), setting.out_halves(2 * width));
        let heads = setting.table(&[1, -1, 0]);
        let scores = setting.out_floats(2 * 3 * 101);
        let kept = Some(Kept { heads, scores, places: 3, longest: 101 });
        LaneAttention { queries, pitch: width, pool, seen, offset: 0, out, width, kept, split: None }.into()
    });
}

/// Blocks for each row and head, with memory for them in which nothing is yet.
pub(super) fn split(setting: &mut Setting, rows: usize, heads: usize, parts: usize) -> Split {
    let (partials, arrived) = Split::room(rows, heads, parts);
    Split {
        parts,
        partials: setting.put_floats(&vec![f32::NAN; partials]),
        arrived: setting.out_integers(&vec![0; arrived]),
    }
}

#[test]
fn keys_that_blocks_share_are_attended_to_as_if_by_one() {
    // One key, fewer than a block takes, one more, as many as two, all lengths between; more blocks than there is work for.
    for lengths in [[1, 128, 129], [256, 257, 700], [385, 64, 511]] {
        for parts in [2, 3, 12] {
            compare("lane attention in parts", 2.0 * HALF, |setting| {
                let width = 128;
                let (queries, pool) = (rows(setting, 3, 3 * width), rows(setting, 720, 2 * width));
                let table = [0, lengths[0], 3, lengths[1], 718 - lengths[2], lengths[2]];
                let (seen, out) = (setting.table(&table), setting.out_halves(3 * width));
                let split = Some(split(setting, 3, 2, parts));
                let heads = setting.table(&[-1, 0]);
                let scores = setting.out_floats(3 * 701);
                let kept = Some(Kept { heads, scores, places: 1, longest: 701 });
                LaneAttention { queries, pitch: 3 * width, pool, seen, offset: 2, out, width, kept, split }.into()
            });
        }
    }
}
