//! A stub of a model, for tests only: it hears where in a recording a window begins, and says what a closure tells it to.
//!
//! The way from sound to logits is replaced, everything around it is the engine's own.

#![allow(dead_code, reason = "every test program uses its own part of this")]

mod sound;

use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use amanuensis::Engine;
use amanuensis::backend::{
    Availability, Backend, BackendError, CrossAttention, Decoding, Encoded, Feed, Logits, Model, Work,
};
use amanuensis::mel::Mel;
use amanuensis::model::{self, Dims, ModelFile, Source};
use amanuensis::tokens::{Special, Token};

use crate::common::model_folder;
pub(crate) use sound::*;

/// The demo model's vocabulary and settings, which the stub borrows.
pub(crate) static DEMO: LazyLock<ModelFile> = LazyLock::new(demo);

fn demo() -> ModelFile {
    model::open(&Source::Path(model_folder("demo", None))).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn special() -> &'static Special {
    DEMO.tokenizer.special()
}

/// The token of a time in a window.
pub(crate) fn stamp(seconds: f64) -> Token {
    special().timestamp_begin + (seconds * 50.0).round() as Token
}

/// The tokens of a text, which begins with a space as all do.
pub(crate) fn text(text: &str) -> Vec<Token> {
    DEMO.tokenizer.encode(&format!(" {text}"))
}

/// Tokens that are words of their own, with their space and without digits.
pub(crate) static WORDS: LazyLock<Vec<Token>> = LazyLock::new(|| {
    let is_word = |bytes: &[u8]| bytes.len() > 3 && bytes[0] == b' ' && bytes[1..].iter().all(u8::is_ascii_lowercase);
    (0..special().end_of_text).filter(|token| DEMO.tokenizer.token_bytes(*token).is_some_and(is_word)).collect()
});

/// A hypothesis that is to be continued.
pub(crate) struct Lane<'a> {
    /// Number of its window, in the order in which windows were encoded.
    pub(crate) window: usize,
    /// How loud the window begins: [`second`] says where that is in [`stairs`].
    pub(crate) level: f32,
    /// What the lane was told first, up to what was forced.
    pub(crate) prompt: &'a [Token],
    /// What it said since.
    pub(crate) said: &'a [Token],
}

/// What a window is taken for before anything is said.
#[derive(Clone, Default)]
pub(crate) struct Opening {
    /// How probable it is that there is no speech.
    pub(crate) no_speech: f32,
    /// Codes of languages with their probabilities; English alone if empty.
    pub(crate) languages: Vec<(&'static str, f32)>,
}

type Says = dyn Fn(&Lane<'_>) -> Vec<(Token, f32)> + Send + Sync;
type Opens = dyn Fn(usize, f32) -> Opening + Send + Sync;
type Looks = dyn Fn(usize, usize) -> usize + Send + Sync;

/// What the stub does.
#[derive(Clone)]
pub(crate) struct Script {
    says: Arc<Says>,
    opens: Arc<Opens>,
    looks: Arc<Looks>,
}

impl Script {
    /// The logits behind a lane, of those tokens that are possible.
    pub(crate) fn saying(says: impl Fn(&Lane<'_>) -> Vec<(Token, f32)> + Send + Sync + 'static) -> Self {
        Script {
            says: Arc::new(says),
            opens: Arc::new(|_, _| Opening::default()),
            // Two words a second.
            looks: Arc::new(|_, row| 25 * row.saturating_sub(3)),
        }
    }

    /// Says the tokens that the closure gives for a window, and ends.
    pub(crate) fn reading(tokens: impl Fn(usize, f32) -> Vec<Token> + Send + Sync + 'static) -> Self {
        Script::saying(move |lane| surely(next(&tokens(lane.window, lane.level), lane.said)))
    }

    /// What windows are taken for, by number and loudness.
    pub(crate) fn opening(mut self, opens: impl Fn(usize, f32) -> Opening + Send + Sync + 'static) -> Self {
        self.opens = Arc::new(opens);
        self
    }

    /// Which position the decoder looks at, by number of the window and of the token read.
    pub(crate) fn looking(mut self, looks: impl Fn(usize, usize) -> usize + Send + Sync + 'static) -> Self {
        self.looks = Arc::new(looks);
        self
    }
}

/// The token of a text that follows what was said of it, and its end behind the last.
pub(crate) fn next(tokens: &[Token], said: &[Token]) -> Token {
    tokens.get(said.len()).copied().unwrap_or(special().end_of_text)
}

/// Logits of a token that nothing else comes near to.
pub(crate) fn surely(token: Token) -> Vec<(Token, f32)> {
    vec![(token, 12.0)]
}

/// Logits of a token that is the likeliest of very many: -3.7 as a log probability, or less.
pub(crate) fn hardly(token: Token) -> Vec<(Token, f32)> {
    WORDS.iter().take(40).map(|&other| (other, 4.99)).chain([(token, 5.0)]).collect()
}

/// Why a lane was fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Language,
    Text,
    Words,
}

/// The first that a lane was fed.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) window: usize,
    pub(crate) purpose: Purpose,
    pub(crate) tokens: Vec<Token>,
}

/// What the stub saw.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// How loud each encoded window begins.
    pub(crate) levels: Vec<f32>,
    /// How many positions each of them has.
    pub(crate) positions: Vec<usize>,
    /// How many windows were encoded together.
    pub(crate) rounds: Vec<usize>,
    /// What lanes were told.
    pub(crate) told: Vec<Told>,
    /// How many lanes each step of the decoder had, attention left out.
    pub(crate) steps: Vec<usize>,
}

