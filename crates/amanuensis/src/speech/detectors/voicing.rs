//! Speech without a model: what stands out of the background, is voiced, and does not stay on its notes.
//!
//! | evidence, for each 32 ms | speech | what it keeps out |
//! |---|---|---|
//! | mean level over the floor of its bands, in dB | above 2 | all that is steady: noise, hum, tones, silence |
//! | voicing: the highest peak of the spectrum's own transform at a pitch of 75 to 400 Hz | above 0.24 within 0.2 s | clicks, gusts, applause |
//! | holding: how alike the fine spectra of 64 ms apart are, over 1.3 s | below 0.68 | music, beeps, dialling |
//!
//! The weakest of the three decides. The numbers lie where noise, music and speech leave room between them:
//! docs/speech.md has the measurements. Whispering has no voice and is not found; held notes of a singer are not either.

mod features;
mod floor;
mod stream;

pub use stream::VoicingStream;

use features::{Features, Listener};
use floor::Floor;

use super::{Detector, FRAME_SAMPLES, SpeechError, Watch};
use crate::audio::Sound;
use crate::crew::Crew;

/// Bands whose levels are compared with their floors.
const BANDS: usize = 20;
/// Frames that are decided at a time: half a minute.
const BLOCK: usize = 1024;
/// Frames before and behind a block that have a say in it: those of the floor, of holding and of what evens out.
const CONTEXT: usize = floor::REACH + 1 + HOLDING + REACH + 1;
/// Frames that a thread hears at a time: eight seconds, of which it hears two frames once more.
const STRETCH: usize = 256;
/// Stretches that are heard before they are decided on: some minutes, of which 1.5 MB are kept.
const STRETCHES: usize = 64;

/// Level over the floor, in dB, that more likely is speech than not.
const ACTIVE: f32 = 2.0;
/// The same for voicing, which is at most 0.17 in noise.
const VOICED: f32 = 0.24;
/// The same for holding: at most 0.55 in speech, in a very reverberant room 0.61, at least 0.78 in music.
const HELD: f32 = 0.68;
/// Frames on either side in which there has to be voicing; unvoiced consonants last up to 200 ms.
const REACH: usize = 6;
/// Frames on either side over which holding is taken.
const HOLDING: usize = 20;
/// Frames on either side that speech spreads to.
const SPREAD: usize = 2;

/// The detector that needs no weights.
#[derive(Debug, Clone, Copy, Default)]
pub struct Voicing;

impl Detector for Voicing {
    fn name(&self) -> &str {
        "voicing"
    }

    fn probabilities(&self, sound: &dyn Sound, crew: Crew, watch: Watch<'_>) -> Result<Vec<f32>, SpeechError> {
        probabilities(sound, crew, watch, BLOCK)
    }
}

/// The same in blocks of any size.
fn probabilities(sound: &dyn Sound, crew: Crew, watch: Watch<'_>, block: usize) -> Result<Vec<f32>, SpeechError> {
    let frames = sound.samples().div_ceil(FRAME_SAMPLES as u64);
    let listener = Listener::new();
    let mut probabilities = Vec::with_capacity(usize::try_from(frames).unwrap_or(0));
    // What was heard of the frames from number `first` on.
    let (mut first, mut heard): (usize, Vec<Features>) = (0, Vec::new());
    let mut next = 0;
    while next < frames {
        let count = (frames - next).min((STRETCHES * STRETCH) as u64) as usize;
        let stretch = |number: usize| {
            let begin = number * STRETCH;
            listener.clone().stretch(sound, next + begin as u64, STRETCH.min(count - begin))
        };
        let mut looked_at = next * FRAME_SAMPLES as u64;
        let mut proceed = || {
            let go_on = watch(looked_at.min(sound.samples()));
            looked_at += (STRETCH * FRAME_SAMPLES * crew.threads().get()) as u64;
            if go_on.is_break() { Err(SpeechError::Cancelled) } else { Ok(()) }
        };
        for stretch in crew.map(count.div_ceil(STRETCH), stretch, &mut proceed)? {
            heard.extend(stretch?);
        }
        next += count as u64;
        let known = first + heard.len();
        while probabilities.len() + block + CONTEXT <= known || (next == frames && probabilities.len() < known) {
            let end = (probabilities.len() + block).min(known);
            let decided = decide(&heard[..(end + CONTEXT).min(known) - first], floor::REACH);
            probabilities.extend_from_slice(&decided[probabilities.len() - first..end - first]);
            let behind = end.saturating_sub(CONTEXT);
            heard.drain(..behind - first);
            first = behind;
        }
    }
    Ok(probabilities)
}

/// The probabilities of frames of which there is nothing before or behind. So many frames before each are its background.
fn decide(heard: &[Features], background: usize) -> Vec<f32> {
    let levels = Floor::levels(heard, background);
    let around = |frame: usize, reach: usize| frame.saturating_sub(reach)..(frame + reach + 1).min(heard.len());
    let voicing: Vec<f32> = (0..heard.len())
        .map(|frame| {
            let near = &heard[around(frame, 1)];
            // One frame alone may be periodic by chance.
            let mean = near.iter().map(|heard| heard.voicing).sum::<f32>() / near.len() as f32;
            if levels[frame] > ACTIVE { mean } else { 0.0 }
        })
        .collect();
    // What is held is alike to what comes before it or to what comes behind it. What is heard well counts.
    let holding: Vec<(f32, f32)> = (0..heard.len())
        .map(|frame| {
            let behind = heard.get(frame + features::LAG).map_or(0.0, |later| later.likeness);
            let weight = levels[frame].min(6.0) * (heard[frame].voicing - VOICED / 2.0).max(0.0) + 1e-6;
            (weight * heard[frame].likeness.max(behind), weight)
        })
        .collect();
    let evidence: Vec<f32> = (0..heard.len())
        .map(|frame| {
            let voiced = voicing[around(frame, REACH)].iter().copied().fold(0.0, f32::max);
            let near = &holding[around(frame, HOLDING)];
            let (held, weight) = near.iter().fold((0.0, 0.0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
            // Slopes that make the three of one scale: 4 to 7 where there is no doubt.
            let level = (levels[frame] - ACTIVE) * 1.5;
            level.min((voiced - VOICED) * 25.0).min((HELD - held / weight) * 12.0)
        })
        .collect();
    (0..heard.len())
        .map(|frame| {
            let most = evidence[around(frame, SPREAD)].iter().copied().fold(f32::NEG_INFINITY, f32::max);
            1.0 / (1.0 + (-most).exp())
        })
        .collect()
}

#[cfg(test)]
mod tests;
