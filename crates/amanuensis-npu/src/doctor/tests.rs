//! Acceptance check 10, as far as this crate goes: every link of the chain broken once, in trees of made-up files.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::driver::fake::{FakeDriver, Fault, Machine, Settings};
use crate::driver::{Argument, Device, DriverError, Generation, Once, Partition, Receipt, Work, run_once};
use crate::packs;
use crate::trust::{Canary, Finding, Passed, Shape};

/// A machine whose streams say nothing: three buffers of 4 by 4 are multiplied.
struct Fours;

impl Machine for Fours {
    fn execute(&mut self, _: &[u32], arguments: &mut [&mut [u32]]) -> Result<(), Fault> {
        let [a, b, c] = arguments else {
            return Err(Fault { operation: None, hung: false, reason: "three buffers".to_owned() });
        };
        for place in 0..16 {
            let part = |step: usize| f32::from_bits(a[place / 4 * 4 + step]) * f32::from_bits(b[step * 4 + place % 4]);
            c[place] = (0..4).map(part).sum::<f32>().to_bits();
        }
        Ok(())
    }
}

/// A made-up machine with one NPU and everything that belongs to it.
struct Made {
    folder: TempDir,
}

const ADDRESS: &str = "sys/bus/pci/devices/0000:c5:00.1";

impl Made {
    fn new(device: &str, revision: &str) -> Self {
        let made = Self { folder: tempfile::tempdir().expect("a folder") };
        for (file, text) in [("vendor", "0x1022\n"), ("device", device), ("revision", revision)] {
            made.file(&format!("{ADDRESS}/{file}"), text);
        }
        made.file("sys/bus/pci/devices/0000:00:00.0/vendor", "0x1022\n");
        made.file("sys/bus/pci/devices/0000:00:00.0/device", "0x14e8\n");
        made.link("amdxdna");
        made.file(&format!("{ADDRESS}/accel/accel0/dev"), "261:0\n");
        made.file("dev/accel/accel0", "");
        made.file("proc/sys/kernel/osrelease", "6.14.0-15-generic\n");
        made.file("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/x quiet\n");
        made.file("proc/self/status", "Name:\tx\nCapEff:\t0000000000000000\n");
        made.file(
            "proc/self/limits",
            "Max processes 1 1 processes\nMax locked memory         unlimited            unlimited            bytes\n",
        );
        packs::tests::install(&made.packs().join("synthetic"), |_| {});
        made
    }

