//! `/v1/render`: a transcript, also an edited one, in another format.

use std::sync::Arc;

use amanuensis::text;
use amanuensis::{Segment, Task, Transcript, Word};
use axum::body::to_bytes;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use serde::Deserialize;

use crate::answer::{Answer, Written};
use crate::error::ApiError;
use crate::state::Shared;
use crate::wish::Granularities;

/// Bytes of a transcript: a day of speech with times of words is 30 MB.
const MOST_BYTES: usize = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    format: String,
}

pub(super) async fn render(
    State(shared): State<Arc<Shared>>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let Query(asked) = asked.map_err(|error| ApiError::bad("format", error.body_text()))?;
    let answer: Answer =
        asked.format.parse().map_err(|message| ApiError::bad("format", format!("format: {message}")))?;
    let body = to_bytes(request.into_body(), MOST_BYTES);
    let body = tokio::time::timeout(shared.settings.body_idle() * 4, body)
        .await
        .map_err(|_| ApiError::too_slow("the transcript did not come in time"))?
        .map_err(|_| ApiError::too_large(format!("a transcript has {} MiB at most", MOST_BYTES >> 20)))?;
    shared.blocking(move || write(&body, answer)).await?
}

pub(super) fn write(body: &[u8], answer: Answer) -> Result<Response, ApiError> {
    let wrong = |error: text::ReadError| ApiError::bad("body", format!("the transcript cannot be read: {error}"));
    let mut transcript: Transcript = text::read(body).map_err(wrong)?;
    if let Ok(Beside { words }) = serde_json::from_slice(body) {
        deal(words, &mut transcript.segments);
    }
    let words = transcript.segments.iter().any(|segment| segment.words.is_some());
    let granularities = Some(Granularities { segments: true, words });
    Written { transcript: &transcript, task: Task::Transcribe, granularities, warnings: &[], logprobs: None }
        .respond(answer)
}

/// What OpenAI writes beside the segments.
#[derive(Deserialize)]
struct Beside {
    words: Vec<Bare>,
}

/// A word without the space before it.
#[derive(Deserialize)]
struct Bare {
    word: String,
    start: f64,
    end: f64,
    #[serde(default)]
    probability: f32,
}

/// Deals words that stand beside the segments out to them: each to the segment that ends behind its beginning, with the
/// space that it has there.
fn deal(words: Vec<Bare>, segments: &mut [Segment]) {
    if segments.iter().any(|segment| segment.words.is_some()) {
        return;
    }
    let sane = |word: &Bare| word.start >= 0.0 && word.end >= word.start && word.end.is_finite();
    let mut words = words.into_iter().filter(sane).peekable();
    let last = segments.len().saturating_sub(1);
    for (index, segment) in segments.iter_mut().enumerate() {
        let (end, mut rest) = (segment.end, segment.text.as_str());
        let mut dealt = Vec::new();
        while let Some(Bare { word, start, end, probability }) = words.next_if(|word| index == last || word.start < end)
        {
            let space = rest.len() - rest.trim_start().len();
            let (word, behind) = match rest[space..].strip_prefix(word.as_str()) {
                Some(behind) => (format!("{}{word}", &rest[..space]), behind),
                // The text was edited and the word was not: it stands by itself.
                None => (format!(" {word}"), rest),
            };
            rest = behind;
            dealt.push(Word { word, start, end, probability });
        }
        segment.words = (!dealt.is_empty()).then_some(dealt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_beside_the_segments_find_their_places() {
        let segment = |start, end, text: &str| Segment { start, end, text: text.to_owned(), ..Segment::default() };
        let mut segments = [segment(0.0, 1.0, " Good day."), segment(1.0, 2.0, " Bye.")];
        let word = |word: &str, start| Bare { word: word.to_owned(), start, end: start + 0.4, probability: 0.5 };
        deal(vec![word("Good", 0.0), word("day.", 0.5), word("Bye.", 1.0)], &mut segments);
        let words = |segment: &Segment| -> Vec<String> {
            segment.words.iter().flatten().map(|word| word.word.clone()).collect()
        };
        assert_eq!(words(&segments[0]), [" Good", " day."]);
        assert_eq!(words(&segments[1]), [" Bye."]);
    }
}
