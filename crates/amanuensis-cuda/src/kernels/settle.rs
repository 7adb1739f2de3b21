//! The end of the stem.

use half::f16;

use super::{Launch, Windows};
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// GELU of the second convolution's output, and the embedding of each row's position in its window: the residual stream.
#[derive(Debug, Clone, Copy)]
pub struct Settle {
    /// `[rows][width]`.
    pub input: View<f16>,
    /// `[positions][width]`.
    pub positions: View<f32>,
    /// `[rows][width]`.
    pub out: View<f32>,
    /// Whose output rows are meant.
    pub windows: Windows,
    /// Numbers of a row.
    pub width: usize,
}

impl Settle {
    pub(super) fn launch(&self) -> Launch {
        Launch {
            kernel: "settle",
            grid: [self.windows.longest, self.windows.count(), 1],
            block: 128,
            arguments: vec![
                self.input.into(),
                self.positions.into(),
                self.out.into(),
                self.windows.table.into(),
                self.width.into(),
            ],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let (input, positions) = (memory.get(self.input)?, memory.get(self.positions)?);
        for window in self.windows.read(memory)? {
            let (first, count) = (window.first_out * self.width, window.rows_out * self.width);
            let rows = input[first..][..count].iter().zip(&positions[..count]);
            let sums: Vec<f32> = rows.map(|(value, place)| super::gelu(value.to_f32()) + place).collect();
            memory.set(self.out, first, &sums)?;
        }
        Ok(())
    }
}
