//! From `--device`, `--npu`, `--threads` and `--compute-type` to what computes.

use std::path::PathBuf;

use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Backend, ComputeType, Several};
use amanuensis_cuda::backend::{Cuda, Roofs, Setup as CudaSetup};
use amanuensis_cuda::driver::{GpuError, Listed};
use amanuensis_npu::backend::{Mode, Npu, Setup};

use super::{Stop, npu, path_in};
use crate::args::{Computing, Device, NpuMode};
use crate::console::say;

/// Where times that decide between NPU and CPU are kept, in the user's cache folder.
const TIMES: &str = "amanuensis/npu-times.json";

/// What `auto` comes to, and why.
const AUTO: &str = "auto is the cpu: the speed of no GPU and no NPU was ever measured, so none is taken unasked; `amanuensis devices` lists \
                    what is here, and --device cuda or --device npu takes it";

/// What computes.
pub(super) enum Computer {
    Cpu(Cpu),
    /// An NPU with the CPU beside it.
    Npu(Npu),
    Cuda(Cuda),
    /// GPUs among which batches are dealt out.
    Several(Several),
}

impl Computer {
    /// The one that was asked for. Whether it is there is found out when a model is loaded.
    pub(super) fn new(asked: &Computing, compute: ComputeType) -> Result<Self, Stop> {
        let threads = asked.threads.0;
        let device = asked.device.as_ref().unwrap_or(&Device::Auto);
        if device.is_cuda() && matches!(asked.npu, Some(NpuMode::Auto | NpuMode::Require)) {
            return Err(contradiction("--device cuda", "--npu"));
        }
        let cuda = CudaSetup { compute, ..CudaSetup::default() };
        match device {
            Device::Cuda(numbers) => return Ok(gpus(cuda, numbers)),
            Device::CudaAll => return Ok(gpus(cuda, &usable(&Cuda::new(cuda)))),
            #[cfg(feature = "cuda-emulated")]
            Device::CudaEmulated => return Ok(Computer::Cuda(Cuda::in_memory(cuda))),
            _ => {}
        }
        let mode = mode(asked)?;
        if mode == Mode::Off {
            return Ok(Computer::Cpu(Cpu::new(threads, compute)));
        }
        let setup = Setup { mode, threads, compute, times: times_file(), ..Setup::new(npu::packs_folder(None)) };
        match device {
            #[cfg(feature = "npu-emulated")]
            Device::NpuEmulated => {
                let rounding = npu::rounding(asked.npu_rounding);
                // How fast an emulation is says nothing.
                let setup = Setup { must_be_quicker: false, ..setup };
                let folder = tempfile::tempdir().map_err(anyhow::Error::new)?;
                let emulated = Npu::in_memory(setup, folder.path(), rounding);
                Ok(Computer::Npu(emulated.map_err(anyhow::Error::msg)?))
            }
            _ => Ok(Computer::Npu(Npu::new(setup))),
        }
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        match self {
            Computer::Cpu(cpu) => cpu,
            Computer::Npu(npu) => npu,
            Computer::Cuda(cuda) => cuda,
            Computer::Several(several) => several,
        }
    }

    /// What the device can do at most, measured, where that is known how.
    pub(super) fn roofs(&self) -> Option<Result<Roofs, GpuError>> {
        let Computer::Cuda(cuda) = self else { return None };
        Some(cuda.roofs())
    }

    /// Why the model that was loaded last does without a device that was asked for.
    pub(super) fn unused(&self) -> Option<String> {
        let Computer::Npu(npu) = self else { return None };
        npu.status().unused.map(|reason| format!("the {} is not used: {reason}", npu.name()))
    }
}

/// GPUs by their numbers.
fn gpus(setup: CudaSetup, numbers: &[usize]) -> Computer {
    let one = |device: usize| Cuda::new(CudaSetup { device, ..setup });
    match numbers {
        [only] => Computer::Cuda(one(*only)),
        _ => {
            let member = |number: &usize| (format!("cuda:{number}"), Box::new(one(*number)) as Box<dyn Backend>);
            Computer::Several(Several::new("cuda", numbers.iter().map(member).collect()))
        }
    }
}

/// The numbers of all GPUs that can be used, and said of the others why not. Where there is none, the first stands for all: loading
/// onto it says what is missing.
fn usable(cuda: &Cuda) -> Vec<usize> {
    let (usable, others): (Vec<Listed>, Vec<Listed>) =
        cuda.devices().unwrap_or_default().into_iter().partition(|gpu| gpu.obstacle.is_none());
    if usable.is_empty() {
        return vec![0];
    }
    for Listed { number, obstacle, .. } in others {
        let why = obstacle.map_or(String::new(), |obstacle| obstacle.to_string());
        say!("note: cuda:{number} is not among them: {why}");
    }
    usable.into_iter().map(|gpu| gpu.number).collect()
}

/// What is to be said of the choice before anything is computed: what `auto` comes to where it was asked for by name, and what is no
/// device.
pub(super) fn note(asked: &Computing) -> Option<String> {
    match asked.device.as_ref()? {
        Device::Auto if is_the_cpu(asked) => Some(AUTO.to_owned()),
        device if device.is_emulated() => Some(format!(
            "{device} is no device: the cpu computes in its place, slowly, and no time that is told of it is one of a device"
        )),
        _ => None,
    }
}

/// What was asked for, in words.
pub(super) fn described(asked: &Computing) -> String {
    match &asked.device {
        None | Some(Device::Auto) if is_the_cpu(asked) => AUTO.to_owned(),
        None => Device::Auto.to_string(),
        Some(device) => note(asked).unwrap_or_else(|| device.to_string()),
    }
}

fn is_the_cpu(asked: &Computing) -> bool {
    matches!(mode(asked), Ok(Mode::Off))
}

/// Whether an NPU is used, by both flags.
fn mode(asked: &Computing) -> Result<Mode, Stop> {
    let means_npu = match &asked.device {
        Some(Device::Cpu) => Some(false),
        Some(Device::Npu) => Some(true),
        #[cfg(feature = "npu-emulated")]
        Some(Device::NpuEmulated) => Some(true),
        _ => None,
    };
    match (means_npu, asked.npu) {
        (Some(false), Some(NpuMode::Auto | NpuMode::Require)) => Err(contradiction("--device cpu", "--npu")),
        (Some(true), Some(NpuMode::Off)) => Err(contradiction("--device npu", "--npu off")),
        (_, Some(NpuMode::Require)) | (Some(true), None) => Ok(Mode::Require),
        (_, Some(NpuMode::Auto)) => Ok(Mode::Auto),
        (_, Some(NpuMode::Off)) | (Some(false) | None, None) => Ok(Mode::Off),
    }
}

fn contradiction(one: &str, other: &str) -> Stop {
    Stop::Usage(format!("{one} and {other} contradict each other; leave one of them out"))
}

/// The file of measured times: in the user's cache folder, if there is one.
fn times_file() -> Option<PathBuf> {
    let cache = path_in("XDG_CACHE_HOME").or_else(|| path_in("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join(TIMES))
}
