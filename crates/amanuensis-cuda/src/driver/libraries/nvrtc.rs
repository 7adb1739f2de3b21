//! The compiler, NVRTC.

use std::ffi::{c_char, c_int, c_void};

use super::Wanted;

/// A program to be compiled.
pub(in crate::driver) type Program = *mut c_void;

super::library! {
    /// The compiler's functions; 0 is success.
    Nvrtc, Wanted::Nvrtc, {
        version = "nvrtcVersion": fn(*mut c_int, *mut c_int) -> c_int;
        target_count = "nvrtcGetNumSupportedArchs": fn(*mut c_int) -> c_int;
        targets = "nvrtcGetSupportedArchs": fn(*mut c_int) -> c_int;
        create = "nvrtcCreateProgram": fn(
            *mut Program, *const c_char, *const c_char, c_int, *const *const c_char, *const *const c_char,
        ) -> c_int;
        compile = "nvrtcCompileProgram": fn(Program, c_int, *const *const c_char) -> c_int;
        destroy = "nvrtcDestroyProgram": fn(*mut Program) -> c_int;
        log_size = "nvrtcGetProgramLogSize": fn(Program, *mut usize) -> c_int;
        log = "nvrtcGetProgramLog": fn(Program, *mut c_char) -> c_int;
        code_size = "nvrtcGetCUBINSize": fn(Program, *mut usize) -> c_int;
        code = "nvrtcGetCUBIN": fn(Program, *mut c_char) -> c_int;
    }
}
