//! `bench kernels`: what each operation reaches of what this processor and its memory can do at most.

mod measure;
mod operations;
mod report;
mod roofs;

use amanuensis::Crew;
use amanuensis_kernels::{Kernels, Team};
use anyhow::Context;

use super::{Stop, chosen};
use crate::args::BenchKernels;
use crate::console;
use measure::Bench;

pub(super) fn run(asked: &BenchKernels) -> Result<u8, Stop> {
    let kernels = Kernels::detect().map_err(anyhow::Error::new)?;
    let mut bench = Bench::new(Team::new(kernels, Crew::new(asked.threads.0).threads()));
    for group in chosen(&asked.only) {
        operations::measure(group, &mut bench);
    }
    let report = bench.report();
    if asked.json {
        let json = serde_json::to_string(&report).context("the report cannot be written as JSON")?;
        console::print(format_args!("{json}"))?;
    } else {
        console::print(format_args!("{}", report::text(&report)))?;
    }
    Ok(0)
}
