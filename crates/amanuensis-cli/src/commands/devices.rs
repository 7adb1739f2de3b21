//! `devices`: what this machine can compute with, and what of it is used.

use std::path::Path;

use amanuensis_cuda::backend::{Cuda, Setup};
use amanuensis_cuda::driver::{GpuError, Listed};
use amanuensis_kernels::{ISA_VARIABLE, Isa};
use amanuensis_npu::doctor::{self, Options, Outcome, Step};
use anyhow::Context;
use serde::Serialize;

use super::Stop;
use crate::args::Devices;
use crate::console;

/// What this machine can compute with.
#[derive(Serialize)]
struct Report {
    cpu: Processor,
    npu: Npu,
    cuda: Gpus,
}

/// The processor as the operating system and the instruction `cpuid` describe it.
#[derive(Serialize)]
struct Processor {
    model: Option<String>,
    /// Physical cores of the machine, where the system says.
    cores: Option<usize>,
    /// Threads that this process may run at once: the default of `--threads`.
    threads: usize,
    instruction_sets: Vec<&'static str>,
    /// Kernels that would run here, from the plainest to the widest.
    kernels_available: Vec<&'static str>,
    /// Kernels that are used.
    kernels: &'static str,
    /// Whether AMANUENSIS_ISA chose them.
    kernels_forced: bool,
}

/// An AMD NPU, as far as the system's files say: whether it works is what `npu doctor` tries.
#[derive(Serialize)]
struct Npu {
    /// What it is, if there is one.
    found: Option<String>,
    /// Its driver and its node, where they are.
    driver: Option<String>,
    node: Option<String>,
    /// The first thing that is missing, and what to do about it.
    missing: Option<String>,
    remedy: Option<String>,
}

/// NVIDIA's GPUs, as the driver tells of them.
#[derive(Serialize)]
struct Gpus {
    devices: Vec<Gpu>,
    /// What is missing to see any, and what to do about it.
    missing: Option<String>,
}

#[derive(Serialize)]
struct Gpu {
    /// What `--device` calls it.
    device: String,
    name: String,
    compute_capability: String,
    /// The same, as code is compiled for it.
    target: String,
    memory_bytes: u64,
    /// Bytes that are free, where that could be asked.
    memory_free_bytes: Option<u64>,
    multiprocessors: u32,
    /// The driver's own version, where the system tells it.
    driver: Option<String>,
    /// The newest CUDA that the driver speaks.
    cuda: String,
    /// Whether nothing is known that stands in the way of using it. Kernels are compiled, and tried, when a model is loaded.
    usable: bool,
    /// What stands in the way, and what to do about it.
    missing: Option<String>,
}

impl Gpus {
    fn of(found: Result<Vec<Listed>, GpuError>) -> Self {
        match found {
            Ok(found) => Self { devices: found.into_iter().map(Gpu::of).collect(), missing: None },
            Err(error) => Self { devices: Vec::new(), missing: Some(error.to_string()) },
        }
    }

    fn lines(&self) -> Vec<String> {
        let none = self.missing.as_ref().map(|missing| format!("cuda   NVIDIA GPU: {missing}"));
        self.devices.iter().flat_map(Gpu::lines).chain(none).collect()
    }
}

impl Gpu {
    fn of(Listed { number, facts, free, obstacle }: Listed) -> Self {
        Self {
            device: format!("cuda:{number}"),
            compute_capability: format!("{}.{}", facts.capability.0, facts.capability.1),
            target: facts.target(),
            memory_bytes: facts.memory,
            memory_free_bytes: free,
            multiprocessors: facts.multiprocessors,
            driver: facts.release,
            cuda: facts.driver.to_string(),
            name: facts.name,
            usable: obstacle.is_none(),
            missing: obstacle.map(|obstacle| obstacle.to_string()),
        }
    }

    fn lines(&self) -> Vec<String> {
        let gigabytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        let total = gigabytes(self.memory_bytes);
        let memory = match self.memory_free_bytes {
            Some(free) => format!("{:.1} of {total:.1} GiB free", gigabytes(free)),
            None => format!("{total:.1} GiB"),
        };
        let driver = self.driver.as_deref().map_or(String::new(), |driver| format!("{driver}, "));
        let Gpu { device, name, compute_capability, multiprocessors, cuda, .. } = self;
        let last = match &self.missing {
            Some(missing) => format!("cannot be used: {missing}"),
            None => format!("can be used: --device {device}; its speed was never measured, so `auto` does not take it"),
        };
        vec![
            format!("{device} {name}, compute capability {compute_capability}, {multiprocessors} multiprocessors"),
            format!("       memory        {memory}"),
            format!("       driver        {driver}for CUDA {cuda}"),
            format!("       {last}"),
        ]
    }
}

