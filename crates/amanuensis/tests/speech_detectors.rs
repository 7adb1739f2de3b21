//! What the detector without weights finds, and what it takes for speech: frames of recordings and of made-up sounds.
//!
//! `cargo test --test speech_detectors -- --nocapture` with AMANUENSIS_SHARED set prints the tables of docs/speech.md.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::f64::consts::TAU;
use std::ops::ControlFlow;
use std::path::Path;

use amanuensis::Crew;
use amanuensis::audio::{Recording, Sound};
use amanuensis::speech::{
    Detector, FRAME_SAMPLES, Heard, Silero, Spliced, TimeMap, VadOptions, Voicing, chunks, spans,
};
use serde_json::Value;

const RATE: f64 = 16000.0;

/// Numbers by chance, always the same.
struct Chance(u64);

impl Chance {
    /// From -1 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

fn white(seconds: f64) -> Vec<f64> {
    let mut chance = Chance(1);
    (0..(seconds * RATE) as usize).map(|_| chance.next() + chance.next() + chance.next()).collect()
}

/// Noise with 3 dB less in every octave: a sum of filters an octave and a half apart.
fn pink(seconds: f64) -> Vec<f64> {
    let mut state = [0.0; 4];
    let filter = |value: f64| {
        for (state, (pole, share)) in state.iter_mut().zip([(0.998, 0.045), (0.985, 0.12), (0.9, 0.3), (0.4, 0.6)]) {
            *state = pole * *state + share * value;
        }
        state.iter().sum()
    };
    white(seconds).into_iter().map(filter).collect()
}

/// A sound as a function of time.
fn of_time(seconds: f64, value: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..(seconds * RATE) as usize).map(|place| value(place as f64 / RATE)).collect()
}

fn sine(frequency: f64, time: f64) -> f64 {
    (TAU * frequency * time).sin()
}

/// Chords of struck strings, so many a second, of so many notes.
fn piano(seconds: f64, rate: f64, notes: usize) -> Vec<f64> {
    const SCALE: [i32; 7] = [0, 2, 4, 5, 7, 9, 11];
    let mut out = vec![0.0; (seconds * RATE) as usize];
    let mut chance = Chance(3);
    for chord in 0..(seconds * rate) as usize {
        let root = (chance.next().abs() * 7.0) as usize;
        let start = (chord as f64 / rate * RATE) as usize;
        for note in 0..notes {
            let degree = root + 2 * note;
            let semitones = SCALE[degree % 7] + 12 * (degree / 7) as i32 - 14;
            let frequency = 440.0 * 2f64.powf(f64::from(semitones) / 12.0);
            for (place, out) in out[start..].iter_mut().take((1.5 / rate * RATE) as usize).enumerate() {
                let time = place as f64 / RATE;
                let struck = (1..=6).map(|partial| {
                    let partial = f64::from(partial);
                    sine(frequency * partial, time) / partial.powf(1.2) * (-3.0 * time * (1.0 + 0.3 * partial)).exp()
                });
                *out += struck.sum::<f64>() * (time / 0.005).min(1.0);
            }
        }
    }
    out
}

/// One note after the other, rich in harmonics, with a vibrato of this share of the pitch.
fn melody(seconds: f64, vibrato: f64) -> Vec<f64> {
    let mut chance = Chance(4);
    let (length, mut phase) = (0.4, 0.0);
    let mut out = Vec::new();
    for _ in 0..(seconds / length) as usize {
        let frequency = 220.0 * 2f64.powf(((chance.next() + 1.0) * 10.0).floor() / 12.0);
        for place in 0..(length * RATE) as usize {
            let time = place as f64 / RATE;
            phase += TAU * frequency * (1.0 + vibrato * sine(5.5, time)) / RATE;
            let envelope = (time / 0.03).min(1.0).min((length - time) / 0.04);
            out.push(
                envelope
                    * (1..=10).map(|harmonic| (phase * f64::from(harmonic)).sin() / f64::from(harmonic)).sum::<f64>(),
            );
        }
    }
    out
}

