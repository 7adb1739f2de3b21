//! How a transcript is written as an answer.

use std::str::FromStr;

use amanuensis::text::{Channels, Format, to_string};
use amanuensis::tokens::{Tokenizer, languages};
use amanuensis::{Segment, Task, Transcript};
use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::wish::Granularities;

/// The formats of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The text in an object.
    Json,
    /// The text.
    Text,
    /// Everything, as OpenAI has it.
    Verbose,
    /// Segments with their speakers, as OpenAI has it.
    Diarized,
    /// One of the engine's formats.
    As(Format),
}

impl Answer {
    /// Their names.
    pub(crate) const NAMES: [&'static str; 11] =
        ["json", "text", "srt", "vtt", "verbose_json", "diarized_json", "tsv", "lrc", "csv", "ass", "aud"];
}

impl FromStr for Answer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "json" => Ok(Answer::Json),
            "text" | "txt" => Ok(Answer::Text),
            "verbose_json" => Ok(Answer::Verbose),
            "diarized_json" => Ok(Answer::Diarized),
            other => match other.parse() {
                Ok(Format::Json) | Err(_) => Err(format!("{other:?} is not one of {}", Answer::NAMES.join(", "))),
                Ok(format) => Ok(Answer::As(format)),
            },
        }
    }
}

/// A transcript with what an answer says beside it.
pub(crate) struct Written<'a> {
    pub(crate) transcript: &'a Transcript,
    pub(crate) task: Task,
    pub(crate) granularities: Option<Granularities>,
    pub(crate) warnings: &'a [String],
    /// The log probabilities of its tokens, where they were asked for.
    pub(crate) logprobs: Option<&'a Value>,
}

impl Written<'_> {
    /// As an answer to a request.
    pub(crate) fn respond(&self, answer: Answer) -> Result<Response<Body>, ApiError> {
        let (kind, body) = match answer {
            Answer::Json => {
                let text = self.transcript.text.trim();
                let mut object = json!({ "text": text, "usage": usage(self.transcript.duration) });
                self.add_logprobs(&mut object);
                ("application/json", object.to_string())
            }
            Answer::Text => ("text/plain; charset=utf-8", format!("{}\n", self.transcript.text.trim())),
            Answer::Verbose => ("application/json", self.verbose().to_string()),
            Answer::Diarized => ("application/json", self.diarized()?.to_string()),
            Answer::As(format) => {
                let body = to_string(format, self.transcript).map_err(|error| {
                    tracing::error!(%error, "a transcript cannot be written");
                    ApiError::fault("the transcript cannot be written in this format")
                })?;
                (kind_of(format), body)
            }
        };
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Ok(response)
    }

    fn add_logprobs(&self, object: &mut Value) {
        if let Some(logprobs) = self.logprobs {
            object["logprobs"] = logprobs.clone();
        }
    }

    /// Segments with their speakers, as OpenAI has it. Refused where nobody knows who speaks.
    fn diarized(&self) -> Result<Value, ApiError> {
        let Written { transcript, task, .. } = self;
        let channels = Channels::of(transcript);
        let segment = |segment: &Segment| {
            let speaker = speaker(segment, &channels).ok_or_else(|| {
                let message =
                    "it is not known who speaks: the channels of the recording were not heard apart, or it has one";
                ApiError::bad("response_format", format!("response_format: {message}; ask for verbose_json"))
            })?;
            Ok(json!({
                "type": "transcript.text.segment",
                "id": format!("seg_{}", segment.id),
                "start": segment.start,
                "end": segment.end,
                "text": segment.text,
                "speaker": speaker,
            }))
        };
        let segments = transcript.segments.iter().map(segment).collect::<Result<Vec<Value>, ApiError>>()?;
        Ok(json!({
            "task": name_of(*task),
            "duration": transcript.duration,
            "text": transcript.text.trim(),
            "segments": segments,
            "usage": usage(transcript.duration),
        }))
    }

    /// Everything, as OpenAI has it.
    pub(crate) fn verbose(&self) -> Value {
        let Written { transcript, task, warnings, .. } = self;
        let channels = Channels::of(transcript);
        let wanted = self.granularities.unwrap_or(Granularities { segments: true, words: false });
        // Words that were asked for in another way are there as well.
        let words: Vec<Value> =
            transcript.segments.iter().filter_map(|segment| segment.words.as_ref()).flatten().map(word).collect();
        let mut object = json!({
            "task": name_of(*task),
            "language": match task {
                Task::Translate => "english",
                Task::Transcribe => languages::name_of(&transcript.language).unwrap_or(&transcript.language),
            },
            "duration": transcript.duration,
            "text": transcript.text.trim(),
            "usage": usage(transcript.duration),
        });
        if wanted.segments || !wanted.words {
            let named = |heard: &Segment| {
                let mut object = segment(heard);
                if let Some(speaker) = speaker(heard, &channels) {
                    object["speaker"] = speaker.into();
                }
                object
            };
            object["segments"] = transcript.segments.iter().map(named).collect();
        }
        if !words.is_empty() || wanted.words {
            object["words"] = words.into();
        }
        if !warnings.is_empty() {
            object["warnings"] = json!(warnings);
        }
        self.add_logprobs(&mut object);
        object
    }
}

fn name_of(task: Task) -> &'static str {
    match task {
        Task::Transcribe => "transcribe",
        Task::Translate => "translate",
    }
}

/// Who speaks: whoever somebody named, or the channel.
fn speaker(segment: &Segment, channels: &Channels) -> Option<String> {
    segment.speaker.clone().or_else(|| Some(channels.name(segment.channel?)))
}

