//! Voice activity detection as a whole: which detector, and what counts as speech for it.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Detector, SpeechError, VadOptions, Voicing};
use crate::audio::Sound;
use crate::crew::Crew;

/// What finds speech, and which stretches count as such.
#[derive(Clone)]
pub struct Vad {
    /// What finds it.
    pub detector: Arc<dyn Detector>,
    /// Which stretches count.
    pub options: VadOptions,
}

impl Default for Vad {
    /// The detector that needs no weights, with the options of one window after the other.
    fn default() -> Self {
        Vad { detector: Arc::new(Voicing), options: VadOptions::default() }
    }
}

impl Vad {
    /// The probability of speech in each frame of the sound. `proceed` is asked now and then, and may end the work by an
    /// error of its own.
    pub fn probabilities<E: From<SpeechError>>(
        &self,
        sound: &dyn Sound,
        crew: Crew,
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
        let probabilities = self.detector.probabilities(sound, crew, &mut watch);
        match (probabilities, stopped) {
            (_, Some(error)) => Err(error),
            (probabilities, None) => Ok(probabilities?),
        }
    }
}

/// Equal are detectors of one name, and equal options.
impl PartialEq for Vad {
    fn eq(&self, other: &Self) -> bool {
        (self.detector.name(), &self.options) == (other.detector.name(), &other.options)
    }
}

impl fmt::Debug for Vad {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Vad({self})")
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
        write!(
            formatter,
            "{}, threshold {threshold}, neg_threshold {neg}, min_speech_duration_ms {min_speech_duration_ms}, \
             max_speech_duration_s {max_speech_duration_s}, min_silence_duration_ms {min_silence_duration_ms}, \
             speech_pad_ms {speech_pad_ms}",
            self.detector.name()
        )
    }
}
