//! A stretch of a recording in which one window follows the other, and what was said in it.
//!
//! A recording that is transcribed window by window is one strand; one that is transcribed in a batch is cut into
//! many, each short, which know nothing of each other.

use super::evidence;
use super::options::Options;
use crate::decoding::Decoded;
use crate::segments::{
    self, AlignedWord, Clips, Cut, HeardWord, Judging, Seek, Segment, Spoken, Story, Window, Word, WordedPiece,
    add_words, deal_anew, judge,
};
use crate::speech::{Heard, TimeMap};
use crate::tokens::{Token, Tokenizer};

/// One strand on its way.
pub(super) struct Strand {
    pub(super) seek: Seek,
    pub(super) story: Story,
    /// Whether its next window begins with the prefix.
    pub(super) prefixed: bool,
    /// Where speech was last heard.
    pub(super) last_speech: Heard,
    /// Code of the language of its last window.
    pub(super) language: String,
    /// How often its next window was decoded in a short context, in vain: it is to be heard in the whole one.
    pub(super) in_vain: Option<u32>,
    /// What was said in it.
    pub(super) segments: Vec<Segment>,
}

/// What all segments of a recording are made with.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) options: &'a Options,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) map: &'a TimeMap,
    /// Probabilities of speech in the recording, where they are known.
    pub(super) speech: Option<&'a [f32]>,
    /// Length of the recording in seconds.
    pub(super) duration: f64,
    /// Frames of sound that the model hears of it.
    pub(super) content: u64,
}

/// What a window came to.
pub(super) struct Heeded<'a> {
    pub(super) window: Window,
    pub(super) decoded: &'a Decoded,
    /// Whether its text is still that of the prompt after the prompt was left out.
    pub(super) leaked: bool,
    pub(super) cut: Cut,
    /// Its words, if they are to have times.
    pub(super) words: Option<Vec<AlignedWord>>,
}

/// A piece of a window.
struct Piece {
    start: Heard,
    end: Heard,
    tokens: Vec<Token>,
    /// Of each of the tokens, where they are kept.
    logprobs: Vec<f32>,
    words: Option<WordedPiece>,
}

impl Strand {
    /// Begins with the first of `clips`. Nothing is known of what was said before it.
    pub(super) fn new(clips: Clips, story: Story, prefixed: bool, language: &str) -> Self {
        let (last_speech, language) = (Heard::from_frames(clips.start()), language.to_owned());
        Strand { seek: Seek::new(clips), story, prefixed, last_speech, language, in_vain: None, segments: Vec::new() }
    }

    /// Takes what was said in a window, and goes on to the next.
    pub(super) fn heed(&mut self, heeded: Heeded<'_>, around: Surroundings<'_>) {
        let Heeded { window, decoded, leaked, cut, words } = heeded;
        let mut next = cut.next;
        let worded = match (words, &around.options.words) {
            (Some(words), Some(punctuation)) => {
                let spoken: Vec<Spoken<'_>> = cut.pieces.iter().map(spoken).collect();
                let special = around.tokenizer.special();
                let start = Heard::from_frames(window.start);
                let mut pieces = add_words(start, &spoken, words, punctuation, special.end_of_text, self.last_speech);
                let end = Heard::from_frames(window.start + window.frames);
                pieces.iter_mut().for_each(|piece| piece.end_by(end));
                let judging = Judging {
                    window,
                    content: around.content,
                    next,
                    // Behind the words of a loop there is the loop again.
                    heard_to_end: cut.heard_to_end || decoded.looped,
                    last_speech: self.last_speech,
                };
                let judged = judge(&judging, &pieces, around.options.hallucination_silence_threshold);
                self.last_speech = judged.last_speech;
                next = judged.next;
                if judged.again {
                    self.seek.advance(window, next);
                    return;
                }
                pieces.truncate(judged.kept);
                deal_anew(&mut pieces, &spoken, special.end_of_text);
                Some(pieces)
            }
            _ => None,
        };
        self.seek.advance(window, next);
        // The pieces lie one behind the other in the window's tokens.
        let mut logprobs = decoded.logprobs.iter().copied();
        let mut of = |tokens: &[Token]| logprobs.by_ref().take(tokens.len()).collect();
        let pieces: Vec<Piece> = match worded {
            Some(worded) => cut
                .pieces
                .into_iter()
                .zip(worded)
                .map(|(piece, words)| Piece {
                    start: words.start,
                    end: words.end,
                    logprobs: of(&piece.tokens),
                    tokens: piece.tokens,
                    words: Some(words),
                })
                .collect(),
            None => cut
                .pieces
                .into_iter()
                .map(|piece| Piece {
                    start: Heard::from_frames(piece.start),
                    end: Heard::from_frames(piece.end),
                    logprobs: of(&piece.tokens),
                    tokens: piece.tokens,
                    words: None,
                })
                .collect(),
        };
        self.add(window, decoded, leaked, pieces, around);
    }

