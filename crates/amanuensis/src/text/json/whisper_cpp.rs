//! whisper.cpp's schema as `-oj` writes it: times as clocks and as milliseconds, indented with tabs.
//!
//! The `speaker` is the channel, as it is with `-di`. What a transcript does not hold (the shape of the model, the
//! system's features) is left out, not made up. `-oj` lists no tokens, and neither does this.

use std::io;

use serde::Serialize;

use super::super::time;
use crate::segments::{Provenance, Segment, Transcript};

#[derive(Serialize)]
pub(super) struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    systeminfo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Model<'a>>,
    params: Params<'a>,
    result: Heard<'a>,
    transcription: Vec<Piece<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Serialize)]
struct Params<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    language: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    translate: Option<bool>,
}

#[derive(Serialize)]
struct Heard<'a> {
    language: &'a str,
}

#[derive(Serialize)]
struct Piece<'a> {
    timestamps: Span<String>,
    offsets: Span<u64>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<String>,
}

#[derive(Serialize)]
struct Span<T> {
    from: T,
    to: T,
}

pub(super) fn document(transcript: &Transcript) -> io::Result<Document<'_>> {
    let provenance = transcript.provenance.as_ref();
    let model = provenance.map(|provenance| provenance.model.as_str());
    Ok(Document {
        systeminfo: provenance.map(system),
        model: model.map(|kind| Model { kind }),
        params: Params {
            model,
            language: &transcript.language,
            translate: provenance
                .and_then(|provenance| provenance.options.get("task"))
                .map(|task| task.eq_ignore_ascii_case("translate")),
        },
        result: Heard { language: &transcript.language },
        transcription: transcript.segments.iter().map(piece).collect::<io::Result<_>>()?,
    })
}

/// The program and its devices.
fn system(provenance: &Provenance) -> String {
    let devices = provenance.devices.iter().map(String::as_str);
    std::iter::once(provenance.program.as_str()).chain(devices).collect::<Vec<_>>().join(" | ")
}

fn piece(segment: &Segment) -> io::Result<Piece<'_>> {
    let (from, to) = time::span(segment)?;
    let clock = |time: time::Milliseconds| time.clock_with_hours(',').to_string();
    Ok(Piece {
        timestamps: Span { from: clock(from), to: clock(to) },
        offsets: Span { from: from.0, to: to.0 },
        text: &segment.text,
        speaker: segment.channel.map(|channel| channel.to_string()),
    })
}
