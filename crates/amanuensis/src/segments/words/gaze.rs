//! What the heads agree on: the scores of the cross-attention made into one matrix of tokens by moments.

use std::ops::Range;

use amanuensis_kernels::Kernels;

use crate::backend::CrossAttention;

/// Columns that are filtered at a time: what a median sorts stays in the first cache.
const BLOCK: usize = 64;

/// Where the heads looked while the tokens were written.
pub(super) struct Gaze {
    /// Moments of 20 ms.
    pub(super) columns: usize,
    /// How much each token stands out at each moment, `[row][column]`: for time warping.
    pub(super) contrast: Vec<f32>,
    /// The share of attention that each moment has of each token, mean over heads, `[row][column]`.
    pub(super) share: Vec<f32>,
}

impl Gaze {
    /// Reads the `rows` of a lane, as far as there are `columns` of sound, and filters over `filter` moments.
    ///
    /// openai/whisper's steps: softmax over time; for each head and moment, the mean of all tokens taken away and
    /// divided by their standard deviation; the median of neighbouring moments; the mean over heads.
    pub(super) fn read(
        kernels: &Kernels,
        attention: &CrossAttention,
        lane: usize,
        rows: Range<usize>,
        columns: usize,
        filter: usize,
    ) -> Gaze {
        let columns = columns.min(attention.positions(lane));
        let wanted = rows.start * columns..rows.end * columns;
        let mut gaze = Gaze { columns, contrast: vec![0.0; wanted.len()], share: vec![0.0; wanted.len()] };
        if columns == 0 || attention.heads() == 0 {
            return gaze;
        }
        let mut weights = Vec::new();
        let mut filtered = vec![0.0; columns];
        for head in 0..attention.heads() {
            weights.clear();
            for scores in attention.rows(lane, head).chunks_exact(attention.positions(lane)) {
                let first = weights.len();
                weights.extend_from_slice(&scores[..columns]);
                softmax(kernels, &mut weights[first..]);
            }
            add(&mut gaze.share, &weights[wanted.clone()]);
            standardise(&mut weights, columns);
            for (row, sum) in weights[wanted.clone()].chunks_exact(columns).zip(gaze.contrast.chunks_exact_mut(columns))
            {
                median(row, filter, &mut filtered);
                add(sum, &filtered);
            }
        }
        let heads = attention.heads() as f32;
        gaze.contrast.iter_mut().chain(&mut gaze.share).for_each(|value| *value /= heads);
        gaze
    }
}

fn add(sum: &mut [f32], values: &[f32]) {
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

fn softmax(kernels: &Kernels, row: &mut [f32]) {
    let greatest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|value| *value -= greatest);
    kernels.exponential(row);
    let total: f32 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= total);
}

/// Takes the mean of each column away and divides by its standard deviation, the one of the whole population.
///
/// Where all rows are equal none stands out: zero, while openai/whisper divides by zero.
fn standardise(weights: &mut [f32], columns: usize) {
    let rows = (weights.len() / columns) as f64;
    let (mut mean, mut deviation) = (vec![0.0f64; columns], vec![0.0f64; columns]);
    for row in weights.chunks_exact(columns) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / rows);
    }
    for row in weights.chunks_exact(columns) {
        for ((deviation, mean), value) in deviation.iter_mut().zip(&mean).zip(row) {
            let difference = f64::from(*value) - mean;
            *deviation += difference * difference / rows;
        }
    }
    let factors: Vec<(f32, f32)> = mean
        .iter()
        .zip(&deviation)
        .map(|(mean, square)| (*mean as f32, if *square > 0.0 { (1.0 / square.sqrt()) as f32 } else { 0.0 }))
        .collect();
    for row in weights.chunks_exact_mut(columns) {
        for (value, (mean, factor)) in row.iter_mut().zip(&factors) {
            *value = (*value - mean) * factor;
        }
    }
}

/// The median of the `width` values around each, the row reflected at its ends. An even width counts as the next odd
/// one; a row that is not longer than half of it is left as it is.
fn median(row: &[f32], width: usize, out: &mut [f32]) {
    let half = width / 2;
    if row.len() <= half {
        out.copy_from_slice(row);
        return;
    }
    let width = 2 * half + 1;
    let ahead = row[1..=half].iter().rev();
    let behind = row[row.len() - 1 - half..row.len() - 1].iter().rev();
    let padded: Vec<f32> = ahead.chain(row).chain(behind).copied().collect();
    let mut neighbours = vec![[0.0f32; BLOCK]; width];
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        for (shift, values) in neighbours.iter_mut().enumerate() {
            values[..out.len()].copy_from_slice(&padded[block * BLOCK + shift..][..out.len()]);
        }
        // The greatest values sink to the end one after the other, until the one in the middle has come to its place.
        for settled in 0..=half {
            for pair in 0..width - 1 - settled {
                let [lesser, greater, ..] = &mut neighbours[pair..] else { continue };
                for (lesser, greater) in lesser.iter_mut().zip(greater) {
                    let swap = *greater < *lesser;
                    (*lesser, *greater) = if swap { (*greater, *lesser) } else { (*lesser, *greater) };
                }
            }
        }
        out.copy_from_slice(&neighbours[half][..out.len()]);
    }
}

#[cfg(test)]
mod tests;
