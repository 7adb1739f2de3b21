//! `npu doctor`: the whole chain from the PCI bus to a multiplication, and what to do where it breaks.
#![deny(unsafe_code)]

mod examine;
mod report;
mod tree;

// Made-up trees have links, as the system's files do.
#[cfg(all(test, unix))]
mod tests;

pub use examine::{Fly, Open, Options, Sweep, examine};
pub use report::{Check, Outcome, Report, State, Step};
pub use tree::{Found, Model};
