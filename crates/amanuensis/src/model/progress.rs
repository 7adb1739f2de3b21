//! How far work on all tensors of a model has come, and whether it is to go on.

use std::ops::ControlFlow;

use super::Dims;

/// Hears which tensor is next, how many numbers are done, and how many there are; says whether to go on.
pub type Progress<'a> = dyn FnMut(&str, u64, u64) -> ControlFlow<()> + 'a;

/// The work was told not to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

/// Counts while tensors go by.
pub(super) struct Steps<'a, 'b> {
    progress: &'a mut Progress<'b>,
    done: u64,
    all: u64,
}

impl<'a, 'b> Steps<'a, 'b> {
    pub(super) fn new(progress: &'a mut Progress<'b>, all: u64) -> Self {
        Self { progress, done: 0, all }
    }

    /// Through all tensors of a model.
    pub(super) fn through(dims: &Dims, progress: &'a mut Progress<'b>) -> Self {
        let all = dims.tensors().iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).sum();
        Self::new(progress, all)
    }

    /// A tensor of so many numbers is next.
    pub(super) fn next(&mut self, name: &str, count: usize) -> Result<(), Stopped> {
        let flow = (self.progress)(name, self.done, self.all);
        self.done += count as u64;
        if flow.is_break() { Err(Stopped) } else { Ok(()) }
    }

    /// Nothing is left.
    pub(super) fn end(self) {
        // Whoever wants to stop now has what was asked for.
        let _ = (self.progress)("", self.done, self.all);
    }
}
