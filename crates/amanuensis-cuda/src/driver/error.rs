//! What can go wrong between here and a GPU.

use super::libraries::LibraryError;

/// Why something could not be done. Each says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// A library is missing, or is not what its name says.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The driver is there, and no device.
    #[error("the NVIDIA driver (for CUDA {driver}) finds no GPU{hint}; see `nvidia-smi`")]
    NoDevice {
        /// The version of CUDA that the driver speaks.
        driver: Version,
        /// What is probably the reason, or nothing.
        hint: &'static str,
    },
    /// A GPU was asked for by a number that none has.
    #[error("there is no GPU {index}: this machine has {count}, numbered from 0")]
    NoSuchDevice {
        /// The number.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The driver is older than this program or a library can use.
    #[error("the NVIDIA driver speaks CUDA {driver}, but {needs} CUDA {least} or newer; install a newer driver{or}")]
    DriverTooOld {
        /// The version of CUDA that the driver speaks.
        driver: Version,
        /// Who needs more.
        needs: String,
        /// What it needs.
        least: Version,
        /// Another way out, or nothing.
        or: &'static str,
    },
    /// The GPU is older than the kernels.
    #[error("{name} has compute capability {}.{}, and these kernels need 8.0 (Ampere, 2020) or newer; use another device", .capability.0, .capability.1)]
    TooOld {
        /// The GPU.
        name: String,
        /// What it can do.
        capability: (u32, u32),
    },
    /// The compiler is older than the GPU.
    #[error(
        "NVRTC {version} ({file}) does not know {target}, which {name} is; install a newer one, as `pip install -U nvidia-cuda-nvrtc-cu12` does"
    )]
    CompilerTooOld {
        /// NVRTC's version.
        version: Version,
        /// Where it was found.
        file: String,
        /// The machine code that the GPU runs.
        target: String,
        /// The GPU.
        name: String,
    },
    /// The kernels did not compile.
    #[error("NVRTC {version} does not compile the kernels for {target}: {log}")]
    Compile {
        /// NVRTC's version.
        version: Version,
        /// The machine code asked for.
        target: String,
        /// What it says.
        log: String,
    },
    /// There is not enough memory.
    #[error(
        "the GPU has no {bytes} bytes for {what} ({free} of {total} bytes free); end other programs on it, or take a smaller model or fewer at once"
    )]
    OutOfMemory {
        /// Bytes wanted.
        bytes: u64,
        /// For what.
        what: &'static str,
        /// Bytes free.
        free: u64,
        /// Bytes there are.
        total: u64,
    },
    /// The host has no memory that could be locked.
    #[error(
        "this machine has no {bytes} bytes of memory that can be locked for copies to and from the GPU ({code}); end other programs"
    )]
    NotLocked {
        /// Bytes wanted.
        bytes: usize,
        /// The driver's word for the failure.
        code: String,
    },
    /// A speed was asked of the host in a GPU's place.
    #[error("the speed of an emulated GPU says nothing about any GPU, and is not measured; use a GPU")]
    NoSpeed,
    /// A call failed.
    #[error("{call} failed: {code}")]
    Call {
        /// The call.
        call: &'static str,
        /// The driver's word for the failure.
        code: String,
    },
    /// The GPU or its context is gone: everything on it is lost.
    #[error(
        "the GPU does not answer any more ({code}, during {call}); what was on it is lost, and this process can use it no more: start the program again, and look at `nvidia-smi` and the system's log"
    )]
    Lost {
        /// The call that said so.
        call: &'static str,
        /// The driver's word for the failure.
        code: String,
    },
    /// Something was asked of the device that does not fit what lies there.
    #[error("{what} is asked for {wanted}, where there is {there}; this is an error of the program, please report it")]
    Misuse {
        /// What was to be done.
        what: &'static str,
        /// What was asked.
        wanted: String,
        /// What there is.
        there: String,
    },
}

impl GpuError {
    /// Whether nothing on the device can be used any more after this.
    pub fn ends_context(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }
}

/// A version of CUDA, as its libraries count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Grows when old programs cease to run.
    pub major: u32,
    /// Grows when something is added.
    pub minor: u32,
}

impl Version {
    /// What the driver means by 12060: 12.6.
    pub fn of_driver(number: u32) -> Self {
        Self { major: number / 1000, minor: number % 1000 / 10 }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_driver_counts() {
        assert_eq!(Version::of_driver(12060).to_string(), "12.6");
        assert_eq!(Version::of_driver(13000), Version { major: 13, minor: 0 });
        assert!(Version::of_driver(11080) < Version::of_driver(12000));
    }

    #[test]
    fn every_refusal_says_what_is_there_and_what_to_do() {
        let driver = Version::of_driver(11040);
        let texts = [
            (GpuError::NoDevice { driver, hint: "" }, "for CUDA 11.4) finds no GPU; see `nvidia-smi`"),
            (GpuError::NoSuchDevice { index: 3, count: 2 }, "no GPU 3: this machine has 2"),
            (
                GpuError::DriverTooOld {
                    driver,
                    needs: "this program needs".to_owned(),
                    least: Version::of_driver(12000),
                    or: " (525 or newer)",
                },
                "speaks CUDA 11.4, but this program needs CUDA 12.0 or newer; install a newer driver (525 or newer)",
            ),
            (
                GpuError::TooOld { name: "Tesla V100".to_owned(), capability: (7, 0) },
                "Tesla V100 has compute capability 7.0, and these kernels need 8.0",
            ),
            (
                GpuError::OutOfMemory { bytes: 10, what: "the weights", free: 5, total: 20 },
                "no 10 bytes for the weights (5 of 20 bytes free); end other programs on it",
            ),
            (GpuError::Lost { call: "cuMemAlloc", code: "CUDA_ERROR_X".to_owned() }, "start the program again"),
        ];
        for (error, expected) in texts {
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.ends_context(), matches!(error, GpuError::Lost { .. }));
        }
    }
}
