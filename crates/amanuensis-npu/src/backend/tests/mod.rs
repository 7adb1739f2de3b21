//! The backend with an emulated device behind it, and with none: acceptance checks 8, 9 and 10 where a model is what fails or
//! does not.

mod batches;
mod check10_honesty;
mod check8_faults;
mod check9_model;
mod multiplying;
mod racing;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amanuensis::Crew;
use amanuensis::audio::{self, FfmpegPolicy, Input, OpenOptions, Recording};
use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Backend, ComputeType, Model, Work};
use amanuensis::mel::{Convention, Mel, Spectrogram};
use amanuensis::model::{self, ModelFile, Source};

use super::emulated::TILE;
use super::{Mode, Npu, Setup};
use crate::driver::fake::{FakeDriver, Fault, Machine, Settings};
use crate::emulator::{Array, kernel_of};
use crate::packs::synthetic;
use crate::plan::{Operands, Overlay, Rounding, reference};
use crate::txn::Generation;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Work that nobody stops.
fn work() -> Work<'static> {
    Work::new(&NEVER)
}

fn overlay(operands: Operands) -> Overlay {
    reference(Generation::Npu1, operands, TILE)
}

/// Cores that round as they were told, and from a moment on as cores do that were told nothing.
struct Forgetful {
    told: Array,
    untold: Array,
    forgets: Arc<AtomicBool>,
}

impl Machine for Forgetful {
    fn execute(&mut self, stream: &[u32], arguments: &mut [&mut [u32]]) -> Result<(), Fault> {
        let array = if self.forgets.load(Ordering::Relaxed) { &mut self.untold } else { &mut self.told };
        array.execute(stream, arguments)
    }

    fn set_up(&mut self) {
        self.told.reset();
        self.untold.reset();
    }
}

/// A backend with an emulated device.
struct Emulated {
    driver: FakeDriver,
    backend: Npu,
    /// Set, cores round down from then on.
    forgets: Arc<AtomicBool>,
    _packs: tempfile::TempDir,
}

impl Emulated {
    fn new(mode: Mode) -> Self {
        Self::with(mode, |_| {})
    }

    fn with(mode: Mode, change: impl FnOnce(&mut Setup)) -> Self {
        let overlay = overlay(Operands::BF16);
        let folder = tempfile::tempdir().expect("a folder");
        let pack = synthetic::install(folder.path(), &overlay).expect("a synthetic pack");
        let told = Array::new(overlay.clone()).expect("an array");
        let floor = Overlay { rounding: Rounding::Floor, ..overlay.clone() };
        let untold = Array::with_kernel(overlay, kernel_of(&floor)).expect("an array");
        let forgets = Arc::new(AtomicBool::new(false));
        let machine = Forgetful { told, untold, forgets: forgets.clone() };
        let driver = FakeDriver::new(Settings::default(), machine);
        let mut setup = Setup { mode, must_be_quicker: false, ..Setup::new(folder.path()) };
        change(&mut setup);
        let backend = Npu::emulated(setup, &driver, pack);
        Self { driver, backend, forgets, _packs: folder }
    }

    fn load(&self) -> Box<dyn Model> {
        self.backend.load(&demo()).unwrap_or_else(|error| panic!("{error}"))
    }
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn demo() -> ModelFile {
    model::open(&Source::Path(in_repository("models/demo"))).unwrap_or_else(|error| panic!("{error}"))
}

/// The demo model on the CPU alone.
fn on_the_cpu() -> Box<dyn Model> {
    Cpu::new(None, ComputeType::F32).load(&demo()).unwrap_or_else(|error| panic!("{error}"))
}

fn sample(name: &str) -> Recording {
    let options = OpenOptions { ffmpeg: FfmpegPolicy::Never, ..OpenOptions::default() };
    let input = Input::Path(in_repository("samples").join(name));
    audio::open(&input, &options, &mut |_| ControlFlow::Continue(())).unwrap_or_else(|error| panic!("{error}"))
}

/// The beginning of a sample in so many frames.
fn window(name: &str, frames: usize) -> Mel {
    let recording = sample(name);
    let mut go_on = || Ok::<(), amanuensis::Error>(());
    let spectrogram =
        Spectrogram::new(&recording, 80, Convention::OpenAi, Crew::ALONE, &mut go_on).expect("a spectrogram");
    spectrogram.window(0, frames, frames).expect("a window")
}

/// What a receipt says of operations, with the devices' details left out.
fn operations(work: &Work<'_>) -> Vec<(String, u64)> {
    let short =
        |(device, operations): (&String, &u64)| (device.split(" (").next().unwrap_or(device).to_owned(), *operations);
    work.receipt.placement.operations.iter().map(short).collect()
}

/// Why the device did not do windows.
fn reasons(work: &Work<'_>) -> Vec<String> {
    work.receipt.placement.fallbacks.values().flat_map(|reasons| reasons.keys().cloned()).collect()
}

/// The devices that a receipt names, with their details left out.
fn devices(work: &Work<'_>) -> Vec<String> {
    work.receipt.devices().iter().map(|device| device.split(" (").next().unwrap_or(device).to_owned()).collect()
}
