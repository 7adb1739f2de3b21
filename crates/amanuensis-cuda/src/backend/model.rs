//! A model whose weights lie on a device.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amanuensis::backend::{BackendError, Decoding, Encoded, Model, Stage, Work};
use amanuensis::mel::Mel;
use amanuensis::model::{Dims, ModelError, ModelFile};
use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::budget::{Batch, Budget, Need, megabytes};
use super::clock::Clock;
use super::decoder::Decoder;
use super::decoding::{CudaDecoding, Heard, Pool};
use super::encoder::{Encoder, table_room};
use super::kept::OnDevice;
use super::refused;
use super::rooms::{DecoderRoom, EncoderRoom};
use super::sets::Sets;
use super::tables::Tables;
use super::weights::{Counts, Delivered, Delivery, Undelivered};
use crate::driver::{Buffer, Gpu, GpuError, View, upload};
use crate::kernels::HEAD_WIDTH;

/// Why a pass or a step ended early.
pub(super) enum Stop {
    /// The device is at fault.
    Device(GpuError),
    /// Nobody wants it any more, or it cannot be done.
    Work(BackendError),
}

impl From<GpuError> for Stop {
    fn from(error: GpuError) -> Self {
        Stop::Device(error)
    }
}

impl From<BackendError> for Stop {
    fn from(error: BackendError) -> Self {
        Stop::Work(error)
    }
}

/// A model on a device. Its encoder has a queue of its own there, which gives way to the decoder's: both work at once where somebody
/// asks them to.
pub(super) struct CudaModel {
    name: &'static str,
    pub(super) dims: Dims,
    /// The queue of the decoder, and of everything but the encoder.
    pub(super) gpu: Arc<dyn Gpu>,
    /// The queue of the encoder.
    beside: Arc<dyn Gpu>,
    pub(super) budget: Budget,
    /// Windows that are encoded in a pass, at most.
    pass: usize,
    encoder: Encoder,
    pub(super) decoder: Decoder,
    shared: Arc<Shared>,
    _weights: Delivered,
}

/// What a model has in common with what it heard, which may outlive it. Whoever locks more than one of these begins with the first.
pub(super) struct Shared {
    desk: Mutex<Desk>,
    bench: Mutex<Bench>,
    spare: Mutex<Spare>,
    /// Bytes of what the encoder heard and somebody still has.
    out: AtomicU64,
}

/// What one pass of the encoder at a time works in.
struct Desk {
    room: EncoderRoom,
    tables: Tables,
}

/// What one step of the decoder at a time works in.
pub(super) struct Bench {
    pub(super) decoder: DecoderRoom,
    /// What may not be said.
    pub(super) sets: Sets,
}

/// Memory of decodings that ended, for the next.
#[derive(Default)]
struct Spare {
    heard: Option<Buffer<f16>>,
    pool: Option<Pool>,
    /// For what the encoder hears.
    encoded: Option<Buffer<f16>>,
}

impl Shared {
    /// The desk, for one pass. A panic in an earlier one leaves nothing half done on it.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bench, for one step. A panic in an earlier one leaves nothing half done on it.
    pub(super) fn bench(&self) -> MutexGuard<'_, Bench> {
        self.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the memory of a decoding that is over; where another came back meanwhile, the larger one.
    fn take_back(&self, heard: Option<Buffer<f16>>, pool: Option<Pool>) {
        let mut spare = self.spare();
        if let Some(heard) = heard {
            keep_larger(&mut spare.heard, heard);
        }
        if let Some(pool) = pool.filter(|pool| spare.pool.as_ref().is_none_or(|kept| kept.slots < pool.slots)) {
            spare.pool = Some(pool);
        }
    }

    /// Somebody has memory of what was heard.
    pub(super) fn give_out_encoded(&self, encoded: &Buffer<f16>) {
        self.out.fetch_add(encoded.view().bytes() as u64, Ordering::Relaxed);
    }

    /// Keeps the memory of what was heard and is not wanted any more.
    pub(super) fn take_back_encoded(&self, encoded: Buffer<f16>) {
        self.out.fetch_sub(encoded.view().bytes() as u64, Ordering::Relaxed);
        keep_larger(&mut self.spare().encoded, encoded);
    }
}

fn keep_larger(kept: &mut Option<Buffer<f16>>, new: Buffer<f16>) {
    if kept.as_ref().is_none_or(|kept| kept.view().len() < new.view().len()) {
        *kept = Some(new);
    }
}

