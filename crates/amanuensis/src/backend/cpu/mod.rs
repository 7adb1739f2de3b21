//! The CPU: packed weights and a team of threads.

mod decoder;
mod encoder;
mod lanes;
mod layers;
mod precisions;
mod workspace;

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use amanuensis_kernels::{Kernels, Team};

use super::{Availability, Backend, BackendError, ComputeType, Decoding, Encoded, Model, Stage, Work};
use crate::mel::Mel;
use crate::model::{Dims, ModelFile};
use decoder::{CpuDecoding, Decoder};
use encoder::Encoder;
use precisions::Precisions;
use workspace::{Rooms, Workspace};

/// The backend that runs on the processor itself.
pub struct Cpu {
    threads: NonZeroUsize,
    compute: ComputeType,
}

impl Cpu {
    /// A backend with `threads` threads, or one for every processor that this process may use.
    pub fn new(threads: Option<NonZeroUsize>, compute: ComputeType) -> Self {
        let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Cpu { threads: threads.unwrap_or_else(all), compute }
    }

    fn kernels(&self) -> Result<&'static Kernels, BackendError> {
        Kernels::detect().map_err(|error| BackendError::Device { device: self.name(), reason: error.to_string() })
    }
}

/// The device as receipts name it.
fn describe(kernels: &Kernels, compute: ComputeType, threads: usize) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    format!("cpu ({} kernels, {compute}, {threads} thread{plural})", kernels.isa())
}

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn probe(&self) -> Availability {
        match self.kernels() {
            Ok(kernels) => Availability::Ready(describe(kernels, self.compute, self.threads.get())),
            Err(error) => Availability::Absent(error.to_string()),
        }
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        Ok(Box::new(self.model(file)?))
    }
}

impl Cpu {
    /// Brings a model into memory, for a device that does a part of it and leaves the rest to the CPU.
    pub fn model(&self, file: &ModelFile) -> Result<CpuModel, BackendError> {
        let kernels = self.kernels()?;
        let mut team = Team::new(kernels, self.threads);
        let compute = match self.compute {
            ComputeType::Auto => team.enter(|region| precisions::lossless(region, &file.weights)),
            asked => asked,
        };
        let precisions = Precisions::of(compute);
        let (encoder, decoder) = team.enter(|region| -> Result<_, BackendError> {
            let encoder = Encoder::load(region, &file.dims, &file.weights, precisions)?;
            Ok((encoder, Decoder::load(region, &file.dims, &file.weights, precisions)?))
        })?;
        file.weights.release();
        let device = describe(kernels, compute, team.threads());
        Ok(CpuModel {
            dims: file.dims,
            device,
            kernels,
            bench: Mutex::new(Bench { team, workspace: Workspace::default() }),
            rooms: Mutex::default(),
            encoder,
            decoder,
        })
    }
}

/// Writes the keys and values of a decoder's layer, `[position][keys, then values]` for all positions of all windows: a device
/// that multiplies instead of the CPU.
pub type Project<'a> = dyn FnMut(usize, &mut [f32], &mut Work<'_>) -> Result<(), BackendError> + 'a;

/// A model whose weights lie packed in memory.
pub struct CpuModel {
    dims: Dims,
    device: String,
    kernels: &'static Kernels,
    bench: Mutex<Bench>,
    rooms: Mutex<Rooms>,
    encoder: Encoder,
    decoder: Decoder,
}

/// Who computes, and what it is done in.
struct Bench {
    team: Team,
    workspace: Workspace,
}

impl CpuModel {
    /// Prepares to read the encoded windows, whose cross-attention's keys and values are `project`'s.
    pub fn begin_by<'a>(
        &'a self,
        encoded: &Encoded,
        project: &mut Project<'_>,
        work: &mut Work<'_>,
    ) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        let mut since = Instant::now();
        let rooms = std::mem::take(&mut self.rooms().heard);
        let cross = self.decoder.listen_by(&mut self.bench().team, rooms, encoded, project, work)?;
        work.receipt.lap(Stage::CrossKeysValues, &mut since);
        work.receipt.ran_on(&self.device);
        Ok(Box::new(CpuDecoding::new(self, cross)))
    }

    /// The bench, for one pass or step. A panic in an earlier pass leaves nothing half done on it.
    fn bench(&self) -> MutexGuard<'_, Bench> {
        self.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model for CpuModel {
    fn dims(&self) -> &Dims {
        &self.dims
    }

    fn bytes(&self) -> u64 {
        (self.encoder.bytes() + self.decoder.bytes()) as u64
    }

    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError> {
        let (bins, most, width) = (self.dims.mel_bins, 2 * self.dims.audio_context, self.dims.audio_width);
        for Mel { bins: found, frames, values } in windows {
            let fits = *found == bins && frames % 2 == 0 && (2..=most).contains(frames);
            assert!(fits && values.len() == bins * frames, "a window of {frames} frames of {found} bins, not {bins}");
        }
        let positions: Vec<usize> = windows.iter().map(|mel| mel.frames / 2).collect();
        let mut values = vec![0.0; positions.iter().sum::<usize>() * width];
        let Bench { team, workspace } = &mut *self.bench();
        team.enter(|region| {
            let mut rest = values.as_mut_slice();
            for (window, positions) in windows.iter().zip(&positions) {
                let (out, behind) = rest.split_at_mut(positions * width);
                rest = behind;
                self.encoder.run(region, workspace, window, out, work)?;
                work.receipt.windows += 1;
                work.receipt.positions += *positions as u64;
            }
            Ok::<_, BackendError>(())
        })?;
        let operations = positions.iter().flat_map(|positions| self.dims.encoder_operations(*positions)).sum();
        work.receipt.did(&self.device, operations);
        // The last norm spreads what is not a number over its whole row, so one value of each row tells.
        if values.iter().step_by(width).any(|value| !value.is_finite()) {
            return Err(BackendError::NotANumber { place: "encoder output" });
        }
        Ok(Encoded::new(positions, values))
    }

    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        let mut since = Instant::now();
        let rooms = std::mem::take(&mut self.rooms().heard);
        let Bench { team, workspace } = &mut *self.bench();
        let cross = team.enter(|region| self.decoder.listen(region, workspace, rooms, encoded, work))?;
        work.receipt.lap(Stage::CrossKeysValues, &mut since);
        let operations = encoded.positions.iter().map(|positions| self.dims.cross_operations(*positions)).sum();
        work.receipt.did(&self.device, operations);
        Ok(Box::new(CpuDecoding::new(self, cross)))
    }
}
