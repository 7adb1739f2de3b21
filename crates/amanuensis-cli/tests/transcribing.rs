//! The program at work with the model it carries: what is written where, and what one bad input does to the others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(name)
}

fn amanuensis() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
    command.stdin(Stdio::null()).args(["transcribe", "--model", "demo"]);
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
}

#[test]
fn every_format_is_written_and_one_bad_input_does_not_stop_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = [sample("no-such.wav"), sample("english.wav")];
    let output = amanuensis().args(&inputs).args(["-f", "all", "-o"]).arg(folder.path()).output().unwrap();
    assert_code(&output, 1);
    let errors = text(&output.stderr);
    assert!(errors.contains("no-such.wav: no such file") && errors.contains("1 of 2 inputs succeeded"), "{errors}");
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        ["ass", "aud", "csv", "json", "lrc", "srt", "tsv", "txt", "vtt"].map(|ending| format!("english.{ending}"))
    );
    // The lines on standard output are the segments of the files.
    let document: Value = serde_json::from_slice(&fs::read(folder.path().join("english.json")).unwrap()).unwrap();
    let first = &document["segments"][0];
    assert!(text(&output.stdout).contains(first["text"].as_str().unwrap()), "{}", text(&output.stdout));
    let txt = fs::read_to_string(folder.path().join("english.txt")).unwrap();
    assert_eq!(txt.lines().count(), text(&output.stdout).lines().count());
}

#[test]
fn a_format_on_standard_output_has_it_for_itself() {
    let output = amanuensis().arg(sample("english.wav")).args(["-f", "srt", "-o", "-"]).output().unwrap();
    assert_code(&output, 0);
    assert!(text(&output.stdout).starts_with("1\n00:00:0"), "{}", text(&output.stdout));
}

#[test]
fn timings_alone_are_worth_a_run() {
    let output = amanuensis().arg(sample("english.wav")).args(["--verbose", "False", "--timings"]).output().unwrap();
    assert_code(&output, 0);
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).contains("decoder layers"), "{}", text(&output.stderr));
}

#[test]
fn a_language_is_detected_where_there_is_sound_and_one_bad_file_does_not_end_the_others() {
    let folder = tempfile::tempdir().unwrap();
    // A header and not one sample.
    let empty = folder.path().join("empty.wav");
    let header = fs::read(sample("english.wav")).unwrap();
    let data = header.windows(4).position(|four| four == b"data").unwrap();
    fs::write(&empty, [&header[..data + 4], &[0; 4]].concat()).unwrap();
    let inputs = [sample("no-such.wav"), empty, sample("english.wav")];
    let detect = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amanuensis"));
        let command = command.args(["detect-language", "--model", "demo"]).args(words).args(&inputs);
        let output = command.output().unwrap();
        assert_code(&output, 1);
        text(&output.stdout).to_owned()
    };
    let answers: Vec<Value> = detect(&["--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let languages: Vec<_> = answers.iter().map(|answer| &answer["language"]).collect();
    assert_eq!(languages, [&Value::Null, &Value::from("en")]);
    assert!(detect(&[]).contains("no sound to judge by"));
}

#[test]
fn standard_input_is_read_with_and_without_a_header() {
    let file = fs::read(sample("english.wav")).unwrap();
    let said = |words: &[&str], bytes: &[u8]| {
        let mut command = amanuensis();
        command.arg("-").args(words).args(["-f", "txt", "-o", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_code(&output, 0);
        text(&output.stdout).to_owned()
    };
    let rate = u32::from_le_bytes(file[24..28].try_into().unwrap()).to_string();
    let samples = file.windows(4).position(|four| four == b"data").unwrap() + 8;
    let with_header = said(&[], &file);
    assert!(!with_header.trim().is_empty());
    assert_eq!(said(&["--raw", "s16le", "--raw_rate", &rate], &file[samples..]), with_header);
}

#[test]
fn everything_a_program_is_told_is_json() {
    let inputs = [sample("english.wav"), sample("no-such.wav")];
    let output = amanuensis().args(&inputs).args(["--progress", "json", "--timings", "json"]).output().unwrap();
    assert_code(&output, 1);
    let lines = text(&output.stderr).lines();
    let events: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let done: Vec<_> = of("done").iter().map(|event| event["ok"].as_bool().unwrap()).collect();
    assert_eq!(done, [true, false]);
    let last = *of("progress").last().unwrap();
    assert_eq!((last["stage"].as_str(), last["fraction"].as_f64()), (Some("transcribe"), Some(1.0)));
    let processed: Vec<f64> = of("progress")
        .iter()
        .filter(|event| event["stage"] == "transcribe")
        .map(|event| event["processed"].as_f64().unwrap())
        .collect();
    assert!(processed.is_sorted(), "{processed:?}");
    let stages = of("timings")[0]["stages"].as_array().unwrap();
    assert!(stages.iter().any(|stage| stage["stage"] == "decoder layers" && stage["seconds"].as_f64() > Some(0.0)));
}

#[cfg(unix)]
#[test]
fn nobody_reading_is_not_a_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = amanuensis().arg(sample("english.wav")).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_code(&output, 141);
    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
}

#[cfg(unix)]
#[test]
fn one_interrupt_ends_the_wait_for_a_silent_pipe() {
    for signal in ["-INT", "-TERM"] {
        let mut child =
            amanuensis().args(["-", "--progress", "bar"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let silent = child.stdin.take();
        // There is no sign from outside that the read has begun; loading the demo model takes a fraction of this.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        drop(silent);
        assert_code(&output, 130);
        assert!(text(&output.stderr).contains("stopped while waiting for input"), "{}", text(&output.stderr));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_says_what_was_done_and_leaves_nothing_half() {
    let folder = tempfile::tempdir().unwrap();
    // Ten minutes of silence, 8 kHz: long enough to be interrupted.
    let sound = folder.path().join("long.raw");
    fs::write(&sound, vec![0x80; 600 * 8000]).unwrap();
    let out = folder.path().join("out");
    let mut child = amanuensis()
        .arg(&sound)
        .args(["--raw", "u8", "--raw-rate", "8000", "--progress", "json", "-f", "srt", "-o"])
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(r#""stage":"transcribe""#)));
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let said = rest.iter().find(|line| line.contains("stopped after")).unwrap();
    assert!(said.contains("of 600.0 seconds; no file was written for it"), "{said}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}
