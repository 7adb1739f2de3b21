//! From the name of an input to its sound.

use std::ops::ControlFlow;
use std::path::Path;

use amanuensis::audio::{self, AudioError, Encoding, Input, Limits, OpenOptions, RawFormat, Recording};

use super::Stop;
use crate::args::{self, Ffmpeg, Sound};
use crate::interrupt;
use crate::outputs::STANDARD_STREAM;
use crate::progress::{Progress, Stage};

/// An input as messages call it.
pub(super) fn name(input: &Path) -> String {
    if input.as_os_str() == STANDARD_STREAM { "standard input".to_owned() } else { input.display().to_string() }
}

/// How inputs are opened by verbs that make one recording of each.
pub(super) fn options_for_one(asked: &Sound) -> Result<OpenOptions, Stop> {
    if asked.channels == args::Channels::Split {
        return Err(Stop::Usage(
            "--channels split is for transcribe and translate; here give mix, left or right".to_owned(),
        ));
    }
    options(asked)
}

/// How the inputs are opened.
pub(super) fn options(asked: &Sound) -> Result<OpenOptions, Stop> {
    let raw = match &asked.raw {
        None => None,
        Some(name) => Some(RawFormat {
            encoding: Encoding::from_name(name).ok_or_else(|| unknown_encoding(name))?,
            sample_rate: asked.raw_rate,
            channels: asked.raw_channels,
        }),
    };
    Ok(OpenOptions {
        raw,
        limits: Limits { max_duration: asked.max_duration, ..Limits::default() },
        ffmpeg: match asked.ffmpeg {
            Ffmpeg::Never => audio::FfmpegPolicy::Never,
            Ffmpeg::IfNeeded => audio::FfmpegPolicy::IfNeeded,
            Ffmpeg::Always => audio::FfmpegPolicy::Always,
        },
        channels: match asked.channels {
            args::Channels::Mix => audio::Channels::Mix,
            args::Channels::Left => audio::Channels::Left,
            args::Channels::Right => audio::Channels::Right,
            args::Channels::Split => audio::Channels::Split,
        },
        ..OpenOptions::default()
    })
}

pub(super) fn unknown_encoding(name: &str) -> Stop {
    let known: Vec<&str> = Encoding::NAMES.iter().map(|(name, _)| *name).collect();
    Stop::Usage(format!("`{name}` is not an encoding of raw sound; there are {}", known.join(", ")))
}

/// Where the sound of an input comes from.
pub(super) fn source(input: &Path) -> Input {
    if input.as_os_str() == STANDARD_STREAM { Input::Stdin } else { Input::Path(input.to_owned()) }
}

/// Reads the sound of an input to its end, or until Ctrl-C, as one recording.
pub(super) fn open(input: &Path, options: &OpenOptions, progress: &mut Progress) -> Result<Recording, AudioError> {
    progress.begin(&name(input), Stage::Read);
    let mut on_progress = |state: audio::Progress| {
        progress.update(state.decoded, state.total);
        if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let read = interrupt::while_reading(|| audio::open(&source(input), options, &mut on_progress));
    progress.end();
    read
}
