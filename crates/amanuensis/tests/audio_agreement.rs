//! The same file through this program and through ffmpeg: the same length, no shift, and how far apart.
//!
//! Skipped where ffmpeg is not installed. `cargo test --test audio_agreement -- --nocapture` prints the table.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use amanuensis::audio::{self, FfmpegPolicy, Input, OpenOptions, Recording};

/// How two decodings of a file differ.
struct Agreement {
    /// Our length less ffmpeg's, in samples.
    length: i64,
    /// Where ours lies best on ffmpeg's, in samples; positive when ours is late.
    lag: i64,
    /// Difference at that place, in decibels of full scale.
    noise: f64,
    /// The sound itself, in decibels of full scale.
    level: f64,
}

fn has_ffmpeg() -> bool {
    let found = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !found {
        eprintln!("skipped: ffmpeg is not installed");
    }
    found
}

/// Runs ffmpeg and returns what it wrote to standard output.
fn ffmpeg(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "ffmpeg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What ffmpeg makes of the file. Opus is decoded by libopus, the codec's own: ffmpeg's decoder differs from it by a
/// part of a sample in speech.
fn reference(path: &Path) -> Vec<f32> {
    let name = path.to_str().unwrap();
    let output = ["-i", name, "-f", "s16le", "-ac", "1", "-ar", "16000", "-"];
    let is_opus = name.contains("opus") || name.ends_with("format.webm");
    let bytes = if is_opus { ffmpeg(&[&["-c:a", "libopus"], output.as_slice()].concat()) } else { ffmpeg(&output) };
    bytes.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0).collect()
}

