//! The GPUs of a machine before one is used, and what stands in the way of using it. Nothing is compiled and nothing brought anywhere.

use std::sync::Arc;

use super::{Facts, Gpu, GpuError, Origin, Version};

/// The oldest driver: what CUDA 12 begins with, and graphs as they are made here.
const OLDEST: Version = Version { major: 12, minor: 0 };
/// The oldest device: the first with the tensor cores' instruction and the copies that the kernels use.
const OLDEST_CAPABILITY: (u32, u32) = (8, 0);

/// A machine with GPUs, or without.
pub trait Machine: Send + Sync {
    /// Who computes where one of them is asked to.
    fn origin(&self) -> Origin;
    /// Its GPUs, in the driver's order and one at least, or why none is seen.
    fn devices(&self) -> Result<Vec<Facts>, GpuError>;
    /// Bytes that are free on one of them, as whoever opens it would find them.
    fn free_memory(&self, index: usize) -> Result<u64, GpuError>;
    /// What compiles the kernels.
    fn compiler(&self) -> Result<Tool, GpuError>;
    /// What multiplies matrices.
    fn multiplier(&self) -> Result<Tool, GpuError>;
    /// Opens one of them, with the kernels on it.
    fn open(&self, index: usize) -> Result<Arc<dyn Gpu>, GpuError>;
}

/// A library that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// What people call it.
    pub name: &'static str,
    /// Its version.
    pub version: Version,
    /// Where it was found.
    pub file: String,
    /// The compute capabilities that it makes code for, where it makes any: 90 for 9.0.
    pub targets: Option<Vec<u32>>,
}

/// A GPU of a machine, and whether it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its number, as the driver counts.
    pub number: usize,
    /// What it is.
    pub facts: Facts,
    /// Bytes that are free, where that could be asked.
    pub free: Option<u64>,
    /// What stands in the way of using it.
    pub obstacle: Option<GpuError>,
}

/// All GPUs of a machine, each with what stands in its way; an error where none is seen.
pub fn survey(machine: &dyn Machine) -> Result<Vec<Listed>, GpuError> {
    let devices = machine.devices()?;
    let tools = machine.compiler().and_then(|compiler| Ok([compiler, machine.multiplier()?]));
    Ok(devices.into_iter().enumerate().map(|(number, facts)| look(machine, number, facts, &tools)).collect())
}

/// One of them.
pub fn examine(machine: &dyn Machine, index: usize) -> Result<Listed, GpuError> {
    let devices = machine.devices()?;
    let count = devices.len();
    let facts = devices.into_iter().nth(index).ok_or(GpuError::NoSuchDevice { index, count })?;
    let tools = machine.compiler().and_then(|compiler| Ok([compiler, machine.multiplier()?]));
    Ok(look(machine, index, facts, &tools))
}

fn look(machine: &dyn Machine, number: usize, facts: Facts, tools: &Result<[Tool; 2], GpuError>) -> Listed {
    let mut listed = Listed { number, facts, free: None, obstacle: None };
    let free = supported(&listed.facts).and_then(|()| machine.free_memory(number));
    let fit = |tools: &Result<[Tool; 2], GpuError>| match tools {
        Ok(tools) => tools.iter().try_for_each(|tool| tool.fits(&listed.facts)),
        Err(error) => Err(error.clone()),
    };
    match free {
        Ok(free) => (listed.obstacle, listed.free) = (fit(tools).err(), Some(free)),
        Err(error) => listed.obstacle = Some(error),
    }
    listed
}

/// Refuses drivers and devices that are too old.
pub(super) fn supported(facts: &Facts) -> Result<(), GpuError> {
    if facts.driver < OLDEST {
        let needs = "this program needs".to_owned();
        return Err(GpuError::DriverTooOld { driver: facts.driver, needs, least: OLDEST, or: " (525 or newer)" });
    }
    if facts.capability < OLDEST_CAPABILITY {
        return Err(GpuError::TooOld { name: facts.name.clone(), capability: facts.capability });
    }
    Ok(())
}

