//! One recording's way through its windows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::control::{Control, Event};
use super::error::Error;
use super::evidence;
use super::options::Options;
use super::request::Asked;
use super::strand::{Heeded, Strand, Surroundings};
use super::{Means, Outcome};
use crate::audio::{Recording, Sound};
use crate::backend::{Cancel, Receipt, Stage, Work};
use crate::crew::Crew;
use crate::decoding::{Decoded, Languages, Request};
use crate::mel::{Spectrogram, WINDOW_FRAMES, WINDOW_SECONDS};
use crate::segments::{Clips, Contexts, Segment, Story, Transcript, Window};
use crate::speech::{self, Span, Spliced, TimeMap};
use crate::tokens::{Special, Tokenizer};

/// Samples in a frame of 10 ms.
const HOP: u64 = crate::mel::HOP as u64;

/// What is to be heard of a recording.
struct Audible {
    map: TimeMap,
    /// Probabilities of speech, where somebody needs them.
    speech: Option<Vec<f32>>,
    /// What is transcribed on its own, as frames of what is heard.
    strands: Vec<Clips>,
}

impl Audible {
    /// Finds out what of `recording` is to be heard. `proceed` is asked now and then whether to go on.
    fn new(
        recording: &Recording,
        options: &Options,
        crew: Crew,
        proceed: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let speech = match (&options.vad, options.batch) {
            (Some(vad), _) => Some(vad.probabilities(recording, crew, proceed)?),
            (None, Some(_)) => Some(speech::Vad::default().probabilities(recording, crew, proceed)?),
            (None, None) => None,
        };
        let samples = recording.len();
        let clips = Clips::new(&options.clips, samples / HOP);
        let map = match (&options.vad, &speech) {
            (Some(vad), Some(speech)) => {
                let spans = speech::spans(speech, samples, &vad.options);
                TimeMap::new(&if options.clips.is_empty() { spans } else { both(&spans, &spans_of(&clips)) })
            }
            _ => TimeMap::identity(),
        };
        let heard = if options.vad.is_some() { Spliced::new(recording, map.clone()).samples() } else { samples };
        let frames = heard / HOP;
        // With voice activity detection the clips are in the map already.
        let all = if options.vad.is_some() { Clips::new(&[], frames) } else { clips };
        let strands = match (options.batch, &speech) {
            (Some(_), Some(speech)) if options.vad.is_some() => {
                speech::chunks(&map, heard, speech, WINDOW_SECONDS).into_iter().map(Clips::one).collect()
            }
            (Some(_), Some(speech)) => {
                let chunks = |clip: Span| {
                    let shift = move |(start, end)| Clips::one((clip.start / HOP + start, clip.start / HOP + end));
                    speech::chunks(&TimeMap::new(&[clip]), clip.samples(), speech, WINDOW_SECONDS)
                        .into_iter()
                        .map(shift)
                };
                spans_of(&all).into_iter().flat_map(chunks).collect()
            }
            _ => vec![all],
        };
        Ok(Audible { map, speech, strands })
    }
}

/// Clips as stretches of samples.
fn spans_of(clips: &Clips) -> Vec<Span> {
    clips.frames_of_each().map(|(start, end)| Span { start: start * HOP, end: end * HOP }).collect()
}

/// What lies in both, each of which is in rising order and without overlap.
fn both(some: &[Span], others: &[Span]) -> Vec<Span> {
    let of = |span: &Span| {
        let span = *span;
        others.iter().map(move |other| Span { start: span.start.max(other.start), end: span.end.min(other.end) })
    };
    some.iter().flat_map(of).filter(|span| span.start < span.end).collect()
}

/// A recording made ready for its first window: it is known what of it is to be heard, and how loud it is.
///
/// Making it ready hears the whole recording once, so it is done apart from the rounds, on any thread.
pub struct Prepared {
    options: Options,
    asked: Asked,
    recording: Recording,
    audible: Audible,
    spectrogram: Spectrogram<'static>,
    tokenizer: Arc<Tokenizer>,
    receipt: Receipt,
}

