//! Containers: find the sound track, walk its packets, give them to the decoder, honour what is to be cut.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_VORBIS};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::{Hint, Probe, ProbeOptions};
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::Duration;

use super::aac::BandReplication;
use super::codec::{Codec, Decoded, NoDecoder, codec_name};
use super::error::AudioError;
use super::input::Media;
use super::intake::Intake;
use super::matroska;
use super::options::Limits;
use super::recording::Source;
use super::trim::{self, Cut};

/// Bytes of other matter before the sound that are passed over.
const PROBE_BYTES: u32 = 256 << 10;

/// Formats that are frames one behind another.
const BARE: [&str; 4] = ["aac", "mp1", "mp2", "mp3"];

/// Most frames of silence in place of one packet: the longest packet of any codec is a FLAC block of 65,535 frames.
const MAX_GAP: u64 = 65_535;

static PROBE: LazyLock<Probe> = LazyLock::new(|| {
    let options = ProbeOptions { max_probe_depth: PROBE_BYTES, ..ProbeOptions::default() };
    let mut probe = Probe::new_with_options(&options);
    symphonia::default::register_enabled_formats(&mut probe);
    probe
});

/// What else a file may be whose packets hold something that looks like bare MPEG frames.
pub(super) fn foreign_stream(media: &Media) -> std::io::Result<Option<&'static str>> {
    let head = media.peek(0, 3 * BLU_RAY_PACKET)?;
    let marked =
        |first: usize, packet: usize| (0..3).all(|index| head.get(first + index * packet) == Some(&TRANSPORT_MARK));
    Ok(if marked(0, TRANSPORT_PACKET) || marked(4, BLU_RAY_PACKET) {
        Some("an MPEG transport stream, which no built-in format is")
    } else if head.starts_with(&[0, 0, 1, 0xba]) {
        Some("an MPEG program stream, which no built-in format is")
    } else {
        None
    })
}

/// First byte of every packet of a transport stream.
const TRANSPORT_MARK: u8 = 0x47;
/// Bytes of such a packet.
const TRANSPORT_PACKET: usize = 188;
/// The same with a time before each, as on Blu-ray discs.
const BLU_RAY_PACKET: usize = 192;

/// Decodes the sound track of a container into the intake.
pub(super) fn decode(
    media: &Media,
    name: &str,
    limits: &Limits,
    intake: &mut Intake<'_>,
) -> Result<Source, AudioError> {
    let unbounded = matroska::unbounded(media);
    if unbounded.is_some() {
        intake.warn("the file is cut off: it claims to be longer than it is".into());
    }
    let media = unbounded.as_ref().unwrap_or(media);
    let mut reader = probe(media, name, intake)?;
    let container = reader.format_info().short_name.to_owned();
    let track = choose(reader.as_ref(), name, &container, intake)?;
    let mut run = Run { media, name, container, limits, intake, replication: None, discard: 0 };
    run.track(reader.as_mut(), track)
}

fn probe<'m>(media: &Media, name: &str, intake: &Intake<'_>) -> Result<Box<dyn FormatReader + 'm>, AudioError> {
    let stream = MediaSourceStream::new(Box::new(media.rewound()), MediaSourceStreamOptions::default());
    let found = catch_unwind(AssertUnwindSafe(|| {
        PROBE.probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
    }));
    match found {
        Ok(Ok(reader)) => Ok(reader),
        Ok(Err(Error::Unsupported(what))) if what.contains("probe") => Err(AudioError::UnknownFormat {
            name: name.to_owned(),
            detail: "none of the built-in formats begins like this".into(),
        }),
        Ok(Err(Error::IoError(error))) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Err(AudioError::Io { name: name.to_owned(), action: "reading", reason: error })
        }
        Ok(Err(Error::IoError(_))) => Err(AudioError::UnknownFormat {
            name: name.to_owned(),
            detail: "none of the built-in formats begins like this, or it ends within its header".into(),
        }),
        Ok(Err(error)) => Err(intake.damaged("sound", error.to_string())),
        Err(_) => Err(intake.damaged("sound", "its header is nonsense".into())),
    }
}

/// The track that a player would play.
fn choose(
    reader: &dyn FormatReader,
    name: &str,
    container: &str,
    intake: &mut Intake<'_>,
) -> Result<Track, AudioError> {
    let is_sound = |track: &&Track| matches!(track.codec_params, Some(CodecParameters::Audio(_)));
    let count = reader.tracks().iter().filter(is_sound).count();
    let track = reader.default_track(TrackType::Audio).or_else(|| reader.tracks().iter().find(is_sound));
    let Some(track) = track else {
        return Err(AudioError::NoSound { name: name.to_owned(), container: container.to_owned() });
    };
    if count > 1 {
        intake.warn(format!("the file has {count} sound tracks; track {} was read", track.id));
    }
    Ok(track.clone())
}

