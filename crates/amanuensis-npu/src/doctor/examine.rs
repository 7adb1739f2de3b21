//! The checks. Each either finds what the next one needs, or says what to do.

use std::path::Path;

use super::report::{Check, Outcome, Report, State, Step};
use super::tree::{Found, Model, Tree};
use crate::driver::{Device, DriverError, Heap};
use crate::packs::{Pack, Target, installed};
use crate::trust::{Finding, Passed};
use crate::uapi::{self, HEAP_UNIT};

/// The Linux that brought the driver.
const KERNEL: [u32; 2] = [6, 14];
/// The interface's newest minor version that is known.
const KNOWN_MINOR: i32 = 16;
/// The driver, as the bus knows it.
const MODULE: &str = "amdxdna";

/// Opens a node.
pub type Open<'a> = &'a dyn Fn(&Path) -> Result<Device, DriverError>;
/// Runs a canary with a pack.
pub type Fly<'a> = &'a dyn Fn(&Device, &Pack) -> Result<Passed, Finding>;
/// Runs multiplications of many sizes with a pack, and says how it went.
pub type Sweep<'a> = &'a dyn Fn(&Device, &Pack) -> Result<String, String>;

/// What is examined, and how far.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Where the system's files begin: `/`, or a folder with made-up ones.
    pub root: &'a Path,
    /// Where packs are.
    pub packs: &'a Path,
    /// How nodes are opened: [`Device::open`]. Without, nothing behind the node is examined.
    pub open: Option<Open<'a>>,
    /// How a canary is run. Without, nothing is called usable.
    pub canary: Option<Fly<'a>>,
    /// How a sweep is run, if one is wanted.
    pub sweep: Option<Sweep<'a>>,
}

/// Why a chain ends.
struct Broken {
    step: Step,
    outcome: Outcome,
    detail: String,
    remedy: String,
    state: State,
}

impl Broken {
    fn failed(step: Step, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (detail, remedy) = (detail.into(), remedy.into());
        Self { step, outcome: Outcome::Failed, detail, remedy, state: State::Unusable }
    }

    fn skipped(step: Step, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { outcome: Outcome::Skipped, ..Self::failed(step, detail, remedy) }
    }
}

/// Examines a system, from the bus on, until something is wrong.
pub fn examine(options: &Options<'_>) -> Report {
    let mut walk = Walk { options, tree: Tree::new(options.root), checks: Vec::new(), emulated: false };
    let ended = walk.all();
    let (state, summary) = match ended {
        Ok(found) => (State::Usable, format!("{found}: usable")),
        Err(broken) => {
            let summary = match broken.state {
                State::Absent => format!("no NPU: {}", broken.detail),
                _ => format!("an NPU that cannot be used: {}", broken.detail),
            };
            let Broken { step, outcome, detail, remedy, state } = broken;
            walk.checks.push(Check { step, outcome, detail, remedy: Some(remedy) });
            (state, summary)
        }
    };
    let emulated = walk.emulated;
    let mut checks = walk.checks;
    for step in Step::ALL {
        if !checks.iter().any(|check| check.step == step) {
            checks.push(Check { step, outcome: Outcome::NotReached, detail: String::new(), remedy: None });
        }
    }
    checks.sort_by_key(|check| check.step);
    let summary = if emulated { format!("emulated, not an NPU: {summary}") } else { summary };
    Report { state, summary, emulated, checks }
}

/// A walk along the chain.
struct Walk<'a> {
    options: &'a Options<'a>,
    tree: Tree<'a>,
    checks: Vec<Check>,
    emulated: bool,
}

