//! The way of decoded frames into recordings: what is to be cut is cut, limits are kept, and the mill does the rest.

use std::ops::ControlFlow;

use super::downmix::Downmix;
use super::error::AudioError;
use super::mill::{Mill, Shape};
use super::options::{Channels, Limits, OpenOptions};
use super::recording::{Recording, SAMPLE_RATE, Source, Writer};

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

/// Seconds of sound between two reports of progress.
const REPORT: f64 = 1.0;

/// Lowest rate that is believed: below it a small file would become hours of sound.
const MIN_SAMPLE_RATE: u32 = 1000;

/// Most warnings that are kept of one kind of damage.
const WARNINGS: usize = 20;

/// Takes decoded frames and makes recordings of them.
pub(super) struct Intake<'a> {
    name: String,
    limits: &'a Limits,
    watch: Watch<'a>,
    wanted: Channels,
    mill: Mill,
    total: Option<f64>,
    /// Frames of this shape that were given to the mill, and seconds of other shapes before them.
    frames: u64,
    before: f64,
    /// Seconds of which progress was reported.
    reported: f64,
    warnings: Vec<String>,
    rate: u32,
    channels: usize,
    /// Whether the samples are 16-bit integers.
    integer: bool,
    /// One for each recording; none before the first frames.
    mixes: Vec<Downmix>,
    /// Frames still to drop, at the rate of the input.
    skip: u64,
}

impl<'a> Intake<'a> {
    pub(super) fn new(name: &str, options: &'a OpenOptions, watch: Watch<'a>) -> Result<Intake<'a>, AudioError> {
        Ok(Intake {
            name: name.to_owned(),
            limits: &options.limits,
            watch,
            wanted: options.channels,
            mill: Mill::new(name, options.limits.max_duration)?,
            total: None,
            frames: 0,
            before: 0.0,
            reported: 0.0,
            warnings: Vec::new(),
            rate: SAMPLE_RATE,
            channels: 1,
            integer: true,
            mixes: Vec::new(),
            skip: 0,
        })
    }

    /// States the shape of the frames that follow. A change of shape ends the old sound cleanly first.
    pub(super) fn shape(&mut self, rate: u32, channels: usize, mask: u64, integer: bool) -> Result<(), AudioError> {
        self.check_shape(rate, channels)?;
        let Some(mixes) = Downmix::wanted(self.wanted, channels, mask) else {
            return Err(AudioError::NoSuchChannel { name: self.name.clone(), channels });
        };
        if (rate, channels, integer) == (self.rate, self.channels, self.integer) && self.mixes == mixes {
            return Ok(());
        }
        if !self.mixes.is_empty() && self.mixes.len() != mixes.len() {
            return Err(AudioError::ChannelsChange { name: self.name.clone(), before: self.channels, now: channels });
        }
        (self.before, self.frames) = (self.decoded(), 0);
        (self.rate, self.channels, self.integer) = (rate, channels, integer);
        self.mixes.clone_from(&mixes);
        self.mill.shape(Shape { rate, channels, integer, mixes })
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
    pub(super) fn len(&mut self) -> Result<u64, AudioError> {
        self.mill.stored()
    }

    /// Interleaved 16-bit frames.
    pub(super) fn integers(&mut self, samples: &[i16]) -> Result<(), AudioError> {
        let kept = self.kept(samples.len());
        self.mill.integers(&samples[kept])?;
        self.report_now_and_then()
    }

    /// Interleaved float frames; what is not a number is silence.
    pub(super) fn floats(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        let kept = self.kept(samples.len());
        self.mill.floats(&samples[kept])?;
        self.report_now_and_then()
    }

    /// `frames` of silence, in place of sound that could not be decoded.
    pub(super) fn silence(&mut self, frames: u64) -> Result<(), AudioError> {
        let mut left = frames;
        while left > 0 {
            let samples = left.min(4096) as usize * self.channels;
            left -= left.min(4096);
            if self.integer { self.integers(&vec![0; samples])? } else { self.floats(&vec![0.0; samples])? }
        }
        Ok(())
    }

    /// The recordings, at least one.
    pub(super) fn finish(self, source: Source) -> Result<Vec<Recording>, AudioError> {
        let writers = self.mill.finish()?;
        // A filter may end a sample early.
        let decoded = (writers.first().map_or(0, Writer::len) as f64 / f64::from(SAMPLE_RATE)).max(self.reported);
        if (self.watch)(Progress { decoded, total: Some(decoded) }).is_break() {
            return Err(AudioError::Cancelled { name: self.name });
        }
        let mut recordings = writers
            .into_iter()
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
        let decoded = self.decoded();
        self.reported = decoded;
        match (self.watch)(Progress { decoded, total: self.total.map(|total| total.max(decoded)) }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(AudioError::Cancelled { name: self.name.clone() }),
        }
    }

    /// Seconds that were given to the mill.
    fn decoded(&self) -> f64 {
        self.before + self.frames as f64 / f64::from(self.rate)
    }

    /// The range of interleaved samples that the cut leaves of the next `samples`.
    fn kept(&mut self, samples: usize) -> std::ops::Range<usize> {
        let frames = samples / self.channels;
        let start = self.skip.min(frames as u64) as usize;
        self.skip -= start as u64;
        self.frames += (frames - start) as u64;
        start * self.channels..frames * self.channels
    }

    fn report_now_and_then(&mut self) -> Result<(), AudioError> {
        if self.decoded() >= self.reported + REPORT { self.report() } else { Ok(()) }
    }
}
