//! Windows of a batch: where the rows of each begin and how many there are.

use crate::driver::View;

/// The rows of one window, before and after an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first row of the input.
    pub first_in: usize,
    /// Its rows of the input.
    pub rows_in: usize,
    /// Its first row of the output.
    pub first_out: usize,
    /// Its rows of the output.
    pub rows_out: usize,
}

impl Window {
    /// As kernels read it.
    pub fn numbers(self) -> [i32; 4] {
        [self.first_in, self.rows_in, self.first_out, self.rows_out]
            .map(|number| i32::try_from(number).unwrap_or(i32::MAX))
    }

    #[cfg(any(test, feature = "fake-driver"))]
    fn of(numbers: &[i32]) -> Self {
        let number = |at: usize| usize::try_from(numbers[at]).unwrap_or(0);
        Window { first_in: number(0), rows_in: number(1), first_out: number(2), rows_out: number(3) }
    }
}

/// The windows of a batch, as they lie on the device.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// Four numbers for each.
    pub table: View<i32>,
    /// Rows of the output of the longest.
    pub longest: usize,
}

impl Windows {
    /// How many there are.
    pub fn count(self) -> usize {
        self.table.len() / 4
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn read(self, memory: &mut crate::driver::fake::Memory) -> Result<Vec<Window>, crate::driver::GpuError> {
        Ok(memory.get(self.table)?.chunks_exact(4).map(Window::of).collect())
    }
}
