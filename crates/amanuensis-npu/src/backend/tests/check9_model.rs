//! Acceptance check 9: a whole model through the driver in memory and the emulator, beside the CPU in f32.

use amanuensis::{Control, Engine, Options, Setup as EngineSetup};

use super::*;

/// What bf16 may change of the encoder's output: the sum of the errors' sizes as a part of the sum of the values' sizes. Measured
/// of the demo model: 0.0044 with rounding to even, 0.0072 with rounding down.
const BOUND: f64 = 0.0056;
/// The least cosine of the whole output. Measured: 0.999990 and 0.999972.
const COSINE: f64 = 0.999_983;

/// How far values are from those that are right: error and cosine.
fn compare(found: &[f32], right: &[f32]) -> (f64, f64) {
    assert_eq!(found.len(), right.len());
    let pairs = || found.iter().zip(right).map(|(found, right)| (f64::from(*found), f64::from(*right)));
    let error: f64 = pairs().map(|(found, right)| (found - right).abs()).sum();
    let mass: f64 = pairs().map(|(_, right)| right.abs()).sum();
    let product: f64 = pairs().map(|(found, right)| found * right).sum();
    let length = |pick: fn((f64, f64)) -> f64| pairs().map(|pair| pick(pair).powi(2)).sum::<f64>().sqrt();
    (error / mass, product / (length(|pair| pair.0) * length(|pair| pair.1)))
}

#[test]
fn check9_the_encoder_is_as_exact_as_bf16_and_rounding_down_is_not() {
    // All of the sample's sound, and a second behind it.
    let mel = window("english.wav", 480);
    let right = on_the_cpu()
        .encode(std::slice::from_ref(&mel), &mut work())
        .expect("encoded")
        .values()
        .expect("here")
        .into_owned();
    let emulated = Emulated::new(Mode::Require);
    let model = emulated.load();
    let mut done = work();
    let found =
        model.encode(std::slice::from_ref(&mel), &mut done).expect("encoded").values().expect("here").into_owned();
    let (error, cosine) = compare(&found, &right);
    eprintln!("rounding to even: error/mass {error:.5}, cosine {cosine:.6}");
    assert!(error < BOUND && cosine > COSINE, "error/mass {error}, cosine {cosine}");
    let [linear, attention] = model.dims().encoder_operations(240);
    assert_eq!(operations(&done), [("cpu".to_owned(), attention), ("npu-emulated".to_owned(), linear)]);

    emulated.forgets.store(true, Ordering::Relaxed);
    let found =
        model.encode(std::slice::from_ref(&mel), &mut work()).expect("encoded").values().expect("here").into_owned();
    let (error, cosine) = compare(&found, &right);
    eprintln!("rounding down: error/mass {error:.5}, cosine {cosine:.6}");
    assert!(error > BOUND && cosine < COSINE, "rounding down is within bounds: error/mass {error}, cosine {cosine}");
}

#[test]
fn check9_cores_that_round_down_are_found_when_a_model_is_loaded() {
    let emulated = Emulated::new(Mode::Require);
    emulated.forgets.store(true, Ordering::Relaxed);
    let refused = emulated.backend.load(&demo()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("is allowed (a pack that rounds down"), "{refused}");
}

#[test]
fn check9_the_transcript_is_that_of_the_cpu() {
    let options = Options { language: Some("en".to_owned()), ..Options::default() };
    let recording = sample("english.wav");
    let transcribe = |engine: &Engine| {
        engine.transcribe(&recording, &options, &mut Control::new()).unwrap_or_else(|error| panic!("{error}"))
    };
    let source = Source::Path(in_repository("models/demo"));
    let right = transcribe(&Engine::load(&source, &EngineSetup::default()).unwrap_or_else(|error| panic!("{error}")));
    let emulated = Emulated::new(Mode::Require);
    let engine = Engine::with(demo(), &emulated.backend).unwrap_or_else(|error| panic!("{error}"));
    let found = transcribe(&engine);
    assert!(right.transcript.text.len() > 20, "{:?}", right.transcript.text);
    assert_eq!(found.transcript.text, right.transcript.text);
    let times = |outcome: &amanuensis::Outcome| {
        outcome.transcript.segments.iter().map(|segment| (segment.start, segment.end)).collect::<Vec<_>>()
    };
    assert_eq!(times(&found), times(&right));
    assert!(found.receipt.devices().iter().any(|device| device == "npu-emulated"));
    let dims = engine.dims();
    let linear = dims.encoder_operations(1500)[0] + dims.cross_operations(1500);
    assert_eq!(found.receipt.placement.operations["npu-emulated"], linear);
    assert_eq!(found.receipt.placement.fallbacks.len(), 0);
    assert_eq!(emulated.backend.status().windows.get("npu-emulated"), Some(&1));
}
