//! Two GPUs in memory as one device.

use std::num::NonZeroUsize;

use amanuensis::backend::Several;
use amanuensis::segments::Punctuation;
use amanuensis::{Control, Engine, Job, Options};

use super::*;
use crate::driver::fake::{FakeMachine, Fault};

/// GPUs 0 and 1 of a machine.
fn two() -> ([Arc<FakeGpu>; 2], Several) {
    let gpus = [FakeGpu::new(1 << 30), FakeGpu::new(1 << 30)];
    let machine = Arc::new(FakeMachine::new(gpus.clone()));
    let member = |device: usize| {
        let backend = Cuda::on(Setup { device, ..Setup::default() }, machine.clone());
        (format!("cuda:{device}"), Box::new(backend) as Box<dyn Backend>)
    };
    (gpus, Several::new("cuda-emulated", vec![member(0), member(1)]))
}

/// Segments with words of two recordings that are heard together.
fn transcripts(backend: &dyn Backend) -> Vec<Result<String, amanuensis::Error>> {
    let engine = Engine::with(demo(), backend).unwrap_or_else(|error| panic!("{error}"));
    let language = Some("en".to_owned());
    let options = Options { language, words: Some(Punctuation::default()), ..Options::default() };
    let recordings = ["english.wav", "english-numbers.wav"].map(sample);
    let job = |recording| Job { recording, options: &options, control: Control::new() };
    let mut jobs: Vec<Job<'_>> = recordings.iter().map(job).collect();
    let together = NonZeroUsize::new(jobs.len()).expect("two");
    let outcomes = engine.transcribe_many(&mut jobs, together, &NEVER);
    let text =
        |outcome: amanuensis::Outcome| format!("{:?} {:?}", outcome.transcript.segments, outcome.receipt.devices());
    outcomes.into_iter().map(|outcome| outcome.map(text)).collect()
}

#[test]
fn two_gpus_write_what_one_writes() {
    let right: Vec<String> =
        transcripts(&Emulated::new().backend).into_iter().map(|text| text.expect("a text")).collect();
    let (gpus, several) = two();
    let found: Vec<String> = transcripts(&several).into_iter().map(|text| text.expect("a text")).collect();
    assert_eq!(found, right);
    let [first, second] = gpus.map(|gpu| gpu.counts().operations);
    assert!(first > 100 && second > 100, "each had a window: {first} and {second} operations");
}

#[test]
fn a_gpu_that_fails_is_named() {
    let (gpus, several) = two();
    let model = several.load(&demo()).unwrap_or_else(|error| panic!("{error}"));
    let windows = [window("english.wav", 0, 40), window("german.wav", 30, 52)];
    let encoded = encode(&*model, &windows);
    gpus[1].fail(Fault::Launch(3));
    let mut during = work();
    let failed = model.encode(&windows, &mut during).map(drop).expect_err("one failed").to_string();
    assert!(failed.contains("device cuda-emulated: cuda:1: launch failed"), "{failed}");
    assert!(devices(&during).is_empty() && during.receipt.windows == 0);
    assert!(values(&encode(&*model, &windows)) == values(&encoded), "both go on");
    gpus[0].fail(Fault::Gone);
    let failed = model.encode(&windows, &mut work()).map(drop).expect_err("one is gone").to_string();
    assert!(failed.contains("cuda:0: the GPU does not answer any more"), "{failed}");
    drop(model);
    let failed = several.load(&demo()).map(drop).expect_err("one is gone").to_string();
    assert!(failed.contains("cuda:0: "), "{failed}");
}
