//! Values of fields, as the clients of many servers write them.

use std::str::FromStr;

use amanuensis::Task;
use amanuensis::audio::Channels;
use amanuensis::speech::Vad;
use amanuensis::tokens::languages;
use serde_json::Value;

/// A text, if there is one.
pub(crate) fn text(value: &str) -> Option<String> {
    (!value.trim().is_empty()).then(|| value.to_owned())
}

/// The code of a language, by its code or name; none where it is to be detected.
pub(crate) fn language(value: &str) -> Result<Option<String>, String> {
    match value.trim() {
        "" | "auto" => Ok(None),
        asked => match languages::find(asked) {
            Some(language) => Ok(Some(language.code.to_owned())),
            None => Err(format!("{asked:?} is not a language that Whisper knows; give a code such as en, or a name")),
        },
    }
}

/// What the text is to be.
pub(crate) fn task(value: &str) -> Result<Task, String> {
    match value {
        "transcribe" => Ok(Task::Transcribe),
        "translate" => Ok(Task::Translate),
        other => Err(format!("{other:?} is not one of transcribe and translate")),
    }
}

/// Which channels are heard.
pub(super) fn channels(value: &str) -> Result<Channels, String> {
    match value {
        "mix" => Ok(Channels::Mix),
        "left" => Ok(Channels::Left),
        "right" => Ok(Channels::Right),
        "split" => Ok(Channels::Split),
        other => Err(format!("{other:?} is not one of mix, left, right and split")),
    }
}

/// True and false as the languages of the clients write them.
pub(crate) fn boolean(value: &str) -> Result<bool, String> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        other => Err(format!("{other:?} is neither true nor false")),
    }
}

pub(super) fn number<T: FromStr + Into<f64> + Copy>(value: &str, least: f64, most: f64) -> Result<T, String> {
    let wrong = || format!("{value:?} is not a number from {least} to {most}");
    let number: T = value.trim().parse().map_err(|_| wrong())?;
    if (least..=most).contains(&number.into()) { Ok(number) } else { Err(wrong()) }
}

pub(super) fn integer<T: FromStr>(value: &str) -> Result<T, String> {
    value.trim().parse().map_err(|_| format!("{value:?} is not a whole number that is taken here"))
}

/// A list as JSON or with commas.
pub(super) fn list(value: &str) -> Result<Vec<String>, String> {
    let value = value.trim();
    if value.starts_with('[') {
        let values: Vec<Value> = serde_json::from_str(value).map_err(|error| format!("not a JSON list: {error}"))?;
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        return Ok(values.into_iter().map(text).collect());
    }
    Ok(value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

/// How silences are left out.
pub(super) fn chunking(value: &str) -> Result<Vad, String> {
    let mut vad = Vad::default();
    let value = value.trim();
    if value.trim_matches('"') == "auto" {
        return Ok(vad);
    }
    let object: serde_json::Map<String, Value> =
        serde_json::from_str(value).map_err(|_| "it is auto or a JSON object of type server_vad".to_owned())?;
    if object.get("type").and_then(Value::as_str) != Some("server_vad") {
        return Err("the type of the object is server_vad".to_owned());
    }
    for (key, value) in &object {
        let number = |most: f64| {
            let number = value.as_f64().filter(|number| (0.0..=most).contains(number));
            number.ok_or_else(|| format!("{key} is a number from 0 to {most}"))
        };
        match key.as_str() {
            "type" => {}
            "threshold" => vad.options.threshold = number(1.0)? as f32,
            "prefix_padding_ms" => vad.options.speech_pad_ms = number(60_000.0)? as u32,
            "silence_duration_ms" => vad.options.min_silence_duration_ms = number(60_000.0)? as u32,
            other => return Err(format!("{other:?} is not a key of server_vad")),
        }
    }
    Ok(vad)
}
