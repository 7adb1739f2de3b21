//! The figures of one recording and of all of them together.

use amanuensis::Transcript;
use amanuensis::backend::ComputeType;
use amanuensis::segments::Provenance;
use serde::Serialize;

use super::against::{Beside, Gate};
use super::edit::Edits;
use super::manifest::Entry;
use super::normalize::{Normalizer, Spelling};
use super::times::{TimeErrors, WordTimes};

/// Errors of one kind of unit, and how many there are for each unit of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Errors {
    /// Errors over the length of the reference; absent where nothing was said.
    pub(crate) rate: Option<f64>,
    /// Units of the reference.
    pub(crate) reference: usize,
    #[serde(flatten)]
    pub(crate) edits: Edits,
}

impl From<Edits> for Errors {
    fn from(edits: Edits) -> Self {
        Errors { rate: edits.rate(), reference: edits.reference(), edits }
    }
}

/// How many segments there are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct SegmentCount {
    /// In the transcript.
    pub(crate) heard: usize,
    /// In the manifest, where it says.
    pub(crate) reference: Option<usize>,
}

/// What a recording cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Cost {
    /// Seconds of sound.
    pub(crate) sound_seconds: f64,
    /// Seconds from opening the file to the transcript.
    pub(crate) wall_seconds: f64,
    /// Seconds of sound for each second of waiting.
    pub(crate) realtime_factor: Option<f64>,
}

impl Cost {
    /// Puts seconds of sound and of waiting into proportion.
    pub(crate) fn new(sound_seconds: f64, wall_seconds: f64) -> Self {
        let realtime_factor = (wall_seconds > 0.0).then(|| sound_seconds / wall_seconds);
        Cost { sound_seconds, wall_seconds, realtime_factor }
    }
}

/// One recording.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    pub(crate) file: String,
    /// The language it was transcribed in.
    pub(crate) language: String,
    pub(crate) normalizer: &'static str,
    pub(crate) words: Errors,
    pub(crate) characters: Errors,
    /// Known where both sides have words with times and some match.
    pub(crate) word_times: Option<WordTimes>,
    pub(crate) segments: SegmentCount,
    #[serde(flatten)]
    pub(crate) cost: Cost,
    /// The most memory resident at once since the program began; absent where the system does not count it.
    pub(crate) peak_resident_bytes: Option<u64>,
    pub(crate) warnings: Vec<String>,
    /// What was heard, as it was compared.
    pub(crate) heard: String,
    /// How the transcript came about, where it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provenance: Option<Provenance>,
    /// The same recording computed otherwise, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) against: Option<Beside>,
    #[serde(skip)]
    pub(crate) times: Option<TimeErrors>,
}

/// What is compared and how.
pub(crate) struct Comparison<'a> {
    pub(crate) entry: &'a Entry,
    /// What was said.
    pub(crate) reference: &'a str,
    pub(crate) transcript: &'a Transcript,
    pub(crate) normalizer: Normalizer,
    pub(crate) spelling: &'a Spelling,
}

/// Compares a transcript with its reference.
pub(crate) fn measure(
    compared: &Comparison<'_>,
    cost: Cost,
    peak_resident_bytes: Option<u64>,
    warnings: Vec<String>,
) -> Measured {
    let Comparison { entry, transcript, .. } = compared;
    let prepare = |text: &str| {
        let normal = compared.normalizer.apply(text, compared.spelling);
        normal.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (reference, heard) = (prepare(compared.reference), prepare(&transcript.text));
    let words = |text: &'_ str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    let times = entry.words.as_ref().and_then(|words| TimeErrors::between(words, transcript));
    Measured {
        file: entry.name(),
        language: transcript.language.clone(),
        normalizer: compared.normalizer.name(),
        words: Edits::between(&words(&reference), &words(&heard)).into(),
        characters: Edits::between(&characters(&reference), &characters(&heard)).into(),
        word_times: times.as_ref().and_then(TimeErrors::summary),
        segments: SegmentCount { heard: transcript.segments.len(), reference: entry.segments.as_ref().map(Vec::len) },
        cost,
        peak_resident_bytes,
        warnings,
        heard,
        provenance: transcript.provenance.clone(),
        against: None,
        times,
    }
}

/// A recording that could not be transcribed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failed {
    pub(crate) file: String,
    pub(crate) error: String,
}

