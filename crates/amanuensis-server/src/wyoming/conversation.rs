//! What is said over one connection of Wyoming.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use amanuensis::Options;
use amanuensis::audio::{Encoding, Input, RawFormat};
use amanuensis::tokens::languages::LANGUAGES;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::event::Event;
use crate::error::ApiError;
use crate::hear;
use crate::state::Shared;
use crate::wish::language;

/// Where the endpoint stands in figures and lines of the log.
const ENDPOINT: &str = "wyoming";
const HOME: &str = "https://github.com/openai/whisper";

/// A sound that is coming. It has no name in any folder.
struct Sound {
    file: tokio::fs::File,
    format: RawFormat,
    bytes: u64,
}

/// One client, and what it has said so far.
pub(super) struct Conversation {
    shared: Arc<Shared>,
    client: String,
    model: Option<String>,
    language: Option<String>,
    sound: Option<Sound>,
    /// Whether the rest of a sound is not listened to any more, because it was refused.
    refused: bool,
}

impl Conversation {
    pub(super) fn new(shared: Arc<Shared>, client: String) -> Self {
        Conversation { shared, client, model: None, language: None, sound: None, refused: false }
    }

    /// Whether a sound is coming.
    pub(super) fn is_listening(&self) -> bool {
        self.sound.is_some()
    }

    /// What is answered to an event; nothing to most.
    pub(super) async fn answer(&mut self, event: &Event) -> Option<Event> {
        let answered = match event.kind.as_str() {
            "describe" => self.describe().await.map(Some),
            "ping" => Ok(Some(Event { kind: "pong".to_owned(), ..event.clone() })),
            "transcribe" => self.transcribe(event).map(|()| None),
            "audio-start" => self.begin(event).await.map(|()| None),
            "audio-chunk" if self.refused => Ok(None),
            "audio-chunk" => self.hear(event).await.map(|()| None),
            "audio-stop" if std::mem::take(&mut self.refused) => Ok(None),
            "audio-stop" => self.end().await.map(Some),
            // Others are meant for others.
            _ => Ok(None),
        };
        answered.unwrap_or_else(|error| {
            if event.kind.starts_with("audio-") && event.kind != "audio-stop" {
                (self.sound, self.refused) = (None, true);
            }
            Some(refusal(&error))
        })
    }

    async fn describe(&self) -> Result<Event, ApiError> {
        let models = &self.shared.models;
        // The languages of the first are known once it is loaded; of the others those that Whisper knows are told.
        let first = models.names().first().map(String::as_str).unwrap_or_default();
        let first_languages = models.get(first).await?;
        let all = || LANGUAGES.iter().map(|language| language.code);
        let special = first_languages.engine().tokenizer().special();
        let of_first: Vec<&str> = match special.is_multilingual() {
            true => all().filter(|code| special.language_token(code).is_some()).collect(),
            false => vec!["en"],
        };
        let attribution = json!({ "name": "OpenAI Whisper", "url": HOME });
        let model = |name: &String| {
            let languages = if name == first { of_first.clone() } else { all().collect() };
            json!({
                "name": name,
                "description": name,
                "attribution": attribution,
                "installed": true,
                "version": null,
                "languages": languages,
            })
        };
        let described: Vec<Value> = models.names().iter().map(model).collect();
        let program = json!({
            "name": "amanuensis",
            "description": "Speech to text with Whisper models",
            "attribution": attribution,
            "installed": true,
            "version": env!("CARGO_PKG_VERSION"),
            "models": described,
            "supports_transcript_streaming": false,
        });
        let none: [Value; 0] = [];
        Ok(Event::new(
            "info",
            json!({
                "asr": [program], "tts": none, "handle": none, "intent": none, "wake": none, "mic": none, "snd": none,
            }),
        ))
    }

    /// What the next sounds are to be heard with.
    fn transcribe(&mut self, event: &Event) -> Result<(), ApiError> {
        self.model = match event.text("name") {
            Some(name) => Some(self.shared.models.resolve(name)?.to_owned()),
            None => None,
        };
        let asked = event.text("language").unwrap_or_default();
        // A language with its country is the language.
        let bare = asked.split(['-', '_']).next().unwrap_or_default();
        let named = |message: String| ApiError::bad("language", format!("language: {message}"));
        self.language = language(asked).or_else(|_| language(bare)).map_err(named)?;
        Ok(())
    }

