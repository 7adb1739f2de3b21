//! Placing: words go to the pieces they were said in, and those that last too long are cut at the ends.

use super::punctuation::merge;
use super::{AlignedWord, HeardWord, Punctuation};
use crate::speech::Heard;
use crate::tokens::Token;

/// Marks at which a sentence ends.
const SENTENCE_ENDS: &str = ".。!！?？";

/// A word is not expected to last longer on average, in seconds, whatever the median says.
const LONGEST_MEDIAN: f64 = 0.7;

/// How much later than its first word, or earlier than its last, a piece may begin or end before its own time is
/// preferred to theirs, in seconds.
const TRUSTED: f64 = 0.5;

/// A piece of a window, as it was cut.
#[derive(Debug, Clone, Copy)]
pub struct Spoken<'a> {
    /// When it begins.
    pub start: Heard,
    /// When it ends.
    pub end: Heard,
    /// Its tokens; those that are not text are passed over.
    pub tokens: &'a [Token],
}

impl Spoken<'_> {
    fn text_tokens(&self, end_of_text: Token) -> usize {
        self.tokens.iter().filter(|token| **token < end_of_text).count()
    }
}

/// A piece of a window with its words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WordedPiece {
    /// When it begins: with its first word, as a rule.
    pub start: Heard,
    /// When it ends: with its last word, as a rule.
    pub end: Heard,
    /// Its words, in order of time, none of them outside it.
    pub words: Vec<HeardWord>,
}

impl WordedPiece {
    /// Nothing of it is later than `end`: the rules for long words may stretch the last one beyond the sound.
    pub fn end_by(&mut self, end: Heard) {
        let earlier = |moment: Heard| if moment > end { end } else { moment };
        for word in &mut self.words {
            (word.start, word.end) = (earlier(word.start), earlier(word.end));
        }
        (self.start, self.end) = (earlier(self.start), earlier(self.end));
    }

    /// How sharply the decoder looked at the sound, mean over the tokens of the words: none without words.
    pub fn alignment(&self) -> Option<f32> {
        let tokens: usize = self.words.iter().map(|word| word.tokens.len()).sum();
        let sum: f64 = self.words.iter().map(|word| f64::from(word.alignment) * word.tokens.len() as f64).sum();
        (tokens > 0).then(|| (sum / tokens as f64) as f32)
    }
}

