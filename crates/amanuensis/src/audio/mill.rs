//! The mill: frames are mixed down, resampled, rounded and stored, on a thread of its own beside the decoder.
//!
//! It is a fifth of the work of reading Opus, and more of that of codecs which are simpler to decode.

use std::io;
use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::downmix::Downmix;
use super::error::AudioError;
use super::recording::{SAMPLE_RATE, Writer, round_sample};
use super::resample::Resampler;

/// Samples that are handed over at a time: a sixth of a second of stereo at 48 kHz. A handover costs some microseconds.
const PIECE: usize = 16 << 10;
/// Pieces that may wait for the mill.
const WAITING: usize = 4;

/// The shape of frames, and what becomes of them.
pub(super) struct Shape {
    pub(super) rate: u32,
    pub(super) channels: usize,
    /// Whether the samples are 16-bit integers.
    pub(super) integer: bool,
    /// One for each recording.
    pub(super) mixes: Vec<Downmix>,
}

/// What is brought to the mill.
enum Grist {
    Shape(Shape),
    /// Interleaved samples.
    Integers(Vec<i16>),
    Floats(Vec<f32>),
    /// Somebody wants to know how many samples each recording has when all before it is ground.
    Tell(Sender<u64>),
}

/// The mill as its customer sees it.
pub(super) struct Mill {
    name: String,
    /// What is not handed over yet, of one kind.
    piece: Grist,
    door: Option<SyncSender<Grist>>,
    /// Emptied pieces, to be filled again.
    emptied: Receiver<Grist>,
    stones: Option<JoinHandle<Result<Vec<Writer>, AudioError>>>,
}

impl Mill {
    /// A mill for one sound, that refuses more than `max_duration` seconds of it.
    pub(super) fn new(name: &str, max_duration: f64) -> Result<Mill, AudioError> {
        let (door, brought) = sync_channel(WAITING);
        let (back, emptied) = channel();
        let mut stones = Stones::new(name, max_duration);
        let life = move || {
            for grist in brought {
                if let Some(emptied) = stones.grind(grist)? {
                    // Nobody wants it any more if the customer has left.
                    let _ = back.send(emptied);
                }
            }
            stones.finish()
        };
        let stones = Builder::new().name("sound".into()).spawn(life);
        let stones = stones.map_err(|reason| starting(name, reason))?;
        let piece = Grist::Integers(Vec::new());
        Ok(Mill { name: name.to_owned(), piece, door: Some(door), emptied, stones: Some(stones) })
    }

    /// States the shape of the frames that follow, and ends those before cleanly.
    pub(super) fn shape(&mut self, shape: Shape) -> Result<(), AudioError> {
        self.hand_over()?;
        self.bring(Grist::Shape(shape))
    }

    /// Interleaved 16-bit frames.
    pub(super) fn integers(&mut self, samples: &[i16]) -> Result<(), AudioError> {
        match &mut self.piece {
            Grist::Integers(piece) => piece.extend_from_slice(samples),
            _ => {
                self.hand_over()?;
                self.piece = Grist::Integers(samples.to_vec());
            }
        }
        self.hand_over_if_full()
    }

    /// Interleaved float frames.
    pub(super) fn floats(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        match &mut self.piece {
            Grist::Floats(piece) => piece.extend_from_slice(samples),
            _ => {
                self.hand_over()?;
                self.piece = Grist::Floats(samples.to_vec());
            }
        }
        self.hand_over_if_full()
    }

    /// Samples stored in each recording, once nothing is on its way any more but what a filter holds back.
    pub(super) fn stored(&mut self) -> Result<u64, AudioError> {
        let (tell, told) = channel();
        self.hand_over()?;
        self.bring(Grist::Tell(tell))?;
        match told.recv() {
            Ok(samples) => Ok(samples),
            // Stones that broke before they could tell have left why.
            Err(_) => self.ended().map(|writers| writers.first().map_or(0, Writer::len)),
        }
    }

    /// Grinds the rest. The recordings, none if no frames came.
    pub(super) fn finish(mut self) -> Result<Vec<Writer>, AudioError> {
        self.hand_over()?;
        self.ended()
    }

    fn hand_over_if_full(&mut self) -> Result<(), AudioError> {
        let samples = match &self.piece {
            Grist::Integers(piece) => piece.len(),
            Grist::Floats(piece) => piece.len(),
            _ => 0,
        };
        if samples < PIECE { Ok(()) } else { self.hand_over() }
    }

