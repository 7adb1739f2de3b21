//! Segments: what a transcript is made of, and how windows of sound become it.

mod cut;
mod seek;
mod story;
mod words;

use serde::{Deserialize, Serialize};

pub use cut::{Cut, Piece, cut, uncut};
pub use seek::{Clips, Seek, Window};
pub use story::Story;
pub use words::{
    AlignedWord, Alignment, HeardWord, Judged, Judging, Punctuation, Spoken, WordedPiece, add_words, align, deal_anew,
    is_anomalous, judge,
};

use crate::backend::Share;
use crate::tokens::Token;

/// What was said in a recording, and when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The whole text, as the model wrote it (it usually begins with a space).
    pub text: String,
    /// The pieces of it, in order of time.
    pub segments: Vec<Segment>,
    /// Code of the language spoken (`en`), or of the language that was asked for; empty if there was nothing to hear.
    pub language: String,
    /// Length of the recording in seconds.
    pub duration: f64,
    /// How it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// A stretch of speech with one start and one end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// The log probability of each of them, where they were asked to be kept; 0 for what was not the model's choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<f32>,
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
    /// Code of the language it was heard in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// The channel it was heard on, from 0, where channels were transcribed apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<usize>,
    /// Who speaks, where somebody gave a name; everything that they say is on one channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// How often its window was decoded until the result was taken.
    #[serde(default)]
    pub tries: u32,
    /// How much of it the detector of speech found to be speech, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<f32>,
    /// How sharply the model looked at the sound while it wrote the words, from 0 to 1; known with word times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f32>,
    /// What speaks against the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
}

/// A sign that a text may not be what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The decoder was caught in a loop and stopped.
    Loop,
    /// The window's text repeats itself more than speech does.
    Repetitive,
    /// The window's tokens are improbable on average.
    Unlikely,
    /// Little or no speech was detected where the text is said to be.
    Silence,
    /// The words are too short, too long or too improbable, or the text is far too little or too much for its time.
    Anomalous,
    /// The text is that of the prompt.
    PromptLeak,
    /// The text was sampled at a temperature above 0.5.
    Guessed,
}

/// A word and its time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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

/// How a transcript came about: enough to make it again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The program and its version.
    pub program: String,
    /// The model's name.
    pub model: String,
    /// SHA-256 of the file of its weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_sha256: Option<String>,
    /// The devices that did the work, as they said themselves.
    pub devices: Vec<String>,
    /// What part of the work of encoding and of preparing to decode each did, of all that was heard together, where more than one
    /// was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<Share>,
    /// What was asked for, by the names of the options.
    pub options: std::collections::BTreeMap<String, String>,
    /// How much of the model's context was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contexts: Option<Contexts>,
    /// What could not be done as it was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How much of the model's context the windows of a recording were heard in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contexts {
    /// Windows that the encoder ran over.
    pub windows: u64,
    /// Positions of these windows; 1500 are the whole context.
    pub positions: u64,
    /// Windows that were heard in less than the whole context.
    pub shortened: u64,
    /// Those of them that were heard again in all of it, for the text was not certain.
    pub repeated: u64,
}

impl std::ops::AddAssign for Contexts {
    fn add_assign(&mut self, other: Contexts) {
        self.windows += other.windows;
        self.positions += other.positions;
        self.shortened += other.shortened;
        self.repeated += other.repeated;
    }
}
