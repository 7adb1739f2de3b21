//! From `--device`, `--npu`, `--threads` and `--compute-type` to what computes.

use std::path::PathBuf;

use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Backend, ComputeType};
use amanuensis_cuda::backend::Cuda;
use amanuensis_npu::backend::{Mode, Npu, Setup};

use super::{Stop, npu, path_in};
use crate::args::{Computing, Device, NpuMode};

/// Where times that decide between NPU and CPU are kept, in the user's cache folder.
const TIMES: &str = "amanuensis/npu-times.json";

/// What computes.
pub(super) enum Computer {
    Cpu(Cpu),
    /// An NPU with the CPU beside it.
    Npu(Npu),
    Cuda(Cuda),
}

impl Computer {
    /// The one that was asked for. Whether it is there is found out when a model is loaded.
    pub(super) fn new(asked: &Computing, compute: ComputeType) -> Result<Self, Stop> {
        let threads = asked.threads.0;
        if let Device::Cuda(device) = asked.device {
            if matches!(asked.npu, Some(NpuMode::Auto | NpuMode::Require)) {
                return Err(contradiction("--device cuda", "--npu"));
            }
            let setup = amanuensis_cuda::backend::Setup { device, compute, ..Default::default() };
            return Ok(Computer::Cuda(Cuda::new(setup)));
        }
        let mode = mode(asked)?;
        if mode == Mode::Off {
            return Ok(Computer::Cpu(Cpu::new(threads, compute)));
        }
        let setup = Setup { mode, threads, compute, times: times_file(), ..Setup::new(npu::packs_folder(None)) };
        match asked.device {
            #[cfg(feature = "npu-emulated")]
            Device::NpuEmulated => {
                let rounding = npu::rounding(asked.npu_rounding);
                // How fast an emulation is says nothing.
                let setup = Setup { must_be_quicker: false, ..setup };
                let folder = tempfile::tempdir().map_err(anyhow::Error::new)?;
                let emulated = Npu::in_memory(setup, folder.path(), rounding);
                Ok(Computer::Npu(emulated.map_err(anyhow::Error::msg)?))
            }
            Device::Auto | Device::Cpu | Device::Cuda(_) | Device::Npu => Ok(Computer::Npu(Npu::new(setup))),
        }
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        match self {
            Computer::Cpu(cpu) => cpu,
            Computer::Npu(npu) => npu,
            Computer::Cuda(cuda) => cuda,
        }
    }

    /// Why the model that was loaded last does without a device that was asked for.
    pub(super) fn unused(&self) -> Option<String> {
        let Computer::Npu(npu) = self else { return None };
        npu.status().unused.map(|reason| format!("the {} is not used: {reason}", npu.name()))
    }
}

/// Whether an NPU is used, by both flags.
fn mode(asked: &Computing) -> Result<Mode, Stop> {
    let means_npu = match asked.device {
        Device::Auto | Device::Cuda(_) => None,
        Device::Cpu => Some(false),
        Device::Npu => Some(true),
        #[cfg(feature = "npu-emulated")]
        Device::NpuEmulated => Some(true),
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