    fn xdna1() -> Self {
        Self::new("0x1502\n", "0x00\n")
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn packs(&self) -> PathBuf {
        self.root().join("packs")
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    fn gone(&self, name: &str) {
        let path = self.root().join(name);
        let kind = std::fs::symlink_metadata(&path).expect("there");
        if kind.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.expect("removed");
    }

    fn link(&self, driver: &str) {
        let link = self.root().join(ADDRESS).join("driver");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(format!("../../../../bus/pci/drivers/{driver}"), link).expect("linked");
    }

    /// Examines it, with the driver in memory behind its node.
    fn examine(&self, settings: Settings) -> Report {
        let driver = FakeDriver::new(settings, Fours);
        self.examine_by(&|_| Device::fake(&driver), &fly)
    }

    fn examine_by(
        &self,
        open: &dyn Fn(&Path) -> Result<Device, DriverError>,
        canary: &dyn Fn(&Device, &packs::Pack) -> Result<Passed, Finding>,
    ) -> Report {
        let packs = self.packs();
        examine(&Options { root: self.root(), packs: &packs, open: Some(open), canary: Some(canary), sweep: None })
    }
}

/// A canary of the machine above.
fn fly(device: &Device, pack: &packs::Pack) -> Result<Passed, Finding> {
    let canary = Canary { shape: Shape { m: 4, k: 4, n: 4 }, seed: 1, bound: Canary::BOUND_F32 };
    canary.fly(|problem, result| -> Result<Receipt, DriverError> {
        let once = Once {
            partition: Partition { columns: 4, operations_per_cycle: 2048 },
            overlay: pack.overlay(),
            stream: &[1],
            work: Work { operations: canary.shape.operations() },
            patience: std::time::Duration::from_secs(20),
        };
        let words = |numbers: &[f32]| Argument { words: numbers.iter().map(|number| number.to_bits()).collect() };
        let mut arguments = [words(&problem.a), words(&problem.b), words(result)];
        let receipt = run_once(device, once, &mut arguments)?;
        for (place, word) in result.iter_mut().zip(&arguments[2].words) {
            *place = f32::from_bits(*word);
        }
        Ok(receipt)
    })
}

/// The check at which a report's chain broke, and that nothing behind it was claimed.
fn broken(report: &Report) -> &Check {
    let place = report.checks.iter().position(|check| matches!(check.outcome, Outcome::Failed | Outcome::Skipped));
    let place = place.unwrap_or_else(|| panic!("{report}"));
    for later in &report.checks[place + 1..] {
        assert_eq!(later.outcome, Outcome::NotReached, "{report}");
    }
    let check = &report.checks[place];
    assert!(check.remedy.is_some(), "{report}");
    assert_ne!(report.exit_code(), 0);
    check
}

#[test]
fn check_10_a_machine_without_an_npu_is_told_so() {
    let empty = tempfile::tempdir().expect("a folder");
    let options = Options { root: empty.path(), packs: empty.path(), open: None, canary: None, sweep: None };
    let report = examine(&options);
    assert_eq!((report.state, report.exit_code()), (State::Absent, 3));
    assert_eq!(broken(&report).step, Step::Device);

    let made = Made::new("0x14e8\n", "0x00\n");
    let report = made.examine(Settings::default());
    assert_eq!((report.state, report.exit_code()), (State::Absent, 3));
    assert_eq!(report.summary, "no NPU: none among 2 devices on the PCI bus");
    assert!(broken(&report).remedy.as_deref().is_some_and(|remedy| remedy.contains("use the CPU")));
}

#[test]
fn check_10_this_machine_is_examined_truthfully() {
    let root = Path::new("/");
    let options = Options { root, packs: Path::new("/nowhere"), open: Some(&Device::open), canary: None, sweep: None };
    let report = examine(&options);
    assert_ne!(report.exit_code(), 0, "no canary was run, so nothing is usable: {report}");
    if !root.join("dev/accel").exists()
        && report.check(Step::Device).is_some_and(|check| check.outcome == Outcome::Failed)
    {
        assert_eq!(report.exit_code(), 3, "{report}");
    }
}

#[test]
fn a_whole_chain_is_usable_and_says_that_it_was_emulated() {
    let report = Made::xdna1().examine(Settings::default());
    assert_eq!((report.state, report.exit_code(), report.emulated), (State::Usable, 0, true), "{report}");
    assert!(report.summary.starts_with("emulated, not an NPU: XDNA1 (Phoenix or Hawk Point), 1022:1502"), "{report}");
    let steps: Vec<Step> = report.checks.iter().map(|check| check.step).collect();
    assert_eq!(steps, Step::ALL);
    assert_eq!(report.check(Step::Firmware).map(|check| check.detail.as_str()), Some("1.5.5.391"));
    let array = &report.check(Step::Array).expect("a check").detail;
    assert_eq!(array, "5 columns of 6 rows, 4 of cores, array at 1600 MHz, controller at 847 MHz, power mode default");
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("it is JSON");
    assert_eq!((json["state"].as_str(), json["emulated"].as_bool()), (Some("usable"), Some(true)));
    assert_eq!(json["checks"][9]["step"], "locked_memory");
}

#[test]
fn devices_are_told_apart() {
    for (device, revision, says) in [
        ("0x17f0", "0x10", "XDNA2 (Strix)"),
        ("0x17f0", "0x11", "XDNA2 (Strix Halo)"),
        ("0x17f0", "0x20", "XDNA2 (Krackan)"),
    ] {
        let report =
            Made::new(device, revision).examine(Settings { generation: Generation::Xdna2, ..Settings::default() });
        assert!(report.check(Step::Device).is_some_and(|check| check.detail.starts_with(says)), "{report}");
        // The pack is for the other family.
        assert_eq!(broken(&report).step, Step::Pack);
        assert!(broken(&report).detail.contains("the pack is for XDNA1 and the device is XDNA2"), "{report}");
    }
    for device in ["0x17f1", "0x17f2", "0x17f3", "0x1b0a", "0x1b0b", "0x1b0c"] {
        let report = Made::new(device, "0x00").examine(Settings::default());
        assert_eq!((report.exit_code(), broken(&report).step), (4, Step::Device));
        assert!(broken(&report).detail.starts_with("NPU3 detected: not supported"), "{report}");
    }
    let report = Made::new("0x17f0", "0x00").examine(Settings::default());
    assert_eq!((report.exit_code(), broken(&report).step), (4, Step::Device));
}

/// Breaks a machine, and says at which check that is found, with which words in detail or remedy.
fn breaks(change: impl FnOnce(&Made), settings: Settings, step: Step, says: &[&str]) {
    let made = Made::xdna1();
    change(&made);
    let report = made.examine(settings);
    let check = broken(&report);
    assert_eq!((check.step, report.exit_code()), (step, 4), "{report}");
    let text = format!("{} {}", check.detail, check.remedy.as_deref().unwrap_or_default());
    for words in says {
        assert!(text.contains(words), "{words:?} in {text:?}");
    }
}

#[test]
fn each_broken_link_has_its_remedy() {
    let driver = format!("{ADDRESS}/driver");
    let standard = Settings::default;
    breaks(|made| made.gone(&driver), standard(), Step::Driver, &["modprobe amdxdna"]);
    breaks(|made| made.link("vfio-pci"), standard(), Step::Driver, &["belongs to vfio-pci"]);
    let old = |made: &Made| {
        made.gone(&driver);
        made.file("proc/sys/kernel/osrelease", "6.8.0-51-generic\n");
    };
    breaks(old, standard(), Step::Driver, &["Linux 6.8.0-51-generic has none", "6.14 or later"]);
    let off = |made: &Made| {
        made.gone(&driver);
        made.file("proc/cmdline", "quiet amd_iommu=off\n");
    };
    breaks(off, standard(), Step::Driver, &["start the kernel without amd_iommu=off"]);
    let accel = format!("{ADDRESS}/accel");
    breaks(|made| made.gone(&accel), standard(), Step::Node, &["the driver made no node", "kernel's log"]);
    let hidden = |made: &Made| {
        made.gone(&accel);
        made.file("proc/cmdline", "quiet amd_iommu=off\n");
    };
    breaks(hidden, standard(), Step::Node, &["without amd_iommu=off"]);
    breaks(|made| made.gone("dev/accel/accel0"), standard(), Step::Node, &["--device /dev/accel/accel0"]);
    let other = Settings { name: "habanalabs".to_owned(), ..standard() };
    breaks(|_| {}, other, Step::Name, &["calls itself \"habanalabs\""]);
    let limits = |made: &Made| {
        made.file("proc/self/limits", "Max locked memory         8388608              8388608              bytes\n");
    };
    breaks(limits, standard(), Step::LockedMemory, &["8192 KiB may be locked", "LimitMEMLOCK=infinity"]);
    // The limit that is said is not always the one that counts.
    breaks(|_| {}, Settings { lock_limit: 1 << 20, ..standard() }, Step::Heap, &["EAGAIN", "ulimit -l"]);
    breaks(|made| made.gone("packs/synthetic"), standard(), Step::Pack, &["no pack installed", "build one for XDNA1"]);
    let changed = |made: &Made| made.file("packs/synthetic/overlay.xclbin", "another");
    breaks(changed, standard(), Step::Pack, &["synthetic: ", "SHA-256"]);
}

#[test]
fn a_process_that_may_lock_all_needs_no_limit() {
    let made = Made::xdna1();
    made.file("proc/self/limits", "Max locked memory         65536              65536              bytes\n");
    made.file("proc/self/status", "CapEff:\t000001ffffffffff\n");
    let report = made.examine(Settings::default());
    assert_eq!(report.check(Step::LockedMemory).map(|check| check.detail.as_str()), Some("unlimited"), "{report}");
}

#[test]
fn nodes_that_cannot_be_opened_say_why() {
    let made = Made::xdna1();
    let denied = |path: &Path| {
        let advice = "join the group that owns it, usually render, and log in again";
        Err(DriverError::Open { path: path.to_owned(), why: "Permission denied (os error 13)".to_owned(), advice })
    };
    let report = made.examine_by(&denied, &fly);
    let check = broken(&report);
    assert_eq!((check.step, report.exit_code()), (Step::Access, 4));
    assert!(check.remedy.as_deref().is_some_and(|remedy| remedy.contains("render")), "{report}");

    let mismatch = |_: &Path| Err(DriverError::Lost { call: "GET_INFO" });
    let report = made.examine_by(&mismatch, &fly);
    assert_eq!(broken(&report).step, Step::Name);
    assert!(broken(&report).remedy.as_deref().is_some_and(|remedy| remedy.contains("linux-firmware")), "{report}");

    // Without a device behind the files, or a canary, nothing is called usable.
    let packs = made.packs();
    let none = Options { root: made.root(), packs: &packs, open: None, canary: None, sweep: None };
    assert_eq!((broken(&examine(&none)).step, examine(&none).exit_code()), (Step::Access, 4));
    let driver = FakeDriver::new(Settings::default(), Fours);
    let open = |_: &Path| Device::fake(&driver);
    let report = examine(&Options { open: Some(&open), ..none });
    assert_eq!((broken(&report).step, report.exit_code()), (Step::Canary, 4), "{report}");
}

#[test]
fn contexts_that_are_all_taken_and_canaries_that_die_are_found() {
    let made = Made::xdna1();
    let driver = FakeDriver::new(Settings::default(), Fours);
    let open = |_: &Path| Device::fake(&driver);
    {
        let device = Device::fake(&driver).expect("a device");
        let heap = crate::driver::Heap::create(&device).expect("a heap");
        let partition = Partition { columns: 4, operations_per_cycle: 2048 };
        let all: Vec<_> = (0..6).map(|_| crate::driver::Context::create(&heap, partition)).collect();
        assert!(all.iter().all(Result::is_ok));
        let report = made.examine_by(&open, &fly);
        assert_eq!(broken(&report).step, Step::Contexts);
        assert_eq!(broken(&report).detail, "6 of 6 are taken");
    }
    driver.break_all(Some(crate::driver::fake::Injection::Zeros));
    let report = made.examine_by(&open, &fly);
    assert_eq!((broken(&report).step, broken(&report).detail.as_str()), (Step::Canary, "every result is 0"));
    driver.break_all(None);
    let packs = made.packs();
    let failing = |_: &Device, _: &packs::Pack| Err("512 x 512 x 512 is wrong".to_owned());
    let options =
        Options { root: made.root(), packs: &packs, open: Some(&open), canary: Some(&fly), sweep: Some(&failing) };
    assert_eq!(broken(&examine(&options)).step, Step::Sweep);
}
