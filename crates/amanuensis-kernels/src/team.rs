//! The thread team: workers made once, woken once per pass, fed blocks of work without a system call.
//!
//! A decode step has about fifty short jobs of 10-100 microseconds. A fork and join through the kernel costs several
//! microseconds each, so the workers spin between the jobs of one [`Region`] and sleep between regions.
//!
//! A job is cut into blocks and whoever is free claims the next one. The caller claims too, and waits only for blocks
//! that were claimed: a worker that another process pushed off its core delays the job by the block it holds, and a
//! worker that never woke delays nothing.

use std::any::Any;
use std::cell::UnsafeCell;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::affinity;
use crate::kernels::Kernels;
use crate::keys_values::KeysValues;
use crate::memory::{AlignedBuffer, Shelf};
use crate::projection::PackedRows;

/// Polls before a waiting thread starts to give its core away between polls; some 20 microseconds.
const SPINS: u32 = 1_000;
/// Polls before a worker sleeps once the region is closed; below 100 microseconds, about what a decoder needs between two
/// steps to choose a token.
const LINGER: u32 = 4_000;
/// Polls with the core given away after which a worker sleeps although the region is open (the caller is busy with
/// something sequential); a few milliseconds.
const YIELDS: u32 = 4_000;

/// How long a worker calculates before it offers its core to others, between two blocks. Who waits for the core then gets
/// it there and not in the middle of a block that the whole team waits for. Below the 4 ms after which common kernels take a
/// core away; on a core of its own the offer costs half a microsecond.
const TURN: Duration = Duration::from_millis(3);

/// What the threads do: `work(lane, block)`, lane 0 being the caller.
type Work<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Threads that calculate together. Entered once per pass; between passes they sleep.
pub struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// The workers' handles once more, for waking them.
    sleepers: Vec<Thread>,
    kernels: &'static Kernels,
    /// One working buffer per thread, kept from region to region.
    lanes: Vec<Lane>,
    pub(crate) scratch: Scratch,
    /// What the weights of a model and what it keeps lie on.
    pub(crate) shelf: Shelf,
}

/// Buffers that one door fills by one job and reads by the next.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) left: AlignedBuffer<f32>,
    pub(crate) right: AlignedBuffer<f32>,
    /// Keys and values of an encoder's layer.
    pub(crate) kept: Option<KeysValues>,
    /// What they are made of, and the queries beside them.
    pub(crate) rows: PackedRows,
    pub(crate) queries: AlignedBuffer<f32>,
}

/// The working buffer of one thread, on cache lines of its own.
#[repr(align(128))]
struct Lane(UnsafeCell<AlignedBuffer<f32>>);

// SAFETY: each lane's buffer is touched only by the thread of that number while a job runs, and by the caller between.
unsafe impl Sync for Lane {}

/// Keeps counters that different threads write off each other's cache lines.
#[repr(align(128))]
struct Apart<T>(T);

struct Shared {
    /// Blocks of the current job in the high half, the next unclaimed one in the low half.
    ///
    /// No job number is needed: a claim compares the whole word, so one that succeeds is a claim on the job that is
    /// current at that moment, and the job is read after it.
    blocks: Apart<AtomicU64>,
    /// How many blocks of the current job have ended.
    done: Apart<AtomicUsize>,
    /// The current job. Written by the caller while no block is open, read by those who hold a block.
    work: UnsafeCell<Option<*const Work<'static>>>,
    /// A region is open: keep awake.
    open: AtomicBool,
    stop: AtomicBool,
    /// Workers asleep, or about to be.
    asleep: Apart<AtomicUsize>,
    /// A block panicked: the rest of the job is skipped.
    broken: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `work` is the only part that is not Sync. It is written only by the thread inside `Region::run`, which holds
// the team exclusively and has waited for every claimed block; it is read only after a successful claim, which the
// write happens before (release store of `blocks`, acquire claim), and before `done` counts that block.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer is never used after the job it belongs to.
unsafe impl Send for Shared {}

impl Shared {
    fn claim(&self) -> Option<usize> {
        let mut word = self.blocks.0.load(Acquire);
        loop {
            let (count, next) = (word >> 32, word & 0xffff_ffff);
            if next >= count {
                return None;
            }
            match self.blocks.0.compare_exchange_weak(word, word + 1, AcqRel, Acquire) {
                Ok(_) => return Some(next as usize),
                Err(now) => word = now,
            }
        }
    }

