//! Attention against the naive truth, on every instruction set this machine has: over a window, to what was heard, to the
//! past; and keys and values however they were kept.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ops::Range;

use amanuensis_kernels::{
    AttentionWeights, Epilogue, KeysValues, Norm, PackedRows, Past, Precision, Region, Team, Turn, reference,
};
use common::{assert_close, every_kernels, everywhere, numbers, same_bytes, team};
use proptest::prelude::*;

fn check_self_attention(time: usize, heads: usize, head_size: usize, sharpness: f32) {
    let width = heads * head_size;
    let qkv: Vec<f32> = numbers(16, time * 3 * width).iter().map(|x| x * sharpness).collect();
    let truth = reference::self_attention(&qkv, time, heads);
    let results = everywhere(|region| {
        let mut out = vec![0.0; time * width];
        region.self_attention(Precision::F32, &qkv, heads, head_size, &mut out);
        out
    });
    assert_close(&results, &truth, 3e-6);
}

#[test]
fn self_attention_of_odd_windows() {
    for (time, heads, head_size) in
        [(0, 2, 64), (1, 1, 1), (1, 3, 64), (13, 2, 64), (37, 3, 17), (100, 1, 80), (129, 2, 64)]
    {
        check_self_attention(time, heads, head_size, 1.0);
    }
    check_self_attention(50, 2, 64, 4.0);
}

#[test]
fn self_attention_of_a_whole_window() {
    let (time, heads, head_size) = (1500, 2, 64);
    let qkv = numbers(17, time * 3 * heads * head_size);
    let width = heads * head_size;
    let results = everywhere(|region| {
        let mut out = vec![0.0; time * width];
        region.self_attention(Precision::F32, &qkv, heads, head_size, &mut out);
        out
    });
    // The whole truth takes a while; some rows of it tell the same.
    let part =
        |row: usize, third: usize, head: usize| &qkv[(row * 3 + third) * width + head * head_size..][..head_size];
    for (isa, result) in &results {
        for row in [0, 1, 11, 12, 750, 1487, 1488, 1499] {
            for head in 0..heads {
                let keys: Vec<&[f32]> = (0..time).map(|t| part(t, 1, head)).collect();
                let values: Vec<&[f32]> = (0..time).map(|t| part(t, 2, head)).collect();
                let (_, truth) = reference::attend(part(row, 0, head), &keys, &values);
                assert_close(&[(*isa, result[row * width + head * head_size..][..head_size].to_vec())], &truth, 3e-6);
            }
        }
    }
}

/// The attention of a row of `rows`, `[time, 3 * width]`, to the first `seen` of them: one head's scores and result.
fn truth(rows: &[f32], width: usize, row: usize, seen: usize, channels: Range<usize>) -> (Vec<f64>, Vec<f64>) {
    let part = |row: usize, third: usize| &rows[(row * 3 + third) * width..][channels.clone()];
    let keys: Vec<&[f32]> = (0..seen).map(|row| part(row, 1)).collect();
    let values: Vec<&[f32]> = (0..seen).map(|row| part(row, 2)).collect();
    reference::attend(part(row, 0), &keys, &values)
}

#[test]
fn attention_of_many_rows_to_what_was_heard() {
    for (heads, head_size) in [(2, 64), (3, 20), (1, 1)] {
        let width = heads * head_size;
        for kernels in every_kernels() {
            let mut team = team(kernels, 3);
            // Queries, which nobody heard, stand in front of keys and values.
            let windows: Vec<Vec<f32>> =
                [(300, 5), (500, 33), (700, 150)].map(|(seed, time)| numbers(seed, time * 3 * width)).into();
            let kept: Vec<KeysValues> = windows
                .iter()
                .map(|rows| {
                    let heard: Vec<f32> = rows.chunks_exact(3 * width).flat_map(|row| &row[width..]).copied().collect();
                    team.enter(|region| {
                        let mut kept = region.keys_values(Precision::F32, heads, head_size, 150);
                        kept.fill(region, &heard);
                        kept
                    })
                })
                .collect();
            assert_eq!((kept[1].len(), kept[1].capacity(), kept[1].width()), (33, 150, width));
            // Fourteen neighbours at one window exceed a tile.
            let wanted: Vec<usize> = std::iter::repeat_n(1, 14).chain([0, 0, 2, 2, 2, 1, 0]).collect();
            let targets: Vec<&KeysValues> = wanted.iter().map(|&window| &kept[window]).collect();
            let place = |row: usize| row % 5;
            let queries: Vec<f32> = wanted
                .iter()
                .enumerate()
                .flat_map(|(row, &window)| &windows[window][place(row) * 3 * width..][..width])
                .copied()
                .collect();
            let run = |region: &mut Region<'_>, targets: &[&KeysValues], queries: &[f32]| {
                let mut out = vec![f32::NAN; queries.len()];
                let mut weights = AttentionWeights::new(vec![heads - 1, 0]);
                region.attention(queries, targets, heads, &mut out, Some(&mut weights));
                (out, weights)
            };
            let (out, weights) = team.enter(|region| run(region, &targets, &queries));
            assert_eq!(weights.rows(), targets.len());
            for (row, &window) in wanted.iter().enumerate() {
                for head in 0..heads {
                    let channels = head * head_size..(head + 1) * head_size;
                    let (scores, truth) =
                        truth(&windows[window], width, place(row), kept[window].len(), channels.clone());
                    let got = out[row * width..][..width][channels].to_vec();
                    assert_close(&[(kernels.isa(), got)], &truth, 3e-6);
                    for (chosen, _) in weights.heads().iter().enumerate().filter(|(_, h)| **h == head) {
                        assert_close(&[(kernels.isa(), weights.scores(row, chosen).to_vec())], &scores, 3e-6);
                    }
                }
                let (alone, _) =
                    team.enter(|region| run(region, &targets[row..=row], &queries[row * width..][..width]));
                assert!(same_bytes(&alone, &out[row * width..][..width]), "{}: row {row} alone", kernels.isa());
            }
        }
    }
}

