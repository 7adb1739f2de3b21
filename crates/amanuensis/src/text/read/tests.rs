//! What is refused and where it is said to be; what other programs leave out.

use super::*;

fn error(document: &str) -> String {
    read(document.as_bytes()).unwrap_err().to_string()
}

fn with_segment(fields: &str) -> String {
    format!(r#"{{"text": "", "segments": [{{"start": 0, "end": 1, "text": " a"}}, {{{fields}}}], "language": "en"}}"#)
}

#[test]
fn what_is_no_transcript_is_named() {
    assert!(error("{").starts_with("not JSON: EOF"), "{}", error("{"));
    assert!(error("[1]").starts_with("a list is not a transcript"));
    assert!(error(r#"{"a": 1, "b": 2}"#).starts_with("an object with the keys a, b is not a transcript"));
    assert!(error(&"[".repeat(100_000)).starts_with("not JSON: recursion limit"));
}

#[test]
fn what_cannot_be_is_told_with_its_place() {
    for (fields, expected) in [
        (r#""end": 1, "text": """#, "segments[1].start: missing; a time in seconds is expected"),
        (r#""start": -1, "end": 1, "text": """#, "segments[1].start: -1 seconds is not a time"),
        (r#""start": 2, "end": 1, "text": """#, "segments[1].end: 1 seconds is before the start at 2"),
        (r#""start": "x", "end": 1, "text": """#, "segments[1].start: a string where a time in seconds is expected"),
        (r#""start": 1e300, "end": 1, "text": """#, "segments[1].start: 1e+300 seconds is not a time"),
        (r#""start": 0, "end": 1"#, "segments[1].text: missing; a string is expected"),
        (
            r#""start": 0, "end": 1, "text": "", "tokens": [1, -2]"#,
            "segments[1].tokens: entry 1 is -2, which is not a token",
        ),
        (
            r#""start": 0, "end": 1, "text": "", "id": 1.5"#,
            "segments[1].id: 1.5 where a whole number from 0 on is expected",
        ),
        (
            r#""start": 0, "end": 1, "text": "", "words": [7]"#,
            "segments[1].words[0]: a number where an object is expected",
        ),
        (
            r#""start": 0, "end": 1, "text": "", "words": [{"word": " a", "start": 1, "end": 0.5}]"#,
            "segments[1].words[0].end: 0.5 seconds is before the start at 1",
        ),
    ] {
        assert_eq!(error(&with_segment(fields)), expected);
    }
    assert!(
        error(&with_segment(r#""start": 0, "end": 1, "text": "", "flags": ["odd"]"#))
            .contains("segments[1].flags: unknown")
    );
    assert_eq!(error(r#"{"segments": {}}"#), "segments: an object where a list is expected");
    assert_eq!(
        error(r#"{"transcription": [{"text": " a", "offsets": {"from": 5}}]}"#),
        "transcription[0].offsets: `to` is missing; milliseconds are expected"
    );
}

#[test]
fn words_of_whisperx_get_their_blanks_and_the_times_they_lack() {
    let transcript = read(
        r#"{"segments": [{"start": 1.0, "end": 4.0, "text": " It cost $5, \"they\" say.", "speaker": "SPEAKER_00", "words": [
            {"word": "It", "start": 1.0, "end": 1.2, "score": 0.9}, {"word": "cost", "start": 1.3, "end": 1.6, "score": 0.8},
            {"word": "$5,"}, {"word": "\"they\"", "start": 3.0, "end": 3.4, "score": 0.5}, {"word": "say"}]}],
            "word_segments": [], "language": "en"}"#
            .as_bytes(),
    )
    .unwrap();
    let words: Vec<_> =
        transcript.segments[0].words.iter().flatten().map(|word| (word.word.as_str(), word.start, word.end)).collect();
    let expected =
        [(" It", 1.0, 1.2), (" cost", 1.3, 1.6), (" $5,", 1.6, 3.0), (" \"they\"", 3.0, 3.4), (" say.", 3.4, 4.0)];
    assert_eq!(words, expected);
    assert!(transcript.segments[0].avg_logprob.is_nan());
    assert_eq!(
        (transcript.segments[0].channel, transcript.segments[0].speaker.as_deref()),
        (Some(0), Some("SPEAKER_00"))
    );
    assert_eq!(transcript.text, " It cost $5, \"they\" say.");
}

#[test]
fn segments_of_faster_whisper_are_numbered_from_0_again() {
    let transcript = read(
        br#"{"language": "en", "duration": 3.5, "segments": [{"id": 1, "seek": 0, "start": 0.0, "end": 1.0, "text": " One.",
            "tokens": [5], "words": null}, {"id": 2, "seek": 0, "start": 1.0, "end": 2.0, "text": "Two."}]}"#,
    )
    .unwrap();
    assert_eq!(transcript.segments.iter().map(|segment| segment.id).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((transcript.text.as_str(), transcript.duration), (" One. Two.", 3.5));
    assert!(transcript.segments[0].words.is_none());
}

#[test]
fn tokens_of_whisper_cpp_are_read_where_they_are_listed() {
    let transcript = read(
        "\u{feff}{\"result\": {\"language\": \"de\"}, \"transcription\": [{\"timestamps\": {\"from\": \"x\"}, \"offsets\": \
         {\"from\": 40, \"to\": 1500}, \"text\": \" Tag\", \"tokens\": [{\"text\": \" Tag\", \"id\": 11, \"p\": 0.5}], \"speaker\": \"1\"}]}"
            .as_bytes(),
    )
    .unwrap();
    let segment = &transcript.segments[0];
    assert_eq!((segment.start, segment.end, segment.tokens.as_slice()), (0.04, 1.5, [11].as_slice()));
    assert_eq!((transcript.language.as_str(), segment.channel), ("de", Some(1)));
}
