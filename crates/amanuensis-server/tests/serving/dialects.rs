//! The earlier system's endpoints, and log probabilities.

use amanuensis_server::Settings;
use serde_json::{Value, json};

use super::server::{ENGLISH, sample, start};

#[test]
fn the_earlier_systems_clients_are_served() {
    let server = start(Settings::default());
    let english = sample("english.wav");
    let (status, answer) = server.post("/transcribe", &english, &[("enable_vad", "false"), ("max_speakers", "2")]);
    assert_eq!((status, &answer["text"], &answer["language"]), (200, &ENGLISH.into(), &"en".into()), "{answer}");
    assert_eq!(answer["segments"][0]["text"], format!(" {ENGLISH}"));
    let performance = &answer["performance"];
    assert_eq!(performance["model"], "demo");
    assert!(performance["engine"].as_str().is_some_and(|engine| engine.starts_with("cpu (")), "{performance}");
    assert!(performance["rtf"].as_str().is_some_and(|times| times.ends_with('x')), "{performance}");
    let (status, answer) = server.post("/transcribe", &english, &[("response_format", "text")]);
    assert_eq!((status, answer), (200, json!({ "text": ENGLISH })));
    let (status, answer) = server.post("/transcribe", &english, &[("response_format", "srt")]);
    assert!(status == 200 && answer.as_str().is_some_and(|srt| srt.starts_with("1\n00:00:00,000 --> ")), "{answer}");
    for (fields, param) in [
        (("url", "http://127.0.0.1/a.wav"), "url"),
        (("diarization", "true"), "diarization"),
        (("model", "large-v3"), "model"),
        (("temperature", "hot"), "temperature"),
    ] {
        let (status, answer) = server.post("/transcribe", &english, &[fields]);
        assert_eq!((status, &answer["error"]["param"]), (if param == "model" { 404 } else { 400 }, &param.into()));
        assert_eq!(answer["detail"], answer["error"]["message"]);
    }
    let (status, answer) = server.post("/transcribe", b"no sound", &[]);
    assert!((400..500).contains(&status) && answer["detail"].is_string(), "{answer}");

    assert_eq!(server.get("/models"), (200, json!({ "models": ["demo"], "current": "demo" })));
    let (status, answer) = server.get("/status");
    assert_eq!((status, &answer["status"], &answer["model"]), (200, &"ready".into(), &"demo".into()));
    let (status, page) = server.get("/web");
    assert!(status == 200 && page.as_str().is_some_and(|page| page.contains("<title>")), "{page}");
    let (status, answer) = server.post("/load", b"", &[("model", "/etc/passwd")]);
    assert!(status == 403 && answer["error"].as_str().is_some_and(|why| why.contains("/v1/models")), "{answer}");
}

fn said(logprobs: &Value) -> String {
    let bytes = logprobs.as_array().expect("a list").iter().flat_map(|entry| {
        assert!(entry["logprob"].as_f64().is_some_and(|logprob| logprob <= 0.0) && entry["token"].is_string());
        entry["bytes"].as_array().expect("bytes").iter().map(|byte| byte.as_u64().expect("a byte") as u8)
    });
    String::from_utf8(bytes.collect()).expect("a text")
}

#[test]
fn log_probabilities_stand_beside_the_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(Settings { data: Some(folder.path().to_owned()), ..Settings::default() });
    let english = sample("english.wav");
    let (status, answer) = server.transcribe("demo", &english, &[("include[]", "logprobs")]);
    assert_eq!((status, &answer["text"]), (200, &ENGLISH.into()), "{answer}");
    assert_eq!(said(&answer["logprobs"]), format!(" {ENGLISH}"));
    let (_, plain) = server.transcribe("demo", &english, &[]);
    assert!(plain.get("logprobs").is_none());

    let two = sample("two-voices.wav");
    let (status, stream) = server.transcribe("demo", &two, &[("include[]", "logprobs"), ("stream", "true")]);
    let events: Vec<Value> = stream
        .as_str()
        .expect("events")
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect();
    let (done, deltas) = events.split_last().expect("events");
    assert!(status == 200 && deltas.len() > 1 && done["type"] == "transcript.text.done", "{done}");
    let of_deltas: String = deltas.iter().map(|delta| said(&delta["logprobs"])).collect();
    assert_eq!(of_deltas, said(&done["logprobs"]));
    assert_eq!(Some(of_deltas.trim()), done["text"].as_str());

    // Of a job they are kept with its result.
    let (status, job) = server.post("/v1/jobs", &english, &[("include[]", "logprobs"), ("model", "demo")]);
    assert_eq!(status, 202, "{job}");
    let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
    server.until(&path, |(_, job)| job["status"] == "succeeded");
    let (_, result) = server.get(&format!("{path}/result?format=json"));
    assert_eq!(result["logprobs"], answer["logprobs"]);
    let (_, status) = server.get("/v1/status");
    assert_eq!(status["jobs"]["succeeded"], 1, "{status}");
    let shares = status["work"]["shares"].as_object().expect("shares");
    let (device, share) = shares.iter().next().expect("a device");
    assert!(device.starts_with("cpu (") && share["share"] == 1.0 && share["windows"].as_u64() > Some(3), "{shares:?}");
}
