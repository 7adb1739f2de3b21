//! `bench`: how long a model takes here for fixed pieces of work, and what the kernels reach.

mod kernels;
mod report;
mod roofs;
mod statistics;
mod subject;
mod usage;
mod work;

use amanuensis::Crew;
use amanuensis::backend::{Availability, BackendError, ComputeType};
use anyhow::Context;
use clap::ValueEnum;

use super::device::Computer;
use super::{FAILED, Stop, load};
use crate::args::{Bench, BenchPart, Computing, Device, Measure, NpuMode, ProgressStyle};
use crate::console;
use crate::evaluation::memory::peak_resident_bytes;
use report::{Long, Report};
use roofs::Roofs;
use statistics::Summary;
use subject::Subject;
use usage::Meter;
use work::Whole;

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
    // Before there is a model, whose memory they would lack.
    let roofs = computer.roofs();
    let wanted = match (&asked.only[..], &roofs) {
        ([], None) => chosen(&[]).into_iter().filter(|measure: &Measure| !measure.is_for_gpus()).collect(),
        (only, _) => chosen(only),
    };
    let on_gpu = roofs.is_some();
    let (roofs, roofs_missing) = match roofs.transpose() {
        Ok(roofs) => (roofs.map(Roofs::from), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let long = Whole::long(asked.minutes as usize, asked.together as usize);
    let mut subject = Subject::new(source, computer, crew, long);
    let meter = Meter::start();
    let (mut measures, mut device_measures, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for measure in wanted {
        if measure != Measure::Load {
            subject.loaded()?;
        }
        let times = match subject.measure(measure, asked.iterations.get() as usize) {
            Ok(times) => times,
            // Without a model there is nothing else to measure.
            Err(error) if measure == Measure::Load => return Err(error.context("cannot measure load").into()),
            Err(error) => {
                failed.push((measure, format!("{error:#}")));
                continue;
            }
        };
        let whole: Vec<_> = times.iter().map(|time| time.whole).collect();
        measures.extend(Summary::of(&whole).map(|summary| (measure, summary)));
        // Elsewhere the stages are timed by the host, which the whole tells better.
        let device: Vec<_> = times.iter().filter_map(|time| time.device).filter(|_| on_gpu).collect();
        device_measures.extend(Summary::of(&device).map(|summary| (measure, summary)));
    }
    let file = &subject.loaded()?.file;
    let of_roof = roofs.map(|roofs| report::of_roof(&roofs, &file.dims, &measures, &device_measures));
    let report = Report {
        model: file.name.clone(),
        device,
        threads: crew.threads().get(),
        compute_type: compute.name(),
        peak_memory_bytes: peak_resident_bytes(),
        usage: meter.read(crew.threads().get()),
        long: Long { minutes: asked.minutes, together: asked.together },
        tokens_per_second: report::tokens_per_second(&measures),
        realtime: report::realtime(&measures, &long),
        measures,
        device_measures,
        roofs,
        roofs_missing,
        of_roof: of_roof.unwrap_or_default(),
        failed,
    };
    if asked.json {
        let json = serde_json::to_string(&report).context("the report cannot be written as JSON")?;
        console::print(format_args!("{json}"))?;
    } else {
        console::print(format_args!("{}", report::text(&report)))?;
    }
    Ok(if report.failed.is_empty() { 0 } else { FAILED })
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
