//! The transcript as it grows, window by window.

use super::cut::Piece;
use super::{Segment, Transcript, Window};
use crate::decoding::Decoded;
use crate::mel::FRAMES_PER_SECOND;
use crate::tokens::{Token, Tokenizer};

/// Above this temperature a window's text is too much of a guess to be told to the next one.
const TOO_HOT: f32 = 0.5;

/// What has been said so far.
pub struct Story<'a> {
    tokenizer: &'a Tokenizer,
    duration: f64,
    conditioned: bool,
    segments: Vec<Segment>,
    /// The initial prompt, and behind it every token of every segment.
    said: Vec<Token>,
    /// How many of `said` are the initial prompt.
    prompt: usize,
    /// How many of `said` windows are not told of any more.
    forgotten: usize,
}

impl<'a> Story<'a> {
    /// Nothing was said yet, but `prompt` is to be taken for it. The recording is `duration` seconds long.
    ///
    /// Windows are told what was said in earlier ones only if `conditioned`.
    pub fn new(tokenizer: &'a Tokenizer, duration: f64, prompt: &[Token], conditioned: bool) -> Self {
        let (said, prompt) = (prompt.to_vec(), prompt.len());
        Story { tokenizer, duration, conditioned, segments: Vec::new(), said, prompt, forgotten: 0 }
    }

    /// What the next window is told was said before.
    pub fn context(&self) -> &[Token] {
        &self.said[self.forgotten..]
    }

    /// Adds what a window was cut into; gives the new segments.
    ///
    /// Pieces without text or without length are left out.
    pub fn add(&mut self, window: Window, pieces: Vec<Piece>, decoded: &Decoded) -> &[Segment] {
        let before = self.segments.len();
        for piece in pieces {
            let text = self.tokenizer.decode(&piece.tokens);
            if piece.start >= piece.end || text.trim().is_empty() {
                continue;
            }
            let seconds = |frame: u64| frame as f64 / FRAMES_PER_SECOND as f64;
            self.said.extend(&piece.tokens);
            self.segments.push(Segment {
                id: self.segments.len(),
                seek: window.start,
                start: seconds(piece.start),
                end: seconds(piece.end),
                text,
                tokens: piece.tokens,
                temperature: decoded.temperature,
                avg_logprob: decoded.avg_logprob,
                compression_ratio: decoded.compression_ratio,
                no_speech_prob: decoded.no_speech_prob,
                language: String::new(),
                ..Segment::default()
            });
        }
        if !self.conditioned || decoded.temperature > TOO_HOT {
            self.forgotten = self.said.len();
        }
        &self.segments[before..]
    }

    /// The transcript. Its text is read from all tokens together, so that a character
    /// whose bytes two segments share is whole.
    pub fn finish(self, language: String) -> Transcript {
        let text = self.tokenizer.decode(&self.said[self.prompt..]);
        Transcript { text, segments: self.segments, language, duration: self.duration, provenance: None }
    }
}
