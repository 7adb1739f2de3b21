//! How far a frame stands out of the background: its bands against what each of them is at its quietest.

use super::BANDS;
use super::features::Features;

/// Frames on either side that make the background: six seconds in all, in which every speaker draws breath.
pub(super) const REACH: usize = 93;
/// The background is at the level that one frame of ten is below.
const QUIETEST: usize = 10;
/// A level above the background that noise reaches by chance, in dB.
const CHANCE: f32 = 2.0;
/// More than this, in dB, is not more of a sign of speech.
const ENOUGH: f32 = 30.0;

/// Levels are counted in steps of 1/4 dB from -85 dB on; a band of sound at full scale is at about 0 dB.
const STEPS: usize = 384;
const STEP: f32 = 0.25;
const LOWEST: f32 = -85.0;

/// The levels of one band in a stretch that moves on: how often each occurs.
pub(super) struct Floor {
    counts: [u16; STEPS],
    frames: usize,
    /// The level that is the background, and how many frames are below it.
    level: usize,
    below: usize,
}

impl Floor {
    /// For each frame the mean over the bands of what stands out of the background: of so many frames before it, and of
    /// [`REACH`] behind it.
    pub(super) fn levels(heard: &[Features], before: usize) -> Vec<f32> {
        let mut out = vec![0.0; heard.len()];
        for band in 0..BANDS {
            // Three frames evened out: the background is the quietest time, not the quietest instant.
            let step = |frame: usize| {
                let near = &heard[frame.saturating_sub(1)..(frame + 2).min(heard.len())];
                let mean = near.iter().map(|near| near.levels[band]).sum::<f32>() / near.len() as f32;
                (((mean - LOWEST) / STEP) as usize).min(STEPS - 1)
            };
            let mut floor = Floor { counts: [0; STEPS], frames: 0, level: 0, below: 0 };
            (0..heard.len().min(REACH)).for_each(|frame| floor.add(step(frame)));
            for (frame, out) in out.iter_mut().enumerate() {
                if frame + REACH < heard.len() {
                    floor.add(step(frame + REACH));
                }
                if let Some(gone) = frame.checked_sub(before + 1) {
                    floor.remove(step(gone));
                }
                let above = heard[frame].levels[band] - floor.level() - CHANCE;
                *out += above.clamp(0.0, ENOUGH) / BANDS as f32;
            }
        }
        out
    }

    fn add(&mut self, step: usize) {
        self.counts[step] += 1;
        self.frames += 1;
        self.below += usize::from(step < self.level);
    }

    fn remove(&mut self, step: usize) {
        self.counts[step] -= 1;
        self.frames -= 1;
        self.below -= usize::from(step < self.level);
    }

    /// The level of the background in dB.
    fn level(&mut self) -> f32 {
        let rank = self.frames / QUIETEST;
        while self.below > rank {
            self.level -= 1;
            self.below -= usize::from(self.counts[self.level]);
        }
        while self.below + usize::from(self.counts[self.level]) <= rank {
            self.below += usize::from(self.counts[self.level]);
            self.level += 1;
        }
        LOWEST + STEP * (self.level as f32 + 0.5)
    }
}
