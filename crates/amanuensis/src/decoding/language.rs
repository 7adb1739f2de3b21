//! Language detection: what the model would say first about the language.

use crate::backend::scores::best;
use crate::backend::{BackendError, Decoding, Feed, Logits, Work};
use crate::tokens::Special;

/// Languages that a sound may be in, as codes with probabilities, the most probable first.
pub type Languages = Vec<(String, f32)>;

/// The languages that each of the encoded `windows` may be in. A model for one language only gives empty lists.
pub fn detect(
    decoding: &mut dyn Decoding,
    windows: &[usize],
    special: &Special,
    work: &mut Work<'_>,
) -> Result<Vec<Languages>, BackendError> {
    if !special.is_multilingual() {
        return Ok(vec![Vec::new(); windows.len()]);
    }
    let mut logits = Logits::default();
    let feed = Feed { tokens: &[special.start_of_transcript], read: &[0] };
    decoding.start(windows);
    decoding.step(&vec![feed; windows.len()], &mut logits, work)?;
    (0..windows.len()).map(|window| languages(logits.row(window), special)).collect()
}

fn languages(row: &[f32], special: &Special) -> Result<Languages, BackendError> {
    let known = special.languages.iter();
    let mut languages: Languages = known.map(|(code, token)| (code.clone(), row[*token as usize])).collect();
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

/// The same, if only those with the codes `allowed` may be: all if there are none.
pub fn restrict(mut languages: Languages, allowed: &[String]) -> Languages {
    if !allowed.is_empty() {
        languages.retain(|(code, _)| allowed.contains(code));
        let total: f32 = languages.iter().map(|(_, probability)| probability).sum();
        if total > 0.0 {
            languages.iter_mut().for_each(|(_, probability)| *probability /= total);
        }
    }
    languages
}

/// The mean of what several windows say.
pub fn mean(windows: &[Languages]) -> Languages {
    let mut mean: Languages = windows.first().cloned().unwrap_or_default();
    for (code, probability) in &mut mean {
        let of = |languages: &Languages| languages.iter().find(|(other, _)| other == code).map_or(0.0, |(_, p)| *p);
        *probability = windows.iter().map(of).sum::<f32>() / windows.len() as f32;
    }
    mean.sort_by(|a, b| b.1.total_cmp(&a.1));
    mean
}
