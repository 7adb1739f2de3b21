use std::path::PathBuf;

use amanuensis::text::Format;
use clap::error::ErrorKind;

use super::*;
use crate::args::{MelConvention, ProgressStyle, Task, TimingsStyle, Transcribe, Verb};
use crate::values::{Formats, Language, TokenList};

fn words(line: &[&str]) -> Vec<OsString> {
    std::iter::once("amanuensis").chain(line.iter().copied()).map(OsString::from).collect()
}

fn transcribe(line: &[&str]) -> Transcribe {
    match parse(words(line)).unwrap_or_else(|error| panic!("{line:?}: {error}")).verb {
        Verb::Transcribe(asked) => asked,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn refused(line: &[&str]) -> String {
    let error = parse(words(line)).expect_err(&format!("{line:?}"));
    assert_eq!(error.exit_code(), 2, "{line:?}");
    error.to_string()
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn a_file_without_a_verb_is_transcribed() {
    assert_eq!(transcribe(&["a.wav", "b.wav"]).inputs, [PathBuf::from("a.wav"), PathBuf::from("b.wav")]);
    assert_eq!(transcribe(&["--model", "demo", "a.wav"]).model.model.as_deref(), Some("demo"));
    assert_eq!(transcribe(&["-"]).inputs, [PathBuf::from("-")]);
    assert_eq!(transcribe(&["transcribe", "./inspect"]).inputs, [PathBuf::from("./inspect")]);
    assert!(matches!(parse(words(&["translate", "a.wav"])).unwrap().verb, Verb::Translate(_)));
    assert!(matches!(parse(words(&["detect_language", "a.wav"])).unwrap().verb, Verb::DetectLanguage(_)));
    assert!(matches!(parse(words(&["detect-language", "a.wav"])).unwrap().verb, Verb::DetectLanguage(_)));
}

#[test]
fn both_spellings_of_a_name_and_only_of_the_name() {
    for line in [
        ["a.wav", "--output_dir", "my_out", "--output_format=txt,vtt"],
        ["a.wav", "--output-dir", "my_out", "--output-format=txt,vtt"],
        ["--output_format", "txt,vtt", "--output_dir=my_out", "a.wav"],
    ] {
        let asked = transcribe(&line);
        assert_eq!(asked.output.files.output_dir, Some(PathBuf::from("my_out")), "{line:?}");
        let formats = [Formats(vec![Format::Txt]), Formats(vec![Format::Vtt])];
        assert_eq!(asked.output.files.output_format, formats, "{line:?}");
    }
    assert_eq!(
        transcribe(&["--", "--a_b.wav", "--verbose"]).inputs,
        [PathBuf::from("--a_b.wav"), PathBuf::from("--verbose")]
    );
    assert_eq!(transcribe(&["--initial_prompt=--x_y", "a_b"]).wish.decoding.initial_prompt.as_deref(), Some("--x_y"));
}

#[test]
fn booleans_stand_alone_take_a_word_or_are_negated() {
    let cases: [(&[&str], Option<bool>); 11] = [
        (&["a.wav"], None),
        (&["a.wav", "--verbose"], Some(true)),
        (&["--verbose", "a.wav"], Some(true)),
        (&["--verbose", "False", "a.wav"], Some(false)),
        (&["--verbose", "true", "a.wav"], Some(true)),
        (&["--verbose=FALSE", "a.wav"], Some(false)),
        (&["--verbose=1", "a.wav"], Some(true)),
        (&["--verbose", "0", "a.wav"], Some(false)),
        (&["--no-verbose", "a.wav"], Some(false)),
        (&["--no_verbose", "a.wav"], Some(false)),
        (&["a.wav", "--verbose", "True"], Some(true)),
    ];
    for (line, expected) in cases {
        let asked = transcribe(line);
        assert_eq!(asked.output.verbose, expected, "{line:?}");
        assert_eq!(asked.inputs, [PathBuf::from("a.wav")], "{line:?}");
    }
    let asked =
        transcribe(&["a.wav", "--condition_on_previous_text", "True", "--no-suppress-blank", "--without_timestamps"]);
    assert!(asked.wish.decoding.condition_on_previous_text);
    assert!(!asked.wish.search.suppress_blank && asked.wish.decoding.without_timestamps);
    refused(&["a.wav", "--verbose=maybe"]);
    refused(&["a.wav", "--no-verbose=true"]);
    refused(&["a.wav", "--no-threads"]);
}

#[test]
fn numbers_lists_and_words_are_read() {
    let asked = transcribe(&[
        "a.wav",
        "--threads",
        "3",
        "--language",
        "German",
        "--suppress_tokens",
        "-1,50",
        "--no_speech_threshold",
        "None",
        "--logprob_threshold",
        "-0.5",
        "--clip_timestamps",
        "1,2.5,4",
        "--mel-convention",
        "huggingface",
        "--task",
        "translate",
        "--raw",
        "s16le",
        "--raw-rate",
        "8000",
        "--raw_channels",
        "2",
        "--max_duration",
        "60",
        "--timings",
        "json",
        "--progress",
        "off",
    ]);
    assert_eq!(asked.model.computing.threads.0.unwrap().get(), 3);
    assert_eq!(asked.wish.decoding.language.0, Some(Language("de".to_owned())));
    assert_eq!(asked.wish.search.suppress_tokens, Some(TokenList(vec![-1, 50])));
    assert_eq!((asked.wish.search.no_speech_threshold.0, asked.wish.search.logprob_threshold.0), (None, Some(-0.5)));
    assert_eq!(asked.wish.decoding.clip_timestamps.0, [(1.0, Some(2.5)), (4.0, None)]);
    assert_eq!(asked.wish.decoding.mel_convention, MelConvention::Huggingface);
    assert_eq!(asked.wish.decoding.task, Some(Task::Translate));
    assert_eq!((asked.sound.raw_rate, asked.sound.raw_channels, asked.sound.max_duration), (8000, 2, 60.0));
    assert_eq!(asked.report.timings, Some(TimingsStyle::Json));
    assert_eq!(asked.report.progress, ProgressStyle::Off);
    assert_eq!(transcribe(&["--timings", "a.wav"]).report.timings, Some(TimingsStyle::Table));
    assert_eq!(transcribe(&["a.wav", "-f", "all"]).output.files.output_format, [Formats(Format::ALL.to_vec())]);
}

#[test]
fn the_defaults_are_the_engines() {
    let (asked, engine) = (transcribe(&["a.wav"]), amanuensis::Options::default());
    assert_eq!(asked.wish.decoding.condition_on_previous_text, engine.condition_on_previous_text);
    assert_eq!(asked.wish.search.suppress_blank, engine.suppress_blank);
    assert_eq!(asked.wish.search.no_speech_threshold.0, engine.thresholds.no_speech);
    assert_eq!(asked.wish.search.logprob_threshold.0, engine.thresholds.logprob);
    assert_eq!(asked.wish.decoding.clip_timestamps.0, engine.clips);
    assert_eq!(!asked.wish.decoding.without_timestamps, engine.timestamps);
    assert_eq!(asked.sound.max_duration, amanuensis::audio::Limits::default().max_duration);
}

#[test]
fn what_is_not_available_is_refused_unless_it_asks_for_what_happens_anyway() {
    for line in [
        ["--diarize", "True"],
        ["--fp16", "True"],
        ["--device_index", "1"],
        ["--min_speakers", "2"],
        ["--chunk_size", "20"],
    ] {
        let message = refused(&[&["a.wav"], line.as_slice()].concat());
        assert!(message.contains(line[0]) && message.contains("not available yet"), "{message}");
        refused(&[&["translate", "a.wav"], line.as_slice()].concat());
    }
    refused(&["a.wav", "--diarize"]);
    refused(&["a.wav", "--compute-type", "int3"]);
    transcribe(&[
        "a.wav",
        "--beam_size",
        "1",
        "--best_of",
        "None",
        "--fp16",
        "False",
        "--no-word-timestamps",
        "--temperature",
        "0.0",
        "--patience",
        "1.0",
        "--temperature_increment_on_fallback",
        "none",
        "--compute_type",
        "float32",
        "--vad-filter=0",
    ]);
}

#[test]
fn wrong_command_lines_are_refused() {
    for line in [
        &["transcribe"][..],
        &["a.wav", "--no-such-flag"],
        &["a.wav", "-f", "docx"],
        &["a.wav", "--threads", "many"],
        &["a.wav", "--max_duration", "0"],
        &["a.wav", "--raw-rate", "8000"],
        &["a.wav", "--device", "tpu"],
        &["a.wav", "--clip_timestamps", "3,2"],
        &["a.wav", "--language", "no such language"],
        &["inspect"],
        &["devices", "a.wav"],
        &["a.wav", "--output_dir"],
    ] {
        refused(line);
    }
    let asked_for_help = parse(words(&[])).unwrap_err();
    assert_eq!(asked_for_help.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    assert_eq!(asked_for_help.exit_code(), 2);
    assert_eq!(parse(words(&["--version"])).unwrap_err().exit_code(), 0);
    assert_eq!(parse(words(&["transcribe", "--help"])).unwrap_err().exit_code(), 0);
}

#[cfg(unix)]
#[test]
fn names_that_are_not_unicode_pass_unharmed() {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let file = OsString::from_vec(b"caf\xe9_1.wav".to_vec());
    let folder = OsString::from_vec(b"--output_dir=d\xe9_b".to_vec());
    let line = vec!["amanuensis".into(), file.clone(), folder];
    match parse(line).unwrap().verb {
        Verb::Transcribe(asked) => {
            assert_eq!(asked.inputs, [PathBuf::from(file)]);
            assert_eq!(asked.output.files.output_dir.unwrap().as_os_str().as_bytes(), b"d\xe9_b");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_word_meant_as_a_value_is_not_taken_for_a_file() {
    let error = refused(&["--verbose", "maybe", "a.wav"]);
    assert!(error.contains("`maybe` is neither") && error.contains("--verbose=true"), "{error}");
    let error = refused(&["a.wav", "--timings", "True"]);
    assert!(error.contains("table or json") && error.contains("--timings=table"), "{error}");
    assert_eq!(transcribe(&["--verbose", "maybe.wav"]).inputs, [PathBuf::from("maybe.wav")]);
}

#[test]
fn numbers_out_of_their_range_are_refused() {
    assert!(refused(&["a.wav", "--no_speech_threshold", "1.5"]).contains("from 0 to 1"));
    assert!(refused(&["a.wav", "--no_speech_threshold", "-0.5"]).contains("from 0 to 1"));
    refused(&["a.raw", "--raw", "s16le", "--raw-rate", "0"]);
    refused(&["a.raw", "--raw", "s16le", "--raw-channels", "0"]);
}

#[test]
fn a_verb_that_comes_late_is_told_so() {
    for line in [
        &["--threads", "2", "transcribe", "a.wav"][..],
        &["--model", "demo", "inspect"],
        &["a.wav", "detect_language"],
        &["detect-language", "bench"],
    ] {
        assert!(refused(line).contains("the verb comes first"), "{line:?}");
    }
    assert_eq!(transcribe(&["--model", "demo", "./inspect"]).inputs, [PathBuf::from("./inspect")]);
}