    fn hand_over(&mut self) -> Result<(), AudioError> {
        if matches!(&self.piece, Grist::Integers(piece) if piece.is_empty()) {
            return Ok(());
        }
        let empty = self.emptied.try_recv().unwrap_or(Grist::Integers(Vec::new()));
        let piece = mem::replace(&mut self.piece, empty);
        self.bring(piece)
    }

    fn bring(&mut self, grist: Grist) -> Result<(), AudioError> {
        match &self.door {
            Some(door) if door.send(grist).is_ok() => Ok(()),
            // It takes nothing any more: it has said why.
            _ => self.ended().map(drop),
        }
    }

    /// What came of it, once it has ended.
    fn ended(&mut self) -> Result<Vec<Writer>, AudioError> {
        self.door = None;
        match self.stones.take() {
            Some(stones) => stones.join().unwrap_or_else(|panic| resume_unwind(panic)),
            None => Err(starting(&self.name, io::Error::other("it has ended"))),
        }
    }
}

impl Drop for Mill {
    fn drop(&mut self) {
        self.door = None;
        // Whoever leaves early does not want to know what came of it.
        let _ = self.stones.take().map(JoinHandle::join);
    }
}

fn starting(name: &str, reason: io::Error) -> AudioError {
    AudioError::Io { name: name.to_owned(), action: "starting a thread that stores its sound", reason }
}

/// Decoded frames of one shape, in the arithmetic that ffmpeg would use on them.
enum Path {
    /// One resampler for every channel, none at 16 kHz: ffmpeg resamples before it mixes, and integers are rounded
    /// both times.
    Integer(Vec<Resampler<i16>>),
    /// One resampler for every recording, none at 16 kHz: for floats mixing may as well come first.
    Float(Vec<Resampler<f32>>),
}

/// A recording in the making, and what of the frames it is made of.
struct Output {
    mix: Downmix,
    writer: Writer,
}

/// What grinds.
struct Stones {
    name: String,
    max_duration: f64,
    /// One for each recording, equally long; none before the first frames.
    outputs: Vec<Output>,
    channels: usize,
    path: Path,
    integers: Vec<i16>,
    floats: Vec<f32>,
    resampled: Vec<i16>,
    resampled_floats: Vec<f32>,
}

impl Stones {
    fn new(name: &str, max_duration: f64) -> Stones {
        Stones {
            name: name.to_owned(),
            max_duration,
            outputs: Vec::new(),
            channels: 1,
            path: Path::Integer(Vec::new()),
            integers: Vec::new(),
            floats: Vec::new(),
            resampled: Vec::new(),
            resampled_floats: Vec::new(),
        }
    }

    /// Grinds what was brought; what it came in, emptied.
    fn grind(&mut self, grist: Grist) -> Result<Option<Grist>, AudioError> {
        match grist {
            Grist::Shape(shape) => self.shape(shape)?,
            Grist::Integers(mut samples) => {
                self.integers(&samples)?;
                samples.clear();
                return Ok(Some(Grist::Integers(samples)));
            }
            Grist::Floats(mut samples) => {
                self.floats(&mut samples)?;
                samples.clear();
                return Ok(Some(Grist::Floats(samples)));
            }
            // Who does not listen any more need not know.
            Grist::Tell(tell) => drop(tell.send(self.len())),
        }
        Ok(None)
    }

    fn shape(&mut self, Shape { rate, channels, integer, mixes }: Shape) -> Result<(), AudioError> {
        self.flush()?;
        if self.outputs.is_empty() {
            let shares = mixes.len();
            let output = |mix| Output { mix, writer: Writer::new(&self.name, shares) };
            self.outputs = mixes.into_iter().map(output).collect();
        } else {
            self.outputs.iter_mut().zip(mixes).for_each(|(output, mix)| output.mix = mix);
        }
        self.channels = channels;
        self.path = if integer {
            Path::Integer(Resampler::new(rate).map_or_else(Vec::new, |resampler| vec![resampler; channels]))
        } else {
            let count = self.outputs.len();
            Path::Float(Resampler::new(rate).map_or_else(Vec::new, |resampler| vec![resampler; count]))
        };
        Ok(())
    }

