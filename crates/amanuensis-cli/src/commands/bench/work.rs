//! The pieces of work. None depends on what is said: the sound is noise, and every window is given its hundred tokens,
//! the most probable each time but never the end. So a model of random weights takes the time of a trained one.

use std::panic::resume_unwind;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use amanuensis::Crew;
use amanuensis::audio::{Recording, SAMPLE_RATE};
use amanuensis::backend::{
    BackendError, Choices, Decoding, Encoded, Feed, Logits, Model, Next, Permitted, Receipt, Stage, TokenSet, Wanted,
    Work,
};
use amanuensis::decoding::{self, Item, Prompt, Request, Resort, Rules, Search, Thresholds};
use amanuensis::mel::{Convention, Mel, Spectrogram, WINDOW_FRAMES, WINDOW_SECONDS};
use amanuensis::model::ModelFile;
use anyhow::{Context, ensure};

use super::statistics::repeat;

/// Tokens behind the prompt of a window: about what half a minute of speech has.
const TOKENS: usize = 100;
/// Hypotheses of the beam: openai-whisper's default.
const BEAMS: usize = 5;
/// Windows in a minute.
const WINDOWS_A_MINUTE: usize = 2;

/// The steps that one measurement of a step is the mean of: those at positions 45 to 54, in the middle of a window's
/// hundred tokens. A single step is too short to be told from what else a machine does.
const STEPS: usize = 10;
const FIRST_POSITION: usize = 45;
/// What a lane remembers in the middle of these steps.
pub(super) const POSITIONS: usize = FIRST_POSITION + STEPS / 2;

/// For work that nobody stops.
static NEVER: AtomicBool = AtomicBool::new(false);

/// What a piece of work took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Took {
    /// From asking to having.
    pub(super) whole: Duration,
    /// What the device took for the stages of encoder and decoder, as its receipt tells; none where there are none.
    pub(super) device: Option<Duration>,
}

impl Took {
    /// Work that no device is asked for, or of which only the whole is told.
    pub(super) fn since(begun: Instant) -> Took {
        Took { whole: begun.elapsed(), device: None }
    }

    /// Work of which a receipt tells.
    fn told(begun: Instant, receipt: &Receipt) -> Took {
        // What searches is the host.
        let device = receipt.time_of(|stage| stage != Stage::Search);
        Took { whole: begun.elapsed(), device: Some(device) }
    }

    /// One of so many equal pieces.
    fn each(self, pieces: u32) -> Took {
        Took { whole: self.whole / pieces, device: self.device.map(|device| device / pieces) }
    }
}

/// A model in memory, and what it is given to do: every piece of work gives the times it took.
pub(super) struct Loaded {
    pub(super) file: ModelFile,
    pub(super) model: Box<dyn Model>,
    /// Who does what the model's device does not.
    pub(super) crew: Crew,
}

impl Loaded {
    /// The log-mel spectrogram of 30 s: the search for the loudest moment, and the window.
    pub(super) fn mel(&self, iterations: usize) -> anyhow::Result<Vec<Took>> {
        let recording = noise(1);
        repeat(iterations, || {
            let begun = Instant::now();
            self.spectrogram(&recording)?.window(0, WINDOW_FRAMES, WINDOW_FRAMES)?;
            Ok(Took::since(begun))
        })
    }

    /// The encoder over so many windows together.
    pub(super) fn encoder(&self, windows: usize, iterations: usize) -> anyhow::Result<Vec<Took>> {
        let mels = vec![self.window()?; windows];
        repeat(iterations, || {
            let mut work = Work::new(&NEVER);
            let begun = Instant::now();
            self.model.encode(&mels, &mut work)?;
            Ok(Took::told(begun, &work.receipt))
        })
    }

    /// What the decoder prepares once for a window.
    pub(super) fn cross_keys_values(&self, iterations: usize) -> anyhow::Result<Vec<Took>> {
        let encoded = self.encoded(1)?;
        repeat(iterations, || {
            let mut work = Work::new(&NEVER);
            let begun = Instant::now();
            let _decoding = self.model.begin(&encoded, &mut work)?;
            Ok(Took::told(begun, &work.receipt))
        })
    }

    /// One token for each of `windows` windows together.
    pub(super) fn decode_step(&self, windows: usize, iterations: usize) -> anyhow::Result<Vec<Took>> {
        let mut logits = Logits::default();
        let token = [self.file.tokenizer.special().start_of_transcript];
        let next = vec![Feed { tokens: &token, read: &[0] }; windows];
        self.steps(windows, iterations, |decoding, work| Ok(decoding.step(&next, &mut logits, work)?))
    }

