//! Word times equal those of openai-whisper with the same weights.

mod common;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use amanuensis::backend::cpu::Cpu;
use amanuensis::backend::{Backend, BackendError, Decoding, Model, Work};
use amanuensis::decoding::{self, Prompt, Request, Rules};
use amanuensis::mel::{Convention, Spectrogram, WINDOW_FRAMES};
use amanuensis::model::{self, ModelFile, Source};
use amanuensis::segments::{
    Alignment, Clips, HeardWord, Judging, Piece, Punctuation, Seek, Spoken, WordedPiece, add_words, align, cut, judge,
};
use amanuensis::speech::Heard;
use amanuensis::tokens::Token;
use common::{golden, model_folder, open, shared};
use serde_json::Value;

static NEVER: AtomicBool = AtomicBool::new(false);

/// A model, and the long way from sound to words with it, a window at a time.
struct Bench {
    file: ModelFile,
    model: Box<dyn Model>,
}

/// A segment: its text and its words.
struct Found {
    text: String,
    piece: WordedPiece,
}

impl Bench {
    fn open(folder: &Path) -> Self {
        let file = model::open(&Source::Path(folder.to_owned())).unwrap_or_else(|error| panic!("{error}"));
        let model = Cpu::new(None).load(&file).unwrap_or_else(|error| panic!("{error}"));
        Bench { file, model }
    }

    fn request(&self, language: &str) -> Request {
        let special = self.file.tokenizer.special();
        Request { language: special.language_token(language), task: special.transcribe, timestamps: true }
    }

    /// All segments of a recording, none of them told what was said before it.
    fn transcribe(&self, path: &Path, language: &str, threshold: Option<f64>) -> Vec<Found> {
        let ModelFile { tokenizer, generation, dims, .. } = &self.file;
        let special = tokenizer.special();
        let mut work = Work::new(&NEVER);
        let recording = open(path);
        let mut go_on = || Ok::<(), amanuensis::Error>(());
        let mut spectrogram =
            Spectrogram::new(&recording, dims.mel_bins, Convention::OpenAi, &mut go_on).expect("a spectrogram");
        let prompt = Prompt::new(special, self.request(language), &[], dims.text_context);
        let rules = Rules::new(generation.suppress_tokens.clone(), generation.begin_suppress_tokens.clone())
            .with_timestamps(special, 50);
        let content = spectrogram.content_frames();
        let mut seek = Seek::new(Clips::new(&[], content));
        let mut found = Vec::new();
        let mut last_speech = Heard::default();
        while let Some(window) = seek.window() {
            let mel = spectrogram.window(window.start, window.frames as usize, WINDOW_FRAMES).expect("a window");
            let encoded = self.model.encode(&[mel], &mut work).expect("an encoded window");
            let mut decoding = self.model.begin(&encoded, &mut work).expect("a decoding");
            let decoded = decoding::greedy(&mut *decoding, 0, tokenizer, &prompt, &rules, &mut work).expect("tokens");
            if decoded.no_speech_prob > 0.6 && decoded.avg_logprob <= -1.0 {
                seek.advance(window, window.start + window.frames);
                continue;
            }
            let heard_to_end = matches!(decoded.tokens[..], [.., text, last]
                if !special.is_timestamp(text) && special.is_timestamp(last));
            let cut = cut(window, &decoded.tokens, special);
            let pieces = self.words(&mut *decoding, window.start, window.frames, &cut.pieces, language, last_speech);
            let judging = Judging { window, content, next: cut.next, heard_to_end, last_speech };
            let judged = judge(&judging, &pieces, threshold);
            seek.advance(window, judged.next);
            last_speech = judged.last_speech;
            let kept = pieces.into_iter().zip(&cut.pieces).take(judged.kept);
            found.extend(kept.filter(|(piece, _)| piece.start < piece.end).map(|(piece, cut)| {
                assert_eq!(piece.words.is_empty(), tokenizer.decode(&cut.tokens).trim().is_empty());
                Found { text: tokenizer.decode(&cut.tokens), piece }
            }));
        }
        found.retain(|found| !found.text.trim().is_empty());
        found
    }

    fn words(
        &self,
        decoding: &mut dyn Decoding,
        start: u64,
        frames: u64,
        pieces: &[Piece],
        language: &str,
        last_speech: Heard,
    ) -> Vec<WordedPiece> {
        let ModelFile { tokenizer, generation, dims, .. } = &self.file;
        let text: Vec<Token> = pieces.iter().flat_map(|piece| piece.tokens.clone()).collect();
        let request = self.request(language);
        let prompt = Prompt::new(tokenizer.special(), request, &[], dims.text_context).tokens;
        let item = Alignment { window: 0, prompt: &prompt, text: &text, frames };
        let (heads, filter) = (&generation.alignment_heads, generation.median_filter_width);
        let words = align(decoding, &[item], heads, filter, tokenizer, &mut Work::new(&NEVER)).expect("words");
        let spoken: Vec<Spoken<'_>> = pieces
            .iter()
            .map(|piece| Spoken {
                start: Heard::from_frames(piece.start),
                end: Heard::from_frames(piece.end),
                tokens: &piece.tokens,
            })
            .collect();
        let words = words.into_iter().next().expect("words of one window");
        let end_of_text = tokenizer.special().end_of_text;
        add_words(Heard::from_frames(start), &spoken, words, &Punctuation::default(), end_of_text, last_speech)
    }
}

