//! Aligning texts with the sound, seen from outside.

#[path = "common/bare.rs"]
mod bare;
mod common;

use amanuensis::backend::BackendError;
use amanuensis::mel::{Convention, Mel};
use amanuensis::segments::{Alignment, align};
use amanuensis::tokens::Token;
use bare::{Bare, work};
use common::model_folder;

/// The first window of a sample, what was said in it, and how many frames of it are sound.
fn heard(bare: &Bare, file: &str) -> (Mel, Vec<Token>, u64) {
    let (mel, frames) = bare.first_window(&common::in_repository("samples").join(file), Convention::OpenAi);
    let encoded = bare.model.encode(std::slice::from_ref(&mel), &mut work()).expect("an encoded window");
    let mut decoding = bare.model.begin(&encoded, &mut work()).expect("a decoding");
    (mel, bare.decode(&mut *decoding, "en", true).tokens, frames)
}

#[test]
fn texts_are_aligned_in_a_batch_as_they_are_alone() {
    let bare = Bare::open(&model_folder("demo", None));
    let mut work = work();
    let files = ["english.wav", "ten-sentences.opus", "english-numbers.wav"];
    let windows: Vec<_> = files.iter().map(|file| heard(&bare, file)).collect();
    let mels: Vec<_> = windows.iter().map(|(mel, ..)| mel.clone()).collect();
    let encoded = bare.model.encode(&mels, &mut work).expect("encoded windows");
    let mut decoding = bare.model.begin(&encoded, &mut work).expect("a decoding");
    let prompt = bare.request("en", true).tokens(bare.file.tokenizer.special());
    let mut items: Vec<Alignment<'_>> = windows
        .iter()
        .enumerate()
        .map(|(window, (_, text, frames))| Alignment { window, prompt: &prompt, text, frames: *frames })
        .collect();
    // One without text, and one that listens to a window that another listens to as well.
    items.insert(1, Alignment { text: &[], ..items[0] });
    items.push(items[0]);
    let heads = &bare.file.generation.alignment_heads;
    let mut words = |items: &[Alignment<'_>]| {
        align(&mut *decoding, items, heads, 7, &bare.file.tokenizer, &mut work).expect("words")
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
    let bare = Bare::open(&model_folder("demo", None));
    let mut work = work();
    let (mel, text, _) = heard(&bare, "english.wav");
    let encoded = bare.model.encode(&[mel], &mut work).expect("an encoded window");
    let mut decoding = bare.model.begin(&encoded, &mut work).expect("a decoding");
    let (tokenizer, generation) = (&bare.file.tokenizer, &bare.file.generation);
    let prompt = bare.request("en", true).tokens(bare.file.tokenizer.special());
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