    /// Run a claimed block, and count it whatever happens in it.
    fn run(&self, lane: usize, block: usize) {
        if !self.broken.load(Relaxed) {
            // SAFETY: the block was claimed and is not yet counted as done, so the caller still waits in `Region::run`
            // and the closure it points to is alive; Work is Sync.
            let work = unsafe { (*self.work.get()).map(|work| &*work) };
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                if let Some(work) = work {
                    work(lane, block);
                }
            }));
            if let Err(panic) = outcome {
                self.broken.store(true, Relaxed);
                self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
            }
        }
        self.done.0.fetch_add(1, Release);
    }

    fn worker(&self, lane: usize) {
        let mut polls = 0;
        let mut since = Instant::now();
        while !self.stop.load(Relaxed) {
            if let Some(block) = self.claim() {
                self.run(lane, block);
                polls = 0;
                if since.elapsed() >= TURN {
                    std::thread::yield_now();
                    since = Instant::now();
                }
                continue;
            }
            polls += 1;
            let open = self.open.load(Relaxed);
            if polls < if open { SPINS } else { LINGER } {
                std::hint::spin_loop();
            } else if open && polls < SPINS + YIELDS {
                std::thread::yield_now();
            } else {
                self.sleep();
                polls = 0;
                since = Instant::now();
            }
        }
    }

    /// Park until woken. Announced before the last look for work, so that whoever brings work after that look sees the
    /// announcement (both sides sequentially consistent) and wakes this thread.
    fn sleep(&self) {
        self.asleep.0.fetch_add(1, SeqCst);
        let word = self.blocks.0.load(SeqCst);
        let idle = (word & 0xffff_ffff) >= (word >> 32);
        if idle && !self.stop.load(SeqCst) {
            std::thread::park();
        }
        self.asleep.0.fetch_sub(1, SeqCst);
    }
}

impl Team {
    /// A team of `threads` threads, the caller being one of them. Where the system refuses a thread the team is
    /// smaller; [`threads`](Team::threads) tells the truth.
    pub fn new(kernels: &'static Kernels, threads: NonZeroUsize) -> Team {
        let shared = Arc::new(Shared {
            blocks: Apart(AtomicU64::new(0)),
            done: Apart(AtomicUsize::new(0)),
            work: UnsafeCell::new(None),
            open: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            asleep: Apart(AtomicUsize::new(0)),
            broken: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let mut workers = Vec::new();
        let processors = affinity::for_workers(threads.get()).unwrap_or_default();
        for lane in 1..threads.get() {
            let shared = Arc::clone(&shared);
            let own = processors.get(lane - 1).copied();
            let builder = std::thread::Builder::new().name(format!("kernels-{lane}"));
            let life = move || {
                own.into_iter().for_each(affinity::stay_on);
                shared.worker(lane);
            };
            match builder.spawn(life) {
                Ok(worker) => workers.push(worker),
                Err(_) => break,
            }
        }
        let sleepers = workers.iter().map(|worker| worker.thread().clone()).collect();
        let lanes = (0..=workers.len()).map(|_| Lane(UnsafeCell::new(AlignedBuffer::default()))).collect();
        Team { shared, workers, sleepers, kernels, lanes, scratch: Scratch::default(), shelf: Shelf::default() }
    }

    /// How many threads calculate, the caller included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// The kernels this team runs.
    pub fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    /// Run `program` on the calling thread with the team awake around it. Enter once per encoder pass or decode step,
    /// not once per operation. Exclusive by type: while a region is open nobody else can enter.
    pub fn enter<R>(&mut self, program: impl FnOnce(&mut Region<'_>) -> R) -> R {
        struct Close<'a>(&'a Shared);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                self.0.open.store(false, Relaxed);
            }
        }
        let shared = Arc::clone(&self.shared);
        shared.open.store(true, SeqCst);
        let _close = Close(&shared);
        self.wake();
        program(&mut Region { team: self })
    }