/// How far the words of a model are from openai-whisper's.
#[derive(Default)]
struct Distance {
    words: usize,
    /// Words with a time more than 20 ms off.
    far: usize,
    worst_time: (f64, String),
    worst_probability: (f64, String),
}

impl Distance {
    fn add(&mut self, file: &str, word: &HeardWord, expected: &Value) {
        let number = |field: &str| expected[field].as_f64().expect("a number");
        let what = format!("{file} {:?} {:.2}-{:.2}: {expected}", word.word, word.start.seconds(), word.end.seconds());
        assert_eq!(word.word, expected["word"], "{what}");
        let (start, end) = (word.start.seconds() - number("start"), word.end.seconds() - number("end"));
        let time = start.abs().max(end.abs());
        self.words += 1;
        self.far += usize::from(time > 0.020_001);
        worst(&mut self.worst_time, time, &what);
        worst(&mut self.worst_probability, (f64::from(word.probability) - number("probability")).abs(), &what);
    }
}

fn worst(known: &mut (f64, String), found: f64, what: &str) {
    if found > known.0 {
        *known = (found, what.to_owned());
    }
}

fn equals_openai_whisper(name: &str) {
    let Some(shared) = shared() else { return };
    let bench = Bench::open(&model_folder(name, Some(&shared)));
    let golden = golden(&format!("{name}/words.json"));
    let mut distance = Distance::default();
    for (file, expected) in golden["files"].as_object().expect("files by name") {
        let language = expected["language"].as_str().expect("a language");
        let found = bench.transcribe(&shared.join("audio").join(file), language, None);
        let segments = expected["alone"]["segments"].as_array().expect("segments");
        let segments: Vec<&Value> =
            segments.iter().filter(|segment| !segment["text"].as_str().unwrap_or_default().trim().is_empty()).collect();
        assert_eq!(found.len(), segments.len(), "{name} {file}: segments");
        for (found, expected) in found.iter().zip(segments) {
            assert_eq!(found.text, expected["text"], "{name} {file}");
            let words = expected["words"].as_array().expect("words");
            assert_eq!(found.piece.words.len(), words.len(), "{name} {file}: words of {expected}");
            found.piece.words.iter().zip(words).for_each(|(word, expected)| distance.add(file, word, expected));
            assert_covers(&format!("{name} {file} {:?}", found.text), &found.piece, expected, words);
        }
    }
    let Distance { words, far, worst_time, worst_probability } = &distance;
    eprintln!("{name}: {words} words, {far} more than 20 ms off; worst {worst_time:?} and {worst_probability:?}");
    assert!(*words > 100 && far * 100 <= *words, "{name}: {far} of {words} words are more than 20 ms off");
    assert!(worst_probability.0 < 1e-2, "{name}: {worst_probability:?}");
}

/// The piece has the times of openai-whisper's segment, but for words that stand out of it there.
fn assert_covers(what: &str, piece: &WordedPiece, expected: &Value, words: &[Value]) {
    let number = |value: &Value, field: &str| value[field].as_f64().expect("a number");
    let (mut start, mut end) = (number(expected, "start"), number(expected, "end"));
    if let ([first, ..], [.., last]) = (words, words) {
        (start, end) = (start.min(number(first, "start")), end.max(number(last, "end")));
    }
    assert!((piece.start.seconds() - start).abs() < 0.020_001, "{what}: {} is not {start}", piece.start.seconds());
    assert!((piece.end.seconds() - end).abs() < 0.020_001, "{what}: {} is not {end}", piece.end.seconds());
}

#[test]
fn demo_times_words_as_openai_whisper_does() {
    equals_openai_whisper("demo");
}

#[test]
fn std_times_words_as_openai_whisper_does() {
    equals_openai_whisper("std");
}

