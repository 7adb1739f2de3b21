//! A GPU through NVIDIA's driver. This is what speaks to hardware, and **no machine of the project had any so far**: what it does
//! was read from NVIDIA's headers and manuals and never run against a device.

mod compile;
mod context;
mod machine;
mod products;

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use compile::{Compiled, Compiler};
pub use machine::RealMachine;

use super::libraries::cuda::{self, Cuda, Handle, Status};
use super::machine::supported;
use super::{Event, Facts, Gpu, GpuError, Graph, Pinned, Seen, Staging};
use crate::kernels::{self, Argument, Operation};
use context::Context;
use products::Products;

/// A device of this machine, with the kernels on it.
pub struct RealGpu {
    // In the order in which they are given back.
    products: Products,
    functions: HashMap<&'static str, Function>,
    module: Handle,
    workspace: u64,
    stream: Handle,
    things: Mutex<Things>,
    staging: Staging,
    recording: AtomicBool,
    next: AtomicU64,
    facts: Facts,
    context: Context,
}

/// A kernel.
#[derive(Clone, Copy)]
struct Function(Handle);

/// Events, graphs and locked memory by number.
#[derive(Default)]
struct Things {
    events: HashMap<u64, Handle>,
    graphs: HashMap<u64, Handle>,
    /// Locked memory of the host, and how many bytes it has.
    pinned: HashMap<u64, (*mut u8, usize)>,
}

// SAFETY: handles of the driver may be used by any thread in which the context is current, and every call makes it so.
unsafe impl Send for RealGpu {}
// SAFETY: as above; what changes is behind locks.
unsafe impl Sync for RealGpu {}

impl RealGpu {
    /// Opens a device by its number: driver, libraries, kernels.
    pub fn open(index: usize) -> Result<Arc<Self>, GpuError> {
        let context = Context::open(index)?;
        let facts = context.facts()?;
        supported(&facts)?;
        let compiler = Compiler::load()?;
        compiler.tool().fits(&facts)?;
        let target = facts.target();
        let compiled = compiler.compile(&kernels::source(), &target, &[])?;
        context.enter()?;
        let products = Products::load()?;
        products.tool().fits(&facts)?;

        let mut gpu = RealGpu {
            products,
            functions: HashMap::new(),
            module: ptr::null_mut(),
            workspace: 0,
            stream: ptr::null_mut(),
            things: Mutex::default(),
            staging: Staging::default(),
            recording: AtomicBool::new(false),
            next: AtomicU64::new(1),
            facts,
            context,
        };
        gpu.prepare(&compiled.code)?;
        Ok(Arc::new(gpu))
    }

    /// Stream, workspace and kernels. What was made before a failure is given back by `drop`.
    fn prepare(&mut self, code: &[u8]) -> Result<(), GpuError> {
        // SAFETY: a place for the stream.
        let status = unsafe { (self.context.cuda.stream_create)(&mut self.stream, cuda::NON_BLOCKING) };
        self.told("cuStreamCreate", status)?;
        self.workspace = self.allocate(products::WORKSPACE, "matrix products")?;
        // SAFETY: a place for the module, and an image that says itself how long it is.
        let status = unsafe { (self.context.cuda.module_load)(&mut self.module, code.as_ptr().cast()) };
        self.told("cuModuleLoadData", status)?;
        for name in kernels::NAMES {
            let mut function = ptr::null_mut();
            let text = CString::new(name).unwrap_or_default();
            // SAFETY: a place for the function, a module that is loaded, a name that ends with a zero.
            let status = unsafe { (self.context.cuda.module_function)(&mut function, self.module, text.as_ptr()) };
            self.told("cuModuleGetFunction", status)?;
            self.functions.insert(name, Function(function));
        }
        Ok(())
    }

    /// The driver, with the context current in this thread.
    fn cuda(&self) -> Result<&Cuda, GpuError> {
        self.context.enter()?;
        Ok(&self.context.cuda)
    }

    /// Refuses what may not be asked while operations are recorded.
    fn direct(&self, what: &'static str) -> Result<&Cuda, GpuError> {
        if self.recording.load(Ordering::Acquire) {
            let there = "a recording of operations only".to_owned();
            return Err(GpuError::Misuse { what, wanted: "now".to_owned(), there });
        }
        self.cuda()
    }

    fn told(&self, call: &'static str, status: Status) -> Result<(), GpuError> {
        self.context.told(call, status)
    }

