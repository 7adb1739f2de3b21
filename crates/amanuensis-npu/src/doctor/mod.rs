//! `npu doctor`: the whole chain from the PCI bus to a multiplication, and what to do where it breaks.
#![deny(unsafe_code)]

mod examine;
mod report;
mod tree;

#[cfg(test)]
mod tests;

pub use examine::{Fly, Open, Options, Sweep, examine};
pub use report::{Check, Outcome, Report, State, Step};
pub use tree::{Found, Model};
