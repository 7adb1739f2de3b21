//! Sounds that tell the stub where in a recording a window begins.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use amanuensis::Crew;
use amanuensis::audio::Recording;
use amanuensis::mel::{Convention, Spectrogram};

use super::TELLING_FRAME;

const RATE: usize = 16_000;

/// How much softer each second is than the one before it: 120 of them stay well above the last bit.
const STEP: f64 = 0.95;

/// A tone of 1 kHz, softer with every second.
pub(crate) fn stairs(seconds: f64) -> Recording {
    of_time(seconds, |time| 0.9 * STEP.powi(time as i32))
}

/// Nothing at all.
pub(crate) fn silence(seconds: f64) -> Recording {
    of_time(seconds, |_| 0.0)
}

fn of_time(seconds: f64, amplitude: impl Fn(f64) -> f64) -> Recording {
    let sample = |place: usize| {
        let time = place as f64 / RATE as f64;
        (amplitude(time) * (TAU * 1000.0 * time).sin()) as f32
    };
    Recording::from_samples(&(0..(seconds * RATE as f64).round() as usize).map(sample).collect::<Vec<f32>>())
}

/// The second of [`stairs`] in which a window of that loudness begins.
pub(crate) fn second(level: f32) -> i32 {
    static FIRST: LazyLock<f32> = LazyLock::new(|| {
        let recording = stairs(1.0);
        let mut go_on = || Ok::<(), amanuensis::Error>(());
        let spectrogram =
            Spectrogram::new(&recording, 80, Convention::OpenAi, Crew::ALONE, &mut go_on).expect("a spectrogram");
        let mel = spectrogram.window(0, 10, 10).expect("a window");
        mel.values[TELLING_FRAME * 80..(TELLING_FRAME + 1) * 80].iter().copied().fold(f32::MIN, f32::max)
    });
    // log10 of a power, over 4.
    (f64::from(*FIRST - level) * 2.0 / -STEP.log10()).round() as i32
}
