//! Files that mean harm: bytes turned over, cut off, made up. Never a panic, never endless, never without bound.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use amanuensis::audio::{self, AudioError, FfmpegPolicy, Input, Limits, OpenOptions, Recording};
use proptest::prelude::*;

/// Longest time one small file may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn open(bytes: Vec<u8>) -> Result<Recording, AudioError> {
    let options = OpenOptions {
        ffmpeg: FfmpegPolicy::Never,
        limits: Limits { max_duration: 600.0, ..Limits::default() },
        ..OpenOptions::default()
    };
    let begun = Instant::now();
    let result = audio::open(&Input::from(bytes), &options, &mut |_| ControlFlow::Continue(()));
    assert!(begun.elapsed() < PATIENCE, "took {:?}", begun.elapsed());
    result
}

/// A small generator, so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

/// Harms the bytes in one of several ways.
fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = bytes.to_vec();
    match random.next(6) {
        // Headers matter most: turn bits over near the start.
        0 => (0..1 + random.next(8)).for_each(|_| {
            let place = random.next(out.len().min(600));
            out[place] ^= 1 << random.next(8);
        }),
        1 => (0..1 + random.next(40)).for_each(|_| {
            let place = random.next(out.len());
            out[place] = random.next(256) as u8;
        }),
        2 => out.truncate(random.next(out.len())),
        // Lengths and counts: the extremes.
        3 => (0..1 + random.next(4)).for_each(|_| {
            let place = random.next(out.len().min(2000));
            let value = [0x00, 0xff, 0x7f, 0x80][random.next(4)];
            let end = (place + 1 + random.next(8)).min(out.len());
            out[place..end].fill(value);
        }),
        4 => {
            let start = random.next(out.len());
            let end = (start + random.next(5000)).min(out.len());
            out.drain(start..end);
        }
        _ => {
            let start = random.next(out.len());
            let piece: Vec<u8> = out[start..(start + random.next(5000)).min(out.len())].to_vec();
            let place = random.next(out.len());
            out.splice(place..place, piece);
        }
    }
    out
}

/// A wave file with a short tone.
fn wave() -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0data".to_vec();
    file.extend(4000u32.to_le_bytes());
    file.extend((0..2000).flat_map(|index: i32| ((index * 37 % 2000) as i16).to_le_bytes()));
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_after_a_wave_header_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
        file.extend(bytes);
        let _ = open(file);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 1..600)) {
        let _ = open(bytes);
    }

    #[test]
    fn harmed_waves_are_survived(seed in any::<u64>()) {
        let mut random = Random(seed);
        let _ = open(mutate(&wave(), &mut random));
    }

    #[test]
    fn format_chunks_of_any_kind_are_survived(
        tag in prop_oneof![Just(1u16), Just(3), Just(6), Just(7), Just(2), Just(0x11), Just(0xfffe), any::<u16>()],
        channels in 0u16..70, rate in any::<u32>(), block in any::<u16>(), bits in any::<u16>(),
        extra in proptest::collection::vec(any::<u8>(), 0..40), size in any::<u32>(),
    ) {
        let mut file = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        file.extend((16 + extra.len() as u32).to_le_bytes());
        for word in [tag, channels] { file.extend(word.to_le_bytes()); }
        file.extend(rate.to_le_bytes());
        file.extend(0u32.to_le_bytes());
        for word in [block, bits] { file.extend(word.to_le_bytes()); }
        file.extend(&extra);
        file.extend(&[0][..extra.len() % 2]);
        file.extend(b"data");
        file.extend(size.to_le_bytes());
        file.extend([0x55; 500]);
        let _ = open(file);
    }
}