impl Tool {
    /// Refuses a library that is newer than the driver, which could not load its code, and a compiler that is older than the device.
    pub(super) fn fits(&self, facts: &Facts) -> Result<(), GpuError> {
        if self.version.major > facts.driver.major {
            let Tool { name, version, file, .. } = self;
            return Err(GpuError::DriverTooOld {
                driver: facts.driver,
                needs: format!("{name} {version} ({file}) needs"),
                least: Version { major: self.version.major, minor: 0 },
                or: ", or the library for CUDA 12",
            });
        }
        let capability = 10 * facts.capability.0 + facts.capability.1;
        match &self.targets {
            Some(targets) if !targets.contains(&capability) => Err(GpuError::CompilerTooOld {
                version: self.version,
                file: self.file.clone(),
                target: facts.target(),
                name: facts.name.clone(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::fake::{FakeGpu, FakeMachine, described};
    use crate::driver::libraries::{LibraryError, Wanted};

    /// A GPU that differs in something from one that can be used.
    fn gpu(change: impl FnOnce(&mut Facts)) -> Arc<FakeGpu> {
        let mut facts = described(8 << 30);
        change(&mut facts);
        FakeGpu::of(facts)
    }

    fn missing(wanted: Wanted) -> GpuError {
        let (file, reason) = ("/nowhere".to_owned(), "there is no such file".to_owned());
        LibraryError::Unusable { wanted, file, reason }.into()
    }

    /// What stands in the way of each GPU of a machine, in words.
    fn obstacles(machine: &FakeMachine) -> Vec<String> {
        let listed = survey(machine).unwrap_or_else(|error| panic!("{error}"));
        // Whoever asks for one of them is told the same, and can use those that nothing is said of.
        for each in &listed {
            assert_eq!(examine(machine, each.number).as_ref(), Ok(each));
            assert_eq!(machine.open(each.number).err(), each.obstacle);
        }
        let words = |listed: Listed| listed.obstacle.map_or(String::new(), |obstacle| obstacle.to_string());
        listed.into_iter().map(words).collect()
    }

    #[test]
    fn every_gpu_has_its_own_reason() {
        let machine = FakeMachine::new([
            gpu(|_| {}),
            gpu(|facts| (facts.name, facts.capability) = ("Tesla V100".to_owned(), (7, 0))),
            gpu(|facts| facts.capability = (12, 0)),
        ]);
        let [usable, old, new] = &obstacles(&machine)[..] else { panic!("three") };
        assert_eq!(usable, "");
        assert!(old.contains("Tesla V100 has compute capability 7.0") && old.contains("use another device"), "{old}");
        assert!(new.contains("does not know sm_120") && new.contains("install a newer"), "{new}");
        let listed = survey(&machine).expect("three");
        assert_eq!(listed.iter().map(|listed| listed.free).collect::<Vec<_>>(), [Some(8 << 30), None, Some(8 << 30)]);
        assert_eq!(examine(&machine, 3), Err(GpuError::NoSuchDevice { index: 3, count: 3 }));
    }

    #[test]
    fn a_driver_that_is_too_old_is_the_reason_for_all() {
        let old = |facts: &mut Facts| facts.driver = Version { major: 11, minor: 8 };
        for text in obstacles(&FakeMachine::new([gpu(old), gpu(old)])) {
            assert!(text.contains("speaks CUDA 11.8") && text.contains("525 or newer"), "{text}");
        }
        let mut machine = FakeMachine::new([gpu(|_| {})]);
        machine.compiler = machine.compiler.map(|tool| Tool { version: Version { major: 13, minor: 1 }, ..tool });
        let [text] = &obstacles(&machine)[..] else { panic!("one") };
        assert!(text.contains("NVRTC 13.1 (") && text.contains("needs CUDA 13.0 or newer"), "{text}");
        assert!(text.contains("the library for CUDA 12"), "{text}");
    }

    #[test]
    fn a_library_that_is_missing_is_the_reason_and_memory_is_told_all_the_same() {
        for wanted in [Wanted::Nvrtc, Wanted::CublasLt] {
            let mut machine = FakeMachine::new([gpu(|_| {})]);
            match wanted {
                Wanted::Nvrtc => machine.compiler = Err(missing(wanted)),
                _ => machine.multiplier = Err(missing(wanted)),
            }
            let [text] = &obstacles(&machine)[..] else { panic!("one") };
            assert!(text.contains(wanted.title()) && text.contains("pip install"), "{text}");
            assert_eq!(survey(&machine).expect("one")[0].free, Some(8 << 30));
        }
    }

    #[test]
    fn a_gpu_that_does_not_answer_is_listed_with_that() {
        let broken = gpu(|_| {});
        broken.fail(crate::driver::fake::Fault::Gone);
        let listed = survey(&FakeMachine::new([broken, gpu(|_| {})])).expect("two");
        assert!(matches!(&listed[0], Listed { free: None, obstacle: Some(GpuError::Lost { .. }), .. }), "{listed:?}");
        assert!(matches!(&listed[1], Listed { free: Some(_), obstacle: None, .. }), "{listed:?}");
    }

    #[test]
    fn a_machine_without_a_driver_or_a_gpu_says_so() {
        let driver = Version { major: 12, minor: 6 };
        for error in [missing(Wanted::Driver), GpuError::NoDevice { driver, hint: "" }] {
            assert_eq!(survey(&FakeMachine::without(error.clone())), Err(error.clone()));
            assert_eq!(examine(&FakeMachine::without(error.clone()), 0), Err(error));
        }
    }
}
