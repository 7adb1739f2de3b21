//! What a transcription can be asked for.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::context::ShortContext;
use super::error::Error;
use super::request::whole;
use crate::decoding::{LengthPenalty, Resort, Search, Thresholds};
use crate::mel::Convention;
use crate::segments::Punctuation;
use crate::speech::Vad;

/// What the text is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Task {
    /// What was said, in its own language.
    #[default]
    Transcribe,
    /// What was said, in English.
    Translate,
}

/// How the language is found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// The codes or names it may have; every one that the model knows if empty.
    pub allowed: Vec<String>,
    /// How many windows are heard at most, until one language is probable enough.
    pub windows: NonZeroUsize,
    /// What is probable enough.
    pub threshold: f32,
    /// Whether it is found out anew for every window. It changes only where another language reaches the threshold
    /// and is twice as probable as the one before.
    pub every_window: bool,
}

impl Default for Detection {
    fn default() -> Self {
        Detection { allowed: Vec::new(), windows: NonZeroUsize::MIN, threshold: 0.5, every_window: false }
    }
}

/// What a transcription is asked for. What is not given of tokens to suppress and of the latest first timestamp is what
/// the model's files say.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Transcribe or translate.
    pub task: Task,
    /// The language spoken, as a code or an English name; detected if not given.
    pub language: Option<String>,
    /// How it is detected.
    pub detection: Detection,
    /// Whether segments get times.
    pub timestamps: bool,
    /// How late the first timestamp of a window may be, in seconds; what the model's files say if not given. With 0 every
    /// window begins to speak at once (openai/whisper takes 0 for no limit).
    pub max_initial_timestamp: Option<f64>,
    /// Whether words get times, and which marks belong to the words beside them.
    pub words: Option<Punctuation>,
    /// A text that is given to the first window as if it had been said before.
    pub initial_prompt: Option<String>,
    /// Whether the initial prompt is given to every window.
    pub carry_initial_prompt: bool,
    /// Words that are to be expected, given to every window before all else.
    pub hotwords: Option<String>,
    /// A text that the transcript begins with.
    pub prefix: Option<String>,
    /// Whether each window is told what was said in the windows before it.
    ///
    /// Off by default: it gives names one spelling, but it also hands a mistake from window to window. With a model
    /// of this project 77 % of the words are wrong with it instead of 44 (docs/parity.md), and openai/whisper's are too.
    pub condition_on_previous_text: bool,
    /// Above this temperature a window's text is not told to those behind it.
    pub prompt_reset_on_temperature: f32,
    /// How the tokens are searched for.
    pub search: Search,
    /// What a token loses that was said earlier in its window; 1 is nothing.
    pub repetition_penalty: f32,
    /// So many tokens in a row are not said twice in a window; 0 allows it.
    pub no_repeat_ngram_size: usize,
    /// Tokens that are never said; -1 stands for all symbols that are not spoken. The model's own list if not given.
    pub suppress_tokens: Option<Vec<i64>>,
    /// Whether a window may not begin with a lone space or end at once.
    pub suppress_blank: bool,
    /// Whether numbers are to be written in words: no token with a digit or a sign of money or percent is said.
    pub suppress_numerals: bool,
    /// Tokens whose whole text this regular expression matches are never said.
    pub suppress_regex: Option<String>,
    /// What is good enough, and what is silence.
    pub thresholds: Thresholds,
    /// What is taken when nothing is good enough.
    pub resort: Resort,
    /// Whether what looks invented is acted upon: loops are ended while they are decoded, text behind which there is
    /// something wrong is not told to the next window, and a prompt that comes back from silence is left out.
    pub guard: bool,
    /// Silences longer than this, in seconds, around text that looks invented are skipped, and the text with them;
    /// needs word times.
    pub hallucination_silence_threshold: Option<f64>,
    /// The parts to be transcribed, in seconds from one to another or to the end; all if empty.
    pub clips: Vec<(f64, Option<f64>)>,
    /// Whether and how silences are left out.
    pub vad: Option<Vad>,
    /// The recording is cut in its pauses, and so many of the pieces are decoded together, each on its own. Without it one
    /// window follows the other. (`Engine::transcribe_many` is told how many windows of all its recordings go together.)
    pub batch: Option<NonZeroUsize>,
    /// Whether windows with little sound are heard in a shorter context.
    ///
    /// Off by default: the model was taught with 30 s, and the measures of a text change in their second decimal. With the
    /// models of this project no text that was taken differed (docs/decoding.md); no other model was measured.
    pub short_context: ShortContext,
    /// Whose log-mel spectrogram to compute.
    pub mel: Convention,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            task: Task::Transcribe,
            language: None,
            detection: Detection::default(),
            timestamps: true,
            max_initial_timestamp: None,
            words: None,
            initial_prompt: None,
            carry_initial_prompt: false,
            hotwords: None,
            prefix: None,
            condition_on_previous_text: false,
            prompt_reset_on_temperature: 0.5,
            search: Search::default(),
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            suppress_tokens: None,
            suppress_blank: true,
            suppress_numerals: false,
            suppress_regex: None,
            thresholds: Thresholds::default(),
            resort: Resort::default(),
            guard: true,
            hallucination_silence_threshold: None,
            clips: Vec::new(),
            vad: None,
            batch: None,
            short_context: ShortContext::Off,
            mel: Convention::OpenAi,
        }
    }
}

