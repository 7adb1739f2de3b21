//! Transcription: windows of one recording or of many, decoded together, become transcripts.
//!
//! A recording is a `Course` of one or more `Strand`s, in each of which one window follows the other. In every round
//! the next windows of several strands are encoded, decoded and aligned in one batch, and each strand takes what its
//! window came to. One recording window by window is a batch of one.

mod channels;
mod context;
mod control;
mod course;
mod error;
mod evidence;
mod options;
mod request;
mod rounds;
mod strand;

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

pub use channels::merge_channels;
pub use context::ShortContext;
pub use control::{Control, Event};
pub use error::Error;
pub use options::{Detection, Options, Task};

use crate::audio::Recording;
use crate::backend::{Model, Receipt, Stage, Work};
use crate::decoding::Languages;
use crate::mel::Spectrogram;
use crate::model::Generation;
use crate::segments::{Contexts, Transcript};
use crate::tokens::Tokenizer;
use course::{Audible, Course};
use request::Asked;
use rounds::Rounds;

/// One recording to be transcribed.
pub struct Job<'a> {
    /// The sound.
    pub recording: &'a Recording,
    /// What is asked for.
    pub options: &'a Options,
    /// How it is watched, and stopped alone: when its next window would begin.
    pub control: Control<'a>,
}

/// A transcript, and how it came about.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The text with its times.
    pub transcript: Transcript,
    /// The languages it may be in with their probabilities, the most probable first; empty if the language was given.
    pub languages: Languages,
    /// How much of the model's context its windows were heard in.
    pub contexts: Contexts,
    /// What ran where, for all recordings that were transcribed together.
    pub receipt: Receipt,
    /// What could not be done as it was asked, in words.
    pub warnings: Vec<String>,
}

/// What transcribing needs of an engine.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) model: &'a dyn Model,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) generation: &'a Generation,
}

/// Transcribes recordings, `together` windows at a time. What is wrong with one job does not touch the others, nor does
/// its own cancelling, which is looked at between rounds; `cancel`, like a failure of the device, ends all that are not
/// complete.
pub(crate) fn transcribe(
    means: Means<'_>,
    jobs: &mut [Job<'_>],
    together: NonZeroUsize,
    cancel: &AtomicBool,
) -> Vec<Result<Outcome, Error>> {
    let mut work = Work::new(cancel);
    let prepared: Vec<_> = jobs.iter().map(|job| prepare(means, job.recording, job.options, &mut work)).collect();
    let mut courses: Vec<Option<Result<Course<'_, '_>, Error>>> =
        jobs.iter_mut().zip(&prepared).map(|(job, prepared)| begin(means, job, prepared, &mut work)).collect();
    let mut open: Vec<&mut Course<'_, '_>> =
        courses.iter_mut().flatten().filter_map(|course| course.as_mut().ok()).collect();
    let mut stopped = Rounds { means, together: together.get() }.run(&mut open, &mut work).err();
    let why = stopped.as_ref().map(Error::of_others);
    let receipt = work.receipt;
    let finished: Vec<_> = courses
        .into_iter()
        .map(|course| match course? {
            // What is complete stays; of the rest, the first has the failure itself.
            Ok(course) => Some(match &why {
                Some(why) if !course.is_over() => Err(stopped.take().unwrap_or_else(|| why.of_others())),
                _ => course.finish(&receipt),
            }),
            Err(error) => Some(Err(error)),
        })
        .collect();
    let outcome = |(finished, prepared): (Option<_>, Result<_, Error>)| match prepared {
        Err(error) => Err(error),
        Ok(_) => finished.unwrap_or(Err(Error::Cancelled)),
    };
    finished.into_iter().zip(prepared).map(outcome).collect()
}

/// Makes options ready for the model, and finds out what of the recording is to be heard.
fn prepare<'a>(
    means: Means<'_>,
    recording: &'a Recording,
    options: &Options,
    work: &mut Work<'_>,
) -> Result<(Asked, Audible<'a>), Error> {
    let mut since = Instant::now();
    let asked = Asked::new(options, means.tokenizer, means.generation, means.model.dims())?;
    let audible = Audible::new(recording, options, &mut || work.proceed().map_err(Error::from))?;
    work.receipt.lap(Stage::Speech, &mut since);
    Ok((asked, audible))
}

/// Sets a job out on its course, if it could be prepared.
fn begin<'a, 'c>(
    means: Means<'a>,
    job: &'a mut Job<'c>,
    prepared: &'a Result<(Asked, Audible<'a>), Error>,
    work: &mut Work<'_>,
) -> Option<Result<Course<'a, 'c>, Error>> {
    let (asked, audible) = prepared.as_ref().ok()?;
    Some(match spectrogram(means, audible, job.options, work) {
        Ok(spectrogram) => {
            Ok(Course::new(job.options, asked.clone(), audible, spectrogram, means.tokenizer, &mut job.control))
        }
        Err(error) => Err(error),
    })
}

fn spectrogram<'a>(
    means: Means<'_>,
    audible: &'a Audible<'a>,
    options: &Options,
    work: &mut Work<'_>,
) -> Result<Spectrogram<'a>, Error> {
    let mut since = Instant::now();
    let bins = means.model.dims().mel_bins;
    let mut proceed = || work.proceed().map_err(Error::from);
    let spectrogram = Spectrogram::new(audible.sound(), bins, options.mel, &mut proceed)?;
    work.receipt.lap(Stage::Mel, &mut since);
    Ok(spectrogram)
}

/// The languages that `recording` may be in.
pub(crate) fn detect_language(
    means: Means<'_>,
    recording: &Recording,
    options: &Options,
    cancel: &AtomicBool,
) -> Result<Languages, Error> {
    let mut work = Work::new(cancel);
    // A language that is given is not what is asked here.
    let options = &Options { language: None, batch: None, ..options.clone() };
    let (asked, audible) = prepare(means, recording, options, &mut work)?;
    let spectrogram = spectrogram(means, &audible, options, &mut work)?;
    let mut control = Control::new();
    let mut course = Course::new(options, asked, &audible, spectrogram, means.tokenizer, &mut control);
    Rounds { means, together: 1 }.listen(&mut course, &mut work)?;
    Ok(course.languages)
}
