//! JSON: each dialect against what its program writes, and read back as it was.

use amanuensis::backend::Share;
use amanuensis::segments::{Contexts, Flag, Provenance, Transcript, Word};
use amanuensis::text::{self, Format, JsonDialect, Writing, to_string};
use proptest::prelude::*;
use serde_json::Value;

use super::{CASES, any_text, any_transcript, file, golden, said, transcript};

/// Cases whose times openai-whisper's JSON gives finer than a millisecond.
const FINER_THAN_A_MILLISECOND: [&str; 2] = ["long", "halves"];

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
        r#""shares": [{"device": "npu", "share": 0.0, "reasons": ["none"]}], "#,
        r#""options": {"task": "translate"}, "contexts": {"windows": 3, "positions": 1850, "shortened": 2, "#,
        r#""repeated": 1}, "warnings": ["slow"]}}"#,
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
    assert_eq!(document["transcription"][0]["speaker"], "1");
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
        shares: vec![Share { device: "npu".to_owned(), share: 0.0, reasons: vec!["none".to_owned()] }],
        options: [("task".to_owned(), "translate".to_owned())].into(),
        contexts: Some(Contexts { windows: 3, positions: 1850, shortened: 2, repeated: 1 }),
        warnings: vec!["slow".to_owned()],
    });
    transcript
}

fn in_dialect(case: &str, dialect: JsonDialect) -> String {
    Writing { dialect, ..Writing::default() }.to_string(Format::Json, &transcript(case)).unwrap()
}

/// Takes the times out of a JSON transcript.
fn take_times(document: &mut Value) -> Vec<f64> {
    let segments = document["segments"].as_array_mut().unwrap().iter_mut();
    segments.flat_map(|segment| ["start", "end"].map(|edge| segment[edge].take().as_f64().unwrap())).collect()
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
            contexts: (!model.is_empty()).then_some(Contexts { windows: 1, positions: 1500, ..Contexts::default() }),
            devices: vec![model.clone()],
            shares: vec![Share { device: model.clone(), share: 0.25, reasons: vec![program.clone()] }],
            warnings: if warning.is_empty() { Vec::new() } else { vec![warning] },
            program,
            model,
            model_sha256,
        },
    );
    (length, prop::option::of(provenance))
}

proptest! {
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
