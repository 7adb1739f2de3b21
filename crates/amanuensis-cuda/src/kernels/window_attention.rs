//! Attention of a window's positions to one another.

use half::f16;

use super::{HEAD_WIDTH, Launch, Windows};
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// Attention among the positions of each window.
#[derive(Debug, Clone, Copy)]
pub struct WindowAttention {
    /// Queries, keys and values side by side: `[rows][3][heads][64]`.
    pub input: View<f16>,
    /// `[rows][heads][64]`.
    pub out: View<f16>,
    /// Whose output rows are meant.
    pub windows: Windows,
    /// Numbers of a row of the output.
    pub width: usize,
}

/// Queries of a block.
const TILE: usize = 64;

/// What scores are multiplied with: one by the root of a head's width.
pub(super) const SCALE: f32 = 0.125;

impl WindowAttention {
    pub(super) fn launch(&self) -> Launch {
        Launch {
            kernel: "window_attention",
            grid: [self.windows.longest.div_ceil(TILE), self.width / HEAD_WIDTH, self.windows.count()],
            block: 128,
            arguments: vec![
                self.input.into(),
                self.out.into(),
                self.windows.table.into(),
                self.width.into(),
                SCALE.into(),
            ],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let input = memory.get_f32(self.input)?;
        let width = self.width;
        for window in self.windows.read(memory)? {
            let mut out = vec![f16::ZERO; window.rows_out * width];
            for head in 0..width / HEAD_WIDTH {
                let part = |third: usize| -> Vec<f32> {
                    let row = |row: usize| {
                        let first = ((window.first_out + row) * 3 + third) * width + head * HEAD_WIDTH;
                        &input[first..][..HEAD_WIDTH]
                    };
                    (0..window.rows_out).flat_map(row).copied().collect()
                };
                let [queries, keys, values] = [0, 1, 2].map(part);
                for (row, query) in queries.chunks_exact(HEAD_WIDTH).enumerate() {
                    let attended = attend(query, &keys, &values, |_| {});
                    for (into, value) in out[row * width + head * HEAD_WIDTH..].iter_mut().zip(attended) {
                        *into = f16::from_f32(value);
                    }
                }
            }
            memory.set(self.out, window.first_out * width, &out)?;
        }
        Ok(())
    }
}

/// Attention of one query of one head to keys and values, `[rows][64]`. The scaled scores are shown before their softmax.
#[cfg(any(test, feature = "fake-driver"))]
pub(super) fn attend(query: &[f32], keys: &[f32], values: &[f32], show: impl FnOnce(&[f32])) -> [f32; HEAD_WIDTH] {
    let mut scores: Vec<f32> =
        keys.chunks_exact(HEAD_WIDTH).map(|key| super::product::dot(query, key) * SCALE).collect();
    show(&scores);
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for score in &mut scores {
        *score = (*score - most).exp();
        total += *score;
    }
    let mut sums = [0.0; HEAD_WIDTH];
    for (weight, value) in scores.iter().zip(values.chunks_exact(HEAD_WIDTH)) {
        sums.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * value);
    }
    sums.map(|sum| sum / total)
}
