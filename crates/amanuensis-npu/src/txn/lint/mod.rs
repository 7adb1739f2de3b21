//! What a stream alone says about being wrong: its form, and what is done to descriptors, queues and tokens in which order.
//! What needs the overlay and the buffers is found by the emulator.

mod form;
mod order;
mod rules;

pub use rules::{Finding, Rule, Severity};

use super::Stream;

/// What is known of a stream from elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expectations {
    /// How many arguments the command carries.
    pub arguments: Option<u32>,
}

/// Everything that is wrong with a stream or strange in it. A stream of this crate's planner has neither; one of other tools may be
/// strange.
pub fn lint(stream: &Stream, expectations: &Expectations) -> Vec<Finding> {
    let mut findings = Vec::new();
    form::header(stream, &mut findings);
    form::padding(stream, &mut findings);
    order::operations(stream, expectations, &mut findings);
    findings
}