/// Words heard where nothing was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Invented {
    pub(crate) file: String,
    pub(crate) text: String,
}

/// All recordings that were transcribed, as one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Total {
    pub(crate) files: usize,
    pub(crate) words: Errors,
    pub(crate) characters: Errors,
    pub(crate) word_times: Option<WordTimes>,
    #[serde(flatten)]
    pub(crate) cost: Cost,
    pub(crate) peak_resident_bytes: Option<u64>,
}

/// An evaluation from end to end.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Evaluation {
    /// The program and its version.
    pub(crate) program: String,
    pub(crate) model: String,
    /// How British and American spellings were made the same, where a text is English: `rules`, or a table's path.
    pub(crate) spelling: String,
    pub(crate) total: Total,
    /// How far all are from what they are when computed otherwise, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gate: Option<Gate>,
    pub(crate) invented: Vec<Invented>,
    pub(crate) failed: Vec<Failed>,
    pub(crate) files: Vec<Measured>,
}

impl Evaluation {
    /// Puts the recordings together; `against` are the compute types of the model and of what it is set beside.
    pub(crate) fn new(
        model: &str,
        spelling: &Spelling,
        against: Option<(ComputeType, ComputeType)>,
        files: Vec<Measured>,
        failed: Vec<Failed>,
    ) -> Self {
        let total = total(&files);
        let gate = against.map(|(this, other)| Gate::new(this, other, &total.words, &files));
        let invented = files.iter().filter(|file| file.words.reference == 0 && file.words.edits.insertions > 0);
        Evaluation {
            program: format!("amanuensis {}", env!("CARGO_PKG_VERSION")),
            model: model.to_owned(),
            spelling: spelling.name().to_owned(),
            total,
            gate,
            invented: invented.map(|file| Invented { file: file.file.clone(), text: file.heard.clone() }).collect(),
            failed,
            files,
        }
    }
}

fn total(files: &[Measured]) -> Total {
    let (mut words, mut characters) = (Edits::default(), Edits::default());
    let mut times = TimeErrors::default();
    let (mut sound, mut wall) = (0.0, 0.0);
    for file in files {
        words += file.words.edits;
        characters += file.characters.edits;
        sound += file.cost.sound_seconds;
        wall += file.cost.wall_seconds;
        if let Some(of_file) = &file.times {
            times.extend(of_file);
        }
    }
    Total {
        files: files.len(),
        words: words.into(),
        characters: characters.into(),
        word_times: times.summary(),
        cost: Cost::new(sound, wall),
        peak_resident_bytes: files.iter().filter_map(|file| file.peak_resident_bytes).max(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn measured(file: &str, said: &str, heard: &str) -> Measured {
        let entry = Entry {
            file: PathBuf::from(file),
            text: Some(said.to_owned()),
            translation: None,
            language: Some("en".to_owned()),
            segments: None,
            words: None,
        };
        let transcript = Transcript { text: heard.to_owned(), language: "en".to_owned(), ..Transcript::default() };
        let spelling = Spelling::rules();
        let compared = Comparison {
            entry: &entry,
            reference: said,
            transcript: &transcript,
            normalizer: Normalizer::English,
            spelling: &spelling,
        };
        measure(&compared, Cost::new(10.0, 2.0), Some(7), Vec::new())
    }

    #[test]
    fn totals_are_of_all_words_and_not_of_rates() {
        let files = vec![
            measured("a.wav", "One colour.", " one color"),
            measured("b.wav", "Two words more to be heard here", " two words"),
            measured("c.wav", "", " Thank you."),
        ];
        assert_eq!(files[0].words.rate, Some(0.0));
        let all = Evaluation::new("demo", &Spelling::rules(), None, files, Vec::new());
        assert_eq!((all.total.words.reference, all.total.words.edits.errors()), (9, 7));
        assert_eq!(all.total.cost.realtime_factor, Some(5.0));
        assert_eq!(all.invented, [Invented { file: "c.wav".to_owned(), text: "thank you".to_owned() }]);
        let json = serde_json::to_value(&all).unwrap();
        assert_eq!(json["files"][2]["words"]["rate"], serde_json::Value::Null);
        assert_eq!(json["files"][1]["words"]["deletions"], 5);
        assert_eq!(json["total"]["sound_seconds"], 30.0);
    }
}
