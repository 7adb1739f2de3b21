//! The writers against openai-whisper's own output, and against any text at all.
//!
//! `data/text/make.py` made the golden files with openai-whisper's writers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use amanuensis::segments::{Flag, Provenance, Segment, Transcript, Word};
use amanuensis::text::{self, CaptionError, Captions, Format, JsonDialect, Writing, to_string};
use proptest::prelude::*;
use serde_json::Value;

const CASES: [&str; 7] = ["plain", "languages", "long", "blank", "arrows", "halves", "empty"];

/// Cases whose times openai-whisper's JSON gives finer than a millisecond.
const FINER_THAN_A_MILLISECOND: [&str; 2] = ["long", "halves"];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/text").join(name)
}

fn transcript(case: &str) -> Transcript {
    let path = data(&format!("{case}.transcript.json"));
    serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()
}

fn golden(case: &str, format: Format) -> String {
    fs::read_to_string(data(&format!("{case}.{format}"))).unwrap()
}

#[test]
fn txt_vtt_srt_and_tsv_are_openai_whispers_to_the_byte() {
    for case in CASES {
        for format in [Format::Txt, Format::Vtt, Format::Srt, Format::Tsv] {
            assert_eq!(to_string(format, &transcript(case)).unwrap(), golden(case, format), "{case}.{format}");
        }
    }
}

#[test]
fn json_is_openai_whispers_to_the_byte_where_its_times_are_whole_milliseconds() {
    for case in CASES.into_iter().chain(["words"]) {
        let (ours, theirs) = (in_dialect(case, JsonDialect::OpenAi), golden(case, Format::Json));
        if FINER_THAN_A_MILLISECOND.contains(&case) {
            let (mut ours, mut theirs) = (serde_json::from_str(&ours).unwrap(), serde_json::from_str(&theirs).unwrap());
            for (ours, theirs) in take_times(&mut ours).into_iter().zip(take_times(&mut theirs)) {
                assert!((ours - theirs).abs() <= 0.0005 + 1e-9, "{case}: {ours} for {theirs}");
            }
            assert_eq!(ours, theirs, "{case}");
        } else {
            assert_eq!(ours, theirs, "{case}");
        }
    }
}

#[test]
fn native_json_begins_with_openai_whispers_and_goes_on_with_what_it_does_not_say() {
    for case in CASES {
        let (openai, native) = (in_dialect(case, JsonDialect::OpenAi), in_dialect(case, JsonDialect::Native));
        let more = native.strip_prefix(openai.strip_suffix('}').unwrap()).unwrap();
        assert!(more.starts_with(", \"duration\": ") && more.ends_with('}'), "{case}: {more}");
    }
    let native = Writing::default().to_string(Format::Json, &full()).unwrap();
    let expected = concat!(
        r#""words": [{"word": " One", "start": 0.5, "end": 0.75, "probability": 0.5}], "language": "en", "channel": 1, "#,
        r#""tries": 2, "speech": 0.75, "alignment": 0.5, "flags": ["loop", "prompt_leak"]}], "language": "en", "#,
        r#""duration": 1.5, "provenance": {"program": "amanuensis 0.1.0", "model": "demo", "devices": ["cpu"], "#,
        r#""options": {"task": "translate"}, "warnings": ["slow"]}}"#,
    );
    assert!(native.ends_with(expected), "{native}");
}

#[test]
fn each_dialect_is_what_its_program_writes() {
    assert_eq!(in_dialect("words", JsonDialect::FasterWhisper), file("words.faster-whisper.json"));
    assert_eq!(in_dialect("words", JsonDialect::WhisperX), file("words.whisperx.json"));
    assert_eq!(in_dialect("words", JsonDialect::WhisperCpp), file("words.whisper-cpp.json"));
}