fn open(path: &Path) -> Recording {
    let options = OpenOptions { ffmpeg: FfmpegPolicy::Never, ..OpenOptions::default() };
    audio::open(&Input::Path(path.to_owned()), &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn samples(recording: &Recording) -> Vec<f32> {
    let mut out = vec![0.0; recording.len() as usize];
    recording.read(0, &mut out).unwrap();
    out
}

fn compare(ours: &[f32], theirs: &[f32]) -> Agreement {
    let power = |values: &mut dyn Iterator<Item = f32>| {
        let (sum, count) =
            values.fold((0.0f64, 0u64), |(sum, count), value| (sum + f64::from(value).powi(2), count + 1));
        10.0 * (sum / count.max(1) as f64 + 1e-20).log10()
    };
    let distance = |lag: i64| {
        let (ours, theirs) = if lag >= 0 {
            (ours.get(lag as usize..).unwrap_or(&[]), theirs)
        } else {
            (ours, theirs.get(-lag as usize..).unwrap_or(&[]))
        };
        power(&mut ours.iter().zip(theirs).map(|(a, b)| a - b))
    };
    // Coarse search on a stretch in the middle, then the whole.
    let middle = ours.len() / 2;
    let stretch = 2000.min(middle);
    let cost = |lag: i64| {
        (middle..middle + stretch)
            .filter_map(|place| {
                let other = theirs.get(usize::try_from(place as i64 - lag).ok()?)?;
                Some(f64::from(ours.get(place)? - other).powi(2))
            })
            .sum::<f64>()
    };
    let lag = (-1500..=1500i64).min_by(|&a, &b| (cost(a), a.abs()).partial_cmp(&(cost(b), b.abs())).unwrap()).unwrap();
    Agreement {
        length: ours.len() as i64 - theirs.len() as i64,
        lag,
        noise: distance(lag),
        level: power(&mut theirs.iter().copied()),
    }
}

/// A speech-like sound without any file: gliding harmonics in syllables, with a little noise.
fn write_sound(path: &Path, rate: u32, channels: u16, seconds: f64) {
    let frames = (f64::from(rate) * seconds) as usize;
    let mut data = Vec::new();
    let mut seed = 1u32;
    let mut phase = 0.0f64;
    for frame in 0..frames {
        let time = frame as f64 / f64::from(rate);
        let pitch = 120.0 + 60.0 * (time * 2.1).sin();
        phase += std::f64::consts::TAU * pitch / f64::from(rate);
        let syllable = (time * 4.0 * std::f64::consts::PI).sin().max(0.0);
        for channel in 0..channels {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(seed >> 8) / f64::from(1 << 24) - 0.5;
            let voice: f64 = (1..20).map(|harmonic| (phase * f64::from(harmonic)).sin() / f64::from(harmonic)).sum();
            let value = 0.2 * syllable * voice * (1.0 - 0.1 * f64::from(channel)) + 0.01 * noise;
            data.extend(((value * 32767.0) as i16).to_le_bytes());
        }
    }
    let block = channels * 2;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend(1u16.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(16u16.to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    std::fs::write(path, file).unwrap();
}

/// File name, rate and channels of the sound it is made from, ffmpeg's arguments, allowed difference of length, and the
/// allowed noise in decibels below the sound.
type Case = (&'static str, u32, u16, &'static [&'static str], i64, f64);

const CASES: &[Case] = &[
    ("s16_16k.wav", 16000, 1, &[], 0, 170.0),
    ("s16_8k.wav", 8000, 1, &[], 0, 90.0),
    ("s16_11025.wav", 11025, 1, &[], 0, 90.0),
    ("s16_22050_stereo.wav", 22050, 2, &[], 0, 90.0),
    ("s16_44100_stereo.wav", 44100, 2, &[], 0, 90.0),
    ("s16_44099.wav", 44099, 1, &[], 0, 60.0),
    ("s16_48k_5.1.wav", 48000, 6, &[], 0, 60.0),
    ("s16_96k.wav", 96000, 1, &[], 0, 90.0),
    ("s24_48k.wav", 48000, 2, &["-c:a", "pcm_s24le"], 0, 60.0),
    ("s32_48k.wav", 48000, 2, &["-c:a", "pcm_s32le"], 0, 60.0),
    ("f32_44100.wav", 44100, 2, &["-c:a", "pcm_f32le"], 0, 60.0),
    ("f64_44100.wav", 44100, 2, &["-c:a", "pcm_f64le"], 0, 60.0),
    ("u8_8k.wav", 8000, 1, &["-c:a", "pcm_u8"], 0, 90.0),
    ("mulaw_8k.wav", 8000, 1, &["-c:a", "pcm_mulaw"], 0, 90.0),
    ("alaw_8k.wav", 8000, 1, &["-c:a", "pcm_alaw"], 0, 90.0),
    ("adpcm_ms.wav", 22050, 1, &["-c:a", "adpcm_ms"], 2000, 40.0),
    ("adpcm_ima.wav", 22050, 1, &["-c:a", "adpcm_ima_wav"], 2000, 40.0),
    ("rf64.wav", 44100, 2, &["-rf64", "always"], 0, 90.0),
    ("pcm.aiff", 44100, 2, &[], 0, 90.0),
    ("pcm24.aiff", 44100, 2, &["-c:a", "pcm_s24be"], 0, 60.0),
    ("pcm.caf", 44100, 2, &["-c:a", "pcm_s16be"], 0, 90.0),
    ("flac_16k.flac", 16000, 1, &[], 0, 170.0),
    ("flac_44100.flac", 44100, 2, &[], 0, 90.0),
    ("flac24.flac", 48000, 2, &["-sample_fmt", "s32"], 0, 60.0),
    ("flac.ogg", 48000, 2, &["-c:a", "flac"], 0, 90.0),
    ("flac.mka", 48000, 2, &["-c:a", "flac"], 0, 90.0),
    ("alac.m4a", 44100, 2, &["-c:a", "alac"], 0, 90.0),
    ("alac.caf", 44100, 2, &["-c:a", "alac"], 0, 90.0),
    ("mp3_44100.mp3", 44100, 2, &["-b:a", "128k"], 0, 50.0),
    ("mp3_vbr.mp3", 44100, 2, &["-q:a", "4"], 0, 50.0),
    ("mp3_16k.mp3", 16000, 1, &["-b:a", "32k"], 0, 50.0),
    ("mp3_8k.mp3", 8000, 1, &["-b:a", "16k"], 0, 50.0),
    ("mp3_noxing.mp3", 44100, 2, &["-write_xing", "0"], 0, 50.0),
    ("mp3_in.mka", 44100, 2, &["-c:a", "libmp3lame"], 0, 50.0),
    ("mp2.mp2", 48000, 2, &["-c:a", "mp2"], 0, 50.0),
    ("vorbis.ogg", 44100, 2, &["-c:a", "libvorbis"], 0, 50.0),
    ("vorbis_mono.ogg", 16000, 1, &["-c:a", "libvorbis"], 0, 50.0),
    ("vorbis.webm", 48000, 2, &["-c:a", "libvorbis"], 0, 50.0),
    ("vorbis51.ogg", 48000, 6, &["-c:a", "libvorbis"], 0, 15.0),
    ("aac.m4a", 44100, 2, &["-c:a", "aac"], 0, 50.0),
    ("aac_mono.m4a", 16000, 1, &["-c:a", "aac"], 0, 50.0),
    ("aac.mp4", 48000, 2, &["-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"], 0, 50.0),
    ("aac.aac", 44100, 2, &["-c:a", "aac"], 0, 50.0),
    ("aac.mkv", 48000, 2, &["-c:a", "aac"], 0, 50.0),
    ("aac.mov", 48000, 2, &["-c:a", "aac"], 0, 50.0),
    ("opus_64k.opus", 48000, 2, &["-c:a", "libopus", "-b:a", "64k"], 0, 40.0),
    ("opus_silk.opus", 16000, 1, &["-c:a", "libopus", "-b:a", "12k", "-application", "voip"], 0, 30.0),
    ("opus_hybrid.opus", 48000, 1, &["-c:a", "libopus", "-b:a", "28k", "-application", "voip"], 0, 30.0),
    ("opus_celt_2.5ms.opus", 48000, 1, &["-c:a", "libopus", "-b:a", "96k", "-frame_duration", "2.5"], 0, 40.0),
    ("opus_60ms.opus", 48000, 1, &["-c:a", "libopus", "-b:a", "24k", "-frame_duration", "60"], 0, 30.0),
    ("opus_60ms_fat.opus", 48000, 2, &["-c:a", "libopus", "-b:a", "510k", "-frame_duration", "60"], 0, 40.0),
    ("opus_120ms.opus", 48000, 1, &["-c:a", "libopus", "-b:a", "32k", "-frame_duration", "120"], 0, 30.0),
    ("opus_8k.opus", 8000, 1, &["-c:a", "libopus", "-b:a", "10k", "-application", "voip"], 0, 30.0),
    ("opus51.opus", 48000, 6, &["-c:a", "libopus", "-b:a", "256k"], 0, 40.0),
    ("opus.webm", 48000, 2, &["-c:a", "libopus", "-b:a", "64k"], 0, 40.0),
    ("opus.mp4", 48000, 2, &["-c:a", "libopus", "-b:a", "64k"], 0, 40.0),
];

#[test]
fn every_format_agrees_with_ffmpeg() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bad = Vec::new();
    eprintln!("{:24} {:>8} {:>5} {:>9} {:>9}", "file", "length", "lag", "noise dB", "level dB");
    for &(name, rate, channels, arguments, length, noise) in CASES {
        let sound = folder.path().join(format!("sound_{rate}_{channels}.wav"));
        if !sound.exists() {
            write_sound(&sound, rate, channels, 3.123);
        }
        let path = folder.path().join(name);
        let mut list = vec!["-i", sound.to_str().unwrap()];
        list.extend(arguments);
        list.push(path.to_str().unwrap());
        ffmpeg(&list);
        let line = std::panic::catch_unwind(|| check(name, &path, length, noise));
        if !line.is_ok_and(|good| good) {
            bad.push(name);
        }
    }
    assert!(bad.is_empty(), "these differ from ffmpeg: {bad:?}");
}

fn check(name: &str, path: &Path, length: i64, noise: f64) -> bool {
    let recording = open(path);
    let agreement = compare(&samples(&recording), &reference(path));
    let good = agreement.length.abs() <= length && agreement.lag == 0 && agreement.noise <= agreement.level - noise;
    eprintln!(
        "{name:24} {:8} {:5} {:9.1} {:9.1} {} {:?}",
        agreement.length,
        agreement.lag,
        agreement.noise,
        agreement.level,
        if good { "" } else { "<-- differs" },
        recording.warnings()
    );
    good
}

#[test]
fn shared_files_agree_with_ffmpeg() {
    let Some(shared) = common::shared() else { return };
    if !has_ffmpeg() {
        return;
    }
    let names = ["format.flac", "format.m4a", "format.mp3", "format.ogg", "format.webm", "format_44k1_stereo.wav"];
    let others = ["format_8k.wav", "long_2min.flac", "dialogue.wav", "short_00.wav", "packed_0.wav"];
    let bad: Vec<_> = names
        .into_iter()
        .chain(others)
        .filter(|name| {
            let path = shared.join("audio").join(name);
            !std::panic::catch_unwind(|| check(name, &path, 0, 25.0)).is_ok_and(|good| good)
        })
        .collect();
    assert!(bad.is_empty(), "these differ from ffmpeg: {bad:?}");
}

/// Files to compare by hand: `AMANUENSIS_COMPARE="a.opus b.mp3" cargo test --test audio_agreement named -- --nocapture`.
#[test]
fn named_files_agree_with_ffmpeg() {
    let Some(names) = std::env::var("AMANUENSIS_COMPARE").ok().filter(|_| has_ffmpeg()) else { return };
    let differs = |name: &&str| {
        let short = name.rsplit('/').next().unwrap();
        !std::panic::catch_unwind(|| check(short, Path::new(name), 0, 25.0)).is_ok_and(|good| good)
    };
    let bad: Vec<&str> = names.split_whitespace().filter(differs).collect();
    assert!(bad.is_empty(), "these differ from ffmpeg: {bad:?}");
}
