//! The program's own layout: what holds for any transcript, and what it makes of sentences that show its rules.

use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::*;
use crate::segments::{Segment, Word};

fn transcript(pieces: &[(f64, f64, &str)]) -> Transcript {
    let segment =
        |&(start, end, text): &(f64, f64, &str)| Segment { start, end, text: text.to_owned(), ..Segment::default() };
    Transcript { segments: pieces.iter().map(segment).collect(), language: "en".to_owned(), ..Transcript::default() }
}

fn laid_out(transcript: &Transcript, captions: &Captions) -> Vec<String> {
    of(transcript, captions).unwrap().iter().map(text).collect()
}

fn text(cue: &Cue) -> String {
    cue.words.iter().map(|word| word.text.as_str()).collect()
}

fn number(count: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(count)
}

#[test]
fn a_cue_is_a_sentence_across_segments_and_a_long_pause_ends_it() {
    let transcript = transcript(&[
        (0.0, 2.0, " Dr. Smith paid 3.5 dollars"),
        (2.0, 4.0, " for it. Then he left"),
        (8.0, 9.0, " again. Why?"),
    ]);
    let captions = Captions { sentences: true, ..Captions::default() };
    let expected = ["Dr. Smith paid 3.5 dollars for it.", "Then he left", "again.", "Why?"];
    assert_eq!(laid_out(&transcript, &captions), expected);
}

#[test]
fn ideographs_fill_lines_and_their_marks_end_sentences() {
    let transcript = transcript(&[(0.0, 4.0, "今日はとても良い天気ですね。散歩に行きましょう。")]);
    let captions = Captions { sentences: true, max_line_width: number(14), ..Captions::default() };
    assert_eq!(laid_out(&transcript, &captions), ["今日はとても良\nい天気ですね。", "散歩に行きま\nしょう。"]);
}

#[test]
fn balanced_lines_break_where_the_sentence_pauses_and_leave_no_orphan() {
    let lines =
        |text: &str| laid_out(&transcript(&[(0.0, 4.0, text)]), &Captions { balance: true, ..Captions::default() });
    assert_eq!(
        lines(" When the rain had stopped, we went for a long walk."),
        ["When the rain had stopped,\nwe went for a long walk."]
    );
    assert_eq!(
        lines(" The old man sat on a bench and the children played."),
        ["The old man sat on a bench\nand the children played."]
    );
    assert_eq!(
        lines(" Nobody in the whole village ever knew his name"),
        ["Nobody in the whole\nvillage ever knew his name"]
    );
    assert_eq!(lines(" Short enough."), ["Short enough."]);
}

#[test]
fn a_fast_cue_lasts_into_the_pause_behind_it_and_no_further() {
    let mut transcript = transcript(&[(0.0, 0.5, " Twenty letters, yes."), (1.5, 2.0, " And twenty more now.")]);
    transcript.duration = 2.5;
    let captions = Captions { max_chars_per_second: Some(10.0), ..Captions::default() };
    let times: Vec<_> = of(&transcript, &captions).unwrap().iter().map(|cue| (cue.start.0, cue.end.0)).collect();
    assert_eq!(times, [(0, 1500), (1500, 2500)]);
    let slow = Captions { max_chars_per_second: Some(40.0), ..Captions::default() };
    assert_eq!(of(&transcript, &slow).unwrap()[0].end.0, 500);
}

#[test]
fn channels_have_cues_of_their_own_and_room_for_their_names() {
    let mut transcript = transcript(&[(0.0, 2.0, " One two three."), (0.5, 1.5, " Four five six.")]);
    transcript.segments[0].channel = Some(0);
    transcript.segments[1].channel = Some(1);
    let captions = Captions { sentences: true, max_line_width: number(14), ..Captions::default() };
    let cues = of(&transcript, &captions).unwrap();
    assert_eq!(cues.iter().map(text).collect::<Vec<_>>(), ["One two\nthree.", "Four\nfive six."]);
    assert_eq!(cues.iter().map(|cue| (cue.start.0, cue.end.0)).collect::<Vec<_>>(), [(0, 2000), (500, 1500)]);
}

#[test]
fn a_transcript_of_many_words_without_an_end_is_laid_out_in_time() {
    let text = " and so on".repeat(20_000);
    let transcript = transcript(&[(0.0, 10_000.0, &text)]);
    let captions = Captions { balance: true, sentences: true, ..Captions::default() };
    assert!(of(&transcript, &captions).unwrap().len() > 1000);
}

/// Words, short and long, of several scripts, with what ends sentences and what could break a file.
fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-z]{1,9}",
        2 => "[A-Z][a-z]{0,5}[.,!?]",
        2 => Just("東京。".to_owned()),
        1 => Just("であるけれども".to_owned()),
        1 => Just("한국어".to_owned()),
        1 => "[a-z]{40,60}",
        1 => Just("--".to_owned()),
        1 => Just(">".to_owned()),
        1 => "\\PC{1,4}",
        1 => Just("e\u{301}\n\u{1b}".to_owned()),
    ]
}