impl Log {
    /// What the lanes were told that wrote text: by number of the window, without the task and what is behind it.
    pub(crate) fn prompts(&self) -> Vec<(usize, Vec<Token>)> {
        let texts = self.told.iter().filter(|told| told.purpose == Purpose::Text);
        texts.map(|told| (told.window, before_start(&told.tokens).to_vec())).collect()
    }

    /// How often each window was decoded.
    pub(crate) fn tries(&self) -> Vec<usize> {
        let tries = |window| self.prompts().iter().filter(|(other, _)| *other == window).count();
        (0..self.levels.len()).map(tries).collect()
    }
}

/// What a prompt tells of the time before, without the token that opens it.
fn before_start(tokens: &[Token]) -> &[Token] {
    let start = tokens.iter().position(|token| *token == special().start_of_transcript).expect("a start");
    tokens[..start].strip_prefix(&[special().start_of_previous.expect("a token")]).unwrap_or(&[])
}

/// A backend whose model follows a script.
#[derive(Clone)]
pub(crate) struct Stub {
    script: Script,
    log: Arc<Mutex<Log>>,
}

impl Stub {
    pub(crate) fn new(script: Script) -> Self {
        Stub { script, log: Arc::default() }
    }

    /// An engine that follows the script.
    pub(crate) fn engine(&self) -> Engine {
        Engine::with(demo(), self).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("nobody panicked")
    }
}

impl Backend for Stub {
    fn name(&self) -> &'static str {
        "stub"
    }

    fn probe(&self) -> Availability {
        Availability::Ready("a script".to_owned())
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        Ok(Box::new(StubModel { dims: file.dims, stub: self.clone() }))
    }
}

struct StubModel {
    dims: Dims,
    stub: Stub,
}

/// The frame whose loudness a window is known by: the first that does not reach back before it.
const TELLING_FRAME: usize = 2;

impl Model for StubModel {
    fn dims(&self) -> &Dims {
        &self.dims
    }

    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError> {
        assert!(!windows.is_empty(), "no device is asked for nothing");
        work.proceed()?;
        let mut log = self.stub.log();
        log.rounds.push(windows.len());
        let mut values = Vec::new();
        for mel in windows {
            let frame = &mel.values[TELLING_FRAME * mel.bins..(TELLING_FRAME + 1) * mel.bins];
            let level = frame.iter().copied().fold(f32::MIN, f32::max);
            values.extend([log.levels.len() as f32, level]);
            log.levels.push(level);
            log.positions.push(mel.frames / 2);
        }
        Ok(Encoded::new(windows.iter().map(|mel| mel.frames / 2).collect(), values))
    }

    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        work.proceed()?;
        let values = encoded.values()?;
        let heard = values.chunks_exact(2).zip(&encoded.positions);
        let windows =
            heard.map(|(pair, &positions)| Heard { number: pair[0] as usize, level: pair[1], positions }).collect();
        Ok(Box::new(StubDecoding { model: self, windows, lanes: Vec::new() }))
    }
}

