//! Roofs of what every processor of the target can do, as the compiler arranges it.

use std::hint::black_box;

use super::{Arithmetic, Roofs};

/// Single-precision sums side by side: eight vectors of four, half of the registers that the poorest target has.
const SUMS: usize = 32;
/// Bytes multiplied in a step.
const BYTES: usize = 64;
/// Numbers added at a time.
const CHUNK: usize = 64;

pub(super) fn portable() -> Roofs {
    Roofs {
        multiply_add: Arithmetic { instruction: "multiply and add", operations: 2 * SUMS as u64, run: multiply_add },
        dot_product: Arithmetic {
            instruction: "widen, multiply and add",
            operations: 2 * BYTES as u64,
            run: dot_product,
        },
        read,
    }
}

fn multiply_add(steps: usize) {
    let mut sums: [f32; SUMS] = black_box([1.0; SUMS]);
    let (a, b) = (black_box(0.999_f32), black_box(0.001_f32));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = *sum * a + b;
        }
    }
    black_box(sums);
}

fn dot_product(steps: usize) {
    let (a, mut b) = (black_box([3_i8; BYTES]), [5_i8; BYTES]);
    let mut sums = black_box([0_i32; BYTES / 4]);
    for _ in 0..steps {
        b = black_box(b);
        for (sum, (a, b)) in sums.iter_mut().zip(a.chunks_exact(4).zip(b.chunks_exact(4))) {
            let products: i32 = a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
            *sum = sum.wrapping_add(products);
        }
    }
    black_box(sums);
}

fn read(numbers: &[f32]) -> f32 {
    let mut sums = [0.0_f32; CHUNK];
    let chunks = numbers.chunks_exact(CHUNK);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (sum, number) in sums.iter_mut().zip(chunk) {
            *sum += number;
        }
    }
    sums.iter().sum::<f32>() + rest
}