/// Short knocks, about so many a second.
fn clicks(seconds: f64, rate: f64) -> Vec<f64> {
    let mut chance = Chance(5);
    let mut out = vec![0.0; (seconds * RATE) as usize];
    let mut time = 0.1;
    while time < seconds - 0.1 {
        let start = (time * RATE) as usize;
        let strength = 0.3 + 0.7 * chance.next().abs();
        out[start..start + 320]
            .iter_mut()
            .enumerate()
            .for_each(|(place, out)| *out += strength * chance.next() * (-(place as f64) / 60.0).exp());
        time += (0.2 + 1.6 * chance.next().abs()) / rate;
    }
    out
}

fn power(sound: &[f64]) -> f64 {
    sound.iter().map(|value| value * value).sum::<f64>() / sound.len().max(1) as f64
}

/// The sound at a level in dB of full scale.
fn at(level: f64, mut sound: Vec<f64>) -> Vec<f64> {
    let factor = 10f64.powf(level / 20.0) / power(&sound).sqrt();
    sound.iter_mut().for_each(|value| *value *= factor);
    sound
}

fn plus(mut sound: Vec<f64>, other: Vec<f64>) -> Vec<f64> {
    sound.iter_mut().zip(other).for_each(|(value, other)| *value += other);
    sound
}

fn recording(sound: &[f64]) -> Recording {
    Recording::from_samples(&sound.iter().map(|&value| value.clamp(-1.0, 0.99997) as f32).collect::<Vec<_>>())
}

fn is_speech(detector: &dyn Detector, sound: &[f64]) -> Vec<bool> {
    let found = detector.probabilities(&recording(sound), Crew::ALONE, &mut |_| ControlFlow::Continue(())).unwrap();
    found.into_iter().map(|probability| probability >= 0.5).collect()
}

