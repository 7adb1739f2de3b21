//! What is measured: a model that is loaded once, or as often as loading is to be measured.

use std::time::Instant;

use amanuensis::Crew;
use amanuensis::model::{self, Source};

use super::statistics::repeat;
use super::work::{Loaded, Took, Whole};
use crate::args::Measure;
use crate::commands::device::Computer;

/// A model that may not be loaded yet, and what loads it.
pub(super) struct Subject {
    pub(super) source: Source,
    pub(super) computer: Computer,
    pub(super) crew: Crew,
    /// The long piece of work.
    long: Whole,
    loaded: Option<Loaded>,
}

impl Subject {
    pub(super) fn new(source: Source, computer: Computer, crew: Crew, long: Whole) -> Subject {
        Subject { source, computer, crew, long, loaded: None }
    }

    /// The model, in memory from here on.
    pub(super) fn loaded(&mut self) -> anyhow::Result<&Loaded> {
        let loaded = match self.loaded.take() {
            Some(loaded) => loaded,
            None => self.load()?,
        };
        Ok(self.loaded.insert(loaded))
    }

    fn load(&self) -> anyhow::Result<Loaded> {
        let file = model::open(&self.source)?;
        let model = self.computer.backend().load(&file)?;
        Ok(Loaded { file, model, crew: self.crew })
    }

    /// The times of a piece of work.
    pub(super) fn measure(&mut self, measure: Measure, iterations: usize) -> anyhow::Result<Vec<Took>> {
        let long = self.long;
        match measure {
            Measure::Load => self.measure_loading(iterations),
            Measure::Mel => self.loaded()?.mel(iterations),
            Measure::Encoder => self.loaded()?.encoder(1, iterations),
            Measure::EncoderBatch16 => self.loaded()?.encoder(16, iterations),
            Measure::CrossKeysValues => self.loaded()?.cross_keys_values(iterations),
            Measure::DecodeStep => self.loaded()?.decode_step(1, iterations),
            Measure::DecodeStepBatch4 => self.loaded()?.decode_step(4, iterations),
            Measure::DecodeStepBatch8 => self.loaded()?.decode_step(8, iterations),
            Measure::GreedyStep => self.loaded()?.greedy_step(1, iterations),
            Measure::GreedyStepBatch8 => self.loaded()?.greedy_step(8, iterations),
            Measure::GreedyStepBatch64 => self.loaded()?.greedy_step(64, iterations),
            Measure::GreedyStepBatch256 => self.loaded()?.greedy_step(256, iterations),
            Measure::FirstToken => self.loaded()?.transcript(&Whole::FIRST_TOKEN, iterations),
            Measure::Window => self.loaded()?.transcript(&Whole::WINDOW, iterations),
            Measure::WindowBeam5 => self.loaded()?.transcript(&Whole::WINDOW_BEAM, iterations),
            Measure::Long => self.loaded()?.transcript(&long, iterations),
        }
    }

    /// Never two at once: the memory that a run needs is that of one model.
    fn measure_loading(&mut self, iterations: usize) -> anyhow::Result<Vec<Took>> {
        repeat(iterations, || {
            self.loaded = None;
            let begun = Instant::now();
            self.loaded = Some(self.load()?);
            Ok(Took::since(begun))
        })
    }
}
