//! A GPU through NVIDIA's driver. This is what speaks to hardware, and **no machine of the project had any so far**: what it does
//! was read from NVIDIA's headers and manuals and never run against a device.

mod compile;
mod context;
mod device;
mod machine;
mod products;

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use compile::{Compiled, Compiler};
pub use machine::RealMachine;

use super::libraries::cuda::{self, Cuda, Handle, Status};
use super::{Event, Facts, Gpu, GpuError, Graph, Pinned, Seen, Staging};
use crate::kernels::{self, Argument, Operation};
use device::{Device, Function, unknown};

/// A queue of a device of this machine.
pub struct RealGpu {
    // In the order in which they are given back.
    workspace: u64,
    stream: Handle,
    staging: Staging,
    recording: AtomicBool,
    device: Arc<Device>,
}

// SAFETY: handles of the driver may be used by any thread in which the context is current, and every call makes it so.
unsafe impl Send for RealGpu {}
// SAFETY: as above; what changes is behind locks.
unsafe impl Sync for RealGpu {}

/// Which of two queues the device serves first.
#[derive(Clone, Copy)]
enum Urgency {
    /// What somebody waits for, step by step.
    First,
    /// What fills up whatever is left.
    Last,
}

impl RealGpu {
    /// Opens a device by its number: driver, libraries, kernels, and a queue.
    pub fn open(index: usize) -> Result<Arc<Self>, GpuError> {
        Ok(Arc::new(Self::queue(Arc::new(Device::open(index)?), Urgency::First)?))
    }

    /// A queue, with memory that its products work in. What was made before a failure is given back by `drop`.
    fn queue(device: Arc<Device>, urgency: Urgency) -> Result<Self, GpuError> {
        let (staging, recording) = (Staging::default(), AtomicBool::new(false));
        let mut gpu = RealGpu { workspace: 0, stream: ptr::null_mut(), staging, recording, device };
        let cuda = gpu.cuda()?;
        let (mut last, mut first) = (0, 0);
        // SAFETY: places for both numbers.
        gpu.told("cuCtxGetStreamPriorityRange", unsafe { (cuda.stream_priorities)(&mut last, &mut first) })?;
        let priority = match urgency {
            Urgency::First => first,
            Urgency::Last => last,
        };
        let mut stream = ptr::null_mut();
        // SAFETY: a place for the stream.
        let status = unsafe { (cuda.stream_create)(&mut stream, cuda::NON_BLOCKING, priority) };
        gpu.told("cuStreamCreateWithPriority", status)?;
        gpu.stream = stream;
        gpu.workspace = gpu.allocate(products::WORKSPACE, "matrix products")?;
        Ok(gpu)
    }

    /// The driver, with the context current in this thread.
    fn cuda(&self) -> Result<&Cuda, GpuError> {
        self.device.cuda()
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
        self.device.told(call, status)
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

    fn seen(&self) -> Seen {
        Seen { device: self.device.facts.device() }
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
        let Function(function) = self.device.function(launch.kernel).ok_or_else(|| wrong("no such kernel"))?;
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
        unsafe { (self.gpu.device.context.cuda.capture_end)(self.gpu.stream, &mut self.graph) }
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
            unsafe { (self.gpu.device.context.cuda.graph_destroy)(self.graph) };
        }
    }
}

impl Gpu for RealGpu {
    fn facts(&self) -> &Facts {
        &self.device.facts
    }

    fn beside(&self) -> Result<Arc<dyn Gpu>, GpuError> {
        Ok(Arc::new(Self::queue(self.device.clone(), Urgency::Last)?))
    }

    fn free_memory(&self) -> Result<u64, GpuError> {
        self.direct("a question")?;
        self.device.context.free_memory()
    }

