//! Files that people have: empty, cut off, renamed, streamed, of strange shapes; each a sound or a clear error.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use amanuensis::audio::{self, AudioError, Encoding, Input, Limits, OpenOptions, Progress, RawFormat, Recording};
use common::{built_in as options, open_bytes as open, open_bytes_with as open_with, samples};

/// A wave file: the format tag, channels, rate, bits, and the bytes of the sound.
fn wave(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    wave_sized(tag, channels, rate, bits, data, data.len() as u32)
}

fn wave_sized(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8], size: u32) -> Vec<u8> {
    let block = channels * bits / 8;
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate.wrapping_mul(u32::from(block))).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

fn integers(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn sixteen_bit_mono_passes_unchanged() {
    let values: Vec<i16> = (0..2000).map(|index| (index * 31 % 65536 - 32768) as i16).collect();
    let recording = open(wave(1, 1, 16000, 16, &integers(&values))).unwrap();
    let expected: Vec<f32> = values.iter().map(|&value| f32::from(value) / 32768.0).collect();
    assert_eq!(samples(&recording), expected);
    assert_eq!((recording.source().container.as_str(), recording.source().codec.as_str()), ("wav", "pcm_s16le"));
    assert_eq!((recording.source().sample_rate, recording.source().channels), (16000, 1));
    assert!(recording.warnings().is_empty());
}

#[test]
fn every_width_reads_the_same_sound() {
    let value = -0.25f64;
    let cases: [(u16, u16, Vec<u8>); 8] = [
        (1, 8, vec![96]),
        (1, 16, (-8192i16).to_le_bytes().to_vec()),
        (1, 24, (-2_097_152i32).to_le_bytes()[..3].to_vec()),
        (1, 32, (-536_870_912i32).to_le_bytes().to_vec()),
        (3, 32, (value as f32).to_le_bytes().to_vec()),
        (3, 64, value.to_le_bytes().to_vec()),
        (6, 8, vec![0x2a ^ 0x20]),
        (7, 8, vec![0x1f]),
    ];
    for (tag, bits, sample) in cases {
        let recording = open(wave(tag, 1, 16000, bits, &sample.repeat(100))).unwrap();
        let got = samples(&recording);
        assert_eq!(got.len(), 100, "tag {tag}, {bits} bits");
        // The telephone codes have no exact quarter.
        let tolerance = if tag >= 6 { 0.02 } else { 0.0 };
        assert!((got[50] + 0.25).abs() <= tolerance, "tag {tag}, {bits} bits: {}", got[50]);
    }
}

#[test]
fn streamed_waves_are_read_to_their_end() {
    let data = integers(&[1000; 500]);
    for size in [0, 0xffff_ffff] {
        let recording = open(wave_sized(1, 1, 16000, 16, &data, size)).unwrap();
        assert_eq!(recording.len(), 500, "size {size}");
        assert!(recording.warnings().is_empty());
    }
}

#[test]
fn a_wave_without_samples_is_an_empty_recording() {
    assert!(open(wave(1, 2, 44100, 16, &[])).unwrap().is_empty());
    // Nothing but another chunk follows: its bytes are not sound.
    let mut file = wave(1, 2, 44100, 16, &[]);
    file.extend(b"LIST\x04\0\0\0abcd");
    assert!(open(file).unwrap().is_empty());
}

#[test]
fn a_cut_off_wave_gives_what_is_there_and_says_so() {
    let mut file = wave(1, 1, 16000, 16, &integers(&[7; 1000]));
    file.truncate(file.len() - 801);
    let recording = open(file).unwrap();
    assert_eq!(recording.len(), 599);
    assert!(recording.warnings()[0].contains("cut off"), "{:?}", recording.warnings());
}

#[test]
fn chunks_before_the_sound_and_big_ends_are_understood() {
    let mut file = b"RIFX\0\0\0\0WAVEjunk\0\0\0\x03abc\0fmt \0\0\0\x10".to_vec();
    for word in [1u16, 1, 0, 16000, 0, 32000, 2, 16] {
        file.extend(word.to_be_bytes());
    }
    file.extend(b"data\0\0\0\x04\x40\0\xc0\0");
    assert_eq!(samples(&open(file).unwrap()), [0.5, -0.5]);
}

#[test]
fn rf64_takes_its_length_from_the_long_field() {
    let mut file = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0".to_vec();
    file.extend(0u64.to_le_bytes());
    file.extend(6u64.to_le_bytes());
    file.extend([0; 12]);
    file.extend(&wave_sized(1, 1, 16000, 16, &integers(&[1, 2, 3, 99, 99]), 0xffff_ffff)[12..]);
    assert_eq!(open(file).unwrap().len(), 3);
}

#[test]
fn what_is_not_a_number_is_silence() {
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5, 7.0];
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(samples(&open(wave(3, 1, 16000, 32, &data)).unwrap()), [0.0, 0.0, 0.0, 0.5, 32767.0 / 32768.0]);
    // Resampled, one bad sample must not spread.
    let mut data = vec![0u8; 4 * 4410];
    data[4000..4004].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(samples(&open(wave(3, 1, 44100, 32, &data)).unwrap()).iter().all(|sample| *sample == 0.0));
}

