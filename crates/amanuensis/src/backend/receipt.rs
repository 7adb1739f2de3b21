//! Receipts: what ran where, and how long it took, written by the layer that saw it happen.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::placement::Placement;

/// A stage of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Reading the file: container, codec, resampling.
    Decode,
    /// Looking for speech.
    Speech,
    /// The log-mel spectrogram.
    Mel,
    /// The encoder's two convolutions.
    Stem,
    /// Attention of an encoder layer, with its norm and projections.
    EncoderAttention(usize),
    /// Feed-forward part of an encoder layer, with its norm.
    EncoderFeedForward(usize),
    /// The norm behind the last encoder layer.
    EncoderNorm,
    /// Keys and values of the cross-attention, once for each window.
    CrossKeysValues,
    /// The decoder's layers.
    Decoder,
    /// The projection onto the vocabulary.
    Logits,
    /// Rules, choice of tokens, cutting of segments.
    Search,
    /// Times of words, once the decoder has read the text again.
    Words,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Decode => write!(f, "decode sound"),
            Stage::Speech => write!(f, "speech detection"),
            Stage::Mel => write!(f, "log-mel"),
            Stage::Stem => write!(f, "encoder stem"),
            Stage::EncoderAttention(layer) => write!(f, "encoder {layer} attention"),
            Stage::EncoderFeedForward(layer) => write!(f, "encoder {layer} feed-forward"),
            Stage::EncoderNorm => write!(f, "encoder norm"),
            Stage::CrossKeysValues => write!(f, "cross keys and values"),
            Stage::Decoder => write!(f, "decoder layers"),
            Stage::Logits => write!(f, "logits"),
            Stage::Search => write!(f, "search"),
            Stage::Words => write!(f, "word times"),
        }
    }
}

/// What ran where during one piece of work.
#[derive(Debug, Clone, Default)]
pub struct Receipt {
    devices: Vec<String>,
    /// Who did how much of the encoder's work, and who did not.
    pub placement: Placement,
    stages: BTreeMap<Stage, (Duration, u64)>,
    /// How much of the stages' time went by while others ran: all of them took so much less together.
    pub beside: Duration,
    /// Windows that the encoder ran over.
    pub windows: u64,
    /// Positions of these windows: 1500 for each that was heard in the model's whole context.
    pub positions: u64,
    /// Tokens that the decoder was given.
    pub tokens: u64,
}

/// The time that a stage took, for reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageTime {
    /// The stage, in words.
    pub stage: String,
    /// Seconds spent in it.
    pub seconds: f64,
    /// How often it ran.
    pub count: u64,
}

impl Receipt {
    /// Notes that `device` did work.
    pub fn ran_on(&mut self, device: &str) {
        if !self.devices.iter().any(|known| known == device) {
            self.devices.push(device.to_owned());
        }
    }

    /// Notes that `device` did work of so many operations: multiplications and additions of the encoder's products and
    /// attention, and of the cross-attention's keys and values.
    pub fn did(&mut self, device: &str, operations: u64) {
        self.ran_on(device);
        self.placement.did(device, operations);
    }

    /// Adds a run of `stage` that took `time`.
    pub fn add(&mut self, stage: Stage, time: Duration) {
        let entry = self.stages.entry(stage).or_default();
        entry.0 += time;
        entry.1 += 1;
    }

    /// Adds a run of `stage` that began at `since`, and moves `since` to now.
    pub fn lap(&mut self, stage: Stage, since: &mut Instant) {
        let now = Instant::now();
        self.add(stage, now - *since);
        *since = now;
    }

    /// Adds what `other` saw.
    pub fn merge(&mut self, other: &Receipt) {
        other.devices.iter().for_each(|device| self.ran_on(device));
        self.placement.merge(&other.placement);
        for (stage, (time, count)) in &other.stages {
            let entry = self.stages.entry(*stage).or_default();
            entry.0 += *time;
            entry.1 += count;
        }
        self.beside += other.beside;
        self.windows += other.windows;
        self.positions += other.positions;
        self.tokens += other.tokens;
    }

    /// The devices on which work was observed.
    pub fn devices(&self) -> &[String] {
        &self.devices
    }

    /// The time that those stages took together which are wanted.
    pub fn time_of(&self, wanted: impl Fn(Stage) -> bool) -> Duration {
        self.stages.iter().filter(|(stage, _)| wanted(**stage)).map(|(_, (time, _))| *time).sum()
    }

    /// The time that all stages took, where what went by at once is counted once.
    pub fn spent(&self) -> Duration {
        self.time_of(|_| true).saturating_sub(self.beside)
    }

    /// All stages that ran, in the order of the line.
    pub fn stages(&self) -> Vec<StageTime> {
        let time = |(stage, (time, count)): (&Stage, &(Duration, u64))| StageTime {
            stage: stage.to_string(),
            seconds: time.as_secs_f64(),
            count: *count,
        };
        self.stages.iter().map(time).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_some_stages_are_added() {
        let mut receipt = Receipt::default();
        for (stage, seconds) in [(Stage::Stem, 1), (Stage::Search, 2), (Stage::Stem, 4), (Stage::EncoderNorm, 8)] {
            receipt.add(stage, Duration::from_secs(seconds));
        }
        assert_eq!(receipt.time_of(|stage| stage != Stage::Search), Duration::from_secs(13));
        assert_eq!(receipt.time_of(|stage| stage == Stage::Mel), Duration::ZERO);
    }
}
