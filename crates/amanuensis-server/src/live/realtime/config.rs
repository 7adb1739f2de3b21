//! The session object of OpenAI's Realtime API, for transcription: both forms of it, read strictly and written back.

use amanuensis::Options;
use amanuensis::audio::{Encoding, RawFormat};
use amanuensis::live::{Settings, Turns};
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::live::ear::Task;
use crate::live::put;
use crate::wish;

/// Samples a second of `pcm16`, and of the telephone's codes.
const PCM: u32 = 24_000;
const TELEPHONE: u32 = 8_000;

/// Which form a client speaks: that of the beta, or the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    #[default]
    General,
    Beta,
}

/// How turns are detected by silence.
#[derive(Debug, Clone, PartialEq)]
struct Detection {
    threshold: f64,
    padding_ms: f64,
    silence_ms: f64,
}

impl Default for Detection {
    fn default() -> Self {
        Detection { threshold: 0.5, padding_ms: 300.0, silence_ms: 500.0 }
    }
}

/// What a session is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    encoding: Encoding,
    model: String,
    language: Option<String>,
    prompt: Option<String>,
    /// None where turns are ended by hand.
    detection: Option<Detection>,
}

impl Default for Config {
    fn default() -> Self {
        let detection = Some(Detection::default());
        Config { encoding: Encoding::S16Le, model: "whisper-1".to_owned(), language: None, prompt: None, detection }
    }
}

type Read = fn(&mut Config, &Value, &str) -> Result<(), ApiError>;

/// The members of an object, each with how it is read. What is not among them is refused.
fn members(config: &mut Config, value: &Value, path: &str, known: &[(&str, Read)]) -> Result<(), ApiError> {
    let object = object(value, path)?;
    for (name, value) in object {
        let place = format!("{path}.{name}");
        let Some((_, read)) = known.iter().find(|(known, _)| known == name) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            return Err(unknown(&place, &format!("there are {}", names.join(", "))));
        };
        read(config, value, &place)?;
    }
    Ok(())
}

fn object<'v>(value: &'v Value, path: &str) -> Result<&'v Map<String, Value>, ApiError> {
    value.as_object().ok_or_else(|| wrong(path, "it is an object"))
}

fn unknown(path: &str, what: &str) -> ApiError {
    let error = ApiError::bad(path, format!("unknown parameter: '{path}'; {what}"));
    ApiError { code: Some("unknown_parameter"), ..error }
}

fn wrong(path: &str, what: &str) -> ApiError {
    let error = ApiError::bad(path, format!("invalid value of '{path}': {what}"));
    ApiError { code: Some("invalid_value"), ..error }
}

fn number(value: &Value, path: &str, least: f64, most: f64) -> Result<f64, ApiError> {
    let number = value.as_f64().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| wrong(path, &format!("it is a number from {least} to {most}")))
}

fn text<'v>(value: &'v Value, path: &str) -> Result<&'v str, ApiError> {
    value.as_str().ok_or_else(|| wrong(path, "it is a text"))
}

/// Members that say what is the case anyway.
fn nothing(_: &mut Config, value: &Value, path: &str) -> Result<(), ApiError> {
    if value.is_null() {
        Ok(())
    } else {
        Err(wrong(path, "sound is heard as it comes: noise is not taken away; leave it null"))
    }
}

fn include(_: &mut Config, value: &Value, path: &str) -> Result<(), ApiError> {
    let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    if is_empty { Ok(()) } else { Err(wrong(path, "log probabilities of tokens are not kept; leave it empty")) }
}

fn transcription(config: &mut Config, value: &Value, path: &str) -> Result<(), ApiError> {
    if value.is_null() {
        return Err(wrong(path, "a session of this server transcribes"));
    }
    members(
        config,
        value,
        path,
        &[
            ("model", |config, value, path| put(&mut config.model, text(value, path)?.to_owned())),
            ("language", |config, value, path| {
                let language = if value.is_null() { "" } else { text(value, path)? };
                put(&mut config.language, wish::language(language).map_err(|error| wrong(path, &error))?)
            }),
            ("prompt", |config, value, path| {
                let prompt = if value.is_null() { "" } else { text(value, path)? };
                put(&mut config.prompt, wish::text(prompt))
            }),
        ],
    )
}

