//! The way of decoded frames into recordings: cut, mix down, resample, round, store, within the limits.

use std::ops::ControlFlow;

use super::downmix::Downmix;
use super::error::AudioError;
use super::options::{Channels, Limits, OpenOptions};
use super::recording::{Recording, SAMPLE_RATE, Source, Writer, round_sample};
use super::resample::Resampler;

/// How far reading has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Seconds of sound decoded.
    pub decoded: f64,
    /// Seconds in all, where the container says so.
    pub total: Option<f64>,
}

/// The function that hears of progress and may stop it.
pub(super) type Watch<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Samples between two reports of progress: one second.
const REPORT: u64 = SAMPLE_RATE as u64;

/// Lowest rate that is believed: below it a small file would become hours of sound.
const MIN_SAMPLE_RATE: u32 = 1000;

/// Most warnings that are kept of one kind of damage.
const WARNINGS: usize = 20;

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

/// Takes decoded frames and makes recordings of them.
pub(super) struct Intake<'a> {
    name: String,
    limits: &'a Limits,
    watch: Watch<'a>,
    wanted: Channels,
    /// One for each recording, equally long; none before the first frames.
    outputs: Vec<Output>,
    total: Option<f64>,
    reported: u64,
    warnings: Vec<String>,
    rate: u32,
    channels: usize,
    path: Path,
    /// Frames still to drop, at the rate of the input.
    skip: u64,
    integers: Vec<i16>,
    floats: Vec<f32>,
    resampled: Vec<i16>,
    resampled_floats: Vec<f32>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(name: &str, options: &'a OpenOptions, watch: Watch<'a>) -> Intake<'a> {
        Intake {
            name: name.to_owned(),
            limits: &options.limits,
            watch,
            wanted: options.channels,
            outputs: Vec::new(),
            total: None,
            reported: 0,
            warnings: Vec::new(),
            rate: SAMPLE_RATE,
            channels: 1,
            path: Path::Integer(Vec::new()),
            skip: 0,
            integers: Vec::new(),
            floats: Vec::new(),
            resampled: Vec::new(),
            resampled_floats: Vec::new(),
        }
    }

    /// States the shape of the frames that follow. A change of shape ends the old sound cleanly first.
    pub(super) fn shape(&mut self, rate: u32, channels: usize, mask: u64, integer: bool) -> Result<(), AudioError> {
        self.check_shape(rate, channels)?;
        let Some(mixes) = Downmix::wanted(self.wanted, channels, mask) else {
            return Err(AudioError::NoSuchChannel { name: self.name.clone(), channels });
        };
        let same_path = matches!(self.path, Path::Integer(_)) == integer;
        let same_mixes = self.outputs.iter().map(|output| &output.mix).eq(&mixes);
        if (rate, channels) == (self.rate, self.channels) && same_path && same_mixes {
            return Ok(());
        }
        self.flush()?;
        if self.outputs.is_empty() {
            let shares = mixes.len();
            let output = |mix| Output { mix, writer: Writer::new(&self.name, shares) };
            self.outputs = mixes.into_iter().map(output).collect();
        } else if self.outputs.len() == mixes.len() {
            self.outputs.iter_mut().zip(mixes).for_each(|(output, mix)| output.mix = mix);
        } else {
            return Err(AudioError::ChannelsChange { name: self.name.clone(), before: self.channels, now: channels });
        }
        self.rate = rate;
        self.channels = channels;
        self.path = if integer {
            Path::Integer(Resampler::new(rate).map_or_else(Vec::new, |resampler| vec![resampler; channels]))
        } else {
            let count = self.outputs.len();
            Path::Float(Resampler::new(rate).map_or_else(Vec::new, |resampler| vec![resampler; count]))
        };
        Ok(())
    }

    /// Refuses rates and channel counts outside the limits.
    pub(super) fn check_shape(&self, rate: u32, channels: usize) -> Result<(), AudioError> {
        let (what, value, limit) = if rate > self.limits.max_sample_rate {
            ("the sample rate", format!("{rate} Hz"), format!("{} Hz", self.limits.max_sample_rate))
        } else if channels as u64 > u64::from(self.limits.max_channels) {
            ("the number of channels", channels.to_string(), self.limits.max_channels.to_string())
        } else if rate < MIN_SAMPLE_RATE || channels == 0 {
            return Err(self.damaged("sound", format!("it claims {channels} channels at {rate} Hz")));
        } else {
            return Ok(());
        };
        Err(AudioError::LimitExceeded { name: self.name.clone(), what, value, limit })
    }

    /// Drops the next `skip` frames.
    pub(super) fn cut(&mut self, skip: u64) {
        self.skip = skip;
    }

    /// Seconds of what was to be dropped and never came.
    pub(super) fn uncut(&self) -> f64 {
        self.skip as f64 / f64::from(self.rate)
    }

    /// Seconds of sound that the container promises.
    pub(super) fn expect(&mut self, seconds: Option<f64>) {
        self.total = seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    }

    pub(super) fn warn(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Samples in each recording so far.
    pub(super) fn len(&self) -> u64 {
        self.outputs.first().map_or(0, |output| output.writer.len())
    }

    /// Interleaved 16-bit frames.
    pub(super) fn integers(&mut self, samples: &[i16]) -> Result<(), AudioError> {
        let kept = self.kept(samples.len());
        let samples = &samples[kept];
        match &mut self.path {
            Path::Integer(resamplers) if !resamplers.is_empty() => {
                resample_channels(resamplers, &mut self.integers, |channel, resampler, out| {
                    let plane: Vec<i16> = samples.iter().skip(channel).step_by(self.channels).copied().collect();
                    resampler.push(&plane, out);
                });
                let Intake { outputs, integers, resampled, .. } = self;
                outputs.iter_mut().try_for_each(|output| output.integers(integers, resampled))?;
            }
            _ => {
                let Intake { outputs, resampled, .. } = self;
                outputs.iter_mut().try_for_each(|output| output.integers(samples, resampled))?;
            }
        }
        self.stored()
    }

    /// Interleaved float frames; what is not a number is silence.
    pub(super) fn floats(&mut self, samples: &mut [f32]) -> Result<(), AudioError> {
        let kept = self.kept(samples.len());
        let samples = &mut samples[kept];
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
        self.stored()
    }

    /// `frames` of silence, in place of sound that could not be decoded.
    pub(super) fn silence(&mut self, frames: u64) -> Result<(), AudioError> {
        let mut left = frames;
        while left > 0 {
            let samples = left.min(4096) as usize * self.channels;
            left -= left.min(4096);
            match self.path {
                Path::Integer(_) => self.integers(&vec![0; samples])?,
                Path::Float(_) => self.floats(&mut vec![0.0; samples])?,
            }
        }
        Ok(())
    }

    /// The recordings, at least one.
    pub(super) fn finish(mut self, source: Source) -> Result<Vec<Recording>, AudioError> {
        self.flush()?;
        let decoded = self.len() as f64 / f64::from(SAMPLE_RATE);
        if (self.watch)(Progress { decoded, total: Some(decoded) }).is_break() {
            return Err(AudioError::Cancelled { name: self.name });
        }
        let writers = self.outputs.into_iter().map(|output| output.writer);
        let mut recordings = writers
            .map(|writer| writer.finish(source.clone(), self.warnings.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        if recordings.is_empty() {
            // Not one frame came, so nobody knows how many channels there are.
            recordings.push(Writer::new(&self.name, 1).finish(source, self.warnings)?);
        }
        Ok(recordings)
    }

    pub(super) fn damaged(&self, container: &str, reason: String) -> AudioError {
        AudioError::Damaged { name: self.name.clone(), container: container.to_owned(), reason }
    }

    /// Hands a report on to the caller.
    pub(super) fn ask(&mut self, progress: Progress) -> ControlFlow<()> {
        (self.watch)(progress)
    }

    /// Reports progress even when nothing was decoded, so that a caller can stop.
    pub(super) fn report(&mut self) -> Result<(), AudioError> {
        let decoded = self.len() as f64 / f64::from(SAMPLE_RATE);
        match (self.watch)(Progress { decoded, total: self.total.map(|total| total.max(decoded)) }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(AudioError::Cancelled { name: self.name.clone() }),
        }
    }

    /// The range of interleaved samples that the cut leaves of the next `samples`.
    fn kept(&mut self, samples: usize) -> std::ops::Range<usize> {
        let frames = samples / self.channels;
        let start = self.skip.min(frames as u64) as usize;
        self.skip -= start as u64;
        start * self.channels..frames * self.channels
    }

    fn flush(&mut self) -> Result<(), AudioError> {
        let Intake { outputs, integers, resampled, resampled_floats, .. } = self;
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
        self.stored()
    }

    /// Looks at the limit and reports, after frames were stored.
    fn stored(&mut self) -> Result<(), AudioError> {
        let len = self.len();
        if len as f64 > self.limits.max_duration * f64::from(SAMPLE_RATE) {
            return Err(AudioError::LimitExceeded {
                name: self.name.clone(),
                what: "the length",
                value: format!("more than {} s", len / u64::from(SAMPLE_RATE)),
                limit: format!("{} s", self.limits.max_duration),
            });
        }
        if len >= self.reported + REPORT {
            self.reported = len;
            self.report()?;
        }
        Ok(())
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
