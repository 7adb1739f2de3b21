//! What lanes remember of new tokens.

use half::f16;

use super::Launch;
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// Puts keys and values of new rows where their lanes keep them.
#[derive(Debug, Clone, Copy)]
pub struct Remember {
    /// Queries, keys and values side by side: `[rows][3][width]`.
    pub input: View<f16>,
    /// Rows of keys and values, `[rows][2][width]`.
    pub pool: View<f16>,
    /// The pool's row for each row, in the first layer.
    pub places: View<i32>,
    /// Rows from the first layer to the one at hand.
    pub offset: usize,
    /// Numbers of keys in a row.
    pub width: usize,
}

impl Remember {
    pub(super) fn launch(&self) -> Launch {
        Launch {
            kernel: "remember",
            grid: [self.places.len(), 1, 1],
            block: 128,
            arguments: vec![
                self.input.into(),
                self.pool.into(),
                self.places.into(),
                self.offset.into(),
                self.width.into(),
            ],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let (input, width) = (memory.get(self.input)?, self.width);
        for (row, place) in memory.get(self.places)?.into_iter().enumerate() {
            let place = usize::try_from(place).unwrap_or(usize::MAX / 4096) + self.offset;
            memory.set(self.pool, place * 2 * width, &input[row * 3 * width + width..][..2 * width])?;
        }
        Ok(())
    }
}