    /// How the device is. An error of something that was asked of it before is told by whatever asks next.
    fn health(&self) -> Result<(), GpuError> {
        let cuda = self.cuda()?;
        if self.recording.load(Ordering::Acquire) {
            // Nothing may be waited for, but what is lost already is told here too.
            let (mut free, mut total) = (0, 0);
            // SAFETY: places for both numbers.
            return self.told("cuMemGetInfo", unsafe { (cuda.memory_info)(&mut free, &mut total) });
        }
        // SAFETY: the stream lives.
        self.told("cuStreamSynchronize", unsafe { (cuda.stream_wait)(self.stream) })
    }

    /// Where the first bytes of locked memory lie.
    fn locked(&self, pinned: &Pinned, bytes: usize) -> Result<*mut u8, GpuError> {
        let (start, len) = self.things().pinned.get(&pinned.number).copied().unwrap_or((ptr::null_mut(), 0));
        if bytes <= len {
            return Ok(start);
        }
        let (wanted, there) = (format!("{bytes} bytes"), format!("room for {len}"));
        Err(GpuError::Misuse { what: "page-locked memory", wanted, there })
    }

    fn things(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn seen(&self) -> Seen {
        Seen { device: self.facts.device() }
    }

    fn launch(&self, launch: &kernels::Launch) -> Result<(), GpuError> {
        let cuda = self.cuda()?;
        if launch.grid.contains(&0) {
            return Ok(());
        }
        let wrong = |there: &str| GpuError::Misuse {
            what: "a launch",
            wanted: format!("{} with a grid of {:?}", launch.kernel, launch.grid),
            there: there.to_owned(),
        };
        let Function(function) = self.functions.get(launch.kernel).copied().ok_or_else(|| wrong("no such kernel"))?;
        // Blocks along the first axis, and along the others: the driver's limits.
        let [x, y, z] = launch.grid;
        if x > i32::MAX as usize || y > 65_535 || z > 65_535 {
            return Err(wrong("2147483647 x 65535 x 65535 blocks at most"));
        }
        let [x, y, z, threads] = [x, y, z, launch.block].map(|count| c_uint::try_from(count).unwrap_or(0));
        let mut arguments = launch.arguments.clone();
        let place = |argument: &mut Argument| -> *mut c_void {
            match argument {
                Argument::Address(address) => ptr::from_mut(address).cast(),
                Argument::Int(number) => ptr::from_mut(number).cast(),
                Argument::Float(number) => ptr::from_mut(number).cast(),
            }
        };
        let mut places: Vec<*mut c_void> = arguments.iter_mut().map(place).collect();
        // SAFETY: the arguments are in number and kind those of the kernel (a test compares the two), and are read before the
        // call returns; no options.
        let status = unsafe {
            (cuda.launch)(function, x, y, z, threads, 1, 1, 0, self.stream, places.as_mut_ptr(), ptr::null_mut())
        };
        self.told("cuLaunchKernel", status)
    }
}

/// Operations that are being recorded, or were. The recording ends whatever becomes of whoever asks for them, an error or a panic:
/// a stream that goes on recording runs nothing more.
struct Recording<'a> {
    gpu: &'a RealGpu,
    /// What was recorded; nothing until it has ended.
    graph: Handle,
    ended: bool,
}

impl<'a> Recording<'a> {
    /// The stream records from here on, which it was asked to before.
    fn of(gpu: &'a RealGpu) -> Self {
        gpu.recording.store(true, Ordering::Release);
        Recording { gpu, graph: ptr::null_mut(), ended: false }
    }

    fn end(&mut self) -> Status {
        self.ended = true;
        self.gpu.recording.store(false, Ordering::Release);
        // SAFETY: a place for the graph, and a stream that lives and records.
        unsafe { (self.gpu.context.cuda.capture_end)(self.gpu.stream, &mut self.graph) }
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Why it ends early is told by whoever ended it.
            self.end();
        }
        if !self.graph.is_null() {
            // SAFETY: it was recorded and is destroyed once; what can be launched does not need it.
            unsafe { (self.gpu.context.cuda.graph_destroy)(self.graph) };
        }
    }
}

impl Gpu for RealGpu {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn free_memory(&self) -> Result<u64, GpuError> {
        self.direct("a question")?;
        self.context.free_memory()
    }

    fn allocate(&self, bytes: usize, what: &'static str) -> Result<u64, GpuError> {
        let cuda = self.direct("an allocation")?;
        let mut address = 0;
        // The driver has no memory of no bytes.
        // SAFETY: a place for the address.
        let status = unsafe { (cuda.memory_allocate)(&mut address, bytes.max(1)) };
        if status == cuda::OUT_OF_MEMORY {
            let (free, total) = (self.free_memory()?, self.facts.memory);
            return Err(GpuError::OutOfMemory { bytes: bytes as u64, what, free, total });
        }
        self.told("cuMemAlloc", status)?;
        Ok(address)
    }