fn turns(config: &mut Config, value: &Value, path: &str) -> Result<(), ApiError> {
    if value.is_null() {
        config.detection = None;
        return Ok(());
    }
    let mut detection = Detection::default();
    for (name, value) in object(value, path)? {
        let place = format!("{path}.{name}");
        match name.as_str() {
            "type" if value == "server_vad" => {}
            "type" => {
                return Err(wrong(
                    &place,
                    "only server_vad is known here, and null for turns that are ended by commit",
                ));
            }
            "threshold" => detection.threshold = number(value, &place, 0.0, 1.0)?,
            "prefix_padding_ms" => detection.padding_ms = number(value, &place, 0.0, 2_000.0)?,
            "silence_duration_ms" => detection.silence_ms = number(value, &place, 100.0, 10_000.0)?,
            _ => return Err(unknown(&place, "there are type, threshold, prefix_padding_ms, silence_duration_ms")),
        }
    }
    config.detection = Some(detection);
    Ok(())
}

fn beta_format(config: &mut Config, value: &Value, path: &str) -> Result<(), ApiError> {
    config.encoding = match text(value, path)? {
        "pcm16" => Encoding::S16Le,
        "g711_ulaw" => Encoding::MuLaw,
        "g711_alaw" => Encoding::ALaw,
        _ => return Err(wrong(path, "it is pcm16, g711_ulaw or g711_alaw")),
    };
    Ok(())
}

fn format(config: &mut Config, value: &Value, path: &str) -> Result<(), ApiError> {
    let kind = object(value, path)?.get("type").and_then(Value::as_str);
    config.encoding = match kind {
        Some("audio/pcm") => Encoding::S16Le,
        Some("audio/pcmu") => Encoding::MuLaw,
        Some("audio/pcma") => Encoding::ALaw,
        _ => return Err(wrong(&format!("{path}.type"), "it is audio/pcm, audio/pcmu or audio/pcma")),
    };
    members(
        config,
        value,
        path,
        &[
            ("type", |_, _, _| Ok(())),
            ("rate", |config, value, path| {
                let rate = rate_of(config.encoding);
                if value.as_u64() == Some(u64::from(rate)) {
                    Ok(())
                } else {
                    Err(wrong(path, &format!("it is {rate}")))
                }
            }),
        ],
    )
}

fn rate_of(encoding: Encoding) -> u32 {
    if encoding == Encoding::S16Le { PCM } else { TELEPHONE }
}

/// What a server says of a session and takes back from a client without a word.
fn told(_: &mut Config, _: &Value, _: &str) -> Result<(), ApiError> {
    Ok(())
}

fn audio(config: &mut Config, value: &Value, path: &str) -> Result<(), ApiError> {
    members(
        config,
        value,
        path,
        &[("input", |config, value, path| {
            members(
                config,
                value,
                path,
                &[
                    ("format", format),
                    ("transcription", transcription),
                    ("turn_detection", turns),
                    ("noise_reduction", nothing),
                ],
            )
        })],
    )
}

fn kind(_: &mut Config, value: &Value, path: &str) -> Result<(), ApiError> {
    match value.as_str() {
        Some("transcription") => Ok(()),
        _ => Err(wrong(path, "sessions of this server are of type transcription; it does not speak")),
    }
}

impl Config {
    /// This session, and what an update changes. Nothing is changed by one with an error in it.
    pub(crate) fn updated(&self, session: &Value, form: Form) -> Result<Self, ApiError> {
        let mut config = self.clone();
        let known: &[(&str, Read)] = match form {
            Form::General => &[
                ("type", kind),
                ("audio", audio),
                ("include", include),
                ("id", told),
                ("object", told),
                ("expires_at", told),
            ],
            Form::Beta => &[
                ("input_audio_format", beta_format),
                ("input_audio_transcription", transcription),
                ("turn_detection", turns),
                ("input_audio_noise_reduction", nothing),
                ("include", include),
            ],
        };
        members(&mut config, session, "session", known)?;
        Ok(config)
    }

    /// The same with another model.
    pub(crate) fn with_model(self, model: &str) -> Self {
        Config { model: model.to_owned(), ..self }
    }

    /// The model that is asked for.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Whether a silence ends a turn.
    pub(crate) fn detects(&self) -> bool {
        self.detection.is_some()
    }

