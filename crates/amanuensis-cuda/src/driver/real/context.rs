//! The driver, its devices, and the context in which one of them works.

use std::ffi::{CStr, c_int};
use std::ptr;

use super::{count, text_of};
use crate::driver::libraries::cuda::{self, Cuda, Handle, Status};
use crate::driver::{Facts, GpuError, Origin, Version};

/// The driver with one device's primary context.
pub(super) struct Context {
    pub(super) cuda: Cuda,
    device: c_int,
    handle: Handle,
    driver: Version,
}

impl Context {
    pub(super) fn open(index: usize) -> Result<Self, GpuError> {
        let (cuda, driver, devices) = start()?;
        let count = devices as usize;
        let number = c_int::try_from(index).ok().filter(|_| index < count);
        let number = number.ok_or(GpuError::NoSuchDevice { index, count })?;
        let mut device = 0;
        // SAFETY: a place for the device.
        told(&cuda, "cuDeviceGet", unsafe { (cuda.device_get)(&mut device, number) })?;
        let mut context = Context { cuda, device, handle: ptr::null_mut(), driver };
        let mut handle = ptr::null_mut();
        // SAFETY: a place for the context.
        let status = unsafe { (context.cuda.context_retain)(&mut handle, context.device) };
        context.told("cuDevicePrimaryCtxRetain", status)?;
        context.handle = handle;
        context.enter()?;
        Ok(context)
    }

    /// Makes the context current in this thread: it costs less than a microsecond, and threads need not be known.
    pub(super) fn enter(&self) -> Result<(), GpuError> {
        // SAFETY: the context is retained until this is dropped.
        self.told("cuCtxSetCurrent", unsafe { (self.cuda.context_set)(self.handle) })
    }

    pub(super) fn facts(&self) -> Result<Facts, GpuError> {
        facts(&self.cuda, self.driver, self.device)
    }

    pub(super) fn free_memory(&self) -> Result<u64, GpuError> {
        self.enter()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: places for two numbers.
        self.told("cuMemGetInfo", unsafe { (self.cuda.memory_info)(&mut free, &mut total) })?;
        Ok(free as u64)
    }

    pub(super) fn told(&self, call: &'static str, status: Status) -> Result<(), GpuError> {
        told(&self.cuda, call, status)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: it was retained once.
            unsafe { (self.cuda.context_release)(self.device) };
        }
    }
}

/// The devices of this machine, without opening any.
pub(super) fn devices() -> Result<Vec<Facts>, GpuError> {
    let (cuda, driver, devices) = start()?;
    let each = |number: u32| {
        let mut device = 0;
        let number = c_int::try_from(number).unwrap_or(c_int::MAX);
        // SAFETY: a place for the device.
        told(&cuda, "cuDeviceGet", unsafe { (cuda.device_get)(&mut device, number) })?;
        facts(&cuda, driver, device)
    };
    (0..devices).map(each).collect()
}

/// Loads the driver and counts its devices, of which there is at least one.
fn start() -> Result<(Cuda, Version, u32), GpuError> {
    let cuda = Cuda::load()?;
    let mut version = 0;
    // SAFETY: a place for the number; this may be asked before anything else.
    told(&cuda, "cuDriverGetVersion", unsafe { (cuda.driver_version)(&mut version) })?;
    let driver = Version::of_driver(count(version));
    let hint = if std::env::var_os("CUDA_VISIBLE_DEVICES").is_some() {
        " (CUDA_VISIBLE_DEVICES hides some or all)"
    } else {
        ""
    };
    // SAFETY: it takes no flags.
    let status = unsafe { (cuda.init)(0) };
    if status == cuda::NO_DEVICE {
        return Err(GpuError::NoDevice { driver, hint });
    }
    told(&cuda, "cuInit", status)?;
    let mut devices = 0;
    // SAFETY: a place for the number.
    told(&cuda, "cuDeviceGetCount", unsafe { (cuda.device_count)(&mut devices) })?;
    match count(devices) {
        0 => Err(GpuError::NoDevice { driver, hint }),
        devices => Ok((cuda, driver, devices)),
    }
}

fn facts(cuda: &Cuda, driver: Version, device: c_int) -> Result<Facts, GpuError> {
    let mut name = [0; 256];
    let room = c_int::try_from(name.len()).unwrap_or(0);
    // SAFETY: there is room for as many bytes as it is told, the zero at the end among them.
    told(cuda, "cuDeviceGetName", unsafe { (cuda.device_name)(name.as_mut_ptr(), room, device) })?;
    let mut memory = 0;
    // SAFETY: a place for the number.
    told(cuda, "cuDeviceTotalMem", unsafe { (cuda.device_memory)(&mut memory, device) })?;
    let attribute = |attribute: c_int| {
        let mut value = 0;
        // SAFETY: a place for the number.
        told(cuda, "cuDeviceGetAttribute", unsafe { (cuda.device_attribute)(&mut value, attribute, device) })?;
        Ok::<_, GpuError>(count(value))
    };
    Ok(Facts {
        name: text_of(&name),
        capability: (attribute(cuda::CAPABILITY_MAJOR)?, attribute(cuda::CAPABILITY_MINOR)?),
        memory: memory as u64,
        multiprocessors: attribute(cuda::MULTIPROCESSORS)?,
        driver,
        release: release(),
        origin: Origin::Gpu,
    })
}

/// The driver's own version, where its kernel module is loaded and says so: on Linux, but not in Windows' Linux.
fn release() -> Option<String> {
    let text = std::fs::read_to_string("/sys/module/nvidia/version").ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn told(cuda: &Cuda, call: &'static str, status: Status) -> Result<(), GpuError> {
    if status == 0 {
        return Ok(());
    }
    let mut name = ptr::null();
    // SAFETY: a place for the name.
    let known = unsafe { (cuda.error_name)(status, &mut name) } == 0 && !name.is_null();
    let code = if known {
        // SAFETY: the driver's names are constants that end with a zero.
        unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
    } else {
        format!("status {status}")
    };
    Err(if cuda::LOST.contains(&status) { GpuError::Lost { call, code } } else { GpuError::Call { call, code } })
}
