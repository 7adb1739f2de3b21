//! Attention in bytes beside attention in f32: close enough on every instruction set, over every shape, and deaf to what
//! it should not hear.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use amanuensis_kernels::{AttentionWeights, KeysValues, Precision, Region, reference};
use common::{every_kernels, everywhere, numbers, team};

/// How far `result` is from `truth`, by the size of the truth.
fn error(result: &[f32], truth: &[f64]) -> f64 {
    let size: f64 = truth.iter().map(|x| x * x).sum();
    let apart: f64 = result.iter().zip(truth).map(|(x, y)| (f64::from(*x) - y).powi(2)).sum();
    (apart / size.max(1e-30)).sqrt()
}

fn check(time: usize, heads: usize, head_size: usize, sharpness: f32, offset: f32) {
    let width = heads * head_size;
    let mut qkv: Vec<f32> = numbers(16, time * 3 * width).iter().map(|x| x * sharpness).collect();
    for row in qkv.chunks_exact_mut(3 * width) {
        row[width] += offset;
    }
    let truth = reference::self_attention(&qkv, time, heads);
    for (isa, result) in everywhere(|region| {
        let mut out = vec![f32::NAN; time * width];
        region.self_attention(Precision::Int8, &qkv, heads, head_size, &mut out);
        out
    }) {
        let error = error(&result, &truth);
        assert!(error < 0.04, "{isa}: {time} x {heads} x {head_size}, sharpness {sharpness}: off by {error}");
    }
}

#[test]
fn self_attention_is_near_the_truth() {
    for (time, heads, head_size) in
        [(1, 1, 1), (1, 3, 64), (13, 2, 64), (37, 3, 17), (100, 1, 80), (129, 2, 64), (260, 1, 6)]
    {
        check(time, heads, head_size, 1.0, 0.0);
    }
    // Flat and sharp rows, and keys that share a large part.
    for (sharpness, offset) in [(0.3, 0.0), (2.0, 0.0), (1.0, 20.0)] {
        check(300, 2, 64, sharpness, offset);
    }
}

#[test]
fn zeros_attend_to_the_mean() {
    let (time, size) = (150, 64);
    let mut qkv = numbers(5, time * 3 * size);
    for row in qkv.chunks_exact_mut(3 * size) {
        row[..size].fill(0.0);
    }
    let truth = reference::self_attention(&qkv, time, 1);
    for (isa, result) in everywhere(|region| {
        let mut out = vec![0.0; time * size];
        region.self_attention(Precision::Int8, &qkv, 1, size, &mut out);
        out
    }) {
        // A mean of many is small beside the steps that bytes make, so this is measured by the numbers it is a mean of.
        let worst = result.iter().zip(&truth).map(|(x, y)| (f64::from(*x) - y).abs()).fold(0.0, f64::max);
        assert!(worst < 5e-3, "{isa}: off by {worst}");
    }
}

#[test]
fn what_is_not_a_number_does_not_hide() {
    let (time, size) = (140, 64);
    let qkv = numbers(6, time * 3 * size);
    for (place, what) in [(3 * size * 70 + 3, "a query"), (3 * size * 70 + size + 3, "a key")] {
        let mut qkv = qkv.clone();
        qkv[place] = f32::INFINITY;
        for (isa, result) in everywhere(|region| {
            let mut out = vec![0.0; time * size];
            region.self_attention(Precision::Int8, &qkv, 1, size, &mut out);
            out
        }) {
            assert!(result[70 * size..71 * size].iter().all(|x| !x.is_finite()), "{isa}: {what}");
        }
    }
}

fn filled(region: &mut Region<'_>, precision: Precision, rows: &[f32]) -> KeysValues {
    let mut kept = region.keys_values(precision, 2, 64, 1500);
    kept.fill(region, rows);
    kept
}

#[test]
fn rows_of_a_decoder_listen_alone_and_together_alike() {
    let (heads, width) = (2, 128);
    for kernels in every_kernels() {
        let mut team = team(kernels, 2);
        team.enter(|region| {
            let heard: Vec<Vec<f32>> = (0..2).map(|window| numbers(60 + window, 700 * 2 * width)).collect();
            let exact: Vec<KeysValues> = heard.iter().map(|rows| filled(region, Precision::F32, rows)).collect();
            let bytes: Vec<KeysValues> = heard.iter().map(|rows| filled(region, Precision::Int8, rows)).collect();
            let windows = [0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
            let targets = |kept: &'static str| {
                let kept = if kept == "exact" { &exact } else { &bytes };
                windows.map(|window| &kept[window])
            };
            let queries = numbers(70, windows.len() * width);
            let run = |region: &mut Region<'_>, targets: &[&KeysValues], queries: &[f32]| {
                let mut out = vec![f32::NAN; queries.len()];
                // A head may be wanted twice.
                let mut weights = AttentionWeights::new(vec![1, 0, 1]);
                region.attention(queries, targets, heads, &mut out, Some(&mut weights));
                (out, weights)
            };
            let (truth, true_weights) = run(region, &targets("exact"), &queries);
            let (result, weights) = run(region, &targets("bytes"), &queries);
            let truth: Vec<f64> = truth.iter().map(|x| f64::from(*x)).collect();
            assert!(error(&result, &truth) < 0.04, "{}: {}", kernels.isa(), error(&result, &truth));
            for row in 0..windows.len() {
                for chosen in 0..3 {
                    let scores = weights.scores(row, chosen);
                    // Scores may differ by what is common to a row: softmax does not see it.
                    let (scores, wanted) = (centred(scores), centred(true_weights.scores(row, chosen)));
                    assert!(error(&scores, &wanted.iter().map(|x| f64::from(*x)).collect::<Vec<_>>()) < 0.03);
                }
                let one = [targets("bytes")[row]];
                let (alone, _) = run(region, &one, &queries[row * width..][..width]);
                assert_eq!(alone, result[row * width..][..width], "{}: row {row}", kernels.isa());
            }
        });
    }
}

fn centred(scores: &[f32]) -> Vec<f32> {
    let mean = scores.iter().sum::<f32>() / scores.len() as f32;
    scores.iter().map(|score| score - mean).collect()
}
