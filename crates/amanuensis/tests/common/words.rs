//! How many words of a text differ from those of another.

/// The words of a text, without case and punctuation.
pub(crate) fn words(text: &str) -> Vec<String> {
    let bare = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect()
}

/// Words that must be put in, left out or changed to make `said` of `found`, over the words of `said`.
pub(crate) fn error_rate(said: &str, found: &str) -> f64 {
    let (said, found) = (words(said), words(found));
    let mut row: Vec<usize> = (0..=found.len()).collect();
    for (index, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (at, other) in found.iter().enumerate() {
            let change = diagonal + usize::from(word != other);
            diagonal = row[at + 1];
            row[at + 1] = change.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[found.len()] as f64 / said.len().max(1) as f64
}