#[test]
fn what_is_no_speech_is_not_taken_for_it() {
    let length = 20.0;
    let gate = |time: f64, period: f64, open: f64| if time % period < open { 1.0 } else { 0.0 };
    let quiet = || at(-65.0, pink(length));
    let varied = |level: f64, shape: &dyn Fn(f64) -> f64| {
        at(level, white(length).into_iter().zip(of_time(length, shape)).map(|(noise, shape)| noise * shape).collect())
    };
    let hum = of_time(length, |time| {
        (1..12).map(|harmonic| sine(50.0 * f64::from(harmonic), time) / f64::from(harmonic)).sum()
    });
    let chord = |time: f64| {
        const CHORDS: [[i32; 4]; 4] = [[0, 4, 7, 12], [5, 9, 12, 17], [7, 11, 14, 19], [0, 4, 7, 16]];
        let tones = CHORDS[(time / 2.0) as usize % 4].map(|semitones| 130.8 * 2f64.powf(f64::from(semitones) / 12.0));
        tones
            .iter()
            .flat_map(|tone| (1..9).map(move |partial| sine(tone * f64::from(partial), time) / f64::from(partial)))
            .sum()
    };
    let cases: Vec<(&str, Vec<f64>)> = vec![
        ("digital silence", vec![0.0; 320_000]),
        ("room noise, -85 dBFS", at(-85.0, pink(length))),
        ("white noise, -60 dBFS", at(-60.0, white(length))),
        ("white noise, -10 dBFS", at(-10.0, white(length))),
        ("pink noise, -60 dBFS", at(-60.0, pink(length))),
        ("pink noise, -20 dBFS", at(-20.0, pink(length))),
        ("noise swelling four times a second", varied(-25.0, &|time| (0.5 + 0.5 * sine(4.0, time)).powi(2))),
        ("bursts of noise", plus(varied(-25.0, &|time| gate(time, 1.0, 0.3)), quiet())),
        ("noise, louder every 6 s", varied(-25.0, &|time| 0.05 + gate(time, 6.0, 3.0))),
        ("knocks", plus(at(-30.0, clicks(length, 4.0)), quiet())),
        ("typing", plus(at(-35.0, clicks(length, 9.0)), quiet())),
        ("hum of the mains", plus(at(-30.0, hum), quiet())),
        ("a tone", of_time(length, |time| 0.1 * sine(440.0, time))),
        ("a tone that swells", of_time(length, |time| 0.1 * sine(300.0, time) * (0.6 + 0.4 * sine(1.0, time)))),
        ("a tone that glides", of_time(length, |time| 0.1 * (TAU * (200.0 * time + 45.0 * time * time)).sin())),
        ("a tone, on and off", of_time(length, |time| 0.1 * sine(1000.0, time) * gate(time, 2.0, 1.0))),
        ("beeps", of_time(length, |time| 0.1 * sine(1000.0, time) * gate(time, 0.5, 0.2))),
        (
            "dialling",
            of_time(length, |time| {
                0.1 * gate(time, 0.3, 0.15)
                    * (sine(697.0 + 73.0 * ((time / 0.3).floor() % 3.0), time) + sine(1209.0, time))
            }),
        ),
        ("ringing tone", of_time(length, |time| 0.1 * gate(time, 3.0, 1.0) * (sine(440.0, time) + sine(480.0, time)))),
        ("organ chords", at(-20.0, of_time(length, chord))),
        ("piano, a chord a second", at(-20.0, piano(length, 1.0, 3))),
        ("piano, two chords a second", at(-20.0, piano(length, 2.0, 3))),
        ("piano, four notes a second", at(-20.0, piano(length, 4.0, 1))),
        ("melody", at(-20.0, melody(length, 0.0))),
        ("melody with vibrato", at(-20.0, melody(length, 0.012))),
    ];
    let silero = common::shared().map(|shared| Silero::open(&shared.join("vocab/silero-v6.2.0-ggml.bin")).unwrap());
    let percent = |found: Vec<bool>| 100.0 * found.iter().filter(|&&speech| speech).count() as f64 / found.len() as f64;
    println!("\n| 20 s of | voicing | Silero 6.2 |\n|---|---|---|");
    let mut worst = Vec::new();
    for (name, sound) in cases {
        let found = percent(is_speech(&Voicing, &sound));
        let second =
            silero.as_ref().map_or("-".into(), |silero| format!("{:.1} %", percent(is_speech(silero, &sound))));
        println!("| {name} | {found:.1} % | {second} |");
        if found > 0.5 {
            worst.push((name, found));
        }
    }
    assert!(worst.is_empty(), "taken for speech, in percent: {worst:?}");
}

/// How far each frame of a sound is from speech, in frames; 0 inside.
fn distances(speech: &[bool]) -> Vec<usize> {
    let mut distances = vec![usize::MAX / 2; speech.len()];
    let mut nearest = usize::MAX / 2;
    for (distance, &speech) in distances.iter_mut().zip(speech) {
        nearest = if speech { 0 } else { nearest + 1 };
        *distance = nearest;
    }
    nearest = usize::MAX / 2;
    for (distance, &speech) in distances.iter_mut().zip(speech).rev() {
        nearest = if speech { 0 } else { nearest + 1 };
        *distance = nearest.min(*distance);
    }
    distances
}

/// The samples of a recording, and which frames are speech.
struct Spoken {
    sound: Vec<f64>,
    speech: Vec<bool>,
}

fn open(path: &Path) -> Vec<f64> {
    common::samples(&common::open(path)).into_iter().map(f64::from).collect()
}

