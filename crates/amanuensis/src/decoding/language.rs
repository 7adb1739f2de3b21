//! Language detection: what the model would say first about the language.

use super::scores::best;
use crate::backend::{BackendError, Decoding, Feed, Logits, Work};
use crate::tokens::Special;

/// The languages that `window` may be in, as codes with probabilities, the most probable first.
///
/// A model for one language only gives an empty list.
pub fn detect(
    decoding: &mut dyn Decoding,
    window: usize,
    special: &Special,
    work: &mut Work<'_>,
) -> Result<Vec<(String, f32)>, BackendError> {
    if !special.is_multilingual() {
        return Ok(Vec::new());
    }
    let mut logits = Logits::default();
    decoding.start(&[window]);
    decoding.step(&[Feed { tokens: &[special.start_of_transcript], read: &[0] }], &mut logits, work)?;
    let row = logits.row(0);
    let mut languages: Vec<_> =
        special.languages.iter().map(|(code, token)| (code.clone(), row[*token as usize])).collect();
    let scores: Vec<f32> = languages.iter().map(|language| language.1).collect();
    let (_, greatest) = best(&scores);
    if !greatest.is_finite() {
        return Err(BackendError::NotANumber { place: "language logits" });
    }
    let total: f32 = scores.iter().map(|score| (score - greatest).exp()).sum();
    for (_, score) in &mut languages {
        *score = (*score - greatest).exp() / total;
    }
    languages.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(languages)
}
