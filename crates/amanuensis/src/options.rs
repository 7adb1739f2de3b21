//! What a transcription can be asked for, and how it is watched and stopped.

use std::sync::atomic::AtomicBool;

use crate::decoding::Decoded;
use crate::mel::Convention;
use crate::segments::Segment;

/// What the text is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Task {
    /// What was said, in its own language.
    #[default]
    Transcribe,
    /// What was said, in English.
    Translate,
}

/// What a transcription is asked for. The defaults are openai/whisper's, but for
/// [`condition_on_previous_text`](Options::condition_on_previous_text); lists of tokens and the latest first
/// timestamp are what the model's files say.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Transcribe or translate.
    pub task: Task,
    /// The language spoken, as a code or an English name; detected in the first window if not given.
    pub language: Option<String>,
    /// Whether segments get times.
    pub timestamps: bool,
    /// A text that is given to the first window as if it had been said before.
    pub initial_prompt: Option<String>,
    /// Whether each window is told what was said in the windows before it.
    ///
    /// Off by default: it gives names one spelling, but it also hands a mistake, or a loop, from window
    /// to window, and nothing here breaks that chain.
    pub condition_on_previous_text: bool,
    /// Tokens that are never said; -1 stands for all symbols that are not spoken. The model's own list if not given.
    pub suppress_tokens: Option<Vec<i64>>,
    /// Whether a window may not begin with a lone space or end at once.
    pub suppress_blank: bool,
    /// A window is silence if the model finds that more probable than this...
    pub no_speech_threshold: Option<f32>,
    /// ...unless its tokens are, on average, more probable than this.
    pub logprob_threshold: Option<f32>,
    /// The parts to be transcribed, in seconds from one to another or to the end; all if empty.
    pub clips: Vec<(f64, Option<f64>)>,
    /// Whose log-mel spectrogram to compute.
    pub mel: Convention,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            task: Task::Transcribe,
            language: None,
            timestamps: true,
            initial_prompt: None,
            condition_on_previous_text: false,
            suppress_tokens: None,
            suppress_blank: true,
            no_speech_threshold: Some(0.6),
            logprob_threshold: Some(-1.0),
            clips: Vec::new(),
            mel: Convention::OpenAi,
        }
    }
}

impl Options {
    /// Whether what was decoded is to be taken for silence.
    pub(crate) fn is_silence(&self, decoded: &Decoded) -> bool {
        let silent = self.no_speech_threshold.is_some_and(|threshold| decoded.no_speech_prob > threshold);
        let certain = self.logprob_threshold.is_some_and(|threshold| decoded.avg_logprob > threshold);
        silent && !certain
    }
}

/// What happens during a transcription.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The language was detected: codes with probabilities, the most probable first.
    Language(&'a [(String, f32)]),
    /// A segment is finished.
    Segment(&'a Segment),
    /// So many seconds of the recording are done.
    Progress {
        /// Seconds that are done. Clips given in falling order are done in that order; otherwise it only grows.
        processed: f64,
        /// Seconds that there are.
        total: f64,
    },
}

/// How a transcription is watched and stopped.
pub struct Control<'a> {
    /// Set it, from any thread, to stop: within one step of the decoder, or one layer of the encoder.
    pub cancel: &'a AtomicBool,
    on_event: Option<&'a mut dyn FnMut(Event<'_>)>,
}

/// What is never set: for work that nobody stops.
static NEVER: AtomicBool = AtomicBool::new(false);

impl<'a> Control<'a> {
    /// No one watches, no one stops it.
    pub fn new() -> Self {
        Control { cancel: &NEVER, on_event: None }
    }

    /// Stops when `cancel` is set, and tells `on_event` what happens.
    pub fn with(cancel: &'a AtomicBool, on_event: &'a mut dyn FnMut(Event<'_>)) -> Self {
        Control { cancel, on_event: Some(on_event) }
    }

    pub(crate) fn tell(&mut self, event: Event<'_>) {
        if let Some(on_event) = &mut self.on_event {
            on_event(event);
        }
    }
}

impl Default for Control<'_> {
    fn default() -> Self {
        Control::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_silence(options: &Options, no_speech_prob: f32, avg_logprob: f32) -> bool {
        options.is_silence(&Decoded {
            tokens: Vec::new(),
            text: String::new(),
            avg_logprob,
            no_speech_prob,
            compression_ratio: 0.0,
            temperature: 0.0,
        })
    }

    #[test]
    fn silence_is_what_is_improbable_twice() {
        let options = Options::default();
        assert!(is_silence(&options, 0.7, -1.2));
        assert!(!is_silence(&options, 0.7, -0.9), "the tokens are certain enough");
        assert!(!is_silence(&options, 0.6, -1.2), "exactly at the threshold is not above it");
        assert!(is_silence(&options, 0.7, -1.0), "nor is this");
    }

    #[test]
    fn thresholds_can_be_left_out() {
        let without_logprob = Options { logprob_threshold: None, ..Options::default() };
        assert!(is_silence(&without_logprob, 0.7, -0.1));
        let without_silence = Options { no_speech_threshold: None, ..Options::default() };
        assert!(!is_silence(&without_silence, 1.0, -9.0));
    }
}
