//! One channel alone, and each of them: against the sound they were made from, and against ffmpeg.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use amanuensis::audio::{
    self, AudioError, Channels, Encoding, FfmpegPolicy, Input, Limits, OpenOptions, RawFormat, Recording,
};
use common::{built_in, samples};

fn asking(channels: Channels) -> OpenOptions {
    OpenOptions { channels, ..built_in() }
}

fn all(input: &Input, options: &OpenOptions) -> Result<Vec<Recording>, AudioError> {
    audio::open_channels(input, options, &mut |_| ControlFlow::Continue(()))
}

fn one(input: &Input, channels: Channels) -> Result<Recording, AudioError> {
    audio::open(input, &asking(channels), &mut |_| ControlFlow::Continue(()))
}

/// Another glissando in every channel.
fn frames(rate: u32, channels: u16, count: u32) -> Vec<f32> {
    let value = |frame: u32, channel: u16| {
        let time = f64::from(frame) / f64::from(rate);
        let pitch = 200.0 + 170.0 * f64::from(channel);
        (0.4 * (std::f64::consts::TAU * (pitch * time + 60.0 * time * time)).sin()) as f32
    };
    (0..count).flat_map(|frame| (0..channels).map(move |channel| value(frame, channel))).collect()
}

/// A wave file of 16-bit integers or floats.
fn wave(rate: u32, channels: u16, frames: &[f32], float: bool) -> Vec<u8> {
    let width: u16 = if float { 4 } else { 2 };
    let data: Vec<u8> = if float {
        frames.iter().flat_map(|sample| sample.to_le_bytes()).collect()
    } else {
        frames.iter().flat_map(|sample| ((sample * 32768.0).round() as i16).to_le_bytes()).collect()
    };
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    for word in [if float { 3 } else { 1 }, channels] {
        file.extend(word.to_le_bytes());
    }
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(width * channels)).to_le_bytes());
    file.extend((width * channels).to_le_bytes());
    file.extend((width * 8).to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

/// What one channel alone sounds like as a file of its own.
fn alone(frames: &[f32], channels: u16, channel: u16) -> Vec<f32> {
    frames.iter().skip(usize::from(channel)).step_by(usize::from(channels)).copied().collect()
}

#[test]
fn a_channel_is_what_a_file_of_it_alone_would_be() {
    for (rate, channels, float) in
        [(16000, 2, false), (44100, 2, false), (8000, 3, false), (16000, 2, true), (48000, 6, true)]
    {
        let sound = frames(rate, channels, rate);
        let input = Input::from(wave(rate, channels, &sound, float));
        let split = all(&input, &asking(Channels::Split)).unwrap();
        assert_eq!(split.len(), usize::from(channels));
        for (channel, recording) in (0..).zip(&split) {
            let expected = common::open_bytes(wave(rate, 1, &alone(&sound, channels, channel), float)).unwrap();
            assert_eq!(
                samples(recording),
                samples(&expected),
                "{rate} Hz, channel {channel} of {channels}, float {float}"
            );
            assert_eq!(recording.source().channels, u32::from(channels));
        }
        assert_eq!(samples(&one(&input, Channels::Left).unwrap()), samples(&split[0]));
        assert_eq!(samples(&one(&input, Channels::Right).unwrap()), samples(&split[1]));
        let mix = all(&input, &asking(Channels::Mix)).unwrap();
        assert_eq!(mix.len(), 1);
        assert_eq!(samples(&mix[0]), samples(&one(&input, Channels::Mix).unwrap()));
    }
}

#[test]
fn what_is_not_there_is_not_given() {
    let mono = Input::from(wave(16000, 1, &frames(16000, 1, 5000), false));
    assert_eq!(samples(&one(&mono, Channels::Left).unwrap()), samples(&one(&mono, Channels::Mix).unwrap()));
    assert_eq!(all(&mono, &asking(Channels::Split)).unwrap().len(), 1);
    let error = one(&mono, Channels::Right).unwrap_err();
    assert!(matches!(error, AudioError::NoSuchChannel { channels: 1, .. }));
    assert!(error.to_string().contains("has one channel and no right one"), "{error}");
    let error = one(&mono, Channels::Split).unwrap_err();
    assert!(matches!(error, AudioError::Split { .. }), "{error}");
    let limits = Limits { max_channels: 2, ..Limits::default() };
    let many = Input::from(wave(16000, 3, &frames(16000, 3, 100), false));
    let error = all(&many, &OpenOptions { limits, ..asking(Channels::Split) }).unwrap_err();
    assert!(matches!(error, AudioError::LimitExceeded { .. }), "{error}");
    let empty = all(&Input::from(wave(16000, 2, &[], false)), &asking(Channels::Split)).unwrap();
    assert!(empty.len() == 2 && empty.iter().all(Recording::is_empty));
}

#[test]
fn raw_sound_has_channels_too() {
    let sound = frames(16000, 2, 16000);
    let bytes: Vec<u8> = sound.iter().flat_map(|sample| ((sample * 32768.0).round() as i16).to_le_bytes()).collect();
    let raw = Some(RawFormat { encoding: Encoding::S16Le, sample_rate: 16000, channels: 2 });
    let found = all(&Input::from(bytes), &OpenOptions { raw, ..asking(Channels::Split) }).unwrap();
    let expected = all(&Input::from(wave(16000, 2, &sound, false)), &asking(Channels::Split)).unwrap();
    assert_eq!(found.iter().map(samples).collect::<Vec<_>>(), expected.iter().map(samples).collect::<Vec<_>>());
}

#[test]
fn many_long_channels_share_the_memory_and_are_whole() {
    // Five minutes of eight channels: 77 MB, of which 16 MiB may lie in memory.
    let second: Vec<u8> =
        (0..16000u32).flat_map(|frame| (0..8u8).flat_map(move |channel| [frame as u8, channel])).collect();
    let raw = Some(RawFormat { encoding: Encoding::S16Le, sample_rate: 16000, channels: 8 });
    let found = all(&Input::from(second.repeat(300)), &OpenOptions { raw, ..asking(Channels::Split) }).unwrap();
    assert_eq!(found.len(), 8);
    for (channel, recording) in found.iter().enumerate() {
        assert_eq!(recording.len(), 300 * 16000);
        let mut out = [0.0; 3];
        recording.read(299 * 16000 + 15998, &mut out).unwrap();
        let expected = |frame: u8| f32::from(i16::from_le_bytes([frame, channel as u8])) / 32768.0;
        assert_eq!(out, [expected((15998 % 256) as u8), expected((15999 % 256) as u8), 0.0]);
    }
}

/// What ffmpeg gives of a channel, resampled like the other tests' recordings.
fn reference(path: &Path, channel: usize) -> Vec<f32> {
    let filter = format!("pan=mono|c0=c{channel}");
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i", path.to_str().unwrap(), "-af", &filter])
        .args(["-ar", "16000", "-f", "s16le", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.as_chunks().0.iter().map(|pair| f32::from(i16::from_le_bytes(*pair)) / 32768.0).collect()
}

/// The level of the difference, and of the sound, in dB of full scale.
fn levels(ours: &[f32], theirs: &[f32]) -> (f64, f64) {
    let level = |values: &mut dyn Iterator<Item = f32>| {
        let (sum, count) = values.fold((0.0, 0u64), |(sum, count), value| (sum + f64::from(value).powi(2), count + 1));
        10.0 * (sum / count.max(1) as f64 + 1e-20).log10()
    };
    (level(&mut ours.iter().zip(theirs).map(|(one, other)| one - other)), level(&mut theirs.iter().copied()))
}

#[test]
fn channels_are_those_of_ffmpeg() {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        eprintln!("skipped: ffmpeg is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // What the file is made from, how, and how far the difference is to be below the sound, in dB.
    let cases: [(&str, u32, u16, &[&str], f64); 9] = [
        ("s16.wav", 16000, 2, &[], 170.0),
        ("cd.wav", 44100, 2, &[], 90.0),
        ("six.wav", 48000, 6, &[], 90.0),
        ("float.wav", 48000, 2, &["-c:a", "pcm_f32le"], 90.0),
        ("a.flac", 44100, 2, &[], 90.0),
        ("a.ogg", 48000, 2, &["-c:a", "libvorbis"], 90.0),
        ("a.m4a", 44100, 2, &["-c:a", "aac", "-b:a", "192k"], 90.0),
        ("a.mp3", 44100, 2, &["-c:a", "libmp3lame", "-b:a", "192k"], 90.0),
        ("a.opus", 48000, 2, &["-c:a", "libopus", "-b:a", "192k"], 90.0),
    ];
    for (name, rate, channels, arguments, least) in cases {
        let source = folder.path().join("source.wav");
        std::fs::write(&source, wave(rate, channels, &frames(rate, channels, 3 * rate), false)).unwrap();
        let path = folder.path().join(name);
        let status = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y", "-i", source.to_str().unwrap()])
            .args(arguments)
            .arg(&path)
            .status();
        assert!(status.unwrap().success(), "{name}");
        let input = Input::Path(path.clone());
        let split = all(&input, &asking(Channels::Split)).unwrap();
        let always = |channels| OpenOptions { channels, ffmpeg: FfmpegPolicy::Always, ..OpenOptions::default() };
        let theirs = all(&input, &always(Channels::Split)).unwrap();
        assert_eq!((split.len(), theirs.len()), (usize::from(channels), usize::from(channels)), "{name}");
        for (channel, recording) in split.iter().enumerate() {
            let expected = reference(&path, channel);
            let (noise, level) = levels(&samples(recording), &expected);
            println!("{name}, channel {channel}: {:.1} dB below the sound", level - noise);
            assert!(recording.len().abs_diff(expected.len() as u64) <= 1, "{name}, channel {channel}");
            assert!(level - noise >= least, "{name}, channel {channel}: {:.1} dB below the sound", level - noise);
            assert_eq!(samples(&theirs[channel]), expected, "{name}, channel {channel} through ffmpeg");
        }
        let [right] = all(&input, &always(Channels::Right)).unwrap().try_into().unwrap();
        assert_eq!(samples(&right), reference(&path, 1), "{name}");
    }
    let mono = folder.path().join("mono.ac3");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=300:duration=1", "-ac", "1"])
        .arg(&mono)
        .status();
    assert!(made.unwrap().success());
    let foreign = |channels| all(&Input::Path(mono.clone()), &OpenOptions { channels, ..OpenOptions::default() });
    assert_eq!(foreign(Channels::Left).unwrap()[0].len(), foreign(Channels::Mix).unwrap()[0].len());
    assert!(matches!(foreign(Channels::Right), Err(AudioError::NoSuchChannel { channels: 1, .. })));
}
