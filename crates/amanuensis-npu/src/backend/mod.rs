//! The NPU behind the engine's seam: the encoder's linear layers and the cross-attention's keys and values run on it, in bf16, and
//! everything else on the CPU.
//!
//! Nothing of it has been run on hardware. What runs is believed only as far as it was seen: a canary must live when a model is
//! loaded and every few minutes, every result must have been written, and what fails once is not asked again. A window is encoded by
//! the NPU as a whole or by the CPU as a whole, and receipts come from the driver's.
#![deny(unsafe_code)]

mod canary;
mod cross;
#[cfg(any(test, feature = "fake-driver"))]
mod emulated;
mod encoder;
mod layers;
mod mode;
mod model;
mod multiplier;
mod products;
mod race;
mod record;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Availability, Backend, BackendError, ComputeType, Model};
use amanuensis::model::ModelFile;
use amanuensis_kernels::{Kernels, Team};

pub use mode::{Mode, UnknownMode};
pub use multiplier::{Linear, Multiplier};
pub use products::{Matrix, ProductError, Products};
pub use race::Times;
pub use record::Status;

use crate::doctor::{self, Report, State};
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::fake::FakeDriver;
use crate::driver::{Device, Receipt};
use crate::packs::Pack;
use cross::CrossKeysValues;
use encoder::Encoder;
use layers::{Stop, device_of};
use model::{Bench, NpuModel};
use race::Racers;
use record::Record;

/// How often a canary is flown while a model is used.
const CANARY_INTERVAL: Duration = Duration::from_secs(600);

/// How an NPU is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Whether it is.
    pub mode: Mode,
    /// The folder with kernel packs.
    pub packs: PathBuf,
    /// Where the system's files begin: `/`.
    pub root: PathBuf,
    /// Threads of the CPU; one for every processor if not given.
    pub threads: Option<NonZeroUsize>,
    /// How exactly the CPU computes its part.
    pub compute: ComputeType,
    /// How often a canary is flown.
    pub canary_interval: Duration,
    /// Whether `auto` takes the NPU only where a window takes less time with it.
    pub must_be_quicker: bool,
    /// The file in which measured times are kept, so that they are measured once.
    pub times: Option<PathBuf>,
}

impl Setup {
    /// Used where there is one, with the packs of a folder.
    pub fn new(packs: impl Into<PathBuf>) -> Self {
        Self {
            mode: Mode::default(),
            packs: packs.into(),
            root: PathBuf::from("/"),
            threads: None,
            compute: ComputeType::default(),
            canary_interval: CANARY_INTERVAL,
            must_be_quicker: true,
            times: None,
        }
    }
}

/// What stands behind the seam.
enum Place {
    /// The machine's own NPU.
    Node,
    /// The driver in memory, with a pack for whatever runs behind it.
    #[cfg(any(test, feature = "fake-driver"))]
    Memory(FakeDriver, Box<Pack>),
}

/// The backend that runs the encoder's linear layers on an NPU.
pub struct Npu {
    setup: Setup,
    place: Place,
    record: Arc<Record>,
}

impl Npu {
    /// A backend for the NPU of this machine.
    pub fn new(setup: Setup) -> Self {
        Self { setup, place: Place::Node, record: Arc::default() }
    }

    /// A backend for the driver in memory. What it does is called emulated, everywhere.
    #[cfg(any(test, feature = "fake-driver"))]
    pub fn emulated(setup: Setup, driver: &FakeDriver, pack: Pack) -> Self {
        Self { setup, place: Place::Memory(driver.clone(), Box::new(pack)), record: Arc::default() }
    }

    /// What became of the work so far.
    pub fn status(&self) -> Status {
        self.record.status()
    }

    fn cpu(&self) -> Cpu {
        Cpu::new(self.setup.threads, self.setup.compute)
    }

    /// Finds a device, makes a context with a pack's overlay on it, and flies a canary there.
    fn reach(&self) -> Result<Reached, String> {
        match &self.place {
            Place::Node => {
                let reached = RefCell::new(None);
                let report = examine(&self.setup, &reached);
                reached.into_inner().filter(|_| report.state == State::Usable).ok_or_else(|| why_not(&report))
            }
            #[cfg(any(test, feature = "fake-driver"))]
            Place::Memory(driver, pack) => {
                let device = Device::fake(driver).map_err(|error| error.to_string())?;
                let mut multiplier = Multiplier::new(&device, pack).map_err(|error| error.to_string())?;
                let passed = multiplier.fly().map_err(|finding| finding.to_string())?;
                let summary = format!("emulated, not an NPU: {}", pack.manifest.name);
                Ok(Reached { multiplier, receipts: passed.receipts, summary, pack: digest(pack) })
            }
        }
    }

