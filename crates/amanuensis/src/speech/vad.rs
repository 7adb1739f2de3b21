//! Voice activity detection as a whole: which detector, and what counts as speech for it.

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::{Detector, Silero, SpeechError, VadOptions, Voicing};
use crate::audio::Sound;

/// What finds speech, and which stretches count as such.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vad {
    /// Which detector.
    pub detector: DetectorChoice,
    /// Which stretches count.
    pub options: VadOptions,
}

/// Which detector is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DetectorChoice {
    /// The one that needs no weights: [`Voicing`].
    #[default]
    BuiltIn,
    /// [`Silero`], with the weights of a file.
    Silero(PathBuf),
}

impl Vad {
    /// The probability of speech in each frame of the sound. `proceed` is asked now and then, and may end the work by an
    /// error of its own.
    pub fn probabilities<E: From<SpeechError>>(
        &self,
        sound: &dyn Sound,
        proceed: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Vec<f32>, E> {
        let mut stopped = None;
        let mut watch = |_: u64| match proceed() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                stopped = Some(error);
                ControlFlow::Break(())
            }
        };
        let probabilities = match &self.detector {
            DetectorChoice::BuiltIn => Voicing.probabilities(sound, &mut watch),
            DetectorChoice::Silero(path) => {
                Silero::open(path).and_then(|silero| silero.probabilities(sound, &mut watch))
            }
        };
        match (probabilities, stopped) {
            (_, Some(error)) => Err(error),
            (probabilities, None) => Ok(probabilities?),
        }
    }
}

impl fmt::Display for Vad {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VadOptions {
            threshold,
            neg_threshold,
            min_speech_duration_ms,
            max_speech_duration_s,
            min_silence_duration_ms,
            speech_pad_ms,
        } = self.options;
        let neg = neg_threshold.map_or_else(|| "none".to_owned(), |threshold| threshold.to_string());
        let detector = match &self.detector {
            DetectorChoice::BuiltIn => "built in",
            DetectorChoice::Silero(_) => "silero",
        };
        write!(
            formatter,
            "{detector}, threshold {threshold}, neg_threshold {neg}, min_speech_duration_ms {min_speech_duration_ms}, \
             max_speech_duration_s {max_speech_duration_s}, min_silence_duration_ms {min_silence_duration_ms}, \
             speech_pad_ms {speech_pad_ms}"
        )
    }
}
