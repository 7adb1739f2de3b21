//! One decoder for one track, whoever wrote it: packets in, interleaved samples out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::audio::{Channels, GenericAudioBufferRef};
use symphonia::core::codecs::audio::well_known::*;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::packet::Packet;

use super::aac;
use super::error::AudioError;
use super::intake::Intake;
use super::opus;

/// Why a track has no decoder.
pub(super) enum NoDecoder {
    /// Nothing here reads the codec of this name.
    Unsupported(String),
    /// The codec is known and its header is wrong.
    Damaged(String),
}

/// What became of a packet.
pub(super) enum Decoded {
    /// Frames that were taken in.
    Frames(u64),
    /// The packet could not be decoded, for this reason.
    Failed(String),
}

enum Inner {
    Symphonia { decoder: Box<dyn AudioDecoder>, integer: bool, trims: bool },
    Opus { head: opus::Head, decoder: opus::Decoder },
}

/// The decoder of one track.
pub(super) struct Codec {
    inner: Inner,
    integers: Vec<i16>,
    floats: Vec<f32>,
}

impl Codec {
    pub(super) fn new(params: &AudioCodecParameters) -> Result<Codec, NoDecoder> {
        let inner = if params.codec == CODEC_ID_OPUS {
            let header = params.extra_data.as_deref().unwrap_or(&[]);
            let head = opus::Head::parse(header).map_err(NoDecoder::Damaged)?;
            let decoder = opus::Decoder::new(&head).map_err(NoDecoder::Damaged)?;
            Inner::Opus { head, decoder }
        } else {
            if params.codec == CODEC_ID_AAC
                && let Some(profile) = aac::unsupported_profile(params.extra_data.as_deref())
            {
                return Err(NoDecoder::Unsupported(profile));
            }
            let make = || symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default());
            let name = codec_name(params.codec);
            let decoder = catch_unwind(AssertUnwindSafe(make))
                .map_err(|_| NoDecoder::Damaged(format!("the {name} decoder failed on the header")))?
                .map_err(|error| match error {
                    Error::Unsupported(what) => NoDecoder::Unsupported(format!("{name} ({what})")),
                    other => NoDecoder::Damaged(other.to_string()),
                })?;
            let trims = matches!(params.codec, CODEC_ID_MP1 | CODEC_ID_MP2 | CODEC_ID_MP3 | CODEC_ID_VORBIS);
            Inner::Symphonia { decoder, integer: is_integer(params), trims }
        };
        Ok(Codec { inner, integers: Vec::new(), floats: Vec::new() })
    }

    /// Frames that the codec itself says are to be dropped at the start.
    pub(super) fn pre_skip(&self) -> u64 {
        match &self.inner {
            Inner::Symphonia { .. } => 0,
            Inner::Opus { head, .. } => head.pre_skip,
        }
    }

    /// The rate it decodes at, where that is not what the container says of the sound that was encoded.
    pub(super) fn rate(&self) -> Option<u32> {
        match &self.inner {
            Inner::Symphonia { .. } => None,
            Inner::Opus { .. } => Some(opus::RATE),
        }
    }

    /// Whether a packet that fails is made up for with silence already.
    pub(super) fn fills_gaps(&self) -> bool {
        matches!(self.inner, Inner::Opus { .. })
    }

    /// Decodes a packet into the intake. A packet that makes the decoder panic counts as damaged.
    pub(super) fn decode(&mut self, packet: &Packet, intake: &mut Intake<'_>) -> Result<Decoded, AudioError> {
        let Codec { inner, integers, floats } = self;
        match inner {
            Inner::Opus { head, decoder } => {
                floats.clear();
                let result = catch_unwind(AssertUnwindSafe(|| decoder.decode(&packet.data, floats)));
                let result = result.unwrap_or_else(|_| Err("the decoder failed".into()));
                if result.is_err()
                    && let Ok(fresh) = opus::Decoder::new(head)
                {
                    *decoder = fresh;
                }
                intake.shape(opus::RATE, head.channels, head.mask, false)?;
                let frames = floats.len() / head.channels;
                let kept = frames.saturating_sub(packet.trim_end.get().min(frames as u64) as usize);
                intake.floats(&floats[..kept * head.channels])?;
                Ok(match result {
                    Ok(()) => Decoded::Frames(frames as u64),
                    Err(reason) => {
                        // What the packet claimed and did not give, so that later sound keeps its time.
                        let lost = opus::duration(&packet.data).saturating_sub(packet.trim_end.get());
                        intake.silence(lost.saturating_sub(frames as u64))?;
                        Decoded::Failed(reason)
                    }
                })
            }
            Inner::Symphonia { decoder, integer, trims } => {
                let shape = match catch_unwind(AssertUnwindSafe(|| {
                    let buffer = decoder.decode(packet)?;
                    let spec = buffer.spec();
                    let shape = (spec.rate(), spec.channels().clone());
                    if *integer {
                        copy(&buffer, integers)
                    } else {
                        copy(&buffer, floats)
                    }
                    Ok(shape)
                })) {
                    Ok(Ok(shape)) => shape,
                    Ok(Err(Error::IoError(error))) => {
                        return Ok(Decoded::Failed(format!("the packet is short: {error}")));
                    }
                    Ok(Err(error)) => return Ok(Decoded::Failed(Error::to_string(&error))),
                    Err(_) => {
                        let params = decoder.codec_params().clone();
                        if let Ok(fresh) = Codec::new(&params) {
                            *self = fresh;
                        }
                        return Ok(Decoded::Failed("the decoder failed".into()));
                    }
                };
                let (rate, channels) = shape;
                let count = channels.count();
                let mask = match channels {
                    Channels::Positioned(positions) => positions.bits(),
                    _ => 0,
                };
                let samples = if *integer { integers.len() } else { floats.len() };
                if samples == 0 {
                    return Ok(Decoded::Frames(0));
                }
                // The decoders of MPEG audio and Vorbis drop the end of a packet themselves.
                let trimmed = if *trims { 0 } else { packet.trim_end.get().min((samples / count) as u64) as usize };
                let kept = samples - trimmed * count;
                intake.shape(rate, count, mask, *integer)?;
                if *integer {
                    intake.integers(&integers[..kept])?
                } else {
                    intake.floats(&floats[..kept])?
                }
                Ok(Decoded::Frames((samples / count) as u64))
            }
        }
    }
}

