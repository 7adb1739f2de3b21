//! The writers against openai-whisper's own output, and against any text at all.
//!
//! `data/text/make.py` made the golden files with openai-whisper's writers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod json;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use amanuensis::segments::{Segment, Transcript};
use amanuensis::text::{CaptionError, Captions, Format, Writing, to_string};
use proptest::prelude::*;

const CASES: [&str; 7] = ["plain", "languages", "long", "blank", "arrows", "halves", "empty"];

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

fn file(name: &str) -> String {
    fs::read_to_string(data(name)).unwrap()
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
}

/// Whether nothing of the text can be seen: white space, and the separators of ASCII that Python strips too.
fn only_blank(text: &str) -> bool {
    text.chars().all(|character| character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character))
}
