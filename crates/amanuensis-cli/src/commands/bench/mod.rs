//! `bench`: how long a model takes here for fixed pieces of work, and what the kernels reach.

mod kernels;
mod report;
mod statistics;
mod subject;
mod usage;
mod work;

use amanuensis::Crew;
use amanuensis::backend::{Availability, BackendError, ComputeType};
use anyhow::Context;
use clap::ValueEnum;

use super::device::Computer;
use super::{Stop, load};
use crate::args::{Bench, BenchPart, Computing, Device, NpuMode, ProgressStyle};
use crate::console;
use crate::evaluation::memory::peak_resident_bytes;
use report::Report;
use statistics::Summary;
use subject::Subject;
use usage::Meter;

pub(super) fn run(asked: &Bench) -> Result<u8, Stop> {
    match &asked.part {
        Some(BenchPart::Kernels(asked)) => kernels::run(asked),
        None => model(asked),
    }
}

/// Measures a model.
fn model(asked: &Bench) -> Result<u8, Stop> {
    let source = load::source(load::name(&asked.model), &asked.model.fetching, ProgressStyle::Auto)?;
    let crew = Crew::new(asked.model.computing.threads.0);
    let compute = asked.model.computing.compute_type;
    let computer = computer(&asked.model.computing, compute)?;
    let device = match computer.backend().probe() {
        Availability::Ready(device) => device,
        Availability::Absent(reason) => {
            let device = computer.backend().name();
            return Err(anyhow::Error::new(BackendError::Device { device, reason }).into());
        }
    };
    let mut subject = Subject::new(source, computer, crew);
    let meter = Meter::start();
    let mut measures = Vec::new();
    for measure in chosen(&asked.only) {
        let times = subject.measure(measure, asked.iterations.get() as usize);
        let times = times.with_context(|| format!("cannot measure {}", measure.name()))?;
        measures.extend(Summary::of(&times).map(|summary| (measure, summary)));
    }
    let report = Report {
        model: subject.loaded()?.file.name.clone(),
        device,
        threads: crew.threads().get(),
        compute_type: compute.name(),
        peak_memory_bytes: peak_resident_bytes(),
        usage: meter.read(crew.threads().get()),
        tokens_per_second: report::tokens_per_second(&measures),
        realtime: report::realtime(&measures),
        measures,
    };
    if asked.json {
        let json = serde_json::to_string(&report).context("the report cannot be written as JSON")?;
        console::print(format_args!("{json}"))?;
    } else {
        console::print(format_args!("{}", report::text(&report)))?;
    }
    Ok(0)
}

/// What is measured must be what is named: a device that may be missing is not named, and one that is emulated has no speed.
fn computer(asked: &Computing, compute: ComputeType) -> Result<Computer, Stop> {
    if asked.npu == Some(NpuMode::Auto) {
        return Err(Stop::Usage("--npu auto may measure the cpu; bench takes --device npu, or cpu".to_owned()));
    }
    if asked.device.as_ref().is_some_and(Device::is_emulated) {
        return Err(Stop::Usage("an emulated device has no speed that says anything; it is not measured".to_owned()));
    }
    Computer::new(asked, compute)
}

/// All values, or those that are asked for, in the order of all.
fn chosen<T: ValueEnum + PartialEq>(only: &[T]) -> Vec<T> {
    T::value_variants().iter().filter(|value| only.is_empty() || only.contains(value)).cloned().collect()
}
