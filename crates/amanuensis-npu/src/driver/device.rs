//! A device: who answers behind a node, and what it says of itself.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::error::DriverError;
use super::kernel::{Attached, Errno, Kernel};
use super::receipt::Origin;
use crate::uapi::{self, Layout, Request};

/// The families that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generation {
    /// XDNA1: Phoenix, Hawk Point.
    Xdna1,
    /// XDNA2: Strix, Strix Halo, Krackan, Gorgon.
    Xdna2,
}

impl Generation {
    /// The family whose array has so many columns. XDNA1 has a fifth, without shim DMA.
    fn of_columns(columns: u16) -> Option<Self> {
        match columns {
            4 | 5 => Some(Self::Xdna1),
            8 => Some(Self::Xdna2),
            _ => None,
        }
    }

    /// Columns that programs can have.
    pub fn columns(self) -> u16 {
        match self {
            Self::Xdna1 => 4,
            Self::Xdna2 => 8,
        }
    }

    /// Contexts that can exist at a time.
    pub fn context_limit(self) -> u64 {
        match self {
            Self::Xdna1 => 6,
            Self::Xdna2 => 16,
        }
    }

    /// 8-bit operations that a column does in a cycle.
    pub fn operations_per_cycle(self) -> u32 {
        match self {
            Self::Xdna1 => 2048,
            Self::Xdna2 => 4096,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xdna1 => "XDNA1",
            Self::Xdna2 => "XDNA2",
        })
    }
}

/// Which driver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// Its name.
    pub name: String,
    /// Its interface: major, minor, patch level.
    pub version: [i32; 3],
}

/// What a device says of itself. What a driver cannot be asked is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its family.
    pub generation: Generation,
    /// Columns and rows of the array, those that cannot be used included.
    pub array: uapi::ArrayMetadata,
    /// Version of the array.
    pub version: Option<uapi::ArrayVersion>,
    /// Clocks.
    pub clocks: Option<uapi::Clocks>,
    /// Firmware.
    pub firmware: Option<uapi::FirmwareVersion>,
    /// Power mode.
    pub power: Option<uapi::PowerMode>,
    /// What there is and what is taken.
    pub resources: Option<uapi::ResourceInfo>,
}

/// What everything made from a device shares.
pub(super) struct Link {
    pub(super) kernel: Box<dyn Kernel>,
    pub(super) origin: Origin,
    /// Contexts made so far.
    pub(super) generations: AtomicU64,
}

