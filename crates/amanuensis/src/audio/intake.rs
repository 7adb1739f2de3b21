//! The way of decoded frames into a recording: cut, mix down, resample, round, store, within the limits.

use std::ops::ControlFlow;

use super::downmix::Downmix;
use super::error::AudioError;
use super::options::Limits;
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
    /// One resampler after mixing, none at 16 kHz: for floats the order makes no difference.
    Float(Option<Resampler<f32>>),
}

/// Takes decoded frames and makes a recording of them.
pub(super) struct Intake<'a> {
    name: String,
    limits: &'a Limits,
    watch: Watch<'a>,
    writer: Writer,
    total: Option<f64>,
    reported: u64,
    warnings: Vec<String>,
    rate: u32,
    channels: usize,
    mix: Downmix,
    path: Path,
    /// Frames still to drop, at the rate of the input.
    skip: u64,
    integers: Vec<i16>,
    floats: Vec<f32>,
    resampled: Vec<i16>,
    resampled_floats: Vec<f32>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(name: &str, limits: &'a Limits, watch: Watch<'a>) -> Intake<'a> {
        Intake {
            name: name.to_owned(),
            limits,
            watch,
            writer: Writer::new(name),
            total: None,
            reported: 0,
            warnings: Vec::new(),
            rate: SAMPLE_RATE,
            channels: 1,
            mix: Downmix::new(1, 0),
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
        let mix = Downmix::new(channels.max(1), mask);
        let same_path = matches!(self.path, Path::Integer(_)) == integer;
        if (rate, channels, &mix) == (self.rate, self.channels, &self.mix) && same_path {
            return Ok(());
        }
        self.check_shape(rate, channels)?;
        self.flush()?;
        self.rate = rate;
        self.channels = channels;
        self.mix = mix;
        self.path = if integer {
            Path::Integer(Resampler::new(rate).map_or_else(Vec::new, |resampler| vec![resampler; channels]))
        } else {
            Path::Float(Resampler::new(rate))
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

    /// Samples in the recording so far.
    pub(super) fn len(&self) -> u64 {
        self.writer.len()
    }

    /// Interleaved 16-bit frames.
    pub(super) fn integers(&mut self, samples: &[i16]) -> Result<(), AudioError> {
        let kept = self.kept(samples.len());
        match &mut self.path {
            Path::Integer(resamplers) if !resamplers.is_empty() => {
                let samples = &samples[kept];
                resample_channels(resamplers, &mut self.integers, |channel, resampler, out| {
                    let plane: Vec<i16> = samples.iter().skip(channel).step_by(self.channels).copied().collect();
                    resampler.push(&plane, out);
                });
                self.mix.integers(&self.integers, &mut self.resampled);
            }
            _ => self.mix.integers(&samples[kept], &mut self.resampled),
        }
        self.store()
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
        self.mix.floats(samples, &mut self.floats);
        self.resampled_floats.clear();
        match &mut self.path {
            Path::Float(Some(resampler)) => resampler.push(&self.floats, &mut self.resampled_floats),
            _ => self.resampled_floats.extend_from_slice(&self.floats),
        }
        self.round();
        self.store()
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

    pub(super) fn finish(mut self, source: Source) -> Result<Recording, AudioError> {
        self.flush()?;
        let decoded = self.writer.len() as f64 / f64::from(SAMPLE_RATE);
        if (self.watch)(Progress { decoded, total: Some(decoded) }).is_break() {
            return Err(AudioError::Cancelled { name: self.name });
        }
        self.writer.finish(source, self.warnings)
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
        let decoded = self.writer.len() as f64 / f64::from(SAMPLE_RATE);
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
        self.resampled.clear();
        self.resampled_floats.clear();
        match &mut self.path {
            Path::Integer(resamplers) if !resamplers.is_empty() => {
                resample_channels(resamplers, &mut self.integers, |_, resampler, out| resampler.finish(out));
                self.mix.integers(&self.integers, &mut self.resampled);
            }
            Path::Float(Some(resampler)) => resampler.finish(&mut self.resampled_floats),
            _ => {}
        }
        if let Path::Float(_) = self.path {
            self.round();
        }
        self.path = Path::Integer(Vec::new());
        self.store()
    }

    fn round(&mut self) {
        self.resampled.clear();
        self.resampled.extend(self.resampled_floats.iter().map(|&sample| round_sample(sample)));
    }

    fn store(&mut self) -> Result<(), AudioError> {
        self.writer.push(&self.resampled)?;
        let len = self.writer.len();
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
