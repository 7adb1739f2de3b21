//! Alignment: the decoder reads a text once more, and its attention shows when each word was said.

use std::ops::Range;
use std::time::Instant;

use amanuensis_kernels::Kernels;

use super::gaze::Gaze;
use super::{split, warp};
use crate::backend::{BackendError, CrossAttention, Decoding, Feed, Logits, Stage, Work};
use crate::mel::WINDOW_FRAMES;
use crate::tokens::{TIMESTAMPS_PER_SECOND, Token, Tokenizer};

/// Frames of 10 ms in one position of the encoder.
const FRAMES_PER_POSITION: u64 = 2;

/// Logits in memory at a time: 16 MiB of them.
const MOST_LOGITS: usize = 4 << 20;

/// Scores of attention in memory at a time, unless one window alone needs more: 128 MiB of them, ten heads and two
/// hundred tokens of eleven windows.
const MOST_SCORES: usize = 32 << 20;

/// Positions on each side of a moment that count as looking at it: 0.1 s.
const NEARBY: usize = 5;

/// A text that is to be aligned with a window.
#[derive(Debug, Clone, Copy)]
pub struct Alignment<'a> {
    /// The window, as the decoding counts them.
    pub window: usize,
    /// Start of the transcript, language and task, as far as the model knows them.
    pub prompt: &'a [Token],
    /// What was said. Tokens that are not text are left out.
    pub text: &'a [Token],
    /// Frames of sound in the window.
    pub frames: u64,
}

/// A word, and when it was said in its window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlignedWord {
    /// The word with its leading space.
    pub word: String,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// Seconds from the beginning of the window.
    pub start: f64,
    /// Seconds from the beginning of the window.
    pub end: f64,
    /// Mean probability of its tokens among all tokens of text.
    pub probability: f32,
    /// How sharply the decoder looked at the sound while it wrote the word, from 0 to 1: the share of attention, mean
    /// over heads and tokens, within 0.1 s of the moment that it looked at most between start and end of each token.
    pub alignment: f32,
}

/// Aligns several texts with their windows in one batch: the words of each.
///
/// The lanes of `decoding` end. `heads` are the layers and heads that follow the sound, `filter` is the width of the
/// median filter over moments; the model's files say both.
///
/// # Panics
///
/// If a window is named that `decoding` does not have, or a head that the model does not have.
pub fn align(
    decoding: &mut dyn Decoding,
    items: &[Alignment<'_>],
    heads: &[(usize, usize)],
    filter: usize,
    tokenizer: &Tokenizer,
    work: &mut Work<'_>,
) -> Result<Vec<Vec<AlignedWord>>, BackendError> {
    let kernels =
        Kernels::detect().map_err(|error| BackendError::Device { device: "word times", reason: error.to_string() })?;
    let texts: Vec<Text> = items.iter().map(|item| Text::new(item, tokenizer)).collect();
    let aligner = Aligner { kernels, heads, filter, tokenizer };
    let mut words = vec![Vec::new(); items.len()];
    let mut waiting: Vec<usize> = (0..items.len()).filter(|&item| !texts[item].said().is_empty()).collect();
    while !waiting.is_empty() {
        let mut total = 0;
        let fits = |item: &&usize| {
            total += texts[**item].tokens.len() * heads.len() * (WINDOW_FRAMES / 2);
            total <= MOST_SCORES
        };
        let count = waiting.iter().take_while(fits).count().max(1);
        let batch: Vec<usize> = waiting.drain(..count).collect();
        let windows: Vec<usize> = batch.iter().map(|&item| items[item].window).collect();
        decoding.start(&windows);
        let batch_texts: Vec<&Text> = batch.iter().map(|&item| &texts[item]).collect();
        let (attention, probabilities) = aligner.read(decoding, &batch_texts, work)?;
        let mut since = Instant::now();
        for (lane, (item, probabilities)) in batch.into_iter().zip(probabilities).enumerate() {
            words[item] = aligner.words(&items[item], &texts[item], &attention, lane, &probabilities);
        }
        work.receipt.lap(Stage::Words, &mut since);
    }
    Ok(words)
}

/// What the decoder reads of one text: prompt, no timestamps, the text and its end.
struct Text {
    tokens: Vec<Token>,
    /// Where the text stands in it.
    range: Range<usize>,
}

impl Text {
    fn new(item: &Alignment<'_>, tokenizer: &Tokenizer) -> Text {
        let special = tokenizer.special();
        let mut tokens = item.prompt.to_vec();
        tokens.push(special.no_timestamps);
        let first = tokens.len();
        tokens.extend(item.text.iter().filter(|token| **token < special.end_of_text));
        let range = first..tokens.len();
        tokens.push(special.end_of_text);
        Text { tokens, range }
    }

    fn said(&self) -> &[Token] {
        &self.tokens[self.range.clone()]
    }
}

struct Aligner<'a> {
    kernels: &'static Kernels,
    heads: &'a [(usize, usize)],
    filter: usize,
    tokenizer: &'a Tokenizer,
}

