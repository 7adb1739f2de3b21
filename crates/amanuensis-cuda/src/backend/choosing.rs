//! What is wanted of the logits of a step: which are handed over, and which rows the choice is made in where they lie.

use std::sync::Arc;

use amanuensis::backend::{BackendError, Choices, Logits, Next, Stage, TokenSet, Wanted};

use super::clock::Clock;
use super::model::{CudaModel, Stop};
use super::rooms::DecoderRoom;
use super::sets::Sets;
use crate::driver::{Gpu, GpuError, Seen, View, download, download_rows};
use crate::kernels::{Asked, Choose, FOUND_FIRST};

/// What a step is to give.
pub(super) enum Given<'a> {
    /// All logits that are read.
    Logits(&'a mut Logits),
    /// What is wanted of them.
    Choices(&'a [Wanted<'a>], &'a mut Choices),
}

/// Where a step left the rows that are read, and the tables about them.
pub(super) struct Read {
    /// The residual stream.
    pub(super) x: View<f32>,
    /// Which rows of it are read.
    pub(super) picked: View<i32>,
    /// What is asked of those that the choice is made in.
    pub(super) asked: View<i32>,
}

/// How the logits that are read lie on the device: first those that are handed over.
pub(super) struct Plan {
    /// For each row its place among all that are read.
    pub(super) order: Vec<usize>,
    /// How many are handed over.
    handed: usize,
    /// What is asked of each of the others.
    pub(super) asked: Vec<i32>,
    /// The sets that they name, if there are any.
    sets: Option<View<i32>>,
    /// How many tokens are found in each of them.
    count: usize,
}

impl Given<'_> {
    /// Where the logits go that are handed over.
    pub(super) fn logits(&mut self) -> &mut Logits {
        match self {
            Given::Logits(logits) => logits,
            Given::Choices(_, choices) => choices.begin(),
        }
    }

    /// Says how `reads` rows lie, and brings the sets to the device that they name.
    pub(super) fn plan(&self, gpu: &Arc<dyn Gpu>, sets: &mut Sets, reads: usize) -> Result<Plan, GpuError> {
        let Given::Choices(wanted, _) = self else {
            return Ok(Plan { order: (0..reads).collect(), handed: reads, asked: Vec::new(), sets: None, count: 0 });
        };
        let (mut order, others): (Vec<usize>, Vec<usize>) =
            (0..wanted.len()).partition(|place| matches!(wanted[*place].next, Next::Logits));
        let handed = order.len();
        order.extend(&others);
        if others.is_empty() {
            return Ok(Plan { order, handed, asked: Vec::new(), sets: None, count: 0 });
        }
        let nothing = TokenSet::default();
        let named: Vec<&TokenSet> = others
            .iter()
            .map(|place| match &wanted[*place].next {
                Next::Best { permitted, .. } => permitted.suppressed,
                Next::Nothing | Next::Logits => &nothing,
            })
            .collect();
        let (sets, numbers) = sets.bring(gpu, &named)?;
        let asked = others.iter().zip(numbers).flat_map(|(place, set)| asked(&wanted[*place], set).numbers()).collect();
        let count = |wanted: &Wanted<'_>| if let Next::Best { count, .. } = wanted.next { count } else { 0 };
        let count = others.iter().map(|place| count(&wanted[*place])).max().unwrap_or(0);
        Ok(Plan { order, handed, asked, sets: Some(sets), count })
    }

    /// Hands over what was found, once the logits that are handed over are where they go.
    pub(super) fn hand_over(self, plan: &Plan, found: &[f32]) -> Result<(), BackendError> {
        let Given::Choices(wanted, choices) = self else { return Ok(()) };
        let (mut handed, mut found) = (0, found.chunks_exact(plan.found()));
        for wanted in wanted {
            let count = match &wanted.next {
                Next::Best { count, .. } => *count,
                Next::Nothing => 0,
                Next::Logits => {
                    choices.find(wanted, handed)?;
                    handed += 1;
                    continue;
                }
            };
            let row = found.next().unwrap_or(&[f32::NAN; FOUND_FIRST]);
            let pairs = row[FOUND_FIRST..].chunks_exact(2).take(count);
            // What is left over is told as -1, which is no token.
            let best = pairs.filter(|pair| pair[0] >= 0.0).map(|pair| (pair[0] as u32, pair[1]));
            choices.found(row[1].exp(), row[2], best)?;
        }
        Ok(())
    }
}

impl Plan {
    /// Numbers that are found in a row.
    fn found(&self) -> usize {
        Choose::found(self.count)
    }

    /// The logits that are read: those that are handed over go where they belong, and what is found in the others comes back.
    pub(super) fn read(
        &self,
        model: &CudaModel,
        room: &mut DecoderRoom,
        read: Read,
        given: &mut Given<'_>,
        clock: &mut Clock<'_>,
    ) -> Result<(Vec<f32>, Seen), Stop> {
        let (gpu, decoder, vocabulary) = (&model.gpu, &model.decoder, model.decoder.vocabulary);
        let reads = self.order.len();
        let values = given.logits().prepare(self.handed, vocabulary);
        let mut found = vec![0.0; (reads - self.handed) * self.found()];
        if reads == 0 {
            return Ok((found, gpu.wait()?));
        }
        let last = room.last.ensure(gpu, reads * decoder.width)?;
        let pitch = Choose::pitch(vocabulary);
        let logits = room.logits.ensure(gpu, reads * pitch)?;
        decoder.read(&**gpu, read.x, read.picked, last, logits)?;
        clock.lap(Stage::Logits)?;
        let (handed, others) = (self.handed * pitch, reads * pitch);
        let (handed, logits) = (logits.first(handed), logits.part(handed..others));
        let seen = match self.sets {
            None => download_rows(&**gpu, handed, pitch, values, vocabulary)?,
            Some(sets) => {
                let out = room.found.ensure(gpu, found.len())?;
                gpu.run(&Choose { logits, vocabulary, asked: read.asked, sets, out, count: self.count }.into())?;
                clock.lap(Stage::Search)?;
                if self.handed > 0 {
                    download_rows(&**gpu, handed, pitch, values, vocabulary)?;
                }
                download(&**gpu, out, &mut found)?
            }
        };
        // The norm spreads what is not a number over its whole row, and the product over all logits: the first tells of all.
        let mut firsts = values.iter().step_by(vocabulary.max(1)).chain(found.iter().step_by(self.found()));
        if firsts.any(|first| !first.is_finite()) {
            return Err(BackendError::NotANumber { place: "decoder output" }.into());
        }
        Ok((found, seen))
    }
}

/// What is asked of a row whose set has this number.
fn asked(wanted: &Wanted<'_>, set: usize) -> Asked {
    let named = wanted.probability_of.map(|token| token as usize);
    match &wanted.next {
        Next::Best { permitted, .. } => {
            let range = |range: &std::ops::Range<usize>| [range.start, range.end];
            let (text, times) = (range(&permitted.text), range(&permitted.times));
            Asked { text, times, set, weighed: permitted.weighed, named }
        }
        Next::Nothing | Next::Logits => Asked { text: [0; 2], times: [0; 2], set, weighed: false, named },
    }
}
