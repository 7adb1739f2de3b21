//! `/transcribe`, `/status`, `/models` and `/web`, as the system before this one had them: its fields and the keys of its
//! answers, with what is true in them. What it took and ignored is done here, or refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use amanuensis::Outcome;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::answer::{Answer, Written};
use crate::error::ApiError;
use crate::form::Form;
use crate::guard::warn;
use crate::hear;
use crate::keys::Client;
use crate::state::Shared;
use crate::wish::{Endpoint, Wish, boolean};

pub(super) async fn transcribe(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Response {
    answer(&shared, &client, request).await.unwrap_or_else(|error| {
        let mut object = error.object();
        // Its clients look for a text under `detail`.
        object["detail"] = error.message.clone().into();
        let mut response = (error.status, Json(object)).into_response();
        error.dress(&mut response);
        response
    })
}

async fn answer(shared: &Arc<Shared>, client: &Client, request: Request) -> Result<Response, ApiError> {
    let form = Form::read(shared.with_room(request).await?, &["file"], &shared.settings).await?;
    let began = Instant::now();
    let wish = read(&form.fields)?;
    let upload = form.file("file")?;
    shared.metrics.uploaded(upload.bytes);
    let model = shared.models.resolve(wish.model.as_deref().unwrap_or("whisper-1"))?;
    let asked = hear::Request {
        input: upload.input(),
        raw: None,
        model: Some(model),
        options: &wish.options,
        client: &client.name,
    };
    let outcome = hear::outcome(&mut shared.hear_channels(asked, wish.channels).await?).await?;
    let mut response = match wish.answer {
        Answer::Json | Answer::Verbose => Json(object(&outcome, model, began.elapsed())).into_response(),
        Answer::Text => Json(json!({ "text": outcome.transcript.text.trim() })).into_response(),
        other => {
            let (transcript, task) = (&outcome.transcript, wish.options.task);
            Written { transcript, task, granularities: None, warnings: &[], logprobs: None }.respond(other)?
        }
    };
    warn(&mut response, &wish.warnings);
    warn(&mut response, &outcome.warnings);
    Ok(response)
}

/// Its fields under the names of OpenAI's endpoint.
pub(super) fn read(fields: &[(String, String)]) -> Result<Wish, ApiError> {
    let (mut others, mut warnings) = (Vec::new(), Vec::new());
    for (name, value) in fields {
        match name.as_str() {
            "url" if value.trim().is_empty() => {}
            "url" => {
                return Err(ApiError::bad(
                    name,
                    "url: no sound is fetched from an address; send it as the field \"file\"",
                ));
            }
            "diarization" | "enable_diarization" => {
                if boolean(value).map_err(|message| ApiError::bad(name, format!("{name}: {message}")))? {
                    let message =
                        "speakers are told apart by their channels only; leave it out, or send channels=split";
                    return Err(ApiError::bad(name, format!("{name}: {message}")));
                }
            }
            "min_speakers" | "max_speakers" => warnings.push(format!("{name} is not used by this server")),
            "enable_vad" => others.push(("vad_filter".to_owned(), value.clone())),
            "stream" => return Err(ApiError::bad(name, "stream: /v1/audio/transcriptions streams")),
            _ => others.push((name.clone(), value.clone())),
        }
    }
    let mut wish = Wish::read(&others, Endpoint::Transcriptions, true)?;
    wish.warnings.append(&mut warnings);
    Ok(wish)
}

fn object(outcome: &Outcome, model: &str, took: Duration) -> Value {
    let transcript = &outcome.transcript;
    let segments: Vec<Value> = transcript
        .segments
        .iter()
        .map(|segment| {
            let mut object = json!({ "start": segment.start, "end": segment.end, "text": segment.text });
            if let Some(channel) = segment.channel {
                object["channel"] = channel.into();
            }
            if let Some(words) = &segment.words {
                object["words"] = json!(words);
            }
            object
        })
        .collect();
    let seconds = took.as_secs_f64();
    json!({
        "text": transcript.text.trim(),
        "segments": segments,
        "language": transcript.language,
        "duration": transcript.duration,
        "performance": {
            "total_time": format!("{seconds:.2}s"),
            // How many times faster than the sound lasts, whatever its name says.
            "rtf": format!("{:.1}x", transcript.duration / seconds.max(1e-3)),
            // What was seen at work.
            "engine": outcome.receipt.devices().join(", "),
            "model": model,
        },
    })
}

/// The first model, whether it works, and on what.
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let readiness = shared.readiness();
    let receipt = shared.scheduler.board().receipt();
    Json(json!({
        "status": if readiness.is_ok() { "ready" } else { "not_ready" },
        "reason": readiness.err().map(|error| error.message),
        "version": env!("CARGO_PKG_VERSION"),
        // Written by the layer that saw the work finish; empty until some did.
        "engine": receipt.devices().join(", "),
        "model": shared.models.names().first(),
        "models": shared.models.names(),
        "diarization": false,
    }))
}

pub(super) async fn models(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({ "models": shared.models.names(), "current": shared.models.names().first() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(fields: &[(&str, &str)]) -> Result<Wish, ApiError> {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(&fields)
    }

    #[test]
    fn its_fields_are_done_or_refused() {
        let fields = [("enable_vad", "true"), ("language", "en"), ("diarization", "false"), ("url", "")];
        let wish = self::wish(&fields).unwrap();
        assert!(wish.options.vad.is_some() && wish.options.language.as_deref() == Some("en"));
        assert!(self::wish(&[("max_speakers", "2")]).unwrap().warnings[0].contains("max_speakers"));
        for (name, value) in [("url", "http://127.0.0.1/"), ("enable_diarization", "true"), ("language", "klingon")] {
            let error = self::wish(&[(name, value)]).unwrap_err();
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(name)));
        }
    }
}
