//! What can go wrong between a name and a recording, and what to do about it.

use std::path::PathBuf;

/// Why a sound could not be opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// There is nothing at the path.
    #[error("{}: no such file", path.display())]
    NotFound {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The path names a directory.
    #[error("{}: is a directory; name the sound files in it", path.display())]
    Directory {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The input has no bytes at all.
    #[error("{name}: is empty (0 bytes)")]
    Empty {
        /// The input as a person would name it.
        name: String,
    },
    /// The content is not of a container that is known.
    #[error("{name}: not a sound file that is known ({detail})")]
    UnknownFormat {
        /// The input as a person would name it.
        name: String,
        /// What was tried, and what else could read it.
        detail: String,
    },
    /// The container is understood and holds no sound.
    #[error("{name}: this {container} file has no sound in it")]
    NoSound {
        /// The input as a person would name it.
        name: String,
        /// The container.
        container: String,
    },
    /// The container is understood, its codec is not.
    #[error("{name}: no built-in decoder for {codec} in {container}; {advice}")]
    UnsupportedCodec {
        /// The input as a person would name it.
        name: String,
        /// The codec.
        codec: String,
        /// The container that holds it.
        container: String,
        /// Whether ffmpeg could read it, and why it did not.
        advice: String,
    },
    /// The file claims a known format and breaks its rules before any sound could be decoded.
    #[error("{name}: damaged {container} file: {reason}")]
    Damaged {
        /// The input as a person would name it.
        name: String,
        /// The container.
        container: String,
        /// The rule that was broken, and where; then whether ffmpeg was tried, and why not.
        reason: String,
    },
    /// A limit of [`Limits`](super::Limits) was reached.
    #[error("{name}: {what} is {value}, over the limit of {limit}; raise the limit to read it")]
    LimitExceeded {
        /// The input as a person would name it.
        name: String,
        /// Which limit.
        what: &'static str,
        /// What the input has, or had reached when reading stopped.
        value: String,
        /// What is allowed.
        limit: String,
    },
    /// A channel was asked for that the input does not have.
    #[error("{name}: has {} and no right one; leave the choice of channels out, or ask for the left one", counted(*.channels))]
    NoSuchChannel {
        /// The input as a person would name it.
        name: String,
        /// How many it has.
        channels: usize,
    },
    /// Channels cannot be told apart through the whole sound.
    #[error("{name}: goes on with {} after {}, so it cannot be split; ask for the mix", counted(*.now), counted(*.before))]
    ChannelsChange {
        /// The input as a person would name it.
        name: String,
        /// How many it had.
        before: usize,
        /// How many it goes on with.
        now: usize,
    },
    /// Each channel was to be a recording, where there is room for one.
    #[error(
        "{name}: split into its channels it is several recordings, which `open_channels` gives and `open` does not"
    )]
    Split {
        /// The input as a person would name it.
        name: String,
    },
    /// The ffmpeg program was started and could not read the input.
    #[error("{name}: {program} could not read it: {message}")]
    Ffmpeg {
        /// The input as a person would name it.
        name: String,
        /// The program that was run.
        program: String,
        /// The last lines it wrote to standard error.
        message: String,
    },
    /// The operating system refused to read or write.
    #[error("{name}: {action}: {reason}")]
    Io {
        /// The input as a person would name it.
        name: String,
        /// What was being done.
        action: &'static str,
        /// The answer of the operating system.
        reason: std::io::Error,
    },
    /// The caller's progress function asked to stop.
    #[error("{name}: reading was cancelled")]
    Cancelled {
        /// The input as a person would name it.
        name: String,
    },
}

fn counted(count: usize) -> String {
    if count == 1 { "one channel".to_owned() } else { format!("{count} channels") }
}
