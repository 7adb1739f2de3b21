//! The channels of one recording, transcribed apart, as one transcript.

use super::Outcome;
use crate::segments::{Contexts, Transcript};

/// Puts the transcripts of the channels of one recording together, in order of time.
///
/// Each segment says which channel it was heard on (from 0). The language is that of the channel on which most is said.
/// None for no channels.
pub fn merge_channels(channels: Vec<Outcome>) -> Option<Outcome> {
    let said = |outcome: &Outcome| outcome.transcript.text.trim().len();
    // The first of equal ones.
    let leading = channels.iter().rev().max_by_key(|outcome| said(outcome))?;
    let (language, languages) = (leading.transcript.language.clone(), leading.languages.clone());
    let (duration, receipt) = (leading.transcript.duration, leading.receipt.clone());
    let (mut segments, mut warnings, mut contexts) = (Vec::new(), Vec::new(), Contexts::default());
    for (channel, outcome) in channels.into_iter().enumerate() {
        segments.extend(outcome.transcript.segments.into_iter().map(|mut segment| {
            segment.channel = Some(channel);
            segment
        }));
        warnings.extend(outcome.warnings);
        contexts += outcome.contexts;
    }
    // Stable: of two that begin together the one of the lower channel comes first.
    segments.sort_by(|a, b| a.start.total_cmp(&b.start));
    for (id, segment) in segments.iter_mut().enumerate() {
        segment.id = id;
    }
    warnings.sort();
    warnings.dedup();
    let text = segments.iter().map(|segment| segment.text.as_str()).collect();
    let transcript = Transcript { text, segments, language, duration, provenance: None };
    Some(Outcome { transcript, languages, contexts, receipt, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Receipt;
    use crate::segments::Segment;

    fn channel(language: &str, said: &[(f64, &str)]) -> Outcome {
        let segment = |&(start, text): &(f64, &str)| Segment {
            start,
            end: start + 1.0,
            text: text.to_owned(),
            ..Segment::default()
        };
        Outcome {
            transcript: Transcript {
                text: said.iter().map(|(_, text)| *text).collect(),
                segments: said.iter().map(segment).collect(),
                language: language.to_owned(),
                duration: 9.0,
                provenance: None,
            },
            languages: Vec::new(),
            contexts: Contexts { windows: 1, positions: 1500, ..Contexts::default() },
            receipt: Receipt::default(),
            warnings: vec!["the same".to_owned()],
        }
    }

    #[test]
    fn channels_are_told_in_order_of_time() {
        let left = channel("en", &[(0.0, " Hello."), (5.0, " Yes.")]);
        let right = channel("de", &[(2.0, " Guten Tag, wie geht es?"), (5.0, " Nein.")]);
        let both = merge_channels(vec![left, right]).expect("an outcome");
        let told: Vec<_> = both.transcript.segments.iter().map(|s| (s.id, s.channel, s.text.as_str())).collect();
        assert_eq!(
            told,
            [
                (0, Some(0), " Hello."),
                (1, Some(1), " Guten Tag, wie geht es?"),
                (2, Some(0), " Yes."),
                (3, Some(1), " Nein.")
            ]
        );
        assert_eq!(both.transcript.text, " Hello. Guten Tag, wie geht es? Yes. Nein.");
        assert_eq!((both.transcript.language.as_str(), both.warnings.len()), ("de", 1));
        assert_eq!((both.contexts.windows, both.contexts.positions), (2, 3000));
        assert!(merge_channels(Vec::new()).is_none());
    }
}