/// Spare memory if it is enough, or new.
fn memory(
    gpu: &Arc<dyn Gpu>,
    spare: Option<Buffer<f16>>,
    len: usize,
    what: &'static str,
) -> Result<Buffer<f16>, GpuError> {
    match spare.filter(|spare| spare.view().len() >= len) {
        Some(spare) => Ok(spare),
        None => Buffer::new(gpu, len, what),
    }
}

impl CudaModel {
    pub(super) fn load(
        name: &'static str,
        gpu: Arc<dyn Gpu>,
        file: &ModelFile,
        together: usize,
    ) -> Result<Self, BackendError> {
        let dims = file.dims;
        let failed = |error: GpuError| refused(name, &error);
        if let Some(reason) = unfit(&dims) {
            return Err(BackendError::Device { device: name, reason });
        }
        let budget = Budget::of(&dims);
        // Its own memory goes before what is free is counted.
        let beside = gpu.beside().map_err(failed)?;
        let free = gpu.free_memory().map_err(failed)?;
        let Some(pass) = budget.pass(free, together) else {
            let reason = budget.refusal(free, gpu.facts().memory);
            return Err(BackendError::Device { device: name, reason });
        };
        let delivered = deliver(&gpu, file);
        let (encoder, decoder, weights) = delivered.map_err(|undelivered| match undelivered {
            Undelivered::Model(error) => error.into(),
            Undelivered::Device(error) => failed(error),
        })?;
        // The weights must be there before another queue reads them.
        gpu.wait().map_err(failed)?;
        let tables = Tables::new(&beside, table_room(pass)).map_err(failed)?;
        let desk = Desk { room: EncoderRoom::default(), tables };
        let bench = Bench { decoder: DecoderRoom::default(), sets: Sets::new(dims.vocabulary) };
        let shared = Shared {
            desk: Mutex::new(desk),
            bench: Mutex::new(bench),
            spare: Mutex::default(),
            out: AtomicU64::default(),
        };
        Ok(CudaModel {
            name,
            dims,
            gpu,
            beside,
            budget,
            pass,
            encoder,
            decoder,
            shared: Arc::new(shared),
            _weights: weights,
        })
    }

