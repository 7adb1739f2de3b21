//! `render` from outside: transcripts that other programs made, in every format, and what one bad input does to the rest.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A golden file of the writers.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../amanuensis/tests/data/text").join(name)
}

fn render(inputs: &[PathBuf], words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
    command.arg("render").args(inputs).args(words).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
}

/// What a format on standard output is.
fn printed(input: &str, words: &[&str]) -> String {
    let output = render(&[data(input)], &[words, &["-o", "-"]].concat());
    assert_code(&output, 0);
    text(&output.stdout).to_owned()
}

#[test]
fn a_result_of_openai_whisper_becomes_its_subtitles() {
    let golden = |name: &str| fs::read_to_string(data(name)).unwrap();
    assert_eq!(printed("words.json", &["-f", "srt"]), golden("words-plain.srt"));
    let narrow = ["-f", "vtt", "--max_line_width", "18", "--max_line_count", "2", "--highlight_words", "True"];
    assert_eq!(printed("words.json", &narrow), golden("words-highlight-width-count.vtt"));
    assert_eq!(printed("words.json", &["-f", "json", "--json-dialect", "openai"]), golden("words.json"));
}

#[test]
fn every_dialect_is_read_and_tells_the_same() {
    let expected = printed("words.json", &["-f", "srt", "--sentences"]);
    for input in ["words.faster-whisper.json", "words.whisperx.json", "words.transcript.json"] {
        assert_eq!(printed(input, &["-f", "srt", "--sentences"]), expected, "{input}");
    }
    assert_eq!(printed("words.whisper-cpp.json", &["-f", "txt"]), printed("words.json", &["-f", "txt"]));
}

#[test]
fn one_bad_input_does_not_stop_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.json");
    fs::write(&broken, r#"{"segments": [{"start": 2, "end": 1, "text": ""}]}"#).unwrap();
    let inputs = [data("no-such.json"), broken, data("words.json")];
    let output = render(&inputs, &["-f", "srt,ass", "-o", folder.path().join("out").to_str().unwrap()]);
    assert_code(&output, 1);
    let errors = text(&output.stderr);
    assert!(errors.contains("no-such.json: no such file"), "{errors}");
    assert!(errors.contains("broken.json: segments[0].end: 1 seconds is before the start at 2"), "{errors}");
    assert!(errors.contains("1 of 3 inputs succeeded, 2 failed"), "{errors}");
    assert_eq!(text(&output.stdout), "");
    let mut names: Vec<_> = fs::read_dir(folder.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["words.ass", "words.srt"]);
}

#[test]
fn standard_input_is_read() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
    command.args(["render", "-", "-f", "aud", "-o", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(data("plain.json")).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_code(&output, 0);
    assert!(text(&output.stdout).starts_with("0.000\t3.240\tGood morning, everyone.\n"), "{}", text(&output.stdout));
}

#[test]
fn an_input_is_not_overwritten_and_something_has_to_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("talk.json");
    fs::copy(data("words.json"), &input).unwrap();
    let output = render(std::slice::from_ref(&input), &["-o", folder.path().to_str().unwrap()]);
    assert_code(&output, 2);
    assert!(text(&output.stderr).contains("is an input and would be overwritten"), "{}", text(&output.stderr));
    let output = render(&[input], &[]);
    assert_code(&output, 2);
    assert!(text(&output.stderr).contains("nothing would be written"), "{}", text(&output.stderr));
}

#[test]
fn a_layout_that_cannot_be_names_what_it_needs() {
    let output = render(&[data("plain.json")], &["-f", "srt", "-o", "-", "--max-line-width", "20"]);
    assert_code(&output, 1);
    let error = text(&output.stderr);
    assert!(error.contains("plain.json: `max_line_width`") && error.contains("--word-timestamps"), "{error}");
    let output = render(&[data("plain.json")], &["-f", "srt", "-o", "-", "--max-line-width", "20", "--balance"]);
    assert_code(&output, 0);
}

#[test]
fn what_has_no_effect_is_told() {
    let output = render(&[data("words.json")], &["-f", "txt", "-o", "-", "--sentences", "--json-dialect", "openai"]);
    assert_code(&output, 0);
    let warnings = text(&output.stderr);
    assert!(warnings.contains("no subtitles are written") && warnings.contains("no JSON is written"), "{warnings}");
    let output = render(&[data("words.json")], &["-f", "srt", "-o", "-", "--max-line-count", "2"]);
    assert!(text(&output.stderr).contains("`max_line_count` has no effect without `max_line_width`"));
}
