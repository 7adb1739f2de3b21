//! What finds speech in a sound, whichever way it does it.

mod silero;
mod voicing;

use std::ops::ControlFlow;

pub use silero::Silero;
pub use voicing::{Voicing, VoicingStream};

use amanuensis_kernels::UnsupportedIsa;

use crate::audio::{AudioError, Sound};
use crate::crew::Crew;

/// Samples that one probability of speech stands for: 32 ms.
pub const FRAME_SAMPLES: usize = 512;

/// Hears after every block, on the calling thread, how many samples have been looked at, and may stop the work.
pub type Watch<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// Tells speech from everything else.
pub trait Detector: Send + Sync {
    /// What it is called.
    fn name(&self) -> &str;

    /// The probability of speech in each frame of [`FRAME_SAMPLES`], the last of which zeros may fill up.
    ///
    /// The sound is read in blocks: only the probabilities grow with its length, by 4 bytes for 32 ms. They are the same however
    /// many threads the crew has.
    fn probabilities(&self, sound: &dyn Sound, crew: Crew, watch: Watch<'_>) -> Result<Vec<f32>, SpeechError>;
}

/// Why there are no probabilities of speech.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeechError {
    /// The caller asked to stop.
    #[error("looking for speech was cancelled")]
    Cancelled,
    /// The sound cannot be read.
    #[error(transparent)]
    Sound(#[from] AudioError),
    /// The operating system refused the file of weights.
    #[error("{file}: cannot be read: {reason}")]
    Read {
        /// The file.
        file: String,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// What the file holds is not the weights of a detector.
    #[error(
        "{file}: {reason}; weights of Silero's detector are ggml-silero-v6.2.0.bin of whisper.cpp or silero_vad_16k.safetensors of its own repository"
    )]
    Weights {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The instruction set that was asked for cannot be used here.
    #[error(transparent)]
    Processor(#[from] UnsupportedIsa),
}