impl Aligner<'_> {
    /// Feeds every lane its text, a piece at a time: the attention to all of it, and the probability of each token said.
    fn read(
        &self,
        decoding: &mut dyn Decoding,
        texts: &[&Text],
        work: &mut Work<'_>,
    ) -> Result<(CrossAttention, Vec<Vec<f32>>), BackendError> {
        let (mut attention, mut logits) = (CrossAttention::default(), Logits::default());
        let mut probabilities: Vec<Vec<f32>> = vec![Vec::new(); texts.len()];
        let rows = MOST_LOGITS / self.tokenizer.vocabulary_size().max(1) / texts.len();
        let size = rows.max(1);
        let longest = texts.iter().map(|text| text.tokens.len()).max().unwrap_or(0);
        for first in (0..longest).step_by(size) {
            let piece = |text: &Text| first.min(text.tokens.len())..(first + size).min(text.tokens.len());
            // A token's probability stands in the logits of the one before it.
            let read = |text: &Text| {
                let (piece, said) = (piece(text), &text.range);
                (piece.start.max(said.start - 1)..piece.end.min(said.end - 1)).map(|at| at - first).collect()
            };
            let reads: Vec<Vec<usize>> = texts.iter().map(|text| read(text)).collect();
            let feed = texts.iter().zip(&reads).map(|(text, read)| Feed { tokens: &text.tokens[piece(text)], read });
            let feeds: Vec<Feed<'_>> = feed.collect();
            decoding.attend(&feeds, self.heads, &mut logits, &mut attention, work)?;
            let mut row = 0;
            for ((text, read), probabilities) in texts.iter().zip(&reads).zip(&mut probabilities) {
                for at in read {
                    probabilities.push(self.probability(logits.row(row), text.tokens[first + at + 1]));
                    row += 1;
                }
            }
        }
        Ok((attention, probabilities))
    }

    /// The probability of a token among those of text.
    fn probability(&self, logits: &[f32], token: Token) -> f32 {
        let text = &logits[..(self.tokenizer.special().end_of_text as usize).min(logits.len())];
        (text[token as usize] - self.kernels.log_sum_exp(text)).exp()
    }

    fn words(
        &self,
        item: &Alignment<'_>,
        text: &Text,
        attention: &CrossAttention,
        lane: usize,
        probabilities: &[f32],
    ) -> Vec<AlignedWord> {
        // Each row shows where the decoder looked for the token behind it, and the last where it looked for the end.
        let rows = text.range.start - 1..text.range.end;
        let columns = usize::try_from(item.frames / FRAMES_PER_POSITION).unwrap_or(usize::MAX);
        let gaze = Gaze::read(self.kernels, attention, lane, rows, columns, self.filter);
        let mut first = warp::first_columns(&gaze.contrast, gaze.columns);
        // Without sound all is said at its beginning.
        first.resize(text.range.len() + 1, 0);
        let sharpness: Vec<f32> = first.windows(2).enumerate().map(|(row, ends)| gaze.sharpness(row, ends)).collect();
        let seconds = |column: usize| column as f64 / f64::from(TIMESTAMPS_PER_SECOND);

        let language = item.prompt.iter().find_map(|token| self.tokenizer.special().language_of(*token));
        let mut begin = 0;
        let word = |(word, tokens): (String, Vec<Token>)| {
            let end = begin + tokens.len();
            let aligned = AlignedWord {
                start: seconds(first[begin]),
                end: seconds(first[end]),
                probability: mean(&probabilities[begin..end]),
                alignment: mean(&sharpness[begin..end]),
                word,
                tokens,
            };
            begin = end;
            aligned
        };
        split::words(self.tokenizer, text.said(), language).into_iter().map(word).collect()
    }
}

impl Gaze {
    /// The share of attention near the moment that row `row` looks at most, between the ends of its token.
    fn sharpness(&self, row: usize, ends: &[usize]) -> f32 {
        let Some(share) = self.share.get(row * self.columns..(row + 1) * self.columns) else { return 0.0 };
        let &[start, end] = ends else { return 0.0 };
        let most = (start..=end).filter(|at| *at < share.len()).max_by(|a, b| share[*a].total_cmp(&share[*b]));
        let near = most.map_or(0..0, |most| most.saturating_sub(NEARBY)..(most + NEARBY + 1).min(share.len()));
        share[near].iter().sum::<f32>().clamp(0.0, 1.0)
    }
}

fn mean(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    (sum / values.len().max(1) as f64) as f32
}
