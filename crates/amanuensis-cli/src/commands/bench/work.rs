//! The pieces of work. None depends on what is said: the sound is noise, and every window is given its hundred tokens,
//! the most probable each time but never the end. So a model of random weights takes the time of a trained one.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use amanuensis::Crew;
use amanuensis::audio::{Recording, SAMPLE_RATE};
use amanuensis::backend::{BackendError, Encoded, Feed, Logits, Model, Work};
use amanuensis::decoding::{self, Item, Prompt, Request, Resort, Rules, Search, Thresholds};
use amanuensis::mel::{Convention, Mel, Spectrogram, WINDOW_FRAMES, WINDOW_SECONDS};
use amanuensis::model::ModelFile;
use amanuensis::tokens::Token;
use anyhow::ensure;

use super::statistics::repeat;

/// Tokens behind the prompt of a window: about what half a minute of speech has.
const TOKENS: usize = 100;
/// Hypotheses of the beam: openai-whisper's default.
const BEAMS: usize = 5;
/// Windows in ten minutes.
const LONG_WINDOWS: usize = 20;
/// Windows of the ten minutes that are encoded and decoded together: four rounds of five. The weights of the decoder are read
/// once for all windows of a round, but the keys and values of each are read for it alone, so more windows gain ever less and take
/// their memory all the same.
const LONG_TOGETHER: usize = 5;

/// The steps that one measurement of a step is the mean of: those at positions 45 to 54, in the middle of a window's
/// hundred tokens. A single step is too short to be told from what else a machine does.
const STEPS: usize = 10;
const FIRST_POSITION: usize = 45;

/// For work that nobody stops.
static NEVER: AtomicBool = AtomicBool::new(false);

/// A model in memory, and what it is given to do: every piece of work gives the times it took.
pub(super) struct Loaded {
    pub(super) file: ModelFile,
    pub(super) model: Box<dyn Model>,
    /// Who does what the model's device does not.
    pub(super) crew: Crew,
}

impl Loaded {
    /// The log-mel spectrogram of 30 s: the search for the loudest moment, and the window.
    pub(super) fn mel(&self, iterations: usize) -> anyhow::Result<Vec<Duration>> {
        let recording = noise(1);
        repeat(iterations, || {
            let begun = Instant::now();
            self.spectrogram(&recording)?.window(0, WINDOW_FRAMES, WINDOW_FRAMES)?;
            Ok(begun.elapsed())
        })
    }

    /// The encoder over one window.
    pub(super) fn encoder(&self, iterations: usize) -> anyhow::Result<Vec<Duration>> {
        let mel = [self.window()?];
        repeat(iterations, || {
            let begun = Instant::now();
            self.model.encode(&mel, &mut Work::new(&NEVER))?;
            Ok(begun.elapsed())
        })
    }

    /// What the decoder prepares once for a window.
    pub(super) fn cross_keys_values(&self, iterations: usize) -> anyhow::Result<Vec<Duration>> {
        let encoded = self.encoded(1)?;
        repeat(iterations, || {
            let begun = Instant::now();
            let _decoding = self.model.begin(&encoded, &mut Work::new(&NEVER))?;
            Ok(begun.elapsed())
        })
    }

    /// One token for each of `windows` windows together.
    pub(super) fn decode_step(&self, windows: usize, iterations: usize) -> anyhow::Result<Vec<Duration>> {
        let mut work = Work::new(&NEVER);
        let mut logits = Logits::default();
        let mut decoding = self.model.begin(&self.encoded(windows)?, &mut work)?;
        let lanes: Vec<usize> = (0..windows).collect();
        let start = self.file.tokenizer.special().start_of_transcript;
        // Which tokens they are makes no difference.
        let before: Vec<Token> = vec![start; FIRST_POSITION];
        let before = vec![Feed { tokens: &before, read: &[] }; windows];
        let token = [start];
        let next = vec![Feed { tokens: &token, read: &[0] }; windows];
        repeat(iterations, || {
            decoding.start(&lanes);
            decoding.step(&before, &mut logits, &mut work)?;
            let begun = Instant::now();
            for _ in 0..STEPS {
                decoding.step(&next, &mut logits, &mut work)?;
            }
            Ok(begun.elapsed() / STEPS as u32)
        })
    }