    /// The bench, for one step.
    pub(super) fn bench(&self) -> MutexGuard<'_, Bench> {
        self.shared.bench()
    }

    /// Keeps the memory of a decoding that is over.
    pub(super) fn take_back(&self, heard: Option<Buffer<f16>>, pool: Option<Pool>) {
        self.shared.take_back(heard, pool);
    }

    /// Memory that is kept and that nobody uses now, and what was heard for the batch that is asked about.
    fn kept(&self, desk: &Desk, bench: &Bench) -> Need {
        let out = self.shared.out.load(Ordering::Relaxed);
        let spare = self.shared.spare();
        let bytes = |spare: &Option<Buffer<f16>>| spare.as_ref().map_or(0, |spare| spare.view().bytes() as u64);
        Need {
            encoder: desk.room.bytes(),
            heard: bench.decoder.heard_bytes() + bytes(&spare.heard) + bytes(&spare.encoded) + out,
            lanes: spare.pool.as_ref().map_or(0, |pool| pool.buffer.view().bytes() as u64),
            step: bench.decoder.step_bytes(),
        }
    }

    /// How many windows go together. Where what is kept is not in the way of that, it stays; else it is given back to be had in
    /// other pieces.
    fn room_for(&self, batch: Batch) -> Result<usize, Stop> {
        // Nothing may be asked while another decoding records a step, which it does at the bench.
        let (mut desk, mut bench) = (self.shared.desk(), self.bench());
        let (free, kept) = (self.gpu.free_memory()?, self.kept(&desk, &bench));
        let there = free + kept.total();
        let Some(windows) = self.budget.fitting(batch, there) else {
            let reason = self.budget.refusal_of_one(batch, there, self.gpu.facts().memory);
            return Err(BackendError::Device { device: self.name, reason }.into());
        };
        if self.budget.need(Batch { windows, ..batch }).beyond(&kept) > free {
            (desk.room, bench.decoder) = Default::default();
            *self.shared.spare() = Spare::default();
        }
        Ok(windows)
    }

    /// How many of some windows go through the encoder in the next pass.
    fn pass(&self, windows: &[Mel], most: usize) -> Result<usize, Stop> {
        let desk = self.shared.desk();
        self.fitting(windows, most, self.beside.free_memory()? + desk.room.bytes())
    }

    /// How many of some windows fit into a pass where so many bytes are there for it.
    fn fitting(&self, windows: &[Mel], most: usize, there: u64) -> Result<usize, Stop> {
        let context = self.dims.audio_context as u64;
        let mut rows = 0;
        let needs = |rows: u64| (rows * self.budget.window).div_ceil(context);
        let fits = |mel: &&Mel| {
            rows += mel.frames as u64 / 2;
            needs(rows) <= there
        };
        match windows.iter().take(most).take_while(fits).count() {
            0 => self.refuse("the encoder's pass of one window", needs(windows[0].frames as u64 / 2), there),
            count => Ok(count),
        }
    }

    /// Refuses what needs so many bytes more, if there are not as many. In that queue nobody may record a step meanwhile.
    fn grow(&self, gpu: &dyn Gpu, what: &str, bytes: u64) -> Result<(), Stop> {
        if bytes == 0 {
            return Ok(());
        }
        let free = gpu.free_memory()?;
        if bytes > free { self.refuse(what, bytes, free) } else { Ok(()) }
    }

    /// Refuses what needs more bytes than are there for it.
    pub(super) fn refuse<T>(&self, what: &str, needs: u64, there: u64) -> Result<T, Stop> {
        let (needs, there, total) = (megabytes(needs), there >> 20, self.gpu.facts().memory >> 20);
        let reason = format!(
            "{what} takes {needs} MiB, but of {total} MiB there are {there} for it; hear fewer windows together (--batch-size), take fewer \
             beams and samples, or end other programs on the GPU"
        );
        Err(BackendError::Device { device: self.name, reason }.into())
    }

    pub(super) fn stopped(&self, stop: Stop) -> BackendError {
        match stop {
            Stop::Device(error) => refused(self.name, &error),
            Stop::Work(error) => error,
        }
    }

    /// Encodes as many windows as fit at once.
    fn encode_some(&self, windows: &[Mel], heard: View<f16>, work: &mut Work<'_>) -> Result<(), Stop> {
        let Desk { room, tables } = &mut *self.shared.desk();
        let seen = self.encoder.run(&self.beside, room, tables, windows, heard, work)?;
        let positions = || windows.iter().map(|mel| mel.frames / 2);
        work.receipt.windows += windows.len() as u64;
        work.receipt.positions += positions().sum::<usize>() as u64;
        let operations = positions().flat_map(|positions| self.dims.encoder_operations(positions)).sum();
        work.receipt.did(seen.device(), operations);
        Ok(())
    }

    /// Computes the keys and values of what was heard, where it lies, or brought to the device.
    fn listen(&self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Heard, Stop> {
        work.proceed()?;
        let (width, audio_width) = (self.dims.text_width, self.dims.audio_width);
        let here = encoded.keeps::<OnDevice>().and_then(|kept| kept.for_model(&self.shared));
        let from_host = if here.is_some() { &[] } else { encoded.of_host(audio_width)? };
        // Nothing may be allocated while another decoding records a step, which it does at the bench.
        let mut bench = self.bench();
        let rows: usize = encoded.positions.iter().sum();
        let needed = self.decoder.layers() * rows * 2 * width;
        let spare = self.shared.spare().heard.take().filter(|spare| spare.view().len() >= needed);
        let bytes = if spare.is_some() { 0 } else { 2 * needed as u64 };
        let up = if here.is_some() { 0 } else { bench.decoder.encoded.growth(rows * audio_width) };
        self.grow(&*self.gpu, &format!("what is heard of {} windows", encoded.positions.len()), bytes + up)?;
        let buffer = memory(&self.gpu, spare, needed, "keys and values of what was heard")?;
        let mut heard = Heard { buffer, rows, windows: Vec::new() };
        let mut first = 0;
        for positions in &encoded.positions {
            heard.windows.push((first, *positions));
            first += positions;
        }
        if rows == 0 {
            return Ok(heard);
        }
        let mut clock = Clock::start(&*self.gpu)?;
        let rounded = match here {
            Some(here) => here,
            None => {
                let mut halves = vec![f16::ZERO; from_host.len()];
                halves.convert_from_f32_slice(from_host);
                let into = bench.decoder.encoded.ensure(&self.gpu, halves.len())?;
                upload(&*self.gpu, into, &halves)?;
                into
            }
        };
        self.decoder.listen(&*self.gpu, rounded, heard.buffer.view().first(needed))?;
        clock.lap(Stage::CrossKeysValues)?;
        let seen = self.gpu.wait()?;
        clock.settle(&mut work.receipt)?;
        let operations = encoded.positions.iter().map(|positions| self.dims.cross_operations(*positions)).sum();
        work.receipt.did(seen.device(), operations);
        Ok(heard)
    }

    /// Memory for what the encoder is going to hear in some windows, so many numbers, if there is room for a pass beside it.
    fn room_to_hear(&self, windows: &[Mel], len: usize) -> Result<OnDevice, Stop> {
        let desk = self.shared.desk();
        let spare = self.shared.spare().encoded.take().filter(|spare| spare.view().len() >= len);
        let growth = if spare.is_some() { 0 } else { 2 * len as u64 };
        self.grow(&*self.beside, "what the encoder hears", growth)?;
        self.fitting(windows, 1, self.beside.free_memory()?.saturating_sub(growth) + desk.room.bytes())?;
        let buffer = memory(&self.beside, spare, len, "what is heard")?;
        Ok(OnDevice::new(self.name, &self.beside, buffer, len, &self.shared))
    }
}

