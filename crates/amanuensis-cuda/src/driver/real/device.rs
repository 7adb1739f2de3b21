//! A device with the kernels on it: what its queues share.

use std::collections::HashMap;
use std::ffi::CString;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::compile::Compiler;
use super::context::Context;
use super::products::Products;
use crate::driver::libraries::cuda::{Cuda, Handle, Status};
use crate::driver::machine::supported;
use crate::driver::{Event, Facts, GpuError, Pinned};
use crate::kernels;

/// A device of this machine, with the kernels on it.
pub(super) struct Device {
    // In the order in which they are given back.
    pub(super) products: Products,
    functions: HashMap<&'static str, Function>,
    module: Handle,
    things: Mutex<Things>,
    next: AtomicU64,
    pub(super) facts: Facts,
    pub(super) context: Context,
}

/// A kernel.
#[derive(Clone, Copy)]
pub(super) struct Function(pub(super) Handle);

/// Events, graphs and locked memory by number.
#[derive(Default)]
pub(super) struct Things {
    pub(super) events: HashMap<u64, Handle>,
    pub(super) graphs: HashMap<u64, Handle>,
    /// Locked memory of the host, and how many bytes it has.
    pub(super) pinned: HashMap<u64, (*mut u8, usize)>,
}

// SAFETY: handles of the driver may be used by any thread in which the context is current, and every call makes it so.
unsafe impl Send for Device {}
// SAFETY: as above; what changes is behind locks.
unsafe impl Sync for Device {}

impl Device {
    /// Opens a device by its number: driver, libraries, kernels.
    pub(super) fn open(index: usize) -> Result<Self, GpuError> {
        let context = Context::open(index)?;
        let facts = context.facts()?;
        supported(&facts)?;
        let compiler = Compiler::load()?;
        compiler.tool().fits(&facts)?;
        let compiled = compiler.compile(&kernels::source(), &facts.target(), &[])?;
        context.enter()?;
        let products = Products::load()?;
        products.tool().fits(&facts)?;
        let mut device = Device {
            products,
            functions: HashMap::new(),
            module: ptr::null_mut(),
            things: Mutex::default(),
            next: AtomicU64::new(1),
            facts,
            context,
        };
        device.load(&compiled.code)?;
        Ok(device)
    }

    /// Brings the kernels onto it. What was made before a failure is given back by `drop`.
    fn load(&mut self, code: &[u8]) -> Result<(), GpuError> {
        let cuda = &self.context.cuda;
        // SAFETY: a place for the module, and an image that says itself how long it is.
        let status = unsafe { (cuda.module_load)(&mut self.module, code.as_ptr().cast()) };
        self.context.told("cuModuleLoadData", status)?;
        for name in kernels::NAMES {
            let mut function = ptr::null_mut();
            let text = CString::new(name).unwrap_or_default();
            // SAFETY: a place for the function, a module that is loaded, a name that ends with a zero.
            let status = unsafe { (cuda.module_function)(&mut function, self.module, text.as_ptr()) };
            self.context.told("cuModuleGetFunction", status)?;
            self.functions.insert(name, Function(function));
        }
        Ok(())
    }

    /// The driver, with the context current in this thread.
    pub(super) fn cuda(&self) -> Result<&Cuda, GpuError> {
        self.context.enter()?;
        Ok(&self.context.cuda)
    }

    pub(super) fn told(&self, call: &'static str, status: Status) -> Result<(), GpuError> {
        self.context.told(call, status)
    }

    pub(super) fn function(&self, name: &str) -> Option<Function> {
        self.functions.get(name).copied()
    }

    pub(super) fn things(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that nothing else of this device has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Where the first bytes of locked memory lie.
    pub(super) fn locked(&self, pinned: &Pinned, bytes: usize) -> Result<*mut u8, GpuError> {
        let (start, len) = self.things().pinned.get(&pinned.number).copied().unwrap_or((ptr::null_mut(), 0));
        if bytes <= len {
            return Ok(start);
        }
        let (wanted, there) = (format!("{bytes} bytes"), format!("room for {len}"));
        Err(GpuError::Misuse { what: "page-locked memory", wanted, there })
    }
}

impl Things {
    /// The driver's handle of a moment.
    pub(super) fn event(&self, event: Event) -> Result<Handle, GpuError> {
        self.events.get(&event.0).copied().ok_or_else(|| unknown("an event", event.0))
    }
}

/// There is nothing of that number.
pub(super) fn unknown(what: &'static str, number: u64) -> GpuError {
    GpuError::Misuse { what, wanted: format!("number {number}"), there: "none of that number".to_owned() }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.context.enter().is_err() {
            return;
        }
        let (cuda, things) = (&self.context.cuda, self.things.get_mut().unwrap_or_else(PoisonError::into_inner));
        // SAFETY: each was made and is destroyed once; nothing of it is used afterwards, for every queue has come to its end. What the
        // driver answers does not matter.
        unsafe {
            things.graphs.drain().for_each(|(_, graph)| {
                (cuda.graph_exec_destroy)(graph);
            });
            things.events.drain().for_each(|(_, event)| {
                (cuda.event_destroy)(event);
            });
            things.pinned.drain().for_each(|(_, (start, _))| {
                (cuda.host_free)(start.cast());
            });
            if !self.module.is_null() {
                (cuda.module_unload)(self.module);
            }
        }
    }
}
