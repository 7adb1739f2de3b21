//! Cutting: from the tokens of one window to segments, and to where the next window begins.

use super::Window;
use crate::tokens::{Special, Token};

/// Frames of 10 ms in one step of the timestamps, which is 20 ms.
const FRAMES_PER_STEP: u64 = 2;

/// What a window's tokens were cut into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The pieces, in order; the first and the last frame of each, counted from the recording's beginning.
    pub pieces: Vec<Piece>,
    /// The frame at which the next window begins.
    pub next: u64,
    /// Whether the last timestamp stands alone: the window was heard to its end.
    pub heard_to_end: bool,
}

/// One piece of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Frame of its start.
    pub start: u64,
    /// Frame of its end.
    pub end: u64,
    /// Its tokens, timestamps among them.
    pub tokens: Vec<Token>,
}

/// All of a window in which no times were asked for: one piece, from its first frame to its last.
pub fn uncut(window: Window, tokens: &[Token]) -> Cut {
    let end = window.start + window.frames;
    Cut { pieces: vec![Piece { start: window.start, end, tokens: tokens.to_vec() }], next: end, heard_to_end: false }
}

/// Cuts the tokens of `window` where two timestamps follow each other.
///
/// A window whose last timestamp stands alone was heard to its end. Otherwise what follows the last
/// pair is unfinished, and the next window begins at that pair's time and hears it again. A window
/// without pairs is one segment. No piece ends behind the sound of the window, even if the model says so.
pub fn cut(window: Window, tokens: &[Token], special: &Special) -> Cut {
    let steps = |token: Token| u64::from(token.saturating_sub(special.timestamp_begin));
    let is_timestamp = |token: Token| special.is_timestamp(token);
    let frame = |token: Token| window.start + steps(token) * FRAMES_PER_STEP;
    let end_of_window = window.start + window.frames;
    let piece = |start: u64, end: u64, tokens: &[Token]| Piece {
        // What is said to begin behind the sound keeps its text, and the last moment of the sound.
        start: start.min(end_of_window.saturating_sub(FRAMES_PER_STEP)).max(window.start),
        end: end.min(end_of_window),
        tokens: tokens.to_vec(),
    };

    let mut ends: Vec<usize> =
        (1..tokens.len()).filter(|&i| is_timestamp(tokens[i - 1]) && is_timestamp(tokens[i])).collect();
    let heard_to_end = matches!(tokens, [.., text, last] if !is_timestamp(*text) && is_timestamp(*last));

    if ends.is_empty() {
        let last = tokens.iter().rev().find(|token| is_timestamp(**token)).map(|token| steps(*token));
        let frames = last.filter(|steps| *steps > 0).map_or(window.frames, |steps| steps * FRAMES_PER_STEP);
        let pieces = vec![piece(window.start, window.start + frames, tokens)];
        return Cut { pieces, next: end_of_window, heard_to_end };
    }

    let next = if heard_to_end {
        ends.push(tokens.len());
        end_of_window
    } else {
        frame(tokens[ends[ends.len() - 1] - 1])
    };
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let between = |(start, end): (usize, usize)| {
        let tokens = &tokens[start..end];
        piece(frame(tokens[0]), frame(tokens[tokens.len() - 1]), tokens)
    };
    Cut { pieces: starts.zip(ends.iter().copied()).map(between).collect(), next, heard_to_end }
}

#[cfg(test)]
mod tests;
