//! Files that ffmpeg makes for the test: foreign codecs, chained and cut-off streams, wrong edit lists, pauses.
//!
//! What needs the ffmpeg program is skipped where it is not installed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use amanuensis::audio::{self, AudioError, FfmpegPolicy, Input, Limits, OpenOptions, Recording};
use common::{built_in as options, open_bytes as open, open_bytes_with as open_with, samples};

/// A file made by ffmpeg; none where ffmpeg is not installed.
fn made(folder: &Path, name: &str, arguments: &[&str]) -> Option<PathBuf> {
    let path = folder.join(name);
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "sine=300:duration=3:sample_rate=48000"])
        .args(arguments)
        .arg(format!("file:{}", path.display()))
        .status();
    match status {
        Ok(status) => {
            assert!(status.success(), "ffmpeg could not make {name}");
            Some(path)
        }
        Err(_) => {
            eprintln!("skipped: ffmpeg is not installed");
            None
        }
    }
}

fn open_path(path: &Path, options: &OpenOptions) -> Result<Recording, AudioError> {
    audio::open(&Input::Path(path.to_owned()), options, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn foreign_codecs_go_through_ffmpeg_or_say_that_they_would() {
    let folder = tempfile::tempdir().unwrap();
    // A name that looks like an option and like a protocol.
    let names = [("-y.ac3", "ac3"), ("pipe:x.ac3", "ac3"), ("a.wma", "wmav2"), ("b.mka", "ac3")];
    for (name, codec) in names {
        let Some(path) = made(folder.path(), name, &["-c:a", codec]) else { return };
        let recording = open_path(&path, &OpenOptions::default()).unwrap();
        assert!((recording.duration() - 3.0).abs() < 0.1, "{name}: {} s", recording.duration());
        assert_eq!(recording.source().decoder, audio::Decoder::Ffmpeg);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(open_with(bytes, &OpenOptions::default()).unwrap().len(), recording.len());
        let error = open_path(&path, &options()).unwrap_err().to_string();
        assert!(error.contains("not allowed"), "{error}");
        let absent = OpenOptions { ffmpeg_program: Some("/no/such/ffmpeg".into()), ..OpenOptions::default() };
        let error = open_path(&path, &absent).unwrap_err().to_string();
        assert!(error.contains("not installed"), "{error}");
    }
    let error = open_path(&folder.path().join("b.mka"), &options()).unwrap_err().to_string();
    assert!(error.contains("AC-3"), "{error}");
    let short = OpenOptions { limits: Limits { max_duration: 1.0, ..Limits::default() }, ..OpenOptions::default() };
    let error = open_path(&folder.path().join("a.wma"), &short).unwrap_err();
    assert!(matches!(error, AudioError::LimitExceeded { .. }), "{error}");
}

#[test]
fn ffmpeg_may_be_asked_to_do_everything() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = made(folder.path(), "a.flac", &[]) else { return };
    let always = OpenOptions { ffmpeg: FfmpegPolicy::Always, ..OpenOptions::default() };
    let theirs = open_path(&path, &always).unwrap();
    assert_eq!(theirs.source().decoder, audio::Decoder::Ffmpeg);
    assert_eq!(samples(&theirs), samples(&open_path(&path, &options()).unwrap()));
    let text = folder.path().join("text.mp3");
    std::fs::write(&text, "not a sound\n".repeat(100)).unwrap();
    assert!(matches!(open_path(&text, &always).unwrap_err(), AudioError::Ffmpeg { .. }));
    assert!(matches!(open_path(&text, &OpenOptions::default()).unwrap_err(), AudioError::UnknownFormat { .. }));
}

#[test]
fn an_error_about_damage_says_what_became_of_ffmpeg() {
    let damaged = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    let told = |options: &OpenOptions| {
        let error = open_with(damaged.clone(), options).unwrap_err();
        assert!(matches!(error, AudioError::Damaged { .. }), "{error}");
        error.to_string()
    };
    let error = told(&options());
    assert!(error.contains("running ffmpeg is not allowed"), "{error}");
    let absent = OpenOptions { ffmpeg_program: Some("/no/such/ffmpeg".into()), ..OpenOptions::default() };
    let error = told(&absent);
    assert!(error.contains("is not installed"), "{error}");
    if Command::new("ffmpeg").arg("-version").output().is_ok() {
        let error = told(&OpenOptions::default());
        assert!(error.contains("ffmpeg cannot read it either"), "{error}");
    }
}

#[test]
fn content_decides_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, kind, codec) in
        [("a.mp3", "flac", "flac"), ("b.wav", "ogg", "libopus"), ("c.flac", "wav", "pcm_s16le"), ("d", "mp4", "aac")]
    {
        let Some(path) = made(folder.path(), name, &["-c:a", codec, "-f", kind]) else { return };
        let recording = open_path(&path, &options()).unwrap();
        assert!((recording.duration() - 3.0).abs() < 0.1, "{name}: {} s", recording.duration());
    }
}