impl Prepared {
    /// Makes options ready for the model, and finds out what of the recording is to be heard.
    pub(crate) fn new(
        means: Means<'_>,
        recording: &Recording,
        options: &Options,
        cancel: &AtomicBool,
    ) -> Result<Self, Error> {
        let mut work = Work::new(cancel);
        let mut since = Instant::now();
        let asked = Asked::new(options, means.tokenizer, means.generation, means.model.dims())?;
        let audible = Audible::new(recording, options, means.crew, &mut || work.proceed().map_err(Error::from))?;
        work.receipt.lap(Stage::Speech, &mut since);
        let (bins, sound) = (means.model.dims().mel_bins, recording.clone());
        let mut proceed = || work.proceed().map_err(Error::from);
        let spectrogram = match options.vad {
            Some(_) => {
                Spectrogram::new(Spliced::new(sound, audible.map.clone()), bins, options.mel, means.crew, &mut proceed)
            }
            None => Spectrogram::new(sound, bins, options.mel, means.crew, &mut proceed),
        }?;
        work.receipt.lap(Stage::Mel, &mut since);
        let (recording, tokenizer) = (recording.clone(), means.tokenizer.clone());
        Ok(Prepared {
            options: options.clone(),
            asked,
            recording,
            audible,
            spectrogram,
            tokenizer,
            receipt: work.receipt,
        })
    }

    /// Seconds of the recording.
    pub fn duration(&self) -> f64 {
        self.recording.duration()
    }

    /// Sets it out on its way through the rounds.
    pub fn set_out(self, control: Control<'_>) -> Course<'_> {
        let mut course = self.course(control);
        // Where nothing is to be heard, that is all there is to tell.
        if course.turns(1).is_empty() {
            course.tell();
        }
        course
    }

    /// The course before its first window.
    pub(super) fn course(self, control: Control<'_>) -> Course<'_> {
        let Prepared { options, asked, recording, audible, spectrogram, tokenizer, receipt } = self;
        let strand = |(index, clips): (usize, &Clips)| {
            Strand::new(clips.clone(), asked.story.clone(), index == 0, &asked.language)
        };
        let strands: VecDeque<Strand> = audible.strands.iter().enumerate().map(strand).collect();
        let total = audible.strands.iter().map(Clips::frames).sum();
        Course {
            options,
            languages: Vec::new(),
            spectrogram: Arc::new(spectrogram),
            strands,
            contexts: Contexts::default(),
            receipt,
            audible,
            recording,
            tokenizer,
            told: 0,
            over: Vec::new(),
            segments: Vec::new(),
            text: String::new(),
            done: 0,
            total,
            failure: None,
            control,
            asked,
        }
    }
}

/// One recording being transcribed.
pub struct Course<'c> {
    pub(super) options: Options,
    pub(super) asked: Asked,
    /// The languages it may be in; empty if the language was given.
    pub(super) languages: Languages,
    pub(super) spectrogram: Arc<Spectrogram<'static>>,
    pub(super) strands: VecDeque<Strand>,
    /// What its windows were heard in.
    pub(super) contexts: Contexts,
    /// What ran where: while it was made ready, and in the rounds in which it had a turn.
    pub(super) receipt: Receipt,
    audible: Audible,
    pub(super) recording: Recording,
    pub(super) tokenizer: Arc<Tokenizer>,
    /// How many segments of the first strand have been told of.
    pub(super) told: usize,
    /// How many segments each of the strands has that are over.
    pub(super) over: Vec<usize>,
    pub(super) segments: Vec<Segment>,
    /// The texts of the strands that are over.
    text: String,
    /// Frames of the strands that are over, and of all.
    done: u64,
    pub(super) total: u64,
    /// Why it cannot go on.
    failure: Option<Error>,
    control: Control<'c>,
}

impl<'c> Course<'c> {
    /// A strand takes what its window came to.
    pub(super) fn heed(&mut self, strand: usize, heeded: Heeded<'_>) {
        let around = Surroundings {
            options: &self.options,
            tokenizer: &self.tokenizer,
            map: &self.audible.map,
            speech: self.audible.speech.as_deref(),
            duration: self.recording.duration(),
            content: self.spectrogram.content_frames(),
        };
        self.strands[strand].heed(heeded, around);
    }

    /// Who may stop it.
    pub(super) fn cancel(&self) -> &Cancel<'c> {
        &self.control.cancel
    }

    /// Whether it was given up.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether the language of its next window is to be found out.
    pub(super) fn needs_language(&self) -> bool {
        self.asked.language.is_empty() || (self.options.detection.every_window && self.options.language.is_none())
    }

    /// Whether nothing but its first window is to be heard until the language is known.
    pub(super) fn waits_for_language(&self) -> bool {
        self.asked.language.is_empty() && !self.options.detection.every_window
    }