    fn free(&self, address: u64) {
        if let Ok(cuda) = self.cuda() {
            // SAFETY: it was allocated and is given back once, by whoever owns it; the driver waits for what uses it. Where the
            // context is gone so is the memory, and the answer does not matter.
            unsafe { (cuda.memory_free)(address) };
        }
    }

    fn staging(&self) -> &Staging {
        &self.staging
    }

    fn pin(&self, bytes: usize) -> Result<Pinned, GpuError> {
        let cuda = self.direct("an allocation")?;
        let mut start = ptr::null_mut();
        // SAFETY: a place for the address; no flags.
        let status = unsafe { (cuda.host_allocate)(&mut start, bytes, 0) };
        match self.told("cuMemHostAlloc", status) {
            Err(GpuError::Call { code, .. }) if status == cuda::OUT_OF_MEMORY => {
                return Err(GpuError::NotLocked { bytes, code });
            }
            told => told?,
        }
        let start = start.cast::<u8>();
        // SAFETY: so many bytes were allocated just now. Whoever takes them out before something was put there has zeros.
        unsafe { start.write_bytes(0, bytes) };
        let pinned = Pinned::next();
        self.things().pinned.insert(pinned.number, (start, bytes));
        Ok(pinned)
    }

    fn put(&self, into: &mut Pinned, bytes: &[u8]) -> Result<(), GpuError> {
        let start = self.locked(into, bytes.len())?;
        // SAFETY: there is room for so many bytes, which live as long as the device and are lent to nobody else on the host, for there
        // is one owner and it is borrowed alone. The device reads them only between `send` and the end of that copy, which the ring
        // waits for; the GPU in memory finds where it does not.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len()) };
        Ok(())
    }

