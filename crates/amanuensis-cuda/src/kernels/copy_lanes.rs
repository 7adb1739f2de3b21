//! Lanes that go on twice.

use half::f16;

use super::Launch;
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// Copies what lanes remember to other places of the pool. No place is read and written by the copies of one operation.
#[derive(Debug, Clone, Copy)]
pub struct CopyLanes {
    /// Rows of keys and values, `[rows][2][width]`.
    pub pool: View<f16>,
    /// What goes where.
    pub copies: Copies,
    /// Layers of a lane.
    pub layers: usize,
    /// Rows from a layer of a lane to the next.
    pub layer_rows: usize,
    /// Numbers of keys in a row.
    pub width: usize,
}

/// Copies, as they lie on the device.
#[derive(Debug, Clone, Copy)]
pub struct Copies {
    /// For each: the pool's row that is copied first, where to, how many rows of each layer, and 0.
    pub table: View<i32>,
    /// Rows of the longest.
    pub longest: usize,
}

impl CopyLanes {
    pub(super) fn launch(&self) -> Launch {
        Launch {
            kernel: "copy_lanes",
            grid: [self.copies.longest, self.layers, self.copies.table.len() / 4],
            block: 128,
            arguments: vec![self.pool.into(), self.copies.table.into(), self.layer_rows.into(), self.width.into()],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let row = 2 * self.width;
        for copy in memory.get(self.copies.table)?.chunks_exact(4) {
            let [from, into, rows] = [copy[0], copy[1], copy[2]].map(|number| usize::try_from(number).unwrap_or(0));
            for layer in 0..self.layers {
                let first = (from + layer * self.layer_rows) * row;
                let lane = memory.get(self.pool.part(first..first + rows * row))?;
                memory.set(self.pool, (into + layer * self.layer_rows) * row, &lane)?;
            }
        }
        Ok(())
    }
}
