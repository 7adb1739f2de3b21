//! What a request asks for: the fields of its form, made into options of the engine.
//!
//! [`FIELDS`] is the one list of them: forms are read by it, and the OpenAPI document is made of it.

mod values;

use amanuensis::audio::Channels;
use amanuensis::decoding::LengthPenalty;
use amanuensis::segments::Punctuation;
use amanuensis::speech::Vad;
use amanuensis::{Options, Task};
use serde_json::Value;

use crate::answer::Answer;
use crate::error::ApiError;

pub(crate) use values::{boolean, language, task, text};
use values::{channels, chunking, integer, list, number};

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The model, as the client named it.
    pub(crate) model: Option<String>,
    pub(crate) options: Options,
    pub(crate) answer: Answer,
    /// Which channels of the sound are heard, and whether apart.
    pub(crate) channels: Channels,
    /// Whether segments and words are wanted beside the text; none of both if not said.
    pub(crate) granularities: Option<Granularities>,
    pub(crate) stream: bool,
    /// Where a webhook goes, for jobs.
    pub(crate) webhook: Option<String>,
    /// Fields as they were given, for whoever asks later what was asked.
    pub(crate) given: Vec<(String, String)>,
    /// What was not taken as it was asked.
    pub(crate) warnings: Vec<String>,
}

/// What stands beside the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Granularities {
    pub(crate) segments: bool,
    pub(crate) words: bool,
}

/// Which requests a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Transcriptions,
    Translations,
    Jobs,
}

/// What a field's value is, as OpenAPI names it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    Integer {
        least: i64,
    },
    Number {
        least: f64,
        most: f64,
    },
    OneOf(&'static [&'static str]),
    /// Of these, or of anything where none are named.
    ListOf(&'static [&'static str]),
}

/// A field of a form.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The endpoints that take it.
    pub(crate) endpoints: &'static [Endpoint],
    pub(crate) about: &'static str,
    set: fn(&mut Wish, &str) -> Result<(), String>,
}

const ALL: &[Endpoint] = &[Endpoint::Transcriptions, Endpoint::Translations, Endpoint::Jobs];
/// Translations are into English, without a choice.
const SPOKEN: &[Endpoint] = &[Endpoint::Transcriptions, Endpoint::Jobs];
/// The result of a job is fetched in any format later.
const AT_ONCE: &[Endpoint] = &[Endpoint::Transcriptions, Endpoint::Translations];