#[derive(Clone, Copy)]
struct Heard {
    number: usize,
    level: f32,
    positions: usize,
}

#[derive(Clone)]
struct StubLane {
    window: Heard,
    tokens: Vec<Token>,
    /// How many of them it was fed first.
    prompt: usize,
}

struct StubDecoding<'a> {
    model: &'a StubModel,
    windows: Vec<Heard>,
    lanes: Vec<StubLane>,
}

/// What is not in the script is no more probable than this.
const IMPOSSIBLE: f32 = -30.0;

impl StubDecoding<'_> {
    /// The logits behind the first `behind` tokens of a lane.
    fn row(&self, lane: &StubLane, behind: usize, row: &mut [f32]) {
        let (script, Heard { number: window, level, .. }) = (&self.model.stub.script, lane.window);
        row.fill(IMPOSSIBLE);
        if lane.tokens[behind - 1] == special().start_of_transcript {
            let Opening { no_speech, mut languages } = (script.opens)(window, level);
            if languages.is_empty() {
                languages.push(("en", 1.0));
            }
            for (code, probability) in languages {
                let token = special().language_token(code).expect("a language of the demo model");
                row[token as usize] = ((1.0 - no_speech) * probability).max(1e-9).ln();
            }
            row[special().no_speech.expect("a token") as usize] = no_speech.max(1e-9).ln();
            return;
        }
        let (prompt, said) = lane.tokens[..behind].split_at(lane.prompt.min(behind));
        for (token, logit) in (script.says)(&Lane { window, level, prompt, said }) {
            row[token as usize] = logit;
        }
    }
}

impl Decoding for StubDecoding<'_> {
    fn start(&mut self, windows: &[usize]) {
        let lane = |&window: &usize| StubLane { window: self.windows[window], tokens: Vec::new(), prompt: 0 };
        self.lanes = windows.iter().map(lane).collect();
    }

    fn attend(
        &mut self,
        feeds: &[Feed<'_>],
        heads: &[(usize, usize)],
        logits: &mut Logits,
        attention: &mut CrossAttention,
        work: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        work.proceed()?;
        assert_eq!(feeds.len(), self.lanes.len());
        if heads.is_empty() {
            self.model.stub.log().steps.push(feeds.len());
        } else {
            let positions: Vec<usize> = self.lanes.iter().map(|lane| lane.window.positions).collect();
            attention.prepare(&positions, heads.len());
        }
        let vocabulary = DEMO.tokenizer.vocabulary_size();
        let rows = feeds.iter().map(|feed| feed.read.len()).sum();
        let mut out = logits.prepare(rows, vocabulary).chunks_exact_mut(vocabulary);
        for (index, feed) in feeds.iter().enumerate() {
            let mut lane = self.lanes[index].clone();
            let before = lane.tokens.len();
            lane.tokens.extend(feed.tokens);
            let context = self.model.dims.text_context;
            if lane.tokens.len() > context {
                return Err(BackendError::TooLong { tokens: lane.tokens.len(), limit: context });
            }
            if before == 0 {
                lane.prompt = feed.tokens.len();
                let purpose = match (heads.is_empty(), feed.tokens.len()) {
                    (false, _) => Purpose::Words,
                    (true, 1) => Purpose::Language,
                    (true, _) => Purpose::Text,
                };
                let told = Told { window: lane.window.number, purpose, tokens: feed.tokens.to_vec() };
                self.model.stub.log().told.push(told);
            }
            for &place in feed.read {
                self.row(&lane, before + place + 1, out.next().expect("a row for each reading"));
            }
            for row in 0..if heads.is_empty() { 0 } else { feed.tokens.len() } {
                let positions = lane.window.positions;
                let mut scores = vec![0.0; positions];
                let at = (self.model.stub.script.looks)(lane.window.number, before + row);
                // Falling off slowly: noise around a narrow peak would count as much as the peak.
                let from = |place: usize| place.abs_diff(at.min(positions - 1)) as f32;
                scores.iter_mut().enumerate().for_each(|(place, score)| *score = -0.1 * from(place));
                (0..heads.len()).for_each(|head| attention.push(index, head, &scores));
            }
            self.lanes[index] = lane;
        }
        Ok(())
    }

    fn keep(&mut self, parents: &[usize]) {
        self.lanes = parents.iter().map(|&parent| self.lanes[parent].clone()).collect();
    }
}
