//! `/v1/live`: sound in binary messages, text back as JSON.

use std::collections::VecDeque;

use amanuensis::Options;
use amanuensis::audio::{Encoding, RawFormat};
use amanuensis::live::{Line, Settings, Update, message, rounded};
use serde_json::{Map, Value, json};

use super::Ear;
use super::dialect::{Dialect, Frame};
use super::ear::Task;
use super::put;
use crate::error::ApiError;
use crate::guard::random_name;
use crate::wish;

/// Lines that are kept to be told again to who comes back.
const MOST_LINES: usize = 10_000;

/// What a client asks for in its first message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    model: String,
    options: Options,
    /// Whether lines have their words.
    words: bool,
    format: RawFormat,
    /// Whether what may still change is told.
    interim: bool,
    silence: f64,
    /// The session to go on with, and the last line of it that was seen.
    resume: Option<(String, Option<u64>)>,
}

impl Default for Wanted {
    fn default() -> Self {
        let format = RawFormat { encoding: Encoding::S16Le, sample_rate: 16_000, channels: 1 };
        let silence = Settings::default().silence;
        let (model, options) = ("whisper-1".to_owned(), Options::default());
        Wanted { model, options, words: false, format, interim: true, silence, resume: None }
    }
}

/// What may stand in the first message: its name, and how it is read.
type Field = (&'static str, fn(&mut Wanted, &Value) -> Result<(), String>);

const FIELDS: [Field; 13] = [
    ("type", |_, value| match value.as_str() {
        Some("start") => Ok(()),
        _ => Err("the first message is of type start, or of none".to_owned()),
    }),
    ("model", |wanted, value| put(&mut wanted.model, text(value)?.to_owned())),
    ("language", |wanted, value| put(&mut wanted.options.language, wish::language(text(value)?)?)),
    ("task", |wanted, value| put(&mut wanted.options.task, wish::task(text(value)?)?)),
    ("prompt", |wanted, value| put(&mut wanted.options.initial_prompt, wish::text(text(value)?))),
    ("words", |wanted, value| put(&mut wanted.words, boolean(value)?)),
    ("encoding", |wanted, value| put(&mut wanted.format.encoding, encoding(text(value)?)?)),
    ("sample_rate", |wanted, value| {
        let rate =
            value.as_u64().and_then(|rate| u32::try_from(rate).ok()).filter(|rate| (8_000..=48_000).contains(rate));
        put(&mut wanted.format.sample_rate, rate.ok_or("it is a whole number from 8000 to 48000")?)
    }),
    ("channels", |wanted, value| {
        let channels =
            value.as_u64().and_then(|count| u32::try_from(count).ok()).filter(|count| (1..=8).contains(count));
        put(&mut wanted.format.channels, channels.ok_or("it is a whole number from 1 to 8")?)
    }),
    ("interim", |wanted, value| put(&mut wanted.interim, boolean(value)?)),
    ("silence_ms", |wanted, value| {
        let silence = value.as_f64().filter(|silence| (100.0..=10_000.0).contains(silence));
        put(&mut wanted.silence, silence.ok_or("it is a number of milliseconds from 100 to 10000")? / 1e3)
    }),
    ("resume", |wanted, value| {
        let after = wanted.resume.take().and_then(|(_, after)| after);
        put(&mut wanted.resume, Some((text(value)?.to_owned(), after)))
    }),
    ("after", |wanted, value| {
        let after = value.as_u64().ok_or("it is the id of a final")?;
        wanted.resume.as_mut().ok_or("it belongs to resume")?.1 = Some(after);
        Ok(())
    }),
];

impl Wanted {
    /// Reads the first message, if it is one of settings.
    pub(crate) fn read(message: &str) -> Result<Self, ApiError> {
        let object = object(message)?;
        let mut wanted = Wanted::default();
        if let Some(unknown) = object.keys().find(|key| !FIELDS.iter().any(|(name, _)| name == key)) {
            let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
            let message = format!("{unknown:?} is not a setting of a live session; there are {}", names.join(", "));
            return Err(ApiError::bad(unknown, message));
        }
        // In the order of the table: what belongs to another comes behind it.
        for (name, read) in FIELDS {
            if let Some(value) = object.get(name).filter(|value| !value.is_null()) {
                read(&mut wanted, value).map_err(|error| ApiError::bad(name, format!("{name}: {error}")))?;
            }
        }
        Ok(wanted)
    }

    /// The session to go on with, and the last line of it that was seen.
    pub(crate) fn resume(&self) -> Option<(&str, Option<u64>)> {
        self.resume.as_ref().map(|(id, after)| (id.as_str(), *after))
    }

    /// What an ear is to do.
    pub(crate) fn task(&self, most_waiting: f64) -> Task {
        let settings = Settings { silence: self.silence, most_waiting, ..Settings::default() };
        Task { model: self.model.clone(), format: self.format, settings, options: self.options.clone() }
    }
}

fn object(message: &str) -> Result<Map<String, Value>, ApiError> {
    serde_json::from_str(message)
        .map_err(|error| ApiError::bad("type", format!("the message is not a JSON object: {error}")))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "it is a text".to_owned())
}

fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "it is true or false".to_owned())
}

fn encoding(name: &str) -> Result<Encoding, String> {
    match name {
        "pcm16" => Ok(Encoding::S16Le),
        "float32" => Ok(Encoding::F32Le),
        "mulaw" => Ok(Encoding::MuLaw),
        "alaw" => Ok(Encoding::ALaw),
        other => Err(format!("{other:?} is not one of pcm16, float32, mulaw and alaw")),
    }
}

/// A session of `/v1/live`.
pub(crate) struct Native {
    id: String,
    words: bool,
    interim: bool,
    /// The last lines, to be told again.
    lines: VecDeque<Line>,
    is_done: bool,
}

impl Native {
    pub(crate) fn new(wanted: &Wanted) -> Self {
        let id = format!("live_{}", random_name());
        Native { id, words: wanted.words, interim: wanted.interim, lines: VecDeque::new(), is_done: false }
    }

    /// The session's name, which nobody can guess.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The session's first message, and what a client that came back has not seen.
    pub(crate) fn greet(&self, ear: &Ear, keep: u64, resumed: Option<Option<u64>>) -> Vec<Value> {
        let mut out = vec![json!({
            "type": "ready",
            "session": self.id,
            "model": ear.model(),
            "resumed": resumed.is_some(),
            "received": rounded(ear.duration()),
            "resume_seconds": keep,
            "lag": rounded(ear.lag()),
        })];
        if let Some(after) = resumed {
            let unseen = self.lines.iter().filter(|line| after.is_none_or(|after| line.id > after));
            out.extend(unseen.filter_map(|line| message(&Update::Line(line.clone()), ear.lag(), self.words)));
        }
        out
    }
}

impl Dialect for Native {
    fn receive(&mut self, ear: &mut Ear, frame: Frame, _: &mut Vec<Value>) -> Result<(), ApiError> {
        let text = match frame {
            Frame::Binary(bytes) => return ear.feed(&bytes),
            Frame::Text(text) => text,
        };
        let message = object(&text)?;
        if let Some(other) = message.keys().find(|key| *key != "type") {
            return Err(ApiError::bad(other, format!("{other:?}: settings stand in the first message only")));
        }
        match message.get("type").and_then(Value::as_str) {
            Some("finish") => {
                ear.finish();
                self.is_done = true;
            }
            Some("commit") => ear.commit(),
            other => {
                let message = format!("a message is of type finish or commit, not {}", other.unwrap_or("nothing"));
                return Err(ApiError::bad("type", message));
            }
        }
        Ok(())
    }

    fn tell(&mut self, ear: &Ear, update: Update, out: &mut Vec<Value>) {
        if self.interim || !matches!(update, Update::Partial { .. }) {
            out.extend(message(&update, ear.lag(), self.words));
        }
        if let Update::Line(line) = update {
            self.lines.push_back(line);
            if self.lines.len() > MOST_LINES {
                self.lines.pop_front();
            }
        }
    }

    fn failed(&mut self, error: &ApiError, out: &mut Vec<Value>) {
        out.push(self.error(error));
    }

    fn error(&mut self, error: &ApiError) -> Value {
        json!({ "type": "error", "error": error })
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn last(&mut self, ear: &Ear) -> Option<Value> {
        Some(json!({ "type": "done", "duration": rounded(ear.duration()), "lag": rounded(ear.lag()) }))
    }

    fn ends_when_idle(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        assert_eq!(Wanted::read("{}").unwrap(), Wanted::default());
        let wanted = Wanted::read(
            r#"{"type":"start","model":"base","language":"German","task":"translate","prompt":"x","words":true,"encoding":"mulaw",
                "sample_rate":8000,"interim":false,"silence_ms":700,"resume":"live_x","after":3}"#,
        )
        .unwrap();
        assert_eq!(wanted.resume(), Some(("live_x", Some(3))));
        assert_eq!((wanted.model.as_str(), wanted.options.language.as_deref()), ("base", Some("de")));
        assert_eq!((wanted.format.encoding, wanted.format.sample_rate, wanted.silence), (Encoding::MuLaw, 8000, 0.7));
        assert!(wanted.words && !wanted.interim);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (message, param) in [
            ("[]", "type"),
            (r#"{"modell":"base"}"#, "modell"),
            (r#"{"language":"klingon"}"#, "language"),
            (r#"{"sample_rate":96000}"#, "sample_rate"),
            (r#"{"sample_rate":"16000"}"#, "sample_rate"),
            (r#"{"encoding":"mp3"}"#, "encoding"),
            (r#"{"words":1}"#, "words"),
            (r#"{"silence_ms":5}"#, "silence_ms"),
            (r#"{"after":5}"#, "after"),
            (r#"{"type":"finish"}"#, "type"),
        ] {
            assert_eq!(Wanted::read(message).unwrap_err().param.as_deref(), Some(param), "{message}");
        }
    }
}
