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
//! [`audio`], [`speech`], [`mel`], [`tokens`], [`model`], [`backend`], [`decoding`], [`segments`], [`transcription`];
//! [`text`] writes what came of it; the host's threads, a [`Crew`], stand before them. [`live`] stands above all of them: sound without an end, text while it comes.

pub mod audio;
pub mod backend;
mod crew;
pub mod decoding;
pub mod live;
pub mod mel;
pub mod model;
pub mod segments;
pub mod speech;
pub mod text;
pub mod tokens;
pub mod transcription;

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

pub use crew::Crew;
pub use segments::{Provenance, Segment, Transcript, Word};
pub use transcription::{
    Control, Course, Detection, Error, Event, Job, Options, Outcome, Prepared, Saved, ShortContext, Task,
    merge_channels,
};

use audio::Recording;
use backend::cpu::Cpu;
use backend::{Backend, ComputeType, Model, Receipt};
use decoding::Languages;
use mel::WINDOW_FRAMES;
use model::{Fingerprint, Generation, ModelFile, Source};
use tokens::Tokenizer;
use transcription::Means;

/// How an engine is set up.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Threads to compute with; one for every processor if not given.
    pub threads: Option<NonZeroUsize>,
    /// How exactly the model is computed.
    pub compute: ComputeType,
}

/// A model on a device, ready to transcribe. It can be shared between threads.
pub struct Engine {
    name: String,
    model: Box<dyn Model>,
    tokenizer: Arc<Tokenizer>,
    generation: Generation,
    warnings: Vec<String>,
    fingerprint: Fingerprint,
    sha256: OnceLock<Option<String>>,
    crew: Crew,
}

impl Engine {
    /// Loads a model onto the CPU.
    pub fn load(source: &Source, setup: &Setup) -> Result<Self, Error> {
        let engine = Self::with(model::open(source)?, &Cpu::new(setup.threads, setup.compute))?;
        Ok(engine.with_crew(Crew::new(setup.threads)))
    }

    /// Loads a model onto the device of `backend`. What the device does not do is done by a thread for every processor.
    pub fn with(file: ModelFile, backend: &dyn Backend) -> Result<Self, Error> {
        if 2 * file.dims.audio_context != WINDOW_FRAMES {
            return Err(Error::OtherWindow { positions: file.dims.audio_context, expected: WINDOW_FRAMES / 2 });
        }
        let model = backend.load(&file)?;
        let fingerprint = file.weights.fingerprint().clone();
        let ModelFile { name, tokenizer, generation, warnings, .. } = file;
        let tokenizer = Arc::new(tokenizer);
        Ok(Engine {
            name,
            model,
            tokenizer,
            generation,
            warnings,
            fingerprint,
            sha256: OnceLock::new(),
            crew: Crew::new(None),
        })
    }

    /// The same engine with other threads for what its device does not do.
    #[must_use]
    pub fn with_crew(self, crew: Crew) -> Self {
        Engine { crew, ..self }
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

    /// Bytes of this machine's memory that the weights take.
    pub fn bytes(&self) -> u64 {
        self.model.bytes()
    }

    /// The model on its device, for what is asked of it window by window.
    pub fn model(&self) -> &dyn Model {
        &*self.model
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
        let cancel = control.cancel.clone();
        let mut jobs = [Job { recording, options, control: control.reborrow() }];
        let together = options.batch.unwrap_or(NonZeroUsize::MIN);
        let outcomes = transcription::transcribe(self.means(), &mut jobs, together, &cancel);
        outcomes.into_iter().next().unwrap_or(Err(Error::Cancelled))
    }

    /// Writes down what is said in several recordings, `together` windows at a time, whichever recordings they are of.
    ///
    /// The outcomes are in the order of the jobs. A recording that cannot be read, or options that cannot be, fail alone;
    /// setting `cancel` ends all.
    pub fn transcribe_many(
        &self,
        jobs: &mut [Job<'_>],
        together: NonZeroUsize,
        cancel: &AtomicBool,
    ) -> Vec<Result<Outcome, Error>> {
        transcription::transcribe(self.means(), jobs, together, cancel)
    }

    /// Makes a recording ready for its windows' turns in [`Engine::round`]; any thread can do it.
    pub fn prepare(&self, recording: &Recording, options: &Options, cancel: &AtomicBool) -> Result<Prepared, Error> {
        Prepared::new(self.means(), recording, options, cancel)
    }

    /// Hears the next windows of some recordings, `together` at most, those of the first recordings first; and says what
    /// ran where.
    ///
    /// Whoever calls it decides before every round which recordings are heard, and in which order: a program that serves
    /// many. A recording that cannot be read any more, or that nobody wants, fails alone. When a round ends with an error, as
    /// it does once `cancel` is set, it has moved none of the recordings: it can be tried again.
    ///
    /// ```no_run
    /// # use std::sync::atomic::AtomicBool;
    /// # use amanuensis::{Control, Engine, Error, Options, audio::Recording};
    /// # fn example(engine: &Engine, recordings: &[Recording]) -> Result<(), Error> {
    /// let (never, four) = (AtomicBool::new(false), std::num::NonZeroUsize::MIN.saturating_add(3));
    /// let mut courses = Vec::new();
    /// for recording in recordings {
    ///     courses.push(engine.prepare(recording, &Options::default(), &never)?.set_out(Control::new()));
    /// }
    /// while courses.iter().any(|course| !course.is_over()) {
    ///     engine.round(&mut courses.iter_mut().collect::<Vec<_>>(), four, &never)?;
    /// }
    /// for course in courses {
    ///     println!("{}", course.finish()?.transcript.text);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn round(
        &self,
        courses: &mut [&mut Course<'_>],
        together: NonZeroUsize,
        cancel: &AtomicBool,
    ) -> Result<Receipt, Error> {
        transcription::round(self.means(), courses, together, cancel)
    }

    /// The languages that a recording may be in, as codes with probabilities, the most probable first.
    ///
    /// A model for English only says English.
    pub fn detect_language(
        &self,
        recording: &Recording,
        options: &Options,
        control: &mut Control<'_>,
    ) -> Result<Languages, Error> {
        if !self.tokenizer.special().is_multilingual() {
            return Ok(vec![("en".to_owned(), 1.0)]);
        }
        transcription::detect_language(self.means(), recording, options, &control.cancel)
    }

    /// How an outcome came about, to be kept with its transcript.
    ///
    /// The first call reads the model's weights to hash them; later ones know the hash.
    pub fn provenance(&self, outcome: &Outcome, options: &Options) -> Provenance {
        let hash = || self.fingerprint.sha256().ok().flatten();
        Provenance {
            program: concat!("amanuensis ", env!("CARGO_PKG_VERSION")).to_owned(),
            model: self.name.clone(),
            model_sha256: self.sha256.get_or_init(hash).clone(),
            devices: outcome.receipt.devices().to_vec(),
            shares: Some(outcome.receipt.placement.shares()).filter(|shares| shares.len() > 1).unwrap_or_default(),
            options: options.described(),
            contexts: Some(outcome.contexts),
            warnings: outcome.warnings.clone(),
        }
    }

    fn means(&self) -> Means<'_> {
        Means { model: &*self.model, tokenizer: &self.tokenizer, generation: &self.generation, crew: self.crew }
    }
}
