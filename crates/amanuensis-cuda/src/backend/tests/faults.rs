//! Every failure of a device is an error that says what and what to do, and no result.

use amanuensis::backend::Availability;

use super::*;
use crate::driver::fake::Fault;

/// The reason that a device gave.
fn reason<T>(outcome: Result<T, BackendError>) -> String {
    match outcome {
        Err(BackendError::Device { device: "cuda-emulated", reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it worked"),
    }
}

#[test]
fn a_model_that_does_not_fit_is_refused_before_anything_is_taken() {
    let emulated = Emulated::with(70 << 20);
    let text = reason(emulated.backend.load(&demo()));
    assert!(text.contains("MiB") && text.contains("70 of 70 MiB are free") && text.contains("smaller model"), "{text}");
    assert_eq!(emulated.gpu.allocated(), 0);
}

#[test]
fn a_batch_that_does_not_fit_is_refused_and_the_next_one_works() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let mel = [window("english.wav", 0, 40)];
    let right = encode(&*model, &mel);
    for allocations in 0..3 {
        let model = emulated.load();
        emulated.gpu.fail(Fault::Allocation(allocations));
        let mut during = work();
        let text = reason(model.encode(&mel, &mut during));
        let what = if allocations == 0 { "for what is heard" } else { "for an encoder pass" };
        assert!(text.contains(what) && text.contains("fewer at once"), "{text}");
        assert!(devices(&during).is_empty() && during.receipt.windows == 0);
        assert!(values(&encode(&*model, &mel)) == values(&right));
    }
}

#[test]
fn a_compute_type_that_it_does_not_have_is_refused() {
    let gpu = FakeGpu::new(1 << 30);
    for compute in [ComputeType::F32, ComputeType::Int8, ComputeType::Int8Int4] {
        let backend = Cuda::emulated(Setup { compute, ..Setup::default() }, &gpu);
        let text = reason(backend.load(&demo()));
        assert!(text.contains(&format!("in f16, not in {compute}")) && text.contains("`auto`"), "{text}");
    }
}

#[test]
fn a_load_without_memory_leaves_nothing() {
    for allocations in 0..3 {
        let emulated = Emulated::new();
        emulated.gpu.fail(Fault::Allocation(allocations));
        assert!(reason(emulated.backend.load(&demo())).contains("has no"));
        assert_eq!(emulated.gpu.allocated(), 0);
    }
}

#[test]
fn an_operation_that_is_refused_leaves_no_result_and_a_device_that_works() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let mel = [window("english.wav", 0, 40)];
    let right = encode(&*model, &mel);
    for operations in [0, 5, 17, 38] {
        emulated.gpu.fail(Fault::Launch(operations));
        let mut during = work();
        let text = reason(model.encode(&mel, &mut during));
        assert!(text.contains("launch failed: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"), "{text}");
        assert!(devices(&during).is_empty());
        assert!(values(&encode(&*model, &mel)) == values(&right));
    }
    let mut decoding = begin(&*model, &right);
    decoding.start(&[0]);
    let first = step(&mut *decoding, &[&[2049]]);
    // A step that failed has not happened: asked for again it is what it would have been.
    decoding.start(&[0]);
    emulated.gpu.fail(Fault::Launch(11));
    let mut during = work();
    let failed = try_step(&mut *decoding, &[&[2049]], &mut during);
    assert!(reason(failed).contains("launch failed"));
    assert_eq!((during.receipt.tokens, devices(&during).len()), (0, 0));
    assert!(step(&mut *decoding, &[&[2049]]) == first);
}

#[test]
fn a_device_that_breaks_is_lost_wherever_it_breaks() {
    let mel = [window("english.wav", 0, 40)];
    let encoded = encode(&*on_the_cpu(), &mel);
    for operations in [0, 9, 38] {
        let emulated = Emulated::new();
        let model = emulated.load();
        emulated.gpu.fail(Fault::Operation(operations));
        let mut during = work();
        let text = reason(model.encode(&mel, &mut during));
        assert!(text.contains("does not answer any more (CUDA_ERROR_ILLEGAL_ADDRESS"), "{text}");
        assert!(text.contains("start the program again") && devices(&during).is_empty(), "{text}");
        // Nothing works any more, and nothing pretends to.
        assert!(reason(model.encode(&mel, &mut during)).contains("does not answer"));
        assert!(reason(model.begin(&encoded, &mut during)).contains("does not answer"));
        assert!(matches!(emulated.backend.probe(), Availability::Absent(text) if text.contains("does not answer")));
    }
}

#[test]
fn a_device_that_breaks_in_a_step_or_before_it_gives_no_logits() {
    let encoded = encode(&*on_the_cpu(), &[window("english.wav", 0, 40)]);
    for steps in [0, 1, 2, 3] {
        let emulated = Emulated::new();
        let model = emulated.load();
        let mut decoding = begin(&*model, &encoded);
        decoding.start(&[0]);
        (0..steps).for_each(|_| drop(step(&mut *decoding, &[&[2049]])));
        emulated.gpu.fail(Fault::Operation(3));
        let mut during = work();
        let failed = try_step(&mut *decoding, &[&[2049]], &mut during);
        assert!(reason(failed).contains("does not answer any more"));
        assert_eq!((devices(&during).len(), during.receipt.tokens), (0, 0));
        let again = try_step(&mut *decoding, &[&[2049]], &mut during);
        assert!(reason(again).contains("does not answer any more"));
    }
    let emulated = Emulated::new();
    let model = emulated.load();
    emulated.gpu.fail(Fault::Operation(1));
    assert!(reason(model.begin(&encoded, &mut work())).contains("does not answer any more"));
    emulated.gpu.fail(Fault::Gone);
    assert!(reason(emulated.backend.load(&demo())).contains("CUDA_ERROR_ECC_UNCORRECTABLE"));
}

#[test]
fn what_is_not_a_number_is_told() {
    let emulated = Emulated::new();
    let model = emulated.load();
    let mut mel = window("english.wav", 0, 40);
    mel.values[100] = f32::NAN;
    let outcome = model.encode(&[mel.clone()], &mut work());
    assert!(matches!(outcome, Err(BackendError::NotANumber { place: "encoder output" })));
    mel.values[100] = 0.0;
    let encoded = with_infinity(encode(&*model, &[mel]));
    let mut decoding = begin(&*model, &encoded);
    decoding.start(&[0]);
    let outcome = try_step(&mut *decoding, &[&[2049]], &mut work());
    assert!(matches!(outcome, Err(BackendError::NotANumber { place: "decoder output" })));
}

#[test]
fn a_machine_without_a_gpu_says_what_is_missing() {
    let backend = Cuda::new(Setup::default());
    assert_eq!(backend.name(), "cuda");
    match backend.probe() {
        Availability::Ready(text) => assert!(text.starts_with("cuda ("), "{text}"),
        Availability::Absent(text) => {
            eprintln!("{text}");
            assert!(text.contains("; "), "what to do is said: {text}");
            let Err(BackendError::Device { device: "cuda", reason }) = backend.load(&demo()) else { panic!("no GPU") };
            // Where there is a GPU that cannot be used, what is there says which.
            assert!(text.ends_with(&reason), "{reason}");
        }
    }
}
