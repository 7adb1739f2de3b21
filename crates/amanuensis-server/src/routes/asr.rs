//! `/asr` and `/detect-language`, as whisper-asr-webservice has them: options in the query, the sound in `audio_file`.

use std::sync::Arc;

use amanuensis::audio::{Encoding, RawFormat};
use amanuensis::segments::Punctuation;
use amanuensis::speech::Vad;
use amanuensis::text::Format;
use amanuensis::tokens::languages;
use amanuensis::{Control, Task};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::form::Form;
use crate::guard::warn;
use crate::hear;
use crate::keys::Client;
use crate::state::Shared;
use crate::wish::{Wish, boolean};

/// The name that stands in an answer's header, where the original names its engine.
const ENGINE: &str = "amanuensis";

#[derive(Deserialize)]
pub(super) struct Asked {
    task: Option<String>,
    language: Option<String>,
    initial_prompt: Option<String>,
    encode: Option<String>,
    vad_filter: Option<String>,
    word_timestamps: Option<String>,
    output: Option<String>,
    diarize: Option<String>,
}

type Wanted = Result<Query<Asked>, QueryRejection>;

fn flag(name: &str, value: Option<&String>) -> Result<Option<bool>, ApiError> {
    let read = |value: &String| boolean(value).map_err(|message| ApiError::bad(name, format!("{name}: {message}")));
    value.map(read).transpose()
}

/// The shape of the samples, where the client says that the file is nothing else.
fn raw(asked: &Asked) -> Result<Option<RawFormat>, ApiError> {
    let plain = RawFormat { encoding: Encoding::S16Le, sample_rate: 16_000, channels: 1 };
    Ok((flag("encode", asked.encode.as_ref())? == Some(false)).then_some(plain))
}

pub(super) async fn transcribe(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    asked: Wanted,
    request: Request,
) -> Result<Response, ApiError> {
    let Query(asked) = asked.map_err(|error| ApiError::bad("query", error.body_text()))?;
    let format: Format = asked.output.as_deref().unwrap_or("txt").parse().map_err(|error| {
        let error: amanuensis::text::UnknownFormat = error;
        ApiError::bad("output", error.to_string())
    })?;
    let mut wish = Wish::new();
    wish.options.task = match asked.task.as_deref() {
        None | Some("transcribe") => Task::Transcribe,
        Some("translate") => Task::Translate,
        Some(other) => return Err(ApiError::bad("task", format!("{other:?} is not one of transcribe and translate"))),
    };
    if let Some(language) = asked.language.as_deref().filter(|language| !language.trim().is_empty()) {
        let known = languages::find(language);
        let known =
            known.ok_or_else(|| ApiError::bad("language", format!("{language:?} is not a language of Whisper's")))?;
        wish.options.language = Some(known.code.to_owned());
    }
    wish.options.initial_prompt = asked.initial_prompt.clone().filter(|text| !text.trim().is_empty());
    wish.options.vad = flag("vad_filter", asked.vad_filter.as_ref())?.unwrap_or(false).then(Vad::default);
    let words = flag("word_timestamps", asked.word_timestamps.as_ref())?.unwrap_or(false);
    wish.options.words = words.then(Punctuation::default);
    if flag("diarize", asked.diarize.as_ref())? == Some(true) {
        return Err(ApiError::bad("diarize", "speakers are not told apart by this server; leave it out"));
    }
    let raw = raw(&asked)?;
    shared.check_room()?;
    let form = Form::read(request, &["audio_file", "file"], &shared.settings).await?;
    let upload = form.file("audio_file")?;
    shared.metrics.uploaded(upload.bytes);
    let asked = hear::Request { input: upload.input(), raw, model: None, options: &wish.options, client: &client.name };
    let outcome = shared.hear(asked).await?.outcome().await?;
    let body = amanuensis::text::to_string(format, &outcome.transcript)
        .map_err(|_| ApiError::fault("the transcript cannot be written in this format"))?;
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(HeaderName::from_static("asr-engine"), HeaderValue::from_static(ENGINE));
    // The client's own name of the file is not repeated: a header is no place for what a stranger wrote.
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"transcript.{}\"", format.extension())) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    warn(&mut response, &outcome.warnings);
    Ok(response)
}

pub(super) async fn detect(
    State(shared): State<Arc<Shared>>,
    asked: Wanted,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let Query(asked) = asked.map_err(|error| ApiError::bad("query", error.body_text()))?;
    let raw = raw(&asked)?;
    shared.check_room()?;
    let form = Form::read(request, &["audio_file", "file"], &shared.settings).await?;
    let upload = form.file("audio_file")?;
    shared.metrics.uploaded(upload.bytes);
    let model = shared.models.get(shared.models.resolve("whisper-1")?).await?;
    let recording = shared.decode(upload.input(), raw).await?;
    let detect = move || {
        let options = amanuensis::Options::default();
        model.engine().detect_language(&recording, &options, &mut Control::new())
    };
    let languages = shared.blocking(detect).await??;
    let (code, confidence) = languages.first().cloned().unwrap_or_default();
    let name = languages::name_of(&code).unwrap_or(&code);
    Ok(Json(json!({ "detected_language": name, "language_code": code, "confidence": confidence })))
}
