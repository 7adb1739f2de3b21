//! NVIDIA GPUs behind the engine's seam: encoder and decoder as a whole, in f16 with sums in f32.
//!
//! Nothing of it has been run on a GPU. Receipts are made of what a driver saw finish, and whatever goes wrong is an error:
//! nothing is done elsewhere in its place.
#![deny(unsafe_code)]

mod budget;
mod choosing;
mod chosen;
mod clock;
mod decoder;
mod decoding;
mod encoder;
mod kept;
mod lanes;
mod layers;
mod model;
mod roofs;
mod rooms;
mod sets;
mod tables;
mod weights;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use amanuensis::backend::{Availability, Backend, BackendError, ComputeType, Model};
use amanuensis::model::ModelFile;

#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::fake::{FakeGpu, FakeMachine};
use crate::driver::real::RealMachine;
use crate::driver::{GpuError, Listed, Machine, Origin, examine, survey};
use model::CudaModel;

pub use budget::Budget;
pub use roofs::Roofs;

/// How a GPU is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Its number, as the driver counts: `--device cuda:1`.
    pub device: usize,
    /// Windows that are encoded together, at most; fewer where the memory is not enough.
    pub together: usize,
    /// How exactly it is to compute. It computes in f16, with sums in f32, and refuses to load for anything but `auto`.
    pub compute: ComputeType,
}

impl Default for Setup {
    /// The first GPU, and 16 windows of 1,500 rows: as many rows as keep the matrix units of the largest devices busy.
    fn default() -> Self {
        Setup { device: 0, together: 16, compute: ComputeType::Auto }
    }
}

/// The backend that runs models on an NVIDIA GPU.
pub struct Cuda {
    setup: Setup,
    machine: Arc<dyn Machine>,
}

impl Cuda {
    /// A backend for a GPU of this machine.
    pub fn new(setup: Setup) -> Self {
        Self::on(setup, Arc::new(RealMachine))
    }

    /// A backend for a GPU of some machine. Where that has its GPUs in memory, what they do is called emulated, everywhere.
    pub fn on(setup: Setup, machine: Arc<dyn Machine>) -> Self {
        Cuda { setup, machine }
    }

    /// A backend for a GPU in memory.
    #[cfg(any(test, feature = "fake-driver"))]
    pub fn emulated(setup: Setup, gpu: &Arc<FakeGpu>) -> Self {
        Self::on(setup, Arc::new(FakeMachine::new([gpu.clone()])))
    }

    /// A backend for a GPU in memory that has room for every published model.
    #[cfg(any(test, feature = "fake-driver"))]
    pub fn in_memory(setup: Setup) -> Self {
        Self::emulated(setup, &FakeGpu::new(16 << 30))
    }

    /// The GPUs of the machine, each with what stands in the way of using it, or what is missing to see any. Nothing is compiled.
    pub fn devices(&self) -> Result<Vec<Listed>, GpuError> {
        survey(&*self.machine)
    }
}

/// A failure of a device as the engine is told of it.
fn refused(device: &'static str, error: &GpuError) -> BackendError {
    BackendError::Device { device, reason: error.to_string() }
}

impl Backend for Cuda {
    fn name(&self) -> &'static str {
        match self.machine.origin() {
            Origin::Gpu => "cuda",
            Origin::Emulated => "cuda-emulated",
        }
    }

    fn probe(&self) -> Availability {
        match examine(&*self.machine, self.setup.device) {
            Ok(Listed { facts, free, obstacle: None, .. }) => {
                let gigabytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
                let memory = format!("{:.1} of {:.1} GiB free", gigabytes(free.unwrap_or(0)), gigabytes(facts.memory));
                Availability::Ready(format!("{}, {memory}, driver for CUDA {}", facts.device(), facts.driver))
            }
            Ok(Listed { facts, obstacle: Some(error), .. }) => {
                let (name, driver) = (facts.name, facts.driver);
                Availability::Absent(format!("{name} (driver for CUDA {driver}) cannot be used: {error}"))
            }
            Err(error) => Availability::Absent(error.to_string()),
        }
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        if !matches!(self.setup.compute, ComputeType::Auto | ComputeType::F16) {
            let asked = self.setup.compute;
            let reason =
                format!("it computes in f16, not in {asked}; leave the compute type to `auto`, or use the CPU");
            return Err(BackendError::Device { device: self.name(), reason });
        }
        let gpu = self.machine.open(self.setup.device).map_err(|error| refused(self.name(), &error))?;
        let model = CudaModel::load(self.name(), gpu, file, self.setup.together);
        file.weights.release();
        Ok(Box::new(model?))
    }
}
