//! Instruction streams, planner and emulator. The modules are named after the checks that they fulfil.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the mutants that nobody noticed are listed")]

mod check2_round_trip;
mod check3_goldens;
mod check4_whisper_shapes;
mod check5_mutants;
mod check6_limits;
mod emulator_faults;
mod estimates;
mod lint_rules;
mod listing;
mod numerics;
mod support;
