//! The same recordings computed with other numbers: how far apart the two are, and whether that is near enough.

use amanuensis::backend::ComputeType;
use amanuensis::{Transcript, Word};
use serde::Serialize;

use super::edit::Edits;
use super::measure::{Errors, Measured};

/// Points of the word error rate, per cent, that the two may be apart.
const RATE_POINTS: f64 = 0.3;
/// The cosine that every window of the encoder's output must be above.
const COSINE: f64 = 0.999;
/// The share of words whose times must be the same.
const STEADY_SHARE: f64 = 0.99;
/// Seconds within which times are the same: a position of the encoder. Times have two decimals, so the rest is for what
/// a difference of two of them leaves behind the sixth.
const STEADY_SECONDS: f64 = 0.02 + 1e-6;

/// A recording computed otherwise, beside what it was measured as.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Beside {
    /// Errors of the other transcript.
    pub(crate) words: Errors,
    pub(crate) characters: Errors,
    /// The other text, as it was compared.
    pub(crate) heard: String,
    /// Whether both texts are the same, to the letter.
    pub(crate) same_text: bool,
    /// Between what the two encoders make of each 30 s of the recording.
    pub(crate) cosines: Vec<f64>,
    /// Known where the texts are the same and have word times.
    pub(crate) word_times: Option<Steady>,
}

impl Beside {
    /// Sets `other` beside `this`: for each the transcript, and for the other what was measured of it.
    pub(crate) fn new(this: &Transcript, other: &Transcript, measured: Measured, cosines: Vec<f64>) -> Beside {
        let Measured { words, characters, heard, .. } = measured;
        let same_text = this.text == other.text;
        let word_times = if same_text { Steady::between(this, other) } else { None };
        Beside { words, characters, heard, same_text, cosines, word_times }
    }
}

/// How many words have the same times in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Steady {
    /// Words of texts that are the same.
    pub(crate) words: usize,
    /// Those of them whose start and end are both within 20 ms.
    pub(crate) within: usize,
}

impl Steady {
    /// Compares word by word; nothing where the words are not the same ones, or have no times.
    fn between(this: &Transcript, other: &Transcript) -> Option<Steady> {
        let (these, others) = (words(this), words(other));
        let same_words = these.len() == others.len() && these.iter().zip(&others).all(|(a, b)| a.word == b.word);
        if these.is_empty() || !same_words {
            return None;
        }
        let near = |a: f64, b: f64| (a - b).abs() <= STEADY_SECONDS;
        let pairs = these.iter().zip(&others);
        let within = pairs.filter(|(a, b)| near(a.start, b.start) && near(a.end, b.end)).count();
        Some(Steady { words: these.len(), within })
    }

    /// The share of words that have the same times.
    pub(crate) fn share(self) -> Option<f64> {
        (self.words > 0).then(|| self.within as f64 / self.words as f64)
    }
}

fn words(transcript: &Transcript) -> Vec<&Word> {
    transcript.segments.iter().filter_map(|segment| segment.words.as_ref()).flatten().collect()
}

/// What the cosines of many windows come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Cosines {
    pub(crate) windows: usize,
    pub(crate) smallest: f64,
    pub(crate) mean: f64,
}

impl Cosines {
    /// None where there are none.
    pub(crate) fn of(values: &[f64]) -> Option<Cosines> {
        let smallest = values.iter().copied().reduce(f64::min)?;
        Some(Cosines { windows: values.len(), smallest, mean: values.iter().sum::<f64>() / values.len() as f64 })
    }
}

/// The cosine of the angle between two outputs: 1 where they differ by nothing but a factor.
pub(crate) fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let cosine = dot(one, other) / (dot(one, one) * dot(other, other)).sqrt();
    // What has no length points nowhere, so it is like nothing.
    if cosine.is_finite() { cosine } else { 0.0 }
}

/// All recordings computed otherwise, and the gate.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Gate {
    /// What the recordings were computed with.
    pub(crate) compute_type: &'static str,
    /// What they are set beside.
    pub(crate) against: &'static str,
    /// Errors of the other transcripts.
    pub(crate) words: Errors,
    pub(crate) characters: Errors,
    /// Recordings whose texts are the same.
    pub(crate) same_texts: usize,
    pub(crate) cosines: Option<Cosines>,
    pub(crate) word_times: Option<Steady>,
    /// What the gate looks at.
    pub(crate) checks: [Check; 3],
    /// Whether something was measured, and everything that was is within its limit.
    pub(crate) passed: bool,
}

/// A figure and the limit it must keep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// Absent where there was nothing to measure.
    pub(crate) value: Option<f64>,
    pub(crate) limit: f64,
    pub(crate) kept: Option<bool>,
}

impl Check {
    fn new(name: &'static str, value: Option<f64>, limit: f64, keeps: fn(f64, f64) -> bool) -> Check {
        Check { name, value, limit, kept: value.map(|value| keeps(value, limit)) }
    }
}

impl Gate {
    /// Puts the recordings together: `words` are the errors of all that were measured first.
    pub(crate) fn new(compute: ComputeType, against: ComputeType, words: &Errors, files: &[Measured]) -> Gate {
        let besides: Vec<&Beside> = files.iter().filter_map(|file| file.against.as_ref()).collect();
        let (mut other_words, mut characters) = (Edits::default(), Edits::default());
        let mut steady = Steady::default();
        for beside in &besides {
            other_words += beside.words.edits;
            characters += beside.characters.edits;
            let Steady { words, within } = beside.word_times.unwrap_or_default();
            steady = Steady { words: steady.words + words, within: steady.within + within };
        }
        let other_words = Errors::from(other_words);
        let each: Vec<f64> = besides.iter().flat_map(|beside| &beside.cosines).copied().collect();
        let cosines = Cosines::of(&each);
        let checks = [
            Check::new("word_error_points", points(words, &other_words), RATE_POINTS, |points, limit| {
                points.abs() <= limit
            }),
            Check::new("smallest_cosine", cosines.map(|cosines| cosines.smallest), COSINE, |cosine, limit| {
                cosine > limit
            }),
            Check::new("words_within_20_ms", steady.share(), STEADY_SHARE, |share, limit| share >= limit),
        ];
        let kept = |wanted: bool| move |check: &Check| check.kept == Some(wanted);
        Gate {
            compute_type: compute.name(),
            against: against.name(),
            words: other_words,
            characters: characters.into(),
            same_texts: besides.iter().filter(|beside| beside.same_text).count(),
            cosines,
            word_times: (steady.words > 0).then_some(steady),
            checks,
            passed: checks.iter().any(kept(true)) && !checks.iter().any(kept(false)),
        }
    }
}

/// Points, per cent, by which the first rate is above the second; none where nothing was said.
pub(crate) fn points(errors: &Errors, other: &Errors) -> Option<f64> {
    Some(100.0 * (errors.rate? - other.rate?))
}

#[cfg(test)]
mod tests;