    /// Adds the pieces of a window, but for those without text or without length.
    fn add(&mut self, window: Window, decoded: &Decoded, leaked: bool, pieces: Vec<Piece>, around: Surroundings<'_>) {
        let flags = evidence::of_window(decoded, around.options, leaked);
        let mut doubtful = decoded.temperature > around.options.prompt_reset_on_temperature;
        for piece in pieces {
            let text = around.tokenizer.decode(&piece.tokens);
            if piece.start >= piece.end || text.trim().is_empty() {
                continue;
            }
            let (start, end) = times(&piece, around);
            if start >= end {
                continue;
            }
            self.story.tell(&piece.tokens);
            self.prefixed = false;
            let speech = around.speech.map(|probabilities| evidence::speech(probabilities, start, end));
            let words = piece.words.as_ref().map(|piece| piece.words.as_slice());
            let mut segment = Segment {
                id: 0,
                seek: around.map.start(Heard::from_frames(window.start)).frame(),
                start,
                end,
                text,
                tokens: piece.tokens,
                logprobs: piece.logprobs,
                temperature: decoded.temperature,
                avg_logprob: decoded.avg_logprob,
                compression_ratio: decoded.compression_ratio,
                no_speech_prob: decoded.no_speech_prob,
                words: words.map(|words| recorded(words, start, end, around)),
                language: self.language.clone(),
                channel: None,
                speaker: None,
                tries: decoded.tries,
                speech,
                alignment: piece.words.as_ref().and_then(WordedPiece::alignment),
                flags: flags.clone(),
            };
            evidence::of_segment(&mut segment, words);
            doubtful |= around.options.guard && evidence::make_doubtful(&segment.flags);
            self.segments.push(segment);
        }
        doubtful |= around.options.guard && evidence::make_doubtful(&flags);
        self.story.close_window(doubtful);
    }
}

fn spoken(piece: &segments::Piece) -> Spoken<'_> {
    Spoken { start: Heard::from_frames(piece.start), end: Heard::from_frames(piece.end), tokens: &piece.tokens }
}

/// How far the times that the model says may lie beside the place where a silence was left out, in seconds: less than
/// what is usually kept beside speech.
const SLACK: f64 = 0.2;

/// Milliseconds: what no clock of sound is more exact than.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Where a piece lies in the recording.
fn times(piece: &Piece, around: Surroundings<'_>) -> (f64, f64) {
    let within = |seconds: f64| rounded(seconds).clamp(0.0, around.duration);
    let ends = piece.words.as_ref().and_then(|piece| Some((piece.words.first()?, piece.words.last()?)));
    match ends {
        // As its words lie: they do not leave the stretch they were heard in.
        Some((first, last)) if around.options.vad.is_some() => {
            let start = around.map.word(first.start, first.end).0;
            let end = around.map.word(last.start, last.end).1;
            (within(start.seconds()), within(end.seconds()))
        }
        _ => {
            let (start, end) = around.map.stretch(piece.start, piece.end, SLACK);
            (within(start.seconds()), within(end.seconds()))
        }
    }
}

/// The words of a segment from `start` to `end` as they lie in the recording, none before the one before it.
fn recorded(words: &[HeardWord], start: f64, end: f64, around: Surroundings<'_>) -> Vec<Word> {
    let mut before = start;
    let word = |word: &HeardWord| {
        let (from, to) = around.map.word(word.start, word.end);
        let from = rounded(from.seconds()).clamp(before, end);
        let to = rounded(to.seconds()).clamp(from, end);
        before = to;
        Word { word: word.word.clone(), start: from, end: to, probability: word.probability }
    };
    words.iter().map(word).collect()
}
