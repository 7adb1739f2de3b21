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
use crate::mel::Spectrogram;
use crate::segments::{Clips, Seek, Segment, Transcript, Window};
use crate::speech::{self, Span, Spliced, TimeMap};
use crate::tokens::{Special, Tokenizer};

/// Seconds of a window.
const WINDOW_SECONDS: f64 = 30.0;

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
        let map = match (&options.vad, &speech) {
            (Some(vad), Some(speech)) => {
                TimeMap::new(&within_clips(&speech::spans(speech, samples, &vad.options), &options.clips, samples))
            }
            _ => TimeMap::identity(),
        };
        let spliced = options.vad.is_some().then(|| Spliced::new(recording, map.clone()));
        let heard = spliced.as_ref().map_or(samples, Sound::samples);
        let frames = heard / HOP;
        // With voice activity detection the clips are in the map already.
        let clips = if options.vad.is_some() { &[] } else { options.clips.as_slice() };
        let all = Clips::new(clips, frames);
        let strands = match (options.batch, &speech) {
            (Some(_), Some(speech)) => {
                let chunks = speech::chunks(&map, heard, speech, WINDOW_SECONDS);
                chunks.iter().flat_map(|&(start, end)| all.within(start, end)).collect()
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

/// Samples in a frame of 10 ms.
const HOP: u64 = crate::mel::HOP as u64;

/// What of `spans` lies in the clips, which are in seconds.
fn within_clips(spans: &[Span], clips: &[(f64, Option<f64>)], samples: u64) -> Vec<Span> {
    if clips.is_empty() {
        return spans.to_vec();
    }
    let sample = |seconds: f64| ((seconds.max(0.0) * f64::from(crate::audio::SAMPLE_RATE)) as u64).min(samples);
    let mut clips: Vec<Span> = clips
        .iter()
        .map(|&(start, end)| Span { start: sample(start), end: end.map_or(samples, sample) })
        .filter(|clip| clip.start < clip.end)
        .collect();
    clips.sort_by_key(|clip| clip.start);
    let mut inside: Vec<Span> = Vec::new();
    for clip in clips {
        for span in spans {
            // Clips may overlap; nothing is heard twice.
            let done = inside.last().map_or(0, |last| last.end);
            let both = Span { start: span.start.max(clip.start).max(done), end: span.end.min(clip.end) };
            if both.start < both.end {
                inside.push(both);
            }
        }
    }
    inside
}

/// One recording being transcribed.
pub(super) struct Course<'a, 'c> {
    pub(super) options: &'a Options,
    pub(super) asked: Asked,
    /// The languages it may be in; empty if the language was given.
    pub(super) languages: Languages,
    pub(super) spectrogram: Spectrogram<'a>,
    pub(super) strands: VecDeque<Strand>,
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
            Strand::new(Seek::new(clips.clone()), asked.story.clone(), index == 0, &asked.language)
        };
        let strands: VecDeque<Strand> = audible.strands.iter().enumerate().map(strand).collect();
        let total = audible.strands.iter().map(Clips::frames).sum();
        Course {
            options,
            languages: Vec::new(),
            spectrogram,
            strands,
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

    /// What is asked of the decoder for the next window of a strand.
    pub(super) fn request(&self, strand: &Strand, special: &Special) -> Request {
        let anew = self.options.detection.every_window && special.is_multilingual();
        let language = if anew { special.language_token(&strand.language) } else { self.asked.request.language };
        Request { language, ..self.asked.request }
    }

    /// Whether a window's text is the prompt's, and that is acted upon.
    pub(super) fn leaks(&self, decoded: &Decoded) -> bool {
        self.options.guard && evidence::is_leak(&decoded.text, &self.asked.prompt_text, decoded, self.options)
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
        let (languages, warnings) = (self.languages, self.asked.warnings);
        Ok(Outcome { transcript, languages, receipt: receipt.clone(), warnings })
    }
}
