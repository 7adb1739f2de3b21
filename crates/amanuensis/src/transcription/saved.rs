//! A course that is put down between two rounds, and gone on with later, in another process too.
//!
//! What is kept is what the windows came to. What a recording and its options say by themselves, such as where its
//! strands lie, is found out anew by [`Prepared`] and only compared.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::control::Control;
use super::course::{Course, Prepared};
use super::error::Error;
use super::options::Options;
use super::strand::Strand;
use crate::backend::{Placement, Receipt};
use crate::decoding::Languages;
use crate::segments::{Clips, Contexts, Seek, Segment, Story};
use crate::speech::Heard;

/// Which fields there are and what they mean.
const VERSION: u32 = 1;

/// What a course has come to, to be gone on with by [`Prepared::resume`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    of: Of,
    /// Code of the language; empty while it is not known.
    language: String,
    languages: Languages,
    contexts: Contexts,
    ran: Ran,
    /// How many segments each of the strands has that are over; those behind them are not.
    over: Vec<usize>,
    /// The strands that have begun and are not over.
    strands: Vec<SavedStrand>,
    /// The segments that were told of, in order. They only become more, so they may be kept apart from the rest and
    /// put back before it goes on.
    pub segments: Vec<Segment>,
}

/// What it was saved of: another recording or other options cannot go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Of {
    samples: u64,
    strands: usize,
    frames: u64,
    /// SHA-256 of the options, in hexadecimal.
    options: String,
}

/// What ran where, as far as a transcript tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ran {
    devices: Vec<String>,
    #[serde(default)]
    placement: Placement,
    windows: u64,
    positions: u64,
    tokens: u64,
}

/// A strand on its way. What was said in it stands in its segments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedStrand {
    /// Which of the course's strands, counted from its first.
    index: usize,
    /// Where it is: in which clip, at which frame.
    clip: usize,
    frame: u64,
    /// How many tokens of its story windows are not told of any more.
    forgotten: usize,
    prefixed: bool,
    /// The bits of a number of seconds: not every reader of JSON gives the last of them back.
    last_speech: u64,
    language: String,
    in_vain: Option<u32>,
    /// Segments that wait until those of the strands before it have been told of.
    segments: Vec<Segment>,
}

impl Ran {
    fn of(receipt: &Receipt) -> Self {
        let (devices, placement) = (receipt.devices().to_vec(), receipt.placement.clone());
        Ran { devices, placement, windows: receipt.windows, positions: receipt.positions, tokens: receipt.tokens }
    }

    fn receipt(&self) -> Receipt {
        let mut receipt = Receipt::default();
        self.devices.iter().for_each(|device| receipt.ran_on(device));
        receipt.placement = self.placement.clone();
        (receipt.windows, receipt.positions, receipt.tokens) = (self.windows, self.positions, self.tokens);
        receipt
    }
}

impl Of {
    fn new(samples: u64, strands: usize, frames: u64, options: &Options) -> Self {
        let mut digest = Sha256::new();
        for (name, value) in options.described() {
            // Lengths, so that no two lists of options read the same.
            digest.update((name.len() as u64).to_le_bytes());
            digest.update(name);
            digest.update((value.len() as u64).to_le_bytes());
            digest.update(value);
        }
        let options = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Of { samples, strands, frames, options }
    }
}

impl Course<'_> {
    /// What it has come to, to be gone on with later. None once it was given up: what was saved before that is still good.
    pub fn save(&self) -> Option<Saved> {
        self.save_behind(0)
    }

    /// The same without the first `kept` segments, for somebody who has them.
    pub fn save_behind(&self, kept: usize) -> Option<Saved> {
        if self.has_failed() {
            return None;
        }
        let first = self.over.len();
        let saved = |(index, strand): (usize, &Strand)| {
            let told = if index == 0 { self.told } else { 0 };
            let (clip, frame) = strand.seek.place();
            SavedStrand {
                index: first + index,
                clip,
                frame,
                forgotten: strand.story.forgotten(),
                prefixed: strand.prefixed,
                last_speech: strand.last_speech.seconds().to_bits(),
                language: strand.language.clone(),
                in_vain: strand.in_vain,
                segments: strand.segments[told..].to_vec(),
            }
        };
        let told = self.strands.front().map_or(&[][..], |strand| &strand.segments[..self.told]);
        Some(Saved {
            version: VERSION,
            of: Of::new(self.recording.len(), first + self.strands.len(), self.total, &self.options),
            language: self.asked.language.clone(),
            languages: self.languages.clone(),
            contexts: self.contexts,
            ran: Ran::of(&self.receipt),
            over: self.over.clone(),
            strands: self.strands.iter().enumerate().filter(|(_, strand)| self.has_begun(strand)).map(saved).collect(),
            segments: self.segments.iter().chain(told).skip(kept).cloned().collect(),
        })
    }

    fn has_begun(&self, strand: &Strand) -> bool {
        strand.seek.heard() > 0 || strand.in_vain.is_some() || strand.language != self.asked.language
    }
}