/// Every field but the file.
pub(crate) const FIELDS: [Field; 34] = [
    Field {
        name: "model",
        kind: Kind::Text,
        endpoints: ALL,
        about: "A name from /v1/models, or whisper-1 for the first of them",
        set: |wish, value| put(&mut wish.model, Some(value.to_owned())),
    },
    Field {
        name: "language",
        kind: Kind::Text,
        endpoints: ALL,
        about: "The language spoken, as a code or an English name; detected if not given",
        set: |wish, value| put(&mut wish.options.language, language(value)?),
    },
    Field {
        name: "prompt",
        kind: Kind::Text,
        endpoints: ALL,
        about: "A text as if it had been said before",
        set: |wish, value| put(&mut wish.options.initial_prompt, text(value)),
    },
    Field {
        name: "response_format",
        kind: Kind::OneOf(&Answer::NAMES),
        endpoints: AT_ONCE,
        about: "How the answer is written",
        set: |wish, value| put(&mut wish.answer, value.parse()?),
    },
    Field {
        name: "temperature",
        kind: Kind::Number { least: 0.0, most: 1.0 },
        endpoints: ALL,
        about: "0 tries higher temperatures where the text is not good enough; any other is the only one",
        set: |wish, value| {
            let first: f32 = number(value, 0.0, 1.0)?;
            if first > 0.0 {
                wish.options.search.temperatures = vec![first];
            }
            Ok(())
        },
    },
    Field {
        name: "timestamp_granularities[]",
        kind: Kind::ListOf(&["segment", "word"]),
        endpoints: SPOKEN,
        about: "What stands beside the text of verbose_json",
        set: |wish, value| {
            let granularities = wish.granularities.get_or_insert_default();
            for name in list(value)? {
                match name.as_str() {
                    "segment" => granularities.segments = true,
                    "word" => granularities.words = true,
                    other => return Err(format!("{other:?} is not one of segment and word")),
                }
            }
            if granularities.words {
                wish.options.words.get_or_insert_with(Punctuation::default);
            }
            Ok(())
        },
    },
    Field {
        name: "stream",
        kind: Kind::Boolean,
        endpoints: AT_ONCE,
        about: "Server-sent events as the text comes",
        set: |wish, value| put(&mut wish.stream, boolean(value)?),
    },
    Field {
        name: "chunking_strategy",
        kind: Kind::Text,
        endpoints: SPOKEN,
        about: "auto, or an object of type server_vad: silences are left out",
        set: |wish, value| {
            wish.options.vad = Some(chunking(value)?);
            Ok(())
        },
    },
    Field {
        name: "include[]",
        kind: Kind::ListOf(&["logprobs"]),
        endpoints: SPOKEN,
        about: "logprobs: the tokens of the text with their log probabilities stand beside it in json and verbose_json",
        set: |wish, value| {
            for name in list(value)? {
                match name.as_str() {
                    "logprobs" => wish.options.search.keep_logprobs = true,
                    other => return Err(format!("{other:?} is not known; there is logprobs")),
                }
            }
            Ok(())
        },
    },
    Field {
        name: "channels",
        kind: Kind::OneOf(&["mix", "left", "right", "split"]),
        endpoints: AT_ONCE,
        about: "Which channels are heard: all of them mixed, one of two, or each on its own, as a speaker",
        set: |wish, value| put(&mut wish.channels, channels(value)?),
    },
    Field {
        name: "task",
        kind: Kind::OneOf(&["transcribe", "translate"]),
        endpoints: SPOKEN,
        about: "Whether the text is in the language spoken or in English",
        set: |wish, value| put(&mut wish.options.task, task(value)?),
    },
    Field {
        name: "hotwords",
        kind: Kind::Text,
        endpoints: ALL,
        about: "Words that are to be expected",
        set: |wish, value| put(&mut wish.options.hotwords, text(value)),
    },
    Field {
        name: "prefix",
        kind: Kind::Text,
        endpoints: ALL,
        about: "A text that the transcript begins with",
        set: |wish, value| put(&mut wish.options.prefix, text(value)),
    },
    Field {
        name: "vad_filter",
        kind: Kind::Boolean,
        endpoints: ALL,
        about: "Whether silences are left out",
        set: |wish, value| put(&mut wish.options.vad, boolean(value)?.then(Vad::default)),
    },
    Field {
        name: "without_timestamps",
        kind: Kind::Boolean,
        endpoints: ALL,
        about: "Whether the model writes no times: a window is one segment",
        set: |wish, value| put(&mut wish.options.timestamps, !boolean(value)?),
    },
    Field {
        name: "word_timestamps",
        kind: Kind::Boolean,
        endpoints: ALL,
        about: "Whether words get times",
        set: |wish, value| put(&mut wish.options.words, boolean(value)?.then(Punctuation::default)),
    },
    Field {
        name: "beam_size",
        kind: Kind::Integer { least: 1 },
        endpoints: ALL,
        about: "How many hypotheses are followed; 1 takes the most probable token",
        set: |wish, value| match integer(value)? {
            0 => Err("there is at least 1 hypothesis".to_owned()),
            size => put(&mut wish.options.search.beam_size, Some(size).filter(|size| *size > 1)),
        },
    },
    Field {
        name: "best_of",
        kind: Kind::Integer { least: 1 },
        endpoints: ALL,
        about: "How many hypotheses are sampled at temperatures above 0",
        set: |wish, value| put(&mut wish.options.search.best_of, integer(value)?),
    },
    Field {
        name: "patience",
        kind: Kind::Number { least: 0.0, most: 100.0 },
        endpoints: ALL,
        about: "The beam search ends when so many times its size of hypotheses are complete",
        set: |wish, value| put(&mut wish.options.search.patience, number(value, 0.0, 100.0)?),
    },
    Field {
        name: "length_penalty",
        kind: Kind::Number { least: 0.0, most: 10.0 },
        endpoints: ALL,
        about: "The power of a hypothesis's length by which its score is divided",
        set: |wish, value| {
            put(&mut wish.options.search.length_penalty, LengthPenalty::Power(number(value, 0.0, 10.0)?))
        },
    },
    Field {
        name: "repetition_penalty",
        kind: Kind::Number { least: 0.1, most: 10.0 },
        endpoints: ALL,
        about: "What a token loses that was said earlier in its window; 1 is nothing",
        set: |wish, value| put(&mut wish.options.repetition_penalty, number(value, 0.1, 10.0)?),
    },
    Field {
        name: "no_repeat_ngram_size",
        kind: Kind::Integer { least: 0 },
        endpoints: ALL,
        about: "So many tokens in a row are not said twice in a window; 0 allows it",
        set: |wish, value| put(&mut wish.options.no_repeat_ngram_size, integer(value)?),
    },
    Field {
        name: "condition_on_previous_text",
        kind: Kind::Boolean,
        endpoints: ALL,
        about: "Whether each window is told what was said before it",
        set: |wish, value| put(&mut wish.options.condition_on_previous_text, boolean(value)?),
    },
    Field {
        name: "compression_ratio_threshold",
        kind: Kind::Number { least: 0.0, most: 1000.0 },
        endpoints: ALL,
        about: "A text that compresses more than this is decoded again",
        set: |wish, value| put(&mut wish.options.thresholds.compression_ratio, Some(number(value, 0.0, 1000.0)?)),
    },
    Field {
        name: "log_prob_threshold",
        kind: Kind::Number { least: -1000.0, most: 0.0 },
        endpoints: ALL,
        about: "A text less probable than this is decoded again",
        set: |wish, value| put(&mut wish.options.thresholds.logprob, Some(number(value, -1000.0, 0.0)?)),
    },
    Field {
        name: "no_speech_threshold",
        kind: Kind::Number { least: 0.0, most: 1.0 },
        endpoints: ALL,
        about: "A window that is silent with more than this probability is silent if its text is improbable",
        set: |wish, value| put(&mut wish.options.thresholds.no_speech, Some(number(value, 0.0, 1.0)?)),
    },
    Field {
        name: "hallucination_silence_threshold",
        kind: Kind::Number { least: 0.0, most: 3600.0 },
        endpoints: ALL,
        about: "Longer silences around text that looks invented are skipped; needs word times",
        set: |wish, value| put(&mut wish.options.hallucination_silence_threshold, Some(number(value, 0.0, 3600.0)?)),
    },
    Field {
        name: "suppress_tokens",
        kind: Kind::ListOf(&[]),
        endpoints: ALL,
        about: "Numbers of tokens that are never said, with commas; -1 stands for the symbols that are not spoken",
        set: |wish, value| {
            let tokens: Result<Vec<i64>, String> = list(value)?.iter().map(|token| integer(token)).collect();
            wish.options.suppress_tokens.get_or_insert_default().extend(tokens?);
            Ok(())
        },
    },
    Field {
        name: "suppress_blank",
        kind: Kind::Boolean,
        endpoints: ALL,
        about: "Whether a window may not begin with a lone space or end at once",
        set: |wish, value| put(&mut wish.options.suppress_blank, boolean(value)?),
    },
    Field {
        name: "max_new_tokens",
        kind: Kind::Integer { least: 1 },
        endpoints: ALL,
        about: "Most tokens for one window",
        set: |wish, value| put(&mut wish.options.search.max_new_tokens, Some(integer(value)?)),
    },
    Field {
        name: "seed",
        kind: Kind::Integer { least: 0 },
        endpoints: ALL,
        about: "What sampling begins with",
        set: |wish, value| put(&mut wish.options.search.seed, integer(value)?),
    },
    Field {
        name: "clip_timestamps",
        kind: Kind::Text,
        endpoints: ALL,
        about: "Seconds from where to where is heard: start,end,start,end; the last end may be missing",
        set: |wish, value| {
            let all: Result<Vec<f64>, String> = list(value)?.iter().map(|time| number(time, 0.0, 1e7)).collect();
            let clips: Vec<(f64, Option<f64>)> = all?.chunks(2).map(|clip| (clip[0], clip.get(1).copied())).collect();
            match clips.iter().find(|(start, end)| end.is_some_and(|end| end <= *start)) {
                Some((start, _)) => Err(format!("the clip that begins at {start} ends before it begins")),
                None => put(&mut wish.options.clips, clips),
            }
        },
    },
    Field {
        name: "batch_size",
        kind: Kind::Integer { least: 1 },
        endpoints: ALL,
        about: "The recording is cut in its pauses, and so many pieces at most are decoded together, each on its own",
        set: |wish, value| put(&mut wish.options.batch, Some(integer(value)?)),
    },
    Field {
        name: "webhook_url",
        kind: Kind::Text,
        endpoints: &[Endpoint::Jobs],
        about: "Is told when the job is over",
        set: |wish, value| put(&mut wish.webhook, text(value)),
    },
];

