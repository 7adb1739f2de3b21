//! Kernels themselves, run on the host thread by thread (`kernels/threads/host.h`): for tests of kernels on machines without a GPU,
//! where there is a C++ compiler.

use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use libloading::Library;

use super::{Executor, Memory};
use crate::driver::GpuError;
use crate::kernels::{Argument, Operation, SOURCES};

type Launch =
    unsafe extern "C" fn(*const c_char, *const c_uint, c_uint, c_int, *const c_uint, c_uint, *mut *mut c_void) -> c_int;

/// The kernels, compiled for the host.
pub(crate) struct Kernels {
    library: Library,
    /// One grid runs at a time.
    running: Mutex<()>,
    _folder: tempfile::TempDir,
}

/// Compiles the kernels for the host, once; without a compiler there is a reason.
pub(crate) fn kernels() -> Result<Arc<Kernels>, String> {
    static KERNELS: OnceLock<Result<Arc<Kernels>, String>> = OnceLock::new();
    KERNELS.get_or_init(|| compile().map(Arc::new)).clone()
}

fn compile() -> Result<Kernels, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (source, library) = (folder.path().join("kernels.cpp"), folder.path().join("kernels.so"));
    let host = [("host.h", include_str!("../../kernels/threads/host.h"))];
    let entries = [("entries.h", include_str!("../../kernels/threads/entries.h"))];
    let parts = host.iter().chain(&SOURCES).chain(&entries);
    let text: String = parts.map(|(name, text)| format!("#line 1 \"{name}\"\n{text}\n")).collect();
    std::fs::write(&source, text).map_err(|error| error.to_string())?;
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    // Pragmas that unroll loops are NVRTC's.
    let flags = ["-std=c++17", "-O2", "-fPIC", "-shared", "-Wno-unknown-pragmas", "-w", "-o"];
    let output = Command::new(&compiler).args(flags).arg(&library).arg(&source).output();
    let output = output.map_err(|error| format!("no C++ compiler ({}: {error})", Path::new(&compiler).display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        // A compiler without halves of its own is no compiler for this; any other complaint is about the kernels.
        assert!(said.contains("_Float16"), "kernels do not compile for the host: {said}");
        return Err("the C++ compiler has no _Float16".to_owned());
    }
    // SAFETY: it was compiled from this crate's sources and has no initialisers but those of empty lists.
    let library = unsafe { Library::new(&library) }.map_err(|error| error.to_string())?;
    Ok(Kernels { library, running: Mutex::new(()), _folder: folder })
}

/// Runs kernels thread by thread, and products as references.
pub(crate) struct Threads {
    pub(crate) kernels: Arc<Kernels>,
    /// Whether warps run ahead of one another and copies come early, or threads take turns and copies come late.
    pub(crate) ahead: bool,
    /// The blocks that run, by their places in the grid, where not all of them do: a thread on the host costs as much as thousands
    /// on a device.
    pub(crate) only: Option<Vec<[usize; 3]>>,
}

impl Executor for Threads {
    fn execute(&self, operation: &Operation, memory: &mut Memory) -> Result<(), GpuError> {
        let Ok(launch) = operation.launch() else { return operation.reference(memory) };
        let failed = |there: &str| GpuError::Misuse {
            what: "a kernel on the host",
            wanted: launch.kernel.to_owned(),
            there: there.to_owned(),
        };
        let mut values = Vec::with_capacity(launch.arguments.len());
        for argument in &launch.arguments {
            values.push(match argument {
                Argument::Address(0) => 0,
                Argument::Address(address) => memory.host_address(*address)? as u64,
                Argument::Int(number) => u64::from(number.cast_unsigned()),
                Argument::Float(number) => u64::from(number.to_bits()),
            });
        }
        let mut places: Vec<*mut c_void> = values.iter_mut().map(|value| ptr::from_mut(value).cast()).collect();
        let grid = launch.grid.map(|count| c_uint::try_from(count).unwrap_or(0));
        let threads = c_uint::try_from(launch.block).unwrap_or(0);
        let number = |place: &[usize; 3]| {
            let [x, y, z] = *place;
            c_uint::try_from(x + launch.grid[0] * (y + launch.grid[1] * z)).unwrap_or(c_uint::MAX)
        };
        let inside = |place: &[usize; 3]| place.iter().zip(launch.grid).all(|(place, count)| *place < count);
        let only =
            self.only.as_ref().map(|only| only.iter().filter(|place| inside(place)).map(number).collect::<Vec<_>>());
        let some = c_uint::try_from(only.as_ref().map_or(0, Vec::len)).unwrap_or(0);
        if only.is_some() && some == 0 {
            return Ok(());
        }
        let name = CString::new(launch.kernel).map_err(|_| failed("no such name"))?;
        // SAFETY: the type is that of the definition in entries.h.
        let run =
            unsafe { self.kernels.library.get::<Launch>(b"launch\0") }.map_err(|error| failed(&error.to_string()))?;
        let _running = self.kernels.running.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: arguments are in number and kind those of the kernel, and the addresses those of allocations, which nobody else
        // uses while the memory is borrowed. That the kernel stays inside of them is what the tests are about; what it writes
        // beside them is found in the guards. Narrow numbers lie in the first bytes of their places on a little-endian host.
        // Named blocks are inside of the grid, and none are named where there is no list.
        let status = unsafe {
            let only = only.as_ref().map_or(ptr::null(), |only| only.as_ptr());
            run(name.as_ptr(), grid.as_ptr(), threads, c_int::from(self.ahead), only, some, places.as_mut_ptr())
        };
        match status {
            0 if memory.guarded() => Ok(()),
            0 => Err(failed("a write outside of what is allocated")),
            2 => Err(failed("threads that wait for one another in vain")),
            _ => Err(failed("no such kernel")),
        }
    }
}