#[test]
fn harmed_files_of_every_format_are_survived() {
    let Some(shared) = common::shared() else { return };
    // AMANUENSIS_MUTATIONS asks for a longer run.
    let count = std::env::var("AMANUENSIS_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(25);
    let names = ["format.flac", "format.m4a", "format.mp3", "format.ogg", "format.webm", "format_8k.wav"];
    let extra = std::env::var("AMANUENSIS_MUTATED_FILES").unwrap_or_default();
    let paths =
        names.iter().map(|name| shared.join("audio").join(name)).chain(extra.split_whitespace().map(PathBuf::from));
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let (mut good, mut slowest) = (0, Duration::ZERO);
        for seed in 0..count {
            let harmed = mutate(&bytes, &mut Random(seed));
            let begun = Instant::now();
            let result = std::panic::catch_unwind(|| open(harmed));
            slowest = slowest.max(begun.elapsed());
            let result = result.unwrap_or_else(|_| panic!("{} with seed {seed} panicked", path.display()));
            good += u32::from(result.is_ok());
        }
        eprintln!("{}: {good} of {count} still gave sound, slowest {slowest:?}", path.display());
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    // A-law at 1000 Hz, the lowest rate that is believed, has the most sound in a byte: 4 MB are more than an hour, and
    // are refused after ten minutes.
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x06\0\x01\0\xe8\x03\0\0\xe8\x03\0\0\x01\0\x08\0data".to_vec();
    file.extend(0xffff_ffffu32.to_le_bytes());
    file.resize(4_000_000, 0xd5);
    let error = open(file).unwrap_err();
    assert!(matches!(error, AudioError::LimitExceeded { what: "the length", .. }), "{error}");
}

#[test]
fn silence_in_few_bytes_stops_at_the_limit() {
    // An hour in 14 KB: every frame of the FLAC says one number for 65,535 samples, and its header says no length.
    let mut file = b"fLaC\x80\0\0\x22\xff\xff\xff\xff\0\0\0\0\0\0".to_vec();
    file.extend((16_000_u64 << 44 | 15 << 36).to_be_bytes());
    file.extend([0; 16]);
    for number in 0..880_u32 {
        let counted = match number {
            0..=0x7f => vec![number as u8],
            0x80..=0x7ff => vec![0xc0 | (number >> 6) as u8, 0x80 | (number & 0x3f) as u8],
            _ => unreachable!("a number of two bytes"),
        };
        let mut frame = [&[0xff, 0xf8, 0x70, 0x08][..], &counted, &[0xff, 0xfe]].concat();
        frame.push(sum(&frame, 8, 0x07) as u8);
        frame.extend([0, 0, 0]);
        frame.extend((sum(&frame, 16, 0x8005) as u16).to_be_bytes());
        file.extend(frame);
    }
    assert!(file.len() < 16_000);
    let error = open(file).unwrap_err();
    assert!(matches!(error, AudioError::LimitExceeded { what: "the length", .. }), "{error}");
}

/// A cyclic redundancy check of so many bits.
fn sum(bytes: &[u8], bits: u32, polynomial: u32) -> u32 {
    let top = 1 << (bits - 1);
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << (bits - 8), |sum: u32, _| {
            let shifted = sum << 1 & (2 * top - 1);
            if sum & top == 0 { shifted } else { shifted ^ polynomial }
        })
    })
}

/// A stream of packets with a frame of MPEG audio in each, as broadcasters send it.
fn transport_stream() -> Vec<u8> {
    let sound = std::fs::read(common::in_repository("samples/english.mp3")).unwrap();
    let packet = |payload: &[u8]| {
        let mut packet = vec![0x47, 0x40, 0x11, 0x10];
        packet.extend_from_slice(payload);
        packet.resize(188, 0xff);
        packet
    };
    sound[2000..].chunks(184).flat_map(packet).collect()
}

#[test]
fn streams_around_the_sound_are_not_taken_for_the_sound() {
    assert!(matches!(open(transport_stream()), Err(AudioError::UnknownFormat { .. })));
    let mut program = vec![0, 0, 1, 0xba];
    program.extend(transport_stream());
    assert!(matches!(open(program), Err(AudioError::UnknownFormat { .. })));
}

#[test]
fn frames_that_mostly_fail_are_not_sound() {
    let mut bytes = std::fs::read(common::in_repository("samples/english.mp3")).unwrap();
    let mut random = Random(7);
    let last = bytes.len();
    // Every header stays, and what lies between is noise.
    for place in 600..last {
        if bytes[place - 1] != 0xff && bytes[place] != 0xff && bytes[place.saturating_sub(2)] != 0xff {
            bytes[place] = random.next(255) as u8;
        }
    }
    match open(bytes) {
        Err(AudioError::Damaged { .. } | AudioError::UnknownFormat { .. } | AudioError::UnsupportedCodec { .. }) => {}
        Err(other) => panic!("{other}"),
        Ok(recording) => assert!(!recording.warnings().is_empty(), "noise was taken for sound"),
    }
}

#[test]
fn a_wave_that_ends_before_its_sound_is_damaged() {
    let wave = std::fs::read(common::in_repository("samples/english.wav")).unwrap();
    assert!(matches!(open(wave[..44].to_vec()), Err(AudioError::Damaged { .. })));
    assert!(open(wave[..2000].to_vec()).is_ok_and(|recording| recording.warnings().len() == 1));
}
