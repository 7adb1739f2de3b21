//! Transcripts of two devices side by side, by their tokens.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::findings::Compared;

/// A transcript as the program writes it, as far as it matters here.
#[derive(Deserialize)]
struct Transcript {
    text: String,
    segments: Vec<Segment>,
    provenance: Provenance,
}

#[derive(Deserialize)]
struct Segment {
    tokens: Vec<u32>,
}

#[derive(Deserialize)]
struct Provenance {
    devices: Vec<String>,
}

/// Compares the transcripts of samples in two folders.
pub(super) fn compare(model: &str, samples: &[&str], cpu: &Path, device: &Path) -> Result<Vec<Compared>> {
    let one = |sample: &&str| {
        let name = Path::new(sample).with_extension("json");
        let [right, found] = [cpu, device].map(|folder| read(&folder.join(&name)));
        let (right, found) = (right?, found?);
        let [a, b] = [&right, &found].map(Transcript::tokens);
        Ok(Compared {
            model: model.to_owned(),
            sample: (*sample).to_owned(),
            device: found.provenance.devices.join(" and "),
            tokens: a.len(),
            differences: distance(&a, &b),
            same_text: right.text == found.text,
        })
    };
    samples.iter().map(one).collect()
}

fn read(path: &Path) -> Result<Transcript> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no transcript", path.display()))
}

impl Transcript {
    fn tokens(&self) -> Vec<u32> {
        self.segments.iter().flat_map(|segment| segment.tokens.iter().copied()).collect()
    }
}

/// How many tokens have to be put in, left out or replaced to make one list of the other.
fn distance(a: &[u32], b: &[u32]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (place, a) in a.iter().enumerate() {
        let mut before = std::mem::replace(&mut row[0], place + 1);
        for (column, b) in b.iter().enumerate() {
            let replaced = before + usize::from(a != b);
            before = row[column + 1];
            row[column + 1] = replaced.min(before + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_the_fewest_that_make_one_of_the_other() {
        assert_eq!(distance(&[1, 2, 3], &[1, 2, 3]), 0);
        assert_eq!(distance(&[1, 2, 3], &[1, 3]), 1);
        assert_eq!(distance(&[1, 2, 3], &[7, 2, 3, 4]), 2);
        assert_eq!((distance(&[], &[5, 6]), distance(&[5], &[])), (2, 1));
    }

    #[test]
    fn transcripts_are_compared_by_tokens_and_name_their_device() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for (folder, last, device) in [(&folders[0], 3, "cpu"), (&folders[1], 4, "cuda (X, sm_90)")] {
            let text = format!(
                r#"{{"text": " a", "segments": [{{"id": 0, "tokens": [1, 2]}}, {{"tokens": [{last}]}}],
                    "provenance": {{"program": "p", "devices": ["{device}"]}}}}"#
            );
            fs::write(folder.path().join("english.json"), text).unwrap();
        }
        let compared = compare("demo", &["english.wav"], folders[0].path(), folders[1].path()).unwrap();
        let Compared { device, tokens, differences, same_text, .. } = &compared[0];
        assert_eq!((device.as_str(), *tokens, *differences, *same_text), ("cuda (X, sm_90)", 3, 1, true));
        let missing = compare("demo", &["german.wav"], folders[0].path(), folders[1].path()).unwrap_err();
        assert!(format!("{missing:#}").contains("german.json"), "{missing:#}");
    }
}
