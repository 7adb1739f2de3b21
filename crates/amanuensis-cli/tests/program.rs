//! The program from outside: exit codes, streams, help. Nothing here needs a model.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn amanuensis(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
    command.args(words).stdin(Stdio::null()).env("COLUMNS", "100").env_remove("AMANUENSIS_ISA");
    command
}

fn run(words: &[&str]) -> Output {
    amanuensis(words).output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The program was called wrongly: exit code 2, nothing on standard output, and the message holds `word`.
fn assert_usage(words: &[&str], word: &str) {
    let output = run(words);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {}", err(&output));
    assert_eq!(out(&output), "", "{words:?}");
    assert!(err(&output).contains(word), "{words:?}: {}", err(&output));
}

#[test]
fn version_and_help_go_to_standard_output() {
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(out(&version), format!("amanuensis {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(err(&version), "");
    assert_eq!(run(&["help", "transcribe"]).status.code(), Some(0));
}

#[test]
fn help_says_what_it_always_said() {
    for verb in [
        "",
        "transcribe",
        "translate",
        "render",
        "detect-language",
        "inspect",
        "models",
        "models list",
        "models pull",
        "models rm",
        "models info",
        "models verify",
        "models alias",
        "models bundle",
        "quantize",
        "convert",
        "diff",
        "devices",
        "npu",
        "npu doctor",
        "npu packs",
        "npu packs import",
        "npu disasm",
        "npu emulate gemm",
        "npu selftest",
        "npu bench",
        "bench",
        "bench kernels",
        "eval",
    ] {
        let words: Vec<&str> = verb.split_whitespace().chain(["--help"]).collect();
        let output = run(&words);
        assert_eq!(output.status.code(), Some(0), "{verb}");
        let name = if verb.is_empty() { "help".to_owned() } else { verb.replace(' ', "-") };
        insta::assert_snapshot!(name, out(&output));
    }
}

#[test]
fn wrong_command_lines_exit_with_2() {
    assert_usage(&[], "Usage");
    assert_usage(&["transcribe"], "FILE");
    assert_usage(&["a.wav", "--no-such-flag"], "--no-such-flag");
    assert_usage(&["a.wav", "--diarize"], "not available yet");
    assert_usage(&["x/a.wav", "y/a.mp3", "-f", "srt"], "would both write a.srt");
    assert_usage(&["-", "-"], "only once");
    assert_usage(&["a.wav", "--verbose", "False"], "nothing would be written");
    assert_usage(&["a.wav", "-f", "srt,vtt", "-o", "-"], "one format");
    assert_usage(&["translate", "a.wav", "--task", "transcribe"], "contradict");
    assert_usage(&["a.wav", "--raw", "s12"], "s16le");
    assert_usage(&["a.wav", "-f", "srt", "--max_line_width", "40"], "--max-line-width needs the times of words");
    assert_usage(&["a.wav", "-f", "srt", "--highlight_words", "True"], "--word-timestamps");
    assert_usage(&["render", "a.json", "-f", "json", "--json-dialect", "vosk"], "whisper-cpp");
    assert_usage(&["render"], "RESULT.json");
    assert_usage(&["eval"], "MANIFEST");
    assert_usage(&["eval", "m.jsonl", "--detect-language", "--language", "de"], "cannot be used with");
    assert_usage(&["eval", "m.jsonl", "--normalizer", "german"], "english, basic");
}

#[test]
fn refusals_are_json_where_json_was_asked_for() {
    for words in
        [&["a.wav", "--verbose", "False"][..], &["x/a.wav", "y/a.mp3", "-f", "srt"], &["a.wav", "--raw", "s12"]]
    {
        let output = run(&[words, &["--progress", "json"]].concat());
        assert_eq!(output.status.code(), Some(2));
        for line in err(&output).lines() {
            let message: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(message["event"], "message");
        }
    }
}

#[test]
fn refusals_come_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    assert_usage(&["x/a.wav", "y/a.wav", "-o", new.to_str().unwrap()], "would both write");
    assert!(!new.exists());
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let output = run(&["--model", "/no/such/model", "a.wav"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(out(&output), "");
    assert!(err(&output).contains("/no/such/model"), "{}", err(&output));
    assert!(!err(&output).contains("panicked"), "{}", err(&output));
}

#[test]
fn names_do_not_command_the_terminal() {
    let output = run(&["inspect", "/no/such\u{1b}[2J\nmodel"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!err(&output).trim_end().contains(char::is_control), "{}", err(&output));
}

#[test]
fn devices_names_the_kernels_that_are_used() {
    let output = run(&["devices", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let report: serde_json::Value = serde_json::from_str(out(&output)).unwrap();
    let available = report["cpu"]["kernels_available"].as_array().unwrap();
    assert!(available.contains(&report["cpu"]["kernels"]) && report["cpu"]["threads"].as_u64() > Some(0));

    let forced = amanuensis(&["devices"]).env("AMANUENSIS_ISA", "scalar").output().unwrap();
    assert!(out(&forced).contains("scalar (forced by AMANUENSIS_ISA)"), "{}", out(&forced));
    let unknown = amanuensis(&["devices"]).env("AMANUENSIS_ISA", "mmx").output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(err(&unknown).contains("`mmx` is not an instruction set"), "{}", err(&unknown));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_not_a_panic() {
    for words in [&["devices"][..], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = amanuensis(words).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert!(!err(&output).contains("panicked"), "{words:?}: {}", err(&output));
        if words == ["devices"] {
            assert_eq!((output.status.code(), err(&output)), (Some(141), ""));
        }
    }
}

#[test]
fn standard_error_may_be_closed_too() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = amanuensis(&["--model", "/no/such/model", "a.wav"]).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn folders_that_cannot_be_made_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let under_a_file = file.join("out");
    let output = run(&["a.wav", "-o", path(&under_a_file)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("cannot make the folder"), "{}", err(&output));
}

#[test]
fn folders_that_take_no_files_are_named_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a.srt")).unwrap();
    // The model is not there either: the folder is told of first.
    let output = run(&["a.wav", "-f", "srt", "-o", path(folder.path()), "--model", "/no/such/model"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("there is a folder of this name"), "{}", err(&output));
    if cfg!(target_os = "linux") {
        // Nobody, whatever their rights, makes a file here.
        let output = run(&["a.wav", "-o", "/proc/self", "--model", "/no/such/model"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(err(&output).contains("cannot write into the folder /proc/self"), "{}", err(&output));
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