    /// The session as it is told.
    pub(crate) fn shown(&self, id: &str, expires_at: u64, form: Form) -> Value {
        let transcription = json!({
            "model": self.model,
            "language": self.language,
            "prompt": self.prompt.as_deref().unwrap_or_default(),
        });
        let detection = self.detection.as_ref().map(|detection| {
            json!({
                "type": "server_vad",
                "threshold": detection.threshold,
                "prefix_padding_ms": detection.padding_ms as u64,
                "silence_duration_ms": detection.silence_ms as u64,
            })
        });
        let named = |pcm, ulaw, alaw| match self.encoding {
            Encoding::MuLaw => ulaw,
            Encoding::ALaw => alaw,
            _ => pcm,
        };
        match form {
            Form::General => {
                let mut format = json!({ "type": named("audio/pcm", "audio/pcmu", "audio/pcma") });
                if self.encoding == Encoding::S16Le {
                    format["rate"] = json!(PCM);
                }
                json!({
                    "type": "transcription",
                    "id": id,
                    "object": "realtime.transcription_session",
                    "expires_at": expires_at,
                    "audio": { "input": {
                        "format": format,
                        "transcription": transcription,
                        "turn_detection": detection,
                        "noise_reduction": null,
                    } },
                    "include": null,
                })
            }
            Form::Beta => json!({
                "id": id,
                "object": "realtime.transcription_session",
                "expires_at": expires_at,
                "input_audio_format": named("pcm16", "g711_ulaw", "g711_alaw"),
                "input_audio_transcription": transcription,
                "turn_detection": detection,
                "input_audio_noise_reduction": null,
                "include": null,
            }),
        }
    }

    /// What an ear is to do.
    pub(crate) fn task(&self, most_waiting: f64) -> Task {
        let (usual, turns) = (Settings::default(), self.detection.clone().unwrap_or_default());
        let settings = Settings {
            turns: if self.detects() { Turns::Silence } else { Turns::ByHand },
            threshold: turns.threshold as f32,
            padding: turns.padding_ms / 1e3,
            silence: turns.silence_ms / 1e3,
            most_waiting,
            ..usual
        };
        let format = RawFormat { encoding: self.encoding, sample_rate: rate_of(self.encoding), channels: 1 };
        let (language, initial_prompt) = (self.language.clone(), self.prompt.clone());
        let options = Options { language, initial_prompt, ..Options::default() };
        Task { model: self.model.clone(), format, settings, options }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let general = json!({ "type": "transcription", "audio": { "input": {
            "format": { "type": "audio/pcmu" },
            "transcription": { "model": "base", "language": "de", "prompt": "x" },
            "turn_detection": { "type": "server_vad", "threshold": 0.4, "prefix_padding_ms": 200, "silence_duration_ms": 800 },
            "noise_reduction": null,
        } }, "include": [] });
        let config = Config::default().updated(&general, Form::General).unwrap();
        assert!(config.encoding == Encoding::MuLaw && config.model() == "base" && config.detects());
        let shown = config.shown("sess_x", 1, Form::General);
        assert_eq!(Config::default().updated(&shown, Form::General).unwrap(), config);
        let mut shown = config.shown("sess_x", 1, Form::Beta);
        for key in ["id", "object", "expires_at"] {
            shown.as_object_mut().unwrap().remove(key);
        }
        assert_eq!(Config::default().updated(&shown, Form::Beta).unwrap(), config);
        let by_hand = json!({ "audio": { "input": { "turn_detection": null } } });
        assert!(!config.updated(&by_hand, Form::General).unwrap().detects());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let input = |value: Value| json!({ "audio": { "input": value } });
        for (session, form, param) in [
            (json!({ "type": "realtime" }), Form::General, "session.type"),
            (json!({ "voice": "alloy" }), Form::General, "session.voice"),
            (
                input(json!({ "format": { "type": "audio/pcm", "rate": 16000 } })),
                Form::General,
                "session.audio.input.format.rate",
            ),
            (input(json!({ "format": { "type": "audio/mp3" } })), Form::General, "session.audio.input.format.type"),
            (
                input(json!({ "noise_reduction": { "type": "near_field" } })),
                Form::General,
                "session.audio.input.noise_reduction",
            ),
            (
                input(json!({ "turn_detection": { "type": "semantic_vad" } })),
                Form::General,
                "session.audio.input.turn_detection.type",
            ),
            (json!({ "input_audio_format": "mp3" }), Form::Beta, "session.input_audio_format"),
            (json!({ "include": ["item.input_audio_transcription.logprobs"] }), Form::Beta, "session.include"),
            (
                json!({ "turn_detection": { "type": "server_vad", "threshold": 2 } }),
                Form::Beta,
                "session.turn_detection.threshold",
            ),
            (
                json!({ "input_audio_transcription": { "language": "klingon" } }),
                Form::Beta,
                "session.input_audio_transcription.language",
            ),
            (
                json!({ "input_audio_transcription": { "temperature": 1 } }),
                Form::Beta,
                "session.input_audio_transcription.temperature",
            ),
            (json!("x"), Form::Beta, "session"),
        ] {
            let error = Config::default().updated(&session, form).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{session}");
        }
    }
}
