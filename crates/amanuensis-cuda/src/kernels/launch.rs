//! How a kernel is launched.

use crate::driver::{Number, View};

/// One argument of a kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Argument {
    /// A place in the device's memory; 0 for none.
    Address(u64),
    /// A whole number.
    Int(i32),
    /// A number.
    Float(f32),
}

impl<T: Number> From<View<T>> for Argument {
    fn from(view: View<T>) -> Self {
        Argument::Address(view.address())
    }
}

impl<T: Number> From<Option<View<T>>> for Argument {
    fn from(view: Option<View<T>>) -> Self {
        Argument::Address(view.map_or(0, View::address))
    }
}

impl From<usize> for Argument {
    /// Counts of rows and numbers in a row: views are far smaller than 2^31 rows.
    fn from(count: usize) -> Self {
        Argument::Int(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl From<f32> for Argument {
    fn from(number: f32) -> Self {
        Argument::Float(number)
    }
}

/// A kernel by name, how many blocks of how many threads, and what it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// The kernel.
    pub kernel: &'static str,
    /// Blocks along each axis. Where one is 0 there is nothing to do.
    pub grid: [usize; 3],
    /// Threads of a block.
    pub block: usize,
    /// In the kernel's order.
    pub arguments: Vec<Argument>,
}