impl Prepared {
    /// Goes on with what was saved of this recording when the same was asked for. What was told of then is not told again.
    pub fn resume(self, saved: Saved, control: Control<'_>) -> Result<Course<'_>, Error> {
        let mut course = self.course(control);
        course.take_up(saved).map_err(|reason| Error::CannotResume { reason })?;
        course.tell();
        Ok(course)
    }
}

impl Course<'_> {
    fn take_up(&mut self, saved: Saved) -> Result<(), String> {
        if saved.version != VERSION {
            return Err(format!("it is of version {}, this program writes version {VERSION}", saved.version));
        }
        if saved.of != Of::new(self.recording.len(), self.strands.len(), self.total, &self.options) {
            return Err("it is of another recording, or other options".to_owned());
        }
        let vocabulary = self.tokenizer.vocabulary_size();
        let waiting = saved.strands.iter().flat_map(|strand| &strand.segments);
        let mut tokens = saved.segments.iter().chain(waiting).flat_map(|segment| &segment.tokens);
        if let Some(token) = tokens.find(|token| **token as usize >= vocabulary) {
            return Err(format!("it has the token {token}, the vocabulary has {vocabulary}"));
        }
        self.take_up_language(&saved)?;
        self.contexts = saved.contexts;
        self.receipt.merge(&saved.ran.receipt());
        let mut told = VecDeque::from(saved.segments);
        for &count in &saved.over {
            let Some(strand) = self.strands.pop_front().filter(|_| count <= told.len()) else {
                return Err("more strands are over than there are, or segments are missing".to_owned());
            };
            let segments: Vec<Segment> = told.drain(..count).collect();
            self.close(strand.seek.frames(), &said(strand.story, &segments), segments);
        }
        // What is left was told of the first that is not over.
        let mut front = Vec::from(told);
        self.told = front.len();
        for saved in saved.strands {
            let index = saved.index.checked_sub(self.over.len());
            let Some(strand) = index.and_then(|index| self.strands.get_mut(index)) else {
                return Err(format!("there is no strand {} that is not over", saved.index));
            };
            let told = if index == Some(0) { std::mem::take(&mut front) } else { Vec::new() };
            take_up_strand(strand, saved, told)?;
        }
        if front.is_empty() { Ok(()) } else { Err("there are segments of no strand".to_owned()) }
    }

    /// Speaks the language that was found out.
    fn take_up_language(&mut self, saved: &Saved) -> Result<(), String> {
        let (asked, special) = (&self.asked.language, self.tokenizer.special());
        let known = |code: &str| !special.is_multilingual() || special.language_token(code).is_some();
        if !asked.is_empty() && *asked != saved.language {
            return Err(format!("it is in {:?}, asked is for {asked:?}", saved.language));
        }
        let codes = saved.strands.iter().map(|strand| strand.language.as_str()).chain([saved.language.as_str()]);
        if let Some(code) = codes.filter(|code| !code.is_empty()).find(|code| !known(code)) {
            return Err(format!("the model knows no language {code:?}"));
        }
        if asked.is_empty() && !saved.language.is_empty() {
            self.asked.speak(self.tokenizer.special(), &saved.language);
            self.strands.iter_mut().for_each(|strand| strand.language.clone_from(&saved.language));
        }
        self.languages.clone_from(&saved.languages);
        Ok(())
    }
}

fn take_up_strand(strand: &mut Strand, saved: SavedStrand, told: Vec<Segment>) -> Result<(), String> {
    let clips: Clips = strand.seek.clips().clone();
    strand.seek = Seek::at(clips, saved.clip, saved.frame)
        .ok_or_else(|| format!("frame {} lies outside of clip {}", saved.frame, saved.clip))?;
    let last_speech = f64::from_bits(saved.last_speech);
    if !last_speech.is_finite() {
        return Err("its last speech is at no time".to_owned());
    }
    strand.last_speech = Heard::from_seconds(last_speech);
    strand.segments = told;
    strand.segments.extend(saved.segments);
    let story = said(strand.story.clone(), &strand.segments);
    strand.story = story.forgetting(saved.forgotten).ok_or("more is forgotten than was said")?;
    strand.prefixed = saved.prefixed;
    strand.language = saved.language;
    strand.in_vain = saved.in_vain;
    Ok(())
}

/// A story with everything that was said in `segments`.
fn said(mut story: Story, segments: &[Segment]) -> Story {
    segments.iter().for_each(|segment| story.tell(&segment.tokens));
    story
}
