use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::audio::Recording;

fn noise(seconds: f64, level: f32) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..(seconds * 16000.0) as usize).map(|_| level * next()).collect()
}

/// A buzz that glides from 110 to 170 Hz and back four times a second, in syllables.
fn voice(seconds: f64, level: f32) -> Vec<f32> {
    let mut phase = 0.0f64;
    (0..(seconds * 16000.0) as usize)
        .map(|place| {
            let time = place as f64 / 16000.0;
            phase += std::f64::consts::TAU * (140.0 + 30.0 * (time * 9.0).sin()) / 16000.0;
            let voice: f64 = (1..25).map(|harmonic| (phase * f64::from(harmonic)).sin() / f64::from(harmonic)).sum();
            (f64::from(level) * voice * (time * 12.0).sin().abs()) as f32
        })
        .collect()
}

fn found(samples: &[f32], block: usize) -> Vec<f32> {
    found_by(Crew::ALONE, samples, block)
}

fn found_by(crew: Crew, samples: &[f32], block: usize) -> Vec<f32> {
    probabilities(&Recording::from_samples(samples), crew, &mut |_| ControlFlow::Continue(()), block).unwrap()
}

fn share(probabilities: &[f32]) -> f32 {
    probabilities.iter().filter(|&&probability| probability >= 0.5).count() as f32 / probabilities.len() as f32
}

#[test]
fn a_gliding_voice_is_found_and_silence_and_noise_are_not() {
    for level in [0.2, 0.02] {
        let sound = [vec![0.0; 32000], voice(2.0, level), noise(2.0, level / 30.0), vec![0.0; 32000]].concat();
        let found = found(&sound, BLOCK);
        assert_eq!(found.len(), 250);
        assert!(share(&found[63..125]) > 0.95, "{:?}", &found[63..125]);
        // What follows within 0.2 s of voice, noise for one, passes for a consonant.
        let first = found.iter().position(|&probability| probability >= 0.5);
        let last = found.iter().rposition(|&probability| probability >= 0.5);
        assert!(first.is_some_and(|first| (58..63).contains(&first)), "{first:?}");
        assert!(last.is_some_and(|last| (125..134).contains(&last)), "{last:?}");
    }
}

#[test]
fn steady_sounds_are_no_speech_and_no_sound_is_too_short() {
    let hum: Vec<f32> = (0..80_000).map(|place| (place as f32 * 0.0196).sin().powi(3) * 0.3).collect();
    for sound in [hum, noise(5.0, 0.3), noise(5.0, 0.0001), vec![0.0; 80_000], vec![0.9; 80_000]] {
        assert_eq!(share(&found(&sound, BLOCK)), 0.0);
    }
    assert!(found(&[], BLOCK).is_empty());
    assert_eq!(found(&[0.5], BLOCK).len(), 1);
}

#[test]
fn it_stops_when_it_is_told_to() {
    let recording = Recording::from_samples(&noise(10.0, 0.1));
    let mut calls = 0;
    let result = Voicing.probabilities(&recording, Crew::ALONE, &mut |samples| {
        calls += 1;
        if samples > 64_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(result, Err(SpeechError::Cancelled)));
    assert_eq!(calls, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn blocks_and_threads_do_not_show(pause in 0.0..8.0, block in 1usize..400, threads in 1usize..5) {
        let sound = [voice(7.0, 0.1), noise(pause, 0.001), voice(6.0, 0.01), noise(8.0, 0.05)].concat();
        let crew = Crew::new(NonZeroUsize::new(threads));
        prop_assert_eq!(found_by(crew, &sound, block), found(&sound, usize::MAX / 2));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// In pieces it is the same detector as for a recording that ends here, as long as nothing is forgotten.
    #[test]
    fn pieces_do_not_show(piece in 1usize..5000) {
        let sound = [noise(1.0, 0.001), voice(1.5, 0.1), noise(0.5, 0.001)].concat();
        let mut stream = VoicingStream::new();
        sound.chunks(piece).for_each(|piece| stream.hear(piece));
        let (first, streamed) = stream.probabilities();
        prop_assert_eq!(first, 0);
        // The last frame waits for what comes behind it.
        let whole = found(&sound[..(streamed.len() + 1) * FRAME_SAMPLES - FRAME_SAMPLES / 2], BLOCK);
        for (frame, (one, other)) in streamed.iter().zip(&whole).enumerate().take(streamed.len().saturating_sub(4)) {
            prop_assert!((one - other).abs() < 0.2, "frame {frame}: {one} and {other}");
        }
        prop_assert!(share(&streamed[32..76]) > 0.9);
    }
}

#[test]
fn a_stream_forgets_what_is_long_gone() {
    let mut stream = VoicingStream::new();
    for _ in 0..200 {
        stream.hear(&noise(0.5, 0.01));
    }
    let (first, judged) = stream.probabilities();
    assert!(judged.len() < 400 && first as usize + judged.len() == 100 * 16000 / FRAME_SAMPLES - 1);
    assert_eq!(share(&judged), 0.0);
}
