//! Streams into the array: pushes in a queue, and how far each reader has come.

use std::collections::VecDeque;

use crate::txn::{Pattern, QUEUE_DEPTH};

/// A push that is worked off.
struct Task {
    descriptor: u8,
    argument: u32,
    extent: (u64, u64),
    /// The words of one pass, or of all where passes differ.
    words: Vec<u32>,
    total: u64,
}

/// A stream into the array.
pub(super) struct Input {
    tasks: VecDeque<Task>,
    /// Words before the first task.
    gone: u64,
    /// Words that each reader has taken: all columns read what comes for a row.
    taken: Vec<u64>,
    pub(super) moved: u64,
}

impl Input {
    pub(super) fn new(readers: usize) -> Self {
        Self { tasks: VecDeque::new(), gone: 0, taken: vec![0; readers.max(1)], moved: 0 }
    }

    pub(super) fn full(&self) -> bool {
        self.tasks.len() >= QUEUE_DEPTH
    }

    pub(super) fn push(&mut self, descriptor: u8, argument: u32, pattern: &Pattern, words: Vec<u32>) {
        let total = u64::from(pattern.length()) * u64::from(pattern.passes());
        self.moved += total;
        self.tasks.push_back(Task { descriptor, argument, extent: pattern.extent(), words, total });
    }

    /// Whether a descriptor may still be worked off.
    pub(super) fn uses(&self, descriptor: u8) -> bool {
        self.tasks.iter().any(|task| task.descriptor == descriptor)
    }

    /// Whether words of an argument may still be read.
    pub(super) fn reads(&self, argument: u32, (first, last): (u64, u64)) -> bool {
        self.tasks.iter().any(|task| task.argument == argument && task.extent.0 < last && first < task.extent.1)
    }

    /// Words that some reader has not taken.
    pub(super) fn left(&self) -> u64 {
        let end = self.gone + self.tasks.iter().map(|task| task.total).sum::<u64>();
        end - self.taken.iter().copied().min().unwrap_or(end)
    }

    /// Words that a reader may still take.
    pub(super) fn ready(&self, reader: usize) -> u64 {
        let end = self.gone + self.tasks.iter().map(|task| task.total).sum::<u64>();
        end - self.taken.get(reader).copied().unwrap_or(end)
    }

    /// Gives a reader its next words; as many must be ready.
    pub(super) fn take(&mut self, reader: usize, count: usize, words: &mut Vec<u32>) {
        let Some(taken) = self.taken.get_mut(reader) else { return };
        let mut start = *taken - self.gone;
        *taken += count as u64;
        let mut missing = count;
        for task in &self.tasks {
            while missing > 0 && start < task.total && !task.words.is_empty() {
                let inner = (start % task.words.len() as u64) as usize;
                let some = missing.min(task.words.len() - inner);
                words.extend_from_slice(&task.words[inner..inner + some]);
                start += some as u64;
                missing -= some;
            }
            start = start.saturating_sub(task.total);
        }
        let least = self.taken.iter().copied().min().unwrap_or(0);
        while let Some(first) = self.tasks.front()
            && self.gone + first.total <= least
        {
            self.gone += first.total;
            self.tasks.pop_front();
        }
    }
}
