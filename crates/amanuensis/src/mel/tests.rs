use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;
use crate::audio::Recording;

/// The log-mel of `samples` straight from the definition, in f64: all frames, `[frames][bins]`, before the floor.
fn reference(samples: &[f32], frames: usize, bins: usize) -> Vec<f64> {
    let sample = |index: i64| samples.get(index.unsigned_abs() as usize).copied().unwrap_or(0.0);
    let bands = filters::bands(bins, 201, SAMPLE_RATE);
    let mut out = Vec::new();
    for frame in 0..frames as i64 {
        let windowed: Vec<f64> = (0..FRAME)
            .map(|n| {
                let hann = 0.5 - 0.5 * (TAU * n as f64 / FRAME as f64).cos();
                hann * f64::from(sample(frame * HOP as i64 + n as i64 - 200))
            })
            .collect();
        let power: Vec<f64> = (0..201)
            .map(|k| {
                let angle = |n: usize| TAU * (k * n % FRAME) as f64 / FRAME as f64;
                let real: f64 = windowed.iter().enumerate().map(|(n, x)| x * angle(n).cos()).sum();
                let imaginary: f64 = windowed.iter().enumerate().map(|(n, x)| x * angle(n).sin()).sum();
                real * real + imaginary * imaginary
            })
            .collect();
        out.extend(bands.iter().map(|band| {
            let heard: f64 = band.weights.iter().zip(&power[band.first..]).map(|(w, p)| f64::from(*w) * p).sum();
            heard.max(1e-10).log10()
        }));
    }
    out
}

/// A chirp with a quiet second half.
fn chirp(samples: usize) -> Vec<f32> {
    let value = |n: usize| {
        let time = n as f64 / f64::from(SAMPLE_RATE);
        let loudness = if n < samples / 2 { 0.5 } else { 0.01 };
        (loudness * (TAU * (200.0 + 900.0 * time) * time).sin()) as f32
    };
    (0..samples).map(value).collect()
}

fn go_on() -> Result<(), AudioError> {
    Ok(())
}

#[test]
fn windows_equal_the_definition() {
    let recording = Recording::from_samples(&chirp(12_345));
    let mut stored = vec![0.0; 12_345];
    recording.read(0, &mut stored).unwrap();
    for bins in [80, 128] {
        let spectrogram = Spectrogram::new(&recording, bins, Convention::OpenAi, Crew::ALONE, &mut go_on).unwrap();
        assert_eq!(spectrogram.content_frames(), 77);
        let expected = reference(&stored, 80, bins);
        let loudest = expected.iter().copied().fold(f64::MIN, f64::max);
        // The second window begins inside the recording, where nothing is mirrored.
        for (seek, content) in [(0, 77), (30, 47)] {
            let mel = spectrogram.window(seek, content, 100).unwrap();
            assert_eq!((mel.frames, mel.bins, mel.values.len()), (100, bins, 100 * bins));
            for (index, &value) in mel.values.iter().enumerate() {
                let expected = match expected.get(seek as usize * bins + index) {
                    Some(value) if index < content * bins => (value.max(loudest - 8.0) + 4.0) / 4.0,
                    _ => 0.0,
                };
                assert!((f64::from(value) - expected).abs() < 1e-4, "{bins} bins, {seek}, {index}: {value} {expected}");
            }
        }
    }
}

#[test]
fn the_floor_is_that_of_the_recording_or_of_the_window() {
    // A loud second, then a quiet one.
    let recording = Recording::from_samples(&chirp(32_000));
    let floor = |convention| {
        let spectrogram = Spectrogram::new(&recording, 80, convention, Crew::ALONE, &mut go_on).unwrap();
        let mel = spectrogram.window(120, 50, 50).unwrap();
        mel.values.iter().copied().fold(f32::MAX, f32::min)
    };
    let (openai, hugging_face) = (floor(Convention::OpenAi), floor(Convention::HuggingFace));
    assert!(hugging_face < openai - 0.5, "{hugging_face} {openai}");
}

