//! The naive truth of every door: plain loops in f64, for tests to compare with and for readers to start from.

/// x Phi(x), the error function summed as its series or continued fraction.
pub fn gelu(x: f64) -> f64 {
    0.5 * x * erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The complementary error function, to about 1e-15.
pub fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let scale = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 3.0 {
        // erf(x) = 2 / sqrt(pi) e^(-x^2) sum of x (2 x^2)^n / (1 * 3 * 5 ... (2n + 1))
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term > 1e-18 * sum {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        return 1.0 - 2.0 * scale * sum;
    }
    // erfc(x) = e^(-x^2) / sqrt(pi) * 1 / (x + (1/2) / (x + (2/2) / (x + (3/2) / (x + ...
    let mut fraction = x;
    for n in (1..=100).rev() {
        fraction = x + 0.5 * f64::from(n) / fraction;
    }
    scale / fraction
}

/// `[rows, inputs]` times the transposed `[outputs, inputs]` plus bias.
pub fn linear(input: &[f32], weights: &[f32], outputs: usize, inputs: usize, bias: Option<&[f32]>) -> Vec<f64> {
    let mut out = Vec::new();
    for row in input.chunks_exact(inputs) {
        for output in 0..outputs {
            let start = bias.map_or(0.0, |bias| f64::from(bias[output]));
            out.push(start + dot(row, &weights[output * inputs..][..inputs]));
        }
    }
    out
}

/// Rows of `width` numbers as bytes of -127 to 127, each row by its own largest magnitude, and what a byte of each counts.
pub fn bytes(rows: &[f32], width: usize) -> (Vec<i8>, Vec<f32>) {
    weights(rows, width, 254)
}

/// Rows of `width` weights as bytes, as [`bytes`] makes them, but so that the first and second, the third and fourth, and
/// so on, are together no larger than `largest_pair`.
pub fn weights(rows: &[f32], width: usize, largest_pair: i32) -> (Vec<i8>, Vec<f32>) {
    let mut bytes = Vec::new();
    let mut scales = Vec::new();
    for row in rows.chunks_exact(width) {
        let mut largest = row.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        if largest_pair < 254 {
            for pair in row.chunks(2) {
                let together = pair.iter().sum::<f32>().abs();
                largest = largest.max(together * (127.0 / (largest_pair as f32 * (1.0 - 1.0 / 65536.0))));
            }
        }
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        bytes.extend(row.iter().map(|number| (number * inverse).round_ties_even() as i8));
        scales.push(largest / 127.0);
    }
    (bytes, scales)
}

/// What [`linear`] is in bytes: input and weights by the scale of their row, the sums exact.
pub fn linear_of_bytes(
    input: &[f32],
    weights: &[f32],
    inputs: usize,
    bias: Option<&[f32]>,
    largest_pair: i32,
) -> Vec<f64> {
    let (left, left_scales) = bytes(input, inputs);
    let (right, right_scales) = self::weights(weights, inputs, largest_pair);
    let mut out = Vec::new();
    for (row, left_scale) in left.chunks_exact(inputs).zip(left_scales) {
        for (output, (weights, scale)) in right.chunks_exact(inputs).zip(&right_scales).enumerate() {
            let sum: i64 = row.iter().zip(weights).map(|(x, w)| i64::from(*x) * i64::from(*w)).sum();
            let start = bias.map_or(0.0, |bias| f64::from(bias[output]));
            out.push(start + sum as f64 * f64::from(left_scale) * f64::from(*scale));
        }
    }
    out
}

/// A convolution over three taps, GELU, plus positions; `input` is `[frames + 2, channels]` with its zero rows, a weight
/// lies at `output * 3 * channels + tap * channels + channel`.
pub fn convolution(
    input: &[f32],
    channels: usize,
    weights: &[f32],
    outputs: usize,
    bias: Option<&[f32]>,
    stride: usize,
    positions: Option<&[f32]>,
) -> Vec<f64> {
    let frames = (input.len() / channels).saturating_sub(2);
    let mut out = Vec::new();
    for start in (0..frames).step_by(stride) {
        for output in 0..outputs {
            let mut sum = bias.map_or(0.0, |bias| f64::from(bias[output]));
            for tap in 0..3 {
                let row = &input[(start + tap) * channels..][..channels];
                sum += dot(row, &weights[(output * 3 + tap) * channels..][..channels]);
            }
            let position = positions.map_or(0.0, |positions| f64::from(positions[out.len()]));
            out.push(gelu(sum) + position);
        }
    }
    out
}

/// Rows of `gain.len()` numbers: (x - mean) / sqrt(variance + 1e-5) * gain + bias.
pub fn layer_norm(input: &[f32], gain: &[f32], bias: &[f32]) -> Vec<f64> {
    let width = gain.len() as f64;
    let mut out = Vec::new();
    for row in input.chunks_exact(gain.len()) {
        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / width;
        let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / width;
        let factor = 1.0 / (variance + 1e-5).sqrt();
        for (i, &x) in row.iter().enumerate() {
            out.push((f64::from(x) - mean) * factor * f64::from(gain[i]) + f64::from(bias[i]));
        }
    }
    out
}

/// The attention of one query of one head: `keys` and `values` are the rows it may see. Returns the scaled scores before
/// softmax and the weighted sum of the values; nothing to see gives zeros.
pub fn attend(query: &[f32], keys: &[&[f32]], values: &[&[f32]]) -> (Vec<f64>, Vec<f64>) {
    let scale = 1.0 / (query.len() as f64).sqrt();
    let scores: Vec<f64> = keys.iter().map(|key| dot(query, key) * scale).collect();
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let parts: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
    let total: f64 = parts.iter().sum();
    let mut out = vec![0.0; query.len()];
    for (part, value) in parts.iter().zip(values) {
        for (sum, &x) in out.iter_mut().zip(*value) {
            *sum += part / total * f64::from(x);
        }
    }
    (scores, out)
}

/// Attention of every position to every other; `qkv` is `[time, 3 * width]`.
pub fn self_attention(qkv: &[f32], time: usize, heads: usize) -> Vec<f64> {
    if time == 0 {
        return Vec::new();
    }
    let width = qkv.len() / time / 3;
    let size = width / heads;
    let part = |row: usize, third: usize, head: usize| &qkv[row * 3 * width + third * width + head * size..][..size];
    let mut out = vec![0.0; time * width];
    for head in 0..heads {
        let keys: Vec<&[f32]> = (0..time).map(|row| part(row, 1, head)).collect();
        let values: Vec<&[f32]> = (0..time).map(|row| part(row, 2, head)).collect();
        for row in 0..time {
            let (_, result) = attend(part(row, 0, head), &keys, &values);
            out[row * width + head * size..][..size].copy_from_slice(&result);
        }
    }
    out
}

/// ln(sum of e^x).
pub fn log_sum_exp(numbers: &[f32]) -> f64 {
    let top = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !top.is_finite() {
        return f64::from(top);
    }
    let sum: f64 = numbers.iter().map(|&x| f64::from(x - top).exp()).sum();
    f64::from(top) + sum.ln()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

/// The power of a frame at every frequency from zero to half the sample rate.
pub fn power(frame: &[f32]) -> Vec<f64> {
    let part = |frequency: usize, of: fn(f64) -> f64| -> f64 {
        let angle =
            |index: usize| std::f64::consts::TAU * (frequency * index % frame.len()) as f64 / frame.len() as f64;
        frame.iter().enumerate().map(|(index, sample)| f64::from(*sample) * of(angle(index))).sum()
    };
    (0..=frame.len() / 2)
        .map(|frequency| part(frequency, f64::cos).powi(2) + part(frequency, f64::sin).powi(2))
        .collect()
}