fn any_segment() -> impl Strategy<Value = (u64, Vec<(String, u64)>, bool, Option<usize>)> {
    let word = (any_word(), 0_u64..900);
    let channel = prop_oneof![3 => Just(None), 1 => (0_usize..3).prop_map(Some)];
    (0_u64..5000, prop::collection::vec(word, 0..14), any::<bool>(), channel)
}

fn any_transcript() -> impl Strategy<Value = Transcript> {
    prop::collection::vec(any_segment(), 0..7).prop_map(|pieces| {
        let mut now = 0;
        let mut segments = Vec::new();
        for (gap, words, with_words, channel) in pieces {
            now += gap;
            let start = now as f64 / 1000.0;
            let text: String = words.iter().map(|(word, _)| format!(" {word}")).collect();
            let mut timed = Vec::new();
            for (word, length) in words {
                let start = now as f64 / 1000.0;
                now += length;
                timed.push(Word { word: format!(" {word}"), start, end: now as f64 / 1000.0, probability: 0.5 });
            }
            let words = with_words.then_some(timed);
            segments.push(Segment { start, end: now as f64 / 1000.0, text, words, channel, ..Segment::default() });
        }
        Transcript { segments, language: "en".to_owned(), ..Transcript::default() }
    })
}

fn any_captions() -> impl Strategy<Value = Captions> {
    let limit = |most: usize| prop::option::of((1..most).prop_map(|count| NonZeroUsize::new(count).unwrap()));
    let speed = prop::option::of(1.0_f64..40.0);
    (limit(60), limit(4), limit(8), any::<bool>(), speed, any::<bool>()).prop_map(
        |(max_line_width, max_line_count, max_words_per_line, sentences, max_chars_per_second, balance)| Captions {
            max_line_width,
            max_line_count,
            max_words_per_line,
            sentences: sentences || (max_chars_per_second.is_none() && !balance),
            max_chars_per_second,
            balance,
            highlight_words: false,
        },
    )
}

/// What can be seen of a text, arrows shortened.
fn ink(text: &str) -> String {
    let mut text: String = text.chars().filter(|character| !plain::is_blank(*character)).collect();
    while text.contains("-->") {
        text = text.replace("-->", "->");
    }
    text
}

proptest! {
    #[test]
    fn cues_follow_each_other_and_lose_no_text(transcript in any_transcript(), captions in any_captions()) {
        let cues = of(&transcript, &captions).unwrap();
        for channel in [None, Some(0), Some(1), Some(2)] {
            let of_channel: Vec<&Cue> = cues.iter().filter(|cue| cue.channel == channel).collect();
            prop_assert!(of_channel.iter().all(|cue| cue.start < cue.end));
            prop_assert!(of_channel.windows(2).all(|pair| pair[0].end <= pair[1].start));
            let shown: String = of_channel.iter().map(|cue| text(cue)).collect();
            let segments = transcript.segments.iter().filter(|segment| segment.channel == channel);
            let said: String = segments.map(|segment| plain::word(&segment.text)).collect();
            prop_assert_eq!(ink(&shown), ink(&said));
        }
    }

    #[test]
    fn lines_keep_to_the_width_unless_one_word_is_longer(transcript in any_transcript(), captions in any_captions()) {
        let names = super::super::channel::Channels::of(&transcript);
        for cue in of(&transcript, &captions).unwrap() {
            let label = names.prefix(cue.channel);
            let shown = format!("{label}{}", text(&cue));
            let lines: Vec<&str> = shown.split('\n').collect();
            let broken = captions.max_line_width.is_some() || captions.balance || captions.max_words_per_line.is_some();
            let most = if broken { captions.lines() } else { 1 };
            prop_assert!(lines.len() <= most, "{:?}", lines);
            prop_assert!(lines.iter().all(|line| !line.trim().is_empty()));
            let count = cue.words.len();
            let starts: Vec<usize> = (0..count).filter(|index| cue.words[*index].text.starts_with('\n')).collect();
            let ends = starts.iter().copied().chain([count]);
            for ((from, to), line) in [0].into_iter().chain(starts.iter().copied()).zip(ends).zip(&lines) {
                let limit = captions.columns().unwrap_or(usize::MAX);
                prop_assert!(width::columns(line) <= limit || to - from == 1, "{:?} in {}", line, limit);
                prop_assert!(captions.max_words_per_line.is_none_or(|most| to - from <= most.get()));
            }
        }
    }

    #[test]
    fn every_moment_of_a_highlighted_cue_is_shown_once(transcript in any_transcript(), captions in any_captions()) {
        for cue in of(&transcript, &captions).unwrap() {
            let pieces = shown(std::slice::from_ref(&cue), true);
            prop_assert_eq!((pieces[0].start, pieces[pieces.len() - 1].end), (cue.start, cue.end));
            prop_assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(pieces.iter().all(|piece| piece.start <= piece.end));
        }
    }
}