#[test]
fn whisper_cpps_dialect_says_what_is_known_of_the_model_and_no_more() {
    let writing = Writing { dialect: JsonDialect::WhisperCpp, ..Writing::default() };
    let document: Value = serde_json::from_str(&writing.to_string(Format::Json, &full()).unwrap()).unwrap();
    assert_eq!(document["systeminfo"], "amanuensis 0.1.0 | cpu");
    assert_eq!(document["model"].to_string(), r#"{"type":"demo"}"#);
    assert_eq!(document["params"].to_string(), r#"{"language":"en","model":"demo","translate":true}"#);
    assert_eq!(document["transcription"][0]["speaker"], "right");
}

/// A transcript with everything that one can hold.
fn full() -> Transcript {
    let mut transcript = said(&[(0.5, 1.0, " One")]);
    let segment = &mut transcript.segments[0];
    segment.words = Some(vec![Word { word: " One".to_owned(), start: 0.5, end: 0.75, probability: 0.5 }]);
    segment.language = "en".to_owned();
    (segment.channel, segment.tries, segment.speech, segment.alignment) = (Some(1), 2, Some(0.75), Some(0.5));
    segment.flags = vec![Flag::Loop, Flag::PromptLeak];
    transcript.duration = 1.5;
    transcript.provenance = Some(Provenance {
        program: "amanuensis 0.1.0".to_owned(),
        model: "demo".to_owned(),
        model_sha256: None,
        devices: vec!["cpu".to_owned()],
        options: [("task".to_owned(), "translate".to_owned())].into(),
        warnings: vec!["slow".to_owned()],
    });
    transcript
}

fn in_dialect(case: &str, dialect: JsonDialect) -> String {
    Writing { dialect, ..Writing::default() }.to_string(Format::Json, &transcript(case)).unwrap()
}

fn file(name: &str) -> String {
    fs::read_to_string(data(name)).unwrap()
}

#[test]
fn words_are_laid_out_as_openai_whisper_does_to_the_byte() {
    let settings = |width, count, words, highlight_words| Captions {
        max_line_width: NonZeroUsize::new(width),
        max_line_count: NonZeroUsize::new(count),
        max_words_per_line: NonZeroUsize::new(words),
        highlight_words,
        ..Captions::default()
    };
    for (name, captions) in [
        ("plain", settings(0, 0, 0, false)),
        ("width", settings(22, 0, 0, false)),
        ("width-count", settings(18, 2, 0, false)),
        ("count", settings(0, 1, 0, false)),
        ("narrow", settings(5, 1, 0, false)),
        ("chunks", settings(0, 0, 3, false)),
        ("chunks-width", settings(12, 0, 2, false)),
        ("chunks-width-count", settings(12, 3, 2, false)),
        ("highlight", settings(0, 0, 0, true)),
        ("highlight-width-count", settings(18, 2, 0, true)),
        ("highlight-chunks", settings(0, 0, 4, true)),
    ] {
        let writing = Writing { captions, ..Writing::default() };
        for format in [Format::Srt, Format::Vtt] {
            let ours = writing.to_string(format, &transcript("words")).unwrap();
            assert_eq!(ours, file(&format!("words-{name}.{format}")), "{name}.{format}");
        }
    }
}

#[test]
fn a_layout_of_words_without_words_is_refused() {
    let captions = Captions { max_line_width: NonZeroUsize::new(20), ..Captions::default() };
    let writing = Writing { captions, ..Writing::default() };
    for format in [Format::Srt, Format::Vtt, Format::Ass] {
        let error = writing.to_string(format, &said(&[(0.0, 1.0, " One")])).unwrap_err();
        let inner = error.get_ref().unwrap().downcast_ref::<CaptionError>();
        assert_eq!(inner, Some(&CaptionError::NeedsWords { setting: "max_line_width" }), "{error}");
    }
    assert_eq!(writing.to_string(Format::Txt, &said(&[(0.0, 1.0, " One")])).unwrap(), "One\n");
}

#[test]
fn channels_have_names_in_every_format_that_has_a_place_for_them() {
    let mut transcript = said(&[(0.0, 1.0, " One, \"two\""), (0.5, 1.5, " three")]);
    for (channel, segment) in transcript.segments.iter_mut().enumerate() {
        segment.channel = Some(channel);
    }
    let write = |format| to_string(format, &transcript).unwrap();
    assert_eq!(write(Format::Txt), "[left] One, \"two\"\n[right] three\n");
    assert!(write(Format::Srt).contains("\n[right] three\n"));
    assert!(write(Format::Vtt).contains("\n<v right>three\n"));
    assert!(write(Format::Lrc).ends_with("\n[00:00.50] [right] three\n"));
    assert!(write(Format::Ass).ends_with("Default,right,0,0,0,,[right] three\n"));
    assert_eq!(
        write(Format::Csv),
        "start,end,speaker,text\n0,1000,left,\"One, \"\"two\"\"\"\n500,1500,right,\"three\"\n"
    );
    assert_eq!(write(Format::Aud), "0.000\t1.000\t[[left]] One, \"two\"\n0.500\t1.500\t[[right]] three\n");
    transcript.segments[1].channel = Some(4);
    assert!(to_string(Format::Txt, &transcript).unwrap().ends_with("[channel 5] three\n"));
}

/// Takes the times out of a JSON transcript.
fn take_times(document: &mut Value) -> Vec<f64> {
    let segments = document["segments"].as_array_mut().unwrap().iter_mut();
    segments.flat_map(|segment| ["start", "end"].map(|edge| segment[edge].take().as_f64().unwrap())).collect()
}

#[test]
fn lyrics_count_minutes_past_the_hour() {
    let expected = "[by:amanuensis]\n[01:00.00]across a minute\n[60:00.00]across an hour\n[61:01.50]an hour and more\n\
                    [600:00.00]ten hours\n[5999:59.90]a hundred\n";
    assert_eq!(to_string(Format::Lrc, &transcript("long")).unwrap(), expected);
}

#[test]
fn text_that_would_break_a_file_is_kept_whole_inside_it() {
    let transcript =
        said(&[(0.0, 1.0, " one\r\n\r\ntwo\n3\n00:00:01,000 --> 00:00:02,000"), (1.0, 2.0, " [ti:x] a<b & c ---> d")]);
    let write = |format| to_string(format, &transcript).unwrap();
    assert_eq!(write(Format::Txt), "one two 3 00:00:01,000 --> 00:00:02,000\n[ti:x] a<b & c ---> d\n");
    assert_eq!(
        write(Format::Srt),
        "1\n00:00:00,000 --> 00:00:01,000\none\ntwo\n3\n00:00:01,000 -> 00:00:02,000\n\n\
         2\n00:00:01,000 --> 00:00:02,000\n[ti:x] a<b & c -> d\n\n"
    );
    assert!(write(Format::Vtt).ends_with("\n[ti:x] a&lt;b &amp; c -> d\n\n"));
    assert_eq!(
        write(Format::Tsv),
        "start\tend\ttext\n0\t1000\tone two 3 00:00:01,000 --> 00:00:02,000\n1000\t2000\t[ti:x] a<b & c ---> d\n"
    );
    assert!(write(Format::Lrc).ends_with("\n[00:01.00] [ti:x] a<b & c ---> d\n"));
}

fn said(pieces: &[(f64, f64, &str)]) -> Transcript {
    let segment = |(id, (start, end, text)): (usize, &(f64, f64, &str))| Segment {
        id,
        seek: 0,
        start: *start,
        end: *end,
        text: (*text).to_owned(),
        tokens: vec![],
        temperature: 0.0,
        avg_logprob: -0.5,
        compression_ratio: 1.0,
        no_speech_prob: 0.0,
        ..Segment::default()
    };
    Transcript {
        text: pieces.iter().map(|(_, _, text)| *text).collect(),
        segments: pieces.iter().enumerate().map(segment).collect(),
        language: "en".to_owned(),
        duration: pieces.last().map_or(0.0, |(_, end, _)| *end),
        ..Transcript::default()
    }
}

/// A subtitle cue as a reader sees it: milliseconds and lines of text.
#[derive(Debug, PartialEq)]
struct Cue {
    start: u64,
    end: u64,
    text: Vec<String>,
}

/// A reader as strict as any: a timing line, text up to a blank line.
fn read_cues(file: &str, numbered: bool) -> Vec<Cue> {
    let mut lines = file.split('\n');
    let mut cues = Vec::new();
    while let Some(mut line) = lines.next() {
        if line.is_empty() {
            continue; // the blank line of a cue without text, or the end
        }
        if numbered {
            assert_eq!(line.parse(), Ok(cues.len() + 1));
            line = lines.next().unwrap();
        }
        let (start, end) = line.split_once(" --> ").unwrap();
        let text: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).map(str::to_owned).collect();
        cues.push(Cue { start: read_clock(start), end: read_clock(end), text });
    }
    cues
}

fn read_clock(clock: &str) -> u64 {
    let (rest, milliseconds) = clock.rsplit_once(['.', ',']).unwrap();
    assert_eq!(milliseconds.len(), 3);
    let parts: Vec<u64> = rest.split(':').map(|part| part.parse().unwrap()).collect();
    assert!((2..=3).contains(&parts.len()) && parts[parts.len() - 2..].iter().all(|part| *part < 60), "{clock}");
    parts.iter().fold(0, |total, part| total * 60 + part) * 1000 + milliseconds.parse::<u64>().unwrap()
}

/// Any text, often with what could break a file.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<String>(),
        2 => "[ -~]{0,12}",
        1 => Just("-->".to_owned()),
        1 => Just("--".to_owned()),
        1 => Just(">".to_owned()),
        1 => Just("\n\n".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => Just("\t".to_owned()),
        1 => Just("\u{0}\u{1b}\u{85}\u{2028}".to_owned()),
        1 => Just("&lt;<b>".to_owned()),
        1 => Just("[00:01.00]".to_owned()),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn any_transcript() -> impl Strategy<Value = Transcript> {
    let piece = (0_u64..2_000_000, 0_u64..200_000, any_text());
    prop::collection::vec(piece, 0..8).prop_map(|pieces| {
        let mut now = 0;
        let mut timed = Vec::new();
        for (gap, length, text) in &pieces {
            let start = now + gap;
            now = start + length;
            timed.push((start as f64 / 1000.0, now as f64 / 1000.0, text.as_str()));
        }
        said(&timed)
    })
}

type More = (u32, Option<f32>, Option<f32>, f32, String, Option<usize>, Vec<Flag>, Vec<u32>, Option<Vec<String>>);

/// What openai-whisper does not know of a segment, and words.
fn any_more() -> impl Strategy<Value = More> {
    let flags = prop::collection::vec(prop::sample::select(vec![Flag::Loop, Flag::Silence, Flag::PromptLeak]), 0..3);
    let words = prop::option::of(prop::collection::vec(any_text(), 0..4));
    let tokens = prop::collection::vec(any::<u32>(), 0..4);
    let measure = prop::option::of(any::<f32>());
    (
        any::<u32>(),
        measure.clone(),
        measure,
        any::<f32>(),
        "[a-z]{0,2}",
        prop::option::of(0_usize..3),
        flags,
        tokens,
        words,
    )
}

/// The length of a recording, if it is known, and how the transcript came about.
fn any_about() -> impl Strategy<Value = (f64, Option<Provenance>)> {
    let length = (0_u64..100_000_000).prop_map(|milliseconds| milliseconds as f64 / 1000.0);
    let provenance = (any_text(), any_text(), prop::option::of("[0-9a-f]{4}"), any_text()).prop_map(
        |(program, model, model_sha256, warning)| Provenance {
            options: [(program.clone(), model.clone())].into(),
            devices: vec![model.clone()],
            warnings: if warning.is_empty() { Vec::new() } else { vec![warning] },
            program,
            model,
            model_sha256,
        },
    );
    (length, prop::option::of(provenance))
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

proptest! {
    #[test]
    fn subtitles_read_back_with_exact_times_in_order(transcript in any_transcript()) {
        for format in [Format::Srt, Format::Vtt] {
            let file = to_string(format, &transcript).unwrap();
            let body = file.strip_prefix("WEBVTT\n\n").unwrap_or(&file);
            let cues = read_cues(body, format == Format::Srt);
            prop_assert_eq!(cues.len(), transcript.segments.len());
            for (cue, segment) in cues.iter().zip(&transcript.segments) {
                prop_assert_eq!((cue.start, cue.end), (milliseconds(segment.start), milliseconds(segment.end)));
                prop_assert!(cue.text.iter().all(|line| !line.contains("-->") && !line.contains(['\r', '\0'])));
                prop_assert!(format == Format::Srt || cue.text.iter().all(|line| !line.contains('<')));
                prop_assert_eq!(cue.text.is_empty(), only_blank(&segment.text));
            }
            prop_assert!(cues.windows(2).all(|pair| pair[0].start <= pair[0].end && pair[0].end <= pair[1].start));
        }
    }

    #[test]
    fn line_formats_have_a_line_a_segment(transcript in any_transcript()) {
        for (format, header) in [(Format::Txt, 0), (Format::Tsv, 1), (Format::Lrc, 1), (Format::Csv, 1), (Format::Aud, 0)] {
            let file = to_string(format, &transcript).unwrap();
            prop_assert_eq!(file.lines().count(), header + transcript.segments.len());
            let obeyed = file.contains(['\r', '\u{1b}', '\u{85}', '\u{2028}']);
            prop_assert!(!obeyed, "a control character or a second kind of line break");
            for line in file.lines().skip(header) {
                prop_assert!(!matches!(format, Format::Tsv | Format::Aud) || line.split('\t').count() == 3);
                prop_assert!(format != Format::Lrc || !line.split_once(']').unwrap().1.starts_with('['));
            }
        }
    }

    #[test]
    fn a_transcript_read_back_and_written_again_gives_the_same_bytes(
        transcript in any_transcript(), more in prop::collection::vec(any_more(), 8), about in any_about()
    ) {
        let mut transcript = transcript;
        for (segment, more) in transcript.segments.iter_mut().zip(&more) {
            segment.tries = more.0;
            (segment.speech, segment.alignment, segment.avg_logprob) = (more.1, more.2, more.3);
            segment.language.clone_from(&more.4);
            segment.channel = more.5;
            segment.flags.clone_from(&more.6);
            segment.tokens.clone_from(&more.7);
            let (start, end) = (segment.start, segment.end);
            segment.words = more.8.as_ref().map(|words| {
                words.iter().map(|word| Word { word: word.clone(), start, end, probability: more.3 }).collect()
            });
        }
        (transcript.duration, transcript.provenance) = about;
        for dialect in [JsonDialect::Native, JsonDialect::OpenAi, JsonDialect::FasterWhisper, JsonDialect::WhisperCpp] {
            let writing = Writing { dialect, ..Writing::default() };
            let file = writing.to_string(Format::Json, &transcript).unwrap();
            let read = text::read(file.as_bytes()).unwrap();
            if dialect == JsonDialect::WhisperCpp {
                prop_assert_eq!(read.segments.len(), transcript.segments.len());
            } else {
                prop_assert_eq!(writing.to_string(Format::Json, &read).unwrap(), file);
            }
        }
    }

    #[test]
    fn reading_anything_ends_with_a_transcript_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<usize>()) {
        let _ = text::read(&bytes);
        let mut file = Writing::default().to_string(Format::Json, &full()).unwrap().into_bytes();
        let at = at % file.len();
        file[at] = bytes.first().copied().unwrap_or(b'9');
        if let Ok(read) = text::read(&file) {
            for format in Format::ALL {
                prop_assert!(to_string(format, &read).is_ok());
            }
        }
    }

    #[test]
    fn json_reads_back_as_it_was(transcript in any_transcript(), measure in any::<f32>()) {
        let mut transcript = transcript;
        for segment in &mut transcript.segments {
            segment.avg_logprob = measure;
        }
        let file = to_string(Format::Json, &transcript).unwrap();
        prop_assert!(file.is_ascii());
        let document: Value = serde_json::from_str(&file).unwrap();
        prop_assert_eq!(document["text"].as_str(), Some(transcript.text.as_str()));
        for (value, segment) in document["segments"].as_array().unwrap().iter().zip(&transcript.segments) {
            prop_assert_eq!(value["text"].as_str(), Some(segment.text.as_str()));
            prop_assert_eq!(value["start"].as_f64(), Some(segment.start));
            let read = value["avg_logprob"].as_f64().map(|number| number as f32);
            prop_assert_eq!(read, measure.is_finite().then_some(measure));
        }
    }
}

/// Whether nothing of the text can be seen: white space, and the separators of ASCII that Python strips too.
fn only_blank(text: &str) -> bool {
    text.chars().all(|character| character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character))
}
