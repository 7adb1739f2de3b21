//! What is asked: the kinds of requests, how often each comes, and what each deserves.

use anyhow::{Context, Result};

use super::manners::{Manner, Same};
use crate::serving::Served;
use crate::serving::http::Request;
use crate::serving::sounds::sample;

/// A kind of requests.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// How many of a thousand are of it.
    pub(super) weight: u64,
    pub(super) manner: Manner,
    pub(super) cases: Vec<Case>,
}

/// A request and what it deserves.
pub(super) struct Case {
    pub(super) request: Request,
    pub(super) deserves: &'static [u16],
    pub(super) same: Same,
}

const SOUNDS: [&str; 6] =
    ["english.wav", "english.mp3", "english-numbers.wav", "german.wav", "two-voices.wav", "silence.flac"];

type Fields = &'static [(&'static str, &'static str)];

/// The fields with which a sound goes to an endpoint.
fn form(path: &str, file: &str, name: &str, sound: &[u8], fields: Fields) -> Request {
    let mut parts: Vec<(&str, Option<&str>, &[u8])> = Vec::new();
    parts.extend(fields.iter().map(|(name, value)| (*name, None, value.as_bytes())));
    parts.push((file, Some(name), sound));
    Request::form(path, &parts)
}

const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
const MODEL: (&str, &str) = ("model", "whisper-1");