impl Npu {
    fn of(root: &Path) -> Self {
        let options = Options { root, packs: Path::new(""), open: None, canary: None, sweep: None };
        let report = doctor::examine(&options);
        let passed = |step: Step| {
            let check = report.check(step).filter(|check| check.outcome == Outcome::Passed)?;
            Some(check.detail.clone())
        };
        let broken = report.checks.iter().find(|check| check.outcome == Outcome::Failed);
        // A device that is known and of no use is there all the same.
        let present = report.state != doctor::State::Absent;
        let unknown = broken.filter(|check| present && check.step == Step::Device).map(|check| check.detail.clone());
        Self {
            found: passed(Step::Device).or(unknown),
            driver: passed(Step::Driver),
            node: passed(Step::Node),
            missing: broken.map(|check| check.detail.clone()),
            remedy: broken.and_then(|check| check.remedy.clone()),
        }
    }

    fn lines(&self) -> Vec<String> {
        let first = match (&self.found, &self.missing) {
            (Some(found), Some(missing)) if found == missing => found.clone(),
            (Some(found), Some(missing)) => format!("{found}: {missing}"),
            (Some(found), None) => found.clone(),
            (None, missing) => format!("AMD NPU: {}", missing.as_deref().unwrap_or("none")),
        };
        let second = match (&self.driver, &self.node, &self.remedy) {
            (Some(driver), Some(node), None) => {
                format!("driver {driver}, {node}; `amanuensis npu doctor` says whether it can be used")
            }
            (.., Some(remedy)) if self.found.is_some() => remedy.clone(),
            _ => return vec![format!("npu    {first}")],
        };
        vec![format!("npu    {first}"), format!("       {second}")]
    }
}

pub(super) fn run(asked: &Devices) -> Result<u8, Stop> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = Processor {
        model: model_name(&cpuinfo),
        cores: physical_cores(&cpuinfo),
        threads: std::thread::available_parallelism().context("cannot count the processors")?.get(),
        instruction_sets: instruction_sets(),
        kernels_available: Isa::available().into_iter().map(Isa::name).collect(),
        kernels: Isa::detect().map_err(anyhow::Error::new)?.name(),
        kernels_forced: std::env::var_os(ISA_VARIABLE).is_some_and(|word| !word.is_empty()),
    };
    let npu = Npu::of(Path::new("/"));
    let report = Report { cpu, npu, cuda: Gpus::of(Cuda::new(Setup::default()).devices()) };
    if asked.json {
        let json = serde_json::to_string_pretty(&report).context("the report cannot be written as JSON")?;
        console::print(format_args!("{json}"))?;
    } else {
        console::print(format_args!("{}", text(&report)))?;
    }
    Ok(0)
}

fn text(report: &Report) -> String {
    let cpu = &report.cpu;
    let cores = cpu.cores.map_or(String::new(), |cores| format!("{cores} cores, "));
    let forced = if cpu.kernels_forced { format!(" (forced by {ISA_VARIABLE})") } else { String::new() };
    let mut lines = vec![
        format!("cpu    {}", cpu.model.as_deref().unwrap_or("of unknown name")),
        format!("       {cores}{} threads for this process", cpu.threads),
        format!("       instructions  {}", cpu.instruction_sets.join(" ")),
        format!("       kernels       {}{forced}, of {}", cpu.kernels, cpu.kernels_available.join(", ")),
    ];
    lines.extend(report.npu.lines());
    lines.extend(report.cuda.lines());
    lines.join("\n")
}

/// The value of the first line of /proc/cpuinfo with this key.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

