//! Streams out of the array: pushes in a queue, and words that cores have made and nobody has taken.

use std::collections::VecDeque;

use crate::txn::{Pattern, QUEUE_DEPTH};

/// A push that is worked off.
pub(super) struct Task {
    pub(super) descriptor: u8,
    pub(super) argument: u32,
    pub(super) pattern: Pattern,
    pub(super) token: bool,
}

/// A stream out of the array.
#[derive(Default)]
pub(super) struct Output {
    pub(super) tasks: VecDeque<Task>,
    /// Words of a tile, and how many of them were taken.
    pub(super) made: Vec<u32>,
    pub(super) taken: usize,
    pub(super) moved: u64,
    /// Whether the channel was told who takes its tokens.
    pub(super) controller: bool,
}

impl Output {
    pub(super) fn full(&self) -> bool {
        self.tasks.len() >= QUEUE_DEPTH
    }

    pub(super) fn uses(&self, descriptor: u8) -> bool {
        self.tasks.iter().any(|task| task.descriptor == descriptor)
    }

    /// Whether words of an argument may still be written.
    pub(super) fn writes(&self, argument: u32, (first, last): (u64, u64)) -> bool {
        self.tasks.iter().any(|task| {
            let extent = task.pattern.extent();
            task.argument == argument && extent.0 < last && first < extent.1
        })
    }

    /// Words that were made and not taken.
    pub(super) fn left_over(&self) -> u64 {
        (self.made.len() - self.taken) as u64
    }

    /// Words that pushes still want.
    pub(super) fn wanted(&self) -> u64 {
        self.tasks.iter().map(|task| u64::from(task.pattern.length()) * u64::from(task.pattern.passes())).sum()
    }
}
