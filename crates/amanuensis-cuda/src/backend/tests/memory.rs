//! A GPU in memory with little of it: batches and passes are as small as they must be, and what does not fit is refused before
//! anything is taken.

use std::num::NonZeroUsize;

use amanuensis::{Control, Engine, Job, Options};

use super::*;
use crate::backend::budget::{Batch, Budget};
use crate::driver::{Buffer, Gpu};

/// What an engine asks for by default: five samples of a window where it is not sure.
const LANES: usize = 5;

/// What lanes are fed where it does not matter.
const ONE: &[Token] = &[2049];

/// Memory of another program, so that so many bytes are left.
pub(super) fn occupy(emulated: &Emulated, left: u64) -> Buffer<f32> {
    let gpu: Arc<dyn Gpu> = emulated.gpu.clone();
    let free = gpu.free_memory().expect("it answers");
    Buffer::new(&gpu, (free - left) as usize / 4, "another program").unwrap_or_else(|error| panic!("{error}"))
}

/// What a batch of so many windows must find, and half of what one more would.
fn room_for(windows: usize) -> u64 {
    let budget = Budget::of(&demo().dims);
    let need = |windows| budget.need(Batch { windows, lanes: LANES, pass: 1 }).total();
    (32 << 20) + (need(windows) + need(windows + 1)) / 2
}

fn one_window_passes() -> Emulated {
    let gpu = FakeGpu::new(1 << 30);
    let backend = Cuda::emulated(Setup { together: 1, ..Setup::default() }, &gpu);
    Emulated { gpu, backend }
}

fn reason<T>(outcome: Result<T, BackendError>) -> String {
    match outcome {
        Err(BackendError::Device { device: "cuda-emulated", reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it worked"),
    }
}

#[test]
fn a_transcription_that_does_not_fit_comes_out_in_smaller_batches() {
    let (source, recording) = (Source::Path(in_repository("models/demo")), sample("english.wav"));
    let options = Options { language: Some("en".to_owned()), ..Options::default() };
    let cpu = Engine::load(&source, &amanuensis::Setup::default()).unwrap_or_else(|error| panic!("{error}"));
    let right = cpu.transcribe(&recording, &options, &mut Control::new()).expect("a transcript").transcript.text;

    let emulated = one_window_passes();
    let engine = Engine::with(demo(), &emulated.backend).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(engine.model().together(3, LANES).expect("room"), 3);
    let other = occupy(&emulated, room_for(2));
    assert_eq!([1, 2, 3, 64].map(|windows| engine.model().together(windows, LANES).expect("room")), [1, 2, 2, 2]);
    let job = |_| Job { recording: &recording, options: &options, control: Control::new() };
    let mut jobs: Vec<Job<'_>> = (0..3).map(job).collect();
    let three = NonZeroUsize::new(3).expect("three");
    for outcome in engine.transcribe_many(&mut jobs, three, &NEVER) {
        assert_eq!(outcome.unwrap_or_else(|error| panic!("{error}")).transcript.text, right);
    }

    // Where not one window fits any more it is said before anything is taken, and what was kept for the next batch does not count
    // against it.
    drop(other);
    let other = occupy(&emulated, 0);
    let allocated = emulated.gpu.allocated();
    let text = reason(engine.model().together(3, LANES));
    assert!(text.contains("a window in 5 lanes takes") && text.contains("take fewer beams"), "{text}");
    let failed = engine.transcribe(&recording, &options, &mut Control::new()).expect_err("no memory");
    assert!(failed.to_string().contains("a window in 5 lanes takes"), "{failed}");
    assert_eq!(emulated.gpu.allocated(), allocated);
    drop(other);
    assert_eq!(engine.model().together(3, LANES).expect("room"), 3);
}

#[test]
fn memory_that_is_kept_in_other_pieces_is_given_back_for_a_batch() {
    let emulated = one_window_passes();
    let model = emulated.load();
    let loaded = emulated.gpu.allocated();
    let encoded = encode(&*model, &[window("english.wav", 0, 40)]);
    let mut decoding = begin(&*model, &encoded);
    decoding.start(&[0; 60]);
    step(&mut *decoding, &[ONE; 60]);
    drop(decoding);
    drop(encoded);
    let kept = emulated.gpu.allocated() - loaded;
    // All that 60 lanes remembered is of no use to a window in one.
    let one = Budget::of(&demo().dims).need(Batch { windows: 1, lanes: 1, pass: 1 }).total() + (32 << 20);
    let _other = occupy(&emulated, one.saturating_sub(kept) + (1 << 20));
    assert_eq!(model.together(1, 1).expect("room"), 1);
    assert_eq!(emulated.gpu.allocated() - loaded - _other.view().bytes() as u64, 0, "it was given back");
}

#[test]
fn encoder_passes_are_as_small_as_the_memory_is() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let windows = [40, 60, 30, 50].map(|frames| window("english.wav", 0, frames));
    let right = encode(&*model, &windows);
    drop(model);
    let model = emulated.load();
    let budget = Budget::of(model.dims());
    let rows = |rows: u64| (rows * budget.window).div_ceil(model.dims().audio_context as u64) + 4096;
    let heard = |rows: usize| 2 * (rows * model.dims().audio_width) as u64;
    let before = emulated.gpu.counts().waits;
    let other = occupy(&emulated, rows(50) + heard(90));
    let found = encode(&*model, &windows);
    assert_eq!(emulated.gpu.counts().waits - before, 2, "passes of two windows each");
    assert!(values(&found) == values(&right));
    drop(found);
    drop(other);
    let beside = rows(20) + heard(30);
    let model = emulated.load();
    let _other = occupy(&emulated, beside);
    let allocated = emulated.gpu.allocated();
    let text = reason(model.encode(&windows[1..2], &mut work()));
    assert!(text.contains("the encoder's pass of one window takes") && text.contains("--batch-size"), "{text}");
    assert_eq!(emulated.gpu.allocated(), allocated);
}

#[test]
fn what_is_heard_and_lanes_that_do_not_fit_are_refused_before_anything_is_taken() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let encoded = encode(&*model, &[window("english.wav", 0, 40), window("german.wav", 30, 52)]);
    let other = occupy(&emulated, 1000);
    let allocated = emulated.gpu.allocated();
    let text = reason(model.begin(&encoded, &mut work()).map(drop));
    assert!(text.contains("what is heard of 2 windows takes 1 MiB") && text.contains("there are 0 for it"), "{text}");
    assert_eq!(emulated.gpu.allocated(), allocated);
    drop(other);

    let mut decoding = begin(&*model, &encoded);
    let budget = Budget::of(model.dims());
    let _other = occupy(&emulated, 20 * budget.lane);
    decoding.start(&[0; 100]);
    let allocated = emulated.gpu.allocated();
    let refused = try_step(&mut *decoding, &[ONE; 100], &mut work()).map(drop);
    let text = reason(refused);
    assert!(
        text.contains("what 100 lanes remember takes") || text.contains("a step of 100 tokens in 100 lanes"),
        "{text}"
    );
    assert_eq!(emulated.gpu.allocated(), allocated);
    decoding.start(&[0]);
    assert_eq!(step(&mut *decoding, &[&[2049]]).len(), 1);
}
