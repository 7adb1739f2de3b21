//! What tells of a row.

use half::f16;

use super::Launch;
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// The first number of each row, which tells of a row of a norm whether it is of numbers.
#[derive(Debug, Clone, Copy)]
pub struct Firsts {
    /// `[rows][width]`.
    pub input: View<f16>,
    /// `[rows]`.
    pub out: View<f32>,
    /// Numbers of a row.
    pub width: usize,
}

/// Rows of a block, one for each thread.
const ROWS: usize = 128;

impl Firsts {
    pub(super) fn launch(&self) -> Launch {
        let rows = self.out.len();
        Launch {
            kernel: "firsts",
            grid: [rows.div_ceil(ROWS), 1, 1],
            block: ROWS,
            arguments: vec![self.input.into(), self.out.into(), rows.into(), self.width.into()],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let input = memory.get_f32(self.input)?;
        let firsts: Vec<f32> = input.iter().step_by(self.width).take(self.out.len()).copied().collect();
        memory.set(self.out, 0, &firsts)
    }
}
