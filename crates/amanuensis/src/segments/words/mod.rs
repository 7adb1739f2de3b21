//! Word times: when each word was said, read from what the decoder looked at while it wrote.
//!
//! The way of openai/whisper, in steps: [`align`] lets the decoder read a window's text once more and finds the way of
//! its attention through the sound; [`add_words`] deals the words out to the pieces of the window and mends what is too
//! long; [`judge`] says where to go on, and drops what looks invented between silences.

mod align;
mod anomaly;
mod gaze;
mod place;
mod punctuation;
mod split;
mod warp;

pub use align::{AlignedWord, Alignment, align};
pub use anomaly::{Judged, Judging, is_anomalous, judge};
pub use place::{Spoken, WordedPiece, add_words, deal_anew};
pub use punctuation::Punctuation;

use crate::speech::Heard;
use crate::tokens::Token;

/// A word, and when it was heard.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeardWord {
    /// The word with its leading space and the punctuation that belongs to it.
    pub word: String,
    /// When it begins.
    pub start: Heard,
    /// When it ends; never before it begins.
    pub end: Heard,
    /// Mean probability of its tokens, without those of its punctuation.
    pub probability: f32,
    /// How sharply the decoder looked at one moment while it wrote the word: see [`AlignedWord::alignment`].
    pub alignment: f32,
    /// Its tokens, punctuation included.
    pub tokens: Vec<Token>,
}
