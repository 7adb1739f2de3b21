//! Sound in: any file becomes a [`Recording`] of 16 kHz mono, or one of each channel.

mod aac;
mod codec;
mod container;
mod downmix;
mod error;
mod ffmpeg;
mod flac;
mod input;
mod intake;
mod matroska;
mod mill;
mod mp4;
mod options;
mod opus;
mod pcm;
mod recording;
mod resample;
mod stream;
mod trim;
mod wav;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub use error::AudioError;
pub use input::Input;
pub use intake::Progress;
pub use options::{Channels, Encoding, FfmpegPolicy, Limits, OpenOptions, RawFormat};
pub use recording::{Decoder, Recording, SAMPLE_RATE, Sound, Source};
pub use stream::Stream;

use ffmpeg::Failure;
use input::Media;
use intake::Intake;

/// Decodes a sound into a recording.
///
/// The format is recognised by content. `progress` hears about every second of decoded sound and may stop the work.
/// A file that breaks off or has damaged places gives what could be decoded, and [`Recording::warnings`] says so; a
/// file of which nothing can be decoded is an error. A valid file without samples is an empty recording.
pub fn open(
    input: &Input,
    options: &OpenOptions,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Recording, AudioError> {
    let split = || AudioError::Split { name: input.name() };
    if options.channels == Channels::Split {
        return Err(split());
    }
    open_channels(input, options, progress)?.pop().ok_or_else(split)
}

/// Decodes a sound once into a recording of each channel that `options` asks for: all of them where they are to be split,
/// else one.
///
/// The recordings are equally long and have the same source and warnings. Otherwise as [`open`].
pub fn open_channels(
    input: &Input,
    options: &OpenOptions,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Recording>, AudioError> {
    let name = input.name();
    if let Some(raw) = options.raw {
        let mut intake = Intake::new(&name, options, progress)?;
        intake.check_shape(raw.sample_rate, raw.channels as usize)?;
        // Samples without a header need no seeking: a pipe is read as it comes.
        let source = match input {
            Input::Stdin => pcm::decode_raw(std::io::stdin().lock(), &name, raw, &mut intake)?,
            _ => {
                let media = input.media(&options.limits, &mut |progress| intake.ask(progress))?;
                pcm::decode_raw(media, &name, raw, &mut intake)?
            }
        };
        return intake.finish(source);
    }
    let media = input.media(&options.limits, progress)?;
    if options.ffmpeg == FfmpegPolicy::Always {
        return ffmpeg::decode(&media, &name, options, progress).map_err(|failure| match failure {
            Failure::Audio(error) => error,
            Failure::NotInstalled(program) => AudioError::Ffmpeg { name, program, message: "not installed".into() },
            Failure::Refused(message) => AudioError::Ffmpeg { name, program: "ffmpeg".into(), message },
        });
    }
    let error = match native(&media, &name, options, progress) {
        Err(error) if is_foreign(&error) => error,
        other => return other,
    };
    if options.ffmpeg == FfmpegPolicy::Never {
        return Err(advise(error, "ffmpeg may read it, but running ffmpeg is not allowed".into()));
    }
    match ffmpeg::decode(&media, &name, options, progress) {
        Ok(recordings) => Ok(recordings),
        Err(Failure::Audio(error)) => Err(error),
        Err(Failure::NotInstalled(program)) => {
            Err(advise(error, format!("ffmpeg may read it, but `{program}` is not installed")))
        }
        Err(Failure::Refused(message)) => Err(advise(error, format!("ffmpeg cannot read it either: {message}"))),
    }
}

/// Whether another program might read what we could not.
fn is_foreign(error: &AudioError) -> bool {
    use AudioError::{Damaged, UnknownFormat, UnsupportedCodec};
    matches!(error, UnknownFormat { .. } | UnsupportedCodec { .. } | Damaged { .. })
}

/// The error with what another program could do about it.
fn advise(mut error: AudioError, advice: String) -> AudioError {
    match &mut error {
        AudioError::UnsupportedCodec { advice: place, .. } => *place = advice,
        AudioError::UnknownFormat { detail, .. } => *detail = format!("{detail}; {advice}"),
        AudioError::Damaged { reason, .. } => *reason = format!("{reason}; {advice}"),
        _ => {}
    }
    error
}

/// Decodes with what is built in. A panic of a decoder ends here as an error; one of `progress` goes on to the caller,
/// whose it is.
fn native(
    media: &Media,
    name: &str,
    options: &OpenOptions,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Recording>, AudioError> {
    let mut panic = None;
    let mut watch = |heard| {
        catch_unwind(AssertUnwindSafe(|| progress(heard))).unwrap_or_else(|payload| {
            panic = Some(payload);
            ControlFlow::Break(())
        })
    };
    let work = AssertUnwindSafe(|| {
        let mut intake = Intake::new(name, options, &mut watch)?;
        let io = |source| AudioError::Io { name: name.to_owned(), action: "reading", reason: source };
        let media = &media.after_tags().map_err(io)?;
        let head = media.peek(0, 16).map_err(io)?;
        if wav::is_wave(&head)
            && let Some(source) = wav::decode(media, name, &mut intake)?
        {
            return intake.finish(source);
        }
        if let Some(source) = flac::without_frames(media, name) {
            return intake.finish(source);
        }
        if let Some(what) = container::foreign_stream(media).map_err(io)? {
            return Err(AudioError::UnknownFormat { name: name.to_owned(), detail: what.into() });
        }
        let source = container::decode(media, name, &options.limits, &mut intake)?;
        intake.finish(source)
    });
    let result = catch_unwind(work);
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
    result.unwrap_or_else(|_| {
        Err(AudioError::Damaged {
            name: name.to_owned(),
            container: "sound".into(),
            reason: "its decoder failed on it".into(),
        })
    })
}
