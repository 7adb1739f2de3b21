//! An engine that panics, that does not come to an end, that does not fit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use amanuensis_server::Settings;
use serde_json::Value;

use super::engine::{Mood, demo};
use super::server::{ENGLISH, sample, start, start_with};

#[test]
fn an_engine_that_panics_fails_its_round_and_is_loaded_anew() {
    let server = start(Settings::default());
    let english = sample("english.wav");
    server.mood.panics.store(true, Ordering::Relaxed);
    let (status, error) = server.transcribe("demo", &english, &[]);
    assert_eq!((status, &error["error"]["type"]), (500, &"server_error".into()), "{error}");
    assert_eq!(server.get("/readyz").0, 200, "it was the work of that round");
    for _ in 0..2 {
        let (status, answer) = server.transcribe("demo", &english, &[]);
        assert_eq!((status, &answer["text"]), (200, &ENGLISH.into()), "{answer}");
    }
    assert_eq!(server.mood.loads.load(Ordering::Relaxed), 2);
    let (_, page) = server.get("/metrics");
    assert!(page.as_str().is_some_and(|page| page.contains("amanuensis_transcriptions_total{result=\"failed\"} 1")));
}

#[test]
fn a_round_that_does_not_end_is_told_of() {
    let server = start(Settings { stalled_after: 1, ..Settings::default() });
    server.mood.hold(true);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.transcribe("demo", &sample("english.wav"), &[]));
        let (_, error) = server.until("/readyz", |(status, _)| *status == 503);
        assert_eq!(error["error"]["code"], "stalled", "{error}");
        assert!(error["error"]["message"].as_str().is_some_and(|why| why.contains(" s;")), "{error}");
        assert_eq!(server.get("/livez").0, 200);
        let (_, status) = server.get("/v1/status");
        assert_eq!((&status["ready"], &status["reason"]), (&false.into(), &error["error"]["message"]));
        server.mood.hold(false);
        assert_eq!(waiting.join().expect("an answer").0, 200);
    });
    server.until_ready();
}

fn states(status: &Value) -> Vec<(&str, &str)> {
    let models = status["models"].as_array().expect("models");
    models
        .iter()
        .map(|model| (model["id"].as_str().unwrap_or_default(), model["state"].as_str().unwrap_or_default()))
        .collect()
}

#[test]
fn models_share_the_memory_that_they_are_given() {
    let bytes = demo(&Arc::new(Mood::default())).expect("the demo model").bytes();
    assert!(bytes > 1_000_000, "{bytes}");
    let english = sample("english.wav");
    let server =
        start_with(&["one", "two", "three"], Settings { models_memory: Some(bytes * 5 / 2), ..Settings::default() });
    server.until_ready();
    for model in ["two", "one", "three"] {
        assert_eq!(server.transcribe(model, &english, &[]).0, 200);
    }
    let (_, status) = server.get("/v1/status");
    assert_eq!(states(&status), [("one", "loaded"), ("two", "unloaded"), ("three", "loaded")], "the longest unused");
    assert_eq!(status["models_bytes"], bytes * 2);
    assert_eq!(status["models"][0]["bytes"], bytes);

    // What is in use stays.
    server.mood.hold(true);
    std::thread::scope(|scope| {
        let both = ["one", "three"].map(|model| {
            let (server, english) = (&server, &english);
            scope.spawn(move || server.transcribe(model, english, &[]).0)
        });
        let in_use = |model: &Value| model["users"].as_u64() > Some(0);
        server.until("/v1/status", |(_, status)| in_use(&status["models"][0]) && in_use(&status["models"][2]));
        server.mood.hold(false);
        for one in both {
            assert_eq!(one.join().expect("an answer"), 200);
        }
    });

    let small = start_with(&["one"], Settings { models_memory: Some(bytes - 1), ..Settings::default() });
    let (status, error) = small.transcribe("one", &english, &[]);
    let message = error["error"]["message"].as_str().unwrap_or_default();
    assert_eq!((status, &error["error"]["code"]), (503, &"model_too_large".into()));
    assert!(message.contains(&bytes.to_string()) && message.contains(&(bytes - 1).to_string()), "{message}");
    assert_eq!(small.get("/readyz").0, 503);
}