/// The first window of a sample, encoded, and what was said in it.
fn heard(bench: &Bench, file: &str, work: &mut Work<'_>) -> (amanuensis::mel::Mel, Vec<Token>, u64) {
    let recording = open(&common::in_repository("samples").join(file));
    let mut go_on = || Ok::<(), amanuensis::Error>(());
    let mut spectrogram =
        Spectrogram::new(&recording, bench.file.dims.mel_bins, Convention::OpenAi, &mut go_on).expect("a spectrogram");
    let frames = spectrogram.content_frames().min(WINDOW_FRAMES as u64);
    let mel = spectrogram.window(0, frames as usize, WINDOW_FRAMES).expect("a window");
    let encoded = bench.model.encode(std::slice::from_ref(&mel), work).expect("an encoded window");
    let mut decoding = bench.model.begin(&encoded, work).expect("a decoding");
    let (tokenizer, generation) = (&bench.file.tokenizer, &bench.file.generation);
    let prompt = Prompt::new(tokenizer.special(), bench.request("en"), &[], bench.file.dims.text_context);
    let rules = Rules::new(generation.suppress_tokens.clone(), generation.begin_suppress_tokens.clone())
        .with_timestamps(tokenizer.special(), 50);
    let decoded = decoding::greedy(&mut *decoding, 0, tokenizer, &prompt, &rules, work).expect("tokens");
    (mel, decoded.tokens, frames)
}

#[test]
fn texts_are_aligned_in_a_batch_as_they_are_alone() {
    let bench = Bench::open(&model_folder("demo", None));
    let mut work = Work::new(&NEVER);
    let files = ["english.wav", "ten-sentences.opus", "english-numbers.wav"];
    let windows: Vec<_> = files.iter().map(|file| heard(&bench, file, &mut work)).collect();
    let mels: Vec<_> = windows.iter().map(|(mel, ..)| mel.clone()).collect();
    let encoded = bench.model.encode(&mels, &mut work).expect("encoded windows");
    let mut decoding = bench.model.begin(&encoded, &mut work).expect("a decoding");
    let prompt =
        Prompt::new(bench.file.tokenizer.special(), bench.request("en"), &[], bench.file.dims.text_context).tokens;
    let mut items: Vec<Alignment<'_>> = windows
        .iter()
        .enumerate()
        .map(|(window, (_, text, frames))| Alignment { window, prompt: &prompt, text, frames: *frames })
        .collect();
    // One without text, and one that listens to a window that another listens to as well.
    items.insert(1, Alignment { text: &[], ..items[0] });
    items.push(items[0]);
    let heads = &bench.file.generation.alignment_heads;
    let mut words = |items: &[Alignment<'_>]| {
        align(&mut *decoding, items, heads, 7, &bench.file.tokenizer, &mut work).expect("words")
    };
    let together = words(&items);
    assert_eq!(together.len(), items.len());
    for (item, together) in items.iter().zip(&together) {
        let alone = words(&[*item]).remove(0);
        assert_eq!(alone.len(), together.len());
        for (alone, together) in alone.iter().zip(together) {
            assert_eq!((&alone.word, &alone.tokens), (&together.word, &together.tokens));
            assert_eq!((alone.start, alone.end), (together.start, together.end), "{alone:?}");
            assert!((alone.probability - together.probability).abs() < 1e-4);
            assert!((alone.alignment - together.alignment).abs() < 1e-4);
            assert!((0.0..=1.0).contains(&alone.alignment) && alone.end <= item.frames as f64 / 100.0);
        }
    }
    assert!(together[1].is_empty() && together[0].len() > 3 && together[0] == together[4]);
    // The decoder looks at what is said, and nowhere in particular for what is not.
    let swapped = [Alignment { text: items[2].text, ..items[0] }];
    let sharpness = |words: &[amanuensis::segments::AlignedWord]| {
        words.iter().map(|word| word.alignment).sum::<f32>() / words.len() as f32
    };
    let wrong = words(&swapped).remove(0);
    assert!(sharpness(&together[0]) > 0.5 && sharpness(&wrong) < sharpness(&together[2]) / 2.0);
}

#[test]
fn hardly_any_sound_and_too_much_text_are_no_accident() {
    let bench = Bench::open(&model_folder("demo", None));
    let mut work = Work::new(&NEVER);
    let (mel, text, _) = heard(&bench, "english.wav", &mut work);
    let encoded = bench.model.encode(&[mel], &mut work).expect("an encoded window");
    let mut decoding = bench.model.begin(&encoded, &mut work).expect("a decoding");
    let (tokenizer, generation) = (&bench.file.tokenizer, &bench.file.generation);
    let prompt = Prompt::new(tokenizer.special(), bench.request("en"), &[], bench.file.dims.text_context).tokens;
    for frames in [0, 1, 2, 6, 8, u64::MAX] {
        for filter in [0, 1, 4, 7, 1_000_000] {
            let item = Alignment { window: 0, prompt: &prompt, text: &text, frames };
            let heads = &generation.alignment_heads;
            let words = align(&mut *decoding, &[item], heads, filter, tokenizer, &mut work).expect("words").remove(0);
            assert!(words.iter().all(|word| word.start <= word.end && word.end <= frames as f64 / 100.0), "{words:?}");
        }
    }
    let long = vec![text[1]; 500];
    let item = Alignment { window: 0, prompt: &prompt, text: &long, frames: 3000 };
    let result = align(&mut *decoding, &[item], &generation.alignment_heads, 7, tokenizer, &mut work);
    assert!(matches!(result, Err(BackendError::TooLong { limit: 448, .. })), "{result:?}");
}