/// More hypotheses for one window than this serve nobody.
const MOST_HYPOTHESES: usize = 64;
/// More windows together than this only take memory: tens of megabytes each with whisper-base.
const MOST_WINDOWS: usize = 256;

impl Options {
    /// Refuses numbers that mean nothing, and options that need others: what is wrong whatever the model.
    pub fn check(&self) -> Result<(), Error> {
        let Options { search, .. } = self;
        let bad = |option: &'static str, reason: &str| Err(Error::BadOption { option, reason: reason.to_owned() });
        if search.temperatures.iter().any(|temperature| !temperature.is_finite() || *temperature < 0.0) {
            return bad("temperature", "temperatures are numbers from 0 on");
        }
        if search.beam_size.is_some_and(|size| !(1..=MOST_HYPOTHESES).contains(&size)) {
            return bad("beam_size", "from 1 to 64 hypotheses can be followed");
        }
        if !(1..=MOST_HYPOTHESES).contains(&search.best_of) {
            return bad("best_of", "from 1 to 64 hypotheses can be sampled");
        }
        if !search.patience.is_finite() || search.patience <= 0.0 {
            return bad("patience", "it is a number above 0");
        }
        if search.max_new_tokens == Some(0) {
            return bad("max_new_tokens", "a window needs at least 1 token");
        }
        if let LengthPenalty::Gnmt(power) | LengthPenalty::Power(power) = search.length_penalty
            && !(0.0..=10.0).contains(&power)
        {
            return bad("length_penalty", "it is a number from 0 to 10");
        }
        if !(0.1..=10.0).contains(&self.repetition_penalty) {
            return bad("repetition_penalty", "it is a number from 0.1 to 10; 1 changes nothing");
        }
        if self.prompt_reset_on_temperature.is_nan() {
            return bad("prompt_reset_on_temperature", "it is a number");
        }
        if self.max_initial_timestamp.is_some_and(|seconds| !(0.0..=30.0).contains(&seconds)) {
            return bad("max_initial_timestamp", "it is a number of seconds from 0 to 30");
        }
        match self.hallucination_silence_threshold {
            Some(_) if self.words.is_none() => {
                return bad("hallucination_silence_threshold", "it needs word times; ask for them too");
            }
            Some(seconds) if seconds.is_nan() || seconds < 0.0 => {
                return bad("hallucination_silence_threshold", "it is a number of seconds from 0 on");
            }
            _ => {}
        }
        if self.carry_initial_prompt && self.initial_prompt.is_none() {
            return bad("carry_initial_prompt", "there is no initial prompt to carry");
        }
        if self.batch.is_some_and(|windows| windows.get() > MOST_WINDOWS) {
            return bad("batch_size", "at most 256 windows can be decoded together");
        }
        self.suppress_regex.as_deref().map_or(Ok(()), |pattern| whole(pattern).map(drop))
    }