/// The tokens of the text with their log probabilities, as OpenAI has them.
pub(crate) fn logprobs<'a>(tokenizer: &Tokenizer, segments: impl IntoIterator<Item = &'a Segment>) -> Value {
    let of_segment = |segment: &'a Segment| segment.tokens.iter().zip(&segment.logprobs);
    let said = segments.into_iter().flat_map(of_segment);
    let said = said.filter_map(|(token, logprob)| Some((tokenizer.token_bytes(*token)?, logprob)));
    let entry = |(bytes, logprob): (&[u8], &f32)| {
        // A letter may be cut between two tokens; its bytes are not.
        json!({ "token": String::from_utf8_lossy(bytes), "logprob": finite(*logprob), "bytes": bytes })
    };
    said.map(entry).collect()
}

fn kind_of(format: Format) -> &'static str {
    match format {
        Format::Vtt => "text/vtt; charset=utf-8",
        Format::Srt => "application/x-subrip; charset=utf-8",
        Format::Csv => "text/csv; charset=utf-8",
        Format::Tsv => "text/tab-separated-values; charset=utf-8",
        Format::Json => "application/json",
        Format::Txt | Format::Lrc | Format::Ass | Format::Aud => "text/plain; charset=utf-8",
    }
}

/// What OpenAI would ask money for.
pub(crate) fn usage(seconds: f64) -> Value {
    json!({ "type": "duration", "seconds": seconds.ceil() as u64 })
}

/// A segment, as OpenAI has it, and what speaks against it.
pub(crate) fn segment(segment: &Segment) -> Value {
    let mut object = json!({
        "id": segment.id,
        "seek": segment.seek,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": segment.tokens,
        "temperature": finite(segment.temperature),
        "avg_logprob": finite(segment.avg_logprob),
        "compression_ratio": finite(segment.compression_ratio),
        "no_speech_prob": finite(segment.no_speech_prob),
    });
    if !segment.flags.is_empty() {
        object["flags"] = json!(segment.flags);
    }
    if let Some(channel) = segment.channel {
        object["channel"] = json!(channel);
    }
    object
}

fn word(word: &amanuensis::Word) -> Value {
    json!({ "word": word.word.trim(), "start": word.start, "end": word.end, "probability": finite(word.probability) })
}

/// JSON knows no infinity and no NaN. Six digits are more than a probability means.
fn finite(value: f32) -> f64 {
    if value.is_finite() { (f64::from(value) * 1e6).round() / 1e6 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> Transcript {
        let word = |word: &str, start, end| amanuensis::Word { word: word.to_owned(), start, end, probability: 0.25 };
        let segment = Segment {
            text: " Guten Tag.".to_owned(),
            end: 1.5,
            words: Some(vec![word(" Guten", 0.0, 0.5), word(" Tag.", 0.5, 1.5)]),
            compression_ratio: f32::NAN,
            ..Segment::default()
        };
        Transcript {
            text: " Guten Tag.".to_owned(),
            segments: vec![segment],
            language: "de".to_owned(),
            duration: 2.25,
            provenance: None,
        }
    }

    fn written(granularities: Option<Granularities>) -> Value {
        let transcript = transcript();
        Written { transcript: &transcript, task: Task::Transcribe, granularities, warnings: &[], logprobs: None }
            .verbose()
    }

    #[test]
    fn languages_are_names_and_words_have_no_spaces() {
        let object = written(Some(Granularities { segments: false, words: true }));
        assert_eq!(object["language"], "german");
        assert_eq!(object["words"][0], json!({ "word": "Guten", "start": 0.0, "end": 0.5, "probability": 0.25 }));
        assert!(object.get("segments").is_none());
        assert_eq!(object["usage"], json!({ "type": "duration", "seconds": 3 }));
    }

    #[test]
    fn segments_are_there_unless_only_words_are_asked_for() {
        for granularities in [None, Some(Granularities { segments: true, words: true })] {
            let object = written(granularities);
            assert_eq!(object["segments"][0]["text"], " Guten Tag.");
            assert_eq!(object["segments"][0]["compression_ratio"], 0.0, "no NaN in JSON");
        }
    }

    #[test]
    fn whoever_speaks_is_named() {
        let mut transcript = transcript();
        transcript.segments[0].channel = Some(1);
        let written = |transcript: &Transcript| {
            let written =
                Written { transcript, task: Task::Transcribe, granularities: None, warnings: &[], logprobs: None };
            let speaker = |object: Value| object["segments"][0]["speaker"].as_str().map(str::to_owned);
            (speaker(written.verbose()).unwrap(), speaker(written.diarized().unwrap()).unwrap())
        };
        assert_eq!(written(&transcript), ("right".to_owned(), "right".to_owned()));
        transcript.segments[0].speaker = Some("Ada".to_owned());
        assert_eq!(written(&transcript), ("Ada".to_owned(), "Ada".to_owned()));
    }

    #[test]
    fn every_name_is_a_format() {
        for name in Answer::NAMES {
            let answer: Answer = name.parse().unwrap();
            let mut transcript = transcript();
            let respond = |transcript: &Transcript| {
                let (task, granularities) = (Task::Transcribe, None);
                Written { transcript, task, granularities, warnings: &[], logprobs: None }.respond(answer).is_ok()
            };
            assert_eq!(respond(&transcript), name != "diarized_json", "{name}");
            transcript.segments[0].channel = Some(1);
            assert!(respond(&transcript), "{name}");
        }
        assert!("docx".parse::<Answer>().unwrap_err().contains("verbose_json"));
    }
}