/// What transcribes all sounds: name, of a thousand, manner, path, the file's field, fields, what is compared.
type Heard = (&'static str, u64, Manner, &'static str, &'static str, Fields, Same);

const HEARD: [Heard; 18] = [
    ("transcription, json", 120, Manner::Whole, TRANSCRIPTIONS, "file", &[MODEL], Same::Body),
    (
        "transcription, text",
        60,
        Manner::Whole,
        TRANSCRIPTIONS,
        "file",
        &[MODEL, ("response_format", "text")],
        Same::Body,
    ),
    ("transcription, srt", 60, Manner::Whole, TRANSCRIPTIONS, "file", &[MODEL, ("response_format", "srt")], Same::Body),
    ("transcription, vtt", 60, Manner::Whole, TRANSCRIPTIONS, "file", &[MODEL, ("response_format", "vtt")], Same::Body),
    (
        "transcription, verbose_json",
        70,
        Manner::Whole,
        TRANSCRIPTIONS,
        "file",
        &[MODEL, ("response_format", "verbose_json")],
        Same::Spoken,
    ),
    (
        "transcription, verbose_json with words",
        70,
        Manner::Whole,
        TRANSCRIPTIONS,
        "file",
        &[MODEL, ("response_format", "verbose_json"), ("timestamp_granularities[]", "word")],
        Same::Spoken,
    ),
    (
        "transcription, stream=true",
        100,
        Manner::Whole,
        TRANSCRIPTIONS,
        "file",
        &[MODEL, ("stream", "true")],
        Same::Deltas,
    ),
    ("translation", 30, Manner::Whole, "/v1/audio/translations", "file", &[MODEL], Same::Body),
    ("/inference", 40, Manner::Whole, "/inference", "file", &[("response_format", "srt")], Same::Body),
    ("/asr", 40, Manner::Whole, "/asr?output=vtt", "audio_file", &[], Same::Body),
    ("/detect-language", 20, Manner::Whole, "/detect-language", "audio_file", &[], Same::Status),
    ("job: made, waited for, result, deleted", 60, Manner::Job, "/v1/jobs", "file", &[MODEL], Same::Body),
    ("job: its events, result, deleted", 20, Manner::JobWatched, "/v1/jobs", "file", &[MODEL], Same::Body),
    ("job: cancelled, deleted", 30, Manner::JobCancelled, "/v1/jobs", "file", &[MODEL], Same::Status),
    ("slow: sent in pieces", 10, Manner::SentSlowly, TRANSCRIPTIONS, "file", &[MODEL], Same::Body),
    (
        "slow: stream read in pieces",
        10,
        Manner::ReadSlowly,
        TRANSCRIPTIONS,
        "file",
        &[MODEL, ("stream", "true")],
        Same::Deltas,
    ),
    ("gone while sending", 10, Manner::GoneSending, TRANSCRIPTIONS, "file", &[MODEL], Same::Status),
    ("gone while waiting", 10, Manner::GoneWaiting, TRANSCRIPTIONS, "file", &[MODEL], Same::Status),
];

/// All kinds. Asks the server for a transcript to render.
pub(super) fn kinds(server: &Served) -> Result<Vec<Kind>> {
    let mut kinds = Vec::new();
    let sounds = SOUNDS.iter().map(|name| Ok((*name, sample(name)?))).collect::<Result<Vec<_>>>()?;
    for (name, weight, manner, path, field, fields, same) in HEARD {
        let deserves: &[u16] =
            if matches!(manner, Manner::Job | Manner::JobWatched | Manner::JobCancelled) { &[202] } else { &[200] };
        let case =
            |(file, sound): &(&str, Vec<u8>)| Case { request: form(path, field, file, sound, fields), deserves, same };
        kinds.push(Kind { name, weight, manner, cases: sounds.iter().map(case).collect() });
    }
    for (name, weight, path, same) in [
        ("models", 40, "/v1/models", Same::Body),
        ("health", 40, "/readyz", Same::Body),
        ("metrics", 30, "/metrics", Same::Status),
        ("status", 10, "/v1/status", Same::Status),
        ("job list", 20, "/v1/jobs?limit=5", Same::Status),
    ] {
        let cases = vec![Case { request: Request::get(path), deserves: &[200], same }];
        kinds.push(Kind { name, weight, manner: Manner::Whole, cases });
    }
    kinds.push(Kind { name: "render", weight: 20, manner: Manner::Whole, cases: rendered(server)? });
    kinds.push(Kind { name: "broken", weight: 60, manner: Manner::Whole, cases: broken(&sounds) });
    Ok(kinds)
}

/// A transcript in other formats.
fn rendered(server: &Served) -> Result<Vec<Case>> {
    let fields = &[MODEL, ("response_format", "verbose_json"), ("timestamp_granularities[]", "segment,word")];
    let asked = form(TRANSCRIPTIONS, "file", "two-voices.wav", &sample("two-voices.wav")?, fields);
    let transcript = server.ask(&asked).context("the first transcript")?.body;
    let case = |format: &str| Case {
        request: Request::json(&format!("/v1/render?format={format}"), &transcript),
        deserves: &[200],
        same: Same::Body,
    };
    Ok(["srt", "vtt", "tsv", "ass", "csv"].map(case).into())
}

/// Requests that cannot be answered, each with the status that says why.
fn broken(sounds: &[(&str, Vec<u8>)]) -> Vec<Case> {
    let [english, .., silence] = sounds else { return Vec::new() };
    let sent = |fields: Fields| form(TRANSCRIPTIONS, "file", english.0, &english.1, fields);
    let sound = |bytes: &[u8]| form(TRANSCRIPTIONS, "file", "a.wav", bytes, &[MODEL]);
    let two: Vec<(&str, Option<&str>, &[u8])> =
        vec![("model", None, b"whisper-1"), ("file", Some("a"), &english.1), ("file", Some("b"), &english.1)];
    let half = &english.1[..english.1.len() / 2];
    let cases: Vec<(Request, &'static [u16])> = vec![
        (sent(&[]), &[400]),
        (sent(&[("model", "no-such-model")]), &[404]),
        (sent(&[MODEL, ("temperature", "warm")]), &[400]),
        (sent(&[MODEL, ("language", "klingon")]), &[400]),
        (sent(&[MODEL, ("no_such_field", "1")]), &[400]),
        (sent(&[MODEL, ("response_format", "pdf")]), &[400]),
        (Request::form(TRANSCRIPTIONS, &[("model", None, b"whisper-1")]), &[400]),
        (Request::form(TRANSCRIPTIONS, &two), &[400]),
        (sound(b""), &[400]),
        (sound(b"this is no sound at all, whatever its name says"), &[400, 415]),
        (sound(&english.1[..20]), &[400, 415]),
        // Half a sound is heard with a warning, in a container whose frames stand for themselves.
        (sound(half), &[200, 400]),
        (sound(&silence.1[..silence.1.len() / 2]), &[200, 400, 415]),
        (Request::json(TRANSCRIPTIONS, b"{\"model\":\"whisper-1\"}"), &[415]),
        (Request::json("/v1/render?format=srt", b"{\"segments\": [{]}"), &[400]),
        (Request::json("/v1/render?format=pdf", b"{}"), &[400]),
        (Request::get("/v1/jobs/job_that_is_not_there"), &[404]),
        (Request::get("/v1/models/no-such-model"), &[404]),
        (Request::get("/v1/no/such/path"), &[404]),
        (Request::new("DELETE", "/v1/models"), &[405]),
        (sent(&[MODEL]).with("authorization", "Bearer wrong"), &[401]),
        (Request::get("/v1/status").with("authorization", "Basic YTpi"), &[401]),
    ];
    cases.into_iter().map(|(request, deserves)| Case { request, deserves, same: Same::Status }).collect()
}
