//! The parts that know nothing of kernels, tested beside their code. The library itself is not built for its tests: that would
//! be every kernel a second time, a tenth of what all tests take to build.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "only their tests are wanted here")]
#![allow(clippy::wrong_self_convention, reason = "said of what is private here and public there")]

#[path = "../src/affinity.rs"]
mod affinity;
#[path = "../src/memory.rs"]
mod memory;
#[path = "../src/stored.rs"]
mod stored;
