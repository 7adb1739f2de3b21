//! What a detector of speech is asked for, by the names that faster-whisper, Silero and whisper.cpp give it.

/// Which stretches count as speech.
#[derive(Debug, Clone, PartialEq)]
pub struct VadOptions {
    /// Speech begins where its probability reaches this.
    pub threshold: f32,
    /// Speech ends where its probability stays below this; the threshold less 0.15 if not given.
    pub neg_threshold: Option<f32>,
    /// Shorter speech is dropped, in milliseconds.
    pub min_speech_duration_ms: u32,
    /// Longer speech is cut, at a silence if there is one, in seconds.
    pub max_speech_duration_s: f64,
    /// Silence within speech that is shorter than this does not end it, in milliseconds.
    pub min_silence_duration_ms: u32,
    /// What is kept on either side of speech, in milliseconds.
    pub speech_pad_ms: u32,
}

impl Default for VadOptions {
    /// faster-whisper's defaults for one window after the other.
    fn default() -> Self {
        VadOptions {
            threshold: 0.5,
            neg_threshold: None,
            min_speech_duration_ms: 0,
            max_speech_duration_s: f64::INFINITY,
            min_silence_duration_ms: 2000,
            speech_pad_ms: 400,
        }
    }
}

impl VadOptions {
    /// faster-whisper's defaults for chunks of at most so many seconds that are transcribed in one batch.
    pub fn batched(chunk_seconds: f64) -> Self {
        VadOptions { max_speech_duration_s: chunk_seconds, min_silence_duration_ms: 160, ..VadOptions::default() }
    }
}
