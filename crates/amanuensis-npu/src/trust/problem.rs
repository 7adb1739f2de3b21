//! Multiplications that are the same on every machine: made from a seed, of numbers that bfloat16 holds exactly.

/// Sizes of a multiplication: `m` by `k` times `k` by `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Rows of the first matrix and of the result.
    pub m: u32,
    /// Columns of the first matrix, rows of the second.
    pub k: u32,
    /// Columns of the second matrix and of the result.
    pub n: u32,
}

impl Shape {
    /// Numbers of the result.
    pub fn results(self) -> usize {
        self.m as usize * self.n as usize
    }

    /// Multiplications and additions.
    pub fn operations(self) -> u64 {
        2 * u64::from(self.m) * u64::from(self.k) * u64::from(self.n)
    }
}

/// A multiplication whose numbers come of a seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Its sizes.
    pub shape: Shape,
    /// The first matrix, row by row.
    pub a: Vec<f32>,
    /// The second matrix, row by row.
    pub b: Vec<f32>,
}

/// Steps per 1 of the numbers: with numbers up to 1 that is what bfloat16 holds exactly.
const STEPS: u64 = 64;

impl Problem {
    /// The multiplication of a seed. Numbers lie in -1..=1. In every second row of the first matrix and every second column of
    /// the second they are positive: where both are, a result is as large as the sum of its parts' sizes, and rounding to one
    /// side cannot hide among parts that cancel.
    pub fn new(seed: u64, shape: Shape) -> Self {
        let mut state = seed;
        let mut number = |positive: bool| {
            let step = 1 + next(&mut state) % STEPS;
            let sign = if !positive && next(&mut state) & 1 == 1 { -1.0 } else { 1.0 };
            sign * step as f32 / STEPS as f32
        };
        let (m, k, n) = (shape.m, shape.k, shape.n);
        let a = (0..m).flat_map(|row| (0..k).map(move |_| row % 2 == 0)).map(&mut number).collect();
        let b = (0..k).flat_map(|_| (0..n).map(|column| column % 2 == 0)).map(&mut number).collect();
        Self { shape, a, b }
    }

    /// The exact result, and the sum of the sizes of each of its parts.
    pub fn solve(&self) -> (Vec<f64>, Vec<f64>) {
        let (k, n) = (self.shape.k as usize, self.shape.n as usize);
        let (mut sums, mut masses) = (vec![0.0; self.shape.results()], vec![0.0; self.shape.results()]);
        for (row, numbers) in self.a.chunks_exact(k.max(1)).enumerate() {
            let (sums, masses) = (&mut sums[row * n..][..n], &mut masses[row * n..][..n]);
            for (number, others) in numbers.iter().zip(self.b.chunks_exact(n.max(1))) {
                for ((sum, mass), other) in sums.iter_mut().zip(masses.iter_mut()).zip(others) {
                    let part = f64::from(*number) * f64::from(*other);
                    *sum += part;
                    *mass += part.abs();
                }
            }
        }
        (sums, masses)
    }
}

/// SplitMix64: the next of a sequence that is the same everywhere.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_seeds_and_exact_in_bfloat16() {
        let shape = Shape { m: 4, k: 6, n: 2 };
        let problem = Problem::new(7, shape);
        assert_eq!(problem, Problem::new(7, shape));
        assert_ne!(problem.a, Problem::new(8, shape).a);
        for number in problem.a.iter().chain(&problem.b) {
            assert_eq!(number.to_bits() & 0xFFFF, 0, "{number}");
        }
        assert!(problem.a[..6].iter().all(|number| *number > 0.0), "the first row");
        assert!(problem.b.iter().step_by(2).all(|number| *number > 0.0), "the first column");
    }

    #[test]
    fn solutions_are_sums() {
        let problem = Problem { shape: Shape { m: 1, k: 2, n: 2 }, a: vec![1.0, -2.0], b: vec![3.0, 4.0, 5.0, 6.0] };
        assert_eq!(problem.solve(), (vec![-7.0, -8.0], vec![13.0, 16.0]));
    }
}