#[test]
fn chained_ogg_is_one_sound() {
    let folder = tempfile::tempdir().unwrap();
    for codec in ["libopus", "libvorbis"] {
        let Some(path) = made(folder.path(), "a.ogg", &["-c:a", codec]) else { return };
        let one = std::fs::read(&path).unwrap();
        let other = std::fs::read(made(folder.path(), "b.ogg", &["-c:a", codec, "-ac", "2"]).unwrap()).unwrap();
        let recording = open([one, other].concat()).unwrap();
        assert!((recording.duration() - 6.0).abs() < 0.01, "{codec}: {} s", recording.duration());
    }
}

#[test]
fn empty_and_cut_off_files_of_other_formats() {
    let folder = tempfile::tempdir().unwrap();
    let Some(empty) = made(folder.path(), "empty.flac", &["-af", "atrim=end=0"]) else { return };
    assert!(open_path(&empty, &options()).unwrap().is_empty());
    let cut = [
        ("a.mp3", "libmp3lame"),
        ("a.flac", "flac"),
        ("a.ogg", "libvorbis"),
        ("a.opus", "libopus"),
        ("a.webm", "libopus"),
    ];
    for (name, codec) in cut {
        let path = made(folder.path(), name, &["-c:a", codec]).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() * 2 / 3);
        let recording = open(bytes).unwrap();
        let duration = recording.duration();
        assert!(duration > 1.0 && duration < 2.6, "{name}: {duration} s");
        assert!(recording.warnings().iter().any(|warning| warning.contains("cut off")), "{name}");
    }
}

#[test]
fn an_edit_list_that_begins_after_the_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = made(folder.path(), "a.m4a", &["-c:a", "aac"]) else { return };
    let mut bytes = std::fs::read(&path).unwrap();
    // Type, version and flags, count, duration; then the time at which the first edit begins, in frames.
    let list = bytes.windows(4).position(|window| window == b"elst").unwrap();
    bytes[list + 16..list + 20].copy_from_slice(&480_000u32.to_be_bytes());
    let recording = open(bytes).unwrap();
    assert!(recording.is_empty(), "{} samples", recording.len());
    assert!(recording.warnings().iter().any(|warning| warning.contains("edit list")), "{:?}", recording.warnings());
    assert!(open_path(&path, &options()).unwrap().warnings().is_empty());
}

#[test]
fn pauses_that_were_not_sent_keep_their_time() {
    let folder = tempfile::tempdir().unwrap();
    // A tone, a second of nothing, a tone: with discontinuous transmission most of the pause is empty packets.
    let arguments = ["-af", "volume='if(between(t,1,2),0,1)':eval=frame", "-c:a", "libopus", "-dtx", "1"];
    for (name, rest) in
        [("a.opus", ["-b:a", "16k"]), ("a.webm", ["-b:a", "16k"]), ("b.opus", ["-frame_duration", "60"])]
    {
        let list: Vec<&str> = arguments.iter().chain(&rest).copied().chain(["-application", "voip"]).collect();
        let Some(path) = made(folder.path(), name, &list) else { return };
        let recording = open_path(&path, &options()).unwrap();
        assert!((recording.duration() - 3.0).abs() < 0.001, "{name}: {} s", recording.duration());
        assert!(recording.warnings().is_empty(), "{name}: {:?}", recording.warnings());
        let sound = samples(&recording);
        let loud = |from: usize, to: usize| sound[from..to].iter().any(|sample| sample.abs() > 0.05);
        assert!(loud(0, 15000) && !loud(18000, 30000) && loud(34000, 47000), "{name}");
    }
}
