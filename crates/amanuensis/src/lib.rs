//! The engine of Amanuensis: sound in, text out, with OpenAI's Whisper models.
//!
//! ```no_run
//! use amanuensis::{Control, Engine, Options, Setup, audio, model};
//!
//! let engine = Engine::load(&model::Source::resolve("openai/whisper-base")?, &Setup::default())?;
//! let recording = audio::open(&audio::Input::Path("talk.mp3".into()), &Default::default(), &mut |_| std::ops::ControlFlow::Continue(()))?;
//! let outcome = engine.transcribe(&recording, &Options::default(), &mut Control::new())?;
//! println!("{}", outcome.transcript.text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The modules stand in the order in which sound flows through them, and each uses only those before it:
//! [`audio`], [`speech`], [`mel`], [`tokens`], [`model`], [`backend`], [`decoding`], [`segments`], [`text`].

pub mod audio;
pub mod backend;
pub mod decoding;
pub mod mel;
pub mod model;
pub mod segments;
pub mod speech;
pub mod text;
pub mod tokens;

mod error;
mod options;
mod request;

use std::num::NonZeroUsize;
use std::time::Instant;

pub use error::Error;
pub use options::{Control, Event, Options, Task};
pub use segments::{Segment, Transcript, Word};

use audio::Recording;
use backend::cpu::Cpu;
use backend::{Backend, Model, Receipt, Stage, Work};
use decoding::Prompt;
use mel::{FRAMES_PER_SECOND, Spectrogram, WINDOW_FRAMES};
use model::{Generation, ModelFile, Source};
use request::Asked;
use segments::{Clips, Seek, Story, cut};
use tokens::Tokenizer;

/// How an engine is set up.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Threads to compute with; one for every processor if not given.
    pub threads: Option<NonZeroUsize>,
}

/// A model on a device, ready to transcribe. It can be shared between threads.
pub struct Engine {
    name: String,
    model: Box<dyn Model>,
    tokenizer: Tokenizer,
    generation: Generation,
    warnings: Vec<String>,
}

/// A transcript, and how it came about.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The text with its times.
    pub transcript: Transcript,
    /// The languages it may be in with their probabilities, the most probable first; empty if the language was given.
    pub languages: Vec<(String, f32)>,
    /// What ran where.
    pub receipt: Receipt,
    /// What could not be done as it was asked, in words.
    pub warnings: Vec<String>,
}

impl Engine {
    /// Loads a model onto the CPU.
    pub fn load(source: &Source, setup: &Setup) -> Result<Self, Error> {
        Self::with(model::open(source)?, &Cpu::new(setup.threads))
    }

    /// Loads a model onto the device of `backend`.
    pub fn with(file: ModelFile, backend: &dyn Backend) -> Result<Self, Error> {
        if 2 * file.dims.audio_context != WINDOW_FRAMES {
            return Err(Error::OtherWindow { positions: file.dims.audio_context, expected: WINDOW_FRAMES / 2 });
        }
        let model = backend.load(&file)?;
        let ModelFile { name, tokenizer, generation, warnings, .. } = file;
        Ok(Engine { name, model, tokenizer, generation, warnings })
    }

    /// What is odd about the model's files, in words.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The name of the model.
    pub fn model_name(&self) -> &str {
        &self.name
    }

    /// The shape of the model.
    pub fn dims(&self) -> &model::Dims {
        self.model.dims()
    }

    /// The vocabulary of the model.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Writes down what is said in `recording`.
    pub fn transcribe(
        &self,
        recording: &Recording,
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<Outcome, Error> {
        let special = self.tokenizer.special();
        let dims = self.model.dims();
        let mut asked = Asked::new(options, &self.tokenizer, &self.generation)?;
        let mut work = Work::new(control.cancel);
        let mut languages = Vec::new();
        let mut story =
            Story::new(&self.tokenizer, recording.duration(), &asked.before, options.condition_on_previous_text);

        let mut spectrogram = self.spectrogram(recording, options, &mut work)?;
        let content = spectrogram.content_frames();
        let mut seek = Seek::new(Clips::new(&options.clips, content));
        while let Some(window) = seek.window() {
            let mut since = Instant::now();
            let mel = spectrogram.window(window.start, window.frames as usize, WINDOW_FRAMES)?;
            work.receipt.lap(Stage::Mel, &mut since);

            let encoded = self.model.encode(&[mel], &mut work)?;
            let mut decoding = self.model.begin(&encoded, &mut work)?;
            if asked.needs_language() {
                languages = decoding::detect(&mut *decoding, 0, special, &mut work)?;
                asked.heard(special, &languages);
                control.tell(Event::Language(&languages));
            }
            let prompt = Prompt::new(special, asked.request, story.context(), dims.text_context);
            let decoded = decoding::greedy(&mut *decoding, 0, &self.tokenizer, &prompt, &asked.rules, &mut work)?;

            if options.is_silence(&decoded) {
                seek.advance(window, window.start + window.frames);
            } else {
                let pieces = cut(window, &decoded.tokens, special);
                seek.advance(window, pieces.next);
                for segment in story.add(window, pieces.pieces, &decoded) {
                    control.tell(Event::Segment(segment));
                }
            }
            let seconds = |frames: u64| frames as f64 / FRAMES_PER_SECOND as f64;
            control.tell(Event::Progress { processed: seconds(seek.position().min(content)), total: seconds(content) });
        }
        let transcript = story.finish(asked.language);
        Ok(Outcome { transcript, languages, receipt: work.receipt, warnings: asked.warnings })
    }

    /// The languages that the first window may be in, as codes with probabilities, the most probable first.
    ///
    /// A model for English only says English.
    pub fn detect_language(
        &self,
        recording: &Recording,
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<Vec<(String, f32)>, Error> {
        let special = self.tokenizer.special();
        if !special.is_multilingual() {
            return Ok(vec![("en".to_owned(), 1.0)]);
        }
        let mut work = Work::new(control.cancel);
        let mut spectrogram = self.spectrogram(recording, options, &mut work)?;
        let mut seek = Seek::new(Clips::new(&options.clips, spectrogram.content_frames()));
        let Some(window) = seek.window() else { return Ok(Vec::new()) };
        let mel = spectrogram.window(window.start, window.frames as usize, WINDOW_FRAMES)?;
        let encoded = self.model.encode(&[mel], &mut work)?;
        let mut decoding = self.model.begin(&encoded, &mut work)?;
        Ok(decoding::detect(&mut *decoding, 0, special, &mut work)?)
    }

    fn spectrogram<'a>(
        &self,
        recording: &'a Recording,
        options: &Options,
        work: &mut Work<'_>,
    ) -> Result<Spectrogram<'a>, Error> {
        let mut since = Instant::now();
        let bins = self.model.dims().mel_bins;
        let mut proceed = || work.proceed().map_err(Error::from);
        let spectrogram = Spectrogram::new(recording, bins, options.mel, &mut proceed)?;
        work.receipt.lap(Stage::Mel, &mut since);
        Ok(spectrogram)
    }
}
