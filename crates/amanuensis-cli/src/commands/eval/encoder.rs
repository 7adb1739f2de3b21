//! What two models make of the same windows.

use std::sync::atomic::AtomicBool;

use amanuensis::audio::Recording;
use amanuensis::backend::{Model, Work};
use amanuensis::mel::{Convention, Spectrogram, WINDOW_FRAMES};
use amanuensis::{Crew, Error};

use crate::evaluation::against::cosine;

/// The cosine between the outputs of both encoders, for every 30 s of a recording from its beginning.
///
/// A transcription chooses its windows by what it has understood, so those of two need not be the same; these are.
pub(super) fn cosines(
    (one, other): (&dyn Model, &dyn Model),
    recording: &Recording,
    convention: Convention,
    cancel: &AtomicBool,
) -> Result<Vec<f64>, Error> {
    let mut work = Work::new(cancel);
    let crew = Crew::new(None);
    let spectrogram = Spectrogram::new(recording, one.dims().mel_bins, convention, crew, &mut || Ok::<(), Error>(()))?;
    let mut cosines = Vec::new();
    for seek in (0..spectrogram.content_frames()).step_by(WINDOW_FRAMES) {
        let mel = [spectrogram.window(seek, WINDOW_FRAMES, WINDOW_FRAMES)?];
        let (one, other) = (one.encode(&mel, &mut work)?, other.encode(&mel, &mut work)?);
        cosines.push(cosine(&one.values()?, &other.values()?));
    }
    Ok(cosines)
}
