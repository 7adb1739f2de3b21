//! How a sound is opened: the shape of raw samples, the limits, and what ffmpeg may do.

use std::path::PathBuf;

/// How to open a sound.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The input has no header: its bytes are samples of this shape.
    pub raw: Option<RawFormat>,
    /// Which of its channels become recordings.
    pub channels: Channels,
    /// Where reading stops.
    pub limits: Limits,
    /// When the ffmpeg program may be run.
    pub ffmpeg: FfmpegPolicy,
    /// The ffmpeg program; `ffmpeg` on the search path when absent.
    pub ffmpeg_program: Option<PathBuf>,
}

/// Which channels of a sound become recordings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channels {
    /// All of them, mixed as ffmpeg's `-ac 1` mixes them.
    #[default]
    Mix,
    /// The front left one alone; of a sound with one channel that one.
    Left,
    /// The front right one alone; a sound with one channel has none.
    Right,
    /// Each one alone. This makes several recordings: [`open_channels`](super::open_channels).
    Split,
}

/// When the ffmpeg program may be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FfmpegPolicy {
    /// Not at all: what the built-in decoders cannot read is an error.
    Never,
    /// For what the built-in decoders cannot read, if the program is there: a container or codec that they do not know,
    /// or a file so damaged that they get no sound from it.
    #[default]
    IfNeeded,
    /// For everything that is not raw.
    Always,
}

/// Bounds on what a file may make the process do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest sound, in seconds.
    pub max_duration: f64,
    /// Highest sample rate, in hertz.
    pub max_sample_rate: u32,
    /// Most channels.
    pub max_channels: u32,
    /// Most bytes that are copied from an input that cannot seek; less where `max_duration` needs less.
    pub max_spooled_bytes: u64,
    /// Most packets in a row that may decode to nothing.
    pub max_silent_packets: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_duration: 24.0 * 3600.0,
            // The fastest converters made run at 768 kHz.
            max_sample_rate: 768_000,
            max_channels: 64,
            // Six hours of 48 kHz 32-bit stereo; three days of 16 kHz speech.
            max_spooled_bytes: 8 << 30,
            // Two and a half seconds of the shortest Opus packets is 1,000; a stream of nothing but rubbish ends here.
            max_silent_packets: 100_000,
        }
    }
}

/// The shape of samples that come without a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawFormat {
    /// How one sample is written.
    pub encoding: Encoding,
    /// Samples a second of each channel.
    pub sample_rate: u32,
    /// Interleaved channels.
    pub channels: u32,
}

/// How one uncompressed sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Unsigned 8 bit.
    U8,
    /// Signed 8 bit.
    S8,
    /// Signed 16 bit, little end first.
    S16Le,
    /// Signed 16 bit, big end first.
    S16Be,
    /// Signed 24 bit in three bytes, little end first.
    S24Le,
    /// Signed 24 bit in three bytes, big end first.
    S24Be,
    /// Signed 32 bit, little end first.
    S32Le,
    /// Signed 32 bit, big end first.
    S32Be,
    /// 32-bit float, little end first.
    F32Le,
    /// 32-bit float, big end first.
    F32Be,
    /// 64-bit float, little end first.
    F64Le,
    /// 64-bit float, big end first.
    F64Be,
    /// G.711 mu-law.
    MuLaw,
    /// G.711 A-law.
    ALaw,
}

impl Encoding {
    /// Every encoding, by its name on the command line.
    pub const NAMES: [(&'static str, Encoding); 14] = [
        ("u8", Encoding::U8),
        ("s8", Encoding::S8),
        ("s16le", Encoding::S16Le),
        ("s16be", Encoding::S16Be),
        ("s24le", Encoding::S24Le),
        ("s24be", Encoding::S24Be),
        ("s32le", Encoding::S32Le),
        ("s32be", Encoding::S32Be),
        ("f32le", Encoding::F32Le),
        ("f32be", Encoding::F32Be),
        ("f64le", Encoding::F64Le),
        ("f64be", Encoding::F64Be),
        ("mulaw", Encoding::MuLaw),
        ("alaw", Encoding::ALaw),
    ];

    /// The encoding that is called `name` (as ffmpeg names its raw formats).
    pub fn from_name(name: &str) -> Option<Encoding> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, encoding)| encoding)
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|&&(_, encoding)| encoding == self).map_or("", |&(name, _)| name)
    }

    /// Bytes of one sample.
    pub fn bytes(self) -> usize {
        match self {
            Encoding::U8 | Encoding::S8 | Encoding::MuLaw | Encoding::ALaw => 1,
            Encoding::S16Le | Encoding::S16Be => 2,
            Encoding::S24Le | Encoding::S24Be => 3,
            Encoding::S32Le | Encoding::S32Be | Encoding::F32Le | Encoding::F32Be => 4,
            Encoding::F64Le | Encoding::F64Be => 8,
        }
    }
}
