//! A model whose encoder runs on an NPU as long as that is to be believed. The decoder is the CPU's, and so is every window that the
//! NPU did not encode as a whole.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use amanuensis::backend::cpu::CpuModel;
use amanuensis::backend::{BackendError, Decoding, Encoded, Model, Work};
use amanuensis::mel::Mel;
use amanuensis::model::Dims;
use amanuensis_kernels::Team;

use super::cross::CrossKeysValues;
use super::encoder::Encoder;
use super::layers::{Stop, device_of};
use super::mode::Mode;
use super::multiplier::Multiplier;
use super::record::Record;
use crate::trust::{Quarantine, Trust};

/// Windows that are encoded together, at most: the widest rows of four windows of the largest model take 123 MB.
const TOGETHER: usize = 4;

/// A device with a model's encoder on it, and who does the rest.
pub(super) struct Bench {
    pub(super) multiplier: Multiplier,
    pub(super) encoder: Encoder,
    pub(super) cross: CrossKeysValues,
    pub(super) team: Team,
    /// Which pack it is that multiplies.
    pub(super) pack: String,
    /// When its last canary lived.
    pub(super) proven: Instant,
}

/// A model on an NPU and the CPU.
pub(super) struct NpuModel {
    /// The backend's name.
    pub(super) name: &'static str,
    pub(super) mode: Mode,
    /// The whole model: it decodes, and encodes what the NPU does not.
    pub(super) cpu: CpuModel,
    /// The CPU as receipts name it.
    pub(super) cpu_name: String,
    /// Where linear layers run, or why nowhere.
    pub(super) bench: Result<Mutex<Bench>, String>,
    pub(super) trust: Quarantine,
    pub(super) canary_interval: Duration,
    pub(super) record: Arc<Record>,
}

/// Why the NPU did not encode a window.
enum Refused {
    /// It is not to be used, or failed.
    Device(String),
    /// Nobody would have.
    Work(BackendError),
}

impl NpuModel {
    /// Lets the device do something, if it is to be believed; if it fails it no longer is.
    fn there<T>(&self, run: impl FnOnce(&mut Bench) -> Result<T, Stop>) -> Result<T, Refused> {
        let bench = self.bench.as_ref().map_err(|reason| Refused::Device(reason.clone()))?;
        let mut bench = bench.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = bench.multiplier.generation();
        let admitted = self.trust.admit(generation);
        admitted.map_err(|reason| Refused::Device(format!("in quarantine: {reason}")))?;
        let condemned = |why: String| {
            self.trust.condemn(generation, why.as_str());
            self.record.thinks(self.trust.trust());
            Refused::Device(why)
        };
        if bench.proven.elapsed() >= self.canary_interval {
            let passed = bench.multiplier.fly().map_err(|finding| condemned(finding.to_string()))?;
            self.record.lived(&passed.receipts);
            bench.proven = Instant::now();
        }
        run(&mut bench).map_err(|stop| match stop {
            Stop::Device(error) => condemned(error.to_string()),
            Stop::Results(why) => condemned(why),
            Stop::Work(error) => Refused::Work(error),
            Stop::Model(error) => Refused::Work(error.into()),
        })
    }

    /// Encodes windows on the NPU, all of them or none. What is written into the receipt counts only if it did.
    fn encode_there(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Vec<f32>, Refused> {
        self.there(|Bench { multiplier, encoder, team, .. }| {
            let mut values = Vec::new();
            for windows in windows.chunks(TOGETHER) {
                values.extend(encoder.run(multiplier, team, windows, &self.cpu_name, work)?);
            }
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                let found = values[place];
                return Err(Stop::Results(format!("value {place} of the encoder's output is {found}")));
            }
            self.record.encoded(device_of(multiplier.origin()), windows.len());
            Ok(values)
        })
    }

    /// Lets the NPU make the keys and values of the cross-attention.
    fn begin_there<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, Refused> {
        self.there(|Bench { multiplier, cross, team, .. }| {
            let mut failed = None;
            let mut project = |layer: usize, out: &mut [f32], work: &mut Work<'_>| {
                cross.project(multiplier, team, layer, encoded, out, work).map_err(|stop| {
                    failed = Some(stop);
                    BackendError::Cancelled
                })
            };
            let begun = self.cpu.begin_by(encoded, &mut project, work);
            // What the layer said is more than the error that it was handed up with.
            begun.map_err(|error| failed.unwrap_or(Stop::Work(error)))
        })
    }

    /// Does a piece of work on the NPU, or, where that may be, on the CPU. A receipt says who made the result: what the NPU did
    /// of a piece that it did not finish is not in it.
    fn either<T>(
        &self,
        windows: usize,
        work: &mut Work<'_>,
        there: impl FnOnce(&mut Work<'_>) -> Result<T, Refused>,
        here: impl FnOnce(&mut Work<'_>) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let before = std::mem::take(&mut work.receipt);
        let outcome = there(work);
        let during = std::mem::replace(&mut work.receipt, before);
        let reason = match outcome {
            Ok(done) => {
                work.receipt.merge(&during);
                return Ok(done);
            }
            Err(Refused::Work(error)) => return Err(error),
            Err(Refused::Device(reason)) => reason,
        };
        if self.mode == Mode::Require {
            return Err(BackendError::Device { device: self.name, reason });
        }
        self.record.fell_back(&reason, windows);
        work.receipt.placement.fell_back(self.name, &reason, windows as u64);
        here(work)
    }
}

impl Model for NpuModel {
    fn dims(&self) -> &Dims {
        self.cpu.dims()
    }

    fn bytes(&self) -> u64 {
        self.cpu.bytes()
    }

    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError> {
        let dims = self.dims();
        for Mel { bins, frames, values } in windows {
            let fits = *bins == dims.mel_bins && frames % 2 == 0 && (2..=2 * dims.audio_context).contains(frames);
            assert!(fits && values.len() == bins * frames, "a window of {frames} frames of {bins} bins");
        }
        let there = |work: &mut Work<'_>| {
            let values = self.encode_there(windows, work)?;
            let positions: Vec<usize> = windows.iter().map(|mel| mel.frames / 2).collect();
            work.receipt.windows += windows.len() as u64;
            work.receipt.positions += positions.iter().sum::<usize>() as u64;
            Ok(Encoded::new(positions, values))
        };
        self.either(windows.len(), work, there, |work| self.cpu.encode(windows, work))
    }

    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        // Windows that were encoded by the CPU are its own from then on; why has been told.
        if self.bench.is_err() || matches!(self.trust.trust(), Trust::Quarantined(_)) && self.mode != Mode::Require {
            return self.cpu.begin(encoded, work);
        }
        let windows = encoded.positions.len();
        self.either(windows, work, |work| self.begin_there(encoded, work), |work| self.cpu.begin(encoded, work))
    }
}
