//! What a model loses in bytes: measured beside f32, with the same weights and the same sound.

mod common;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Backend, ComputeType, Model, Work};
use amanuensis::mel::{Convention, Mel, Spectrogram, WINDOW_FRAMES};
use amanuensis::model::{self, ModelFile, Source};
use amanuensis::{Control, Crew, Engine, Error, Options, Outcome, Setup};
use common::{model_folder, open, shared};

/// The smallest cosine between a window in bytes and in f32.
const COSINE: f64 = 0.999;

static NEVER: AtomicBool = AtomicBool::new(false);

/// The share of words whose times stay within a position of the encoder, 20 ms. Measured: 94 and 100 of 100 with the kernels
/// of AVX-512 VNNI, 98 and 98 with those of AVX2. A sentence that is aligned otherwise moves several words, so there is room
/// for one.
const STEADY: f64 = 0.88;

const SENTENCES: [&str; 12] = [
    "short_00.wav",
    "short_01.wav",
    "short_02.wav",
    "short_03.wav",
    "short_04.wav",
    "short_05.wav",
    "short_06.wav",
    "short_07.wav",
    "short_08.wav",
    "short_09.wav",
    "short_10.wav",
    "short_11.wav",
];

/// Sound that fills most of a window.
const FULL: [&str; 2] = ["packed_0.wav", "packed_1.wav"];

#[test]
fn windows_sound_the_same_in_bytes() {
    let Some(shared) = shared() else { return };
    for name in ["demo", "std"] {
        let file = model::open(&Source::Path(model_folder(name, Some(&shared)))).expect("a model");
        let load = |compute| Cpu::new(None, compute).load(&file).expect("a model on the CPU");
        let (exact, bytes) = (load(ComputeType::F32), load(ComputeType::Int8));
        for sound in SENTENCES.into_iter().chain(FULL) {
            let mel = window(&file, &shared.join("audio").join(sound));
            let cosine = cosine(&encode(&*exact, &mel), &encode(&*bytes, &mel));
            assert!(cosine > COSINE, "{name} {sound}: {cosine}");
        }
    }
}

fn window(file: &ModelFile, sound: &Path) -> Mel {
    let recording = open(sound);
    let mut go_on = || Ok::<(), Error>(());
    let spectrogram = Spectrogram::new(&recording, file.dims.mel_bins, Convention::OpenAi, Crew::ALONE, &mut go_on)
        .expect("a spectrogram");
    spectrogram.window(0, WINDOW_FRAMES, WINDOW_FRAMES).expect("a window")
}

fn encode(model: &dyn Model, mel: &Mel) -> Vec<f32> {
    let mut work = Work::new(&NEVER);
    model
        .encode(std::slice::from_ref(mel), &mut work)
        .expect("an encoded window")
        .values()
        .expect("on the host")
        .into_owned()
}

fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

#[test]
fn sentences_read_the_same_in_bytes_with_most_words_at_the_same_times() {
    let Some(shared) = shared() else { return };
    for name in ["demo", "std"] {
        let source = Source::Path(model_folder(name, Some(&shared)));
        let load = |compute| Engine::load(&source, &Setup { compute, ..Setup::default() }).expect("an engine");
        let (exact, bytes) = (load(ComputeType::F32), load(ComputeType::Int8));
        let options = Options { words: Some(Default::default()), ..Options::default() };
        let (mut words, mut steady) = (0, 0);
        for sound in SENTENCES {
            let recording = open(&shared.join("audio").join(sound));
            let transcribe = |engine: &Engine| engine.transcribe(&recording, &options, &mut Control::new());
            let (exact, bytes) = (transcribe(&exact).expect("text"), transcribe(&bytes).expect("text"));
            assert_eq!(text(&exact), text(&bytes), "{name} {sound}");
            for (exact, bytes) in times(&exact).into_iter().zip(times(&bytes)) {
                words += 1;
                let near = |one: f64, other: f64| (one - other).abs() < 0.0201;
                steady += usize::from(near(exact.0, bytes.0) && near(exact.1, bytes.1));
            }
        }
        assert!(words > 90, "{name}: {words} words");
        assert!(steady as f64 >= STEADY * words as f64, "{name}: {steady} of {words} words within 20 ms");
    }
}

fn text(outcome: &Outcome) -> String {
    outcome.transcript.segments.iter().map(|segment| segment.text.as_str()).collect()
}

fn times(outcome: &Outcome) -> Vec<(f64, f64)> {
    let words = outcome.transcript.segments.iter().flat_map(|segment| segment.words.iter().flatten());
    words.map(|word| (word.start, word.end)).collect()
}
