//! What is to be transcribed and what is said in it: a file of JSON objects, one a line.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

/// A recording and what is known about it. Other keys of the object are passed over.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Entry {
    /// Path of the recording, from the folder of the manifest.
    pub(crate) file: PathBuf,
    /// What is said; nothing where it is absent or empty.
    #[serde(default)]
    pub(crate) text: Option<String>,
    /// The same in English, which `--task translate` is measured by.
    #[serde(default)]
    pub(crate) translation: Option<String>,
    /// Code of the language, where it is known.
    #[serde(default)]
    pub(crate) language: Option<String>,
    /// The stretches it is said in.
    #[serde(default)]
    pub(crate) segments: Option<Vec<serde::de::IgnoredAny>>,
    /// The words with their times.
    #[serde(default)]
    pub(crate) words: Option<Vec<TimedWord>>,
}

/// A word of the reference, in seconds from the beginning.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct TimedWord {
    pub(crate) word: String,
    pub(crate) start: f64,
    pub(crate) end: f64,
}

impl Entry {
    /// The file as the manifest calls it.
    pub(crate) fn name(&self) -> String {
        self.file.display().to_string()
    }
}

/// Reads a manifest; its folder is what the paths in it start from.
pub(crate) fn read(path: &Path) -> anyhow::Result<(PathBuf, Vec<Entry>)> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read the manifest {}", path.display()))?;
    let entries = parse(&text).with_context(|| format!("in the manifest {}", path.display()))?;
    Ok((path.parent().unwrap_or(Path::new("")).to_owned(), entries))
}

fn parse(text: &str) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let entry: Entry = serde_json::from_str(line)
            .with_context(|| format!("line {} is not an object with at least `file`", index + 1))?;
        let times = entry.words.iter().flatten().flat_map(|word| [word.start, word.end]);
        if let Some(time) = times.into_iter().find(|time| *time < 0.0) {
            bail!("line {}: a word has the time {time}; times are seconds from the beginning", index + 1);
        }
        entries.push(entry);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_is_required() {
        let text = "{\"file\": \"a.wav\"}\n\n{\"file\": \"b.wav\", \"text\": null, \"language\": null, \"voice\": 1}\n";
        let entries = parse(text).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[1].text.as_deref(), entries[1].name()), (None, "b.wav".to_owned()));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        for (text, word) in [
            ("{\"file\": \"a.wav\"}\n{\"text\": \"a\"}", "line 2"),
            ("nonsense", "line 1"),
            ("{\"file\": \"a\", \"words\": [{\"word\": \"a\", \"start\": -1, \"end\": 2}]}", "time -1"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(word), "{error}");
        }
    }
}