    /// A device with the encoder on it.
    fn bench(&self, file: &ModelFile, trust: &crate::trust::Quarantine) -> Result<Bench, BackendError> {
        let failed = |reason: String| BackendError::Device { device: self.name(), reason };
        let Reached { mut multiplier, receipts, pack, .. } = self.reach().map_err(failed)?;
        self.record.lived(&receipts);
        let layers = Encoder::load(&mut multiplier, &file.dims, &file.weights)
            .and_then(|encoder| Ok((encoder, CrossKeysValues::load(&mut multiplier, &file.dims, &file.weights)?)));
        file.weights.release();
        let (encoder, cross) = layers.map_err(|stop| match stop {
            Stop::Device(error) => failed(error.to_string()),
            Stop::Results(why) => failed(why),
            Stop::Work(error) => error,
            Stop::Model(error) => error.into(),
        })?;
        trust.prove(multiplier.generation());
        let kernels = Kernels::detect().map_err(|error| failed(error.to_string()))?;
        let threads = self.setup.threads.or_else(|| std::thread::available_parallelism().ok());
        let team = Team::new(kernels, threads.unwrap_or(NonZeroUsize::MIN));
        Ok(Bench { multiplier, encoder, cross, team, pack, proven: Instant::now() })
    }
}

impl Npu {
    /// Gives the device back if it is not quicker than the CPU, or fails when it is to show that it is.
    fn race(&self, mut bench: Bench, cpu: &dyn Model, cpu_name: &str) -> Result<Bench, String> {
        let device = device_of(bench.multiplier.origin());
        let pack = bench.pack.clone();
        let racers = Racers { device, pack: &pack, cpu: cpu_name, dims: cpu.dims() };
        let times = racers.times(&self.setup.root, self.setup.times.as_deref(), &mut bench, cpu);
        let times = times.map_err(|stop| stop.to_string())?;
        self.record.raced(times);
        times.objection().map_or(Ok(bench), Err)
    }
}

/// A device on which a canary lived.
struct Reached {
    multiplier: Multiplier,
    receipts: [Receipt; 2],
    /// What it is, in words.
    summary: String,
    /// Which pack it has.
    pack: String,
}

/// The beginning of the sum of a pack's overlay, which tells it from others.
fn digest(pack: &Pack) -> String {
    pack.manifest.overlay.sha256.chars().take(12).collect()
}

/// Examines the machine's own NPU; the context in which the canary lived is kept.
fn examine(setup: &Setup, reached: &RefCell<Option<Reached>>) -> Report {
    let fly = |device: &Device, pack: &Pack| {
        let made = Multiplier::new(device, pack);
        let mut multiplier = made.map_err(|error| crate::trust::Finding::Failed { why: error.to_string() })?;
        let passed = multiplier.fly()?;
        let summary = pack.manifest.name.clone();
        *reached.borrow_mut() = Some(Reached { multiplier, receipts: passed.receipts, summary, pack: digest(pack) });
        Ok(passed)
    };
    let open: doctor::Open<'_> = &|node: &Path| Device::open(node);
    doctor::examine(&doctor::Options {
        root: &setup.root,
        packs: &setup.packs,
        open: Some(open),
        canary: Some(&fly),
        sweep: None,
    })
}

/// A report in a sentence, with what to do.
fn why_not(report: &Report) -> String {
    let failed = |check: &&doctor::Check| matches!(check.outcome, doctor::Outcome::Failed | doctor::Outcome::Skipped);
    let remedy = report.checks.iter().filter(failed).find_map(|check| check.remedy.as_deref());
    remedy.map_or_else(|| report.summary.clone(), |remedy| format!("{}; {remedy}", report.summary))
}

impl Backend for Npu {
    fn name(&self) -> &'static str {
        match self.place {
            Place::Node => "npu",
            #[cfg(any(test, feature = "fake-driver"))]
            Place::Memory(..) => "npu-emulated",
        }
    }

    fn probe(&self) -> Availability {
        match self.reach() {
            Ok(reached) => Availability::Ready(reached.summary),
            Err(reason) => Availability::Absent(reason),
        }
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        let cpu = self.cpu();
        if self.setup.mode == Mode::Off {
            return cpu.load(file);
        }
        let trust = crate::trust::Quarantine::default();
        let auto = self.setup.mode == Mode::Auto;
        let mut bench = match self.bench(file, &trust) {
            Ok(bench) => Ok(bench),
            Err(BackendError::Device { reason, .. }) if auto => Err(reason),
            Err(error) => return Err(error),
        };
        self.record.thinks(trust.trust());
        let cpu_name = match cpu.probe() {
            Availability::Ready(name) | Availability::Absent(name) => name,
        };
        let cpu = cpu.model(file)?;
        if auto && self.setup.must_be_quicker {
            bench = bench.and_then(|bench| self.race(bench, &cpu, &cpu_name));
        }
        self.record.loaded(bench.as_ref().err());
        Ok(Box::new(NpuModel {
            name: self.name(),
            mode: self.setup.mode,
            cpu,
            cpu_name,
            bench: bench.map(Mutex::new),
            trust,
            canary_interval: self.setup.canary_interval,
            record: self.record.clone(),
        }))
    }
}
