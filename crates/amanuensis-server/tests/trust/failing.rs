//! What a client sees when the engine fails, or is too slow.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use amanuensis_server::Settings;

use crate::server::{NO_DEVICE, NO_NUMBERS, PANICS, Running, SLOW, SOUND, sample};
use crate::silence::silent_opus;

#[test]
fn a_model_that_panics_takes_nobody_else_down() {
    let folder = tempfile::tempdir().expect("a folder");
    // A model that panics as soon as it is loaded is not loaded at all, and a job waits for one that is.
    let settings = Settings { data: Some(folder.path().to_owned()), warm_up: false, ..Settings::default() };
    let server = Running::start(settings);
    let (status, before) = server.transcribe();
    assert_eq!(status, 200, "{before}");
    server.trouble.set(PANICS);
    let (status, error) = server.transcribe();
    assert_eq!((status, &error["error"]["type"]), (500, &"server_error".into()), "{error}");
    assert!(error["error"]["message"].as_str().is_some_and(|message| !message.contains("made to panic")), "{error}");
    let (status, job) = server.post("/v1/jobs", &sample("english.wav"));
    assert_eq!(status, 202, "{job}");
    let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
    let begun = Instant::now();
    let job = loop {
        let (_, job) = server.get(&path);
        if !["queued", "running"].contains(&job["status"].as_str().expect("a status")) {
            break job;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{job}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((&job["status"], &job["error"]["type"]), (&"failed".into(), &"server_error".into()), "{job}");
    server.trouble.set(SOUND);
    assert_eq!(server.transcribe(), (200, before));
    assert_eq!(server.get("/readyz").0, 200);
    assert!(server.trouble.loads.load(Ordering::SeqCst) > 1, "a model that panicked is not used again");
}

#[test]
fn numbers_that_are_none_are_an_error() {
    let server = Running::start(Settings::default());
    let (_, before) = server.transcribe();
    server.trouble.set(NO_NUMBERS);
    let (status, error) = server.transcribe();
    assert_eq!((status, &error["error"]["type"]), (500, &"server_error".into()), "{error}");
    server.trouble.set(SOUND);
    assert_eq!(server.transcribe(), (200, before));
}

#[test]
fn a_device_that_must_be_used_and_is_gone_is_unavailable_and_tried_anew() {
    let server = Running::start(Settings::default());
    let (_, before) = server.transcribe();
    server.trouble.set(NO_DEVICE);
    let loads = server.trouble.loads.load(Ordering::SeqCst);
    let (status, error) = server.transcribe();
    assert_eq!((status, &error["error"]["code"]), (503, &"device_unavailable".into()), "{error}");
    let message = error["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("\"failing\"") && !message.contains("/dev"), "{message}");
    server.trouble.set(SOUND);
    assert_eq!(server.transcribe(), (200, before));
    assert!(server.trouble.loads.load(Ordering::SeqCst) > loads, "the model that lost its device is not used again");
}

#[test]
fn a_sound_that_takes_too_long_to_decode_is_given_up() {
    let server = Running::start(Settings { deadline: 1, max_duration: 1e6, ..Settings::default() });
    // Days of silence in some megabytes.
    let begun = Instant::now();
    let (status, error) = server.post("/v1/audio/transcriptions", &silent_opus(24 * 4));
    assert_eq!((status, &error["error"]["code"]), (504, &"deadline_exceeded".into()), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn what_is_not_heard_in_time_is_given_up() {
    let server = Running::start(Settings { deadline: 1, ..Settings::default() });
    assert_eq!(server.transcribe().0, 200);
    server.trouble.set(SLOW);
    // Two windows: the time is over behind the first.
    let sound = silent_wave(50);
    let (status, error) = server.post("/v1/audio/transcriptions", &sound);
    assert_eq!((status, &error["error"]["code"]), (504, &"deadline_exceeded".into()), "{error}");
    server.trouble.set(SOUND);
    assert_eq!(server.transcribe().0, 200);
}

/// So many seconds of silence.
fn silent_wave(seconds: usize) -> Vec<u8> {
    let mut wave = sample("english.wav")[..44].to_vec();
    let bytes = seconds * 32_000;
    wave[4..8].copy_from_slice(&(bytes as u32 + 36).to_le_bytes());
    wave[40..44].copy_from_slice(&(bytes as u32).to_le_bytes());
    wave.resize(44 + bytes, 0);
    wave
}