/// Lets each past see so many rows of its own, `[sequence][rows, 3 * width]`, from where it ends.
fn go_on(team: &mut Team, pasts: &mut [Past], rows: &[Vec<f32>], counts: &[usize], width: usize) -> Vec<f32> {
    let new: Vec<f32> = pasts
        .iter()
        .zip(rows)
        .zip(counts)
        .flat_map(|((past, rows), count)| &rows[past.len() * 3 * width..][..count * 3 * width])
        .copied()
        .collect();
    let mut turns: Vec<Turn<'_>> = pasts.iter_mut().zip(counts).map(|(past, &rows)| Turn { past, rows }).collect();
    let mut out = vec![f32::NAN; new.len() / 3];
    team.enter(|region| region.attention_to_past(&new, &mut turns, &mut out));
    out
}

#[test]
fn rows_see_the_past_and_themselves() {
    for (heads, head_size) in [(2, 64), (3, 20), (1, 1)] {
        let width = heads * head_size;
        let rows: Vec<Vec<f32>> = [(40, 300), (500, 300), (900, 300)].map(|(seed, n)| numbers(seed, n * width)).into();
        for (kernels, precision) in every_kernels().into_iter().flat_map(|k| [(k, Precision::F32), (k, Precision::F16)])
        {
            let mut team = team(kernels, 3);
            // As f16 the truth is that of what was kept.
            let kept: Vec<Vec<f32>> = rows
                .iter()
                .map(|rows| {
                    let mut kept = rows.clone();
                    if precision == Precision::F16 {
                        for row in kept.chunks_exact_mut(3 * width) {
                            row[width..].iter_mut().for_each(|x| *x = half::f16::from_f32(*x).to_f32());
                        }
                    }
                    kept
                })
                .collect();
            let mut pasts: Vec<Past> =
                rows.iter().map(|_| Past::new(kernels, precision, heads, head_size, 60)).collect();
            // More than a tile, one, none; then on from there.
            for counts in [[30, 1, 0], [1, 1, 1], [5, 14, 2], [0, 0, 0], [20, 0, 40]] {
                let before: Vec<usize> = pasts.iter().map(Past::len).collect();
                let out = go_on(&mut team, &mut pasts, &rows, &counts, width);
                let mut results = out.chunks_exact(width);
                for (sequence, &count) in counts.iter().enumerate() {
                    for row in before[sequence]..before[sequence] + count {
                        let result = results.next().unwrap();
                        for head in 0..heads {
                            let channels = head * head_size..(head + 1) * head_size;
                            let (_, truth) = truth(&kept[sequence], width, row, row + 1, channels.clone());
                            assert_close(&[(kernels.isa(), result[channels].to_vec())], &truth, 3e-6);
                        }
                    }
                }
            }
            assert_eq!(pasts.iter().map(Past::len).collect::<Vec<_>>(), [56, 16, 43]);
        }
    }
}