/// Decoding of one file.
struct Run<'r, 'i> {
    media: &'r Media,
    name: &'r str,
    container: String,
    limits: &'r Limits,
    intake: &'r mut Intake<'i>,
    replication: Option<BandReplication>,
    /// Frames to drop from the end of the last packet.
    discard: u64,
}

/// What one track has given so far.
#[derive(Default)]
struct Tally {
    frames: u64,
    failed: u64,
    silent: u64,
    packets: u64,
    reason: String,
}

impl Run<'_, '_> {
    fn track(&mut self, reader: &mut dyn FormatReader, mut track: Track) -> Result<Source, AudioError> {
        let (params, mut codec) = self.begin(&track)?;
        let source = Source {
            name: self.name.to_owned(),
            container: self.container.clone(),
            codec: codec_name(params.codec),
            sample_rate: params.sample_rate.unwrap_or(0),
            channels: params.channels.as_ref().map_or(0, |channels| channels.count() as u32),
            ..Source::default()
        };
        let mut tally = Tally::default();
        let mut ended_early = None;
        // One packet is held back, because only the end of the file tells which one is to be cut short.
        let mut held: Option<Packet> = None;
        loop {
            let next = catch_unwind(AssertUnwindSafe(|| reader.next_packet()));
            let packet = match next {
                Ok(Ok(Some(packet))) => packet,
                Ok(Ok(None)) => break,
                Ok(Err(Error::ResetRequired)) => {
                    // A chained file: another stream of its own shape follows.
                    let same = reader.default_track(TrackType::Audio).or_else(|| reader.first_track(TrackType::Audio));
                    let Some(next) = same.cloned() else { break };
                    if let Some(packet) = held.take() {
                        self.packet(&packet, &mut codec, &track, &mut tally)?;
                    }
                    track = next;
                    codec = self.begin(&track)?.1;
                    continue;
                }
                Ok(Err(Error::IoError(error))) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                    return Err(AudioError::Io { name: self.name.to_owned(), action: "reading", reason: error });
                }
                Ok(Err(Error::IoError(_))) => {
                    ended_early = Some("the file is cut off".to_owned());
                    break;
                }
                Ok(Err(error)) => {
                    ended_early = Some(error.to_string());
                    break;
                }
                Err(_) => {
                    ended_early = Some("the container breaks its own rules".to_owned());
                    break;
                }
            };
            tally.packets += 1;
            if tally.packets % 1000 == 0 {
                self.intake.report()?;
            }
            if packet.track_id != track.id {
                continue;
            }
            if let Some(watch) = &mut self.replication
                && watch.look(&packet.data)
            {
                return Err(self.unsupported("HE-AAC (AAC with spectral band replication that its header keeps quiet)"));
            }
            if let Some(packet) = held.replace(packet) {
                self.packet(&packet, &mut codec, &track, &mut tally)?;
            }
        }
        if let Some(mut packet) = held {
            if ended_early.is_none() && self.discard > 0 {
                packet.trim_end = Duration::new(self.discard);
            }
            self.packet(&packet, &mut codec, &track, &mut tally)?;
        }
        self.judge(tally, ended_early, &track)?;
        Ok(source)
    }

    /// Decodes one packet, and keeps count.
    fn packet(
        &mut self,
        packet: &Packet,
        codec: &mut Codec,
        track: &Track,
        tally: &mut Tally,
    ) -> Result<(), AudioError> {
        match codec.decode(packet, self.intake)? {
            Decoded::Frames(0) => tally.silent += 1,
            Decoded::Frames(frames) => {
                tally.frames += frames;
                tally.silent = 0;
            }
            Decoded::Failed(reason) => {
                // Silence keeps the later sound in its place, where the container tells how much was lost.
                if has_frame_times(track) && tally.frames > 0 && !codec.fills_gaps() {
                    self.intake.silence(packet.dur.get().min(MAX_GAP))?;
                }
                tally.failed += 1;
                tally.silent += 1;
                tally.reason = reason;
            }
        }
        if tally.silent > self.limits.max_silent_packets {
            return Err(AudioError::LimitExceeded {
                name: self.name.to_owned(),
                what: "the number of packets in a row without sound",
                value: tally.silent.to_string(),
                limit: self.limits.max_silent_packets.to_string(),
            });
        }
        Ok(())
    }

    /// The decoder of a track, and what is to be cut from its sound.
    fn begin(&mut self, track: &Track) -> Result<(AudioCodecParameters, Codec), AudioError> {
        let params = match &track.codec_params {
            Some(CodecParameters::Audio(params)) => params.clone(),
            _ => return Err(self.unsupported("a codec the container does not name")),
        };
        if let Some(rate) = params.sample_rate.filter(|&rate| rate > 0) {
            self.intake.check_shape(rate, params.channels.as_ref().map_or(1, |channels| channels.count().max(1)))?;
        }
        let codec = Codec::new(&params).map_err(|error| match error {
            NoDecoder::Unsupported(codec) => self.unsupported(&codec),
            NoDecoder::Damaged(reason) => self.intake.damaged(&self.container, reason),
        })?;
        let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
        if params.codec == CODEC_ID_VORBIS && channels > 2 {
            // The decoder undoes coupled channels first to last, the format says last to first.
            self.intake.warn(format!(
                "Vorbis with {channels} channels is decoded roughly (a tenth of the level off); ffmpeg does it exactly"
            ));
        }
        self.replication = (params.codec == CODEC_ID_AAC).then(BandReplication::default);
        let rate = codec.rate().or(params.sample_rate).unwrap_or(0);
        let intake = &mut *self.intake;
        let Cut { skip, discard } =
            trim::cut(self.media, &self.container, track, rate, codec.pre_skip(), &mut || intake.report())?;
        self.intake.cut(skip);
        self.discard = discard;
        if let (Some(base), Some(duration)) = (track.time_base, track.duration) {
            self.intake.expect(base.calc_duration(duration).map(|time| time.as_secs_f64()));
        }
        Ok((params, codec))
    }

    /// Whether the sound that came is whole, damaged but usable, or nothing at all.
    fn judge(&mut self, tally: Tally, ended_early: Option<String>, track: &Track) -> Result<(), AudioError> {
        let reason = match (&ended_early, tally.failed) {
            (Some(reason), _) => reason.clone(),
            (None, 0) => String::new(),
            (None, _) => tally.reason.clone(),
        };
        let promised = track.num_frames.unwrap_or(0);
        if tally.frames == 0 && (!reason.is_empty() || promised > 0) {
            let reason = if reason.is_empty() { "it promises sound and has none".into() } else { reason };
            return Err(self.intake.damaged(&self.container, format!("nothing in it could be decoded: {reason}")));
        }
        // Frames without a container around them are recognised by a few bits, which other files have too.
        if BARE.contains(&self.container.as_str()) && tally.failed * 4 > tally.packets {
            let reason = format!("{} of {} frames are no {} sound", tally.failed, tally.packets, self.container);
            return Err(self.intake.damaged(&self.container, reason));
        }
        let uncut = self.intake.uncut();
        if tally.frames > 0 && uncut > 0.0 {
            self.intake.warn(format!(
                "nothing is left of the sound: the file says that it begins {uncut:.3} s after its end (an edit list or \
                 encoder delay that is wrong)"
            ));
        }
        let seconds = self.intake.len()? as f64 / f64::from(super::SAMPLE_RATE);
        if tally.failed > 0 {
            self.intake
                .warn(format!("{} of {} packets could not be decoded ({})", tally.failed, tally.packets, tally.reason));
        }
        // A tenth of a second is more than any rounding of a header, and less than anyone would miss.
        let tolerance = track_rate(track).map_or(u64::MAX, |rate| u64::from(rate / 10));
        if ended_early.is_none() && tally.failed == 0 && promised > tally.frames.saturating_add(tolerance) {
            let share = tally.frames as f64 / promised as f64;
            self.intake.warn(format!(
                "the file is cut off or damaged: it has {:.1} % of the sound that it promises, and times behind a \
                 damaged place are early",
                100.0 * share
            ));
        }
        if let Some(reason) = ended_early {
            self.intake.warn(format!("reading stopped after {seconds:.3} s: {reason}"));
        }
        Ok(())
    }

    fn unsupported(&self, codec: &str) -> AudioError {
        AudioError::UnsupportedCodec {
            name: self.name.to_owned(),
            codec: codec.to_owned(),
            container: self.container.clone(),
            advice: String::new(),
        }
    }
}

fn track_rate(track: &Track) -> Option<u32> {
    match &track.codec_params {
        Some(CodecParameters::Audio(params)) => params.sample_rate,
        _ => None,
    }
}

/// Whether a tick of the track is a frame of sound.
fn has_frame_times(track: &Track) -> bool {
    let rate = track_rate(track);
    track.time_base.is_some_and(|base| base.numer.get() == 1 && Some(base.denom.get()) == rate)
}
