//! The driver, libcuda. Names with `_v2` are what the headers mean by the names without.

use std::ffi::{c_char, c_int, c_uint, c_void};

use super::Wanted;

/// 0 is success.
pub(in crate::driver) type Status = c_int;
/// A context, stream, module, function, event or graph.
pub(in crate::driver) type Handle = *mut c_void;

/// No driver is loaded in the kernel, or no device is visible.
pub(in crate::driver) const NO_DEVICE: Status = 100;
/// No memory for what was asked.
pub(in crate::driver) const OUT_OF_MEMORY: Status = 2;
/// After which nothing works any more in this process: illegal addresses and instructions, memory and links that failed, timeouts,
/// a device that went away. A GPU that another process has for itself (46) is none of them.
pub(in crate::driver) const LOST: [Status; 17] =
    [4, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 810, 911];

/// Device attributes.
pub(in crate::driver) const MULTIPROCESSORS: c_int = 16;
pub(in crate::driver) const CAPABILITY_MAJOR: c_int = 75;
pub(in crate::driver) const CAPABILITY_MINOR: c_int = 76;
/// A stream that does not wait for the default one.
pub(in crate::driver) const NON_BLOCKING: c_uint = 1;
/// Only this thread's calls are kept from what would break a capture.
pub(in crate::driver) const CAPTURE_THREAD: c_int = 1;

super::library! {
    /// The driver's functions.
    Cuda, Wanted::Driver, {
        init = "cuInit": fn(c_uint) -> Status;
        driver_version = "cuDriverGetVersion": fn(*mut c_int) -> Status;
        error_name = "cuGetErrorName": fn(Status, *mut *const c_char) -> Status;
        device_count = "cuDeviceGetCount": fn(*mut c_int) -> Status;
        device_get = "cuDeviceGet": fn(*mut c_int, c_int) -> Status;
        device_name = "cuDeviceGetName": fn(*mut c_char, c_int, c_int) -> Status;
        device_attribute = "cuDeviceGetAttribute": fn(*mut c_int, c_int, c_int) -> Status;
        device_memory = "cuDeviceTotalMem_v2": fn(*mut usize, c_int) -> Status;
        context_retain = "cuDevicePrimaryCtxRetain": fn(*mut Handle, c_int) -> Status;
        context_release = "cuDevicePrimaryCtxRelease_v2": fn(c_int) -> Status;
        context_set = "cuCtxSetCurrent": fn(Handle) -> Status;
        memory_info = "cuMemGetInfo_v2": fn(*mut usize, *mut usize) -> Status;
        memory_allocate = "cuMemAlloc_v2": fn(*mut u64, usize) -> Status;
        memory_free = "cuMemFree_v2": fn(u64) -> Status;
        host_allocate = "cuMemHostAlloc": fn(*mut *mut c_void, usize, c_uint) -> Status;
        host_free = "cuMemFreeHost": fn(*mut c_void) -> Status;
        copy_in = "cuMemcpyHtoDAsync_v2": fn(u64, *const c_void, usize, Handle) -> Status;
        copy_out = "cuMemcpyDtoHAsync_v2": fn(*mut c_void, u64, usize, Handle) -> Status;
        copy_over = "cuMemcpyDtoDAsync_v2": fn(u64, u64, usize, Handle) -> Status;
        stream_priorities = "cuCtxGetStreamPriorityRange": fn(*mut c_int, *mut c_int) -> Status;
        stream_create = "cuStreamCreateWithPriority": fn(*mut Handle, c_uint, c_int) -> Status;
        stream_destroy = "cuStreamDestroy_v2": fn(Handle) -> Status;
        stream_wait = "cuStreamSynchronize": fn(Handle) -> Status;
        module_load = "cuModuleLoadData": fn(*mut Handle, *const c_void) -> Status;
        module_unload = "cuModuleUnload": fn(Handle) -> Status;
        module_function = "cuModuleGetFunction": fn(*mut Handle, Handle, *const c_char) -> Status;
        launch = "cuLaunchKernel": fn(
            Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle, *mut *mut c_void, *mut *mut c_void,
        ) -> Status;
        event_create = "cuEventCreate": fn(*mut Handle, c_uint) -> Status;
        event_record = "cuEventRecord": fn(Handle, Handle) -> Status;
        event_wait = "cuEventSynchronize": fn(Handle) -> Status;
        event_elapsed = "cuEventElapsedTime": fn(*mut f32, Handle, Handle) -> Status;
        event_destroy = "cuEventDestroy_v2": fn(Handle) -> Status;
        capture_begin = "cuStreamBeginCapture_v2": fn(Handle, c_int) -> Status;
        capture_end = "cuStreamEndCapture": fn(Handle, *mut Handle) -> Status;
        graph_instantiate = "cuGraphInstantiateWithFlags": fn(*mut Handle, Handle, u64) -> Status;
        graph_launch = "cuGraphLaunch": fn(Handle, Handle) -> Status;
        graph_destroy = "cuGraphDestroy": fn(Handle) -> Status;
        graph_exec_destroy = "cuGraphExecDestroy": fn(Handle) -> Status;
    }
}
