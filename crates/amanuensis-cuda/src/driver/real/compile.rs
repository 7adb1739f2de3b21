//! Kernels become machine code where they run.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use crate::driver::libraries::nvrtc::{Nvrtc, Program};
use crate::driver::libraries::{LibraryError, Wanted};
use crate::driver::{GpuError, Tool, Version};

/// The compiler.
pub struct Compiler {
    nvrtc: Nvrtc,
    version: Version,
    targets: Vec<u32>,
}

/// What became of a source.
pub struct Compiled {
    /// Machine code, as a driver loads it.
    pub code: Vec<u8>,
    /// What the compiler says about it: warnings, and what was asked for by options.
    pub log: String,
}

impl Compiler {
    /// Finds NVRTC.
    pub fn load() -> Result<Self, LibraryError> {
        let nvrtc = Nvrtc::load()?;
        let (mut major, mut minor) = (0, 0);
        // SAFETY: two places for the numbers that it writes.
        let status = unsafe { (nvrtc.version)(&mut major, &mut minor) };
        answered(&nvrtc, "nvrtcVersion", status)?;
        let version = Version { major: u32::try_from(major).unwrap_or(0), minor: u32::try_from(minor).unwrap_or(0) };
        let mut count = 0;
        // SAFETY: a place for the number.
        answered(&nvrtc, "nvrtcGetNumSupportedArchs", unsafe { (nvrtc.target_count)(&mut count) })?;
        let mut targets = vec![0; usize::try_from(count).unwrap_or(0)];
        // SAFETY: there is room for as many numbers as it said.
        answered(&nvrtc, "nvrtcGetSupportedArchs", unsafe { (nvrtc.targets)(targets.as_mut_ptr()) })?;
        let targets = targets.into_iter().map(super::count).collect();
        Ok(Compiler { nvrtc, version, targets })
    }

    /// What was found.
    pub fn tool(&self) -> Tool {
        let (version, file, targets) = (self.version, self.nvrtc.file.clone(), Some(self.targets.clone()));
        Tool { name: "NVRTC", version, file, targets }
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Compiles a source to the machine code of a target, `sm_90`.
    pub fn compile(&self, source: &str, target: &str, more: &[&str]) -> Result<Compiled, GpuError> {
        let failed = |log: String| GpuError::Compile { version: self.version, target: target.to_owned(), log };
        let text = |text: &str| CString::new(text).map_err(|_| failed("a zero byte in the source".to_owned()));
        let (source, name) = (text(source)?, text("amanuensis.cu")?);
        let mut options = vec![text(&format!("--gpu-architecture={target}"))?, text("--std=c++17")?];
        for option in more {
            options.push(text(option)?);
        }
        let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let mut program: Program = ptr::null_mut();
        // SAFETY: both texts end with a zero and live for the call; there are no headers.
        let status =
            unsafe { (self.nvrtc.create)(&mut program, source.as_ptr(), name.as_ptr(), 0, ptr::null(), ptr::null()) };
        answered(&self.nvrtc, "nvrtcCreateProgram", status)?;
        let program = Guard { nvrtc: &self.nvrtc, program };
        let count = c_int::try_from(pointers.len()).unwrap_or(0);
        // SAFETY: as many options as are said, each ending with a zero and kept until the end of this function.
        let status = unsafe { (self.nvrtc.compile)(program.program, count, pointers.as_ptr()) };
        let log = program.text(self.nvrtc.log_size, self.nvrtc.log, "nvrtcGetProgramLog")?;
        let log = String::from_utf8_lossy(&log).trim_end_matches('\0').trim().to_owned();
        if status != 0 {
            return Err(failed(if log.is_empty() { format!("status {status}") } else { log }));
        }
        let code = program.text(self.nvrtc.code_size, self.nvrtc.code, "nvrtcGetCUBIN")?;
        Ok(Compiled { code, log })
    }
}

fn answered(nvrtc: &Nvrtc, call: &'static str, status: c_int) -> Result<(), LibraryError> {
    if status == 0 {
        return Ok(());
    }
    Err(LibraryError::Status { wanted: Wanted::Nvrtc, file: nvrtc.file.clone(), call, status })
}

/// A program that is given back.
struct Guard<'a> {
    nvrtc: &'a Nvrtc,
    program: Program,
}

type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Text = unsafe extern "C" fn(Program, *mut c_char) -> c_int;

impl Guard<'_> {
    /// Bytes that the compiler has for us.
    fn text(&self, size: Size, get: Text, call: &'static str) -> Result<Vec<u8>, LibraryError> {
        let mut bytes = 0;
        // SAFETY: the program lives, and there is a place for the number.
        answered(self.nvrtc, call, unsafe { size(self.program, &mut bytes) })?;
        let mut text = vec![0_u8; bytes];
        // SAFETY: there is room for as many bytes as it said.
        answered(self.nvrtc, call, unsafe { get(self.program, text.as_mut_ptr().cast()) })?;
        Ok(text)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: it was created and is destroyed once.
        unsafe { (self.nvrtc.destroy)(&mut self.program) };
    }
}
