//! One recording's way through its windows.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::Outcome;
use super::control::{Control, Event};
use super::error::Error;
use super::evidence;
use super::options::Options;
use super::request::Asked;
use super::strand::{Strand, Surroundings};
use crate::audio::{Recording, Sound};
use crate::backend::Receipt;
use crate::decoding::{Decoded, Languages, Request};
use crate::mel::{Spectrogram, WINDOW_FRAMES, WINDOW_SECONDS};
use crate::segments::{Clips, Contexts, Segment, Transcript, Window};
use crate::speech::{self, Span, Spliced, TimeMap};
use crate::tokens::{Special, Tokenizer};

/// Samples in a frame of 10 ms.
const HOP: u64 = crate::mel::HOP as u64;

/// What is to be heard of a recording.
pub(super) struct Audible<'a> {
    recording: &'a Recording,
    spliced: Option<Spliced<'a>>,
    map: TimeMap,
    /// Probabilities of speech, where somebody needs them.
    speech: Option<Vec<f32>>,
    /// What is transcribed on its own, as frames of what is heard.
    strands: Vec<Clips>,
}

impl<'a> Audible<'a> {
    /// Finds out what of `recording` is to be heard. `proceed` is asked now and then whether to go on.
    pub(super) fn new(
        recording: &'a Recording,
        options: &Options,
        proceed: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let speech = match (&options.vad, options.batch) {
            (Some(vad), _) => Some(vad.probabilities(recording, proceed)?),
            (None, Some(_)) => Some(speech::Vad::default().probabilities(recording, proceed)?),
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
        let spliced = options.vad.is_some().then(|| Spliced::new(recording, map.clone()));
        let heard = spliced.as_ref().map_or(samples, Sound::samples);
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
        Ok(Audible { recording, spliced, map, speech, strands })
    }

    /// The sound that the model hears.
    pub(super) fn sound(&self) -> &dyn Sound {
        match &self.spliced {
            Some(spliced) => spliced,
            None => self.recording,
        }
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

/// One recording being transcribed.
pub(super) struct Course<'a, 'c> {
    pub(super) options: &'a Options,
    pub(super) asked: Asked,
    /// The languages it may be in; empty if the language was given.
    pub(super) languages: Languages,
    pub(super) spectrogram: Spectrogram<'a>,
    pub(super) strands: VecDeque<Strand>,
    /// What its windows were heard in.
    pub(super) contexts: Contexts,
    audible: &'a Audible<'a>,
    tokenizer: &'a Tokenizer,
    /// How many segments of the first strand have been told of.
    told: usize,
    segments: Vec<Segment>,
    /// The texts of the strands that are over.
    text: String,
    /// Frames of the strands that are over, and of all.
    done: u64,
    total: u64,
    /// Why it cannot go on.
    failure: Option<Error>,
    control: &'a mut Control<'c>,
}

impl<'a, 'c> Course<'a, 'c> {
    pub(super) fn new(
        options: &'a Options,
        asked: Asked,
        audible: &'a Audible<'a>,
        spectrogram: Spectrogram<'a>,
        tokenizer: &'a Tokenizer,
        control: &'a mut Control<'c>,
    ) -> Self {
        let strand = |(index, clips): (usize, &Clips)| {
            Strand::new(clips.clone(), asked.story.clone(), index == 0, &asked.language)
        };
        let strands: VecDeque<Strand> = audible.strands.iter().enumerate().map(strand).collect();
        let total = audible.strands.iter().map(Clips::frames).sum();
        Course {
            options,
            languages: Vec::new(),
            spectrogram,
            strands,
            contexts: Contexts::default(),
            audible,
            tokenizer,
            told: 0,
            segments: Vec::new(),
            text: String::new(),
            done: 0,
            total,
            failure: None,
            control,
            asked,
        }
    }

    /// What segments are made with.
    pub(super) fn surroundings(&self) -> Surroundings<'a> {
        Surroundings {
            options: self.options,
            tokenizer: self.tokenizer,
            map: &self.audible.map,
            speech: self.audible.speech.as_deref(),
            duration: self.audible.recording.duration(),
            content: self.spectrogram.content_frames(),
        }
    }

    /// Whether the language of its next window is to be found out.
    pub(super) fn needs_language(&self) -> bool {
        self.asked.language.is_empty() || (self.options.detection.every_window && self.options.language.is_none())
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
            && evidence::is_leak(&decoded.text, &self.asked.prompt_text, decoded, self.options)
    }

    /// The strands that have a window to be heard, in order, with the window: at most `count`, and until the language
    /// is known only the first.
    pub(super) fn turns(&mut self, count: usize) -> Vec<(usize, Window)> {
        let unknown = self.asked.language.is_empty() && !self.options.detection.every_window;
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
            self.done += strand.seek.frames();
            self.text.push_str(&self.tokenizer.decode(strand.story.said()));
            self.segments.append(&mut strand.segments);
            self.told = 0;
            self.strands.pop_front();
        }
        let done: u64 = self.done + self.strands.iter().map(|strand| strand.seek.heard()).sum::<u64>();
        let all = self.audible.recording.duration();
        let share = if self.total == 0 { 1.0 } else { done.min(self.total) as f64 / self.total as f64 };
        self.control.tell(Event::Progress { processed: share * all, total: all });
    }

    /// Whether every window was heard, or nothing more will come of it.
    pub(super) fn is_over(&self) -> bool {
        self.strands.is_empty()
    }

    /// Gives up if it alone was cancelled.
    pub(super) fn heed_cancelling(&mut self) {
        if self.control.cancel.load(Ordering::Relaxed) && !self.strands.is_empty() {
            self.fail(Error::Cancelled);
        }
    }

    /// Gives up: its sound cannot be read any more, or nobody wants it.
    pub(super) fn fail(&mut self, error: Error) {
        self.failure = Some(error);
        self.strands.clear();
    }

    /// What it came to.
    pub(super) fn finish(self, receipt: &Receipt) -> Result<Outcome, Error> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        let transcript = Transcript {
            text: self.text,
            segments: self.segments,
            language: self.asked.language,
            duration: self.audible.recording.duration(),
            provenance: None,
        };
        let (languages, mut warnings) = (self.languages, self.asked.warnings);
        let seconds = self.audible.recording.duration();
        if !self.options.clips.is_empty() && self.total == 0 && seconds > 0.0 {
            warnings
                .push(format!("nothing of what was asked for lies within the {seconds:.2} seconds of the recording"));
        }
        Ok(Outcome { transcript, languages, contexts: self.contexts, receipt: receipt.clone(), warnings })
    }
}
