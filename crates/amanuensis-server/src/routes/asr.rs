//! `/asr` and `/detect-language`, as whisper-asr-webservice has them: options in the query, the sound in `audio_file`.

use std::collections::BTreeMap;
use std::sync::Arc;

use amanuensis::Options;
use amanuensis::audio::{Encoding, RawFormat};
use amanuensis::segments::Punctuation;
use amanuensis::speech::Vad;
use amanuensis::text::Format;
use amanuensis::tokens::languages;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;

use crate::error::ApiError;
use crate::form::Form;
use crate::guard::warn;
use crate::hear;
use crate::keys::Client;
use crate::state::Shared;
use crate::wish::{Wish, boolean, language, task, text};

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
    /// What this server does not know.
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

impl Asked {
    /// What of it changes nothing, in words.
    fn warnings(&self) -> Vec<String> {
        self.others.keys().map(|name| format!("{name} is not used by this server")).collect()
    }
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
    let named = |name: &'static str| move |message: String| ApiError::bad(name, format!("{name}: {message}"));
    wish.options.task = task(asked.task.as_deref().unwrap_or("transcribe")).map_err(named("task"))?;
    wish.options.language = language(asked.language.as_deref().unwrap_or_default()).map_err(named("language"))?;
    wish.options.initial_prompt = asked.initial_prompt.as_deref().and_then(text);
    wish.options.vad = flag("vad_filter", asked.vad_filter.as_ref())?.unwrap_or(false).then(Vad::default);
    let words = flag("word_timestamps", asked.word_timestamps.as_ref())?.unwrap_or(false);
    wish.options.words = words.then(Punctuation::default);
    if flag("diarize", asked.diarize.as_ref())? == Some(true) {
        return Err(ApiError::bad("diarize", "speakers are not told apart by this server; leave it out"));
    }
    let raw = raw(&asked)?;
    let unused = asked.warnings();
    let form = Form::read(shared.with_room(request).await?, &["audio_file", "file"], &shared.settings).await?;
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
    warn(&mut response, &unused);
    warn(&mut response, &outcome.warnings);
    Ok(response)
}

pub(super) async fn detect(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    asked: Wanted,
    request: Request,
) -> Result<Response, ApiError> {
    let Query(asked) = asked.map_err(|error| ApiError::bad("query", error.body_text()))?;
    let raw = raw(&asked)?;
    let unused = asked.warnings();
    let form = Form::read(shared.with_room(request).await?, &["audio_file", "file"], &shared.settings).await?;
    let upload = form.file("audio_file")?;
    shared.metrics.uploaded(upload.bytes);
    let asked =
        hear::Request { input: upload.input(), raw, model: None, options: &of_language(), client: &client.name };
    let outcome = shared.hear(asked).await?.outcome().await?;
    // A model for one language has nothing to choose from.
    let only = (outcome.transcript.language.clone(), 1.0);
    let (code, confidence) = outcome.languages.first().cloned().unwrap_or(only);
    let name = languages::name_of(&code).unwrap_or(&code);
    let object = json!({ "detected_language": name, "language_code": code, "confidence": confidence });
    let mut response = Json(object).into_response();
    warn(&mut response, &unused);
    Ok(response)
}

/// What is heard where only the language is asked for: the first window, and as little of its text as can be.
fn of_language() -> Options {
    let mut options = Options { clips: vec![(0.0, Some(30.0))], timestamps: false, ..Options::default() };
    options.search.max_new_tokens = Some(1);
    options.search.temperatures.truncate(1);
    options
}