fn model_name(cpuinfo: &str) -> Option<String> {
    // x86-64 says `model name`; on ARM the board says `Model`, if anything does.
    let name = value(cpuinfo, "model name").or_else(|| value(cpuinfo, "Model"));
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Cores told apart by package and number: two threads of one core share both.
fn physical_cores(cpuinfo: &str) -> Option<usize> {
    let mut cores: Vec<(&str, &str)> = cpuinfo
        .split("\n\n")
        .filter_map(|processor| Some((value(processor, "physical id")?, value(processor, "core id")?)))
        .collect();
    cores.sort_unstable();
    cores.dedup();
    (!cores.is_empty()).then_some(cores.len())
}

/// Collects the names of what is there out of a list of names.
macro_rules! present {
    ($detected:ident: $($name:tt)*) => {{
        let mut present = Vec::new();
        $(if std::arch::$detected!($name) { present.push($name); })*
        present
    }};
}

#[cfg(target_arch = "x86_64")]
fn instruction_sets() -> Vec<&'static str> {
    present!(is_x86_feature_detected: "sse4.2" "avx" "avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512vl" "avx512dq"
        "avx512vnni" "avx512bf16" "avx512fp16" "avxvnni")
}

#[cfg(target_arch = "aarch64")]
fn instruction_sets() -> Vec<&'static str> {
    present!(is_aarch64_feature_detected: "neon" "fp16" "dotprod" "i8mm" "bf16" "sve" "sve2")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn instruction_sets() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use amanuensis_cuda::driver::{Facts, Origin, Version};

    use super::*;

    const TWO_CORES_FOUR_THREADS: &str = "\
processor\t: 0\nmodel name\t: A Processor 9\nphysical id\t: 0\ncore id\t\t: 0\n
processor\t: 1\nmodel name\t: A Processor 9\nphysical id\t: 0\ncore id\t\t: 1\n
processor\t: 2\nmodel name\t: A Processor 9\nphysical id\t: 0\ncore id\t\t: 0\n
processor\t: 3\nmodel name\t: A Processor 9\nphysical id\t: 0\ncore id\t\t: 1\n";

    fn listed(number: usize, free: Option<u64>, obstacle: Option<GpuError>) -> Listed {
        let facts = Facts {
            name: "A GPU 9".to_owned(),
            capability: (8, 6),
            memory: 12 << 30,
            multiprocessors: 28,
            driver: Version { major: 12, minor: 6 },
            release: Some("560.35.03".to_owned()),
            origin: Origin::Gpu,
        };
        Listed { number, facts, free, obstacle }
    }

    #[test]
    fn every_gpu_is_told_of_with_what_stands_in_its_way() {
        let too_old = GpuError::TooOld { name: "A GPU 9".to_owned(), capability: (7, 5) };
        let gpus = Gpus::of(Ok(vec![listed(0, Some(9 << 30), None), listed(1, None, Some(too_old))]));
        assert_eq!(
            gpus.lines(),
            [
                "cuda:0 A GPU 9, compute capability 8.6, 28 multiprocessors",
                "       memory        9.0 of 12.0 GiB free",
                "       driver        560.35.03, for CUDA 12.6",
                "       can be used: --device cuda:0; its speed was never measured, so `auto` does not take it",
                "cuda:1 A GPU 9, compute capability 8.6, 28 multiprocessors",
                "       memory        12.0 GiB",
                "       driver        560.35.03, for CUDA 12.6",
                "       cannot be used: A GPU 9 has compute capability 7.5, and these kernels need 8.0 (Ampere, 2020) or newer; use \
                 another device",
            ]
        );
        let json = serde_json::to_value(&gpus).unwrap();
        assert_eq!((&json["devices"][0]["usable"], &json["devices"][1]["usable"]), (&true.into(), &false.into()));
        assert_eq!(json["devices"][0]["memory_free_bytes"], 9_u64 << 30);
        assert!(json["devices"][1]["memory_free_bytes"].is_null() && json["missing"].is_null(), "{json}");
        let driver = Version { major: 12, minor: 6 };
        let none = Gpus::of(Err(GpuError::NoDevice { driver, hint: "" }));
        assert!(none.lines().concat().starts_with("cuda   NVIDIA GPU: the NVIDIA driver (for CUDA 12.6) finds no GPU"));
    }

    #[test]
    fn cores_are_counted_once() {
        assert_eq!(model_name(TWO_CORES_FOUR_THREADS).as_deref(), Some("A Processor 9"));
        assert_eq!(physical_cores(TWO_CORES_FOUR_THREADS), Some(2));
        assert_eq!((model_name(""), physical_cores("")), (None, None));
    }
}
