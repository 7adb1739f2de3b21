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
mod lanes;
mod layers;
mod model;
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
use crate::driver::fake::FakeGpu;
use crate::driver::real::{RealGpu, devices};
use crate::driver::{Facts, Gpu, GpuError};
use model::CudaModel;

pub use budget::Budget;

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

/// What stands behind the seam.
enum Place {
    /// One of the machine's GPUs.
    Machine,
    /// The GPU in memory.
    #[cfg(any(test, feature = "fake-driver"))]
    Memory(Arc<FakeGpu>),
}

/// The backend that runs models on an NVIDIA GPU.
pub struct Cuda {
    setup: Setup,
    place: Place,
}

impl Cuda {
    /// A backend for a GPU of this machine.
    pub fn new(setup: Setup) -> Self {
        Cuda { setup, place: Place::Machine }
    }

    /// A backend for the GPU in memory. What it does is called emulated, everywhere.
    #[cfg(any(test, feature = "fake-driver"))]
    pub fn emulated(setup: Setup, gpu: &Arc<FakeGpu>) -> Self {
        Cuda { setup, place: Place::Memory(gpu.clone()) }
    }

    /// The GPUs of this machine, whether or not they can be used, or what is missing to see any.
    pub fn devices() -> Result<Vec<Facts>, GpuError> {
        devices()
    }

    fn open(&self) -> Result<Arc<dyn Gpu>, GpuError> {
        match &self.place {
            Place::Machine => Ok(RealGpu::open(self.setup.device)?),
            #[cfg(any(test, feature = "fake-driver"))]
            Place::Memory(gpu) => Ok(gpu.clone()),
        }
    }
}

impl Cuda {
    /// What is missing, and which GPU cannot be used for it, where the driver sees one.
    fn missing(&self, error: &GpuError) -> String {
        let seen = match self.place {
            Place::Machine => devices().ok().and_then(|devices| devices.into_iter().nth(self.setup.device)),
            #[cfg(any(test, feature = "fake-driver"))]
            Place::Memory(_) => None,
        };
        match seen {
            Some(facts) => format!("{} (driver for CUDA {}) cannot be used: {error}", facts.name, facts.driver),
            None => error.to_string(),
        }
    }
}

/// A failure of a device as the engine is told of it.
fn refused(device: &'static str, error: &GpuError) -> BackendError {
    BackendError::Device { device, reason: error.to_string() }
}

impl Backend for Cuda {
    fn name(&self) -> &'static str {
        match self.place {
            Place::Machine => "cuda",
            #[cfg(any(test, feature = "fake-driver"))]
            Place::Memory(_) => "cuda-emulated",
        }
    }

    fn probe(&self) -> Availability {
        let described = self.open().and_then(|gpu| {
            let (facts, free) = (gpu.facts(), gpu.free_memory()?);
            let gigabytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
            let memory = format!("{:.1} of {:.1} GiB free", gigabytes(free), gigabytes(facts.memory));
            Ok(format!("{}, {memory}, driver for CUDA {}", facts.device(), facts.driver))
        });
        match described {
            Ok(text) => Availability::Ready(text),
            Err(error) => Availability::Absent(self.missing(&error)),
        }
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        if !matches!(self.setup.compute, ComputeType::Auto | ComputeType::F16) {
            let asked = self.setup.compute;
            let reason =
                format!("it computes in f16, not in {asked}; leave the compute type to `auto`, or use the CPU");
            return Err(BackendError::Device { device: self.name(), reason });
        }
        let gpu = self.open().map_err(|error| refused(self.name(), &error))?;
        let model = CudaModel::load(self.name(), gpu, file, self.setup.together);
        file.weights.release();
        Ok(Box::new(model?))
    }
}