/// Synthetic recordings; a frame is speech that is half in a word.
fn synthetic(shared: &Path) -> Vec<Spoken> {
    let manifest = std::fs::read_to_string(shared.join("audio/manifest.jsonl")).unwrap();
    let entries = manifest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let wanted = |file: &str| {
        file.starts_with("short") || file.starts_with("packed") || ["long_2min.flac", "dialogue.wav"].contains(&file)
    };
    entries
        .filter(|entry| wanted(entry["file"].as_str().unwrap()))
        .map(|entry| {
            let sound = open(&shared.join("audio").join(entry["file"].as_str().unwrap()));
            let mut samples = vec![0usize; sound.len().div_ceil(FRAME_SAMPLES)];
            for word in entry["words"].as_array().unwrap() {
                let [start, end] = ["start", "end"].map(|edge| (word[edge].as_f64().unwrap() * RATE) as usize);
                (start..end.min(sound.len())).for_each(|sample| samples[sample / FRAME_SAMPLES] += 1);
            }
            Spoken { sound, speech: samples.into_iter().map(|samples| samples > FRAME_SAMPLES / 2).collect() }
        })
        .collect()
}

/// A recording of a voice; a frame is speech that Silero, run by onnxruntime, takes for it.
fn real(shared: &Path) -> Vec<Spoken> {
    let golden = common::golden("speech/silero.json");
    let case = golden["cases"].as_array().unwrap().iter().find(|case| case["file"] == "jfk.wav").unwrap();
    let heard = common::numbers::<f32>(&case["probabilities"]);
    let speech = heard.into_iter().map(|probability| probability >= 0.5).collect();
    vec![Spoken { sound: open(&shared.join("vocab/jfk.wav")), speech }]
}

/// The shares of speech that is found, and of frames 160 ms and more away from speech that are taken for it.
fn score(detector: &dyn Detector, spoken: &[Spoken], condition: &dyn Fn(&[f64]) -> Vec<f64>) -> (f64, f64) {
    let (mut speech, mut found, mut other, mut wrong) = (0, 0, 0, 0);
    for Spoken { sound, speech: truth } in spoken {
        for (is, distance) in is_speech(detector, &condition(sound)).into_iter().zip(distances(truth)) {
            match distance {
                0 => (speech, found) = (speech + 1, found + usize::from(is)),
                5.. => (other, wrong) = (other + 1, wrong + usize::from(is)),
                _ => {}
            }
        }
    }
    (100.0 * found as f64 / speech as f64, 100.0 * wrong as f64 / other as f64)
}

#[test]
fn speech_is_found_in_quiet_and_in_noise() {
    let Some(shared) = common::shared() else { return };
    let silero = Silero::open(&shared.join("vocab/silero-v6.2.0-ggml.bin")).unwrap();
    let noisy = |ratio: f64, noise: fn(f64) -> Vec<f64>| {
        move |sound: &[f64]| {
            let level = 10.0 * power(sound).log10() - ratio;
            plus(sound.to_vec(), at(level, noise(sound.len() as f64 / RATE + 0.1)))
        }
    };
    type Condition<'a> = (&'a str, Box<dyn Fn(&[f64]) -> Vec<f64>>, f64);
    // The least recall that is asked for, in percent.
    let conditions: Vec<Condition<'_>> = vec![
        ("as it is", Box::new(|sound: &[f64]| sound.to_vec()), 95.0),
        ("at -10 dBFS, clipped", Box::new(|sound: &[f64]| at(-10.0, sound.to_vec())), 95.0),
        ("at -45 dBFS", Box::new(|sound: &[f64]| at(-45.0, sound.to_vec())), 95.0),
        ("white noise, 20 dB below", Box::new(noisy(20.0, white)), 95.0),
        ("pink noise, 20 dB below", Box::new(noisy(20.0, pink)), 95.0),
        ("white noise, 10 dB below", Box::new(noisy(10.0, white)), 88.0),
        ("pink noise, 10 dB below", Box::new(noisy(10.0, pink)), 88.0),
        ("white noise, 5 dB below", Box::new(noisy(5.0, white)), 80.0),
        ("pink noise, 5 dB below", Box::new(noisy(5.0, pink)), 80.0),
    ];
    println!(
        "\n| speech | voicing: synthetic | Silero 6.2: synthetic | voicing: real | Silero 6.2: real |\n|---|---|---|---|---|"
    );
    let sets = [synthetic(&shared), real(&shared)];
    for (name, condition, least) in conditions {
        let scores = sets.each_ref().map(|set| {
            let detectors: [&dyn Detector; 2] = [&Voicing, &silero];
            detectors.map(|detector| score(detector, set, &condition))
        });
        let cells = scores.as_flattened().iter().map(|(found, wrong)| format!(" {found:.1} / {wrong:.1} % |"));
        println!("| {name} |{}", cells.collect::<String>());
        for [(found, wrong), _] in scores {
            assert!(found >= least && wrong <= 5.0, "{name}: {found:.1} % found, {wrong:.1} % wrong");
        }
    }
}

