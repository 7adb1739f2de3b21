//! Models written, read back and compared, from outside, with the model that the program carries.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(name)
}

fn run(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
    command.args(words).stdin(Stdio::null()).output().unwrap()
}

/// Runs the program, which must end so, and gives what it printed.
fn out(words: &[&str], code: i32) -> String {
    let output = run(words);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn err(words: &[&str], code: i32) -> String {
    let output = run(words);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

fn heard(model: &str, compute: &str) -> String {
    let sample = sample("english.wav");
    out(&["--model", model, "--compute-type", compute, sample.to_str().unwrap()], 0)
}

/// A folder, and the path of something new in it.
fn place(name: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name).to_str().unwrap().to_owned();
    (folder, path)
}

fn verdict(text: &str) -> &str {
    text.lines().last().unwrap()
}

#[test]
fn bytes_transcribe_as_the_model_does_in_bytes() {
    let (folder, bytes) = place("bytes");
    let table = out(&["quantize", "demo", "--to", "int8", "-o", &bytes], 0);
    let row = table.lines().find(|line| line.starts_with("encoder.layers.0.fc1.weight")).unwrap();
    assert!(row.contains(" F16   I8 ") && row.contains("0.9999"), "{row}");
    assert!(table.lines().any(|line| line.contains("before,") && line.contains(" %")), "{table}");
    assert_eq!(heard(&bytes, "int8"), heard("demo", "int8"));
    // In f32 it computes what the bytes say, which is near.
    assert!(!heard(&bytes, "f32").is_empty());

    let text = out(&["diff", "demo", &bytes], 0);
    assert_eq!(verdict(&text), "equal within the rounding of F16, I8");
    let json: Value = serde_json::from_str(&out(&["diff", "demo", &bytes, "--json"], 0)).unwrap();
    assert_eq!((&json["verdict"]["is"], &json["differences"]), (&"rounded".into(), &Value::Array(vec![])));
    let inspected: Value = serde_json::from_str(&out(&["inspect", &bytes, "--json", "--stats"], 0)).unwrap();
    let layer = inspected["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == "encoder.layers.0");
    assert_eq!(layer.unwrap()["dtypes"], serde_json::json!(["F32", "I8"]));
    let used: u64 = inspected["layers"].as_array().unwrap().iter().map(|layer| layer["bytes"].as_u64().unwrap()).sum();
    assert_eq!(inspected["int8_bytes"], used);
    assert!(inspected["tensors"][0]["statistics"]["std"].as_f64().unwrap() > 0.0);

    // The place is taken, and the model stays what it was.
    let error = err(&["convert", "demo", "--to", "safetensors", "-o", &bytes], 1);
    assert!(error.contains("is there already") && error.contains("--force"), "{error}");
    out(&["convert", "demo", "--to", "safetensors", "-o", &bytes, "--force"], 0);
    assert_eq!(verdict(&out(&["diff", "demo", &bytes, "--all"], 0)), "equal");
    let error = err(&["convert", &bytes, "--to", "safetensors", "--force", "-o", &bytes], 1);
    assert!(error.contains("is the model that is read"), "{error}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn four_bits_are_refused_where_they_are_kept_out() {
    let (_folder, four) = place("four");
    let table =
        out(&["quantize", "demo", "--to", "int4", "--keep", "embed_tokens", "--keep", "*fc2.weight", "-o", &four], 0);
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(row("decoder.embed_tokens.weight").contains(" F16  F16 "), "{table}");
    assert!(row("decoder.layers.0.fc2.weight").contains(" F16  F16 "), "{table}");
    assert!(row("decoder.layers.0.fc1.weight").contains(" F16   I4 "), "{table}");
    // 240 inputs are no whole groups of 32.
    assert!(row("encoder.conv1.weight").contains(" F16   I8 "), "{table}");
    assert_eq!(verdict(&out(&["diff", "demo", &four], 0)), "equal within the rounding of F16, I4, I8");
    assert!(!heard(&four, "auto").is_empty());
    let error = err(&["quantize", "demo", "--to", "int8", "--keep", "fc3", "-o", "x"], 2);
    assert!(error.contains("fits no tensor"), "{error}");
}

#[test]
fn smoothing_changes_no_number_that_the_model_computes() {
    let (folder, smooth) = place("smooth");
    let sound = sample("english.wav");
    let sound = sound.to_str().unwrap();
    let table = out(&["quantize", "demo", "--to", "f32", "--calibrate", sound, "-o", &smooth], 0);
    assert!(table.contains("encoder.layers.0.self_attn_layer_norm"), "{table}");
    let json = |model: &str, name: &str| {
        let to = folder.path().join(name);
        let words = ["--model", model, sound, "-f", "json", "-o", to.to_str().unwrap()];
        out(&words, 0);
        let text = fs::read_to_string(to.join("english.json")).unwrap();
        let mut json: Value = serde_json::from_str(&text).unwrap();
        json.as_object_mut().unwrap().remove("provenance");
        json
    };
    assert_eq!(json(&smooth, "smooth-json"), json("demo", "demo-json"));
    assert!(verdict(&out(&["diff", "demo", &smooth], 1)).starts_with("different: "));
}

#[test]
fn what_cannot_be_is_refused_before_any_work() {
    let (folder, taken) = place("letter.txt");
    fs::write(&taken, "dear").unwrap();
    for (words, code, expected) in [
        (
            &["quantize", "demo", "--to", "q8_0", "-o", "x"][..],
            2,
            "safetensors has no q8_0; it has f32, f16, bf16, int8, int4",
        ),
        (&["quantize", "demo", "--to", "int3", "-o", "x"], 2, "`int3` is not a type of numbers"),
        (&["quantize", "demo", "--to", "f16", "--per-tensor", "-o", "x"], 2, "goes with int8, not with f16"),
        (&["quantize", "demo", "--to", "int8"], 2, "--output"),
        (&["quantize", "demo", "--to", "int8", "--smoothing", "0.7", "-o", "x"], 2, "--calibrate"),
        (&["convert", "demo", "--to", "tarball", "-o", "x"], 2, "safetensors"),
        (&["convert", "/no/such/model", "--to", "safetensors", "-o", "x"], 1, "/no/such/model"),
        (&["convert", "demo", "--to", "safetensors", "-o", "/"], 1, "is no name for a file or a folder"),
        (
            &["convert", "demo", "--to", "safetensors", "--force", "-o", &taken],
            1,
            "it is a file, and a folder is to be written",
        ),
        (&["diff", "demo", "/no/such/model"], 1, "/no/such/model"),
    ] {
        let error = err(words, code);
        assert!(error.contains(expected), "{words:?}: {error}");
    }
    assert_eq!(fs::read_to_string(&taken).unwrap(), "dear");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}
