//! `/v1/audio/transcriptions` and `/v1/audio/translations`, as OpenAI has them.

use std::sync::Arc;

use amanuensis::{Outcome, Segment, Task};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::events;
use crate::answer::{self, Answer, Written, usage};
use crate::error::ApiError;
use crate::form::{Form, Upload};
use crate::guard::warn;
use crate::hear::{self, Heard, Pieces};
use crate::keys::Client;
use crate::scheduler::Happening;
use crate::state::Shared;
use crate::wish::{Endpoint, Wish};

pub(super) async fn transcribe(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(shared, client, request, Endpoint::Transcriptions).await
}

pub(super) async fn translate(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(shared, client, request, Endpoint::Translations).await
}

async fn answer(
    shared: Arc<Shared>,
    client: Client,
    request: Request,
    endpoint: Endpoint,
) -> Result<Response, ApiError> {
    let form = Form::read(shared.with_room(request).await?, &["file"], &shared.settings).await?;
    let wish = Wish::read(&form.fields, endpoint, shared.settings.lenient)?;
    let upload = form.file("file")?.clone();
    shared.metrics.uploaded(upload.bytes);
    if wish.model.is_none() {
        return Err(ApiError::bad("model", "there is no model; send its name, or whisper-1, as the field \"model\""));
    }
    if wish.stream {
        if !matches!(wish.answer, Answer::Json | Answer::Text | Answer::Verbose) {
            let message = "only json, text and verbose_json can be streamed";
            return Err(ApiError::bad("response_format", message));
        }
        shared.models.resolve(wish.model.as_deref().unwrap_or_default())?;
        return Ok(streamed(shared, client, upload, wish));
    }
    let mut channels = shared.hear_channels(asked(&upload, &wish, &client), wish.channels).await?;
    let outcome = hear::outcome(&mut channels).await?;
    let logprobs = channels.first().and_then(|heard| logprobs(heard, &wish, &outcome.transcript.segments));
    written(&outcome, &wish, logprobs.as_ref())
}

fn asked<'a>(upload: &Upload, wish: &'a Wish, client: &'a Client) -> hear::Request<'a> {
    hear::Request {
        input: upload.input(),
        raw: None,
        model: wish.model.as_deref(),
        options: &wish.options,
        client: &client.name,
    }
}

/// The log probabilities of the tokens of segments, where they were asked for.
fn logprobs(heard: &Heard, wish: &Wish, segments: &[Segment]) -> Option<Value> {
    let tokenizer = heard.model.engine().tokenizer();
    wish.options.search.keep_logprobs.then(|| answer::logprobs(tokenizer, segments))
}

/// The answer in one piece.
fn written(outcome: &Outcome, wish: &Wish, logprobs: Option<&Value>) -> Result<Response, ApiError> {
    let warnings: Vec<String> = wish.warnings.iter().chain(&outcome.warnings).cloned().collect();
    let task = wish.options.task;
    let transcript = &outcome.transcript;
    let written = Written { transcript, task, granularities: wish.granularities, warnings: &warnings, logprobs };
    let mut response = written.respond(wish.answer)?;
    warn(&mut response, &warnings);
    Ok(response)
}

/// How far a stream has come.
enum Stage {
    /// The sound is not decoded yet.
    Begin(Box<(Arc<Shared>, Client, Upload, Wish)>),
    /// Its segments come.
    Hearing(Box<(Heard, Pieces, Wish)>),
    Over,
}

/// The answer piece by piece.
fn streamed(shared: Arc<Shared>, client: Client, upload: Upload, wish: Wish) -> Response {
    events::answer(Stage::Begin(Box::new((shared, client, upload, wish))), step)
}

/// The next event of a stream.
async fn step(mut stage: Stage) -> Option<(Value, Stage)> {
    loop {
        stage = match stage {
            Stage::Over => return None,
            Stage::Begin(begin) => {
                let (shared, client, upload, wish) = *begin;
                match shared.hear(asked(&upload, &wish, &client)).await {
                    Ok(heard) => Stage::Hearing(Box::new((heard, Pieces::default(), wish))),
                    Err(error) => return Some((error.object(), Stage::Over)),
                }
            }
            Stage::Hearing(mut hearing) => {
                let (heard, pieces, wish) = &mut *hearing;
                match heard.hearing.happenings.recv().await {
                    Some(Happening::Segment(segment)) => {
                        let delta = pieces.next(&segment.text);
                        if !delta.is_empty() {
                            let mut event = json!({ "type": "transcript.text.delta", "delta": delta, "segment_id": segment.id.to_string() });
                            if let Some(logprobs) = logprobs(heard, wish, std::slice::from_ref(&*segment)) {
                                event["logprobs"] = logprobs;
                            }
                            return Some((event, Stage::Hearing(hearing)));
                        }
                        Stage::Hearing(hearing)
                    }
                    Some(Happening::Done(result)) => {
                        let event = match heard.finish(result.map(|outcome| *outcome)) {
                            Ok(outcome) => {
                                let logprobs = logprobs(heard, wish, &outcome.transcript.segments);
                                done(&outcome, pieces, wish.options.task, logprobs)
                            }
                            Err(error) => error.object(),
                        };
                        return Some((event, Stage::Over));
                    }
                    Some(Happening::Language(_) | Happening::Progress { .. } | Happening::Saved(_)) => {
                        Stage::Hearing(hearing)
                    }
                    None => return Some((ApiError::fault("the engine's thread has ended").object(), Stage::Over)),
                }
            }
        };
    }
}

fn done(outcome: &Outcome, pieces: &Pieces, task: Task, logprobs: Option<Value>) -> Value {
    let transcript = &outcome.transcript;
    let mut event = json!({
        "type": "transcript.text.done",
        "text": pieces.text(),
        "language": if task == Task::Translate { "en" } else { &transcript.language },
        "usage": usage(transcript.duration),
    });
    if let Some(logprobs) = logprobs {
        event["logprobs"] = logprobs;
    }
    event
}
