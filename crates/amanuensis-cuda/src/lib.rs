//! NVIDIA GPUs: driver and libraries found at run time, kernels compiled where they run, and the engine's seam.

pub mod backend;
pub mod driver;
pub mod kernels;