impl Wish {
    /// A request that says nothing: the engine's own options, the answer `json`.
    pub(crate) fn new() -> Self {
        Wish {
            model: None,
            options: Options::default(),
            answer: Answer::Json,
            channels: Channels::Mix,
            granularities: None,
            stream: false,
            webhook: None,
            given: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// What the fields of a form ask for. A field that the endpoint does not take is refused, unless it is to be lenient.
    pub(crate) fn read(fields: &[(String, String)], endpoint: Endpoint, lenient: bool) -> Result<Self, ApiError> {
        let mut wish = Wish::new();
        if endpoint == Endpoint::Translations {
            wish.options.task = Task::Translate;
        }
        for (name, value) in &gathered(fields) {
            let is_it = |field: &&Field| {
                let is_list = matches!(field.kind, Kind::ListOf(_)) && bare(field.name) == bare(name);
                (field.name == name || is_list) && field.endpoints.contains(&endpoint)
            };
            let Some(field) = FIELDS.iter().find(is_it) else {
                let message = format!("the field {name:?} is not known here; GET /openapi.json lists those that are");
                if !lenient {
                    return Err(ApiError::bad(name, message));
                }
                wish.warnings.push(message);
                continue;
            };
            let is_list = matches!(field.kind, Kind::ListOf(_));
            let before = wish.given.iter().find(|(given, _)| given == field.name);
            if before.is_some_and(|(_, before)| before != value) && !is_list {
                return Err(ApiError::bad(name, format!("{name}: the field stands twice, with two values")));
            }
            (field.set)(&mut wish, value).map_err(|message| ApiError::bad(name, format!("{name}: {message}")))?;
            wish.given.push((field.name.to_owned(), value.clone()));
        }
        wish.check(endpoint)?;
        Ok(wish)
    }

    fn check(&self, endpoint: Endpoint) -> Result<(), ApiError> {
        let words = self.granularities.is_some_and(|granularities| granularities.words);
        // The format of a job's result is chosen when it is fetched.
        if words && self.answer != Answer::Verbose && endpoint != Endpoint::Jobs {
            let message = "timestamp_granularities: times of words stand in verbose_json only; ask for \
                           response_format=verbose_json too";
            return Err(ApiError::bad("timestamp_granularities[]", message));
        }
        let has_logprobs = matches!(self.answer, Answer::Json | Answer::Verbose) || self.stream;
        if self.options.search.keep_logprobs && !has_logprobs && endpoint != Endpoint::Jobs {
            let message = "include: logprobs stand in json and verbose_json only; ask for one of them, or leave it out";
            return Err(ApiError::bad("include[]", message));
        }
        if self.answer == Answer::Diarized && self.channels != Channels::Split {
            let message = "response_format: speakers are told apart by their channels only; ask for channels=split too if \
                           each has one, or for verbose_json";
            return Err(ApiError::bad("response_format", message));
        }
        if self.stream && self.channels == Channels::Split {
            let message =
                "channels: what was said on several is put in order at the end; leave stream out, or the split";
            return Err(ApiError::bad("channels", message));
        }
        self.options.check()?;
        Ok(())
    }
}

fn put<T>(place: &mut T, value: T) -> Result<(), String> {
    *place = value;
    Ok(())
}

/// Fields with members of an object made one: a client writes `strategy[type]` and `strategy[threshold]` for it.
fn gathered(fields: &[(String, String)]) -> Vec<(String, String)> {
    const OBJECT: &str = "chunking_strategy";
    let member = |name: &str| {
        let inside = name.strip_prefix(OBJECT)?.strip_prefix('[')?.strip_suffix(']')?;
        (!inside.is_empty()).then(|| inside.to_owned())
    };
    let mut object = serde_json::Map::new();
    let mut rest = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match member(name) {
            Some(member) => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
                object.insert(member, value);
            }
            None => rest.push((name.clone(), value.clone())),
        }
    }
    if !object.is_empty() {
        rest.push((OBJECT.to_owned(), Value::Object(object).to_string()));
    }
    rest
}

