//! Segments: what a transcript is made of, and how windows of sound become it.

mod cut;
mod seek;
mod story;

use serde::{Deserialize, Serialize};

pub use cut::{Cut, Piece, cut};
pub use seek::{Clips, Seek, Window};
pub use story::Story;

use crate::tokens::Token;

/// What was said in a recording, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The whole text, as the model wrote it (it usually begins with a space).
    pub text: String,
    /// The pieces of it, in order of time.
    pub segments: Vec<Segment>,
    /// Code of the language spoken (`en`), or of the language that was asked for.
    pub language: String,
    /// Length of the recording in seconds.
    pub duration: f64,
}

/// A stretch of speech with one start and one end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Number within the transcript, from 0.
    pub id: usize,
    /// First frame (10 ms) of the window it was heard in.
    pub seek: u64,
    /// Seconds from the beginning of the recording.
    pub start: f64,
    /// Seconds from the beginning of the recording; never before `start`.
    pub end: f64,
    /// The text, with the leading space that the model gives it.
    pub text: String,
    /// The tokens it was read from, timestamps among them.
    pub tokens: Vec<Token>,
    /// Temperature it was sampled at; 0 is greedy.
    pub temperature: f32,
    /// Mean log probability of the window's tokens.
    pub avg_logprob: f32,
    /// Bytes of the window's text over bytes of it compressed: high where it repeats itself.
    pub compression_ratio: f32,
    /// How probable the model found it that the window holds no speech.
    pub no_speech_prob: f32,
    /// The words with their times, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<Word>>,
}

/// A word and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// The word with its leading space and the punctuation that belongs to it.
    pub word: String,
    /// Seconds from the beginning of the recording.
    pub start: f64,
    /// Seconds from the beginning of the recording.
    pub end: f64,
    /// Mean probability of its tokens.
    pub probability: f32,
}
