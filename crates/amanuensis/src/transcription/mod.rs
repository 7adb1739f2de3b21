//! Transcription: windows of one recording or of many, decoded together, become transcripts.
//!
//! A recording is a `Course` of one or more `Strand`s, in each of which one window follows the other. In every round
//! the next windows of several strands are encoded, decoded and aligned in one batch, and each strand takes what its
//! window came to. One recording window by window is a batch of one.

mod ahead;
mod channels;
mod context;
mod control;
mod course;
mod error;
mod evidence;
mod options;
mod request;
mod rounds;
mod saved;
mod strand;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use channels::merge_channels;
pub use context::ShortContext;
pub use control::{Control, Event};
pub use course::{Course, Prepared};
pub use error::Error;
pub use options::{Detection, Options, Task};
pub use saved::Saved;

use crate::audio::Recording;
use crate::backend::{Model, Receipt, Work};
use crate::crew::Crew;
use crate::decoding::Languages;
use crate::model::Generation;
use crate::segments::{Contexts, Transcript};
use crate::tokens::Tokenizer;
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
    pub(crate) tokenizer: &'a Arc<Tokenizer>,
    pub(crate) generation: &'a Generation,
    /// Who does what the model's device does not.
    pub(crate) crew: Crew,
}

/// Transcribes recordings, `together` windows at a time. What is wrong with one job does not touch the others, nor does
/// its own cancelling; `cancel`, like a failure of the device, ends all that are not complete.
pub(crate) fn transcribe(
    means: Means<'_>,
    jobs: &mut [Job<'_>],
    together: NonZeroUsize,
    cancel: &AtomicBool,
) -> Vec<Result<Outcome, Error>> {
    let begin = |job: &mut Job<'_>| Prepared::new(means, job.recording, job.options, cancel);
    let prepared: Vec<Result<Prepared, Error>> = jobs.iter_mut().map(begin).collect();
    let set_out = |(prepared, job): (Result<Prepared, Error>, _)| {
        prepared.map(|prepared| {
            let job: &mut Job<'_> = job;
            prepared.set_out(job.control.reborrow())
        })
    };
    let mut courses: Vec<Result<Course<'_>, Error>> = prepared.into_iter().zip(jobs.iter_mut()).map(set_out).collect();
    let mut receipt = Receipt::default();
    courses.iter().flatten().for_each(|course| receipt.merge(&course.receipt));
    let (mut stopped, mut ahead) = (None, None);
    {
        let mut open: Vec<&mut Course<'_>> = courses.iter_mut().flatten().collect();
        while stopped.is_none() && open.iter().any(|course| !course.is_over()) {
            let mut work = Work::new(cancel);
            match (Rounds { means, together: together.get() }).next(&mut open, Some(&mut ahead), &mut work) {
                Ok(()) => receipt.merge(&work.receipt),
                Err(error) => stopped = Some(error),
            }
        }
    }
    let why = stopped.as_ref().map(Error::of_others);
    let finish = |course: Result<Course<'_>, Error>| {
        let course = course?;
        match &why {
            // What is complete stays; of the rest, the first has the failure itself.
            Some(why) if !course.is_over() => Err(stopped.take().unwrap_or_else(|| why.of_others())),
            // What ran is told of all together: nobody knows a recording's share of a batch.
            _ => course.finish().map(|outcome| Outcome { receipt: receipt.clone(), ..outcome }),
        }
    };
    courses.into_iter().map(finish).collect()
}

/// Hears the next windows of some courses, `together` at most, those of the first courses first. What ran, and where.
///
/// A course that is cancelled fails alone. After an error none has moved: the round may be tried again, or the courses
/// given up.
pub(crate) fn round(
    means: Means<'_>,
    courses: &mut [&mut Course<'_>],
    together: NonZeroUsize,
    cancel: &AtomicBool,
) -> Result<Receipt, Error> {
    let mut work = Work::new(cancel);
    Rounds { means, together: together.get() }.next(courses, None, &mut work)?;
    Ok(work.receipt)
}

/// The languages that `recording` may be in.
pub(crate) fn detect_language(
    means: Means<'_>,
    recording: &Recording,
    options: &Options,
    cancel: &AtomicBool,
) -> Result<Languages, Error> {
    // A language that is given is not what is asked here.
    let options = Options { language: None, batch: None, ..options.clone() };
    let mut course = Prepared::new(means, recording, &options, cancel)?.set_out(Control::new());
    Rounds { means, together: 1 }.listen(&mut course, &mut Work::new(cancel))?;
    Ok(course.languages)
}