impl Link {
    /// Calls with a struct, which is read back.
    pub(super) fn call<Argument: Layout>(
        &self,
        request: Request,
        argument: &mut Argument,
        attached: &mut [Attached<'_>],
    ) -> Result<(), Errno> {
        call(self.kernel.as_ref(), request, argument, attached)
    }
}

/// Calls a kernel with a struct, which is read back.
pub(super) fn call<Argument: Layout>(
    kernel: &dyn Kernel,
    request: Request,
    argument: &mut Argument,
    attached: &mut [Attached<'_>],
) -> Result<(), Errno> {
    let mut bytes = argument.to_bytes();
    kernel.call(request, &mut bytes, attached)?;
    *argument = Argument::get(&bytes);
    Ok(())
}

/// Asks GET_INFO for a struct.
pub(super) fn query<Answer: Layout>(kernel: &dyn Kernel, parameter: u32) -> Result<Answer, Errno> {
    let mut answer = vec![0; Answer::WIDTH];
    let mut argument = uapi::GetInfo { parameter, size: Answer::WIDTH as u32, buffer: 0 };
    let at = std::mem::offset_of!(uapi::GetInfo, buffer);
    call(kernel, uapi::GET_INFO, &mut argument, &mut [Attached { at, bytes: &mut answer }])?;
    Ok(Answer::get(&answer))
}

/// An NPU that can be spoken to, or the one in memory.
#[derive(Clone)]
pub struct Device {
    pub(super) link: Arc<Link>,
    driver: Driver,
    facts: Facts,
}

impl Device {
    /// Opens a device node, asks who answers, and what the device is (step 1 of [`run_once`](super::run_once)).
    ///
    /// Nobody of this project has run this on hardware.
    pub fn open(node: &Path) -> Result<Self, DriverError> {
        #[cfg(target_os = "linux")]
        {
            let opened = super::real::Node::open(node);
            let kernel = opened.map_err(|error| DriverError::Open {
                path: node.to_owned(),
                why: error.to_string(),
                advice: match error.kind() {
                    std::io::ErrorKind::NotFound => {
                        "is there an NPU, and is its driver (amdxdna, Linux 6.14 or later) loaded?"
                    }
                    std::io::ErrorKind::PermissionDenied => {
                        "join the group that owns it, usually render, and log in again"
                    }
                    _ => "see what the kernel's log says of amdxdna",
                },
            })?;
            Self::connect(Box::new(kernel), true, node)
        }
        #[cfg(not(target_os = "linux"))]
        Err(DriverError::Open {
            path: node.to_owned(),
            why: "the driver amdxdna exists for Linux only".to_owned(),
            advice: "use Linux 6.14 or later, or the CPU",
        })
    }

    /// The device behind the driver in memory. What it does is called emulated, everywhere.
    #[cfg(any(test, feature = "fake-driver"))]
    pub fn fake(driver: &super::fake::FakeDriver) -> Result<Self, DriverError> {
        Self::connect(Box::new(driver.clone()), false, Path::new("the driver in memory"))
    }

    fn connect(kernel: Box<dyn Kernel>, hardware: bool, node: &Path) -> Result<Self, DriverError> {
        let driver = version(kernel.as_ref())?;
        if driver.name != uapi::DRIVER_NAME {
            return Err(DriverError::OtherDriver { path: node.to_owned(), found: driver.name });
        }
        let array: uapi::ArrayMetadata = query(kernel.as_ref(), uapi::QUERY_ARRAY).map_err(|errno| {
            let hint = "; firmware of another protocol than the driver's has this effect, so update both together";
            DriverError::hinted("GET_INFO", errno, "asking for the array", hint)
        })?;
        let generation = Generation::of_columns(array.columns).ok_or(DriverError::Misplaced {
            what: "the array a number of columns, at",
            address: u64::from(array.columns),
            rule: "5 (XDNA1) or 8 (XDNA2) are known",
        })?;
        let facts = Facts {
            generation,
            array,
            version: query(kernel.as_ref(), uapi::QUERY_VERSION).ok(),
            clocks: query(kernel.as_ref(), uapi::QUERY_CLOCKS).ok(),
            firmware: query(kernel.as_ref(), uapi::QUERY_FIRMWARE).ok(),
            power: query(kernel.as_ref(), uapi::QUERY_POWER).ok(),
            resources: query(kernel.as_ref(), uapi::QUERY_RESOURCES).ok(),
        };
        let origin = if hardware { Origin::Hardware(generation) } else { Origin::Emulated };
        let link = Arc::new(Link { kernel, origin, generations: AtomicU64::new(0) });
        Ok(Self { link, driver, facts })
    }

    /// Who answers.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// What it is, as it said when it was opened.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether this is an NPU.
    pub fn origin(&self) -> Origin {
        self.link.origin
    }

    /// What is taken of it now.
    pub fn resources(&self) -> Result<uapi::ResourceInfo, DriverError> {
        query(self.link.kernel.as_ref(), uapi::QUERY_RESOURCES)
            .map_err(|errno| DriverError::call("GET_INFO", errno, "asking for resources"))
    }

    /// What its clocks are at now.
    pub fn clocks(&self) -> Result<uapi::Clocks, DriverError> {
        query(self.link.kernel.as_ref(), uapi::QUERY_CLOCKS)
            .map_err(|errno| DriverError::call("GET_INFO", errno, "asking for the clocks"))
    }
}

/// Asks a DRM driver for its name.
fn version(kernel: &dyn Kernel) -> Result<Driver, DriverError> {
    /// Longer than the name of any DRM driver.
    const ROOM: usize = 64;
    let mut name = [0; ROOM];
    let mut argument = uapi::DriverVersion { name_size: ROOM as u64, ..Default::default() };
    let at = std::mem::offset_of!(uapi::DriverVersion, name);
    call(kernel, uapi::DRIVER_VERSION, &mut argument, &mut [Attached { at, bytes: &mut name }])
        .map_err(|errno| DriverError::call("VERSION", errno, "asking which driver this is"))?;
    let length = ROOM.min(usize::try_from(argument.name_size).unwrap_or(ROOM));
    let name = String::from_utf8_lossy(&name[..length]).trim_end_matches('\0').to_owned();
    Ok(Driver { name, version: [argument.major, argument.minor, argument.patch] })
}