impl Walk<'_> {
    fn all(&mut self) -> Result<Found, Broken> {
        let found = self.device()?;
        self.driver(&found)?;
        let node = self.node(&found)?;
        let device = self.open(&node)?;
        self.interface(&device);
        self.array(&device);
        self.contexts(&device)?;
        self.locked_memory()?;
        let heap = self.heap(&device)?;
        let pack = self.pack(&device)?;
        // A canary makes a heap of its own, and a device has one.
        drop(heap);
        self.canary(&device, &pack)?;
        self.sweep(&device, &pack)?;
        Ok(found)
    }

    fn passed(&mut self, step: Step, detail: impl Into<String>) {
        self.checks.push(Check { step, outcome: Outcome::Passed, detail: detail.into(), remedy: None });
    }

    fn warned(&mut self, step: Step, detail: impl Into<String>, remedy: impl Into<String>) {
        let (detail, remedy) = (detail.into(), Some(remedy.into()));
        self.checks.push(Check { step, outcome: Outcome::Warned, detail, remedy });
    }

    fn device(&mut self) -> Result<Found, Broken> {
        let (found, count) = self.tree.devices();
        let Some(first) = found.into_iter().next() else {
            let (detail, remedy) = match count {
                Some(count) => (
                    format!("none among {count} devices on the PCI bus"),
                    "Ryzen processors of the series 7040, 8040 and AI 300 have one; if this is such a machine, switch it on in the firmware's setup (NPU or IPU). Otherwise use the CPU",
                ),
                None => (
                    "there is no /sys/bus/pci".to_owned(),
                    "NPUs are used on Linux only, from version 6.14 on; in a container, let it see /sys. Otherwise use the CPU",
                ),
            };
            return Err(Broken { state: State::Absent, ..Broken::failed(Step::Device, detail, remedy) });
        };
        match first.model {
            Model::Known(..) => self.passed(Step::Device, first.to_string()),
            Model::Npu3 => {
                let detail = format!("NPU3 detected: not supported ({first})");
                let remedy =
                    "use the CPU: this family has queues of another kind, which this program does not speak to";
                return Err(Broken::failed(Step::Device, detail, remedy));
            }
            Model::Revision => {
                let remedy = "please report the numbers, so that it can be added; until then use the CPU";
                return Err(Broken::failed(Step::Device, first.to_string(), remedy));
            }
        }
        Ok(first)
    }

    fn driver(&mut self, found: &Found) -> Result<(), Broken> {
        let failed = |detail: String, remedy: String| Err(Broken::failed(Step::Driver, detail, remedy));
        match self.tree.driver(found) {
            Some(name) if name == MODULE => {
                self.passed(Step::Driver, MODULE);
                Ok(())
            }
            Some(name) => {
                let remedy = format!(
                    "release the device from {name} (a passed-through device belongs to a virtual machine) and load {MODULE}"
                );
                failed(format!("the device belongs to {name}"), remedy)
            }
            None => match (self.tree.kernel(), self.tree.without_iommu()) {
                (Some((text, version)), _) if version < KERNEL => {
                    let remedy = "update to Linux 6.14 or later, or install AMD's driver package (DKMS)";
                    failed(format!("no driver; Linux {text} has none"), remedy.to_owned())
                }
                (_, Some(word)) => failed(format!("no driver, and the kernel was started with {word}"), iommu(&word)),
                _ => {
                    let remedy = format!(
                        "load it (modprobe {MODULE}); if that fails, the kernel's log says why: most often linux-firmware (amdnpu) is missing or too old"
                    );
                    failed("no driver".to_owned(), remedy)
                }
            },
        }
    }

    fn node(&mut self, found: &Found) -> Result<std::path::PathBuf, Broken> {
        let Some(name) = self.tree.accelerator(found) else {
            let detail = "the driver made no node";
            return Err(match self.tree.without_iommu() {
                Some(word) => {
                    Broken::failed(Step::Node, format!("{detail}; the kernel was started with {word}"), iommu(&word))
                }
                None => {
                    let remedy = "see what the kernel's log says of amdxdna: firmware that could not be loaded has this effect, and an IOMMU that is off in the firmware's setup";
                    Broken::failed(Step::Node, detail, remedy)
                }
            });
        };
        let node = self.tree.node(&name);
        if !node.exists() {
            let detail = format!("/dev/accel/{name} is not there");
            let remedy = format!("in a container, pass it on (--device /dev/accel/{name}); otherwise start udev");
            return Err(Broken::failed(Step::Node, detail, remedy));
        }
        self.passed(Step::Node, format!("/dev/accel/{name}"));
        Ok(node)
    }

    fn open(&mut self, node: &Path) -> Result<Device, Broken> {
        let Some(open) = self.options.open else {
            let remedy = "examine the machine itself, without another root";
            return Err(Broken::skipped(Step::Access, "a tree of files has no device behind it", remedy));
        };
        match open(node) {
            Ok(device) => {
                self.emulated = !device.origin().is_hardware();
                self.passed(Step::Access, "it can be opened");
                Ok(device)
            }
            Err(DriverError::Open { why, advice, .. }) => Err(Broken::failed(Step::Access, why, advice)),
            Err(DriverError::OtherDriver { found, .. }) => {
                self.passed(Step::Access, "it can be opened");
                let detail = format!("the driver calls itself {found:?}, where {:?} is known", uapi::DRIVER_NAME);
                Err(Broken::failed(Step::Name, detail, "remove the driver that took its place"))
            }
            Err(error) => {
                self.passed(Step::Access, "it can be opened");
                let remedy = "driver and firmware of different protocols have this effect (firmware 7.2 with a driver of 7.1): update kernel and linux-firmware together";
                Err(Broken::failed(Step::Name, error.to_string(), remedy))
            }
        }
    }

    fn interface(&mut self, device: &Device) {
        let driver = device.driver();
        self.passed(Step::Name, driver.name.clone());
        let [major, minor, patch] = driver.version;
        let version = format!("{major}.{minor}.{patch}");
        if major == 0 && minor <= KNOWN_MINOR {
            self.passed(Step::Interface, version);
        } else {
            let detail = format!("{version} is newer than what is known (0.{KNOWN_MINOR})");
            self.warned(Step::Interface, detail, "if something fails, please report it with this version");
        }
        match device.facts().firmware {
            Some(firmware) => {
                let uapi::FirmwareVersion { major, minor, patch, build } = firmware;
                self.passed(Step::Firmware, format!("{major}.{minor}.{patch}.{build}"));
            }
            None => {
                let remedy = "update the kernel; packs that need a certain firmware cannot be compared";
                self.warned(Step::Firmware, "the driver does not say its version", remedy);
            }
        }
    }

    fn array(&mut self, device: &Device) {
        let facts = device.facts();
        let uapi::ArrayMetadata { columns, rows, core, .. } = facts.array;
        let mut detail = format!("{columns} columns of {rows} rows, {} of cores", core.rows);
        if let Ok(clocks) = device.clocks() {
            detail += &format!(
                ", array at {} MHz, controller at {} MHz",
                clocks.array.megahertz, clocks.controller.megahertz
            );
        }
        let mode = facts
            .power
            .map(|power| ["default", "low", "medium", "high", "turbo"].get(usize::from(power.mode)).copied());
        if let Some(mode) = mode {
            detail += &format!(", power mode {}", mode.unwrap_or("of another kind"));
        }
        match mode.flatten() {
            Some("low") => {
                let remedy = "the array is held at its lowest clock: choose another power mode for speed";
                self.warned(Step::Array, detail, remedy);
            }
            _ => self.passed(Step::Array, detail),
        }
    }

    fn contexts(&mut self, device: &Device) -> Result<(), Broken> {
        let limit = device.facts().generation.context_limit();
        match device.resources() {
            Ok(resources) => {
                // A driver that says no limit has the family's.
                let limit = if resources.context_limit == 0 { limit } else { resources.context_limit.min(limit) };
                let detail = format!("{} of {limit} are taken", resources.contexts);
                if resources.contexts >= limit {
                    let remedy = "end another program that uses the NPU";
                    return Err(Broken::failed(Step::Contexts, detail, remedy));
                }
                self.passed(Step::Contexts, detail);
            }
            Err(_) => {
                let detail = format!("the driver does not say; {limit} can exist");
                self.warned(Step::Contexts, detail, "if a context is refused, end another program that uses the NPU");
            }
        }
        Ok(())
    }

    fn locked_memory(&mut self) -> Result<(), Broken> {
        let remedy = "allow it 64 MiB at least: LimitMEMLOCK=infinity in a service, `ulimit -l unlimited` in a shell, --ulimit memlock=-1 for a container";
        match self.tree.lock_limit() {
            Some(u64::MAX) => self.passed(Step::LockedMemory, "unlimited"),
            Some(limit) if limit >= HEAP_UNIT as u64 => self.passed(Step::LockedMemory, format!("{} MiB", limit >> 20)),
            Some(limit) => {
                let detail =
                    format!("{} KiB may be locked, and the device heap has {} MiB", limit >> 10, HEAP_UNIT >> 20);
                return Err(Broken::failed(Step::LockedMemory, detail, remedy));
            }
            None => self.warned(Step::LockedMemory, "the limit cannot be read", remedy),
        }
        Ok(())
    }

    fn heap(&mut self, device: &Device) -> Result<Heap, Broken> {
        match Heap::create(device) {
            Ok(heap) => {
                self.passed(Step::Heap, format!("{} MiB", heap.size() >> 20));
                Ok(heap)
            }
            Err(error) => {
                let remedy = "free memory, and allow more to be locked (ulimit -l)";
                Err(Broken::failed(Step::Heap, error.to_string(), remedy))
            }
        }
    }

    fn pack(&mut self, device: &Device) -> Result<Pack, Broken> {
        let facts = device.facts();
        let target = Target { generation: facts.generation, firmware: facts.firmware };
        let mut refused = Vec::new();
        for (folder, pack) in installed(self.options.packs, Some(target)) {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            match pack {
                Ok(pack) => {
                    self.passed(Step::Pack, format!("{} in {name}", pack.manifest.name));
                    return Ok(pack);
                }
                Err(error) => refused.push(format!("{name}: {error}")),
            }
        }
        let remedy = format!(
            "build one for {} from the sources of the overlay, or install one, in {}",
            facts.generation,
            self.options.packs.display()
        );
        let detail = match refused.as_slice() {
            [] => "no pack installed".to_owned(),
            refused => format!("none that can be used: {}", refused.join("; ")),
        };
        Err(Broken::failed(Step::Pack, detail, remedy))
    }

    fn canary(&mut self, device: &Device, pack: &Pack) -> Result<(), Broken> {
        let Some(fly) = self.options.canary else {
            let remedy = "nothing is called usable that was not seen to multiply";
            return Err(Broken::skipped(Step::Canary, "no canary was run", remedy));
        };
        match fly(device, pack) {
            Ok(passed) => {
                self.passed(Step::Canary, format!("it lives; largest error {:.1e}", passed.worst));
                Ok(())
            }
            Err(finding) => {
                let remedy = "do not use this device with this pack; please report both with this text";
                Err(Broken::failed(Step::Canary, finding.to_string(), remedy))
            }
        }
    }

    fn sweep(&mut self, device: &Device, pack: &Pack) -> Result<(), Broken> {
        let Some(sweep) = self.options.sweep else {
            let detail = "not asked for".to_owned();
            self.checks.push(Check { step: Step::Sweep, outcome: Outcome::Skipped, detail, remedy: None });
            return Ok(());
        };
        match sweep(device, pack) {
            Ok(detail) => {
                self.passed(Step::Sweep, detail);
                Ok(())
            }
            Err(detail) => {
                let remedy = "some sizes fail on this device with this pack; please report both with this text";
                Err(Broken::failed(Step::Sweep, detail, remedy))
            }
        }
    }
}

fn iommu(word: &str) -> String {
    format!("the NPU needs the IOMMU: start the kernel without {word}")
}
