//! `/v1/render`: a transcript, also an edited one, in another format.

use std::sync::Arc;

use amanuensis::text;
use amanuensis::{Task, Transcript};
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

fn write(body: &[u8], answer: Answer) -> Result<Response, ApiError> {
    let wrong = |error: text::ReadError| ApiError::bad("body", format!("the transcript cannot be read: {error}"));
    let transcript: Transcript = text::read(body).map_err(wrong)?;
    let words = transcript.segments.iter().any(|segment| segment.words.is_some());
    let granularities = Some(Granularities { segments: true, words });
    Written { transcript: &transcript, task: Task::Transcribe, granularities, warnings: &[] }.respond(answer)
}
