//! `listen` from outside: a wave file and raw samples through a pipe, with the model inside the program.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn listen(words: &[&str], sound: Vec<u8>) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_amanuensis"))
        .args([&["listen", "--model", "demo"], words].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    // A program that refuses its flags does not read.
    let writer = std::thread::spawn(move || drop(input.write_all(&sound)));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn sample() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/english.wav")).unwrap()
}

#[test]
fn a_wave_file_says_what_it_is_and_its_end_is_heard() {
    let output = listen(&[], sample());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Please check the server every eleven weeks.\n");
}

#[test]
fn messages_are_those_of_the_server() {
    let output = listen(&["--json", "--words", "--sample-rate", "16000"], sample()[44..].to_vec());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let messages: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| messages.iter().filter(|message| message["type"] == kind).count();
    assert!(of("speech_started") == 1 && of("speech_stopped") == 1 && of("done") == 1, "{lines}");
    let last = messages.iter().rfind(|message| message["type"] == "final").unwrap();
    assert_eq!(last["words"].as_array().unwrap().last().unwrap()["word"], "weeks.");
}

#[test]
fn what_cannot_be_is_refused() {
    for words in [&["--encoding", "mp3"][..], &["--sample-rate", "4000"], &["--words"], &["--silence-ms", "5"]] {
        assert_eq!(listen(words, Vec::new()).status.code(), Some(2), "{words:?}");
    }
}