    fn integers(&mut self, samples: &[i16]) -> Result<(), AudioError> {
        match &mut self.path {
            Path::Integer(resamplers) if !resamplers.is_empty() => {
                resample_channels(resamplers, &mut self.integers, |channel, resampler, out| {
                    let plane: Vec<i16> = samples.iter().skip(channel).step_by(self.channels).copied().collect();
                    resampler.push(&plane, out);
                });
                let Stones { outputs, integers, resampled, .. } = self;
                outputs.iter_mut().try_for_each(|output| output.integers(integers, resampled))?;
            }
            _ => {
                let Stones { outputs, resampled, .. } = self;
                outputs.iter_mut().try_for_each(|output| output.integers(samples, resampled))?;
            }
        }
        self.check()
    }

    /// What is not a number is silence.
    fn floats(&mut self, samples: &mut [f32]) -> Result<(), AudioError> {
        for sample in samples.iter_mut() {
            if !sample.is_finite() {
                *sample = 0.0;
            }
        }
        for (place, output) in self.outputs.iter_mut().enumerate() {
            output.mix.floats(samples, &mut self.floats);
            let resampler = match &mut self.path {
                Path::Float(resamplers) => resamplers.get_mut(place),
                Path::Integer(_) => None,
            };
            let floats = match resampler {
                Some(resampler) => {
                    self.resampled_floats.clear();
                    resampler.push(&self.floats, &mut self.resampled_floats);
                    &self.resampled_floats
                }
                None => &self.floats,
            };
            output.floats(floats, &mut self.resampled)?;
        }
        self.check()
    }

    fn flush(&mut self) -> Result<(), AudioError> {
        let Stones { outputs, integers, resampled, resampled_floats, .. } = self;
        match &mut self.path {
            Path::Integer(resamplers) if !resamplers.is_empty() => {
                resample_channels(resamplers, integers, |_, resampler, out| resampler.finish(out));
                outputs.iter_mut().try_for_each(|output| output.integers(integers, resampled))?;
            }
            Path::Integer(_) => {}
            Path::Float(resamplers) => {
                for (output, resampler) in outputs.iter_mut().zip(resamplers) {
                    resampled_floats.clear();
                    resampler.finish(resampled_floats);
                    output.floats(resampled_floats, resampled)?;
                }
            }
        }
        self.path = Path::Integer(Vec::new());
        self.check()
    }

    fn len(&self) -> u64 {
        self.outputs.first().map_or(0, |output| output.writer.len())
    }

    /// Refuses more than is allowed, after frames were stored.
    fn check(&self) -> Result<(), AudioError> {
        let len = self.len();
        if len as f64 > self.max_duration * f64::from(SAMPLE_RATE) {
            return Err(AudioError::LimitExceeded {
                name: self.name.clone(),
                what: "the length",
                value: format!("more than {} s", len / u64::from(SAMPLE_RATE)),
                limit: format!("{} s", self.max_duration),
            });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Writer>, AudioError> {
        self.flush()?;
        Ok(self.outputs.into_iter().map(|output| output.writer).collect())
    }
}

impl Output {
    /// Stores interleaved frames at 16 kHz, mixed in `room`.
    fn integers(&mut self, frames: &[i16], room: &mut Vec<i16>) -> Result<(), AudioError> {
        self.mix.integers(frames, room);
        self.writer.push(room)
    }

    /// Stores samples at 16 kHz, rounded in `room`.
    fn floats(&mut self, samples: &[f32], room: &mut Vec<i16>) -> Result<(), AudioError> {
        room.clear();
        room.extend(samples.iter().map(|&sample| round_sample(sample)));
        self.writer.push(room)
    }
}

/// Runs every channel's resampler and interleaves what they give, which is equally much.
fn resample_channels(
    resamplers: &mut [Resampler<i16>],
    interleaved: &mut Vec<i16>,
    mut run: impl FnMut(usize, &mut Resampler<i16>, &mut Vec<i16>),
) {
    let count = resamplers.len();
    let mut plane = Vec::new();
    interleaved.clear();
    for (channel, resampler) in resamplers.iter_mut().enumerate() {
        plane.clear();
        run(channel, resampler, &mut plane);
        interleaved.resize(plane.len() * count, 0);
        for (frame, &sample) in interleaved.chunks_exact_mut(count).zip(&plane) {
            frame[channel] = sample;
        }
    }
}
