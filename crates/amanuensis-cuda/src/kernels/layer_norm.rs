//! Layer norm.

use half::f16;

use super::Launch;
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// Layer norm of rows, of all of them or of those that are picked.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm {
    /// `[rows][width]`.
    pub input: View<f32>,
    /// `[width]`.
    pub gain: View<f32>,
    /// `[width]`.
    pub bias: View<f32>,
    /// The input row that each output row is made of; all in their order without it.
    pub picked: Option<View<i32>>,
    /// `[rows out][width]`.
    pub out: View<f16>,
    /// Numbers of a row.
    pub width: usize,
}

/// Rows of a block, one for each warp.
const ROWS: usize = 4;

impl LayerNorm {
    fn rows(&self) -> usize {
        self.out.len() / self.width
    }

    pub(super) fn launch(&self) -> Launch {
        Launch {
            kernel: "layer_norm",
            grid: [self.rows().div_ceil(ROWS), 1, 1],
            block: 32 * ROWS,
            arguments: vec![
                self.input.into(),
                self.gain.into(),
                self.bias.into(),
                self.picked.into(),
                self.out.into(),
                self.rows().into(),
                self.width.into(),
            ],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let (input, gain, bias) = (memory.get(self.input)?, memory.get(self.gain)?, memory.get(self.bias)?);
        let picked = match self.picked {
            Some(picked) => memory.get(picked)?.iter().map(|row| usize::try_from(*row).unwrap_or(usize::MAX)).collect(),
            None => (0..self.rows()).collect::<Vec<_>>(),
        };
        let width = self.width as f64;
        let mut values = Vec::with_capacity(self.rows() * self.width);
        for row in picked.into_iter().take(self.rows()) {
            let row = &input[row * self.width..][..self.width];
            let mean = row.iter().map(|value| f64::from(*value)).sum::<f64>() / width;
            let variance = row.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / width;
            let scale = 1.0 / (variance + 1e-5).sqrt();
            let norm = |((value, gain), bias): ((&f32, &f32), &f32)| {
                f16::from_f32(((f64::from(*value) - mean) * scale * f64::from(*gain) + f64::from(*bias)) as f32)
            };
            values.extend(row.iter().zip(&gain).zip(&bias).map(norm));
        }
        memory.set(self.out, 0, &values)
    }
}