    fn wake(&self) {
        if self.shared.asleep.0.load(SeqCst) > 0 {
            for sleeper in &self.sleepers {
                sleeper.unpark();
            }
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches the panics of its blocks, so it ends in peace.
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for Team {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Team({} threads, {})", self.threads(), self.kernels.isa())
    }
}

/// An open team. The program inside is ordinary sequential code; each door splits its own work.
pub struct Region<'a> {
    pub(crate) team: &'a mut Team,
}

impl Region<'_> {
    /// How many threads calculate, the caller included.
    pub fn threads(&self) -> usize {
        self.team.threads()
    }

    /// The kernels this team runs.
    pub fn kernels(&self) -> &'static Kernels {
        self.team.kernels
    }

    /// Run `work` for every block number below `blocks`, in any order, on any of the threads. A panic in a block is
    /// handed on to the caller after the other threads have let go.
    pub fn split(&mut self, blocks: usize, work: impl Fn(usize) + Sync) {
        self.run(blocks, &|_, block| work(block));
    }

    /// Cut `out` into blocks of `rows_per_block` rows of `width` numbers and hand each, with the number of its first
    /// row, to `work`.
    pub fn rows<T: Send>(
        &mut self,
        out: &mut [T],
        width: usize,
        rows_per_block: usize,
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        if out.is_empty() {
            return;
        }
        assert!(width > 0 && out.len().is_multiple_of(width), "{} numbers are not rows of {width}", out.len());
        assert!(rows_per_block > 0, "a block needs at least one row");
        let rows = out.len() / width;
        let start = Shares(out.as_mut_ptr());
        self.run(rows.div_ceil(rows_per_block), &|_, block| {
            let first = block * rows_per_block;
            let count = rows_per_block.min(rows - first);
            // SAFETY: first + count <= rows, so the slice lies in `out`, which is borrowed exclusively until all blocks
            // are done; different blocks have different rows, and each block runs once.
            let slice = unsafe { std::slice::from_raw_parts_mut(start.get().add(first * width), count * width) };
            work(first, slice);
        });
    }

    /// As [`split`](Region::split), with `floats` numbers of working memory for the thread that runs the block. What
    /// it holds at the start is arbitrary.
    pub(crate) fn split_with_scratch(&mut self, blocks: usize, floats: usize, work: impl Fn(&mut [f32], usize) + Sync) {
        for lane in &mut self.team.lanes {
            lane.0.get_mut().ensure(floats);
        }
        let lanes = Shares(self.team.lanes.as_mut_ptr());
        self.run(blocks, &|lane, block| {
            // SAFETY: `lane` is below the number of lanes and is this thread's own number, so nobody else touches this
            // buffer while the block runs; the team is borrowed exclusively until all blocks are done.
            let scratch = unsafe { &mut *(*lanes.get().add(lane)).0.get() };
            work(&mut scratch[..floats], block);
        });
    }

    fn run(&mut self, blocks: usize, work: &Work<'_>) {
        if self.team.workers.is_empty() || blocks <= 1 {
            return (0..blocks).for_each(|block| work(0, block));
        }
        assert!(u32::try_from(blocks).is_ok(), "{blocks} blocks are too many for one job");
        let shared = &*self.team.shared;
        shared.broken.store(false, Relaxed);
        shared.done.0.store(0, Relaxed);
        // SAFETY: only the lifetime changes. The pointer is used by holders of a claimed block alone, and this function
        // does not return before every block was claimed and counted as done.
        let endless = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        // SAFETY: no block is open (the last job was waited for), so nobody reads `work` now; see `Shared`.
        unsafe { *shared.work.get() = Some(endless) };
        shared.blocks.0.store((blocks as u64) << 32, SeqCst);
        self.team.wake();
        while let Some(block) = shared.claim() {
            shared.run(0, block);
        }
        let mut polls = 0;
        while shared.done.0.load(Acquire) != blocks {
            polls += 1;
            if polls < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        if shared.broken.load(Relaxed) {
            let panic = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
            resume_unwind(panic.unwrap_or_else(|| Box::new("a block of a job panicked")));
        }
    }
}

/// A pointer that several threads use for disjoint parts of one slice.
pub(crate) struct Shares<T>(pub(crate) *mut T);

// SAFETY: a pointer is only an address; those who read or write through it state why they may.
unsafe impl<T> Sync for Shares<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Shares<T> {}

impl<T> Shares<T> {
    pub(crate) fn get(&self) -> *mut T {
        self.0
    }
}
