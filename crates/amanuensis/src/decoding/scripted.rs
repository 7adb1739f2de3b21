//! A decoder for tests that says what a function tells it to.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use crate::backend::{BackendError, Choices, CrossAttention, Decoding, Feed, Logits, Next, Wanted, Work};
use crate::model::{self, Source};
use crate::tokens::{Token, Tokenizer};

/// The demo model's tokenizer.
pub(super) static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo");
    model::open(&Source::Path(folder)).unwrap_or_else(|error| panic!("{error}")).tokenizer
});

/// What is never set.
pub(super) static NEVER: AtomicBool = AtomicBool::new(false);

/// Work that nobody stops.
pub(super) fn work() -> Work<'static> {
    Work::new(&NEVER)
}

/// Logits that are all but impossible, except for some tokens.
pub(super) fn only(likely: &[(Token, f32)]) -> Vec<f32> {
    let mut logits = vec![-30.0; TOKENIZER.vocabulary_size()];
    for &(token, logit) in likely {
        logits[token as usize] = logit;
    }
    logits
}

/// What is found in rows of logits, each with what is wanted of it.
pub(super) fn found(rows: &[(Vec<f32>, Next<'_>)], choices: &mut Choices) {
    let vocabulary = TOKENIZER.vocabulary_size();
    let logits = choices.begin().prepare(rows.len(), vocabulary);
    for ((row, _), into) in rows.iter().zip(logits.chunks_exact_mut(vocabulary)) {
        into.copy_from_slice(row);
    }
    for (place, (_, next)) in rows.iter().enumerate() {
        let wanted = Wanted { probability_of: None, next: next.clone() };
        choices.find(&wanted, place).expect("numbers");
    }
}

/// `script(window, tokens)` gives the logits behind the tokens of a lane.
pub(super) struct Scripted<F> {
    script: F,
    lanes: Vec<(usize, Vec<Token>)>,
    /// How many lanes each step had.
    pub(super) steps: Vec<usize>,
    /// The windows of each start.
    pub(super) starts: Vec<Vec<usize>>,
}

impl<F: FnMut(usize, &[Token]) -> Vec<f32>> Scripted<F> {
    pub(super) fn new(script: F) -> Self {
        Scripted { script, lanes: Vec::new(), steps: Vec::new(), starts: Vec::new() }
    }
}

impl<F: FnMut(usize, &[Token]) -> Vec<f32> + Send> Decoding for Scripted<F> {
    fn start(&mut self, windows: &[usize]) {
        self.starts.push(windows.to_vec());
        self.lanes = windows.iter().map(|&window| (window, Vec::new())).collect();
    }

    fn step(&mut self, feeds: &[Feed<'_>], logits: &mut Logits, _: &mut Work<'_>) -> Result<(), BackendError> {
        assert_eq!(feeds.len(), self.lanes.len());
        self.steps.push(feeds.len());
        let vocabulary = TOKENIZER.vocabulary_size();
        let rows = feeds.iter().map(|feed| feed.read.len()).sum();
        let mut out = logits.prepare(rows, vocabulary).chunks_exact_mut(vocabulary);
        for ((window, tokens), feed) in self.lanes.iter_mut().zip(feeds) {
            let before = tokens.len();
            tokens.extend(feed.tokens);
            for &place in feed.read {
                let row = (self.script)(*window, &tokens[..=before + place]);
                out.next().expect("a row for each reading").copy_from_slice(&row);
            }
        }
        Ok(())
    }

    fn attend(
        &mut self,
        _: &[Feed<'_>],
        _: &[(usize, usize)],
        _: &mut Logits,
        _: &mut CrossAttention,
        _: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        panic!("nothing is aligned here");
    }

    fn keep(&mut self, parents: &[usize]) {
        self.lanes = parents.iter().map(|&parent| self.lanes[parent].clone()).collect();
    }
}
