//! The backend on the GPU in memory: what it gives beside the CPU, what it owes the seam, and what becomes of every failure.

mod beside;
mod choosing;
mod exactness;
mod faults;
mod memory;
mod seam;
mod several;
#[cfg(all(target_endian = "little", unix))]
mod threads;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use amanuensis::Crew;
use amanuensis::audio::{self, FfmpegPolicy, Input, OpenOptions, Recording};
use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{
    Availability, Backend, BackendError, ComputeType, CrossAttention, Decoding, Encoded, Feed, Logits, Model, Work,
};
use amanuensis::mel::{Convention, Mel, Spectrogram};
use amanuensis::model::{self, ModelFile, Source};
use amanuensis::tokens::Token;

use super::{Cuda, Setup};
use crate::driver::fake::FakeGpu;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Work that nobody stops.
fn work() -> Work<'static> {
    Work::new(&NEVER)
}

/// A backend with a GPU in memory.
struct Emulated {
    gpu: Arc<FakeGpu>,
    backend: Cuda,
}

impl Emulated {
    fn new() -> Self {
        Self::with(1 << 30)
    }

    fn with(memory: u64) -> Self {
        let gpu = FakeGpu::new(memory);
        let backend = Cuda::emulated(Setup::default(), &gpu);
        Emulated { gpu, backend }
    }

    fn load(&self) -> Box<dyn Model> {
        self.backend.load(&demo()).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A backend under test.
struct Subject {
    backend: Cuda,
    /// The GPU, if it is one in memory.
    fake: Option<Arc<FakeGpu>>,
}

impl Subject {
    fn load(&self) -> Box<dyn Model> {
        self.backend.load(&demo()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same GPU with another setup.
    fn with(&self, setup: Setup) -> Cuda {
        self.fake.as_ref().map_or_else(|| Cuda::new(setup), |gpu| Cuda::emulated(setup, gpu))
    }

    /// Nothing was written beside what was allocated, as far as that can be seen.
    fn guarded(&self) -> bool {
        self.fake.as_ref().is_none_or(|gpu| gpu.guarded())
    }

    /// That numbers are the same which were computed in other company. In memory a row is computed alone; on a GPU the matrix
    /// library chooses its way by how many rows there are, and what it rounds to f16 may be another.
    fn assert_close(&self, what: &str, found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let difference = match self.fake {
            Some(_) => found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
            None => error_of(found, expected) as f32,
        };
        let limit = if self.fake.is_some() { 1e-5 } else { DECODER as f32 };
        assert!(difference < limit, "{what}, on {}: {difference}", self.backend.name());
    }
}

/// What f16 may change of logits, and of the attention's scores, as a part of the sum of their sizes: one and a half times the
/// 0.00106 that were measured of the demo model.
const DECODER: f64 = 0.0016;

/// Runs a test on the GPU in memory, and on that of this machine if it has one.
fn everywhere(test: impl Fn(&Subject)) {
    let Emulated { gpu, backend } = Emulated::new();
    test(&Subject { backend, fake: Some(gpu) });
    let machine = Subject { backend: Cuda::new(Setup::default()), fake: None };
    match machine.backend.probe() {
        Availability::Ready(_) => test(&machine),
        Availability::Absent(why) => eprintln!("on the GPU in memory only: {why}"),
    }
}

/// A file of the repository, wherever it is now: tests that were built on another machine are told so by the variable.
fn in_repository(path: &str) -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).join("../..").join(path)
}

fn demo() -> ModelFile {
    model::open(&Source::Path(in_repository("models/demo"))).unwrap_or_else(|error| panic!("{error}"))
}

fn on_the_cpu() -> Box<dyn Model> {
    Cpu::new(None, ComputeType::F32).load(&demo()).unwrap_or_else(|error| panic!("{error}"))
}

fn sample(name: &str) -> Recording {
    let options = OpenOptions { ffmpeg: FfmpegPolicy::Never, ..OpenOptions::default() };
    let input = Input::Path(in_repository("samples").join(name));
    audio::open(&input, &options, &mut |_| ControlFlow::Continue(())).unwrap_or_else(|error| panic!("{error}"))
}

/// Some frames of a sample, from one of its frames on.
fn window(name: &str, first: u64, frames: usize) -> Mel {
    let recording = sample(name);
    let mut go_on = || Ok::<(), amanuensis::Error>(());
    let spectrogram =
        Spectrogram::new(&recording, 80, Convention::OpenAi, Crew::ALONE, &mut go_on).expect("a spectrogram");
    spectrogram.window(first, frames, frames).expect("a window")
}

fn encode(model: &dyn Model, windows: &[Mel]) -> Encoded {
    model.encode(windows, &mut work()).unwrap_or_else(|error| panic!("{error}"))
}

fn begin<'a>(model: &'a dyn Model, encoded: &Encoded) -> Box<dyn Decoding + 'a> {
    model.begin(encoded, &mut work()).unwrap_or_else(|error| panic!("{error}"))
}

