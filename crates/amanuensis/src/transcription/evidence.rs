//! What speaks against a text: measured for every window and segment, told with it, and acted upon where asked.

use super::options::Options;
use crate::audio::SAMPLE_RATE;
use crate::decoding::Decoded;
use crate::segments::{Flag, HeardWord, Segment, is_anomalous};
use crate::speech::{Span, coverage};

/// Above this temperature a text is a guess.
const HOT: f32 = 0.5;
/// A segment of which less than this is speech was said into silence.
const HARDLY_SPEECH: f32 = 0.2;
/// Seconds from which on a segment can be too long for its text, and the letters that it has for each at least.
const LONG: f64 = 8.0;
const SLOWEST: f64 = 0.5;
/// Letters from which on a text can be too long for its segment, and those that it has for each second at most: the
/// fastest speakers say thirty.
const MUCH: f64 = 12.0;
const FASTEST: f64 = 60.0;
/// A text of fewer words or fewer letters than this may well be in the prompt by chance.
const WORDS_OF_A_LEAK: usize = 2;
const LETTERS_OF_A_LEAK: usize = 6;

/// The signs that hold for a whole window.
pub(super) fn of_window(decoded: &Decoded, options: &Options, leaked: bool) -> Vec<Flag> {
    let thresholds = &options.thresholds;
    let signs = [
        (Flag::Loop, decoded.looped),
        (Flag::Repetitive, thresholds.repeats(decoded)),
        (Flag::Unlikely, thresholds.is_unlikely(decoded)),
        (Flag::PromptLeak, leaked),
        (Flag::Guessed, decoded.temperature > HOT),
    ];
    signs.into_iter().filter(|(_, holds)| *holds).map(|(flag, _)| flag).collect()
}

/// Adds the signs that hold for one segment.
pub(super) fn of_segment(segment: &mut Segment, words: Option<&[HeardWord]>) {
    if segment.speech.is_some_and(|share| share < HARDLY_SPEECH) {
        segment.flags.push(Flag::Silence);
    }
    if words.is_some_and(is_anomalous) || is_out_of_proportion(segment) {
        segment.flags.push(Flag::Anomalous);
    }
    segment.flags.sort_unstable();
}

/// Whether a segment has far less or far more text than anybody says in its time.
fn is_out_of_proportion(segment: &Segment) -> bool {
    let (letters, seconds) = (segment.text.trim().chars().count() as f64, segment.end - segment.start);
    (seconds > LONG && letters < SLOWEST * seconds) || (letters > MUCH && letters > FASTEST * seconds)
}

/// Whether text with these signs is not to be told to the next window.
pub(super) fn make_doubtful(flags: &[Flag]) -> bool {
    let doubtful = |flag: &Flag| matches!(flag, Flag::Loop | Flag::Repetitive | Flag::Silence | Flag::PromptLeak);
    flags.iter().any(doubtful)
}

/// How much of the recording between two moments, in seconds, is speech.
pub(super) fn speech(probabilities: &[f32], start: f64, end: f64) -> f32 {
    let sample = |seconds: f64| (seconds * f64::from(SAMPLE_RATE)) as u64;
    coverage(probabilities, Span { start: sample(start), end: sample(end) })
}

/// Whether `text` is part of the prompt, word for word, though the window holds hardly any speech.
pub(super) fn is_leak(text: &str, prompt: &str, decoded: &Decoded, options: &Options) -> bool {
    let silent = options.thresholds.no_speech.is_some_and(|limit| decoded.no_speech_prob > limit);
    let (said, told) = (words(text), words(prompt));
    let letters: usize = said.iter().map(|word| word.chars().count()).sum();
    silent
        && said.len() >= WORDS_OF_A_LEAK
        && letters >= LETTERS_OF_A_LEAK
        && told.windows(said.len()).any(|part| part == said)
}

/// The words of a text, without case and punctuation; in writing without spaces every letter counts as a word.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    for letter in text.chars() {
        let alone = is_written_without_spaces(letter);
        if (alone || letter.is_whitespace()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Letters of Thai, Lao, Burmese and Khmer, and all of East Asia but those of Korea.
fn is_written_without_spaces(letter: char) -> bool {
    matches!(letter, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{312f}'
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_the_prompt_out_of_silence() {
        let (options, silent) = (Options::default(), Decoded { no_speech_prob: 0.9, ..Decoded::default() });
        let prompt = "Names: Mr. Ferrer, Ms. Okonkwo";
        assert!(is_leak(" Mr. Ferrer, Ms. Okonkwo.", prompt, &silent, &options));
        assert!(is_leak(" ms okonkwo", prompt, &silent, &options));
        assert!(!is_leak(" Okonkwo", prompt, &silent, &options), "one word may be chance");
        assert!(!is_leak(" Mr. Okonkwo", prompt, &silent, &options), "another order");
        assert!(!is_leak(" Mr. Ferrer", prompt, &Decoded::default(), &options), "somebody speaks");
        let prompt = "以下是普通话的句子。";
        assert!(is_leak("以下是普通话的句子", prompt, &silent, &options));
        assert!(!is_leak("的句子", prompt, &silent, &options), "a few letters may be chance");
    }

    #[test]
    fn a_text_fits_its_time() {
        let is_odd = |seconds: f64, text: &str| {
            let mut segment = Segment { end: seconds, text: text.to_owned(), ..Segment::default() };
            of_segment(&mut segment, None);
            segment.flags == [Flag::Anomalous]
        };
        assert!(is_odd(29.7, " R") && is_odd(0.02, " Thomas cleaned the picture."));
        assert!(!is_odd(29.7, " Thomas cleaned the picture.") && !is_odd(5.0, " R") && !is_odd(0.02, " Yes."));
    }

    #[test]
    fn a_window_has_the_signs_that_its_measures_say() {
        let decoded =
            Decoded { looped: true, temperature: 1.0, avg_logprob: -1.5, compression_ratio: 3.0, ..Decoded::default() };
        let flags = of_window(&decoded, &Options::default(), true);
        assert_eq!(flags, [Flag::Loop, Flag::Repetitive, Flag::Unlikely, Flag::PromptLeak, Flag::Guessed]);
        assert_eq!(of_window(&Decoded::default(), &Options::default(), false), []);
    }
}