#[test]
fn a_past_can_be_cut_and_copied() {
    let (heads, head_size) = (2, 24);
    let width = heads * head_size;
    let rows = [numbers(900, 50 * 3 * width)];
    for (kernels, precision) in every_kernels().into_iter().flat_map(|k| [(k, Precision::F32), (k, Precision::F16)]) {
        let mut team = team(kernels, 2);
        let mut whole = [Past::new(kernels, precision, heads, head_size, 50)];
        assert!(whole[0].is_empty());
        go_on(&mut team, &mut whole, &rows, &[45], width);
        let mut copy = whole.clone();
        let next = go_on(&mut team, &mut whole, &rows, &[1], width);
        assert!(same_bytes(&go_on(&mut team, &mut copy, &rows, &[1], width), &next));
        // Cut, go another way, come back by copying.
        whole[0].truncate(45);
        copy[0].truncate(20);
        assert_eq!((copy[0].len(), copy[0].capacity()), (20, 50));
        let otherwise = [numbers(901, 50 * 3 * width)];
        go_on(&mut team, &mut copy, &otherwise, &[25], width);
        assert!(!same_bytes(&go_on(&mut team, &mut copy, &rows, &[1], width), &next));
        copy[0].clone_from(&whole[0]);
        assert!(same_bytes(&go_on(&mut team, &mut copy, &rows, &[1], width), &next));
        let mut other = [Past::new(kernels, Precision::F32, 1, 3, 2)];
        other[0].clone_from(&whole[0]);
        assert!(same_bytes(&go_on(&mut team, &mut other, &rows, &[1], width), &next));
    }
}

/// Products that are kept a head at a time are those of a linear layer that are kept afterwards, to the bit.
fn check_projection(rows: usize, heads: usize, head_size: usize, inputs: usize, normed: bool) {
    let width = heads * head_size;
    let x = numbers(30, rows * inputs);
    let (weights, bias) = (numbers(31, 3 * width * inputs), numbers(32, 3 * width));
    let (gain, shift) = (numbers(33, inputs), numbers(34, inputs));
    let norm = normed.then_some(Norm { gain: &gain, bias: &shift });
    let asked = numbers(35, 2 * width);
    for precision in [Precision::F32, Precision::F16, Precision::Int8, Precision::Int4] {
        let attention = if precision.name().starts_with("int") { Precision::Int8 } else { Precision::F32 };
        let run = |region: &mut Region<'_>, apart: bool| {
            let three = region.pack(precision, &weights[..], 3 * width, inputs, Some(&bias));
            let mut out = vec![f32::NAN; (rows + 2) * width];
            let (window, listened) = out.split_at_mut(rows * width);
            let two = region.pack(precision, &weights[width * inputs..], 2 * width, inputs, Some(&bias[width..]));
            let mut kept = region.keys_values(attention, heads, head_size, rows);
            if apart {
                let mut qkv = vec![f32::NAN; rows * 3 * width];
                region.linear(&x, norm, &three, Epilogue::Store, &mut qkv);
                region.self_attention(attention, &qkv, heads, head_size, window);
                let mut heard = vec![f32::NAN; rows * 2 * width];
                region.linear(&x, norm, &two, Epilogue::Store, &mut heard);
                kept.fill(region, &heard);
            } else {
                region.attend(attention, &x, norm, &three, heads, head_size, window);
                let mut packed = PackedRows::default();
                region.pack_rows(&x, norm, &two, &mut packed);
                kept.hear(region, &packed, &two);
            }
            region.attention(&asked, &[&kept; 2], heads, listened, None);
            out
        };
        let apart = everywhere(|region| run(region, true));
        for ((isa, apart), (_, together)) in apart.iter().zip(everywhere(|region| run(region, false))) {
            assert!(same_bytes(apart, &together), "{isa}, {precision}: {rows} x {inputs}, {heads} x {head_size}");
        }
    }
}

#[test]
fn products_kept_a_head_at_a_time_are_products() {
    for (rows, heads, head_size, inputs) in
        [(1, 1, 1, 1), (5, 3, 20, 17), (33, 2, 64, 128), (130, 3, 24, 64), (0, 2, 8, 8)]
    {
        for normed in [false, true] {
            check_projection(rows, heads, head_size, inputs, normed);
        }
    }
}

#[test]
fn a_row_that_sees_nothing_is_zero() {
    for kernels in every_kernels() {
        let mut out = [f32::NAN; 30];
        team(kernels, 2).enter(|region| {
            let nothing = region.keys_values(Precision::F32, 2, 5, 7);
            assert!(nothing.is_empty());
            region.attention(&[1.0; 30], &[&nothing; 3], 2, &mut out, None);
        });
        assert_eq!(out, [0.0; 30], "{kernels:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn self_attention_of_any_shape(time in 0usize..70, heads in 1usize..4, head_size in 1usize..70) {
        check_self_attention(time, heads, head_size, 1.5);
    }
}