proptest! {
    #[test]
    fn the_loudest_point_is_the_same_without_looking_everywhere(
        levels in prop::collection::vec(-8.0f32..0.0, 1..40),
        pitches in prop::collection::vec(0.0f32..8000.0, 40),
        noise in 0.0f32..1.0,
        bins in prop_oneof![Just(80), Just(128)],
    ) {
        // Stretches of 25 ms, each a tone of its own level with more or less noise in it.
        let mut state = 1u32;
        let mut samples = Vec::new();
        for (level, pitch) in levels.iter().zip(&pitches) {
            samples.extend((0..FRAME).map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let hiss = noise * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0);
                10.0f32.powf(*level) * ((TAU as f32 * pitch * n as f32 / SAMPLE_RATE as f32).sin() + hiss)
            }));
        }
        let transform = Transform::new(bins);
        let mut all = vec![0.0; ((samples.len() - FRAME) / HOP + 1) * bins];
        transform.power(&samples, &mut all);
        let loudest = all.iter().copied().fold(SMALLEST_POWER, f32::max);
        prop_assert_eq!(transform.loudest(&samples, SMALLEST_POWER), loudest);
    }
}

#[test]
fn behind_the_end_lies_zero_or_silence() {
    let recording = Recording::from_samples(&chirp(8000));
    let last = |convention| {
        let spectrogram = Spectrogram::new(&recording, 80, convention, Crew::ALONE, &mut go_on).unwrap();
        let mel = spectrogram.window(0, 50, 200).unwrap();
        mel.values[199 * 80]
    };
    assert_eq!(last(Convention::OpenAi), 0.0);
    assert!(last(Convention::HuggingFace) < 0.0);
}

#[test]
fn silence_and_nothing_have_a_spectrogram() {
    for samples in [0, 1, 100, 16_000] {
        let recording = Recording::from_samples(&vec![0.0; samples]);
        for convention in [Convention::OpenAi, Convention::HuggingFace] {
            let spectrogram = Spectrogram::new(&recording, 80, convention, Crew::ALONE, &mut go_on).unwrap();
            let mel = spectrogram.window(0, samples / HOP, WINDOW_FRAMES).unwrap();
            assert!(mel.values.iter().all(|value| value.is_finite()), "{samples} {convention:?}");
        }
    }
}

#[test]
fn looking_for_the_loudest_point_can_be_cancelled() {
    #[derive(Debug)]
    struct Cancelled;
    impl From<AudioError> for Cancelled {
        fn from(_: AudioError) -> Self {
            Cancelled
        }
    }
    let recording = Recording::from_samples(&chirp(16_000));
    let result = Spectrogram::new(&recording, 80, Convention::OpenAi, Crew::ALONE, &mut || Err(Cancelled));
    assert!(result.is_err());
}

#[test]
fn threads_do_not_show() {
    let samples: Vec<f32> = (0..4).flat_map(|part| chirp(400_000 + 7 * part)).collect();
    let recording = Recording::from_samples(&samples);
    let heard = |threads: usize| {
        let crew = Crew::new(std::num::NonZeroUsize::new(threads));
        let spectrogram = Spectrogram::new(&recording, 80, Convention::OpenAi, crew, &mut go_on).unwrap();
        (spectrogram.loudest, spectrogram.window(2345, WINDOW_FRAMES, WINDOW_FRAMES).unwrap())
    };
    let alone = heard(1);
    for threads in 2..5 {
        assert_eq!(heard(threads), alone, "{threads} threads");
    }
}

proptest! {
    #[test]
    fn logarithms_are_as_near_as_singles_are(power in -37.9_f32..38.4) {
        let number = 10_f32.powf(power);
        let expected = f64::from(number).log10();
        let apart = (f64::from(log10(number)) - expected).abs();
        prop_assert!(apart <= 1.5e-7 + 1.2e-7 * expected.abs(), "log10 of {number} is off by {apart}");
    }
}

#[test]
fn powers_of_ten_have_whole_logarithms() {
    for power in -10..=3 {
        assert_eq!(log10(10_f32.powi(power)), power as f32);
    }
}
