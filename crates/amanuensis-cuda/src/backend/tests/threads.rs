//! The whole backend with the kernels themselves in place of their truths, run thread by thread.

use super::*;
use crate::driver::fake::threads::{Threads, kernels};

#[test]
fn kernels_in_their_places_compute_the_model() {
    let kernels = match kernels() {
        Ok(kernels) => kernels,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let windows = [window("english.wav", 0, 270), window("german.wav", 30, 44)];
    let prompts: [&[Token]; 2] = [&[2049, 2050, 2053], &[2049]];
    let heads = [(2, 1), (0, 2), (2, 0)];
    let run = |gpu: Arc<FakeGpu>| {
        let model = Cuda::emulated(Setup::default(), &gpu).load(&demo()).unwrap_or_else(|error| panic!("{error}"));
        let encoded = encode(&*model, &windows);
        let mut decoding = begin(&*model, &encoded);
        decoding.start(&[1, 0]);
        let mut logits = step(&mut *decoding, &prompts).concat();
        decoding.keep(&[1, 1]);
        for tokens in [[280, 467], [776, 300], [280, 2051]] {
            logits.extend(step(&mut *decoding, &tokens.each_ref().map(std::slice::from_ref)).concat());
        }
        decoding.start(&[1, 0]);
        let attention = attend(&mut *decoding, &prompts, 2, &heads);
        let scores: Vec<f32> = (0..2)
            .flat_map(|lane| (0..heads.len()).map(move |head| (lane, head)))
            .flat_map(|(lane, head)| attention.rows(lane, head).to_vec())
            .collect();
        assert!(gpu.counts().replayed > 1 && gpu.guarded());
        (values(&encoded), logits, scores)
    };
    let right = run(FakeGpu::new(1 << 30));
    for ahead in [false, true] {
        let found = run(FakeGpu::with(1 << 30, Threads { kernels: kernels.clone(), ahead, only: None }));
        for (found, right) in [(&found.0, &right.0), (&found.1, &right.1), (&found.2, &right.2)] {
            let error = error_of(found, right);
            eprintln!("warps ahead {ahead}: error/mass {error:.6}");
            assert!(error < DECODER, "{error}");
        }
    }
}
