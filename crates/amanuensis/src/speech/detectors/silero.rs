//! Silero's voice activity detector, version 5 and 6, for 16 kHz: 309,633 weights, read from a file.
//!
//! ```text
//! 64 + 512 samples, mirrored by 64 -> STFT: 4 x 129 magnitudes -> 4 convolutions: 128 -> LSTM 128 -> 1 -> sigmoid
//! ```

mod file;
mod network;

use std::io::Read;
use std::path::Path;

use amanuensis_kernels::{Kernels, Team};

use super::{Detector, FRAME_SAMPLES, SpeechError, Watch};
use crate::audio::Sound;
use crate::crew::Crew;
use network::{CONTEXT, Network, State};

/// Frames that are computed at a time: two seconds; more rows make the products no faster.
const BLOCK: usize = 64;
/// Bytes that a file may have. The real ones have 0.9 to 1.3 MB.
const LARGEST_FILE: u64 = 16 << 20;

/// Silero's detector with its weights.
#[derive(Debug)]
pub struct Silero {
    network: Network,
    kernels: &'static Kernels,
}

impl Silero {
    /// Reads the weights from a file: whisper.cpp's (`ggml-silero-v6.2.0.bin`) or Silero's own
    /// (`silero_vad_16k.safetensors`), told apart by their content.
    pub fn open(path: &Path) -> Result<Self, SpeechError> {
        let name = path.display().to_string();
        let failed = |reason| SpeechError::Read { file: name.clone(), reason };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
        Self::from_bytes(&name, &bytes)
    }

    /// The same from what is in a file of this name.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, SpeechError> {
        let refused = |reason| SpeechError::Weights { file: name.to_owned(), reason };
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(refused(format!(
                "it has more than {LARGEST_FILE} bytes, and Silero's have 0.9 to 1.3 million"
            )));
        }
        let weights = file::read(bytes).map_err(refused)?;
        let kernels = Kernels::detect()?;
        Ok(Silero { network: Network::new(kernels, &weights), kernels })
    }
}

impl Detector for Silero {
    fn name(&self) -> &str {
        "silero"
    }

    fn probabilities(&self, sound: &dyn Sound, _: Crew, watch: Watch<'_>) -> Result<Vec<f32>, SpeechError> {
        let samples = sound.samples();
        let frames = samples.div_ceil(FRAME_SAMPLES as u64);
        let mut probabilities = Vec::with_capacity(usize::try_from(frames).unwrap_or(0));
        // One thread: a block's products are too small to share, and its steps follow from each other.
        let mut team = Team::new(self.kernels, std::num::NonZeroUsize::MIN);
        let mut state = State::default();
        let mut heard = vec![0.0; CONTEXT];
        let mut next = 0;
        while next < frames {
            let count = (frames - next).min(BLOCK as u64) as usize;
            heard.drain(..heard.len() - CONTEXT);
            heard.resize(CONTEXT + count * FRAME_SAMPLES, 0.0);
            sound.read(next * FRAME_SAMPLES as u64, &mut heard[CONTEXT..])?;
            team.enter(|region| self.network.run(region, &heard, &mut state, &mut probabilities));
            next += count as u64;
            if watch((next * FRAME_SAMPLES as u64).min(samples)).is_break() {
                return Err(SpeechError::Cancelled);
            }
        }
        Ok(probabilities)
    }
}

#[cfg(test)]
mod tests;