    async fn begin(&mut self, event: &Event) -> Result<(), ApiError> {
        self.refused = false;
        self.sound = None;
        if self.shared.is_stopping() {
            return Err(ApiError::unavailable("shutting_down", 10, "the server is being stopped"));
        }
        let format = format(event)?;
        let file = tokio::task::spawn_blocking(tempfile::tempfile)
            .await
            .map_err(|error| ApiError::fault(error.to_string()))?;
        let file = tokio::fs::File::from_std(file.map_err(full)?);
        self.sound = Some(Sound { file, format, bytes: 0 });
        Ok(())
    }

    async fn hear(&mut self, event: &Event) -> Result<(), ApiError> {
        if self.sound.is_none() {
            self.begin(event).await?;
        }
        let format = format(event)?;
        let settings = &self.shared.settings;
        let Some(sound) = &mut self.sound else { return Ok(()) };
        if format != sound.format {
            return Err(ApiError::bad("rate", "the samples are of another shape than those before them"));
        }
        sound.bytes += event.payload.len() as u64;
        let frame = u64::from(format.channels) * format.encoding.bytes() as u64;
        let seconds = sound.bytes as f64 / (u64::from(format.sample_rate) * frame) as f64;
        if sound.bytes > settings.max_upload_bytes || seconds > settings.max_duration {
            let (bytes, most) = (settings.max_upload_bytes, settings.max_duration);
            return Err(ApiError::too_large(format!("a sound has {bytes} bytes and {most} seconds at most")));
        }
        sound.file.write_all(&event.payload).await.map_err(full)
    }

    /// The sound is over: it is heard.
    async fn end(&mut self) -> Result<Event, ApiError> {
        let Some(sound) = self.sound.take() else {
            return Err(ApiError::bad(
                "audio-stop",
                "there is no sound: audio-start and audio-chunk come before audio-stop",
            ));
        };
        let began = Instant::now();
        let heard = self.heard(sound).await;
        let (took, status) = (began.elapsed(), heard.as_ref().map_or_else(|error| error.status.as_u16(), |_| 200));
        self.shared.metrics.request(ENDPOINT, status, took);
        tracing::info!(endpoint = ENDPOINT, status, milliseconds = took.as_millis() as u64, "answered");
        heard
    }

    async fn heard(&self, Sound { mut file, format, bytes }: Sound) -> Result<Event, ApiError> {
        let _pass = self.shared.gate.pass(&self.client, Instant::now())?;
        file.flush().await.map_err(full)?;
        let file: File = file.into_std().await;
        self.shared.metrics.uploaded(bytes);
        let options = Options { language: self.language.clone(), ..Options::default() };
        let asked = hear::Request {
            input: Input::File { name: "file".to_owned(), file: Arc::new(file) },
            raw: Some(format),
            model: self.model.as_deref(),
            options: &options,
            client: &self.client,
        };
        let outcome = self.shared.hear(asked).await?.outcome().await?;
        let transcript = &outcome.transcript;
        Ok(Event::new("transcript", json!({ "text": transcript.text.trim(), "language": transcript.language })))
    }
}

/// The shape of the samples that an event tells of.
fn format(event: &Event) -> Result<RawFormat, ApiError> {
    let number = |key: &str, least: u64, most: u64| {
        let number = event.data.get(key).and_then(Value::as_u64).filter(|number| (least..=most).contains(number));
        let wrong = || ApiError::bad(key, format!("{key}: it is a whole number from {least} to {most}"));
        number.and_then(|number| u32::try_from(number).ok()).ok_or_else(wrong)
    };
    let encoding = match number("width", 1, 4)? {
        2 => Encoding::S16Le,
        3 => Encoding::S24Le,
        4 => Encoding::S32Le,
        _ => return Err(ApiError::bad("width", "width: samples have 2, 3 or 4 bytes")),
    };
    Ok(RawFormat { encoding, sample_rate: number("rate", 1000, 192_000)?, channels: number("channels", 1, 8)? })
}

fn full(error: std::io::Error) -> ApiError {
    tracing::error!(%error, "a sound could not be kept");
    ApiError::fault("the sound could not be kept: the server's disk may be full")
}

pub(super) fn refusal(error: &ApiError) -> Event {
    Event::new("error", json!({ "text": error.message, "code": error.code.unwrap_or(error.family) }))
}
