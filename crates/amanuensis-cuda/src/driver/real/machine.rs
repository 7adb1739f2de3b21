//! This machine's GPUs.

use std::sync::Arc;

use super::context::{self, Context};
use super::{Compiler, RealGpu, products};
use crate::driver::libraries::cublaslt::CublasLt;
use crate::driver::{Facts, Gpu, GpuError, Machine, Origin, Tool};

/// This machine.
pub struct RealMachine;

impl Machine for RealMachine {
    fn origin(&self) -> Origin {
        Origin::Gpu
    }

    fn devices(&self) -> Result<Vec<Facts>, GpuError> {
        context::devices()
    }

    /// The driver tells it inside of a context only, which is made for the question; so a GPU that lets nobody in is found out.
    fn free_memory(&self, index: usize) -> Result<u64, GpuError> {
        Context::open(index)?.free_memory()
    }

    fn compiler(&self) -> Result<Tool, GpuError> {
        Ok(Compiler::load()?.tool())
    }

    fn multiplier(&self) -> Result<Tool, GpuError> {
        Ok(products::tool(&CublasLt::load()?))
    }

    fn open(&self, index: usize) -> Result<Arc<dyn Gpu>, GpuError> {
        Ok(RealGpu::open(index)?)
    }
}