    /// The same with the choice of the most probable token, made where the logits lie; it is what each lane is given next.
    pub(super) fn greedy_step(&self, windows: usize, iterations: usize) -> anyhow::Result<Vec<Took>> {
        let mut choices = Choices::default();
        let special = self.file.tokenizer.special();
        let suppressed = TokenSet::new([special.end_of_text]);
        let all = usize::MAX;
        let permitted = Permitted { suppressed: &suppressed, text: 0..all, times: all..all, weighed: false };
        let wanted = vec![Wanted { probability_of: None, next: Next::Best { permitted, count: 1 } }; windows];
        let mut tokens = vec![[special.start_of_transcript]; windows];
        self.steps(windows, iterations, |decoding, work| {
            let next: Vec<Feed<'_>> = tokens.iter().map(|token| Feed { tokens: token, read: &[0] }).collect();
            decoding.choose(&next, &wanted, &mut choices, work)?;
            for (row, token) in tokens.iter_mut().enumerate() {
                *token = [choices.candidates(row).first().context("nothing was chosen")?.token];
            }
            Ok(())
        })
    }

    /// Steps of a lane for each of `windows` windows, behind tokens of which it makes no difference which they are.
    fn steps(
        &self,
        windows: usize,
        iterations: usize,
        mut step: impl FnMut(&mut dyn Decoding, &mut Work<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<Took>> {
        let mut decoding = self.model.begin(&self.encoded(windows)?, &mut Work::new(&NEVER))?;
        let lanes: Vec<usize> = (0..windows).collect();
        let before = vec![self.file.tokenizer.special().start_of_transcript; FIRST_POSITION];
        let before = vec![Feed { tokens: &before, read: &[] }; windows];
        repeat(iterations, || {
            decoding.start(&lanes);
            decoding.step(&before, &mut Logits::default(), &mut Work::new(&NEVER))?;
            let mut work = Work::new(&NEVER);
            let begun = Instant::now();
            for _ in 0..STEPS {
                step(&mut *decoding, &mut work)?;
            }
            Ok(Took::told(begun, &work.receipt).each(STEPS as u32))
        })
    }

    /// From samples to tokens, start to finish. Where the device can do both at once, the next windows are encoded while some are decoded,
    /// as in a transcription.
    pub(super) fn transcript(&self, whole: &Whole, iterations: usize) -> anyhow::Result<Vec<Took>> {
        let recording = noise(whole.windows);
        repeat(iterations, || {
            let begun = Instant::now();
            let spectrogram = self.spectrogram(&recording)?;
            let windows: Vec<usize> = (0..whole.windows).collect();
            let mut rounds = windows.chunks(whole.together);
            let mut ready = rounds.next().map(|first| self.hear(&spectrogram, first)).transpose()?;
            while let Some(encoded) = ready {
                let next = rounds.next();
                ready = thread::scope(|scope| {
                    let hear = |round: &[usize]| self.hear(&spectrogram, round);
                    let beside = next.filter(|_| self.model.encodes_beside());
                    let beside = beside.map(|round| scope.spawn(move || hear(round)));
                    self.decode(encoded, whole, &mut Work::new(&NEVER))?;
                    match beside {
                        Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)).map(Some),
                        None => next.map(hear).transpose(),
                    }
                })?;
            }
            Ok(Took::since(begun))
        })
    }

    /// What the encoder makes of some windows of the sound.
    fn hear(&self, spectrogram: &Spectrogram<'_>, round: &[usize]) -> anyhow::Result<Encoded> {
        let window =
            |number: usize| spectrogram.window((round[number] * WINDOW_FRAMES) as u64, WINDOW_FRAMES, WINDOW_FRAMES);
        let mels = self.crew.map(round.len(), window, &mut || Ok::<(), anyhow::Error>(()))?;
        let mels: Vec<Mel> = mels.into_iter().collect::<Result<_, _>>()?;
        Ok(self.model.encode(&mels, &mut Work::new(&NEVER))?)
    }

    /// The keys and values of the encoded windows, their prompts, and the tokens.
    fn decode(&self, encoded: Encoded, whole: &Whole, work: &mut Work<'_>) -> anyhow::Result<()> {
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
        let mut decoding = self.model.begin(&encoded, work)?;
        // Megabytes for each window, of which the decoder has taken what it needs.
        drop(encoded);
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
#[derive(Debug, Clone, Copy)]
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

    /// Minutes of sound, so many windows of it together.
    pub(super) const fn long(minutes: usize, together: usize) -> Whole {
        Whole { windows: minutes * WINDOWS_A_MINUTE, together, ..Whole::WINDOW }
    }

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