    /// Counts a window of `frames` that the encoder is given.
    pub(super) fn count(&mut self, frames: usize) {
        let shortened = u64::from(frames < WINDOW_FRAMES);
        self.contexts += Contexts { windows: 1, positions: frames as u64 / 2, shortened, repeated: 0 };
    }

    /// What is asked of the decoder for the next window of a strand.
    pub(super) fn request(&self, strand: &Strand, special: &Special) -> Request {
        let anew = self.options.detection.every_window && special.is_multilingual();
        let language = if anew { special.language_token(&strand.language) } else { self.asked.request.language };
        Request { language, ..self.asked.request }
    }

    /// Whether a window's text is the prompt's, and that is acted upon.
    pub(super) fn leaks(&self, decoded: &Decoded) -> bool {
        // A silence is dropped anyway; without the prompt it may come out as words.
        !self.options.thresholds.is_silence(decoded)
            && self.options.guard
            && evidence::is_leak(&decoded.text, &self.asked.prompt_text, decoded, &self.options)
    }

    /// The strands that have a window to be heard, in order, with the window: at most `count`, and until the language
    /// is known only the first.
    pub(super) fn turns(&mut self, count: usize) -> Vec<(usize, Window)> {
        let unknown = self.waits_for_language();
        let strands = self.strands.iter_mut().enumerate();
        let turns = strands.filter_map(|(index, strand)| Some((index, strand.seek.window()?)));
        turns.take(if unknown { count.min(1) } else { count }).collect()
    }

    /// Takes `languages` for what the recording may be in, the first for what it is in.
    pub(super) fn speak(&mut self, languages: Languages) {
        if let Some((code, _)) = languages.first() {
            self.asked.speak(self.tokenizer.special(), code);
            for strand in &mut self.strands {
                strand.language.clone_from(code);
            }
        }
        self.languages = languages;
        self.control.tell(Event::Language(&self.languages));
    }

    /// Tells of the segments that are finished, in order of time, and of how far the work has come.
    pub(super) fn tell(&mut self) {
        if self.failure.is_some() {
            return;
        }
        while let Some(strand) = self.strands.front_mut() {
            for segment in &mut strand.segments[self.told..] {
                segment.id = self.segments.len() + self.told;
                self.told += 1;
                self.control.tell(Event::Segment(segment));
            }
            if strand.seek.window().is_some() {
                break;
            }
            let Some(Strand { seek, story, segments, .. }) = self.strands.pop_front() else { break };
            self.close(seek.frames(), &story, segments);
            self.told = 0;
        }
        let done: u64 = self.done + self.strands.iter().map(|strand| strand.seek.heard()).sum::<u64>();
        let all = self.recording.duration();
        let share = if self.total == 0 { 1.0 } else { done.min(self.total) as f64 / self.total as f64 };
        self.control.tell(Event::Progress { processed: share * all, total: all });
    }

    /// Takes what a strand of so many frames came to.
    pub(super) fn close(&mut self, frames: u64, story: &Story, mut segments: Vec<Segment>) {
        self.done += frames;
        self.text.push_str(&self.tokenizer.decode(story.said()));
        self.over.push(segments.len());
        self.segments.append(&mut segments);
    }

    /// Whether every window was heard, or nothing more will come of it.
    pub fn is_over(&self) -> bool {
        self.strands.is_empty()
    }

    /// Gives up if it alone was cancelled.
    pub(super) fn heed_cancelling(&mut self) {
        if self.control.cancel.is_set() && !self.strands.is_empty() {
            self.fail(Error::Cancelled);
        }
    }

    /// Gives up: its sound cannot be read any more, its device failed, or nobody wants it.
    pub fn fail(&mut self, error: Error) {
        self.failure = Some(error);
        self.strands.clear();
    }

    /// What it came to. One that is not over was cancelled.
    pub fn finish(self) -> Result<Outcome, Error> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        if !self.strands.is_empty() {
            return Err(Error::Cancelled);
        }
        let transcript = Transcript {
            text: self.text,
            segments: self.segments,
            language: self.asked.language,
            duration: self.recording.duration(),
            provenance: None,
        };
        let (languages, mut warnings) = (self.languages, self.asked.warnings);
        let seconds = self.recording.duration();
        if !self.options.clips.is_empty() && self.total == 0 && seconds > 0.0 {
            warnings
                .push(format!("nothing of what was asked for lies within the {seconds:.2} seconds of the recording"));
        }
        Ok(Outcome { transcript, languages, contexts: self.contexts, receipt: self.receipt, warnings })
    }
}
