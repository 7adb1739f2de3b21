//! A machine whose GPUs are in memory, with libraries of any version or none.

use std::sync::Arc;

use super::FakeGpu;
use crate::driver::machine::supported;
use crate::driver::{Facts, Gpu, GpuError, Machine, Origin, Tool, Version};

/// A machine whose GPUs are in memory.
pub struct FakeMachine {
    gpus: Result<Vec<Arc<FakeGpu>>, GpuError>,
    /// What it would compile with.
    pub compiler: Result<Tool, GpuError>,
    /// What it would multiply with.
    pub multiplier: Result<Tool, GpuError>,
}

impl FakeMachine {
    /// A machine with these GPUs, and libraries of CUDA 12.6.
    pub fn new(gpus: impl IntoIterator<Item = Arc<FakeGpu>>) -> Self {
        let tool = |name, targets| Ok(Tool { name, version: CUDA, file: "in memory".to_owned(), targets });
        FakeMachine {
            gpus: Ok(gpus.into_iter().collect()),
            compiler: tool("NVRTC", Some(vec![80, 86, 87, 89, 90])),
            multiplier: tool("cuBLASLt", None),
        }
    }

    /// A machine on which no GPU is seen.
    pub fn without(why: GpuError) -> Self {
        FakeMachine { gpus: Err(why), ..FakeMachine::new([]) }
    }

    fn gpu(&self, index: usize) -> Result<&Arc<FakeGpu>, GpuError> {
        let gpus = self.gpus.as_ref().map_err(Clone::clone)?;
        gpus.get(index).ok_or(GpuError::NoSuchDevice { index, count: gpus.len() })
    }
}

/// What drivers and libraries in memory speak.
const CUDA: Version = Version { major: 12, minor: 6 };

/// What a GPU in memory is that has so many bytes and can be used.
pub fn described(memory: u64) -> Facts {
    Facts {
        name: "a GPU in memory".to_owned(),
        capability: (9, 0),
        memory,
        // Those of an H200, so that work is shared out as it would be there.
        multiprocessors: 132,
        driver: CUDA,
        release: None,
        origin: Origin::Emulated,
    }
}

impl Machine for FakeMachine {
    fn origin(&self) -> Origin {
        Origin::Emulated
    }

    fn devices(&self) -> Result<Vec<Facts>, GpuError> {
        Ok(self.gpus.as_ref().map_err(Clone::clone)?.iter().map(|gpu| gpu.facts().clone()).collect())
    }

    fn free_memory(&self, index: usize) -> Result<u64, GpuError> {
        self.gpu(index)?.free_memory()
    }

    fn compiler(&self) -> Result<Tool, GpuError> {
        self.compiler.clone()
    }

    fn multiplier(&self) -> Result<Tool, GpuError> {
        self.multiplier.clone()
    }

    fn open(&self, index: usize) -> Result<Arc<dyn Gpu>, GpuError> {
        let gpu = self.gpu(index)?;
        supported(gpu.facts())?;
        self.compiler()?.fits(gpu.facts())?;
        self.multiplier()?.fits(gpu.facts())?;
        Ok(gpu.clone())
    }
}
