//! Roofs of what every processor of the target can do, as the compiler arranges it.

use std::hint::black_box;

use super::{Arithmetic, Roofs};

/// Sums side by side: eight vectors of four, half of the registers that the poorest target has.
const SUMS: usize = 32;
/// Pairs of integers whose products are added up in a step. They are widened before, which a kernel may do too.
const FACTORS: usize = 256;
/// Numbers added at a time.
const CHUNK: usize = 64;

pub(super) fn portable() -> Roofs {
    Roofs {
        multiply_add: Arithmetic { instruction: "multiply and add", operations: 2 * SUMS as u64, run: multiply_add },
        dot_product: Arithmetic {
            instruction: "multiply widened and add",
            operations: 2 * FACTORS as u64,
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
    let (a, b) = ([3_i16; FACTORS], [5_i16; FACTORS]);
    for _ in 0..steps {
        let factors = black_box(&a).iter().zip(black_box(&b));
        black_box(factors.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>());
    }
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