#[test]
fn chunks_of_long_recordings_are_never_cut_in_a_word() {
    let Some(shared) = common::shared() else { return };
    let manifest = std::fs::read_to_string(shared.join("audio/manifest.jsonl")).unwrap();
    let entries = manifest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    for entry in entries.filter(|entry| entry["file"].as_str().unwrap().starts_with("long")) {
        let name = entry["file"].as_str().unwrap();
        let recording = common::open(&shared.join("audio").join(name));
        let probabilities = Voicing.probabilities(&recording, Crew::ALONE, &mut |_| ControlFlow::Continue(())).unwrap();
        let found = spans(&probabilities, recording.len(), &VadOptions::batched(30.0));
        for (map, kind) in [(TimeMap::identity(), "whole"), (TimeMap::new(&found), "only speech")] {
            let heard = Spliced::new(&recording, map);
            let cuts = chunks(heard.map(), heard.samples(), &probabilities, 30.0);
            let lengths = cuts.iter().map(|(start, end)| (end - start) as f64 / 100.0);
            let mean = lengths.clone().sum::<f64>() / cuts.len() as f64;
            println!("{name}, {kind}: {} chunks of {mean:.1} s", cuts.len());
            // A chunk less than the next whole number cannot be had; every third more is a waste.
            assert!(mean > 20.0, "{name}, {kind}: {:?}", lengths.collect::<Vec<_>>());
            for (start, _) in &cuts[1..] {
                let cut = heard.map().start(Heard::from_frames(*start)).seconds();
                let inside = entry["words"].as_array().unwrap().iter().find(|word| {
                    word["start"].as_f64().unwrap() + 0.02 < cut && cut < word["end"].as_f64().unwrap() - 0.02
                });
                assert!(inside.is_none(), "{name}, {kind}: cut at {cut} s, in {inside:?}");
            }
        }
    }
}

/// `cargo test --release --test speech_detectors -- --ignored --nocapture` says how fast they are.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let Some(shared) = common::shared() else { return };
    let silero = Silero::open(&shared.join("vocab/silero-v6.2.0-ggml.bin")).unwrap();
    let recording = common::open(&shared.join("audio/long_10min.opus"));
    let detectors: [&dyn Detector; 2] = [&Voicing, &silero];
    for detector in detectors {
        let best = (0..5)
            .map(|_| {
                let begun = std::time::Instant::now();
                let found =
                    detector.probabilities(&recording, Crew::ALONE, &mut |_| ControlFlow::Continue(())).unwrap();
                assert_eq!(found.len() as u64, recording.len().div_ceil(FRAME_SAMPLES as u64));
                begun.elapsed().as_secs_f64()
            })
            .fold(f64::INFINITY, f64::min);
        println!(
            "{}: {best:.3} s for {:.0} s of sound, {:.0} times realtime",
            detector.name(),
            recording.duration(),
            recording.duration() / best
        );
    }
}