    /// From samples to tokens, start to finish.
    pub(super) fn transcript(&self, whole: &Whole, iterations: usize) -> anyhow::Result<Vec<Duration>> {
        let recording = noise(whole.windows);
        repeat(iterations, || {
            let begun = Instant::now();
            let spectrogram = self.spectrogram(&recording)?;
            let windows: Vec<usize> = (0..whole.windows).collect();
            for round in windows.chunks(whole.together) {
                let window = |number: usize| {
                    spectrogram.window((round[number] * WINDOW_FRAMES) as u64, WINDOW_FRAMES, WINDOW_FRAMES)
                };
                let mels = self.crew.map(round.len(), window, &mut || Ok::<(), anyhow::Error>(()))?;
                let mels: Vec<Mel> = mels.into_iter().collect::<Result<_, _>>()?;
                let mut work = Work::new(&NEVER);
                let encoded = self.model.encode(&mels, &mut work)?;
                self.decode(&encoded, whole, &mut work)?;
            }
            Ok(begun.elapsed())
        })
    }

    /// The keys and values of the encoded windows, their prompts, and the tokens.
    fn decode(&self, encoded: &Encoded, whole: &Whole, work: &mut Work<'_>) -> anyhow::Result<()> {
        let special = self.file.tokenizer.special();
        let language = special.languages.first().map(|language| language.1);
        let request = Request { language, task: special.transcribe, timestamps: false };
        let prompt = Prompt::new(special, request, &[], &[], self.file.dims.text_context);
        // No window ends early, none is tried again.
        let rules = Rules::new(vec![special.end_of_text], Vec::new());
        let search = Search {
            temperatures: vec![0.0],
            beam_size: whole.beam_size,
            max_new_tokens: Some(whole.tokens),
            stop_loops: false,
            ..Search::default()
        };
        let thresholds = Thresholds { compression_ratio: None, logprob: None, no_speech: None, entropy: None };
        let item = |window: usize| Item {
            window,
            prompt: &prompt,
            rules: &rules,
            search: &search,
            thresholds: &thresholds,
            resort: Resort::Last,
            place: 0,
            cancel: &NEVER,
        };
        let items: Vec<Item<'_>> = (0..encoded.positions.len()).map(item).collect();
        let mut decoding = self.model.begin(encoded, work)?;
        for decoded in decoding::decode(&mut *decoding, &items, &self.file.tokenizer, work)? {
            let (said, asked) = (decoded.tokens.len(), whole.tokens);
            ensure!(said == asked, "the model said {said} tokens where {asked} were asked for: its times mean nothing");
        }
        Ok(())
    }

    fn spectrogram<'r>(&self, recording: &'r Recording) -> Result<Spectrogram<'r>, amanuensis::Error> {
        Spectrogram::new(recording, self.file.dims.mel_bins, Convention::OpenAi, self.crew, &mut || Ok(()))
    }

    /// The spectrogram of a window.
    fn window(&self) -> anyhow::Result<Mel> {
        Ok(self.spectrogram(&noise(1))?.window(0, WINDOW_FRAMES, WINDOW_FRAMES)?)
    }

    /// What the encoder makes of one window, so many times.
    fn encoded(&self, windows: usize) -> anyhow::Result<Encoded> {
        let one: Result<Encoded, BackendError> = self.model.encode(&[self.window()?], &mut Work::new(&NEVER));
        let one = one?;
        Ok(Encoded::new(one.positions.repeat(windows), one.values()?.repeat(windows)))
    }
}

/// A whole way from samples to tokens.
pub(super) struct Whole {
    /// Windows of 30 s.
    windows: usize,
    /// How many of them are encoded and decoded together.
    together: usize,
    /// Tokens of each.
    tokens: usize,
    beam_size: Option<usize>,
}

impl Whole {
    /// One window, its tokens found greedily.
    pub(super) const WINDOW: Whole = Whole { windows: 1, together: 1, tokens: TOKENS, beam_size: None };
    /// The same, up to its first token.
    pub(super) const FIRST_TOKEN: Whole = Whole { tokens: 1, ..Whole::WINDOW };
    /// The same with a beam.
    pub(super) const WINDOW_BEAM: Whole = Whole { beam_size: Some(BEAMS), ..Whole::WINDOW };
    /// Ten minutes.
    pub(super) const LONG: Whole = Whole { windows: LONG_WINDOWS, together: LONG_TOGETHER, ..Whole::WINDOW };

    /// Seconds of sound in it.
    pub(super) fn sound_seconds(&self) -> f64 {
        self.windows as f64 * WINDOW_SECONDS
    }
}

/// Windows of noise at half of full scale, the same every time.
fn noise(windows: usize) -> Recording {
    let mut state = 1_u32;
    let mut sample = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 / 2
    };
    let samples = windows * WINDOW_SECONDS as usize * SAMPLE_RATE as usize;
    Recording::from_integers((0..samples).map(|_| sample()).collect())
}