    fn allocate(&self, bytes: usize, what: &'static str) -> Result<u64, GpuError> {
        let cuda = self.direct("an allocation")?;
        let mut address = 0;
        // The driver has no memory of no bytes.
        // SAFETY: a place for the address.
        let status = unsafe { (cuda.memory_allocate)(&mut address, bytes.max(1)) };
        if status == cuda::OUT_OF_MEMORY {
            let (free, total) = (self.free_memory()?, self.device.facts.memory);
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
        self.device.things().pinned.insert(pinned.number, (start, bytes));
        Ok(pinned)
    }

    fn put(&self, into: &mut Pinned, bytes: &[u8]) -> Result<(), GpuError> {
        let start = self.device.locked(into, bytes.len())?;
        // SAFETY: there is room for so many bytes, which live as long as the device and are lent to nobody else on the host, for there
        // is one owner and it is borrowed alone. The device reads them only between `send` and the end of that copy, which the ring
        // waits for; the GPU in memory finds where it does not.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len()) };
        Ok(())
    }

    fn get(&self, from: &Pinned, bytes: &mut [u8]) -> Result<(), GpuError> {
        let start = self.device.locked(from, bytes.len())?;
        // SAFETY: as in `put`; nobody on the host changes them while their owner is borrowed, and the device does only between `fetch`
        // and the end of that copy.
        unsafe { ptr::copy_nonoverlapping(start, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn send(&self, from: &Pinned, address: u64, bytes: usize) -> Result<(), GpuError> {
        let (cuda, start) = (self.direct("an upload")?, self.device.locked(from, bytes)?);
        // SAFETY: so many bytes are there, in memory that is locked until the device is closed.
        let status = unsafe { (cuda.copy_in)(address, start.cast(), bytes, self.stream) };
        self.told("cuMemcpyHtoDAsync", status)
    }

    fn fetch(&self, address: u64, into: &mut Pinned, bytes: usize) -> Result<(), GpuError> {
        let (cuda, start) = (self.direct("a download")?, self.device.locked(into, bytes)?);
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
                let asked = self.device.products.run(product, self.workspace, self.stream);
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
        let number = self.device.number();
        self.device.things().events.insert(number, event);
        // SAFETY: event and stream live.
        self.told("cuEventRecord", unsafe { (cuda.event_record)(event, self.stream) })?;
        Ok(Event(number))
    }

    fn reach(&self, event: Event) -> Result<Seen, GpuError> {
        let cuda = self.direct("a wait")?;
        let handle = self.device.things().event(event)?;
        // SAFETY: the event lives until whoever waits for it here forgets it.
        self.told("cuEventSynchronize", unsafe { (cuda.event_wait)(handle) })?;
        Ok(self.seen())
    }

    fn between(&self, earlier: Event, later: Event) -> Result<Duration, GpuError> {
        let cuda = self.direct("a time")?;
        let things = self.device.things();
        let mut milliseconds = 0.0;
        // SAFETY: both events live, as they are in the list, which is locked.
        let status = unsafe { (cuda.event_elapsed)(&mut milliseconds, things.event(earlier)?, things.event(later)?) };
        self.told("cuEventElapsedTime", status)?;
        Ok(Duration::try_from_secs_f32(milliseconds / 1000.0).unwrap_or_default())
    }

    fn forget(&self, events: &[Event]) {
        let Ok(cuda) = self.cuda() else { return };
        let mut things = self.device.things();
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
        let number = self.device.number();
        self.device.things().graphs.insert(number, ready);
        Ok(Graph(number))
    }

    fn replay(&self, graph: Graph) -> Result<(), GpuError> {
        let cuda = self.direct("a replay")?;
        let things = self.device.things();
        let ready = things.graphs.get(&graph.0).ok_or_else(|| unknown("a graph", graph.0))?;
        // SAFETY: graph and stream live.
        self.told("cuGraphLaunch", unsafe { (cuda.graph_launch)(*ready, self.stream) })
    }

    fn discard(&self, graph: Graph) {
        let Ok(cuda) = self.cuda() else { return };
        if let Some(ready) = self.device.things().graphs.remove(&graph.0) {
            // SAFETY: it was made and is destroyed once; the driver waits for its launches.
            unsafe { (cuda.graph_exec_destroy)(ready) };
        }
    }
}

impl Drop for RealGpu {
    fn drop(&mut self) {
        let Ok(cuda) = self.cuda() else { return };
        // SAFETY: each was made and is destroyed once; nothing of it is used afterwards. What the driver answers does not matter.
        unsafe {
            if !self.stream.is_null() {
                (cuda.stream_wait)(self.stream);
            }
            if self.workspace != 0 {
                (cuda.memory_free)(self.workspace);
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