    fn get(&self, from: &Pinned, bytes: &mut [u8]) -> Result<(), GpuError> {
        let start = self.locked(from, bytes.len())?;
        // SAFETY: as in `put`; nobody on the host changes them while their owner is borrowed, and the device does only between `fetch`
        // and the end of that copy.
        unsafe { ptr::copy_nonoverlapping(start, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn send(&self, from: &Pinned, address: u64, bytes: usize) -> Result<(), GpuError> {
        let (cuda, start) = (self.direct("an upload")?, self.locked(from, bytes)?);
        // SAFETY: so many bytes are there, in memory that is locked until the device is closed.
        let status = unsafe { (cuda.copy_in)(address, start.cast(), bytes, self.stream) };
        self.told("cuMemcpyHtoDAsync", status)
    }

    fn fetch(&self, address: u64, into: &mut Pinned, bytes: usize) -> Result<(), GpuError> {
        let (cuda, start) = (self.direct("a download")?, self.locked(into, bytes)?);
        // SAFETY: there is room for so many bytes, in memory that is locked until the device is closed.
        let status = unsafe { (cuda.copy_out)(start.cast(), address, bytes, self.stream) };
        self.told("cuMemcpyDtoHAsync", status)
    }

    fn copy(&self, from: u64, into: u64, bytes: usize) -> Result<(), GpuError> {
        let cuda = self.direct("a copy")?;
        // SAFETY: both are places of the device's memory; the host's is not touched.
        self.told("cuMemcpyDtoDAsync", unsafe { (cuda.copy_over)(into, from, bytes, self.stream) })
    }

    fn run(&self, operation: &Operation) -> Result<(), GpuError> {
        match operation.launch() {
            Ok(launch) => self.launch(&launch),
            Err(product) => {
                self.cuda()?;
                let asked = self.products.run(product, self.workspace, self.stream);
                asked.map_err(|error| products::judged(error, || self.health()))
            }
        }
    }

    fn wait(&self) -> Result<Seen, GpuError> {
        let cuda = self.direct("a wait")?;
        // SAFETY: the stream lives.
        self.told("cuStreamSynchronize", unsafe { (cuda.stream_wait)(self.stream) })?;
        Ok(self.seen())
    }

    fn mark(&self) -> Result<Event, GpuError> {
        let cuda = self.direct("an event")?;
        let mut event = ptr::null_mut();
        // SAFETY: a place for the event.
        self.told("cuEventCreate", unsafe { (cuda.event_create)(&mut event, 0) })?;
        let number = self.number();
        self.things().events.insert(number, event);
        // SAFETY: event and stream live.
        self.told("cuEventRecord", unsafe { (cuda.event_record)(event, self.stream) })?;
        Ok(Event(number))
    }

    fn reach(&self, event: Event) -> Result<Seen, GpuError> {
        let cuda = self.direct("a wait")?;
        let known = self.things().events.get(&event.0).copied();
        let Some(handle) = known else {
            let (wanted, there) = (format!("number {}", event.0), "none of that number".to_owned());
            return Err(GpuError::Misuse { what: "an event", wanted, there });
        };
        // SAFETY: the event lives until whoever waits for it here forgets it.
        self.told("cuEventSynchronize", unsafe { (cuda.event_wait)(handle) })?;
        Ok(self.seen())
    }

    fn between(&self, earlier: Event, later: Event) -> Result<Duration, GpuError> {
        let cuda = self.direct("a time")?;
        let things = self.things();
        let handle = |event: Event| {
            let there = || "none of that number".to_owned();
            let wrong = || GpuError::Misuse { what: "an event", wanted: format!("number {}", event.0), there: there() };
            things.events.get(&event.0).copied().ok_or_else(wrong)
        };
        let mut milliseconds = 0.0;
        // SAFETY: both events live, as they are in the list, which is locked.
        let status = unsafe { (cuda.event_elapsed)(&mut milliseconds, handle(earlier)?, handle(later)?) };
        self.told("cuEventElapsedTime", status)?;
        Ok(Duration::try_from_secs_f32(milliseconds / 1000.0).unwrap_or_default())
    }

    fn forget(&self, events: &[Event]) {
        let Ok(cuda) = self.cuda() else { return };
        let mut things = self.things();
        for event in events.iter().filter_map(|event| things.events.remove(&event.0)) {
            // SAFETY: it was created and is destroyed once.
            unsafe { (cuda.event_destroy)(event) };
        }
    }

    fn record(&self, ask: &mut dyn FnMut(&dyn Gpu) -> Result<(), GpuError>) -> Result<Graph, GpuError> {
        let cuda = self.direct("a recording")?;
        // SAFETY: the stream lives, and nothing is being recorded.
        self.told("cuStreamBeginCapture", unsafe { (cuda.capture_begin)(self.stream, cuda::CAPTURE_THREAD) })?;
        let mut recording = Recording::of(self);
        ask(self)?;
        self.told("cuStreamEndCapture", recording.end())?;
        let mut ready = ptr::null_mut();
        // SAFETY: a place for what can be launched, and the graph just recorded.
        let status = unsafe { (cuda.graph_instantiate)(&mut ready, recording.graph, 0) };
        self.told("cuGraphInstantiateWithFlags", status)?;
        let number = self.number();
        self.things().graphs.insert(number, ready);
        Ok(Graph(number))
    }

    fn replay(&self, graph: Graph) -> Result<(), GpuError> {
        let cuda = self.direct("a replay")?;
        let things = self.things();
        let Some(ready) = things.graphs.get(&graph.0) else {
            let (wanted, there) = (format!("number {}", graph.0), "none of that number".to_owned());
            return Err(GpuError::Misuse { what: "a graph", wanted, there });
        };
        // SAFETY: graph and stream live.
        self.told("cuGraphLaunch", unsafe { (cuda.graph_launch)(*ready, self.stream) })
    }

    fn discard(&self, graph: Graph) {
        let Ok(cuda) = self.cuda() else { return };
        if let Some(ready) = self.things().graphs.remove(&graph.0) {
            // SAFETY: it was made and is destroyed once; the driver waits for its launches.
            unsafe { (cuda.graph_exec_destroy)(ready) };
        }
    }
}

impl Drop for RealGpu {
    fn drop(&mut self) {
        if self.context.enter().is_err() {
            return;
        }
        let (cuda, things) = (&self.context.cuda, self.things.get_mut().unwrap_or_else(PoisonError::into_inner));
        // SAFETY: each was made and is destroyed once; nothing of it is used afterwards. What the driver answers does not matter.
        unsafe {
            if !self.stream.is_null() {
                (cuda.stream_wait)(self.stream);
            }
            things.graphs.drain().for_each(|(_, graph)| {
                (cuda.graph_exec_destroy)(graph);
            });
            things.events.drain().for_each(|(_, event)| {
                (cuda.event_destroy)(event);
            });
            things.pinned.drain().for_each(|(_, (start, _))| {
                (cuda.host_free)(start.cast());
            });
            if self.workspace != 0 {
                (cuda.memory_free)(self.workspace);
            }
            if !self.module.is_null() {
                (cuda.module_unload)(self.module);
            }
            if !self.stream.is_null() {
                (cuda.stream_destroy)(self.stream);
            }
        }
    }
}

/// A name in a buffer that the driver filled.
fn text_of(buffer: &[c_char]) -> String {
    let bytes: Vec<u8> = buffer.iter().take_while(|byte| **byte != 0).map(|byte| *byte as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A number of the driver's that counts something.
fn count(number: c_int) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
