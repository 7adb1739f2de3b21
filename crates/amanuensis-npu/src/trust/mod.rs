//! Whether an NPU is to be believed. A command that completed is no proof of work: others have had years of kernels that
//! completed and wrote zeros. So known multiplications are run now and then, and whoever fails one is not asked again.
#![deny(unsafe_code)]

mod canary;
mod problem;
mod quarantine;

pub use canary::{Canary, Finding, POISON, Passed};
pub use problem::{Problem, Shape};
pub use quarantine::{Quarantine, Reason, Trust};