/// Deals the words of a window that begins at `window` out to its pieces, as openai/whisper does.
///
/// Marks are merged with their words; words at the end of a sentence or behind a pause that last longer than twice the
/// median are cut; a piece takes the times of its words, unless they go far beyond its own. `last_speech` is when the
/// last word before this window ended. Tokens from `end_of_text` on are not text.
pub fn add_words(
    window: Heard,
    pieces: &[Spoken<'_>],
    mut words: Vec<AlignedWord>,
    punctuation: &Punctuation,
    end_of_text: Token,
    last_speech: Heard,
) -> Vec<WordedPiece> {
    let usual = Usual::of(&words);
    usual.cut_at_sentence_ends(&mut words);
    merge(&mut words, punctuation);

    let mut placed = Vec::with_capacity(pieces.len());
    let mut words = words.into_iter();
    let mut spoken = last_speech.seconds();
    for piece in pieces {
        let wanted = piece.text_tokens(end_of_text);
        let mut taken = 0;
        let mut of_piece = Vec::new();
        while taken < wanted
            && let Some(word) = words.next()
        {
            taken += word.tokens.len();
            if !word.word.is_empty() {
                of_piece.push(Timed {
                    start: hundredths(window.seconds() + word.start),
                    end: hundredths(window.seconds() + word.end),
                    word,
                });
            }
        }
        let (mut start, mut end) = (piece.start.seconds(), piece.end.seconds());
        if !of_piece.is_empty() {
            usual.cut_behind_a_pause(&mut of_piece, spoken);
            (start, end) = usual.agree(&mut of_piece, start, end);
            spoken = end;
        }
        placed.push((start, end, of_piece));
    }
    put_in_order(&mut placed, last_speech.seconds().min(window.seconds()));
    placed.into_iter().map(|(start, end, words)| worded(start, end, words)).collect()
}

/// Deals the words of placed pieces out once more, each to the piece that its text is of.
///
/// A mark that a piece begins with belongs to the last word of the piece before it. openai/whisper counts it twice, so that
/// every piece behind it has a word of the next one; the times of words, and what follows from them, are kept as they are
/// there. A piece whose words change has their times.
pub fn deal_anew(placed: &mut [WordedPiece], pieces: &[Spoken<'_>], end_of_text: Token) {
    let lengths: Vec<usize> = placed.iter().flat_map(|piece| &piece.words).map(|word| word.tokens.len()).collect();
    let mut lengths = lengths.into_iter();
    let (mut said, mut dealt) = (0, 0);
    let mut counts = Vec::with_capacity(placed.len());
    for piece in pieces.iter().take(placed.len()) {
        said += piece.text_tokens(end_of_text);
        let before = lengths.len();
        while dealt < said
            && let Some(length) = lengths.next()
        {
            dealt += length;
        }
        counts.push(before - lengths.len());
    }
    // What is left in the end stays with the last piece.
    if let Some(last) = counts.last_mut() {
        *last += lengths.len();
    }
    if placed.iter().zip(&counts).all(|(piece, count)| piece.words.len() == *count) {
        return;
    }
    let words: Vec<HeardWord> = placed.iter_mut().flat_map(|piece| std::mem::take(&mut piece.words)).collect();
    let mut words = words.into_iter();
    for (piece, count) in placed.iter_mut().zip(counts) {
        piece.words = words.by_ref().take(count).collect();
        if let ([first, ..], [.., last]) = (&piece.words[..], &piece.words[..]) {
            (piece.start, piece.end) = (first.start, last.end);
        }
    }
}

/// A word with its times in seconds of what is heard.
struct Timed {
    start: f64,
    end: f64,
    word: AlignedWord,
}

fn hundredths(seconds: f64) -> f64 {
    (seconds * 100.0).round_ties_even() / 100.0
}

/// How long words last in this window.
struct Usual {
    median: f64,
    longest: f64,
    known: bool,
}

impl Usual {
    fn of(words: &[AlignedWord]) -> Usual {
        let mut durations: Vec<f64> = words.iter().map(|word| word.end - word.start).filter(|d| *d != 0.0).collect();
        durations.sort_by(f64::total_cmp);
        let middle = durations.len() / 2;
        let median = match durations.len() {
            0 => 0.0,
            odd if odd % 2 == 1 => durations[middle],
            _ => (durations[middle - 1] + durations[middle]) / 2.0,
        };
        let median = median.min(LONGEST_MEDIAN);
        Usual { median, longest: median * 2.0, known: !durations.is_empty() }
    }

    fn cut_at_sentence_ends(&self, words: &mut [AlignedWord]) {
        if !self.known {
            return;
        }
        for at in 1..words.len() {
            if words[at].end - words[at].start > self.longest {
                if SENTENCE_ENDS.contains(&words[at].word) {
                    words[at].end = words[at].start + self.longest;
                } else if SENTENCE_ENDS.contains(&words[at - 1].word) {
                    words[at].start = words[at].end - self.longest;
                }
            }
        }
    }

    /// The first and second word behind a pause do not last longer than twice the median.
    fn cut_behind_a_pause(&self, words: &mut [Timed], last_speech: f64) {
        let (first, second) = match words {
            [first, second, ..] => (first, Some(second)),
            [first] => (first, None),
            [] => return,
        };
        let pair_is_long = second.as_ref().is_some_and(|second| second.end - first.start > self.longest * 2.0);
        let is_long = first.end - first.start > self.longest || pair_is_long;
        if first.end - last_speech > self.median * 4.0 && is_long {
            if let Some(second) = second
                && second.end - second.start > self.longest
            {
                let boundary = (second.end / 2.0).max(second.end - self.longest);
                (first.end, second.start) = (boundary, boundary);
            }
            first.start = (first.end - self.longest).max(0.0);
        }
    }

    /// The times of a piece from `start` to `end` and of its words agree.
    fn agree(&self, words: &mut [Timed], mut start: f64, mut end: f64) -> (f64, f64) {
        if let Some(first) = words.first_mut() {
            if start < first.end && start - TRUSTED > first.start {
                first.start = (first.end - self.median).min(start).max(0.0);
            } else {
                start = first.start;
            }
        }
        if let Some(last) = words.last_mut() {
            if end > last.start && end + TRUSTED < last.end {
                last.end = (last.start + self.median).max(end);
            } else {
                end = last.end;
            }
        }
        (start, end)
    }
}

/// The rules above may let a word begin before the one in front of it or end behind the next, or stand out of its
/// piece, which openai/whisper leaves so. Here time does not run backwards, and a piece covers its words.
fn put_in_order(pieces: &mut [(f64, f64, Vec<Timed>)], earliest: f64) {
    let mut before: Option<&mut Timed> = None;
    for word in pieces.iter_mut().flat_map(|piece| &mut piece.2) {
        word.start = word.start.max(before.as_ref().map_or(earliest, |before| before.start));
        word.end = word.end.max(word.start);
        if let Some(before) = before {
            before.end = before.end.min(word.start);
        }
        before = Some(word);
    }
    for (start, end, words) in pieces {
        if let ([first, ..], [.., last]) = (&words[..], &words[..]) {
            *start = start.min(first.start);
            *end = end.max(last.end);
        }
    }
}

fn worded(start: f64, end: f64, words: Vec<Timed>) -> WordedPiece {
    let heard = |timed: Timed| HeardWord {
        word: timed.word.word,
        start: Heard::from_seconds(timed.start),
        end: Heard::from_seconds(timed.end),
        probability: timed.word.probability,
        alignment: timed.word.alignment,
        tokens: timed.word.tokens,
    };
    WordedPiece {
        start: Heard::from_seconds(start),
        end: Heard::from_seconds(end),
        words: words.into_iter().map(heard).collect(),
    }
}
