//! `/inference`, as whisper.cpp's server has it: its fields, its answers, its errors.

use std::sync::Arc;

use amanuensis::decoding::Search;
use amanuensis::segments::Punctuation;
use amanuensis::speech::Vad;
use amanuensis::tokens::languages;
use amanuensis::{Task, Transcript};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::answer::{Answer, Written};
use crate::error::ApiError;
use crate::form::Form;
use crate::guard::{drain, warn};
use crate::hear;
use crate::keys::Client;
use crate::state::Shared;
use crate::wish::{Wish, boolean, language, text};

pub(super) async fn infer(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Response {
    answer(&shared, &client, request).await.unwrap_or_else(|error| {
        // Its clients look for a text under `error`.
        let mut response = (error.status, Json(json!({ "error": error.message }))).into_response();
        error.dress(&mut response);
        response
    })
}

/// A path of this machine is nothing that a client says.
pub(super) async fn load(request: Request) -> Response {
    drain(request).await;
    let message = "models are named when the server is started (--model), and chosen by name in every request (GET /v1/models); \
                   none is loaded from a path over HTTP";
    (StatusCode::FORBIDDEN, Json(json!({ "error": message }))).into_response()
}

async fn answer(shared: &Arc<Shared>, client: &Client, request: Request) -> Result<Response, ApiError> {
    let form = Form::read(shared.with_room(request).await?, &["file"], &shared.settings).await?;
    let upload = form.file("file")?;
    shared.metrics.uploaded(upload.bytes);
    let (wish, probabilities) = read(&form.fields)?;
    let asked =
        hear::Request { input: upload.input(), raw: None, model: None, options: &wish.options, client: &client.name };
    let outcome = shared.hear(asked).await?.outcome().await?;
    let transcript = &outcome.transcript;
    let mut response = match wish.answer {
        Answer::Json => Json(json!({ "text": transcript.text })).into_response(),
        Answer::Verbose => {
            Json(verbose(transcript, wish.options.task, if probabilities { &outcome.languages } else { &[] }))
                .into_response()
        }
        other => {
            let written =
                Written { transcript, task: wish.options.task, granularities: None, warnings: &[], logprobs: None };
            written.respond(other)?
        }
    };
    warn(&mut response, &wish.warnings);
    warn(&mut response, &outcome.warnings);
    Ok(response)
}

/// whisper.cpp's fields as a wish, and whether the probabilities of languages are wanted. Those that change nothing here are
/// said so in the answer's header.
pub(super) fn read(fields: &[(String, String)]) -> Result<(Wish, bool), ApiError> {
    let mut wish = Wish::new();
    let mut probabilities = true;
    let (mut first, mut step) = (0.0_f32, 0.2_f32);
    let (mut from, mut length) = (0.0_f64, 0.0_f64);
    let options = &mut wish.options;
    // Its server asks for English unless told otherwise, which is wrong for everybody else: here it is detected.
    for (name, value) in fields {
        let wrong = |what: &str| ApiError::bad(name, format!("{name}: {value:?} is not {what}"));
        let named = |message: String| ApiError::bad(name, format!("{name}: {message}"));
        let flag = || boolean(value).map_err(named);
        let number = || value.trim().parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(|| wrong("a number"));
        let whole = || value.trim().parse::<i64>().map_err(|_| wrong("a whole number"));
        match name.as_str() {
            "temperature" => first = number()? as f32,
            "temperature_inc" => step = number()? as f32,
            "response_format" => wish.answer = value.parse().map_err(named)?,
            "prompt" => options.initial_prompt = text(value),
            "carry_initial_prompt" => options.carry_initial_prompt = flag()?,
            "translate" => options.task = if flag()? { Task::Translate } else { Task::Transcribe },
            "language" => options.language = language(value).map_err(named)?,
            "beam_size" => options.search.beam_size = Some(whole()?).filter(|size| *size > 1).map(|size| size as usize),
            "best_of" => options.search.best_of = whole()?.max(1) as usize,
            "no_timestamps" => options.timestamps = !flag()?,
            "offset_t" => from = number()?.max(0.0) / 1e3,
            "duration" => length = number()?.max(0.0) / 1e3,
            "entropy_thold" => options.thresholds.entropy = Some(number()? as f32),
            "logprob_thold" => options.thresholds.logprob = Some(number()? as f32),
            "no_speech_thold" => options.thresholds.no_speech = Some(number()? as f32),
            "vad" => options.vad = flag()?.then(Vad::default),
            "no_language_probabilities" => probabilities = !flag()?,
            "detect_language" if !flag()? => {}
            "detect_language" => {
                return Err(ApiError::bad(name, "for the language alone there is POST /detect-language"));
            }
            _ => wish.warnings.push(format!("{name} is not used by this server")),
        }
    }
    if from > 0.0 || length > 0.0 {
        options.clips = vec![(from, (length > 0.0).then_some(from + length))];
    }
    if wish.answer == Answer::Verbose {
        options.words = Some(Punctuation::default());
    }
    if options.carry_initial_prompt && options.initial_prompt.is_none() {
        options.carry_initial_prompt = false;
        wish.warnings.push("there is no prompt to carry".to_owned());
    }
    options.search.temperatures = Search::ladder(first, step);
    options.check()?;
    Ok((wish, probabilities))
}

/// whisper.cpp's own verbose form: words within segments, languages with their probabilities.
fn verbose(transcript: &Transcript, task: Task, heard: &[(String, f32)]) -> Value {
    let name = |code: &str| languages::name_of(code).unwrap_or(code).to_owned();
    let segments: Vec<Value> = transcript
        .segments
        .iter()
        .map(|segment| {
            let mut object = json!({
                "id": segment.id,
                "text": segment.text,
                "start": segment.start,
                "end": segment.end,
                "tokens": segment.tokens,
                "temperature": segment.temperature,
                "avg_logprob": segment.avg_logprob,
                "no_speech_prob": segment.no_speech_prob,
            });
            if let Some(words) = &segment.words {
                object["words"] = words
                    .iter()
                    .map(|word| {
                        let amanuensis::Word { word, start, end, probability } = word;
                        json!({ "word": word, "start": start, "end": end, "t_dtw": -1, "probability": probability })
                    })
                    .collect();
            }
            object
        })
        .collect();
    let mut object = json!({
        "task": if task == Task::Translate { "translate" } else { "transcribe" },
        "language": name(&transcript.language),
        "duration": transcript.duration,
        "text": transcript.text,
        "segments": segments,
    });
    if let Some((code, probability)) = heard.first() {
        object["detected_language"] = json!(name(code));
        object["detected_language_probability"] = json!(probability);
        let probabilities: serde_json::Map<String, Value> =
            heard.iter().filter(|(_, p)| *p > 0.001).map(|(code, p)| (code.clone(), json!(p))).collect();
        object["language_probabilities"] = Value::Object(probabilities);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(fields: &[(&str, &str)]) -> Result<Wish, ApiError> {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(&fields).map(|(wish, _)| wish)
    }

    #[test]
    fn its_fields_are_taken() {
        let fields = [("temperature", "0.2"), ("temperature_inc", "0.4"), ("offset_t", "1500"), ("duration", "500")];
        let wish = wish(&fields).unwrap();
        assert_eq!(wish.options.search.temperatures, [0.2, 0.6, 1.0]);
        assert_eq!(wish.options.clips, [(1.5, Some(2.0))]);
    }

    #[test]
    fn what_changes_nothing_is_said() {
        assert!(wish(&[("audio_ctx", "768")]).unwrap().warnings[0].contains("audio_ctx"));
        assert_eq!(wish(&[("temperature", "warm")]).unwrap_err().param.as_deref(), Some("temperature"));
        assert_eq!(wish(&[("temperature", "-1")]).unwrap_err().status, 400);
    }
}