/// The name of a list without the brackets that some clients write behind it, and others do not.
fn bare(name: &str) -> &str {
    name.strip_suffix("[]").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<Wish, ApiError> {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Wish::read(&fields, Endpoint::Transcriptions, false)
    }

    #[test]
    fn granularities_are_written_in_many_ways() {
        for fields in [
            vec![("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")],
            vec![("timestamp_granularities", "word,segment")],
            vec![("timestamp_granularities[]", "[\"word\", \"segment\"]")],
        ] {
            let fields: Vec<_> = fields.into_iter().chain([("response_format", "verbose_json")]).collect();
            let wish = read(&fields).unwrap();
            assert_eq!(wish.granularities, Some(Granularities { segments: true, words: true }));
            assert!(wish.options.words.is_some());
        }
        assert_eq!(read(&[("timestamp_granularities[]", "word")]).unwrap_err().status, 400, "without verbose_json");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value) in [
            ("temperature", "7"),
            ("temperature", "NaN"),
            ("language", "klingon"),
            ("response_format", "docx"),
            ("response_format", "diarized_json"),
            ("stream", "perhaps"),
            ("include[]", "everything"),
            ("channels", "middle"),
            ("beam_size", "-1"),
            ("beam_size", "1000"),
            ("batch_size", "0"),
            ("chunking_strategy", "{\"type\":\"server_vad\",\"threshold\":2}"),
            ("chunking_strategy", "{\"type\":\"other\"}"),
            ("hallucination_silence_threshold", "2"),
            ("colour", "blue"),
            ("stream[]", "true"),
            ("beam_size", "0"),
            ("clip_timestamps", "3,1"),
            ("webhook_url", "http://x"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(name)), "{}", error.message);
        }
    }

    #[test]
    fn what_cannot_stand_together_is_named() {
        let refused: [(&str, &[(&str, &str)]); 4] = [
            ("include[]", &[("include[]", "logprobs"), ("response_format", "srt")]),
            ("response_format", &[("response_format", "diarized_json"), ("channels", "left")]),
            ("channels", &[("channels", "split"), ("stream", "true")]),
            ("timestamp_granularities[]", &[("timestamp_granularities[]", "word")]),
        ];
        for (param, fields) in refused {
            let error = read(fields).unwrap_err();
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(param)), "{fields:?}");
        }
        let wish = read(&[("include[]", "logprobs")]).unwrap();
        assert!(wish.options.search.keep_logprobs);
        assert!(read(&[("include", "[\"logprobs\"]"), ("stream", "true"), ("response_format", "text")]).is_ok());
        assert!(read(&[("response_format", "diarized_json"), ("channels", "split")]).is_ok());
    }

    #[test]
    fn a_field_has_one_value_and_an_object_may_come_in_pieces() {
        let error = read(&[("language", "en"), ("language", "de")]).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("language"));
        assert!(read(&[("language", "en"), ("language", "en")]).is_ok());
        let wish =
            read(&[("chunking_strategy[type]", "server_vad"), ("chunking_strategy[threshold]", "0.25")]).unwrap();
        assert_eq!(wish.options.vad.unwrap().options.threshold, 0.25);
    }

    #[test]
    fn a_lenient_server_warns() {
        let fields = [("colour".to_owned(), "blue".to_owned())];
        let wish = Wish::read(&fields, Endpoint::Transcriptions, true).unwrap();
        assert!(wish.warnings[0].contains("colour"));
    }

    #[test]
    fn a_temperature_of_nought_is_a_ladder() {
        assert_eq!(read(&[("temperature", "0")]).unwrap().options.search.temperatures.len(), 6);
        assert_eq!(read(&[("temperature", "0.4")]).unwrap().options.search.temperatures, [0.4]);
    }

    #[test]
    fn lists_come_whole_or_in_pieces() {
        for fields in [
            vec![("suppress_tokens", "-1,7")],
            vec![("suppress_tokens[]", "-1"), ("suppress_tokens[]", "7")],
            vec![("suppress_tokens", "[-1, 7]")],
        ] {
            assert_eq!(read(&fields).unwrap().options.suppress_tokens, Some(vec![-1, 7]));
        }
    }

    #[test]
    fn every_field_has_a_name_of_its_own() {
        let mut names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
    }
}
