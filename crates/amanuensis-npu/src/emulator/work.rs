//! Work that a token waits for: tiles are made and written until it comes.

use super::Wrong;
use super::dispatch::Dispatch;
use super::output::{Output, Task};
use crate::plan::Fifo;
use crate::txn::Channel;

impl Dispatch<'_, '_> {
    /// Works off what is queued until a token comes.
    pub(super) fn token(&mut self, channel: Channel, column: u8) -> Result<(), Wrong> {
        let index = usize::from(column);
        if !self.results.get(index).is_some_and(|output| output.tasks.iter().any(|task| task.token)) {
            return Err(Wrong::NoToken(channel));
        }
        loop {
            let Some(task) = self.results.get_mut(index).and_then(|output| output.tasks.pop_front()) else {
                return Ok(());
            };
            self.drain(channel, column, &task)?;
            if task.token {
                return Ok(());
            }
        }
    }

    fn drain(&mut self, channel: Channel, column: u8, task: &Task) -> Result<(), Wrong> {
        let index = usize::from(column);
        let total = u64::from(task.pattern.length()) * u64::from(task.pattern.passes());
        let mut done = 0;
        for pass in 0..task.pattern.passes() {
            for run in task.pattern.runs(pass) {
                while self.results.get(index).is_some_and(|output| output.left_over() < u64::from(run.count)) {
                    let ready = self.results.get(index).map_or(0, Output::left_over);
                    self.tile(channel, column, total - done - ready.min(total - done))?;
                }
                let Some(output) = self.results.get_mut(index) else { return Ok(()) };
                let words = output.taken..output.taken + run.count as usize;
                self.host.scatter(task.argument, &run, &output.made[words]);
                output.taken += run.count as usize;
                output.moved += u64::from(run.count);
                done += u64::from(run.count);
            }
        }
        Ok(())
    }

    /// The cores of a column make a tile of the product each.
    fn tile(&mut self, channel: Channel, column: u8, words: u64) -> Result<(), Wrong> {
        let index = usize::from(column);
        let stuck = |why: String| Wrong::Deadlock { channel, words, why };
        let depth = match self.cores.depth(column)? {
            Ok(depth) => depth,
            Err(core) => return Err(stuck(format!("the core of {core} waits at its barrier"))),
        };
        self.kernel.begin();
        for _ in 0..depth {
            self.left.clear();
            self.right.clear();
            let short = |missing: usize, ready: u64, fifo: Fifo| {
                stuck(format!("{fifo:?} has {ready} of the {missing} words that come next"))
            };
            for (stream, input) in (0..).zip(&mut self.activations) {
                if input.ready(index) < self.sizes.activations as u64 {
                    return Err(short(self.sizes.activations, input.ready(index), Fifo::Activations(stream)));
                }
                input.take(index, self.sizes.activations, &mut self.left);
            }
            let Some(input) = self.weights.get_mut(index) else { return Ok(()) };
            if input.ready(0) < self.sizes.weights as u64 {
                return Err(short(self.sizes.weights, input.ready(0), Fifo::Weights(column)));
            }
            input.take(0, self.sizes.weights, &mut self.right);
            let right = match &self.order {
                Some(order) => {
                    self.shuffled.clear();
                    self.shuffled.extend(order.iter().map(|place| self.right[*place]));
                    &self.shuffled
                }
                None => &self.right,
            };
            self.kernel.accumulate(&self.left, right);
            self.multiply_adds += self.sizes.multiply_adds;
        }
        let Some(output) = self.results.get_mut(index) else { return Ok(()) };
        output.made.drain(..output.taken);
        output.taken = 0;
        self.kernel.store(&mut output.made);
        self.cores.made(column)
    }
}
