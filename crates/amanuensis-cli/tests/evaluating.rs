//! `eval` over the samples of this repository, with the model the program carries.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples")
}

fn eval(manifest: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
    command.stdin(Stdio::null()).args(["eval", "--model", "demo"]).arg(manifest).args(flags);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn evaluation(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

/// A manifest in a folder of its own, whose files are those of the samples.
fn manifest(lines: &[Value]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.jsonl");
    let absolute = |line: &Value| {
        let mut line = line.clone();
        line["file"] = samples().join(line["file"].as_str().unwrap()).to_str().unwrap().into();
        line.to_string()
    };
    fs::write(&path, lines.iter().map(absolute).collect::<Vec<_>>().join("\n")).unwrap();
    (folder, path)
}

#[test]
fn samples_are_understood_to_the_word() {
    let output = eval(&samples().join("manifest.jsonl"), &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found = evaluation(&output);
    assert_eq!(found["files"].as_array().unwrap().len(), 9);
    assert_eq!(found["total"]["words"]["rate"], 0.0, "{found}");
    assert_eq!(found["total"]["characters"]["insertions"], 0);
    assert_eq!(found["spelling"], "rules");
    assert_eq!((&found["invented"], &found["failed"]), (&json!([]), &json!([])));
    let german = found["files"].as_array().unwrap().iter().find(|file| file["file"] == "german.wav").unwrap();
    assert_eq!((german["language"].as_str(), german["normalizer"].as_str()), (Some("de"), Some("basic")));
    assert_eq!(german["words"]["hits"], 8);
    for figure in ["sound_seconds", "wall_seconds", "realtime_factor"] {
        assert!(german[figure].as_f64().unwrap() > 0.0, "{figure}");
    }
    assert_eq!(german["peak_resident_bytes"].is_u64(), cfg!(target_os = "linux"));
    assert_eq!(german["word_times"], Value::Null);
}

#[test]
fn errors_are_counted_and_what_nobody_said_is_listed() {
    let (_folder, path) = manifest(&[
        json!({"file": "english.wav", "text": "Please chuck the server every week.", "language": "en"}),
        json!({"file": "german.wav", "text": null, "language": "de", "segments": []}),
    ]);
    let output = eval(&path, &["--json"]);
    let found = evaluation(&output);
    assert_eq!(output.status.code(), Some(0), "errors of the model are figures, not failures");
    let words = &found["files"][0]["words"];
    let kinds = ["hits", "substitutions", "deletions", "insertions"].map(|kind| words[kind].as_u64().unwrap());
    assert_eq!(kinds, [4, 2, 0, 1], "{words}");
    assert_eq!(found["files"][1]["words"]["rate"], Value::Null);
    assert_eq!(found["files"][1]["segments"], json!({"heard": 1, "reference": 0}));
    assert!(found["invented"][0]["text"].as_str().unwrap().contains("bahnhof"), "{found}");
    let table = eval(&path, &[]);
    assert!(text(&table.stdout).contains("invented: "), "{}", text(&table.stdout));
    assert!(text(&table.stdout).lines().nth(1).unwrap().starts_with("file "), "{}", text(&table.stdout));
}

#[test]
fn a_file_that_is_not_there_fails_alone() {
    let (_folder, path) = manifest(&[
        json!({"file": "no-such.wav", "text": "nothing"}),
        json!({"file": "english.wav", "text": "Please check the server every eleven weeks.", "language": "en"}),
    ]);
    let output = eval(&path, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found = evaluation(&output);
    assert!(found["failed"][0]["error"].as_str().unwrap().contains("no such file"), "{found}");
    assert_eq!((found["total"]["files"].as_u64(), found["total"]["words"]["rate"].as_f64()), (Some(1), Some(0.0)));
}

#[test]
fn files_are_chosen_and_languages_detected() {
    let all = samples().join("manifest.jsonl");
    let some = evaluation(&eval(&all, &["--json", "--only", "english*", "--limit", "2", "--normalizer", "none"]));
    let names: Vec<&str> =
        some["files"].as_array().unwrap().iter().map(|file| file["file"].as_str().unwrap()).collect();
    assert_eq!(names, ["english.wav", "english.mp3"]);
    assert_eq!(some["files"][0]["heard"], "Please check the server every eleven weeks.");
    let detected = evaluation(&eval(&all, &["--json", "--only", "german", "--detect-language"]));
    assert_eq!(detected["files"][0]["language"], "de");
    let nothing = eval(&all, &["--only", "french"]);
    assert_eq!(nothing.status.code(), Some(2), "{}", text(&nothing.stderr));
}

#[test]
fn a_manifest_that_cannot_be_read_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.jsonl");
    fs::write(&path, "{\"file\": \"a.wav\"}\n{\"text\": \"no file\"}\n").unwrap();
    let output = eval(&path, &[]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    assert!(text(&output.stderr).contains("line 2"), "{}", text(&output.stderr));
}

#[test]
fn translation_is_compared_with_the_translation() {
    let (_folder, path) = manifest(&[
        json!({"file": "german.wav", "text": "Maria und Laura arbeiten", "language": "de"}),
        json!({"file": "german.wav", "text": "Maria", "translation": "Maria and Laura", "language": "de"}),
    ]);
    let output = eval(&path, &["--json", "--task", "translate"]);
    let found = evaluation(&output);
    assert!(found["failed"][0]["error"].as_str().unwrap().contains("translation"), "{found}");
    assert_eq!(found["files"][0]["words"]["reference"], 3);
    assert_eq!(found["files"][0]["normalizer"], "english");
}

#[test]
fn two_compute_types_are_set_beside_each_other() {
    let all = samples().join("manifest.jsonl");
    let flags = ["--only", "english.wav", "--word-timestamps", "--against", "f32"];
    let output = eval(&all, &[&flags[..], &["--compute-type", "int8", "--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found = evaluation(&output);
    let gate = &found["gate"];
    assert_eq!((gate["compute_type"].as_str(), gate["against"].as_str()), (Some("int8"), Some("f32")));
    assert_eq!((gate["words"]["reference"].as_u64(), gate["same_texts"].as_u64()), (Some(7), Some(1)));
    let cosine = found["files"][0]["against"]["cosines"][0].as_f64().unwrap();
    assert!(cosine > 0.999 && cosine < 1.0, "{cosine}");
    assert_eq!(gate["word_times"]["words"], 7);
    let table = eval(&all, &[&flags[..], &["--compute-type", "f32", "--gate"]].concat());
    assert_eq!(table.status.code(), Some(0), "{}", text(&table.stdout));
    let last = text(&table.stdout).lines().last().unwrap();
    assert!(last.starts_with("gate passed: word error points 0.00000"), "{last}");
    assert!(last.contains("smallest cosine 1.00000") && last.contains("words within 20 ms 1.00000"), "{last}");
}

#[test]
fn a_gate_that_is_not_passed_is_a_failure_where_it_is_asked_for() {
    // Less than a frame of sound and no word in it: nothing is measured, and on nothing the gate does not pass.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("short.raw"), [0; 200]).unwrap();
    let path = folder.path().join("manifest.jsonl");
    fs::write(&path, "{\"file\": \"short.raw\", \"language\": \"en\"}\n").unwrap();
    let flags = ["--raw", "s16le", "--against", "f32"];
    for (more, expected) in [(&[][..], 0), (&["--gate"][..], 1)] {
        let output = eval(&path, &[&flags[..], more].concat());
        assert_eq!(output.status.code(), Some(expected), "{}{}", text(&output.stdout), text(&output.stderr));
        assert!(text(&output.stdout).contains("\ngate not passed: "), "{}", text(&output.stdout));
    }
    assert_eq!(eval(&path, &["--gate"]).status.code(), Some(2), "there is no gate without --against");
}
