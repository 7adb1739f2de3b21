//! Arithmetic on a row of logits.

/// The greatest value and its index; the first of equal ones.
pub(super) fn best(logits: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, &value) in logits.iter().enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best
}

/// log of the sum of the exponentials; minus infinity for a row without any possible token.
pub(super) fn log_sum_exp(logits: &[f32]) -> f32 {
    let (_, greatest) = best(logits);
    if greatest == f32::NEG_INFINITY {
        return greatest;
    }
    // Four sums side by side: one alone waits for every addition before it.
    let mut sums = [0.0_f32; 4];
    let (quads, rest) = logits.as_chunks::<4>();
    for quad in quads {
        for (sum, value) in sums.iter_mut().zip(quad) {
            *sum += (value - greatest).exp();
        }
    }
    let rest: f32 = rest.iter().map(|value| (value - greatest).exp()).sum();
    greatest + (sums.iter().sum::<f32>() + rest).ln()
}