fn copy<S>(buffer: &GenericAudioBufferRef<'_>, out: &mut Vec<S>)
where
    S: symphonia::core::audio::sample::Sample + symphonia::core::audio::conv::ConvertibleSample,
{
    out.clear();
    if buffer.frames() > 0 {
        buffer.copy_to_vec_interleaved(out);
    }
}

/// Whether the codec gives samples of at most 16 bits, which ffmpeg mixes and resamples as integers.
fn is_integer(params: &AudioCodecParameters) -> bool {
    match params.codec {
        CODEC_ID_PCM_S16LE | CODEC_ID_PCM_S16BE | CODEC_ID_PCM_S16LE_PLANAR | CODEC_ID_PCM_S16BE_PLANAR => true,
        CODEC_ID_PCM_U8 | CODEC_ID_PCM_S8 | CODEC_ID_PCM_U8_PLANAR | CODEC_ID_PCM_S8_PLANAR => true,
        CODEC_ID_PCM_ALAW | CODEC_ID_PCM_MULAW => true,
        CODEC_ID_ADPCM_MS | CODEC_ID_ADPCM_IMA_WAV | CODEC_ID_ADPCM_IMA_QT => true,
        CODEC_ID_FLAC => params.bits_per_sample.is_some_and(|bits| bits <= 16),
        // The sixth byte of its configuration is the width; MP4 says it nowhere else.
        CODEC_ID_ALAC => {
            let configured = params.extra_data.as_deref().and_then(|data| data.get(5)).map(|&bits| u32::from(bits));
            params.bits_per_sample.or(configured).is_some_and(|bits| bits <= 16)
        }
        _ => false,
    }
}

/// The codec as a person would name it.
pub(super) fn codec_name(codec: AudioCodecId) -> String {
    let name = match codec {
        CODEC_ID_OPUS => "opus",
        CODEC_ID_AC3 => "AC-3",
        CODEC_ID_EAC3 => "E-AC-3",
        CODEC_ID_AC4 => "AC-4",
        CODEC_ID_DCA => "DTS",
        CODEC_ID_SPEEX => "speex",
        CODEC_ID_WMA => "WMA",
        CODEC_ID_WAVPACK => "WavPack",
        CODEC_ID_TRUEHD => "TrueHD",
        CODEC_ID_TTA => "TTA",
        CODEC_ID_MUSEPACK => "Musepack",
        CODEC_ID_MONKEYS_AUDIO => "Monkey's Audio",
        CODEC_ID_ADPCM_G722 => "G.722",
        CODEC_ID_ADPCM_G726 | CODEC_ID_ADPCM_G726LE => "G.726",
        _ => match symphonia::default::get_codecs().get_audio_decoder(codec) {
            Some(known) => known.codec.info.short_name,
            None => return format!("codec {codec}"),
        },
    };
    name.to_owned()
}