    /// Every option by its name with its value in words, as provenance tells it.
    pub fn described(&self) -> BTreeMap<String, String> {
        fn maybe<T: ToString>(value: &Option<T>) -> String {
            value.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
        }
        let Options { search, thresholds, detection, .. } = self;
        let clip = |(start, end): &(f64, Option<f64>)| format!("{start}-{}", maybe(end));
        let clips: Vec<String> = self.clips.iter().map(clip).collect();
        let tokens = self.suppress_tokens.as_ref().map(|tokens| format!("{tokens:?}"));
        let words = self
            .words
            .as_ref()
            .map(|marks| format!("with {:?} before and {:?} behind", marks.prepended, marks.appended));
        // What changes nothing of the text is told only where it was asked for.
        let logprobs = search.keep_logprobs.then(|| ("keep_logprobs", "true".to_owned()));
        [
            ("task", format!("{:?}", self.task).to_lowercase()),
            ("language", maybe(&self.language)),
            ("allowed_languages", detection.allowed.join(",")),
            ("language_detection_windows", detection.windows.to_string()),
            ("language_detection_threshold", detection.threshold.to_string()),
            ("language_every_window", detection.every_window.to_string()),
            ("timestamps", self.timestamps.to_string()),
            ("max_initial_timestamp", maybe(&self.max_initial_timestamp)),
            ("word_timestamps", maybe(&words)),
            ("initial_prompt", maybe(&self.initial_prompt)),
            ("carry_initial_prompt", self.carry_initial_prompt.to_string()),
            ("hotwords", maybe(&self.hotwords)),
            ("prefix", maybe(&self.prefix)),
            ("condition_on_previous_text", self.condition_on_previous_text.to_string()),
            ("prompt_reset_on_temperature", self.prompt_reset_on_temperature.to_string()),
            ("temperature", format!("{:?}", search.temperatures)),
            ("beam_size", maybe(&search.beam_size)),
            ("patience", search.patience.to_string()),
            ("best_of", search.best_of.to_string()),
            ("length_penalty", format!("{:?}", search.length_penalty).to_lowercase()),
            ("max_new_tokens", maybe(&search.max_new_tokens)),
            ("seed", search.seed.to_string()),
            ("repetition_penalty", self.repetition_penalty.to_string()),
            ("no_repeat_ngram_size", self.no_repeat_ngram_size.to_string()),
            ("suppress_tokens", tokens.unwrap_or_else(|| "the model's".to_owned())),
            ("suppress_blank", self.suppress_blank.to_string()),
            ("suppress_numerals", self.suppress_numerals.to_string()),
            ("suppress_regex", maybe(&self.suppress_regex)),
            ("compression_ratio_threshold", maybe(&thresholds.compression_ratio)),
            ("logprob_threshold", maybe(&thresholds.logprob)),
            ("no_speech_threshold", maybe(&thresholds.no_speech)),
            ("entropy_threshold", maybe(&thresholds.entropy)),
            ("last_resort", format!("{:?}", self.resort).to_lowercase()),
            ("hallucination_guard", self.guard.to_string()),
            ("hallucination_silence_threshold", maybe(&self.hallucination_silence_threshold)),
            ("clips", clips.join(",")),
            ("vad", maybe(&self.vad)),
            ("batch_size", maybe(&self.batch)),
            ("short_context", self.short_context.name().to_owned()),
            ("mel_convention", format!("{:?}", self.mel).to_lowercase()),
        ]
        .into_iter()
        .chain(logprobs)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