/// Why the kernels cannot compute a model of these sizes, if they cannot.
fn unfit(dims: &Dims) -> Option<String> {
    let heads = [(dims.audio_width, dims.audio_heads), (dims.text_width, dims.text_heads)];
    if heads.iter().any(|(width, heads)| *heads == 0 || *width != heads * HEAD_WIDTH) {
        return Some(format!(
            "its attention kernels are for heads of {HEAD_WIDTH} numbers, as all published models have; use the CPU"
        ));
    }
    let rows = [dims.mel_bins, dims.audio_feed_forward, dims.text_feed_forward];
    if rows.iter().any(|numbers| numbers % 8 != 0) {
        return Some(format!(
            "its kernels are for rows of multiples of 8 numbers, and the model has {rows:?}; use the CPU"
        ));
    }
    None
}

fn deliver(gpu: &Arc<dyn Gpu>, file: &ModelFile) -> Result<(Encoder, Decoder, Delivered), Undelivered> {
    let mut counts = Counts::default();
    Encoder::count(&mut counts, &file.dims);
    Decoder::count(&mut counts, &file.dims);
    let mut delivery = Delivery::new(gpu, &file.weights, counts)?;
    let encoder = Encoder::load(&mut delivery, &file.dims)?;
    let decoder = Decoder::load(&mut delivery, &file.dims)?;
    Ok((encoder, decoder, delivery.end()))
}

impl Model for CudaModel {
    fn dims(&self) -> &Dims {
        &self.dims
    }

    fn together(&self, windows: usize, lanes: usize) -> Result<usize, BackendError> {
        let batch = Batch { windows, lanes, pass: self.pass };
        self.room_for(batch).map_err(|stop| self.stopped(stop))
    }

    fn encodes_beside(&self) -> bool {
        true
    }

    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError> {
        let (bins, most, width) = (self.dims.mel_bins, 2 * self.dims.audio_context, self.dims.audio_width);
        for Mel { bins: found, frames, values } in windows {
            let fits = *found == bins && frames % 2 == 0 && (2..=most).contains(frames);
            assert!(fits && values.len() == bins * frames, "a window of {frames} frames of {found} bins, not {bins}");
        }
        let positions: Vec<usize> = windows.iter().map(|mel| mel.frames / 2).collect();
        if positions.is_empty() {
            return Ok(Encoded::new(positions, Vec::new()));
        }
        let numbers = positions.iter().sum::<usize>() * width;
        let heard = self.room_to_hear(windows, numbers).map_err(|stop| self.stopped(stop))?;
        let mut rest = heard.view();
        // A receipt says who made a result: where there is none it says nothing.
        let before = std::mem::take(&mut work.receipt);
        let most = if work.watch.is_some() { 1 } else { self.pass };
        let mut windows = windows;
        let mut outcome = Ok(());
        while !windows.is_empty() && outcome.is_ok() {
            outcome = work.proceed().map_err(Stop::Work).and_then(|()| {
                let (some, later) = windows.split_at(self.pass(windows, most)?);
                let count = some.iter().map(|mel| mel.frames / 2 * width).sum();
                let these = rest.first(count);
                (windows, rest) = (later, rest.part(count..rest.len()));
                self.encode_some(some, these, work)
            });
        }
        let during = std::mem::replace(&mut work.receipt, before);
        outcome.map_err(|stop| self.stopped(stop))?;
        work.receipt.merge(&during);
        Ok(Encoded::kept(positions, heard))
    }

    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        let heard = self.listen(encoded, work).map_err(|stop| self.stopped(stop))?;
        let pool = self.shared.spare().pool.take();
        let decoding = CudaDecoding::new(self, heard, pool);
        Ok(Box::new(decoding.map_err(|error| refused(self.name, &error))?))
    }
}

impl From<ModelError> for Stop {
    fn from(error: ModelError) -> Self {
        Stop::Work(error.into())
    }
}