/// What was heard, brought to the host.
fn values(encoded: &Encoded) -> Vec<f32> {
    encoded.values().unwrap_or_else(|error| panic!("{error}")).into_owned()
}

/// The same with one of its values changed, on the host.
fn with_infinity(encoded: Encoded) -> Encoded {
    let mut values = values(&encoded);
    values[7] = f32::INFINITY;
    Encoded::new(encoded.positions, values)
}

/// One step of all lanes, each with its tokens: the logits behind the last token of each.
fn step(decoding: &mut dyn Decoding, tokens: &[&[Token]]) -> Vec<Vec<f32>> {
    try_step(decoding, tokens, &mut work()).unwrap_or_else(|error| panic!("{error}"))
}

fn try_step(
    decoding: &mut dyn Decoding,
    tokens: &[&[Token]],
    work: &mut Work<'_>,
) -> Result<Vec<Vec<f32>>, BackendError> {
    let last: Vec<[usize; 1]> = tokens.iter().map(|tokens| [tokens.len() - 1]).collect();
    let feeds: Vec<Feed<'_>> = tokens.iter().zip(&last).map(|(tokens, read)| Feed { tokens, read }).collect();
    let mut logits = Logits::default();
    decoding.step(&feeds, &mut logits, work)?;
    Ok((0..tokens.len()).map(|row| logits.row(row).to_vec()).collect())
}

/// The attention of all lanes to what they heard, fed in pieces of at most `size` tokens.
fn attend(decoding: &mut dyn Decoding, tokens: &[&[Token]], size: usize, heads: &[(usize, usize)]) -> CrossAttention {
    let (mut attention, mut logits, mut work) = (CrossAttention::default(), Logits::default(), work());
    let longest = tokens.iter().map(|tokens| tokens.len()).max().expect("a lane");
    for first in (0..longest).step_by(size) {
        let piece = |tokens: &&'_ [Token]| first.min(tokens.len())..(first + size).min(tokens.len());
        let feeds: Vec<Feed<'_>> =
            tokens.iter().map(|tokens| Feed { tokens: &tokens[piece(tokens)], read: &[] }).collect();
        decoding.attend(&feeds, heads, &mut logits, &mut attention, &mut work).expect("a step");
    }
    attention
}

/// How far values are from those that are right: the sum of the errors' sizes as a part of the values'.
fn error_of(found: &[f32], right: &[f32]) -> f64 {
    assert_eq!(found.len(), right.len());
    let pairs = || found.iter().zip(right).map(|(found, right)| (f64::from(*found), f64::from(*right)));
    let error: f64 = pairs().map(|(found, right)| (found - right).abs()).sum();
    error / pairs().map(|(_, right)| right.abs()).sum::<f64>()
}

/// The devices that a receipt names.
fn devices(work: &Work<'_>) -> Vec<String> {
    work.receipt.devices().to_vec()
}