#[test]
fn raw_samples_need_their_shape_and_nothing_else() {
    let raw = RawFormat { encoding: Encoding::S16Le, sample_rate: 16000, channels: 1 };
    let with = |raw| OpenOptions { raw: Some(raw), ..options() };
    let mut bytes = integers(&[100, -100, 5]);
    bytes.push(1);
    let recording = open_with(bytes.clone(), &with(raw)).unwrap();
    assert_eq!(recording.len(), 3);
    assert!(recording.warnings()[0].contains("1 bytes"));
    let stereo = RawFormat { channels: 2, ..raw };
    assert_eq!(open_with(bytes, &with(stereo)).unwrap().len(), 1);
    for (name, encoding) in Encoding::NAMES {
        let raw = RawFormat { encoding, sample_rate: 16000, channels: 3 };
        let recording = open_with(vec![0; encoding.bytes() * 3 * 40], &with(raw)).unwrap();
        assert_eq!((recording.len(), recording.source().codec.clone()), (40, format!("pcm_{name}")));
        assert_eq!(Encoding::from_name(name), Some(encoding));
    }
    let none = RawFormat { channels: 0, ..raw };
    assert!(open_with(vec![0; 10], &with(none)).is_err());
}

#[test]
fn what_is_no_sound_is_a_clear_error() {
    let error = open(Vec::new()).unwrap_err();
    assert!(matches!(error, AudioError::Empty { .. }), "{error}");
    let error = open(b"Dear reader, this is a letter.\n".repeat(200)).unwrap_err();
    assert!(matches!(error, AudioError::UnknownFormat { .. }), "{error}");
    assert!(error.to_string().contains("ffmpeg"), "{error}");
    let error = open(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0".to_vec()).unwrap_err();
    assert!(matches!(error, AudioError::Damaged { .. }), "{error}");
    let path = |path: &str| audio::open(&Input::Path(path.into()), &options(), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(path("/no/such/file.wav").unwrap_err(), AudioError::NotFound { .. }));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(path(folder.path().to_str().unwrap()).unwrap_err(), AudioError::Directory { .. }));
}

#[test]
fn limits_stop_what_is_too_much() {
    let limited = |limits| OpenOptions { limits, ..options() };
    let second = wave(1, 1, 16000, 16, &integers(&[0; 48000]));
    let error = open_with(second.clone(), &limited(Limits { max_duration: 2.0, ..Limits::default() })).unwrap_err();
    assert!(matches!(error, AudioError::LimitExceeded { what: "the length", .. }), "{error}");
    assert!(open_with(second, &limited(Limits { max_duration: 3.0, ..Limits::default() })).is_ok());
    let error = open(wave(1, 1, 800_000, 16, &[0; 100])).unwrap_err();
    assert!(matches!(error, AudioError::LimitExceeded { what: "the sample rate", .. }), "{error}");
    let error = open(wave(1, 65, 16000, 16, &[0; 130])).unwrap_err();
    assert!(matches!(error, AudioError::LimitExceeded { what: "the number of channels", .. }), "{error}");
    assert!(open(wave(1, 0, 16000, 16, &[0; 130])).is_err());
    assert!(open(wave(1, 1, 1, 16, &[0; 130])).is_err());
}

#[test]
fn progress_is_monotone_and_can_stop_the_work() {
    let file = wave(1, 1, 16000, 16, &integers(&vec![0; 16000 * 10]));
    let mut heard: Vec<Progress> = Vec::new();
    audio::open(&Input::from(file.clone()), &options(), &mut |progress| {
        heard.push(progress);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(heard.len() >= 4 && heard.windows(2).all(|pair| pair[0].decoded <= pair[1].decoded), "{heard:?}");
    assert_eq!(heard.last().unwrap().decoded, 10.0);
    assert!(heard.iter().all(|progress| progress.total == Some(10.0)));
    let error = audio::open(&Input::from(file), &options(), &mut |progress| {
        if progress.decoded >= 2.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap_err();
    assert!(matches!(error, AudioError::Cancelled { .. }));
}

#[test]
fn a_panic_of_the_progress_function_is_the_callers() {
    let input = Input::from(wave(1, 1, 16000, 16, &integers(&vec![0; 16000 * 3])));
    let opening = std::panic::AssertUnwindSafe(|| {
        audio::open(&input, &OpenOptions::default(), &mut |_| panic!("the progress bar broke"))
    });
    let payload = std::panic::catch_unwind(opening).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"the progress bar broke"));
}

#[test]
fn recordings_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let recording = Recording::from_samples(&[0.25; 1000]);
    shared(&recording);
    std::thread::scope(|scope| {
        for start in 0..4 {
            let recording = &recording;
            scope.spawn(move || {
                let mut out = [0.0; 100];
                recording.read(start * 250, &mut out).unwrap();
                assert_eq!(out, [0.25; 100]);
            });
        }
    });
}

#[test]
fn a_large_cover_picture_before_the_sound_changes_nothing() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/english.mp3");
    let plain = std::fs::read(sample).unwrap();
    let syncsafe = |size: usize| [21, 14, 7, 0].map(|shift| (size >> shift & 0x7f) as u8);
    let picture = 1 << 20;
    let mut tagged = b"ID3\x03\0\0".to_vec();
    tagged.extend(syncsafe(10 + picture));
    tagged.extend(b"APIC");
    tagged.extend((picture as u32).to_be_bytes());
    tagged.extend([0, 0]);
    // Bytes that look like the start of an MPEG frame over and over.
    tagged.extend([0xff, 0xfb, 0x90, 0x64].repeat(picture / 4));
    tagged.extend(&plain);
    let expected = open(plain).unwrap();
    let recording = open(tagged).unwrap();
    assert!(expected.len() > 16000 && recording.warnings().is_empty(), "{:?}", recording.warnings());
    assert_eq!(samples(&recording), samples(&expected));
}
