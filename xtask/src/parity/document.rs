//! A transcript as both sides write it: openai-whisper's JSON, with what the peer's recorder adds.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// A transcript.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Document {
    pub(super) text: String,
    #[serde(default)]
    pub(super) segments: Vec<Segment>,
    /// Length of the recording; the peer's recorder says it.
    #[serde(default)]
    pub(super) seconds: f64,
    /// Every window the peer decoded; openai-whisper only.
    #[serde(default)]
    pub(super) windows: Vec<Window>,
    /// All tokens; transformers only.
    #[serde(default)]
    pub(super) tokens: Vec<u32>,
}

/// A segment. A measure that is no finite number is absent; so are all of them where the peer does not tell.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Segment {
    #[serde(default)]
    pub(super) seek: u64,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) text: String,
    pub(super) tokens: Vec<u32>,
    #[serde(default)]
    pub(super) avg_logprob: Option<f64>,
    #[serde(default)]
    pub(super) no_speech_prob: Option<f64>,
    #[serde(default)]
    pub(super) compression_ratio: Option<f64>,
    #[serde(default)]
    pub(super) words: Option<Vec<Word>>,
}

/// A word with its times.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Word {
    pub(super) word: String,
    pub(super) start: f64,
    pub(super) end: f64,
}

/// A window the peer decoded.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Window {
    pub(super) seek: u64,
    pub(super) tokens: Vec<u32>,
    pub(super) temperature: f64,
    /// The lead of each token over the next best, and of the end behind them; unknown for beams.
    #[serde(default)]
    pub(super) margins: Vec<Option<f64>>,
    /// The lead of the best beam over the next best, in what they are ranked by.
    #[serde(default)]
    pub(super) rank_margin: Option<f64>,
}

impl Document {
    /// Reads one from a file.
    pub(super) fn read(path: &Path) -> Result<Document> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no transcript", path.display()))
    }

    /// Whether the peer fell back on sampling, which no other program can repeat.
    pub(super) fn was_sampled(&self) -> bool {
        self.windows.iter().any(|window| window.temperature > 0.0)
    }

    /// The tokens of words: those before the end-of-text token.
    pub(super) fn text_tokens(&self, end_of_text: u32) -> Vec<u32> {
        let of_segments = self.segments.iter().flat_map(|segment| &segment.tokens);
        of_segments.chain(&self.tokens).copied().filter(|token| *token < end_of_text).collect()
    }
}
